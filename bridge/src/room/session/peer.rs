//! What our peer connections say.

use std::time::{Duration, Instant};

use livekit_protocol as proto;
use prost::Message as _;
use proto::data_packet::Value;
use proto::signal_request::Message as Request;

use super::{Described, Next, Session, State, Sync};
use crate::plane::{PeerEvent, PeerState, Role};
use crate::room::request::{self, RELIABLE};
use crate::room::rpc;
use crate::room::{Event, Path};

/// For a connection that stumbled to come back, with new ICE credentials. Then it is made anew.
const RESTART_PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn peer(&mut self, now: Instant, state: State, role: Role, event: PeerEvent) -> State {
        match (state, role, event) {
            (State::Offering { give_up }, Role::Publisher, PeerEvent::Offer(sdp)) => {
                match self.negotiation.offered(now, sdp) {
                    Some(offer) => self.knock(now, Box::new(offer)),
                    None => State::Offering { give_up },
                }
            }
            (State::Offering { give_up }, Role::Publisher, PeerEvent::Failed(why)) => {
                if self.negotiation.failed() {
                    self.wait(now, Next::Open, why)
                } else {
                    State::Offering { give_up }
                }
            }
            // Until the new connection has made its offer, everything is the last word of the one it replaced.
            (state @ State::Offering { .. }, ..) => state,
            (State::Syncing { heartbeat, sync, give_up }, role, PeerEvent::Described { local, remote, channels }) => {
                let described = Described { local, remote, channels };
                match self.described(*sync, role, described) {
                    Complete::Yes(publisher, subscriber) => {
                        self.synced(now, publisher, subscriber);
                        State::Joined { heartbeat }
                    }
                    Complete::No(sync) => State::Syncing { heartbeat, sync: Box::new(sync), give_up },
                }
            }
            // Asked for by a resume that failed.
            (state, _, PeerEvent::Described { .. }) => state,
            (state, Role::Publisher, PeerEvent::Offer(sdp)) => {
                if let Some(offer) = self.negotiation.offered(now, sdp)
                    && let State::Joined { .. } = state
                {
                    self.send(Request::Offer(offer));
                }
                state
            }
            (state, Role::Publisher, PeerEvent::Answered) => {
                self.applied(now);
                state
            }
            (state, Role::Subscriber, PeerEvent::Answer(sdp)) => {
                if let Some(id) = self.accepting.pop_front() {
                    self.send(Request::Answer(request::description("answer", sdp, id)));
                }
                state
            }
            // A publisher is never answered for, a subscriber never offers.
            (state, _, PeerEvent::Offer(_) | PeerEvent::Answer(_) | PeerEvent::Answered) => state,
            (state, role, PeerEvent::State(change)) => self.media(now, state, role, change),
            (state, Role::Publisher, PeerEvent::ChannelOpen(label)) => {
                if label == RELIABLE {
                    self.digits.set_open(true);
                    self.flush_digits();
                }
                state
            }
            // The server's own channels on the subscriber carry data toward us alone.
            (state, Role::Subscriber, PeerEvent::ChannelOpen(_)) => state,
            (state, _, PeerEvent::Data { bytes, .. }) => {
                self.data(now, bytes);
                state
            }
            (state, _, PeerEvent::Track { mid, stream, ssrc }) => {
                self.track(mid, &stream, ssrc);
                state
            }
            (state, role, PeerEvent::Failed(why)) => self.failed(now, state, role, why),
        }
    }

    /// Wants an offer, now or as soon as the one under way is done.
    pub(super) fn offer(&mut self, now: Instant, more_audio: usize, restart_ice: bool) {
        if let Some(order) = self.negotiation.ask(now, more_audio, restart_ice) {
            self.order(Role::Publisher, order);
        }
    }

    /// What is overdue on a connection that is otherwise well.
    pub(super) fn negotiate(&mut self, now: Instant, state: State) -> State {
        if self.media_by.is_some_and(|at| now >= at) {
            return self.rejoin(now, "media did not come up".into());
        }
        match self.negotiation.tick(now) {
            Ok(order) => {
                order.into_iter().for_each(|order| self.order(Role::Publisher, order));
                state
            }
            Err(_) => self.rejoin(now, "an offer was not answered".into()),
        }
    }

    fn described(&self, sync: Sync, role: Role, described: Described) -> Complete {
        let sync = match role {
            Role::Publisher => Sync { publisher: Some(described), ..sync },
            Role::Subscriber => Sync { subscriber: Some(described), ..sync },
        };
        match sync {
            Sync { publisher: Some(publisher), subscriber } if self.path == Path::Single || subscriber.is_some() => {
                Complete::Yes(publisher, subscriber)
            }
            sync => Complete::No(sync),
        }
    }

    fn applied(&mut self, now: Instant) {
        let first = self.negotiation.is_first();
        if let Some(order) = self.negotiation.applied(now) {
            self.order(Role::Publisher, order);
        } else if first && self.path == Path::Single {
            // The server gathers changes for 150 ms before it asks for an offer. An offer now brings the tracks of those
            // who were there before us at once.
            self.offer(now, 0, false);
        }
    }

    fn media(&mut self, now: Instant, state: State, role: Role, change: PeerState) -> State {
        match (state, change) {
            // The new connection is not up before the server has answered: this is about the old one.
            (state @ (State::Joining { .. } | State::Waiting { next: Next::Open | Next::Join(_), .. }), _) => state,
            (state, PeerState::Connected) => {
                self.peers.set_up(role, true);
                if self.peers.is_up() {
                    self.media_by = None;
                }
                state
            }
            (State::Joined { heartbeat }, PeerState::Disconnected) => {
                self.peers.set_up(role, false);
                self.interrupt(now, "media is interrupted".into());
                self.media_by = Some(now + RESTART_PATIENCE);
                // On the subscriber the server restarts.
                if role == Role::Publisher {
                    self.offer(now, 0, true);
                }
                State::Joined { heartbeat }
            }
            // The end of the resume restarts it.
            (state, PeerState::Disconnected) => {
                self.peers.set_up(role, false);
                state
            }
            (State::Joined { .. } | State::Syncing { .. }, PeerState::Failed) => {
                self.rejoin(now, "the peer connection failed".into())
            }
            (State::Resuming { .. }, PeerState::Failed) => self.rejoin(now, "the peer connection failed".into()),
            (State::Waiting { until, next: Next::Resume }, PeerState::Failed) => {
                // The attempt that is due anyway becomes a join.
                self.give_up_participant(now, "the peer connection failed".into());
                State::Waiting { until, next: Next::Open }
            }
            // Closed by ourselves; and nothing is left to fail elsewhere.
            (state, PeerState::Closed | PeerState::Failed) => state,
        }
    }

    fn failed(&mut self, now: Instant, state: State, role: Role, why: String) -> State {
        let fatal = match role {
            Role::Publisher => self.negotiation.failed(),
            Role::Subscriber => !self.accepting.is_empty(),
        };
        match state {
            State::Joined { .. } | State::Syncing { .. } if fatal => self.rejoin(now, why),
            // A candidate or a digit could not be used; or whatever comes next begins anew.
            state => state,
        }
    }

    fn data(&mut self, now: Instant, bytes: bytes::Bytes) {
        // What is no packet of LiveKit's is nothing to us.
        let Ok(packet) = proto::DataPacket::decode(bytes) else { return };
        let from = packet.participant_identity;
        match packet.value {
            Some(Value::SipDtmf(dtmf)) => self.event(Event::Dtmf { from, code: dtmf.code, digits: dtmf.digit }),
            Some(Value::User(user)) => {
                let topic = user.topic.unwrap_or_default();
                self.event(Event::Data { from, topic, payload: user.payload.into() });
            }
            Some(Value::RpcRequest(request)) => self.called(now, &from, request),
            // Chat, transcriptions, streams: not for a phone.
            // Answers of procedures are those of others: we call none.
            _ => {}
        }
    }

    /// The server has written down who calls; one who is not in the room can be no participant. More calls than anybody
    /// makes in earnest stay without a word.
    fn called(&mut self, now: Instant, from: &str, request: proto::RpcRequest) {
        if !self.roster.is_there(from) || !self.rpc.admits(now) {
            return;
        }
        self.digits.queue(rpc::ack(from, &request.id));
        match rpc::read(from, request) {
            Ok(call) => self.event(Event::Rpc(call)),
            Err((id, error)) => self.digits.queue(rpc::response(from, &id, Err(error))),
        }
        self.flush_digits();
    }

    fn track(&mut self, mid: String, stream: &str, ssrc: u32) {
        let (gone, new) = self.streams.appeared(mid, stream, ssrc, &self.roster);
        self.forget(gone);
        if let Some(identity) = new {
            self.event(Event::Stream { ssrc, identity });
            self.changed = true;
        }
    }
}

enum Complete {
    Yes(Described, Option<Described>),
    No(Sync),
}
