//! Which inbound trunk takes a call, and whether its caller has to prove who he is.
//!
//! Source address, called number, calling number, digest: in this order, and only the address that the packet came from
//! counts. Where several trunks would take the call, the one that names it most narrowly does: by called number, then by
//! address, then by caller; among equals the first of the list.

use std::net::IpAddr;
use std::sync::Arc;

use super::number::{self, Fit, normalise};
use super::refusal::Tried;
use super::{Query, Refusal};
use crate::store::{InboundTrunk, Snapshot};

/// The realm of a challenge where a trunk names none: that of LiveKit, which phones may have in their settings.
pub const DEFAULT_REALM: &str = "LiveKit";

/// What becomes of a call at the door.
#[derive(Clone, Debug)]
pub enum Admission {
    /// The trunk takes it.
    Accept(Arc<InboundTrunk>),
    /// It is taken once the caller proves to know one of these passwords.
    Challenge(Challenge),
    /// No trunk takes it.
    Refuse(Refusal),
}

/// What a caller has to answer.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The realm to ask in, and to verify in for every trunk.
    pub realm: String,
    /// The trunks that would take the call, in order of precedence; each has a user and a password.
    pub trunks: Vec<Arc<InboundTrunk>>,
}

impl Challenge {
    /// The trunk of a user and the password to verify with.
    pub fn credentials(&self, username: &str) -> Option<(&Arc<InboundTrunk>, &str)> {
        let trunk = self.trunks.iter().find(|trunk| trunk.info.auth_username == username)?;
        Some((trunk, &trunk.info.auth_password))
    }
}

/// Finds the trunk of a call.
pub fn admit(snapshot: &Snapshot, query: &Query) -> Admission {
    let mut sifted = Sifted::default();
    let mut candidates = Vec::new();
    for (trunk, verdict) in sift(snapshot, query) {
        match verdict {
            Ok(suits) => candidates.push((suits, trunk)),
            Err(miss) => sifted.note(trunk, miss),
        }
    }
    let Some(best) = candidates.iter().map(|(suits, _)| *suits).max() else {
        return Admission::Refuse(sifted.refusal(query));
    };
    candidates.retain(|(suits, _)| *suits == best);
    let (_, first) = candidates[0];
    if !first.asks_password() {
        return Admission::Accept(Arc::clone(first));
    }
    let trunks = candidates.iter().filter(|(_, trunk)| trunk.asks_password()).map(|(_, trunk)| Arc::clone(trunk));
    Admission::Challenge(Challenge { realm: realm(first), trunks: trunks.collect() })
}

/// What to ask a stranger whom no trunk takes, where trunks that take every address ask for a password: the same as for
/// a number of theirs, or whoever tries numbers would see by the question which ones there are. Whoever proves himself is
/// no stranger, and is told the refusal; he has not come in.
pub fn veil(snapshot: &Snapshot, query: &Query, refusal: &Refusal) -> Option<Challenge> {
    if !refusal.is_without_trunk() || is_trusted_source(snapshot, query.source.ip()) {
        return None;
    }
    let open = || snapshot.inbound_trunks.iter().filter(|trunk| trunk.networks.is_empty() && trunk.asks_password());
    let realm = realm(open().next()?);
    let trunks = open().filter(|trunk| self::realm(trunk) == realm).cloned().collect();
    Some(Challenge { realm, trunks })
}

/// What each trunk says to a call, in their order.
pub(super) fn sift<'a>(
    snapshot: &'a Snapshot,
    query: &Query,
) -> impl Iterator<Item = (&'a Arc<InboundTrunk>, Result<Suits, Miss>)> {
    let source = query.source.ip().to_canonical();
    let (called, calling) = (normalise(query.called()).into_owned(), normalise(query.calling()).into_owned());
    snapshot.inbound_trunks.iter().map(move |trunk| (trunk, suit(trunk, source, &called, &calling)))
}

fn realm(trunk: &InboundTrunk) -> String {
    match trunk.info.auth_realm.as_str() {
        "" => DEFAULT_REALM.to_owned(),
        realm => realm.to_owned(),
    }
}

/// Whether the access list of any trunk names this address. Trunks that take every address make nobody trusted.
pub fn is_trusted_source(snapshot: &Snapshot, address: IpAddr) -> bool {
    let address = address.to_canonical();
    snapshot.inbound_trunks.iter().flat_map(|trunk| &trunk.networks).any(|network| network.contains(address))
}

/// How narrowly a trunk takes a call. Greater is narrower; the order of the fields is the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suits {
    called: Fit,
    /// Length of the prefix, within IPv4 or IPv6; `None` for a trunk without an access list.
    source: Option<u8>,
    calling: Fit,
}

/// The check that a trunk failed, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Miss {
    Source,
    Called,
    Calling,
}

impl Miss {
    /// In words.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Source => "the address is not in allowed_addresses",
            Self::Called => "the called number is not in numbers",
            Self::Calling => "the caller is not in allowed_numbers",
        }
    }
}

fn suit(trunk: &InboundTrunk, source: IpAddr, called: &str, calling: &str) -> Result<Suits, Miss> {
    let prefix =
        trunk.networks.iter().filter(|network| network.contains(source)).map(super::acl::Network::prefix).max();
    if prefix.is_none() && !trunk.networks.is_empty() {
        return Err(Miss::Source);
    }
    let called = number::fit(&trunk.numbers, called).ok_or(Miss::Called)?;
    let calling = number::fit(&trunk.callers, calling).ok_or(Miss::Calling)?;
    Ok(Suits { called, source: prefix, calling })
}

/// Trunks that did not fit: the refusal speaks of the check that came closest to taking the call.
#[derive(Default)]
struct Sifted {
    furthest: Option<Miss>,
    tried: Tried,
}

impl Sifted {
    fn note(&mut self, trunk: &InboundTrunk, miss: Miss) {
        self.furthest = self.furthest.max(Some(miss));
        self.tried.push(trunk.label(), miss.why());
    }

    fn refusal(self, query: &Query) -> Refusal {
        let tried = self.tried;
        match self.furthest {
            None | Some(Miss::Source) => Refusal::UnknownSource { source_ip: query.source.ip().to_canonical(), tried },
            Some(Miss::Called) => Refusal::NoTrunk { called: normalise(query.called()).into_owned(), tried },
            Some(Miss::Calling) => {
                Refusal::CallerNotAllowed { calling: normalise(query.calling()).into_owned(), tried }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::tests::query;
    use super::*;
    use crate::config::tests::snapshot;

    const TRUNKS: &str = "inbound_trunks:
- {name: exact, numbers: ['+15550100'], allowed_addresses: [203.0.113.0/24]}
- {name: glob, numbers: ['+1555*'], allowed_addresses: [203.0.113.0/24]}
- {name: any, allowed_addresses: [203.0.113.0/24, '2001:db8::/32'], allowed_numbers: ['+1*']}
- {name: narrow, numbers: ['+1555*'], allowed_addresses: [203.0.113.9]}
- {name: vip, numbers: ['+1555*'], allowed_addresses: [203.0.113.0/24], allowed_numbers: ['+15550177']}
- {name: phones, numbers: ['200'], auth_username: alice, auth_password: a, auth_realm: pbx}
- {name: phones2, numbers: ['200'], auth_username: bob, auth_password: b, auth_realm: pbx}
- {name: desk, numbers: ['300'], auth_username: carol, auth_password: c}
";

    fn outcome(source: &str, called: &str, calling: &str) -> String {
        let call = query(|q| {
            q.source = (source.parse::<IpAddr>().unwrap(), 5060).into();
            q.to.user = called.into();
            q.from.user = calling.into();
        });
        match admit(&snapshot(TRUNKS), &call) {
            Admission::Accept(trunk) => trunk.info.name.clone(),
            Admission::Challenge(challenge) => {
                let names: Vec<_> = challenge.trunks.iter().map(|trunk| trunk.info.name.as_str()).collect();
                format!("{}@{}", names.join("+"), challenge.realm)
            }
            Admission::Refuse(refusal) => refusal.label().to_owned(),
        }
    }

    #[test]
    fn the_narrowest_trunk_takes_the_call() {
        let cases: &[(&str, &str, &str, &str, &str)] = &[
            ("exact number", "203.0.113.7", "+15550100", "+15550199", "exact"),
            ("number without plus", "203.0.113.7", "15550100", "+15550199", "exact"),
            ("number with separators", "203.0.113.7", "+1 555-0100", "+15550199", "exact"),
            ("mapped source", "::ffff:203.0.113.7", "+15550100", "+15550199", "exact"),
            ("pattern", "203.0.113.7", "+15550101", "+15550199", "glob"),
            ("exact number before narrow source", "203.0.113.9", "+15550100", "+15550199", "exact"),
            ("narrow source", "203.0.113.9", "+15550101", "+15550199", "narrow"),
            ("narrow caller", "203.0.113.7", "+15550101", "15550177", "vip"),
            ("no number", "203.0.113.7", "+4930", "+15550199", "any"),
            ("IPv6", "2001:db8::5", "+4930", "+15550199", "any"),
            ("caller is not allowed", "203.0.113.7", "+4930", "+4940", "caller_not_allowed"),
            ("caller without number", "203.0.113.7", "+4930", "anonymous", "caller_not_allowed"),
            ("stranger", "198.51.100.1", "+15550100", "+15550199", "no_trunk"),
            ("two users share a number", "198.51.100.1", "200", "alice", "phones+phones2@pbx"),
            ("realm of LiveKit", "198.51.100.1", "300", "x", "desk@LiveKit"),
        ];
        for (name, source, called, calling, expected) in cases {
            assert_eq!(outcome(source, called, calling), *expected, "{name}");
        }
    }

    #[test]
    fn the_from_host_opens_no_door() {
        let trunks = snapshot("inbound_trunks: [{numbers: ['+15550100'], allowed_addresses: [192.0.2.1]}]");
        let spoofed = query(|q| q.from.host = "192.0.2.1".into());
        let Admission::Refuse(refusal) = admit(&trunks, &spoofed) else { panic!("admitted") };
        assert_eq!(refusal.label(), "unknown_source");
        assert!(refusal.to_string().contains("203.0.113.7"), "{refusal}");
        assert!(refusal.to_string().contains("not in allowed_addresses"), "{refusal}");
    }

    #[test]
    fn numbers_are_masked_in_what_is_logged() {
        let trunks = snapshot("inbound_trunks: [{numbers: ['+1'], allowed_addresses: [203.0.113.7]}]");
        let Admission::Refuse(refusal) = admit(&trunks, &query(|_| ())) else { panic!("admitted") };
        assert_eq!(refusal.label(), "no_trunk");
        assert!(!refusal.to_string().contains("+15550100") && refusal.to_string().contains("0100"), "{refusal}");
    }

    #[test]
    fn credentials_belong_to_their_user() {
        let call = query(|q| q.to.user = "200".into());
        let Admission::Challenge(challenge) = admit(&snapshot(TRUNKS), &call) else { panic!("no challenge") };
        let (trunk, password) = challenge.credentials("bob").unwrap();
        assert_eq!((trunk.info.name.as_str(), password), ("phones2", "b"));
        assert!(challenge.credentials("mallory").is_none());
        assert!(!format!("{challenge:?}").contains("password"));
    }

    #[test]
    fn only_access_lists_make_trusted() {
        let trunks = snapshot(TRUNKS);
        for (address, trusted) in [
            ("203.0.113.200", true),
            ("::ffff:203.0.113.200", true),
            ("2001:db8::1", true),
            ("198.51.100.1", false),
            ("::1", false),
        ] {
            assert_eq!(is_trusted_source(&trunks, address.parse().unwrap()), trusted, "{address}");
        }
        assert!(!is_trusted_source(&Snapshot::default(), "203.0.113.7".parse().unwrap()));
    }

    #[test]
    fn strangers_are_asked_the_same_whatever_number_they_try() {
        let asked = |trunks: &str, source: &str, called: &str| {
            let objects = snapshot(trunks);
            let call = query(|q| {
                q.source = (source.parse::<IpAddr>().unwrap(), 5060).into();
                q.to.user = called.into();
            });
            match admit(&objects, &call) {
                Admission::Challenge(challenge) => challenge.realm,
                Admission::Refuse(refusal) => match veil(&objects, &call, &refusal) {
                    Some(challenge) => format!("{} of {}", challenge.realm, challenge.trunks.len()),
                    None => refusal.label().to_owned(),
                },
                Admission::Accept(trunk) => trunk.info.name.clone(),
            }
        };
        let closed =
            "inbound_trunks: [{numbers: ['1'], allowed_addresses: [192.0.2.1], auth_username: u, auth_password: p}]";
        let cases: &[(&str, &str, &str, &str, &str)] = &[
            ("a number of theirs", TRUNKS, "198.51.100.1", "200", "pbx"),
            ("a number of nobody", TRUNKS, "198.51.100.1", "201", "pbx of 2"),
            ("a number for others", TRUNKS, "198.51.100.1", "+15550100", "pbx of 2"),
            ("an address that is known", TRUNKS, "203.0.113.7", "201", "any"),
            ("no trunk is open", closed, "198.51.100.1", "1", "unknown_source"),
        ];
        for (name, trunks, source, called, expected) in cases {
            assert_eq!(asked(trunks, source, called), *expected, "{name}");
        }
    }

    #[test]
    fn without_trunks_every_call_is_refused() {
        let Admission::Refuse(refusal) = admit(&Snapshot::default(), &query(|_| ())) else { panic!("admitted") };
        assert_eq!(refusal.label(), "unknown_source");
    }
}
