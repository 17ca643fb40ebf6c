//! Getting into the room, staying in it, and leaving it.

use std::time::{Duration, Instant};

use livekit_protocol as proto;

use super::{Described, Kind, Next, Outage, Session, State};
use crate::plane::{PeerCommand, PeerConfig, Role};
use crate::room::heartbeat::Heartbeat;
use crate::room::peers::Peers;
use crate::room::request::{self, CID};
use crate::room::{Action, Connect, End, Event, Path, Refusal, Token};

/// For the peer to make an offer or describe itself: microseconds, unless its thread is in distress.
const PEER_PATIENCE: Duration = Duration::from_secs(5);
/// For the server to answer a join or a resume. The signal connection has shorter limits of its own.
const SERVER_PATIENCE: Duration = Duration::from_secs(8);
/// Two attempts are never closer than this, whatever the server says.
const BREATH: Duration = Duration::from_millis(300);
/// Receive-only audio sections in the first offer; more are added when the server asks.
const SECTIONS: usize = 1;

impl Session {
    /// Begins a join with a fresh peer connection.
    pub(super) fn open(&mut self, now: Instant) -> State {
        let gone = self.streams.clear();
        self.forget(gone);
        self.digits.set_open(false);
        self.accepting.clear();
        self.media_by = None;
        self.peers = Peers::new(self.path == Path::Dual);
        let receive_audio = if self.path == Path::Single { SECTIONS } else { 0 };
        let config = PeerConfig { publish: Some(CID.into()), receive_audio, data_channels: true };
        self.order(Role::Publisher, PeerCommand::Open(config));
        self.negotiation.begin(receive_audio);
        if let Some(offer) = self.negotiation.ask(now, 0, false) {
            self.order(Role::Publisher, offer);
        }
        State::Offering { give_up: now + PEER_PATIENCE }
    }

    /// Opens the signal connection with a join. The offer can be used until a server has taken it.
    pub(super) fn knock(&mut self, now: Instant, offer: Box<proto::SessionDescription>) -> State {
        let mut request = request::join();
        if self.path == Path::Single {
            // A track that we may not publish would only be refused.
            let track =
                self.ours.may.publish.then(|| request::our_track(&self.profile.identity, self.ours.muted, self.path));
            request.add_track_requests = track.into_iter().collect();
            request.publisher_offer = Some((*offer).clone());
        }
        let token = self.fresh_token();
        self.connect(now, token, request);
        State::Joining { offer, give_up: now + SERVER_PATIENCE }
    }

    /// Opens the signal connection again for the participant that we are.
    pub(super) fn knock_again(&mut self, now: Instant) -> State {
        let token = match self.ours.token.as_str() {
            "" => self.fresh_token(),
            token => Token::Given(token.to_owned()),
        };
        let request = request::resume(&self.ours.sid);
        self.connect(now, token, request);
        State::Resuming { give_up: now + SERVER_PATIENCE }
    }

    /// The server does not let us in.
    pub(super) fn refused(&mut self, now: Instant, offer: Box<proto::SessionDescription>, why: Refusal) -> State {
        match why {
            Refusal::Status(404, _) if self.path == Path::Single && !self.proven => {
                self.path = Path::Dual;
                self.open(now)
            }
            Refusal::Status(status, text) if self.is_final(status) => self.end(End::Refused { status, text }),
            why => {
                self.elsewhere();
                self.wait(now, Next::Join(offer), why.to_string())
            }
        }
    }

    /// The server, or what stands before it, does not resume us.
    pub(super) fn not_resumed(&mut self, now: Instant, why: Refusal) -> State {
        match why {
            Refusal::Status(status, _) if !is_passing(status) => self.rejoin_at_once(now, why.to_string()),
            why => {
                self.elsewhere();
                self.wait(now, Next::Resume, why.to_string())
            }
        }
    }

    /// The signal connection is gone. Media goes on while we open another.
    pub(super) fn resume(&mut self, now: Instant, why: String) -> State {
        self.actions.push_back(Action::Disconnect);
        self.interrupt(now, why);
        match self.too_soon(now) {
            Some(until) => State::Waiting { until, next: Next::Resume },
            None => self.knock_again(now),
        }
    }

    /// The participant is given up for a new one.
    pub(super) fn rejoin(&mut self, now: Instant, why: String) -> State {
        match self.too_soon(now) {
            Some(until) => {
                self.give_up_participant(now, why);
                State::Waiting { until, next: Next::Open }
            }
            None => self.rejoin_at_once(now, why),
        }
    }

    /// The same, for when the last attempt was a resume that the server refused: it is there, and people are talking.
    pub(super) fn rejoin_at_once(&mut self, now: Instant, why: String) -> State {
        self.give_up_participant(now, why);
        self.open(now)
    }

    pub(super) fn wait(&mut self, now: Instant, next: Next, why: String) -> State {
        let since = self.interrupt(now, why).since;
        let until = now + self.pace.wait(now - since);
        State::Waiting { until, next }
    }

    /// The next attempt goes to another address, where there is one.
    pub(super) fn elsewhere(&mut self) {
        if self.regions.failed() {
            self.actions.push_back(Action::FindRegions);
        }
    }

    /// Something is not there that should be.
    pub(super) fn interrupt(&mut self, now: Instant, why: String) -> &mut Outage {
        if self.outage.is_none() {
            self.event(Event::Interrupted);
        }
        let limit = self.profile.reconnect_limit;
        let new = || Outage { since: now, limit, last: String::new(), shutdown: false, kind: Kind::Resume };
        let outage = self.outage.get_or_insert_with(new);
        outage.last = why;
        outage
    }

    /// Asks the peers for what the server wants to know after a resume.
    pub(super) fn describe(&mut self, now: Instant) -> State {
        self.negotiation.interrupt();
        self.accepting.clear();
        self.order(Role::Publisher, PeerCommand::Describe);
        if self.path == Path::Dual {
            self.order(Role::Subscriber, PeerCommand::Describe);
        }
        let (interval, timeout) = self.ours.pings;
        let heartbeat = Heartbeat::new(now, interval, timeout);
        State::Syncing { heartbeat, sync: Box::default(), give_up: now + PEER_PATIENCE }
    }

    /// Tells the server what we have, and offers: it may have missed something, and so may we.
    pub(super) fn synced(&mut self, now: Instant, publisher: Described, subscriber: Option<Described>) {
        let id = self.negotiation.id();
        let describe = |kind: &str, sdp: Option<String>, id| sdp.map(|sdp| request::description(kind, sdp, id));
        let (offer, answer) = match subscriber {
            None => (describe("offer", publisher.local, id), describe("answer", publisher.remote, id)),
            // With two connections the server means the one that it offers on.
            Some(subscriber) => (describe("offer", subscriber.remote, 0), describe("answer", subscriber.local, 0)),
        };
        let publish =
            |track: &proto::TrackInfo| proto::TrackPublishedResponse { cid: CID.into(), track: Some(track.clone()) };
        let channel = |(label, id)| {
            let target = proto::SignalTarget::Publisher as i32;
            proto::DataChannelInfo { label, id, target }
        };
        let sync = proto::SyncState {
            offer,
            answer,
            subscription: Some(proto::UpdateSubscription {
                track_sids: self.roster.subscribed().iter().cloned().collect(),
                subscribe: true,
                ..Default::default()
            }),
            publish_tracks: self.ours.published.iter().map(publish).collect(),
            data_channels: publisher.channels.into_iter().map(channel).collect(),
            ..Default::default()
        };
        self.send(proto::signal_request::Message::SyncState(sync));
        self.tell_attributes();
        self.changed = true;
        // A connection that still works keeps its path: restarting it would cost packets.
        let restart_ice = !self.peers.is_publisher_up();
        self.offer(now, 0, restart_ice);
    }

    /// Nothing more can be expected within the limit.
    pub(super) fn give_up(&mut self) -> State {
        let end = match self.outage.take() {
            Some(Outage { shutdown: true, .. }) => End::ServerShutdown,
            Some(Outage { last, .. }) => End::GaveUp { last },
            None => End::Left,
        };
        self.end(end)
    }

    /// The only way out.
    pub(super) fn end(&mut self, end: End) -> State {
        self.order(Role::Publisher, PeerCommand::Close);
        if self.path == Path::Dual {
            self.order(Role::Subscriber, PeerCommand::Close);
        }
        self.actions.push_back(Action::Disconnect);
        self.event(Event::Ended(end));
        State::Ended
    }

    pub(super) fn give_up_participant(&mut self, now: Instant, why: String) {
        self.actions.push_back(Action::Disconnect);
        let outage = self.interrupt(now, why);
        if outage.kind == Kind::Resume {
            outage.kind = Kind::Rejoin;
        }
    }

    fn connect(&mut self, now: Instant, token: Token, request: proto::JoinRequest) {
        self.last_attempt = Some(now);
        let connect = Connect { url: self.regions.url(), path: self.path, token, request };
        self.actions.push_back(Action::Connect(Box::new(connect)));
    }

    fn fresh_token(&mut self) -> Token {
        Token::Fresh { room: self.ours.room.clone(), attributes: self.attributes.for_join(), rights: self.ours.may }
    }

    /// Until when to hold back, when the last attempt was only just made.
    fn too_soon(&mut self, now: Instant) -> Option<Instant> {
        let last = self.last_attempt.filter(|last| now < *last + BREATH)?;
        Some(last + self.pace.wait(Duration::ZERO))
    }

    /// Whether a status means that trying again is pointless. A server that once took us may only be starting up.
    fn is_final(&self, status: u16) -> bool {
        if self.proven { matches!(status, 401 | 403) } else { (400..500).contains(&status) && !is_passing(status) }
    }
}

/// Statuses that say nothing about us: the server or a proxy before it is busy or away.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..)
}
