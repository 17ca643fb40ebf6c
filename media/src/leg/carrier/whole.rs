//! Packets of a talker for a carrier that speaks Opus, as they are.

use std::time::{Duration, Instant};

use super::Carrier;
use crate::{
    codec::{Coding, opus},
    frame::{duration_of, samples_in},
};

impl Carrier {
    /// Whether it takes packets of Opus at all.
    pub(crate) fn takes_whole(&self) -> bool {
        self.terms.coding == Coding::Opus && !self.terms.opus.constant
    }

    /// Whether it takes them now: keys that are pressed have their place in audio of ours.
    pub(crate) fn is_free(&self) -> bool {
        self.keys.is_none() && self.keypad.is_none()
    }

    /// Whether a packet is as the peer wishes, of a talker of so many bits a second.
    pub(crate) fn fits(&self, payload: &[u8], bitrate: u32) -> bool {
        let wishes = &self.terms.opus;
        let long = opus::samples(payload).map(|ticks| duration_of(ticks as u64));
        long.is_some_and(|long| long <= wishes.longest)
            && (wishes.stereo || !opus::is_stereo(payload))
            && bitrate <= wishes.bitrate
            && payload.len() <= opus::LARGEST
    }

    /// Lets time pass in which nobody spoke, or packets were lost that others have numbered: as much as does not put the stream
    /// ahead of the clock by more than `most`.
    pub(crate) fn pass_over(&mut self, now: Instant, lost: u16, ticks: u64, most: Duration) {
        if !self.is_sending() {
            return;
        }
        let room = self.due().map_or(Duration::ZERO, |due| (now + most).saturating_duration_since(due));
        let ticks = ticks.min(samples_in(room));
        match lost {
            0 if ticks > 0 => self.sender.skip(ticks),
            lost => self.sender.leave_out(lost, ticks),
        }
    }

    /// Queues a packet to be sent as it is.
    pub(crate) fn hand_on(&mut self, now: Instant, ticks: usize, payload: &[u8]) {
        if self.is_sending() {
            self.catch_up(now);
            self.sender.hand_on(ticks, payload);
        }
    }
}
