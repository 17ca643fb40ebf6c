//! A guest: the room's leg with a desk behind it.
//!
//! A guest that echoes sends back the very packets of whom it hears, unopened, so it adds no delay of its own. It listens to one
//! talker at a time and turns to another when that one has been silent for a while.

use std::time::{Duration, Instant};

use super::Desk;
use crate::{
    Error, Event, Output, Profile,
    codec::opus::LARGEST,
    frame::{FRAME, Rate, SILENCE, duration_of, earliest},
    leg::{talkers::Talkers, voice::Voice},
    random::Random,
    rtp::Redundant,
};

/// A packet that decodes to twenty milliseconds of nothing.
const NOTHING: [u8; 3] = [0xf8, 0xff, 0xfe];
/// Ticks of the room's clock in a frame.
const FRAME_TICKS: u32 = 960;
/// Silent for so long, a talker has left the floor.
const FLOOR: Duration = Duration::from_millis(200);
/// The level told of an echo, which nobody has measured: that of usual speech, in -dBov.
const ECHO_LEVEL: u8 = 26;

/// How a guest is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuestConfig {
    /// Random; sets where timestamps begin.
    pub seed: u64,
    /// How to encode.
    pub profile: Profile,
}

/// What there is to tell of a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuestReport {
    /// Packets heard.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that came too late.
    pub late: u64,
    /// Samples that were made up.
    pub concealed: u64,
    /// Samples that were lost and decoded from redundancy.
    pub recovered: u64,
}

/// A participant of a room.
#[derive(Debug)]
pub struct Guest {
    now: Instant,
    talkers: Talkers,
    voice: Voice,
    desk: Desk,
    /// Since when we speak, and the frames the clock has asked for.
    clock: Option<(Instant, u64)>,
    echo: Echo,
    open: bool,
    first_room: Option<u32>,
    received: u64,
    sent: u64,
    payload: Box<[u8; LARGEST]>,
}

/// What is to be sent back, and on which timeline.
#[derive(Clone, Copy, Debug)]
struct Echo {
    /// Who has the floor: its source, the last timestamp, and when that came.
    floor: Option<(u32, u32, Instant)>,
    /// Timestamp of ours that comes next.
    next: u32,
    /// Length and timestamp of the packet to be sent back, which lies in the payload buffer.
    waiting: Option<(usize, u32)>,
    marker: bool,
}

impl Guest {
    /// A guest that has not begun to speak.
    pub fn new(now: Instant, config: GuestConfig, desk: Desk) -> Result<Self, Error> {
        let origin = Random::new(config.seed).next() as u32;
        Ok(Self {
            now,
            talkers: Talkers::new(Rate::Narrow),
            voice: Voice::new(Rate::Narrow, config.profile, origin)?,
            desk,
            clock: None,
            echo: Echo { floor: None, next: origin, waiting: None, marker: true },
            open: true,
            first_room: None,
            received: 0,
            sent: 0,
            payload: Box::new([0; LARGEST]),
        })
    }

    /// The room takes our audio from now on.
    pub fn start(&mut self, now: Instant) {
        self.now = now;
        self.clock.get_or_insert((now, 0));
    }

    /// Whether the room takes our audio: closed, nothing is sent and the clock runs on.
    pub fn set_room_open(&mut self, open: bool) {
        self.open = open;
        self.voice.set_open(open);
    }

    /// An Opus packet of a remote track came. Drain [`Self::poll_output`] after each.
    pub fn handle_room(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.take_in(now, ssrc, sequence, timestamp, &Redundant::plain(payload));
    }

    /// The same of one that repeats those before it.
    pub fn handle_room_red(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        // What is cut short says nothing.
        if let Some(said) = Redundant::parse(payload) {
            self.take_in(now, ssrc, sequence, timestamp, &said);
        }
    }

    /// A remote track has ended.
    pub fn forget(&mut self, ssrc: u32) {
        self.talkers.forget(ssrc);
        if self.echo.floor.is_some_and(|(source, ..)| source == ssrc) {
            self.echo.floor = None;
        }
    }

    /// All remote tracks have ended.
    pub fn forget_everybody(&mut self) {
        self.talkers.forget_everybody();
        self.echo.floor = None;
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
    }

    /// When to call [`Self::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        earliest(self.talkers.next_timeout(), self.due())
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output<'_>> {
        let now = self.now;
        self.hear(now);
        if let Some(ssrc) = self.first_room.take() {
            return Some(Output::Event(Event::FirstRoom { ssrc }));
        }
        let (length, timestamp, level, marker) = self.next_payload(now)?;
        self.sent += 1;
        Some(Output::Room { payload: &self.payload[..length], timestamp, marker, level, lost: 0 })
    }

    /// The desk, to ask what it has heard.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The desk, when all is over.
    pub fn into_desk(self) -> Desk {
        self.desk
    }

    /// How it is going.
    pub fn report(&self) -> GuestReport {
        let counts = self.talkers.counts();
        GuestReport {
            received: self.received,
            sent: self.sent,
            late: counts.late,
            concealed: counts.concealed,
            recovered: counts.recovered,
        }
    }

    fn hear(&mut self, now: Instant) {
        let mut mixed = [0; FRAME];
        while let Some(samples) = self.talkers.ready(now, false) {
            self.talkers.mix(&mut mixed[..samples]);
            self.desk.hear(now, &mixed[..samples]);
        }
    }

    /// When the clock asks for the next frame.
    fn due(&self) -> Option<Instant> {
        let (origin, frames) = self.clock?;
        Some(origin + duration_of(frames * FRAME as u64))
    }

    /// What to send now, in the payload buffer: an echo, or what the clock asks for.
    fn next_payload(&mut self, now: Instant) -> Option<(usize, u32, u8, bool)> {
        if let Some((length, timestamp)) = self.echo.waiting.take() {
            let marker = std::mem::take(&mut self.echo.marker);
            return Some((length, timestamp, ECHO_LEVEL, marker));
        }
        while self.due().is_some_and(|due| due <= now) {
            let said = if self.desk.is_echo() || self.desk.is_silent() { self.say_nothing(now) } else { self.say(now) };
            if let Some((_, frames)) = &mut self.clock {
                *frames += 1;
            }
            if said.is_some() {
                return said;
            }
        }
        None
    }

    fn say(&mut self, now: Instant) -> Option<(usize, u32, u8, bool)> {
        let mut pcm = [0; FRAME];
        self.desk.speak(now, &mut pcm);
        self.voice.push(&pcm);
        let spoken = self.voice.poll(&mut self.payload[..])?;
        Some((spoken.length, spoken.timestamp, spoken.level, spoken.marker))
    }

    /// Keeps the stream alive while there is nothing to send back: others wait for it before they speak.
    fn say_nothing(&mut self, now: Instant) -> Option<(usize, u32, u8, bool)> {
        let has_floor = self.echo.floor.is_some_and(|(.., at)| now.saturating_duration_since(at) < FLOOR);
        if has_floor || !self.open {
            return None;
        }
        self.payload[..NOTHING.len()].copy_from_slice(&NOTHING);
        let timestamp = self.own_timestamp(now);
        self.echo.next = timestamp.wrapping_add(FRAME_TICKS);
        Some((NOTHING.len(), timestamp, SILENCE, std::mem::take(&mut self.echo.marker)))
    }

    fn take_in(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, said: &Redundant<'_>) {
        self.now = now;
        if self.received == 0 {
            self.first_room = Some(ssrc);
        }
        self.received += 1;
        if self.desk.is_echo() {
            self.echo(now, ssrc, timestamp, said.primary());
        }
        if self.desk.is_listening() {
            // Without memory for a decoder this talker stays unheard.
            let _ = self.talkers.handle_packet(now, ssrc, sequence, timestamp, said);
        }
    }

    /// Puts a packet by to be sent back, if its talker has the floor.
    fn echo(&mut self, now: Instant, ssrc: u32, timestamp: u32, payload: &[u8]) {
        let fits = payload.len() <= LARGEST && !payload.is_empty();
        if !fits || !self.open || self.clock.is_none() {
            return;
        }
        let ours = match self.echo.floor {
            Some((source, last, _)) if source == ssrc => {
                let step = timestamp.wrapping_sub(last).cast_signed();
                // What was overtaken cannot be sent any more, for its number is given.
                let Ok(step @ 1..) = u32::try_from(step) else { return };
                self.echo.next.wrapping_sub(FRAME_TICKS).wrapping_add(step)
            }
            Some((.., at)) if now.saturating_duration_since(at) < FLOOR => return,
            _ => self.own_timestamp(now),
        };
        self.payload[..payload.len()].copy_from_slice(payload);
        self.echo.waiting = Some((payload.len(), ours));
        self.echo.next = ours.wrapping_add(FRAME_TICKS);
        self.echo.floor = Some((ssrc, timestamp, now));
    }

    /// Our clock now, but never before what was sent.
    fn own_timestamp(&self, now: Instant) -> u32 {
        let Some((origin, _)) = self.clock else { return self.echo.next };
        let ticks = now.saturating_duration_since(origin).as_micros() * 48 / 1_000;
        // One who echoes encodes nothing, so the voice still stands where our timestamps began.
        let clock = self.voice.timestamp().wrapping_add(ticks as u32);
        let ahead = clock.wrapping_sub(self.echo.next).cast_signed();
        if ahead > 0 { clock } else { self.echo.next }
    }
}
