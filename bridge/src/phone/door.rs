//! The door: access list, trunk, and the password where the trunk asks for one.
//!
//! Nothing is told to a guesser: an unknown user and a wrong password get the same answer after the same work, and a
//! source that goes on guessing gets none.

mod guessers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use sip::digest::{self, Authorization, Credentials, Scope};
use sip::endpoint::ExtraHeaders;
use sip::{HeaderName, Request, Status};
use tracing::warn;

use self::guessers::Guessers;
use crate::config::Digest;
use crate::dispatch::{self, Admission, Challenge, Query, Refusal};
use crate::store::{InboundTrunk, Snapshot};

/// What becomes of a caller at the door.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Let in by this trunk.
    Enter(Arc<InboundTrunk>),
    /// Asked for a password, or told that it was wrong.
    Challenge(Status, ExtraHeaders),
    /// Has guessed too often; gets no answer for a while.
    Guesser {
        /// It is the first time since the lock-out that this is said.
        is_news: bool,
    },
    /// No trunk takes the call.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// He has proved that he knows the password of a trunk: he may be told.
        is_known: bool,
    },
}

/// The state of the door: the key that nonces are made with, and who has guessed wrong.
#[derive(Debug)]
pub(super) struct Door {
    digest: digest::Server,
    hashes: Digest,
    /// The moment that nonces are dated from.
    opened: Instant,
    guessers: Guessers,
}

impl Door {
    pub(super) fn new(now: Instant, key: &[u8; 32], hashes: Digest) -> Self {
        Self { digest: digest::Server::new(key), hashes, opened: now, guessers: Guessers::default() }
    }

    pub(super) fn judge(&mut self, now: Instant, objects: &Snapshot, query: &Query, request: &Request) -> Verdict {
        match dispatch::admit(objects, query) {
            Admission::Accept(trunk) => Verdict::Enter(trunk),
            Admission::Refuse(refusal) => match dispatch::veil(objects, query, &refusal) {
                None => Verdict::Refuse { refusal, is_known: false },
                Some(challenge) => match self.ask(now, &challenge, query.source, request) {
                    Verdict::Enter(_) => Verdict::Refuse { refusal, is_known: true },
                    verdict => verdict,
                },
            },
            Admission::Challenge(challenge) => self.ask(now, &challenge, query.source, request),
        }
    }

    fn ask(&mut self, now: Instant, challenge: &Challenge, source: SocketAddr, request: &Request) -> Verdict {
        if self.guessers.is_locked(now, source.ip()) {
            return Verdict::Guesser { is_news: self.guessers.is_news(source.ip()) };
        }
        let scope = Scope { realm: &challenge.realm, source: None };
        let answer = Authorization::of(&request.headers, &challenge.realm);
        let Some(answer) = answer.filter(|answer| self.hashes.asks_for(answer.algorithm)) else {
            return self.challenge(now, scope, false);
        };
        let known = challenge.credentials(&answer.username);
        let credentials = known.map(|(trunk, password)| Credentials {
            username: trunk.info.auth_username.clone(),
            password: password.to_owned(),
            realm: None,
        });
        let verdict = self.digest.verify(now - self.opened, scope, request, &answer, credentials.as_ref());
        match (verdict, known) {
            (digest::Verdict::Accepted, Some((trunk, _))) => Verdict::Enter(Arc::clone(trunk)),
            (digest::Verdict::Stale, _) => self.challenge(now, scope, true),
            (digest::Verdict::Accepted | digest::Verdict::Refused, _) => {
                self.guessers.note(now, source.ip());
                let status = Status::FORBIDDEN;
                warn!(reason = "wrong_password", status = status.code(), "refused: the password or the user is wrong");
                Verdict::Challenge(status, Vec::new())
            }
        }
    }

    fn challenge(&mut self, now: Instant, scope: Scope<'_>, stale: bool) -> Verdict {
        let challenges = self.digest.challenge(now - self.opened, scope, stale);
        let asked = challenges.iter().filter(|c| c.algorithm.is_some_and(|algorithm| self.hashes.asks_for(algorithm)));
        let headers = asked.map(|c| (HeaderName::ProxyAuthenticate, c.to_string())).collect();
        Verdict::Challenge(Status::PROXY_AUTHENTICATION_REQUIRED, headers)
    }
}

#[cfg(test)]
mod tests;
