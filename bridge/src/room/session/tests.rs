//! The session on virtual time, with a scripted server and a peer connection that does what it is told at once.

mod join;
mod loss;
mod room;
mod storm;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

use super::Session;
use crate::plane::{PeerCommand, PeerEvent, PeerState, Role};
use crate::room::{Action, Command, Connect, Event, Input, Profile, Refusal, SignalEvent, Token};

pub(super) const ME: &str = "sip_+15550199";

/// A session, its clock, and all that it did since last looked at.
struct Rig {
    session: Session,
    start: Instant,
    now: Instant,
    /// What it did, in words, with the millisecond.
    done: Vec<(u128, String)>,
    connects: Vec<Connect>,
    requests: Vec<Request>,
    events: Vec<Event>,
    /// The peer connection carries out its orders at once.
    obliging: bool,
}

impl Rig {
    fn new(profile: Profile) -> Self {
        Self::at(profile, false)
    }

    fn at(profile: Profile, cloud: bool) -> Self {
        let start = Instant::now();
        let session = Session::new(start, profile, cloud, 42);
        let mut rig = Self {
            session,
            start,
            now: start,
            done: vec![],
            connects: vec![],
            requests: vec![],
            events: vec![],
            obliging: true,
        };
        rig.drain();
        rig
    }

    /// In the room by one connection, media up, nothing left to look at.
    fn joined() -> Self {
        Self::joined_as(profile())
    }

    fn joined_as(profile: Profile) -> Self {
        let mut rig = Self::new(profile);
        rig.get_in("PA_1");
        assert!(rig.events.contains(&Event::Connected), "{:?}", rig.events);
        rig.clear();
        rig
    }

    /// The server takes a join, and media comes up.
    fn get_in(&mut self, sid: &str) {
        self.say(join(sid, vec![]));
        self.say(published("TR_me"));
        self.say(Response::RefreshToken(format!("token of {sid}")));
        self.answer(1, &[]);
        self.answer(2, &[]);
        self.peer(PeerEvent::State(PeerState::Connected));
        self.peer(PeerEvent::ChannelOpen("_reliable".into()));
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(self.now, input);
        self.drain();
    }

    fn say(&mut self, message: Response) {
        self.input(Input::Signal(SignalEvent::Message(Box::new(message))));
    }

    fn refuse(&mut self, why: Refusal) {
        self.input(Input::Signal(SignalEvent::Refused(why)));
    }

    fn refuse_lost(&mut self) {
        self.refuse(Refusal::Lost("connection refused".into()));
    }

    fn lose(&mut self) {
        self.input(Input::Signal(SignalEvent::Lost("reset".into())));
    }

    fn peer(&mut self, event: PeerEvent) {
        self.input(Input::Peer(Role::Publisher, event));
    }

    fn subscriber(&mut self, event: PeerEvent) {
        self.input(Input::Peer(Role::Subscriber, event));
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn answer(&mut self, id: u32, mids: &[(&str, &str)]) {
        let mids = mids.iter().map(|(mid, track)| ((*mid).into(), (*track).into())).collect();
        let sdp = "answer".into();
        self.say(Response::Answer(proto::SessionDescription { id, sdp, mid_to_track_id: mids, ..Default::default() }));
    }

    /// Lets time pass, from timeout to timeout.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        while let Some(at) = self.session.next_timeout().filter(|at| *at <= until) {
            wakes += 1;
            assert!(wakes < 10_000, "the clock stands still");
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    /// To the next timeout.
    fn wake(&mut self) {
        let at = self.session.next_timeout().expect("the session waits for something");
        self.pass(at.saturating_duration_since(self.now));
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.poll_output() {
            let reply = self.reply(&action);
            self.done.push(((self.now - self.start).as_millis(), word(&action)));
            match action {
                Action::Connect(connect) => self.connects.push(*connect),
                Action::Send(request) => self.requests.push(*request),
                Action::Event(event) => self.events.push(event),
                _ => {}
            }
            if let Some((role, event)) = reply {
                self.session.handle_input(self.now, Input::Peer(role, event));
            }
        }
    }

    fn reply(&self, action: &Action) -> Option<(Role, PeerEvent)> {
        let Action::Peer(role, command) = action else { return None };
        let event = match command {
            PeerCommand::Offer { .. } => PeerEvent::Offer("offer".into()),
            PeerCommand::SetAnswer(_) => PeerEvent::Answered,
            PeerCommand::Accept(_) => PeerEvent::Answer("answer".into()),
            PeerCommand::Describe => PeerEvent::Described {
                local: Some(format!("local {role:?}")),
                remote: Some(format!("remote {role:?}")),
                channels: vec![("_reliable".into(), 1)],
            },
            _ => return None,
        };
        self.obliging.then_some((*role, event))
    }

    /// What was done since last asked, without the time.
    fn words(&mut self) -> Vec<String> {
        self.connects.clear();
        self.requests.clear();
        self.events.clear();
        self.done.drain(..).map(|(_, word)| word).collect()
    }

    fn clear(&mut self) {
        self.words();
    }

    /// Whether something was done, in those words.
    fn did(&self, word: &str) -> bool {
        self.done.iter().any(|(_, done)| done == word)
    }

    fn count(&self, word: &str) -> usize {
        self.done.iter().filter(|(_, done)| done == word).count()
    }

    fn is_ended(&self) -> bool {
        matches!(self.events.last(), Some(Event::Ended(_)))
    }
}

/// One action in a few words.
fn word(action: &Action) -> String {
    match action {
        Action::Connect(connect) if connect.request.reconnect => {
            format!("connect {:?} resume {}", connect.path, connect.request.participant_sid)
        }
        Action::Connect(connect) => format!("connect {:?} join", connect.path),
        Action::Disconnect => "disconnect".into(),
        Action::Send(request) => match &**request {
            Request::Offer(offer) => format!("send offer {}", offer.id),
            Request::Answer(answer) => format!("send answer {}", answer.id),
            Request::AddTrack(_) => "send track".into(),
            Request::Subscription(update) => {
                format!("send {}subscribe {}", if update.subscribe { "" } else { "un" }, update.track_sids.join(" "))
            }
            Request::UpdateMetadata(_) => "send attributes".into(),
            Request::SyncState(_) => "send sync".into(),
            Request::Leave(leave) => format!("send leave {}", leave.reason().as_str_name()),
            Request::PingReq(_) => "send ping".into(),
            other => format!("send {other:?}"),
        },
        Action::Peer(role, command) => match command {
            PeerCommand::Open(config) => format!("{role:?} open {}", config.receive_audio),
            PeerCommand::Offer { more_audio, restart_ice } => {
                format!("{role:?} offer +{more_audio}{}", if *restart_ice { " restart" } else { "" })
            }
            PeerCommand::SetAnswer(_) => format!("{role:?} set answer"),
            PeerCommand::Accept(_) => format!("{role:?} accept"),
            PeerCommand::Candidate(candidate) => format!("{role:?} candidate {candidate}"),
            PeerCommand::Data { .. } => format!("{role:?} data"),
            PeerCommand::Describe => format!("{role:?} describe"),
            PeerCommand::Close => format!("{role:?} close"),
        },
        Action::Publish(open) => format!("publish {open}"),
        Action::Forget { ssrc } => format!("forget {ssrc}"),
        Action::FindRegions => "find regions".into(),
        Action::Event(Event::Joined(joined)) => format!("joined {}", joined.participant_sid),
        Action::Event(Event::Audience(audience)) => {
            format!("audience {}, heard {}", audience.participants, audience.heard)
        }
        Action::Event(event) => format!("{event:?}"),
    }
}

fn profile() -> Profile {
    Profile { attributes: BTreeMap::from([("sip.callStatus".into(), "ringing".into())]), ..Profile::new("room", ME) }
}

fn join(sid: &str, others: Vec<proto::ParticipantInfo>) -> Response {
    Response::Join(proto::JoinResponse {
        room: Some(proto::Room { sid: "RM_1".into(), name: "room".into(), ..Default::default() }),
        participant: Some(me(sid, true)),
        other_participants: others,
        ping_interval: 5,
        ping_timeout: 15,
        ..Default::default()
    })
}

fn me(sid: &str, can_publish: bool) -> proto::ParticipantInfo {
    let permission =
        proto::ParticipantPermission { can_publish, can_subscribe: true, can_publish_data: true, ..Default::default() };
    proto::ParticipantInfo { permission: Some(permission), ..somebody(sid, ME, &[]) }
}

/// Track ids that begin with `TR_v` are video.
fn somebody(sid: &str, identity: &str, tracks: &[&str]) -> proto::ParticipantInfo {
    let track = |sid: &&str| {
        let kind = if sid.starts_with("TR_v") { proto::TrackType::Video } else { proto::TrackType::Audio };
        proto::TrackInfo { sid: (*sid).into(), r#type: kind as i32, ..Default::default() }
    };
    proto::ParticipantInfo {
        sid: sid.into(),
        identity: identity.into(),
        state: proto::participant_info::State::Active as i32,
        tracks: tracks.iter().map(track).collect(),
        ..Default::default()
    }
}

fn update(participants: &[proto::ParticipantInfo]) -> Response {
    Response::Update(proto::ParticipantUpdate { participants: participants.to_vec() })
}

fn published(sid: &str) -> Response {
    let track = proto::TrackInfo { sid: sid.into(), ..Default::default() };
    Response::TrackPublished(proto::TrackPublishedResponse { cid: "phone-audio".into(), track: Some(track) })
}

fn sections(num_audios: u32, num_videos: u32) -> Response {
    Response::MediaSectionsRequirement(proto::MediaSectionsRequirement { num_audios, num_videos })
}

fn farewell(reason: proto::DisconnectReason, action: proto::leave_request::Action) -> Response {
    Response::Leave(proto::LeaveRequest { reason: reason as i32, action: action as i32, ..Default::default() })
}

fn track(mid: &str, stream: &str, ssrc: u32) -> PeerEvent {
    PeerEvent::Track { mid: mid.into(), stream: stream.into(), ssrc }
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn told(request: &Request) -> HashMap<String, String> {
    match request {
        Request::UpdateMetadata(update) => update.attributes.clone(),
        other => panic!("{other:?}"),
    }
}

fn fresh(connect: &Connect) -> (&BTreeMap<String, String>, bool) {
    match &connect.token {
        Token::Fresh { attributes, rights, .. } => (attributes, rights.publish),
        Token::Given(_) => panic!("not a join"),
    }
}
