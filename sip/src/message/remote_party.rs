//! Who calls, as older networks say it: Remote-Party-ID ([draft-ietf-sip-privacy-04 §5]), which became
//! P-Asserted-Identity and Privacy.
//!
//! [draft-ietf-sip-privacy-04 §5]: https://datatracker.ietf.org/doc/html/draft-ietf-sip-privacy-04#section-5

use super::{header_name::HeaderName, headers::Headers, name_addr::NameAddr, scan::split_at_commas};

/// Values that are read of one message: one a side of the call.
const MAX: usize = 8;

/// One side of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePartyId(NameAddr);

impl RemotePartyId {
    /// Reads one value.
    pub fn parse(value: &str) -> Option<Self> {
        NameAddr::parse(value).ok().map(Self)
    }

    /// All that a message says; what cannot be read is passed over.
    pub fn of(headers: &Headers) -> Vec<Self> {
        let values = headers.get_all(&HeaderName::RemotePartyId).flat_map(split_at_commas);
        values.take(MAX).filter_map(Self::parse).collect()
    }

    /// Who.
    pub fn address(&self) -> &NameAddr {
        &self.0
    }

    /// Whether this is the caller. In a request that does not say whose side, it is his.
    pub fn is_calling(&self) -> bool {
        self.0.params.text("party").is_none_or(|party| party.eq_ignore_ascii_case("calling"))
    }

    /// The number must not be told. There may be several words in one value.
    pub fn is_private(&self) -> bool {
        let values = self.0.params.iter().filter(|(name, _)| name.eq_ignore_ascii_case("privacy"));
        let words = values.filter_map(|(_, value)| value).map(|value| value.trim_matches('"').to_ascii_lowercase());
        words.into_iter().any(|words| {
            words.split([',', ' ']).any(|word| {
                let word = word.split('-').next().unwrap_or_default();
                !matches!(word, "" | "off" | "name")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User, whether he calls, privacy.
    type Seen = (&'static str, bool, bool);

    #[test]
    fn side_and_privacy() {
        let cases: &[(&str, &str, Option<Seen>)] = &[
            ("plain", "<sip:+15550199@x>", Some(("+15550199", true, false))),
            ("PBX", "\"A\" <sip:7@x>;party=calling;privacy=off;screen=no", Some(("7", true, false))),
            ("callee", "<sip:7@x>;party=called", Some(("7", false, false))),
            ("private", "<sip:7@x>;Privacy=FULL;party=Calling", Some(("7", true, true))),
            ("by the network", "<sip:7@x>;privacy=uri-network", Some(("7", true, true))),
            ("several words", "<sip:7@x>;privacy=\"name,uri\"", Some(("7", true, true))),
            ("private name", "<sip:7@x>;privacy=name", Some(("7", true, false))),
            ("no address", "party=calling", None),
        ];
        for (name, value, expected) in cases {
            let read = RemotePartyId::parse(value);
            let user = read.as_ref().and_then(|party| party.address().uri.user_text()).unwrap_or_default();
            assert_eq!(read.map(|p| (&*user, p.is_calling(), p.is_private())), *expected, "{name}");
        }
    }

    #[test]
    fn lines_and_commas() {
        let mut headers = Headers::new();
        headers.push(HeaderName::RemotePartyId, "<sip:a@x>;party=called, \"B, C\" <sip:b@x>;party=calling");
        headers.push(HeaderName::RemotePartyId, "<sip:c@x>");
        assert_eq!(RemotePartyId::of(&headers).len(), 3);
    }
}
