//! Provisional answers that have to arrive ([RFC 3262]): ours one at a time, each repeated until its PRACK comes; theirs in
//! their order, each acknowledged.
//!
//! [RFC 3262]: https://www.rfc-editor.org/rfc/rfc3262

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{compose::Answer, delayed::Theirs, early::Proposal};
use crate::{
    dialog::Dialog,
    message::{RAck, Status},
    transaction::{PATIENCE, Resend, earliest},
};

/// The option tag (RFC 3262 §8.1).
pub(crate) const RELIABLE: &str = "100rel";
/// How long the same answer need not be said again: proxies wait for three minutes (RFC 3262 §3).
const REMINDER: Duration = Duration::from_secs(60);

/// Our provisional answers to one INVITE.
#[derive(Debug)]
pub(crate) struct Reliable {
    /// RSeq of the last one.
    number: u32,
    waiting: Option<Waiting>,
    /// What has arrived last, and when it was first said.
    told: Option<(Status, Bytes, Instant)>,
    /// What is to be said when the one before has arrived: the newest counts.
    next: Option<Answer>,
    /// The 2xx, which may not overtake a description (RFC 3262 §3), nor the answer to an offer of the caller's.
    held: Option<Answer>,
    /// That offer.
    proposal: Option<Proposal>,
    /// The number (CSeq) of the request that had the last such offer.
    last_proposal: u32,
}

/// One that has not arrived for sure.
#[derive(Debug)]
struct Waiting {
    status: Status,
    body: Bytes,
    since: Instant,
    response: Bytes,
    resend: Resend,
    give_up: Instant,
}

impl Reliable {
    /// The first RSeq is any number of 31 bits but 0, so that nobody can guess it (RFC 3262 §3).
    pub(crate) fn new(random: u32) -> Self {
        Self {
            number: random >> 2,
            waiting: None,
            told: None,
            next: None,
            held: None,
            proposal: None,
            last_proposal: 0,
        }
    }

    /// What is to be said now, with its number, when this is to be told; `None` when it has to wait, or was told before.
    pub(crate) fn offer(&mut self, now: Instant, answer: Answer) -> Option<(Answer, u32)> {
        if let Some(waiting) = &self.waiting {
            let is_news = (waiting.status, &waiting.body) != (answer.status, &answer.body);
            self.next = is_news.then_some(answer);
            return None;
        }
        if let Some((status, body, since)) = &self.told
            && (*status, body) == (answer.status, &answer.body)
            && now < *since + REMINDER
        {
            return None;
        }
        self.number += 1;
        Some((answer, self.number))
    }

    /// It was said.
    pub(crate) fn said(&mut self, now: Instant, status: Status, body: Bytes, response: Bytes) {
        // No ceiling but the end (RFC 3262 §3).
        let resend = Resend::doubling(now, PATIENCE);
        self.waiting = Some(Waiting { status, body, since: now, response, resend, give_up: now + PATIENCE });
    }

    /// Whether the final answer has to wait: for a description of ours to arrive, or for an offer to be answered. Keeps it if
    /// so.
    pub(crate) fn hold(&mut self, answer: Answer) -> Option<Answer> {
        if self.proposal.is_some() || self.waiting.as_ref().is_some_and(|waiting| !waiting.body.is_empty()) {
            self.held = Some(answer);
            return None;
        }
        Some(answer)
    }

    /// A PRACK came: whether what it acknowledges had a description; `None` when that is nothing that waits.
    pub(crate) fn acknowledge(&mut self, rack: &RAck, invite: u32) -> Option<bool> {
        if rack.number != self.number || rack.cseq.number != invite {
            return None;
        }
        let Waiting { status, body, since, .. } = self.waiting.take()?;
        let is_described = !body.is_empty();
        self.told = Some((status, body, since));
        Some(is_described)
    }

    /// The description in what was told has done its work, and is not said again.
    pub(crate) fn is_agreed(&mut self) {
        if let Some((_, body, _)) = &mut self.told {
            body.clear();
        }
    }

    /// The caller offers something else.
    pub(crate) fn propose(&mut self, number: u32, proposal: Proposal) {
        self.proposal = Some(proposal);
        self.last_proposal = number;
    }

    pub(crate) fn last_proposal(&self) -> u32 {
        self.last_proposal
    }

    /// Its offer is dealt with.
    pub(crate) fn take_proposal(&mut self) -> Option<Proposal> {
        self.proposal.take()
    }

    pub(crate) fn proposal(&self) -> Option<Proposal> {
        self.proposal
    }

    /// What has waited for the PRACK, or for our answer to an offer.
    pub(crate) fn next(&mut self) -> (Option<Answer>, Option<Answer>) {
        (self.held.take(), self.next.take())
    }

    /// What is to be said again now.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Bytes> {
        let waiting = self.waiting.as_mut()?;
        waiting.resend.is_due(now).then(|| waiting.response.clone())
    }

    /// Whether the caller has not acknowledged for so long that it never will.
    pub(crate) fn is_hopeless(&self, now: Instant) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| now >= waiting.give_up)
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let of_ours =
            self.waiting.as_ref().and_then(|waiting| earliest(Some(waiting.resend.at()), Some(waiting.give_up)));
        earliest(of_ours, self.proposal.map(|proposal| proposal.give_up))
    }
}

/// A phone that rings, of the several that one INVITE may reach.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) dialog: Dialog,
    /// RSeq of the last provisional answer.
    pub(crate) number: u32,
    pub(crate) theirs: Theirs,
}

/// What a numbered provisional answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The first, or the one after the last.
    News,
    /// Known.
    Repeated,
    /// One before it is missing: nobody may act on it (RFC 3262 §4).
    Ahead,
}

impl Early {
    pub(crate) fn hear(&mut self, number: u32) -> Order {
        match number {
            _ if number <= self.number => Order::Repeated,
            _ if number == self.number + 1 => {
                self.number = number;
                Order::News
            }
            _ => Order::Ahead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{CSeq, Method},
        transaction::epoch,
    };

    fn rack(number: u32) -> RAck {
        RAck { number, cseq: CSeq { number: 7, method: Method::Invite } }
    }

    #[test]
    fn one_at_a_time_and_the_newest_next() {
        let start = epoch();
        let mut ours = Reliable::new(u32::MAX);
        let (ringing, number) = ours.offer(start, Answer::new(Status::RINGING)).unwrap();
        assert!(number < 1 << 31);
        ours.said(start, ringing.status, Bytes::new(), Bytes::from_static(b"180"));
        for status in [Status::RINGING, Status::QUEUED, Status::SESSION_PROGRESS] {
            assert!(ours.offer(start, Answer::new(status)).is_none());
        }
        assert_eq!(ours.acknowledge(&rack(number + 1), 7), None, "another number");
        assert_eq!(ours.acknowledge(&rack(number), 8), None, "another INVITE");
        assert_eq!(ours.acknowledge(&rack(number), 7), Some(false));
        assert_eq!(ours.acknowledge(&rack(number), 7), None, "twice");
        let (held, next) = ours.next();
        assert!(held.is_none());
        assert_eq!(next.map(|next| next.status), Some(Status::SESSION_PROGRESS));
        assert!(ours.offer(start, Answer::new(Status::RINGING)).is_none(), "it was told");
        assert!(ours.offer(start + REMINDER, Answer::new(Status::RINGING)).is_some(), "a reminder");
    }

    #[test]
    fn repeated_until_nobody_can_be_there() {
        let start = epoch();
        let mut ours = Reliable::new(4);
        ours.said(start, Status::RINGING, Bytes::new(), Bytes::from_static(b"180"));
        let mut at = Vec::new();
        while let Some(now) = ours.next_timeout().filter(|now| !ours.is_hopeless(*now)) {
            assert!(ours.due(now).is_some());
            at.push((now - start).as_millis());
        }
        assert_eq!(at, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(ours.next_timeout(), Some(start + PATIENCE));
    }

    #[test]
    fn an_answer_waits_for_a_description_only() {
        for (body, waits) in [("", false), ("v=0", true)] {
            let mut ours = Reliable::new(0);
            let body = Bytes::from_static(body.as_bytes());
            ours.said(epoch(), Status::SESSION_PROGRESS, body, Bytes::new());
            assert_eq!(ours.hold(Answer::new(Status::OK)).is_none(), waits);
        }
    }
}
