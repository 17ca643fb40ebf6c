//! Whether a sender has begun again at numbers that were there before.
//!
//! A packet whose place was filled is a copy that some wire made, and passed over. A sender that restarts within the numbers a
//! late packet may have (RFC 3550 A.1) looks the same at first, and would not be heard until it has caught up with itself. But
//! its packets follow each other in time, with none that is new among them.

use std::time::{Duration, Instant};

/// Copies that come together are a burst; those of a sender come one by one for so long.
const RUN: Duration = Duration::from_millis(100);
/// So many of them at the least.
const PACKETS: u8 = 4;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Again {
    run: Option<Run>,
}

/// Packets that were there already, each after the one before it.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: Instant,
    last: u64,
    packets: u8,
}

impl Again {
    /// A packet came whose place was filled. Returns whether the sender has begun again.
    pub(crate) fn handle_repeated(&mut self, now: Instant, number: u64) -> bool {
        let run = match self.run {
            Some(run) if number > run.last => Run { last: number, packets: run.packets.saturating_add(1), ..run },
            _ => Run { since: now, last: number, packets: 1 },
        };
        let begun = run.packets >= PACKETS && now.saturating_duration_since(run.since) >= RUN;
        self.run = Some(run).filter(|_| !begun);
        begun
    }

    /// A packet came that is newer than all before it.
    pub(crate) fn handle_new(&mut self) {
        self.run = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::beginning;

    #[test]
    fn copies_are_told_from_a_sender_that_begins_again() {
        let start = beginning();
        // When each came, and its number; `None` is one that is new.
        type Came = (u64, Option<u64>);
        let in_a_row: Vec<Came> = (0..6).map(|n| (20 * n, Some(n))).collect();
        let at_once: Vec<Came> = (0..50).map(|n| (0, Some(n))).collect();
        let the_same: Vec<Came> = (0..50).map(|n| (20 * n, Some(7))).collect();
        let backwards: Vec<Came> = (0..50).map(|n| (20 * n, Some(90 - n))).collect();
        let each_twice: Vec<Came> = (0..50).flat_map(|n| [(20 * n, None), (20 * n + 5, Some(n))]).collect();
        let cases: &[(&str, &[Came], Option<usize>)] = &[
            ("in a row", &in_a_row, Some(5)),
            ("one less", &in_a_row[..5], None),
            ("long packets", &[(0, Some(1)), (60, Some(2)), (120, Some(3)), (180, Some(4))], Some(3)),
            ("with holes", &[(0, Some(1)), (40, Some(3)), (80, Some(5)), (120, Some(9))], Some(3)),
            ("at once", &at_once, None),
            ("all the same", &the_same, None),
            ("backwards", &backwards, None),
            ("each twice", &each_twice, None),
        ];
        for (name, came, expected) in cases {
            let mut again = Again::default();
            let begun = came.iter().position(|(at, number)| match number {
                Some(number) => again.handle_repeated(start + Duration::from_millis(*at), *number),
                None => {
                    again.handle_new();
                    false
                }
            });
            assert_eq!(begun, *expected, "{name}");
        }
    }
}
