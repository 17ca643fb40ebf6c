//! What the user above asks for.

use std::time::Instant;

use bytes::Bytes;

use super::{
    Endpoint,
    call::{Call, Exchange, Offering, Peer, Reminder, State, Terms, Unacknowledged},
    command::{CallHandle, Command, ExtraHeaders},
    compose::Answer,
    event::Event,
    referral::News,
    refresh::PAUSE,
    send::Ask,
    transactions::{Owner, ServerMachine, TxId},
    wake::{OFFER_LIMIT, REMINDER},
};
use crate::{
    dialog::Dialog,
    message::{Message, Method, Status, Tag},
    transaction::{PATIENCE, Resend, T2, invite_server},
};

impl Endpoint {
    /// The user above wants something.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Trying { call, local_tag } => self.trying(now, call, local_tag),
            Command::Progress { call, status, headers, body } => {
                let answer = Answer { headers, body, ..Answer::new(status) };
                self.progress(now, call, answer);
            }
            Command::Answer { call, headers, body } => {
                self.accept(now, call, Answer { headers, body, ..Answer::new(Status::OK) });
            }
            Command::Reject { call, status, reason, headers } => {
                self.reject(now, call, Answer { reason, headers, ..Answer::new(status) });
            }
            Command::Ignore { call } => self.ignore(now, call),
            Command::AnswerReinvite { call, headers, body } => {
                self.accept_reinvite(now, call, Answer { headers, body, ..Answer::new(Status::OK) });
            }
            Command::RejectReinvite { call, status, headers } => {
                self.reject_reinvite(now, call, Answer { headers, ..Answer::new(status) });
            }
            Command::Acknowledge { call, offer, body } => self.answer_offer(now, call, &offer, body),
            Command::Hangup { call, headers } => self.hang_up(now, call, headers),
            Command::Invite(invite) => self.place(now, *invite),
            Command::Reinvite { call, headers, body } => self.reinvite(now, call, headers, body),
            Command::Refer { call, refer_to, headers } => self.refer(now, call, &refer_to, headers),
            Command::AnswerRefer { call, status } => self.answer_refer(now, call, status),
            Command::Info { call, press, format } => self.tell_key(now, call, press, format),
            Command::Notify { call, status, over } => self.tell_news(now, call, News { status, over }),
            Command::Drain { retry_after } => self.draining = Some(retry_after),
        }
    }

    fn trying(&mut self, now: Instant, handle: CallHandle, local_tag: Option<Tag>) {
        let Some(mut call) = self.calls.take(handle) else { return };
        if let (State::Offered { id, .. }, Some(tag)) = (&mut call.state, local_tag) {
            id.local = tag;
        }
        let offered = match &call.state {
            State::Offered { invite, id, .. } => Some((*invite, id.local.clone())),
            _ => None,
        };
        self.put(handle, call);
        if let Some((invite, tag)) = offered {
            self.answer_server(now, invite, &tag, Answer::new(Status::TRYING));
        }
    }

    pub(super) fn progress(&mut self, now: Instant, handle: CallHandle, mut answer: Answer) {
        if !answer.status.is_provisional() || answer.status == Status::TRYING {
            return;
        }
        let Some(mut call) = self.calls.take(handle) else { return };
        let is_open = call.peer.reliable.as_ref().is_some_and(|reliable| reliable.proposal().is_some());
        if call.peer.terms == Terms::Agreed || is_open {
            answer.body.clear();
        }
        if call.peer.reliable.is_some() {
            return self.progress_reliably(now, handle, call, answer);
        }
        // An offer that may get lost is none (RFC 3261 §13.2.1).
        if call.peer.terms == Terms::Wanted {
            answer.body.clear();
        }
        let State::Offered { invite, id, .. } = call.state else { return self.put(handle, call) };
        let listener = self.listener_of(&call.peer);
        let asked = self.transactions.server(invite).map(|tx| &tx.asked);
        let Some(response) = asked.map(|asked| self.compose_answer(asked, &id.local, listener, answer)) else {
            return self.end(handle, None);
        };
        let bytes = Message::Response(response.clone()).to_bytes();
        let reminder = Some(Reminder { response: bytes, at: now + REMINDER });
        call.state = State::Offered { invite, id, reminder };
        self.put(handle, call);
        self.respond(now, invite, response);
    }

    pub(super) fn accept(&mut self, now: Instant, handle: CallHandle, answer: Answer) {
        let Some(mut call) = self.calls.take(handle) else { return };
        let State::Offered { invite, ref id, .. } = call.state else { return self.put(handle, call) };
        let answer = match &mut call.peer.reliable {
            Some(reliable) => reliable.hold(answer),
            None => Some(answer),
        };
        let Some(mut answer) = answer else { return self.put(handle, call) };
        if call.peer.terms == Terms::Agreed {
            answer.body.clear();
        }
        let dialog = self.transactions.server(invite).map(|tx| Dialog::answering(&tx.asked.headers, &id.local));
        // What could not become a dialog was refused when it came.
        let Some(Ok(dialog)) = dialog else { return self.end(handle, None) };
        self.accept_invite(now, handle, call.peer, Box::new(dialog), invite, answer);
    }

    /// Sends a 2xx. That to an INVITE is repeated until its ACK comes over whatever protocol (RFC 3261 §13.3.1.4); an
    /// UPDATE has none (RFC 3311 §5.2).
    fn accept_invite(
        &mut self,
        now: Instant,
        handle: CallHandle,
        mut peer: Peer,
        dialog: Box<Dialog>,
        invite: TxId,
        mut answer: Answer,
    ) {
        if let Some(tx) = self.transactions.server(invite) {
            answer.own = peer.session.accept(now, &tx.asked.headers);
        }
        let listener = self.listener_of(&peer);
        let made = self.transactions.server(invite).and_then(|tx| {
            let response = self.compose_answer(&tx.asked, &dialog.id().local, listener, answer);
            Some((response, tx.asked.headers.cseq().ok()?.number, tx.reply_to.clone()))
        });
        let Some((response, cseq, to)) = made else { return self.end(handle, None) };
        if !self.is_invite(invite) {
            self.put(handle, Call { peer, state: State::Up { dialog, exchange: Exchange::Idle } });
            return self.respond(now, invite, response);
        }
        let waiting = Unacknowledged {
            cseq,
            response: Message::Response(response.clone()).to_bytes(),
            to,
            resend: Resend::doubling(now, T2),
            give_up: now + PATIENCE,
            hangup: None,
        };
        self.put(handle, Call { peer, state: State::Up { dialog, exchange: Exchange::Unacknowledged(waiting) } });
        self.respond(now, invite, response);
    }

    fn reject(&mut self, now: Instant, handle: CallHandle, answer: Answer) {
        if answer.status.is_provisional() || answer.status.is_success() {
            return;
        }
        let Some(mut call) = self.calls.take(handle) else { return };
        let State::Offered { invite, id, .. } = call.state else { return self.put(handle, call) };
        self.end(handle, None);
        self.drop_proposal(now, &mut call.peer, &id.local);
        self.answer_server(now, invite, &id.local, answer);
    }

    fn ignore(&mut self, now: Instant, handle: CallHandle) {
        let Some(mut call) = self.calls.take(handle) else { return };
        let State::Offered { invite, id, .. } = call.state else { return self.put(handle, call) };
        self.end(handle, None);
        self.drop_proposal(now, &mut call.peer, &id.local);
        if let Some(tx) = self.transactions.server_mut(invite)
            && let ServerMachine::Invite(machine) = &mut tx.machine
        {
            machine.handle_input(now, invite_server::Input::Ignore);
        }
        self.settle_server(now, invite);
    }

    fn accept_reinvite(&mut self, now: Instant, handle: CallHandle, answer: Answer) {
        let Some(call) = self.calls.take(handle) else { return };
        let State::Up { mut dialog, exchange: Exchange::Theirs { invite } } = call.state else {
            return self.settle_proposal(now, handle, call, answer);
        };
        if let Some(tx) = self.transactions.server(invite) {
            dialog.refresh_target(&tx.asked.headers);
        }
        self.accept_invite(now, handle, call.peer, dialog, invite, answer);
    }

    fn reject_reinvite(&mut self, now: Instant, handle: CallHandle, answer: Answer) {
        if answer.status.is_provisional() || answer.status.is_success() {
            return;
        }
        let Some(call) = self.calls.take(handle) else { return };
        let State::Up { dialog, exchange: Exchange::Theirs { invite } } = call.state else {
            return self.settle_proposal(now, handle, call, answer);
        };
        let tag = dialog.id().local.clone();
        self.put(handle, Call { peer: call.peer, state: State::Up { dialog, exchange: Exchange::Idle } });
        self.answer_server(now, invite, &tag, answer);
    }

    fn hang_up(&mut self, now: Instant, handle: CallHandle, headers: ExtraHeaders) {
        let Some(mut call) = self.calls.take(handle) else { return };
        let finally = Event::HungUp { call: handle };
        match call.state {
            State::Offered { invite, id, .. } => {
                self.end(handle, Some(finally));
                self.drop_proposal(now, &mut call.peer, &id.local);
                self.answer_server(now, invite, &id.local, Answer { headers, ..Answer::new(Status::DECLINE) });
            }
            State::Calling { .. } => self.hang_up_calling(now, handle, call, headers),
            State::Up { dialog, exchange: Exchange::Unacknowledged(mut waiting) } => {
                waiting.hangup = Some(headers);
                call.state = State::Up { dialog, exchange: Exchange::Unacknowledged(waiting) };
                self.put(handle, call);
            }
            State::Up { dialog, exchange } => {
                self.close_exchange(now, &call.peer, &dialog, &exchange);
                self.say_bye(now, handle, call.peer, dialog, headers, Some(finally));
            }
            // Already on its way.
            state @ (State::Closing { .. } | State::Ended { .. }) => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    fn reinvite(&mut self, now: Instant, handle: CallHandle, headers: ExtraHeaders, body: Bytes) {
        let Some(mut call) = self.calls.take(handle) else { return };
        match call.state {
            State::Up { mut dialog, exchange: Exchange::Idle } if self.has_room() => {
                let own = call.peer.session.request_headers();
                let ask = Ask { own, headers, body, ..Ask::new(Method::Invite) };
                let sent = self.send_within(now, &mut call.peer, &mut dialog, ask, Owner::Reinvite(handle));
                let offering = |invite| Offering { invite, give_up: now + OFFER_LIMIT, is_cancelled: false };
                let exchange = sent.map_or(Exchange::Idle, |invite| Exchange::Ours(offering(invite)));
                call.state = State::Up { dialog, exchange };
                self.put(handle, call);
                if sent.is_none() {
                    self.tell(Event::ReinviteRejected { call: handle, response: None });
                }
            }
            // Another offer is open, or there is no room for this one.
            state @ State::Up { .. } => {
                call.state = state;
                call.peer.session.try_again(now + PAUSE);
                self.put(handle, call);
                self.tell(Event::ReinviteRejected { call: handle, response: None });
            }
            state => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }
}
