//! Offers of a caller before our answer, where the first offer and its answer are settled by a provisional answer that has
//! arrived: in that one's PRACK or in an UPDATE, and answered in its 2xx ([RFC 3262 §5], [RFC 3311 §5.1], [RFC 6337 §2.2]).
//!
//! ```text
//!          PRACK, UPDATE             ours                  the answer to the INVITE
//! settled ──────────────► Proposal ─────────► settled anew: says nothing
//!    ▲                       └──refused, or nobody has answered it──► settled as before
//!    └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The answer to the INVITE waits meanwhile, so that nobody has to guess which description counts.
//!
//! [RFC 3262 §5]: https://www.rfc-editor.org/rfc/rfc3262#section-5
//! [RFC 3311 §5.1]: https://www.rfc-editor.org/rfc/rfc3311#section-5.1
//! [RFC 6337 §2.2]: https://www.rfc-editor.org/rfc/rfc6337#section-2.2

use std::time::Instant;

use super::{
    Endpoint,
    call::{Call, Peer, State, Terms},
    command::CallHandle,
    compose::Answer,
    event::Event,
    requests::unreadable_body,
    transactions::TxId,
};
use crate::{
    message::{Request, Status, Tag},
    transaction::PATIENCE,
};

/// An offer that waits for the user above.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposal {
    pub(crate) tx: TxId,
    /// When its sender has given up waiting (RFC 3261 Timer F).
    pub(crate) give_up: Instant,
}

impl Endpoint {
    /// What stands against an offer before the answer (RFC 3311 §5.2). Reduces its body to SDP.
    pub(super) fn early_objection(&mut self, call: &Call, request: &mut Request) -> Option<Answer> {
        let reliable = call.peer.reliable.as_ref();
        let is_open = reliable.is_some_and(|reliable| reliable.proposal().is_some());
        let number = request.headers.cseq().map_or(0, |cseq| cseq.number);
        if reliable.is_some_and(|reliable| number <= reliable.last_proposal()) {
            // Another one has overtaken it (RFC 3261 §12.2.2).
            return Some(Answer::new(Status::SERVER_INTERNAL_ERROR));
        }
        match (&call.state, call.peer.terms) {
            (State::Offered { .. }, terms) if terms.is_settled() && !is_open => {
                self.unsupported(request).or_else(|| unreadable_body(request))
            }
            // Ours is open, in a provisional answer, or was in the INVITE. The peer tries again in a while, and by then the
            // call may be answered.
            (State::Offered { .. }, Terms::Wanted) | (State::Calling { .. }, _) => {
                Some(Answer::new(Status::REQUEST_PENDING))
            }
            // Another one of the peer's is.
            _ => Some(self.too_soon()),
        }
    }

    /// Tells the user above of an offer against which nothing stands.
    pub(super) fn propose(&mut self, now: Instant, handle: CallHandle, mut call: Call, tx: TxId, request: Request) {
        if let Some(reliable) = &mut call.peer.reliable {
            let number = request.headers.cseq().map_or(0, |cseq| cseq.number);
            reliable.propose(number, Proposal { tx, give_up: now + PATIENCE });
        }
        if let Some(record) = self.transactions.server_mut(tx) {
            record.call = Some(handle);
        }
        self.put(handle, call);
        self.tell(Event::Reinvite { call: handle, request: Box::new(request) });
    }

    /// Answers the offer that is open, or refuses it; then what has waited for that has its turn.
    pub(super) fn settle_proposal(&mut self, now: Instant, handle: CallHandle, mut call: Call, answer: Answer) {
        let (State::Offered { id, .. }, Some(reliable)) = (&call.state, &mut call.peer.reliable) else {
            return self.put(handle, call);
        };
        let Some(Proposal { tx, .. }) = reliable.take_proposal() else { return self.put(handle, call) };
        let (tag, (held, next)) = (id.local.clone(), reliable.next());
        if answer.status.is_success() {
            reliable.is_agreed();
            call.peer.terms = Terms::Agreed;
        }
        self.put(handle, call);
        self.answer_server(now, tx, &tag, answer);
        match (held, next) {
            (Some(held), _) => self.accept(now, handle, held),
            (None, Some(next)) => self.progress(now, handle, next),
            (None, None) => {}
        }
    }

    /// The call ends before the offer is answered.
    pub(super) fn drop_proposal(&mut self, now: Instant, peer: &mut Peer, tag: &Tag) {
        let proposal = peer.reliable.as_mut().and_then(|reliable| reliable.take_proposal());
        if let Some(Proposal { tx, .. }) = proposal {
            self.answer_server(now, tx, tag, Answer::new(Status::REQUEST_TERMINATED));
        }
    }
}
