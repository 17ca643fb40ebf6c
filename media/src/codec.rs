//! Codecs: G.711 and G.722 toward the carrier, Opus toward the room.

pub mod g711;
pub mod g722;
pub mod opus;

use self::g711::Law;
use crate::{frame::Rate, sdp::Codec};

/// A codec of the carrier's leg. Of each a byte is one tick of the RTP clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Law(Law),
    G722,
}

impl Coding {
    /// The codec of this name, if a carrier may speak it.
    pub(crate) fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::Pcmu => Some(Self::Law(Law::Mu)),
            Codec::Pcma => Some(Self::Law(Law::A)),
            Codec::G722 => Some(Self::G722),
            Codec::Opus => None,
        }
    }

    /// The rate of what it carries.
    pub(crate) fn rate(self) -> Rate {
        match self {
            Self::Law(_) => Rate::Narrow,
            Self::G722 => Rate::Wide,
        }
    }
}
