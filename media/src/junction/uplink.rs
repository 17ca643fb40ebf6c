//! From the carrier to the room.

use std::time::Instant;

use crate::{
    Error,
    codec::opus::Profile,
    frame::FRAME,
    leg::{
        carrier::{Carrier, Heard},
        voice::{Spoken, Voice},
    },
    plc::{Concealer, LIMIT},
};

/// Decodes, conceals, and cuts into Opus frames, each at once.
#[derive(Debug)]
pub(crate) struct Uplink {
    concealer: Concealer,
    voice: Voice,
    /// Lost samples that are still to be made up, and those past what can be.
    lost: u64,
    given_up: u64,
    concealed: u64,
}

impl Uplink {
    pub(crate) fn new(profile: Profile, origin: u32) -> Result<Self, Error> {
        Ok(Self {
            concealer: Concealer::new(),
            voice: Voice::new(profile, origin)?,
            lost: 0,
            given_up: 0,
            concealed: 0,
        })
    }

    /// The next frame for the room.
    pub(crate) fn poll(&mut self, now: Instant, carrier: &mut Carrier, payload: &mut [u8]) -> Option<Spoken> {
        loop {
            if let Some(spoken) = self.voice.poll(payload) {
                return Some(spoken);
            }
            if !self.make_up() {
                self.hear(now, carrier)?;
            }
        }
    }

    /// How we sound to the room.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }

    pub(crate) fn voice_mut(&mut self) -> &mut Voice {
        &mut self.voice
    }

    /// Samples made up.
    pub(crate) fn concealed(&self) -> u64 {
        self.concealed
    }

    fn hear(&mut self, now: Instant, carrier: &mut Carrier) -> Option<()> {
        match carrier.poll_piece(now)? {
            Heard::Audio(law, bytes) => {
                // Decoded where it is encoded from: a call's memory is cold when its turn comes, and every line of it counts.
                let room = self.voice.room(bytes.len());
                let samples = law.decode(bytes, room);
                self.concealer.good(&mut room[..samples]);
                self.voice.extend(samples);
            }
            Heard::Lost(samples) => {
                self.lost = samples.min(LIMIT as u64);
                self.given_up = samples - self.lost;
            }
            Heard::Pause(samples) => {
                self.concealer.reset();
                self.voice.pause(samples);
            }
        }
        Some(())
    }

    /// Makes up a frame of what was lost; past the limit the loss becomes a pause. Returns whether anything was lost.
    fn make_up(&mut self) -> bool {
        let mut pcm = [0; FRAME];
        let count = self.lost.min(FRAME as u64);
        if count > 0 {
            let pcm = &mut pcm[..count as usize];
            self.concealer.lost(pcm);
            self.voice.push(pcm);
            self.lost -= count;
            self.concealed += count;
            return true;
        }
        let given_up = std::mem::take(&mut self.given_up);
        self.voice.pause(given_up);
        given_up > 0
    }
}
