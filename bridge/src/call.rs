//! One call, inbound or outbound, from INVITE to its end.
//!
//! Everything that happens to a call is an [`Input`], everything it does is an [`Action`]; the log of a call is these
//! two lists. Inbound and outbound are two starting states of one machine.
//!
//! ```text
//! inbound:  Preparing ──► Joining ──► Ringing ──► Answering ──► Active ──► Ended
//!           offer read    in the      180 goes    200 sent,     both
//!           on paper      room        out         ACK awaited   hear
//!
//! outbound: Preparing ──► Joining ──► Dialling ────────────────► Active ──► Ended
//!                                     INVITE, 1xx                2xx
//! ```
//!
//! Every state leaves through `Call::end`, and [`end::EndReason`] says what an end means.

pub mod driver;
pub mod end;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::Status;

use crate::dispatch::Answer;
use crate::room::Audience;
use end::EndReason;

/// How long the room may take to let the participant in before the carrier is sent elsewhere.
const JOIN_LIMIT: Duration = Duration::from_secs(10);

/// What a call may do, from trunk, rule and configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When an inbound call is answered.
    pub answer: Answer,
    /// How long it may ring.
    pub ringing: Duration,
    /// How often a 180 is repeated; carriers take its silence for a dead gateway (RFC 3261 §13.3.1.1 asks for a minute).
    pub ringing_interval: Duration,
    /// How long it may last, from the answer.
    pub duration: Duration,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input {
    /// Ports are reserved and the offer has an answer (inbound), or our offer is made (outbound).
    MediaReady,
    /// There is nothing to offer or to answer with, or the answer to our offer is none.
    MediaRefused(EndReason),
    /// The participant is in the room.
    RoomJoined,
    /// Who else is there changed.
    Audience(Audience),
    /// The participant is out of the room for good.
    RoomEnded(EndReason),
    /// 1xx to our INVITE.
    RemoteRinging,
    /// 2xx to our INVITE; the stack has acknowledged it.
    RemoteAnswered,
    /// Our INVITE has failed.
    RemoteRefused(EndReason),
    /// Our 200 was acknowledged.
    Acknowledged,
    /// Our 200 was not acknowledged in time; the stack has sent a BYE.
    AckMissing,
    /// BYE; the stack has answered it.
    RemoteHangup,
    /// CANCEL; the stack has answered it and refused the INVITE.
    RemoteCancel,
    /// A re-INVITE with a new offer, or an empty one that asks for ours.
    Reoffered(Offer),
    /// The carrier pressed a key.
    Digit(Key),
    /// No RTP came for too long.
    MediaTimeout,
    /// The media plane gave up the call.
    MediaFault,
    /// Hang up, for this reason.
    Hangup(EndReason),
}

/// Value of the `sip.callStatus` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStatus {
    /// Outbound, nothing heard from the callee yet.
    Dialing,
    /// The caller hears ringing, or the callee's phone rings.
    Ringing,
    /// Answered.
    Active,
    /// Over.
    Hangup,
}

impl CallStatus {
    /// As LiveKit writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Active => "active",
            Self::Hangup => "hangup",
        }
    }
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reserve ports; answer the offer on paper, or make ours.
    PrepareMedia,
    /// Join the room with this status.
    JoinRoom(CallStatus),
    /// Subscribe to the audio of the others.
    Listen,
    /// Send 180 (again).
    Ring,
    /// Send 200 with the answer prepared before.
    Answer,
    /// Send the INVITE.
    Dial,
    /// Let media flow to the carrier.
    StartMedia,
    /// Change `sip.callStatus`.
    SetStatus(CallStatus),
    /// Answer a re-INVITE by offer/answer, or refuse it with 488 and go on as before.
    Renegotiate(Offer),
    /// Refuse a re-INVITE that comes at the wrong time.
    RefuseReoffer(Status),
    /// Tell the room about a key.
    PublishDigit(Key),
    /// Refuse the INVITE.
    Refuse(EndReason),
    /// Send BYE, or CANCEL where there was no answer yet, and say why.
    Hangup(EndReason),
    /// Leave the room, close the line, free the ports.
    Release,
    /// The last one.
    Finished(EndReason),
}

/// A key that was pressed. Its `Debug` does not tell which: people type card numbers and PINs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub char);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(·)")
    }
}

/// An offer. Its `Debug` tells its length alone: SDP may hold the keys of SRTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer(pub Bytes);

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({} bytes)", self.0.len())
    }
}

/// The machine.
#[derive(Debug)]
pub struct Call {
    state: State,
    limits: Limits,
    audience: Audience,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Inbound,
    Outbound,
}

/// Each state owns its timers, so leaving a state cancels them.
#[derive(Clone, Copy, Debug)]
enum State {
    Preparing { direction: Direction },
    Joining { direction: Direction, give_up: Instant },
    Ringing { again: Instant, give_up: Instant },
    Answering { until: Instant },
    Dialling { status: CallStatus, give_up: Instant },
    Active { until: Instant },
    Ended,
}

impl Call {
    /// An INVITE has come in that a trunk and a rule have taken.
    pub fn inbound(limits: Limits) -> Self {
        Self::new(Direction::Inbound, limits)
    }

    /// A call is to be placed.
    pub fn outbound(limits: Limits) -> Self {
        Self::new(Direction::Outbound, limits)
    }

    fn new(direction: Direction, limits: Limits) -> Self {
        let actions = VecDeque::from([Action::PrepareMedia]);
        Self { state: State::Preparing { direction }, limits, audience: Audience::default(), actions }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let state = self.state;
        self.state = match (state, input) {
            (State::Ended, _) => State::Ended, // Late news about a call that is over.

            (state, Input::RemoteHangup) => self.end(state, EndReason::RemoteHangup),
            (state, Input::RemoteCancel) => self.end(state, EndReason::RemoteCancel),
            (state, Input::AckMissing) => self.end(state, EndReason::AckMissing),
            (state, Input::MediaTimeout) => self.end(state, EndReason::MediaTimeout),
            (state, Input::MediaFault) => self.end(state, EndReason::MediaFault),
            // It was the answer to an offer in mid-call, and what was agreed upon before stays (RFC 3261 §14.1).
            (state @ State::Active { .. }, Input::MediaRefused(_)) => state,
            // The same failure has another name once we were in the room: nobody can be sent elsewhere any more.
            (
                state @ (State::Ringing { .. }
                | State::Answering { .. }
                | State::Dialling { .. }
                | State::Active { .. }),
                Input::RoomEnded(EndReason::RoomUnreachable),
            ) => self.end(state, EndReason::RoomLost),
            (
                state,
                Input::MediaRefused(reason)
                | Input::RoomEnded(reason)
                | Input::RemoteRefused(reason)
                | Input::Hangup(reason),
            ) => self.end(state, reason),

            (State::Preparing { direction }, Input::MediaReady) => self.join(now, direction),

            (State::Joining { direction: Direction::Inbound, .. }, Input::RoomJoined) => self.ring(now),
            (State::Joining { direction: Direction::Outbound, .. }, Input::RoomJoined) => self.dial(now),

            (state @ State::Ringing { .. }, Input::Audience(audience)) => {
                self.audience = audience;
                if self.is_awaited() { self.answer(now) } else { state }
            }

            (State::Answering { until }, Input::Acknowledged) => self.activate(until),

            (State::Dialling { status: CallStatus::Dialing, give_up }, Input::RemoteRinging) => {
                self.actions.push_back(Action::SetStatus(CallStatus::Ringing));
                State::Dialling { status: CallStatus::Ringing, give_up }
            }
            (State::Dialling { .. }, Input::RemoteAnswered) => {
                self.actions.push_back(Action::Listen);
                self.activate(now + self.limits.duration)
            }

            (state @ State::Active { .. }, Input::Reoffered(offer)) => {
                self.actions.push_back(Action::Renegotiate(offer));
                state
            }
            (state, Input::Reoffered(_)) => {
                // An offer may not come while one is under way (RFC 3261 §14.2).
                self.actions.push_back(Action::RefuseReoffer(Status::REQUEST_PENDING));
                state
            }
            (state @ (State::Answering { .. } | State::Active { .. }), Input::Digit(digit)) => {
                self.actions.push_back(Action::PublishDigit(digit));
                state
            }
            (state, Input::Audience(audience)) => {
                self.audience = audience;
                state
            }

            // A rejoin after the room was lost for a while; further 1xx; keys pressed before the answer; the ACK of a
            // re-INVITE: none of them changes the state of the call.
            (
                state,
                Input::RoomJoined
                | Input::RemoteRinging
                | Input::RemoteAnswered
                | Input::Acknowledged
                | Input::MediaReady
                | Input::Digit(_),
            ) => state,
        };
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state = match self.state {
            state @ State::Joining { give_up, .. } if now >= give_up => self.end(state, EndReason::RoomUnreachable),
            state @ (State::Ringing { give_up, .. } | State::Dialling { give_up, .. }) if now >= give_up => {
                self.end(state, EndReason::RingingTimeout)
            }
            State::Ringing { again, give_up } if now >= again => {
                self.actions.push_back(Action::Ring);
                State::Ringing { again: now + self.limits.ringing_interval, give_up }
            }
            state @ (State::Answering { until } | State::Active { until }) if now >= until => {
                self.end(state, EndReason::MaxDuration)
            }
            state => state,
        };
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Preparing { .. } | State::Ended => None,
            State::Joining { give_up, .. } | State::Dialling { give_up, .. } => Some(give_up),
            State::Ringing { again, give_up } => Some(again.min(give_up)),
            State::Answering { until } | State::Active { until } => Some(until),
        }
    }

    /// What is to be done next. `None`: wait for input or time.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn join(&mut self, now: Instant, direction: Direction) -> State {
        let status = match direction {
            Direction::Inbound => CallStatus::Ringing,
            Direction::Outbound => CallStatus::Dialing,
        };
        self.actions.push_back(Action::JoinRoom(status));
        State::Joining { direction, give_up: now + JOIN_LIMIT }
    }

    fn ring(&mut self, now: Instant) -> State {
        self.actions.push_back(Action::Listen);
        if self.is_awaited() {
            return self.answer(now);
        }
        self.actions.push_back(Action::Ring);
        State::Ringing { again: now + self.limits.ringing_interval, give_up: now + self.limits.ringing }
    }

    /// Whether the room is ready for the caller.
    fn is_awaited(&self) -> bool {
        match self.limits.answer {
            Answer::Immediately => true,
            Answer::OnParticipant => self.audience.participants > 0,
            Answer::OnTrack => self.audience.is_audible(),
        }
    }

    fn answer(&mut self, now: Instant) -> State {
        self.actions.push_back(Action::Answer);
        State::Answering { until: now + self.limits.duration }
    }

    /// Agents are not to speak into ringing: an outbound call listens to the room from its answer on.
    fn dial(&mut self, now: Instant) -> State {
        self.actions.push_back(Action::Dial);
        State::Dialling { status: CallStatus::Dialing, give_up: now + self.limits.ringing }
    }

    fn activate(&mut self, until: Instant) -> State {
        self.actions.extend([Action::StartMedia, Action::SetStatus(CallStatus::Active)]);
        State::Active { until }
    }

    /// The only way out, from whatever state.
    fn end(&mut self, from: State, reason: EndReason) -> State {
        let is_in_room = !matches!(from, State::Preparing { .. });
        if is_in_room {
            self.actions.push_back(Action::SetStatus(CallStatus::Hangup));
        }
        match (from, reason) {
            // The stack has answered or sent what ends the dialog.
            (
                _,
                EndReason::RemoteHangup
                | EndReason::RemoteCancel
                | EndReason::AckMissing
                | EndReason::RemoteRefused(_)
                | EndReason::CarrierUnreachable,
            ) => {}
            // Nothing was sent yet.
            (
                State::Preparing { direction: Direction::Outbound }
                | State::Joining { direction: Direction::Outbound, .. },
                _,
            ) => {}
            (State::Answering { .. } | State::Active { .. } | State::Dialling { .. }, _) => {
                self.actions.push_back(Action::Hangup(reason));
            }
            _ => self.actions.push_back(Action::Refuse(reason)),
        }
        self.actions.extend([Action::Release, Action::Finished(reason)]);
        State::Ended
    }
}

#[cfg(test)]
mod tests;
