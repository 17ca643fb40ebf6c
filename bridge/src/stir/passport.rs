//! The signed token ([RFC 8225], with what [RFC 8588] adds for SHAKEN).
//!
//! [RFC 8225]: https://www.rfc-editor.org/rfc/rfc8225
//! [RFC 8588]: https://www.rfc-editor.org/rfc/rfc8588

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use sip::Identity;

use super::claim::digits;
use super::credential::Leaf;
use super::{Attest, Failure};

/// The kind of token that tells of telephone numbers.
pub(super) const SHAKEN: &str = "shaken";
/// The one algorithm of it.
const ES256: &str = "ES256";
/// How old a token may be, and how far ahead its clock.
const FRESH: Duration = Duration::from_secs(60);
/// As much of the signer's name for the origin is kept; it is a UUID of 36.
const MAX_ORIG_ID: usize = 64;
/// As many called numbers are read.
const MAX_CALLED: usize = 64;

/// A token that was read and is consistent in itself. Its signature is not verified by that.
#[derive(Clone, Debug)]
pub(super) struct Passport {
    certificate: String,
    attest: Attest,
    orig_id: String,
    issued: SystemTime,
    caller: String,
    called: Vec<String>,
    /// What is signed.
    signed: String,
    signature: [u8; 64],
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    #[serde(default)]
    ppt: String,
    x5u: String,
    /// What must be understood, and is not (RFC 7515 §4.1.11).
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    attest: String,
    dest: Dest,
    iat: u64,
    orig: Orig,
    origid: String,
}

#[derive(Deserialize)]
struct Dest {
    #[serde(default)]
    tn: Vec<String>,
}

#[derive(Deserialize)]
struct Orig {
    tn: String,
}

/// What tells the kind of a token.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    ppt: String,
}

impl Passport {
    /// The kind of a token: as the header has it, or else the token itself.
    pub(super) fn kind(identity: &Identity) -> Option<String> {
        let in_token = || decode::<Kind>(identity.digest().split('.').next()?).map(|kind| kind.ppt);
        identity.ppt().map(str::to_owned).or_else(in_token)
    }

    /// Reads the token, and holds header and token against each other.
    pub(super) fn read(identity: &Identity) -> Result<Self, Failure> {
        let token = Failure::Malformed("the token");
        let (signed, signature) = identity.digest().rsplit_once('.').ok_or(token)?;
        let (header, claims) = signed.split_once('.').ok_or(token)?;
        if header.is_empty() && claims.is_empty() {
            return Err(Failure::Compact);
        }
        let header: Header = decode(header).ok_or(token)?;
        if header.alg != ES256 || identity.alg().is_some_and(|alg| alg != ES256) {
            return Err(Failure::Algorithm);
        }
        if header.typ != "passport" || header.crit.is_some() {
            return Err(token);
        }
        if header.ppt != SHAKEN || identity.ppt().is_some_and(|ppt| ppt != SHAKEN) {
            return Err(Failure::Contradiction("ppt"));
        }
        if header.x5u != identity.info() {
            return Err(Failure::Contradiction("x5u"));
        }
        let claims: Claims = decode(claims).ok_or(Failure::Malformed("the claims"))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            certificate: header.x5u,
            attest: Attest::parse(&claims.attest).ok_or(Failure::Malformed("attest"))?,
            orig_id: printable(&claims.origid),
            issued: SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(claims.iat)).ok_or(Failure::Stale)?,
            caller: digits(&claims.orig.tn).ok_or(Failure::Malformed("orig"))?,
            called: claims.dest.tn.iter().take(MAX_CALLED).filter_map(|number| digits(number)).collect(),
            signed: signed.to_owned(),
            signature: signature.ok_or(Failure::Malformed("the signature"))?,
        })
    }

    /// Whether it was made for this moment (RFC 8224 §6.2: a window of a minute).
    pub(super) fn check_time(&self, now: SystemTime) -> Result<(), Failure> {
        let apart = now.duration_since(self.issued).or_else(|_| self.issued.duration_since(now));
        if apart.is_ok_and(|apart| apart <= FRESH) { Ok(()) } else { Err(Failure::Stale) }
    }

    /// Whether the owner of the certificate has signed it, and may speak for the number.
    pub(super) fn verify(&self, leaf: &Leaf) -> Result<(), Failure> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &leaf.key);
        key.verify(self.signed.as_bytes(), &self.signature).map_err(|_| Failure::Signature)?;
        if leaf.scope.covers(&self.caller) { Ok(()) } else { Err(Failure::Credential("not for this number")) }
    }

    /// Where the certificate is.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn attest(&self) -> Attest {
        self.attest
    }

    pub(super) fn orig_id(&self) -> &str {
        &self.orig_id
    }

    /// The digits of the caller's number.
    pub(super) fn caller(&self) -> &str {
        &self.caller
    }

    /// The digits of the numbers that he calls.
    pub(super) fn called(&self) -> &[String] {
        &self.called
    }
}

/// A part of the token: JSON in base64url without padding, without a name that is there twice.
fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn printable(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(MAX_ORIG_ID).collect()
}
