//! What callers hear of the gateway itself: recordings that come with it, and those of the configuration in their place.

use std::fmt;
use std::io::Cursor;
use std::sync::Arc;

use crate::call::pin::Prompt;
use crate::wav;

const ENTER_PIN: &[u8] = include_bytes!("../prompts/en/enter_pin.wav");
const WRONG_PIN: &[u8] = include_bytes!("../prompts/en/wrong_pin.wav");
const ROOM_JOIN: &[u8] = include_bytes!("../prompts/en/room_join.wav");

/// The recordings, mono at 8 kHz.
#[derive(Clone)]
pub struct Prompts {
    pub(crate) enter_pin: Arc<[i16]>,
    pub(crate) wrong_pin: Arc<[i16]>,
    pub(crate) room_join: Arc<[i16]>,
    /// For a phone that the room holds; without a sample, silence.
    pub(crate) hold: Arc<[i16]>,
}

impl Default for Prompts {
    fn default() -> Self {
        Self { enter_pin: own(ENTER_PIN), wrong_pin: own(WRONG_PIN), room_join: own(ROOM_JOIN), hold: Arc::default() }
    }
}

impl Prompts {
    pub(crate) fn of(&self, prompt: Prompt) -> Arc<[i16]> {
        match prompt {
            Prompt::EnterPin => &self.enter_pin,
            Prompt::WrongPin => &self.wrong_pin,
            Prompt::RoomJoin => &self.room_join,
        }
        .clone()
    }

    pub(crate) fn hold(&self) -> Arc<[i16]> {
        self.hold.clone()
    }
}

/// How long they are.
impl fmt::Debug for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = [&self.enter_pin, &self.wrong_pin, &self.room_join, &self.hold].map(|samples| samples.len());
        write!(f, "Prompts({lengths:?} samples)")
    }
}

fn own(file: &[u8]) -> Arc<[i16]> {
    wav::decode(Cursor::new(file)).expect("a test reads the recordings that come with the gateway")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_recordings_can_be_heard() {
        let prompts = Prompts::default();
        for prompt in [Prompt::EnterPin, Prompt::WrongPin, Prompt::RoomJoin] {
            let samples = prompts.of(prompt);
            assert!((8_000..=8 * 8_000).contains(&samples.len()), "{prompt:?}: {}", samples.len());
            let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
            let level = 10.0 * (power / 32_768f64.powi(2)).log10();
            assert!((-32.0..=-18.0).contains(&level), "{prompt:?}: {level} dBFS");
        }
    }
}
