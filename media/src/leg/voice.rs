//! Our own voice in the room: samples in, Opus frames on the room's clock out. Where nobody speaks, they may be left out.

use crate::{
    Error,
    codec::opus::{Encoder, Profile, is_speech, silence_after, told_level},
    frame::{FRAME, Fifo, LONGEST, OPUS_TICKS, Rate, SILENCE, level},
    gate::{Gate, Loudness, Verdict},
};

/// Ticks that may wait: a packet from the carrier behind an unfinished frame, and what was made up before it.
const QUEUE: usize = 2 * LONGEST;

/// A receiver fills what is left out with what it last took for the line's own noise: of frames in which the encoder itself
/// hears no voice, as of a tone. So many of those have to follow one another before anything is left out, 120 ms.
const LEARNED: u8 = 6;

/// Cuts samples into frames and encodes them.
#[derive(Debug)]
pub(crate) struct Voice {
    rate: Rate,
    profile: Profile,
    encoder: Encoder,
    /// Lets frames through, where not all are wanted.
    gate: Option<Gate>,
    queue: Fifo,
    /// Timestamp at position 0.
    origin: u32,
    /// Ticks encoded or passed over: the position of the queue's first sample.
    position: u64,
    /// Ticks to be passed over once the queue is encoded.
    pause: u64,
    /// The next frame is the first after a pause.
    marker: bool,
    /// Frames without a voice that were sent one after the other, as far as they count.
    learned: u8,
    /// The first byte of the last frame sent; `None` when the room knows that no more come.
    toc: Option<u8>,
    open: bool,
    level: u8,
    frames: u64,
    left_out: u64,
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
            gate: profile.dtx.then(Gate::new),
            queue: Fifo::new(rate.samples(QUEUE)),
            origin,
            position: 0,
            pause: 0,
            marker: true,
            learned: 0,
            toc: None,
            open: true,
            level: SILENCE,
            frames: 0,
            left_out: 0,
            foreign: false,
            whole: None,
        })
    }

    /// Changes the encoding.
    pub(crate) fn set(&mut self, profile: Profile) -> Result<(), Error> {
        self.profile = profile;
        self.gate = profile.dtx.then(|| self.gate.unwrap_or_else(Gate::new));
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
        if open && !self.open {
            self.marker = true;
            // Whoever begins to hear us is not to wait for somebody to speak.
            self.gate.iter_mut().for_each(Gate::open);
        }
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
        // Should our own voice follow, the room is to hear how it begins, and to be told when it ends.
        self.gate.iter_mut().for_each(Gate::open);
        self.toc = packet.first().copied();
        self.learned = 0;
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
        while self.queue.len() >= self.rate.frame() {
            let timestamp = self.timestamp();
            let verdict = self.judge();
            let sent = match verdict {
                Verdict::Silence if self.learned >= LEARNED => self.leave_out(payload),
                Verdict::Refresh => self.encode(payload),
                Verdict::Speech | Verdict::Silence => self.encode(payload).inspect(|length| {
                    self.learned = if is_speech(&payload[..*length]) { 0 } else { (self.learned + 1).min(LEARNED) };
                }),
            };
            self.queue.consume(self.rate.frame());
            self.position += FRAME as u64;
            // What tells of silence begins no speech (RFC 3551 §4.1).
            let marker = self.marker && verdict == Verdict::Speech;
            self.marker &= sent.is_none() || !marker;
            self.pass_over();
            if let Some(length) = sent {
                return Some(Spoken { length, timestamp, marker, level: self.level, lost: 0 });
            }
        }
        None
    }

    fn judge(&mut self) -> Verdict {
        let frame = &self.queue.front()[..self.rate.frame()];
        let Some(gate) = &mut self.gate else {
            self.level = level(frame);
            return Verdict::Speech;
        };
        let loudness = Loudness::of(frame);
        self.level = loudness.level();
        gate.judge(self.rate, frame, &loudness)
    }

    fn encode(&mut self, payload: &mut [u8]) -> Option<usize> {
        if !self.open {
            return None;
        }
        if std::mem::take(&mut self.foreign) {
            self.encoder.reset();
        }
        let length = self.encoder.encode(&self.queue.front()[..self.rate.frame()], payload)?;
        self.toc = payload.first().copied();
        self.frames += 1;
        Some(length)
    }

    /// Leaves a frame out, of which the room is told if it is the first.
    fn leave_out(&mut self, payload: &mut [u8]) -> Option<usize> {
        self.marker = true;
        if !self.open {
            return None;
        }
        self.left_out += 1;
        let toc = self.toc.take()?;
        *payload.first_mut()? = silence_after(toc);
        Some(1)
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

    /// Whether anything is encoded.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Of the samples it takes.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Level of the last frame.
    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    /// Frames left out because nobody spoke.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Frames encoded.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }
}
