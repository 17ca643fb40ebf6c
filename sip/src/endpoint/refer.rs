//! Transfers: REFER out and in, and the NOTIFY that tells what came of it ([RFC 3515], [RFC 6665]).
//!
//! [RFC 3515]: https://www.rfc-editor.org/rfc/rfc3515
//! [RFC 6665]: https://www.rfc-editor.org/rfc/rfc6665

use std::time::Instant;

use bytes::Bytes;

use super::{
    Endpoint,
    call::{Call, Peer, State},
    command::{CallHandle, ExtraHeaders},
    compose::Answer,
    event::Event,
    referral::{Accepted, News, Notice, Theirs},
    send::Ask,
    transactions::{Owner, TxId},
    within::Within,
};
use crate::{
    message::{HeaderName, Method, Package, ReferTo, Request, Response, Sipfrag, Status, SubscriptionState, Tag},
    transaction::PATIENCE,
};

impl Endpoint {
    pub(super) fn refer(&mut self, now: Instant, handle: CallHandle, refer_to: &str, headers: ExtraHeaders) {
        let has_room = self.has_room();
        let Some(mut call) = self.calls.take(handle) else { return };
        let State::Up { dialog, .. } = &mut call.state else { return self.put(handle, call) };
        let target = ReferTo::parse(refer_to).ok().filter(|_| has_room);
        let sent = target.and_then(|target| {
            let own = vec![(HeaderName::ReferTo, target.to_string())];
            let ask = Ask { own, headers, ..Ask::new(Method::Refer) };
            self.send_within(now, &mut call.peer, dialog, ask, Owner::Refer(handle))
        });
        match sent {
            Some(tx) => call.peer.referral.sent(now, tx, dialog.last_number()),
            None => self.tell(Event::ReferAnswered { call: handle, response: None }),
        }
        self.put(handle, call);
    }

    /// The answer to our REFER; `None`: there will be none.
    pub(super) fn refer_answered(&mut self, handle: CallHandle, tx: TxId, response: Option<Response>) {
        if response.as_ref().is_some_and(|response| response.status.is_provisional()) {
            return;
        }
        let Some(mut call) = self.calls.take(handle) else { return };
        if !call.peer.referral.awaits(tx) {
            return self.put(handle, call);
        }
        call.peer.referral.answered(response.as_ref().is_some_and(|response| response.status.is_success()));
        self.put(handle, call);
        self.tell(Event::ReferAnswered { call: handle, response: response.map(Box::new) });
    }

    /// A NOTIFY within a call, or in what is left of one.
    pub(super) fn notified(&mut self, now: Instant, within: Within<'_>, request: &Request) {
        let Within { handle, mut call, tx, tag } = within;
        let told = Sipfrag::of(&request.headers, &request.body);
        let state = SubscriptionState::of(&request.headers);
        let package = Package::of(&request.headers);
        let outcome = match &package {
            Some(package @ Package::Refer { .. }) => {
                match call.peer.referral.notified(now, package, state, told.as_ref()) {
                    Notice::Strange => Err(Answer::new(Status::CALL_DOES_NOT_EXIST)),
                    Notice::Stale => Ok(None),
                    Notice::News { is_last } => Ok(Some(is_last)),
                }
            }
            // RFC 6665 §8.3.2: an event that nobody has subscribed to.
            Some(Package::Other) | None => Err(Answer::new(Status::BAD_EVENT).with(HeaderName::AllowEvents, "refer")),
        };
        self.put(handle, call);
        match outcome {
            Ok(over) => {
                self.answer_server(now, tx, tag, Answer::new(Status::OK));
                let Some(over) = over else { return };
                let (status, reason) = told.map_or((None, String::new()), |told| (Some(told.status), told.reason));
                self.tell(Event::Notified { call: handle, status, reason, over });
            }
            Err(answer) => self.answer_server(now, tx, tag, answer),
        }
    }

    /// The peer asks us to call somebody: whether we do is for the user above to say.
    pub(super) fn referred(&mut self, now: Instant, within: Within<'_>, request: Request) {
        let Within { handle, mut call, tx, tag } = within;
        let answer = match (ReferTo::of(&request.headers), &call.peer.referral.theirs) {
            (Err(_), _) => {
                let reason = Some("Exactly one readable Refer-To".to_owned());
                Some(Answer { reason, ..Answer::new(Status::BAD_REQUEST) })
            }
            (Ok(_), Some(_)) => Some(Answer::new(Status::REQUEST_PENDING)),
            (Ok(_), None) => None,
        };
        if let Some(answer) = answer {
            self.put(handle, call);
            return self.answer_server(now, tx, tag, answer);
        }
        let number = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
        call.peer.referral.theirs = Some(Theirs::Asked { refer: tx, number, until: now + PATIENCE });
        if let Some(record) = self.transactions.server_mut(tx) {
            record.call = Some(handle);
        }
        self.put(handle, call);
        self.tell(Event::Referred { call: handle, request: Box::new(request) });
    }

    /// The user above has decided.
    pub(super) fn answer_refer(&mut self, now: Instant, handle: CallHandle, status: Status) {
        if status.is_provisional() {
            return;
        }
        let Some(mut call) = self.calls.take(handle) else { return };
        let (State::Up { dialog, .. }, Some(Theirs::Asked { refer, number, .. })) =
            (&call.state, &call.peer.referral.theirs)
        else {
            return self.put(handle, call);
        };
        let (refer, number, tag) = (*refer, *number, dialog.id().local.clone());
        call.peer.referral.theirs = status.is_success().then(|| Theirs::Accepted(Accepted::new(now, number)));
        self.put(handle, call);
        self.answer_server(now, refer, &tag, Answer::new(status));
        // Each subscription begins with a NOTIFY, also one that has nothing to tell (RFC 3515 §2.4.4).
        self.tell_news(now, handle, News { status: Status::TRYING, over: false });
    }

    /// There is news of the call that the peer has asked for.
    pub(super) fn tell_news(&mut self, now: Instant, handle: CallHandle, news: News) {
        let Some(mut call) = self.calls.take(handle) else { return };
        if let Some(Theirs::Accepted(accepted)) = &mut call.peer.referral.theirs {
            accepted.hear(News { over: news.over || news.status.is_final(), ..news });
            self.notify(now, handle, &mut call);
        }
        self.put(handle, call);
    }

    /// A NOTIFY of ours was answered, or never will be. A peer that does not take one gets no other.
    pub(super) fn notify_done(&mut self, now: Instant, handle: CallHandle, is_taken: bool) {
        let Some(mut call) = self.calls.take(handle) else { return };
        if let Some(Theirs::Accepted(accepted)) = &mut call.peer.referral.theirs {
            if accepted.told() && is_taken {
                self.notify(now, handle, &mut call);
            } else {
                call.peer.referral.theirs = None;
            }
        }
        self.put(handle, call);
    }

    /// What has waited for too long.
    pub(super) fn expire_referral(&mut self, now: Instant, handle: CallHandle, call: &mut Call) {
        if call.peer.referral.give_up(now) {
            self.tell(Event::Notified { call: handle, status: None, reason: String::new(), over: true });
        }
        match &mut call.peer.referral.theirs {
            Some(Theirs::Asked { until, .. }) if now >= *until => {
                let tag = call.dialog_id().map_or_else(|| Tag::new(""), |id| id.local.clone());
                self.close_referral(now, &mut call.peer, &tag, Status::DECLINE);
            }
            Some(Theirs::Accepted(accepted)) if accepted.is_due(now) => {
                if accepted.is_last_told() {
                    call.peer.referral.theirs = None;
                    return;
                }
                accepted.expire(now);
                self.notify(now, handle, call);
            }
            // Early, or nothing to wait for.
            Some(Theirs::Asked { .. } | Theirs::Accepted(_)) | None => {}
        }
    }

    /// Gives a REFER of the peer that is still open its final answer.
    pub(super) fn close_referral(&mut self, now: Instant, peer: &mut Peer, tag: &Tag, status: Status) {
        let Some(Theirs::Asked { refer, .. }) = peer.referral.theirs else { return };
        peer.referral.theirs = None;
        self.answer_server(now, refer, tag, Answer::new(status));
    }

    fn notify(&mut self, now: Instant, handle: CallHandle, call: &mut Call) {
        let (State::Up { dialog, .. } | State::Closing { dialog, .. } | State::Ended { dialog, .. }) = &mut call.state
        else {
            return;
        };
        let Some(Theirs::Accepted(accepted)) = &mut call.peer.referral.theirs else { return };
        let Some((package, state, told)) = accepted.next(now) else { return };
        let own = vec![(HeaderName::Event, package.to_string()), (HeaderName::SubscriptionState, state.to_string())];
        let body = Bytes::from(told.to_string());
        let ask = Ask { own, body, kind: Sipfrag::CONTENT_TYPE, ..Ask::new(Method::Notify) };
        if self.send_within(now, &mut call.peer, dialog, ask, Owner::Notify(handle)).is_none() {
            call.peer.referral.theirs = None;
        }
    }
}
