//! Requests of the peer within a call ([RFC 3261 §12.2.2], [§14.2], [§15.1.2]).
//!
//! [RFC 3261 §12.2.2]: https://www.rfc-editor.org/rfc/rfc3261#section-12.2.2
//! [§14.2]: https://www.rfc-editor.org/rfc/rfc3261#section-14.2
//! [§15.1.2]: https://www.rfc-editor.org/rfc/rfc3261#section-15.1.2

use std::time::Instant;

use super::{
    Endpoint,
    body::reduce_to_sdp,
    call::{Call, Exchange, Peer, State},
    command::CallHandle,
    compose::Answer,
    event::Event,
    flow::Flow,
    requests::{Arrival, not_handled, unreadable_body},
    transactions::{ClientMachine, TxId},
};
use crate::{
    dialog::{Dialog, DialogId},
    message::{HeaderName, Method, Request, Status, Tag},
    transaction::invite_client,
};

/// Upper bound of the Retry-After of a 500 to a re-INVITE that came too soon (RFC 3261 §14.2).
const REINVITE_PAUSE: u32 = 10;

/// Where a request within a call belongs, and how it is answered.
pub(super) struct Within<'a> {
    pub(super) handle: CallHandle,
    /// Taken out, to be put back.
    pub(super) call: Call,
    pub(super) tx: TxId,
    /// Ours.
    pub(super) tag: &'a Tag,
}

impl Endpoint {
    /// A request with a To tag that is neither ACK nor CANCEL and not a repetition.
    pub(super) fn handle_within(&mut self, now: Instant, arrival: &Arrival, request: Request) {
        let Ok(id) = DialogId::of_request(&request.headers) else { return };
        let Some(handle) = self.calls.find(&id) else {
            return self.refuse(arrival, &request, Answer::new(Status::CALL_DOES_NOT_EXIST));
        };
        if !self.has_room() {
            self.stats.overloaded += 1;
            return self.refuse_overloaded(arrival, &request);
        }
        let Some(mut call) = self.calls.take(handle) else { return };
        follow(&mut call, &arrival.flow);
        let tx = self.open_server(arrival, &request, None);
        match call.state {
            State::Up { mut dialog, exchange } => {
                let is_in_order = request.headers.cseq().is_ok_and(|cseq| dialog.accept_cseq(cseq.number));
                if is_in_order {
                    self.handle_in_order(
                        now,
                        handle,
                        Call { state: State::Up { dialog, exchange }, ..call },
                        tx,
                        request,
                    );
                } else {
                    self.put(handle, Call { state: State::Up { dialog, exchange }, ..call });
                    self.answer_server(now, tx, &id.local, Answer::new(Status::SERVER_INTERNAL_ERROR));
                }
            }
            // A caller may end with BYE what it could have cancelled, once it knows our tag (RFC 3261 §15).
            State::Offered { invite, .. } if request.method == Method::Bye => {
                self.answer_server(now, tx, &id.local, Answer::new(Status::OK));
                self.drop_proposal(now, &mut call.peer, &id.local);
                self.answer_server(now, invite, &id.local, Answer::new(Status::REQUEST_TERMINATED));
                let reason = request.headers.joined(&HeaderName::Reason);
                self.end(handle, Some(Event::Cancelled { call: handle, reason }));
            }
            // What a REFER has started is told of until the end, and for a while after it.
            State::Closing { mut dialog, finally } if request.method == Method::Notify => {
                let is_in_order = request.headers.cseq().is_ok_and(|cseq| dialog.accept_cseq(cseq.number));
                let call = Call { state: State::Closing { dialog, finally }, ..call };
                self.handle_news(now, Within { handle, call, tx, tag: &id.local }, &request, is_in_order);
            }
            State::Ended { mut dialog, until } if request.method == Method::Notify => {
                let is_in_order = request.headers.cseq().is_ok_and(|cseq| dialog.accept_cseq(cseq.number));
                let call = Call { state: State::Ended { dialog, until }, ..call };
                self.handle_news(now, Within { handle, call, tx, tag: &id.local }, &request, is_in_order);
            }
            // Two BYEs have met; ours is still waiting for its answer.
            state @ State::Closing { .. } => {
                let status = if request.method == Method::Bye { Status::OK } else { Status::CALL_DOES_NOT_EXIST };
                self.put(handle, Call { state, ..call });
                self.answer_server(now, tx, &id.local, Answer::new(status));
            }
            state @ State::Ended { .. } => {
                self.put(handle, Call { state, ..call });
                self.answer_server(now, tx, &id.local, Answer::new(Status::CALL_DOES_NOT_EXIST));
            }
            state @ (State::Offered { .. } | State::Calling { .. }) if is_early(&request.method) => {
                let within = Within { handle, call: Call { state, ..call }, tx, tag: &id.local };
                match request.method {
                    Method::Prack => self.handle_prack(now, within, request),
                    Method::Update => self.update_early(now, within, request),
                    _ => self.handle_info(now, within, &request),
                }
            }
            // Nothing else makes sense before the answer.
            state @ (State::Offered { .. } | State::Calling { .. }) => {
                let is_ours = matches!(state, State::Calling { .. });
                self.put(handle, Call { state, ..call });
                let answer = match request.method {
                    // RFC 3261 §14.2: the one before has no final answer, of ours or of the peer's.
                    Method::Invite if is_ours => Answer::new(Status::REQUEST_PENDING),
                    Method::Invite => self.too_soon(),
                    Method::Refer => Answer::new(Status::DECLINE),
                    Method::Notify | Method::Bye => Answer::new(Status::CALL_DOES_NOT_EXIST),
                    ref method => not_handled(method),
                };
                self.answer_server(now, tx, &id.local, answer);
            }
        }
    }

    fn handle_in_order(&mut self, now: Instant, handle: CallHandle, call: Call, tx: TxId, request: Request) {
        let State::Up { dialog, exchange } = call.state else { return };
        let mut peer = call.peer;
        let tag = dialog.id().local.clone();
        if let Some(answer) = self.unsupported(&request).filter(|_| request.method != Method::Bye) {
            self.put(handle, Call { peer, state: State::Up { dialog, exchange } });
            return self.answer_server(now, tx, &tag, answer);
        }
        match request.method {
            Method::Invite | Method::Update => {
                self.handle_reinvite(now, handle, peer, (dialog, exchange), tx, request);
            }
            Method::Prack => {
                let call = Call { peer, state: State::Up { dialog, exchange } };
                self.handle_prack(now, Within { handle, call, tx, tag: &tag }, request);
            }
            Method::Info => {
                let call = Call { peer, state: State::Up { dialog, exchange } };
                self.handle_info(now, Within { handle, call, tx, tag: &tag }, &request);
            }
            Method::Bye => {
                self.close_referral(now, &mut peer, &tag, Status::REQUEST_TERMINATED);
                self.answer_server(now, tx, &tag, Answer::new(Status::OK));
                self.close_exchange(now, &peer, &dialog, &exchange);
                // Whoever wants to hang up and only waits for the ACK has what was wanted.
                let event = match exchange {
                    Exchange::Unacknowledged(waiting) if waiting.hangup.is_some() => Event::HungUp { call: handle },
                    _ => Event::Ended { call: handle, request: Box::new(request) },
                };
                self.retire(now, handle, peer, dialog, Some(event));
            }
            Method::Notify => {
                let call = Call { peer, state: State::Up { dialog, exchange } };
                self.notified(now, Within { handle, call, tx, tag: &tag }, &request);
            }
            Method::Refer => {
                let call = Call { peer, state: State::Up { dialog, exchange } };
                self.referred(now, Within { handle, call, tx, tag: &tag }, request);
            }
            ref method => {
                let answer = if *method == Method::Options { self.abilities() } else { not_handled(method) };
                self.put(handle, Call { peer, state: State::Up { dialog, exchange } });
                self.answer_server(now, tx, &tag, answer);
            }
        }
    }

    /// A NOTIFY in what is left of a call.
    fn handle_news(&mut self, now: Instant, within: Within<'_>, request: &Request, is_in_order: bool) {
        if is_in_order {
            return self.notified(now, within, request);
        }
        let Within { handle, call, tx, tag } = within;
        self.put(handle, call);
        self.answer_server(now, tx, tag, Answer::new(Status::SERVER_INTERNAL_ERROR));
    }

    /// An INVITE or an UPDATE within a call: one offer at a time (RFC 3261 §14.2, RFC 3311 §5.2). An UPDATE without one
    /// refreshes the session and changes nothing.
    fn handle_reinvite(
        &mut self,
        now: Instant,
        handle: CallHandle,
        mut peer: Peer,
        (mut dialog, exchange): (Box<Dialog>, Exchange),
        tx: TxId,
        mut request: Request,
    ) {
        let tag = dialog.id().local.clone();
        let is_refresh = request.method == Method::Update && request.body.is_empty();
        let objection = match &exchange {
            Exchange::Idle => self.too_brief(&request).or_else(|| unreadable_body(&mut request)),
            _ if is_refresh => self.too_brief(&request),
            Exchange::Theirs { .. } => Some(self.too_soon()),
            // Glare; or the last 2xx, ours or the peer's, has no ACK yet, and the peer will try again.
            Exchange::Ours(_) | Exchange::Unacknowledged(_) | Exchange::Owed(_) => {
                Some(Answer::new(Status::REQUEST_PENDING))
            }
        };
        if let Some(answer) = objection {
            self.put(handle, Call { peer, state: State::Up { dialog, exchange } });
            return self.answer_server(now, tx, &tag, answer);
        }
        if let Some(record) = self.transactions.server_mut(tx) {
            record.call = Some(handle);
        }
        if is_refresh {
            dialog.refresh_target(&request.headers);
            let own = peer.session.accept(now, &request.headers);
            self.put(handle, Call { peer, state: State::Up { dialog, exchange } });
            return self.answer_server(now, tx, &tag, Answer { own, ..Answer::new(Status::OK) });
        }
        self.put(handle, Call { peer, state: State::Up { dialog, exchange: Exchange::Theirs { invite: tx } } });
        self.tell(Event::Reinvite { call: handle, request: Box::new(request) });
    }

    /// The answer to an offer while another one of the peer is open (RFC 3261 §14.2).
    pub(super) fn too_soon(&mut self) -> Answer {
        let pause = self.names.below(REINVITE_PAUSE + 1).to_string();
        Answer::new(Status::SERVER_INTERNAL_ERROR).with(HeaderName::RetryAfter, pause)
    }

    /// The ACK of a 2xx (RFC 3261 §13.3.1.4).
    pub(super) fn acknowledge(&mut self, now: Instant, mut ack: Request) {
        let number = ack.headers.cseq().map(|cseq| cseq.number);
        let found = DialogId::of_request(&ack.headers).ok().and_then(|id| self.calls.find(&id));
        let Some((handle, mut call)) = found.and_then(|handle| Some((handle, self.calls.take(handle)?))) else {
            self.stats.unmatched_acks += 1;
            return;
        };
        match call.state {
            State::Up { dialog, exchange: Exchange::Unacknowledged(waiting) } if number == Ok(waiting.cseq) => {
                if let Some(headers) = waiting.hangup {
                    let finally = Some(Event::HungUp { call: handle });
                    return self.say_bye(now, handle, call.peer, dialog, headers, finally);
                }
                call.state = State::Up { dialog, exchange: Exchange::Idle };
                self.put(handle, call);
                // A body that is no SDP is as good as none: the answer that the user above waits for is missing.
                let is_read = reduce_to_sdp(&mut ack.headers, &mut ack.body);
                let body = if is_read { ack.body } else { bytes::Bytes::new() };
                self.tell(Event::Acked { call: handle, body });
            }
            // A repeated ACK, or one of another INVITE.
            state => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    /// The call ends: an INVITE of the peer that is still open gets its final answer, one of ours does not wait for its own
    /// for ever, and a 2xx gets its ACK.
    pub(super) fn close_exchange(&mut self, now: Instant, peer: &Peer, dialog: &Dialog, exchange: &Exchange) {
        match exchange {
            Exchange::Theirs { invite } => {
                self.answer_server(now, *invite, &dialog.id().local, Answer::new(Status::REQUEST_TERMINATED));
            }
            Exchange::Ours(ours) => {
                if let Some(tx) = self.transactions.client_mut(ours.invite)
                    && let ClientMachine::Invite(machine) = &mut tx.machine
                {
                    machine.handle_input(now, invite_client::Input::Orphan);
                }
                self.settle_client(now, ours.invite, None);
            }
            Exchange::Idle | Exchange::Unacknowledged(_) | Exchange::Owed(_) => {}
        }
        self.pay_ack(peer, dialog, exchange);
    }
}

/// What may come before the answer, where provisional answers are acknowledged.
fn is_early(method: &Method) -> bool {
    matches!(method, Method::Prack | Method::Update | Method::Info)
}

/// The peer has opened another stream, or its NAT another port: its own requests show which one is alive.
fn follow(call: &mut Call, flow: &Flow) {
    let path = &mut call.peer.path;
    if flow.remote.ip() != path.remote.ip() || flow.wire != path.wire {
        return;
    }
    match (&call.state, flow.connection) {
        (_, Some(_)) => path.connection = flow.connection,
        // An INVITE of ours may have to be said again to where it went.
        (State::Calling { .. }, None) => {}
        (_, None) => path.remote = flow.remote,
    }
}
