//! The tone of a key that somebody holds, who knows how long: for the room, which else hears nothing of its time.

use std::time::Duration;

use super::{
    Event,
    keypad::{EDGE, steps, tone},
};
use crate::frame::Rate;

/// The peaks of the tones, 8 dB below what a keypad says to a carrier: people hear it, beside speech.
const PEAKS: (f32, f32) = (2_870.0, 3_620.0);
/// No key is heard for longer, however long it is held.
const LONGEST: Duration = Duration::from_secs(10);
/// Nor for less, whatever its sender says: shorter tones are no key to anybody (ITU-T Q.24).
const SHORTEST: Duration = Duration::from_millis(40);
/// Of a key that is pressed while another one is heard so much is silent, and half of that is the end of the other one.
const GAP: Duration = Duration::from_millis(40);

/// One key, from when it goes down. Times are in steps of 16 kHz.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beep {
    event: Event,
    at: u32,
    /// Silent before.
    begins: u32,
    ends: u32,
}

impl Beep {
    /// A key that goes down now; `None` for events that are none.
    pub(crate) fn new(event: Event) -> Option<Self> {
        event.place().map(|_| Self { event, at: 0, begins: 0, ends: steps(LONGEST) })
    }

    /// The same in the frame in which another one [stops](Self::stop).
    pub(crate) fn behind_another(self) -> Self {
        Self { at: steps(GAP / 2), begins: steps(GAP), ..self }
    }

    /// Nobody knows any more when it comes up.
    pub(crate) fn hold(&mut self) {
        self.ends = steps(LONGEST);
    }

    /// It came up so long after it went down.
    pub(crate) fn release(&mut self, after: Duration) {
        let told = steps(after).max(self.begins + steps(SHORTEST));
        // What was said up to here has to fade.
        self.ends = self.ends.min(told.max(self.at + EDGE));
    }

    /// It fades now.
    pub(crate) fn stop(&mut self) {
        self.ends = self.ends.min(self.at + EDGE);
    }

    /// The next samples; silence once it is over.
    pub(crate) fn speak(&mut self, rate: Rate, samples: &mut [i16]) {
        let stride = match rate {
            Rate::Narrow => 2,
            Rate::Wide => 1,
        };
        for sample in samples {
            *sample = match self.at.checked_sub(self.begins) {
                Some(at) if self.at < self.ends => tone(self.event, PEAKS, at, self.ends - self.begins),
                _ => 0,
            };
            self.at = self.at.saturating_add(stride);
        }
    }

    /// So many ticks pass in which nobody hears it.
    pub(crate) fn pass(&mut self, ticks: u64) {
        let steps = u32::try_from(ticks.saturating_mul(2)).unwrap_or(u32::MAX);
        self.at = self.at.saturating_add(steps);
    }

    /// Which one it is.
    pub(crate) fn event(&self) -> Event {
        self.event
    }

    pub(crate) fn is_over(&self) -> bool {
        self.at >= self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(key: char) -> Beep {
        Beep::new(Event::from_digit(key).expect("a key")).expect("a key")
    }

    fn spoken(beep: &mut Beep, samples: usize) -> Vec<i16> {
        let mut spoken = vec![0; samples];
        beep.speak(Rate::Narrow, &mut spoken);
        spoken
    }

    /// The largest step from sample to sample; that of the tones themselves is below 5400, and a fade adds 400.
    fn largest_step(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn it_is_as_long_as_it_was_held() {
        let cases: &[(&str, u64, u64, usize)] = &[
            ("known before its end", 60, 100, 100),
            ("known at its end", 100, 100, 102),
            ("known late", 300, 100, 302),
            ("too short for anybody", 20, 5, 40),
            ("for ever", 20, 60_000, 10_000),
        ];
        for (name, said, held, expected) in cases {
            let mut beep = pressed('5');
            let mut heard = spoken(&mut beep, *said as usize * 8);
            beep.release(Duration::from_millis(*held));
            heard.extend(spoken(&mut beep, 90_000));
            let last = heard.iter().rposition(|sample| *sample != 0).unwrap_or(0);
            assert!(last.abs_diff(expected * 8) <= 8, "{name}: {last} samples instead of {expected} ms");
            assert!(beep.is_over(), "{name}");
            assert!(largest_step(&heard) < 5_800, "{name}");
        }
    }

    #[test]
    fn it_ends_without_a_click_wherever_it_is() {
        for samples in [1, 7, 16, 100, 1_603] {
            let mut beep = pressed('5');
            let mut heard = spoken(&mut beep, samples);
            beep.stop();
            heard.extend(spoken(&mut beep, 160));
            assert!(heard[samples + 16..].iter().all(|sample| *sample == 0) && beep.is_over(), "after {samples}");
            assert!(largest_step(&heard) < 5_800, "after {samples}: {}", largest_step(&heard));
        }
    }

    #[test]
    fn one_behind_another_begins_in_silence_and_ends_in_its_time() {
        let mut beep = pressed('1').behind_another();
        beep.release(Duration::from_millis(100));
        let heard = spoken(&mut beep, 1_000);
        assert!(heard[..160].iter().all(|sample| *sample == 0) && heard[161..176].iter().any(|sample| *sample != 0));
        assert!(heard[640..].iter().all(|sample| *sample == 0), "20 ms of its time are those of the other one");
    }

    #[test]
    fn it_is_the_same_at_either_rate() {
        let (mut narrow, mut wide) = (pressed('9'), pressed('9'));
        let (mut at_8, mut at_16) = (vec![0; 1_000], vec![0; 2_000]);
        narrow.speak(Rate::Narrow, &mut at_8);
        wide.speak(Rate::Wide, &mut at_16);
        assert!(at_8.iter().eq(at_16.iter().step_by(2)));
        assert!(Beep::new(Event(16)).is_none(), "a flash of the hook has no tones");
    }
}
