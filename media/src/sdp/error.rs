//! What can be wrong with a session.

use std::net::IpAddr;

/// Why there is no agreement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text does not follow the grammar (RFC 8866 §9).
    #[error("malformed {what} in line {line} of the SDP")]
    Malformed {
        /// What should have been there.
        what: &'static str,
        /// Counted from one.
        line: usize,
    },
    /// More than any honest session has.
    #[error("too many {0} in the SDP")]
    TooMany(&'static str),
    /// No media line is audio that is on.
    #[error("no audio in the SDP")]
    NoAudio,
    /// Audio, but in a transport that we do not speak.
    #[error("transport {0} is not supported, only RTP/AVP and RTP/SAVP")]
    Protocol(String),
    /// Encrypted audio, and encryption is switched off.
    #[error("the media is encrypted, which is not allowed here")]
    Encrypted,
    /// Audio that is not encrypted, and it has to be.
    #[error("the media is not encrypted, which is required here")]
    NotEncrypted,
    /// Encrypted audio, but with none of our suites, or with keys that cannot be used.
    #[error("no usable a=crypto in the SDP")]
    NoCommonSuite,
    /// Audio, but none of our codecs.
    #[error("no codec in common")]
    NoCommonCodec,
    /// Audio without any `c=`, in the media or the session (RFC 8866 §5.7).
    #[error("no connection address in the SDP")]
    NoAddress,
    /// A host name, where only an address will do.
    #[error("a host name for an address in the SDP")]
    NotAnAddress,
    /// An address that media must not be sent to.
    #[error("media to {0} is refused")]
    RefusedAddress(IpAddr),
    /// Our own port, or another that is none of the caller's.
    #[error("media to {0}:{1} is refused")]
    RefusedPort(IpAddr, u16),
    /// An address of the family that our side of the call has not.
    #[error("media to {0} cannot be sent from our address")]
    AddressFamily(IpAddr),
    /// An answer with other media lines than the offer, or one without an offer (RFC 3264 §6).
    #[error("the SDP answer does not match the offer")]
    NotAnAnswer,
}

impl Error {
    /// 400 for what cannot be understood, 488 for what can and does not fit.
    pub fn status_hint(&self) -> u16 {
        match self {
            Self::Malformed { .. } | Self::TooMany(_) | Self::NoAddress | Self::NotAnAnswer => 400,
            Self::NoAudio
            | Self::Protocol(_)
            | Self::Encrypted
            | Self::NotEncrypted
            | Self::NoCommonSuite
            | Self::NoCommonCodec
            | Self::NotAnAddress
            | Self::RefusedAddress(_)
            | Self::RefusedPort(..)
            | Self::AddressFamily(_) => 488,
        }
    }

    /// Whether it is the encryption that one side wants and the other has not.
    pub fn is_about_encryption(&self) -> bool {
        matches!(self, Self::Encrypted | Self::NotEncrypted | Self::NoCommonSuite)
    }
}
