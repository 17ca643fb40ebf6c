//! The certificates behind a token, held against the operator's authorities ([RFC 8226], [RFC 5280 §6]).
//!
//! They are certificates for telephone numbers, not for hosts: no name is compared, and no purpose is asked for. Instead the
//! first must say in its `TNAuthList` whom it speaks for: a service provider, which is one for all of its numbers, or
//! numbers, among which the caller's has to be. Lists of revoked certificates are not asked for.
//!
//! What is limited in ways that are not looked at is not believed: certificates that say which claims may be signed with them
//! (RFC 8226 §8, RFC 9118), and those issued by whoever has a `TNAuthList` himself (RFC 9060), who could write any into them.
//!
//! [RFC 5280 §6]: https://www.rfc-editor.org/rfc/rfc5280#section-6
//! [RFC 8226]: https://www.rfc-editor.org/rfc/rfc8226

mod scope;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::der_parser::oid;
use x509_parser::der_parser::oid::Oid;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY};
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub(super) use self::scope::Scope;
use super::Failure;

/// As many certificates of one address are looked at.
const MAX_CHAIN: usize = 8;

/// What certificates may be signed with.
const SIGNATURES: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
];

/// RFC 8226 §9.
const TN_AUTH_LIST: Oid<'_> = oid!(1.3.6.1.5.5.7.1.26);
/// `JWTClaimConstraints` (RFC 8226 §8) and `EnhancedJWTClaimConstraints` (RFC 9118).
const CLAIM_CONSTRAINTS: [Oid<'_>; 2] = [oid!(1.3.6.1.5.5.7.1.27), oid!(1.3.6.1.5.5.7.1.33)];

/// Who may issue certificates for numbers. Cheap to clone.
#[derive(Clone)]
pub struct Authorities(Arc<[TrustAnchor<'static>]>);

/// A list of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthoritiesError {
    /// It is not PEM.
    #[error("it is not PEM: {0}")]
    Pem(rustls::pki_types::pem::Error),
    /// A certificate in it is broken.
    #[error("certificate {0} in it cannot be read: {1}")]
    Certificate(usize, webpki::Error),
    /// There is none in it.
    #[error("there is no certificate in it")]
    Empty,
}

impl Authorities {
    /// Reads a list of certificates, PEM.
    pub fn read(pem: &str) -> Result<Self, AuthoritiesError> {
        let anchor = |(at, der): (usize, Result<CertificateDer<'static>, _>)| {
            let der = der.map_err(AuthoritiesError::Pem)?;
            let anchor = webpki::anchor_from_trusted_cert(&der);
            anchor.map(|anchor| anchor.to_owned()).map_err(|error| AuthoritiesError::Certificate(at + 1, error))
        };
        let anchors = CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate().map(anchor);
        let anchors = anchors.collect::<Result<Vec<_>, _>>()?;
        if anchors.is_empty() { Err(AuthoritiesError::Empty) } else { Ok(Self(anchors.into())) }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

/// The certificates of an address, the signer's first, as they came.
#[derive(Debug)]
pub(super) struct Chain(Vec<CertificateDer<'static>>);

/// A certificate that is believed.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its key: a point of P-256.
    pub(super) key: Vec<u8>,
    /// Whom it speaks for.
    pub(super) scope: Scope,
}

impl Chain {
    /// Reads what was fetched: PEM, or one certificate in DER.
    pub(super) fn read(body: &[u8]) -> Result<Self, Failure> {
        const SEQUENCE: u8 = 0x30;
        if body.first() == Some(&SEQUENCE) {
            return Ok(Self(vec![CertificateDer::from(body.to_vec())]));
        }
        let chain = CertificateDer::pem_slice_iter(body).take(MAX_CHAIN).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| Failure::NoCertificate)?;
        if chain.is_empty() { Err(Failure::NoCertificate) } else { Ok(Self(chain)) }
    }

    /// Whether the first is believed at this time.
    pub(super) fn judge(&self, authorities: &Authorities, now: SystemTime) -> Result<Leaf, Failure> {
        let (first, others) = self.0.split_first().ok_or(Failure::NoCertificate)?;
        let certificate = EndEntityCert::try_from(first).map_err(distrust)?;
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let time = UnixTime::since_unix_epoch(since);
        let path = certificate.verify_for_usage(SIGNATURES, &authorities.0, others, time, AnyPurpose, None, None);
        let path = path.map_err(distrust)?;
        if path.intermediate_certificates().any(|issuer| issuer_has_list(&issuer.der())) {
            return Err(Failure::Credential("issued by a delegate"));
        }
        leaf(first)
    }
}

/// One that cannot be read may have anything.
fn issuer_has_list(der: &[u8]) -> bool {
    X509Certificate::from_der(der).map_or(true, |(_, certificate)| count(&certificate, &TN_AUTH_LIST) > 0)
}

fn count(certificate: &X509Certificate<'_>, extension: &Oid<'_>) -> usize {
    certificate.extensions().iter().filter(|one| one.oid == *extension).count()
}

/// What a believed certificate says of itself.
fn leaf(der: &[u8]) -> Result<Leaf, Failure> {
    let unreadable = Failure::Credential("cannot be read");
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| unreadable)?;
    if !rest.is_empty() {
        return Err(unreadable);
    }
    let usage = certificate.key_usage().map_err(|_| unreadable)?;
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return Err(Failure::Credential("its key is not for signing"));
    }
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    if key.algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY || curve != Some(OID_EC_P256) {
        return Err(Failure::Credential("its key is not of P-256"));
    }
    if CLAIM_CONSTRAINTS.iter().any(|extension| count(&certificate, extension) > 0) {
        return Err(Failure::Credential("it limits claims"));
    }
    let mut lists = certificate.extensions().iter().filter(|one| one.oid == TN_AUTH_LIST);
    let list = lists.next().ok_or(Failure::Credential("not for telephone numbers"))?;
    let scope = Scope::read(list.value).filter(|_| lists.next().is_none());
    let scope = scope.ok_or(Failure::Credential("its TNAuthList cannot be read"))?;
    Ok(Leaf { key: key.subject_public_key.data.to_vec(), scope })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn distrust(error: webpki::Error) -> Failure {
    tracing::debug!(%error, "a certificate is not believed");
    Failure::Credential(match error {
        webpki::Error::CertExpired { .. } => "expired",
        webpki::Error::CertNotValidYet { .. } => "not valid yet",
        webpki::Error::UnknownIssuer => "no authority that is believed has issued it",
        _ => "not in order",
    })
}

/// Certificates for numbers name no purpose, or one that we have no opinion on.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}
