//! From text to a checked configuration. Everything here is a function of the text and the environment it is given; the
//! one place that opens a file is [`Source::read`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sip::NameAddr;
use sip::endpoint::{Reliability, SessionTimers};

use super::key;
use super::object;
use super::tree::{Node, Place, Value};
use super::value::{Kind, is_url};
use super::values::Values;
use super::{
    Addresses, Calls, Config, Digest, Error, External, Http, Invalid, LiveKit, Loaded, Logging, Media, Note, NoteLevel,
    Opus, Outbound, Quarantine, Secret, Sip, StoreFile, Tls, Transfer,
};
use crate::call::pin::Prompt;
use crate::dispatch::outbound::headers::routes;
use crate::dispatch::{Answer, Codec, Reject};
use crate::prompts::{Prompts, is_language};
use crate::stir;
use crate::store::error::Problem;
use crate::store::{self, Bridging, Items, Snapshot};
use crate::wav;

/// Variables of the environment, by name.
pub type Environment = BTreeMap<String, String>;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// A secret shorter than this is guessed sooner than a signature is forged (RFC 7518 §3.2).
const MIN_SECRET: usize = 32;

/// Where the configuration comes from; the environment says where nothing is given.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--config-body`: goes before a file, as in livekit-sip.
    pub body: Option<String>,
}

impl Source {
    /// The file, if the configuration comes from one.
    pub fn path(&self, environment: &Environment) -> Option<PathBuf> {
        let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let from_environment = |name| variable(name).filter(|_| self.body.is_none() && self.file.is_none());
        if self.body.is_some() || from_environment("SIP_CONFIG_BODY").is_some() {
            return None;
        }
        self.file.clone().or(from_environment("SIP_CONFIG_FILE").map(PathBuf::from))
    }

    /// Reads the configuration.
    pub fn read(&self, environment: &Environment) -> Result<Loaded, Invalid> {
        let variable = environment.get("SIP_CONFIG_BODY").filter(|body| !body.is_empty() && self.file.is_none());
        if let Some(body) = self.body.as_ref().or(variable) {
            return load(body, environment);
        }
        let path = self.path(environment).ok_or(Error::Nothing)?;
        load(&read_file(&path).map_err(|error| Error::File { path, error })?, environment)
    }
}

/// Reads a file whose size is bounded.
pub(crate) fn read_file(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        return Err(std::io::Error::other("it is larger than 16 MiB"));
    }
    Ok(text)
}

/// Reads and checks a configuration: all of it, so that all mistakes are told at once.
pub fn load(text: &str, environment: &Environment) -> Result<Loaded, Invalid> {
    let document = Node::parse(text)?;
    let mut errors = Vec::new();
    let values = Values::read(&document, &mut errors);
    let mut notes = values.idle_notes();
    let config = config(&values, environment, &mut notes, &mut errors);
    let (items, places) = items(&values, &mut errors);
    voices(&items, &places, &config.prompts, &mut notes, &mut errors);
    let snapshot = match Snapshot::build(items) {
        Ok((snapshot, warnings)) => {
            notes.extend(warnings.into_iter().map(|text| Note { level: NoteLevel::Warning, text }));
            snapshot
        }
        Err(wrong) => {
            // What a rule says of a trunk that could not be read is not to be judged.
            let unread = !errors.is_empty();
            let wrong =
                wrong.into_iter().filter(|error| !unread || !matches!(error.problem, Problem::UnknownTrunk { .. }));
            let placed = |error: store::Error| {
                let place = places.get(&error.id).copied().unwrap_or_default();
                Error::Object { place, error: Box::new(error) }
            };
            errors.extend(wrong.map(placed));
            Snapshot::default()
        }
    };
    if !errors.is_empty() {
        return Err(Invalid { errors });
    }
    Ok(Loaded { config, snapshot, notes, effective: values.effective() })
}

fn config(values: &Values<'_>, environment: &Environment, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> Config {
    let sip = sip(values, notes, errors);
    let media = media(values, notes, errors);
    // TLS is TCP and leaves the UDP ports of media alone.
    if media.ports.contains(&sip.port_listen) {
        errors.push(Error::Clash { one: "sip_port_listen", other: "rtp_port", port: sip.port_listen });
    }
    Config {
        livekit: livekit(values, environment, notes, errors),
        addresses: addresses(values, errors),
        calls: Calls {
            answer: values.take("answer", |node| Answer::from_word(node.text()?)),
            early_media: values.bool("early_media"),
            max_active: values.take("max_active_calls", |node| node.integer()?.try_into().ok().map(nonzero)),
            drain_timeout: values.duration("drain_timeout"),
            room_reconnect_limit: values.duration("room_reconnect_limit"),
        },
        outbound: outbound(values, errors),
        transfer: Transfer {
            refer: values.bool("transfer.refer"),
            bridge: values.take("transfer.bridge", |node| Bridging::from_word(node.text()?)),
        },
        prompts: prompts(values, errors),
        stir: stir(values, notes, errors),
        http: http(values),
        store: StoreFile::new(&values.text("store"), environment),
        logging: Logging { level: values.text("logging.level"), json: values.bool("logging.json") },
        sip,
        media,
    }
}

fn nonzero<T: Default + PartialEq>(number: T) -> Option<T> {
    (number != T::default()).then_some(number)
}

fn outbound(values: &Values<'_>, errors: &mut Vec<Error>) -> Outbound {
    let cap = |key| values.take(key, |node| node.integer()?.try_into().ok().map(nonzero));
    Outbound {
        dns_servers: values.take("dns_servers", Node::servers),
        deny: values.take("outbound_deny", Node::networks),
        allow_emergency: values.bool("allow_emergency"),
        max_calls: cap("outbound.max_calls"),
        calls_per_second: cap("outbound.calls_per_second"),
        patience: values.duration("outbound.patience"),
        route: route(values, errors),
    }
}

fn route(values: &Values<'_>, errors: &mut Vec<Error>) -> Vec<NameAddr> {
    let key = "outbound_route_headers";
    let Some(node) = values.set(key) else { return Vec::new() };
    let text = node.texts().unwrap_or_default().join(", ");
    if text.is_empty() {
        return Vec::new();
    }
    routes(&text).unwrap_or_else(|_| {
        let expected = "a list of at most eight SIP addresses, such as <sip:proxy.example.com;lr>".to_owned();
        errors.push(Error::Value { place: node.place, key: key.to_owned(), value: node.shown(), expected });
        Vec::new()
    })
}

/// The recordings that the file names, in place of ours.
fn prompts(values: &Values<'_>, errors: &mut Vec<Error>) -> Prompts {
    let mut prompts = Prompts::default();
    let mut read =
        |key: &str, node: &Node| recording(Path::new(node.text().unwrap_or_default()), node.place, key, errors);
    for (key, prompt) in [
        ("prompts.enter_pin", Prompt::EnterPin),
        ("prompts.wrong_pin", Prompt::WrongPin),
        ("prompts.room_join", Prompt::RoomJoin),
    ] {
        if let Some(samples) = values.set(key).and_then(|node| read(key, node)) {
            prompts.replace(None, prompt, samples);
        }
        let of_language = key.replace("prompts.", "prompts.<language>.");
        for (language, node) in values.of_languages(&of_language) {
            if let Some(samples) = read(&of_language.replace(key::LANGUAGE, language), node) {
                prompts.replace(Some(language), prompt, samples);
            }
        }
    }
    if let Some(samples) = values.set("prompts.hold").and_then(|node| read("prompts.hold", node)) {
        prompts.hold = samples;
    }
    prompts
}

fn recording(path: &Path, place: Place, key: &str, errors: &mut Vec<Error>) -> Option<Arc<[i16]>> {
    match wav::read(path) {
        Ok(samples) => Some(samples),
        Err(value) => {
            let expected = "a WAV file that can be read".to_owned();
            errors.push(Error::Value { place, key: key.to_owned(), value, expected });
            None
        }
    }
}

/// What rules say of the gateway's voice: files that cannot be read are mistakes, and a language in which nothing was
/// recorded is worth a word.
fn voices(
    items: &Items,
    places: &BTreeMap<String, Place>,
    prompts: &Prompts,
    notes: &mut Vec<Note>,
    errors: &mut Vec<Error>,
) {
    for (at, rule) in items.dispatch_rules.iter().enumerate() {
        let place = places.get(&rule.info.sip_dispatch_rule_id).copied().unwrap_or_default();
        for (field, path) in rule.ours.voice.prompts.files() {
            recording(path, place, &format!("dispatch_rules[{at}].prompts.{field}"), errors);
        }
        let language = &rule.ours.voice.language;
        let is_silent = |prompt| !prompts.has(language, prompt) && rule.ours.voice.prompts.of(prompt).is_none();
        if is_language(language) && Prompt::ALL.into_iter().any(is_silent) {
            let text = format!(
                "dispatch_rules[{at}]: not all recordings are there in the language {language}: set prompts.{language}, or \
                 prompts of the rule; until then callers hear those of a rule without a language"
            );
            notes.push(Note { level: NoteLevel::Warning, text });
        }
    }
}

/// Whose signatures are believed; the file of authorities is read here, so that a bad one is a mistake like any other.
fn stir(values: &Values<'_>, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> stir::Settings {
    let key = "stir.ca_file";
    let mut settings = stir::Settings {
        authorities: None,
        hosts: values.take("stir.hosts", Node::texts),
        allow_loopback: values.bool("stir.allow_loopback"),
    };
    if !values.bool("stir.verify") {
        return settings;
    }
    let Some(node) = values.set(key) else {
        errors.push(Error::Missing { key, variable: None });
        return settings;
    };
    if settings.hosts.is_empty() {
        let text = "stir.hosts is empty: callers choose the hosts that their certificates are fetched from".to_owned();
        notes.push(Note { level: NoteLevel::Info, text });
    }
    let text = read_file(Path::new(node.text().unwrap_or_default())).map_err(|error| error.to_string());
    match text.and_then(|text| stir::Authorities::read(&text).map_err(|error| error.to_string())) {
        Ok(authorities) => settings.authorities = Some(authorities),
        Err(error) => {
            let (value, expected) = (format!("{} ({error})", node.shown()), "a file of certificates, PEM".to_owned());
            errors.push(Error::Value { place: node.place, key: key.to_owned(), value, expected });
        }
    }
    settings
}

fn livekit(values: &Values<'_>, environment: &Environment, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> LiveKit {
    let mut setting = |key: &'static str, variables: &[&'static str]| {
        let from_file = values.text(key);
        if !from_file.is_empty() {
            return (from_file, None);
        }
        for variable in variables.iter().copied() {
            if let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) {
                return (value.clone(), Some(variable));
            }
        }
        errors.push(Error::Missing { key, variable: variables.first().copied() });
        (String::new(), None)
    };
    let (url, url_variable) = setting("ws_url", &["LIVEKIT_WS_URL", "LIVEKIT_URL"]);
    let (api_key, _) = setting("api_key", &["LIVEKIT_API_KEY"]);
    let (api_secret, _) = setting("api_secret", &["LIVEKIT_API_SECRET"]);
    if let Some(variable) = url_variable.filter(|_| !is_url(&url)) {
        errors.push(Error::Environment { variable, value: url.clone(), expected: Kind::Url.expected() });
    }
    if !api_secret.is_empty() && api_secret.len() < MIN_SECRET {
        let text = format!("api_secret is shorter than {MIN_SECRET} bytes: good enough for a test, not for the world");
        notes.push(Note { level: NoteLevel::Warning, text });
    }
    LiveKit { url, api_key, api_secret: Secret::new(api_secret) }
}

/// Session timers, unless they are off.
fn session_timers(interval: Duration, least: Duration) -> Option<SessionTimers> {
    (!interval.is_zero()).then_some(SessionTimers { interval: interval.max(least), least })
}

/// Reads one of [`RELIABILITY`](super::key::RELIABILITY).
fn reliability(word: &str) -> Option<Reliability> {
    match word {
        "required" => Some(Reliability::Required),
        "supported" => Some(Reliability::Supported),
        _ => None,
    }
}

fn sip(values: &Values<'_>, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> Sip {
    let hide = values.bool("hide_inbound_port");
    let digest = values.take("digest", |node| Digest::from_word(node.text()?));
    let reject = values.take("reject", |node| Reject::from_word(node.text()?));
    if hide && reject != Reject::Silent {
        errors.push(Error::Exclusive { one: "hide_inbound_port", other: "reject" });
    }
    let port_listen = values.port("sip_port_listen");
    let certs = values.take("tls.certs", Node::certificates);
    let tls = (!certs.is_empty()).then(|| {
        let version = |key| values.text(key);
        for key in ["tls.min_version", "tls.max_version"] {
            if matches!(version(key).as_str(), "tls1.0" | "tls1.1") {
                let text = format!("{key}: nothing older than TLS 1.2 is spoken");
                notes.push(Note { level: NoteLevel::Warning, text });
            }
        }
        let only_1_3 = version("tls.min_version") == "tls1.3";
        let only_1_2 = version("tls.max_version") != "tls1.3";
        if only_1_3 && only_1_2 {
            errors.push(Error::Exclusive { one: "tls.min_version", other: "tls.max_version" });
        }
        let (port, port_listen) = (values.port("tls.port"), values.port("tls.port_listen"));
        Tls { port, port_listen, certs, only_1_3, only_1_2, alpn: values.take("tls.alpn", Node::texts) }
    });
    if let Some(port) = tls.as_ref().map(|tls| tls.port_listen).filter(|port| *port == port_listen) {
        errors.push(Error::Clash { one: "sip_port_listen", other: "tls.port_listen", port });
    }
    Sip {
        port: values.port("sip_port"),
        port_listen,
        hostname: values.text("sip_hostname"),
        tls,
        ca_file: Some(values.text("tls.ca_file")).filter(|file| !file.is_empty()).map(PathBuf::from),
        ringing_interval: values.duration("sip_ringing_interval"),
        session_timers: session_timers(values.duration("session_expires"), values.duration("min_se")),
        reliability: values.take("reliable_provisional", |node| reliability(node.text()?)),
        reject,
        hide,
        digest,
        user_agent: values.text("user_agent"),
    }
}

fn addresses(values: &Values<'_>, errors: &mut Vec<Error>) -> Addresses {
    let mut external = |discover: &'static str, fixed: &'static str| match (
        values.bool(discover),
        values.get(fixed).and_then(Node::address),
    ) {
        (true, Some(_)) => {
            errors.push(Error::Exclusive { one: discover, other: fixed });
            External::Discover
        }
        (true, None) => External::Discover,
        (false, Some(address)) => External::Fixed(address),
        (false, None) => External::Local,
    };
    let signalling = external("use_external_ip", "nat_1_to_1_ip");
    // Media goes its own way as soon as one of its keys is set: an address for it and a search for SIP exclude nothing.
    let media = match (values.set("media_use_external_ip"), values.set("media_nat_1_to_1_ip")) {
        (None, None) => signalling,
        (None, Some(fixed)) => fixed.address().map_or(signalling, External::Fixed),
        (Some(discover), None) => match discover.bool() {
            Some(true) => External::Discover,
            _ if signalling == External::Discover => External::Local,
            _ => signalling,
        },
        (Some(_), Some(_)) => external("media_use_external_ip", "media_nat_1_to_1_ip"),
    };
    Addresses {
        listen: values.get("listen_ip").and_then(Node::addresses).unwrap_or_default(),
        local_net: values.get("local_net").and_then(Node::network),
        signalling,
        media,
    }
}

fn media(values: &Values<'_>, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> Media {
    let idle = values.take("rtp_draining_idle_timeout", Node::duration);
    let limit = values.duration("rtp_draining_duration");
    let (codecs, listable) = codecs(values, notes, errors);
    Media {
        ports: values.take("rtp_port", Node::ports),
        quarantine: (!idle.0).then_some(Quarantine { idle: idle.1, limit }),
        timeout_initial: values.duration("media_timeout_initial"),
        timeout: values.duration("media_timeout"),
        symmetric_rtp: values.bool("symmetric_rtp"),
        allow_loopback: values.bool("allow_loopback_media"),
        codecs,
        listable,
        threads: values.take("media_threads", |node| node.integer()?.try_into().ok().map(nonzero)),
        opus: Opus {
            bitrate: values.take("opus.bitrate", |node| node.integer()?.try_into().ok()),
            complexity: values.take("opus.complexity", |node| node.integer()?.try_into().ok()),
            dtx: values.bool("opus.dtx"),
        },
        comfort_noise: values.bool("comfort_noise"),
        audible_keys: values.bool("audio_dtmf"),
    }
}

/// Codecs that this version speaks, best first, and whether each is on unless something else is said.
const SPOKEN: &[(&str, u32, bool)] =
    &[("opus", 48_000, false), ("G722", 8_000, true), ("PCMU", 8_000, true), ("PCMA", 8_000, true)];
/// Their names, and those that livekit-sip or a later version knows.
const KNOWN: &[&str] = &[
    "G722/8000",
    "AMR-WB/16000",
    "opus/48000/2",
    "opus/48000",
    "telephone-event/8000",
    "telephone-event/48000",
    "PCMU/8000",
    "PCMA/8000",
];

/// The codecs that are on, and those that are neither on nor switched off: a trunk may list them.
fn codecs(values: &Values<'_>, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> (Vec<Codec>, Vec<Codec>) {
    let mut switched: Vec<Option<bool>> = vec![None; SPOKEN.len()];
    let entries = values.get("codecs").and_then(Node::entries).unwrap_or_default();
    for (place, name, value) in entries {
        let on = value.bool() == Some(true);
        let is = |(spoken, rate, _): &(&str, u32, bool)| {
            // SDP counts the channels of Opus as well.
            let name = name.strip_suffix("/2").filter(|_| *spoken == "opus").unwrap_or(name);
            format!("{spoken}/{rate}").eq_ignore_ascii_case(name)
        };
        if let Some(spoken) = SPOKEN.iter().position(is) {
            switched[spoken] = Some(on);
        } else if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let nearest = key::nearest(name, KNOWN.iter().copied()).map(str::to_owned);
            errors.push(Error::UnknownKey { place: *place, key: format!("codecs.{name}"), nearest });
        } else if on {
            let text = format!("codecs: {name} is not spoken in this version");
            notes.push(Note { level: NoteLevel::Info, text });
        }
    }
    let named = |wanted: fn(Option<bool>, bool) -> bool| {
        let codecs = SPOKEN.iter().zip(&switched).filter(|((.., usual), switched)| wanted(**switched, *usual));
        codecs.map(|((name, rate, _), _)| Codec { name: (*name).to_owned(), rate: *rate }).collect::<Vec<_>>()
    };
    let codecs = named(|switched, usual| switched.unwrap_or(usual));
    if codecs.is_empty() && errors.is_empty() {
        let expected = "at least one of opus/48000/2, G722/8000, PCMU/8000 and PCMA/8000 switched on".to_owned();
        let place = values.get("codecs").map(|node| node.place).unwrap_or_default();
        errors.push(Error::Value { place, key: "codecs".into(), value: "without any codec".into(), expected });
    }
    (codecs, named(|switched, usual| switched.is_none() && !usual))
}

fn http(values: &Values<'_>) -> Http {
    let listener = |port: &str, address: &str| {
        let port: u16 = values.get(port)?.integer()?.try_into().ok().and_then(nonzero)?;
        Some((values.take(address, Node::address), port).into())
    };
    Http {
        api: listener("api_port", "api_ip"),
        api_proxy: values.bool("api_proxy"),
        health: listener("health_port", "health_ip"),
        prometheus: listener("prometheus_port", "prometheus_ip"),
    }
}

/// The objects of the lists, each with an id, and by their ids the places where they stand.
fn items(values: &Values<'_>, errors: &mut Vec<Error>) -> (Items, BTreeMap<String, Place>) {
    let (inbound, inbound_places) = list(values, "inbound_trunks", object::inbound_trunk, errors);
    let (outbound, outbound_places) = list(values, "outbound_trunks", object::outbound_trunk, errors);
    let (rules, rule_places) = list(values, "dispatch_rules", object::dispatch_rule, errors);
    let mut items = Items { inbound_trunks: inbound, outbound_trunks: outbound, dispatch_rules: rules };
    items.assign_ids();
    let inbound = items.inbound_trunks.iter().map(|trunk| trunk.info.sip_trunk_id.clone()).zip(inbound_places);
    let outbound = items.outbound_trunks.iter().map(|trunk| trunk.info.sip_trunk_id.clone()).zip(outbound_places);
    let rules = items.dispatch_rules.iter().map(|rule| rule.info.sip_dispatch_rule_id.clone()).zip(rule_places);
    let places = inbound.chain(outbound).chain(rules).collect();
    (items, places)
}

/// The items of a list that can be read, and where they stand.
fn list<T>(
    values: &Values<'_>,
    key: &str,
    read: impl Fn(&Node, &str, &mut Vec<Error>) -> Option<T>,
    errors: &mut Vec<Error>,
) -> (Vec<T>, Vec<Place>) {
    let nodes = match values.get(key).map(|node| &node.value) {
        Some(Value::List(nodes)) => nodes.as_slice(),
        _ => &[],
    };
    let mut item = |(at, node): (usize, &Node)| Some((read(node, &format!("{key}[{at}]"), errors)?, node.place));
    nodes.iter().enumerate().filter_map(&mut item).unzip()
}
