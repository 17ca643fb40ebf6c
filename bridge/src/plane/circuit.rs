//! A line on its thread: the carrier's sockets, the engine, the peer connections, and the wires between them.
//!
//! It decides nothing about calls or rooms. Bytes from a socket go into the engine or a peer connection, and what these
//! give back goes out by the other side at once: there is no queue and no tick between carrier and room.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use media::{Event, Output};
use mio::{Interest, Registry, Token};

use super::engine::Engine;
use super::gauges::Seat;
use super::line::Ear;
use super::outbox::{self, Outbox};
use super::peer::{self, Drained, Peer};
use super::ports::Pair;
use super::slab::Key;
use super::socket::{Endpoint, Traits};
use super::worker::LineId;
use super::{Command, LineEvent, PeerCommand, PeerConfig, PeerEvent, PeerState, Report, Role};

/// Numbers of a line's sockets.
const RTP: usize = 0;
const RTCP: usize = 1;
const PEERS: [Role; 2] = [Role::Publisher, Role::Subscriber];
/// Datagrams taken from a carrier socket in one turn; a caller sends one or two a frame.
const TURN: usize = 16;

/// What a thread lends its lines.
pub(crate) struct Workshop {
    pub(crate) registry: Registry,
    pub(crate) scratch: Box<[u8]>,
    pub(crate) traits: Traits,
    /// Where peer connections are bound.
    pub(crate) room: Option<IpAddr>,
}

pub(crate) struct Circuit {
    pub(crate) id: LineId,
    /// When the wheel looks at this line next.
    pub(crate) armed: Option<Instant>,
    /// Sockets and commands that wait in the thread's queue, a bit each.
    pub(crate) queued: u8,
    key: Option<Key>,
    engine: Engine,
    carrier: Option<Pair>,
    /// Boxed: the second is rarely there.
    peers: [Option<Box<Peer>>; 2],
    /// Our audio is wanted in the room.
    publish: bool,
    ear: Ear,
    outbox: Outbox,
    /// RTCP shares the RTP socket.
    mux: bool,
    room_sent: u64,
    room_received: u64,
    /// The desk's end was told.
    done: bool,
    _seat: Seat,
}

impl Circuit {
    pub(crate) fn new(
        id: LineId,
        engine: Engine,
        carrier: Option<Pair>,
        mut seat: Seat,
        ear: Ear,
        outbox: Outbox,
    ) -> Self {
        seat.take();
        Self {
            id,
            armed: None,
            queued: 0,
            key: None,
            engine,
            carrier,
            peers: [None, None],
            publish: true,
            ear,
            outbox,
            mux: false,
            room_sent: 0,
            room_received: 0,
            done: false,
            _seat: seat,
        }
    }

    /// Takes its place on the thread.
    pub(crate) fn settle_in(&mut self, key: Key, registry: &Registry, complexity: u8) -> io::Result<()> {
        self.key = Some(key);
        self.engine.set_complexity(complexity);
        if let Some(pair) = &mut self.carrier {
            registry.register(&mut pair.rtp, Token(key.token(RTP)), Interest::READABLE)?;
            registry.register(&mut pair.rtcp, Token(key.token(RTCP)), Interest::READABLE)?;
        }
        Ok(())
    }

    pub(crate) fn handle_readable(&mut self, now: Instant, socket: usize, workshop: &mut Workshop) -> Drained {
        let drained = match socket {
            RTP | RTCP => self.read_carrier(now, socket, &mut workshop.scratch),
            _ => self.read_peer(now, PEERS[socket % 2], &mut workshop.scratch),
        };
        self.transmit();
        drained
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.engine.next_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
            self.pass_on(now);
        }
        for role in PEERS {
            let Some(peer) = &mut self.peers[index(role)] else { continue };
            if peer.next_timeout().is_some_and(|at| at <= now) {
                peer.handle_timeout(now);
                self.take_from_peer(now, role);
            }
        }
        if self.outbox.waiting() {
            self.outbox.retry();
        }
        self.transmit();
    }

    /// Carries out one command; false when there was none.
    pub(crate) fn handle_command(&mut self, now: Instant, workshop: &Workshop) -> bool {
        let Some(command) = self.ear.next() else { return false };
        match command {
            Command::Peer(role, command) => self.command_peer(now, role, command, workshop),
            Command::Publish(publish) => {
                self.publish = publish;
                self.open_room(now);
            }
            Command::Carrier(negotiated) => {
                self.mux = negotiated.mux;
                if let Err(error) = self.engine.set_carrier(now, &negotiated) {
                    self.outbox.push(LineEvent::Failed(error.to_string()));
                }
            }
            Command::Start => self.engine.start(now),
            Command::Forget { ssrc } => {
                self.engine.forget(ssrc);
                self.peers.iter_mut().flatten().for_each(|peer| peer.forget(ssrc));
            }
            Command::Press(key) => {
                if !self.engine.press(key) {
                    self.outbox.push(LineEvent::Failed("too many keys at once".into()));
                }
            }
            // An asker that went away needs no answer.
            Command::Report(reply) => drop(reply.send(self.report())),
            Command::TakeDesk(reply) => {
                if let Some(desk) = self.engine.take_desk() {
                    drop(reply.send(desk));
                }
            }
            #[cfg(test)]
            Command::Panic => panic!("as asked"),
            #[cfg(test)]
            Command::Toil(time) => while now.elapsed() < time {},
        }
        self.pass_on(now);
        self.transmit();
        true
    }

    pub(crate) fn set_complexity(&mut self, complexity: u8) {
        self.engine.set_complexity(complexity);
    }

    pub(crate) fn tell(&mut self, event: LineEvent) {
        self.outbox.push(event);
    }

    /// Says goodbye on every peer connection.
    pub(crate) fn close(&mut self) {
        self.peers.iter_mut().flatten().for_each(|peer| peer.close());
    }

    pub(crate) fn next_timeout(&mut self, now: Instant) -> Option<Instant> {
        let [publisher, subscriber] = &mut self.peers;
        let backlog = self.outbox.waiting().then(|| now + outbox::RETRY);
        [
            self.engine.next_timeout(),
            publisher.as_deref_mut().and_then(Peer::next_timeout),
            subscriber.as_deref_mut().and_then(Peer::next_timeout),
            backlog,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether work on this socket is part of a handshake, which takes long and can wait a little.
    pub(crate) fn is_handshake(&self, socket: usize) -> bool {
        let Some(peer) = socket.checked_sub(2).and_then(|peer| self.peers.get(peer)?.as_ref()) else {
            return false;
        };
        !peer.is_connected()
    }

    pub(crate) fn take_dropped(&mut self) -> u64 {
        self.outbox.take_dropped()
    }

    fn read_carrier(&mut self, now: Instant, socket: usize, scratch: &mut [u8]) -> Drained {
        for _ in 0..TURN {
            let Some(pair) = &self.carrier else { return Drained::Empty };
            let source = if socket == RTP { &pair.rtp } else { &pair.rtcp };
            match source.recv_from(scratch) {
                Ok((length, from)) => {
                    let datagram = &scratch[..length];
                    match socket {
                        RTP => self.engine.handle_rtp(now, from, datagram),
                        _ => self.engine.handle_rtcp(now, from, datagram),
                    }
                    self.pass_on(now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                // An ICMP error of an earlier packet; the media timeout judges silence.
                Err(_) => {}
            }
        }
        Drained::More
    }

    fn read_peer(&mut self, now: Instant, role: Role, scratch: &mut [u8]) -> Drained {
        let Some(peer) = &mut self.peers[index(role)] else { return Drained::Empty };
        let drained = peer.handle_readable(now, scratch);
        self.take_from_peer(now, role);
        drained
    }

    fn take_from_peer(&mut self, now: Instant, role: Role) {
        while let Some(output) = self.peers[index(role)].as_deref_mut().and_then(Peer::poll_output) {
            match output {
                peer::Output::Rtp { ssrc, sequence, timestamp, payload } => {
                    self.room_received += 1;
                    self.engine.handle_room(now, ssrc, sequence, timestamp, &payload);
                    self.pass_on(now);
                }
                peer::Output::Event(event) => {
                    let state = matches!(event, PeerEvent::State(_));
                    self.tell_peer(role, event);
                    if state {
                        self.open_room(now);
                    }
                }
            }
        }
    }

    /// Performs what the engine wants.
    fn pass_on(&mut self, now: Instant) {
        let Self { engine, carrier, peers: [publisher, _], outbox, .. } = self;
        while let Some(output) = engine.poll_output() {
            match output {
                // A datagram that the system does not take is lost, as on any network.
                Output::Rtp { to, datagram } => {
                    let _ = carrier.as_ref().map(|pair| pair.rtp.send_to(datagram, to));
                }
                Output::Rtcp { to, datagram } => {
                    let socket = carrier.as_ref().map(|pair| if self.mux { &pair.rtp } else { &pair.rtcp });
                    let _ = socket.map(|socket| socket.send_to(datagram, to));
                }
                Output::Room { payload, timestamp, marker, level } => {
                    let Some(publisher) = publisher else { continue };
                    if publisher.send_audio(now, timestamp, marker, level, payload) {
                        self.room_sent += 1;
                        if self.room_sent == 1 {
                            outbox.push(LineEvent::FirstRoomPacketSent);
                        }
                    }
                }
                Output::Event(event) => {
                    if let Some(event) = LineEvent::of(event) {
                        outbox.push(event);
                    }
                }
            }
        }
        if !self.done && engine.is_done() {
            self.done = true;
            outbox.push(LineEvent::DeskDone);
        }
    }

    fn command_peer(&mut self, now: Instant, role: Role, command: PeerCommand, workshop: &Workshop) {
        let place = index(role);
        let done = match command {
            PeerCommand::Open(config) => self.open_peer(now, role, config, workshop),
            PeerCommand::Close => {
                self.close_peer(role);
                self.tell_peer(role, PeerEvent::State(PeerState::Closed));
                Ok(())
            }
            command => match &mut self.peers[place] {
                Some(peer) => peer.handle_command(now, command),
                None => return self.tell_peer(role, PeerEvent::Failed("there is no such connection".into())),
            },
        };
        if let Err(error) = done {
            self.tell_peer(role, PeerEvent::Failed(error.to_string()));
        }
        self.take_from_peer(now, role);
        self.open_room(now);
    }

    fn open_peer(
        &mut self,
        now: Instant,
        role: Role,
        config: PeerConfig,
        workshop: &Workshop,
    ) -> Result<(), peer::Error> {
        self.close_peer(role);
        let endpoint = Endpoint::open(workshop.room, workshop.traits)?;
        let mut peer = Box::new(Peer::new(now, config, endpoint)?);
        if let Some(key) = self.key {
            let token = Token(key.token(2 + index(role)));
            workshop.registry.register(peer.socket(), token, Interest::READABLE)?;
        }
        self.peers[index(role)] = Some(peer);
        Ok(())
    }

    fn close_peer(&mut self, role: Role) {
        if let Some(mut peer) = self.peers[index(role)].take() {
            peer.close();
        }
    }

    /// The engine sends into the room while somebody is there to send it.
    fn open_room(&mut self, now: Instant) {
        let up = self.peers[index(Role::Publisher)].as_deref().is_some_and(Peer::is_up);
        self.engine.set_room_open(now, self.publish && up);
    }

    fn report(&self) -> Report {
        Report { engine: self.engine.report(), room_sent: self.room_sent, room_received: self.room_received }
    }

    fn tell_peer(&mut self, role: Role, event: PeerEvent) {
        self.outbox.push_peer(role, event);
    }

    fn transmit(&mut self) {
        self.peers.iter_mut().flatten().for_each(|peer| peer.transmit());
    }
}

fn index(role: Role) -> usize {
    match role {
        Role::Publisher => 0,
        Role::Subscriber => 1,
    }
}

impl LineEvent {
    /// What an engine's event is to the call, if anything.
    fn of(event: Event) -> Option<Self> {
        Some(match event {
            Event::FirstRtp => Self::FirstRtp,
            Event::FirstRoom { ssrc } => Self::FirstRoomPacketReceived { ssrc },
            // A hook flash is an event of telephony too, but no digit.
            Event::Digit(event) => Self::Digit(event.digit()?),
            Event::MediaTimeout => Self::MediaTimeout,
            // Told by an engine newer than this list.
            _ => return None,
        })
    }
}
