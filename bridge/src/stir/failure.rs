//! Why a caller's number is not verified: each cause belongs to one of the codes of [RFC 8224 §6.2.2].
//!
//! [RFC 8224 §6.2.2]: https://www.rfc-editor.org/rfc/rfc8224#section-6.2.2

/// A cause.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody has signed, or not in a way that says anything of the number.
    #[error("nobody has signed for the number")]
    Unsigned,
    /// The token is older than a minute, or from the future.
    #[error("the token is not of this minute")]
    Stale,
    /// The header or the token cannot be read.
    #[error("{0} cannot be read")]
    Malformed(&'static str),
    /// `..signature`: SHAKEN needs the whole token (RFC 8588).
    #[error("the token is in compact form")]
    Compact,
    /// Something else than ES256.
    #[error("the algorithm is not ES256")]
    Algorithm,
    /// Header and token contradict each other.
    #[error("header and token differ in {0}")]
    Contradiction(&'static str),
    /// Signed for another calling number.
    #[error("signed for another caller")]
    Caller,
    /// Signed for a call to another number.
    #[error("signed for a call to somebody else")]
    Called,
    /// The call was redirected, and the chain of who did so is not followed (RFC 8946).
    #[error("signed for the number that the call was diverted from")]
    Diverted,
    /// The signature is not that of the certificate.
    #[error("the signature is wrong")]
    Signature,
    /// The address of the certificate is not one to fetch from.
    #[error("no certificate is fetched from there: {0}")]
    Place(&'static str),
    /// The certificate is not to be had.
    #[error("the certificate cannot be fetched: {0}")]
    Fetch(&'static str),
    /// So many certificates are being fetched that this one is not.
    #[error("too many certificates are being fetched")]
    Busy,
    /// What was fetched is no certificate.
    #[error("there is no certificate at that address")]
    NoCertificate,
    /// The certificate is not one to believe.
    #[error("the certificate is not believed: {0}")]
    Credential(&'static str),
}

impl Failure {
    /// Code and phrase.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Stale => "403 Stale Date",
            Self::Unsigned => "428 Use Identity Header",
            Self::Place(_) | Self::Fetch(_) | Self::Busy | Self::NoCertificate => "436 Bad Identity Info",
            Self::Credential(_) => "437 Unsupported Credential",
            Self::Malformed(_)
            | Self::Compact
            | Self::Algorithm
            | Self::Contradiction(_)
            | Self::Caller
            | Self::Called
            | Self::Diverted
            | Self::Signature => "438 Invalid Identity Header",
        }
    }

    /// Whether it says nothing of the caller, good or bad.
    pub(super) fn is_neutral(self) -> bool {
        matches!(self, Self::Unsigned | Self::Diverted | Self::Busy)
    }
}
