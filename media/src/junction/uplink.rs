//! From the carrier to the room.

mod keys;

use std::time::{Duration, Instant};

use self::keys::Keys;
pub(crate) use self::keys::Told;
use super::ear::Ear;
use crate::{
    Error,
    codec::{Coding, opus::Profile},
    dtmf,
    frame::{FRAME, Rate, WIDE_FRAME, duration_of, samples_in},
    leg::{
        carrier::{Carrier, Heard},
        voice::{Spoken, Voice},
    },
    noise::Noise,
    plc::LIMIT,
    tone::Tone,
};

/// How long a frame is.
const FRAME_TIME: Duration = Duration::from_millis(20);
/// A tone or noise that is this late is not made up for.
const TOO_LATE: Duration = Duration::from_millis(100);

/// Noise is ahead of a carrier's timestamps by the way that its packets came, and by no more than this, in ticks: 200 ms.
const UNTOLD: u64 = 10 * FRAME as u64;

/// Decodes, conceals, and cuts into Opus frames, each at once.
#[derive(Debug)]
pub(crate) struct Uplink {
    source: Source,
    ear: Ear,
    /// Hears keys in the audio, where that is wanted.
    tones: Option<Box<dtmf::Detector>>,
    /// Says keys as tones, where that is wanted.
    keys: Option<Box<Keys>>,
    voice: Voice,
    /// Heard while the carrier only says how loud its line is.
    quiet: Option<Quiet>,
    /// Ticks of that, which the carrier's timestamps do not tell of yet.
    ahead: u64,
    /// Lost ticks that are still to be made up, and those past what can be.
    lost: u64,
    given_up: u64,
    concealed: u64,
}

/// Noise by the clock; what was said of it ends at `until`.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    noise: Noise,
    until: Instant,
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
            ear: Ear::narrow(),
            tones: None,
            keys: None,
            voice: Voice::new(Rate::Narrow, profile, origin)?,
            quiet: None,
            ahead: 0,
            lost: 0,
            given_up: 0,
            concealed: 0,
        })
    }

    /// Hears and speaks at the carrier's rate from here on; the room's clock goes on.
    pub(crate) fn set_carrier(&mut self, carrier: &Carrier) -> Result<(), Error> {
        self.voice.set_rate(carrier.rate())?;
        self.ear.set(carrier.rate(), carrier.hears_g722());
        match (&mut self.tones, carrier.hears_tones()) {
            (Some(tones), true) => tones.set_rate(carrier.rate()),
            (tones, is_wanted) => {
                let mutes = self.keys.is_none();
                *tones = is_wanted.then(|| Box::new(dtmf::Detector::new(carrier.rate(), mutes)));
            }
        }
        // On hold the line is silent.
        self.quiet = self.quiet.filter(|_| carrier.is_heard());
        if !carrier.is_heard() {
            self.drop_keys();
        }
        Ok(())
    }

    /// Closed, nothing is encoded. Whoever comes hears no key of before; to say once more what is known changes nothing.
    pub(crate) fn set_open(&mut self, open: bool) {
        if open != self.voice.is_open() {
            self.drop_keys();
        }
        self.voice.set_open(open);
    }

    /// Plays a tone in place of what the carrier says, or no longer.
    pub(crate) fn set_tone(&mut self, now: Instant, on: bool, carrier: &Carrier) {
        self.source = match (self.source, on) {
            (Source::Carrier, true) => {
                (self.lost, self.given_up) = (0, 0);
                self.ear.reset();
                self.ahead = 0;
                self.drop_keys();
                let quiet_until = self.quiet.take().map(|quiet| quiet.until);
                self.begin(now, quiet_until.or(carrier.ended()))
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
                        self.hear(now, carrier, payload)?;
                    }
                }
                Source::Tone { tone, until } => self.ring(now, tone, until, carrier)?,
                Source::Nobody { since, fading } => self.listen(now, since, fading, carrier, payload)?,
            }
        }
    }

    /// When to poll again though nothing comes from the carrier.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self.source {
            Source::Carrier => self.key_due().or(self.quiet.map(|quiet| quiet.until + FRAME_TIME)),
            Source::Tone { until, .. } => Some(until + FRAME_TIME),
            Source::Nobody { since, fading } => fading.map(|_| since + FRAME_TIME),
        }
    }

    /// The next key that was heard in the audio.
    pub(crate) fn poll_tone(&mut self) -> Option<dtmf::Event> {
        self.tones.as_mut()?.poll()
    }

    /// How we sound to the room.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }

    pub(crate) fn voice_mut(&mut self) -> &mut Voice {
        &mut self.voice
    }

    /// Ticks made up.
    pub(crate) fn concealed(&self) -> u64 {
        self.concealed
    }

    fn hear(&mut self, now: Instant, carrier: &mut Carrier, payload: &mut [u8]) -> Option<()> {
        if self.begin_key(now) {
            return Some(());
        }
        if self.ahead > 0 && carrier.ended().is_none() {
            // Who has said nothing yet has no time to be ahead of.
            self.ahead = 0;
        }
        let Some(heard) = carrier.poll_piece(now) else {
            return if self.is_key_down() { self.say_due_key(now) } else { self.hush(now) };
        };
        let is_said = self.ahead > 0 || self.quiet.is_some() || self.is_key_down();
        match self.without_keys(heard) {
            Heard::Audio(coding, bytes) => {
                self.begin_speech(now);
                self.say(coding, bytes, None);
            }
            Heard::Opus { ticks, lost, payload: packet } => {
                self.begin_speech(now);
                self.voice.hand_on(ticks, lost, packet, payload);
            }
            Heard::Noise { level } => self.quieten(now, level),
            Heard::Lost(ticks) | Heard::Pause(ticks) if is_said => self.pass(ticks),
            // Whoever hears Opus can make up for it better than we can.
            Heard::Lost(ticks) if self.voice.leave_gap(ticks) => {}
            Heard::Lost(ticks) => {
                self.lost = ticks.min(LIMIT as u64);
                self.given_up = ticks - self.lost;
            }
            Heard::Pause(ticks) => {
                self.pause_tones(ticks);
                self.ear.reset();
                self.voice.pause(ticks);
            }
        }
        Some(())
    }

    /// From here on there is noise of this level, until somebody speaks again. What was said beyond the carrier's time before
    /// is time won.
    #[cold]
    fn quieten(&mut self, now: Instant, level: u8) {
        match &mut self.quiet {
            Some(quiet) => quiet.noise.set_level(level),
            quiet => {
                *quiet = Some(Quiet { noise: Noise::new(level), until: now + duration_of(self.ahead) });
                self.ear.reset();
            }
        }
    }

    /// Somebody speaks. His timestamps were to tell of all the time that the noise took: of what they never tell is not waited
    /// for, for there are peers whose clock stands still as long as they are silent.
    fn begin_speech(&mut self, now: Instant) {
        if self.quiet.take().is_some() && self.ahead > UNTOLD {
            self.ahead = 0;
        }
        self.note_said(now);
    }

    /// Says the next frame of noise once its time has passed.
    fn hush(&mut self, now: Instant) -> Option<()> {
        let Quiet { mut noise, until } = self.quiet?;
        let late = now.checked_duration_since(until + FRAME_TIME)?;
        let ticks = if late > TOO_LATE {
            self.voice.pause(samples_in(late));
            samples_in(late)
        } else {
            self.say_noise(&mut noise, FRAME);
            FRAME as u64
        };
        self.ahead += ticks;
        self.quiet = Some(Quiet { noise, until: until + duration_of(ticks) });
        Some(())
    }

    /// The carrier's time tells of a pause, of which the noise was the beginning.
    #[cold]
    fn pass(&mut self, ticks: u64) {
        self.pause_tones(ticks);
        let said = ticks.min(self.ahead);
        self.ahead -= said;
        let mut rest = ticks - said;
        rest -= self.say_key(rest);
        if let Some(Quiet { mut noise, until }) = self.quiet {
            let until = until + duration_of(rest);
            let filled = rest.min(FRAME as u64);
            self.say_noise(&mut noise, filled as usize);
            self.quiet = Some(Quiet { noise, until });
            rest -= filled;
        }
        self.ear.reset();
        self.voice.pause(rest);
    }

    fn say_noise(&mut self, noise: &mut Noise, ticks: usize) {
        let mut pcm = [0; WIDE_FRAME];
        let pcm = &mut pcm[..self.voice.rate().samples(ticks)];
        noise.speak(pcm);
        self.voice.push(pcm);
    }

    fn say(&mut self, coding: Coding, bytes: &[u8], fading: Option<Tone>) {
        let rate = self.voice.rate();
        // Decoded where it is encoded from: a call's memory is cold when its turn comes, and every line of it counts.
        let room = self.voice.room(rate.samples(bytes.len()));
        let samples = self.ear.hear(coding, bytes, room);
        if let Some(tones) = &mut self.tones {
            tones.hear(&mut room[..samples]);
        }
        if let Some(mut tone) = fading {
            tone.speak_into(rate, &mut room[..samples]);
        }
        self.voice.extend(samples);
    }

    /// Makes up a frame of what was lost; past the limit the loss becomes a pause. Returns whether anything was lost.
    fn make_up(&mut self) -> bool {
        if self.lost > 0 {
            self.make_up_frame();
            return true;
        }
        let given_up = std::mem::take(&mut self.given_up);
        self.pause_tones(given_up);
        self.voice.pause(given_up);
        given_up > 0
    }

    #[cold]
    fn make_up_frame(&mut self) {
        let count = self.lost.min(FRAME as u64);
        let mut pcm = [0; WIDE_FRAME];
        let pcm = &mut pcm[..self.voice.rate().samples(count as usize)];
        self.ear.make_up(pcm);
        if let Some(tones) = &mut self.tones {
            tones.guess(pcm);
        }
        self.voice.push(pcm);
        self.lost -= count;
        self.concealed += count;
    }

    /// No key goes on through a pause.
    fn pause_tones(&mut self, ticks: u64) {
        if let Some(tones) = self.tones.as_mut().filter(|_| ticks > 0) {
            tones.pause(ticks);
        }
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
            self.say_tone(&mut tone);
            until += FRAME_TIME;
        }
        self.source = Source::Tone { tone, until };
        Some(())
    }

    /// Waits for the carrier's audio, and goes on with it at its time. The tone fades below it, or before it.
    #[cold]
    fn listen(
        &mut self,
        now: Instant,
        since: Instant,
        fading: Option<Tone>,
        carrier: &mut Carrier,
        payload: &mut [u8],
    ) -> Option<()> {
        match carrier.poll_piece(now) {
            Some(Heard::Audio(coding, bytes)) => {
                if fading.is_none() {
                    let spoken = duration_of(bytes.len() as u64);
                    self.voice.pause(samples_in(now.saturating_duration_since(since + spoken)));
                }
                self.say(coding, bytes, fading);
                self.source = Source::Carrier;
            }
            Some(Heard::Opus { ticks, lost, payload: packet }) => match fading {
                None => {
                    let spoken = duration_of(ticks as u64);
                    self.voice.pause(samples_in(now.saturating_duration_since(since + spoken)));
                    self.voice.hand_on(ticks, lost, packet, payload);
                    self.source = Source::Carrier;
                }
                // Nothing fades below a packet that is not opened: the tone has the time of this one.
                Some(mut tone) => {
                    self.say_tone(&mut tone);
                    self.source = Source::Nobody { since: since + FRAME_TIME, fading: None };
                }
            },
            // The clock tells how long nothing was said.
            Some(Heard::Lost(_) | Heard::Pause(_) | Heard::Noise { .. }) => {}
            None => {
                let mut tone = fading.filter(|_| now >= since + FRAME_TIME)?;
                self.say_tone(&mut tone);
                self.source = Source::Nobody { since: since + FRAME_TIME, fading: None };
            }
        }
        Some(())
    }

    fn say_tone(&mut self, tone: &mut Tone) {
        let rate = self.voice.rate();
        let mut pcm = [0; WIDE_FRAME];
        let pcm = &mut pcm[..rate.frame()];
        tone.speak(rate, pcm);
        self.voice.push(pcm);
    }
}
