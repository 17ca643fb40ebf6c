//! Keys as the tones of a keypad: in place of the audio of their time ([ITU-T Q.23]).
//!
//! [ITU-T Q.23]: https://www.itu.int/rec/T-REC-Q.23

use std::{f32::consts::TAU, time::Duration};

use super::{
    Event, Press, Refused,
    goertzel::{COLUMNS, ROWS},
};
use crate::frame::Rate;

/// Keys and pauses waiting, as many as there is room for as events.
const QUEUE: usize = 256;
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The peaks of the tones: a row at -10 dBm0, a column at -8, for lines are weaker up there.
const PEAKS: (f32, f32) = (7_220.0, 9_090.0);
/// How long a tone swells and fades, 2 ms, in steps of 16 kHz as all times here.
pub(super) const EDGE: u32 = 32;

/// Presses keys one after another.
#[derive(Clone, Debug)]
pub(crate) struct Keypad {
    state: State,
    queue: [Option<Step>; QUEUE],
    /// How long a key is held, and how long it is quiet behind it.
    key: (u32, u32),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Key(Event),
    Pause(u32),
}

/// Where in a step we are.
#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Down {
        event: Event,
        at: u32,
    },
    Gap {
        left: u32,
    },
    /// The audio is heard meanwhile.
    Pause {
        left: u32,
    },
}

impl Keypad {
    /// Holds keys for so long and is quiet for so long behind each.
    pub(crate) fn new(length: Duration, gap: Duration) -> Self {
        Self { state: State::Idle, queue: [None; QUEUE], key: (steps(length), steps(gap)) }
    }

    /// Presses keys and waits between them, or does nothing if there is no room for all.
    pub(crate) fn press_all(&mut self, presses: &[Press]) -> Result<(), Refused> {
        let waiting = self.queue.iter().take_while(|slot| slot.is_some()).count();
        let free = self.queue.get_mut(waiting..waiting + presses.len()).ok_or(Refused::Full)?;
        for (slot, press) in free.iter_mut().zip(presses) {
            *slot = Some(match *press {
                Press::Key(event) => Step::Key(event),
                Press::Pause(pause) => Step::Pause(steps(pause.min(LONGEST_PAUSE))),
            });
        }
        Ok(())
    }

    /// Speaks over samples that are about to be sent.
    pub(crate) fn speak_over(&mut self, rate: Rate, samples: &mut [i16]) {
        let stride = match rate {
            Rate::Narrow => 2,
            Rate::Wide => 1,
        };
        for sample in samples {
            self.advance();
            match &mut self.state {
                State::Idle => return,
                State::Pause { left } => *left = left.saturating_sub(stride),
                State::Gap { left } => {
                    *left = left.saturating_sub(stride);
                    *sample = 0;
                }
                State::Down { event, at } => {
                    *sample = tone(*event, PEAKS, *at, self.key.0);
                    *at += stride;
                }
            }
        }
    }

    /// Whether every key was pressed, and the quiet behind the last one is over.
    pub(crate) fn is_over(&self) -> bool {
        self.queue[0].is_none()
            && match self.state {
                State::Idle => true,
                State::Down { .. } => false,
                State::Gap { left } | State::Pause { left } => left == 0,
            }
    }

    /// Goes to the next step where one is over.
    fn advance(&mut self) {
        if let State::Down { at, .. } = self.state
            && at >= self.key.0
        {
            self.state = State::Gap { left: self.key.1 };
        }
        if let State::Idle | State::Gap { left: 0 } | State::Pause { left: 0 } = self.state {
            let step = self.queue[0].take();
            self.queue.rotate_left(1);
            self.state = match step {
                None => State::Idle,
                Some(Step::Key(event)) => State::Down { event, at: 0 },
                Some(Step::Pause(left)) => State::Pause { left },
            };
        }
    }
}

/// A sample of a key that is held for so long, its tones with these peaks.
pub(super) fn tone(event: Event, peaks: (f32, f32), at: u32, length: u32) -> i16 {
    let Some((row, column)) = event.place() else { return 0 };
    let swing = |frequency: f32| {
        // Whole turns are left out first: what is left of a long tone is exact to the last bit.
        let turns = f64::from(at) * f64::from(frequency) / f64::from(Rate::Wide.hertz());
        (turns.fract() as f32 * TAU).sin()
    };
    let edge = at.min(length.saturating_sub(at)).min(EDGE) as f32 / EDGE as f32;
    (edge * (peaks.0 * swing(ROWS[row]) + peaks.1 * swing(COLUMNS[column]))) as i16
}

pub(super) fn steps(duration: Duration) -> u32 {
    let steps = duration.as_nanos() * u128::from(Rate::Wide.hertz()) / 1_000_000_000;
    u32::try_from(steps).unwrap_or(u32::MAX)
}
