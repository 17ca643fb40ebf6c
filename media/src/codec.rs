//! Codecs: G.711, G.722 and Opus toward the carrier, Opus toward the room.

pub mod g711;
pub mod g722;
pub mod opus;

use self::g711::Law;
use crate::{
    frame::{OPUS_TICKS, Rate},
    sdp::Codec,
};

/// A codec of the carrier's leg. Of all but Opus a byte is one tick of the RTP clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Law(Law),
    G722,
    Opus,
}

impl Coding {
    /// The codec of this name.
    pub(crate) fn of(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Law(Law::Mu),
            Codec::Pcma => Self::Law(Law::A),
            Codec::G722 => Self::G722,
            Codec::Opus => Self::Opus,
        }
    }

    /// The rate of what it carries; of Opus that at which we speak it ourselves.
    pub(crate) fn rate(self) -> Rate {
        match self {
            Self::Law(_) => Rate::Narrow,
            Self::G722 | Self::Opus => Rate::Wide,
        }
    }

    /// Ticks in a packet; `None` if it is none.
    pub(crate) fn ticks(self, payload: &[u8]) -> Option<usize> {
        match self {
            Self::Law(_) | Self::G722 => Some(payload.len()),
            Self::Opus => opus::samples(payload),
        }
    }

    /// Units of its RTP clock in a tick.
    pub(crate) fn step(self) -> u32 {
        match self {
            Self::Law(_) | Self::G722 => 1,
            Self::Opus => OPUS_TICKS,
        }
    }
}
