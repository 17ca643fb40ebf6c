//! Which telephone events are understood: the `a=fmtp` of telephone-event (RFC 4733 §2.4.1).

use std::fmt;

/// A set of the sixteen keys; other events are neither offered nor answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events(u16);

impl Events {
    /// All sixteen, `0-15`: also what is meant when nothing is said.
    pub const KEYS: Self = Self(u16::MAX);

    /// Reads `0-11,66,70`; what is no number or range is passed over.
    pub(super) fn read(text: &str) -> Self {
        let mask = |item: &str| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let first: u8 = first.trim().parse().ok()?;
            let last: u8 = last.trim().parse().ok()?;
            Some((first..=last.min(15)).fold(0, |mask, event| mask | 1u16 << event.min(15)))
        };
        Self(text.split(',').filter_map(mask).fold(0, |all, mask| all | mask))
    }

    /// Those in both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether an event of this code may be sent.
    pub fn contains(self, code: u8) -> bool {
        code < 16 && self.0 & 1 << code != 0
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut code = 0;
        while code < 16 {
            let Some(first) = (code..16).find(|code| self.contains(*code)) else { break };
            let last = (first..16).take_while(|code| self.contains(*code)).last().unwrap_or(first);
            match first == last {
                true => write!(f, "{separator}{first}")?,
                false => write!(f, "{separator}{first}-{last}")?,
            }
            (separator, code) = (",", last + 1);
        }
        Ok(())
    }
}
