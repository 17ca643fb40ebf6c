//! A line on its thread: the carrier's sockets, the engine, the peer connections, and the wires between them.
//!
//! It decides nothing about calls or rooms. Bytes from a socket go into the engine or a peer connection, and what these
//! give back goes out by the other side at once: there is no queue and no tick between carrier and room.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use media::{Event, Output, dtmf};
use mio::{Interest, Registry, Token};
use tracing::{debug, warn};

use super::engine::Engine;
use super::gauges::Seat;
use super::line::Ear;
use super::outbox::{self, LineOutbox, PeerOutbox};
use super::peer::{self, Drained};
use super::ports::Pair;
use super::redundancy::Redundancy;
use super::slab::Key;
use super::socket::Traits;
use super::stand::{self, PLACES, ROLES, Stands};
use super::worker::LineId;
use super::{Attach, Command, LineEvent, PeerEvent, Report, Role, Side, SideCommand};

/// Numbers of a line's sockets; those of the peer connections follow.
const RTP: usize = 0;
const RTCP: usize = 1;
const FIRST_PEER: usize = 2;
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
    stands: Stands,
    ear: Ear,
    outbox: LineOutbox,
    /// RTCP shares the RTP socket.
    mux: bool,
    redundancy: Redundancy,
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
        outbox: LineOutbox,
        first: PeerOutbox,
    ) -> Self {
        seat.take();
        Self {
            id,
            armed: None,
            queued: 0,
            key: None,
            engine,
            carrier,
            stands: Stands::new(first),
            ear,
            outbox,
            mux: false,
            redundancy: Redundancy::default(),
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
            _ => self.read_peer(now, socket - FIRST_PEER, &mut workshop.scratch),
        };
        self.transmit();
        drained
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.engine.next_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
            self.pass_on(now);
        }
        for place in 0..PLACES {
            for role in ROLES {
                if self.stands.at(place).is_some_and(|stand| stand.handle_timeout(now, role)) {
                    self.take_from_peer(now, place, role);
                }
            }
        }
        if self.outbox.is_waiting() {
            self.outbox.retry();
        }
        self.stands.retry();
        self.transmit();
    }

    /// Carries out one command; false when there was none.
    pub(crate) fn handle_command(&mut self, now: Instant, workshop: &Workshop) -> bool {
        let Some(command) = self.ear.next() else {
            // The bell rings for sessions that are over as well.
            self.leave_rooms(now);
            self.transmit();
            return false;
        };
        match command {
            Command::Room(side, command) => self.handle_side(now, side, command, workshop),
            Command::Attach(attach) => self.attach(now, attach),
            Command::Occupy(side) => {
                if self.stands.occupy(side) {
                    self.engine.forget_everybody();
                }
            }
            Command::Carrier(negotiated) => {
                self.mux = negotiated.mux;
                if let Err(error) = self.engine.set_carrier(now, &negotiated) {
                    self.outbox.push(LineEvent::Failed(error.to_string()));
                }
            }
            Command::Start => self.engine.start(now),
            Command::StartEarly => self.engine.start_early(now),
            Command::Dialtone(on) => self.engine.set_dialtone(now, on),
            Command::Ringback(on) => self.engine.set_ringback(now, on),
            Command::Play(sound) => self.engine.play(now, sound),
            Command::PlayOut => self.engine.play_out(now),
            Command::Press(keys) => {
                let result = self.engine.press(now, &keys);
                self.pressed(keys.len(), result);
            }
            Command::PressTones(keys) => {
                let result = self.engine.press_tones(now, &keys);
                self.pressed(keys.len(), result);
            }
            Command::Tones(tones) => {
                if let Err(error) = self.engine.set_tones(now, tones) {
                    self.outbox.push(LineEvent::Failed(error.to_string()));
                }
            }
            Command::AudibleKeys(on) => self.engine.set_audible_keys(now, on),
            Command::HearKey(event, held) => self.engine.hear_key(now, event, held),
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

    /// Keys that are not pressed are done with.
    fn pressed(&mut self, keys: usize, result: Result<(), dtmf::Refused>) {
        if let Err(error) = result {
            warn!(%error, keys, "keys are not pressed");
            self.outbox.push(LineEvent::Pressed);
        }
    }

    pub(crate) fn set_complexity(&mut self, complexity: u8) {
        self.engine.set_complexity(complexity);
    }

    pub(crate) fn tell(&mut self, event: LineEvent) {
        self.outbox.push(event);
    }

    /// Says goodbye on every peer connection.
    pub(crate) fn close(&mut self) {
        self.stands.close();
    }

    pub(crate) fn next_timeout(&mut self, now: Instant) -> Option<Instant> {
        let backlog = self.outbox.is_waiting().then(|| now + outbox::RETRY);
        [self.engine.next_timeout(), self.stands.next_timeout(now), backlog].into_iter().flatten().min()
    }

    /// Whether work on this socket is part of a handshake, which takes long and can wait a little.
    pub(crate) fn is_handshake(&self, socket: usize) -> bool {
        socket.checked_sub(FIRST_PEER).is_some_and(|socket| self.stands.is_handshake(socket))
    }

    pub(crate) fn take_dropped(&mut self) -> u64 {
        self.outbox.take_dropped() + self.stands.take_dropped()
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

    fn read_peer(&mut self, now: Instant, socket: usize, scratch: &mut [u8]) -> Drained {
        let (place, role) = stand::place_of(socket);
        let Some(stand) = self.stands.at(place) else { return Drained::Empty };
        let drained = stand.handle_readable(now, role, scratch);
        self.take_from_peer(now, place, role);
        drained
    }

    fn take_from_peer(&mut self, now: Instant, place: usize, role: Role) {
        while let Some(output) = self.stands.at(place).and_then(|stand| stand.poll_output(role)) {
            match output {
                peer::Output::Rtp { ssrc, sequence, timestamp, payload, red } => {
                    // A room that waits for its turn is not heard.
                    if self.stands.has_audio(place) {
                        self.room_received += 1;
                        if red {
                            self.engine.handle_room_red(now, ssrc, sequence, timestamp, &payload);
                        } else {
                            self.engine.handle_room(now, ssrc, sequence, timestamp, &payload);
                        }
                        self.pass_on(now);
                    }
                }
                peer::Output::Event(event) => {
                    let state = matches!(event, PeerEvent::State(_));
                    if let Some(stand) = self.stands.at(place) {
                        stand.tell(role, event);
                    }
                    if state {
                        self.open_room(now);
                    }
                }
            }
        }
        let lost = self.stands.at(place).and_then(|stand| stand.take_loss(role));
        let change = lost.filter(|_| self.stands.has_audio(place)).and_then(|lost| self.redundancy.handle_report(lost));
        if let Some(loss) = change {
            debug!(loss, "redundancy toward the room");
            self.engine.set_loss(loss);
        }
    }

    /// Performs what the engine wants.
    fn pass_on(&mut self, now: Instant) {
        let Self { engine, carrier, stands, outbox, .. } = self;
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
                Output::Room { payload, timestamp, marker, level, lost } => {
                    stands.leave_out(lost);
                    if stands.send(now, timestamp, marker, level, payload) {
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

    fn handle_side(&mut self, now: Instant, side: Side, command: SideCommand, workshop: &Workshop) {
        // A side that is gone has nothing to say any more.
        let Some(place) = self.stands.find(side) else { return };
        let has_audio = self.stands.has_audio(place);
        let Some(stand) = self.stands.at(place) else { return };
        match command {
            SideCommand::Peer(role, command) => {
                let token = stand::token(self.key, FIRST_PEER, place, role);
                stand.handle_command(now, role, command, token, workshop);
                self.take_from_peer(now, place, role);
            }
            SideCommand::Publish(publish) => stand.set_publish(publish),
            SideCommand::Forget { ssrc } => {
                stand.forget(ssrc);
                if has_audio {
                    self.engine.forget(ssrc);
                }
            }
        }
        self.open_room(now);
    }

    fn attach(&mut self, now: Instant, Attach { side, events, reply }: Attach) {
        self.leave_rooms(now);
        // Whoever went away without waiting leaves a side that is deserted.
        let _ = reply.send(self.stands.attach(side, PeerOutbox::new(events)));
    }

    /// Frees the places of sessions that are over.
    fn leave_rooms(&mut self, now: Instant) {
        if self.stands.leave() {
            self.engine.forget_everybody();
        }
        self.open_room(now);
    }

    /// The engine sends into the room while somebody is there to send it.
    fn open_room(&mut self, now: Instant) {
        self.engine.set_room_open(now, self.stands.is_open());
    }

    fn report(&self) -> Report {
        Report { engine: self.engine.report(), room_sent: self.room_sent, room_received: self.room_received }
    }

    fn transmit(&mut self) {
        self.stands.transmit();
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
            Event::Tone(event) => Self::Tone(event.digit()?),
            Event::MediaTimeout => Self::MediaTimeout,
            Event::Pressed => Self::Pressed,
            Event::Played => Self::Played,
            Event::PlayedOut => Self::PlayedOut,
            // Told by an engine newer than this list.
            _ => return None,
        })
    }
}
