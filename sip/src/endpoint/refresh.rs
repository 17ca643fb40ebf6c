//! Keeping a session alive, and noticing that nobody does ([RFC 4028 §7.4, §10]): by UPDATE where the peer takes it
//! ([RFC 3311]), else by a re-INVITE, for which the user above has the description.
//!
//! [RFC 4028 §7.4, §10]: https://www.rfc-editor.org/rfc/rfc4028#section-7.4
//! [RFC 3311]: https://www.rfc-editor.org/rfc/rfc3311

use std::time::{Duration, Instant};

use super::{
    Endpoint,
    call::{Call, Exchange, State},
    command::CallHandle,
    event::{Event, Failure},
    responses::is_fatal,
    send::Ask,
    transactions::{Owner, TxId},
};
use crate::message::{HeaderName, Method, Response, Status};

/// How long before a refresh that could not be is tried again (RFC 3261 §14.1 says 2.1 s to 4 s after a 491).
pub(super) const PAUSE: Duration = Duration::from_secs(3);
/// Why we end a call that nobody keeps alive (RFC 3326).
const EXPIRED: &str = "SIP;cause=408;text=\"session timer expired\"";

impl Endpoint {
    /// Sees to the session timer of a call; gives the call back unless it is over.
    pub(super) fn keep_alive(&mut self, now: Instant, handle: CallHandle, mut call: Call) -> Option<Call> {
        let State::Up { dialog, exchange } = &mut call.state else { return Some(call) };
        if call.peer.session.is_expired(now) {
            self.expire_session(now, handle, call);
            return None;
        }
        if !call.peer.session.is_refresh_due(now) {
            return Some(call);
        }
        if !matches!(exchange, Exchange::Idle) || !self.has_room() {
            call.peer.session.try_again(now + PAUSE);
            return Some(call);
        }
        if !call.peer.session.takes_update {
            self.tell(Event::RefreshDue { call: handle });
            return Some(call);
        }
        let ask = Ask { own: call.peer.session.request_headers(), ..Ask::new(Method::Update) };
        if self.send_within(now, &mut call.peer, dialog, ask, Owner::Update(handle)).is_none() {
            call.peer.session.try_again(now + PAUSE);
        }
        Some(call)
    }

    fn expire_session(&mut self, now: Instant, handle: CallHandle, call: Call) {
        let State::Up { dialog, exchange } = call.state else { return };
        self.close_exchange(now, &call.peer, &dialog, &exchange);
        let finally = match exchange {
            // Somebody waits for the end already.
            Exchange::Unacknowledged(waiting) if waiting.hangup.is_some() => Some(Event::HungUp { call: handle }),
            _ => {
                self.tell(Event::Failed { call: handle, why: Failure::SessionExpired });
                None
            }
        };
        let headers = vec![(HeaderName::Reason, EXPIRED.to_owned())];
        self.say_bye(now, handle, call.peer, dialog, headers, finally);
    }

    /// The answer to our UPDATE.
    pub(super) fn update_answered(&mut self, now: Instant, handle: CallHandle, response: &Response) {
        let Some(mut call) = self.calls.take(handle) else { return };
        let State::Up { dialog, .. } = &mut call.state else { return self.put(handle, call) };
        let status = response.status;
        if status.is_success() {
            dialog.refresh_target(&response.headers);
            call.peer.session.accepted(now, &response.headers);
        } else if is_fatal(status) {
            return self.lose(now, handle, call, Failure::Gone);
        } else {
            // Whatever a peer has against UPDATE, it has to take a re-INVITE.
            let is_passing =
                matches!(status, Status::REQUEST_PENDING | Status::SERVER_INTERNAL_ERROR | Status::SERVICE_UNAVAILABLE);
            call.peer.session.takes_update &= is_passing;
            call.peer.session.try_again(if is_passing { now + PAUSE } else { now });
        }
        self.put(handle, call);
    }

    /// Nobody has answered our UPDATE (RFC 4028 §10).
    pub(super) fn update_failed(&mut self, now: Instant, handle: CallHandle, why: Failure) {
        let Some(call) = self.calls.take(handle) else { return };
        self.lose(now, handle, call, why);
    }

    /// The peer wants a longer session than our request has asked for: says it again (RFC 4028 §7.4).
    pub(super) fn lengthen(&mut self, now: Instant, owner: Owner, id: TxId, response: &Response) -> bool {
        let (Owner::Reinvite(handle) | Owner::Update(handle)) = owner else { return false };
        if response.status != Status::SESSION_INTERVAL_TOO_SMALL || !self.has_room() {
            return false;
        }
        let Some(mut ask) = self.ask_of(id) else { return false };
        let Some(mut call) = self.calls.take(handle) else { return false };
        let is_heeded = call.peer.session.heed(&response.headers);
        ask.own = call.peer.session.request_headers();
        self.put(handle, call);
        is_heeded && self.say_again(now, handle, id, ask, owner)
    }

    /// The peer is gone, and hears so in case it is not.
    fn lose(&mut self, now: Instant, handle: CallHandle, call: Call, why: Failure) {
        match call.state {
            State::Up { dialog, exchange } => {
                self.close_exchange(now, &call.peer, &dialog, &exchange);
                self.tell(Event::Failed { call: handle, why });
                self.say_bye(now, handle, call.peer, dialog, Vec::new(), None);
            }
            state => self.put(handle, Call { peer: call.peer, state }),
        }
    }
}
