//! Where a request was sent before: History-Info ([RFC 7044 §5]), the way of networks that do not know Diversion.
//!
//! ```text
//! <sip:+15550100@x>;index=1                          who was called
//! <sip:+15550177@y;cause=486>;index=1.1;mp=1         who was called then, because the first was busy (RFC 4458 §2)
//! ```
//!
//! [RFC 7044 §5]: https://www.rfc-editor.org/rfc/rfc7044#section-5

use super::{
    header_name::HeaderName, headers::Headers, name_addr::NameAddr, privacy::Privacy, reason::Reason,
    scan::split_at_commas,
};

/// Entries that are read of one message.
const MAX: usize = 20;

/// One entry: a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryInfo {
    address: NameAddr,
    index: Vec<u32>,
}

impl HistoryInfo {
    /// Reads one entry. It has an index, or its place is not known.
    pub fn parse(value: &str) -> Option<Self> {
        let address = NameAddr::parse(value).ok()?;
        let index: Result<Vec<u32>, _> = address.params.text("index")?.split('.').map(str::parse).collect();
        Some(Self { index: index.ok()?, address })
    }

    /// All that a message tells in the order in which it happened; what cannot be read is passed over.
    pub fn of(headers: &Headers) -> Vec<Self> {
        let mut entries: Vec<_> = headers
            .get_all(&HeaderName::HistoryInfo)
            .flat_map(split_at_commas)
            .take(MAX)
            .filter_map(Self::parse)
            .collect();
        entries.sort_by(|one, other| one.index.cmp(&other.index));
        entries
    }

    /// The target.
    pub fn address(&self) -> &NameAddr {
        &self.address
    }

    /// Why the request came to this target rather than stay with the one before (RFC 4458 §2): a status of SIP.
    pub fn cause(&self) -> Option<u16> {
        self.address.uri.params.text("cause")?.parse().ok()
    }

    /// Why the request did not stay with this target: a status of SIP, in the Reason within its URI (RFC 7044 §10.2).
    pub fn ended(&self) -> Option<u16> {
        let reason = Reason::parse_list(&self.address.uri.header("Reason")?);
        reason.into_iter().find(|reason| reason.protocol == super::reason::Protocol::Sip)?.cause
    }

    /// The target must not be told.
    pub fn is_private(&self) -> bool {
        self.address.uri.header("Privacy").is_some_and(|privacy| Privacy::parse(&privacy).hides_history())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen<'a> = (&'a str, &'a [u32], Option<u16>, Option<u16>, bool);

    #[test]
    fn target_place_cause_and_privacy() {
        let cases: &[(&str, &str, Option<Seen<'_>>)] = &[
            ("first", "<sip:+15550100@x>;index=1", Some(("+15550100", &[1], None, None, false))),
            ("diverted", "<sip:2@x;cause=302>;index=1.1;mp=1", Some(("2", &[1, 1], Some(302), None, false))),
            (
                "busy",
                "<sip:2@x?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22&Privacy=none>;index=1.2",
                Some(("2", &[1, 2], None, Some(486), false)),
            ),
            ("other protocol", "<sip:2@x?reason=Q.850%3Bcause%3D17>;index=1", Some(("2", &[1], None, None, false))),
            ("private", "<sip:2@x?Reason=SIP&Privacy=history>;index=1", Some(("2", &[1], None, None, true))),
            ("no index", "<sip:2@x>", None),
            ("no number", "<sip:2@x>;index=1.a", None),
            ("index too large", "<sip:2@x>;index=99999999999", None),
            ("no address", "index=1", None),
        ];
        for (name, value, expected) in cases {
            let read = HistoryInfo::parse(value);
            let user = read.as_ref().and_then(|entry| entry.address().uri.user_text()).unwrap_or_default();
            let seen = read.as_ref().map(|e| (&*user, &*e.index, e.cause(), e.ended(), e.is_private()));
            assert_eq!(seen, *expected, "{name}");
        }
    }

    #[test]
    fn entries_are_in_the_order_of_their_indices() {
        let mut headers = Headers::new();
        for index in ["1.10", "1.2", "x", "1", "1.2.1"] {
            headers.push(HeaderName::HistoryInfo, format!("<sip:{index}@x>;index={index}"));
        }
        let users: Vec<_> = HistoryInfo::of(&headers).iter().filter_map(|e| e.address().uri.user_text()).collect();
        assert_eq!(users, ["1", "1.2", "1.2.1", "1.10"]);
    }
}
