//! What the endpoint tells the user above.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{
    command::CallHandle,
    flow::{Destination, Wire},
};
use crate::message::{KeyFormat, KeyPress, Request, Response, Status};

/// One thing that the driver has to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message.
    Send {
        /// Where to.
        to: Destination,
        /// The whole message.
        bytes: Bytes,
    },
    /// Tell the user above.
    Event(Event),
}

/// What the user above has to know. [`Event::call`] names the call; [`Event::is_last`] tells when it is over.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new call. Nothing was sent yet, not even 100: answer with one of [`Command::Trying`], [`Command::Progress`],
    /// [`Command::Answer`], [`Command::Reject`], [`Command::Ignore`]. A multipart body was reduced to its SDP part.
    ///
    /// [`Command::Trying`]: super::Command::Trying
    /// [`Command::Progress`]: super::Command::Progress
    /// [`Command::Answer`]: super::Command::Answer
    /// [`Command::Reject`]: super::Command::Reject
    /// [`Command::Ignore`]: super::Command::Ignore
    Incoming {
        /// Its handle from now on.
        call: CallHandle,
        /// The INVITE, as it came.
        request: Box<Request>,
        /// Where the packet came from.
        source: SocketAddr,
        /// Over what.
        wire: Wire,
        /// The address of ours that it came to.
        local: SocketAddr,
        /// What the access list said of the source.
        trusted: bool,
    },
    /// The peer wants the session changed or refreshed, by re-INVITE or by UPDATE; an empty body, which only a re-INVITE has
    /// here, asks us for an offer. Glare and wrong order were dealt with.
    Reinvite {
        /// The call.
        call: CallHandle,
        /// The re-INVITE, or the UPDATE; the answer to that has no ACK.
        request: Box<Request>,
    },
    /// The peer took back its re-INVITE before it was answered.
    ReinviteCancelled {
        /// The call.
        call: CallHandle,
    },
    /// The ACK of our 200 came, to the INVITE or to a re-INVITE; or the PRACK of a provisional answer that had our offer,
    /// with an answer to it.
    Acked {
        /// The call.
        call: CallHandle,
        /// SDP when our answer carried an offer, else empty as a rule.
        body: Bytes,
    },
    /// The caller gave up before the answer; CANCEL and INVITE are answered. Last event of the call.
    Cancelled {
        /// The call.
        call: CallHandle,
        /// The Reason headers of the CANCEL as one list (RFC 3326); [`Reason::parse_list`](crate::Reason::parse_list) reads it.
        reason: Option<String>,
    },
    /// The peer hung up; its BYE is answered. Last event of the call.
    Ended {
        /// The call.
        call: CallHandle,
        /// The BYE.
        request: Box<Request>,
    },
    /// Nobody acknowledged our 200 for 32 s; BYE is sent. Last event of the call.
    AckMissing {
        /// The call.
        call: CallHandle,
    },
    /// Outbound: a provisional answer.
    Progress {
        /// The call.
        call: CallHandle,
        /// 100 to 199. Where the INVITE had no offer, its body is the SDP of one, and wants [`Command::Acknowledge`]; a body
        /// that is not to be answered is left out.
        ///
        /// [`Command::Acknowledge`]: super::Command::Acknowledge
        response: Box<Response>,
    },
    /// Outbound: answered, and the ACK is sent, unless it waits for our answer to an offer.
    Answered {
        /// The call.
        call: CallHandle,
        /// The 2xx. Where the INVITE had no offer, its body is one, as in [`Event::Progress`].
        response: Box<Response>,
    },
    /// Outbound: refused by the last hop and in spite of the credentials, and the ACK is sent. Redirects (3xx) count, for
    /// nobody follows them. Last event of the call.
    Rejected {
        /// The call.
        call: CallHandle,
        /// The 3xx-6xx.
        response: Box<Response>,
    },
    /// Our re-INVITE was accepted, and the ACK is sent.
    ReinviteAnswered {
        /// The call.
        call: CallHandle,
        /// The 2xx.
        response: Box<Response>,
    },
    /// Our re-INVITE was refused; the call goes on as it was.
    ReinviteRejected {
        /// The call.
        call: CallHandle,
        /// The 3xx-6xx; none when it was not sent, because another offer is still open.
        response: Option<Box<Response>>,
    },
    /// What the peer says to [`Command::Refer`]: 202 as a rule, after which [`Event::Notified`] follows. That may even
    /// come first.
    ///
    /// [`Command::Refer`]: super::Command::Refer
    ReferAnswered {
        /// The call.
        call: CallHandle,
        /// The 2xx-6xx; none when nothing came, or when it could not be sent.
        response: Option<Box<Response>>,
    },
    /// How the call fares that we asked the peer for; answered already. This may come up to 32 s after the last event of
    /// the call.
    Notified {
        /// The call.
        call: CallHandle,
        /// What the new call was answered with so far; none when the peer does not say.
        status: Option<Status>,
        /// The reason phrase of it.
        reason: String,
        /// Nothing more will be told.
        over: bool,
    },
    /// The peer asks us to call somebody: to be answered with [`Command::AnswerRefer`]. Its Refer-To can be read.
    ///
    /// [`Command::AnswerRefer`]: super::Command::AnswerRefer
    Referred {
        /// The call.
        call: CallHandle,
        /// The REFER.
        request: Box<Request>,
    },
    /// The session has to be refreshed, and the peer takes no UPDATE: to be answered with [`Command::Reinvite`] that has the
    /// description in force (RFC 4028 §7.4). Without an answer the call ends in the end.
    ///
    /// [`Command::Reinvite`]: super::Command::Reinvite
    RefreshDue {
        /// The call.
        call: CallHandle,
    },
    /// The peer has pressed a key, and tells so by INFO; answered already.
    Info {
        /// The call.
        call: CallHandle,
        /// The key.
        press: KeyPress,
    },
    /// What the peer said to a key of [`Command::Info`]; `None` if it said nothing.
    ///
    /// [`Command::Info`]: super::Command::Info
    InfoAnswered {
        /// The call.
        call: CallHandle,
        /// The final answer.
        status: Option<Status>,
        /// How keys may be written instead: what a 415 says (RFC 3261 §21.4.13).
        accepts: Vec<KeyFormat>,
    },
    /// The call could not be made, or has broken down. Last event of the call.
    Failed {
        /// The call.
        call: CallHandle,
        /// Why.
        why: Failure,
    },
    /// What [`Command::Hangup`] asked for is done, whatever the peer said to it. Last event of the call.
    ///
    /// [`Command::Hangup`]: super::Command::Hangup
    HungUp {
        /// The call.
        call: CallHandle,
    },
}

impl Event {
    /// The call that this is about.
    pub fn call(&self) -> CallHandle {
        match self {
            Self::Incoming { call, .. }
            | Self::Reinvite { call, .. }
            | Self::ReinviteCancelled { call }
            | Self::Acked { call, .. }
            | Self::Cancelled { call, .. }
            | Self::Ended { call, .. }
            | Self::AckMissing { call }
            | Self::Progress { call, .. }
            | Self::Answered { call, .. }
            | Self::Rejected { call, .. }
            | Self::ReinviteAnswered { call, .. }
            | Self::ReinviteRejected { call, .. }
            | Self::ReferAnswered { call, .. }
            | Self::Notified { call, .. }
            | Self::Referred { call, .. }
            | Self::RefreshDue { call }
            | Self::Info { call, .. }
            | Self::InfoAnswered { call, .. }
            | Self::Failed { call, .. }
            | Self::HungUp { call } => *call,
        }
    }

    /// Nothing follows for this call; only if a REFER was sent, [`Event::ReferAnswered`] and [`Event::Notified`] may.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Cancelled { .. }
            | Self::Ended { .. }
            | Self::AckMissing { .. }
            | Self::Rejected { .. }
            | Self::Failed { .. }
            | Self::HungUp { .. } => true,
            Self::Incoming { .. }
            | Self::Reinvite { .. }
            | Self::ReinviteCancelled { .. }
            | Self::Acked { .. }
            | Self::Progress { .. }
            | Self::Answered { .. }
            | Self::ReinviteAnswered { .. }
            | Self::ReinviteRejected { .. }
            | Self::ReferAnswered { .. }
            | Self::Notified { .. }
            | Self::RefreshDue { .. }
            | Self::Info { .. }
            | Self::InfoAnswered { .. }
            | Self::Referred { .. } => false,
        }
    }
}

/// Why a call broke down without the peer having said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No answer for 32 s (Timers B and F): what 408 would say.
    #[error("no answer")]
    TimedOut,
    /// The message could not be sent: what 503 would say.
    #[error("peer not reachable")]
    Transport,
    /// The certificate of the peer is signed by nobody we believe, or is not for the name that was asked for (RFC 5922).
    #[error("certificate of the peer cannot be trusted")]
    Untrusted,
    /// The peer does not know the call any more (481, or 408 within the call: RFC 3261 §12.2.1.2).
    #[error("peer has lost the call")]
    Gone,
    /// Nobody has refreshed the session in time (RFC 4028 §10).
    #[error("session was not refreshed")]
    SessionExpired,
    /// The answer cannot be used: no Contact, no tag.
    #[error("answer of the peer is unusable")]
    BadAnswer,
    /// No room for another call, or no listener for that protocol and address family.
    #[error("no capacity or no listener")]
    Unavailable,
}
