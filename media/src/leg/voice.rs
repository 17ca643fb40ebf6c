//! Our own voice in the room: samples in, Opus frames on the room's clock out.

use crate::{
    Error,
    codec::opus::{Encoder, Profile, told_level},
    frame::{FRAME, Fifo, LONGEST, OPUS_TICKS, Rate, SILENCE, level},
};

/// Ticks that may wait: a packet from the carrier behind an unfinished frame, and what was made up before it.
const QUEUE: usize = 2 * LONGEST;

/// Cuts samples into frames and encodes them.
#[derive(Debug)]
pub(crate) struct Voice {
    rate: Rate,
    profile: Profile,
    encoder: Encoder,
    queue: Fifo,
    /// Timestamp at position 0.
    origin: u32,
    /// Ticks encoded or passed over: the position of the queue's first sample.
    position: u64,
    /// Ticks to be passed over once the queue is encoded.
    pause: u64,
    /// The next frame is the first after a pause.
    marker: bool,
    open: bool,
    level: u8,
    frames: u64,
    /// The last packet was not of our encoder.
    foreign: bool,
    /// The packet of somebody else that is told next; its bytes are with the caller.
    whole: Option<Spoken>,
}

/// A frame encoded into the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    pub(crate) length: usize,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) level: u8,
    /// Packets lost right before it.
    pub(crate) lost: u16,
}

impl Voice {
    pub(crate) fn new(rate: Rate, profile: Profile, origin: u32) -> Result<Self, Error> {
        Ok(Self {
            rate,
            profile,
            encoder: Encoder::new(rate, profile)?,
            queue: Fifo::new(rate.samples(QUEUE)),
            origin,
            position: 0,
            pause: 0,
            marker: true,
            open: true,
            level: SILENCE,
            frames: 0,
            foreign: false,
            whole: None,
        })
    }

    /// Changes the encoding.
    pub(crate) fn set(&mut self, profile: Profile) -> Result<(), Error> {
        self.profile = profile;
        self.encoder.set(profile)
    }

    /// Speaks at another rate from here on; the clock and what was said in part go on.
    pub(crate) fn set_rate(&mut self, rate: Rate) -> Result<(), Error> {
        if rate != self.rate {
            self.encoder = Encoder::new(rate, self.profile)?;
            self.queue = self.queue.converted(self.rate, rate);
            self.rate = rate;
        }
        Ok(())
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
    pub(crate) fn pause(&mut self, ticks: u64) {
        let silence = (self.missing() as u64).min(ticks);
        self.queue.push_silence(self.rate.samples(silence as usize));
        self.pause += ticks - silence;
        self.pass_over();
    }

    /// Passes on a packet of somebody else as it is: it goes into `payload`, which the next [`Self::poll`] is to be given. Of a
    /// frame that was begun only the time is kept.
    pub(crate) fn hand_on(&mut self, ticks: usize, lost: u16, packet: &[u8], payload: &mut [u8]) {
        self.position += self.rate.ticks(self.queue.len()) as u64;
        self.queue.clear();
        self.pass_over();
        let timestamp = self.timestamp();
        self.position += ticks as u64;
        self.level = told_level(packet);
        let Some(place) = payload.get_mut(..packet.len()).filter(|_| self.open) else { return };
        place.copy_from_slice(packet);
        let marker = std::mem::take(&mut self.marker);
        self.foreign = true;
        self.frames += 1;
        self.whole = Some(Spoken { length: packet.len(), timestamp, marker, level: self.level, lost });
    }

    /// Leaves a gap for what was lost of somebody else's packets. Returns whether it was theirs.
    pub(crate) fn leave_gap(&mut self, ticks: u64) -> bool {
        if self.foreign {
            self.position += ticks;
        }
        self.foreign
    }

    /// Encodes the next frame.
    pub(crate) fn poll(&mut self, payload: &mut [u8]) -> Option<Spoken> {
        if let Some(whole) = self.whole.take() {
            return Some(whole);
        }
        let length = self.rate.frame();
        while self.queue.len() >= length {
            let timestamp = self.timestamp();
            let frame = &self.queue.front()[..length];
            let level = level(frame);
            if std::mem::take(&mut self.foreign) {
                self.encoder.reset();
            }
            let encoded = if self.open { self.encoder.encode(frame, payload) } else { None };
            self.queue.consume(length);
            self.position += FRAME as u64;
            self.level = level;
            let marker = self.marker;
            self.marker &= encoded.is_none();
            self.pass_over();
            if let Some(length) = encoded {
                self.frames += 1;
                return Some(Spoken { length, timestamp, marker, level, lost: 0 });
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

    /// Ticks that a frame which was begun wants yet.
    pub(crate) fn missing(&self) -> usize {
        match self.rate.ticks(self.queue.len()) % FRAME {
            0 => 0,
            begun => FRAME - begun,
        }
    }

    /// Timestamp of the next frame.
    pub(crate) fn timestamp(&self) -> u32 {
        self.origin.wrapping_add((self.position as u32).wrapping_mul(OPUS_TICKS))
    }

    /// Of the samples it takes.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
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
