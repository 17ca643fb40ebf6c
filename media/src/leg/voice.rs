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
    /// Samples to be passed over once the queue is encoded.
    pause: u64,
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
            pause: 0,
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

    /// Where so many samples may be written to be queued by [`Self::extend`].
    pub(crate) fn room(&mut self, samples: usize) -> &mut [i16] {
        self.queue.room(samples)
    }

    /// Queues the first samples of what was written into [`Self::room`].
    pub(crate) fn extend(&mut self, samples: usize) {
        self.queue.extend(samples);
    }

    /// Lets time pass in which nothing is said: the frame begun is completed with silence, the rest is not sent. Frames that
    /// are ready have to be polled first.
    pub(crate) fn pause(&mut self, samples: u64) {
        let silence = (self.missing() as u64).min(samples);
        self.queue.push_silence(silence as usize);
        self.pause += samples - silence;
        self.pass_over();
    }

    /// Encodes the next frame.
    pub(crate) fn poll(&mut self, payload: &mut [u8]) -> Option<Spoken> {
        while self.queue.len() >= FRAME {
            let timestamp = self.timestamp();
            let frame = &self.queue.front()[..FRAME];
            let level = level(frame);
            let encoded = if self.open { self.encoder.encode(frame, payload) } else { None };
            self.queue.consume(FRAME);
            self.position += FRAME as u64;
            self.level = level;
            let marker = self.marker;
            self.marker &= encoded.is_none();
            self.pass_over();
            if let Some(length) = encoded {
                self.frames += 1;
                return Some(Spoken { length, timestamp, marker, level });
            }
        }
        None
    }

    /// Passes over a pause once all that was said before it is encoded.
    fn pass_over(&mut self) {
        if self.queue.len() == 0 && self.pause > 0 {
            self.position += std::mem::take(&mut self.pause);
            self.marker = true;
        }
    }

    /// Samples that a frame which was begun wants yet.
    pub(crate) fn missing(&self) -> usize {
        match self.queue.len() % FRAME {
            0 => 0,
            begun => FRAME - begun,
        }
    }

    /// Timestamp of the next frame.
    pub(crate) fn timestamp(&self) -> u32 {
        self.origin.wrapping_add((self.position as u32).wrapping_mul(OPUS_TICKS))
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
