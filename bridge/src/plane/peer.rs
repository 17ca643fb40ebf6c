//! One WebRTC peer connection with its UDP socket. Only this file and its parts name `rtc`.
//!
//! The engine is sans-IO, the socket non-blocking: the owner calls [`Peer::handle_readable`] and
//! [`Peer::handle_timeout`], takes what there is from [`Peer::poll_output`], calls [`Peer::transmit`], and sleeps until
//! [`Peer::next_timeout`]. Nothing here spawns, locks or waits.
//!
//! One host candidate an address family goes into the first description; nothing is trickled, and of the server's
//! candidates those for UDP are used.

mod build;
mod due;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc::data_channel::{RTCDataChannelId, RTCDataChannelInit};
use rtc::peer_connection::RTCPeerConnection;
use rtc::peer_connection::event::{RTCDataChannelEvent, RTCPeerConnectionEvent, RTCTrackEvent};
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit};
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpReceiverId, RTCRtpSenderId, RTCRtpTransceiverDirection};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tracing::debug;

use self::due::Due;
use self::reports::{Reader, Reports};
use super::socket::Endpoint;
use super::{Channel, PeerCommand, PeerConfig, PeerEvent, PeerState};

/// Datagrams taken from the socket in one turn, so that a flood on one line does not starve the others.
const TURN: usize = 16;
/// Remote streams remembered, the oldest forgotten first. They are remembered only so that none is reported twice.
const STREAMS: usize = 128;
/// Data channels remembered; LiveKit has three.
const CHANNELS: usize = 16;
/// What the first octet of an audio level may be: voice activity and the level (RFC 6464 §3).
static LEVELS: [u8; 128] = levels();

/// A peer connection could not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The WebRTC engine refused.
    #[error(transparent)]
    Engine(#[from] rtc::shared::error::Error),
    /// No socket.
    #[error("no socket: {0}")]
    Socket(#[from] io::Error),
    /// A trickled candidate is not what it should be.
    #[error("candidate is not JSON: {0}")]
    Candidate(#[from] serde_json::Error),
    /// There is no description although one was just made.
    #[error("no description")]
    NoDescription,
    /// Nobody opened that data channel.
    #[error("no data channel {0}")]
    NoChannel(&'static str),
}

/// What comes out of a peer connection.
#[derive(Debug)]
pub(crate) enum Output {
    /// For the room session.
    Event(PeerEvent),
    /// A packet of a remote track; `red` if it repeats those before it (RFC 2198).
    Rtp { ssrc: u32, sequence: u16, timestamp: u32, payload: Bytes, red: bool },
}

/// Whether a socket has more to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    Empty,
    /// The turn was used up first.
    More,
}

pub(crate) struct Peer {
    connection: RTCPeerConnection,
    endpoint: Endpoint,
    sender: Option<RTCRtpSenderId>,
    ssrc: u32,
    sequence: u16,
    level_extension: Option<u8>,
    channels: Vec<(RTCDataChannelId, String)>,
    streams: VecDeque<Stream>,
    pending: VecDeque<PeerEvent>,
    state: Option<PeerState>,
    due: Due,
    reports: Reports,
}

/// A remote stream that was told.
struct Stream {
    ssrc: u32,
    mid: String,
    /// The engine has seen its packets since it was last negotiated: another one is no news.
    heard: bool,
    /// Its packets repeat those before them, as was noted once.
    red: bool,
}

impl Peer {
    pub(crate) fn new(now: Instant, config: PeerConfig, endpoint: Endpoint) -> Result<Self, Error> {
        let (ssrc, reports) = (rand::random(), Reports::new());
        // Where nothing is published, the other side offers what it sends.
        let receives = config.publish.is_none() || config.receive_audio > 0;
        let mut peer = Self {
            connection: build::connection(now, Reader::new(ssrc, reports.clone()), receives)?,
            endpoint,
            sender: None,
            ssrc,
            // In the lower half: should the first packets be lost just where it wraps, nobody could decrypt the rest (RFC 3711 §3.3.1).
            sequence: rand::random::<u16>() >> 1,
            level_extension: None,
            channels: Vec::new(),
            streams: VecDeque::new(),
            pending: VecDeque::new(),
            state: None,
            due: Due::new(),
            reports,
        };
        if config.data_channels {
            let lossy = RTCDataChannelInit { ordered: false, max_retransmits: Some(0), ..Default::default() };
            peer.open_channel(Channel::Reliable, None)?;
            peer.open_channel(Channel::Lossy, Some(lossy))?;
        }
        if let Some(cid) = config.publish {
            let direction = build::direction(RTCRtpTransceiverDirection::Sendonly);
            let track = build::track(cid, peer.ssrc);
            peer.connection.add_transceiver_from_track(track, Some(direction))?;
            peer.sender = peer.connection.get_senders().next();
        }
        peer.receive_audio(config.receive_audio)?;
        Ok(peer)
    }

    /// Carries out a command, except making the connection, which is [`Self::new`], and ending it, which is
    /// [`Self::close`]. What it leads to comes out of [`Self::poll_output`].
    pub(crate) fn handle_command(&mut self, now: Instant, command: PeerCommand) -> Result<(), Error> {
        self.due.stir();
        self.streams.iter_mut().for_each(|stream| stream.heard = false);
        let event = match command {
            PeerCommand::Offer { more_audio, restart_ice } => {
                self.receive_audio(more_audio)?;
                PeerEvent::Offer(self.offer(now, restart_ice)?)
            }
            PeerCommand::SetAnswer(sdp) => {
                let answer = RTCSessionDescription::answer(sdp)?;
                self.connection.set_remote_description(now, answer)?;
                self.find_level_extension();
                PeerEvent::Answered
            }
            PeerCommand::Accept(sdp) => PeerEvent::Answer(self.accept(now, sdp)?),
            PeerCommand::Candidate(json) => return self.add_candidate(&json),
            PeerCommand::Data { channel, bytes } => return self.send_data(now, channel, &bytes),
            PeerCommand::Describe => self.describe(),
            // The owner's.
            PeerCommand::Open(_) | PeerCommand::Close => return Ok(()),
        };
        self.pending.push_back(event);
        Ok(())
    }

    /// Reads what the socket has.
    pub(crate) fn handle_readable(&mut self, now: Instant, scratch: &mut [u8]) -> Drained {
        for _ in 0..TURN {
            match self.endpoint.receive(scratch) {
                Ok((length, from)) => self.handle_datagram(now, from, &scratch[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                // An ICMP error of an earlier packet is reported here; ICE notices by itself when nobody answers.
                Err(_) => {}
            }
        }
        Drained::More
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.due.stir();
        // It fails for a part that is already closed; the connection's state tells that.
        let _ = self.connection.handle_timeout(now);
    }

    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        let Self { connection, due, .. } = self;
        due.timeout(|| connection.poll_timeout())
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        loop {
            self.take_events();
            if let Some(event) = self.pending.pop_front() {
                return Some(Output::Event(event));
            }
            let Some(message) = self.next_message() else {
                // The search itself may have led to events.
                self.take_events();
                self.due.note_no_news();
                return self.pending.pop_front().map(Output::Event);
            };
            match message {
                RTCMessage::RtpPacket(_, packet) => {
                    let red = packet.header.payload_type == build::RED;
                    if red {
                        self.note_red(packet.header.ssrc);
                    }
                    return Some(Output::Rtp {
                        ssrc: packet.header.ssrc,
                        sequence: packet.header.sequence_number,
                        timestamp: packet.header.timestamp,
                        payload: packet.payload,
                        red,
                    });
                }
                RTCMessage::DataChannelMessage(id, message) => {
                    let label = self.label(id).unwrap_or_default().to_owned();
                    let bytes = message.data.freeze();
                    return Some(Output::Event(PeerEvent::Data { label, bytes }));
                }
                // Reports are read by the engine.
                _ => {}
            }
        }
    }

    /// Sends what the engine has to send. A datagram that the system does not take is lost, as on any network.
    pub(crate) fn transmit(&mut self) {
        while self.due.writes() {
            let out = self.connection.poll_write();
            self.due.note_write(out.is_some());
            if let Some(out) = out {
                let _ = self.endpoint.send(&out.message, out.transport.peer_addr);
            }
        }
    }

    /// Leaves out so many numbers of our audio.
    pub(crate) fn leave_out(&mut self, packets: u16) {
        self.sequence = self.sequence.wrapping_add(packets);
    }

    /// Sends one Opus frame, and says whether there was a way. `level` is in -dBov, 127 is silence.
    pub(crate) fn send_audio(&mut self, now: Instant, timestamp: u32, marker: bool, level: u8, payload: &[u8]) -> bool {
        // The engine takes packets that it has no way for, and loses them.
        if !self.is_up() {
            return false;
        }
        let Some(mut sender) = self.sender.and_then(|id| self.connection.rtp_sender(id)) else {
            return false;
        };
        let mut header = rtp::header::Header {
            version: 2,
            marker,
            payload_type: build::OPUS,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        if let Some(extension) = self.level_extension {
            let at = usize::from(level.min(127));
            let octet = Bytes::from_static(&LEVELS[at..=at]);
            if header.set_extension(extension, octet).is_err() {
                return false;
            }
        }
        let packet = rtp::Packet { header, payload: Bytes::copy_from_slice(payload) };
        let sent = sender.write_rtp(now, packet).is_ok();
        if sent {
            self.sequence = self.sequence.wrapping_add(1);
            self.due.add_audio();
        }
        sent
    }

    /// The share of our packets that the last report says were lost, once for each report.
    pub(crate) fn take_loss(&mut self) -> Option<f64> {
        self.reports.take()
    }

    /// A stream that comes back under this source is reported again.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.streams.retain(|stream| stream.ssrc != ssrc);
    }

    /// Says goodbye to the other side.
    pub(crate) fn close(&mut self) {
        let _ = self.connection.close();
        self.due.stir();
        self.state = Some(PeerState::Closed);
        self.transmit();
    }

    /// Whether audio has a way to the other side. A connection that only stumbled still has.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, Some(PeerState::Connected | PeerState::Disconnected))
    }

    /// Whether it is past its handshakes, and not in trouble.
    pub(crate) fn is_connected(&self) -> bool {
        self.state == Some(PeerState::Connected)
    }

    pub(crate) fn socket(&mut self) -> &mut mio::net::UdpSocket {
        &mut self.endpoint.socket
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let transport = TransportContext {
            local_addr: self.endpoint.local_for(from),
            peer_addr: from,
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        if !self.is_known_audio(datagram) {
            self.due.stir();
        }
        let message = BytesMut::from(datagram);
        // Datagrams that mean nothing to the engine are dropped, whoever sent them.
        let _ = self.connection.handle_read(TaggedBytesMut { now, transport, message });
    }

    /// Whether a datagram is a packet of a stream that the engine has seen before. The first packet after a negotiation
    /// makes the track known; those behind it bring nothing but themselves.
    fn is_known_audio(&mut self, datagram: &[u8]) -> bool {
        let Some(ssrc) = ssrc_of_rtp(datagram) else { return false };
        let stream = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc);
        stream.is_some_and(|stream| std::mem::replace(&mut stream.heard, true))
    }

    fn note_red(&mut self, ssrc: u32) {
        let stream = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc && !stream.red);
        if let Some(stream) = stream {
            stream.red = true;
            debug!(ssrc, "redundant audio from the room");
        }
    }

    fn take_events(&mut self) {
        while self.due.news() {
            let Some(event) = self.connection.poll_event() else { return };
            // What happened may make the engine send something.
            self.due.stir();
            self.translate(event);
        }
    }

    /// The next packet or message. The engine queues packets as it reads them, so those are there for the taking.
    fn next_message(&mut self) -> Option<RTCMessage> {
        let ready = self.connection.poll_media_read();
        if let Some(ready) = ready.or_else(|| self.connection.poll_data_read()) {
            return Some(ready.message);
        }
        if !self.due.news() {
            return None;
        }
        self.connection.poll_read().map(|late| late.message)
    }

    fn open_channel(&mut self, channel: Channel, init: Option<RTCDataChannelInit>) -> Result<(), Error> {
        let id = self.connection.create_data_channel(channel.label(), init)?.id();
        self.channels.push((id, channel.label().to_owned()));
        Ok(())
    }

    fn receive_audio(&mut self, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            let direction = build::direction(RTCRtpTransceiverDirection::Recvonly);
            self.connection.add_transceiver_from_kind(RtpCodecKind::Audio, Some(direction))?;
        }
        Ok(())
    }

    fn offer(&mut self, now: Instant, restart_ice: bool) -> Result<String, Error> {
        if restart_ice {
            self.connection.restart_ice();
        }
        self.advertise_once()?;
        let offer = self.connection.create_offer(None)?;
        self.connection.set_local_description(now, offer)?;
        self.local_description().ok_or(Error::NoDescription)
    }

    fn accept(&mut self, now: Instant, sdp: String) -> Result<String, Error> {
        let offer = RTCSessionDescription::offer(sdp)?;
        self.connection.set_remote_description(now, offer)?;
        self.advertise_once()?;
        let answer = self.connection.create_answer(None)?;
        self.connection.set_local_description(now, answer)?;
        self.find_level_extension();
        self.local_description().ok_or(Error::NoDescription)
    }

    /// Adds our addresses before the first description, so that there is nothing to trickle.
    fn advertise_once(&mut self) -> Result<(), Error> {
        if self.connection.local_description().is_some() {
            return Ok(());
        }
        for local in self.endpoint.locals() {
            let base_config = CandidateConfig {
                network: "udp".into(),
                address: local.ip().to_string(),
                port: local.port(),
                component: 1,
                ..Default::default()
            };
            let host = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host()?;
            self.connection.add_local_candidate(RTCIceCandidate::from(&host).to_json()?)?;
        }
        Ok(())
    }

    fn add_candidate(&mut self, json: &str) -> Result<(), Error> {
        let init: RTCIceCandidateInit = serde_json::from_str(json)?;
        let transport = init.candidate.split_whitespace().nth(2);
        if transport.is_some_and(|transport| transport.eq_ignore_ascii_case("udp")) {
            self.connection.add_remote_candidate(init)?;
        }
        Ok(())
    }

    fn send_data(&mut self, now: Instant, channel: Channel, bytes: &[u8]) -> Result<(), Error> {
        let label = channel.label();
        let known = self.channels.iter().find(|(_, known)| known == label).map(|(id, _)| *id);
        let mut channel = known.and_then(|id| self.connection.data_channel(id)).ok_or(Error::NoChannel(label))?;
        channel.send(now, BytesMut::from(bytes))?;
        Ok(())
    }

    fn describe(&mut self) -> PeerEvent {
        let mut channels = Vec::new();
        for (id, label) in &self.channels {
            let stream = self.connection.data_channel(*id).and_then(|channel| channel.stream_id());
            channels.extend(stream.map(|stream| (label.clone(), u32::from(stream))));
        }
        let remote = self.connection.remote_description().map(|description| description.sdp.clone());
        PeerEvent::Described { local: self.local_description(), remote, channels }
    }

    fn local_description(&self) -> Option<String> {
        self.connection.local_description().map(|description| description.sdp)
    }

    /// The number of the audio level extension is the answerer's to choose; a packet with another one is refused.
    fn find_level_extension(&mut self) {
        let Some(mut sender) = self.sender.and_then(|id| self.connection.rtp_sender(id)) else {
            return;
        };
        let negotiated = &sender.get_parameters().rtp_parameters.header_extensions;
        let level = negotiated.iter().find(|extension| extension.uri == build::AUDIO_LEVEL);
        self.level_extension = level.and_then(|extension| u8::try_from(extension.id).ok());
    }

    fn translate(&mut self, event: RTCPeerConnectionEvent) {
        match event {
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => self.report_state(state),
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) => {
                let label = self.connection.data_channel(id).map(|channel| channel.label().to_owned());
                let Some(label) = label else { return };
                if self.label(id).is_none() && self.channels.len() < CHANNELS {
                    self.channels.push((id, label.clone()));
                }
                self.pending.push_back(PeerEvent::ChannelOpen(label));
            }
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnClose(id)) => {
                self.channels.retain(|(known, _)| *known != id);
            }
            RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(open)) => {
                let mid = self.mid_of(open.receiver_id);
                let stream = open.stream_ids.into_iter().next().unwrap_or_default();
                self.report_stream(mid, stream, open.ssrc);
            }
            // ICE and signalling states are steps on the way to the connection's own.
            _ => {}
        }
    }

    fn report_state(&mut self, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::Connected => PeerState::Connected,
            RTCPeerConnectionState::Disconnected => PeerState::Disconnected,
            RTCPeerConnectionState::Failed => PeerState::Failed,
            RTCPeerConnectionState::Closed => PeerState::Closed,
            _ => return,
        };
        self.state = Some(state);
        self.pending.push_back(PeerEvent::State(state));
    }

    /// The engine reports open tracks again on every renegotiation, and a section is used again for the next track.
    fn report_stream(&mut self, mid: String, stream: String, ssrc: u32) {
        let known = self.streams.iter().any(|stream| stream.ssrc == ssrc && stream.mid == mid);
        if known {
            return;
        }
        self.forget(ssrc);
        if self.streams.len() == STREAMS {
            self.streams.pop_front();
        }
        self.streams.push_back(Stream { ssrc, mid: mid.clone(), heard: false, red: false });
        self.pending.push_back(PeerEvent::Track { mid, stream, ssrc });
    }

    fn label(&self, id: RTCDataChannelId) -> Option<&str> {
        self.channels.iter().find(|(known, _)| *known == id).map(|(_, label)| label.as_str())
    }

    fn mid_of(&mut self, receiver: RTCRtpReceiverId) -> String {
        let sections: Vec<_> = self.connection.get_transceivers().collect();
        sections
            .into_iter()
            .find_map(|id| {
                let section = self.connection.rtp_transceiver(id)?;
                (section.receiver() == Some(receiver)).then(|| section.mid().clone())?
            })
            .unwrap_or_default()
    }
}

/// The source of an RTP packet; `None` for RTCP and everything else on the same port (RFC 7983 §7, RFC 5761 §4).
fn ssrc_of_rtp(datagram: &[u8]) -> Option<u32> {
    let (head, _) = datagram.split_first_chunk::<12>()?;
    let is_rtcp = (192..=223).contains(&head[1]);
    let [.., a, b, c, d] = *head;
    (head[0] >> 6 == 2 && !is_rtcp).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// Levels with the voice activity bit: LiveKit judges by the level alone.
const fn levels() -> [u8; 128] {
    let mut table = [0; 128];
    let mut level = 0;
    while level < 128 {
        table[level] = 0x80 | level as u8;
        level += 1;
    }
    table
}
