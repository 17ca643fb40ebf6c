//! Our own voice in the room: samples in, Opus frames on the room's clock out.

use crate::{
    Error,
    codec::opus::{Encoder, Profile},
    frame::{FRAME, Fifo, LONGEST, OPUS_TICKS, SILENCE, level},
};

/// Samples that may wait: a packet from the carrier behind an unfinished frame, and what was made up before it.
const QUEUE: usize = 2 * LONGEST;

/// Cuts samples into frames and encodes them.
#[derive(Debug)]
pub(crate) struct Voice {
    encoder: Encoder,
    queue: Fifo<QUEUE>,
    /// Timestamp at position 0.
    origin: u32,
    /// Samples encoded or passed over: the position of the queue's first.
    position: u64,
    /// The next frame is the first after a pause.
    marker: bool,
    open: bool,
    level: u8,
    frames: u64,
}

/// A frame encoded into the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    pub(crate) length: usize,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) level: u8,
}

impl Voice {
    pub(crate) fn new(profile: Profile, origin: u32) -> Result<Self, Error> {
        Ok(Self {
            encoder: Encoder::new(profile)?,
            queue: Fifo::new(),
            origin,
            position: 0,
            marker: true,
            open: true,
            level: SILENCE,
            frames: 0,
        })
    }

    /// Changes the encoding.
    pub(crate) fn set(&mut self, profile: Profile) -> Result<(), Error> {
        self.encoder.set(profile)
    }

    /// Closed, nothing is encoded; the clock runs on.
    pub(crate) fn set_open(&mut self, open: bool) {
        self.marker |= open && !self.open;
        self.open = open;
    }

    /// Queues samples. There is room for two of the longest packets; drain [`Self::poll`] after each.
    pub(crate) fn push(&mut self, samples: &[i16]) {
        self.queue.push(samples);
    }

    /// Queues silence.
    pub(crate) fn push_silence(&mut self, samples: usize) {
        self.queue.push_silence(samples);
    }

    /// Lets time pass in which nothing is said: the frame begun is completed with silence, the rest is not sent.
    pub(crate) fn pause(&mut self, samples: u64) {
        let begun = self.queue.len() % FRAME;
        let missing = if begun == 0 { 0 } else { (FRAME - begun) as u64 };
        let silence = missing.min(samples);
        self.queue.push_silence(silence as usize);
        if samples > silence {
            // What is queued is whole frames now, and they are polled before this time is told of: see `poll`.
            self.position += samples - silence;
            self.marker = true;
        }
    }

    /// Whether a frame is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.queue.len() >= FRAME
    }

    /// Encodes the next frame.
    pub(crate) fn poll(&mut self, payload: &mut [u8]) -> Option<Spoken> {
        while self.queue.len() >= FRAME {
            let timestamp = self.timestamp();
            let frame = &self.queue.front()[..FRAME];
            let encoded = if self.open { self.encoder.encode(frame, payload) } else { None };
            self.level = level(frame);
            self.queue.consume(FRAME);
            self.position += FRAME as u64;
            let Some(length) = encoded else { continue };
            let marker = std::mem::take(&mut self.marker);
            self.frames += 1;
            return Some(Spoken { length, timestamp, marker, level: self.level });
        }
        None
    }

    /// Timestamp of the next frame.
    pub(crate) fn timestamp(&self) -> u32 {
        self.origin.wrapping_add((self.position as u32).wrapping_mul(OPUS_TICKS))
    }

    /// Samples encoded or passed over.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Level of the last frame.
    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    /// Frames encoded.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }
}
