//! What a REFER has started within a call, one each way at a time ([RFC 3515 §2.4]).
//!
//! ```text
//! ours     sent ──2xx──► told by NOTIFY ──terminated──► gone
//! theirs   Asked ──202──► Accepted: we tell ──final status──► gone
//! ```
//!
//! Another REFER of ours takes the place of the one before: whoever sends it has given up on that one, and is told no more of
//! it, not even an answer that was still awaited. A NOTIFY that is about it gets 481, which ends its subscription
//! ([RFC 6665 §4.2.2]).
//!
//! [RFC 6665 §4.2.2]: https://www.rfc-editor.org/rfc/rfc6665#section-4.2.2
//!
//! [RFC 3515 §2.4]: https://www.rfc-editor.org/rfc/rfc3515#section-2.4

use std::time::{Duration, Instant};

use super::transactions::TxId;
use crate::{
    message::{Package, Sipfrag, Status, SubscriptionState},
    transaction::{PATIENCE, earliest},
};

/// How long news of our REFER is waited for where the peer does not say: longer than any phone rings.
const WAIT: Duration = Duration::from_secs(180);
/// The longest that a peer may make us wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How long we tell a peer what came of its REFER. Nobody can ask for more, as we do not take SUBSCRIBE.
const TOLD_FOR: Duration = Duration::from_secs(300);

/// Both directions.
#[derive(Debug, Default)]
pub(crate) struct Referral {
    pub(crate) ours: Option<Ours>,
    pub(crate) theirs: Option<Theirs>,
    /// Another REFER has taken the place of one that was not over.
    is_superseded: bool,
    /// The peer writes into a NOTIFY which REFER it is about.
    is_numbering: bool,
}

/// What a NOTIFY is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// About nothing that we have asked for.
    Strange,
    /// About a REFER that was given up, as far as we can tell.
    Stale,
    /// About ours, and whether it was the last.
    News { is_last: bool },
}

/// A REFER that we sent.
#[derive(Debug)]
pub(crate) struct Ours {
    tx: TxId,
    /// Its CSeq; a later one when it was sent again with a proof. NOTIFY may mean any of them.
    first: u32,
    last: u32,
    is_answered: bool,
    /// Nothing more will be told.
    is_over: bool,
    until: Instant,
}

/// A REFER that the peer sent.
#[derive(Debug)]
pub(crate) enum Theirs {
    /// The user above has not said yet whether it may be.
    Asked { refer: TxId, number: u32, until: Instant },
    /// It may; the peer is told how it goes.
    Accepted(Accepted),
}

/// A REFER of the peer that we do.
#[derive(Debug)]
pub(crate) struct Accepted {
    number: u32,
    until: Instant,
    /// One NOTIFY at a time, so that none overtakes another; what is new meanwhile waits here.
    is_telling: bool,
    news: Option<News>,
    is_last_told: bool,
}

/// How the new call fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) status: Status,
    pub(crate) over: bool,
}

impl Referral {
    /// Whether anything is still to be told, in either direction.
    pub(crate) fn is_open(&self) -> bool {
        self.ours.is_some() || matches!(self.theirs, Some(Theirs::Accepted(_)))
    }

    /// We have sent one, with this number.
    pub(crate) fn sent(&mut self, now: Instant, tx: TxId, number: u32) {
        self.is_superseded |= self.ours.is_some();
        let until = now + WAIT;
        self.ours = Some(Ours { tx, first: number, last: number, is_answered: false, is_over: false, until });
    }

    /// We have sent it again, with a proof.
    pub(crate) fn sent_again(&mut self, tx: TxId, number: u32) {
        if let Some(ours) = &mut self.ours {
            ours.tx = tx;
            ours.last = number;
        }
    }

    /// Whether this is the request that an answer is awaited to, and no other has taken its place.
    pub(crate) fn awaits(&self, tx: TxId) -> bool {
        self.ours.as_ref().is_some_and(|ours| ours.tx == tx)
    }

    /// It was answered for good.
    pub(crate) fn answered(&mut self, is_accepted: bool) {
        match &mut self.ours {
            Some(ours) if is_accepted && !ours.is_over => ours.is_answered = true,
            _ => self.ours = None,
        }
    }

    /// A NOTIFY came.
    pub(crate) fn notified(
        &mut self,
        now: Instant,
        package: &Package,
        state: Option<SubscriptionState>,
        told: Option<&Sipfrag>,
    ) -> Notice {
        self.is_numbering |= matches!(package, Package::Refer { id: Some(_) });
        // Without a number it is about the first REFER of the call (RFC 3515 §2.4.6), unless the peer numbers none.
        let is_of_first = self.is_superseded && matches!(package, Package::Refer { id: None });
        if is_of_first && self.is_numbering {
            return Notice::Strange;
        }
        let Some(ours) = self.ours.as_mut().filter(|ours| !ours.is_over && ours.is_meant(package)) else {
            return Notice::Strange;
        };
        if is_of_first && !ours.is_answered {
            return Notice::Stale;
        }
        let is_final = told.is_some_and(|told| told.status.is_final());
        match state {
            Some(SubscriptionState::Active { expires }) => {
                ours.until = now + expires.map_or(WAIT, |expires| expires.min(LONGEST_WAIT) + PATIENCE);
            }
            Some(SubscriptionState::Terminated) => ours.is_over = true,
            // A peer that says no more than how the call fares has said enough.
            None => ours.is_over = is_final,
        }
        let is_over = ours.is_over;
        // It may come before the answer to the REFER.
        if ours.is_over && ours.is_answered {
            self.ours = None;
        }
        Notice::News { is_last: is_over }
    }

    /// Time is up for our own; true when nothing will be told any more.
    pub(crate) fn give_up(&mut self, now: Instant) -> bool {
        let is_due = self.ours.as_ref().is_some_and(|ours| now >= ours.until);
        if !is_due {
            return false;
        }
        self.ours.take().is_some_and(|ours| !ours.is_over)
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let theirs = self.theirs.as_ref().map(|theirs| match theirs {
            Theirs::Asked { until, .. } => *until,
            Theirs::Accepted(accepted) => accepted.until,
        });
        earliest(self.ours.as_ref().map(|ours| ours.until), theirs)
    }
}

impl Ours {
    fn is_meant(&self, package: &Package) -> bool {
        match package {
            Package::Refer { id: None } => true,
            Package::Refer { id: Some(Ok(id)) } => (self.first..=self.last).contains(id),
            Package::Refer { id: Some(Err(_)) } | Package::Other => false,
        }
    }
}

impl Accepted {
    pub(crate) fn new(now: Instant, number: u32) -> Self {
        Self { number, until: now + TOLD_FOR, is_telling: false, news: None, is_last_told: false }
    }

    /// Something is to be told; what was to be told before and was not is of no interest any more.
    pub(crate) fn hear(&mut self, news: News) {
        if !self.news.is_some_and(|before| before.over) && !self.is_last_told {
            self.news = Some(news);
        }
    }

    /// Time is up for telling: once more, that this was all.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.until = now + PATIENCE;
        self.hear(News { status: Status::REQUEST_TIMEOUT, over: true });
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// What to tell now, if anything: the event, its state, and the news.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Package, SubscriptionState, Sipfrag)> {
        let news = self.news.take_if(|_| !self.is_telling)?;
        (self.is_telling, self.is_last_told) = (true, news.over);
        let expires = Some(self.until.saturating_duration_since(now));
        let state = if news.over { SubscriptionState::Terminated } else { SubscriptionState::Active { expires } };
        Some((Package::Refer { id: Some(Ok(self.number)) }, state, Sipfrag::new(news.status)))
    }

    /// A NOTIFY was answered; false when this was the last.
    pub(crate) fn told(&mut self) -> bool {
        self.is_telling = false;
        !self.is_last_told
    }

    /// Whether the last NOTIFY is out already.
    pub(crate) fn is_last_told(&self) -> bool {
        self.is_last_told
    }
}
