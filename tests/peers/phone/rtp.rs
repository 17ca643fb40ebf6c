//! RTP with G.711: a tone out packet by packet, everything heard kept.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtc_srtp::context::Context;

use super::coder::Coder;
use super::seal::Seal;
use crate::audio;

/// How long a packet of a pressed key lasts, and how long one of the other side usually does.
const FRAME: Duration = Duration::from_millis(20);
const SAMPLES: usize = 160;
const RATE: u32 = 8_000;
/// Sender and receiver reports and what comes with them (RFC 3550 §12.1).
const REPORTS: std::ops::RangeInclusive<u8> = 200..=204;
/// The keys by their event numbers.
const KEYS: &str = "0123456789*#ABCD";
/// Samples up to this are silence: -50 dBFS.
const SILENT: i16 = 100;

/// What a phone speaks, and under which numbers. Each side chooses those that it wants to hear (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The codec.
    pub law: Law,
    /// The payload type of what we say, and of the keys that we press.
    pub says: (u8, u8),
    /// The payload type of what we hear, and of the keys that are pressed for us.
    pub hears: (u8, u8),
    /// How long a packet of ours lasts.
    pub frame: Duration,
    /// How often each is sent.
    pub copies: usize,
}

/// A codec of telephones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// G.711 µ-law.
    Mu,
    /// G.711 A-law.
    A,
    /// G.722 of which only the lower band is spoken and heard, as far as a tone needs it.
    Wide,
}

/// One socket, and a thread while it talks.
#[derive(Debug)]
pub struct Rtp {
    /// What it speaks, from the next [`start`](Self::start) on.
    pub format: Format,
    /// With which keys, if any.
    pub seal: Option<Seal>,
    /// Whether comfort noise is offered.
    pub noise: bool,
    socket: UdpSocket,
    heard: Arc<Mutex<Ear>>,
    talking: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    sequence: Arc<Mutex<(u16, u32)>>,
}

/// What came in.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    /// Every sample of every packet, in the order of arrival.
    pub samples: Vec<i16>,
    /// When each packet came, and its sequence number.
    pub packets: Vec<(Instant, u16)>,
    /// The sequence numbers of all packets, keys among them, in the order of arrival.
    pub numbers: Vec<u16>,
    /// Keys pressed on the other side, each once, with the moment of its first packet (RFC 4733).
    pub keys: Vec<(Instant, char)>,
    /// Packets that end a key; each key has three.
    pub ends: usize,
    /// Comfort noise told by the other side: when, and how loud in -dBov (RFC 3389).
    pub noise: Vec<(Instant, u8)>,
    /// Reports on the port of the audio (RFC 5761), encrypted where the audio is.
    pub reports: usize,
    /// The timestamp of the last key, which all its packets share.
    last_key: Option<u32>,
}

impl Ear {
    /// The keys alone.
    pub fn digits(&self) -> String {
        self.keys.iter().map(|(_, key)| key).collect()
    }

    fn hear_key(&mut self, packet: &[u8]) {
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        self.ends += usize::from(packet.get(13).is_some_and(|byte| byte & 0x80 != 0));
        let key = packet.get(12).and_then(|&event| KEYS.chars().nth(usize::from(event)));
        if let Some(key) = key.filter(|_| self.last_key != Some(timestamp)) {
            self.last_key = Some(timestamp);
            self.keys.push((Instant::now(), key));
        }
    }

    /// The longest stretch in which nothing at all was to be heard: no packet came, or digital silence.
    pub fn longest_silence(&self) -> Duration {
        let mut longest = Duration::ZERO;
        let mut since = None;
        let frames = self.samples.chunks(SAMPLES).zip(&self.packets);
        for (frame, (at, _)) in frames {
            let start = *since.get_or_insert(*at);
            if frame.iter().any(|sample| sample.abs() > SILENT) {
                longest = longest.max(*at - start);
                since = Some(*at);
            }
        }
        longest
    }

    /// Packets that the sequence numbers show to be missing.
    pub fn missing(&self) -> usize {
        let steps = self.numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
        steps.map(|step| usize::from(step.wrapping_sub(1))).filter(|&gap| gap < 0x8000).sum()
    }

    /// The longest silence on the wire.
    pub fn longest_pause(&self) -> Duration {
        self.packets.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or_default()
    }
}

impl Rtp {
    /// Opens a socket for G.711 µ-law in packets of twenty milliseconds.
    pub fn new() -> Self {
        Self::at([127, 0, 0, 1], Format::default())
    }

    /// Opens a socket for another format.
    pub fn speaking(format: Format) -> Self {
        Self::at([127, 0, 0, 1], format)
    }

    /// The same at another address of loopback.
    pub fn at(address: [u8; 4], format: Format) -> Self {
        let socket = UdpSocket::bind((IpAddr::from(address), 0)).expect("loopback has a free port");
        let sequence = Arc::new(Mutex::new((1_000, 16_000)));
        Self { format, seal: None, noise: false, socket, heard: Arc::default(), talking: None, sequence }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// An offer of the codec and of digits at this socket.
    pub fn offer(&self) -> String {
        let (address, Format { law, hears: (voice, keys), frame, .. }) = (self.address(), self.format);
        let (profile, secret) = self.seal.as_ref().map_or(("RTP/AVP", String::new()), |seal| ("RTP/SAVP", seal.line()));
        let noise = if self.noise { "13 " } else { "" };
        format!(
            "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} {profile} {voice} {noise}{keys}\r\n\
             a=rtpmap:{voice} {2}/8000\r\na=rtpmap:{keys} telephone-event/8000\r\na=fmtp:{keys} 0-15\r\na=ptime:{3}\r\n{secret}",
            address.ip(),
            address.port(),
            law.name(),
            frame.as_millis()
        )
    }

    /// Listens, and sends a tone of that pitch and level, or silence.
    pub fn start(&mut self, to: SocketAddr, tone: Option<(f64, f64)>) {
        // One second of a whole number of hertz repeats without a seam.
        let wave = tone.map_or(vec![0; RATE as usize], |(hz, level)| audio::tone(hz.round(), level, RATE, 1.0));
        self.play(to, wave);
    }

    /// Listens, and sends these samples over and over.
    pub fn play(&mut self, to: SocketAddr, wave: Vec<i16>) {
        self.stop();
        let socket = self.socket.try_clone().expect("a socket can be doubled");
        let (stop, heard, place) = (Arc::new(AtomicBool::new(false)), self.heard.clone(), self.sequence.clone());
        let (flag, format) = (stop.clone(), self.format);
        let seal = self.seal.as_ref().map(Seal::contexts);
        let thread = std::thread::spawn(move || talk((&socket, to), format, seal, &wave, &flag, &heard, &place));
        self.talking = Some((stop, thread));
    }

    /// Falls silent: nothing is sent, nothing is read any more.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.talking.take() {
            stop.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
    }

    /// Presses a key for 100 ms (RFC 4733): the first packet marked, the last sent three times. The tone goes on between.
    pub fn press(&self, to: SocketAddr, event: u8) {
        self.press_on_a_bad_line(to, event, [1; 7]);
    }

    /// The same where each of the packets arrives so many times.
    pub fn press_on_a_bad_line(&self, to: SocketAddr, event: u8, copies: [usize; 7]) {
        let began = self.sequence.lock().expect("no thread panics while it holds this").1;
        for (step, copies) in (1..=7_u16).zip(copies) {
            let (sequence, _) = next(&self.sequence, 0);
            let (end, duration) = (step >= 5, step.min(5) * 160);
            let mut packet = header(sequence, began, self.format.says.1 | if step == 1 { 0x80 } else { 0 });
            packet.extend([event, if end { 0x8a } else { 0x0a }]);
            packet.extend(duration.to_be_bytes());
            for _ in 0..copies {
                let _ = self.socket.send_to(&packet, to);
            }
            std::thread::sleep(FRAME);
        }
    }

    /// Sends one packet of any kind, and counts so many samples for it.
    pub fn say(&self, to: SocketAddr, kind: u8, payload: &[u8], samples: u32) {
        let (sequence, timestamp) = next(&self.sequence, samples);
        let mut packet = header(sequence, timestamp, kind);
        packet.extend(payload);
        let _ = self.socket.send_to(&packet, to);
    }

    /// What was heard up to now.
    pub fn heard(&self) -> Ear {
        self.heard.lock().expect("no thread panics while it holds this").clone()
    }

    /// Forgets what was heard.
    pub fn forget(&self) {
        *self.heard.lock().expect("no thread panics while it holds this") = Ear::default();
    }

    /// Measures the last second heard.
    pub fn measure(&self) -> audio::Heard {
        audio::measure(&self.last_second(), RATE)
    }

    /// Whether the last second heard is that tone.
    pub fn hears(&self, pitch: f64, level: f64) -> bool {
        audio::is_tone(&self.last_second(), RATE, pitch, level)
    }

    fn last_second(&self) -> Vec<i16> {
        let ear = self.heard.lock().expect("no thread panics while it holds this");
        ear.samples[ear.samples.len().saturating_sub(RATE as usize)..].to_vec()
    }
}

impl Default for Format {
    fn default() -> Self {
        Self { law: Law::Mu, says: (0, 101), hears: (0, 101), frame: FRAME, copies: 1 }
    }
}

impl Law {
    /// As SDP calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Mu => "PCMU",
            Self::A => "PCMA",
            Self::Wide => "G722",
        }
    }
}

impl Default for Rtp {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Rtp {
    fn drop(&mut self) {
        self.stop();
    }
}

fn talk(
    (socket, to): (&UdpSocket, SocketAddr),
    format: Format,
    seal: Option<(Context, Context)>,
    wave: &[i16],
    stop: &AtomicBool,
    heard: &Mutex<Ear>,
    place: &Mutex<(u16, u32)>,
) {
    let samples = format.frame.as_millis() as usize * RATE as usize / 1_000;
    let (mut mouth, mut ear) = (Coder::new(format.law), Coder::new(format.law));
    let (mut seals, mut opens) = seal.unzip();
    let mut due = Instant::now();
    let mut wave = wave.iter().copied().cycle();
    while !stop.load(Ordering::Relaxed) {
        listen_until(due, socket, (format, &mut opens), &mut ear, heard);
        let (sequence, timestamp) = next(place, samples as u32);
        let mut packet = header(sequence, timestamp, format.says.0);
        packet.extend(wave.by_ref().take(samples).map(|sample| mouth.encode(sample)));
        if let Some(seals) = &mut seals {
            packet = seals.encrypt_rtp(&packet).expect("a packet can be sealed").to_vec();
        }
        for _ in 0..format.copies {
            let _ = socket.send_to(&packet, to);
        }
        due += format.frame;
    }
}

fn listen_until(
    due: Instant,
    socket: &UdpSocket,
    (format, opens): (Format, &mut Option<Context>),
    coder: &mut Coder,
    heard: &Mutex<Ear>,
) {
    let mut buffer = [0; 2_048];
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return;
        }
        let Ok((mut length, _)) = socket.recv_from(&mut buffer) else { continue };
        if length < 12 || buffer[0] >> 6 != 2 {
            continue;
        }
        if REPORTS.contains(&buffer[1]) {
            let is_right = opens.as_mut().is_none_or(|opens| opens.decrypt_rtcp(&buffer[..length]).is_ok());
            heard.lock().expect("no thread panics while it holds this").reports += usize::from(is_right);
            continue;
        }
        if let Some(opens) = opens {
            // Packets of other keys and repeated ones are none to be heard.
            let Ok(packet) = opens.decrypt_rtp(&buffer[..length]) else { continue };
            length = packet.len();
            buffer[..length].copy_from_slice(&packet);
        }
        let mut ear = heard.lock().expect("no thread panics while it holds this");
        let number = u16::from_be_bytes([buffer[2], buffer[3]]);
        ear.numbers.push(number);
        match buffer[1] & 0x7f {
            kind if kind == format.hears.0 => {}
            kind if kind == format.hears.1 => {
                ear.hear_key(&buffer[..length]);
                continue;
            }
            13 if length > 12 => {
                ear.noise.push((Instant::now(), buffer[12]));
                continue;
            }
            _ => continue,
        }
        ear.packets.push((Instant::now(), number));
        ear.samples.extend(buffer[12..length].iter().map(|&byte| coder.decode(byte)));
    }
}

/// The place of the next packet in the stream.
fn next(place: &Mutex<(u16, u32)>, samples: u32) -> (u16, u32) {
    let mut place = place.lock().expect("no thread panics while it holds this");
    let now = *place;
    *place = (now.0.wrapping_add(1), now.1.wrapping_add(samples));
    now
}

fn header(sequence: u16, timestamp: u32, kind: u8) -> Vec<u8> {
    let mut header = vec![0x80, kind];
    header.extend(sequence.to_be_bytes());
    header.extend(timestamp.to_be_bytes());
    header.extend(0x5150_0001_u32.to_be_bytes());
    header
}
