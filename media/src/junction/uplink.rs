//! From the carrier to the room.

use std::time::{Duration, Instant};

use crate::{
    Error,
    codec::{g711::Law, opus::Profile},
    frame::{FRAME, duration_of, samples_in},
    leg::{
        carrier::{Carrier, Heard},
        voice::{Spoken, Voice},
    },
    plc::{Concealer, LIMIT},
    tone::Tone,
};

/// How long a frame is.
const FRAME_TIME: Duration = Duration::from_millis(20);
/// A tone that is this late is not made up for.
const TOO_LATE: Duration = Duration::from_millis(100);

/// Decodes, conceals, and cuts into Opus frames, each at once.
#[derive(Debug)]
pub(crate) struct Uplink {
    source: Source,
    concealer: Concealer,
    voice: Voice,
    /// Lost samples that are still to be made up, and those past what can be.
    lost: u64,
    given_up: u64,
    concealed: u64,
}

/// Who is heard in the room.
#[derive(Clone, Copy, Debug)]
enum Source {
    Carrier,
    /// A tone by the clock; what was said of it ends there.
    Tone {
        tone: Tone,
        until: Instant,
    },
    /// Nobody since then: the tone was switched off and the carrier is not yet heard. What is left of the tone is its fading.
    Nobody {
        since: Instant,
        fading: Option<Tone>,
    },
}

impl Uplink {
    pub(crate) fn new(profile: Profile, origin: u32) -> Result<Self, Error> {
        Ok(Self {
            source: Source::Carrier,
            concealer: Concealer::new(),
            voice: Voice::new(profile, origin)?,
            lost: 0,
            given_up: 0,
            concealed: 0,
        })
    }

    /// Plays a tone in place of what the carrier says, or no longer.
    pub(crate) fn set_tone(&mut self, now: Instant, on: bool, carrier: &Carrier) {
        self.source = match (self.source, on) {
            (Source::Carrier, true) => {
                (self.lost, self.given_up) = (0, 0);
                self.concealer.reset();
                self.begin(now, carrier.ended())
            }
            (Source::Nobody { since, .. }, true) => self.begin(now, Some(since)),
            (Source::Tone { mut tone, until }, false) => {
                tone.end();
                Source::Nobody { since: until, fading: Some(tone) }
            }
            // It is as it should be.
            (source, _) => source,
        };
    }

    /// The next frame for the room.
    pub(crate) fn poll(&mut self, now: Instant, carrier: &mut Carrier, payload: &mut [u8]) -> Option<Spoken> {
        loop {
            if let Some(spoken) = self.voice.poll(payload) {
                return Some(spoken);
            }
            match self.source {
                Source::Carrier => {
                    if !self.make_up() {
                        self.hear(now, carrier)?;
                    }
                }
                Source::Tone { tone, until } => self.ring(now, tone, until, carrier)?,
                Source::Nobody { since, fading } => self.listen(now, since, fading, carrier)?,
            }
        }
    }

    /// When to poll again though nothing comes from the carrier.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self.source {
            Source::Carrier => None,
            Source::Tone { until, .. } => Some(until + FRAME_TIME),
            Source::Nobody { since, fading } => fading.map(|_| since + FRAME_TIME),
        }
    }

    /// How we sound to the room.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }

    pub(crate) fn voice_mut(&mut self) -> &mut Voice {
        &mut self.voice
    }

    /// Samples made up.
    pub(crate) fn concealed(&self) -> u64 {
        self.concealed
    }

    fn hear(&mut self, now: Instant, carrier: &mut Carrier) -> Option<()> {
        match carrier.poll_piece(now)? {
            Heard::Audio(law, bytes) => self.say(law, bytes, None),
            Heard::Lost(samples) => {
                self.lost = samples.min(LIMIT as u64);
                self.given_up = samples - self.lost;
            }
            Heard::Pause(samples) => {
                self.concealer.reset();
                self.voice.pause(samples);
            }
        }
        Some(())
    }

    fn say(&mut self, law: Law, bytes: &[u8], fading: Option<Tone>) {
        // Decoded where it is encoded from: a call's memory is cold when its turn comes, and every line of it counts.
        let room = self.voice.room(bytes.len());
        let samples = law.decode(bytes, room);
        self.concealer.good(&mut room[..samples]);
        if let Some(mut tone) = fading {
            tone.speak_into(&mut room[..samples]);
        }
        self.voice.extend(samples);
    }

    /// Makes up a frame of what was lost; past the limit the loss becomes a pause. Returns whether anything was lost.
    fn make_up(&mut self) -> bool {
        let mut pcm = [0; FRAME];
        let count = self.lost.min(FRAME as u64);
        if count > 0 {
            let pcm = &mut pcm[..count as usize];
            self.concealer.lost(pcm);
            self.voice.push(pcm);
            self.lost -= count;
            self.concealed += count;
            return true;
        }
        let given_up = std::mem::take(&mut self.given_up);
        self.voice.pause(given_up);
        given_up > 0
    }

    /// The tone begins now; silence lies between it and what was heard before.
    #[cold]
    fn begin(&mut self, now: Instant, silent_since: Option<Instant>) -> Source {
        let silence = silent_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        // A frame that was begun is completed, for the tone comes in whole ones.
        self.voice.pause(samples_in(silence).max(self.voice.missing() as u64));
        Source::Tone { tone: Tone::default(), until: now }
    }

    /// Says the next frame of the tone once its time has passed, as somebody who speaks would. The carrier is not heard.
    #[cold]
    fn ring(&mut self, now: Instant, mut tone: Tone, mut until: Instant, carrier: &mut Carrier) -> Option<()> {
        while carrier.poll_piece(now).is_some() {}
        let late = now.checked_duration_since(until + FRAME_TIME)?;
        if late > TOO_LATE {
            self.voice.pause(samples_in(late));
            until += duration_of(samples_in(late));
        } else {
            let mut pcm = [0; FRAME];
            tone.speak(&mut pcm);
            self.voice.push(&pcm);
            until += FRAME_TIME;
        }
        self.source = Source::Tone { tone, until };
        Some(())
    }

    /// Waits for the carrier's audio, and goes on with it at its time. The tone fades below it, or before it.
    #[cold]
    fn listen(&mut self, now: Instant, since: Instant, fading: Option<Tone>, carrier: &mut Carrier) -> Option<()> {
        match carrier.poll_piece(now) {
            Some(Heard::Audio(law, bytes)) => {
                if fading.is_none() {
                    let spoken = duration_of(bytes.len() as u64);
                    self.voice.pause(samples_in(now.saturating_duration_since(since + spoken)));
                }
                self.say(law, bytes, fading);
                self.source = Source::Carrier;
            }
            // The clock tells how long nothing was said.
            Some(Heard::Lost(_) | Heard::Pause(_)) => {}
            None => {
                let mut tone = fading.filter(|_| now >= since + FRAME_TIME)?;
                let mut pcm = [0; FRAME];
                tone.speak(&mut pcm);
                self.voice.push(&pcm);
                self.source = Source::Nobody { since: since + FRAME_TIME, fading: None };
            }
        }
        Some(())
    }
}
