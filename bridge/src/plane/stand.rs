//! The places of a line in its rooms: the peer connections of each side, and which side has the audio.

use std::time::Instant;

use mio::{Interest, Token};

use super::circuit::Workshop;
use super::outbox::{self, PeerOutbox};
use super::peer::{self, Drained, Output, Peer};
use super::slab::Key;
use super::socket::Endpoint;
use super::{PeerCommand, PeerConfig, PeerEvent, PeerState, Role, Side};

/// Sides that a line may have at once: one, and for the time of a move another.
pub(crate) const PLACES: usize = 2;
/// Peer connections of a side.
pub(crate) const ROLES: [Role; 2] = [Role::Publisher, Role::Subscriber];
/// An Opus packet that decodes to twenty milliseconds of nothing.
const NOTHING: [u8; 3] = [0xf8, 0xff, 0xfe];
/// Its level, in -dBov.
const SILENT: u8 = 127;

/// A side on its thread.
pub(crate) struct Stand {
    side: Side,
    /// Boxed: the second is rarely there.
    peers: [Option<Box<Peer>>; 2],
    /// Our audio is wanted in the room.
    publish: bool,
    outbox: PeerOutbox,
}

impl Stand {
    fn new(side: Side, outbox: PeerOutbox) -> Self {
        Self { side, peers: [None, None], publish: true, outbox }
    }

    /// Carries out a command; `token` is that of the connection's socket.
    pub(crate) fn handle_command(
        &mut self,
        now: Instant,
        role: Role,
        command: PeerCommand,
        token: Option<Token>,
        workshop: &Workshop,
    ) {
        let done = match command {
            PeerCommand::Open(config) => self.open_peer(now, role, config, token, workshop),
            PeerCommand::Close => {
                self.close_peer(role);
                self.tell(role, PeerEvent::State(PeerState::Closed));
                Ok(())
            }
            command => match self.peer(role) {
                Some(peer) => peer.handle_command(now, command),
                None => return self.tell(role, PeerEvent::Failed("there is no such connection".into())),
            },
        };
        if let Err(error) = done {
            self.tell(role, PeerEvent::Failed(error.to_string()));
        }
    }

    pub(crate) fn set_publish(&mut self, publish: bool) {
        self.publish = publish;
    }

    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.peers.iter_mut().flatten().for_each(|peer| peer.forget(ssrc));
    }

    pub(crate) fn handle_readable(&mut self, now: Instant, role: Role, scratch: &mut [u8]) -> Drained {
        self.peer(role).map_or(Drained::Empty, |peer| peer.handle_readable(now, scratch))
    }

    /// Serves a connection whose time has come; false when it has not.
    pub(crate) fn handle_timeout(&mut self, now: Instant, role: Role) -> bool {
        let Some(peer) = self.peer(role) else { return false };
        let due = peer.next_timeout().is_some_and(|at| at <= now);
        if due {
            peer.handle_timeout(now);
        }
        due
    }

    pub(crate) fn poll_output(&mut self, role: Role) -> Option<Output> {
        self.peer(role)?.poll_output()
    }

    pub(crate) fn tell(&mut self, role: Role, event: PeerEvent) {
        self.outbox.push_peer(role, event);
    }

    fn open_peer(
        &mut self,
        now: Instant,
        role: Role,
        config: PeerConfig,
        token: Option<Token>,
        workshop: &Workshop,
    ) -> Result<(), peer::Error> {
        self.close_peer(role);
        let endpoint = Endpoint::open(workshop.room, workshop.traits)?;
        let mut peer = Box::new(Peer::new(now, config, endpoint)?);
        if let Some(token) = token {
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

    fn send(&mut self, now: Instant, timestamp: u32, marker: bool, level: u8, payload: &[u8]) -> bool {
        let publish = self.publish;
        let publisher = self.peer(Role::Publisher).filter(|_| publish);
        publisher.is_some_and(|publisher| publisher.send_audio(now, timestamp, marker, level, payload))
    }

    fn peer(&mut self, role: Role) -> Option<&mut Peer> {
        self.peers[index(role)].as_deref_mut()
    }

    /// Whether our audio has a way into this room and is wanted there.
    fn is_open(&self) -> bool {
        self.publish && self.peers[index(Role::Publisher)].as_deref().is_some_and(Peer::is_up)
    }

    fn next_timeout(&mut self, now: Instant) -> Option<Instant> {
        let backlog = self.outbox.is_waiting().then(|| now + outbox::RETRY);
        let peers = self.peers.iter_mut().flatten().filter_map(|peer| peer.next_timeout());
        peers.chain(backlog).min()
    }
}

/// All sides of a line.
pub(crate) struct Stands {
    places: [Option<Stand>; PLACES],
    /// The place that has the audio.
    occupied: usize,
    /// Events dropped at places that were left.
    dropped: u64,
}

impl Stands {
    /// The side that every line begins with, and that has the audio.
    pub(crate) fn new(outbox: PeerOutbox) -> Self {
        Self { places: [Some(Stand::new(Side::FIRST, outbox)), None], occupied: 0, dropped: 0 }
    }

    /// Takes another side in; false when there is no place.
    pub(crate) fn attach(&mut self, side: Side, outbox: PeerOutbox) -> bool {
        let free = self.places.iter_mut().find(|place| place.is_none());
        free.map(|place| *place = Some(Stand::new(side, outbox))).is_some()
    }

    /// Turns the audio over to a side. False when it has it already, or is gone.
    pub(crate) fn occupy(&mut self, side: Side) -> bool {
        match self.find(side) {
            Some(place) if place != self.occupied => {
                self.occupied = place;
                true
            }
            _ => false,
        }
    }

    /// Leaves the rooms whose sessions are over. Returns whether one of them had the audio.
    pub(crate) fn leave(&mut self) -> bool {
        let mut had_audio = false;
        for (number, place) in self.places.iter_mut().enumerate() {
            if let Some(mut stand) = place.take_if(|stand| stand.outbox.is_deserted()) {
                ROLES.into_iter().for_each(|role| stand.close_peer(role));
                self.dropped += stand.outbox.take_dropped();
                had_audio |= number == self.occupied;
            }
        }
        had_audio
    }

    /// Sends a frame into the room that has the audio, and its silence to one that waits for it. Returns whether it went out.
    pub(crate) fn send(&mut self, now: Instant, timestamp: u32, marker: bool, level: u8, payload: &[u8]) -> bool {
        let mut sent = false;
        for (place, stand) in self.places.iter_mut().enumerate() {
            let Some(stand) = stand else { continue };
            if place == self.occupied {
                sent = stand.send(now, timestamp, marker, level, payload);
            } else {
                stand.send(now, timestamp, marker, SILENT, &NOTHING);
            }
        }
        sent
    }

    /// Leaves out the numbers of packets that were lost before they came to us, so that whoever hears the next one knows of them.
    pub(crate) fn leave_out(&mut self, lost: u16) {
        let stand = self.places.get_mut(self.occupied).and_then(Option::as_mut).filter(|_| lost > 0);
        if let Some(publisher) = stand.and_then(|stand| stand.peer(Role::Publisher)) {
            publisher.leave_out(lost);
        }
    }

    /// Offers events that nobody took again.
    pub(crate) fn retry(&mut self) {
        self.places
            .iter_mut()
            .flatten()
            .filter(|stand| stand.outbox.is_waiting())
            .for_each(|stand| stand.outbox.retry());
    }

    pub(crate) fn transmit(&mut self) {
        self.places
            .iter_mut()
            .flatten()
            .flat_map(|stand| stand.peers.iter_mut().flatten())
            .for_each(|peer| peer.transmit());
    }

    /// Says goodbye on every peer connection.
    pub(crate) fn close(&mut self) {
        self.places
            .iter_mut()
            .flatten()
            .flat_map(|stand| stand.peers.iter_mut().flatten())
            .for_each(|peer| peer.close());
    }

    pub(crate) fn take_dropped(&mut self) -> u64 {
        let places = self.places.iter_mut().flatten().map(|stand| stand.outbox.take_dropped());
        places.sum::<u64>() + std::mem::take(&mut self.dropped)
    }

    pub(crate) fn next_timeout(&mut self, now: Instant) -> Option<Instant> {
        self.places.iter_mut().flatten().filter_map(|stand| stand.next_timeout(now)).min()
    }

    pub(crate) fn at(&mut self, place: usize) -> Option<&mut Stand> {
        self.places.get_mut(place)?.as_mut()
    }

    /// The place of a side that is there.
    pub(crate) fn find(&self, side: Side) -> Option<usize> {
        self.places.iter().position(|place| place.as_ref().is_some_and(|stand| stand.side == side))
    }

    /// Whether this place has the audio.
    pub(crate) fn has_audio(&self, place: usize) -> bool {
        place == self.occupied
    }

    /// Whether there is a room that our audio can go to, or soon may.
    pub(crate) fn is_open(&self) -> bool {
        self.places.iter().flatten().any(Stand::is_open)
    }

    /// Whether the socket of a connection, numbered by place and role, is that of a handshake.
    pub(crate) fn is_handshake(&self, socket: usize) -> bool {
        let (place, role) = place_of(socket);
        let stand = self.places.get(place).and_then(Option::as_ref);
        stand.and_then(|stand| stand.peers[index(role)].as_deref()).is_some_and(|peer| !peer.is_connected())
    }
}

/// The place and the role that a connection's number stands for.
pub(crate) fn place_of(socket: usize) -> (usize, Role) {
    (socket / ROLES.len(), ROLES[socket % ROLES.len()])
}

/// The number of a connection's socket, behind `first`.
pub(crate) fn token(key: Option<Key>, first: usize, place: usize, role: Role) -> Option<Token> {
    key.map(|key| Token(key.token(first + place * ROLES.len() + index(role))))
}

fn index(role: Role) -> usize {
    match role {
        Role::Publisher => 0,
        Role::Subscriber => 1,
    }
}
