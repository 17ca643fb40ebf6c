//! Placing a call: one hop after the other, until one of them says something that counts ([RFC 3263 §4.3]).
//!
//! Each try has a number of its own (CSeq) in the same Call-ID and From tag. With the same number, two hops that lead
//! to one phone would look like one request gone in circles, and the second be refused with 482 (RFC 3261 §8.2.2.2).
//!
//! [RFC 3263 §4.3]: https://www.rfc-editor.org/rfc/rfc3263#section-4.3

use std::{mem, time::Instant};

use super::{
    Endpoint,
    call::{Attempt, Call, Hangup, Peer, State},
    command::{CallHandle, Invite},
    event::{Event, Failure},
    login::{Asked, Login},
    transactions::{ClientMachine, TxId},
};
use crate::{
    message::{CallId, NameAddr, Status, Token},
    transaction::invite_client,
};

/// Hops that one call tries.
const MAX_HOPS: usize = 16;

/// What ended a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// Nothing could be sent, or nothing was heard.
    Silence,
    /// The hop said that it cannot serve: 503.
    Unavailable,
}

/// The number of a first request is less than 2^31 (RFC 3261 §8.1.1.5), with room for those after it.
const MAX_FIRST_CSEQ: u32 = 1 << 30;

impl Endpoint {
    pub(super) fn place(&mut self, now: Instant, mut invite: Invite) {
        let handle = invite.call;
        if self.calls.contains(handle) {
            return;
        }
        let is_full = self.calls.len() >= self.config.limits.calls || !self.has_room();
        // What we have no listener for cannot be tried.
        let hops = mem::take(&mut invite.to).into_iter();
        invite.to = hops.filter(|hop| self.path_to(hop).is_some()).take(MAX_HOPS).collect();
        let path = invite.to.first().filter(|_| !is_full).and_then(|hop| self.path_to(hop));
        let Some(path) = path else {
            return self.tell(Event::Failed { call: handle, why: Failure::Unavailable });
        };
        tidy(&mut invite);
        let given = invite.call_id.take().filter(|id| CallId::parse(id.as_str()).as_ref() == Ok(id));
        let call_id = given.unwrap_or_else(|| self.names.call_id());
        let given = invite.local_tag.take().filter(|tag| Token::new(tag.as_str()).is_some());
        let local_tag = given.unwrap_or_else(|| self.names.tag());
        let login = invite.credentials.take().map(|credentials| Box::new(Login::new(credentials)));
        let peer = Peer { login, ..Peer::new(path, self.config.session_timers) };
        let asked = Asked::default();
        let cseq = invite.cseq.clamp(1, MAX_FIRST_CSEQ);
        let attempt = Attempt { invite, call_id, local_tag, cseq, hop: 0, asked, silence: None, early: Vec::new() };
        self.call_out(now, handle, peer, Box::new(attempt));
    }

    /// Sends the INVITE as the attempt stands now.
    pub(super) fn call_out(&mut self, now: Instant, handle: CallHandle, mut peer: Peer, mut attempt: Box<Attempt>) {
        attempt.early.clear();
        let Some(invite) = self.send_invite(now, handle, &mut peer, &attempt) else {
            return self.end(handle, Some(Event::Failed { call: handle, why: Failure::Unavailable }));
        };
        let has_other = attempt.next_hop().is_some() || self.is_moved(invite);
        attempt.silence = has_other.then(|| now + attempt.invite.patience);
        self.put(handle, Call { peer, state: State::Calling { invite, attempt, hangup: Hangup::Unwanted } });
    }

    /// Turns to what else can be tried after `invite` came to nothing; false when nothing can.
    pub(super) fn turn(&mut self, invite: TxId, peer: &mut Peer, attempt: &mut Attempt, why: Setback) -> bool {
        if !self.has_room() {
            return false;
        }
        // Large, and so sent over TCP, which not everybody has (RFC 3261 §18.1.1).
        if why == Setback::Silence && self.is_moved(invite) && !peer.path.datagrams_only {
            peer.path.datagrams_only = true;
            attempt.cseq = attempt.last_number(None) + 1;
            return true;
        }
        let Some(path) = attempt.next_hop().and_then(|hop| self.path_to(hop)) else { return false };
        // What one hop has asked is no business of the next.
        (peer.path, attempt.asked) = (path, Asked::default());
        attempt.hop += 1;
        attempt.cseq = attempt.last_number(None) + 1;
        true
    }

    /// A hop has said nothing for too long.
    pub(super) fn lose_patience(&mut self, now: Instant, handle: CallHandle, call: Call) {
        let mut peer = call.peer;
        let State::Calling { invite, mut attempt, hangup } = call.state else {
            return self.put(handle, Call { peer, state: call.state });
        };
        attempt.silence = None;
        let goes_on = match hangup {
            Hangup::Unwanted => self.turn(invite, &mut peer, &mut attempt, Setback::Silence),
            // There is nothing to cancel, and nobody left to try.
            Hangup::Waiting(_) | Hangup::Cancelling { .. } => {
                self.abandon(now, invite);
                return self.end(handle, Some(Event::HungUp { call: handle }));
            }
        };
        if goes_on {
            self.abandon(now, invite);
            self.call_out(now, handle, peer, attempt);
        } else {
            self.put(handle, Call { peer, state: State::Calling { invite, attempt, hangup } });
        }
    }

    /// Stops sending an INVITE. What still comes is dealt with: 1xx by CANCEL, 2xx by ACK and BYE.
    fn abandon(&mut self, now: Instant, invite: TxId) {
        if let Some(tx) = self.transactions.client_mut(invite)
            && let ClientMachine::Invite(machine) = &mut tx.machine
        {
            machine.handle_input(now, invite_client::Input::Abandon);
        }
        self.settle_client(now, invite, None);
    }

    /// A provisional answer to an INVITE that nobody waits for any more.
    pub(super) fn cancel_abandoned(&mut self, now: Instant, invite: TxId) {
        if self.has_room() && self.transactions.client(invite).is_some_and(|tx| !tx.sent.is_cancelled) {
            self.send_cancel(now, invite, Vec::new());
        }
    }

    /// Whether a request went over TCP for its size alone.
    pub(super) fn is_moved(&self, id: TxId) -> bool {
        self.transactions.client(id).is_some_and(|tx| tx.sent.is_moved)
    }
}

impl Setback {
    /// Whether this answer sends us to the next hop.
    pub(crate) fn of(status: Status) -> Option<Self> {
        (status == Status::SERVICE_UNAVAILABLE).then_some(Self::Unavailable)
    }
}

/// Takes out of addresses what belongs into no INVITE: headers and methods of URIs (RFC 3261 §19.1.1), tags that are not
/// ours to give.
fn tidy(invite: &mut Invite) {
    let Invite { uri, route, from, to_header, .. } = invite;
    for address in &mut *route {
        address.uri.headers = None;
        address.uri.params.remove("method");
    }
    for address in [from, to_header] {
        let NameAddr { uri, params, .. } = address;
        params.remove("tag");
        uri.headers = None;
    }
    uri.headers = None;
    uri.params.remove("method");
}
