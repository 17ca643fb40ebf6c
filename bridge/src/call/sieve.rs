//! Each key once, however often it is told.
//!
//! A PBX may tell of a key as telephone events, by INFO and as tones in the audio, all for the same press. Whichever comes first
//! counts. What comes later by another way, and has not come by it for that press, is the same press; by the same way it is
//! another one, for each way by itself tells every press once. So a key that is pressed twice in quick succession stays two.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Key;

/// How much later another way may tell of a press: INFO often follows when the key is let go, and may have to be sent again.
const WINDOW: Duration = Duration::from_secs(2);
/// Presses that are remembered; nobody types more within the window.
const MOST: usize = 64;

/// How a key was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As telephone events (RFC 4733).
    Event,
    /// By INFO.
    Info,
    /// As tones in the audio.
    Tone,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Sieve {
    presses: VecDeque<Press>,
}

#[derive(Debug)]
struct Press {
    key: Key,
    at: Instant,
    told: [bool; 3],
}

impl Sieve {
    /// Whether a press is news. When too many are remembered, the oldest is forgotten.
    pub fn admits(&mut self, now: Instant, way: Way, key: Key) -> bool {
        while self.presses.front().is_some_and(|press| now.saturating_duration_since(press.at) > WINDOW) {
            self.presses.pop_front();
        }
        let way = way as usize;
        if let Some(press) = self.presses.iter_mut().find(|press| press.key == key && !press.told[way]) {
            press.told[way] = true;
            return false;
        }
        let mut told = [false; 3];
        told[way] = true;
        if self.presses.len() == MOST {
            self.presses.pop_front();
        }
        self.presses.push_back(Press { key, at: now, told });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds what a script says: `e5` is an event, `i5` an INFO, `t5` a tone; `.` is a tenth of a second.
    fn sifted(script: &str) -> String {
        let (mut sieve, mut now, mut way) = (Sieve::default(), Instant::now(), Way::Event);
        let mut admitted = String::new();
        for step in script.chars().filter(|step| *step != ' ') {
            match step {
                'e' => way = Way::Event,
                'i' => way = Way::Info,
                't' => way = Way::Tone,
                '.' => now += Duration::from_millis(100),
                key => admitted.extend(sieve.admits(now, way, Key(key)).then_some(key)),
            }
        }
        admitted
    }

    #[test]
    fn a_press_is_told_once() {
        let cases: &[(&str, &str, &str)] = &[
            ("one way", "e5 .. e6", "56"),
            ("twice in quick succession", "e5 . e5", "55"),
            ("both ways", "e5 . i5", "5"),
            ("the other first", "i5 . e5", "5"),
            ("all three ways", "t5 . e5 . i5", "5"),
            ("twice, both ways", "e5 . i5 . e5 . i5", "55"),
            ("twice, the other way behind", "e5 . e5 ... i5 . i5", "55"),
            ("twice, one of them lost", "e5 . e5 ... i5", "55"),
            ("the other way tells one more", "e5 ... i5 . i5", "55"),
            ("let go late", "e5 .................... i5", "5"),
            ("too late to be the same", "e5 ..................... i5", "55"),
            ("keys between", "e1 e2 e3 i1 i2 i3", "123"),
            ("three times, three ways", "e5t5i5 . e5t5i5 . e5t5i5", "555"),
        ];
        for (name, script, expected) in cases {
            assert_eq!(sifted(script), *expected, "{name}");
        }
    }

    #[test]
    fn it_remembers_no_more_than_it_must() {
        let (mut sieve, now) = (Sieve::default(), Instant::now());
        for _ in 0..10_000 {
            assert!(sieve.admits(now, Way::Event, Key('5')));
        }
        assert_eq!(sieve.presses.len(), MOST);
    }
}
