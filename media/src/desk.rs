//! What sits where the other side would be: plays, records, echoes, and measures what comes back.
//!
//! A [`Phone`] and a [`Guest`] are the two legs of a junction, each with a [`Desk`] in place of the other leg; they are how a
//! call is tried out from end to end. While it runs a desk only copies samples; measuring is for afterwards.

mod guest;
mod measure;
mod phone;

pub use guest::{Guest, GuestConfig, GuestReport};
pub use measure::{Measurement, correlate, pitch};
pub use phone::{Phone, PhoneConfig, PhoneReport};

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::frame::{FRAME, Fifo, RATE, samples_in};

/// The longest recording, ten minutes: 9.6 MB.
pub const LONGEST_RECORDING: Duration = Duration::from_secs(600);
/// Samples that wait to be echoed.
const ECHO: usize = 4 * FRAME;

/// What a desk says.
#[derive(Clone, Debug, Default)]
pub enum Play {
    /// Nothing.
    #[default]
    Silence,
    /// A sine.
    Tone {
        /// In hertz.
        frequency: f32,
        /// In -dBov, of the sine's mean power.
        level: u8,
    },
    /// Samples at 8 kHz, once or over and over.
    Samples {
        /// What.
        pcm: Arc<[i16]>,
        /// Whether to begin again at the end.
        looped: bool,
    },
    /// What is heard, with as little delay as there can be.
    Echo,
}

/// See the module.
#[derive(Debug)]
pub struct Desk {
    play: Play,
    /// Samples said.
    said: u64,
    echo: Fifo,
    recording: Vec<i16>,
    /// When each stretch was heard and said: the position of its first sample.
    heard_at: Vec<(u64, Instant)>,
    said_at: Vec<(u64, Instant)>,
    /// Samples heard, whether there was room for them or not.
    heard: u64,
}

impl Desk {
    /// A desk that records at most so long: [`LONGEST_RECORDING`] if more is asked for. The memory is taken here.
    pub fn new(play: Play, record: Duration) -> Self {
        let samples = samples_in(record.min(LONGEST_RECORDING)) as usize;
        // One entry a packet, and packets are seldom shorter than ten milliseconds.
        let entries = samples / (FRAME / 2);
        Self {
            play,
            said: 0,
            echo: Fifo::new(ECHO),
            recording: Vec::with_capacity(samples),
            heard_at: Vec::with_capacity(entries),
            said_at: Vec::with_capacity(entries),
            heard: 0,
        }
    }

    /// What was recorded, at 8 kHz.
    pub fn recording(&self) -> &[i16] {
        &self.recording
    }

    /// Samples heard, recorded or not.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Whether all that was to be played was said. A desk that has no end is never done.
    pub fn is_done(&self) -> bool {
        match &self.play {
            Play::Samples { pcm, looped: false } => self.said >= pcm.len() as u64,
            Play::Samples { .. } | Play::Silence | Play::Tone { .. } | Play::Echo => false,
        }
    }

    /// Looks at what came back. This takes milliseconds: not for the thread that carries calls.
    pub fn measure(&self) -> Measurement {
        measure::measure(self)
    }

    pub(crate) fn is_echo(&self) -> bool {
        matches!(self.play, Play::Echo)
    }

    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.play, Play::Silence)
    }

    /// Whether there is use in decoding what is heard.
    pub(crate) fn is_listening(&self) -> bool {
        self.recording.capacity() > 0
    }

    /// Says the next samples.
    pub(crate) fn speak(&mut self, now: Instant, samples: &mut [i16]) {
        note(&mut self.said_at, self.said, now);
        if let Play::Echo = self.play {
            let count = self.echo.len().min(samples.len());
            samples[..count].copy_from_slice(&self.echo.front()[..count]);
            samples[count..].fill(0);
            self.echo.consume(count);
        } else {
            for (n, sample) in samples.iter_mut().enumerate() {
                *sample = self.play.sample(self.said + n as u64);
            }
        }
        self.said += samples.len() as u64;
    }

    /// Hears samples; what there is no room for is only counted.
    pub(crate) fn hear(&mut self, now: Instant, samples: &[i16]) {
        if self.is_echo() {
            // What is there already is older: what does not fit is not wanted.
            self.echo.push(samples);
        }
        let room = self.recording.capacity() - self.recording.len();
        if room > 0 {
            note(&mut self.heard_at, self.heard, now);
            self.recording.extend_from_slice(&samples[..samples.len().min(room)]);
        }
        self.heard += samples.len() as u64;
    }

    /// Hears nothing for a while.
    pub(crate) fn hear_silence(&mut self, now: Instant, samples: u64) {
        let room = (self.recording.capacity() - self.recording.len()) as u64;
        if room > 0 {
            note(&mut self.heard_at, self.heard, now);
            let length = self.recording.len() + samples.min(room) as usize;
            self.recording.resize(length, 0);
        }
        self.heard += samples;
    }
}

impl Play {
    /// The sample at a position.
    pub(crate) fn sample(&self, position: u64) -> i16 {
        match self {
            Self::Silence | Self::Echo => 0,
            Self::Tone { frequency, level } => {
                // A sine peaks 3 dB above its mean power.
                let peak = 32_768.0 * 10f32.powf((3.01 - f32::from(*level)) / 20.0);
                let seconds = position as f64 / f64::from(RATE);
                let phase = (seconds * f64::from(*frequency)).fract() as f32;
                (peak * (phase * std::f32::consts::TAU).sin()).clamp(-32_768.0, 32_767.0) as i16
            }
            Self::Samples { pcm, looped } => {
                let length = pcm.len() as u64;
                let at = if *looped && length > 0 { position % length } else { position };
                usize::try_from(at).ok().and_then(|at| pcm.get(at)).copied().unwrap_or(0)
            }
        }
    }
}

/// Notes a stretch while there is room; several at one time are one.
fn note(entries: &mut Vec<(u64, Instant)>, position: u64, now: Instant) {
    let same = entries.last().is_some_and(|(_, at)| *at == now);
    if !same && entries.len() < entries.capacity() {
        entries.push((position, now));
    }
}
