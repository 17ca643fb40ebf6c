//! Standing in a room: joining, telling it things, leaving; and moving to another one.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::{Duration, Instant};

use livekit_protocol::DisconnectReason;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument as _, info, warn};

use super::{Driver, STATUS};
use crate::call::end::EndReason;
use crate::call::moving::{self, Moving, Outcome, Why};
use crate::call::{CallStatus, Input};
use crate::dispatch::RoomName;
use crate::phone::{CallError, discreet};
use crate::plane::{Command, Side};
use crate::room::{self, Audience, JoinConfig, Kind, Profile};

/// How long the room may take to hear that we leave before the call is forgotten here.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// Requests for the same move that may wait for its end.
const WAITING: usize = 8;

/// A move that is under way.
pub(super) struct Move {
    machine: Moving,
    target: RoomName,
    handle: room::driver::Handle,
    side: Side,
    participant_id: String,
    audience: Audience,
    replies: Vec<oneshot::Sender<Result<(), CallError>>>,
}

impl Driver {
    pub(super) fn join(&mut self, status: CallStatus) -> Option<Input> {
        self.attributes.insert(STATUS.to_owned(), status.as_str().to_owned());
        self.listing.update(|info| info.status = status.as_str());
        let Some(side) = self.media.room_side() else {
            return Some(Input::MediaFault);
        };
        let seat = self.leg.seat();
        let profile = Profile {
            room_preset: seat.room_preset.clone(),
            room_config: seat.room_config.clone(),
            subscribe: false,
            ..self.profile(&self.room_name)
        };
        let config = JoinConfig { server: self.parts.server.clone(), profile };
        self.room = Some(room::driver::join(config, side));
        None
    }

    /// The participant as it stands now, for whatever room.
    fn profile(&self, room: &RoomName) -> Profile {
        let seat = self.leg.seat();
        Profile {
            name: seat.name.clone(),
            metadata: seat.metadata.clone(),
            kind: Kind::Sip,
            attributes: self.attributes.clone(),
            subscribe: self.is_listening,
            reconnect_limit: self.parts.settings.room_reconnect_limit,
            ..Profile::new(room.as_str(), &*seat.identity)
        }
    }

    pub(super) fn listen(&mut self) {
        self.is_listening = true;
        self.tell_rooms(room::Command::Subscribe(true));
    }

    pub(super) fn set_status(&mut self, status: CallStatus) {
        info!(status = status.as_str(), "call status");
        self.listing.update(|info| info.status = status.as_str());
        self.attributes.insert(STATUS.to_owned(), status.as_str().to_owned());
        self.tell_attributes(BTreeMap::from([(STATUS.to_owned(), status.as_str().to_owned())]));
        self.tell_status(status);
    }

    /// The last status, and what there is to say with it.
    pub(super) fn set_hangup(&mut self, mut news: BTreeMap<String, String>) {
        let status = CallStatus::Hangup.as_str();
        info!(
            status,
            reason = news.get("sip.disconnectReason"),
            code = news.get("sip.disconnectStatus"),
            cause = news.get("sip.disconnectCause"),
            "call status"
        );
        self.listing.update(|info| info.status = status);
        news.insert(STATUS.to_owned(), status.to_owned());
        self.attributes.extend(news.clone());
        self.tell_attributes(news);
    }

    pub(super) fn tell_attributes(&mut self, change: BTreeMap<String, String>) {
        self.tell_rooms(room::Command::Attributes(change));
    }

    /// The room that the call stands in, and the one that it is about to stand in.
    fn tell_rooms(&self, command: room::Command) {
        if let Some(moving) = &self.moving {
            give(&moving.handle, command.clone());
        }
        self.tell_room(command);
    }

    pub(super) fn tell_room(&self, command: room::Command) {
        if let Some(room) = &self.room {
            give(room, command);
        }
    }

    pub(super) fn room_input(&mut self, event: Option<room::Event>) -> Option<Input> {
        use room::Event;
        Some(match event {
            None => {
                // It says no more, and there is nothing to leave.
                self.room = None;
                Input::RoomEnded(EndReason::RoomLost)
            }
            Some(Event::Joined(joined)) => {
                self.listing.update(|info| {
                    info.participant_id.clone_from(&joined.participant_sid);
                    info.room.clone_from(&joined.room);
                });
                // The server may move us as well, and then it tells the new name.
                if let Some(name) = RoomName::new(joined.room) {
                    self.room_name = name;
                }
                if !self.call.is_in_room() {
                    self.tell_joined(&joined.participant_sid);
                }
                Input::RoomJoined
            }
            Some(Event::Audience(audience)) => Input::Audience(audience),
            Some(Event::Ended(end)) => Input::RoomEnded(end_of(&end)),
            Some(Event::Attributes(changed)) => {
                self.heed(changed);
                return None;
            }
            // The session logs its stages itself; while the room is looked for, the phone call stays up.
            Some(
                Event::Interrupted
                | Event::Restored(_)
                | Event::Connected
                | Event::Stream { .. }
                | Event::StreamGone { .. }
                | Event::Dtmf { .. }
                | Event::Rpc(_)
                | Event::Data { .. }
                | Event::Publishing(_),
            ) => return None,
        })
    }

    /// Begins to move to another room.
    pub(super) async fn move_to(&mut self, target: RoomName, reply: oneshot::Sender<Result<(), CallError>>) {
        let refused = match &mut self.moving {
            Some(moving) if moving.target == target && moving.replies.len() < WAITING => {
                moving.replies.push(reply);
                return;
            }
            Some(_) => Some(Err(CallError::Busy("moved"))),
            None if !self.call.is_in_room() => Some(Err(CallError::NotActive)),
            None if self.room_name == target => Some(Ok(())),
            None => None,
        };
        if let Some(result) = refused {
            let _ = reply.send(result);
            return;
        }
        let Some(side) = self.media.another_side().await else {
            // It is still about to leave the room before this one.
            let _ = reply.send(Err(CallError::Busy("moved")));
            return;
        };
        info!(to = self.discreet(target.as_str()), "moving to another room");
        let place = side.side();
        let config = JoinConfig { server: self.parts.server.clone(), profile: self.profile(&target) };
        self.moving = Some(Move::new(target, room::driver::join(config, side), place, reply));
    }

    /// Something happened in the room that the call is about to stand in, or time has passed.
    pub(super) async fn moving_on(&mut self, event: Option<Option<room::Event>>) -> Option<Input> {
        let moving = self.moving.as_mut()?;
        match event {
            None => moving.machine.handle_timeout(Instant::now()),
            Some(event) => {
                if let Some(input) = moving.note(event) {
                    moving.machine.handle_input(input);
                }
            }
        }
        match moving.machine.outcome()? {
            Outcome::Moved => self.moved().await,
            Outcome::Stayed(why) => {
                self.stay(why);
                None
            }
        }
    }

    async fn moved(&mut self) -> Option<Input> {
        let side = self.moving.as_ref()?.side;
        if self.media.order(Command::Occupy(side)).await.is_err() {
            return Some(Input::MediaFault);
        }
        let Move { target, handle, participant_id, audience, replies, .. } = self.moving.take()?;
        info!(room = self.discreet(target.as_str()), "moved");
        self.listing.update(|info| {
            info.room = target.as_str().to_owned();
            info.participant_id = participant_id;
        });
        self.room_name = target;
        let old = self.room.replace(handle);
        // Whoever is told may move the call on at once, and for that the line's other side has to be free.
        let told = async move {
            if let Some(old) = old {
                leave(old, DisconnectReason::ClientInitiated).await;
            }
            answer(replies, &Ok(()));
        };
        tokio::spawn(told.in_current_span());
        Some(Input::Audience(audience))
    }

    fn stay(&mut self, why: Why) {
        let Some(Move { handle, target, replies, .. }) = self.moving.take() else { return };
        warn!(to = self.discreet(target.as_str()), ?why, "not moved");
        tokio::spawn(leave(handle, DisconnectReason::ClientInitiated).in_current_span());
        let error = match why {
            Why::Refused => CallError::RoomRefused,
            Why::TimedOut => CallError::RoomUnreachable,
            Why::Cancelled => CallError::Ended,
        };
        answer(replies, &Err(error));
    }

    /// A name for the log, which is not to know whole numbers.
    fn discreet(&self, text: &str) -> String {
        let info = self.leg.info();
        discreet(text, [&info.from, &info.to])
    }

    pub(super) fn next_move_timeout(&self) -> Option<Instant> {
        self.moving.as_ref()?.machine.next_timeout()
    }

    /// Leaves the room, and the one that the call was about to stand in; waits, not for long, until they know.
    pub(super) async fn leave(&mut self, reason: EndReason) {
        if let Some(moving) = &mut self.moving {
            moving.machine.handle_input(moving::Input::Cancelled);
        }
        self.stay(Why::Cancelled);
        if let Some(room) = self.room.take() {
            leave(room, reason.outcome().leave).await;
        }
    }
}

impl Move {
    pub(super) fn new(
        target: RoomName,
        handle: room::driver::Handle,
        side: Side,
        reply: oneshot::Sender<Result<(), CallError>>,
    ) -> Self {
        Self {
            machine: Moving::new(Instant::now()),
            target,
            handle,
            side,
            participant_id: String::new(),
            audience: Audience::default(),
            replies: vec![reply],
        }
    }

    fn note(&mut self, event: Option<room::Event>) -> Option<moving::Input> {
        use room::Event;
        match event {
            None | Some(Event::Ended(_)) => Some(moving::Input::Ended),
            Some(Event::Joined(joined)) => {
                self.participant_id = joined.participant_sid;
                Some(moving::Input::Joined)
            }
            Some(Event::Connected) => Some(moving::Input::Connected),
            Some(Event::Audience(audience)) => {
                self.audience = audience;
                None
            }
            // Of no interest as long as the audio is elsewhere.
            Some(_) => None,
        }
    }
}

fn answer(replies: Vec<oneshot::Sender<Result<(), CallError>>>, result: &Result<(), CallError>) {
    for reply in replies {
        // Whoever asked may have gone.
        let _ = reply.send(result.clone());
    }
}

/// Never waits: a session that hangs must not keep the call from its BYE. One that is over needs no more commands.
fn give(room: &room::driver::Handle, command: room::Command) {
    if let Err(mpsc::error::TrySendError::Full(_)) = room.commands.try_send(command) {
        warn!("the room session does not take its orders");
    }
}

async fn leave(mut room: room::driver::Handle, reason: DisconnectReason) {
    let over = async {
        if room.commands.send(room::Command::Leave(reason)).await.is_ok() {
            while room.events.recv().await.is_some() {}
        }
    };
    if tokio::time::timeout(LEAVE_LIMIT, over).await.is_err() {
        warn!("the room did not take note of our leaving");
    }
}

pub(super) async fn next_event(room: &mut Option<room::driver::Handle>) -> Option<room::Event> {
    match room {
        Some(room) => room.events.recv().await,
        None => pending().await,
    }
}

pub(super) async fn next_move_event(moving: &mut Option<Move>) -> Option<room::Event> {
    match moving {
        Some(moving) => moving.handle.events.recv().await,
        None => pending().await,
    }
}

/// What the end of the room session means for the call.
pub(super) fn end_of(end: &room::End) -> EndReason {
    match end {
        // Not by our wish: we leave after the end of the call. A session leaves by itself when its line is gone.
        room::End::Left => EndReason::MediaFault,
        room::End::Removed => EndReason::ParticipantRemoved,
        room::End::RoomDeleted | room::End::RoomClosed => EndReason::RoomDeleted,
        room::End::DuplicateIdentity => EndReason::DuplicateIdentity,
        room::End::Refused { .. } => EndReason::RoomRefused,
        room::End::ServerShutdown | room::End::Disconnected(_) => EndReason::RoomLost,
        room::End::GaveUp { .. } => EndReason::RoomUnreachable,
    }
}
