//! SRTP of the small phone, by the implementation of a WebRTC engine: keys in SDP (RFC 4568), packets sealed and opened.

use ring::rand::{SecureRandom, SystemRandom};
use rtc_srtp::context::Context;
use rtc_srtp::crypto::default_provider;
use rtc_srtp::protection_profile::ProtectionProfile;

/// The suites, as SDP calls them, with the lengths of key and salt.
const SUITES: [(&str, ProtectionProfile, usize, usize); 6] = [
    ("AES_CM_128_HMAC_SHA1_80", ProtectionProfile::Aes128CmHmacSha1_80, 16, 14),
    ("AES_CM_128_HMAC_SHA1_32", ProtectionProfile::Aes128CmHmacSha1_32, 16, 14),
    ("AES_256_CM_HMAC_SHA1_80", ProtectionProfile::Aes256CmHmacSha1_80, 32, 14),
    ("AES_256_CM_HMAC_SHA1_32", ProtectionProfile::Aes256CmHmacSha1_32, 32, 14),
    ("AEAD_AES_128_GCM", ProtectionProfile::AeadAes128Gcm, 16, 12),
    ("AEAD_AES_256_GCM", ProtectionProfile::AeadAes256Gcm, 32, 12),
];
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Our key, and theirs once they have told it.
#[derive(Clone, Debug)]
pub struct Seal {
    suite: usize,
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

impl Seal {
    /// A new key for a suite.
    pub fn new(suite: &str) -> Self {
        let suite = SUITES.iter().position(|(name, ..)| *name == suite).expect("a suite that there is");
        let mut ours = vec![0; SUITES[suite].2 + SUITES[suite].3];
        SystemRandom::new().fill(&mut ours).expect("the system has random bytes");
        Self { suite, ours, theirs: Vec::new() }
    }

    /// The key that stands first in a description of ours.
    pub fn told(sdp: &str) -> Self {
        let line = sdp.lines().find_map(|line| line.strip_prefix("a=crypto:1 ")).expect("there is a key");
        let (suite, key) = line.split_once(" inline:").expect("a key follows the suite");
        Self { ours: decode(key.trim()), ..Self::new(suite) }
    }

    /// Takes their key out of a description; fails when it is not for the same suite.
    #[track_caller]
    pub fn hears(&mut self, sdp: &str) {
        let name = SUITES[self.suite].0;
        let start = format!("a=crypto:1 {name} inline:");
        let key = sdp.lines().find_map(|line| line.strip_prefix(&start));
        let key = key.unwrap_or_else(|| panic!("no key for {name} in {sdp}"));
        self.theirs = decode(key.trim().split('|').next().unwrap_or_default());
        assert_ne!(self.theirs, self.ours, "a key of their own");
    }

    /// Our line of SDP.
    pub fn line(&self) -> String {
        format!("a=crypto:1 {} inline:{}\r\n", SUITES[self.suite].0, encode(&self.ours))
    }

    /// What seals and what opens.
    pub(super) fn contexts(&self) -> (Context, Context) {
        let (_, profile, key, _) = SUITES[self.suite];
        let provider = default_provider().expect("there is cryptography");
        let context = |bytes: &[u8]| {
            let (key, salt) = bytes.split_at(key);
            Context::new(key, salt, profile, None, None, provider.crypto()).expect("a key of the right length")
        };
        (context(&self.ours), context(&self.theirs))
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|n| char::from(LETTERS[(bits >> (18 - 6 * n) & 63) as usize])));
        text.extend((chunk.len()..3).map(|_| '='));
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let values = text.bytes().filter_map(|letter| LETTERS.iter().position(|&known| known == letter));
    let (mut bits, mut count, mut bytes) = (0_usize, 0, Vec::new());
    for value in values {
        (bits, count) = (bits << 6 | value, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
