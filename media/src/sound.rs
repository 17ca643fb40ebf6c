//! A recording that the carrier hears in place of the room: a prompt, music on hold, or plain silence.

use std::fmt;
use std::sync::Arc;

use crate::frame::{FRAME, Rate};

/// See the module. It shares its samples, so that a recording is in memory once however many listen to it.
#[derive(Clone)]
pub struct Sound {
    samples: Arc<[i16]>,
    position: usize,
    repeats: bool,
    /// The sample before the next one, to draw the line between the two at 16 kHz.
    last: i16,
}

impl Sound {
    /// Played to its end: mono, at 8 kHz.
    pub fn once(samples: Arc<[i16]>) -> Self {
        Self { samples, position: 0, repeats: false, last: 0 }
    }

    /// Played again and again until it is stopped. Without a sample it is silence.
    pub fn endless(samples: Arc<[i16]>) -> Self {
        Self { samples, position: 0, repeats: true, last: 0 }
    }

    /// The next samples at the rate of the carrier; at 16 kHz each second one is the mean of its neighbours.
    pub(crate) fn speak_at(&mut self, rate: Rate, pcm: &mut [i16]) {
        if rate == Rate::Narrow {
            return self.speak(pcm);
        }
        let mut narrow = [0; FRAME];
        for wide in pcm.chunks_mut(2 * FRAME) {
            let narrow = &mut narrow[..wide.len().div_ceil(2)];
            self.speak(narrow);
            for (pair, sample) in wide.chunks_mut(2).zip(narrow) {
                let between = i16::midpoint(self.last, *sample);
                self.last = *sample;
                match pair {
                    [first, second] => (*first, *second) = (between, *sample),
                    rest => rest.fill(*sample),
                }
            }
        }
    }

    /// The next samples at 8 kHz, and silence behind the last one.
    fn speak(&mut self, mut pcm: &mut [i16]) {
        while !pcm.is_empty() {
            if self.repeats && self.position == self.samples.len() {
                self.position = 0;
            }
            let rest = self.samples.get(self.position..).unwrap_or_default();
            let count = rest.len().min(pcm.len());
            if count == 0 {
                return pcm.fill(0);
            }
            let (now, later) = pcm.split_at_mut(count);
            now.copy_from_slice(&rest[..count]);
            self.position += count;
            pcm = later;
        }
    }

    /// Whether nothing of it is left to be heard.
    pub(crate) fn is_over(&self) -> bool {
        !self.repeats && self.position == self.samples.len()
    }
}

/// Their number instead of the samples.
impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sound({} of {}, repeats: {})", self.position, self.samples.len(), self.repeats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_long_at_either_rate() {
        let mut sound = Sound::once([100, 300, 200].into());
        let mut pcm = [9; 8];
        sound.speak_at(Rate::Wide, &mut pcm);
        assert_eq!(pcm, [50, 100, 200, 300, 250, 200, 100, 0]);
        assert!(sound.is_over());
        let mut sound = Sound::once([100, 300].into());
        let mut pcm = [9; 3];
        sound.speak_at(Rate::Narrow, &mut pcm);
        assert_eq!(pcm, [100, 300, 0]);
    }

    #[test]
    fn it_is_heard_once_or_again_and_again() {
        let cases: &[(&str, Sound, [i16; 7], bool)] = &[
            ("once", Sound::once([1, 2, 3].into()), [1, 2, 3, 0, 0, 0, 0], true),
            ("longer than asked for", Sound::once([1, 2, 3, 4, 5, 6, 7, 8].into()), [1, 2, 3, 4, 5, 6, 7], false),
            ("nothing", Sound::once([].into()), [0; 7], true),
            ("endless", Sound::endless([1, 2, 3].into()), [1, 2, 3, 1, 2, 3, 1], false),
            ("silence", Sound::endless([].into()), [0; 7], false),
        ];
        for (name, sound, expected, is_over) in cases {
            let (mut sound, mut pcm) = (sound.clone(), [9; 7]);
            let (first, second) = pcm.split_at_mut(2);
            sound.speak(first);
            sound.speak(second);
            assert_eq!((pcm, sound.is_over()), (*expected, *is_over), "{name}");
        }
    }
}
