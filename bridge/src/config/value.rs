//! Kinds of values: how each is read, and how a message names it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::tree::{Node, Value};
use crate::dispatch::acl::Network;

/// The port of name servers ([RFC 1035 §4.2](https://www.rfc-editor.org/rfc/rfc1035#section-4.2)).
const DNS_PORT: u16 = 53;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Text that is never shown.
    Secret,
    /// Yes or no.
    Bool,
    /// A whole number in a range.
    Integer(i64, i64),
    /// A number in a range.
    Number(f64, f64),
    /// A duration in a range, in seconds.
    Duration(u64, u64),
    /// A duration that may be negative.
    SignedDuration,
    /// A UDP or TCP port.
    Port,
    /// Two ports, `10000-20000`, or a map with `start` and `end`.
    Ports,
    /// An IP address.
    Address,
    /// One IP address or a list of them.
    Addresses,
    /// A network in CIDR notation.
    Network,
    /// A list of networks.
    Networks,
    /// A list of name servers, each an address or an address and a port.
    Servers,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A WebSocket or HTTP URL.
    Url,
    /// A list of texts.
    Texts,
    /// A map from text to text.
    TextMap,
    /// A map from codec to yes or no.
    Codecs,
    /// A list of certificates.
    Certificates,
    /// Something that is not looked into.
    Any,
    /// Something with keys of its own.
    Object(&'static [super::key::Field]),
    /// A list of things with keys of their own.
    Objects(&'static [super::key::Field]),
}

impl Kind {
    /// The kind in a word or two, for the manual.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Text | Self::Secret => "text".into(),
            Self::Bool => "yes or no".into(),
            Self::Integer(..) => "whole number".into(),
            Self::Number(..) => "number".into(),
            Self::Duration(..) | Self::SignedDuration => "duration".into(),
            Self::Port => "port".into(),
            Self::Ports => "ports".into(),
            Self::Address => "IP address".into(),
            Self::Addresses => "IP address or list".into(),
            Self::Network => "network".into(),
            Self::Networks => "list of networks".into(),
            Self::Servers => "list of addresses".into(),
            Self::Choice(words) => words.join(", "),
            Self::Url => "URL".into(),
            Self::Texts => "list of text".into(),
            Self::TextMap => "map of text".into(),
            Self::Codecs => "map of yes or no".into(),
            Self::Certificates | Self::Objects(_) => "list".into(),
            Self::Any => "anything".into(),
            Self::Object(_) => "map".into(),
        }
    }

    /// What would fit, for a message.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret => "text".into(),
            Self::Bool => "true or false".into(),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Duration(least, most) => {
                let text = |seconds| render_duration(Duration::from_secs(seconds));
                format!("a duration from {} to {}, like 30s or 1m30s", text(least), text(most))
            }
            Self::SignedDuration => "a duration, like 30s, 1m30s or -1s".into(),
            Self::Port => "a port from 1 to 65535".into(),
            Self::Ports => "two ports, the smaller first, like 10000-20000".into(),
            Self::Address => "an IP address".into(),
            Self::Addresses => "an IP address or a list of them".into(),
            Self::Network => "a network, like 10.0.0.0/8".into(),
            Self::Networks => "a list of networks, like [10.0.0.0/8, 192.0.2.1]".into(),
            Self::Servers => "a list of IP addresses, each with or without a port".into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Url => "a URL that begins with ws://, wss://, http:// or https://".into(),
            Self::Texts => "a list of text".into(),
            Self::TextMap => "a map from text to text".into(),
            Self::Codecs => "a map from codec to true or false, like \"G722/8000\": false".into(),
            Self::Certificates => "a list of maps with cert_file and key_file".into(),
            Self::Any => "anything".into(),
            Self::Object(_) => "a map".into(),
            Self::Objects(_) => "a list of maps".into(),
        }
    }

    /// Whether the value fits.
    pub(crate) fn fits(self, node: &Node) -> bool {
        match self {
            Self::Text | Self::Secret => node.text().is_some(),
            Self::Bool => node.bool().is_some(),
            Self::Integer(least, most) => node.integer().is_some_and(|number| (least..=most).contains(&number)),
            Self::Number(least, most) => node.number().is_some_and(|number| (least..=most).contains(&number)),
            Self::Duration(least, most) => node.duration().is_some_and(|(negative, duration)| {
                let range = Duration::from_secs(least)..=Duration::from_secs(most);
                !negative && range.contains(&duration)
            }),
            Self::SignedDuration => node.duration().is_some(),
            Self::Port => node.integer().is_some_and(|port| (1..=65_535).contains(&port)),
            Self::Ports => node.ports().is_some(),
            Self::Address => node.address().is_some(),
            Self::Addresses => node.addresses().is_some(),
            Self::Network => node.network().is_some(),
            Self::Networks => node.networks().is_some(),
            Self::Servers => node.servers().is_some(),
            Self::Choice(words) => node.text().is_some_and(|text| words.contains(&text)),
            Self::Url => node.text().is_some_and(is_url),
            Self::Texts => node.texts().is_some(),
            Self::TextMap => node.entries().is_some_and(|entries| entries.iter().all(|(.., v)| v.text().is_some())),
            Self::Codecs => node.entries().is_some_and(|entries| entries.iter().all(|(.., v)| v.bool().is_some())),
            Self::Certificates => node.certificates().is_some(),
            Self::Object(_) => node.entries().is_some(),
            Self::Objects(_) => matches!(node.value, Value::List(_)),
            Self::Any => true,
        }
    }
}

/// Readings of a node; `None` where it is not of the kind.
impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar { text, quoted: false } => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Some(true),
                "false" | "no" | "off" | "n" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        self.text()?.parse().ok()
    }

    pub(crate) fn number(&self) -> Option<f64> {
        self.text()?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// Whether it is negative, and how long it is.
    pub(crate) fn duration(&self) -> Option<(bool, Duration)> {
        let text = self.text()?;
        match text.strip_prefix('-') {
            Some(text) => Some((true, parse_duration(text)?)),
            None => Some((false, parse_duration(text)?)),
        }
    }

    pub(crate) fn ports(&self) -> Option<RangeInclusive<u16>> {
        let (first, last): (u16, u16) = match &self.value {
            Value::Scalar { text, .. } => {
                let (first, last) = text.split_once('-')?;
                (first.trim().parse().ok()?, last.trim().parse().ok()?)
            }
            Value::Map(entries) => {
                let at = |name: &str| entries.iter().find(|(_, key, _)| key == name)?.2.text()?.parse().ok();
                (entries.len() == 2).then_some(())?;
                (at("start")?, at("end")?)
            }
            _ => return None,
        };
        (first != 0 && first <= last).then_some(first..=last)
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.text()?.parse().ok()
    }

    pub(crate) fn addresses(&self) -> Option<Vec<IpAddr>> {
        match &self.value {
            Value::List(items) => items.iter().map(Self::address).collect(),
            _ => Some(vec![self.address()?]),
        }
    }

    pub(crate) fn network(&self) -> Option<Network> {
        self.text()?.parse().ok()
    }

    pub(crate) fn networks(&self) -> Option<Vec<Network>> {
        match &self.value {
            Value::List(items) => items.iter().map(Self::network).collect(),
            _ => None,
        }
    }

    pub(crate) fn servers(&self) -> Option<Vec<SocketAddr>> {
        let server = |item: &Self| {
            let text = item.text()?;
            text.parse()
                .ok()
                .or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT)))
                .filter(|at| at.port() != 0)
        };
        match &self.value {
            Value::List(items) => items.iter().map(server).collect(),
            _ => None,
        }
    }

    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        match &self.value {
            Value::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
            _ => None,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[(super::tree::Place, String, Self)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn certificates(&self) -> Option<Vec<super::Certificate>> {
        let Value::List(items) = &self.value else { return None };
        let certificate = |item: &Self| {
            let entries = item.entries()?;
            let file = |name: &str| {
                let (.., value) = entries.iter().find(|(_, key, _)| key == name)?;
                value.text().filter(|file| !file.is_empty()).map(Into::into)
            };
            (entries.len() == 2).then_some(())?;
            Some(super::Certificate { cert_file: file("cert_file")?, key_file: file("key_file")? })
        };
        items.iter().map(certificate).collect()
    }

    /// The value as a message shows it: on one line, and not all of it if it is long.
    pub(crate) fn shown(&self) -> String {
        match &self.value {
            Value::Scalar { text, .. } => format!("{:?}", text.chars().take(60).collect::<String>()),
            _ => self.kind().to_owned(),
        }
    }
}

/// Reads a duration as Go writes it: numbers with a unit each, `1h30m`, `1.5s`, `100ms`; zero needs no unit.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let seconds = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after;
    }
    Some(total)
}

/// Writes a duration as [`parse_duration`] reads it.
pub(crate) fn render_duration(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    let mut text = String::new();
    for (unit, length) in [("h", 3_600), ("m", 60), ("s", 1)] {
        let count = if unit == "h" { seconds / length } else { seconds / length % 60 };
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if millis > 0 {
        text.push_str(&format!("{millis}ms"));
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

pub(crate) fn is_url(text: &str) -> bool {
    ["ws://", "wss://", "http://", "https://"].iter().any(|scheme| {
        let authority = text.strip_prefix(scheme).and_then(|rest| rest.split(['/', '?', '#']).next());
        authority.is_some_and(|host| !host.is_empty() && !host.starts_with(':') && !host.contains([' ', '@']))
    })
}

#[cfg(test)]
mod tests;
