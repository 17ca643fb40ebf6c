//! The server's side: it challenges, and judges replies ([RFC 7616 §3.3], [RFC 3261 §22]).
//!
//! What is accepted beyond the letter: a reply without `qop` (RFC 2069), once a nonce; `nc` of fewer than eight digits;
//! a digest-uri that differs from the Request-URI in port, parameters, headers, in `sip` against `sips`, and in how its
//! user is escaped, because carriers compute it from the URI they dial and proxies rewrite those on the way. User and
//! host must be the same. `auth-int` is not offered and not accepted.
//!
//! [RFC 7616 §3.3]: https://www.rfc-editor.org/rfc/rfc7616#section-3.3
//! [RFC 3261 §22]: https://www.rfc-editor.org/rfc/rfc3261#section-22

use std::{net::IpAddr, time::Duration};

use ring::hmac;

use super::{
    Credentials,
    algorithm::{Algorithm, Proof},
    authorization::{Authorization, Count},
    challenge::Challenge,
    nonce::{Stamp, is_same},
    replay::Replay,
};
use crate::message::{Request, Uri};

/// How long a nonce can be answered.
pub const NONCE_LIFE: Duration = Duration::from_secs(60);
/// The most nonces whose uses are remembered; more than a thousand logins a second until the oldest die early.
const MAX_USED: usize = 65_536;
/// Hashed in place of a password when there is none, to take the same time.
const NO_PASSWORD: &str = "no user, no password";

/// Challenges and judges. It keeps no nonces, only the uses of those that were answered rightly.
#[derive(Debug)]
pub struct Server {
    key: hmac::Key,
    serial: u64,
    used: Replay,
}

/// For whom a nonce is good.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The realm asked for.
    pub realm: &'a str,
    /// The address the nonce was sent to and must be used from. `None`: any, for carriers that change theirs.
    pub source: Option<IpAddr>,
}

/// What a reply is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password was right.
    Accepted,
    /// The password was right, but the nonce expired, used up, or not ours: challenge again with `stale`.
    Stale,
    /// Unknown user, wrong password, or a reply to something else; which one, nobody is told.
    Refused,
}

impl Server {
    /// A server with this secret, which should be random. Servers that share it accept each other's nonces, but do not
    /// see each other's uses of them.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), serial: 0, used: Replay::new(MAX_USED) }
    }

    /// A challenge for each algorithm, the stronger first (RFC 8760 §2.4): one header each.
    /// `now` is the time since any fixed moment, the same for all calls; it should not run backwards.
    pub fn challenge(&mut self, now: Duration, scope: Scope<'_>, stale: bool) -> [Challenge; 2] {
        self.serial = self.serial.wrapping_add(1);
        let stamp = Stamp { issued: now, serial: self.serial };
        let nonce = stamp.seal(&self.key, &scope);
        [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| Challenge {
            realm: scope.realm.to_owned(),
            nonce: nonce.clone(),
            algorithm: Some(algorithm),
            offers_auth: true,
            stale,
            opaque: None,
        })
    }

    /// Judges a reply that came with `request`. `credentials` are what the user named in it must know; `None` when
    /// there is no such user, which takes the same path and time as a wrong password.
    pub fn verify(
        &mut self,
        now: Duration,
        scope: Scope<'_>,
        request: &Request,
        authorization: &Authorization,
        credentials: Option<&Credentials>,
    ) -> Verdict {
        let is_right = self.is_right(request, authorization, credentials);
        if !is_right || authorization.realm != scope.realm || !is_about(&authorization.uri, &request.uri) {
            return Verdict::Refused;
        }
        self.used.forget_before(now.saturating_sub(NONCE_LIFE));
        let nc = authorization.count.as_ref().and_then(Count::number);
        match Stamp::open(&authorization.nonce, &self.key, &scope) {
            Some(stamp) if is_alive(stamp, now) && self.used.admit(stamp, nc) => Verdict::Accepted,
            _ => Verdict::Stale,
        }
    }

    /// Does all of the work whether or not there is such a user.
    fn is_right(&self, request: &Request, authorization: &Authorization, credentials: Option<&Credentials>) -> bool {
        let Authorization { username, realm, nonce, uri, response, algorithm, count, .. } = authorization;
        let password = credentials.map_or(NO_PASSWORD, |credentials| &credentials.password);
        let owner = credentials.map_or("", |credentials| &credentials.username);
        let proof = Proof { username, realm, password, method: &request.method, uri, nonce, count: count.as_ref() };
        let expected = algorithm.response(&proof);
        let is_response = is_same(&self.key, expected.as_bytes(), response.to_ascii_lowercase().as_bytes());
        let is_user = is_same(&self.key, owner.as_bytes(), username.as_bytes());
        is_response & is_user & credentials.is_some()
    }
}

/// A nonce from the future is as little alive as one that has expired.
fn is_alive(stamp: Stamp, now: Duration) -> bool {
    now.checked_sub(stamp.issued).is_some_and(|age| age <= NONCE_LIFE)
}

/// Whether the digest-uri means the Request-URI; the module's first lines say how exactly.
fn is_about(digest_uri: &str, request_uri: &Uri) -> bool {
    Uri::parse(digest_uri).is_ok_and(|uri| uri.user_text() == request_uri.user_text() && uri.host == request_uri.host)
}
