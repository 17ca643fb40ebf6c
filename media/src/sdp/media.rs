//! One media line and what belongs to it.

use std::time::Duration;

use super::address::Host;
use super::crypto::Crypto;
use super::{Codec, Error};

/// Packets that are not encrypted.
pub(super) const PLAIN: &str = "RTP/AVP";
/// Packets that are.
pub(super) const SECURE: &str = "RTP/SAVP";

/// A media line (RFC 8866 §5.14) with the attributes that matter here; the others are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub(super) kind: String,
    /// Zero: refused, or gone.
    pub(super) port: u16,
    pub(super) protocol: String,
    pub(super) formats: Vec<String>,
    pub(super) connection: Option<Host>,
    pub(super) maps: Vec<Map>,
    pub(super) parameters: Vec<(u8, String)>,
    pub(super) ptime: Option<Duration>,
    pub(super) maxptime: Option<Duration>,
    pub(super) direction: Option<Direction>,
    pub(super) rtcp: Option<Rtcp>,
    pub(super) mux: bool,
    pub(super) crypto: Vec<Crypto>,
}

/// The profiles that we speak (RFC 3551, RFC 3711 §3; those with feedback add nothing for audio).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// `RTP/AVP`.
    Plain,
    /// `RTP/SAVP`, `RTP/SAVPF`.
    Secure,
}

/// Which way media flows, seen from whoever says it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// From here only.
    SendOnly,
    /// To here only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

/// `a=rtpmap` (RFC 8866 §6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) payload_type: u8,
    pub(super) name: String,
    pub(super) clock_rate: u32,
    pub(super) channels: u8,
}

/// `a=rtcp` ([RFC 3605 §2.1](https://www.rfc-editor.org/rfc/rfc3605#section-2.1)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rtcp {
    pub(super) port: u16,
    pub(super) host: Option<Host>,
}

impl Media {
    pub(super) fn new(kind: &str, port: u16, protocol: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            port,
            protocol: protocol.to_owned(),
            formats: Vec::new(),
            connection: None,
            maps: Vec::new(),
            parameters: Vec::new(),
            ptime: None,
            maxptime: None,
            direction: None,
            rtcp: None,
            mux: false,
            crypto: Vec::new(),
        }
    }

    /// The same line with port zero: how an answer refuses it (RFC 3264 §6).
    pub(super) fn refused(&self) -> Self {
        Self { formats: self.formats.clone(), ..Self::new(&self.kind, 0, &self.protocol) }
    }

    pub(super) fn transport(&self) -> Result<Transport, Error> {
        let is = |name: &str| self.protocol.eq_ignore_ascii_case(name);
        if is(PLAIN) {
            return Ok(Transport::Plain);
        }
        if is(SECURE) || is("RTP/SAVPF") {
            return Ok(Transport::Secure);
        }
        Err(Error::Protocol(self.protocol.chars().filter(|char| !char.is_control()).take(32).collect()))
    }

    pub(super) fn is_audio(&self) -> bool {
        self.kind == "audio" && self.port != 0
    }

    pub(super) fn is_plain(&self) -> bool {
        self.transport() == Ok(Transport::Plain)
    }

    /// The payload types in the order of the line; what is no number is none.
    pub(super) fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats.iter().filter_map(|format| format.parse().ok()).filter(|payload_type| *payload_type < 128)
    }

    /// The codec of a payload type: as mapped, or as assigned if it is not mapped.
    pub(super) fn codec(&self, payload_type: u8) -> Option<Codec> {
        match self.map(payload_type) {
            Some(map) => Codec::from_name(&map.name, map.clock_rate, map.channels),
            None => Codec::from_static(payload_type),
        }
    }

    pub(super) fn map(&self, payload_type: u8) -> Option<&Map> {
        self.maps.iter().find(|map| map.payload_type == payload_type)
    }

    pub(super) fn parameters(&self, payload_type: u8) -> Option<&str> {
        self.parameters.iter().find(|(of, _)| *of == payload_type).map(|(_, text)| text.as_str())
    }
}

impl Direction {
    /// Of what was asked and what is allowed, both ways taken by themselves.
    pub fn and(self, other: Self) -> Self {
        Self::of(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The same seen from the other end.
    pub fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// Whether the one who says it sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the one who says it receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }
}
