//! Requests that are said again: with a proof, or over another protocol ([RFC 3261 §22.2], [§18.1.1]).
//!
//! Proofs are for whoever is called and nobody else. A challenge is answered only if it came from the address that the
//! request went to, and only if that is the address that the call was placed to: a Contact or a route may lead anywhere.
//! Calls that came in have no credentials, so nothing is ever proven in them.
//!
//! [RFC 3261 §22.2]: https://www.rfc-editor.org/rfc/rfc3261#section-22.2
//! [§18.1.1]: https://www.rfc-editor.org/rfc/rfc3261#section-18.1.1

use std::time::Instant;

use super::{
    Endpoint,
    call::{Call, Exchange, Peer, State},
    command::CallHandle,
    flow::Flow,
    login::Asked,
    send::Ask,
    transactions::{Owner, TxId},
};
use crate::message::{Response, Status};

impl Endpoint {
    /// Says a request within a call again, with the proof that this response asks for; false when there is none to give.
    pub(super) fn answer_challenge(
        &mut self,
        now: Instant,
        owner: Owner,
        id: TxId,
        flow: &Flow,
        response: &Response,
    ) -> bool {
        if !is_challenge(response.status) {
            return false;
        }
        let (Owner::Reinvite(handle)
        | Owner::Bye(handle)
        | Owner::Refer(handle)
        | Owner::Update(handle)
        | Owner::Info(handle)
        | Owner::Prack(handle, _)) = owner
        else {
            return false;
        };
        let Some(mut ask) = self.ask_of(id) else { return false };
        let Some(call) = self.calls.take(handle) else { return false };
        let is_heard = self.hear(id, &call.peer, &mut ask.asked, flow, response);
        self.put(handle, call);
        is_heard && self.say_again(now, handle, id, ask, owner)
    }

    /// Says a request within a call again over UDP, which was too large for it, but TCP did not work at all.
    pub(super) fn leave_stream(&mut self, now: Instant, owner: Owner, id: TxId) -> bool {
        let (Owner::Reinvite(handle)
        | Owner::Bye(handle)
        | Owner::Refer(handle)
        | Owner::Notify(handle)
        | Owner::Update(handle)
        | Owner::Info(handle)
        | Owner::Prack(handle, _)) = owner
        else {
            return false;
        };
        let Some(ask) = self.ask_of(id).filter(|_| self.is_moved(id)) else { return false };
        let Some(mut call) = self.calls.take(handle) else { return false };
        call.peer.path.datagrams_only = true;
        self.put(handle, call);
        self.say_again(now, handle, id, ask, owner)
    }

    /// Takes note of a challenge; true when the request is worth another try.
    pub(super) fn hear(&self, id: TxId, peer: &Peer, asked: &mut Asked, flow: &Flow, response: &Response) -> bool {
        let (Some(login), Some(tx)) = (&peer.login, self.transactions.client(id)) else { return false };
        let [source, sent_to, called] =
            [flow.remote, tx.to.remote(), peer.path.remote].map(|address| address.ip().to_canonical());
        let is_called = source == sent_to && source == called;
        is_challenge(response.status) && is_called && self.has_room() && login.hear(asked, &response.headers)
    }

    pub(super) fn say_again(&mut self, now: Instant, handle: CallHandle, before: TxId, ask: Ask, owner: Owner) -> bool {
        let Some(mut call) = self.calls.take(handle) else { return false };
        let Call { peer, state } = &mut call;
        let dialog = match (state, owner) {
            (State::Up { dialog, exchange: Exchange::Ours(_) }, Owner::Reinvite(_)) => Some(&mut **dialog),
            (State::Closing { dialog, .. }, Owner::Bye(_)) => Some(&mut **dialog),
            (State::Up { dialog, .. }, Owner::Update(_) | Owner::Info(_)) => Some(&mut **dialog),
            (State::Up { dialog, .. }, Owner::Refer(_)) if peer.referral.awaits(before) => Some(&mut **dialog),
            (
                State::Up { dialog, .. } | State::Closing { dialog, .. } | State::Ended { dialog, .. },
                Owner::Notify(_),
            ) => Some(&mut **dialog),
            (State::Calling { attempt, .. }, Owner::Prack(_, index)) => {
                attempt.early.get_mut(index).map(|early| &mut early.dialog)
            }
            // The call has gone on without it.
            _ => None,
        };
        let sent = dialog.and_then(|dialog| {
            let sent = self.send_within(now, peer, dialog, ask, owner);
            if let (Owner::Refer(_), Some(tx)) = (owner, sent) {
                peer.referral.sent_again(tx, dialog.last_number());
            }
            sent
        });
        if let (State::Up { exchange: Exchange::Ours(ours), .. }, Owner::Reinvite(_), Some(invite)) =
            (&mut call.state, owner, sent)
        {
            ours.invite = invite;
        }
        self.put(handle, call);
        sent.is_some()
    }

    pub(super) fn ask_of(&self, id: TxId) -> Option<Ask> {
        self.transactions.client(id)?.sent.ask.as_deref().cloned()
    }
}

/// Whether somebody wants a proof (RFC 3261 §22.2, §22.3).
fn is_challenge(status: Status) -> bool {
    matches!(status, Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED)
}
