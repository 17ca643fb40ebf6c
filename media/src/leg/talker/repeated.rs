//! What packets repeat of those before them (RFC 2198): taken for those that are missing.
//!
//! Which packets they are is not said. Each has the number before that of the one behind it, if that one begins where it ends;
//! a pause may hide any number of packets, and so may a server that leaves out what it has not got itself.

use std::time::{Duration, Instant};

use super::{FORGET, State, Talker};
use crate::{codec::opus, frame::OPUS_TICKS, jitter::Placed, rtp::Redundant};

/// Says of a packet in the ring that another one brought it.
pub(super) const REPEATED: u16 = 1;
/// Later than its own turn by so much comes what the next packet repeats, and by as much more what the one behind that does.
const NEXT: Duration = Duration::from_millis(25);
const STEP: Duration = Duration::from_millis(20);
/// Further than this nobody is waited for: a stream that stands still for longer is worse than a gap in it.
const REACH: u8 = 2;

/// How far back a sender's packets are believed to reach.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repeats {
    packets: u8,
    /// For so many packets yet.
    believed: u16,
}

impl Repeats {
    fn handle_packet(&mut self, packets: u8) {
        *self = match packets {
            0 => Self { believed: self.believed.saturating_sub(1), ..*self },
            // The first packets of a word repeat less than those behind them.
            _ if self.believed > 0 => Self { packets: self.packets.max(packets), believed: FORGET },
            _ => Self { packets, believed: FORGET },
        };
    }

    /// How long to wait for what is missing; `in_band` tells whether each packet may hold its forerunner once more.
    pub(super) fn wait(self, in_band: bool) -> Duration {
        let packets = if self.believed > 0 { self.packets } else { 0 };
        match packets.saturating_add(u8::from(in_band)).min(REACH) {
            0 => Duration::ZERO,
            packets => NEXT + STEP * u32::from(packets - 1),
        }
    }
}

impl Talker {
    /// Puts what a packet repeats into the places that are empty. It was neither received nor late: nobody counts it before it
    /// is heard. After a row so long that silence took its place it is too late: what was put in then would delay all that follows.
    pub(super) fn take_repeated(&mut self, now: Instant, number: u64, timestamp: u32, said: &Redundant<'_>) {
        let too_late = self.state == State::Quiet && !self.rests;
        let (mut packets, mut behind) = (0u8, 0);
        for block in said.repeated() {
            let ticks = opus::samples(block.payload).filter(|_| block.payload_type == said.payload_type());
            let Some(ticks) = ticks.filter(|ticks| behind + ticks * OPUS_TICKS as usize == usize::from(block.offset))
            else {
                break;
            };
            packets += 1;
            behind += ticks * OPUS_TICKS as usize;
            if too_late {
                continue;
            }
            let Some(number) = number.checked_sub(u64::from(packets)) else { break };
            let timestamp = timestamp.wrapping_sub(u32::from(block.offset));
            match self.ring.insert(now, number, timestamp, REPEATED, block.payload) {
                // It was missing; or it came itself, or it is too late for it.
                Placed::Stored | Placed::Repeated | Placed::Late | Placed::Beyond | Placed::TooLong => {}
            }
        }
        self.repeats.handle_packet(packets);
    }
}
