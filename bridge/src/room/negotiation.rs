//! Offers of ours to the server, one at a time.
//!
//! ```text
//!          ask            offered              answered            applied
//! Idle ─────────► Creating ───────► Awaiting ───────────► Applying ───────► Idle, or Creating when more was asked
//! ```
//!
//! A server that is asked a second time before it has answered refuses one of the answers, so what is wanted meanwhile is
//! summed up and asked for afterwards.

use std::time::{Duration, Instant};

use livekit_protocol as proto;

use crate::plane::PeerCommand;

/// More sections than voices that anybody could tell apart.
const MAX_SECTIONS: usize = 64;
/// The offer of the join and the one right after it are free; later ones keep a distance from each other.
const FREE: u32 = 2;
const DISTANCE: Duration = Duration::from_millis(50);
/// How long one step may take. The server answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The offers on one peer connection.
#[derive(Debug)]
pub(super) struct Negotiation {
    phase: Phase,
    wanted: Option<Wanted>,
    /// Id of the newest offer.
    id: u32,
    /// Receive-only audio sections asked of the peer so far.
    sections: usize,
    /// Orders for an offer that the peer has not carried out yet; only the answer to the last one counts.
    ordered: u32,
    not_before: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Idle,
    Creating { since: Instant },
    Awaiting { since: Instant },
    Applying { since: Instant },
}

#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    more_audio: usize,
    restart_ice: bool,
}

/// A step of the negotiation is overdue.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stuck;

impl Negotiation {
    pub(super) fn new() -> Self {
        Self { phase: Phase::Idle, wanted: None, id: 0, sections: 0, ordered: 0, not_before: None }
    }

    /// Begins anew on a fresh peer connection with this many sections.
    pub(super) fn begin(&mut self, sections: usize) {
        *self = Self { ordered: self.ordered, sections, ..Self::new() };
    }

    /// Forgets an offer under way: the signal connection that carried it is gone.
    pub(super) fn interrupt(&mut self) {
        self.phase = Phase::Idle;
        self.wanted = None;
    }

    /// Wants an offer; returns the order to the peer, or keeps the wish for later.
    pub(super) fn ask(&mut self, now: Instant, more_audio: usize, restart_ice: bool) -> Option<PeerCommand> {
        let wanted = self.wanted.get_or_insert_default();
        wanted.more_audio = wanted.more_audio.saturating_add(more_audio);
        wanted.restart_ice |= restart_ice;
        self.next(now)
    }

    /// The peer made an offer; returns it with its id when it is the one to send.
    pub(super) fn offered(&mut self, now: Instant, sdp: String) -> Option<proto::SessionDescription> {
        self.ordered = self.ordered.saturating_sub(1);
        let Phase::Creating { .. } = self.phase else { return None };
        if self.ordered > 0 {
            return None;
        }
        self.id += 1;
        self.phase = Phase::Awaiting { since: now };
        Some(proto::SessionDescription { r#type: "offer".into(), sdp, id: self.id, ..Default::default() })
    }

    /// The offer went out only now: inside a join that took its time.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Phase::Awaiting { since } = &mut self.phase {
            *since = now;
        }
    }

    /// The server answered; returns whether the answer is to be applied. Old servers do not repeat the id.
    pub(super) fn answered(&mut self, now: Instant, id: u32) -> bool {
        let expected = matches!(self.phase, Phase::Awaiting { .. }) && (id == 0 || id == self.id);
        if expected {
            self.phase = Phase::Applying { since: now };
        }
        expected
    }

    /// The peer took the answer over; returns the order for what was wanted meanwhile.
    pub(super) fn applied(&mut self, now: Instant) -> Option<PeerCommand> {
        let Phase::Applying { .. } = self.phase else { return None };
        self.phase = Phase::Idle;
        self.next(now)
    }

    /// The peer could not do something; returns whether that ends the negotiation.
    pub(super) fn failed(&mut self) -> bool {
        self.ordered = self.ordered.saturating_sub(1);
        matches!(self.phase, Phase::Creating { .. } | Phase::Applying { .. })
    }

    pub(super) fn tick(&mut self, now: Instant) -> Result<Option<PeerCommand>, Stuck> {
        match self.phase {
            Phase::Creating { since } | Phase::Awaiting { since } | Phase::Applying { since }
                if now >= since + PATIENCE =>
            {
                Err(Stuck)
            }
            _ => Ok(self.next(now)),
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle => self.wanted.and(self.not_before),
            Phase::Creating { since } | Phase::Awaiting { since } | Phase::Applying { since } => Some(since + PATIENCE),
        }
    }

    /// Whether the answer in force is the one to our first offer.
    pub(super) fn is_first(&self) -> bool {
        self.id == 1
    }

    /// Id of the newest offer.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    fn next(&mut self, now: Instant) -> Option<PeerCommand> {
        let Phase::Idle = self.phase else { return None };
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        let Wanted { more_audio, restart_ice } = self.wanted.take()?;
        let more_audio = more_audio.min(MAX_SECTIONS.saturating_sub(self.sections));
        self.sections += more_audio;
        self.ordered += 1;
        self.phase = Phase::Creating { since: now };
        self.not_before = (self.id + 1 >= FREE).then_some(now + DISTANCE);
        Some(PeerCommand::Offer { more_audio, restart_ice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(command: Option<PeerCommand>) -> Option<(usize, bool)> {
        match command? {
            PeerCommand::Offer { more_audio, restart_ice } => Some((more_audio, restart_ice)),
            other => panic!("{other:?}"),
        }
    }

    /// Offer, answer, applied.
    fn round(negotiation: &mut Negotiation, now: Instant) -> Option<PeerCommand> {
        let offer = negotiation.offered(now, "sdp".into()).unwrap();
        assert!(negotiation.answered(now, offer.id));
        negotiation.applied(now)
    }

    #[test]
    fn one_offer_at_a_time_and_wishes_are_summed_up() {
        let now = Instant::now();
        let mut negotiation = Negotiation::new();
        assert_eq!(order(negotiation.ask(now, 0, false)), Some((0, false)));
        assert_eq!(order(negotiation.ask(now, 2, false)), None, "being made");
        let offer = negotiation.offered(now, "sdp".into()).unwrap();
        assert_eq!(order(negotiation.ask(now, 3, true)), None, "sent");
        assert!(negotiation.answered(now, offer.id));
        assert_eq!(order(negotiation.ask(now, 1, false)), None, "being applied");
        assert_eq!(order(negotiation.applied(now)), Some((6, true)));
        assert_eq!(order(round(&mut negotiation, now)), None, "nothing more is wanted");
    }

    #[test]
    fn late_and_foreign_answers_are_passed_over() {
        let now = Instant::now();
        let mut negotiation = Negotiation::new();
        assert!(!negotiation.answered(now, 0), "nothing was offered");
        negotiation.ask(now, 0, false);
        negotiation.offered(now, "sdp".into()).unwrap();
        for (id, expected) in [(7, false), (1, true), (1, false)] {
            assert_eq!(negotiation.answered(now, id), expected, "{id}");
        }
    }

    #[test]
    fn an_offer_of_a_replaced_connection_is_passed_over() {
        let now = Instant::now();
        let mut negotiation = Negotiation::new();
        negotiation.ask(now, 0, false);
        negotiation.begin(1);
        negotiation.ask(now, 0, false);
        assert_eq!(negotiation.offered(now, "old".into()), None);
        assert_eq!(negotiation.offered(now, "new".into()).map(|offer| (offer.id, offer.sdp)), Some((1, "new".into())));
    }

    #[test]
    fn offers_keep_their_distance_after_the_first_two() {
        let mut now = Instant::now();
        let mut negotiation = Negotiation::new();
        assert!(negotiation.ask(now, 0, false).is_some());
        round(&mut negotiation, now);
        assert!(negotiation.ask(now, 0, false).is_some(), "the second may follow at once");
        round(&mut negotiation, now);
        let start = now;
        let mut made = 0;
        // A server that asks again after every offer.
        while now < start + Duration::from_secs(1) {
            if negotiation.ask(now, 0, false).is_some() {
                made += 1;
                round(&mut negotiation, now);
            }
            now += Duration::from_millis(1);
        }
        assert!((15..=20).contains(&made), "{made} offers in a second");
        assert_eq!(negotiation.next_timeout(), Some(negotiation.not_before.unwrap()), "the last wish is kept");
    }

    #[test]
    fn sections_are_limited() {
        let mut now = Instant::now();
        let mut negotiation = Negotiation::new();
        negotiation.begin(1);
        assert_eq!(order(negotiation.ask(now, usize::MAX, false)), Some((MAX_SECTIONS - 1, false)));
        round(&mut negotiation, now);
        now += DISTANCE;
        assert_eq!(order(negotiation.ask(now, 10, false)), Some((0, false)));
    }

    #[test]
    fn a_server_that_never_answers_is_noticed() {
        let now = Instant::now();
        let mut negotiation = Negotiation::new();
        negotiation.ask(now, 0, false);
        negotiation.offered(now, "sdp".into());
        assert_eq!(negotiation.next_timeout(), Some(now + PATIENCE));
        assert!(negotiation.tick(now + PATIENCE / 2).is_ok());
        assert_eq!(negotiation.tick(now + PATIENCE).unwrap_err(), Stuck);
    }
}
