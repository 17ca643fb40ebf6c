//! A phone: the carrier's leg with a desk behind it. It speaks G.711.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::Desk;
use crate::{
    CarrierConfig, CarrierReport, Error, Event, Output,
    codec::Coding,
    dtmf::{self, Refused},
    frame::{LONGEST, RATE, earliest},
    leg::carrier::{Carrier, Heard},
    plc::{LIMIT, Narrow},
    rtp::Header,
    sdp::{Codec, Negotiated},
    srtp::OVERHEAD,
};

const DATAGRAM: usize = Header::LEN + LONGEST + OVERHEAD;
/// How long a key is held, and how long it is left alone before the next.
const KEY: (Duration, Duration) = (Duration::from_millis(120), Duration::from_millis(80));

/// How a phone is set up: as a junction's carrier side is.
pub type PhoneConfig = CarrierConfig;

/// What there is to tell of a phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhoneReport {
    /// The leg.
    pub carrier: CarrierReport,
    /// Samples that were made up.
    pub concealed: u64,
}

/// Sends on a clock of its own, hears what comes.
#[derive(Debug)]
pub struct Phone {
    now: Instant,
    carrier: Carrier,
    desk: Desk,
    keys: dtmf::Sender,
    concealer: Narrow,
    concealed: u64,
    datagram: Box<[u8; DATAGRAM]>,
}

impl Phone {
    /// A phone that knows no peer yet.
    pub fn new(now: Instant, config: &PhoneConfig, desk: Desk) -> Self {
        Self {
            now,
            carrier: Carrier::new(now, config),
            desk,
            keys: dtmf::Sender::new(RATE),
            concealer: Narrow::new(),
            concealed: 0,
            datagram: Box::new([0; DATAGRAM]),
        }
    }

    /// Takes what was negotiated: G.711 alone, for a desk hears and speaks at 8 kHz.
    pub fn set_carrier(&mut self, now: Instant, negotiated: &Negotiated) -> Result<(), Error> {
        self.now = now;
        if matches!(negotiated.codec, Codec::G722 | Codec::Opus) {
            return Err(Error::Codec(negotiated.codec));
        }
        self.carrier.set(now, negotiated)
    }

    /// The call is answered: from now on we speak.
    pub fn start(&mut self, now: Instant) {
        self.now = now;
        self.carrier.start(now);
    }

    /// Presses keys, after those before them.
    pub fn press(&mut self, keys: &[dtmf::Press]) -> Result<(), Refused> {
        self.keys.press_all(keys, KEY.0, KEY.1)
    }

    /// A datagram came to the RTP socket.
    pub fn handle_rtp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = now;
        self.carrier.handle_rtp(now, from, datagram);
    }

    /// A datagram came to the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = now;
        self.carrier.handle_rtcp(now, from, datagram);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.carrier.handle_timeout(now);
    }

    /// When to call [`Self::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        earliest(self.carrier.next_timeout(), self.carrier.due())
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output<'_>> {
        let now = self.now;
        while self.hear(now) {}
        while let Some(happening) = self.carrier.poll_happening() {
            if let Some(event) = Event::of(happening) {
                return Some(Output::Event(event));
            }
        }
        if let Some((to, length)) = self.speak(now) {
            return Some(Output::Rtp { to, datagram: &self.datagram[..length] });
        }
        let (to, length) = self.carrier.poll_rtcp(now, &mut self.datagram[..])?;
        Some(Output::Rtcp { to, datagram: &self.datagram[..length] })
    }

    /// Whether every key was pressed.
    pub fn is_done_pressing(&self) -> bool {
        self.keys.is_idle()
    }

    /// The desk, to ask what it has heard.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The desk, when the call is over.
    pub fn into_desk(self) -> Desk {
        self.desk
    }

    /// How the call is doing.
    pub fn report(&self) -> PhoneReport {
        PhoneReport { carrier: self.carrier.report(), concealed: self.concealed }
    }

    fn hear(&mut self, now: Instant) -> bool {
        let mut pcm = [0; LONGEST];
        match self.carrier.poll_piece(now) {
            None => return false,
            Some(Heard::Audio(Coding::Law(law), bytes)) => {
                let samples = law.decode(bytes, &mut pcm);
                self.concealer.good(&mut pcm[..samples]);
                self.desk.hear(now, &pcm[..samples]);
            }
            Some(Heard::Lost(samples)) => {
                let made_up = samples.min(LIMIT as u64);
                let pcm = &mut pcm[..made_up as usize];
                self.concealer.lost(pcm);
                self.desk.hear(now, pcm);
                self.desk.hear_silence(now, samples - made_up);
                self.concealed += samples;
            }
            Some(Heard::Audio(_, bytes)) => self.desk.hear_silence(now, bytes.len() as u64),
            Some(Heard::Opus { ticks, .. }) => self.desk.hear_silence(now, ticks as u64),
            // The pause that it begins is told at its end.
            Some(Heard::Noise { .. }) => {}
            Some(Heard::Pause(samples)) => {
                self.concealer.reset();
                self.desk.hear_silence(now, samples);
            }
        }
        true
    }

    /// Writes the packet that is due: a key that is down, else what the desk says.
    fn speak(&mut self, now: Instant) -> Option<(SocketAddr, usize)> {
        while self.carrier.due().is_some_and(|due| due <= now) {
            self.carrier.catch_up(now);
            let (timestamp, samples) = self.carrier.next_packet();
            let key = if self.carrier.takes_events() { self.keys.tick(timestamp, samples as u32) } else { None };
            let mut pcm = [0; LONGEST];
            self.desk.speak(now, &mut pcm[..samples]);
            let sent = match key {
                Some(outgoing) => self.carrier.send_event(now, outgoing, &mut self.datagram[..]),
                None => {
                    self.carrier.push(&pcm[..samples]);
                    self.carrier.poll_rtp(now, &mut self.datagram[..])
                }
            };
            if sent.is_some() {
                return sent;
            }
        }
        None
    }
}
