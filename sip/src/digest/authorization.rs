//! What a client replies: `Authorization` and `Proxy-Authorization` ([RFC 7616 §3.4]).
//!
//! [RFC 7616 §3.4]: https://www.rfc-editor.org/rfc/rfc7616#section-3.4

use std::fmt;

use super::{algorithm::Algorithm, fields::Fields};
use crate::{
    error::Error,
    message::{HeaderName, Headers, scan::quote},
};

/// The reply to a challenge. Its `Display` is the header's value.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Who wants to be let in.
    pub username: String,
    /// Where.
    pub realm: String,
    /// The challenge's nonce.
    pub nonce: String,
    /// The Request-URI as the client saw it.
    pub uri: String,
    /// The proof, in hex.
    pub response: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// What `qop=auth` adds; `None`: a reply after RFC 2069.
    pub count: Option<Count>,
    /// The challenge's `opaque`.
    pub opaque: Option<String>,
}

/// The client's part of a proof with `qop=auth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The client's own nonce.
    pub cnonce: String,
    /// How often the nonce has been used, one to eight hex digits as they were written.
    pub nc: String,
}

impl Authorization {
    /// Reads a header value. An algorithm or protection quality that we do not have is an error.
    pub fn parse(value: &str) -> Result<Self, Error> {
        let fields = Fields::read_all(value)?.into_iter().next().ok_or(Error::malformed("digest", 0))?;
        let algorithm = fields.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse);
        Ok(Self {
            username: fields.required("username")?,
            realm: fields.required("realm")?,
            nonce: fields.required("nonce")?,
            uri: fields.required("uri")?,
            response: fields.required("response")?,
            algorithm: algorithm.ok_or(Error::malformed("digest algorithm", 0))?,
            count: read_count(&fields)?,
            opaque: fields.get("opaque").map(str::to_owned),
        })
    }

    /// The first reply for this realm in these headers, from either of the two headers.
    pub fn of(headers: &Headers, realm: &str) -> Option<Self> {
        let own = headers.get_all(&HeaderName::Authorization);
        let values = own.chain(headers.get_all(&HeaderName::ProxyAuthorization));
        values.filter_map(|value| Self::parse(value).ok()).find(|authorization| authorization.realm == realm)
    }
}

impl Count {
    /// The number in `nc`.
    pub(crate) fn number(&self) -> Option<u32> {
        u32::from_str_radix(&self.nc, 16).ok()
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [username, realm, nonce] = [&self.username, &self.realm, &self.nonce].map(|text| quote(text));
        let [uri, response] = [&self.uri, &self.response].map(|text| quote(text));
        write!(f, "Digest username={username}, realm={realm}, nonce={nonce}, uri={uri}, response={response}")?;
        write!(f, ", algorithm={}", self.algorithm)?;
        if let Some(Count { cnonce, nc }) = &self.count {
            write!(f, ", cnonce={}, qop=auth, nc={nc}", quote(cnonce))?;
        }
        match &self.opaque {
            Some(opaque) => write!(f, ", opaque={}", quote(opaque)),
            None => Ok(()),
        }
    }
}

/// Proofs stay out of logs: with one, passwords can be tried at leisure.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, realm, uri, algorithm, .. } = self;
        let mut out = f.debug_struct("Authorization");
        out.field("username", username).field("realm", realm).field("uri", uri).field("algorithm", algorithm);
        out.finish_non_exhaustive()
    }
}

fn read_count(fields: &Fields<'_>) -> Result<Option<Count>, Error> {
    let Some(quality) = fields.get("qop") else { return Ok(None) };
    let nc = fields.required("nc")?;
    let is_number = (1..=8).contains(&nc.len()) && nc.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_number || !quality.eq_ignore_ascii_case("auth") {
        return Err(Error::malformed("digest qop", 0));
    }
    Ok(Some(Count { cnonce: fields.required("cnonce")?, nc }))
}
