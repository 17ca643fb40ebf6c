//! From text to a checked configuration. Everything here is a function of the text and the environment it is given; the
//! one place that opens a file is [`Source::read`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::key::{self, KEYS, Key};
use super::object::{self, misfit};
use super::tree::{Node, Value};
use super::value::{Kind, is_url};
use super::{
    Addresses, Calls, Config, Error, External, Http, Invalid, LiveKit, Loaded, Logging, Media, Note, NoteLevel, Opus,
    Quarantine, Secret, Sip, Tls,
};
use crate::dispatch::{Answer, Codec, Reject};
use crate::store::{Items, Snapshot};

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
    /// Reads the configuration.
    pub fn read(&self, environment: &Environment) -> Result<Loaded, Invalid> {
        let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let given = self.body.is_some() || self.file.is_some();
        let from_environment = |name| variable(name).filter(|_| !given);
        if let Some(body) = self.body.as_ref().or(from_environment("SIP_CONFIG_BODY")) {
            return load(body, environment);
        }
        let path =
            self.file.clone().or(from_environment("SIP_CONFIG_FILE").map(PathBuf::from)).ok_or(Error::Nothing)?;
        load(&read_file(&path).map_err(|error| Error::File { path, error })?, environment)
    }
}

fn read_file(path: &std::path::Path) -> std::io::Result<String> {
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
    let items = items(&values, &mut errors);
    let snapshot = match Snapshot::build(items) {
        Ok((snapshot, warnings)) => {
            notes.extend(warnings.into_iter().map(|text| Note { level: NoteLevel::Warning, text }));
            snapshot
        }
        Err(wrong) => {
            errors.extend(wrong.into_iter().map(Error::Object));
            Snapshot::default()
        }
    };
    if !errors.is_empty() {
        return Err(Invalid { errors });
    }
    Ok(Loaded { config, snapshot, notes, effective: values.effective() })
}

/// The values of the file by key, each of the kind its key takes.
struct Values<'a> {
    set: BTreeMap<&'static str, &'a Node>,
    defaults: BTreeMap<&'static str, Node>,
}

impl<'a> Values<'a> {
    fn read(document: &'a Node, errors: &mut Vec<Error>) -> Self {
        let default = |key: &Key| {
            let document = Node::parse(&format!("default: {}", key.default)).ok()?;
            Some((key.path, document.entries()?.first()?.2.clone()))
        };
        let has_default = |key: &&Key| !key.default.is_empty() && !key.default.starts_with('=');
        let defaults = KEYS.iter().filter(has_default).filter_map(default).collect();
        let mut values = Self { set: BTreeMap::new(), defaults };
        values.section(document, "", errors);
        values
    }

    fn section(&mut self, node: &'a Node, path: &str, errors: &mut Vec<Error>) {
        let Value::Map(entries) = &node.value else {
            let key = if path.is_empty() { "the file" } else { path }.to_owned();
            let expected = "a map of keys".to_owned();
            errors.push(Error::Value { place: node.place, key, value: node.shown(), expected });
            return;
        };
        for (place, name, value) in entries {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if matches!(value.value, Value::Null) && (key::find(&path).is_some() || key::is_section(&path)) {
                continue;
            }
            if let Some(key) = key::find(&path) {
                if key.kind.fits(value) {
                    self.set.insert(key.path, value);
                } else {
                    errors.push(misfit(value, &path, key.kind));
                }
            } else if key::is_section(&path) {
                self.section(value, &path, errors);
            } else {
                errors.push(Error::UnknownKey { place: *place, nearest: nearest(&path, name), key: path });
            }
        }
    }

    /// The value of a key: from the file, from the key whose value it takes over, or the default.
    fn get(&self, path: &str) -> Option<&Node> {
        if let Some(node) = self.set.get(path) {
            return Some(node);
        }
        match key::find(path).and_then(|key| key.default.strip_prefix('=')) {
            Some(other) => self.get(other),
            None => self.defaults.get(path),
        }
    }

    fn take<T>(&self, path: &str, read: impl Fn(&Node) -> Option<T>) -> T {
        debug_assert!(key::find(path).is_some(), "{path} is no key");
        self.get(path).and_then(read).expect("a value was held against its kind, and a key without one has a default")
    }

    fn text(&self, path: &str) -> String {
        self.get(path).and_then(Node::text).unwrap_or_default().to_owned()
    }

    fn bool(&self, path: &str) -> bool {
        self.take(path, Node::bool)
    }

    fn port(&self, path: &str) -> u16 {
        self.take(path, |node| node.integer()?.try_into().ok())
    }

    fn duration(&self, path: &str) -> std::time::Duration {
        self.take(path, |node| Some(node.duration()?.1))
    }

    /// What the keys without effect that are set have to say.
    fn idle_notes(&self) -> Vec<Note> {
        let idle = KEYS.iter().filter(|key| !key.works && self.set.contains_key(key.path));
        idle.map(|key| Note { level: NoteLevel::Info, text: format!("{} has no effect: {}", key.path, key.about) })
            .collect()
    }

    /// Every key with an effect and its value, secrets hidden, for people.
    fn effective(&self) -> Vec<(&'static str, String)> {
        let shown = |key: &Key| {
            let node = self.get(key.path)?;
            let text = match key.kind {
                Kind::Objects(_) => return None,
                Kind::Secret => "…".to_owned(),
                _ => flow(node),
            };
            Some((key.path, text))
        };
        KEYS.iter().filter(|key| key.works).filter_map(shown).collect()
    }
}

/// The key that was probably meant: one beside it, else one whose last part is like it.
fn nearest(path: &str, name: &str) -> Option<String> {
    let full = key::nearest(path, KEYS.iter().map(|key| key.path));
    let last = |key: &'static Key| key.path.rsplit('.').next().unwrap_or(key.path);
    let by_last = || {
        let likest = key::nearest(name, KEYS.iter().map(last))?;
        KEYS.iter().find(|key| last(key) == likest).map(|key| key.path)
    };
    full.or_else(by_last).map(str::to_owned)
}

/// A value on one line of YAML.
fn flow(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".to_owned(),
        Value::Scalar { text, .. } if text.is_empty() => "\"\"".to_owned(),
        Value::Scalar { text, .. } => text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entry = |(_, key, value): &(_, String, Node)| format!("{key}: {}", flow(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
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
            max_active: values.take("max_active_calls", |node| node.integer()?.try_into().ok().map(nonzero)),
            drain_timeout: values.duration("drain_timeout"),
            room_reconnect_limit: values.duration("room_reconnect_limit"),
        },
        http: http(values),
        logging: Logging { level: values.text("logging.level"), json: values.bool("logging.json") },
        sip,
        media,
    }
}

fn nonzero(number: usize) -> Option<usize> {
    (number != 0).then_some(number)
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

fn sip(values: &Values<'_>, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> Sip {
    let hide = values.bool("hide_inbound_port");
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
        ringing_interval: values.duration("sip_ringing_interval"),
        udp_max_payload: values.get("udp_max_payload").and_then(|node| node.integer()?.try_into().ok()),
        reject,
        hide,
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
    let media = match (values.set.get("media_use_external_ip"), values.set.get("media_nat_1_to_1_ip")) {
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
    Media {
        ports: values.take("rtp_port", Node::ports),
        quarantine: (!idle.0).then_some(Quarantine { idle: idle.1, limit }),
        timeout_initial: values.duration("media_timeout_initial"),
        timeout: values.duration("media_timeout"),
        symmetric_rtp: values.bool("symmetric_rtp"),
        ignore_local_address: values.bool("ignore_local_addr_in_sdp"),
        allow_loopback: values.bool("allow_loopback_media"),
        codecs: codecs(values, notes, errors),
        threads: values.take("media_threads", |node| node.integer()?.try_into().ok().map(nonzero)),
        opus: Opus {
            bitrate: values.take("opus.bitrate", |node| node.integer()?.try_into().ok()),
            complexity: values.take("opus.complexity", |node| node.integer()?.try_into().ok()),
        },
    }
}

/// Codecs that this version speaks, best first, and those that livekit-sip or a later version knows.
const SPOKEN: &[(&str, u32)] = &[("PCMU", 8_000), ("PCMA", 8_000)];
const KNOWN: &[&str] = &["G722/8000", "AMR-WB/16000", "opus/48000", "telephone-event/8000", "PCMU/8000", "PCMA/8000"];

fn codecs(values: &Values<'_>, notes: &mut Vec<Note>, errors: &mut Vec<Error>) -> Vec<Codec> {
    let mut codecs: Vec<_> =
        SPOKEN.iter().map(|(name, rate)| Codec { name: (*name).to_owned(), rate: *rate }).collect();
    let entries = values.get("codecs").and_then(Node::entries).unwrap_or_default();
    for (place, name, value) in entries {
        let on = value.bool() == Some(true);
        if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let nearest = key::nearest(name, KNOWN.iter().copied()).map(str::to_owned);
            errors.push(Error::UnknownKey { place: *place, key: format!("codecs.{name}"), nearest });
        } else if !on {
            codecs.retain(|codec| !codec.to_string().eq_ignore_ascii_case(name));
        } else if !codecs.iter().any(|codec| codec.to_string().eq_ignore_ascii_case(name)) {
            let text = format!("codecs: {name} is not spoken in this version");
            notes.push(Note { level: NoteLevel::Info, text });
        }
    }
    if codecs.is_empty() && errors.is_empty() {
        let expected = "at least one of PCMU/8000 and PCMA/8000 switched on".to_owned();
        let place = values.get("codecs").map(|node| node.place).unwrap_or_default();
        errors.push(Error::Value { place, key: "codecs".into(), value: "without any codec".into(), expected });
    }
    codecs
}

fn http(values: &Values<'_>) -> Http {
    let listener = |port: &str, address: &str| {
        let port: u16 = values.get(port)?.integer()?.try_into().ok()?;
        Some((values.take(address, Node::address), port).into())
    };
    Http { health: listener("health_port", "health_ip"), prometheus: listener("prometheus_port", "prometheus_ip") }
}

fn items(values: &Values<'_>, errors: &mut Vec<Error>) -> Items {
    let list = |key: &str| match values.get(key).map(|node| &node.value) {
        Some(Value::List(items)) => items.as_slice(),
        _ => &[],
    };
    let path = |key: &str, at: usize| format!("{key}[{at}]");
    let mut items = Items::default();
    for (at, node) in list("inbound_trunks").iter().enumerate() {
        items.inbound_trunks.extend(object::inbound_trunk(node, &path("inbound_trunks", at), errors));
    }
    for (at, node) in list("outbound_trunks").iter().enumerate() {
        items.outbound_trunks.extend(object::outbound_trunk(node, &path("outbound_trunks", at), errors));
    }
    for (at, node) in list("dispatch_rules").iter().enumerate() {
        items.dispatch_rules.extend(object::dispatch_rule(node, &path("dispatch_rules", at), errors));
    }
    items
}
