//! One call as the endpoint sees it.
//!
//! ```text
//! inbound   Offered ──2xx──► Up ──BYE──► Closing ──► Ended, after a REFER ──► gone
//! outbound  Calling ──2xx──► Up
//!            │   └──3xx-6xx──► gone
//!            └ next hop, challenge: again
//! ```

use std::time::Instant;

use bytes::Bytes;

use super::{
    command::{ExtraHeaders, Invite},
    config::SessionTimers,
    delayed::Owed,
    event::Event,
    flow::{Destination, NextHop},
    info::Keys,
    login::{Asked, Login},
    referral::Referral,
    reliable::{Early, Reliable},
    route::Path,
    session::Session,
    transactions::TxId,
};
use crate::{
    dialog::{Dialog, DialogId},
    message::{CallId, Tag},
    transaction::{Resend, earliest},
};

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) peer: Peer,
    pub(crate) state: State,
}

/// What is known of the other side for as long as the call lasts.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) path: Path,
    /// Who we are to it, in a call that we place.
    pub(crate) login: Option<Box<Login>>,
    pub(crate) referral: Referral,
    pub(crate) session: Session,
    pub(crate) keys: Keys,
    pub(crate) terms: Terms,
    /// Our provisional answers, if the caller wants to know that they arrive.
    pub(crate) reliable: Option<Box<Reliable>>,
}

/// How far the INVITE of a peer is with offer and answer before its final answer (RFC 3262 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// It has an offer.
    Offered,
    /// It has, and our answer in a provisional answer has arrived: that to the INVITE says the same.
    Answered,
    /// It wants ours.
    Wanted,
    /// What counts was agreed upon after the INVITE, so that the answer to that says nothing: it has had our offer in a
    /// provisional answer, and has answered in the PRACK; or it has offered something else since.
    Agreed,
}

impl Terms {
    /// Whether nothing is open, so that the peer may offer something else before the final answer.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, Self::Answered | Self::Agreed)
    }
}

/// How far the call is. What a state does not need is gone when it is entered.
#[derive(Debug)]
pub(crate) enum State {
    /// Somebody calls us and has no final answer.
    Offered { invite: TxId, id: DialogId, reminder: Option<Reminder> },
    /// We call somebody and have no final answer.
    Calling { invite: TxId, attempt: Box<Attempt>, hangup: Hangup },
    /// Answered.
    Up { dialog: Box<Dialog>, exchange: Exchange },
    /// Our BYE is under way; `finally` is told when it is done.
    Closing { dialog: Box<Dialog>, finally: Option<Event> },
    /// Over, except that what a REFER has started is still told of.
    Ended { dialog: Box<Dialog>, until: Instant },
}

/// A provisional answer, said again before proxies lose patience (RFC 3261 §13.3.1.1).
#[derive(Debug)]
pub(crate) struct Reminder {
    pub(crate) response: Bytes,
    pub(crate) at: Instant,
}

/// Whether the user above has lost interest in a call that is not answered.
#[derive(Debug)]
pub(crate) enum Hangup {
    /// No.
    Unwanted,
    /// Yes, but nothing was heard yet, so there is nothing to cancel (RFC 3261 §9.1).
    Waiting(ExtraHeaders),
    /// CANCEL was sent; if not even that brings an answer, it is over.
    Cancelling { give_up: Instant },
}

/// The offer and answer that are open within a call: one at a time (RFC 3261 §14).
#[derive(Debug)]
pub(crate) enum Exchange {
    /// None.
    Idle,
    /// The peer's INVITE, or UPDATE with an offer, waits for our answer.
    Theirs { invite: TxId },
    /// Our 2xx is repeated until its ACK comes.
    Unacknowledged(Unacknowledged),
    /// Our INVITE waits for the peer's answer.
    Ours(Offering),
    /// The 2xx to our INVITE, which had no offer, has one, and its ACK waits for our answer.
    Owed(Owed),
}

/// A re-INVITE of ours without its final answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offering {
    pub(crate) invite: TxId,
    /// When it is cancelled, or was cancelled in vain (RFC 3261 §9.1): nothing else ends one that has had a 1xx.
    pub(crate) give_up: Instant,
    pub(crate) is_cancelled: bool,
}

/// A 2xx of ours without its ACK (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(crate) struct Unacknowledged {
    pub(crate) cseq: u32,
    pub(crate) response: Bytes,
    pub(crate) to: Destination,
    pub(crate) resend: Resend,
    pub(crate) give_up: Instant,
    /// The user above wants the call ended, which has to wait for the ACK (RFC 3261 §15).
    pub(crate) hangup: Option<ExtraHeaders>,
}

/// What an outbound call is tried with.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) invite: Invite,
    pub(crate) call_id: CallId,
    pub(crate) local_tag: Tag,
    pub(crate) cseq: u32,
    /// Which of the hops is tried.
    pub(crate) hop: usize,
    /// What that hop has asked.
    pub(crate) asked: Asked,
    /// When something else is tried, as long as the hop has said nothing and there is something else.
    pub(crate) silence: Option<Instant>,
    /// Phones that ring and want to know that we hear of it.
    pub(crate) early: Vec<Early>,
}

impl Attempt {
    pub(crate) fn next_hop(&self) -> Option<&NextHop> {
        self.invite.to.get(self.hop + 1)
    }

    /// The number of our last request in the dialog of that phone, or of them all.
    pub(crate) fn last_number(&self, tag: Option<&Tag>) -> u32 {
        let early = self.early.iter().filter(|early| tag.is_none_or(|tag| early.dialog.id().remote == *tag));
        early.map(|early| early.dialog.last_number()).fold(self.cseq, u32::max)
    }
}

impl Peer {
    pub(crate) fn new(path: Path, timers: Option<SessionTimers>) -> Self {
        Self {
            path,
            login: None,
            referral: Referral::default(),
            session: Session::new(timers),
            keys: Keys::default(),
            terms: Terms::Offered,
            reliable: None,
        }
    }
}

impl Call {
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let of_state = match &self.state {
            State::Offered { reminder, .. } => {
                let reliable = self.peer.reliable.as_ref().and_then(|reliable| reliable.next_timeout());
                earliest(reminder.as_ref().map(|reminder| reminder.at), reliable)
            }
            State::Calling { hangup: Hangup::Cancelling { give_up }, .. } => Some(*give_up),
            State::Calling { attempt, .. } => attempt.silence,
            State::Ended { until, .. } => Some(*until),
            State::Up { exchange: Exchange::Unacknowledged(waiting), .. } => {
                earliest(Some(waiting.resend.at()), Some(waiting.give_up))
            }
            State::Up { exchange: Exchange::Ours(offering), .. } => Some(offering.give_up),
            State::Up { exchange: Exchange::Owed(owed), .. } => Some(owed.give_up),
            // These wait for a transaction or for the user above.
            State::Up { .. } | State::Closing { .. } => None,
        };
        let session = self.peer.session.next_timeout().filter(|_| matches!(self.state, State::Up { .. }));
        earliest(earliest(of_state, session), self.peer.referral.next_timeout())
    }

    /// All dialogs that requests of the peer find this call by: while it rings, there may be several.
    pub(crate) fn dialog_ids(&self) -> impl Iterator<Item = &DialogId> {
        let early: &[Early] = match &self.state {
            State::Calling { attempt, .. } => &attempt.early,
            _ => &[],
        };
        self.dialog_id().into_iter().chain(early.iter().map(|early| early.dialog.id()))
    }

    /// The dialog of a call that has but one.
    pub(crate) fn dialog_id(&self) -> Option<&DialogId> {
        match &self.state {
            State::Offered { id, .. } => Some(id),
            State::Up { dialog, .. } | State::Closing { dialog, .. } | State::Ended { dialog, .. } => Some(dialog.id()),
            State::Calling { .. } => None,
        }
    }

    /// Whether packets of the peer are those of somebody we have agreed to talk to.
    pub(crate) fn knows_peer(&self) -> bool {
        match &self.state {
            State::Offered { .. } => false,
            State::Calling { .. } | State::Up { .. } | State::Closing { .. } | State::Ended { .. } => true,
        }
    }
}
