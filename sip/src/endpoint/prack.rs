//! PRACK, both ways ([RFC 3262]), and what else comes within a call that is not answered yet.
//!
//! [RFC 3262]: https://www.rfc-editor.org/rfc/rfc3262

use std::time::Instant;

use bytes::Bytes;

use super::{
    Endpoint,
    call::{Attempt, Call, Peer, State, Terms},
    command::CallHandle,
    compose::Answer,
    config::Reliability,
    delayed::Theirs,
    event::{Event, Failure},
    reliable::{Early, Order, RELIABLE, Reliable},
    requests::unreadable_body,
    transactions::{ServerMachine, TxId},
    within::Within,
};
use crate::{
    dialog::{Dialog, remote_tag},
    message::{HeaderName, Headers, Message, Method, RAck, Request, Response, Status},
};

/// Phones that one INVITE may make ring at a time, as far as we talk to them.
const MAX_EARLY: usize = 8;

impl Endpoint {
    /// Whether provisional answers to this INVITE have to arrive.
    pub(super) fn reliable_for(&mut self, invite: &Headers) -> Option<Box<Reliable>> {
        let names = |tags: Vec<&str>| tags.iter().any(|tag| tag.eq_ignore_ascii_case(RELIABLE));
        let is_wanted =
            names(invite.require()) || (self.config.reliability == Reliability::Supported && names(invite.supported()));
        is_wanted.then(|| Box::new(Reliable::new(self.names.below(u32::MAX))))
    }

    /// Says a provisional answer that has to arrive, or keeps it until the one before has.
    pub(super) fn progress_reliably(&mut self, now: Instant, handle: CallHandle, mut call: Call, answer: Answer) {
        let (State::Offered { invite, id, .. }, Some(reliable)) = (&call.state, &mut call.peer.reliable) else {
            return self.put(handle, call);
        };
        let (invite, tag) = (*invite, id.local.clone());
        let Some((mut answer, number)) = reliable.offer(now, answer) else { return self.put(handle, call) };
        answer.own = vec![(HeaderName::Require, RELIABLE.to_owned()), (HeaderName::RSeq, number.to_string())];
        let (status, body) = (answer.status, answer.body.clone());
        let listener = self.listener_of(&call.peer);
        let asked = self.transactions.server(invite).map(|tx| &tx.asked);
        let Some(response) = asked.map(|asked| self.compose_answer(asked, &tag, listener, answer)) else {
            return self.end(handle, None);
        };
        if let Some(reliable) = &mut call.peer.reliable {
            reliable.said(now, status, body, Message::Response(response.clone()).to_bytes());
        }
        self.put(handle, call);
        self.respond(now, invite, response);
    }

    /// Repeats what has not arrived; gives the call back unless it is over, or was put back.
    pub(super) fn repeat_progress(&mut self, now: Instant, handle: CallHandle, mut call: Call) -> Option<Call> {
        let (State::Offered { invite, id, .. }, Some(reliable)) = (&call.state, &mut call.peer.reliable) else {
            return Some(call);
        };
        if reliable.is_hopeless(now) {
            let (invite, tag) = (*invite, id.local.clone());
            self.end(handle, Some(Event::Failed { call: handle, why: Failure::TimedOut }));
            self.drop_proposal(now, &mut call.peer, &tag);
            self.answer_server(now, invite, &tag, Answer::new(Status::SERVER_TIMEOUT));
            return None;
        }
        if reliable.proposal().is_some_and(|proposal| now >= proposal.give_up) {
            self.settle_proposal(now, handle, call, Answer::new(Status::SERVER_TIMEOUT));
            return None;
        }
        if let Some(response) = reliable.due(now) {
            let invite = *invite;
            if let Some(tx) = self.transactions.server_mut(invite) {
                tx.machine.handle_response(now, Status::SESSION_PROGRESS, response);
            }
            self.settle_server(now, invite);
        }
        Some(call)
    }

    /// A PRACK within a call, answered or not.
    pub(super) fn handle_prack(&mut self, now: Instant, within: Within<'_>, mut request: Request) {
        let Within { handle, mut call, tx, tag } = within;
        let invite = match &call.state {
            State::Offered { invite, .. } => {
                let asked = self.transactions.server(*invite).map(|tx| &tx.asked.headers);
                asked.and_then(|headers| headers.cseq().ok()).map(|cseq| cseq.number)
            }
            // It was overtaken by our final answer, and is as good as ever.
            _ => RAck::of(&request.headers).map(|rack| rack.cseq.number),
        };
        let rack = RAck::of(&request.headers).filter(|rack| rack.cseq.method == Method::Invite);
        let acknowledged = match (&mut call.peer.reliable, rack, invite) {
            (Some(reliable), Some(rack), Some(invite)) => reliable.acknowledge(&rack, invite),
            _ => None,
        };
        let is_answer = acknowledged == Some(true) && call.peer.terms == Terms::Wanted;
        if acknowledged == Some(true) && call.peer.terms == Terms::Offered {
            call.peer.terms = Terms::Answered;
        }
        let may_offer = matches!(call.state, State::Offered { .. }) && call.peer.terms.is_settled();
        let refusal = match acknowledged {
            None => Some(Answer::new(Status::CALL_DOES_NOT_EXIST)),
            Some(_) if request.body.is_empty() => None,
            Some(_) if is_answer => unreadable_body(&mut request),
            Some(_) if may_offer => self.early_objection(&call, &mut request),
            // The offer of the INVITE is still open, so there can be no other; or our answer to it is on its way.
            Some(_) => Some(Answer::new(Status::NOT_ACCEPTABLE_HERE)),
        };
        // Without a body the answer is yet to come, in the ACK.
        let agreed = request.body.clone();
        let is_agreed = is_answer && refusal.is_none() && !agreed.is_empty();
        if is_agreed {
            call.peer.terms = Terms::Agreed;
            call.peer.reliable.iter_mut().for_each(|reliable| reliable.is_agreed());
        }
        let waiting = call.peer.reliable.as_mut().filter(|_| acknowledged.is_some()).map(|reliable| reliable.next());
        // Whatever becomes of its offer, the PRACK has told that our answer has arrived.
        if refusal.is_none() && !is_answer && !request.body.is_empty() {
            self.propose(now, handle, call, tx, request);
        } else {
            self.put(handle, call);
            self.answer_server(now, tx, tag, refusal.unwrap_or(Answer::new(Status::OK)));
        }
        if is_agreed {
            self.tell(Event::Acked { call: handle, body: agreed });
        }
        match waiting {
            Some((Some(held), _)) => self.accept(now, handle, held),
            Some((None, Some(next))) => self.progress(now, handle, next),
            Some((None, None)) | None => {}
        }
    }

    /// A provisional answer to our INVITE: acknowledged if that is asked for, at once unless it is for the user above to answer
    /// its offer. False when nobody is to hear of it.
    pub(super) fn hear_progress(
        &mut self,
        now: Instant,
        (handle, id): (CallHandle, TxId),
        peer: &mut Peer,
        attempt: &mut Attempt,
        response: &mut Response,
    ) -> bool {
        let offer = attempt.take_offer(response);
        let Some(number) = RAck::wanted(&response.headers) else { return true };
        let tag = remote_tag(response);
        let sent = self.transactions.client(id).and_then(|tx| tx.sent.invite.as_deref());
        let known = attempt.early.iter().position(|early| early.dialog.id().remote == tag);
        let index = match known {
            Some(index) => {
                match attempt.early[index].hear(number) {
                    Order::News => {}
                    // Its PRACK takes care of itself.
                    Order::Repeated | Order::Ahead => return false,
                }
                index
            }
            None => {
                let dialog = sent.map(|sent| Dialog::answered(sent, &response.headers));
                let Some(Ok(dialog)) = dialog.filter(|_| attempt.early.len() < MAX_EARLY) else { return true };
                attempt.early.push(Early { dialog, number, theirs: Theirs::Awaited });
                attempt.early.len() - 1
            }
        };
        peer.session.note(&response.headers);
        if attempt.early[index].note_offer(number, &offer) {
            response.body = offer;
        } else if self.has_room() {
            self.say_prack(now, handle, peer, attempt, (index, number), Bytes::new());
        }
        true
    }

    /// An UPDATE before the answer (RFC 3311 §5.2).
    pub(super) fn update_early(&mut self, now: Instant, within: Within<'_>, mut request: Request) {
        let Within { handle, mut call, tx, tag } = within;
        let objection = if request.body.is_empty() { None } else { self.early_objection(&call, &mut request) };
        if objection.is_none() && !request.body.is_empty() {
            return self.propose(now, handle, call, tx, request);
        }
        if let (State::Calling { attempt, .. }, None) = (&mut call.state, &objection) {
            let from = request.headers.from().ok().and_then(|from| from.tag());
            let is_theirs = |early: &&mut Early| Some(&early.dialog.id().remote) == from.as_ref();
            let early = attempt.early.iter_mut().find(is_theirs);
            early.into_iter().for_each(|early| early.dialog.refresh_target(&request.headers));
        }
        self.put(handle, call);
        self.answer_server(now, tx, tag, objection.unwrap_or(Answer::new(Status::OK)));
    }

    /// Whether a transaction is one of an INVITE.
    pub(super) fn is_invite(&self, id: TxId) -> bool {
        self.transactions.server(id).is_some_and(|tx| matches!(tx.machine, ServerMachine::Invite(_)))
    }
}
