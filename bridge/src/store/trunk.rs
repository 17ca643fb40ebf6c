//! An inbound trunk: who may call which numbers, and what becomes of his headers and media.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use livekit_protocol as proto;

use super::Error;
use super::error::{HeaderProblem, Problem};
use super::item::{InboundItem, Transfers};
use crate::dispatch::acl::Network;
use crate::dispatch::number::Pattern;
use crate::dispatch::seat::MAX_CALL_DURATION;
use crate::dispatch::{Codec, Encryption, IncludeHeaders, Media};

/// A trunk that calls come in by, checked.
#[derive(Clone)]
pub struct InboundTrunk {
    /// The object as LiveKit has it; the id is always set.
    pub info: proto::SipInboundTrunkInfo,
    /// `allowed_addresses`.
    pub networks: Vec<Network>,
    /// `numbers`.
    pub numbers: Vec<Pattern>,
    /// `allowed_numbers`.
    pub callers: Vec<Pattern>,
    /// `ringing_timeout`, if set.
    pub ringing_timeout: Option<Duration>,
    /// `ringing_timeout_status`, if set.
    pub ringing_timeout_status: Option<u16>,
    /// `max_call_duration`, if set.
    pub max_call_duration: Option<Duration>,
    /// `media`.
    pub media: Media,
    /// `allow_refer` and `bridge_transfers`.
    pub transfers: Transfers,
}

impl InboundTrunk {
    pub(crate) fn new(item: InboundItem) -> Result<Self, Vec<Error>> {
        let InboundItem { info, transfers } = item;
        let mut problems = Vec::new();
        let networks = networks(&info.allowed_addresses, &mut problems);
        let numbers = patterns("numbers", &info.numbers, &mut problems);
        let callers = patterns("allowed_numbers", &info.allowed_numbers, &mut problems);
        let ringing_timeout =
            duration("ringing_timeout", info.ringing_timeout.as_ref(), MAX_CALL_DURATION, &mut problems);
        let ringing_timeout_status = final_status(info.ringing_timeout_status, &mut problems);
        let max_call_duration =
            duration("max_call_duration", info.max_call_duration.as_ref(), MAX_CALL_DURATION, &mut problems);
        #[expect(deprecated, reason = "older files set the encryption here")]
        let encryption = info.media_encryption;
        let media = media(info.media.as_ref(), encryption, &mut problems);
        problems.extend(half_credentials(&info.auth_username, &info.auth_password));
        if info.numbers.is_empty() && info.allowed_addresses.is_empty() && info.auth_username.is_empty() {
            problems.push(Problem::Unguarded);
        }
        check_headers(&info.headers, &mut problems);
        check_header_names("headers_to_attributes", info.headers_to_attributes.keys(), &mut problems);
        check_header_names("attributes_to_headers", info.attributes_to_headers.values(), &mut problems);
        let trunk = Self {
            info,
            networks,
            numbers,
            callers,
            ringing_timeout,
            ringing_timeout_status,
            max_call_duration,
            media,
            transfers,
        };
        if problems.is_empty() { Ok(trunk) } else { Err(named(trunk.id(), &trunk.label(), problems)) }
    }

    /// The object as it was read.
    pub(crate) fn item(&self) -> InboundItem {
        InboundItem { info: self.info.clone(), transfers: self.transfers }
    }

    /// Its id, `ST_…`.
    pub fn id(&self) -> &str {
        &self.info.sip_trunk_id
    }

    /// Name and id for people.
    pub fn label(&self) -> String {
        label("inbound trunk", &self.info.name, self.id())
    }

    /// Whether callers have to answer a challenge.
    pub fn asks_password(&self) -> bool {
        !self.info.auth_username.is_empty()
    }

    pub(crate) fn include_headers(&self) -> IncludeHeaders {
        match self.info.include_headers() {
            proto::SipHeaderOptions::SipNoHeaders => IncludeHeaders::No,
            proto::SipHeaderOptions::SipXHeaders => IncludeHeaders::X,
            proto::SipHeaderOptions::SipAllHeaders => IncludeHeaders::All,
        }
    }
}

// Written out because the message would print its password.
impl fmt::Debug for InboundTrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundTrunk").field("id", &self.id()).field("name", &self.info.name).finish_non_exhaustive()
    }
}

/// The longest patience with a caller who sends nothing.
const MAX_MEDIA_TIMEOUT: Duration = Duration::from_secs(600);

pub(crate) fn label(kind: &str, name: &str, id: &str) -> String {
    if name.is_empty() { format!("{kind} {id}") } else { format!("{kind} {name:?} ({id})") }
}

pub(crate) fn named(id: &str, object: &str, problems: Vec<Problem>) -> Vec<Error> {
    problems.into_iter().map(|problem| Error::new(id, object, problem)).collect()
}

fn too_many(field: &'static str, entries: &[String], problems: &mut Vec<Problem>) {
    if entries.len() > MAX_ENTRIES {
        problems.push(Problem::TooMany { field, max: MAX_ENTRIES });
    }
}

fn networks(entries: &[String], problems: &mut Vec<Problem>) -> Vec<Network> {
    too_many("allowed_addresses", entries, problems);
    let mut keep = |entry: &String| entry.parse().map_err(|error| problems.push(Problem::Address(error))).ok();
    entries.iter().filter_map(&mut keep).collect()
}

/// As many entries may a list have: every one is held against every call.
const MAX_ENTRIES: usize = 10_000;

pub(crate) fn patterns(field: &'static str, entries: &[String], problems: &mut Vec<Problem>) -> Vec<Pattern> {
    too_many(field, entries, problems);
    for value in entries.iter().filter(|entry| entry.is_empty() || entry.trim() != entry.as_str()) {
        problems.push(Problem::Number { field, value: value.clone() });
    }
    entries.iter().map(|entry| Pattern::new(entry)).collect()
}

/// A user needs a password and a password a user.
pub(crate) fn half_credentials(username: &str, password: &str) -> Option<Problem> {
    match (username.is_empty(), password.is_empty()) {
        (false, true) => Some(Problem::HalfCredentials { present: "auth_username", missing: "auth_password" }),
        (true, false) => Some(Problem::HalfCredentials { present: "auth_password", missing: "auth_username" }),
        _ => None,
    }
}

/// A duration of the message; zero is as good as none.
fn duration(
    field: &'static str,
    value: Option<&pbjson_types::Duration>,
    max: Duration,
    problems: &mut Vec<Problem>,
) -> Option<Duration> {
    let value = value?;
    match Duration::try_from(*value) {
        Ok(Duration::ZERO) => None,
        Ok(duration) if duration <= max => Some(duration),
        _ => {
            let max = if max == MAX_CALL_DURATION { "24 hours" } else { "10 minutes" };
            problems.push(Problem::Duration { field, value: format!("{}s", value.seconds), max });
            None
        }
    }
}

/// A status that ends an INVITE without a call; zero is none.
fn final_status(status: i32, problems: &mut Vec<Problem>) -> Option<u16> {
    match u16::try_from(status) {
        Ok(0) => None,
        Ok(status @ 400..=699) => Some(status),
        _ => {
            problems.push(Problem::RingingStatus(status));
            None
        }
    }
}

/// Media of a trunk or a rule; `encryption` is the field that `media` replaced.
pub(crate) fn media(config: Option<&proto::SipMediaConfig>, encryption: i32, problems: &mut Vec<Problem>) -> Media {
    let asked = config.and_then(|config| config.encryption).unwrap_or(encryption);
    let encryption = match proto::SipMediaEncryption::try_from(asked) {
        Ok(proto::SipMediaEncryption::SipMediaEncryptAllow) => Encryption::Allow,
        Ok(proto::SipMediaEncryption::SipMediaEncryptRequire) => Encryption::Require,
        Ok(proto::SipMediaEncryption::SipMediaEncryptDisable) | Err(_) => Encryption::Disable,
    };
    let Some(config) = config else { return Media { encryption, ..Media::default() } };
    Media {
        timeout: duration("media_timeout", config.media_timeout.as_ref(), MAX_MEDIA_TIMEOUT, problems),
        listed: config.codecs.iter().map(codec).collect(),
        only_listed: config.only_listed_codecs,
        encryption,
    }
}

fn codec(codec: &proto::SipCodec) -> Codec {
    let usual = if codec.name.eq_ignore_ascii_case("opus") { 48_000 } else { 8_000 };
    let rate = if codec.rate == 0 { usual } else { codec.rate };
    Codec { name: codec.name.clone(), rate }
}

/// Headers that belong to the SIP stack (RFC 3261 §20), long and short.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "allow",
    "allow-events",
    "authorization",
    "call-id",
    "contact",
    "content-encoding",
    "content-length",
    "content-type",
    "cseq",
    "event",
    "expires",
    "from",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "record-route",
    "refer-to",
    "reply-to",
    "route",
    "to",
    "via",
    "www-authenticate",
    "k",
    "l",
    "m",
    "o",
    "r",
    "t",
    "u",
    "v",
    "c",
    "e",
    "f",
    "i",
];

pub(crate) fn check_headers(headers: &HashMap<String, String>, problems: &mut Vec<Problem>) {
    check_header_names("headers", headers.keys(), problems);
    for (name, value) in headers {
        let control = value.chars().find(|c| c.is_control());
        let why = if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            HeaderProblem::Reserved
        } else if value.len() > 1024 {
            HeaderProblem::Long
        } else if let Some(control) = control {
            HeaderProblem::Value(control)
        } else {
            continue;
        };
        problems.push(Problem::Header { field: "headers", name: name.clone(), why });
    }
}

/// Names are tokens ([RFC 3261 §25.1](https://www.rfc-editor.org/rfc/rfc3261#section-25.1)).
pub(crate) fn check_header_names<'a>(
    field: &'static str,
    names: impl Iterator<Item = &'a String>,
    problems: &mut Vec<Problem>,
) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    for name in names {
        let stray = name.chars().find(|c| !is_token(*c));
        if name.is_empty() || name.len() > 255 || stray.is_some() {
            problems.push(Problem::Header { field, name: name.clone(), why: HeaderProblem::Name(stray) });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::loaded;

    /// What is said against one inbound trunk; empty for nothing.
    fn said(trunk: &str) -> String {
        loaded(&format!("inbound_trunks: [{{{trunk}}}]")).map_or_else(|invalid| invalid.to_string(), |_| String::new())
    }

    #[test]
    fn trunks_are_refused_with_their_reason() {
        let cases: &[(&str, &str)] = &[
            ("numbers: ['+1']", ""),
            ("allowed_addresses: [192.0.2.0/24, '2001:db8::1']", ""),
            ("auth_username: u, auth_password: p", ""),
            ("name: x", "inbound trunk \"x\" (ST_"),
            ("name: x", "one of numbers, allowed_addresses, or auth_username and auth_password must be set"),
            ("allowed_numbers: ['+1']", "must be set"),
            ("auth_username: u", "auth_username is set and auth_password is not"),
            ("numbers: ['1'], auth_password: p", "auth_password is set and auth_username is not"),
            ("allowed_addresses: [192.0.2.0/33]", "prefix \"33\" is not in 0..=32"),
            ("allowed_addresses: [sip.example.com]", "\"sip.example.com\" is no IP address"),
            ("numbers: ['']", "numbers has an entry that is empty"),
            ("numbers: ['1'], allowed_numbers: [' 1']", "allowed_numbers has an entry"),
            ("numbers: ['1'], ringing_timeout: -1s", "ringing_timeout is -1s"),
            ("numbers: ['1'], max_call_duration: 25h", "between 0 and 24 hours"),
            ("numbers: ['1'], media: {media_timeout: 11m}", "between 0 and 10 minutes"),
            ("numbers: ['1'], ringing_timeout_status: SIP_STATUS_OK", "ringing_timeout_status"),
            ("numbers: ['1'], headers: {Via: x}", "header \"Via\" belongs to the SIP stack"),
            ("numbers: ['1'], headers: {X-A: \"a\\r\\nVia: b\"}", "line breaks or control characters"),
            ("numbers: ['1'], headers: {'X A': b}", "header \"X A\" is no header name"),
            ("numbers: ['1'], headers_to_attributes: {'': b}", "is no header name"),
            (
                "numbers: ['1'], attributes_to_headers: {a: 'X:'}",
                "attributes_to_headers: header \"X:\" is no header name",
            ),
            ("numbers: ['1'], media_encryption: SIP_MEDIA_ENCRYPT_ALLOW", ""),
        ];
        for (trunk, part) in cases {
            let said = said(trunk);
            assert!(said.contains(part) && said.is_empty() == part.is_empty(), "{trunk}\n{said}");
        }
    }
}
