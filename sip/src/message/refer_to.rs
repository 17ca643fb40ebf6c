//! Whom to call: Refer-To ([RFC 3515 §2.1]).
//!
//! [RFC 3515 §2.1]: https://www.rfc-editor.org/rfc/rfc3515#section-2.1

use std::fmt;

use super::{header_name::HeaderName, headers::Headers, name_addr::NameAddr};
use crate::error::Error;

/// The one address that a REFER names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTo(NameAddr);

impl ReferTo {
    /// Reads the value: exactly one address. A URI without brackets may hold no `?`, `,` or `;` of its own
    /// (RFC 3261 §20).
    pub fn parse(value: &str) -> Result<Self, Error> {
        Ok(Self(NameAddr::parse(value)?))
    }

    /// The Refer-To of a REFER: none and several are both wrong (RFC 3515 §2.4.2).
    pub fn of(headers: &Headers) -> Result<Self, Error> {
        let mut values = headers.get_all(&HeaderName::ReferTo);
        let value = values.next().ok_or(Error::MissingHeader(HeaderName::ReferTo))?;
        match values.next() {
            None => Self::parse(value),
            Some(_) => Err(Error::RepeatedHeader(HeaderName::ReferTo)),
        }
    }

    /// The address. Its URI may carry headers for the new call, `Replaces` for example.
    pub fn address(&self) -> &NameAddr {
        &self.0
    }
}

impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_and_no_more() {
        let cases: &[(&str, &[&str], Option<&str>)] = &[
            ("plain", &["sip:a@b"], Some("<sip:a@b>")),
            ("brackets", &["<sip:a@b;user=phone>"], Some("<sip:a@b;user=phone>")),
            ("name", &["\"A B\" <sip:a@b>"], Some("\"A B\" <sip:a@b>")),
            ("a number", &["tel:+15550100"], Some("<tel:+15550100>")),
            ("attended", &["<sip:a@b?Replaces=c%3Bto-tag%3D1>"], Some("<sip:a@b?Replaces=c%3Bto-tag%3D1>")),
            ("attended without brackets", &["sip:a@b?Replaces=c"], None),
            ("two in a line", &["<sip:a@b>, <sip:c@d>"], None),
            ("two bare ones in a line", &["sip:a@b,sip:c@d"], None),
            ("two lines", &["<sip:a@b>", "<sip:c@d>"], None),
            ("no scheme", &["+15550100"], None),
            ("empty", &[""], None),
            ("none", &[], None),
        ];
        for (name, values, expected) in cases {
            let mut headers = Headers::new();
            values.iter().for_each(|value| headers.push(HeaderName::ReferTo, *value));
            let read = ReferTo::of(&headers).ok();
            assert_eq!(read.map(|target| target.to_string()).as_deref(), *expected, "{name}");
        }
    }
}
