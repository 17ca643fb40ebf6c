//! From the room to the carrier.

use std::time::{Duration, Instant};

use super::{
    floor::{Handed, Handing},
    patience::Patience,
};
use crate::{
    Error,
    frame::{Rate, SILENCE, WIDE_FRAME, earliest, level},
    gate::{Gate, Loudness, Verdict},
    leg::{carrier::Carrier, talkers::Talkers},
    noise::Noise,
    sound::Sound,
    tone::Tone,
};

/// So far ahead of the clock, what is quiet is left out.
pub(super) const AHEAD: Duration = Duration::from_millis(60);
/// So far ahead, anything is.
pub(super) const FAR_AHEAD: Duration = Duration::from_millis(120);
/// Quieter than this, nobody misses twenty milliseconds.
const QUIET: u8 = 50;

/// What is louder than this before a talker falls silent was no background.
const BACKGROUND: u8 = 40;
/// Talkers who say nothing tell every 400 ms how that sounds. Without news for so long it sounds of nothing.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// Mixes the talkers into the carrier's stream, and fills it with silence where nobody speaks.
#[derive(Debug)]
pub(crate) struct Downlink {
    talkers: Talkers,
    /// Heard by the carrier in place of the talkers; one that is ending, until they are heard.
    tone: Option<Tone>,
    /// The same of a recording; a tone goes before it.
    sound: Option<Sound>,
    /// A recording is over, which is still to be told.
    played: bool,
    /// What it sounds like where the talkers are who say nothing, and until when that is known.
    background: Option<(Noise, Instant)>,
    /// Asked only where silence may be told instead of being sent.
    gate: Gate,
    /// How long one talker is waited for while all are decoded.
    patience: Patience,
    /// Whose packets go to the carrier as they are.
    handing: Handing,
    level: u8,
    /// When somebody was heard last.
    last_sound: Option<Instant>,
    dropped: u64,
}

impl Downlink {
    pub(crate) fn new() -> Self {
        Self {
            talkers: Talkers::new(Rate::Narrow),
            tone: None,
            sound: None,
            played: false,
            background: None,
            gate: Gate::new(),
            patience: Patience::default(),
            handing: Handing::default(),
            level: SILENCE,
            last_sound: None,
            dropped: 0,
        }
    }

    /// Mixes at the carrier's rate from here on.
    pub(crate) fn set_carrier(&mut self, carrier: &Carrier) -> Result<(), Error> {
        if !carrier.takes_whole() {
            self.handing.end(&mut self.talkers);
        }
        self.talkers.set_whole(carrier.takes_whole());
        self.talkers.set_rate(carrier.rate())
    }

    pub(crate) fn talkers(&self) -> &Talkers {
        &self.talkers
    }

    pub(crate) fn talkers_mut(&mut self) -> &mut Talkers {
        &mut self.talkers
    }

    /// Plays a tone in place of what the talkers say, or no longer.
    pub(crate) fn set_tone(&mut self, on: bool) {
        match &mut self.tone {
            Some(tone) if !on => tone.end(),
            Some(tone) if !tone.is_ending() => {}
            tone => *tone = on.then(Tone::default),
        }
    }

    /// Plays a recording in place of what the talkers say, or no longer.
    pub(crate) fn set_sound(&mut self, sound: Option<Sound>) {
        self.sound = sound;
    }

    /// Whether a recording has come to its end; true once.
    pub(crate) fn poll_played(&mut self) -> bool {
        std::mem::take(&mut self.played)
    }

    /// Moves the next stretch of sound into the carrier's stream; false when it is too early for any.
    pub(crate) fn advance(&mut self, now: Instant, carrier: &mut Carrier) -> bool {
        if let Some(tone) = self.tone {
            return self.ring(now, tone, carrier);
        }
        if self.sound.is_some() {
            return self.play(now, carrier);
        }
        if carrier.takes_whole()
            && let Some(advanced) = self.hand_on(now, carrier)
        {
            self.patience.handle_silence();
            return advanced;
        }
        if let Some(samples) = self.talkers.ready(now, self.patience.is_over(now)) {
            let mut mixed = [0; WIDE_FRAME];
            self.talkers.mix(&mut mixed[..samples]);
            self.pass(now, carrier, &mixed[..samples]);
            return true;
        }
        if self.talkers.is_anybody_active() {
            self.patience.handle_wait(now);
            return false;
        }
        let (_, ticks) = carrier.next_packet();
        let filled = self.fill(now, carrier);
        match filled {
            true => self.patience.handle_filled(ticks),
            false => self.patience.handle_silence(),
        }
        filled
    }

    /// When to advance again.
    pub(crate) fn next_timeout(&self, carrier: &Carrier) -> Option<Instant> {
        let rings = self.sound.is_some() || self.tone.is_some_and(|tone| !tone.is_ending());
        let waits = !rings && self.handing.waits(&self.talkers);
        let silence = carrier.due().filter(|_| !waits);
        let silence = silence.map(|due| self.handing.quiet_until().map_or(due, |until| due.max(until)));
        let waited = earliest(self.patience.next_timeout(), self.handing.given_up());
        earliest(earliest(self.talkers.next_timeout(), waited), silence)
    }

    /// Level of what was last sent.
    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    /// When a sound of the room went to the carrier last.
    pub(crate) fn last_sound(&self) -> Option<Instant> {
        self.last_sound
    }

    /// Ticks left out because they came faster than time.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The same while a talker's packets go to the carrier as they are; `None` while they do not.
    fn hand_on(&mut self, now: Instant, carrier: &mut Carrier) -> Option<bool> {
        let handed = self.handing.advance(now, &mut self.talkers, carrier)?;
        match handed {
            Handed::Packet { level } => {
                self.level = level;
                self.note_sound(now);
            }
            Handed::Dropped { ticks } => self.dropped += ticks as u64,
            Handed::Silence => self.level = SILENCE,
            Handed::Nothing => return Some(false),
        }
        Some(true)
    }

    fn note_sound(&mut self, now: Instant) {
        if self.level < QUIET {
            self.last_sound = Some(now);
        }
    }

    /// Fills the carrier's stream while nobody speaks: with what that sounds like, or by saying so.
    fn fill(&mut self, now: Instant, carrier: &mut Carrier) -> bool {
        if carrier.due().is_none_or(|due| now < due) {
            return false;
        }
        self.listen_to_silence(now);
        let background = self.background.as_mut().filter(|(_, until)| now < *until);
        if carrier.may_rest() && self.gate.idle(carrier.next_packet().1) {
            let level = background.map_or(SILENCE, |(noise, _)| noise.level());
            return carrier.rest(now, level);
        }
        match background {
            Some((noise, _)) => carrier.play(now, |_, pcm| noise.speak(pcm)),
            None => carrier.fill(now),
        }
    }

    /// Somebody who has fallen silent was last heard as he is to be heard on.
    fn listen_to_silence(&mut self, now: Instant) {
        let last = std::mem::replace(&mut self.level, SILENCE);
        if !self.talkers.is_anybody_resting() {
            self.background = None;
        } else if (BACKGROUND..SILENCE).contains(&last) {
            let (noise, until) = self.background.get_or_insert((Noise::new(last), now));
            noise.set_level(last);
            *until = now + KNOWN_FOR;
        }
    }

    /// The same while there is a tone. One that is ending fades below whoever speaks first, or by itself.
    #[cold]
    fn ring(&mut self, now: Instant, mut tone: Tone, carrier: &mut Carrier) -> bool {
        self.handing.interrupt();
        self.patience.handle_silence();
        let mut mixed = [0; WIDE_FRAME];
        while let Some(samples) = self.talkers.ready(now, false) {
            self.talkers.mix(&mut mixed[..samples]);
            if tone.is_ending() {
                tone.speak_into(self.talkers.rate(), &mut mixed[..samples]);
                self.pass(now, carrier, &mixed[..samples]);
                self.tone = None;
                return true;
            }
        }
        let sent = carrier.play(now, |rate, pcm| tone.speak(rate, pcm));
        self.tone = Some(tone).filter(|tone| !(sent && tone.is_ending()));
        sent
    }

    /// The same while there is a recording, which nobody talks into.
    #[cold]
    fn play(&mut self, now: Instant, carrier: &mut Carrier) -> bool {
        self.handing.interrupt();
        self.patience.handle_silence();
        let mut unheard = [0; WIDE_FRAME];
        while let Some(samples) = self.talkers.ready(now, false) {
            self.talkers.mix(&mut unheard[..samples]);
        }
        let Some(sound) = &mut self.sound else { return false };
        let sent = carrier.play(now, |rate, pcm| sound.speak_at(rate, pcm));
        if sent && sound.is_over() {
            self.sound = None;
            self.played = true;
        }
        sent
    }

    /// A talker's clock may be faster than ours, and a burst after a stall is: the stream never gets far ahead of the clock.
    fn pass(&mut self, now: Instant, carrier: &mut Carrier, samples: &[i16]) {
        self.level = level(samples);
        let lead = carrier.lead(now);
        if lead > FAR_AHEAD || (lead > AHEAD && self.level >= QUIET) {
            self.dropped += self.talkers.rate().ticks(samples.len()) as u64;
            self.patience.handle_left_out(now);
            return;
        }
        self.patience.handle_said(now, self.talkers.rate().ticks(samples.len()));
        self.note_sound(now);
        if carrier.may_rest() && self.is_silence(samples) {
            carrier.rest(now, self.level);
            return;
        }
        carrier.rouse(now);
        carrier.push(samples);
    }

    /// Whether nobody speaks though something is heard.
    fn is_silence(&mut self, samples: &[i16]) -> bool {
        let loudness = Loudness::of(samples);
        self.gate.judge(self.talkers.rate(), samples, &loudness) != Verdict::Speech
    }
}
