//! Sources that answered challenges wrongly: after a few within a minute they are not answered for a while.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Wrong answers a source may give within [`WINDOW`].
const ALLOWED: u32 = 5;
/// How long wrong answers are remembered, and how long a source is locked out after the last one.
const WINDOW: Duration = Duration::from_secs(60);
/// Sources remembered. When there are more, the one heard longest ago is forgotten.
const SOURCES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Guessers(HashMap<IpAddr, Guesses>);

#[derive(Clone, Copy, Debug)]
struct Guesses {
    wrong: u32,
    last: Instant,
    is_told: bool,
}

impl Guessers {
    /// One more wrong answer.
    pub(super) fn note(&mut self, now: Instant, source: IpAddr) {
        let source = bucket(source);
        if self.0.len() >= SOURCES && !self.0.contains_key(&source) {
            self.make_room(now);
        }
        let guesses = self.0.entry(source).or_insert(Guesses { wrong: 0, last: now, is_told: false });
        let is_fresh = now.saturating_duration_since(guesses.last) < WINDOW;
        *guesses = Guesses { wrong: if is_fresh { guesses.wrong + 1 } else { 1 }, last: now, is_told: false };
    }

    pub(super) fn is_locked(&self, now: Instant, source: IpAddr) -> bool {
        let guesses = self.0.get(&bucket(source));
        guesses.is_some_and(|g| g.wrong >= ALLOWED && now.saturating_duration_since(g.last) < WINDOW)
    }

    /// Whether the log has not heard of this lock-out yet; from now on it has.
    pub(super) fn is_news(&mut self, source: IpAddr) -> bool {
        let guesses = self.0.get_mut(&bucket(source));
        guesses.is_some_and(|guesses| !std::mem::replace(&mut guesses.is_told, true))
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, guesses| now.saturating_duration_since(guesses.last) < WINDOW);
        if self.0.len() >= SOURCES
            && let Some(oldest) = self.0.iter().min_by_key(|(_, guesses)| guesses.last).map(|(source, _)| *source)
        {
            self.0.remove(&oldest);
        }
    }
}

/// An IPv6 host commonly has a whole /64 to send from.
fn bucket(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn five_wrong_answers_lock_a_source_out_for_a_minute() {
        let (mut guessers, start) = (Guessers::default(), Instant::now());
        let source = ip("192.0.2.1");
        for n in 0..5 {
            assert!(!guessers.is_locked(start, source), "{n}");
            guessers.note(start, source);
        }
        assert!(guessers.is_locked(start, source));
        assert!(guessers.is_locked(start, ip("::ffff:192.0.2.1")), "the same host in other clothes");
        assert!(!guessers.is_locked(start, ip("192.0.2.2")), "a neighbour");
        assert!(!guessers.is_locked(start + WINDOW, source), "a minute later");
    }

    #[test]
    fn slow_mistakes_do_not_add_up() {
        let (mut guessers, start) = (Guessers::default(), Instant::now());
        for n in 0..20 {
            let now = start + n * WINDOW;
            guessers.note(now, ip("192.0.2.1"));
            assert!(!guessers.is_locked(now, ip("192.0.2.1")), "{n}");
        }
    }

    #[test]
    fn hosts_of_one_ipv6_network_count_as_one() {
        let (mut guessers, now) = (Guessers::default(), Instant::now());
        for n in 0..5 {
            guessers.note(now, ip(&format!("2001:db8::{n}")));
        }
        assert!(guessers.is_locked(now, ip("2001:db8::ffff")));
        assert!(!guessers.is_locked(now, ip("2001:db8:0:1::1")));
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut guessers, now) = (Guessers::default(), Instant::now());
        for n in 0..3 * SOURCES as u32 {
            guessers.note(now + Duration::from_micros(n.into()), IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(guessers.0.len(), SOURCES);
    }
}
