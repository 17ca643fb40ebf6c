//! One call, inbound or outbound, from INVITE to its end.
//!
//! Everything that happens to a call is an [`Input`], everything it does is an [`Action`]; the log of a call is these
//! two lists. Inbound and outbound are two starting states of one machine.
//!
//! ```text
//! inbound:                Preparing ──► Joining ──► Ringing ──► Answering ──► Active ──► Ended
//!                         offer read    in the      180 or      200 sent,     both
//!                         on paper      room        183 sent    ACK awaited   hear
//!
//! with a PIN:             Preparing ──► Answering ──► Admitting ──► Entering ──► Active ──► Ended
//!                                                    PIN asked     in the
//!                                                    (pin.rs)      room
//!
//! outbound: Locating ──► Preparing ──► Joining ──► Dialling ──► Agreeing ──► Typing ──► Active ──► Ended
//!           names to     our offer     in the      INVITE,      2xx; the     keys of
//!           addresses                  room        1xx          answer read  the request
//! ```
//!
//! Every state leaves through `Call::end`, and [`end::EndReason`] says what an end means. When we end a call that both sides
//! hear, the phone hears the last word of the room first: Active ──► PlayingOut ──► Ended.

mod action;
pub mod driver;
pub mod end;
pub mod holding;
mod input;
pub mod keying;
pub mod moving;
pub mod offers;
pub mod order;
pub mod parting;
pub mod pin;
pub mod refusal;
pub mod sieve;
pub mod transfer;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sip::Status;

pub use self::action::{Action, CallStatus, Key, Offer};
pub use self::input::Input;
use crate::dispatch::Answer;
use crate::room::Audience;
use end::EndReason;

/// How long the room may take to let the participant in before the carrier is sent elsewhere.
const JOIN_LIMIT: Duration = Duration::from_secs(10);

/// How long the phone may go on hearing a room that has ended the call. What the room said last is on its way for less.
const PLAY_OUT: Duration = Duration::from_millis(300);

/// What a call may do, from trunk, rule and configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When an inbound call is answered.
    pub answer: Answer,
    /// The caller hears the room while he waits.
    pub early_media: bool,
    /// How long it may ring.
    pub ringing: Duration,
    /// How often 180 or 183 is repeated; carriers take its silence for a dead gateway (RFC 3261 §13.3.1.1 asks for a minute).
    pub ringing_interval: Duration,
    /// How long it may last, from the answer.
    pub duration: Duration,
    /// The room hears a ringing tone until the callee, or the callee's network, is heard.
    pub dialtone: bool,
    /// How long pressing the keys of the request may take; `None` when there are none.
    pub keys: Option<Duration>,
    /// The caller is answered at once, and has to type a PIN before he is let into a room.
    pub asks_pin: bool,
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
    Locating,
    Preparing { direction: Direction },
    Joining { direction: Direction, give_up: Instant },
    Ringing { again: Instant, give_up: Instant },
    Answering { until: Instant },
    Admitting { until: Instant },
    Entering { give_up: Instant, until: Instant },
    Dialling { status: CallStatus, dialtone: bool, give_up: Instant },
    Agreeing { dialtone: bool, until: Instant },
    Typing { give_up: Instant, until: Instant },
    Active { until: Instant },
    PlayingOut { reason: EndReason, until: Instant },
    Ended,
}

impl Call {
    /// An INVITE has come in that a trunk and a rule have taken.
    pub fn inbound(limits: Limits) -> Self {
        let preparing = State::Preparing { direction: Direction::Inbound };
        Self::new(preparing, Action::PrepareMedia, limits)
    }

    /// A call is to be placed.
    pub fn outbound(limits: Limits) -> Self {
        Self::new(State::Locating, Action::Locate, limits)
    }

    fn new(state: State, first: Action, limits: Limits) -> Self {
        Self { state, limits, audience: Audience::default(), actions: VecDeque::from([first]) }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let state = self.state;
        self.state = match (state, input) {
            (State::Ended, _) => State::Ended, // Late news about a call that is over.

            // The first reason stands, and nobody says BYE to who has said it.
            (
                State::PlayingOut { reason, .. },
                Input::RemoteHangup
                | Input::RemoteCancel
                | Input::AnsweredElsewhere
                | Input::AckMissing
                | Input::RemoteRefused(_),
            ) => self.finish(reason),
            (
                State::PlayingOut { reason, .. },
                Input::PlayedOut | Input::MediaFault | Input::Hangup(EndReason::GatewayFault),
            ) => self.hang_up(reason),
            // Whatever else happens, the room may be gone meanwhile, is no news for a call that is about to end.
            (state @ State::PlayingOut { .. }, input) => {
                if let Input::Reoffered(_) = input {
                    self.actions.push_back(Action::RefuseReoffer(Status::REQUEST_PENDING));
                }
                state
            }

            (state, Input::RemoteHangup) => self.end(now, state, EndReason::RemoteHangup),
            (state, Input::RemoteCancel) => self.end(now, state, EndReason::RemoteCancel),
            (state, Input::AnsweredElsewhere) => self.end(now, state, EndReason::AnsweredElsewhere),
            (state, Input::AckMissing) => self.end(now, state, EndReason::AckMissing),
            (state, Input::MediaTimeout) => self.end(now, state, EndReason::MediaTimeout),
            (state, Input::MediaFault) => self.end(now, state, EndReason::MediaFault),
            // It was the answer to an offer in mid-call, and what was agreed upon before stays (RFC 3261 §14.1).
            (
                state
                @ (State::Active { .. } | State::Typing { .. } | State::Admitting { .. } | State::Entering { .. }),
                Input::MediaRefused(_),
            ) => state,
            // The same failure has another name once we were in the room: nobody can be sent elsewhere any more.
            (
                state @ (State::Ringing { .. }
                | State::Answering { .. }
                | State::Dialling { .. }
                | State::Agreeing { .. }
                | State::Typing { .. }
                | State::Active { .. }),
                Input::RoomEnded(EndReason::RoomUnreachable),
            ) => self.end(now, state, EndReason::RoomLost),
            (
                state,
                Input::MediaRefused(reason)
                | Input::RoomEnded(reason)
                | Input::RemoteRefused(reason)
                | Input::Hangup(reason),
            ) => self.end(now, state, reason),

            (State::Locating, Input::Located) => {
                self.actions.push_back(Action::PrepareMedia);
                State::Preparing { direction: Direction::Outbound }
            }
            (State::Preparing { direction: Direction::Inbound }, Input::MediaReady) if self.limits.asks_pin => {
                self.answer(now)
            }
            (State::Preparing { direction }, Input::MediaReady) => self.join(now, direction),

            (State::Joining { direction: Direction::Inbound, .. }, Input::RoomJoined) => self.ring(now),
            (State::Joining { direction: Direction::Outbound, .. }, Input::RoomJoined) => self.dial(now),

            (state @ State::Ringing { .. }, Input::Audience(audience)) => {
                self.audience = audience;
                if self.is_awaited() { self.answer(now) } else { state }
            }

            (State::Ringing { .. }, Input::PickedUp) => self.answer(now),

            (State::Answering { until }, Input::Acknowledged) if self.limits.asks_pin => {
                self.actions.extend([Action::StartMedia, Action::AskPin]);
                State::Admitting { until }
            }
            // The caller may be quicker than his ACK.
            (state @ State::Answering { .. }, Input::Digit(digit)) if self.limits.asks_pin => {
                self.actions.push_back(Action::NotePinKey(digit));
                state
            }
            (state @ State::Admitting { .. }, Input::Digit(digit)) => {
                self.actions.push_back(Action::NotePinKey(digit));
                state
            }
            (State::Admitting { until }, Input::Admitted) => {
                self.actions.push_back(Action::JoinRoom(CallStatus::Active));
                State::Entering { give_up: now + JOIN_LIMIT, until }
            }
            (State::Entering { until, .. }, Input::RoomJoined) => {
                self.actions.push_back(Action::Listen);
                self.activate(until)
            }
            (State::Answering { until }, Input::Acknowledged) => {
                self.actions.push_back(Action::StartMedia);
                self.activate(until)
            }

            (State::Dialling { status: CallStatus::Dialing, dialtone, give_up }, Input::RemoteRinging) => {
                self.actions.push_back(Action::SetStatus(CallStatus::Ringing));
                State::Dialling { status: CallStatus::Ringing, dialtone, give_up }
            }
            // Provisional answers may come again and again, and each may know it better than the one before.
            (state @ State::Dialling { .. }, Input::EarlyOffered(offer)) => {
                self.actions.push_back(Action::HearEarly(offer));
                state
            }
            (State::Dialling { status, dialtone, give_up }, Input::EarlyMedia) => {
                if dialtone {
                    self.actions.push_back(Action::Dialtone(false));
                }
                // Networks behind which a NAT stands are heard once they have heard us.
                self.actions.push_back(Action::StartEarly);
                State::Dialling { status, dialtone: false, give_up }
            }
            (State::Dialling { dialtone, .. }, Input::RemoteAnswered(answer)) => {
                self.actions.push_back(Action::Agree(answer));
                State::Agreeing { dialtone, until: now + self.limits.duration }
            }
            (State::Agreeing { dialtone, until }, Input::MediaReady) => self.talk(now, dialtone, until),
            (State::Typing { until, .. }, Input::Pressed) => self.activate(until),

            // The stack tells of it before the answer only where the first offer is settled, and lets our answer wait for this one.
            (
                state @ (State::Ringing { .. }
                | State::Answering { .. }
                | State::Active { .. }
                | State::Typing { .. }
                | State::Admitting { .. }
                | State::Entering { .. }),
                Input::Reoffered(offer),
            ) => {
                self.actions.push_back(Action::Renegotiate(offer));
                state
            }
            (state, Input::Reoffered(_)) => {
                // An offer may not come while one is under way (RFC 3261 §14.2).
                self.actions.push_back(Action::RefuseReoffer(Status::REQUEST_PENDING));
                state
            }
            (
                state
                @ (State::Answering { .. } | State::Entering { .. } | State::Typing { .. } | State::Active { .. }),
                Input::Digit(digit),
            ) => {
                self.actions.push_back(Action::PublishDigit(digit));
                state
            }
            (state, Input::Audience(audience)) => {
                self.audience = audience;
                state
            }

            // Nobody waits; a rejoin after the room was lost for a while; further 1xx, and such as were overtaken by the answer; keys
            // pressed before it; the ACK of a re-INVITE: none of them changes the state of the call.
            (
                state,
                Input::PickedUp
                | Input::RoomJoined
                | Input::Located
                | Input::RemoteRinging
                | Input::EarlyOffered(_)
                | Input::EarlyMedia
                | Input::RemoteAnswered(_)
                | Input::Acknowledged
                | Input::MediaReady
                | Input::Pressed
                | Input::PlayedOut
                | Input::Admitted
                | Input::Digit(_),
            ) => state,
        };
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state = match self.state {
            state @ (State::Joining { give_up, .. } | State::Entering { give_up, .. }) if now >= give_up => {
                self.end(now, state, EndReason::RoomUnreachable)
            }
            state @ (State::Ringing { give_up, .. } | State::Dialling { give_up, .. }) if now >= give_up => {
                self.end(now, state, EndReason::RingingTimeout)
            }
            State::Ringing { again, give_up } if now >= again => {
                self.actions.push_back(self.progress());
                State::Ringing { again: now + self.limits.ringing_interval, give_up }
            }
            state @ (State::Answering { until }
            | State::Admitting { until }
            | State::Entering { until, .. }
            | State::Agreeing { until, .. }
            | State::Typing { until, .. }
            | State::Active { until })
                if now >= until =>
            {
                self.end(now, state, EndReason::MaxDuration)
            }
            State::PlayingOut { reason, until } if now >= until => self.hang_up(reason),
            // Keys that nobody told us of the end of: the call is answered all the same.
            State::Typing { give_up, until } if now >= give_up => self.activate(until),
            state => state,
        };
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Locating | State::Preparing { .. } | State::Ended => None,
            State::Joining { give_up, .. } | State::Dialling { give_up, .. } => Some(give_up),
            State::Ringing { again, give_up } => Some(again.min(give_up)),
            State::Typing { give_up, until } | State::Entering { give_up, until } => Some(give_up.min(until)),
            State::Answering { until }
            | State::Admitting { until }
            | State::Agreeing { until, .. }
            | State::Active { until }
            | State::PlayingOut { until, .. } => Some(until),
        }
    }

    /// Both sides hear each other.
    pub fn is_answered(&self) -> bool {
        matches!(self.state, State::Typing { .. } | State::Active { .. })
    }

    /// The caller hears ringing, or the room, until he is answered.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Ringing { .. })
    }

    /// We have ended it, and the phone still hears what the room said last.
    pub fn is_playing_out(&self) -> bool {
        matches!(self.state, State::PlayingOut { .. })
    }

    /// The participant stands in its room.
    pub fn is_in_room(&self) -> bool {
        !matches!(
            self.state,
            State::Locating
                | State::Preparing { .. }
                | State::Joining { .. }
                | State::Admitting { .. }
                | State::Entering { .. }
                | State::PlayingOut { .. }
                | State::Ended
        )
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
        self.actions.push_back(self.progress());
        if self.limits.early_media {
            self.actions.push_back(Action::StartEarly);
        }
        State::Ringing { again: now + self.limits.ringing_interval, give_up: now + self.limits.ringing }
    }

    /// What the caller is told while he waits.
    fn progress(&self) -> Action {
        if self.limits.early_media { Action::Progress } else { Action::Ring }
    }

    /// Whether the room is ready for the caller.
    fn is_awaited(&self) -> bool {
        match self.limits.answer {
            Answer::Immediately => true,
            Answer::OnParticipant => self.audience.participants > 0,
            Answer::OnTrack => self.audience.is_audible(),
            Answer::OnRequest => false,
        }
    }

    fn answer(&mut self, now: Instant) -> State {
        self.actions.push_back(Action::Answer);
        State::Answering { until: now + self.limits.duration }
    }

    /// Agents are not to speak into ringing: an outbound call listens to the room from its answer on.
    fn dial(&mut self, now: Instant) -> State {
        let dialtone = self.limits.dialtone;
        if dialtone {
            self.actions.push_back(Action::Dialtone(true));
        }
        self.actions.push_back(Action::Dial);
        State::Dialling { status: CallStatus::Dialing, dialtone, give_up: now + self.limits.ringing }
    }

    fn talk(&mut self, now: Instant, dialtone: bool, until: Instant) -> State {
        if dialtone {
            self.actions.push_back(Action::Dialtone(false));
        }
        self.actions.extend([Action::Listen, Action::StartMedia]);
        match self.limits.keys {
            Some(keys) => {
                self.actions.extend([Action::SetStatus(CallStatus::Automation), Action::Press]);
                State::Typing { give_up: now + keys, until }
            }
            None => self.activate(until),
        }
    }

    fn activate(&mut self, until: Instant) -> State {
        self.actions.push_back(Action::SetStatus(CallStatus::Active));
        State::Active { until }
    }

    /// The only way out, from whatever state.
    fn end(&mut self, now: Instant, from: State, reason: EndReason) -> State {
        if !matches!(from, State::Locating | State::Preparing { .. }) {
            self.actions.push_back(Action::TellEnd(reason));
        }
        match from {
            // The stack has answered or sent what ends the dialog.
            _ if reason.is_known_to_peer() => {}
            // Nothing was sent yet.
            State::Locating
            | State::Preparing { direction: Direction::Outbound }
            | State::Joining { direction: Direction::Outbound, .. } => {}
            State::Active { .. } if reason.has_last_word() => {
                self.actions.push_back(Action::PlayOut);
                return State::PlayingOut { reason, until: now + PLAY_OUT };
            }
            State::Answering { .. }
            | State::Admitting { .. }
            | State::Entering { .. }
            | State::Dialling { .. }
            | State::Agreeing { .. }
            | State::Typing { .. }
            | State::PlayingOut { .. }
            | State::Active { .. } => return self.hang_up(reason),
            State::Preparing { .. } | State::Joining { .. } | State::Ringing { .. } | State::Ended => {
                self.actions.push_back(Action::Refuse(reason));
            }
        }
        self.finish(reason)
    }

    fn hang_up(&mut self, reason: EndReason) -> State {
        self.actions.push_back(Action::Hangup(reason));
        self.finish(reason)
    }

    fn finish(&mut self, reason: EndReason) -> State {
        self.actions.extend([Action::Release, Action::Finished(reason)]);
        State::Ended
    }
}

#[cfg(test)]
mod tests;
