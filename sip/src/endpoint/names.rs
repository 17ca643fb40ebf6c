//! Names that nobody can guess: tags, branches, Call-IDs ([RFC 3261 §19.3], [§8.1.1.7]).
//!
//! All of them are derived from one secret by HMAC, so an endpoint with the same seed behaves the same, and answers
//! that are given without keeping state carry the same tag each time ([§8.2.7]).
//!
//! [RFC 3261 §19.3]: https://www.rfc-editor.org/rfc/rfc3261#section-19.3
//! [§8.1.1.7]: https://www.rfc-editor.org/rfc/rfc3261#section-8.1.1.7
//! [§8.2.7]: https://www.rfc-editor.org/rfc/rfc3261#section-8.2.7

use std::fmt::Write;

use ring::hmac;

use crate::message::{Branch, CallId, Tag};

/// Makes names.
#[derive(Debug)]
pub(crate) struct Names {
    key: hmac::Key,
    made: u64,
}

impl Names {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), made: 0 }
    }

    pub(crate) fn tag(&mut self) -> Tag {
        Tag::new(self.fresh("tag"))
    }

    pub(crate) fn branch(&mut self) -> Branch {
        Branch::new(format!("{}{}", Branch::COOKIE, self.fresh("branch")))
    }

    pub(crate) fn call_id(&mut self) -> CallId {
        CallId::new(self.fresh("call-id"))
    }

    /// The client's part of a digest (RFC 7616 §3.4).
    pub(crate) fn cnonce(&mut self) -> String {
        self.fresh("cnonce")
    }

    /// The tag of an answer that nobody remembers: the same for each copy of the request.
    pub(crate) fn stateless_tag(&self, parts: &[&str]) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"stateless");
        for part in parts {
            // A border that cannot occur within a header.
            context.update(part.as_bytes());
            context.update(b"\n");
        }
        Tag::new(hex(&context.sign()))
    }

    /// A number below `bound`, or 0 when that is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let bytes = self.sign("number");
        let number = bytes.as_ref().first_chunk().map_or(0, |chunk| u32::from_be_bytes(*chunk));
        number.checked_rem(bound).unwrap_or(0)
    }

    fn fresh(&mut self, kind: &str) -> String {
        hex(&self.sign(kind))
    }

    fn sign(&mut self, kind: &str) -> hmac::Tag {
        self.made = self.made.wrapping_add(1);
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind.as_bytes());
        context.update(&self.made.to_be_bytes());
        context.sign()
    }
}

/// 96 bits are more than anybody can try.
fn hex(tag: &hmac::Tag) -> String {
    tag.as_ref().iter().take(12).fold(String::with_capacity(24), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_names_and_never_one_twice() {
        let (mut a, mut b, mut c) = (Names::new(&[1; 32]), Names::new(&[1; 32]), Names::new(&[2; 32]));
        let first = a.tag();
        assert_eq!(first, b.tag());
        assert_ne!(first, c.tag());
        assert_ne!(first, a.tag());
        assert!(a.branch().is_rfc3261());
        assert_eq!(a.stateless_tag(&["x", "y"]), b.stateless_tag(&["x", "y"]));
        assert_ne!(a.stateless_tag(&["x", "y"]), a.stateless_tag(&["xy", ""]));
        assert_eq!(a.below(0), 0);
        assert!((0..100).all(|_| a.below(7) < 7));
    }
}
