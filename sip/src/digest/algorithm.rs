//! The hashes of digest, and what is hashed ([RFC 7616 §3.4]).
//!
//! [RFC 7616 §3.4]: https://www.rfc-editor.org/rfc/rfc7616#section-3.4

use std::fmt::{self, Write};

use md5::{Digest, Md5};

use super::authorization::Count;
use crate::message::Method;

/// How the proof is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5, what most trunks still speak.
    Md5,
    /// MD5 with the session's nonces in the key.
    Md5Sess,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-256 with the session's nonces in the key.
    Sha256Sess,
}

/// All that a response is computed from but the algorithm.
pub(crate) struct Proof<'a> {
    pub username: &'a str,
    pub realm: &'a str,
    pub password: &'a str,
    pub method: &'a Method,
    pub uri: &'a str,
    pub nonce: &'a str,
    /// `None`: as in RFC 2069, without `qop`.
    pub count: Option<&'a Count>,
}

impl Algorithm {
    /// Reads the name in any case; `None` for one we do not compute.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
    }

    /// The name as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    /// Larger is stronger.
    pub(crate) fn strength(self) -> u8 {
        match self {
            Self::Md5 | Self::Md5Sess => 0,
            Self::Sha256 | Self::Sha256Sess => 1,
        }
    }

    /// The value of `response`, for `qop=auth` or for none.
    pub(crate) fn response(self, proof: &Proof<'_>) -> String {
        let Proof { username, realm, password, method, uri, nonce, count } = proof;
        let mut user = self.hash(&format!("{username}:{realm}:{password}"));
        if matches!(self, Self::Md5Sess | Self::Sha256Sess) {
            let cnonce = count.map_or("", |count| &count.cnonce);
            user = self.hash(&format!("{user}:{nonce}:{cnonce}"));
        }
        let request = self.hash(&format!("{method}:{uri}"));
        match count {
            Some(Count { cnonce, nc }) => self.hash(&format!("{user}:{nonce}:{nc}:{cnonce}:auth:{request}")),
            None => self.hash(&format!("{user}:{nonce}:{request}")),
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(text)),
            Self::Sha256 | Self::Sha256Sess => {
                hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref())
            }
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, RFC 2617 §3.5 and the example of RFC 2069 §2.4 with its published correction.
    #[test]
    fn published_examples() {
        let get = Method::parse("GET").unwrap();
        let mufasa = |password| Proof {
            username: "Mufasa",
            realm: "http-auth@example.org",
            password,
            method: &get,
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            count: None,
        };
        let count = |cnonce: &str| Count { cnonce: cnonce.to_owned(), nc: "00000001".to_owned() };
        let rfc7616 = count("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
        let rfc2617 = count("0a4f113b");
        let old = Proof {
            realm: "testrealm@host.com",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            ..mufasa("Circle Of Life")
        };
        let cases: &[(&str, Algorithm, Proof<'_>, &str)] = &[
            (
                "RFC 7616 MD5",
                Algorithm::Md5,
                Proof { count: Some(&rfc7616), ..mufasa("Circle of Life") },
                "8ca523f5e9506fed4657c9700eebdbec",
            ),
            (
                "RFC 7616 SHA-256",
                Algorithm::Sha256,
                Proof { count: Some(&rfc7616), ..mufasa("Circle of Life") },
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
            ("RFC 2617", Algorithm::Md5, Proof { count: Some(&rfc2617), ..old }, "6629fae49393a05397450978507c4ef1"),
            (
                "RFC 2069, corrected",
                Algorithm::Md5,
                Proof { realm: "testrealm@host.com", password: "CircleOfLife", nonce: old.nonce, ..mufasa("") },
                "1949323746fe6a43ef61f9606e7febea",
            ),
        ];
        for (name, algorithm, proof, expected) in cases {
            assert_eq!(algorithm.response(proof), *expected, "{name}");
        }
    }
}
