use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::rtp::Header;

use Verdict::{Accept, AcceptNew, Refuse};

const PUBLIC: &str = "198.51.100.7:4000";
const PRIVATE: &str = "192.168.1.5:4000";
/// The same phone, as its NAT shows it.
const NAT: &str = "203.0.113.9:61234";
const STRANGER: &str = "192.0.2.66:9999";

#[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
fn start() -> Instant {
    Instant::now()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn remote(rtp: &str, peer: Option<&str>) -> Remote {
    let rtp = address(rtp);
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
    Remote { rtp, rtcp, mux: false, peer: peer.map(|peer| peer.parse::<IpAddr>().unwrap()) }
}

/// One address that sends twenty milliseconds apart.
struct Voice {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
}

impl Voice {
    fn new(from: &str, ssrc: u32) -> Self {
        Self { from: address(from), ssrc, sequence: 65_534 }
    }

    fn speak(&mut self, lock: &mut Lock, now: Instant) -> Verdict {
        let mut datagram = [0; Header::LEN];
        let header =
            Header { marker: false, payload_type: 0, sequence: self.sequence, timestamp: 0, ssrc: Ssrc(self.ssrc) };
        header.write(&mut datagram).unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        lock.judge_rtp(now, self.from, &Packet::parse(&datagram).unwrap())
    }
}

fn at(start: Instant, packet: u32) -> Instant {
    start + Duration::from_millis(20) * packet
}

#[test]
fn packets_until_a_source_is_heard() {
    use Mode::{Latch, Learn, Strict};
    type Case = (&'static str, Mode, &'static str, Option<&'static str>, &'static str, Option<u32>);
    let cases: &[Case] = &[
        ("declared", Strict, PUBLIC, None, PUBLIC, Some(1)),
        ("declared", Learn, PUBLIC, None, PUBLIC, Some(1)),
        ("declared private, heard from there", Learn, PRIVATE, Some("203.0.113.9"), PRIVATE, Some(1)),
        ("declared as IPv6 sees it", Learn, PUBLIC, None, "[::ffff:198.51.100.7]:4000", Some(1)),
        ("same IP", Strict, PUBLIC, None, "198.51.100.7:4002", None),
        ("same IP", Learn, PUBLIC, None, "198.51.100.7:4002", Some(2)),
        ("the signalling's IP", Learn, PRIVATE, Some("203.0.113.9"), NAT, Some(2)),
        ("private and elsewhere", Learn, PRIVATE, Some("198.51.100.1"), NAT, Some(5)),
        ("unspecified", Learn, "0.0.0.0:4000", None, NAT, Some(5)),
        ("public, silent, and elsewhere", Learn, PUBLIC, Some("198.51.100.1"), NAT, Some(11)),
        ("both ends in one private network", Learn, PRIVATE, Some("192.168.1.1"), "192.168.1.6:4000", Some(11)),
        ("elsewhere", Strict, PRIVATE, Some("203.0.113.9"), NAT, None),
        ("whoever is first", Latch, PUBLIC, None, NAT, Some(1)),
    ];
    for (name, mode, declared, peer, from, expected) in cases {
        let (start, mut lock) = (start(), Lock::new(*mode, remote(declared, *peer)));
        let mut voice = Voice::new(from, 1);
        let heard = (1..=20).find(|packet| voice.speak(&mut lock, at(start, *packet)) == AcceptNew);
        assert_eq!(heard, *expected, "{name}, {mode:?}");
        if heard.is_some() {
            assert_eq!(voice.speak(&mut lock, at(start, 21)), Accept, "{name}, {mode:?}");
        }
    }
}

/// The bar of the product: strangers from three sources at 50 packets a second for ten seconds, one of them with the
/// right IP, and none is heard or sent to from the peer's first packet on.
#[test]
fn strangers_are_not_heard_once_the_peer_was() {
    for late in [0, 1, 3, 30] {
        let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote(PUBLIC, None)));
        lock.allow_send();
        let mut peer = Voice::new(PUBLIC, 1);
        let mut strangers =
            [Voice::new("198.51.100.7:4002", 2), Voice::new(STRANGER, 3), Voice::new("192.0.2.67:4000", 1)];
        for packet in 0..500 {
            let now = at(start, packet);
            if packet >= late {
                let expected = if packet == late { AcceptNew } else { Accept };
                assert_eq!(peer.speak(&mut lock, now), expected, "packet {packet}, peer late by {late}");
            }
            for stranger in &mut strangers {
                let verdict = stranger.speak(&mut lock, now);
                assert!(
                    packet < late || verdict == Refuse,
                    "{:?}, packet {packet}, peer late by {late}",
                    stranger.from
                );
                let rtcp = lock.judge_rtcp(stranger.from);
                assert!(packet < late || rtcp == Refuse || stranger.from.ip() == peer.from.ip());
            }
            if packet >= late {
                assert_eq!(lock.send_rtp(), Some(peer.from));
            }
        }
        assert!(lock.strangers() >= 1_500 - 3 * u64::from(late));
    }
}

#[test]
fn a_learned_source_is_kept() {
    let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote(PRIVATE, Some("203.0.113.9"))));
    lock.allow_send();
    assert_eq!(lock.send_rtp(), Some(address(PRIVATE)), "until it is learned");
    let (mut phone, mut stranger) = (Voice::new(NAT, 1), Voice::new("203.0.113.9:7777", 2));
    assert_eq!([0, 1].map(|packet| phone.speak(&mut lock, at(start, packet))), [Refuse, AcceptNew]);
    assert!((2..50).all(|packet| stranger.speak(&mut lock, at(start, packet)) == Refuse));
    assert_eq!(phone.speak(&mut lock, at(start, 50)), Accept, "after a second of silence too");
    assert_eq!((lock.send_rtp(), lock.send_rtcp()), (Some(address(NAT)), Some(address("203.0.113.9:61235"))));
}

#[test]
fn a_proof_has_no_holes() {
    let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote(PRIVATE, None)));
    let mut random = 1u16;
    for packet in 0..1_000 {
        random = random.wrapping_mul(25_173).wrapping_add(13_849);
        let mut stranger = Voice { from: address("192.168.1.5:5000"), ssrc: 1, sequence: random & 0xf000 };
        assert_eq!(stranger.speak(&mut lock, at(start, packet)), Refuse, "packet {packet}");
    }
}

#[test]
fn a_flood_does_not_keep_the_expected_one_out() {
    let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote(PRIVATE, Some("203.0.113.9"))));
    let mut phone = Voice::new(NAT, 1);
    assert_eq!(phone.speak(&mut lock, start), Refuse);
    for port in 1..1_000u16 {
        let from = SocketAddr::new("192.0.2.66".parse().unwrap(), port);
        let mut stranger = Voice { from, ssrc: port.into(), sequence: port };
        assert_eq!(stranger.speak(&mut lock, start), Refuse);
    }
    assert_eq!(phone.speak(&mut lock, at(start, 1)), AcceptNew);
}

#[test]
fn another_ssrc_of_the_same_address_takes_over_with_its_second_packet() {
    let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote(PUBLIC, None)));
    let (mut ringback, mut callee) = (Voice::new(PUBLIC, 1), Voice::new(PUBLIC, 2));
    assert_eq!(ringback.speak(&mut lock, start), AcceptNew);
    assert_eq!([1, 2, 3].map(|packet| callee.speak(&mut lock, at(start, packet))), [Refuse, AcceptNew, Accept]);
    // While the old one goes on speaking, one packet of another changes nothing.
    for packet in 4..100 {
        assert_eq!(ringback.speak(&mut lock, at(start, packet)), Refuse);
        assert_eq!(callee.speak(&mut lock, at(start, packet)), Accept);
    }
}

#[test]
fn rtcp_comes_from_where_the_media_does() {
    type Case<'a> = (&'a str, &'a str, Option<&'a str>, bool, &'a str, Verdict);
    let cases: &[Case<'_>] = &[
        ("declared, nothing heard", PUBLIC, None, false, "198.51.100.7:4001", Accept),
        ("another port, nothing heard", PUBLIC, None, false, "198.51.100.7:4003", Refuse),
        ("declared", PUBLIC, Some(PUBLIC), false, "198.51.100.7:4001", Accept),
        ("neighbour of the learned", PRIVATE, Some(NAT), false, "203.0.113.9:61235", AcceptNew),
        ("any port of the learned IP", PRIVATE, Some(NAT), false, "203.0.113.9:7", AcceptNew),
        ("a stranger", PRIVATE, Some(NAT), false, STRANGER, Refuse),
        ("shared port", PUBLIC, Some(PUBLIC), true, PUBLIC, Accept),
        ("shared port, from another", PUBLIC, Some(PUBLIC), true, "198.51.100.7:4001", Refuse),
        ("shared port, learned", PRIVATE, Some(NAT), true, NAT, Accept),
        ("shared port, learned, from another", PRIVATE, Some(NAT), true, "203.0.113.9:61235", Refuse),
    ];
    for (name, declared, heard, mux, from, expected) in cases {
        let mut remote = remote(declared, Some("203.0.113.9"));
        remote.mux = *mux;
        if *mux {
            remote.rtcp = remote.rtp;
        }
        let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote));
        if let Some(heard) = heard {
            let mut voice = Voice::new(heard, 1);
            for packet in [1, 2] {
                voice.speak(&mut lock, at(start, packet));
            }
        }
        assert_eq!(lock.judge_rtcp(address(from)), *expected, "{name}");
        if *expected == AcceptNew {
            assert_eq!(lock.judge_rtcp(address(from)), Accept, "{name}");
            assert_eq!(lock.judge_rtcp(SocketAddr::new(address(from).ip(), 5)), Refuse, "{name}: one port only");
            lock.allow_send();
            assert_eq!(lock.send_rtcp(), Some(address(from)), "{name}");
        }
    }
}

#[test]
fn nothing_is_sent_before_the_gate_opens_and_little_before_the_peer_is_heard() {
    let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote(PUBLIC, None)));
    assert_eq!((lock.send_rtp(), lock.send_rtcp()), (None, None));
    lock.allow_send();
    let sent = (0..1_000).filter(|_| lock.send_rtp().is_some()).count();
    assert_eq!((sent, lock.send_rtcp()), (100, None));
    assert_eq!(Voice::new(STRANGER, 9).speak(&mut lock, start), Refuse);
    assert_eq!(lock.send_rtp(), None, "a stranger opens nothing");
    assert_eq!(lock.judge_rtcp(address("198.51.100.7:4001")), Accept);
    assert!((0..1_000).all(|_| lock.send_rtp() == Some(address(PUBLIC))), "one who only listens reports");
}

#[test]
fn nothing_is_sent_to_nobody() {
    for declared in ["0.0.0.0:4000", "[::]:4000", "198.51.100.7:0"] {
        let mut lock = Lock::new(Mode::Learn, remote(declared, None));
        lock.allow_send();
        assert_eq!(lock.send_rtp(), None, "{declared}");
    }
}

#[test]
fn a_new_offer_lets_the_peer_move() {
    let (start, mut lock) = (start(), Lock::new(Mode::Learn, remote(PUBLIC, None)));
    lock.allow_send();
    let (mut old, mut new) = (Voice::new(PUBLIC, 1), Voice::new("198.51.100.8:4000", 1));
    old.speak(&mut lock, start);
    lock.renew(remote(PUBLIC, None));
    assert_eq!(old.speak(&mut lock, start), Accept, "a refresh changes nothing");
    lock.renew(remote("0.0.0.0:4000", None));
    assert_eq!(old.speak(&mut lock, start), Accept, "nor does a hold by 0.0.0.0");
    lock.renew(remote("198.51.100.8:4000", None));
    assert_eq!(lock.send_rtp(), Some(new.from), "the gate stays open");
    assert_eq!(old.speak(&mut lock, start), Refuse);
    assert_eq!(new.speak(&mut lock, start), AcceptNew);
    assert_eq!(old.speak(&mut lock, start), Refuse);
    lock.renew(remote(PUBLIC, None));
    assert_eq!((0..1_000).filter(|_| lock.send_rtp().is_some()).count(), 100, "it counts anew for each target");
}
