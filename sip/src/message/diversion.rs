//! Who was called before us: Diversion ([RFC 5806 §4]).
//!
//! The most recent diversion stands first, and so the number that was dialled last of all.
//!
//! [RFC 5806 §4]: https://www.rfc-editor.org/rfc/rfc5806#section-4

use super::{header_name::HeaderName, headers::Headers, name_addr::NameAddr, scan::split_at_commas};

/// Diversions that are read of one message.
const MAX: usize = 20;

/// One diversion: who was called, and why the call went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion(NameAddr);

impl Diversion {
    /// Reads one value.
    pub fn parse(value: &str) -> Option<Self> {
        NameAddr::parse(value).ok().map(Self)
    }

    /// All that a message tells, the most recent first; what cannot be read is passed over.
    pub fn of(headers: &Headers) -> Vec<Self> {
        headers.get_all(&HeaderName::Diversion).flat_map(split_at_commas).take(MAX).filter_map(Self::parse).collect()
    }

    /// Who was called.
    pub fn address(&self) -> &NameAddr {
        &self.0
    }

    /// Why the call went on: `user-busy`, `no-answer`, `unconditional` and so on, in lower case.
    pub fn reason(&self) -> Option<String> {
        let reason = self.0.params.text("reason")?.to_ascii_lowercase();
        (!reason.is_empty()).then_some(reason)
    }

    /// The number must not be told. A word that nobody has heard of is taken for a wish.
    pub fn is_private(&self) -> bool {
        self.0.params.text("privacy").is_some_and(|privacy| !["off", "name"].contains(&&*privacy.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User, reason, privacy.
    type Seen = (&'static str, Option<&'static str>, bool);

    #[test]
    fn number_reason_and_privacy() {
        let cases: &[(&str, &str, Option<Seen>)] = &[
            ("plain", "<sip:+15550100@x>;reason=unconditional", Some(("+15550100", Some("unconditional"), false))),
            ("quoted, other case", "<tel:+1555>;Reason=\"User-Busy\"", Some(("+1555", Some("user-busy"), false))),
            ("private", "<sip:1@x>;privacy=full;reason=no-answer", Some(("1", Some("no-answer"), true))),
            ("private number", "<sip:1@x>;privacy=\"URI\"", Some(("1", None, true))),
            ("private name", "<sip:1@x>;privacy=name", Some(("1", None, false))),
            ("not private", "<sip:1@x>;privacy=off;counter=2", Some(("1", None, false))),
            ("unknown privacy", "<sip:1@x>;privacy=yes", Some(("1", None, true))),
            ("a name", "\"A, B\" <sip:1@x>;reason=", Some(("1", None, false))),
            ("no address", "unconditional", None),
            ("empty", "", None),
        ];
        for (name, value, expected) in cases {
            let read = Diversion::parse(value);
            let seen = read.as_ref().map(|diversion| {
                (diversion.address().uri.user_text().unwrap_or_default(), diversion.reason(), diversion.is_private())
            });
            let expected =
                expected.map(|(user, reason, private)| (user.to_owned(), reason.map(str::to_owned), private));
            assert_eq!(seen, expected, "{name}");
        }
    }

    #[test]
    fn the_order_is_kept_and_nonsense_left_out() {
        let mut headers = Headers::new();
        for value in ["<sip:b@x>;reason=no-answer", "nonsense", "<sip:a@x>"] {
            headers.push(HeaderName::Diversion, value);
        }
        let users: Vec<_> = Diversion::of(&headers).iter().filter_map(|d| d.address().uri.user_text()).collect();
        assert_eq!(users, ["b", "a"]);
    }
}
