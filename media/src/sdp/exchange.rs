//! What a call remembers from one offer to the next (RFC 3264 §8).
//!
//! ```text
//! Idle ──offer()──► Offered ──accept_answer()──► Agreed ──offer()──► Offered …
//!   └────────────────answer()─────────────────────► ▲ └──answer()──┘
//! ```

use super::media::Media;
use super::negotiate::{accept, answer_session, choose, offer_anew, offer_session, refusal};
use super::{Direction, Encryption, Error, Local, Negotiated, Policy, Session};

/// The offers and answers of one call. A failed one leaves everything as it was.
#[derive(Clone, Debug)]
pub struct Exchange {
    local: Local,
    policy: Policy,
    /// The text we sent last, whose version is `local.version`.
    written: Option<Session>,
    /// Our offer that is not answered yet.
    offered: Option<Session>,
    agreed: Option<Agreed>,
}

/// What is in force, and the media lines it came with.
#[derive(Clone, Debug)]
struct Agreed {
    negotiated: Negotiated,
    lines: Session,
}

impl Exchange {
    /// Nothing is agreed upon yet.
    pub fn new(local: Local, policy: Policy) -> Self {
        Self { local, policy, written: None, offered: None, agreed: None }
    }

    /// Answers an offer, the first or another. The codec in force is kept if it is still offered.
    pub fn answer(&mut self, offer: &Session) -> Result<(Negotiated, String), Error> {
        let before = self.agreed.as_ref().map(|agreed| &agreed.negotiated);
        let negotiated = choose(offer, &self.local, &self.policy, before)?;
        let answer = answer_session(offer, &negotiated, &self.local);
        let answer = self.versioned(answer);
        let text = answer.to_string();
        self.offered = None;
        self.agreed = Some(Agreed { negotiated: negotiated.clone(), lines: answer });
        Ok((negotiated, text))
    }

    /// The answer to an offer that is not taken, where it goes in a message that cannot say no: each of its lines is refused
    /// (RFC 3264 §6). Nothing is agreed upon by it.
    pub fn refuse(&self, offer: &Session) -> String {
        refusal(offer, &self.local).to_string()
    }

    /// Offers: all that we speak at first, what is in force later.
    pub fn offer(&mut self) -> String {
        self.offer_with(&self.policy.clone(), self.local.direction, false)
    }

    /// Offers what is in force and nothing else, the directions as they are: whoever holds goes on to hold. Where the text
    /// before says the same, the version stays (RFC 4028 §7.4).
    pub fn refresh(&mut self) -> String {
        let in_force = self.negotiated().map_or(Direction::SendRecv, |negotiated| negotiated.direction);
        self.offer_with(&self.policy.clone(), self.local.direction.and(in_force), false)
    }

    /// Offers to a peer that asks for it in mid-call: as if the call were a new one, as far as what is in force allows
    /// (RFC 3261 §14.2). The peer may have become another one, or be back from a hold of its own.
    pub fn offer_anew(&mut self) -> String {
        self.offer_with(&self.policy.clone(), self.local.direction, true)
    }

    /// Our first offer once more for a peer that did not take it: encrypted by its profile, where it was plain with keys
    /// beside it. `None` where it would be the same, or never.
    pub fn offer_encrypted(&mut self) -> Option<String> {
        let (Encryption::Allow(secret), None) = (self.policy.encryption, &self.agreed) else { return None };
        let is_new = self.offered.as_ref().is_some_and(|offered| offered.media.iter().all(Media::is_plain));
        let policy = Policy { encryption: Encryption::Require(secret), ..self.policy.clone() };
        is_new.then(|| self.offer_with(&policy, self.local.direction, false))
    }

    fn offer_with(&mut self, policy: &Policy, direction: Direction, anew: bool) -> String {
        let before = self.agreed.as_ref().map(|agreed| (&agreed.lines, &agreed.negotiated));
        let local = Local { direction, ..self.local };
        let offer = match before {
            Some(before) if anew => offer_anew(&local, policy, before),
            before => offer_session(&local, policy, before),
        };
        let offer = self.versioned(offer);
        let text = offer.to_string();
        self.offered = Some(offer);
        text
    }

    /// Takes the answer to the offer that is open.
    pub fn accept_answer(&mut self, answer: &Session) -> Result<Negotiated, Error> {
        let offer = self.offered.as_ref().ok_or(Error::NotAnAnswer)?;
        let negotiated = accept(answer, offer, &self.local, &self.policy, self.negotiated())?;
        let lines = self.offered.take().ok_or(Error::NotAnAnswer)?;
        self.agreed = Some(Agreed { negotiated: negotiated.clone(), lines });
        Ok(negotiated)
    }

    /// Forgets the offer that is open: it was refused. What was in force stays so.
    pub fn withdraw(&mut self) {
        self.offered = None;
    }

    /// What we want from the next offer or answer on: to hold, or to resume.
    pub fn set_direction(&mut self, direction: Direction) {
        self.local.direction = direction;
    }

    /// Whether an offer of ours waits for its answer.
    pub fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// What is in force.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.agreed.as_ref().map(|agreed| &agreed.negotiated)
    }

    /// The version rises by one with every text that differs from the one before (RFC 3264 §8).
    fn versioned(&mut self, mut session: Session) -> Session {
        if self.written.as_ref().is_some_and(|written| *written != session) {
            self.local.version += 1;
            session.origin.version = self.local.version.to_string();
        }
        self.written = Some(session.clone());
        session
    }
}
