//! What was negotiated, in the form that a packet needs it.

use std::net::SocketAddr;

use crate::{
    codec::{Coding, g711::Law},
    frame::{FRAME, LONGEST, OPUS_TICKS, RATE, samples_in},
    noise,
    sdp::{Negotiated, OpusTerms},
};

/// Payload types that can be heard at once: those of now, under the numbers of both sides, and those of before.
const FORMATS: usize = 8;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    formats: [Option<(u8, Coding)>; FORMATS],
    events: Option<u8>,
    /// Comfort noise that may be sent in place of silence.
    pub(super) noise: Option<u8>,
    /// Events under another number, for a codec of another clock: heard, should somebody send them.
    more_events: Option<u8>,
    pub(super) send_events: Option<u8>,
    /// What the clock of events that we send counts in a second.
    pub(super) event_rate: u32,
    pub(super) coding: Coding,
    pub(super) payload_type: u8,
    /// Ticks in a packet of ours.
    pub(super) packet: usize,
    /// What the peer wishes of Opus.
    pub(super) opus: OpusTerms,
    /// Where the peer wants its RTP.
    remote: Option<SocketAddr>,
    pub(super) mux: bool,
    pub(super) sends: bool,
    pub(super) receives: bool,
}

/// What a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Coding),
    /// A telephone event, whose clock counts so much in a second.
    Event(u32),
    ComfortNoise,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            formats: [None; FORMATS],
            events: None,
            noise: None,
            more_events: None,
            send_events: None,
            event_rate: RATE,
            coding: Coding::Law(Law::Mu),
            payload_type: 0,
            packet: FRAME,
            opus: OpusTerms::default(),
            remote: None,
            mux: false,
            sends: false,
            receives: false,
        }
    }
}

impl Terms {
    /// What was negotiated. Heard are also, as far as their numbers are free, what we send ourselves, for some peers answer with
    /// numbers of their own and then keep to those, and the formats of `before`, of which some are still on their way if it was
    /// the same peer.
    pub(super) fn new(negotiated: &Negotiated, before: &Self) -> Self {
        let coding = Coding::of(negotiated.codec);
        let now = negotiated.receive.iter().map(|format| (format.payload_type, Coding::of(format.codec)));
        let mut formats: [Option<(u8, Coding)>; FORMATS] = [None; FORMATS];
        let ours = std::iter::once((negotiated.payload_type, coding));
        let same_peer = before.remote == Some(negotiated.remote_rtp);
        let before = before.formats.into_iter().flatten().filter(|_| same_peer);
        for format in now.chain(ours).chain(before) {
            let same = |place: &Option<(u8, Coding)>| place.is_none_or(|(known, _)| known == format.0);
            if let Some(place) = formats.iter_mut().find(|place| same(place)) {
                place.get_or_insert(format);
            }
        }
        let packet = usize::try_from(samples_in(negotiated.ptime)).unwrap_or(LONGEST);
        Self {
            formats,
            events: negotiated.receive_events,
            // Opus has silence of its own.
            noise: negotiated.comfort_noise.filter(|_| coding != Coding::Opus),
            more_events: negotiated.more_events,
            send_events: negotiated.events,
            event_rate: negotiated.event_rate,
            coding,
            payload_type: negotiated.payload_type,
            packet: packet.clamp(1, LONGEST),
            opus: negotiated.opus,
            remote: Some(negotiated.remote_rtp),
            mux: negotiated.mux,
            sends: negotiated.direction.sends(),
            receives: negotiated.direction.receives(),
        }
    }

    /// Whether anything was agreed upon.
    pub(super) fn is_set(&self) -> bool {
        self.remote.is_some()
    }

    /// Whether telephone events may be heard.
    pub(super) fn hears_events(&self) -> bool {
        self.events.or(self.send_events).is_some()
    }

    /// The peer is nowhere: held in the old way, it wants not even reports (RFC 3264 §8.4).
    pub(super) fn is_nowhere(&self) -> bool {
        self.remote.is_some_and(|remote| remote.ip().is_unspecified())
    }

    /// What packets of this type hold, if they were agreed upon.
    pub(super) fn kind_of(&self, payload_type: u8) -> Option<Kind> {
        if Some(payload_type) == self.events {
            return Some(Kind::Event(self.event_rate));
        }
        if let Some(coding) = self.find(payload_type) {
            return Some(Kind::Audio(coding));
        }
        if self.send_events == Some(payload_type) {
            return Some(Kind::Event(self.event_rate));
        }
        if self.more_events == Some(payload_type) {
            // There are two clocks.
            let other = if self.event_rate == RATE { RATE * OPUS_TICKS } else { RATE };
            return Some(Kind::Event(other));
        }
        // It needs no negotiation to be understood.
        [Some(noise::PAYLOAD_TYPE), self.noise].contains(&Some(payload_type)).then_some(Kind::ComfortNoise)
    }

    /// The codec of a payload type; of one that is no longer known, that of now.
    pub(super) fn coding_of(&self, payload_type: u8) -> Coding {
        self.find(payload_type).unwrap_or(self.coding)
    }

    /// Whether keys that were pressed under earlier terms can go on.
    pub(super) fn takes_events_of(&self, before: &Self) -> bool {
        self.send_events.is_some() && self.event_rate == before.event_rate
    }

    /// Whether this codec may be heard.
    pub(super) fn hears(&self, coding: Coding) -> bool {
        self.formats.iter().flatten().any(|(_, known)| *known == coding)
    }

    fn find(&self, payload_type: u8) -> Option<Coding> {
        self.formats.iter().flatten().find(|(known, _)| *known == payload_type).map(|(_, coding)| *coding)
    }
}
