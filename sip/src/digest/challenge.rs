//! What a server asks: `WWW-Authenticate` and `Proxy-Authenticate` ([RFC 7616 §3.3]).
//!
//! [RFC 7616 §3.3]: https://www.rfc-editor.org/rfc/rfc7616#section-3.3

use std::fmt;

use super::{algorithm::Algorithm, fields::Fields};
use crate::{
    error::Error,
    message::{HeaderName, Headers, scan::quote},
};

/// One challenge. Its `Display` is the header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Where the user and password belong.
    pub realm: String,
    /// What the proof must contain.
    pub nonce: String,
    /// The hash; `None`: one we do not compute.
    pub algorithm: Option<Algorithm>,
    /// Whether `qop=auth` is offered; if not, the reply is that of RFC 2069.
    pub offers_auth: bool,
    /// The proof was right, its nonce too old: answer again without asking anybody.
    pub stale: bool,
    /// To be returned as it is.
    pub opaque: Option<String>,
}

impl Challenge {
    /// Reads all digest challenges of one header value.
    pub fn parse_all(value: &str) -> Result<Vec<Self>, Error> {
        Fields::read_all(value)?.iter().filter_map(|fields| Self::from_fields(fields).transpose()).collect()
    }

    /// All challenges in these headers that can be read, with the header the reply goes into.
    pub fn of(headers: &Headers) -> Vec<(HeaderName, Self)> {
        let pairs = [
            (HeaderName::WwwAuthenticate, HeaderName::Authorization),
            (HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization),
        ];
        let read = |(asked, answered): &(HeaderName, HeaderName)| {
            let values = headers.get_all(asked).filter_map(|value| Self::parse_all(value).ok()).flatten();
            values.map(|challenge| (answered.clone(), challenge)).collect::<Vec<_>>()
        };
        pairs.iter().flat_map(read).collect()
    }

    /// `None` when it offers protection qualities but not the one we have.
    fn from_fields(fields: &Fields<'_>) -> Result<Option<Self>, Error> {
        let mut qualities =
            fields.get("qop").unwrap_or_default().split([',', ' ', '\t']).filter(|quality| !quality.is_empty());
        let offers_auth = qualities.clone().any(|quality| quality.eq_ignore_ascii_case("auth"));
        if !offers_auth && qualities.next().is_some() {
            return Ok(None);
        }
        Ok(Some(Self {
            realm: fields.required("realm")?,
            nonce: fields.required("nonce")?,
            algorithm: fields.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse),
            offers_auth,
            stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            opaque: fields.get("opaque").map(str::to_owned),
        }))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", quote(&self.realm), quote(&self.nonce))?;
        if let Some(algorithm) = self.algorithm {
            write!(f, ", algorithm={algorithm}")?;
        }
        if self.offers_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        match &self.opaque {
            Some(opaque) => write!(f, ", opaque={}", quote(opaque)),
            None => Ok(()),
        }
    }
}
