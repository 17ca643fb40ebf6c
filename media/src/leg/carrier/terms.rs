//! What was negotiated, in the form that a packet needs it.

use crate::{
    Error,
    codec::g711::Law,
    frame::{FRAME, LONGEST, samples_in},
    sdp::{Codec, Negotiated},
};

/// Payload types that can be heard at once: both laws, under a few numbers.
const FORMATS: usize = 4;
/// Comfort noise, which needs no negotiation to be understood as silence (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    formats: [Option<(u8, Law)>; FORMATS],
    events: Option<u8>,
    pub(super) send_events: Option<u8>,
    pub(super) law: Law,
    pub(super) payload_type: u8,
    /// Samples in a packet of ours.
    pub(super) packet: usize,
    pub(super) mux: bool,
    pub(super) sends: bool,
    pub(super) receives: bool,
}

/// What a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio,
    Event,
    ComfortNoise,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            formats: [None; FORMATS],
            events: None,
            send_events: None,
            law: Law::Mu,
            payload_type: 0,
            packet: FRAME,
            mux: false,
            sends: false,
            receives: false,
        }
    }
}

impl Terms {
    pub(super) fn new(negotiated: &Negotiated) -> Result<Self, Error> {
        let mut formats = [None; FORMATS];
        let known = negotiated.receive.iter().filter_map(|format| Some((format.payload_type, law_of(format.codec)?)));
        for (place, format) in formats.iter_mut().zip(known) {
            *place = Some(format);
        }
        let law = law_of(negotiated.codec).ok_or(Error::Codec(negotiated.codec))?;
        let packet = usize::try_from(samples_in(negotiated.ptime)).unwrap_or(LONGEST);
        Ok(Self {
            formats,
            events: negotiated.receive_events,
            send_events: negotiated.events,
            law,
            payload_type: negotiated.payload_type,
            packet: packet.clamp(1, LONGEST),
            mux: negotiated.mux,
            sends: negotiated.direction.sends(),
            receives: negotiated.direction.receives(),
        })
    }

    /// What packets of this type hold, if they were agreed upon.
    pub(super) fn kind_of(&self, payload_type: u8) -> Option<Kind> {
        if Some(payload_type) == self.events {
            return Some(Kind::Event);
        }
        if self.find(payload_type).is_some() {
            return Some(Kind::Audio);
        }
        (payload_type == COMFORT_NOISE).then_some(Kind::ComfortNoise)
    }

    /// The law of a payload type; of one that is no longer in force, that of now.
    pub(super) fn law_of(&self, payload_type: u8) -> Law {
        self.find(payload_type).unwrap_or(self.law)
    }

    fn find(&self, payload_type: u8) -> Option<Law> {
        self.formats.iter().flatten().find(|(known, _)| *known == payload_type).map(|(_, law)| *law)
    }
}

fn law_of(codec: Codec) -> Option<Law> {
    match codec {
        Codec::Pcmu => Some(Law::Mu),
        Codec::Pcma => Some(Law::A),
        Codec::G722 | Codec::Opus => None,
    }
}
