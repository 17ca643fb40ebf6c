//! A recording that the carrier hears in place of the room: a prompt, music on hold, or plain silence.

use std::fmt;
use std::sync::Arc;

/// See the module. It shares its samples, so that a recording is in memory once however many listen to it.
#[derive(Clone)]
pub struct Sound {
    samples: Arc<[i16]>,
    position: usize,
    repeats: bool,
}

impl Sound {
    /// Played to its end: mono, at 8 kHz.
    pub fn once(samples: Arc<[i16]>) -> Self {
        Self { samples, position: 0, repeats: false }
    }

    /// Played again and again until it is stopped. Without a sample it is silence.
    pub fn endless(samples: Arc<[i16]>) -> Self {
        Self { samples, position: 0, repeats: true }
    }

    /// The next samples, and silence behind the last one.
    pub(crate) fn speak(&mut self, mut pcm: &mut [i16]) {
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
