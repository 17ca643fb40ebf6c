//! The table of keys: what there is, what each takes, and what it is without being set.
//!
//! The order is that of the manual, `docs/configuration.md`, whose tables are these.

use super::Digest;
use super::value::Kind;
use crate::dispatch::{Answer, Dtmf, Reject};
use crate::prompts::is_language;
use crate::store::Bridging;

/// A key of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its path, with dots between.
    pub(crate) path: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// What it is when it is not set, as YAML; `""` for nothing, `=key` for the value of another key.
    pub(crate) default: &'static str,
    /// A value that one could set, as YAML.
    pub(crate) example: &'static str,
    /// What it means; for a key without effect, why it has none.
    pub(crate) about: &'static str,
    /// Whether it does anything.
    pub(crate) works: bool,
}

/// A field of an object in a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Field {
    /// Its name in snake_case.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// What it means.
    pub(crate) about: &'static str,
}

/// A path that leads to other keys.
pub(crate) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| fitted(key.path, path).is_some_and(|rest| !rest.is_empty()))
}

/// The key of a path.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| fitted(key.path, path).is_some_and(str::is_empty))
}

/// Stands in a path for whatever names a language.
pub(crate) const LANGUAGE: &str = "<language>";

/// What a key's path has beyond a path that it begins with, part by part.
fn fitted<'a>(key: &'a str, path: &str) -> Option<&'a str> {
    let mut rest = key;
    for part in path.split('.') {
        let (wanted, after) = rest.split_once('.').unwrap_or((rest, ""));
        if wanted != part && !(wanted == LANGUAGE && is_language(part)) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// The nearest of some names to one that is none of them.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    known
        .map(|known| (known, strsim::normalized_damerau_levenshtein(&known.to_ascii_lowercase(), &name)))
        .filter(|(_, likeness)| *likeness >= 0.6)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(known, _)| known)
}

const fn key(path: &'static str, kind: Kind, default: &'static str, example: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, example, about, works: true }
}

/// A key of livekit-sip that is taken and does nothing.
const fn idle(path: &'static str, kind: Kind, example: &'static str, about: &'static str) -> Key {
    Key { path, kind, default: "", example, about, works: false }
}

const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about }
}

const DAY: u64 = 86_400;
const TLS_VERSIONS: &[&str] = &["tls1.0", "tls1.1", "tls1.2", "tls1.3"];
/// Which callers have to acknowledge provisional answers.
pub(super) const RELIABILITY: &[&str] = &["required", "supported"];
const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error"];
const ENCRYPTION: &[&str] = &["SIP_MEDIA_ENCRYPT_DISABLE", "SIP_MEDIA_ENCRYPT_ALLOW", "SIP_MEDIA_ENCRYPT_REQUIRE"];
const HEADERS: &[&str] = &["SIP_NO_HEADERS", "SIP_X_HEADERS", "SIP_ALL_HEADERS"];
const TRANSPORTS: &[&str] = &["SIP_TRANSPORT_AUTO", "SIP_TRANSPORT_UDP", "SIP_TRANSPORT_TCP", "SIP_TRANSPORT_TLS"];

/// Every key.
pub(crate) const KEYS: &[Key] = &[
    // LiveKit
    key(
        "ws_url",
        Kind::Url,
        "",
        "wss://example.livekit.cloud",
        "The LiveKit server. Else `LIVEKIT_WS_URL` or `LIVEKIT_URL` of the environment.",
    ),
    key(
        "api_key",
        Kind::Text,
        "",
        "APIxxxxxxxx",
        "Key that tokens are signed for. Else `LIVEKIT_API_KEY` of the environment.",
    ),
    key(
        "api_secret",
        Kind::Secret,
        "",
        "a-secret-of-32-characters-or-more",
        "Secret of the key. Else `LIVEKIT_API_SECRET` of the environment, the better place for it.",
    ),
    key(
        "room_reconnect_limit",
        Kind::Duration(0, DAY),
        "30s",
        "1m",
        "How long a call goes on without its room, when the connection to LiveKit is lost, before it ends.",
    ),
    // SIP
    key("sip_port", Kind::Port, "5060", "5060", "Port that others are told, UDP and TCP."),
    key(
        "sip_port_listen",
        Kind::Port,
        "=sip_port",
        "15060",
        "Port that is bound, if a NAT or a load balancer stands between.",
    ),
    key(
        "listen_ip",
        Kind::Addresses,
        "",
        "0.0.0.0",
        "Where SIP listens. Not set: every IPv4 and IPv6 address that the machine has.",
    ),
    key(
        "sip_hostname",
        Kind::Text,
        "",
        "sip.example.com",
        "Host name that Contact tells over TLS; `${IP}` in it becomes the address with dashes.",
    ),
    key("sip_ringing_interval", Kind::Duration(1, 60), "1s", "5s", "How often a caller hears that it rings (180)."),
    key(
        "session_expires",
        Kind::Duration(0, DAY),
        "30m",
        "15m",
        "How long a call may last without being refreshed (RFC 4028): what is asked for, and the longest that is granted. 0 switches session timers off.",
    ),
    key(
        "min_se",
        Kind::Duration(90, DAY),
        "90s",
        "5m",
        "The shortest such time that is granted; callers that ask for less are told so (422).",
    ),
    key(
        "reliable_provisional",
        Kind::Choice(RELIABILITY),
        "required",
        "supported",
        "Which callers have to acknowledge 180 (100rel, RFC 3262): those that require it, or all that can.",
    ),
    key("tls.port", Kind::Port, "5061", "5061", "Port that others are told for TLS."),
    key("tls.port_listen", Kind::Port, "=tls.port", "15061", "Port that is bound for TLS."),
    key(
        "tls.certs",
        Kind::Certificates,
        "[]",
        "[{cert_file: /etc/trunkline/cert.pem, key_file: /etc/trunkline/key.pem}]",
        "Certificate chains and keys, PEM. We listen for TLS as soon as there is one.",
    ),
    key("tls.min_version", Kind::Choice(TLS_VERSIONS), "tls1.2", "tls1.3", "Oldest TLS; older than 1.2 is not spoken."),
    key("tls.max_version", Kind::Choice(TLS_VERSIONS), "tls1.3", "tls1.2", "Newest TLS."),
    key(
        "tls.alpn",
        Kind::Texts,
        "[sip]",
        "[]",
        "Protocols that are offered by ALPN; an empty list for peers that reject it.",
    ),
    key(
        "tls.ca_file",
        Kind::Text,
        "",
        "/etc/trunkline/ca.pem",
        "Certificate authorities, PEM, that are believed beside the system's when we call over TLS or fetch a certificate of `stir`. Calls need no `tls.certs`.",
    ),
    idle(
        "tls.cipher_suites",
        Kind::Texts,
        "[TLS_AES_128_GCM_SHA256]",
        "Only safe suites are offered, there is nothing to choose.",
    ),
    idle("tls.key_log", Kind::Text, "/tmp/keys.log", "TLS keys are never written to a file."),
    idle("tcp.dial_port", Kind::Ports, "20001-30000", "The system chooses the port of a connection that we open."),
    key(
        "reject",
        Kind::Choice(Reject::WORDS),
        "silent",
        "403",
        "What somebody gets whom no trunk takes and whose address no `allowed_addresses` names: nothing, or this status, the same for every number. Not where a trunk with a password takes every address: there strangers are asked for it (407), whichever number they try.",
    ),
    key(
        "hide_inbound_port",
        Kind::Bool,
        "false",
        "true",
        "Nothing is sent before a trunk took the call, not even 100; strangers get silence.",
    ),
    key(
        "digest",
        Kind::Choice(Digest::WORDS),
        "both",
        "md5",
        "Which hashes a trunk with a password asks for: both leaves the choice to the caller; some older PBXs (baresip 1.0 among them) give up when SHA-256 is offered at all.",
    ),
    idle(
        "udp_max_payload",
        Kind::Integer(576, 65_507),
        "1300",
        "Requests of more than 1300 bytes go over TCP (RFC 3261 §18.1.1).",
    ),
    key("user_agent", Kind::Text, "Trunkline", "Example", "What `User-Agent` and `Server` say."),
    idle(
        "disable_rejected_invite_cache",
        Kind::Bool,
        "false",
        "A refused INVITE is answered from memory as long as its transaction lasts, and no longer.",
    ),
    idle("add_record_route", Kind::Bool, "false", "A user agent adds no Record-Route (RFC 3261 §16)."),
    key(
        "outbound_route_headers",
        Kind::Texts,
        "[]",
        "[<sip:proxy.example.com;lr>]",
        "`Route` of every call out whose trunk and request have none: the first address is where the INVITE goes.",
    ),
    idle(
        "experimental.inbound_wait_ack",
        Kind::Bool,
        "false",
        "Always so: media starts with the ACK, and a 200 is repeated until it comes.",
    ),
    // Addresses
    key(
        "local_net",
        Kind::Network,
        "",
        "10.0.0.0/8",
        "Our own address is taken from this network, on a machine with several.",
    ),
    key("use_external_ip", Kind::Bool, "false", "true", "Ask a STUN server for the address that others see."),
    key("nat_1_to_1_ip", Kind::Address, "", "203.0.113.10", "The address that others see; excludes `use_external_ip`."),
    key("media_use_external_ip", Kind::Bool, "=use_external_ip", "true", "The same for media alone."),
    key("media_nat_1_to_1_ip", Kind::Address, "=nat_1_to_1_ip", "203.0.113.11", "The same for media alone."),
    // Media
    key(
        "rtp_port",
        Kind::Ports,
        "10000-20000",
        "20000-30000",
        "UDP ports for media, two a call; also `{start: 10000, end: 20000}`. Open them in the firewall.",
    ),
    key(
        "rtp_draining_idle_timeout",
        Kind::SignedDuration,
        "30s",
        "1m",
        "A port rests after its call until no packet has come for this long; negative: it does not rest.",
    ),
    key("rtp_draining_duration", Kind::Duration(0, DAY), "10m", "5m", "The longest that a port rests."),
    key(
        "media_timeout_initial",
        Kind::Duration(1, DAY),
        "30s",
        "10s",
        "A call ends if no media came for this long since the answer.",
    ),
    key(
        "media_timeout",
        Kind::Duration(1, DAY),
        "15s",
        "30s",
        "A call ends if media stays away for this long later on.",
    ),
    key("symmetric_rtp", Kind::Bool, "false", "true", "Send media to where it comes from, whatever SDP says."),
    idle(
        "ignore_local_addr_in_sdp",
        Kind::Bool,
        "true",
        "Always so: a private address in SDP gives way to the one that packets come from.",
    ),
    key(
        "allow_loopback_media",
        Kind::Bool,
        "false",
        "true",
        "Media may go to loopback addresses: for tests on one machine, never on a public one.",
    ),
    key(
        "codecs",
        Kind::Codecs,
        "{}",
        "{\"PCMA/8000\": false}",
        "Codecs switched on or off by their SDP name. The best first: opus/48000/2, which is off unless a trunk lists it, G722/8000, \
         PCMU/8000, PCMA/8000.",
    ),
    key("media_threads", Kind::Integer(0, 1_024), "0", "4", "Threads for media; 0 for one a core."),
    key("opus.bitrate", Kind::Integer(6_000, 128_000), "32000", "24000", "Opus toward the room, bits a second."),
    key(
        "opus.complexity",
        Kind::Integer(0, 10),
        "5",
        "8",
        "Effort of the Opus encoder while there is little to do; it falls to 0 as load grows.",
    ),
    key(
        "opus.dtx",
        Kind::Bool,
        "true",
        "false",
        "Whether frames in which a caller says nothing are left out toward the room, as browsers do it, but for one every 400 ms. Off for receivers that want every frame. A rule or an outbound trunk may say otherwise (`dtx`).",
    ),
    key(
        "comfort_noise",
        Kind::Bool,
        "false",
        "true",
        "Whether comfort noise (RFC 3389) is offered, accepted, and sent to the phone in place of silence, with nothing between. Off, silence is sent as such: NATs, recorders and media timeouts of others expect packets. What a phone sends of it is always heard.",
    ),
    idle("enable_jitter_buffer", Kind::Bool, "true", "There always is a jitter buffer, and it adapts."),
    idle("enable_jitter_buffer_prob", Kind::Number(0.0, 1.0), "0.5", "There always is a jitter buffer, and it adapts."),
    key(
        "audio_dtmf",
        Kind::Bool,
        "false",
        "true",
        "Whether the room hears keys of the phone as tones as well, for as long as they are held, ten seconds at most. They reach it as data in any case.",
    ),
    // Calls
    key(
        "answer",
        Kind::Choice(Answer::WORDS),
        "on_track",
        "immediately",
        "When a caller is answered: at once, when somebody is in the room, when somebody's audio is there, when a participant asks for it (`trunkline.answer`). A rule may say otherwise.",
    ),
    key(
        "early_media",
        Kind::Bool,
        "false",
        "true",
        "Whether a caller who waits hears the room (183 with a description) in place of ringing (180). Sound stops after two seconds unless anything comes back from where his INVITE sends it, RTCP too. A rule may say otherwise.",
    ),
    key(
        "max_active_calls",
        Kind::Integer(0, 1_000_000),
        "0",
        "500",
        "Calls at a time; more get 503 with Retry-After. 0 for no limit.",
    ),
    key("drain_timeout", Kind::Duration(0, 7 * DAY), "1h", "30m", "How long running calls may last on after SIGTERM."),
    idle("max_cpu_utilization", Kind::Number(0.0, 1.0), "0.9", "Calls are limited by `max_active_calls`."),
    idle("sip_trunk_ids", Kind::Texts, "[ST_xxxxxxxxxxxx]", "Trunks come from this file."),
    // Calls out and transfers
    key(
        "dns_servers",
        Kind::Servers,
        "[]",
        "[192.0.2.53]",
        "Name servers to ask where carriers are, `address` or `address:port`. Empty: those of the system.",
    ),
    key(
        "outbound_deny",
        Kind::Networks,
        "[0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255, '::', '::1', 'fe80::/10', 'ff00::/8']",
        "[127.0.0.0/8, 10.0.0.0/8]",
        "Networks that no call may go to, whatever name leads there. The default keeps calls off this machine and off what is no single neighbour; private networks are allowed, for there are PBXs in them.",
    ),
    key(
        "allow_emergency",
        Kind::Bool,
        "false",
        "true",
        "Whether emergency numbers (112, 911, 933, 999, 000, 110, 119) may be called: only with a carrier that knows where you are.",
    ),
    key(
        "outbound.max_calls",
        Kind::Integer(0, 1_000_000),
        "0",
        "20",
        "Calls out at a time on one trunk, where the trunk does not say; 0 for no limit.",
    ),
    key(
        "outbound.calls_per_second",
        Kind::Integer(0, 100_000),
        "0",
        "5",
        "Calls out begun a second on one trunk, where the trunk does not say; 0 for no limit.",
    ),
    key(
        "outbound.patience",
        Kind::Duration(1, 32),
        "4s",
        "2s",
        "How long a carrier's server may be silent before the next one of the same name is tried.",
    ),
    key(
        "transfer.refer",
        Kind::Bool,
        "false",
        "true",
        "Whether a peer may transfer us (REFER), where the trunk does not say. It calls at your cost.",
    ),
    key(
        "transfer.bridge",
        Kind::Choice(Bridging::WORDS),
        "never",
        "fallback",
        "Whether a transfer is a call of our own to the target: never, where the carrier refuses REFER, or always. Where the trunk does not say.",
    ),
    // Prompts
    key(
        "prompts.enter_pin",
        Kind::Text,
        "",
        "/etc/trunkline/enter-pin.wav",
        "A WAV file that asks a caller for his PIN, in place of ours.",
    ),
    key("prompts.wrong_pin", Kind::Text, "", "/etc/trunkline/wrong-pin.wav", "The same for a PIN that was wrong."),
    key("prompts.room_join", Kind::Text, "", "/etc/trunkline/room-join.wav", "The same for a PIN that was right."),
    key(
        "prompts.<language>.enter_pin",
        Kind::Text,
        "",
        "/etc/trunkline/nl/enter-pin.wav",
        "The same for callers whose rule has this `language`. Those of `en`, `de`, `es` and `fr` come with the gateway; what a language has not is heard as if none were named.",
    ),
    key(
        "prompts.<language>.wrong_pin",
        Kind::Text,
        "",
        "/etc/trunkline/nl/wrong-pin.wav",
        "The same for a PIN that was wrong.",
    ),
    key(
        "prompts.<language>.room_join",
        Kind::Text,
        "",
        "/etc/trunkline/nl/room-join.wav",
        "The same for a PIN that was right.",
    ),
    key(
        "prompts.hold",
        Kind::Text,
        "",
        "/etc/trunkline/music.wav",
        "A WAV file that a phone hears again and again while the room holds it; silence if not set.",
    ),
    // Numbers of callers
    key(
        "stir.verify",
        Kind::Bool,
        "false",
        "true",
        "Whether signatures of callers (STIR/SHAKEN) are verified. No call is refused for it; attributes `sip.stir.…` tell: [attributes.md](attributes.md).",
    ),
    key(
        "stir.ca_file",
        Kind::Text,
        "",
        "/etc/trunkline/sti-ca.pem",
        "The authorities whose certificates for numbers are believed, PEM: for SHAKEN those of the STI-PA's list. Needed for `stir.verify`.",
    ),
    key(
        "stir.hosts",
        Kind::Texts,
        "[]",
        "[certificates.example.com]",
        "Hosts that such certificates are fetched from. Empty: every host of the Internet that a caller names, by https.",
    ),
    key(
        "stir.allow_loopback",
        Kind::Bool,
        "false",
        "true",
        "They may be fetched from this machine itself: for tests on one machine, never on a public one.",
    ),
    // Objects
    key(
        "store",
        Kind::Text,
        "",
        "/var/lib/trunkline/trunkline.db",
        "File for what the API writes and for records of calls (SQLite). Not set: `trunkline.db` in `$STATE_DIRECTORY`, else in `/var/lib/trunkline` if that can be written to, else in the working directory.",
    ),
    key(
        "inbound_trunks",
        Kind::Objects(INBOUND_TRUNK),
        "[]",
        "[{numbers: [\"+15105550100\"]}]",
        "Trunks that calls come in by. See below.",
    ),
    key(
        "outbound_trunks",
        Kind::Objects(OUTBOUND_TRUNK),
        "[]",
        "[{address: sip.example.com, numbers: [\"+15105550100\"]}]",
        "Trunks that calls go out by. See below.",
    ),
    key(
        "dispatch_rules",
        Kind::Objects(DISPATCH_RULE),
        "[]",
        "[{rule: {dispatch_rule_direct: {room_name: lobby}}}]",
        "Rules that find the room of a call. See below.",
    ),
    // The process
    key(
        "api_port",
        Kind::Integer(0, 65_535),
        "7890",
        "8443",
        "HTTP port for the LiveKit SIP API, and for the LiveKit server behind it; 0 for none.",
    ),
    key(
        "api_ip",
        Kind::Address,
        "127.0.0.1",
        "0.0.0.0",
        "Where it listens. It speaks no TLS: put a proxy that does before it on a public address.",
    ),
    key(
        "api_proxy",
        Kind::Bool,
        "true",
        "false",
        "Whether requests that are not for us go on to the LiveKit server of `ws_url`.",
    ),
    key("health_port", Kind::Port, "", "8080", "HTTP port for health checks; off if not set."),
    key("health_ip", Kind::Address, "0.0.0.0", "127.0.0.1", "Where it listens."),
    key("prometheus_port", Kind::Port, "", "9090", "HTTP port for metrics; off if not set."),
    key(
        "prometheus_ip",
        Kind::Address,
        "127.0.0.1",
        "10.0.0.5",
        "Where it listens. Metrics tell a lot: not on a public address.",
    ),
    key("logging.level", Kind::Choice(LEVELS), "info", "debug", "What is logged."),
    key("logging.json", Kind::Bool, "false", "true", "A JSON object a line."),
    idle("logging.component_levels", Kind::TextMap, "{sip: debug}", "The level is one for all."),
    idle("logging.sample", Kind::Bool, "false", "Nothing is left out of the log."),
    idle("log_level", Kind::Text, "info", "Write `logging.level`; livekit-sip does not read this key either."),
    idle("pprof_port", Kind::Port, "6060", "There is nothing to profile by HTTP."),
    idle("jaeger_url", Kind::Text, "http://localhost:14268", "Traces are not in this version."),
    idle(
        "redis",
        Kind::Any,
        "{address: \"localhost:6379\"}",
        "Drop-in mode is not in this version; trunks and rules come from this file and the API.",
    ),
    idle("cluster_id", Kind::Text, "main", "Drop-in mode is not in this version."),
];

const CODEC: &[Field] = &[
    field("name", Kind::Text, "SDP name."),
    field("rate", Kind::Integer(0, 192_000), "Clock rate, 8000 if not set, 48000 for opus."),
];

const MEDIA: &[Field] = &[
    field("only_listed_codecs", Kind::Bool, "No codec beside the listed ones."),
    field("codecs", Kind::Objects(CODEC), "Codecs in the order of preference."),
    field("encryption", Kind::Choice(ENCRYPTION), "SRTP: never, if the other side can, always."),
    field("media_timeout", Kind::SignedDuration, "The call ends if media stays away for this long."),
];

/// What a rule and an outbound trunk say of silence.
const DTX: Field =
    field("dtx", Kind::Bool, "Whether frames of silence are left out toward the room; the key `opus.dtx` if not set.");
const ALLOW_REFER: Field =
    field("allow_refer", Kind::Bool, "Whether the peer may transfer us (REFER); the key `transfer.refer` if not set.");
const BRIDGE_TRANSFERS: Field = field(
    "bridge_transfers",
    Kind::Choice(Bridging::WORDS),
    "Whether a transfer is a call of our own; the key `transfer.bridge` if not set.",
);
const DTMF: Field = field(
    "dtmf",
    Kind::Choice(Dtmf::WORDS),
    "How keys are pressed for the peer: `rfc4733`, `info`, or `inband`, as tones. `auto`, if not set: RFC 4733 where both \
     speak it, else INFO if the peer allows it, else tones. Where it refuses them by INFO they go another way. Keys of the peer are understood in all of these ways; tones with \
     `inband`, and with `auto` where both do not speak RFC 4733.",
);

/// `SIPInboundTrunkInfo`, and what we add to it.
pub(crate) const INBOUND_TRUNK: &[Field] = &[
    field(
        "sip_trunk_id",
        Kind::Text,
        "Id, `ST_…`. Not set: made from the name, or from everything else if there is none.",
    ),
    field("name", Kind::Text, "Name, for people and for `trunk_ids` of rules."),
    field("metadata", Kind::Text, "Kept, not used."),
    field(
        "numbers",
        Kind::Texts,
        "Called numbers that are this trunk's; with `*` for any run of characters. Empty: every number.",
    ),
    field(
        "allowed_addresses",
        Kind::Texts,
        "Addresses and networks that calls may come from. Held against the source of the packet only. Empty: everywhere.",
    ),
    field("allowed_numbers", Kind::Texts, "Callers who may call; with `*`. Empty: everybody."),
    field("auth_username", Kind::Text, "User that a caller has to prove to be (digest)."),
    field("auth_password", Kind::Secret, "His password."),
    field("auth_realm", Kind::Text, "Realm of the challenge; `LiveKit` if not set."),
    field("headers", Kind::TextMap, "Headers for our 200."),
    field("headers_to_attributes", Kind::TextMap, "Headers of the caller that become attributes: header to attribute."),
    field(
        "attributes_to_headers",
        Kind::TextMap,
        "Attributes that become headers of our 200 and BYE: attribute to header.",
    ),
    field("include_headers", Kind::Choice(HEADERS), "Which headers of the caller become attributes `sip.h.<name>`."),
    field("ringing_timeout", Kind::SignedDuration, "How long a caller waits for an answer; 3m if not set."),
    field("ringing_timeout_status", Kind::Any, "Status for a caller who was not answered in time, as `SIP_STATUS_…`."),
    field("max_call_duration", Kind::SignedDuration, "How long a call may last; 24h if not set, and at most."),
    field("krisp_enabled", Kind::Bool, "No effect in this version."),
    field("media_encryption", Kind::Choice(ENCRYPTION), "Write `media.encryption`."),
    field("media", Kind::Object(MEDIA), "Codecs, encryption and patience."),
    field("created_at", Kind::Any, "Not used."),
    field("updated_at", Kind::Any, "Not used."),
    ALLOW_REFER,
    BRIDGE_TRANSFERS,
    DTMF,
];

/// `SIPOutboundTrunkInfo`, and what we add to it.
pub(crate) const OUTBOUND_TRUNK: &[Field] = &[
    field("sip_trunk_id", Kind::Text, "Id, `ST_…`, made like those of inbound trunks."),
    field("name", Kind::Text, "Name, for people, and for calls that name the trunk by it."),
    field("metadata", Kind::Text, "Kept, not used."),
    field(
        "address",
        Kind::Text,
        "Host, or host and port, without `sip:`. Without a port DNS says which (NAPTR, SRV), else 5060, or 5061 with TLS.",
    ),
    field("transport", Kind::Choice(TRANSPORTS), "UDP, TCP or TLS; automatic: what DNS prefers, else UDP."),
    field("destination_country", Kind::Text, "Kept, not used."),
    field("numbers", Kind::Texts, "Numbers to call from: one of them at random, unless the call names its own."),
    field("auth_username", Kind::Text, "User for the carrier's challenge."),
    field("auth_password", Kind::Secret, "His password."),
    field("from_host", Kind::Text, "Host of our From header; the address that others see if not set."),
    field(
        "headers",
        Kind::TextMap,
        "Headers for our INVITE. The first address of `Route` is the server to send it to.",
    ),
    field("headers_to_attributes", Kind::TextMap, "Headers of the answer that become attributes."),
    field("attributes_to_headers", Kind::TextMap, "Attributes that become headers of our BYE."),
    field("include_headers", Kind::Choice(HEADERS), "Which headers of the answer become attributes `sip.h.<name>`."),
    field("media_encryption", Kind::Choice(ENCRYPTION), "Write `media.encryption`."),
    field("media", Kind::Object(MEDIA), "As for inbound trunks."),
    field("created_at", Kind::Any, "Not used."),
    field("updated_at", Kind::Any, "Not used."),
    field("default_outbound", Kind::Bool, "Calls that name no trunk go out here; at most one trunk may have it."),
    field("max_calls", Kind::Integer(0, 1_000_000), "Calls at a time; `outbound.max_calls` if not set."),
    field(
        "calls_per_second",
        Kind::Integer(0, 100_000),
        "Calls begun a second; `outbound.calls_per_second` if not set.",
    ),
    DTX,
    field(
        "delayed_offer",
        Kind::Bool,
        "Our INVITE has no description, for carriers and PBXs that want to offer themselves: in a provisional answer that is \
         acknowledged (100rel), or in the 200. Their offer is answered by the terms of this trunk.",
    ),
    ALLOW_REFER,
    BRIDGE_TRANSFERS,
    DTMF,
];

const DIRECT: &[Field] =
    &[field("room_name", Kind::Text, "The room."), field("pin", Kind::Secret, "Digits that a caller must type.")];
const INDIVIDUAL: &[Field] = &[
    field("room_prefix", Kind::Text, "What the name begins with."),
    field("pin", Kind::Secret, "Digits that a caller must type."),
    field("no_randomness", Kind::Bool, "The same room for every call of a caller."),
];
const CALLEE: &[Field] = &[
    field("room_prefix", Kind::Text, "What the name begins with."),
    field("pin", Kind::Secret, "Digits that a caller must type."),
    field("randomize", Kind::Bool, "A new room for every call."),
];
const RULE: &[Field] = &[
    field("dispatch_rule_direct", Kind::Object(DIRECT), "One room for all."),
    field("dispatch_rule_individual", Kind::Object(INDIVIDUAL), "A room for each caller."),
    field("dispatch_rule_callee", Kind::Object(CALLEE), "A room for each called number."),
];
const AGENT: &[Field] = &[
    field("agent_name", Kind::Text, "The agent."),
    field("metadata", Kind::Text, "What it is told."),
    field("restart_policy", Kind::Any, "As LiveKit has it."),
    field("deployment", Kind::Text, "As LiveKit has it."),
    field("attributes", Kind::TextMap, "As LiveKit has it."),
];
const ROOM: &[Field] = &[
    field("name", Kind::Text, "Name of a configuration of the server."),
    field("empty_timeout", Kind::Integer(0, 4_294_967_295), "Seconds that an empty room lasts."),
    field("departure_timeout", Kind::Integer(0, 4_294_967_295), "Seconds that a room lasts that everybody left."),
    field("max_participants", Kind::Integer(0, 4_294_967_295), "Most participants."),
    field("metadata", Kind::Text, "Metadata of the room."),
    field("egress", Kind::Any, "Recordings, as LiveKit has them."),
    field("min_playout_delay", Kind::Integer(0, 4_294_967_295), "Milliseconds."),
    field("max_playout_delay", Kind::Integer(0, 4_294_967_295), "Milliseconds."),
    field("sync_streams", Kind::Bool, "As LiveKit has it."),
    field("agents", Kind::Objects(AGENT), "Agents that are sent for."),
    field("tags", Kind::TextMap, "As LiveKit has them."),
];

const RECORDINGS: &[Field] = &[
    field("enter_pin", Kind::Text, "Asks for the PIN."),
    field("wrong_pin", Kind::Text, "Says that it was wrong."),
    field("room_join", Kind::Text, "Says that it was right."),
    field("hold", Kind::Text, "Heard by a phone that the room holds, again and again."),
];

/// `SIPDispatchRuleInfo`, and what we add to it.
pub(crate) const DISPATCH_RULE: &[Field] = &[
    field("sip_dispatch_rule_id", Kind::Text, "Id, `SDR_…`, made like those of trunks."),
    field("name", Kind::Text, "Name, for people."),
    field("rule", Kind::Object(RULE), "One of the following. Room names and prefixes are templates."),
    field("trunk_ids", Kind::Texts, "Ids or names of the trunks it is for. Empty: all of them."),
    field("inbound_numbers", Kind::Texts, "**Calling** numbers it takes; with `*`. Empty: every caller."),
    field("numbers", Kind::Texts, "Called numbers it takes; with `*`. Empty: every number."),
    field("hide_phone_number", Kind::Bool, "The room does not learn the caller's number."),
    field("metadata", Kind::Text, "Metadata of the participant; a template."),
    field("attributes", Kind::TextMap, "Attributes of the participant; each value is a template."),
    field("room_preset", Kind::Text, "Preset of the server for the room."),
    field("room_config", Kind::Object(ROOM), "What the room is made with if the caller is the first in it."),
    field("krisp_enabled", Kind::Bool, "No effect in this version."),
    field("media_encryption", Kind::Choice(ENCRYPTION), "Write `media.encryption`."),
    field("media", Kind::Object(MEDIA), "On top of what the trunk says."),
    field("answer", Kind::Choice(Answer::WORDS), "When to answer; the key `answer` if not set."),
    field("early_media", Kind::Bool, "Whether a caller who waits hears the room; the key `early_media` if not set."),
    field(
        "priority",
        Kind::Integer(-1_000_000, 1_000_000),
        "The smallest takes the call. Not set: LiveKit's number, 0 to 2102, smaller the more a rule asks for.",
    ),
    field(
        "language",
        Kind::Text,
        "Language of what its callers hear of the gateway: `en`, `de`, `es`, `fr`, or one that `prompts` has.",
    ),
    field("prompts", Kind::Object(RECORDINGS), "WAV files in place of single recordings, whatever the language."),
    DTX,
    field("created_at", Kind::Any, "Not used."),
    field("updated_at", Kind::Any, "Not used."),
];
