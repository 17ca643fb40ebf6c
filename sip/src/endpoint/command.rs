//! What the user above may ask of the endpoint.

use std::time::Duration;

use bytes::Bytes;

use super::{delayed::OfferId, flow::NextHop};
use crate::{
    digest::Credentials,
    message::{CallId, HeaderName, KeyFormat, KeyPress, NameAddr, Status, Tag, Uri},
};

/// Names a call for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHandle(u64);

impl CallHandle {
    const OUTBOUND: u64 = 1 << 63;

    /// The handle of an outbound call: whoever places it chooses the number, a new one each time.
    pub fn outbound(number: u64) -> Self {
        Self(number | Self::OUTBOUND)
    }

    pub(crate) fn inbound(number: u64) -> Self {
        Self(number & !Self::OUTBOUND)
    }

    /// Whether we placed the call.
    pub fn is_outbound(self) -> bool {
        self.0 & Self::OUTBOUND != 0
    }
}

/// Extra header fields, in order. Those that the stack writes itself (Via, From, To, Call-ID, CSeq, Contact, Route,
/// Record-Route, Max-Forwards, Content-Type, Content-Length, and what belongs to digest, REFER, session timers and PRACK) are ignored here.
/// Of a header that may appear once, the last one counts.
pub type ExtraHeaders = Vec<(HeaderName, String)>;

/// What the user above may ask. A command that does not fit the state of its call, or whose call is gone, does nothing:
/// the network may always have been quicker.
#[derive(Clone, Debug)]
pub enum Command {
    /// Inbound: say 100 (RFC 3261 §8.2.6.1) and settle the To tag of everything later; random when not given.
    Trying {
        /// The call.
        call: CallHandle,
        /// The To tag.
        local_tag: Option<Tag>,
    },
    /// Inbound: say 180, 183 or another 1xx. It is repeated once a minute so that proxies go on waiting
    /// (RFC 3261 §13.3.1.1).
    Progress {
        /// The call.
        call: CallHandle,
        /// 101 to 199.
        status: Status,
        /// More headers.
        headers: ExtraHeaders,
        /// SDP, or empty. An offer, when the INVITE had none, is told only to callers who acknowledge it (RFC 3262 §5): the
        /// answer comes in [`Event::Acked`], and what [`Command::Answer`] has is left out.
        ///
        /// [`Event::Acked`]: super::Event::Acked
        body: Bytes,
    },
    /// Inbound: accept with 200. The answer is repeated until the ACK comes: [`Event::Acked`], or
    /// [`Event::AckMissing`] after 32 s.
    ///
    /// [`Event::Acked`]: super::Event::Acked
    /// [`Event::AckMissing`]: super::Event::AckMissing
    Answer {
        /// The call.
        call: CallHandle,
        /// More headers.
        headers: ExtraHeaders,
        /// SDP: the answer, or an offer when the INVITE had none.
        body: Bytes,
    },
    /// Inbound: refuse with a final status, also with a challenge. The call is over; its handle means nothing any more.
    Reject {
        /// The call.
        call: CallHandle,
        /// 300 to 699.
        status: Status,
        /// The reason phrase; the usual one when not given.
        reason: Option<String>,
        /// More headers.
        headers: ExtraHeaders,
    },
    /// Inbound: never say a word. Repetitions of the INVITE are swallowed for 32 s. The call is over.
    Ignore {
        /// The call.
        call: CallHandle,
    },
    /// Accept a re-INVITE of the peer with 200; repeated until the ACK comes, like [`Command::Answer`].
    AnswerReinvite {
        /// The call.
        call: CallHandle,
        /// More headers.
        headers: ExtraHeaders,
        /// SDP.
        body: Bytes,
    },
    /// Refuse a re-INVITE of the peer; the call goes on as it was.
    RejectReinvite {
        /// The call.
        call: CallHandle,
        /// 300 to 699, 488 as a rule.
        status: Status,
        /// More headers.
        headers: ExtraHeaders,
    },
    /// Outbound: the answer to an offer of the callee's, which [`Event::Progress`] or [`Event::Answered`] has told where the
    /// INVITE had none. It goes out with the PRACK (RFC 3262 §5), or with the ACK, which both have waited for it. An offer that
    /// is not taken has to be answered as well, with its lines refused, or with nothing; a hangup may follow.
    ///
    /// [`Event::Progress`]: super::Event::Progress
    /// [`Event::Answered`]: super::Event::Answered
    Acknowledge {
        /// The call.
        call: CallHandle,
        /// The offer.
        offer: OfferId,
        /// SDP.
        body: Bytes,
    },
    /// End the call in the way that its state asks for: BYE when it is answered (after the ACK, if that is still
    /// awaited: RFC 3261 §15), CANCEL when it is outbound and not answered (after the first provisional answer:
    /// RFC 3261 §9.1; a 200 that crosses it gets ACK and BYE), 603 when it is inbound and not answered. The only event
    /// that follows is [`Event::HungUp`].
    ///
    /// [`Event::HungUp`]: super::Event::HungUp
    Hangup {
        /// The call.
        call: CallHandle,
        /// More headers, `Reason` for example.
        headers: ExtraHeaders,
    },
    /// Place a call.
    Invite(Box<Invite>),
    /// Offer something else within an answered call.
    Reinvite {
        /// The call.
        call: CallHandle,
        /// More headers.
        headers: ExtraHeaders,
        /// SDP; an offer, not empty.
        body: Bytes,
    },
    /// Ask the peer of an answered call to call somebody else (RFC 3515). What it says to that is
    /// [`Event::ReferAnswered`], how the new call fares [`Event::Notified`]. One at a time: another one takes its
    /// place, and nothing more is told of it.
    ///
    /// [`Event::ReferAnswered`]: super::Event::ReferAnswered
    /// [`Event::Notified`]: super::Event::Notified
    Refer {
        /// The call.
        call: CallHandle,
        /// The value of Refer-To: an address, in angle brackets when it has parameters of its own.
        refer_to: String,
        /// More headers, `Referred-By` for example.
        headers: ExtraHeaders,
    },
    /// Answer [`Event::Referred`]: with 202, which the stack follows up with a first NOTIFY (100) and
    /// [`Command::Notify`] with more, or with a refusal. After 32 s without an answer it is refused with 603.
    ///
    /// [`Event::Referred`]: super::Event::Referred
    AnswerRefer {
        /// The call.
        call: CallHandle,
        /// 202, or 300 to 699.
        status: Status,
    },
    /// Tell the peer how the call that it asked for fares (RFC 3515 §2.4.4). A final status, or `over`, ends this; so do
    /// five minutes, and 32 s after the end of the call.
    Notify {
        /// The call.
        call: CallHandle,
        /// What the new call was answered with so far.
        status: Status,
        /// Nothing more will be told.
        over: bool,
    },
    /// Tell the peer of an answered call by INFO that a key was pressed. One after the other; more than 64 that wait are
    /// dropped. [`Event::InfoAnswered`] tells how each fares.
    ///
    /// [`Event::InfoAnswered`]: super::Event::InfoAnswered
    Info {
        /// The call.
        call: CallHandle,
        /// The key.
        press: KeyPress,
        /// How it is written.
        format: KeyFormat,
    },
    /// Refuse new calls with 503 and Retry-After, and say so in answers to OPTIONS. Calls in progress go on.
    Drain {
        /// When to come back.
        retry_after: Duration,
    },
}

/// An outbound call.
///
/// [`Invite::new`] fills in what most calls leave alone.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Its handle, from [`CallHandle::outbound`]; a handle in use makes the command do nothing.
    pub call: CallHandle,
    /// Where to send it, in the order of RFC 3263 §4.3: to the next one when nothing can be sent there, when it answers
    /// 503, and when it is silent for `patience`. With none, the call fails; more than 16 are not tried.
    pub to: Vec<NextHop>,
    /// How long a hop may say nothing before the next one is tried. The last one has 32 s (Timer B).
    pub patience: Duration,
    /// Who we are to a peer that asks. Challenges to the requests of this call are answered with it, as long as they come
    /// from where the request went; nobody else ever sees a proof made of it.
    pub credentials: Option<Credentials>,
    /// The Request-URI.
    pub uri: Uri,
    /// The proxies that the INVITE is to visit, in their order (RFC 3261 §8.1.2); written as in a dialog (§12.2.1.1), so
    /// that a first one without `lr` takes the place of the Request-URI. `to` has to lead to that first one. The requests
    /// of the call go the way that Record-Route says, as ever.
    pub route: Vec<NameAddr>,
    /// From, without a tag.
    pub from: NameAddr,
    /// To, without a tag.
    pub to_header: NameAddr,
    /// The Call-ID; random when not given, or when it is not one word.
    pub call_id: Option<CallId>,
    /// The From tag; random when not given, or when it is no token.
    pub local_tag: Option<Tag>,
    /// The number of its first INVITE: 1, or more than that of the refusal when the same call is tried anew with something
    /// else in it (RFC 3261 §8.1.3.5).
    pub cseq: u32,
    /// More headers.
    pub headers: ExtraHeaders,
    /// SDP, or empty for a call that lets the other side offer: [`Command::Acknowledge`] has the answer.
    pub body: Bytes,
}

impl Invite {
    /// How long a hop may say nothing before the next one is tried, where nobody has another opinion.
    pub const PATIENCE: Duration = Duration::from_secs(4);

    /// A call to a URI by way of these hops, with nothing said that need not be said.
    pub fn new(call: CallHandle, to: Vec<NextHop>, uri: Uri, from: NameAddr) -> Self {
        Self {
            call,
            to,
            patience: Self::PATIENCE,
            credentials: None,
            to_header: NameAddr::new(uri.clone()),
            uri,
            route: Vec::new(),
            from,
            call_id: None,
            local_tag: None,
            cseq: 1,
            headers: ExtraHeaders::new(),
            body: Bytes::new(),
        }
    }
}
