//! Those who might be the peer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::rtp::Ssrc;

/// More than this at once is a flood, and one of them makes room for the next.
const CANDIDATES: usize = 4;
/// A candidate may have lost this many packets between two that came.
const GAP: u16 = 8;
/// Packets in sequence that prove an address with the IP that is expected.
const NEEDED_EXPECTED: u8 = 2;
/// Packets in sequence that prove any other.
const NEEDED: u8 = 5;
/// Enough time for those that send seldom; and what a declared address has to speak up when another does.
const WINDOW: Duration = Duration::from_millis(200);

/// A packet, as far as its sender's proof goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) from: SocketAddr,
    pub(super) ssrc: Ssrc,
    pub(super) sequence: u16,
    pub(super) claim: Claim,
}

/// How likely it is that an address is the peer's, the least likely first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// Any address, though the declared one may just be late.
    Usurper,
    /// Any address, while the declared one cannot be right.
    Unknown,
    /// The IP of the SDP or of the signalling, another port.
    Expected,
}

/// A few addresses and how well each has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidates {
    slots: [Option<Candidate>; CANDIDATES],
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    last: Sighting,
    since: Instant,
    count: u8,
}

impl Candidates {
    /// Notes a packet; true when its sender has proved itself by it.
    pub(super) fn prove(&mut self, now: Instant, seen: Sighting) -> bool {
        let known = self.slots.iter_mut().flatten().find(|slot| slot.last.from == seen.from);
        let Some(candidate) = known else {
            self.admit(Candidate { last: seen, since: now, count: 1 });
            return false;
        };
        candidate.see(now, seen);
        candidate.is_proved(now)
    }

    /// Takes a free slot, or that of the least likely: by its claim first, then by its packets.
    fn admit(&mut self, candidate: Candidate) {
        let worth = |slot: &Option<Candidate>| slot.map(|slot| (slot.last.claim, slot.count));
        let least = self.slots.iter_mut().min_by_key(|slot| worth(slot));
        if let Some(slot) = least.filter(|slot| worth(slot) <= worth(&Some(candidate))) {
            *slot = Some(candidate);
        }
    }
}

impl Candidate {
    /// A packet out of sequence begins the proof anew.
    fn see(&mut self, now: Instant, seen: Sighting) {
        let step = seen.sequence.wrapping_sub(self.last.sequence);
        if seen.ssrc == self.last.ssrc && (1..=GAP).contains(&step) {
            self.count = self.count.saturating_add(1);
        } else {
            (self.count, self.since) = (1, now);
        }
        self.last = seen;
    }

    fn is_proved(&self, now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.since) >= WINDOW;
        match self.last.claim {
            Claim::Expected => self.count >= NEEDED_EXPECTED,
            Claim::Unknown => self.count >= NEEDED || (self.count > 1 && waited),
            Claim::Usurper => self.count >= NEEDED && waited,
        }
    }
}
