//! What a caller's PIN is held against: the rules as they are when he has typed it, and how often he was wrong before.
//!
//! Whoever tries on and on is answered as before, only that nothing he types is right for a while. A carrier's address
//! stands for many callers, so that a caller is known by his number as well, if he has one; of all callers behind one address
//! together only so many may be wrong. People mistype: what they do of it fades, or a busy carrier would be shut out for it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tracing::warn;

use crate::dispatch::{self, Decision, Pin, Query, Seat};
use crate::store::{InboundTrunk, Snapshot};

/// Wrong PINs of one number before it has to wait, and of one address.
const NUMBER: u32 = 3;
const ADDRESS: u32 = 30;
/// How long the first wait is; each further one is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// The longest.
const LAST_WAIT: Duration = Duration::from_secs(3_600);
/// How long it takes until one wrong PIN of an address is forgiven: 2,160 a day, however they are spread.
const FADES: Duration = Duration::from_secs(40);
/// How long nothing wrong has to come before all is forgiven.
const MEMORY: Duration = Duration::from_secs(3_600);
/// Callers and addresses that are remembered. When there are more, the one wrong longest ago is forgotten.
const SUSPECTS: usize = 4_096;

/// Holds the PINs of one call against the rules.
#[derive(Clone, Debug)]
pub struct Gate {
    objects: Arc<ArcSwap<Snapshot>>,
    trunk: Arc<InboundTrunk>,
    query: Box<Query>,
    suspects: Suspects,
}

impl Gate {
    pub(super) fn new(
        objects: Arc<ArcSwap<Snapshot>>,
        trunk: Arc<InboundTrunk>,
        query: Query,
        suspects: Suspects,
    ) -> Self {
        Self { objects, trunk, query: Box::new(query), suspects }
    }

    /// The seat that a PIN gives.
    pub(crate) fn judge(&self, now: Instant, pin: Pin<'_>) -> Option<Box<Seat>> {
        let decision = dispatch::decide(&self.objects.load(), &self.trunk, &self.query, pin);
        // Those who hide have no number in common.
        let number = if self.query.is_nameless() { "" } else { self.query.calling() };
        let caller = (self.query.source.ip().to_canonical(), number);
        // A caller without a PIN guesses none.
        let is_guess = matches!(pin, Pin::Typed(_));
        if is_guess && self.suspects.must_wait(now, caller) {
            warn!(reason = "guessing", "too many wrong PINs: no PIN is right for a while");
            return None;
        }
        match decision {
            Decision::Join(seat) => Some(seat),
            Decision::AskPin(_) | Decision::Refuse(_) => {
                if is_guess {
                    self.suspects.note(now, caller);
                }
                None
            }
        }
    }
}

/// An address, and the number behind it; an empty one is nobody's.
type Caller<'a> = (IpAddr, &'a str);

/// Who has typed wrong PINs. Cheap to clone; locked for as long as it takes to look something up.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects(Arc<Mutex<HashMap<(IpAddr, String), Suspect>>>);

#[derive(Clone, Copy, Debug)]
struct Suspect {
    wrong: u32,
    last: Instant,
    /// Up to when wrong ones have faded.
    faded: Instant,
    until: Option<Instant>,
}

impl Suspects {
    fn must_wait(&self, now: Instant, (address, number): Caller<'_>) -> bool {
        let suspects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        [number, ""].into_iter().any(|number| {
            let suspect = suspects.get(&(address, number.to_owned()));
            suspect.and_then(|suspect| suspect.until).is_some_and(|until| now < until)
        })
    }

    /// One more wrong PIN.
    fn note(&self, now: Instant, (address, number): Caller<'_>) {
        let mut suspects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = (!number.is_empty()).then_some((number, NUMBER));
        for (number, allowed) in own.into_iter().chain([("", ADDRESS)]) {
            if suspects.len() >= SUSPECTS {
                make_room(&mut suspects, now);
            }
            let suspect = suspects.entry((address, number.to_owned())).or_insert(Suspect::new(now));
            if now.saturating_duration_since(suspect.last) >= MEMORY {
                *suspect = Suspect::new(now);
            }
            if number.is_empty() {
                suspect.fade(now);
            }
            suspect.wrong = suspect.wrong.saturating_add(1);
            suspect.last = now;
            if suspect.wrong.is_multiple_of(allowed) {
                let times = 1 << (suspect.wrong / allowed - 1).min(16);
                suspect.until = Some(now + FIRST_WAIT.saturating_mul(times).min(LAST_WAIT));
            }
        }
    }
}

impl Suspect {
    fn new(now: Instant) -> Self {
        Self { wrong: 0, last: now, faded: now, until: None }
    }

    fn fade(&mut self, now: Instant) {
        while self.wrong > 0 && now.saturating_duration_since(self.faded) >= FADES {
            self.wrong -= 1;
            self.faded += FADES;
        }
        if self.wrong == 0 {
            self.faded = now;
        }
    }
}

fn make_room(suspects: &mut HashMap<(IpAddr, String), Suspect>, now: Instant) {
    suspects.retain(|_, suspect| now.saturating_duration_since(suspect.last) < MEMORY);
    if suspects.len() >= SUSPECTS
        && let Some(oldest) = suspects.iter().min_by_key(|(_, suspect)| suspect.last).map(|(caller, _)| caller.clone())
    {
        suspects.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_number_waits_longer_and_longer() {
        let (suspects, mut now) = (Suspects::default(), Instant::now());
        let caller = (ip("192.0.2.1"), "+15550199");
        for minutes in [1u32, 2, 4, 8, 16, 32, 60, 60] {
            for _ in 0..NUMBER {
                assert!(!suspects.must_wait(now, caller), "{minutes}");
                suspects.note(now, caller);
            }
            let wait = Duration::from_secs(60) * minutes;
            assert!(suspects.must_wait(now + wait - Duration::from_secs(1), caller), "{minutes}");
            assert!(!suspects.must_wait(now + wait - Duration::from_secs(1), (caller.0, "+15550100")), "a neighbour");
            now += wait;
            if wait >= MEMORY {
                break;
            }
        }
    }

    #[test]
    fn an_address_with_many_numbers_waits_too() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        for n in 0..ADDRESS {
            suspects.note(now, (ip("192.0.2.1"), &n.to_string()));
        }
        assert!(suspects.must_wait(now, (ip("192.0.2.1"), "another")));
        assert!(!suspects.must_wait(now, (ip("192.0.2.2"), "another")));
        assert!(!suspects.must_wait(now + FIRST_WAIT, (ip("192.0.2.1"), "another")));
    }

    /// Of a busy carrier's callers somebody mistypes every minute, and nobody else is to pay for it.
    #[test]
    fn mistakes_of_many_callers_do_not_shut_a_carrier_out() {
        let (suspects, mut now) = (Suspects::default(), Instant::now());
        for n in 0..3 * 24 * 60 {
            now += Duration::from_secs(60);
            suspects.note(now, (ip("192.0.2.1"), &n.to_string()));
            assert!(!suspects.must_wait(now, (ip("192.0.2.1"), "another")), "after {n} minutes");
        }
    }

    #[test]
    fn who_guesses_all_day_has_no_more_guesses_than_fade() {
        let (suspects, start) = (Suspects::default(), Instant::now());
        let mut guesses = 0;
        for second in 0..24 * 3_600 {
            let (now, number) = (start + Duration::from_secs(second), second.to_string());
            if !suspects.must_wait(now, (ip("192.0.2.1"), &number)) {
                suspects.note(now, (ip("192.0.2.1"), &number));
                guesses += 1;
            }
        }
        assert!(guesses <= 2_160 + ADDRESS, "{guesses}");
    }

    #[test]
    fn callers_without_a_number_are_not_one_caller() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        for n in 1..ADDRESS {
            suspects.note(now, (ip("192.0.2.1"), ""));
            assert!(!suspects.must_wait(now, (ip("192.0.2.1"), "")), "{n}");
        }
        suspects.note(now, (ip("192.0.2.1"), ""));
        assert!(suspects.must_wait(now, (ip("192.0.2.1"), "+15550199")));
    }

    #[test]
    fn the_table_is_bounded() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        for n in 0..2 * SUSPECTS as u32 {
            suspects.note(now + Duration::from_micros(n.into()), (IpAddr::from(n.to_be_bytes()), "1"));
        }
        assert!(suspects.0.lock().unwrap().len() <= SUSPECTS);
    }
}
