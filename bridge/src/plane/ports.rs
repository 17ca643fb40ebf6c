//! The RTP port range: even ports with their odd neighbour, a random start, and a rest after use.
//!
//! A freed port rests for a while, so that late packets of one call are not heard in the next. A range with nothing but
//! resting ports is exhausted, and the call is refused: better no call than somebody else's.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;

use super::gauges::Seat;
use super::socket::{self, Traits};
use super::{Error, Interface};

/// Which of the configured addresses a carrier can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address; IPv4 written as IPv6 (RFC 4291 §2.5.5.2) is IPv4.
    pub fn of(ip: std::net::IpAddr) -> Self {
        if ip.to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// A pair of bound ports on a media thread, not yet in use. Dropping it frees both.
#[derive(Debug)]
pub struct Reservation {
    pub(crate) pair: Pair,
    pub(crate) seat: Seat,
}

impl Reservation {
    /// Where the carrier sends RTP, as told in SDP; RTCP goes to the next port.
    pub fn advertised(&self) -> SocketAddr {
        self.pair.advertised
    }
}

/// Two bound sockets and the claim on their ports. The fields' order matters: closed before given back.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    advertised: SocketAddr,
    _claim: Claim,
}

/// The ports of one address.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    interface: Interface,
    traits: Traits,
    pool: Arc<Mutex<Pool>>,
}

impl Ports {
    pub(crate) fn new(interface: Interface, range: &RangeInclusive<u16>, quarantine: Duration, traits: Traits) -> Self {
        let pool = Pool::new(range, quarantine);
        Self { interface, traits, pool: Arc::new(Mutex::new(pool)) }
    }

    /// Claims and binds a pair. Ports that another program has are passed over.
    pub(crate) fn take(&self, now: Instant) -> Result<Pair, Error> {
        let candidates = lock(&self.pool).candidates(rand::random());
        for port in candidates {
            if !lock(&self.pool).claim(now, port) {
                continue;
            }
            let mut claim = Claim { pool: self.pool.clone(), port, bound: false };
            match self.bind(port) {
                Ok((rtp, rtcp)) => {
                    claim.bound = true;
                    let advertised = SocketAddr::new(self.interface.advertised, port);
                    return Ok(Pair { rtp, rtcp, advertised, _claim: claim });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::PortsExhausted)
    }

    /// Pairs that are claimed.
    pub(crate) fn in_use(&self) -> usize {
        lock(&self.pool).in_use
    }

    fn bind(&self, port: u16) -> io::Result<(UdpSocket, UdpSocket)> {
        let at = |port| SocketAddr::new(self.interface.bind, port);
        Ok((socket::open(at(port), self.traits)?, socket::open(at(port + 1), self.traits)?))
    }
}

/// Gives its ports back when dropped; to rest, if anybody could have learned of them.
#[derive(Debug)]
struct Claim {
    pool: Arc<Mutex<Pool>>,
    port: u16,
    bound: bool,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.pool).give_back(Instant::now(), self.port, self.bound);
    }
}

/// Which ports are taken. Pure: the clock and the chance are arguments.
#[derive(Debug)]
struct Pool {
    first: u16,
    pairs: u16,
    quarantine: Duration,
    taken: HashMap<u16, Taken>,
    in_use: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    InUse,
    RestsUntil(Instant),
}

impl Pool {
    fn new(range: &RangeInclusive<u16>, quarantine: Duration) -> Self {
        let first = range.start().checked_add(range.start() % 2).unwrap_or(u16::MAX).max(2);
        let pairs = range.end().checked_sub(first).map_or(0, |span| span.div_ceil(2));
        Self { first, pairs, quarantine, taken: HashMap::new(), in_use: 0 }
    }

    /// Every even port of the range once, starting anywhere, so that the next port cannot be guessed from the last.
    fn candidates(&self, chance: u16) -> impl Iterator<Item = u16> + use<> {
        let (first, pairs) = (self.first, self.pairs);
        (0..pairs).map(move |step| {
            let place = (u32::from(chance) + u32::from(step)) % u32::from(pairs);
            first + 2 * place as u16
        })
    }

    fn claim(&mut self, now: Instant, port: u16) -> bool {
        match self.taken.get(&port) {
            Some(Taken::InUse) => return false,
            Some(Taken::RestsUntil(until)) if *until > now => return false,
            Some(Taken::RestsUntil(_)) | None => {}
        }
        self.taken.insert(port, Taken::InUse);
        self.in_use += 1;
        true
    }

    fn give_back(&mut self, now: Instant, port: u16, rest: bool) {
        self.in_use = self.in_use.saturating_sub(1);
        if rest && !self.quarantine.is_zero() {
            self.taken.insert(port, Taken::RestsUntil(now + self.quarantine));
        } else {
            self.taken.remove(&port);
        }
    }
}

/// The pool is whole at every step, so a panic elsewhere does not spoil it.
fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_even_ports_with_a_neighbour_inside_the_range() {
        let cases: &[(&str, RangeInclusive<u16>, &[u16])] = &[
            ("even start, odd end", 10_000..=10_005, &[10_000, 10_002, 10_004]),
            ("even end has no neighbour", 10_000..=10_004, &[10_000, 10_002]),
            ("odd start", 10_001..=10_005, &[10_002, 10_004]),
            ("one pair", 65_534..=65_535, &[65_534]),
            ("one port", 10_000..=10_000, &[]),
            ("backwards", RangeInclusive::new(10_010, 10_000), &[]),
            ("odd end of all ports", 65_535..=65_535, &[]),
        ];
        for (name, range, expected) in cases {
            let pool = Pool::new(range, Duration::ZERO);
            let mut ports: Vec<_> = pool.candidates(0).collect();
            ports.sort_unstable();
            assert_eq!(ports, *expected, "{name}");
        }
    }

    #[test]
    fn every_start_visits_every_port_once() {
        let pool = Pool::new(&(10_000..=10_100), Duration::ZERO);
        for chance in [0, 1, 49, 50, 777, u16::MAX] {
            let ports: HashSet<_> = pool.candidates(chance).collect();
            assert_eq!(ports.len(), 50, "from {chance}");
        }
        assert_ne!(pool.candidates(3).next(), pool.candidates(4).next());
    }

    #[test]
    fn a_freed_port_rests_before_it_is_used_again() {
        let start = Instant::now();
        let quarantine = Duration::from_secs(30);
        let mut pool = Pool::new(&(10_000..=10_001), quarantine);
        assert!(pool.claim(start, 10_000));
        assert!(!pool.claim(start, 10_000), "in use");
        pool.give_back(start, 10_000, true);
        assert_eq!(pool.in_use, 0);
        assert!(!pool.claim(start + quarantine - Duration::from_millis(1), 10_000), "resting");
        assert!(pool.claim(start + quarantine, 10_000));
        pool.give_back(start, 10_000, false);
        assert!(pool.claim(start, 10_000), "nobody ever knew of it");
    }

    #[test]
    fn pairs_are_bound_and_the_range_runs_out() {
        let localhost = Interface { bind: Ipv4Addr::LOCALHOST.into(), advertised: Ipv4Addr::LOCALHOST.into() };
        let traits = Traits { dscp: 46, buffer: 65_536 };
        let ports = Ports::new(localhost, &(42_400..=42_407), Duration::from_secs(30), traits);
        let now = Instant::now();

        // Another program sits on the RTCP half of a pair.
        let squatter = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 42_403)).unwrap();
        let pairs: Vec<_> = std::iter::from_fn(|| ports.take(now).ok()).collect();
        let got: HashSet<_> = pairs.iter().map(|pair| pair.advertised.port()).collect();
        assert_eq!(got, HashSet::from([42_400, 42_404, 42_406]));
        for pair in &pairs {
            let rtp = pair.rtp.local_addr().unwrap().port();
            assert_eq!(pair.rtcp.local_addr().unwrap().port(), rtp + 1);
        }
        assert_eq!(ports.in_use(), 3);

        drop((pairs, squatter));
        assert_eq!(ports.in_use(), 0);
        let last = ports.take(now).unwrap();
        assert_eq!(last.advertised.port(), 42_402, "the others rest, this one was never ours");
        assert!(matches!(ports.take(now), Err(Error::PortsExhausted)));
        assert!(ports.take(now + Duration::from_secs(31)).is_ok(), "rested");
    }
}
