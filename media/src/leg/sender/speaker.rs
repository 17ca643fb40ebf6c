//! Opus toward the carrier: packets of others handed on whole, and our own where there are none.

use crate::{
    Error,
    codec::opus::{Encoder, LARGEST, Profile, write_silence},
    frame::Rate,
    sdp::OpusTerms,
};

/// Ticks that a packet which ends a stretch of our own may have: what is left over is said in few of these.
const REST: [usize; 4] = [160, 80, 40, 20];

/// See the module.
#[derive(Debug)]
pub(super) struct Speaker {
    encoder: Encoder,
    terms: OpusTerms,
    /// The last packet was not of our encoder.
    foreign: bool,
    /// What is left of our own audio is sent before others' packets are.
    ending: bool,
    /// The packet that waits to be sent as it is.
    whole: Option<Whole>,
    bytes: [u8; LARGEST],
}

/// A packet that is sent as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub(super) length: usize,
    pub(super) ticks: usize,
}

impl Speaker {
    pub(super) fn new(terms: OpusTerms) -> Result<Self, Error> {
        let encoder = Encoder::new(Rate::Wide, profile(terms))?;
        let mut speaker = Self { encoder, terms, foreign: true, ending: false, whole: None, bytes: [0; LARGEST] };
        speaker.set(terms)?;
        Ok(speaker)
    }

    pub(super) fn set(&mut self, terms: OpusTerms) -> Result<(), Error> {
        self.terms = terms;
        self.encoder.set(profile(terms))?;
        self.encoder.set_wishes(&terms)
    }

    /// Puts by a packet of so many ticks to be sent as it is.
    pub(super) fn hand_on(&mut self, ticks: usize, payload: &[u8]) {
        let Some(bytes) = self.bytes.get_mut(..payload.len()) else { return };
        bytes.copy_from_slice(payload);
        self.whole = Some(Whole { length: payload.len(), ticks });
    }

    /// The same of silence.
    pub(super) fn hush(&mut self, ticks: usize) -> bool {
        self.whole = write_silence(ticks, &mut self.bytes).map(|(length, ticks)| Whole { length, ticks });
        self.whole.is_some()
    }

    /// The packet that waits, written.
    pub(super) fn take(&mut self, payload: &mut [u8]) -> Option<Whole> {
        let whole = self.whole.take()?;
        payload.get_mut(..whole.length)?.copy_from_slice(&self.bytes[..whole.length]);
        self.foreign = true;
        Some(whole)
    }

    /// Drops the packet that waits.
    pub(super) fn forget(&mut self) {
        self.whole = None;
    }

    /// Ticks of the packet that waits.
    pub(super) fn waiting(&self) -> usize {
        self.whole.map_or(0, |whole| whole.ticks)
    }

    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> Option<usize> {
        if std::mem::take(&mut self.foreign) {
            self.encoder.reset();
        }
        self.encoder.encode(samples, payload)
    }

    /// Sends what is queued in packets as short as it takes.
    pub(super) fn end(&mut self) {
        self.ending = true;
    }

    /// All of our own is sent: the ticks of the packet that waits for that.
    pub(super) fn turn(&mut self) -> Option<usize> {
        self.ending = false;
        self.whole.map(|whole| whole.ticks)
    }

    /// How long the next packet of our own is, when so many ticks are queued.
    pub(super) fn length(&self, packet: usize, queued: usize) -> usize {
        match REST.into_iter().find(|ticks| *ticks <= queued) {
            Some(ticks) if self.ending && queued < packet => ticks,
            _ => packet,
        }
    }
}

fn profile(terms: OpusTerms) -> Profile {
    let usual = Profile::default();
    Profile { bitrate: usual.bitrate.min(terms.bitrate.try_into().unwrap_or(i32::MAX)), ..usual }
}
