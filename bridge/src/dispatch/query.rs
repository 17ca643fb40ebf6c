//! What is known of a call when it is decided upon: plain data, taken from the INVITE by the caller of this module.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::caller::{self, Asserted};
use crate::store::InboundTrunk;

/// One INVITE as far as trunks and rules care.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where the packet came from; the only address that an access list looks at.
    pub source: SocketAddr,
    /// What it came over.
    pub transport: Transport,
    /// Who says he is calling.
    pub from: Party,
    /// Who is called, as the To header has it.
    pub to: Party,
    /// The request URI.
    pub request: Target,
    /// Our id of the call, `SCL_…`, which is our tag in the dialog as well.
    pub call_id: String,
    /// The Call-ID header.
    pub sip_call_id: String,
    /// The caller's tag.
    pub sip_tag: String,
    /// All headers of the INVITE in their order, values as they came; compact names are understood.
    pub headers: Vec<(String, String)>,
    /// What the peer says of the caller beside From, once it is known that it is to be believed.
    pub asserted: Asserted,
    /// The time of the call, for the template variable `date`.
    pub now: SystemTime,
    /// Fresh randomness of this call, for random room names and the template variable `random`.
    pub random: [u8; 16],
}

impl Query {
    /// The called number: the user of the To header as in LiveKit, that of the request URI where To has none.
    pub fn called(&self) -> &str {
        if self.to.user.is_empty() { &self.request.user } else { &self.to.user }
    }

    /// The calling number: the user of From as in LiveKit, what the carrier asserts where From is anonymous.
    pub fn calling(&self) -> &str {
        if self.is_unmasked() { &self.asserted.identity } else { &self.from.user }
    }

    /// The name of a caller whose peer is known, where he has one beside his number.
    pub(crate) fn display(&self) -> &str {
        let display = match caller::is_anonymous(&self.from) {
            true => &self.asserted.display,
            false => &self.from.display,
        };
        if self.asserted.is_believed && display.trim() != self.calling() { display } else { "" }
    }

    /// The number of [`Query::calling`] is known to us alone: the caller does not want it to be told.
    pub(crate) fn hides_caller(&self) -> bool {
        self.is_unmasked() && self.asserted.is_private
    }

    /// Nobody knows who calls.
    pub(crate) fn is_nameless(&self) -> bool {
        self.asserted.identity.is_empty() && caller::is_anonymous(&self.from)
    }

    /// A trunk has taken the call: what its carrier says is believed, if the trunk knows its carrier.
    pub(crate) fn believe(&mut self, trunk: &InboundTrunk) {
        self.asserted = match trunk.knows(self) {
            true => Asserted::read(&self.headers),
            false => Asserted::default(),
        };
    }

    fn is_unmasked(&self) -> bool {
        !self.asserted.identity.is_empty() && caller::is_anonymous(&self.from)
    }

    /// The values of a header, whatever form its name has.
    pub(crate) fn header<'a>(&'a self, name: &str) -> Option<&'a str> {
        let wanted = super::headers::canonical(name);
        self.headers.iter().find(|(name, _)| super::headers::canonical(name) == wanted).map(|(_, value)| value.as_str())
    }

    /// A parameter of the request URI; one without a value is empty text.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let (_, value) = self.request.params.iter().find(|(param, _)| param.eq_ignore_ascii_case(name))?;
        Some(value.as_deref().unwrap_or(""))
    }

    /// The tail of a random room name.
    pub(crate) fn random_tail(&self) -> String {
        twelve(u128::from_be_bytes(self.random))
    }

    /// The day of the call in UTC, `2026-11-21`.
    pub(crate) fn date(&self) -> String {
        let since = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let (year, month, day) = civil(since.as_secs() / 86_400);
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// A side of the call.
#[derive(Clone, Debug, Default)]
pub struct Party {
    /// The user part of the URI: a number as a rule.
    pub user: String,
    /// The host part without a port.
    pub host: String,
    /// The display name.
    pub display: String,
}

/// The request URI.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The user part.
    pub user: String,
    /// The host part without a port.
    pub host: String,
    /// The parameters behind it.
    pub params: Vec<(String, Option<String>)>,
}

/// What a request came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream that nobody reads along.
    Tls,
}

/// Twelve characters out of `[a-zA-Z0-9]` for a number that is random or a hash: LiveKit's ids and room names end so.
pub(crate) fn twelve(mut number: u128) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(12);
    for _ in 0..12 {
        text.push(char::from(ALPHABET[(number % 62) as usize]));
        number /= 62;
    }
    text
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar, counted in eras of 400
/// years that begin in March so that the leap day is the last of its year.
pub fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A call from +15550199 to +15550100, with `change` applied.
    pub(crate) fn query(change: impl FnOnce(&mut Query)) -> Query {
        let party = |user: &str, host: &str| Party { user: user.into(), host: host.into(), display: String::new() };
        let mut query = Query {
            source: "203.0.113.7:5060".parse().unwrap(),
            transport: Transport::Udp,
            from: party("+15550199", "trunk.example.com"),
            to: party("+15550100", "gw.example.com"),
            request: Target { user: "+15550100".into(), host: "gw.example.com".into(), params: Vec::new() },
            call_id: "SCL_E4acrZAivj3K".into(),
            sip_call_id: "attr1@10.1.2.3".into(),
            sip_tag: "ft".into(),
            headers: Vec::new(),
            asserted: Asserted::default(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_239_715),
            random: *b"0123456789abcdef",
        };
        change(&mut query);
        query
    }

    #[test]
    fn days_become_dates() {
        let cases: &[(u64, (u64, u64, u64))] = &[
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (19_783, (2024, 3, 1)),
            (20_454, (2026, 1, 1)),
        ];
        for (days, date) in cases {
            assert_eq!(civil(*days), *date, "{days}");
        }
        assert_eq!(query(|_| ()).date(), "2026-11-21");
    }

    #[test]
    fn random_tails_are_twelve_letters_or_digits_and_differ() {
        let one = query(|_| ()).random_tail();
        let other = query(|q| q.random[15] ^= 1).random_tail();
        assert_eq!(one.len(), 12);
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric()), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn the_called_number_is_that_of_to_and_else_of_the_request() {
        assert_eq!(query(|q| q.request.user = "other".into()).called(), "+15550100");
        assert_eq!(query(|q| q.to.user.clear()).called(), "+15550100");
    }
}
