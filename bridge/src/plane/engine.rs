//! What stands between the two sides of a line: one of the machines of `media`, all driven the same way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::desk::{GuestConfig, GuestReport, PhoneConfig, PhoneReport};
use media::dtmf;
use media::sdp::Negotiated;
use media::{Config, Desk, Guest, Junction, Output, Phone, Profile, Sound};

use super::Error;

/// What stands between the two sides of a line.
#[derive(Debug)]
pub enum EngineSpec {
    /// A carrier and a room: a call.
    Junction(Config),
    /// A carrier and a desk: the test phone.
    Phone(PhoneConfig, Desk),
    /// A room and a desk: a test participant.
    Guest(GuestConfig, Desk),
    /// A stand-in for tests of the plane.
    #[cfg(test)]
    Probe(super::tests::Probe),
}

/// What an engine counted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EngineReport {
    /// Of a call.
    Junction(media::Report),
    /// Of the test phone.
    Phone(PhoneReport),
    /// Of a test participant.
    Guest(GuestReport),
    /// The desk was taken away.
    Over,
}

pub(crate) enum Engine {
    Junction(Box<Junction>, Profile),
    Phone(Box<Phone>),
    Guest {
        guest: Box<Guest>,
        started: bool,
    },
    Over,
    #[cfg(test)]
    Probe(super::tests::Probe),
}

impl Engine {
    pub(crate) fn new(now: Instant, spec: EngineSpec) -> Result<Self, Error> {
        Ok(match spec {
            EngineSpec::Junction(config) => Self::Junction(Box::new(Junction::new(now, &config)?), config.profile),
            EngineSpec::Phone(config, desk) => Self::Phone(Box::new(Phone::new(now, &config, desk))),
            EngineSpec::Guest(config, desk) => {
                Self::Guest { guest: Box::new(Guest::new(now, config, desk)?), started: false }
            }
            #[cfg(test)]
            EngineSpec::Probe(probe) => Self::Probe(probe),
        })
    }

    pub(crate) fn set_carrier(&mut self, now: Instant, negotiated: &Negotiated) -> Result<(), media::Error> {
        match self {
            Self::Junction(junction, _) => junction.set_carrier(now, negotiated),
            Self::Phone(phone) => phone.set_carrier(now, negotiated),
            // There is no carrier.
            _ => Ok(()),
        }
    }

    pub(crate) fn start(&mut self, now: Instant) {
        match self {
            Self::Junction(junction, _) => junction.start(now),
            Self::Phone(phone) => phone.start(now),
            // A guest starts with its room.
            _ => {}
        }
    }

    /// Sends to the carrier before the answer; only a call does.
    pub(crate) fn start_early(&mut self, now: Instant) {
        if let Self::Junction(junction, _) = self {
            junction.start_early(now);
        }
    }

    pub(crate) fn handle_rtp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match self {
            Self::Junction(junction, _) => junction.handle_rtp(now, from, datagram),
            Self::Phone(phone) => phone.handle_rtp(now, from, datagram),
            _ => {}
        }
    }

    pub(crate) fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match self {
            Self::Junction(junction, _) => junction.handle_rtcp(now, from, datagram),
            Self::Phone(phone) => phone.handle_rtcp(now, from, datagram),
            _ => {}
        }
    }

    pub(crate) fn handle_room(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        match self {
            Self::Junction(junction, _) => junction.handle_room(now, ssrc, sequence, timestamp, payload),
            Self::Guest { guest, .. } => guest.handle_room(now, ssrc, sequence, timestamp, payload),
            #[cfg(test)]
            Self::Probe(probe) => probe.handle_room(),
            _ => {}
        }
    }

    /// The same of a packet that repeats those before it.
    pub(crate) fn handle_room_red(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        match self {
            Self::Junction(junction, _) => junction.handle_room_red(now, ssrc, sequence, timestamp, payload),
            Self::Guest { guest, .. } => guest.handle_room_red(now, ssrc, sequence, timestamp, payload),
            #[cfg(test)]
            Self::Probe(probe) => probe.handle_room(),
            _ => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Junction(junction, _) => junction.handle_timeout(now),
            Self::Phone(phone) => phone.handle_timeout(now),
            Self::Guest { guest, .. } => guest.handle_timeout(now),
            Self::Over => {}
            #[cfg(test)]
            Self::Probe(probe) => probe.handle_timeout(now),
        }
    }

    /// Whether the room takes our audio. What is spoken before never arrives there later.
    pub(crate) fn set_room_open(&mut self, now: Instant, open: bool) {
        match self {
            Self::Junction(junction, _) => junction.set_room_open(open),
            Self::Guest { guest, started } => {
                if open && !*started {
                    *started = true;
                    guest.start(now);
                }
                guest.set_room_open(open);
            }
            #[cfg(test)]
            Self::Probe(probe) => probe.set_room_open(now, open),
            _ => {}
        }
    }

    pub(crate) fn forget(&mut self, ssrc: u32) {
        match self {
            Self::Junction(junction, _) => junction.forget(ssrc),
            Self::Guest { guest, .. } => guest.forget(ssrc),
            _ => {}
        }
    }

    /// Everybody is another from now on: the line stands in another room.
    pub(crate) fn forget_everybody(&mut self) {
        match self {
            Self::Junction(junction, _) => junction.forget_everybody(),
            Self::Guest { guest, .. } => guest.forget_everybody(),
            _ => {}
        }
    }

    /// The ring-back tone into the room; only a call has one.
    pub(crate) fn set_dialtone(&mut self, now: Instant, on: bool) {
        if let Self::Junction(junction, _) = self {
            junction.set_dialtone(now, on);
        }
    }

    /// The ring-back tone to the carrier; only a call has one.
    pub(crate) fn set_ringback(&mut self, now: Instant, on: bool) {
        if let Self::Junction(junction, _) = self {
            junction.set_ringback(now, on);
        }
    }

    /// A recording to the carrier; only a call has one.
    pub(crate) fn play(&mut self, now: Instant, sound: Option<Sound>) {
        if let Self::Junction(junction, _) = self {
            junction.play(now, sound);
        }
    }

    /// The last word of the room to the carrier; only a call has one.
    pub(crate) fn play_out(&mut self, now: Instant) {
        if let Self::Junction(junction, _) = self {
            junction.play_out(now);
        }
    }

    /// Calls alone follow the load; whatever a test participant costs, it is not there to save.
    pub(crate) fn set_complexity(&mut self, complexity: u8) {
        self.change_profile(|profile| Profile { complexity, ..profile });
    }

    /// Expects a loss on the way to the room, in percent.
    pub(crate) fn set_loss(&mut self, loss: u8) {
        self.change_profile(|profile| Profile { loss, ..profile });
    }

    fn change_profile(&mut self, change: impl FnOnce(Profile) -> Profile) {
        if let Self::Junction(junction, profile) = self {
            let wanted = change(*profile);
            if wanted != *profile && junction.set_profile(wanted).is_ok() {
                *profile = wanted;
            }
        }
    }

    /// Presses keys for the carrier, all of them or none.
    pub(crate) fn press(&mut self, now: Instant, keys: &[dtmf::Press]) -> Result<(), dtmf::Refused> {
        match self {
            Self::Junction(junction, _) => junction.press(now, keys),
            Self::Phone(phone) => phone.press(keys),
            // There is no carrier.
            _ => Err(dtmf::Refused::NoEvents),
        }
    }

    /// The same as tones in place of what the room says; only a call can do that.
    pub(crate) fn press_tones(&mut self, now: Instant, keys: &[dtmf::Press]) -> Result<(), dtmf::Refused> {
        match self {
            Self::Junction(junction, _) => junction.press_tones(now, keys),
            _ => Err(dtmf::Refused::NoEvents),
        }
    }

    /// When tones of the carrier are taken for keys; only a call takes any.
    pub(crate) fn set_tones(&mut self, now: Instant, tones: dtmf::Tones) -> Result<(), media::Error> {
        match self {
            Self::Junction(junction, _) => junction.set_tones(now, tones),
            _ => Ok(()),
        }
    }

    /// Keys of the carrier as tones in the room; only a call has both.
    pub(crate) fn set_audible_keys(&mut self, now: Instant, on: bool) {
        if let Self::Junction(junction, _) = self {
            junction.set_audible_keys(now, on);
        }
    }

    /// A key of the carrier that is not in its packets.
    pub(crate) fn hear_key(&mut self, now: Instant, event: dtmf::Event, held: Duration) {
        if let Self::Junction(junction, _) = self {
            junction.hear_key(now, event, held);
        }
    }

    /// Takes the desk away; the engine is over.
    pub(crate) fn take_desk(&mut self) -> Option<Desk> {
        if !matches!(self, Self::Phone(_) | Self::Guest { .. }) {
            return None;
        }
        match std::mem::replace(self, Self::Over) {
            Self::Phone(phone) => Some(phone.into_desk()),
            Self::Guest { guest, .. } => Some(guest.into_desk()),
            _ => None,
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output<'_>> {
        match self {
            Self::Junction(junction, _) => junction.poll_output(),
            Self::Phone(phone) => phone.poll_output(),
            Self::Guest { guest, .. } => guest.poll_output(),
            Self::Over => None,
            #[cfg(test)]
            Self::Probe(probe) => probe.poll_output(),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Junction(junction, _) => junction.next_timeout(),
            Self::Phone(phone) => phone.next_timeout(),
            Self::Guest { guest, .. } => guest.next_timeout(),
            Self::Over => None,
            #[cfg(test)]
            Self::Probe(probe) => probe.next_timeout(),
        }
    }

    /// Whether a desk has said and pressed all it had to.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Phone(phone) => phone.desk().is_done() && phone.is_done_pressing(),
            Self::Guest { guest, .. } => guest.desk().is_done(),
            _ => false,
        }
    }

    pub(crate) fn report(&self) -> EngineReport {
        match self {
            Self::Junction(junction, _) => EngineReport::Junction(junction.report()),
            Self::Phone(phone) => EngineReport::Phone(phone.report()),
            Self::Guest { guest, .. } => EngineReport::Guest(guest.report()),
            Self::Over => EngineReport::Over,
            #[cfg(test)]
            Self::Probe(_) => EngineReport::Over,
        }
    }
}
