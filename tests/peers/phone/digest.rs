//! Digest replies (RFC 7616 §3.4), written apart from the product's own.

use std::fmt::Write;

use md5::{Digest, Md5};

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 2617's.
    Md5,
    /// RFC 8760's.
    Sha256,
}

impl Algorithm {
    /// As challenges call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut all, byte| {
                let _ = write!(all, "{byte:02x}");
                all
            })
        };
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref()),
        }
    }
}

/// A parameter of a challenge.
pub fn parameter(challenge: &str, name: &str) -> Option<String> {
    let parameters = challenge.strip_prefix("Digest ")?.split(',').filter_map(|p| p.trim().split_once('='));
    let found = parameters.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"'));
    found.map(str::to_owned).next()
}

/// Who answers, and how often this nonce was used by them.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// User.
    pub user: &'a str,
    /// Password, right or wrong.
    pub password: &'a str,
    /// Hash.
    pub algorithm: Algorithm,
    /// How often the nonce was used, this time counted.
    pub count: u32,
    /// With `qop=auth`, or the old way without (RFC 2069).
    pub qop: bool,
}

impl Reply<'_> {
    /// The value of `Authorization` that answers a challenge.
    pub fn to(self, challenge: &str, method: &str, uri: &str) -> String {
        let Self { user, password, algorithm, count, qop } = self;
        let realm = parameter(challenge, "realm").unwrap_or_default();
        let nonce = parameter(challenge, "nonce").unwrap_or_default();
        let a1 = algorithm.hash(&format!("{user}:{realm}:{password}"));
        let a2 = algorithm.hash(&format!("{method}:{uri}"));
        let (count, cnonce) = (format!("{count:08x}"), "0a4f113b");
        let middle = if qop { format!("{nonce}:{count}:{cnonce}:auth") } else { nonce.clone() };
        let response = algorithm.hash(&format!("{a1}:{middle}:{a2}"));
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={}",
            algorithm.name()
        );
        if let Some(opaque) = parameter(challenge, "opaque") {
            let _ = write!(value, ", opaque=\"{opaque}\"");
        }
        if qop {
            let _ = write!(value, ", qop=auth, nc={count}, cnonce=\"{cnonce}\"");
        }
        value
    }
}

/// Whether a reply's arithmetic is that of this user and password with that hash (RFC 7616 §3.4.1).
pub fn is_right(reply: &str, method: &str, user: &str, password: &str, algorithm: Algorithm) -> bool {
    let value = |name: &str| parameter(reply, name).unwrap_or_default();
    let named = parameter(reply, "algorithm").unwrap_or_else(|| "MD5".into());
    if value("username") != user || !named.eq_ignore_ascii_case(algorithm.name()) {
        return false;
    }
    let a1 = algorithm.hash(&format!("{user}:{}:{password}", value("realm")));
    let a2 = algorithm.hash(&format!("{method}:{}", value("uri")));
    let middle = match parameter(reply, "qop") {
        Some(qop) => format!("{}:{}:{}:{qop}", value("nonce"), value("nc"), value("cnonce")),
        None => value("nonce"),
    };
    value("response") == algorithm.hash(&format!("{a1}:{middle}:{a2}"))
}
