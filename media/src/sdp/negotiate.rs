//! Offer and answer (RFC 3264), as functions of the texts and of what we want.

mod audio;
mod own;
mod secrecy;

use std::net::SocketAddr;
use std::time::Duration;

use self::secrecy::Secrecy;
use super::{Codec, Direction, Error, Events, Local, OpusTerms, Policy, Session};
use crate::srtp::Pair;

/// What both ends have agreed upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where the peer wants its RTP; the unspecified address when it is on hold by one.
    pub remote_rtp: SocketAddr,
    /// Where the peer wants its RTCP; the same with `mux`.
    pub remote_rtcp: SocketAddr,
    /// Whether RTP and RTCP share one port, at both ends.
    pub mux: bool,
    /// What we send.
    pub codec: Codec,
    /// The payload type that we send it under.
    pub payload_type: u8,
    /// The payload types to be heard, with what they are.
    pub receive: Vec<Format>,
    /// The payload type of telephone events that we may send.
    pub events: Option<u8>,
    /// The payload type of telephone events to be heard.
    pub receive_events: Option<u8>,
    /// Another one to be heard, for a codec of another clock.
    pub more_events: Option<u8>,
    /// The clock of the events that we may send.
    pub event_rate: u32,
    /// The keys that the peer understands.
    pub keys: Events,
    /// The payload type of comfort noise that we may send, whose clock is that of the codec.
    pub comfort_noise: Option<u8>,
    /// How much audio a packet of ours holds: 10 to 60 ms, or less where the peer takes no more. What is heard may be of any length.
    pub ptime: Duration,
    /// What the peer wishes of Opus, should that be what we send.
    pub opus: OpusTerms,
    /// Which way media flows, seen from us.
    pub direction: Direction,
    /// How packets are encrypted, if they are.
    pub(super) secrecy: Secrecy,
    /// Which of the media lines this is about.
    pub(super) line: usize,
}

/// A payload type and its codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// On the wire.
    pub payload_type: u8,
    /// What it is.
    pub codec: Codec,
}

impl Negotiated {
    /// The codec of a packet that is heard, if its payload type was agreed upon.
    pub fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.receive.iter().find(|format| format.payload_type == payload_type).map(|format| format.codec)
    }

    /// The keys of both directions; without them nothing is encrypted.
    pub fn encryption(&self) -> Option<&Pair> {
        self.secrecy.pair.as_ref()
    }

    /// Whether the peer has put us on hold: it does not want to hear us.
    pub fn is_held(&self) -> bool {
        !self.direction.sends()
    }
}

/// Answers an offer: the first audio line that fits is taken, every other one is refused.
pub fn answer(offer: &Session, local: &Local, policy: &Policy) -> Result<(Negotiated, String), Error> {
    let negotiated = choose(offer, local, policy, None)?;
    let text = own::answer(offer, &negotiated, local).to_string();
    Ok((negotiated, text))
}

/// Offers all that we speak.
pub fn offer(local: &Local, policy: &Policy) -> String {
    own::offer(local, policy, None).to_string()
}

/// Reads the answer to [`offer`] of the same arguments.
pub fn accept_answer(answer: &Session, local: &Local, policy: &Policy) -> Result<Negotiated, Error> {
    accept(answer, &own::offer(local, policy, None), local, policy, None)
}

pub(super) use audio::{accept, choose};
pub(super) use own::{answer as answer_session, offer as offer_session, offer_anew, refusal};
