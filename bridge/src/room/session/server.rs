//! What the server says once we are in the room.

use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

use super::{Session, State};
use crate::plane::{PeerCommand, PeerConfig, Role};
use crate::room::heartbeat::Heartbeat;
use crate::room::{End, Event, Joined, Path, request};

/// For ICE and DTLS to come up, or to come back.
const MEDIA_PATIENCE: Duration = Duration::from_secs(10);
/// For a track that the server dropped to be explained, or published again.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(1);
/// A token that could not travel in a header is not kept.
const MAX_TOKEN: usize = 64 * 1024;
/// Offers of the server that may wait for the subscriber; it sends one at a time.
const MAX_ACCEPTING: usize = 16;

impl Session {
    pub(super) fn joined(
        &mut self,
        now: Instant,
        offer: &proto::SessionDescription,
        join: proto::JoinResponse,
    ) -> State {
        self.proven = true;
        self.ours.published = None;
        self.ours.pings = (join.ping_interval, join.ping_timeout);
        self.media_by = Some(now + MEDIA_PATIENCE);
        self.negotiation.sent(now);
        if self.path == Path::Dual {
            self.order(Role::Subscriber, PeerCommand::Open(PeerConfig::default()));
            if self.ours.may.publish {
                self.send(Request::AddTrack(request::our_track(&self.profile.identity, self.ours.muted, self.path)));
            }
            self.send(Request::Offer(offer.clone()));
        }
        self.seated(join.room, join.participant, &join.other_participants);
        self.publish();
        self.tell_attributes();
        State::Joined { heartbeat: Heartbeat::new(now, join.ping_interval, join.ping_timeout) }
    }

    pub(super) fn told(&mut self, now: Instant, mut state: State, message: Response) -> State {
        match message {
            Response::Answer(answer) => self.answered(now, answer),
            Response::Offer(offer) => self.accept(offer),
            Response::Trickle(trickle) => self.candidate(trickle),
            Response::Update(update) => return self.participants(now, state, &update.participants),
            Response::TrackPublished(published) if published.cid == request::CID => {
                self.ours.published = published.track;
                self.media_expected();
            }
            Response::TrackUnpublished(gone) => self.unpublished(now, &gone.track_sid),
            Response::Mute(mute) => {
                self.ours.set_muted(&mute.sid, mute.muted);
                self.publish();
            }
            Response::MediaSectionsRequirement(more) => self.sections_wanted(now, more),
            // Allowed again: the server has dropped the subscription, and asking once more does no harm.
            Response::SubscriptionPermissionUpdate(update) if update.allowed => {
                self.roster.forget_subscription(&update.track_sid);
                self.changed = true;
            }
            Response::RefreshToken(token) if token.len() <= MAX_TOKEN => self.ours.token = token,
            Response::RoomMoved(moved) => {
                self.ours.token = moved.token;
                self.seated(moved.room, moved.participant, &moved.other_participants);
            }
            Response::Leave(leave) => return self.dismissed(now, leave),
            Response::PongResp(pong) => {
                if let State::Joined { heartbeat } | State::Syncing { heartbeat, .. } = &mut state {
                    heartbeat.pong(now, &pong);
                    self.round_trip = heartbeat.round_trip();
                }
            }
            // Speakers, qualities, room metadata, acknowledgements, video: nothing for a phone.
            _ => {}
        }
        state
    }

    /// The server shows us out, or the way to another.
    pub(super) fn dismissed(&mut self, now: Instant, leave: proto::LeaveRequest) -> State {
        use proto::DisconnectReason as Reason;
        use proto::leave_request::Action;
        let (reason, action) = (leave.reason(), leave.action());
        if action != Action::Resume {
            let regions = leave.regions.into_iter().flat_map(|settings| settings.regions);
            self.regions.found(regions.map(|region| region.url));
        }
        let why = format!("the server said {}", reason.as_str_name());
        match (action, reason) {
            (Action::Resume, _) => self.resume(now, why),
            // The server knows nothing of the participant that we want to continue, but it is there.
            (Action::Reconnect, Reason::StateMismatch) => self.rejoin_at_once(now, why),
            // A server that goes down says farewell to everybody; the phone call outlives it.
            (_, Reason::ServerShutdown) => {
                self.interrupt(now, why.clone()).shutdown = true;
                self.rejoin(now, why)
            }
            (Action::Reconnect, _) => self.rejoin(now, why),
            // Servers before protocol 13 have no action.
            (Action::Disconnect, _) if leave.can_reconnect => self.rejoin(now, why),
            // Faults, not decisions: nobody wanted us to go.
            (
                Action::Disconnect,
                Reason::StateMismatch
                | Reason::JoinFailure
                | Reason::Migration
                | Reason::SignalClose
                | Reason::ConnectionTimeout
                | Reason::MediaFailure,
            ) => self.rejoin(now, why),
            (Action::Disconnect, Reason::ParticipantRemoved) => self.end(End::Removed),
            (Action::Disconnect, Reason::RoomDeleted) => self.end(End::RoomDeleted),
            (Action::Disconnect, Reason::RoomClosed) => self.end(End::RoomClosed),
            (Action::Disconnect, Reason::DuplicateIdentity) => self.end(End::DuplicateIdentity),
            (Action::Disconnect, reason) => self.end(End::Disconnected(reason)),
        }
    }

    /// We have a place in a room.
    fn seated(
        &mut self,
        room: Option<proto::Room>,
        ours: Option<proto::ParticipantInfo>,
        others: &[proto::ParticipantInfo],
    ) {
        let (room, ours) = (room.unwrap_or_default(), ours.unwrap_or_default());
        if !room.name.is_empty() {
            self.ours.room = room.name;
        }
        self.ours.update(&ours);
        self.ours.sid = ours.sid;
        let others: Vec<_> = others.iter().filter(|other| other.identity != self.profile.identity).cloned().collect();
        self.roster.reset(&others);
        self.changed = true;
        self.event(Event::Joined(Joined {
            room: self.ours.room.clone(),
            room_sid: room.sid,
            participant_sid: self.ours.sid.clone(),
            others: self.roster.len(),
        }));
    }

    fn participants(&mut self, now: Instant, state: State, updates: &[proto::ParticipantInfo]) -> State {
        let mut publish_again = false;
        for info in updates {
            if info.identity != self.profile.identity {
                self.roster.update(info);
            } else if info.sid == self.ours.sid {
                let changed = self.attributes.learn(&info.attributes);
                if !changed.is_empty() {
                    self.event(Event::Attributes(changed));
                }
                let turned = self.ours.update(info);
                if turned.subscribe_again {
                    self.roster.forget_subscriptions();
                }
                publish_again |= turned.publish_again;
            }
            // The same identity under another id is what we were before a rejoin.
        }
        self.changed = true;
        self.publish();
        self.media_expected();
        if publish_again {
            // Section and source of the track that was taken away stay dead; a new participant costs five milliseconds.
            return self.rejoin(now, "permission to publish is back".into());
        }
        state
    }

    /// The server has dropped our track. With our permission that is said in a moment; without, we come again.
    fn unpublished(&mut self, now: Instant, track: &str) {
        if self.ours.published.take_if(|published| published.sid == track).is_some() {
            self.media_by = Some(now + PUBLISH_PATIENCE);
        }
    }

    /// Nothing is overdue when media is up and our track is there, or need not be.
    fn media_expected(&mut self) {
        if self.peers.is_up() && (self.ours.published.is_some() || !self.ours.may.publish) {
            self.media_by = None;
        }
    }

    fn answered(&mut self, now: Instant, answer: proto::SessionDescription) {
        if !self.negotiation.answered(now, answer.id) {
            return;
        }
        if self.path == Path::Single {
            let gone = self.streams.set_sections(answer.mid_to_track_id);
            self.forget(gone);
        }
        self.order(Role::Publisher, PeerCommand::SetAnswer(answer.sdp));
        self.candidates(Role::Publisher);
    }

    fn accept(&mut self, offer: proto::SessionDescription) {
        // On a single connection all offers are ours.
        if self.path == Path::Single || self.accepting.len() >= MAX_ACCEPTING {
            return;
        }
        self.accepting.push_back(offer.id);
        self.order(Role::Subscriber, PeerCommand::Accept(offer.sdp));
        self.candidates(Role::Subscriber);
    }

    fn candidate(&mut self, trickle: proto::TrickleRequest) {
        let role = match (trickle.target(), self.path) {
            (proto::SignalTarget::Subscriber, Path::Dual) => Role::Subscriber,
            _ => Role::Publisher,
        };
        if let Some(candidate) = self.peers.candidate(role, trickle.candidate_init) {
            self.order(role, PeerCommand::Candidate(candidate));
        }
    }

    fn candidates(&mut self, role: Role) {
        for candidate in self.peers.described(role) {
            self.order(role, PeerCommand::Candidate(candidate));
        }
    }

    /// Nothing more to receive on means: offer again, something on the present sections changes. What is not offered is
    /// asked for again at once, so a section for video, which we will never have, is not answered at all.
    fn sections_wanted(&mut self, now: Instant, more: proto::MediaSectionsRequirement) {
        if self.path == Path::Single && (more.num_videos == 0 || more.num_audios > 0) {
            self.offer(now, usize::try_from(more.num_audios).unwrap_or(usize::MAX), false);
        }
    }
}
