//! What comes from the carrier, in order and on its own clock.
//!
//! Arrival drives it: a packet in order is handed on at once. The pieces that come out follow each other without a hole in
//! media time; where audio is missing there is a piece that says for how long, and whether it was lost or never sent.

use std::time::{Duration, Instant};

use crate::{
    codec::opus,
    frame::{LONGEST, SILENCE, duration_of, samples_in},
    jitter::{Again, Hold, Placed, Ring},
    rtp::Extended,
};

/// Packets that may wait behind a gap.
const SLOTS: usize = 32;
/// Tag of a packet that takes a sequence number but holds no audio: an event. That of audio is its payload type, and above it
/// what its clock counts in a tick.
const NOT_AUDIO: u16 = u16::MAX;
/// Tag of comfort noise: its one byte is the level.
const NOISE: u16 = u16::MAX - 1;
/// Where the step of the clock begins in a tag.
const STEP: u32 = 8;
/// When the clock's rate changes, this much is no pause but the way a packet came; and so much less than was expected is no clock
/// set back.
const UNEVEN: Duration = Duration::from_millis(10);
/// A pause up to this long is believed as the timestamps tell it; a longer one only if the clock agrees.
const BELIEVED: Duration = Duration::from_secs(10);
/// How far clock and timestamps may disagree about a long pause.
const AGREEMENT: Duration = Duration::from_secs(2);

/// A stretch of the carrier's media time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Audio of this payload type; so many packets before it were lost.
    Audio { payload_type: u8, ticks: usize, lost: u16, bytes: &'a [u8] },
    /// So many ticks are missing that the carrier sent.
    Lost(u64),
    /// So many ticks passed in which the carrier sent nothing.
    Pause(u64),
    /// Nothing is said from here on, on a line as loud as this, in -dBov.
    Noise { level: u8 },
}

/// Puts the carrier's packets in order.
#[derive(Debug)]
pub(crate) struct Receiver {
    ring: Ring<SLOTS, LONGEST>,
    again: Again,
    state: State,
    hold: Hold,
    /// When the last gap was noticed.
    gap_since: Option<Instant>,
    /// When the last audio was over.
    ended: Instant,
    /// Packets given up since the last audio.
    missing: u16,
    counts: Counts,
}

/// What happened to packets besides being heard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) late: u64,
    pub(crate) repeated: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing was heard yet.
    Silent,
    /// The stream begins anew; time in between is told by the clock.
    Restarted,
    /// The next sample should have this timestamp, of a clock that counts `step` in a tick; `lost` if packets were given up
    /// before it.
    Flowing { expected: u32, step: u32, lost: bool },
}

impl Receiver {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            ring: Ring::new(0),
            again: Again::default(),
            state: State::Silent,
            hold: Hold::Open,
            gap_since: None,
            ended: now,
            missing: 0,
            counts: Counts::default(),
        }
    }

    /// Another source speaks from here on.
    pub(crate) fn restart(&mut self) {
        if !matches!(self.state, State::Silent) {
            self.state = State::Restarted;
        }
        self.missing = 0;
        self.ring.restart(0);
    }

    /// Takes in a packet of audio, whose clock counts `step` in a tick: one, and a byte is a tick, or it is Opus.
    pub(crate) fn handle_audio(
        &mut self,
        now: Instant,
        place: Extended,
        timestamp: u32,
        (payload_type, step): (u8, u32),
        bytes: &[u8],
    ) {
        self.insert(now, place, timestamp, u16::from(payload_type) | (step << STEP) as u16, bytes);
    }

    /// Takes note of a packet that holds no audio but a place among those that do.
    pub(crate) fn handle_other(&mut self, now: Instant, place: Extended) {
        self.insert(now, place, 0, NOT_AUDIO, &[]);
    }

    /// Takes in a packet that says how loud the line is on which nobody speaks.
    pub(crate) fn handle_noise(&mut self, now: Instant, place: Extended, timestamp: u32, level: u8) {
        self.insert(now, place, timestamp, NOISE, &[level]);
    }

    /// The next piece, if there is one at this time.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Piece<'_>> {
        loop {
            match self.ring.front().map(|slot| slot.tag) {
                Some(NOT_AUDIO) => self.ring.advance(),
                Some(_) => return Some(self.take()),
                None => self.give_up_gap(now)?,
            }
        }
    }

    /// When a held gap is to be given up.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let (missing, slot) = self.ring.first()?;
        (missing > 0).then(|| slot.arrived + self.hold.time(slot.arrived))
    }

    /// When the last audio was over; `None` when there was none yet.
    pub(crate) fn ended(&self) -> Option<Instant> {
        (!matches!(self.state, State::Silent)).then_some(self.ended)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    fn insert(&mut self, now: Instant, place: Extended, timestamp: u32, tag: u16, bytes: &[u8]) {
        let number = match place {
            Extended::At(number) => number,
            Extended::Restarted(number) => {
                self.restart();
                number
            }
            // Proves nothing yet; one packet that makes no sense is dropped.
            Extended::Wild => return,
        };
        if self.ring.next() == 0 {
            self.ring.restart(number);
        }
        let filled = self.ring.first().is_some_and(|(missing, _)| number < self.ring.next() + missing);
        match self.ring.insert(now, number, timestamp, tag, bytes) {
            Placed::Stored if filled => self.hold.handle_filled(now),
            Placed::Stored => self.again.handle_new(),
            Placed::Repeated => {
                self.counts.repeated += 1;
                if self.again.handle_repeated(now, number) {
                    self.restart();
                    self.ring.restart(number);
                    self.ring.insert(now, number, timestamp, tag, bytes);
                }
            }
            Placed::Late => {
                self.counts.late += 1;
                if let Some(since) = self.gap_since {
                    self.hold.handle_late(now, now.saturating_duration_since(since));
                }
            }
            Placed::Beyond => {
                // More is missing than could be reordering; what waited behind an earlier gap is given up with it.
                self.ring.restart(number);
                self.ring.insert(now, number, timestamp, tag, bytes);
                self.mark_lost();
            }
            Placed::TooLong => {}
        }
    }

    /// Skips missing packets when their time is over; `None` when there is nothing to skip or it is too early.
    fn give_up_gap(&mut self, now: Instant) -> Option<()> {
        let (missing, slot) = self.ring.first()?;
        let since = slot.arrived;
        if now < since + self.hold.time(since) {
            return None;
        }
        self.gap_since = Some(since);
        self.missing = self.missing.saturating_add(missing as u16);
        for _ in 0..missing {
            self.ring.advance();
        }
        self.mark_lost();
        Some(())
    }

    fn mark_lost(&mut self) {
        if let State::Flowing { lost, .. } = &mut self.state {
            *lost = true;
        }
    }

    /// The packet at the front, or first the time that passed before it.
    fn take(&mut self) -> Piece<'_> {
        let Some(slot) = self.ring.front() else { return Piece::Pause(0) };
        let (timestamp, arrived) = (slot.timestamp, slot.arrived);
        let step = if slot.tag == NOISE { 1 } else { u32::from(slot.tag >> STEP) };
        let ticks = match step {
            _ if slot.tag == NOISE => 0,
            1 => slot.bytes().len(),
            _ => opus::samples(slot.bytes()).unwrap_or(0),
        };
        if let Some(piece) = self.time_before(timestamp, arrived, step) {
            self.state = State::Flowing { expected: timestamp, step, lost: false };
            return piece;
        }
        let expected = self.beginning(timestamp, step).wrapping_add(ticks as u32 * step);
        self.state = State::Flowing { expected, step, lost: false };
        self.ended = arrived + duration_of(ticks as u64);
        let lost = std::mem::take(&mut self.missing).min(SLOTS as u16);
        match self.ring.take() {
            Some(slot) if slot.tag == NOISE => Piece::Noise { level: slot.bytes().first().copied().unwrap_or(SILENCE) },
            Some(slot) => {
                let payload_type = slot.tag as u8;
                Piece::Audio { payload_type, ticks, lost, bytes: slot.bytes() }
            }
            None => Piece::Pause(0),
        }
    }

    /// What the timestamps say passed before this packet.
    fn time_before(&mut self, timestamp: u32, arrived: Instant, step: u32) -> Option<Piece<'static>> {
        let by_clock = arrived.saturating_duration_since(self.ended);
        let (ahead, lost) = match self.state {
            State::Silent => return None,
            State::Restarted => return pause(samples_in(by_clock)),
            // Timestamps of two clocks tell nothing about each other (RFC 7160 §3).
            State::Flowing { step: before, .. } if before != step => {
                return pause(samples_in(by_clock)).filter(|_| by_clock > UNEVEN);
            }
            State::Flowing { expected, lost, .. } => {
                let ahead = timestamp.wrapping_sub(expected).cast_signed();
                (if step == 1 { ahead } else { ahead / step.cast_signed() }, lost)
            }
        };
        let ahead = match u64::try_from(ahead) {
            Ok(0) => return None,
            Ok(ahead) => ahead,
            Err(_) if self.beginning(timestamp, step) != timestamp => return None,
            // A clock set back: the stream goes on from here.
            Err(_) => return pause(samples_in(by_clock)),
        };
        let told = duration_of(ahead);
        if told > BELIEVED && told.abs_diff(by_clock) > AGREEMENT {
            return pause(samples_in(by_clock));
        }
        Some(if lost { Piece::Lost(ahead) } else { Piece::Pause(ahead) })
    }

    /// Where in the stream a packet begins: where its timestamp says, or a little behind that, at the end of the one before it.
    /// There are peers whose timestamps tremble, and of those the steps forward alone would be pauses that nobody made.
    fn beginning(&self, timestamp: u32, step: u32) -> u32 {
        match self.state {
            State::Flowing { expected, step: before, .. } if before == step => {
                let over = expected.wrapping_sub(timestamp);
                if over < step * samples_in(UNEVEN) as u32 { expected } else { timestamp }
            }
            _ => timestamp,
        }
    }
}

fn pause(samples: u64) -> Option<Piece<'static>> {
    (samples > 0).then_some(Piece::Pause(samples))
}
