//! `a=crypto`: keys in the SDP ([RFC 4568 §9.1]).
//!
//! [RFC 4568 §9.1]: https://www.rfc-editor.org/rfc/rfc4568#section-9.1

use std::fmt;

use crate::srtp::{Keys, Suite};

/// Packets are at most so many before the keys have to change; ours always do before.
const LONGEST_LIFETIME: u64 = 1 << 48;
/// Digits of a tag.
const TAG: usize = 9;

/// A suite that one side would use, with the keys for what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crypto {
    pub(super) tag: u32,
    pub(super) keys: Keys,
}

impl Crypto {
    /// Reads the value; `None` for a suite that we have not, for several keys at once or a key identifier (MKI), and for
    /// session parameters that would weaken it: such a line is not to be taken (§6.3, §7.1.2).
    pub(super) fn read(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (tag, suite, key) = (words.next()?, words.next()?, words.next()?);
        if tag.len() > TAG || !tag.bytes().all(|byte| byte.is_ascii_digit()) || !words.all(is_harmless) {
            return None;
        }
        let keys = read_key(Suite::from_name(suite)?, key)?;
        Some(Self { tag: tag.parse().ok()?, keys })
    }
}

/// `inline:` key, lifetime and MKI, with bars between.
fn read_key(suite: Suite, text: &str) -> Option<Keys> {
    let (method, rest) = text.split_at_checked("inline:".len())?;
    if !method.eq_ignore_ascii_case("inline:") {
        return None;
    }
    let mut parts = rest.split('|');
    let keys = Keys::from_base64(suite, parts.next()?)?;
    let lifetime = parts.next().is_none_or(is_lifetime);
    (lifetime && parts.next().is_none()).then_some(keys)
}

/// How many packets the peer sends under its keys: nothing that we would have to know.
fn is_lifetime(text: &str) -> bool {
    let lifetime = match text.strip_prefix("2^") {
        Some(power) => power.parse().ok().and_then(|power| 1_u64.checked_shl(power)),
        None => text.parse().ok(),
    };
    lifetime.is_some_and(|lifetime| (1..=LONGEST_LIFETIME).contains(&lifetime))
}

/// What may stand behind the keys: a derivation rate of none, a hint for the window, which ours exceeds, and what the
/// peer marks as negligible.
fn is_harmless(parameter: &str) -> bool {
    parameter == "KDR=0" || parameter.starts_with("WSH=") || parameter.starts_with('-')
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a=crypto:{} {} inline:{}\r\n", self.tag, self.keys.suite().name(), self.keys.to_base64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl";

    #[test]
    fn lines_are_taken_or_left() {
        let line = |rest: &str| format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{rest}");
        let cases: &[(&str, String, bool)] = &[
            ("plain", line(""), true),
            ("lifetime", line("|2^31"), true),
            ("lifetime as a number", line("|1048576"), true),
            ("lifetime of none", line("|0"), false),
            ("lifetime too long", line("|2^49"), false),
            ("lifetime beyond all bounds", line("|2^64"), false),
            ("key identifier", line("|2^20|1:4"), false),
            ("key identifier alone", line("|1:4"), false),
            ("two keys", line(&format!("|2^20|1:4;inline:{KEY}|2^20|2:4")), false),
            ("negligible parameter", line(" -X=1"), true),
            ("window and rate", line("|2^20 WSH=128 KDR=0"), true),
            ("derivation rate", line(" KDR=16"), false),
            ("without encryption", line(" UNENCRYPTED_SRTP"), false),
            ("reports without encryption", line(" UNENCRYPTED_SRTCP"), false),
            ("without tags", line(" UNAUTHENTICATED_SRTP"), false),
            ("small letters", format!("1 aes_cm_128_hmac_sha1_80 INLINE:{KEY}"), true),
            ("another suite", format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"), false),
            ("key of another length", format!("1 AEAD_AES_128_GCM inline:{KEY}"), false),
            ("no key", "1 AES_CM_128_HMAC_SHA1_80".into(), false),
            ("key from elsewhere", format!("1 AES_CM_128_HMAC_SHA1_80 uri:{KEY}"), false),
            ("no number", format!("+1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), false),
            ("number too long", format!("1000000000 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), false),
        ];
        for (name, value, expected) in cases {
            let read = Crypto::read(value);
            assert_eq!(read.is_some(), *expected, "{name}");
            if let Some(crypto) = read {
                assert_eq!(
                    crypto.to_string(),
                    format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"),
                    "{name}"
                );
                assert!(!format!("{crypto:?}").contains(KEY), "{name}: keys are printed nowhere");
            }
        }
    }
}
