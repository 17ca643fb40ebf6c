//! The text of a session ([RFC 8866]) and the offer/answer over it ([RFC 3264]), for one stream of audio.
//!
//! [`Session::parse`] reads, `Display` writes. [`answer`], [`offer`] and [`accept_answer`] are functions of what they
//! are given; [`Exchange`] holds what a call must remember between them: the version of our text, the media lines in
//! their order, and what is in force.
//!
//! [RFC 8866]: https://www.rfc-editor.org/rfc/rfc8866
//! [RFC 3264]: https://www.rfc-editor.org/rfc/rfc3264

mod address;
mod codec;
mod crypto;
mod error;
mod events;
mod exchange;
mod media;
mod negotiate;
mod opus;
mod policy;
mod read;
mod session;
mod write;

pub use codec::Codec;
pub use error::Error;
pub use events::Events;
pub use exchange::Exchange;
pub use media::{Direction, Media};
pub use negotiate::{Format, Negotiated, accept_answer, answer, offer};
pub use opus::OpusTerms;
pub use policy::{Encryption, Local, Policy, Preference};
pub use session::Session;
