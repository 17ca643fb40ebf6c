//! One digit of many packets.
//!
//! ```text
//!           new timestamp: Pressed              end bit, next event or 200 ms of silence: Released
//! Idle ──────────────────────────────► Held ──────────────────────────────────────────────────────► Idle
//! ```
//!
//! An event is known by its timestamp and its code, of which the last few are remembered: the first packet of it that
//! arrives, whichever that is, presses the key, and no later one does.

use std::time::{Duration, Instant};

use super::{Event, Payload};
use crate::rtp::Packet;

/// Reordering across more events than this does not happen within [`MEMORY`].
const REMEMBERED: usize = 8;
/// Afterwards a timestamp may come again: a sender that begins anew at the same one is believed.
const MEMORY: Duration = Duration::from_secs(3);
/// Without any packet for so long, the key was released (RFC 4733 §2.5.2.2 asks for three packet intervals).
const SILENCE: Duration = Duration::from_millis(200);
/// An event longer than its duration field goes on under a timestamp so much later (RFC 4733 §2.5.1.3).
const SEGMENT: u32 = 0xffff;

/// One packet makes three at most: the key before it released, its own pressed and released at once.
const OUTPUTS: usize = 3;

/// Hears the events of one source.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    clock_rate: u32,
    state: State,
    recent: [Option<Recent>; REMEMBERED],
    outputs: [Option<Output>; OUTPUTS],
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It went down.
    Pressed(Event),
    /// It came up, after so long.
    Released(Event, Duration),
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Held { event: Event, timestamp: u32, duration: u32, segments: u32, release_at: Instant },
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    event: Event,
    timestamp: u32,
    heard: Instant,
}

impl Receiver {
    /// `clock_rate` is that of the telephone-event format in the SDP.
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, state: State::Idle, recent: [None; REMEMBERED], outputs: [None; OUTPUTS] }
    }

    /// From here on durations are of another clock.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = clock_rate;
    }

    /// Another source is heard: what it says is all new, and a key that is held is held no longer.
    pub fn restart(&mut self) {
        self.release();
        self.recent = [None; REMEMBERED];
    }

    /// Takes an event packet, in whatever order. Drain [`Self::poll_output`] after each.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        if let Some(payload) = Payload::parse(packet.payload()) {
            self.handle_payload(now, packet.timestamp(), packet.marker(), payload);
        }
    }

    /// Releases a key whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|at| at <= now) {
            self.release();
        }
    }

    /// When a key that is held is to be given up.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Held { release_at, .. } => Some(release_at),
            State::Idle => None,
        }
    }

    /// The next thing that a key did.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs[0].take();
        self.outputs.rotate_left(1);
        output
    }

    /// Whether a key is down.
    pub fn is_held(&self) -> bool {
        matches!(self.state, State::Held { .. })
    }

    fn handle_payload(&mut self, now: Instant, at: u32, marker: bool, payload: Payload) {
        let recalled = self.recalls(now, at, payload.event);
        match &mut self.state {
            State::Held { event, timestamp, duration, release_at, .. }
                if *event == payload.event && *timestamp == at =>
            {
                *duration = (*duration).max(payload.duration.into());
                *release_at = now + SILENCE;
                self.remember(now, at, payload.event);
                if payload.end {
                    self.release();
                }
            }
            // What was over already, told once more.
            _ if recalled => {}
            State::Held { event, timestamp, duration, segments, release_at }
                if *event == payload.event && !marker && at.wrapping_sub(*timestamp) == SEGMENT =>
            {
                *segments = segments.saturating_add(SEGMENT);
                (*timestamp, *duration, *release_at) = (at, payload.duration.into(), now + SILENCE);
                self.remember(now, at, payload.event);
                if payload.end {
                    self.release();
                }
            }
            State::Held { .. } | State::Idle => self.press(now, at, payload),
        }
    }

    fn press(&mut self, now: Instant, timestamp: u32, payload: Payload) {
        self.release();
        self.remember(now, timestamp, payload.event);
        self.push(Output::Pressed(payload.event));
        self.state = State::Held {
            event: payload.event,
            timestamp,
            duration: payload.duration.into(),
            segments: 0,
            release_at: now + SILENCE,
        };
        if payload.end {
            self.release();
        }
    }

    fn release(&mut self) {
        let State::Held { event, duration, segments, .. } = self.state else { return };
        let units = u64::from(segments) + u64::from(duration);
        self.push(Output::Released(
            event,
            Duration::from_nanos(units * 1_000_000_000 / u64::from(self.clock_rate.max(1))),
        ));
        self.state = State::Idle;
    }

    /// A caller that does not drain loses what comes after.
    fn push(&mut self, output: Output) {
        if let Some(slot) = self.outputs.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(output);
        }
    }

    fn recalls(&self, now: Instant, timestamp: u32, event: Event) -> bool {
        self.recent.iter().flatten().any(|recent| {
            recent.event == event
                && recent.timestamp == timestamp
                && now.saturating_duration_since(recent.heard) < MEMORY
        })
    }

    /// Notes that an event was heard, in its own place or in that of the one not heard for longest.
    fn remember(&mut self, now: Instant, timestamp: u32, event: Event) {
        let same = |slot: &Option<Recent>| slot.is_some_and(|old| old.event == event && old.timestamp == timestamp);
        let place = self.recent.iter().position(same).or_else(|| {
            let oldest = self.recent.iter().enumerate().min_by_key(|(_, slot)| slot.map(|recent| recent.heard));
            oldest.map(|(place, _)| place)
        });
        if let Some(place) = place {
            self.recent[place] = Some(Recent { event, timestamp, heard: now });
        }
    }
}

#[cfg(test)]
mod tests;
