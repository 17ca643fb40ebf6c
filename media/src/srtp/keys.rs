//! Master keys, as they stand in an SDP. They are in no log: `Debug` says which suite they are for.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::hmac;

use super::Suite;

/// The longest master key and the longest master salt.
const LONGEST: usize = 46;
/// Some peers leave the padding away, though lengths are fixed.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Master key and master salt of one direction (RFC 3711 §3.2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    suite: Suite,
    material: [u8; LONGEST],
}

/// The keys of both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of what we send.
    pub ours: Keys,
    /// Of what the peer sends.
    pub theirs: Keys,
}

/// What all keys of our side of one call are made of: random, and never the same for two calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Keys {
    /// Key and salt one after the other, as many bytes as the suite has.
    pub fn new(suite: Suite, bytes: &[u8]) -> Option<Self> {
        let mut material = [0; LONGEST];
        let length = suite.key_length() + suite.salt_length();
        (bytes.len() == length).then(|| material[..length].copy_from_slice(bytes))?;
        Some(Self { suite, material })
    }

    /// Reads what stands after `inline:` (RFC 4568 §6.1).
    pub fn from_base64(suite: Suite, text: &str) -> Option<Self> {
        let mut bytes = [0; LONGEST + 2];
        let length = BASE64.decode_slice(text, &mut bytes).ok()?;
        Self::new(suite, &bytes[..length])
    }

    /// As it stands after `inline:`. This is for the SDP alone.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.material[..self.suite.key_length() + self.suite.salt_length()])
    }

    /// What they are for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.material[..self.suite.key_length()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.material[self.suite.key_length()..][..self.suite.salt_length()]
    }
}

impl Pair {
    /// The suite of both directions: they never differ (RFC 4568 §5.1.2).
    pub fn suite(&self) -> Suite {
        self.ours.suite
    }
}

impl Secret {
    /// Takes random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The keys for a suite: different ones for each, and for each generation of them.
    pub fn keys(&self, suite: Suite, generation: u32) -> Keys {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut material = [0; LONGEST];
        for (block, chunk) in (0_u8..).zip(material.chunks_mut(32)) {
            let mut context = hmac::Context::with_key(&secret);
            context.update(suite.name().as_bytes());
            context.update(&generation.to_be_bytes());
            context.update(&[block]);
            chunk.copy_from_slice(&context.sign().as_ref()[..chunk.len()]);
        }
        material[suite.key_length() + suite.salt_length()..].fill(0);
        Keys { suite, material }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.suite.name())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_long_as_their_suite_says() {
        for suite in Suite::ALL {
            let length = suite.key_length() + suite.salt_length();
            for wrong in [0, length - 1, length + 1, 47, 64] {
                assert_eq!(Keys::new(suite, &vec![7; wrong]), None, "{suite:?} {wrong}");
            }
            let keys = Keys::new(suite, &vec![7; length]).unwrap();
            let text = keys.to_base64();
            assert_eq!(Keys::from_base64(suite, &text), Some(keys), "{suite:?}");
            assert_eq!(Keys::from_base64(suite, text.trim_end_matches('=')), Some(keys), "{suite:?}");
            assert_eq!(Keys::from_base64(suite, &text[4..]), None, "{suite:?}");
            assert_eq!(Keys::from_base64(suite, &format!("{text}{text}{text}")), None, "{suite:?}");
        }
    }

    #[test]
    fn each_suite_and_each_generation_has_keys_of_its_own() {
        let secret = Secret::new([3; 32]);
        let all: Vec<_> = Suite::ALL.into_iter().flat_map(|suite| [0, 1].map(|n| secret.keys(suite, n))).collect();
        for (n, keys) in all.iter().enumerate() {
            assert_eq!(Keys::from_base64(keys.suite(), &keys.to_base64()), Some(*keys));
            assert!(all[n + 1..].iter().all(|other| other.material[..16] != keys.material[..16]), "{n}");
        }
        assert_eq!(secret.keys(Suite::AesGcm128, 1), Secret::new([3; 32]).keys(Suite::AesGcm128, 1));
        assert_ne!(secret.keys(Suite::AesGcm128, 1), Secret::new([4; 32]).keys(Suite::AesGcm128, 1));
    }

    #[test]
    fn no_key_is_ever_printed() {
        let secret = Secret::new([0x41; 32]);
        let keys = secret.keys(Suite::AesCm128Sha1Tag80, 0);
        let pair = Pair { ours: keys, theirs: keys };
        let name = "Keys(AES_CM_128_HMAC_SHA1_80)";
        assert_eq!(
            format!("{secret:?} {keys:?} {pair:?}"),
            format!("Secret {name} Pair {{ ours: {name}, theirs: {name} }}")
        );
    }
}
