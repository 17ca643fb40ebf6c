//! The audio formats we know by name (RFC 3551 §6, RFC 7587).

/// A codec as the SDP names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722, sampled at 16 kHz, though its RTP clock says 8000 for the sake of old mistakes (RFC 3551 §4.5.2).
    G722,
    /// Opus.
    Opus,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The clock of its timestamps.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// The rate at which it is worth decoding.
    pub fn sample_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::G722 => 16_000,
            Self::Opus => 48_000,
        }
    }

    /// The channels in `a=rtpmap`: Opus always says two (RFC 7587 §7).
    pub fn channels(self) -> u8 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 1,
            Self::Opus => 2,
        }
    }

    /// The payload type that we offer it under: the assigned one, or one of the dynamic range.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 96,
        }
    }

    /// The codec of this name, clock and number of channels.
    pub fn from_name(name: &str, clock_rate: u32, channels: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| {
            codec.name().eq_ignore_ascii_case(name) && codec.clock_rate() == clock_rate && codec.channels() == channels
        })
    }

    /// The codec of this name and clock, however many channels its kind has.
    pub fn named(name: &str, clock_rate: u32) -> Option<Self> {
        Self::ALL.into_iter().find_map(|codec| Self::from_name(name, clock_rate, codec.channels()))
    }

    /// The codec of a payload type that needs no `a=rtpmap` (RFC 3551 §6).
    pub fn from_static(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| *codec != Self::Opus && codec.payload_type() == payload_type)
    }
}
