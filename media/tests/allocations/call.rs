//! A call to be counted: its terms, the packets that both sides send, and what leaves in the time of one.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::{
    CarrierConfig, Config, Junction, Output, Profile,
    codec::g711::Law,
    rtcp::Clock,
    rtp::{Header, Ssrc},
    sdp::{Codec, Direction, Local, Negotiated, Policy, Session, answer},
    source::Mode,
};

pub(crate) fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

#[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
pub(crate) fn beginning() -> Instant {
    Instant::now()
}

/// When the n-th packet of twenty milliseconds comes.
pub(crate) fn at(start: Instant, n: u32) -> Instant {
    start + Duration::from_millis(20) * n
}

pub(crate) fn config(now: Instant) -> CarrierConfig {
    CarrierConfig {
        seed: 1,
        clock: Clock::new(now, Duration::from_secs(1_800_000_000)),
        cname: "test".into(),
        source: Mode::Learn,
        peer: None,
        first_timeout: Duration::from_secs(30),
        timeout: Duration::from_secs(15),
    }
}

/// The telephone's terms, with keys.
pub(crate) fn telephone() -> Negotiated {
    terms("RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", &Policy::default())
}

/// Those of a peer that speaks Opus under the number 107.
pub(crate) fn opus() -> Negotiated {
    terms("RTP/AVP 107\r\na=rtpmap:107 opus/48000/2\r\n", &Policy::with_codecs(&[Codec::Opus], false))
}

/// What is agreed upon with a peer that offers this.
pub(crate) fn terms(media: &str, policy: &Policy) -> Negotiated {
    let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 {media}");
    let offer = Session::parse(text.as_bytes()).expect("a session");
    let local = Local {
        address: [192, 0, 2, 9].into(),
        rtp_port: 5_000,
        rtcp_port: 5_001,
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    };
    answer(&offer, &local, policy).expect("an answer").0
}

/// A call that has begun.
pub(crate) fn begun(start: Instant, profile: Profile, terms: &Negotiated) -> Junction {
    let mut junction = Junction::new(start, &Config { carrier: config(start), profile }).expect("a junction");
    junction.set_carrier(start, terms).expect("terms that can be met");
    junction.start(start);
    junction
}

/// Lets talkers be heard once: that is when their decoders are made.
pub(crate) fn greet(start: Instant, junction: &mut Junction, talkers: &[u32], payload: &[u8]) {
    for ssrc in talkers {
        junction.handle_room(start, *ssrc, 0, 0, payload);
    }
    while junction.poll_output().is_some() {}
}

/// What leaves before the next packet comes.
pub(crate) fn run(now: Instant, junction: &mut Junction, mut sent: impl FnMut(&Output<'_>)) {
    loop {
        while let Some(output) = junction.poll_output() {
            sent(&output);
        }
        match junction.next_timeout().filter(|at| *at <= now + Duration::from_millis(19)) {
            Some(at) => junction.handle_timeout(at.max(now)),
            None => return,
        }
    }
}

/// What left, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) rtp: u32,
    pub(crate) room: u32,
    pub(crate) rtcp: u32,
}

impl Sent {
    pub(crate) fn count(&mut self, output: &Output<'_>) {
        match output {
            Output::Rtp { .. } => self.rtp += 1,
            Output::Rtcp { .. } => self.rtcp += 1,
            Output::Room { .. } => self.room += 1,
            Output::Event(_) => {}
        }
    }
}

/// A carrier's packet: a tone, or a key now and then.
pub(crate) fn carrier_packet(n: u32, datagram: &mut [u8; 172]) -> usize {
    let key = n % 500 < 10;
    let header = Header {
        marker: n == 0,
        payload_type: if key { 101 } else { 0 },
        sequence: n as u16,
        timestamp: if key { (n - n % 500) * 160 } else { n * 160 },
        ssrc: Ssrc(9),
    };
    let payload = header.write(datagram).expect("room for a header");
    if key {
        payload[..4].copy_from_slice(&[5, if n % 500 > 6 { 0x80 } else { 0 }, 0, 160]);
        return Header::LEN + 4;
    }
    let mut pcm = [0i16; 160];
    for (i, sample) in pcm.iter_mut().enumerate() {
        *sample = (((n * 160 + i as u32) as f32 * 0.3).sin() * 6_000.0) as i16;
    }
    Header::LEN + Law::Mu.encode(&pcm, payload)
}

/// Fifty frames of Opus, to be sent over and over.
pub(crate) fn opus_packets() -> Vec<Vec<u8>> {
    let mut encoder =
        ::opus::Encoder::new(8_000, ::opus::Channels::Mono, ::opus::Application::Voip).expect("an encoder");
    encoder.set_inband_fec(true).expect("redundancy");
    encoder.set_packet_loss_perc(20).expect("a loss");
    let frames = (0..50).map(|n| {
        let pcm: Vec<i16> = (0..160).map(|i| (((n * 160 + i) as f32 * 0.21).sin() * 5_000.0) as i16).collect();
        encoder.encode_vec(&pcm, 1_500).expect("Opus")
    });
    frames.collect()
}
