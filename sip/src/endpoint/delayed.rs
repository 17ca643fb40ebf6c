//! Calls that we place without an offer: the callee's comes in a provisional answer that has to arrive, or in the 2xx, and our
//! answer to it goes out with the PRACK, or with the ACK ([RFC 3261 §13.2.1], [RFC 3262 §5]).
//!
//! ```text
//!           1xx with an offer                            answer
//! Awaited ─────────────────────► Open: its PRACK waits ─────────► Agreed: what is described later says nothing new
//!    └─2xx with an offer─► Owed: its ACK waits ─answer─► ACK
//! ```
//!
//! Each phone of those that ring has an offer of its own.
//!
//! [RFC 3261 §13.2.1]: https://www.rfc-editor.org/rfc/rfc3261#section-13.2.1
//! [RFC 3262 §5]: https://www.rfc-editor.org/rfc/rfc3262#section-5

use std::{mem, time::Instant};

use bytes::Bytes;

use super::{
    Endpoint,
    call::{Attempt, Call, Exchange, Peer, State},
    command::CallHandle,
    event::{Event, Failure},
    reliable::Early,
    send::Ask,
    transactions::{Owner, TxId},
};
use crate::{
    dialog::{Dialog, remote_tag},
    message::{CSeq, HeaderName, Method, RAck, Response, Tag},
};

/// Names an offer of the callee's, in an answer to an INVITE that had none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferId {
    tag: Tag,
    /// RSeq of the provisional answer.
    number: Option<u32>,
}

/// How far the offer of one phone is, where our INVITE leaves it to the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theirs {
    /// It has not come; or it is not wanted.
    Awaited,
    /// It came in the provisional answer of that number, whose PRACK waits for our answer.
    Open(u32),
    /// It is answered.
    Agreed,
}

/// An ACK that waits for our answer to the offer in the 2xx.
#[derive(Debug)]
pub(crate) struct Owed {
    pub(crate) invite: TxId,
    pub(crate) cseq: u32,
    pub(crate) offer: OfferId,
    pub(crate) give_up: Instant,
}

impl OfferId {
    /// The offer in this answer.
    pub fn of(response: &Response) -> Self {
        let number = RAck::wanted(&response.headers).filter(|_| response.status.is_provisional());
        Self { tag: remote_tag(response), number }
    }

    /// Whose it is: one tag for each phone that the INVITE has reached.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }
}

impl Attempt {
    /// Whether the callee is to offer.
    fn is_delayed(&self) -> bool {
        self.invite.body.is_empty()
    }

    /// Takes out of an answer what it describes, if that may be an offer; it is put back where it is one. What may get lost is
    /// none (RFC 3261 §13.2.1), and what follows an answer of ours says nothing new.
    pub(crate) fn take_offer(&self, response: &mut Response) -> Bytes {
        if self.is_delayed() { mem::take(&mut response.body) } else { Bytes::new() }
    }

    /// The offer that a 2xx leaves open; a description that says nothing new is taken out of it.
    pub(crate) fn open_offer(&self, response: &mut Response) -> Option<OfferId> {
        if !self.is_delayed() {
            return None;
        }
        let description = self.take_offer(response);
        let OfferId { tag, .. } = OfferId::of(response);
        let early = self.early.iter().find(|early| early.dialog.id().remote == tag);
        match early.map_or(Theirs::Awaited, |early| early.theirs) {
            Theirs::Agreed => None,
            // Whoever has not waited for our PRACK hears of us in the ACK.
            Theirs::Open(number) if description.is_empty() => Some(OfferId { tag, number: Some(number) }),
            Theirs::Open(_) | Theirs::Awaited => {
                response.body = description;
                (!response.body.is_empty()).then_some(OfferId { tag, number: None })
            }
        }
    }
}

impl Early {
    /// Takes note of the offer in a provisional answer of that number; false when there is none, or none any more.
    pub(crate) fn note_offer(&mut self, number: u32, offer: &Bytes) -> bool {
        let is_offer = self.theirs == Theirs::Awaited && !offer.is_empty();
        if is_offer {
            self.theirs = Theirs::Open(number);
        }
        is_offer
    }

    fn awaits(&self, offer: &OfferId) -> bool {
        self.dialog.id().remote == offer.tag && offer.number.is_some_and(|number| self.theirs == Theirs::Open(number))
    }
}

impl Endpoint {
    /// The user above answers an offer.
    pub(super) fn answer_offer(&mut self, now: Instant, handle: CallHandle, offer: &OfferId, body: Bytes) {
        let Some(mut call) = self.calls.take(handle) else { return };
        match &mut call.state {
            State::Calling { attempt, .. } => {
                let index = attempt.early.iter().position(|early| early.awaits(offer));
                if let (Some(index), Some(number)) = (index, offer.number) {
                    attempt.early[index].theirs = Theirs::Agreed;
                    self.say_prack(now, handle, &mut call.peer, attempt, (index, number), body);
                }
            }
            State::Up { dialog, exchange } => {
                if let Exchange::Owed(Owed { invite, cseq, offer: owed, .. }) = exchange
                    && owed == offer
                {
                    self.send_ack(*invite, &call.peer.path, dialog, *cseq, body);
                    *exchange = Exchange::Idle;
                }
            }
            // Whose call has ended has been told so.
            State::Offered { .. } | State::Closing { .. } | State::Ended { .. } => {}
        }
        self.put(handle, call);
    }

    /// Acknowledges the provisional answer of that number, of one of the phones that ring.
    pub(super) fn say_prack(
        &mut self,
        now: Instant,
        handle: CallHandle,
        peer: &mut Peer,
        attempt: &mut Attempt,
        (index, number): (usize, u32),
        body: Bytes,
    ) {
        let cseq = CSeq { number: attempt.cseq, method: Method::Invite };
        let Some(early) = attempt.early.get_mut(index) else { return };
        let own = vec![(HeaderName::RAck, RAck { number, cseq }.to_string())];
        let ask = Ask { own, body, ..Ask::new(Method::Prack) };
        self.send_within(now, peer, &mut early.dialog, ask, Owner::Prack(handle, index));
    }

    /// Whether this is the 2xx whose ACK waits, once more.
    pub(super) fn owes_ack(&self, handle: CallHandle, id: TxId, response: &Response) -> bool {
        match self.calls.get(handle).map(|call| &call.state) {
            Some(State::Up { exchange: Exchange::Owed(owed), .. }) => {
                owed.invite == id && owed.offer.tag == remote_tag(response)
            }
            _ => false,
        }
    }

    /// Acknowledges what is still to be acknowledged, because the call ends.
    pub(super) fn pay_ack(&mut self, peer: &Peer, dialog: &Dialog, exchange: &Exchange) {
        if let Exchange::Owed(owed) = exchange {
            self.send_ack(owed.invite, &peer.path, dialog, owed.cseq, Bytes::new());
        }
    }

    /// Nobody has answered the offer in a 2xx. By now the callee does not wait for its ACK any more.
    pub(super) fn forfeit(&mut self, now: Instant, handle: CallHandle, call: Call) {
        let State::Up { dialog, .. } = call.state else { return self.put(handle, call) };
        self.tell(Event::Failed { call: handle, why: Failure::TimedOut });
        self.say_bye(now, handle, call.peer, dialog, Vec::new(), None);
    }
}
