//! Digest authentication, both sides ([RFC 7616], [RFC 8760]; [RFC 2069] replies are understood).
//!
//! - [`Server`] challenges, and judges what comes back.
//! - [`answer`] replies to a challenge of a peer's.
//!
//! Whether the pair of headers is `WWW-Authenticate` and `Authorization` (401) or `Proxy-Authenticate` and
//! `Proxy-Authorization` (407) makes no difference to either; both are read.
//!
//! [RFC 7616]: https://www.rfc-editor.org/rfc/rfc7616
//! [RFC 8760]: https://www.rfc-editor.org/rfc/rfc8760
//! [RFC 2069]: https://www.rfc-editor.org/rfc/rfc2069

mod algorithm;
mod authorization;
mod challenge;
mod client;
mod fields;
mod nonce;
mod replay;
mod server;

use std::fmt;

pub use self::{
    algorithm::Algorithm,
    authorization::{Authorization, Count},
    challenge::Challenge,
    client::answer,
    server::{NONCE_LIFE, Scope, Server, Verdict},
};

/// A user and the password that proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password, in clear: both algorithms are offered, so no single hash of it would do.
    pub password: String,
    /// The realm that these are for; `None`: any. Only who proves who he is looks at it.
    pub realm: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
