//! Keys of the carrier as the room hears them, where that is wanted: in place of the audio of their time.
//!
//! ```text
//!         pressed: the silence before it passes              as long as it was held, 10 s at most
//! Nothing ──────────────────────────────────────► Down ──────────────────────────────────────────────► Nothing
//!                                                  │                                                      ▲
//!                                                  └── another one: fades ──► that one ───────────────────┘
//! ```
//!
//! Whoever sends events need not send audio beside them, so the clock says when the next frame is due, as it does for comfort
//! noise. What is said so is ahead of the carrier's time until that tells of a pause.

use std::time::{Duration, Instant};

use super::{FRAME_TIME, Quiet, Source, TOO_LATE, Uplink};
use crate::{
    dtmf::{self, Beep},
    frame::{FRAME, LONGEST, WIDE_FRAME, duration_of, samples_in},
    leg::carrier::{Carrier, Heard},
};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keys {
    down: Option<Down>,
    /// Pressed while that one was heard.
    next: Option<(Beep, Told)>,
    said: Option<Said>,
}

/// What was said last, and when it ended.
#[derive(Clone, Copy, Debug)]
enum Said {
    ByCarrier(Instant),
    AsKey(Instant),
}

/// A key that is heard.
#[derive(Clone, Copy, Debug)]
struct Down {
    beep: Beep,
    told: Told,
    /// What was said of it ends there; `None` while nothing was.
    until: Option<Instant>,
}

/// How a key was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// As an event, which says later for how long.
    AsEvent,
    /// Elsewhere, with its time.
    Elsewhere(Duration),
}

impl Uplink {
    /// Lets the room hear keys as tones, or no longer. Those in the audio are then not muted.
    pub(crate) fn set_audible_keys(&mut self, on: bool) {
        match (&self.keys, on) {
            (None, true) => self.keys = Some(Box::default()),
            (Some(_), false) => self.keys = None,
            // It is as it should be.
            (Some(_), true) | (None, false) => {}
        }
        if let Some(tones) = &mut self.tones {
            tones.set_muting(!on);
        }
    }

    /// The carrier has pressed a key.
    pub(crate) fn press(&mut self, event: dtmf::Event, told: Told, carrier: &Carrier) {
        // Nobody is to hear later on what was typed before he came.
        let is_heard = matches!(self.source, Source::Carrier) && carrier.is_heard() && self.voice.is_open();
        let (Some(keys), Some(mut beep)) = (self.keys.as_mut().filter(|_| is_heard), Beep::new(event)) else { return };
        if let Told::Elsewhere(held) = told {
            beep.release(held);
        }
        match &mut keys.down {
            None => keys.down = Some(Down { beep, told, until: None }),
            // One press that is told in two ways; the event knows its time better.
            Some(Down { beep, told: Told::AsEvent, .. }) if told != Told::AsEvent && beep.event() == event => {}
            Some(down) if told == Told::AsEvent && down.told != told && down.beep.event() == event => {
                down.beep.hold();
                down.told = told;
            }
            Some(down) => {
                down.beep.stop();
                keys.next = Some((beep.behind_another(), told));
            }
        }
    }

    /// The key that was pressed last, as an event, came up after so long.
    pub(crate) fn release(&mut self, event: dtmf::Event, after: Duration) {
        let Some(keys) = &mut self.keys else { return };
        let down = keys.down.as_mut().map(|down| (&mut down.beep, down.told));
        let last = keys.next.as_mut().map(|(beep, told)| (beep, *told)).or(down);
        if let Some((beep, Told::AsEvent)) = last
            && beep.event() == event
        {
            beep.release(after);
        }
    }

    /// No key is heard any more.
    pub(super) fn drop_keys(&mut self) {
        self.keys.iter_mut().for_each(|keys| **keys = Keys::default());
    }

    /// Takes what the carrier says in the time of a key for time alone.
    pub(super) fn without_keys<'a>(&self, heard: Heard<'a>) -> Heard<'a> {
        let ticks = match heard {
            Heard::Audio(_, bytes) => bytes.len() as u64,
            Heard::Opus { ticks, .. } => ticks as u64,
            // That is no audio.
            Heard::Lost(_) | Heard::Pause(_) | Heard::Noise { .. } => return heard,
        };
        let Some(keys) = &self.keys else { return heard };
        let was_said = matches!(keys.said, Some(Said::AsKey(_))) && (ticks..=LONGEST as u64).contains(&self.ahead);
        if keys.down.is_some() || was_said { Heard::Pause(ticks) } else { heard }
    }

    /// The carrier was heard.
    pub(super) fn note_said(&mut self, now: Instant) {
        let Some(keys) = &mut self.keys else { return };
        // Whoever speaks again and does not tell of the time of a key has a clock that stands still meanwhile.
        if self.ahead > LONGEST as u64 {
            self.ahead = 0;
        }
        keys.said = Some(Said::ByCarrier(now + duration_of(self.ahead)));
    }

    pub(super) fn is_key_down(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.down.is_some())
    }

    /// When the next frame of a key is due.
    pub(super) fn key_due(&self) -> Option<Instant> {
        Some(self.keys.as_ref()?.down?.until? + FRAME_TIME)
    }

    /// Begins to say a key that was pressed; silence lies between it and what was heard before, and that is said first. Returns
    /// whether there was one.
    pub(super) fn begin_key(&mut self, now: Instant) -> bool {
        let Some(keys) = &mut self.keys else { return false };
        let Some(down @ Down { until: None, .. }) = &mut keys.down else { return false };
        // The first packet of an event tells of time that has passed.
        let first = now.checked_sub(FRAME_TIME).unwrap_or(now);
        let said = match (self.quiet, keys.said) {
            (Some(Quiet { until, .. }), _) | (None, Some(Said::ByCarrier(until) | Said::AsKey(until))) => until,
            (None, None) => first,
        };
        let silence = samples_in(first.saturating_duration_since(said));
        down.until = Some(said + duration_of(silence));
        self.ahead += silence;
        self.voice.pause(silence);
        self.ear.reset();
        true
    }

    /// Says the next frame of a key once its time has passed.
    #[cold]
    pub(super) fn say_due_key(&mut self, now: Instant) -> Option<()> {
        let late = now.checked_duration_since(self.key_due()?)?;
        if late <= TOO_LATE {
            self.ahead += self.say_key(FRAME as u64);
            return Some(());
        }
        let late = samples_in(late);
        if let Some(down) = self.keys.as_mut().and_then(|keys| keys.down.as_mut()) {
            down.beep.pass(late);
        }
        self.voice.pause(late);
        self.ahead += late;
        self.pass_key(late);
        Some(())
    }

    /// Says a key for so many ticks, or as many as a packet may have; returns how many that were.
    pub(super) fn say_key(&mut self, ticks: u64) -> u64 {
        let (rate, ticks) = (self.voice.rate(), ticks.min(LONGEST as u64));
        let mut left = ticks;
        while left > 0
            && let Some(down) = self.keys.as_mut().and_then(|keys| keys.down.as_mut())
        {
            let mut pcm = [0; WIDE_FRAME];
            let count = left.min(FRAME as u64);
            let pcm = &mut pcm[..rate.samples(count as usize)];
            down.beep.speak(rate, pcm);
            self.voice.push(pcm);
            self.pass_key(count);
            left -= count;
        }
        ticks - left
    }

    /// So many ticks of a key have passed.
    fn pass_key(&mut self, ticks: u64) {
        let Some(keys) = &mut self.keys else { return };
        let Some(Down { beep, until: Some(until), .. }) = &mut keys.down else { return };
        *until += duration_of(ticks);
        let until = *until;
        if !beep.is_over() {
            return;
        }
        keys.said = Some(Said::AsKey(until));
        keys.down = keys.next.take().map(|(beep, told)| Down { beep, told, until: Some(until) });
        if let Some(Quiet { until: silent, .. }) = &mut self.quiet {
            *silent = until;
        }
    }
}
