//! Packets in their order without being decoded, for a carrier that takes them as they are.

use std::time::{Duration, Instant};

use super::{ANOTHER_TIMELINE, FADE, REPEATED, SLOTS, State, Talker};
use crate::{
    codec::opus::{self, LARGEST},
    frame::{FRAME, OPUS_TICKS},
};

/// For so long after a packet that said something its talker counts as speaking: the pauses between words are no change of
/// talkers.
const SPEAKING: Duration = Duration::from_millis(200);
/// For so long after any sound he counts as there: one who has stopped talking refreshes his background every 400 ms.
const SOUNDING: Duration = Duration::from_secs(1);
/// So many packets of sound without a break are not a refreshed background, though their encoder hears no voice in them.
const RUN: u8 = 3;
/// Further apart than this there is a break between packets, 120 ms.
const BREAK: u32 = 5_760;
/// The most numbers that are left out at once: so many packets may wait behind those that are missing. Whoever sends nothing but
/// packets that cannot be read is not to turn our numbers back.
const TOLD: u16 = SLOTS as u16;
/// Of how many packets the bit rate is the mean.
const MEAN: i32 = 16;

/// What is known of a talker without decoding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// When a packet came that was more than silence, and when one that was more than background.
    sounded: Option<Instant>,
    spoke: Option<Instant>,
    /// The timestamp of the last packet of sound, and how many there were without a break.
    run: (u32, u8),
    /// Bits a second, in the mean of the last packets.
    bitrate: i32,
    /// Packets given up since the last that was handed on.
    lost: u16,
}

/// A packet whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) timestamp: u32,
    pub(crate) ticks: usize,
    /// Packets lost right before it.
    pub(crate) lost: u16,
    pub(crate) length: usize,
}

impl Told {
    pub(super) fn handle_packet(&mut self, now: Instant, timestamp: u32, payload: &[u8]) {
        if opus::says_nothing(payload) {
            self.run.1 = 0;
        } else {
            let unbroken = timestamp.wrapping_sub(self.run.0) <= BREAK;
            self.run = (timestamp, if unbroken { self.run.1.saturating_add(1) } else { 1 });
            self.sounded = Some(now);
        }
        if opus::is_speech(payload) || self.run.1 >= RUN {
            self.spoke = Some(now);
        }
        let Some(ticks) = opus::samples(payload) else { return };
        let rate = payload.len() as i32 * 8 * 8_000 / (ticks as i32).max(1);
        self.bitrate += (rate - self.bitrate) / MEAN;
    }
}

impl Talker {
    /// Whether this one says something now.
    pub(crate) fn is_speaking(&self, now: Instant) -> bool {
        self.told.spoke.is_some_and(|spoke| now.saturating_duration_since(spoke) < SPEAKING)
    }

    /// Whether there was anything to be heard of this one lately.
    pub(crate) fn is_sounding(&self, now: Instant) -> bool {
        self.told.sounded.is_some_and(|sounded| now.saturating_duration_since(sounded) < SOUNDING)
    }

    /// Bits a second, in the mean.
    pub(crate) fn bitrate(&self) -> u32 {
        self.told.bitrate.unsigned_abs()
    }

    /// The packet whose turn it is, if its time has come; it is not taken yet.
    pub(crate) fn front_whole(&self, now: Instant) -> Option<&[u8]> {
        let (missing, slot) = self.ring.first()?;
        (missing == 0 || self.state == State::Quiet || now >= self.deadline()).then(|| slot.bytes())
    }

    /// Takes the packet whose turn it is. Packets that are missing are given up as they are when they are decoded, but nothing is
    /// made up for them.
    pub(crate) fn take_whole(&mut self, now: Instant, payload: &mut [u8; LARGEST]) -> Option<Whole> {
        self.decoded.clear();
        loop {
            if self.front_whole(now).is_none() {
                self.fall_silent(now);
                return None;
            }
            while let Some((1.., _)) = self.ring.first() {
                self.ring.advance();
                self.told.lost = self.told.lost.saturating_add(1);
            }
            let slot = self.ring.take()?;
            let (timestamp, bytes, repeated) = (slot.timestamp, slot.bytes(), slot.tag == REPEATED);
            // Nothing is sent in the place of a late packet, so it is only too late when it is of no use to anybody.
            let Some(ticks) = opus::samples(bytes) else {
                self.counts.late += u64::from(!bytes.is_empty());
                self.told.lost = self.told.lost.saturating_add(1);
                continue;
            };
            let length = bytes.len();
            payload[..length].copy_from_slice(bytes);
            let ahead = timestamp.wrapping_sub(self.next).cast_signed();
            if ahead < ANOTHER_TIMELINE && !repeated {
                self.arrival.shift(now, timestamp);
            }
            self.late_since = None;
            self.next = timestamp.wrapping_add(ticks as u32 * OPUS_TICKS);
            self.redundant = super::believed(self.redundant, &payload[..length]);
            self.rests = opus::is_silence(&payload[..length]);
            self.state = if self.rests { State::Quiet } else { State::Speaking };
            if self.state == State::Speaking {
                self.packet = ticks;
                self.counts.recovered += if repeated { ticks as u64 } else { 0 };
            }
            let lost = std::mem::take(&mut self.told.lost).min(TOLD);
            return Some(Whole { timestamp, ticks, lost, length });
        }
    }

    /// Somebody else is heard as a whole: packets of this one pass by.
    pub(crate) fn pass_by(&mut self, now: Instant) {
        let mut unheard = [0; LARGEST];
        while self.take_whole(now, &mut unheard).is_some() {}
    }

    /// Nobody waits for this one any more, whatever was expected of it.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Quiet;
    }

    /// Is decoded from here on, after packets that were not.
    pub(crate) fn begin_decoding(&mut self) {
        self.decoder.reset();
    }

    /// Goes on without a packet that should have come by now, as when it is made up for, but in silence.
    fn fall_silent(&mut self, now: Instant) {
        let made = match self.state {
            State::Speaking => 0,
            State::Fading { made } => made,
            State::Quiet => return,
        };
        if !self.ring.is_empty() || now < self.deadline() {
            return;
        }
        if made >= FADE {
            self.state = State::Quiet;
            return;
        }
        let ticks = self.packet.min(FRAME);
        self.next = self.next.wrapping_add(ticks as u32 * OPUS_TICKS);
        self.state = State::Fading { made: made + ticks };
    }
}
