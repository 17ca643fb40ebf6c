//! Headers of the INVITE as attributes of the participant.
//!
//! Three sources, later ones winning: what the trunk includes (`sip.h.<name>`), headers of carriers that LiveKit knows by
//! name, and the trunk's own map. Everything here was written by a stranger: values are cut, control characters dropped,
//! and the whole stays under what LiveKit takes for the attributes of one participant.

use std::collections::BTreeMap;

use sip::{Diversion, HeaderName, Headers, HistoryInfo, Privacy, RemotePartyId};

use super::{IncludeHeaders, Query};

/// The longest value, in bytes; a longer one is cut.
const MAX_VALUE: usize = 1024;

/// All attributes from headers together, in bytes; LiveKit takes 64 KiB for all attributes of a participant.
const MAX_TOTAL: usize = 32 * 1024;

/// Headers that LiveKit makes attributes of without being asked.
const KNOWN: &[(&str, &str)] = &[
    ("x-twilio-accountsid", "sip.twilio.accountSid"),
    ("x-twilio-callsid", "sip.twilio.callSid"),
    ("x-call_leg_id", "sip.telnyx.callLegID"),
    ("x-call_session_id", "sip.telnyx.callSessionID"),
    ("x-amzn-connectcontactid", "sip.amazon.contactId"),
    ("x-amzn-connectinitialcontactid", "sip.amazon.initialContactId"),
    ("x-amzn-sourceaccount", "sip.amazon.sourceAccount"),
    ("x-amzn-sourcearn", "sip.amazon.sourceArn"),
    ("x-amzn-targetarn", "sip.amazon.targetArn"),
    ("x-lk-test-id", "lktest.id"),
];

/// Never shown to a room: they carry answers to a challenge.
const SECRET: &[&str] = &["authorization", "proxy-authorization"];

/// Headers that say who calls: not for a room that is not to know. In Identity the number is there in base64.
const TELLING: &[&str] =
    &["contact", "from", "identity", "p-asserted-identity", "p-preferred-identity", "remote-party-id"];

/// Texts with fewer digits are looked for as they are.
const SHORTEST_NUMBER: usize = 7;
/// The last digits of a number, which are there whether it is written with its country or without.
const LOCAL_DIGITS: usize = 9;

/// One-letter names ([RFC 3261 §7.3.3] and the registry that followed it).
///
/// [RFC 3261 §7.3.3]: https://www.rfc-editor.org/rfc/rfc3261#section-7.3.3
const COMPACT: &[(&str, &str)] = &[
    ("a", "accept-contact"),
    ("b", "referred-by"),
    ("c", "content-type"),
    ("d", "request-disposition"),
    ("e", "content-encoding"),
    ("f", "from"),
    ("i", "call-id"),
    ("j", "reject-contact"),
    ("k", "supported"),
    ("l", "content-length"),
    ("m", "contact"),
    ("n", "identity-info"),
    ("o", "event"),
    ("r", "refer-to"),
    ("s", "subject"),
    ("t", "to"),
    ("u", "allow-events"),
    ("v", "via"),
    ("x", "session-expires"),
    ("y", "identity"),
];

/// The name of a header in its long form and in lower case.
pub(crate) fn canonical(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    COMPACT.iter().find(|(short, _)| *short == lower).map_or(lower, |(_, long)| (*long).to_owned())
}

/// The attributes that the headers give, and what had to be left out, in words. `hidden` leaves out what would tell the
/// caller's number, unless the trunk asks for that header by name.
pub(crate) fn attributes(
    query: &Query,
    include: IncludeHeaders,
    map: &BTreeMap<String, String>,
    hidden: bool,
) -> (BTreeMap<String, String>, Vec<String>) {
    let headers = combined(&query.headers, Some(&query.call_id));
    of_combined(&headers, include, map, hidden.then(|| query.calling()))
}

/// The same of a later message, in whose To our tag is already. `hidden` is a number that no value may tell.
pub(crate) fn attributes_of(
    headers: &[(String, String)],
    include: IncludeHeaders,
    map: &BTreeMap<String, String>,
    hidden: Option<&str>,
) -> (BTreeMap<String, String>, Vec<String>) {
    of_combined(&combined(headers, None), include, map, hidden)
}

fn of_combined(
    headers: &BTreeMap<String, String>,
    include: IncludeHeaders,
    map: &BTreeMap<String, String>,
    hidden: Option<&str>,
) -> (BTreeMap<String, String>, Vec<String>) {
    let withheld = withheld(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut attributes = Attributes::default();
    // The order is that of importance: where the room runs out, the headers nobody asked for by name are left out.
    for (name, attribute) in map {
        if let Some(value) = headers.get(&canonical(name)) {
            attributes.add(attribute, value);
        }
    }
    for (name, attribute) in KNOWN {
        if let Some(value) = headers.get(*name) {
            attributes.add(attribute, value);
        }
    }
    for (name, value) in headers {
        let included = match include {
            IncludeHeaders::No => false,
            IncludeHeaders::X => name.starts_with("x-"),
            IncludeHeaders::All => true,
        };
        let is_withheld = withheld.contains(&name.as_str());
        if included && !is_withheld && !hidden.is_some_and(|number| tells(number, name, value)) {
            attributes.add(&format!("sip.h.{name}"), value);
        }
    }
    (attributes.map, attributes.notes)
}

/// Headers of transport, session and security, which are no business of a room.
const INTERNAL: &[&str] = &[
    "accept",
    "allow",
    "allow-events",
    "authentication-info",
    "authorization",
    "call-id",
    "contact",
    "cseq",
    "expires",
    "max-forwards",
    "mime-version",
    "min-expires",
    "min-se",
    "path",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-require",
    "rack",
    "record-route",
    "require",
    "route",
    "rseq",
    "service-route",
    "session-expires",
    "supported",
    "unsupported",
    "via",
    "www-authenticate",
];

/// The headers of a peer that a room may see, by the names they came with; several of one name are joined. Without names
/// to include all are meant. `hidden` is a number that no value may tell.
pub(crate) fn shown(
    headers: &[(String, String)],
    include: &[String],
    exclude: &[String],
    hidden: Option<&str>,
) -> BTreeMap<String, String> {
    let is_in = |list: &[String], name: &str| list.iter().any(|listed| canonical(listed) == name);
    let withheld = withheld(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut shown = BTreeMap::<String, (&str, String)>::new();
    for (given, value) in headers {
        let name = canonical(given);
        let is_internal = INTERNAL.contains(&name.as_str()) || name.starts_with("content-");
        let is_wanted = (include.is_empty() || is_in(include, &name)) && !is_in(exclude, &name);
        let is_withheld = withheld.contains(&name.as_str());
        if is_internal || !is_wanted || is_withheld || hidden.is_some_and(|number| tells(number, &name, value)) {
            continue;
        }
        let (_, joined) = shown.entry(name).or_insert((given, String::new()));
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(&clean(value));
    }
    shown.into_values().map(|(given, value)| (given.to_owned(), value)).collect()
}

/// Whether a header tells this number: as it is, or as people write it, without its country or with marks in between.
fn tells(number: &str, name: &str, value: &str) -> bool {
    let number = number.trim_start_matches('+');
    if TELLING.contains(&name) || number.len() > 2 && value.contains(number) {
        return true;
    }
    let is_number = number.len() >= SHORTEST_NUMBER && number.bytes().all(|byte| byte.is_ascii_digit());
    let local = &number[number.len().saturating_sub(LOCAL_DIGITS)..];
    is_number && value.replace([' ', '-', '.', '(', ')', '/'], "").contains(local)
}

/// Headers that whoever wrote them asks not to pass on ([RFC 3325 §9.3], [RFC 7044 §10.1]): what our own attributes keep
/// back, they do not tell either. Who is verified is told in Identity as well.
///
/// [RFC 3325 §9.3]: https://www.rfc-editor.org/rfc/rfc3325#section-9.3
/// [RFC 7044 §10.1]: https://www.rfc-editor.org/rfc/rfc7044#section-10.1
fn withheld<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<&'static str> {
    let mut known = Headers::new();
    for (name, value) in headers {
        if let Some(name) = HeaderName::parse(name) {
            known.push(name, value);
        }
    }
    let privacy = Privacy::of(&known);
    let mut names = Vec::new();
    if privacy.hides_identity() {
        names.extend(["identity", "p-asserted-identity", "p-preferred-identity", "remote-party-id"]);
    }
    if RemotePartyId::of(&known).iter().any(RemotePartyId::is_private) {
        names.push("remote-party-id");
    }
    let is_diversion_private = Diversion::of(&known).iter().any(Diversion::is_private);
    if is_diversion_private || privacy.hides_history() || HistoryInfo::of(&known).iter().any(HistoryInfo::is_private) {
        names.extend(["diversion", "history-info"]);
    }
    names
}

/// The headers by canonical name. Several of one name are joined with commas as RFC 3261 §7.3.1 has it, and To carries our
/// tag, as in every message of the dialog that is to come.
fn combined(given: &[(String, String)], tag: Option<&str>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in given {
        let name = canonical(name);
        if SECRET.contains(&name.as_str()) {
            continue;
        }
        match headers.entry(name) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(clean(value));
            }
            std::collections::btree_map::Entry::Occupied(mut occupied) => {
                let joined = occupied.get_mut();
                if joined.len() <= MAX_VALUE {
                    joined.push_str(", ");
                    joined.push_str(&clean(value));
                }
            }
        }
    }
    if let (Some(tag), Some(to)) = (tag, headers.get_mut("to"))
        && !to.to_ascii_lowercase().contains(";tag=")
    {
        to.push_str(";tag=");
        to.push_str(tag);
    }
    headers
}

/// A value without control characters and blanks around it.
pub(crate) fn clean(value: &str) -> String {
    value.trim().chars().filter(|c| !c.is_control()).collect()
}

#[derive(Default)]
struct Attributes {
    map: BTreeMap<String, String>,
    notes: Vec<String>,
    total: usize,
    full: bool,
}

impl Attributes {
    /// Adds an attribute unless it is there: the first to come is the one that wins.
    fn add(&mut self, attribute: &str, value: &str) {
        if self.map.contains_key(attribute) {
            return;
        }
        let cut = &value[..value.floor_char_boundary(MAX_VALUE)];
        if cut.len() < value.len() {
            self.notes.push(format!("{attribute} is cut to {} bytes", cut.len()));
        }
        if self.total + attribute.len() + cut.len() > MAX_TOTAL {
            if !self.full {
                self.notes
                    .push(format!("headers beyond {MAX_TOTAL} bytes are left out, {attribute} the first of them"));
            }
            self.full = true;
            return;
        }
        self.total += attribute.len() + cut.len();
        self.map.insert(attribute.to_owned(), cut.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::tests::query;
    use super::*;

    #[test]
    fn a_room_sees_what_is_its_business() {
        let headers = [
            ("Via", "SIP/2.0/UDP x"),
            ("From", "<sip:+15550199@x>"),
            ("X-Case", "42"),
            ("x-case", "43"),
            ("X-Their", "call of 15550199"),
            ("X-Local", "(1) 555-0199"),
            ("y", "h.p.s;info=<https://a>"),
            ("Content-Type", "application/sdp"),
            ("Proxy-Authorization", "Digest"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        type Names = &'static [&'static str];
        let cases: &[(&str, Names, Names, Option<&str>, Names)] = &[
            ("all", &[], &[], None, &["From", "X-Case", "X-Local", "X-Their", "y"]),
            ("some", &["x-CASE", "Via"], &[], None, &["X-Case"]),
            ("not some", &[], &["f", "X-Their", "X-Local", "Identity"], None, &["X-Case"]),
            ("both", &["From", "X-Case"], &["From"], None, &["X-Case"]),
            ("a number that is not to be known", &[], &[], Some("+15550199"), &["X-Case"]),
        ];
        for (name, include, exclude, hidden, expected) in cases {
            let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let shown = shown(&headers, &owned(include), &owned(exclude), *hidden);
            assert_eq!(shown.keys().collect::<Vec<_>>(), *expected, "{name}");
            assert_eq!(shown["X-Case"], "42, 43", "{name}");
        }
    }

    /// What a room is not told in an attribute of ours, no other way tells it.
    #[test]
    fn what_its_writer_asks_to_keep_back_is_kept_back() {
        const PRIVATE: &[(&str, &str)] = &[
            ("From", "<sip:+15550000@h>"),
            ("P-Asserted-Identity", "<sip:+15550199@h>"),
            ("Remote-Party-ID", "<sip:+15550199@h>"),
            ("Identity", "h.p.s"),
            ("Diversion", "<sip:+15550188@h>"),
            ("History-Info", "<sip:+15550177@h>;index=1"),
        ];
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
        let cases: &[Row<'_>] = &[
            (
                "nothing asked",
                &[],
                &["diversion", "from", "history-info", "identity", "p-asserted-identity", "remote-party-id"],
            ),
            ("identity", &[("Privacy", "id")], &["diversion", "from", "history-info", "privacy"]),
            (
                "history",
                &[("Privacy", "history")],
                &["from", "identity", "p-asserted-identity", "privacy", "remote-party-id"],
            ),
            (
                "waived",
                &[("Privacy", "none")],
                &["diversion", "from", "history-info", "identity", "p-asserted-identity", "privacy", "remote-party-id"],
            ),
            (
                "who diverted",
                &[("Diversion", "<sip:+15550166@h>;privacy=full")],
                &["from", "identity", "p-asserted-identity", "remote-party-id"],
            ),
            (
                "the PBX's manner",
                &[("Remote-Party-ID", "<sip:+15550199@h>;privacy=full")],
                &["diversion", "from", "history-info", "identity", "p-asserted-identity"],
            ),
        ];
        for (name, more, expected) in cases {
            let headers: Vec<_> = PRIVATE.iter().chain(*more).copied().collect();
            let owned: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let told = shown(&owned, &[], &[], None);
            let mut told: Vec<_> = told.keys().map(|name| canonical(name)).collect();
            told.sort_unstable();
            assert_eq!(told, *expected, "{name}");
            let attributes: Vec<_> = of(&headers, IncludeHeaders::All, &[]).into_iter().map(|(name, _)| name).collect();
            let named = |name: &&str| format!("sip.h.{name}");
            assert_eq!(attributes, expected.iter().map(named).collect::<Vec<_>>(), "{name}");
            let by_name = [("Diversion", "d"), ("P-Asserted-Identity", "p")];
            assert_eq!(
                of(&headers, IncludeHeaders::No, &by_name).len(),
                2,
                "{name}: whoever asks for it by name has it"
            );
        }
    }

    fn of(headers: &[(&str, &str)], include: IncludeHeaders, map: &[(&str, &str)]) -> Vec<(String, String)> {
        let query = query(|q| q.headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        let map = map.iter().map(|(n, a)| ((*n).to_owned(), (*a).to_owned())).collect();
        attributes(&query, include, &map, false).0.into_iter().collect()
    }

    #[test]
    fn headers_become_attributes() {
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: &[(&str, Pairs, IncludeHeaders, Pairs, Pairs)] = &[
            ("nothing asked for", &[("X-Foo", "1")], IncludeHeaders::No, &[], &[]),
            ("X headers", &[("X-Foo", "1"), ("Foo", "2")], IncludeHeaders::X, &[], &[("sip.h.x-foo", "1")]),
            ("lower case x", &[("x-FOO", "1")], IncludeHeaders::X, &[], &[("sip.h.x-foo", "1")]),
            (
                "all",
                &[("X-Foo", "1"), ("Foo", "2")],
                IncludeHeaders::All,
                &[],
                &[("sip.h.foo", "2"), ("sip.h.x-foo", "1")],
            ),
            ("compact", &[("m", "<sip:a@b>")], IncludeHeaders::All, &[], &[("sip.h.contact", "<sip:a@b>")]),
            ("twice", &[("v", "a"), ("Via", "b")], IncludeHeaders::All, &[], &[("sip.h.via", "a, b")]),
            (
                "our tag",
                &[("t", "<sip:a@b>")],
                IncludeHeaders::All,
                &[],
                &[("sip.h.to", "<sip:a@b>;tag=SCL_E4acrZAivj3K")],
            ),
            (
                "a tag that is there",
                &[("To", "<sip:a@b>;Tag=1")],
                IncludeHeaders::All,
                &[],
                &[("sip.h.to", "<sip:a@b>;Tag=1")],
            ),
            (
                "secrets",
                &[("Proxy-Authorization", "Digest"), ("Authorization", "Digest")],
                IncludeHeaders::All,
                &[("Authorization", "a")],
                &[],
            ),
            ("known", &[("X-Twilio-CallSid", "CA1")], IncludeHeaders::No, &[], &[("sip.twilio.callSid", "CA1")]),
            (
                "mapped",
                &[("x-clinic-tenant", "north")],
                IncludeHeaders::No,
                &[("X-Clinic-Tenant", "clinic.tenant")],
                &[("clinic.tenant", "north")],
            ),
            (
                "the map wins over both",
                &[("X-Twilio-CallSid", "CA1"), ("X-Mine", "m"), ("X-Foo", "1")],
                IncludeHeaders::X,
                &[("X-Mine", "sip.twilio.callSid"), ("X-Twilio-CallSid", "sip.h.x-foo")],
                &[
                    ("sip.h.x-foo", "CA1"),
                    ("sip.h.x-mine", "m"),
                    ("sip.h.x-twilio-callsid", "CA1"),
                    ("sip.twilio.callSid", "m"),
                ],
            ),
            ("control characters", &[("X-Foo", " a\r\nb\0\u{7f} ")], IncludeHeaders::X, &[], &[("sip.h.x-foo", "ab")]),
        ];
        for (name, headers, include, map, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(of(headers, *include, map), expected, "{name}");
        }
    }

    #[test]
    fn a_flood_of_headers_is_bounded_and_said() {
        let flood = query(|q| {
            q.headers = (0..200).map(|n| (format!("X-H{n}"), "é".repeat(700))).collect();
            q.headers.push(("X-Wanted".into(), "w".into()));
        });
        let map = BTreeMap::from([("X-Wanted".to_owned(), "wanted".to_owned())]);
        let (attributes, notes) = attributes(&flood, IncludeHeaders::All, &map, false);
        assert_eq!(attributes["wanted"], "w", "what is asked for by name comes first");
        assert!(attributes.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>() <= MAX_TOTAL);
        assert!(attributes.values().all(|value| value.len() <= MAX_VALUE));
        assert!(notes.iter().any(|note| note.contains("left out")), "{notes:?}");
    }
}
