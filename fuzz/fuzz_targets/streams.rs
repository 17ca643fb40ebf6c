//! Streams of strangers on both sides of a call, whose numbers and timestamps make no sense: no panic, every output has an end,
//! and the carrier's stream goes on at its pace.

#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use media::{
    CarrierConfig, Config, Junction, Output, Profile,
    rtcp::Clock,
    rtp::{Header, Packet, Ssrc},
    sdp::{Codec, Direction, Local, Policy, Session, answer},
    source::Mode,
};

/// Milliseconds later a packet of this sender, of which number and timestamp go on by so much.
type Arrival<'a> = (u8, u8, i16, i32, &'a [u8]);

/// So late the stream may be: whoever speaks is waited for, and a packet has to be filled.
const LATE: Duration = Duration::from_millis(120);
const PACKET: Duration = Duration::from_millis(20);

fuzz_target!(|input: (bool, Vec<Arrival<'_>>)| {
    let (opus, arrivals) = input;
    let start = Instant::now();
    let Some(mut junction) = junction(start, opus) else { return };
    let mut senders = [(0u16, 0u32); 4];
    let (mut now, mut sent) = (start, Sent { start, packets: 0, first: None, opus });
    for (wait, who, number, time, payload) in arrivals {
        let until = now + Duration::from_millis(wait.into());
        while let Some(at) = junction.next_timeout().filter(|at| *at <= until) {
            now = at.max(now);
            junction.handle_timeout(now);
            sent.drain(now, &mut junction);
        }
        now = until;
        let who = usize::from(who) % senders.len();
        let (sequence, timestamp) = &mut senders[who];
        *sequence = sequence.wrapping_add_signed(number);
        *timestamp = timestamp.wrapping_add_signed(time);
        let payload = &payload[..payload.len().min(400)];
        match who {
            0 => junction.handle_rtp(now, peer(), &datagram(opus, *sequence, *timestamp, payload)),
            1 => junction.handle_room_red(now, 1, *sequence, *timestamp, payload),
            who => junction.handle_room(now, who as u32, *sequence, *timestamp, payload),
        }
        sent.drain(now, &mut junction);
    }
});

/// What the carrier was sent.
struct Sent {
    start: Instant,
    packets: u32,
    first: Option<(u16, u32)>,
    opus: bool,
}

impl Sent {
    fn drain(&mut self, now: Instant, junction: &mut Junction) {
        let mut outputs = 0;
        while let Some(output) = junction.poll_output() {
            outputs += 1;
            assert!(outputs < 1_000);
            let Output::Rtp { datagram, .. } = output else { continue };
            let packet = Packet::parse(datagram).expect("what we send is RTP");
            let (number, timestamp) = *self.first.get_or_insert((packet.sequence(), packet.timestamp()));
            // Opus that is handed on has gaps of its own.
            if !self.opus {
                assert_eq!(packet.sequence(), number.wrapping_add(self.packets as u16));
                assert_eq!(packet.timestamp(), timestamp.wrapping_add(160 * self.packets));
            }
            self.packets += 1;
        }
        assert!(self.opus || self.start + PACKET * self.packets + LATE >= now);
    }
}

fn junction(now: Instant, opus: bool) -> Option<Junction> {
    let carrier = CarrierConfig {
        seed: 1,
        clock: Clock::new(now, Duration::ZERO),
        cname: "fuzz@trunkline".into(),
        source: Mode::Learn,
        peer: None,
        first_timeout: Duration::ZERO,
        timeout: Duration::ZERO,
    };
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                m=audio 4000 RTP/AVP 107 0\r\na=rtpmap:107 opus/48000/2\r\n";
    let local = Local {
        address: [192, 0, 2, 9].into(),
        rtp_port: 5_000,
        rtcp_port: 5_001,
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    };
    let policy = if opus { Policy::with_codecs(&[Codec::Opus], false) } else { Policy::default() };
    let (terms, _) = answer(&Session::parse(text.as_bytes()).ok()?, &local, &policy).ok()?;
    let mut junction = Junction::new(now, &Config { carrier, profile: Profile::default() }).ok()?;
    junction.set_carrier(now, &terms).ok()?;
    junction.start(now);
    // To one who was never heard only so much is sent.
    junction.handle_rtp(now, peer(), &datagram(opus, 0, 0, &[0xf8, 0xff, 0xfe]));
    Some(junction)
}

fn datagram(opus: bool, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: false, payload_type: if opus { 107 } else { 0 }, sequence, timestamp, ssrc: Ssrc(9) };
    let mut datagram = vec![0; Header::LEN];
    header.write(&mut datagram).expect("room for a header");
    datagram.extend_from_slice(payload);
    datagram
}

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}
