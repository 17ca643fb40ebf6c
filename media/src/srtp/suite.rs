//! The suites by name (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-128 in counter mode, a tag of 80 bits: what every peer has.
    AesCm128Sha1Tag80,
    /// AES-128 in counter mode, a tag of 32 bits for RTP, of 80 for RTCP.
    AesCm128Sha1Tag32,
    /// AES-256 in counter mode, a tag of 80 bits.
    AesCm256Sha1Tag80,
    /// AES-256 in counter mode, a tag of 32 bits for RTP, of 80 for RTCP.
    AesCm256Sha1Tag32,
    /// AES-128 in Galois counter mode.
    AesGcm128,
    /// AES-256 in Galois counter mode.
    AesGcm256,
}

/// RTCP has the long tag whatever RTP has (RFC 4568 §6.2.2).
const RTCP_TAG: usize = 10;
const GCM_TAG: usize = 16;

impl Suite {
    /// All of them, in the order in which they are offered: the one that every peer has first, for some look no further;
    /// those with short tags last.
    pub const ALL: [Self; 6] = [
        Self::AesCm128Sha1Tag80,
        Self::AesGcm128,
        Self::AesGcm256,
        Self::AesCm256Sha1Tag80,
        Self::AesCm128Sha1Tag32,
        Self::AesCm256Sha1Tag32,
    ];

    /// The name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha1Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1Tag32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1Tag80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1Tag32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AesGcm128 => "AEAD_AES_128_GCM",
            Self::AesGcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key.
    pub fn key_length(self) -> usize {
        match self {
            Self::AesCm128Sha1Tag80 | Self::AesCm128Sha1Tag32 | Self::AesGcm128 => 16,
            Self::AesCm256Sha1Tag80 | Self::AesCm256Sha1Tag32 | Self::AesGcm256 => 32,
        }
    }

    /// Bytes of the master salt.
    pub fn salt_length(self) -> usize {
        if self.is_gcm() { 12 } else { 14 }
    }

    /// Bytes that a packet of RTP grows by.
    pub fn rtp_tag(self) -> usize {
        match self {
            Self::AesCm128Sha1Tag80 | Self::AesCm256Sha1Tag80 => 10,
            Self::AesCm128Sha1Tag32 | Self::AesCm256Sha1Tag32 => 4,
            Self::AesGcm128 | Self::AesGcm256 => GCM_TAG,
        }
    }

    pub(super) fn rtcp_tag(self) -> usize {
        if self.is_gcm() { GCM_TAG } else { RTCP_TAG }
    }

    pub(super) fn is_gcm(self) -> bool {
        matches!(self, Self::AesGcm128 | Self::AesGcm256)
    }

    /// Whether the tag of RTP is so short that one of four thousand million forgeries is heard.
    pub(crate) fn is_short(self) -> bool {
        self.rtp_tag() == 4
    }
}
