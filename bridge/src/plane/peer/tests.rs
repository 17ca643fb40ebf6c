//! Two peers of ours with each other, on real sockets.

use std::net::Ipv4Addr;

use mio::{Events, Interest, Poll, Token};

use super::*;
use crate::plane::socket::Traits;

const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// Two connections and what came out of each.
struct Pair {
    peers: [Peer; 2],
    events: [Vec<PeerEvent>; 2],
    packets: [Vec<(u32, u16, u32, Bytes)>; 2],
    poll: Poll,
    started: Instant,
}

impl Pair {
    fn new(bind: Option<std::net::IpAddr>) -> Self {
        let offerer = PeerConfig { publish: Some("cid-of-the-phone".into()), receive_audio: 1, data_channels: true };
        Self::with(bind, [offerer, PeerConfig::default()])
    }

    fn with(bind: Option<std::net::IpAddr>, configs: [PeerConfig; 2]) -> Self {
        let started = Instant::now();
        let poll = Poll::new().unwrap();
        let mut number = 0;
        let peers = configs.map(|config| {
            let endpoint = Endpoint::open(bind, Traits { dscp: 46, buffer: 65_536 }).unwrap();
            let mut peer = Peer::new(started, config, endpoint).unwrap();
            poll.registry().register(peer.socket(), Token(number), Interest::READABLE).unwrap();
            number += 1;
            peer
        });
        Self { peers, events: Default::default(), packets: Default::default(), poll, started }
    }

    fn command(&mut self, side: usize, command: PeerCommand) {
        self.peers[side].handle_command(Instant::now(), command).unwrap();
        self.take(side);
    }

    fn offer(&mut self, side: usize, more_audio: usize, restart_ice: bool) -> String {
        self.command(side, PeerCommand::Offer { more_audio, restart_ice });
        self.find(side, |event| match event {
            PeerEvent::Offer(sdp) => Some(sdp.clone()),
            _ => None,
        })
    }

    fn accept(&mut self, side: usize, sdp: String) -> String {
        self.command(side, PeerCommand::Accept(sdp));
        self.find(side, |event| match event {
            PeerEvent::Answer(sdp) => Some(sdp.clone()),
            _ => None,
        })
    }

    /// Offer and answer, each as `edit` leaves it.
    fn negotiate(&mut self, more_audio: usize, edit: impl Fn(String) -> String) {
        let offer = self.offer(0, more_audio, false);
        let answer = self.accept(1, edit(offer));
        self.command(0, PeerCommand::SetAnswer(edit(answer)));
        assert!(self.events[0].contains(&PeerEvent::Answered));
    }

    fn connect(&mut self) -> std::time::Duration {
        self.until(|pair| (0..2).all(|side| pair.events[side].contains(&PeerEvent::State(PeerState::Connected))));
        self.started.elapsed()
    }

    /// The newest event that `want` likes.
    fn find<T>(&self, side: usize, want: impl Fn(&PeerEvent) -> Option<T>) -> T {
        self.events[side].iter().rev().find_map(want).expect("the event")
    }

    fn count(&self, side: usize, want: impl Fn(&PeerEvent) -> bool) -> usize {
        self.events[side].iter().filter(|event| want(event)).count()
    }

    fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let give_up = Instant::now() + LIMIT;
        let mut events = Events::with_capacity(16);
        let mut scratch = [0; 2_048];
        while !done(self) {
            assert!(Instant::now() < give_up, "still waiting; events so far: {:?}", self.events);
            let next = self.peers.iter_mut().filter_map(Peer::next_timeout).min();
            let wait = next.map_or(LIMIT, |at| at.saturating_duration_since(Instant::now()));
            self.poll.poll(&mut events, Some(wait.min(std::time::Duration::from_millis(20)))).unwrap();
            for side in 0..2 {
                let now = Instant::now();
                while self.peers[side].handle_readable(now, &mut scratch) == Drained::More {}
                if self.peers[side].next_timeout().is_some_and(|at| at <= now) {
                    self.peers[side].handle_timeout(now);
                }
                self.take(side);
            }
        }
    }

    fn take(&mut self, side: usize) {
        while let Some(output) = self.peers[side].poll_output() {
            match output {
                Output::Event(event) => self.events[side].push(event),
                Output::Rtp { ssrc, sequence, timestamp, payload, .. } => {
                    self.packets[side].push((ssrc, sequence, timestamp, payload));
                }
            }
        }
        self.peers[side].transmit();
    }
}

fn loopback() -> Option<std::net::IpAddr> {
    Some(Ipv4Addr::LOCALHOST.into())
}

fn unchanged(sdp: String) -> String {
    sdp
}

fn is_track(event: &PeerEvent) -> bool {
    matches!(event, PeerEvent::Track { .. })
}

#[test]
fn connects_and_carries_audio_and_data() {
    let mut pair = Pair::new(loopback());
    pair.negotiate(0, unchanged);
    let took = pair.connect();
    assert!(took < std::time::Duration::from_millis(500), "connected after {took:?}");

    pair.until(|pair| pair.count(0, |event| matches!(event, PeerEvent::ChannelOpen(_))) == 2);
    for (channel, text) in [(Channel::Reliable, "once"), (Channel::Lossy, "maybe")] {
        pair.command(0, PeerCommand::Data { channel, bytes: Bytes::from(text) });
    }
    let data = |label: &str, text: &'static str| PeerEvent::Data { label: label.into(), bytes: Bytes::from(text) };
    pair.until(|pair| pair.count(1, |event| matches!(event, PeerEvent::Data { .. })) == 2);
    assert!(pair.events[1].contains(&data("_reliable", "once")));
    assert!(pair.events[1].contains(&data("_lossy", "maybe")));

    for frame in 0..50u32 {
        assert!(pair.peers[0].send_audio(Instant::now(), 7_000 + frame * 960, frame == 0, 30, &[frame as u8; 80]));
        pair.peers[0].transmit();
    }
    pair.until(|pair| pair.packets[1].len() == 50);
    let (ssrc, first, ..) = pair.packets[1][0];
    for (frame, packet) in (0u32..).zip(&pair.packets[1]) {
        let expected =
            (ssrc, first.wrapping_add(frame as u16), 7_000 + frame * 960, Bytes::from(vec![frame as u8; 80]));
        assert_eq!(*packet, expected);
    }
    let track = pair.find(1, |event| match event {
        PeerEvent::Track { ssrc, stream, .. } => Some((*ssrc, stream.clone())),
        _ => None,
    });
    assert_eq!(track.0, ssrc);
}

#[test]
fn numbers_begin_far_from_their_wrap() {
    for n in 0..24 {
        let endpoint = Endpoint::open(loopback(), Traits { dscp: 46, buffer: 65_536 }).unwrap();
        let peer = Peer::new(Instant::now(), PeerConfig::default(), endpoint).unwrap();
        assert!(peer.sequence < 1 << 15, "{n}: {}", peer.sequence);
    }
}

#[test]
fn audio_flows_both_ways_where_both_publish() {
    let side = |cid: &str| PeerConfig { publish: Some(cid.into()), receive_audio: 1, data_channels: true };
    let mut pair = Pair::with(loopback(), [side("one"), side("two")]);
    pair.negotiate(0, unchanged);
    pair.connect();
    // The answerer's track needs a section that sends: an offer of its own, as a server makes for two connections.
    let offer = pair.offer(1, 0, false);
    let answer = pair.accept(0, offer);
    pair.command(1, PeerCommand::SetAnswer(answer));
    for side in 0..2 {
        assert!(pair.peers[side].send_audio(Instant::now(), 960, true, 30, b"frame"));
        pair.peers[side].transmit();
    }
    pair.until(|pair| pair.packets.iter().all(|packets| packets.len() == 1));
}

#[test]
fn what_the_other_side_reports_as_lost_is_told_once_for_each_report() {
    let mut pair = Pair::new(loopback());
    pair.negotiate(0, unchanged);
    pair.connect();
    let mut losses = Vec::new();
    let mut frame = 0u32;
    pair.until(|pair| {
        // Every fifth never leaves.
        pair.peers[0].sequence = pair.peers[0].sequence.wrapping_add(u16::from(frame % 4 == 3));
        pair.peers[0].send_audio(Instant::now(), frame * 960, frame == 0, 30, b"frame");
        pair.peers[0].transmit();
        frame += 1;
        losses.extend(pair.peers[0].take_loss());
        losses.len() >= 2
    });
    assert!(losses.iter().all(|loss| (0.1..0.3).contains(loss)), "{losses:?}");
    assert!(losses.len() * 25 < frame as usize, "{} reports of {frame} packets", losses.len());
    assert_eq!(pair.peers[0].take_loss(), None, "this one was told");
}

/// The other side's candidates did not arrive in time: its checks come from an address nobody told us of.
#[test]
fn pitfall_1_a_peer_reflexive_pair_is_used_at_once() {
    let mut pair = Pair::new(loopback());
    let without_candidates =
        |sdp: String| -> String { sdp.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate")).collect() };
    let offer = pair.offer(0, 0, false);
    let answer = pair.accept(1, offer);
    pair.command(0, PeerCommand::SetAnswer(without_candidates(answer)));
    let took = pair.connect();
    assert!(took < std::time::Duration::from_millis(500), "connected after {took:?}");
}

#[test]
fn pitfall_6_a_track_is_told_once_however_often_it_is_negotiated() {
    let mut pair = Pair::new(loopback());
    pair.negotiate(0, unchanged);
    pair.connect();
    pair.until(|pair| {
        pair.peers[0].send_audio(Instant::now(), 960, false, 30, b"frame");
        pair.peers[0].transmit();
        pair.count(1, is_track) > 0
    });
    for _ in 0..3 {
        pair.negotiate(1, unchanged);
    }
    let before = pair.packets[1].len();
    pair.peers[0].send_audio(Instant::now(), 1_920, false, 30, b"frame");
    pair.peers[0].transmit();
    pair.until(|pair| pair.packets[1].len() > before);
    assert_eq!(pair.count(1, is_track), 1);

    // Unless the session forgot it: the same section may come back for somebody else.
    let Stream { ssrc, mid, .. } = &pair.peers[1].streams[0];
    let (ssrc, mid) = (*ssrc, mid.clone());
    pair.peers[1].forget(ssrc);
    pair.peers[1].report_stream(mid.clone(), "PA_other|".into(), ssrc);
    pair.peers[1].report_stream(mid, "PA_other|".into(), ssrc);
    pair.take(1);
    assert_eq!(pair.count(1, is_track), 2);
}

#[test]
fn pitfall_6_a_section_used_again_with_a_new_source_is_a_new_track() {
    let mut pair = Pair::new(loopback());
    let peer = &mut pair.peers[0];
    for (mid, ssrc) in [("1", 11), ("1", 11), ("1", 12), ("2", 12), ("2", 12)] {
        peer.report_stream(mid.into(), "PA_x|".into(), ssrc);
    }
    pair.take(0);
    assert_eq!(pair.count(0, is_track), 3);

    for ssrc in 100..1_000 {
        pair.peers[0].report_stream("3".into(), "PA_x|".into(), ssrc);
    }
    assert_eq!(pair.peers[0].streams.len(), STREAMS, "bounded");
}

#[test]
fn pitfall_10_one_address_goes_into_the_offer_and_tcp_is_passed_over() {
    let mut pair = Pair::new(loopback());
    let offer = pair.offer(0, 0, false);
    let port = pair.peers[0].endpoint.locals()[0].port().to_string();
    let candidates: Vec<_> = offer.lines().filter(|line| line.starts_with("a=candidate")).collect();
    assert!(!candidates.is_empty());
    for line in candidates {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(
            (words[2].to_lowercase().as_str(), words[4], words[5]),
            ("udp", "127.0.0.1", port.as_str()),
            "{line}"
        );
    }

    let answer = pair.accept(1, offer);
    pair.command(0, PeerCommand::SetAnswer(answer));
    let candidate = |text: &str| serde_json::json!({"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0}).to_string();
    let cases: &[(&str, String, bool)] = &[
        ("udp", candidate("candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host"), true),
        ("UDP, IPv6", candidate("candidate:1 1 UDP 2130706431 ::1 50000 typ host"), true),
        ("tcp", candidate("candidate:2 1 tcp 1671430143 127.0.0.1 7881 typ host tcptype passive"), true),
        ("end of candidates", candidate(""), true),
        ("not JSON", "candidate:1 1 udp".into(), false),
        ("nonsense", candidate("candidate:1 1 udp x y z"), false),
    ];
    for (name, json, fine) in cases {
        let taken = pair.peers[0].handle_command(Instant::now(), PeerCommand::Candidate(json.clone()));
        assert_eq!(taken.is_ok(), *fine, "{name}: {taken:?}");
    }
}

#[test]
fn pitfall_12_levels_go_out_under_the_number_that_was_negotiated() {
    let mut pair = Pair::new(loopback());
    assert_eq!(pair.peers[0].level_extension, None);
    pair.negotiate(0, unchanged);
    let offered = pair.peers[0].local_description().unwrap();
    let line = offered.lines().find(|line| line.contains(build::AUDIO_LEVEL)).unwrap();
    let number: u8 = line["a=extmap:".len()..].split([' ', '/']).next().unwrap().parse().unwrap();
    assert_eq!(pair.peers[0].level_extension, Some(number));
    assert_eq!(LEVELS[usize::from(127u8)], 0xff);
    assert_eq!(LEVELS[0], 0x80);
}

/// Bound to every interface, the socket reaches an address that is not the advertised one.
#[test]
fn a_connection_on_every_interface_finds_the_other_side() {
    let mut pair = Pair::new(None);
    assert!(pair.peers[0].endpoint.locals().iter().all(|local| !local.ip().is_unspecified()));
    pair.negotiate(0, unchanged);
    pair.connect();
    pair.peers[0].send_audio(Instant::now(), 960, true, 30, b"frame");
    pair.peers[0].transmit();
    pair.until(|pair| pair.packets[1].len() == 1);
}

#[test]
fn connects_over_ipv6() {
    let Ok(_) = std::net::UdpSocket::bind("[::1]:0") else { return };
    let mut pair = Pair::new(Some(std::net::Ipv6Addr::LOCALHOST.into()));
    pair.negotiate(0, unchanged);
    pair.connect();
}

#[test]
fn an_ice_restart_keeps_the_connection() {
    let mut pair = Pair::new(loopback());
    pair.negotiate(0, unchanged);
    pair.connect();
    let offer = pair.offer(0, 0, true);
    let answer = pair.accept(1, offer);
    pair.command(0, PeerCommand::SetAnswer(answer));
    let mut timestamp = 0;
    pair.until(|pair| {
        timestamp += 960;
        pair.peers[0].send_audio(Instant::now(), timestamp, false, 30, b"frame");
        pair.peers[0].transmit();
        pair.packets[1].len() >= 5
    });
}

#[test]
fn closing_says_goodbye_and_sends_no_more() {
    let mut pair = Pair::new(loopback());
    pair.negotiate(0, unchanged);
    pair.connect();
    pair.peers[0].close();
    let give_up = Instant::now() + LIMIT;
    let mut scratch = [0; 2_048];
    loop {
        assert!(Instant::now() < give_up, "no goodbye");
        let Ok((length, _)) = pair.peers[1].endpoint.receive(&mut scratch) else { continue };
        // DTLS records have first bytes of their own (RFC 7983 §7): the abort of SCTP, the close_notify.
        if length > 0 && (20..=63).contains(&scratch[0]) {
            break;
        }
    }
    assert!(!pair.peers[0].send_audio(Instant::now(), 960, false, 30, b"frame"));
    pair.take(0);
    assert!(pair.events[0].contains(&PeerEvent::State(PeerState::Closed)));
}

#[test]
fn commands_out_of_place_are_errors_and_no_panics() {
    let cases: Vec<(&str, PeerCommand)> = vec![
        ("answer without offer", PeerCommand::SetAnswer("v=0\r\n".into())),
        ("answer that is no sdp", PeerCommand::SetAnswer("hello".into())),
        ("offer that is no sdp", PeerCommand::Accept("hello".into())),
        ("empty offer", PeerCommand::Accept(String::new())),
        (
            "candidate too early",
            PeerCommand::Candidate(r#"{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host"}"#.into()),
        ),
        ("no channel", PeerCommand::Data { channel: Channel::Lossy, bytes: Bytes::from_static(b"x") }),
    ];
    for (name, command) in cases {
        let mut pair = Pair::with(loopback(), [PeerConfig::default(), PeerConfig::default()]);
        assert!(pair.peers[0].handle_command(Instant::now(), command).is_err(), "{name}");
    }
}

#[test]
fn strangers_datagrams_change_nothing() {
    let mut pair = Pair::new(loopback());
    pair.negotiate(0, unchanged);
    let target = pair.peers[1].endpoint.locals()[0];
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut junk = [0u8; 300];
    for first in [0u8, 1, 20, 22, 63, 128, 200, 255] {
        for length in [0, 1, 12, 20, 100, 300] {
            junk[..].fill(first);
            stranger.send_to(&junk[..length], target).unwrap();
        }
    }
    pair.connect();
    assert!(pair.packets[1].is_empty());
}

/// The engine may have news of a track with the first packet after each negotiation, and is asked then.
#[test]
fn audio_is_known_from_its_second_packet_until_the_next_negotiation() {
    let mut pair = Pair::new(loopback());
    let peer = &mut pair.peers[0];
    let packet = [0x90, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7];
    assert!(!peer.is_known_audio(&packet), "a stranger's");
    assert!(!peer.is_known_audio(&packet));
    peer.report_stream("1".into(), "PA_x|".into(), 7);
    assert!(!peer.is_known_audio(&packet), "the first");
    assert!(peer.is_known_audio(&packet));
    peer.handle_command(Instant::now(), PeerCommand::Describe).unwrap();
    assert!(!peer.is_known_audio(&packet), "the first after a command");
    assert!(peer.is_known_audio(&packet));
    peer.forget(7);
    assert!(!peer.is_known_audio(&packet), "forgotten");
}

#[test]
fn the_source_of_a_packet_is_read_from_rtp_alone() {
    let packet = |first: u8, second: u8| [first, second, 0, 1, 0, 0, 0, 2, 0xde, 0xad, 0xbe, 0xef];
    let cases: &[(&str, &[u8], Option<u32>)] = &[
        ("audio", &packet(0x90, 111), Some(0xdead_beef)),
        ("audio with a marker", &packet(0x80, 0x80 | 111), Some(0xdead_beef)),
        ("sender report", &packet(0x80, 200), None),
        ("receiver report", &packet(0x81, 201), None),
        ("a check", &packet(0, 1), None),
        ("a handshake", &packet(22, 254), None),
        ("cut short", &packet(0x90, 111)[..11], None),
        ("empty", &[], None),
    ];
    for (name, datagram, expected) in cases {
        assert_eq!(ssrc_of_rtp(datagram), *expected, "{name}");
    }
}

/// Ours is sent plain: where nothing is received, nothing is offered that nobody sends.
#[test]
fn redundant_audio_is_offered_and_taken_where_audio_is_received() {
    let publish = || Some("cid-of-the-phone".into());
    let both = PeerConfig { publish: publish(), receive_audio: 2, data_channels: true };
    let alone = PeerConfig { publish: publish(), receive_audio: 0, data_channels: true };
    let red = |sdp: &str| sdp.lines().filter(|line| *line == "a=rtpmap:63 red/48000/2").count();
    for (name, config, expected) in [("on one connection", both, 3), ("on the first of two", alone, 0)] {
        let mut pair = Pair::with(loopback(), [config, PeerConfig::default()]);
        let offer = pair.offer(0, 0, false);
        assert_eq!(red(&offer), expected, "{name}: {offer}");
        assert_eq!(offer.matches("a=fmtp:63 111/111").count(), expected, "{name}: {offer}");
        let answer = pair.accept(1, offer);
        assert_eq!(red(&answer), expected, "{name}: {answer}");
        pair.command(0, PeerCommand::SetAnswer(answer));
        pair.connect();
        assert!(pair.peers[0].send_audio(Instant::now(), 960, true, 30, b"frame"), "{name}");
        pair.peers[0].transmit();
        pair.until(|pair| pair.packets[1].len() == 1);
    }
}
