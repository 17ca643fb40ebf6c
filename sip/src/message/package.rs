//! What is told about: Event ([RFC 6665 §8.2.1], [RFC 3515 §2.4.6]).
//!
//! [RFC 6665 §8.2.1]: https://www.rfc-editor.org/rfc/rfc6665#section-8.2.1
//! [RFC 3515 §2.4.6]: https://www.rfc-editor.org/rfc/rfc3515#section-2.4.6

use std::fmt;

use super::{header_name::HeaderName, headers::Headers, value::Value};

/// The event package of a NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Package {
    /// What a REFER has started; `id` is the number of that REFER's CSeq, which the first one may leave out.
    Refer {
        /// The number, as far as it is one.
        id: Option<Result<u32, NotANumber>>,
    },
    /// Anything else.
    Other,
}

/// An `id` that can be that of no REFER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumber;

impl Package {
    /// Reads the value; `None` when it is malformed.
    pub fn parse(value: &str) -> Option<Self> {
        let value = Value::parse(value).ok()?;
        if !value.text.eq_ignore_ascii_case("refer") {
            return Some(Self::Other);
        }
        Some(Self::Refer { id: value.params.get("id").map(|id| id.parse().map_err(|_| NotANumber)) })
    }

    /// The package that a request is about; `None` when it does not say, or not readably.
    pub fn of(headers: &Headers) -> Option<Self> {
        headers.get(&HeaderName::Event).and_then(Self::parse)
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refer { id: Some(Ok(id)) } => write!(f, "refer;id={id}"),
            Self::Refer { .. } => f.write_str("refer"),
            Self::Other => f.write_str("other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages() {
        let refer = |id| Some(Package::Refer { id });
        let cases: &[(&str, &str, Option<Package>)] = &[
            ("plain", "refer", refer(None)),
            ("numbered", "refer;id=2", refer(Some(Ok(2)))),
            ("spaced, other case", " Refer ; ID = 93809824", refer(Some(Ok(93_809_824)))),
            ("largest", "refer;id=4294967295", refer(Some(Ok(u32::MAX)))),
            ("too large", "refer;id=4294967296", refer(Some(Err(NotANumber)))),
            ("no number", "refer;id=a", refer(Some(Err(NotANumber)))),
            ("id without a value", "refer;id", refer(None)),
            ("another package", "presence;id=2", Some(Package::Other)),
            ("template", "refer.winfo", Some(Package::Other)),
            ("empty", "", None),
            ("parameters alone", ";id=2", None),
        ];
        for (name, text, expected) in cases {
            assert_eq!(Package::parse(text), *expected, "{name}");
        }
        assert_eq!(Package::Refer { id: Some(Ok(2)) }.to_string(), "refer;id=2");
    }
}
