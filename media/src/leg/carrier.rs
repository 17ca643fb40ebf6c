//! The carrier's leg: RTP and RTCP of one negotiated stream of G.711, G.722 or Opus, with telephone events.

mod hearing;
mod ration;
mod rest;
mod seal;
mod sounds;
mod terms;
mod watch;
mod whole;

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

pub(crate) use self::hearing::Heard;
use self::{
    ration::Ration,
    rest::Rest,
    seal::Seal,
    terms::{Kind, Terms},
    watch::Watch,
};
use super::{pace::Pace, receiver::Receiver, sender::Sender};
use crate::{
    Error, dtmf,
    frame::{RATE, Rate, earliest},
    noise,
    random::Random,
    rtcp::{self, Control},
    rtp::{Header, Packet, Ssrc},
    sdp::Negotiated,
    source::{Lock, Mode, Remote, Verdict},
};

/// Behind by more than this many ticks, 100 ms, silence is left out instead of sent late.
const TOO_FAR_BEHIND: u64 = 800;

/// What a carrier's leg has to be told once.
#[derive(Clone, Debug)]
pub struct CarrierConfig {
    /// Random; sets the SSRC and where sequence numbers and timestamps begin.
    pub seed: u64,
    /// Maps our clock onto the time of day, for reports.
    pub clock: rtcp::Clock,
    /// Our name in reports, the same for the whole call.
    pub cname: String,
    /// How far addresses that are not in the SDP are believed.
    pub source: Mode,
    /// Where the signalling comes from.
    pub peer: Option<IpAddr>,
    /// Without any RTP for so long after the start, the call is over; zero for never.
    pub first_timeout: Duration,
    /// Without RTP for so long later on, the call is over; zero for never.
    pub timeout: Duration,
}

/// What there is to tell of a carrier's leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarrierReport {
    /// Packets, loss, jitter and round trip.
    pub stream: rtcp::Summary,
    /// When the last packet was heard.
    pub last_heard: Option<Instant>,
    /// Packets from addresses that are not the peer's.
    pub strangers: u64,
    /// Datagrams that are no RTP, or of a payload type that was not agreed upon.
    pub unusable: u64,
    /// Packets that were not encrypted as agreed upon, or by somebody else.
    pub forged: u64,
    /// Encrypted packets that came again.
    pub replayed: u64,
    /// Packets that came after their place was filled.
    pub late: u64,
    /// Packets that came twice.
    pub repeated: u64,
    /// Where media comes from.
    pub source: Option<SocketAddr>,
}

/// What happened on the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    FirstRtp,
    Pressed(dtmf::Event),
    /// The key came up, after so long.
    Released(dtmf::Event, Duration),
    Timeout,
    /// All keys were pressed for the carrier.
    KeysOut,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Carrier {
    random: Random,
    cname: String,
    mode: Mode,
    peer: Option<IpAddr>,
    lock: Option<Lock>,
    terms: Terms,
    seal: Seal,
    control: Control,
    receiver: Receiver,
    ration: Ration,
    digits: dtmf::Receiver,
    sender: Sender,
    /// Keys that are pressed for the carrier; there are seldom any.
    keys: Option<Box<dtmf::Sender>>,
    /// The same as tones.
    keypad: Option<Box<dtmf::Keypad>>,
    /// When tones of the carrier are keys.
    tones: dtmf::Tones,
    /// The clock of what we send, set by the start.
    pace: Option<Pace>,
    /// The start was the answer's: media is owed to us, too.
    is_answered: bool,
    /// Silence is told, not sent.
    rest: Option<Rest>,
    watch: Watch,
    /// The peer has said that nothing follows for a while: until something does, its reports are the sign that it is there.
    said_quiet: bool,
    last_heard: Option<Instant>,
    /// Told, or not yet: that the first packet was heard.
    first: Option<bool>,
    unusable: u64,
}

impl Carrier {
    pub(crate) fn new(now: Instant, config: &CarrierConfig) -> Self {
        let mut random = Random::new(config.seed);
        let ssrc = Ssrc(random.next() as u32);
        Self {
            cname: config.cname.clone(),
            mode: config.source,
            peer: config.peer,
            lock: None,
            terms: Terms::default(),
            seal: Seal::default(),
            control: Control::new(now, config.clock, ssrc, RATE, random.next() as u32),
            receiver: Receiver::new(now),
            ration: Ration::new(now),
            digits: dtmf::Receiver::new(RATE),
            sender: Sender::new(ssrc, random.next()),
            keys: None,
            keypad: None,
            tones: dtmf::Tones::default(),
            pace: None,
            is_answered: false,
            rest: None,
            watch: Watch::new(config.first_timeout, config.timeout),
            said_quiet: false,
            last_heard: None,
            first: None,
            unusable: 0,
            random,
        }
    }

    /// Takes what was agreed upon, at the answer or at a later one.
    pub(crate) fn set(&mut self, now: Instant, negotiated: &Negotiated) -> Result<(), Error> {
        let before = self.terms;
        self.terms = Terms::new(negotiated, &before);
        self.rouse(now);
        self.seal.set(negotiated.encryption());
        if let Some(keys) = self.keys.as_mut().filter(|_| !self.terms.takes_events_of(&before)) {
            keys.clear();
        }
        let remote =
            Remote { rtp: negotiated.remote_rtp, rtcp: negotiated.remote_rtcp, mux: negotiated.mux, peer: self.peer };
        match &mut self.lock {
            Some(lock) => {
                let known = lock.locked();
                lock.renew(remote);
                // Whoever was heard before the answer need not be who answers.
                if !self.is_answered && known.is_some() && lock.locked().is_none() {
                    self.watch.restart();
                }
            }
            None => self.lock = Some(Lock::new(self.mode, remote)),
        }
        let Terms { coding, payload_type, packet, opus, .. } = self.terms;
        self.sender.set(coding, payload_type, packet, opus)?;
        if coding.step() != before.coding.step() {
            let ssrc = Ssrc(self.random.next() as u32);
            self.sender.become_another(ssrc, coding.step());
            self.control.become_another(ssrc, RATE * coding.step());
        }
        if self.pace.is_some() {
            self.apply_direction(now);
        }
        Ok(())
    }

    /// The call is answered and acknowledged: from now on we send, and expect to hear.
    pub(crate) fn start(&mut self, now: Instant) {
        if !self.is_answered {
            self.is_answered = true;
            self.start_early(now);
        }
    }

    /// From now on we send, though the call is not answered yet. The peer may send nothing before the answer.
    pub(crate) fn start_early(&mut self, now: Instant) {
        if self.pace.is_none() {
            self.pace = Some(Pace::new(now));
            if let Some(lock) = &mut self.lock {
                lock.allow_send();
            }
        }
        self.apply_direction(now);
    }

    /// Takes in a datagram of the RTP socket.
    pub(crate) fn handle_rtp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if self.terms.mux && rtcp::is_rtcp(datagram) {
            return self.handle_rtcp(now, from, datagram);
        }
        // Whoever cannot encrypt proves nothing about where the peer is.
        let Some(datagram) = self.seal.open_rtp(datagram) else { return };
        let packet = Packet::parse(datagram);
        let (Some(packet), Some(lock)) = (packet, &mut self.lock) else {
            self.unusable += 1;
            return;
        };
        let Some(kind) = self.terms.kind_of(packet.payload_type()) else {
            self.unusable += 1;
            return;
        };
        match lock.judge_rtp(now, from, &packet) {
            Verdict::Accept => {}
            Verdict::AcceptNew => {
                self.receiver.restart();
                self.digits.restart();
            }
            // Counted there.
            Verdict::Refuse => return,
        }
        self.first.get_or_insert(false);
        self.last_heard = Some(now);
        self.watch.handle_packet(now);
        if let Kind::Audio(coding) = kind {
            self.control.set_heard_rate(RATE * coding.step());
        }
        let place = self.control.handle_packet(now, &packet);
        if !matches!(kind, Kind::Event { .. }) {
            self.said_quiet = kind == Kind::ComfortNoise;
        }
        match kind {
            // On hold the peer may go on for a moment; nobody is to hear it.
            _ if !self.terms.receives => self.receiver.handle_other(now, place),
            Kind::Audio(coding) => {
                // What is no packet of Opus has no length either.
                let ticks = coding.ticks(packet.payload()).filter(|ticks| self.ration.take(now, *ticks as u64));
                if ticks.is_none() {
                    self.unusable += 1;
                    return self.receiver.handle_other(now, place);
                }
                let (timestamp, payload) = (packet.timestamp(), packet.payload());
                self.receiver.handle_audio(now, place, timestamp, (packet.payload_type(), coding.step()), payload);
            }
            Kind::Event(rate) => {
                self.digits.set_clock_rate(rate);
                self.digits.handle_packet(now, &packet);
                self.receiver.handle_other(now, place);
            }
            Kind::ComfortNoise => {
                self.receiver.handle_noise(now, place, packet.timestamp(), noise::level(packet.payload()));
            }
        }
    }

    /// Takes in a datagram of the RTCP socket.
    pub(crate) fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Some(lock) = &mut self.lock else { return };
        let Some(datagram) = self.seal.open_rtcp(datagram) else { return };
        if lock.judge_rtcp(from) != Verdict::Refuse {
            // A goodbye is not the end of a call, only a BYE of the signalling is.
            self.control.handle_datagram(now, datagram);
            if self.said_quiet && rtcp::is_rtcp(datagram) {
                self.watch.handle_packet(now);
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.digits.handle_timeout(now);
        self.watch.handle_timeout(now);
    }

    /// When to call [`Self::handle_timeout`] and to poll again, but for the time that audio is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let held = earliest(self.receiver.next_timeout(), self.digits.next_timeout());
        let report = self.pace.map(|_| self.control.next_timeout());
        earliest(earliest(held, report), self.watch.next_timeout())
    }

    /// The next thing that happened.
    pub(crate) fn poll_happening(&mut self) -> Option<Happening> {
        if self.first == Some(false) {
            self.first = Some(true);
            return Some(Happening::FirstRtp);
        }
        if let Some(output) = self.digits.poll_output() {
            return Some(match output {
                dtmf::Output::Pressed(event) => Happening::Pressed(event),
                dtmf::Output::Released(event, after) => Happening::Released(event, after),
            });
        }
        let events_out = self.keys.take_if(|keys| keys.is_over()).is_some();
        let tones_out = self.keypad.take_if(|keypad| keypad.is_over()).is_some();
        if events_out || tones_out {
            return Some(Happening::KeysOut);
        }
        self.watch.poll_timeout().then_some(Happening::Timeout)
    }

    /// Queues samples to be sent; while nothing may be sent they are dropped.
    pub(crate) fn push(&mut self, samples: &[i16]) {
        if self.is_sending() {
            self.sender.push(samples);
        }
    }

    /// Sends silence if it is time to send and there is nothing else. Returns whether a packet is ready now.
    pub(crate) fn fill(&mut self, now: Instant) -> bool {
        if self.due().is_none_or(|due| now < due) {
            return false;
        }
        self.rouse(now);
        self.catch_up(now);
        // A key that is pressed takes the place of audio, not of a packet.
        if !self.is_free() || !self.sender.hush() {
            self.sender.push_silence();
        }
        true
    }

    /// Writes the next packet, if there is one: where it goes, and how long it is.
    pub(crate) fn poll_rtp(&mut self, now: Instant, datagram: &mut [u8]) -> Option<(SocketAddr, usize)> {
        loop {
            if self.keys.is_some()
                && let Some(sent) = self.poll_key(now, datagram)
            {
                return Some(sent);
            }
            if let Some(keypad) = self.keypad.as_mut().filter(|_| self.sender.is_ready()) {
                let rate = self.sender.rate();
                keypad.speak_over(rate, self.sender.packet_mut());
            }
            let Some(written) = self.sender.poll(datagram) else { return self.poll_noise(now, datagram) };
            let sealed = self.seal.seal_rtp(datagram, written.length);
            if let Some(to) = self.lock.as_mut().and_then(Lock::send_rtp) {
                self.control.handle_sent(now, written.timestamp, written.length - Header::LEN);
                return Some((to, sealed?));
            }
        }
    }

    /// Writes a report if one is due.
    pub(crate) fn poll_rtcp(&mut self, now: Instant, datagram: &mut [u8]) -> Option<(SocketAddr, usize)> {
        if self.pace.is_none() || now < self.control.next_timeout() {
            return None;
        }
        let random = self.random.next() as u32;
        let length = self.control.poll_report(now, random, &self.cname, datagram)?;
        if self.terms.is_nowhere() {
            return None;
        }
        let sealed = self.seal.seal_rtcp(datagram, length)?;
        Some((self.lock.as_mut().and_then(Lock::send_rtcp)?, sealed))
    }

    /// When the next packet is due by the clock; `None` while nothing is sent.
    pub(crate) fn due(&self) -> Option<Instant> {
        let by_clock = self.pace.filter(|_| self.terms.sends)?.due(self.sender.position());
        Some(self.rest.filter(|_| self.may_rest()).map_or(by_clock, Rest::due))
    }

    /// How far what is queued is ahead of the clock.
    pub(crate) fn lead(&self, now: Instant) -> Duration {
        self.pace.map_or(Duration::ZERO, |pace| pace.lead(now, self.sender.end()))
    }

    /// Whether we may send and are wanted to.
    pub(crate) fn is_sending(&self) -> bool {
        self.pace.is_some() && self.terms.sends
    }

    /// Of the audio that was agreed upon; what else is heard is brought to it.
    pub(crate) fn rate(&self) -> Rate {
        self.terms.coding.rate()
    }

    /// Timestamp and ticks of the packet that is due.
    pub(crate) fn next_packet(&self) -> (u32, usize) {
        (self.sender.timestamp(), self.sender.packet())
    }

    pub(crate) fn report(&self) -> CarrierReport {
        let counts = self.receiver.counts();
        CarrierReport {
            stream: self.control.summary(),
            last_heard: self.last_heard,
            strangers: self.lock.map_or(0, |lock| lock.strangers()),
            unusable: self.unusable,
            forged: self.seal.forged(),
            replayed: self.seal.replayed(),
            late: counts.late,
            repeated: counts.repeated,
            source: self.lock.and_then(|lock| lock.locked()),
        }
    }

    /// Lets go of time that has passed without us: the driver was held up, or the talker's clock is slow.
    pub(crate) fn catch_up(&mut self, now: Instant) {
        let Some(pace) = self.pace else { return };
        let behind = pace.lag(now, self.sender.position());
        if behind > TOO_FAR_BEHIND {
            self.sender.clear();
            self.sender.skip(behind);
        }
    }

    fn apply_direction(&mut self, now: Instant) {
        // Whoever holds the call may play something, and need not.
        self.watch.set(now, self.is_answered && self.terms.receives && self.terms.sends);
        if !self.terms.sends {
            self.sender.clear();
        }
        // After a hold the clock of the stream has gone on without packets, which catching up lets pass.
        self.catch_up(now);
    }
}
