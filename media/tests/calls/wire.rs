//! A junction on virtual time, with a wire on either side.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::{
    CarrierConfig, Config, Event, Junction, Output, Profile,
    codec::{g711::Law, g722},
    rtcp::Clock,
    rtp::{Header, Packet, Ssrc},
    sdp::{self, Negotiated, Session},
    source::Mode,
};

/// What happens to packets on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wire {
    /// Lost, in percent.
    pub(crate) loss: u64,
    /// Late by up to so much, each by itself; more than a packet reorders.
    pub(crate) jitter: Duration,
    /// Sent twice, in percent.
    pub(crate) repeated: u64,
    pub(crate) seed: u64,
}

/// A clean wire.
pub(crate) const CLEAN: Wire = Wire { loss: 0, jitter: Duration::ZERO, repeated: 0, seed: 1 };

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn peer() -> SocketAddr {
    "192.0.2.1:4000".parse().expect("an address")
}

#[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
pub(crate) fn beginning() -> Instant {
    Instant::now()
}

/// Terms as a carrier would offer them; `extra` are further lines of the media section.
pub(crate) fn terms(format: &str, extra: &str) -> Negotiated {
    terms_with(format, extra, 4000)
}

/// Terms of which G.722 may be a part.
pub(crate) fn wide_terms(format: &str, extra: &str) -> Negotiated {
    terms_of(&wide_policy(), format, extra, 4000)
}

pub(crate) fn wide_policy() -> sdp::Policy {
    sdp::Policy::with_codecs(&[sdp::Codec::G722], false)
}

/// Terms of which comfort noise is a part, if it is offered.
pub(crate) fn noise_terms(format: &str, extra: &str) -> Negotiated {
    terms_of(&sdp::Policy { comfort_noise: true, ..wide_policy() }, format, extra, 4000)
}

/// Terms of a peer that speaks Opus under the number 107, in whatever other formats it is listed among.
pub(crate) fn opus_terms(format: &str, extra: &str) -> Negotiated {
    let policy = sdp::Policy::with_codecs(&[sdp::Codec::Opus, sdp::Codec::G722], false);
    terms_of(&policy, format, &format!("a=rtpmap:107 opus/48000/2\r\n{extra}"), 4000)
}

pub(crate) fn terms_with(format: &str, extra: &str, port: u16) -> Negotiated {
    terms_of(&sdp::Policy::default(), format, extra, port)
}

fn terms_of(policy: &sdp::Policy, format: &str, extra: &str, port: u16) -> Negotiated {
    let (negotiated, _) = sdp::answer(&session(format, extra, port), &local(), policy).expect("an answer");
    negotiated
}

/// Terms of a call out, as a callee would answer.
pub(crate) fn answered(format: &str, extra: &str) -> Negotiated {
    let policy = wide_policy();
    sdp::accept_answer(&session(format, extra, 4000), &local(), &policy).expect("an answer to our offer")
}

fn session(format: &str, extra: &str, port: u16) -> Session {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {format} 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n{extra}"
    );
    Session::parse(text.as_bytes()).expect("a session")
}

pub(crate) fn local() -> sdp::Local {
    sdp::Local {
        address: "192.0.2.9".parse().expect("an address"),
        rtp_port: 5000,
        rtcp_port: 5001,
        session_id: 7,
        version: 1,
        direction: sdp::Direction::SendRecv,
    }
}

pub(crate) fn carrier_config(now: Instant) -> CarrierConfig {
    CarrierConfig {
        seed: 42,
        clock: Clock::new(now, Duration::from_secs(1_800_000_000)),
        cname: "test@192.0.2.9".into(),
        source: Mode::Learn,
        peer: None,
        first_timeout: Duration::from_secs(30),
        timeout: Duration::from_secs(15),
    }
}

/// Something that reaches the junction.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Rtp(Vec<u8>),
    Room {
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        payload: Vec<u8>,
    },
    /// A packet that repeats those before it.
    Red {
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        payload: Vec<u8>,
    },
}

/// Something that left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Rtp { sequence: u16, timestamp: u32, payload: Vec<u8>, marker: bool, payload_type: u8 },
    Rtcp,
    Room { payload: Vec<u8>, timestamp: u32, marker: bool, level: u8, lost: u16 },
    Event(Event),
}

/// A junction, its inputs by time, and all that left it.
pub(crate) struct Call {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) junction: Junction,
    pub(crate) inputs: BTreeMap<(Duration, u64), Input>,
    pub(crate) left: Vec<(Duration, Left)>,
    /// Where the carrier's packets come from.
    pub(crate) peer: SocketAddr,
    /// Where the last packet of RTP was sent to.
    pub(crate) sent_to: Option<SocketAddr>,
    count: u64,
}

impl Call {
    pub(crate) fn new(negotiated: &Negotiated) -> Self {
        let mut call = Self::unstarted();
        call.junction.set_carrier(call.start, negotiated).expect("terms that can be met");
        call.junction.start(call.start);
        call
    }

    /// A call whose carrier was heard, with one packet of silence: to a silent one only so much is sent.
    pub(crate) fn heard(negotiated: &Negotiated) -> Self {
        let mut call = Self::new(negotiated);
        let silence: &[u8] = if negotiated.codec == sdp::Codec::Opus { &[0xf8, 0xff, 0xfe] } else { &[0xff; 160] };
        let silence = rtp(0, 0, negotiated.payload_type, 0x1234, silence);
        call.junction.handle_rtp(call.start, peer(), &silence);
        call
    }

    /// A call that leaves out what nobody says.
    pub(crate) fn gated(negotiated: &Negotiated) -> Self {
        let mut call = Self::with(Profile { dtx: true, ..Profile::default() });
        call.junction.set_carrier(call.start, negotiated).expect("terms that can be met");
        call.junction.start(call.start);
        call
    }

    pub(crate) fn unstarted() -> Self {
        Self::with(Profile::default())
    }

    fn with(profile: Profile) -> Self {
        let start = beginning();
        let config = Config { carrier: carrier_config(start), profile };
        let junction = Junction::new(start, &config).expect("a junction");
        Self {
            start,
            now: start,
            junction,
            inputs: BTreeMap::new(),
            left: Vec::new(),
            peer: peer(),
            sent_to: None,
            count: 0,
        }
    }

    pub(crate) fn at(&mut self, time: Duration, input: Input) {
        self.count += 1;
        self.inputs.insert((time, self.count), input);
    }

    /// Packets through a wire: those with even numbers of microseconds come in the order they were sent.
    pub(crate) fn send(&mut self, wire: Wire, packets: impl IntoIterator<Item = (Duration, Input)>) {
        let mut random = wire.seed;
        let mut next = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 33
        };
        for (time, input) in packets {
            if next() % 100 < wire.loss {
                continue;
            }
            let jitter = wire.jitter.as_micros() as u64;
            let mut late = || Duration::from_micros(next() % (jitter + 1));
            let (first, second) = (late(), late());
            if next() % 100 < wire.repeated {
                self.at(time + second, input.clone());
            }
            self.at(time + first, input);
        }
    }

    /// Goes from input to timeout to input.
    pub(crate) fn run(&mut self, until: Duration) {
        self.drain();
        loop {
            let input = self.inputs.first_key_value().map(|((time, _), _)| self.start + *time);
            let timeout = self.junction.next_timeout().map(|at| at.max(self.now));
            let next = [input, timeout].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= self.start + until) else { break };
            self.now = next;
            if Some(next) == input
                && let Some((_, input)) = self.inputs.pop_first()
            {
                match input {
                    Input::Rtp(datagram) => self.junction.handle_rtp(next, self.peer, &datagram),
                    Input::Room { ssrc, sequence, timestamp, payload } => {
                        self.junction.handle_room(next, ssrc, sequence, timestamp, &payload);
                    }
                    Input::Red { ssrc, sequence, timestamp, payload } => {
                        self.junction.handle_room_red(next, ssrc, sequence, timestamp, &payload);
                    }
                }
            } else {
                self.junction.handle_timeout(next);
            }
            self.drain();
        }
        self.now = self.start + until;
    }

    pub(crate) fn drain(&mut self) {
        let time = self.now.duration_since(self.start);
        let mut outputs = 0;
        while let Some(output) = self.junction.poll_output() {
            outputs += 1;
            assert!(outputs < 1_000, "outputs end");
            let left = match output {
                Output::Rtp { datagram, to } => {
                    self.sent_to = Some(to);
                    let packet = Packet::parse(datagram).expect("RTP");
                    Left::Rtp {
                        sequence: packet.sequence(),
                        timestamp: packet.timestamp(),
                        payload: packet.payload().to_vec(),
                        marker: packet.marker(),
                        payload_type: packet.payload_type(),
                    }
                }
                Output::Rtcp { .. } => Left::Rtcp,
                Output::Room { payload, timestamp, marker, level, lost } => {
                    Left::Room { payload: payload.to_vec(), timestamp, marker, level, lost }
                }
                Output::Event(event) => Left::Event(event),
            };
            self.left.push((time, left));
        }
    }

    /// Opus frames that left: when, timestamp since the first, payload.
    pub(crate) fn room(&self) -> Vec<(Duration, u32, &[u8])> {
        let frames = self.left.iter().filter_map(|(time, left)| match left {
            Left::Room { payload, timestamp, .. } => Some((*time, *timestamp, payload.as_slice())),
            _ => None,
        });
        let frames: Vec<_> = frames.collect();
        let first = frames.first().map_or(0, |frame| frame.1);
        frames.into_iter().map(|(time, timestamp, payload)| (time, timestamp.wrapping_sub(first), payload)).collect()
    }

    /// RTP packets that left: when, sequence number and timestamp since the first, payload.
    pub(crate) fn rtp(&self) -> Vec<(Duration, u16, u32, &[u8])> {
        let packets = self.left.iter().filter_map(|(time, left)| match left {
            Left::Rtp { sequence, timestamp, payload, .. } => Some((*time, *sequence, *timestamp, payload.as_slice())),
            _ => None,
        });
        let packets: Vec<_> = packets.collect();
        let Some((_, number, first, _)) = packets.first().copied() else { return packets };
        packets.into_iter().map(|(time, n, t, p)| (time, n.wrapping_sub(number), t.wrapping_sub(first), p)).collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let events = self.left.iter().filter_map(|(_, left)| match left {
            Left::Event(event) => Some(*event),
            _ => None,
        });
        events.collect()
    }

    /// What the room hears, laid out by timestamp.
    pub(crate) fn heard_by_room(&self) -> Vec<i16> {
        self.heard_by_room_at(8_000)
    }

    /// The same at another rate.
    pub(crate) fn heard_by_room_at(&self, rate: u32) -> Vec<i16> {
        let mut decoder = opus::Decoder::new(rate, opus::Channels::Mono).expect("a decoder");
        let mut heard = Vec::new();
        for (_, timestamp, payload) in self.room() {
            let mut pcm = [0; 960];
            let samples = decoder.decode(payload, &mut pcm, false).expect("valid Opus");
            assert_eq!(samples, rate as usize / 50);
            let at = (timestamp / (48_000 / rate)) as usize;
            assert!(at >= heard.len(), "frames never overlap: {at} < {}", heard.len());
            heard.resize(at, 0);
            heard.extend_from_slice(&pcm[..samples]);
        }
        heard
    }

    /// What a carrier hears of G.722, at 16 kHz.
    pub(crate) fn heard_by_wide_carrier(&self) -> Vec<i16> {
        let mut decoder = g722::Decoder::default();
        let mut heard = Vec::new();
        for (_, _, timestamp, payload) in self.rtp() {
            let at = 2 * timestamp as usize;
            assert!(at >= heard.len(), "packets never overlap");
            heard.resize(at, 0);
            let mut pcm = vec![0; 2 * payload.len()];
            decoder.decode(payload, &mut pcm);
            heard.extend_from_slice(&pcm);
        }
        heard
    }

    /// What the carrier hears, laid out by timestamp.
    pub(crate) fn heard_by_carrier(&self, law: Law) -> Vec<i16> {
        let mut heard = Vec::new();
        for (_, _, timestamp, payload) in self.rtp() {
            assert!(timestamp as usize >= heard.len(), "packets never overlap");
            heard.resize(timestamp as usize, 0);
            let mut pcm = vec![0; payload.len()];
            law.decode(payload, &mut pcm);
            heard.extend_from_slice(&pcm);
        }
        heard
    }
}

/// A carrier's packets of G.722, of samples at 16 kHz.
pub(crate) fn wide_packets(pcm: &[i16], payload_type: u8, ptime: u64) -> Vec<(Duration, Input)> {
    let mut encoder = g722::Encoder::default();
    let ticks = ptime as usize * 8;
    let packets = pcm.chunks_exact(2 * ticks).enumerate().map(|(n, chunk)| {
        let mut bytes = vec![0; ticks];
        encoder.encode(chunk, &mut bytes);
        let datagram = rtp(n as u16, (n * ticks) as u32, payload_type, 0x1234, &bytes);
        (ms((n as u64 + 1) * ptime), Input::Rtp(datagram))
    });
    packets.collect()
}

/// A carrier's packets of G.711: each is sent when its last sample was spoken.
pub(crate) fn carrier_packets(pcm: &[i16], law: Law, payload_type: u8, ptime: u64) -> Vec<(Duration, Input)> {
    let samples = ptime as usize * 8;
    let packets = pcm.chunks_exact(samples).enumerate().map(|(n, chunk)| {
        let datagram = rtp(n as u16, (n * samples) as u32, payload_type, 0x1234, &encode(law, chunk));
        (ms((n as u64 + 1) * ptime), Input::Rtp(datagram))
    });
    packets.collect()
}

pub(crate) fn encode(law: Law, pcm: &[i16]) -> Vec<u8> {
    let mut bytes = vec![0; pcm.len()];
    law.encode(pcm, &mut bytes);
    bytes
}

/// One packet; sequence numbers and timestamps start a little before they wrap.
pub(crate) fn rtp(n: u16, timestamp: u32, payload_type: u8, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        marker: n == 0,
        payload_type,
        sequence: n.wrapping_sub(50),
        timestamp: timestamp.wrapping_sub(4_000),
        ssrc: Ssrc(ssrc),
    };
    let mut datagram = vec![0; Header::LEN];
    header.write(&mut datagram).expect("room for a header");
    datagram.extend_from_slice(payload);
    datagram
}

/// A participant's packets of Opus, with redundancy if a loss is expected.
pub(crate) fn room_packets(pcm: &[i16], ssrc: u32, loss: i32) -> Vec<(Duration, Input)> {
    room_packets_at(8_000, pcm, ssrc, loss)
}

/// The same of samples at another rate.
pub(crate) fn room_packets_at(rate: u32, pcm: &[i16], ssrc: u32, loss: i32) -> Vec<(Duration, Input)> {
    let mut encoder = opus::Encoder::new(rate, opus::Channels::Mono, opus::Application::Voip).expect("an encoder");
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).expect("a bit rate");
    encoder.set_inband_fec(loss > 0).expect("redundancy");
    encoder.set_packet_loss_perc(loss).expect("a loss");
    let packets = pcm.chunks_exact(rate as usize / 50).enumerate().map(|(n, chunk)| {
        let mut payload = vec![0; 1_500];
        let length = encoder.encode(chunk, &mut payload).expect("Opus");
        payload.truncate(length);
        let n = n as u32;
        let (sequence, timestamp) = ((n as u16).wrapping_sub(20), (n * 960).wrapping_sub(9_600));
        (ms((u64::from(n) + 1) * 20), Input::Room { ssrc, sequence, timestamp, payload })
    });
    packets.collect()
}

/// What redundant packets are of.
pub(crate) const RED_OF: u8 = 111;

/// Packets that each repeat so many before it, as far as fourteen bits of time and ten of length go.
pub(crate) fn repeating(packets: &[(Duration, Input)], reach: usize) -> Vec<(Duration, Input)> {
    let repeating = (0..packets.len()).map(|n| {
        let (time, Input::Room { ssrc, sequence, timestamp, payload }) = &packets[n] else { panic!("of the room") };
        let (mut heads, mut blocks) = (Vec::new(), Vec::new());
        for (_, before) in &packets[n.saturating_sub(reach)..n] {
            let Input::Room { timestamp: earlier, payload, .. } = before else { panic!("of the room") };
            let offset = timestamp.wrapping_sub(*earlier);
            if offset < 1 << 14 && payload.len() < 1 << 10 {
                heads.extend(red_head(offset, payload.len()));
                blocks.extend_from_slice(payload);
            }
        }
        let payload = [&heads[..], &[RED_OF], &blocks, payload].concat();
        (*time, Input::Red { ssrc: *ssrc, sequence: *sequence, timestamp: *timestamp, payload })
    });
    repeating.collect()
}

/// The header of a block that is repeated.
pub(crate) fn red_head(offset: u32, length: usize) -> [u8; 4] {
    (1 << 31 | u32::from(RED_OF) << 24 | offset << 10 | length as u32).to_be_bytes()
}

/// Moves packets in time.
pub(crate) fn later(by: Duration, packets: Vec<(Duration, Input)>) -> Vec<(Duration, Input)> {
    packets.into_iter().map(|(time, input)| (time + by, input)).collect()
}
