//! Performs what a [`Call`] decides: one task a call, between the SIP endpoint, the room session and the line.
//!
//! ```text
//! sip::Event ──┐                       ┌──► sip::Command
//! room::Event ─┼─► Input ─► Call ─► Action ─► room::Command
//! LineEvent ───┘                       └──► plane::Command
//! ```

mod media;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::{CallHandle, HeaderName, Status, Tag};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use self::media::Media;
use super::end::EndReason;
use super::{Action, Call, CallStatus, Input, Key, Limits, Offer};
use crate::dispatch::{Answer, Seat};
use crate::metrics::Metrics;
use crate::plane::{self, LineEvent, Plane};
use crate::room::{self, JoinConfig, Kind, Profile};

/// How long the room may take to hear that we leave before the call is forgotten here.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// Seconds after which a carrier may try again what failed for want of a room or of ports.
const RETRY_AFTER: &str = "10";

/// What every call needs of the gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The SIP endpoint.
    pub sip: sip::net::Handle,
    /// The media plane.
    pub plane: Plane,
    /// The LiveKit server.
    pub server: room::Server,
    /// What the configuration says about calls.
    pub settings: Arc<Settings>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What the configuration says about calls.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When callers are answered where their rule says nothing.
    pub answer: Answer,
    /// How often 180 is repeated.
    pub ringing_interval: Duration,
    /// How long a room may be lost before the call ends.
    pub room_reconnect_limit: Duration,
    /// Codecs that are enabled, the best first.
    pub codecs: Vec<::media::sdp::Codec>,
    /// Whether media may go to and come from this machine itself.
    pub allow_loopback: bool,
    /// How a caller's address is told from a stranger's.
    pub source: ::media::source::Mode,
    /// No RTP since the answer.
    pub media_timeout_initial: Duration,
    /// RTP that has stopped.
    pub media_timeout: Duration,
    /// Opus toward the room, in bits a second.
    pub opus_bitrate: u32,
    /// Listeners of ours that media must not be aimed at.
    pub own: Vec<std::net::SocketAddr>,
}

/// An INVITE that a trunk and a rule have taken.
#[derive(Debug)]
pub struct Inbound {
    /// Its handle at the endpoint.
    pub call: CallHandle,
    /// Our id of it, and our tag in its dialog.
    pub id: String,
    /// The offer; empty when the caller wants ours.
    pub offer: bytes::Bytes,
    /// Where the packet came from.
    pub peer: std::net::IpAddr,
    /// The address family of the caller.
    pub family: plane::Family,
    /// Where the caller stands.
    pub seat: Seat,
}

/// What the gateway asks of all its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// Nothing.
    #[default]
    Run,
    /// End now.
    End,
}

/// Runs a call to its end.
pub async fn run(
    parts: Parts,
    inbound: Inbound,
    sip_events: mpsc::Receiver<sip::Event>,
    stop: watch::Receiver<Stop>,
) -> EndReason {
    let limits = Limits {
        answer: inbound.seat.answer.unwrap_or(parts.settings.answer),
        ringing: inbound.seat.ringing_timeout,
        ringing_interval: parts.settings.ringing_interval,
        duration: inbound.seat.max_call_duration,
    };
    let media = Media::new(&parts, &inbound);
    let attributes = inbound.seat.attributes.clone();
    let mut driver =
        Driver { call: Call::inbound(limits), parts, inbound, attributes, media, room: None, sip_events, stop };
    let started = Instant::now();
    let reason = driver.run().await;
    driver.leave(reason).await;
    let outcome = reason.outcome();
    tracing::Span::current().record("end", outcome.label);
    let seconds = started.elapsed().as_secs_f64();
    let summary = driver.media.summary();
    if outcome.is_fault {
        warn!(reason = outcome.label, seconds, %summary, "call ended");
    } else {
        info!(reason = outcome.label, seconds, %summary, "call ended");
    }
    reason
}

struct Driver {
    call: Call,
    parts: Parts,
    inbound: Inbound,
    attributes: BTreeMap<String, String>,
    media: Media,
    room: Option<room::driver::Handle>,
    sip_events: mpsc::Receiver<sip::Event>,
    stop: watch::Receiver<Stop>,
}

impl Driver {
    async fn run(&mut self) -> EndReason {
        loop {
            while let Some(action) = self.call.poll_action() {
                debug!(?action, "action");
                if let Action::Finished(reason) = action {
                    return reason;
                }
                if let Some(input) = self.perform(action).await {
                    self.take(input);
                }
            }
            let deadline = self.call.next_timeout();
            let woken = tokio::select! {
                event = self.sip_events.recv() => Woken::Sip(event),
                event = next_room_event(&mut self.room) => Woken::Room(event),
                event = self.media.next_event() => Woken::Line(event),
                _ = self.stop.wait_for(|stop| *stop == Stop::End) => Woken::Stop,
                () = wake_at(deadline) => Woken::Clock,
            };
            let input = match woken {
                Woken::Sip(event) => self.sip_input(event),
                Woken::Room(event) => from_room(event),
                Woken::Line(event) => from_line(event.as_ref()),
                Woken::Stop => Some(Input::Hangup(EndReason::Shutdown)),
                Woken::Clock => {
                    self.call.handle_timeout(Instant::now());
                    None
                }
            };
            if let Some(input) = input {
                self.take(input);
            }
        }
    }

    fn take(&mut self, input: Input) {
        debug!(?input, "input");
        self.call.handle_input(Instant::now(), input);
    }

    fn sip_input(&mut self, event: Option<sip::Event>) -> Option<Input> {
        use sip::Event;
        Some(match event {
            None => Input::Hangup(EndReason::GatewayFault), // The endpoint is gone.
            Some(Event::Acked { body, .. }) => match self.media.acknowledged(&body) {
                Ok(()) => Input::Acknowledged,
                Err(reason) => Input::MediaRefused(reason),
            },
            Some(Event::Ended { request, .. }) => {
                if let Some(reason) = request.headers.get(&HeaderName::Reason) {
                    debug!(reason = clipped(reason), "the caller's side said why it hung up");
                }
                Input::RemoteHangup
            }
            Some(Event::Cancelled { .. }) => Input::RemoteCancel,
            Some(Event::AckMissing { .. }) => Input::AckMissing,
            Some(Event::Reinvite { request, .. }) => Input::Reoffered(Offer(request.body)),
            Some(Event::Failed { why, .. }) => {
                debug!(%why, "the call has broken down");
                Input::RemoteRefused(EndReason::CarrierUnreachable)
            }
            Some(Event::HungUp { .. }) => Input::RemoteHangup,
            Some(
                Event::Incoming { .. }
                | Event::ReinviteCancelled { .. }
                | Event::Progress { .. }
                | Event::Answered { .. }
                | Event::Rejected { .. }
                | Event::ReinviteAnswered { .. }
                | Event::ReinviteRejected { .. }
                | Event::ReferAnswered { .. }
                | Event::Notified { .. }
                | Event::Referred { .. },
            ) => return None,
        })
    }

    /// Does one thing; what comes of it at once is the next input.
    async fn perform(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::PrepareMedia => return Some(self.prepare().await),
            Action::JoinRoom(status) => return self.join(status),
            Action::Listen => self.tell_room(room::Command::Subscribe(true)),
            Action::Ring => self.progress(Status::RINGING).await,
            Action::Answer => {
                let (headers, body) = (self.headers(), self.media.description());
                self.send(sip::Command::Answer { call: self.inbound.call, headers, body }).await;
            }
            Action::StartMedia => return self.media.start().await.err().map(|_| Input::MediaFault),
            Action::SetStatus(status) => self.set_status(status),
            Action::Renegotiate(Offer(offer)) => self.renegotiate(&offer).await,
            Action::RefuseReoffer(status) => self.refuse_reoffer(status).await,
            Action::PublishDigit(Key(digit)) => self.tell_room(room::Command::Dtmf(digit)),
            Action::Refuse(reason) => {
                let status = self.refusal_status(reason);
                let mut headers = self.parting_headers(reason);
                if status == Status::SERVICE_UNAVAILABLE {
                    headers.push((HeaderName::RetryAfter, RETRY_AFTER.to_owned()));
                }
                self.send(sip::Command::Reject { call: self.inbound.call, status, reason: None, headers }).await;
            }
            Action::Hangup(reason) => {
                let headers = self.parting_headers(reason);
                self.send(sip::Command::Hangup { call: self.inbound.call, headers }).await;
            }
            Action::Release => self.media.close().await,
            Action::Dial | Action::Finished(_) => {} // Calls are not placed in this version; the end is the loop's.
        }
        None
    }

    async fn prepare(&mut self) -> Input {
        let local_tag = Some(Tag::new(self.inbound.id.as_str()));
        self.send(sip::Command::Trying { call: self.inbound.call, local_tag }).await;
        match self.media.prepare(&self.parts.plane) {
            Ok(()) => Input::MediaReady,
            Err(reason) => Input::MediaRefused(reason),
        }
    }

    fn join(&mut self, status: CallStatus) -> Option<Input> {
        self.attributes.insert(STATUS.to_owned(), status.as_str().to_owned());
        let seat = &self.inbound.seat;
        let profile = Profile {
            room_preset: seat.room_preset.clone(),
            room_config: seat.room_config.clone(),
            name: seat.name.clone(),
            metadata: seat.metadata.clone(),
            kind: Kind::Sip,
            attributes: self.attributes.clone(),
            subscribe: false,
            reconnect_limit: self.parts.settings.room_reconnect_limit,
            ..Profile::new(seat.room.as_str(), &*seat.identity)
        };
        let Some((line, peer_events)) = self.media.room_side() else {
            return Some(Input::MediaFault);
        };
        let config = JoinConfig { server: self.parts.server.clone(), profile };
        self.room = Some(room::driver::join(config, line, peer_events));
        None
    }

    async fn progress(&self, status: Status) {
        let (call, headers, body) = (self.inbound.call, Vec::new(), bytes::Bytes::new());
        self.send(sip::Command::Progress { call, status, headers, body }).await;
    }

    fn set_status(&mut self, status: CallStatus) {
        info!(status = status.as_str(), "call status");
        self.attributes.insert(STATUS.to_owned(), status.as_str().to_owned());
        let change = BTreeMap::from([(STATUS.to_owned(), status.as_str().to_owned())]);
        self.tell_room(room::Command::Attributes(change));
    }

    async fn renegotiate(&mut self, offer: &[u8]) {
        match self.media.renegotiate(offer).await {
            Ok(body) => {
                let command = sip::Command::AnswerReinvite { call: self.inbound.call, headers: Vec::new(), body };
                self.send(command).await;
            }
            Err(reason) => self.refuse_reoffer(reason.outcome().status).await,
        }
    }

    async fn refuse_reoffer(&self, status: Status) {
        let command = sip::Command::RejectReinvite { call: self.inbound.call, status, headers: Vec::new() };
        self.send(command).await;
    }

    /// The status of a refusal; the trunk may have one of its own for callers whom nobody answers.
    fn refusal_status(&self, reason: EndReason) -> Status {
        let own = match reason {
            EndReason::RingingTimeout => self.inbound.seat.ringing_timeout_status.and_then(Status::new),
            _ => None,
        };
        own.unwrap_or(reason.outcome().status)
    }

    /// The headers of our 200: those of the trunk, and attributes of the caller.
    fn headers(&self) -> Vec<(HeaderName, String)> {
        let fixed = self.inbound.seat.headers.iter();
        let fixed = fixed.filter_map(|(header, value)| Some((HeaderName::parse(header)?, value.clone())));
        fixed.chain(self.mapped_headers()).collect()
    }

    /// Attributes of the caller that become headers.
    fn mapped_headers(&self) -> impl Iterator<Item = (HeaderName, String)> {
        let mapped = self.inbound.seat.attributes_to_headers.iter();
        mapped.filter_map(|(attribute, header)| {
            Some((HeaderName::parse(header)?, self.attributes.get(attribute)?.clone()))
        })
    }

    /// What a BYE or a refusal says beside its status: above all, why.
    fn parting_headers(&self, reason: EndReason) -> Vec<(HeaderName, String)> {
        self.mapped_headers().chain([(HeaderName::Reason, reason.outcome().header())]).collect()
    }

    async fn send(&self, command: sip::Command) {
        if self.parts.sip.send(command).await.is_err() {
            debug!("the endpoint is gone");
        }
    }

    /// Never waits: a session that hangs must not keep the call from its BYE. One that is over needs no more commands.
    fn tell_room(&self, command: room::Command) {
        let Some(room) = &self.room else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = room.commands.try_send(command) {
            warn!("the room session does not take its orders");
        }
    }

    /// Leaves the room and waits, not for long, until it knows.
    async fn leave(&mut self, reason: EndReason) {
        let Some(mut room) = self.room.take() else { return };
        let leave = room::Command::Leave(reason.outcome().leave);
        let over = async {
            if room.commands.send(leave).await.is_ok() {
                while room.events.recv().await.is_some() {}
            }
        };
        if tokio::time::timeout(LEAVE_LIMIT, over).await.is_err() {
            warn!("the room did not take note of our leaving");
        }
    }
}

const STATUS: &str = "sip.callStatus";

/// What the task of a call waits for.
enum Woken {
    Sip(Option<sip::Event>),
    Room(Option<room::Event>),
    Line(Option<LineEvent>),
    Stop,
    Clock,
}

async fn next_room_event(room: &mut Option<room::driver::Handle>) -> Option<room::Event> {
    match room {
        Some(room) => room.events.recv().await,
        None => pending().await,
    }
}

async fn wake_at(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => pending().await,
    }
}

fn from_room(event: Option<room::Event>) -> Option<Input> {
    use room::Event;
    Some(match event {
        None => Input::RoomEnded(EndReason::RoomLost),
        Some(Event::Joined(_)) => Input::RoomJoined,
        Some(Event::Audience(audience)) => Input::Audience(audience),
        Some(Event::Ended(end)) => Input::RoomEnded(end_of(&end)),
        // The session logs its stages itself; while the room is looked for, the phone call stays up.
        Some(
            Event::Interrupted
            | Event::Restored(_)
            | Event::Connected
            | Event::Stream { .. }
            | Event::StreamGone { .. }
            | Event::Dtmf { .. }
            | Event::Data { .. }
            | Event::Publishing(_),
        ) => return None,
    })
}

fn from_line(event: Option<&LineEvent>) -> Option<Input> {
    match event {
        None | Some(LineEvent::Panicked) => Some(Input::MediaFault),
        Some(LineEvent::Digit(digit)) => Some(Input::Digit(Key(*digit))),
        Some(LineEvent::MediaTimeout) => Some(Input::MediaTimeout),
        Some(_) => None,
    }
}

/// As much of a foreign text as a log line should hold.
pub(crate) fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(128)]
}

/// What the end of the room session means for the call.
fn end_of(end: &room::End) -> EndReason {
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

#[cfg(test)]
pub(crate) mod tests;
