//! Digits heard as pairs of tones in the audio itself ([ITU-T Q.23], [Q.24]).
//!
//! ```text
//!          four blocks of the same key: told           five blocks without it
//! Idle ─────────────────────────────────────► Held ───────────────────────────► Idle
//! ```
//!
//! Blocks are read every 8 ms, and one that is less than about seven tenths full of a tone does not count: a tone of 40 ms makes
//! four at least and is a key, one of 23 ms three at most and is none; a break of 20 ms takes four at most and ends no key, a
//! pause of 40 ms five at least and does. What was made up for lost packets counts neither way.
//!
//! Voices are no keys (*talk-off*): of a block, next to nothing may be anything but the two tones, harmonics least of all; each
//! is within 2.5 % of its frequency, which Q.24 wants heard up to 1.5 % and not beyond 3.5 %; neither is much louder than the
//! other (*twist*); and all that holds for four blocks on end.
//!
//! [ITU-T Q.23]: https://www.itu.int/rec/T-REC-Q.23
//! [Q.24]: https://www.itu.int/rec/T-REC-Q.24

use super::{
    Event,
    goertzel::{Bank, COLUMNS, ROWS, Reading, STEP, response},
};
use crate::frame::Rate;

/// Blocks that make a key.
const ENOUGH: u8 = 4;
/// Blocks without it that end one.
const OVER: u8 = 5;
/// The mean square of the quieter tone: -46 dBm0.
const FLOOR: f32 = 6_550.0;
/// How much louder the column may be than the row, and the other way round: 4 dB and 8 dB of the tolerance, and a bit.
const TWIST: (f32, f32) = (3.98, 11.2);
/// The part of all there is that the two tones are at least.
const SHARE: f32 = 0.8;
/// How far off its frequency a tone may be.
const TOLERANCE: f32 = 0.025;
/// A block so much quieter than the loudest of its key, 6 dB, is its edge, or an echo.
const EDGE: f32 = 4.0;
/// How much of that a key that is held loses with each such block, for it may have become quieter as a whole.
const FADING: f32 = 0.5;
/// How many samples it takes to fall silent, and to be heard again.
const FADE: usize = 16;

/// Keys that the longest packet may hold, 200 ms with a new one every 32.
const TOLD: usize = 7;

/// Listens to a stream.
#[derive(Debug)]
pub(crate) struct Detector {
    bank: Bank,
    /// What the block before was.
    before: Option<Reading>,
    rising: Option<Run>,
    held: Option<Held>,
    /// Samples since the last that was made up.
    since_guess: usize,
    /// Whether a key is kept from whoever hears the stream.
    mutes: bool,
    /// How loud the stream is passed on, from nothing to [`FADE`].
    gain: usize,
    told: [Option<Event>; TOLD],
}

/// Row and column.
type Key = (usize, usize);

/// Blocks of a key that was not told.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    key: Key,
    blocks: u8,
    /// That of the loudest.
    power: f32,
}

/// A key that was told.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    key: Key,
    /// Blocks since it was heard.
    misses: u8,
    power: f32,
}

impl Detector {
    pub(crate) fn new(rate: Rate, mutes: bool) -> Self {
        Self {
            bank: Bank::new(rate),
            mutes,
            before: None,
            rising: None,
            held: None,
            since_guess: usize::MAX,
            gain: FADE,
            told: [None; TOLD],
        }
    }

    /// Hears samples of another rate from here on.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        if self.bank.rate() != rate {
            self.bank = Bank::new(rate);
            self.before = None;
        }
    }

    /// Lets keys through from here on, or no longer.
    pub(crate) fn set_muting(&mut self, mutes: bool) {
        self.mutes = mutes;
    }

    /// Hears samples, and mutes what is known of them to be a key, where that is wanted.
    pub(crate) fn hear(&mut self, samples: &mut [i16]) {
        self.take(samples, false);
    }

    /// The same of samples that were made up: no key begins or ends by them.
    pub(crate) fn guess(&mut self, samples: &mut [i16]) {
        self.take(samples, true);
    }

    /// Nothing is heard for so many ticks.
    pub(crate) fn pause(&mut self, ticks: u64) {
        self.bank.clear();
        self.before = None;
        self.rising = None;
        for _ in 0..(ticks / STEP as u64).min(OVER.into()) {
            self.miss();
        }
    }

    /// The next key that was pressed. A caller that does not ask loses what comes after.
    pub(crate) fn poll(&mut self) -> Option<Event> {
        let key = self.told[0].take();
        self.told.rotate_left(1);
        key
    }

    fn take(&mut self, mut samples: &mut [i16], guessed: bool) {
        while !samples.is_empty() {
            let count = samples.len().min(self.bank.missing());
            let (now, later) = samples.split_at_mut(count);
            self.since_guess = if guessed { 0 } else { self.since_guess.saturating_add(count) };
            let reading = self.bank.push(now);
            self.mute(now);
            match reading {
                Some(reading) if self.since_guess >= self.bank.length() => self.judge(reading),
                Some(_) => self.before = None,
                None => {}
            }
            samples = later;
        }
    }

    fn judge(&mut self, reading: Reading) {
        let key = self.key_of(&reading);
        self.before = Some(reading);
        let Some((key, power)) = key else {
            self.rising = None;
            return self.miss();
        };
        match &mut self.held {
            Some(held) if held.key == key => {
                self.rising = None;
                if power * EDGE < held.power {
                    held.power *= FADING;
                    return self.miss();
                }
                (held.misses, held.power) = (0, held.power.max(power));
            }
            _ => {
                self.miss();
                self.rise(key, power);
            }
        }
    }

    /// A block of a key that is not held.
    fn rise(&mut self, key: Key, power: f32) {
        let first = Run { key, blocks: 1, power };
        let run = match self.rising {
            // The end of one.
            Some(run) if run.key == key && power * EDGE < run.power => return self.rising = None,
            Some(run) if run.key == key && power < run.power * EDGE => {
                Run { blocks: run.blocks + 1, power: power.max(run.power), ..run }
            }
            // The blocks before were another key, or the edge of this one.
            _ => first,
        };
        self.rising = Some(run);
        if run.blocks == ENOUGH {
            self.rising = None;
            self.held = Some(Held { key, misses: 0, power: run.power });
            if let Some(slot) = self.told.iter_mut().find(|slot| slot.is_none()) {
                *slot = Event::at(key.0, key.1);
            }
        }
    }

    /// A block without the key that is held.
    fn miss(&mut self) {
        if let Some(held) = &mut self.held {
            held.misses += 1;
            if held.misses >= OVER {
                self.held = None;
            }
        }
    }

    /// The key of a block, and how loud it is.
    fn key_of(&self, reading: &Reading) -> Option<(Key, f32)> {
        let (row, column) = (reading.row, reading.column);
        // A key that is held is known: a break may have turned its tones, and it is the same key all the same.
        let is_held = self.held.is_some_and(|held| held.key == (row.index, column.index));
        let drift = if is_held { None } else { self.drift(reading) };
        let (row_drift, column_drift) = drift.unwrap_or_default();
        let in_tune = |drift: f32, frequency: f32| drift.abs() <= frequency * TOLERANCE;
        let (row_power, column_power) = (row.power / response(row_drift), column.power / response(column_drift));
        let is_key = in_tune(row_drift, ROWS[row.index])
            && in_tune(column_drift, COLUMNS[column.index])
            && row_power.min(column_power) >= FLOOR
            && column_power <= row_power * TWIST.0
            && row_power <= column_power * TWIST.1
            && row_power + column_power >= reading.total * SHARE;
        is_key.then_some(((row.index, column.index), row_power + column_power))
    }

    /// How far off its frequency either tone is, if the block before was of the same key and about as loud.
    fn drift(&self, reading: &Reading) -> Option<(f32, f32)> {
        let (row, column) = (reading.row, reading.column);
        let before = self.before.filter(|before| {
            (before.row.index, before.column.index) == (row.index, column.index)
                && before.row.power * EDGE >= row.power
                && before.column.power * EDGE >= column.power
        })?;
        let row_drift = row.drift(&before.row, ROWS[row.index]);
        Some((row_drift, column.drift(&before.column, COLUMNS[column.index])))
    }

    /// Lets nothing through while a key is heard.
    fn mute(&mut self, samples: &mut [i16]) {
        let muted = self.mutes && self.held.is_some_and(|held| held.misses == 0);
        if self.gain == FADE && !muted {
            return;
        }
        for sample in samples {
            self.gain = if muted { self.gain.saturating_sub(1) } else { (self.gain + 1).min(FADE) };
            *sample = (i32::from(*sample) * self.gain as i32 / FADE as i32) as i16;
        }
    }
}

#[cfg(test)]
mod tests;
