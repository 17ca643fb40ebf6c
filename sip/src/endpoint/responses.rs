//! Responses to what we sent, and what it means when none comes ([RFC 3261 §13.2.2], [§12.2.1.2], [§9.1]).
//!
//! [RFC 3261 §13.2.2]: https://www.rfc-editor.org/rfc/rfc3261#section-13.2.2
//! [§12.2.1.2]: https://www.rfc-editor.org/rfc/rfc3261#section-12.2.1.2
//! [§9.1]: https://www.rfc-editor.org/rfc/rfc3261#section-9.1

use std::time::Instant;

use bytes::Bytes;

use super::{
    Endpoint, Wake,
    body::reduce_to_sdp,
    call::{Call, Exchange, Hangup, Peer, State},
    command::{CallHandle, ExtraHeaders},
    compose,
    delayed::Owed,
    event::{Event, Failure, Output},
    failover::Setback,
    flow::Flow,
    key::ClientKey,
    refresh::PAUSE,
    send::Ask,
    transactions::{ClientMachine, Owner, TxId},
};
use crate::{
    dialog::{Dialog, remote_tag},
    message::{Method, Response, Status},
    transaction::{self, PATIENCE},
};

/// Forks of one INVITE whose 2xx are acknowledged; a call reaches a handful of phones, not a crowd.
const MAX_FORKS: usize = 8;

impl Endpoint {
    pub(super) fn handle_response(&mut self, now: Instant, flow: &Flow, mut response: Response) {
        let known = ClientKey::of_response(&response.headers).and_then(|key| self.transactions.find_client(&key));
        let Some((id, tx)) = known.and_then(|id| Some((id, self.transactions.client_mut(id)?))) else {
            self.stats.unmatched_responses += 1;
            return;
        };
        // What is no SDP is as good as no body: the answer may have come before, or may be missing. A refusal may have
        // words in its body.
        let is_about_media = matches!(tx.machine, ClientMachine::Invite(_)) && response.status.code() < 300;
        if is_about_media && !reduce_to_sdp(&mut response.headers, &mut response.body) {
            response.body = Bytes::new();
        }
        let sent = tx.sent.invite.as_deref();
        let ack = || sent.map_or_else(Bytes::new, |invite| compose::ack_refusal(invite, &response));
        tx.machine.handle_response(now, response.status, ack);
        self.settle_client(now, id, Some((*flow, response)));
    }

    /// Does what a client transaction wants; `news` is the response that it was just given.
    pub(super) fn settle_client(&mut self, now: Instant, id: TxId, mut news: Option<(Flow, Response)>) {
        let Some(tx) = self.transactions.client_mut(id) else { return };
        if tx.machine.next_timeout().is_some_and(|at| at <= now) {
            tx.machine.handle_timeout(now);
        }
        let owner = tx.owner;
        let (mut delivered, mut failure) = (None, None);
        while let Some(output) = tx.machine.poll_output() {
            match output {
                transaction::Output::Send(bytes) => {
                    self.stats.sent += 1;
                    self.outputs.push_back(Output::Send { to: tx.to.clone(), bytes });
                }
                transaction::Output::Deliver => delivered = news.take(),
                transaction::Output::TimedOut => failure = Some(Failure::TimedOut),
                transaction::Output::Unreachable => failure = Some(tx.unsent),
            }
        }
        self.alarms.set(Wake::Client(id), tx.machine.next_timeout());
        let is_over = tx.machine.is_terminated();
        let is_dealt_with = match (&delivered, failure) {
            (Some((flow, response)), _) => {
                self.answer_challenge(now, owner, id, flow, response) || self.lengthen(now, owner, id, response)
            }
            (None, Some(Failure::Transport)) => self.leave_stream(now, owner, id),
            (None, _) => false,
        };
        match (owner, delivered, failure) {
            _ if is_dealt_with => {}
            (Owner::Invite(handle), Some((flow, response)), _) => {
                self.invite_answered(now, handle, id, &flow, response);
            }
            (Owner::Reinvite(handle), Some((_, response)), _) => self.reinvite_answered(now, handle, id, response),
            (Owner::Bye(handle), Some((_, response)), _) if response.status.is_final() => self.bye_done(now, handle),
            (Owner::Refer(handle), Some((_, response)), _) => self.refer_answered(handle, id, Some(response)),
            (Owner::Notify(handle), Some((_, response)), _) if response.status.is_final() => {
                self.notify_done(now, handle, response.status.is_success());
            }
            (Owner::Update(handle), Some((_, response)), _) if response.status.is_final() => {
                self.update_answered(now, handle, &response);
            }
            (Owner::Info(handle), Some((_, response)), _) if response.status.is_final() => {
                self.key_told(now, handle, Some(&response));
            }
            (Owner::Invite(handle), None, Some(why)) => self.invite_failed(now, handle, id, why),
            (Owner::Reinvite(handle), None, Some(why)) => self.reinvite_failed(now, handle, why),
            (Owner::Bye(handle), None, Some(_)) => self.bye_done(now, handle),
            (Owner::Refer(handle), None, Some(_)) => self.refer_answered(handle, id, None),
            (Owner::Notify(handle), None, Some(_)) => self.notify_done(now, handle, false),
            (Owner::Update(handle), None, Some(why)) => self.update_failed(now, handle, why),
            (Owner::Info(handle), None, Some(_)) => self.key_told(now, handle, None),
            // Provisional answers to what is not INVITE, whatever becomes of a CANCEL, and nothing new.
            (
                Owner::Bye(_) | Owner::Notify(_) | Owner::Update(_) | Owner::Info(_) | Owner::Prack(..) | Owner::Nobody,
                _,
                _,
            )
            | (Owner::Invite(_) | Owner::Reinvite(_) | Owner::Refer(_), None, None) => {}
        }
        if is_over {
            self.drop_client(id);
        }
    }

    fn invite_answered(&mut self, now: Instant, handle: CallHandle, id: TxId, flow: &Flow, response: Response) {
        match response.status {
            status if status.is_provisional() => self.invite_progress(now, handle, id, response),
            status if status.is_success() => self.invite_accepted(now, handle, id, flow, response),
            _ => self.invite_refused(now, handle, id, flow, response),
        }
    }

    fn invite_progress(&mut self, now: Instant, handle: CallHandle, id: TxId, mut response: Response) {
        let Some(mut call) = self.calls.take(handle) else { return self.cancel_abandoned(now, id) };
        match call.state {
            State::Calling { invite, mut attempt, hangup: Hangup::Waiting(headers) } if invite == id => {
                attempt.silence = None;
                self.send_cancel(now, id, headers);
                let hangup = Hangup::Cancelling { give_up: now + PATIENCE };
                call.state = State::Calling { invite, attempt, hangup };
                self.put(handle, call);
            }
            State::Calling { invite, mut attempt, hangup } if invite == id => {
                attempt.silence = None;
                if matches!(hangup, Hangup::Unwanted)
                    && self.hear_progress(now, (handle, id), &mut call.peer, &mut attempt, &mut response)
                {
                    self.tell(Event::Progress { call: handle, response: Box::new(response) });
                }
                call.state = State::Calling { invite, attempt, hangup };
                self.put(handle, call);
            }
            // Another hop was tried meanwhile; transactions absorb what comes after a final answer.
            state => {
                call.state = state;
                self.put(handle, call);
                self.cancel_abandoned(now, id);
            }
        }
    }

    /// A 2xx: the first makes the call, repeated ones are acknowledged again, those of other forks are ended
    /// (RFC 3261 §13.2.2.4).
    fn invite_accepted(&mut self, now: Instant, handle: CallHandle, id: TxId, flow: &Flow, mut response: Response) {
        if self.acknowledge_again(id, &response) || self.owes_ack(handle, id, &response) {
            return;
        }
        let Some(tx) = self.transactions.client(id) else { return };
        let dialog = tx.sent.invite.as_deref().map(|sent| Dialog::answered(sent, &response.headers));
        let Some(call) = self.calls.take(handle) else {
            return self.end_fork(now, id, dialog.and_then(Result::ok));
        };
        match (call.state, dialog) {
            (State::Calling { invite, attempt, hangup }, Some(Ok(mut dialog))) if invite == id => {
                let mut peer = call.peer;
                // Its PRACKs have taken numbers.
                dialog.skip_to(attempt.last_number(Some(&dialog.id().remote)));
                peer.session.accepted(now, &response.headers);
                if flow.wire == peer.path.wire {
                    peer.path.connection = flow.connection;
                }
                let dialog = Box::new(dialog);
                let offer = attempt.open_offer(&mut response).filter(|_| matches!(hangup, Hangup::Unwanted));
                let exchange = match offer {
                    Some(offer) => {
                        Exchange::Owed(Owed { invite: id, cseq: attempt.cseq, offer, give_up: now + PATIENCE })
                    }
                    None => {
                        self.send_ack(id, &peer.path, &dialog, attempt.cseq, Bytes::new());
                        Exchange::Idle
                    }
                };
                match hangup {
                    Hangup::Unwanted => {
                        self.put(handle, Call { peer, state: State::Up { dialog, exchange } });
                        self.tell(Event::Answered { call: handle, response: Box::new(response) });
                    }
                    // The 200 has crossed our CANCEL (RFC 3261 §9.1).
                    Hangup::Waiting(headers) => {
                        self.say_bye(now, handle, peer, dialog, headers, Some(Event::HungUp { call: handle }));
                    }
                    Hangup::Cancelling { .. } => {
                        self.say_bye(now, handle, peer, dialog, Vec::new(), Some(Event::HungUp { call: handle }));
                    }
                }
            }
            (State::Calling { invite, hangup, .. }, _) if invite == id => {
                let event = match hangup {
                    Hangup::Unwanted => Event::Failed { call: handle, why: Failure::BadAnswer },
                    Hangup::Waiting(_) | Hangup::Cancelling { .. } => Event::HungUp { call: handle },
                };
                self.end(handle, Some(event));
            }
            (state, dialog) => {
                self.put(handle, Call { peer: call.peer, state });
                self.end_fork(now, id, dialog.and_then(Result::ok));
            }
        }
    }

    fn invite_refused(&mut self, now: Instant, handle: CallHandle, id: TxId, flow: &Flow, response: Response) {
        let Some(mut call) = self.calls.take(handle) else { return };
        match call.state {
            State::Calling { invite, mut attempt, hangup: Hangup::Unwanted } if invite == id => {
                let peer = &mut call.peer;
                let is_proven = self.hear(id, peer, &mut attempt.asked, flow, &response);
                // The peer, or somebody on the way, wants a longer session (RFC 4028 §7.3).
                let is_longer = response.status == Status::SESSION_INTERVAL_TOO_SMALL
                    && self.has_room()
                    && peer.session.heed(&response.headers);
                let is_said_again = is_proven || is_longer;
                let goes_on = is_said_again
                    || Setback::of(response.status).is_some_and(|why| self.turn(id, peer, &mut attempt, why));
                if !goes_on {
                    return self.end(handle, Some(Event::Rejected { call: handle, response: Box::new(response) }));
                }
                if is_said_again {
                    attempt.cseq = attempt.last_number(None) + 1;
                }
                self.call_out(now, handle, call.peer, attempt);
            }
            State::Calling { invite, .. } if invite == id => {
                self.end(handle, Some(Event::HungUp { call: handle }));
            }
            state => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    fn invite_failed(&mut self, now: Instant, handle: CallHandle, id: TxId, why: Failure) {
        let Some(mut call) = self.calls.take(handle) else { return };
        match call.state {
            State::Calling { invite, mut attempt, hangup: Hangup::Unwanted } if invite == id => {
                if self.turn(id, &mut call.peer, &mut attempt, Setback::Silence) {
                    return self.call_out(now, handle, call.peer, attempt);
                }
                self.end(handle, Some(Event::Failed { call: handle, why }));
            }
            State::Calling { invite, .. } if invite == id => self.end(handle, Some(Event::HungUp { call: handle })),
            // Another hop was tried meanwhile.
            state => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    fn reinvite_answered(&mut self, now: Instant, handle: CallHandle, id: TxId, response: Response) {
        if response.status.is_provisional() || self.acknowledge_again(id, &response) {
            return;
        }
        let Some(cseq) = self.transactions.client(id).and_then(|tx| tx.sent.invite.as_ref()?.headers.cseq().ok())
        else {
            return;
        };
        let Some(mut call) = self.calls.take(handle) else { return };
        let is_success = response.status.is_success();
        match call.state {
            State::Up { mut dialog, exchange: Exchange::Ours(_) } if is_success => {
                dialog.refresh_target(&response.headers);
                call.peer.session.accepted(now, &response.headers);
                self.send_ack(id, &call.peer.path, &dialog, cseq.number, Bytes::new());
                call.state = State::Up { dialog, exchange: Exchange::Idle };
                self.put(handle, call);
                self.tell(Event::ReinviteAnswered { call: handle, response: Box::new(response) });
            }
            // The peer has forgotten the call (RFC 3261 §12.2.1.2).
            State::Up { dialog, exchange: Exchange::Ours(_) } if is_fatal(response.status) => {
                self.tell(Event::Failed { call: handle, why: Failure::Gone });
                self.say_bye(now, handle, call.peer, dialog, Vec::new(), None);
            }
            State::Up { dialog, exchange: Exchange::Ours(_) } => {
                call.peer.session.try_again(now + PAUSE);
                call.state = State::Up { dialog, exchange: Exchange::Idle };
                self.put(handle, call);
                self.tell(Event::ReinviteRejected { call: handle, response: Some(Box::new(response)) });
            }
            // The call is being ended; the peer still wants its ACK.
            State::Closing { dialog, finally } => {
                if is_success {
                    self.send_ack(id, &call.peer.path, &dialog, cseq.number, Bytes::new());
                }
                call.state = State::Closing { dialog, finally };
                self.put(handle, call);
            }
            state => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    fn reinvite_failed(&mut self, now: Instant, handle: CallHandle, why: Failure) {
        let Some(mut call) = self.calls.take(handle) else { return };
        match call.state {
            State::Up { dialog, exchange: Exchange::Ours(_) } => {
                self.tell(Event::Failed { call: handle, why });
                self.say_bye(now, handle, call.peer, dialog, Vec::new(), None);
            }
            state => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    fn bye_done(&mut self, now: Instant, handle: CallHandle) {
        let Some(call) = self.calls.take(handle) else { return };
        match call.state {
            State::Closing { dialog, finally } => self.retire(now, handle, call.peer, dialog, finally),
            state => self.put(handle, Call { peer: call.peer, state }),
        }
    }

    /// Ends a dialog that nobody wanted: the 2xx of another fork, or one that came after the call was over.
    fn end_fork(&mut self, now: Instant, id: TxId, dialog: Option<Dialog>) {
        let (Some(mut dialog), Some(tx)) = (dialog, self.transactions.client(id)) else { return };
        let Some(cseq) = tx.sent.invite.as_ref().and_then(|sent| sent.headers.cseq().ok()) else { return };
        if tx.acks.len() >= MAX_FORKS {
            return;
        }
        let Some(path) = self.path_of(&tx.to) else { return };
        self.send_ack(id, &path, &dialog, cseq.number, Bytes::new());
        if self.has_room() {
            // Without our credentials: this is not the call that they are for.
            self.send_within(now, &mut Peer::new(path, None), &mut dialog, Ask::new(Method::Bye), Owner::Nobody);
        }
    }

    /// Repeats the ACK of a 2xx that was acknowledged before.
    fn acknowledge_again(&mut self, id: TxId, response: &Response) -> bool {
        let tag = remote_tag(response);
        let Some(tx) = self.transactions.client(id) else { return false };
        let Some((_, (bytes, to))) = tx.acks.iter().find(|(known, _)| *known == tag) else { return false };
        let (bytes, to) = (bytes.clone(), to.clone());
        self.send(to, bytes);
        true
    }

    /// Sends CANCEL for a call that is ringing, or makes a note to do so.
    pub(super) fn hang_up_calling(&mut self, now: Instant, handle: CallHandle, mut call: Call, headers: ExtraHeaders) {
        let State::Calling { invite, attempt, hangup } = call.state else { return };
        let is_proceeding = self
            .transactions
            .client(invite)
            .is_some_and(|tx| matches!(&tx.machine, ClientMachine::Invite(machine) if machine.is_proceeding()));
        let hangup = match hangup {
            Hangup::Unwanted if is_proceeding => {
                self.send_cancel(now, invite, headers);
                Hangup::Cancelling { give_up: now + PATIENCE }
            }
            Hangup::Unwanted => Hangup::Waiting(headers),
            // Once is enough.
            hangup @ (Hangup::Waiting(_) | Hangup::Cancelling { .. }) => hangup,
        };
        call.state = State::Calling { invite, attempt, hangup };
        self.put(handle, call);
    }
}

/// Answers to a request within a call that mean there is no call (RFC 3261 §12.2.1.2).
pub(super) fn is_fatal(status: Status) -> bool {
    matches!(status, Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT)
}
