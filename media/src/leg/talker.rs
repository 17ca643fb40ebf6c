//! One remote voice of the room: its packets in order, decoded, made up for where they are missing.
//!
//! ```text
//!              packet                  nothing came in time
//! Quiet ──────────────────► Speaking ──────────────────────► Fading ──► Quiet after 100 ms
//!   ▲                         │  ▲            packet           │
//!   └── silence was sent ─────┘  └─────────────────────────────┘
//! ```
//!
//! Nothing is decoded before it is needed for longer than it takes to come: a packet in order is decoded at once.

mod repeated;
mod whole;

use std::time::{Duration, Instant};

pub(crate) use self::whole::Whole;
use self::{
    repeated::{REPEATED, Repeats},
    whole::Told,
};
use super::arrival::Arrival;
use crate::{
    Error,
    codec::opus::{self, Decoder, LARGEST},
    frame::{FRAME, Fifo, OPUS_TICKS, Rate},
    jitter::{Again, Placed, Ring},
    rtp::{Extended, Redundant, Sequence},
};

/// Packets that may wait for one that is missing.
const SLOTS: usize = 16;
/// Decoded ticks that may wait for the other talkers, 240 ms: the longest packet twice.
const DECODED: usize = 2 * opus::LONGEST;
/// Ticks made up at the level that libopus gives them, when nothing comes: shorter rows of losses are hardly heard.
const HOLD: usize = 3 * FRAME;
/// Ticks made up in all; the last of them is silent.
const FADE: usize = 5 * FRAME;
/// Packets without any after which a sender counts as one that codes none: there is none of what was silent, nor in the
/// packet behind it, and so none is seen where the next loss hurts most, at the beginning of a word.
const FORGET: u16 = 500;
/// Later than this a packet is late even if its place was not made up.
const TOO_LATE: Duration = Duration::from_millis(80);
/// Late for so long, it is not the packets that are late but the line that is slower.
const SLOWER: Duration = Duration::from_millis(40);
/// A timestamp that goes back by more than a second is another timeline.
const ANOTHER_TIMELINE: i32 = -48_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Talker {
    ssrc: u32,
    state: State,
    sequence: Option<Sequence>,
    ring: Ring<SLOTS, LARGEST>,
    again: Again,
    rate: Rate,
    decoder: Decoder,
    decoded: Fifo,
    arrival: Arrival,
    /// Timestamp of the next sample to be decoded or made up.
    next: u32,
    /// Ticks in the last packet.
    packet: usize,
    /// For so many packets yet the sender is believed to repeat in each the one before it.
    redundant: u16,
    /// How many packets each repeats as they were.
    repeats: Repeats,
    late_since: Option<Instant>,
    heard: Instant,
    /// Has said that nothing follows for a while.
    rests: bool,
    told: Told,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    Speaking,
    Fading { made: usize },
}

/// What happened to packets besides being decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) late: u64,
    /// Ticks made up.
    pub(crate) concealed: u64,
    /// Ticks decoded from redundancy.
    pub(crate) recovered: u64,
}

impl Talker {
    pub(crate) fn new(now: Instant, ssrc: u32, rate: Rate) -> Result<Self, Error> {
        Ok(Self {
            ssrc,
            state: State::Quiet,
            sequence: None,
            ring: Ring::new(0),
            again: Again::default(),
            rate,
            decoder: Decoder::new(rate)?,
            decoded: Fifo::new(rate.samples(DECODED)),
            arrival: Arrival::new(now, 0),
            next: 0,
            packet: FRAME,
            redundant: 0,
            repeats: Repeats::default(),
            late_since: None,
            heard: now,
            rests: false,
            told: Told::default(),
            counts: Counts::default(),
        })
    }

    /// Becomes another talker, in the same memory. The counts go on.
    pub(crate) fn become_another(&mut self, now: Instant, ssrc: u32) {
        self.decoder.reset();
        self.decoded.clear();
        self.ring.restart(0);
        (self.ssrc, self.state, self.sequence) = (ssrc, State::Quiet, None);
        (self.late_since, self.heard, self.redundant, self.rests) = (None, now, 0, false);
        (self.told, self.repeats, self.again) = (Told::default(), Repeats::default(), Again::default());
    }

    /// Is heard at another rate from here on.
    pub(crate) fn set_rate(&mut self, rate: Rate) -> Result<(), Error> {
        self.decoder = Decoder::new(rate)?;
        self.decoded = self.decoded.converted(self.rate, rate);
        self.rate = rate;
        Ok(())
    }

    /// Takes in a packet, and what it repeats. Returns whether it says anything new.
    pub(crate) fn handle_packet(&mut self, now: Instant, sequence: u16, timestamp: u32, said: &Redundant<'_>) -> bool {
        self.heard = now;
        self.counts.received += 1;
        let Some(number) = self.place(now, sequence, timestamp) else { return false };
        if self.ring.is_known(number) {
            if !self.again.handle_repeated(now, number) {
                // When it comes says nothing of those that follow, nor does its timestamp.
                self.take_repeated(now, number, timestamp, said);
                return false;
            }
            self.begin(now, number, timestamp);
        } else if number >= self.ring.next() {
            self.again.handle_new();
        }
        let late = self.arrival.handle_packet(now, timestamp);
        if late > TOO_LATE && !self.line_is_slower(now, timestamp) {
            self.counts.late += 1;
            // Its number is passed over without waiting.
            self.insert(now, number, timestamp, &[]);
            return true;
        }
        self.insert(now, number, timestamp, said.primary());
        self.take_repeated(now, number, timestamp, said);
        true
    }

    /// Takes note of what a packet tells without being decoded.
    pub(crate) fn look_at(&mut self, now: Instant, timestamp: u32, payload: &[u8]) {
        self.told.handle_packet(now, timestamp, payload);
    }

    /// Decodes what is there and makes up for what is known to be missing.
    pub(crate) fn advance(&mut self, now: Instant) {
        loop {
            let progress = match self.ring.first() {
                Some((0, _)) => {
                    self.play(now);
                    true
                }
                Some(_) => self.bridge(now),
                None => false,
            };
            if !progress {
                return;
            }
        }
    }

    /// Goes on without a packet that should have come by now, or at once if others have `waited` too long. Does nothing when
    /// samples are left.
    pub(crate) fn make_up(&mut self, now: Instant, waited: bool) {
        let made = match self.state {
            State::Speaking => 0,
            State::Fading { made } => made,
            State::Quiet => return,
        };
        let too_early = now < self.deadline();
        if self.decoded.len() > 0 || (too_early && !waited) {
            return;
        }
        if made >= FADE {
            self.state = State::Quiet;
            // What waited for him waits no longer.
            return self.advance(now);
        }
        let next = self.next;
        self.conceal(self.packet.min(FRAME), made);
        // What is made up before its time is stretched: the packet that is due comes after it.
        self.next = if too_early { next } else { self.next };
        self.state = State::Fading { made: made + self.packet.min(FRAME) };
    }

    /// When to call [`Self::make_up`] or [`Self::advance`] again.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let waits = self.state != State::Quiet && (self.decoded.len() == 0 || !self.ring.is_empty());
        waits.then(|| self.deadline())
    }

    /// Whether others have to wait for this one's samples.
    pub(crate) fn is_active(&self) -> bool {
        self.state != State::Quiet || self.decoded.len() > 0
    }

    /// Whether this one is there and says nothing.
    pub(crate) fn rests(&self) -> bool {
        self.rests
    }

    /// Samples ready to be mixed.
    pub(crate) fn decoded(&self) -> &[i16] {
        self.decoded.front()
    }

    pub(crate) fn consume(&mut self, samples: usize) {
        self.decoded.consume(samples);
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    fn place(&mut self, now: Instant, sequence: u16, timestamp: u32) -> Option<u64> {
        let Some(known) = &mut self.sequence else {
            let number = self.sequence.insert(Sequence::new(sequence)).highest();
            self.begin(now, number, timestamp);
            return Some(number);
        };
        match known.extend(sequence) {
            Extended::At(number) => Some(number),
            Extended::Restarted(number) => {
                self.begin(now, number, timestamp);
                Some(number)
            }
            // One packet that makes no sense proves nothing.
            Extended::Wild => None,
        }
    }

    fn begin(&mut self, now: Instant, number: u64, timestamp: u32) {
        self.ring.restart(number);
        self.arrival.shift(now, timestamp);
        (self.state, self.next, self.rests) = (State::Quiet, timestamp, false);
    }

    fn insert(&mut self, now: Instant, number: u64, timestamp: u32, payload: &[u8]) {
        match self.ring.insert(now, number, timestamp, 0, payload) {
            Placed::Beyond => {
                self.ring.restart(number);
                self.ring.insert(now, number, timestamp, 0, payload);
            }
            Placed::Late => self.counts.late += 1,
            // Repeated packets and those that no path carries whole are passed over.
            Placed::Stored | Placed::Repeated | Placed::TooLong => {}
        }
    }

    /// A burst after a stall is late only for a moment; what stays late is the new normal.
    fn line_is_slower(&mut self, now: Instant, timestamp: u32) -> bool {
        let since = *self.late_since.get_or_insert(now);
        if now.saturating_duration_since(since) < SLOWER {
            return false;
        }
        self.late_since = None;
        self.arrival.shift(now, timestamp);
        self.next = timestamp;
        true
    }

    fn deadline(&self) -> Instant {
        let wait = self.arrival.wait().max(self.repeats.wait(self.redundant > 0));
        self.arrival.due(self.next) + wait
    }

    /// The packet at the front: speech, silence, or too late to be either.
    fn play(&mut self, now: Instant) {
        let Self { ring, decoder, decoded, .. } = self;
        let Some(slot) = ring.take() else { return };
        let (timestamp, payload, repeated) = (slot.timestamp, slot.bytes(), slot.tag == REPEATED);
        let ahead = timestamp.wrapping_sub(self.next).cast_signed();
        // What is repeated after its place was made up for is of no use, and says nothing of the line.
        if payload.is_empty() || (repeated && ahead < 0) {
            return;
        }
        if (ANOTHER_TIMELINE..0).contains(&ahead)
            && self.late_since.is_none_or(|since| now.saturating_duration_since(since) < SLOWER)
        {
            self.counts.late += 1;
            self.late_since.get_or_insert(now);
            return;
        }
        if ahead < 0 {
            self.arrival.shift(now, timestamp);
        }
        self.late_since = None;
        let ticks = opus::samples(payload).unwrap_or(self.packet);
        self.next = timestamp.wrapping_add(ticks as u32 * OPUS_TICKS);
        self.rests = opus::is_silence(payload);
        if self.rests {
            self.state = State::Quiet;
            return;
        }
        self.redundant = believed(self.redundant, payload);
        self.packet = ticks;
        // When the others keep this one waiting for too long, its oldest samples are given up.
        let samples = self.rate.samples(ticks);
        decoded.consume((decoded.len() + samples).saturating_sub(self.rate.samples(DECODED)));
        match decoder.decode(payload, decoded.room(samples)) {
            Some(samples) => {
                decoded.extend(samples);
                self.state = State::Speaking;
                self.counts.recovered += if repeated { ticks as u64 } else { 0 };
            }
            None => {
                self.next = timestamp;
                self.conceal(ticks, 0);
            }
        }
    }

    /// Packets are missing and a later one is there: waits until they were due, then makes up for them. Returns whether the
    /// later one may be played.
    fn bridge(&mut self, now: Instant) -> bool {
        let deadline = self.deadline();
        let Some((missing, slot)) = self.ring.first() else { return false };
        if self.state != State::Quiet && now < deadline {
            return false;
        }
        let ahead = slot.timestamp.wrapping_sub(self.next).cast_signed() / OPUS_TICKS.cast_signed();
        let ahead = usize::try_from(ahead).unwrap_or(0);
        if self.state != State::Quiet && (1..=FADE).contains(&ahead) {
            self.fill(ahead);
        }
        for _ in 0..missing {
            self.ring.advance();
        }
        true
    }

    /// Fills a gap before the first packet there is: made up, but for what that packet repeats.
    fn fill(&mut self, ticks: usize) {
        let made = if let State::Fading { made } = self.state { made } else { 0 };
        let recoverable = match self.ring.first() {
            Some((_, slot)) if opus::has_redundancy(slot.bytes()) => opus::samples(slot.bytes()).unwrap_or(0),
            _ => 0,
        };
        let recovered = if recoverable <= ticks { recoverable } else { 0 };
        self.conceal(ticks - recovered, made);
        if recovered == 0 {
            return;
        }
        let mut pcm = [0; 2 * opus::LONGEST];
        let pcm = &mut pcm[..self.rate.samples(recovered)];
        let Some((_, slot)) = self.ring.first() else { return };
        if !self.decoder.recover(slot.bytes(), pcm) {
            return self.conceal(recovered, made);
        }
        self.decoded.push(pcm);
        self.counts.recovered += recovered as u64;
        self.next = self.next.wrapping_add(recovered as u32 * OPUS_TICKS);
    }

    /// Makes up so many ticks, fading once it is long; `made` were made up before them.
    fn conceal(&mut self, ticks: usize, made: usize) {
        let mut pcm = [0; 2 * opus::LONGEST];
        let made_up = ticks.min(FADE);
        // libopus conceals in steps of 2.5 ms; a length that is none leaves a rest of silence.
        let whole = self.rate.samples(made_up / 20 * 20);
        let pcm = &mut pcm[..self.rate.samples(made_up)];
        if whole > 0 && self.decoder.conceal(&mut pcm[..whole]) {
            fade(self.rate, pcm, made);
        }
        self.decoded.push(pcm);
        self.counts.concealed += made_up as u64;
        self.next = self.next.wrapping_add(ticks as u32 * OPUS_TICKS);
    }
}

fn fade(rate: Rate, samples: &mut [i16], made: usize) {
    for (n, sample) in samples.iter_mut().enumerate() {
        let faded = (made + rate.ticks(n)).saturating_sub(HOLD) as f32 / (FADE - HOLD - 1) as f32;
        *sample = (f32::from(*sample) * (1.0 - faded).max(0.0)) as i16;
    }
}

/// For how many packets the sender is still believed to repeat in each the one before it, after this one.
fn believed(so_far: u16, payload: &[u8]) -> u16 {
    if opus::has_redundancy(payload) { FORGET } else { so_far.saturating_sub(1) }
}
