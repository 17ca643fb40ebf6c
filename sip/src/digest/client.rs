//! The client's side: it replies to a 401 or 407 ([RFC 7616 §3.4], [RFC 8760 §2.4]).
//!
//! [RFC 7616 §3.4]: https://www.rfc-editor.org/rfc/rfc7616#section-3.4
//! [RFC 8760 §2.4]: https://www.rfc-editor.org/rfc/rfc8760#section-2.4

use super::{
    Credentials,
    algorithm::Proof,
    authorization::{Authorization, Count},
    challenge::Challenge,
};
use crate::message::{HeaderName, Method, Response, Uri};

/// The header to repeat the request with: the reply to the strongest challenge we can compute, of those equally strong
/// the first. `None`: there is none. The repeated request must have this very `uri`, and a new `cnonce` (16 random
/// bytes in hex will do) is the caller's to draw for each. A `stale` challenge is answered like any other; to stop
/// after a refusal that is not stale is for the caller, who sees it by [`Challenge::of`].
pub fn answer(
    response: &Response,
    credentials: &Credentials,
    method: &Method,
    uri: &Uri,
    cnonce: &str,
) -> Option<(HeaderName, Authorization)> {
    let strength = |challenge: &Challenge| challenge.algorithm.map(super::Algorithm::strength);
    let known = Challenge::of(&response.headers).into_iter().filter(|(_, challenge)| challenge.algorithm.is_some());
    let (header, challenge) =
        known.reduce(|best, next| if strength(&next.1) > strength(&best.1) { next } else { best })?;
    Some((header, challenge.answer(credentials, method, uri, cnonce, 1)?))
}

impl Challenge {
    /// The reply to this challenge. `count` is how often this nonce has been answered, this time included.
    /// `None` when we do not compute its algorithm.
    pub fn answer(
        &self,
        credentials: &Credentials,
        method: &Method,
        uri: &Uri,
        cnonce: &str,
        count: u32,
    ) -> Option<Authorization> {
        let algorithm = self.algorithm?;
        let count = self.offers_auth.then(|| Count { cnonce: cnonce.to_owned(), nc: format!("{count:08x}") });
        let (Credentials { username, password, .. }, Self { realm, nonce, .. }, uri) =
            (credentials, self, uri.to_string());
        let proof = Proof { username, realm, password, method, uri: &uri, nonce, count: count.as_ref() };
        Some(Authorization {
            response: algorithm.response(&proof),
            username: username.clone(),
            realm: realm.clone(),
            nonce: nonce.clone(),
            uri,
            algorithm,
            count,
            opaque: self.opaque.clone(),
        })
    }
}
