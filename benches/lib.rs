//! What the benches share: fixed speech, packets made of it, a junction that takes them, and fair timing.
//!
//! A ratio is taken in one process with both sides in turns, so that whatever else the machine does falls on both alike. Time is
//! that of the thread's own CPU.

pub mod allocations;
pub mod detour;
pub mod timing;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use criterion::Criterion;
use media::{
    CarrierConfig, Config, Junction, Output, Profile,
    codec::{g711::Law, g722},
    rtcp::Clock,
    rtp::{Header, Ssrc},
    sdp::{self, Session},
    source::Mode,
};
use opus::{Application, Bitrate, Channels, Decoder, Encoder, Signal};

/// Criterion for all benches: short, for the ratios beside it are what counts, and all of `cargo bench` is to take minutes.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
}

/// Samples in a frame.
pub const FRAME: usize = 160;

/// Twelve seconds of speech at 8 kHz, in frames: 600 of them.
pub fn speech() -> Vec<[i16; FRAME]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/speech.wav");
    let file = std::fs::read(path).expect("the speech is in the tree");
    let (samples, _) = file[44..].as_chunks::<2>();
    let samples: Vec<i16> = samples.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect();
    samples.as_chunks().0.to_vec()
}

/// The speech as a carrier knows it: through µ-law once.
pub fn telephone() -> Vec<[i16; FRAME]> {
    let through = speech().into_iter().map(|frame| {
        let (mut bytes, mut again) = ([0; FRAME], [0; FRAME]);
        Law::Mu.encode(&frame, &mut bytes);
        Law::Mu.decode(&bytes, &mut again);
        again
    });
    through.collect()
}

/// The speech as RTP of PCMU; sequence numbers and timestamps are set by [`number`].
pub fn carrier_packets() -> Vec<Vec<u8>> {
    packets_of(&speech())
}

/// Other frames in the same manner.
pub fn packets_of(frames: &[[i16; FRAME]]) -> Vec<Vec<u8>> {
    let packets = frames.iter().map(|frame| {
        let mut datagram = vec![0; Header::LEN + FRAME];
        number(&mut datagram, 0);
        Law::Mu.encode(frame, &mut datagram[Header::LEN..]);
        datagram
    });
    packets.collect()
}

/// The speech at 16 kHz, in frames.
pub fn wide_speech() -> Vec<[i16; 2 * FRAME]> {
    let mut up = detour::Resampler::new(8_000, 16_000);
    let widened = speech().into_iter().map(|frame| {
        let mut wide = [0; 2 * FRAME];
        up.process(&frame, &mut wide);
        wide
    });
    widened.collect()
}

/// The same as RTP of G.722, numbered as [`carrier_packets`] are.
pub fn wide_packets() -> Vec<Vec<u8>> {
    let mut encoder = g722::Encoder::default();
    let packets = wide_speech().into_iter().map(|frame| {
        let mut datagram = vec![0; Header::LEN + FRAME];
        encoder.encode(&frame, &mut datagram[Header::LEN..]);
        datagram
    });
    packets.collect()
}

/// Makes a carrier's packet of PCMU the `n`-th of its stream.
pub fn number(datagram: &mut [u8], n: u32) {
    number_as(0, datagram, n);
}

fn number_as(payload_type: u8, datagram: &mut [u8], n: u32) {
    let header = Header {
        marker: false,
        payload_type,
        sequence: n as u16,
        timestamp: n.wrapping_mul(FRAME as u32),
        ssrc: Ssrc(7),
    };
    header.write(datagram).expect("room for a header");
}

/// The speech as a browser publishes it: 48 kHz, 32 kb/s, with redundancy, all else by libopus's choice.
pub fn room_packets() -> Vec<Vec<u8>> {
    let mut up = detour::Resampler::new(8_000, 48_000);
    let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip).expect("an encoder");
    encoder.set_bitrate(Bitrate::Bits(32_000)).expect("a bit rate");
    encoder.set_inband_fec(true).expect("redundancy");
    let packets = speech().into_iter().map(|frame| {
        let mut wide = [0; 6 * FRAME];
        up.process(&frame, &mut wide);
        encoder.encode_vec(&wide, 1_500).expect("Opus")
    });
    packets.collect()
}

/// An encoder set as the junction sets its own.
pub fn bare_encoder(profile: Profile) -> Encoder {
    let mut encoder = Encoder::new(8_000, Channels::Mono, Application::Voip).expect("an encoder");
    encoder.set_signal(Signal::Voice).expect("a signal");
    encoder.set_inband_fec(true).expect("redundancy");
    encoder.set_bitrate(Bitrate::Bits(profile.bitrate)).expect("a bit rate");
    encoder.set_complexity(i32::from(profile.complexity)).expect("a complexity");
    encoder.set_packet_loss_perc(i32::from(profile.loss)).expect("a loss");
    encoder
}

/// A decoder as the junction has them.
pub fn bare_decoder() -> Decoder {
    Decoder::new(8_000, Channels::Mono).expect("a decoder")
}

/// The carrier's address.
pub fn carrier() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

/// A junction in the middle of its call.
pub struct Call {
    /// It.
    pub junction: Junction,
    /// Its time.
    pub now: Instant,
    n: u32,
    payload_type: u8,
}

impl Call {
    /// A call of PCMU that was answered.
    pub fn new(profile: Profile) -> Self {
        Self::with(profile, 0)
    }

    /// The same of G.722.
    pub fn wide(profile: Profile) -> Self {
        Self::with(profile, 9)
    }

    fn with(profile: Profile, payload_type: u8) -> Self {
        let now = Instant::now();
        let carrier = CarrierConfig {
            seed: 1,
            clock: Clock::new(now, Duration::from_secs(1_800_000_000)),
            cname: "bench".into(),
            source: Mode::Learn,
            peer: None,
            first_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(15),
        };
        let mut junction = Junction::new(now, &Config { carrier, profile }).expect("a junction");
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP {payload_type}\r\n"
        );
        let local = sdp::Local {
            address: [192, 0, 2, 9].into(),
            rtp_port: 5_000,
            rtcp_port: 5_001,
            session_id: 1,
            version: 1,
            direction: sdp::Direction::SendRecv,
        };
        let policy = sdp::Policy::with_codecs(&[sdp::Codec::G722], false);
        let offer = Session::parse(text.as_bytes()).expect("a session");
        let (terms, _) = sdp::answer(&offer, &local, &policy).expect("an answer");
        junction.set_carrier(now, &terms).expect("terms that can be met");
        junction.start(now);
        let mut call = Self { junction, now, n: 0, payload_type };
        let mut silence = [0xff; Header::LEN + FRAME];
        call.uplink(&mut silence, |_| ());
        call
    }

    /// Lets a frame's time pass.
    pub fn tick(&mut self) {
        self.now += Duration::from_millis(20);
        self.n = self.n.wrapping_add(1);
    }

    /// A packet of the carrier, numbered here; what leaves for the room is shown.
    pub fn uplink(&mut self, datagram: &mut [u8], mut seen: impl FnMut(&[u8])) {
        number_as(self.payload_type, datagram, self.n);
        self.junction.handle_rtp(self.now, carrier(), datagram);
        while let Some(output) = self.junction.poll_output() {
            if let Output::Room { payload, .. } = output {
                seen(payload);
            }
        }
    }

    /// A packet of the room; what leaves for the carrier is shown.
    pub fn downlink(&mut self, ssrc: u32, payload: &[u8], mut seen: impl FnMut(&[u8])) {
        self.junction.handle_room(self.now, ssrc, self.n as u16, self.n.wrapping_mul(960), payload);
        while let Some(output) = self.junction.poll_output() {
            if let Output::Rtp { datagram, .. } = output {
                seen(datagram);
            }
        }
    }
}
