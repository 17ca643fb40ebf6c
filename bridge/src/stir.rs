//! STIR/SHAKEN: whether a caller's number is his ([RFC 8224], [RFC 8225], [RFC 8588], [RFC 8226]).
//!
//! ```text
//! INVITE ─► Claim ─┬─► carried: what a carrier that we know says itself          ─► sip.stir.*, verifiedBy=carrier
//!                  └─► Passport ─► checks ─► x5u ─► cache, fetch ─► Credential ─► sip.stir.*, verifiedBy=gateway
//! ```
//!
//! - `claim`: the numbers of an INVITE, and what came with them.
//! - `carried`: the words of carriers; believed where the trunk knows its peers, and nowhere else.
//! - `passport`: the signed token, and what has to be true of it before anything is fetched for it.
//! - `credential`: the certificates behind a token, held against the operator's authorities. Pure, like those above.
//! - `place`: where certificates may be fetched, `fetch`: doing so, `cache`: not doing so twice.
//!
//! A call does not wait for any of this. It is verified beside the joining of its room: with a certificate that is at hand,
//! or without need for one, before the join; else the attributes change when the certificate is here, or is not to be had,
//! two seconds later at the latest. No call is refused for it.
//!
//! [RFC 8224]: https://www.rfc-editor.org/rfc/rfc8224
//! [RFC 8225]: https://www.rfc-editor.org/rfc/rfc8225
//! [RFC 8226]: https://www.rfc-editor.org/rfc/rfc8226
//! [RFC 8588]: https://www.rfc-editor.org/rfc/rfc8588

mod cache;
mod carried;
mod claim;
pub(crate) mod credential;
mod failure;
mod fetch;
mod passport;
mod place;
mod statement;

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use rustls::RootCertStore;

use self::cache::{Cache, Found};
pub(crate) use self::carried::settle;
pub use self::claim::Claim;
pub use self::credential::{Authorities, AuthoritiesError};
pub use self::failure::Failure;
use self::fetch::Fetcher;
use self::passport::Passport;
pub(crate) use self::statement::PREFIX;
pub use self::statement::{Attest, By, Statement, Verstat};
use crate::dns::Resolver;

/// What the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Who may issue certificates; `None` to verify nothing.
    pub authorities: Option<Authorities>,
    /// Hosts that certificates are fetched from; empty for all.
    pub hosts: Vec<String>,
    /// They may be fetched from this machine itself, by any port.
    pub allow_loopback: bool,
}

/// Verifies signatures of callers. Cheap to clone; clones share what was fetched.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    authorities: Authorities,
    cache: Arc<Cache>,
    fetcher: Arc<Fetcher>,
}

/// How far a verification has come.
pub(crate) enum Progress {
    /// To its end.
    Done(Statement),
    /// To where a certificate is needed that is not at hand.
    Waiting(Waiting),
}

/// A verification that waits for its certificate.
pub(crate) struct Waiting {
    passport: Passport,
    found: Found,
    verifier: Verifier,
}

impl Verifier {
    /// One that has fetched nothing yet; `None` where there is nothing to verify against. `roots` are believed when
    /// certificates are fetched, not for what they say.
    pub fn new(settings: Settings, roots: RootCertStore, resolver: Resolver) -> Result<Option<Self>, rustls::Error> {
        let Settings { authorities, hosts, allow_loopback } = settings;
        let Some(authorities) = authorities else { return Ok(None) };
        let fetcher = Arc::new(Fetcher::new(place::Rules { hosts, allow_loopback }, roots, resolver)?);
        Ok(Some(Self(Arc::new(Inner { authorities, cache: Arc::default(), fetcher }))))
    }

    /// Verifies as far as it goes without waiting.
    pub(crate) fn begin(&self, claim: &Claim) -> Progress {
        let passport = match claim.passport() {
            Ok(passport) => passport,
            Err(failure) => return Progress::Done(claim.failed(failure)),
        };
        let found = Cache::find(&self.0.cache, Instant::now(), passport.certificate(), &self.0.fetcher);
        let waiting = Waiting { passport, found, verifier: self.clone() };
        match waiting.found.now() {
            Some(fetched) => Progress::Done(waiting.judge(&fetched)),
            None => Progress::Waiting(waiting),
        }
    }
}

impl Waiting {
    /// Waits for the certificate, which comes or does not within [`fetch::LIMIT`]. May be broken off and begun anew.
    pub(crate) async fn finish(&mut self) -> Statement {
        let fetched = self.found.wait().await;
        self.judge(&fetched)
    }

    fn judge(&self, fetched: &cache::Fetched) -> Statement {
        let verified = fetched.as_ref().map_err(Clone::clone).and_then(|chain| {
            let leaf = chain.judge(&self.verifier.0.authorities, SystemTime::now())?;
            self.passport.verify(&leaf)
        });
        match verified {
            Ok(()) => Statement::passed(&self.passport),
            Err(failure) => Statement::failed(failure),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("authorities", &self.0.authorities).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
