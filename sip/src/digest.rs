//! Digest authentication ([RFC 7616], [RFC 8760]).
//!
//! [RFC 7616]: https://www.rfc-editor.org/rfc/rfc7616
//! [RFC 8760]: https://www.rfc-editor.org/rfc/rfc8760
