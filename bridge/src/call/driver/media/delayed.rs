//! The media of a call that we place without an offer: what the callee offers is answered, that of each phone for itself, and
//! what goes for the call is what the one agreed upon that is picked up.

use std::collections::VecDeque;

use bytes::Bytes;
use media::sdp::{Encryption, Exchange, Local, Policy, Session};
use media::srtp::Secret;
use sip::Tag;
use sip::endpoint::OfferId;

use super::{Media, State, refused};
use crate::call::end::EndReason;
use crate::plane::Command;

/// Phones that ring whose terms are kept; the stack talks to no more.
const MAX_RINGING: usize = 8;

/// What the callee's phones have offered.
#[derive(Default)]
pub(super) struct Delayed {
    /// The answer to our INVITE that is dealt with now.
    heard: Option<OfferId>,
    /// What was agreed upon with those that ring, the newest last.
    ringing: VecDeque<(Tag, Exchange)>,
}

/// What there is to say to an offer.
pub(in crate::call::driver) struct Reply {
    pub(in crate::call::driver) offer: Option<OfferId>,
    /// Our answer; every line of the offer refused, if it is not taken; or nothing, if it is none.
    pub(in crate::call::driver) body: Bytes,
    pub(in crate::call::driver) result: Result<(), EndReason>,
}

impl Media {
    /// Whether the callee is to offer.
    pub(in crate::call::driver) fn awaits_offer(&self) -> bool {
        self.delayed.is_some()
    }

    /// An answer to our INVITE has come; what it describes is dealt with next.
    pub(in crate::call::driver) fn note_answer(&mut self, response: &sip::Response) {
        if let Some(delayed) = &mut self.delayed {
            delayed.heard = Some(OfferId::of(response));
        }
    }

    /// Answers the offer of a phone that rings. Another one may be picked up.
    pub(in crate::call::driver) async fn answer_early(&mut self, offer: &[u8]) -> Reply {
        let (reply, exchange) = self.answer_anew(offer).await;
        if let (Some(delayed), Some(exchange)) = (&mut self.delayed, exchange)
            && let Some(offer) = &reply.offer
        {
            delayed.keep(offer.tag().clone(), exchange);
        }
        reply
    }

    /// Answers the offer of the phone that was picked up.
    pub(in crate::call::driver) async fn answer_late(&mut self, offer: &[u8]) -> Reply {
        let (reply, exchange) = self.answer_anew(offer).await;
        self.settle(exchange);
        reply
    }

    /// A phone was picked up that offers nothing: it has done so while it rang, or never.
    pub(in crate::call::driver) async fn resume_early(&mut self) -> Result<(), EndReason> {
        let agreed = self.delayed.as_mut().and_then(Delayed::take);
        let negotiated = agreed.as_ref().and_then(|exchange| exchange.negotiated().cloned());
        self.settle(agreed);
        let negotiated = negotiated.ok_or(EndReason::OfferMissing)?;
        self.order(Command::Carrier(Box::new(negotiated))).await
    }

    /// Each dialog has a session and keys of its own: what is agreed upon in one is nobody else's business.
    async fn answer_anew(&mut self, offer: &[u8]) -> (Reply, Option<Exchange>) {
        let heard = self.delayed.as_ref().and_then(|delayed| delayed.heard.clone());
        let nothing = |reason| Reply { offer: heard.clone(), body: Bytes::new(), result: Err(reason) };
        let State::Open(open) = &self.state else { return (nothing(EndReason::MediaFault), None) };
        let session = match Session::parse(offer) {
            Ok(session) => session,
            Err(error) => return (nothing(refused(&error)), None),
        };
        let local = Local { session_id: u64::from(rand::random::<u32>()), ..open.local };
        let mut exchange = Exchange::new(local, with_other_keys(&self.policy));
        match exchange.answer(&session) {
            Ok((negotiated, text)) => {
                let result = open.order(Command::Carrier(Box::new(negotiated))).await;
                (Reply { offer: heard, body: Bytes::from(text), result }, Some(exchange))
            }
            Err(error) => {
                let body = Bytes::from(exchange.refuse(&session));
                (Reply { offer: heard, body, result: Err(refused(&error)) }, None)
            }
        }
    }

    fn settle(&mut self, exchange: Option<Exchange>) {
        if let Some(delayed) = &mut self.delayed {
            delayed.ringing.clear();
        }
        if let (State::Open(open), Some(exchange)) = (&mut self.state, exchange) {
            open.exchange = exchange;
        }
    }
}

impl Delayed {
    fn keep(&mut self, phone: Tag, exchange: Exchange) {
        self.ringing.retain(|(other, _)| *other != phone);
        if self.ringing.len() == MAX_RINGING {
            self.ringing.pop_front();
        }
        self.ringing.push_back((phone, exchange));
    }

    /// What was agreed upon with the phone that is heard now.
    fn take(&mut self) -> Option<Exchange> {
        let phone = self.heard.as_ref()?.tag();
        let at = self.ringing.iter().position(|(other, _)| other == phone)?;
        self.ringing.remove(at).map(|(_, exchange)| exchange)
    }
}

fn with_other_keys(policy: &Policy) -> Policy {
    let secret = || Secret::new(rand::random());
    let encryption = match policy.encryption {
        Encryption::Disable => Encryption::Disable,
        Encryption::Allow(_) => Encryption::Allow(secret()),
        Encryption::Require(_) => Encryption::Require(secret()),
    };
    Policy { encryption, ..policy.clone() }
}
