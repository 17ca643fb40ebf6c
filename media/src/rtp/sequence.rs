//! Sequence numbers beyond sixteen bits ([RFC 3550 A.1]).
//!
//! [RFC 3550 A.1]: https://www.rfc-editor.org/rfc/rfc3550#appendix-A.1

/// A step forward smaller than this is loss; at 50 packets a second, a minute of it.
const MAX_DROPOUT: u16 = 3_000;
/// A step back smaller than this is reordering.
const MAX_MISORDER: u16 = 100;
const CYCLE: u64 = 1 << 16;

/// How far `later` is ahead of `earlier`, negative when it is behind; right across the wrap.
pub fn distance(earlier: u16, later: u16) -> i16 {
    later.wrapping_sub(earlier).cast_signed()
}

/// Counts the wraps of one stream.
///
/// The first packet gets its own number plus one cycle, so that a packet from just before it has a number too.
#[derive(Clone, Copy, Debug)]
pub struct Sequence {
    highest: u64,
    /// The number that would prove that a wild jump was a restart.
    restart_at: Option<u16>,
}

/// Where a packet stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// In order, lost-before, late or repeated: its place is known.
    At(u64),
    /// The sender began anew: two packets in order agree, this is the second.
    Restarted(u64),
    /// Far from everything before; waiting for a second one to confirm it.
    Wild,
}

impl Sequence {
    /// Starts at the first packet heard.
    pub fn new(first: u16) -> Self {
        Self { highest: CYCLE + u64::from(first), restart_at: None }
    }

    /// Places a packet, and moves the highest number on if it is newer.
    pub fn extend(&mut self, sequence: u16) -> Extended {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest += u64::from(ahead);
            self.restart_at = None;
            return Extended::At(self.highest);
        }
        if let behind @ ..=MAX_MISORDER = ahead.wrapping_neg() {
            return Extended::At(self.highest - u64::from(behind));
        }
        if self.restart_at == Some(sequence) {
            *self = Self::new(sequence);
            return Extended::Restarted(self.highest);
        }
        self.restart_at = Some(sequence.wrapping_add(1));
        Extended::Wild
    }

    /// The highest number seen.
    pub fn highest(&self) -> u64 {
        self.highest
    }
}
