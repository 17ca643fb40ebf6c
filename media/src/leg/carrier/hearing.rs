//! What is heard of the carrier, and what of it is listened to.

use std::time::Instant;

use super::Carrier;
use crate::{codec::Coding, dtmf, leg::receiver::Piece};

/// A stretch of what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// Audio of this codec, a tick a byte, at most [`LONGEST`](crate::frame::LONGEST).
    Audio(Coding, &'a [u8]),
    /// A packet of Opus of so many ticks; so many packets before it were lost.
    Opus { ticks: usize, lost: u16, payload: &'a [u8] },
    /// So many ticks were lost.
    Lost(u64),
    /// So many ticks passed in silence.
    Pause(u64),
    /// From here on nobody speaks, and the line is as loud as this, in -dBov.
    Noise { level: u8 },
}

impl Carrier {
    /// The next stretch of what is heard. A key that is down is not heard: digits travel as such.
    pub(crate) fn poll_piece(&mut self, now: Instant) -> Option<Heard<'_>> {
        let muted = self.digits.is_held();
        Some(match self.receiver.poll(now)? {
            Piece::Lost(samples) => Heard::Lost(samples),
            Piece::Pause(samples) => Heard::Pause(samples),
            Piece::Noise { .. } if muted => Heard::Pause(0),
            Piece::Noise { level } => Heard::Noise { level },
            Piece::Audio { ticks, .. } if muted => Heard::Pause(ticks as u64),
            Piece::Audio { payload_type, ticks, lost, bytes } => match self.terms.coding_of(payload_type) {
                Coding::Opus => Heard::Opus { ticks, lost, payload: bytes },
                coding => Heard::Audio(coding, bytes),
            },
        })
    }

    /// Whether anything is to be heard.
    pub(crate) fn is_heard(&self) -> bool {
        self.terms.receives
    }

    /// Whether G.722 may be heard, whatever is sent.
    pub(crate) fn hears_g722(&self) -> bool {
        self.terms.hears(Coding::G722)
    }

    /// Whether tones are to be taken for keys.
    pub(crate) fn hears_tones(&self) -> bool {
        match self.tones {
            dtmf::Tones::Ignored => false,
            dtmf::Tones::WithoutEvents => self.terms.is_set() && !self.terms.hears_events(),
            dtmf::Tones::Heard => true,
        }
    }

    /// When tones are to be taken for keys.
    pub(crate) fn set_tones(&mut self, tones: dtmf::Tones) {
        self.tones = tones;
    }

    /// When the last audio was over; `None` when nothing was heard yet.
    pub(crate) fn ended(&self) -> Option<Instant> {
        self.receiver.ended()
    }
}
