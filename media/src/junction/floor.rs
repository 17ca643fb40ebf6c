//! Who has the floor, when the carrier speaks Opus as the room does.
//!
//! ```text
//!            somebody speaks             two speak, a key is pressed, or the packets do not fit
//! Nobody ─────────────────────► One ──────────────────────────────────────────────────────────────► Mixed
//!   ▲                            ▲                                                                    │
//!   └────── nobody speaks ───────┴────────────────── one speaks, or nobody ◄──────────────────────────┘
//! ```
//!
//! While one talker speaks his packets go to the carrier as they came, and nothing is decoded; with more than one, all are, and the
//! sum is encoded. A switch is one between two encoders to whoever hears it. It falls between two packets: what is left of our own
//! audio is said before, in short packets if need be, and the clock goes on.

use std::time::{Duration, Instant};

use super::downlink::{AHEAD, FAR_AHEAD};
use crate::{
    codec::opus::{self, LARGEST},
    frame::{OPUS_TICKS, duration_of},
    leg::{
        carrier::Carrier,
        talkers::{Floor, Talkers},
    },
};

/// A talker whose packets did not fit is mixed for so long before they are tried again.
const UNFIT: Duration = Duration::from_secs(2);
/// A talker that has stopped sending refreshes its silence every 400 ms (RFC 7587 §3.1.3 leaves it to the encoder, libopus does);
/// for longer than that the carrier is not left alone.
const DISCONTINUOUS: Duration = Duration::from_millis(500);

/// For so long after his last packet nobody is waited for, whatever his timestamps say: longer than it takes to fade away.
const PATIENCE: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handing {
    state: State,
    /// Nobody is handed on before.
    not_before: Option<Instant>,
    /// The talker has stopped sending: until then its silence is its own.
    quiet_until: Option<Instant>,
    /// Until then the talker's next packet is waited for, at the longest.
    waits_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// All are decoded: the only state of calls without Opus.
    #[default]
    Mixed,
    Nobody,
    /// The talker of this number; `end` is the timestamp at which his last packet ended, if nothing else was sent since.
    One {
        ssrc: u32,
        end: Option<u32>,
    },
}

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// A packet is on its way, as loud as it says itself.
    Packet { level: u8 },
    /// One was left out because it came faster than time.
    Dropped { ticks: usize },
    /// Nobody speaks, and that is sent.
    Silence,
    /// It is too early for anything.
    Nothing,
}

impl Handing {
    /// Hands on the next packet; `None` while all are decoded.
    pub(crate) fn advance(&mut self, now: Instant, talkers: &mut Talkers, carrier: &mut Carrier) -> Option<Handed> {
        self.turn(now, talkers, carrier);
        let (ssrc, end) = match self.state {
            State::Mixed => return None,
            State::Nobody => (None, None),
            State::One { ssrc, end } => (Some(ssrc), end),
        };
        let mut payload = [0; LARGEST];
        let Some(whole) = talkers.take_whole(now, ssrc, &mut payload) else {
            return Some(self.wait(now, ssrc, talkers, carrier));
        };
        let payload = &payload[..whole.length];
        let lead = carrier.lead(now);
        let is_dropped = lead > FAR_AHEAD || (lead > AHEAD && opus::says_nothing(payload));
        // Those lost before one that nobody hears are none to anybody.
        let lost = if is_dropped { 0 } else { whole.lost };
        let gap = end.map_or(0, |end| whole.timestamp.wrapping_sub(end).cast_signed());
        let gap = u64::try_from(gap).unwrap_or(0) / u64::from(OPUS_TICKS);
        carrier.pass_over(now, lost, gap, AHEAD);
        let end = whole.timestamp.wrapping_add(whole.ticks as u32 * OPUS_TICKS);
        let rests = opus::is_silence(payload);
        self.quiet_until = rests.then_some(now + DISCONTINUOUS);
        self.waits_until = (!rests).then_some(now + duration_of(whole.ticks as u64) + PATIENCE);
        if let Some(ssrc) = ssrc {
            self.state = State::One { ssrc, end: Some(end) };
        }
        if is_dropped {
            return Some(Handed::Dropped { ticks: whole.ticks });
        }
        carrier.hand_on(now, whole.ticks, payload);
        Some(Handed::Packet { level: opus::told_level(payload) })
    }

    /// Everybody is decoded from here on.
    pub(crate) fn end(&mut self, talkers: &mut Talkers) {
        if self.state != State::Mixed {
            talkers.begin_decoding();
        }
        *self = Self { not_before: self.not_before, ..Self::default() };
    }

    /// Something else is sent: what was said meanwhile is over.
    pub(crate) fn interrupt(&mut self) {
        self.waits_until = None;
        if let State::One { end, .. } = &mut self.state {
            *end = None;
        }
    }

    /// Whether somebody's next packet is waited for.
    pub(crate) fn waits(&self, talkers: &Talkers) -> bool {
        match self.state {
            State::Mixed => talkers.is_anybody_active(),
            State::Nobody => false,
            State::One { ssrc, .. } => talkers.is_active(ssrc),
        }
    }

    /// When a talker who is waited for is given up.
    pub(crate) fn given_up(&self) -> Option<Instant> {
        self.waits_until
    }

    /// Until when nothing is sent though nobody speaks.
    pub(crate) fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// Goes to the state that whoever speaks now asks for.
    fn turn(&mut self, now: Instant, talkers: &mut Talkers, carrier: &mut Carrier) {
        let floor = talkers.floor(now);
        if !carrier.is_free() || floor == Floor::Several {
            return self.end(talkers);
        }
        let speaker = match (self.state, floor) {
            (_, Floor::One(ssrc)) => Some(ssrc),
            (State::One { ssrc, .. }, _) => talkers.background(now, Some(ssrc)),
            (State::Nobody | State::Mixed, _) => talkers.background(now, None),
        };
        if let Some(ssrc) = speaker
            && let Some((packet, bitrate)) = talkers.front_whole(now, ssrc)
            && opus::samples(packet).is_some()
            && !carrier.fits(packet, bitrate)
        {
            self.not_before = Some(now + UNFIT);
            return self.end(talkers);
        }
        if self.not_before.is_some_and(|at| now < at) {
            return;
        }
        self.not_before = None;
        if let (State::Mixed, Some(ssrc)) = (self.state, speaker) {
            carrier.push(talkers.decoded(ssrc));
        }
        self.state = match (self.state, speaker) {
            // It is as it should be.
            (State::One { ssrc, end }, Some(speaker)) if ssrc == speaker => State::One { ssrc, end },
            (_, Some(ssrc)) => State::One { ssrc, end: None },
            (_, None) => State::Nobody,
        };
    }

    /// There is no packet. When the clock wants one and no talker is to be waited for, that is silence.
    fn wait(&mut self, now: Instant, ssrc: Option<u32>, talkers: &mut Talkers, carrier: &mut Carrier) -> Handed {
        if self.quiet_until.is_some_and(|until| now < until) {
            return Handed::Nothing;
        }
        if self.waits(talkers) {
            if now < *self.waits_until.get_or_insert(now + PATIENCE) {
                return Handed::Nothing;
            }
            talkers.give_up();
        }
        self.waits_until = None;
        if !carrier.fill(now) {
            return Handed::Nothing;
        }
        self.quiet_until = None;
        self.state = ssrc.map_or(State::Nobody, |ssrc| State::One { ssrc, end: None });
        Handed::Silence
    }
}
