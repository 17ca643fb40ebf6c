//! One transfer of a call ([RFC 3515], with a call of our own where the peer does not transfer).
//!
//! ```text
//!        202, or a NOTIFY            NOTIFY 2xx                1 s without a BYE
//! Asked ──────────────────► Accepted ──────────► Succeeded ───────────────────────► BYE, over
//!   │  │ BYE: success          │ BYE: success        └─ BYE ─► over
//!   │  └───── refused, silence, end of reports ──► over, the call goes on
//!   │ 403, 405, 501, 603, where the trunk lets us bridge
//!   ▼
//! Bridging ── answered ──► over: the call stands in a room with the new callee
//!   └─ refused, hung up ─► over, the call goes on
//! ```
//!
//! [RFC 3515]: https://www.rfc-editor.org/rfc/rfc3515

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use livekit_protocol::SipTransferReason;

use crate::store::Bridging;

/// How long the peer may take to hang up once its transfer has succeeded.
const GOODBYE: Duration = Duration::from_secs(1);
/// What a bridged call may take beside its ringing: names, a room, a move.
const BRIDGE_SLACK: Duration = Duration::from_secs(45);
/// Refusals that mean "not with me" rather than "not to them".
const NOT_HERE: &[u16] = &[403, 405, 501, 603];

/// A SIP status and its words.
pub type Said = (u16, String);

/// What happens to a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The final answer to our REFER; `None` when nothing came.
    Answered(Option<Said>),
    /// A NOTIFY: what the new callee said, if that could be read, and whether it was the last one.
    Notified {
        /// What the new callee said.
        said: Option<Said>,
        /// No other will follow.
        is_last: bool,
    },
    /// The call of our own is answered, and both are in one room.
    Bridged,
    /// It came to nothing.
    BridgeFailed {
        /// Why.
        reason: SipTransferReason,
        /// What the new callee said.
        said: Option<Said>,
    },
    /// The phone hung up.
    RemoteHangup,
    /// The call was ended from our side.
    Ended,
}

/// What a transfer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the REFER.
    Refer,
    /// Let the phone hear ringing instead of the room, or the room again.
    Ringback(bool),
    /// Call the target ourselves.
    Bridge,
    /// Give up the call of our own.
    Unbridge,
    /// Hang up: the phone talks to somebody else.
    Hangup,
    /// Tell whoever asked.
    Tell(Verdict),
    /// The last one: there is nothing more to wait for.
    Over,
}

/// What came of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The phone talks to the target.
    pub is_success: bool,
    /// How it came to that.
    pub reason: SipTransferReason,
    /// What the other side said last.
    pub said: Option<Said>,
}

/// How a transfer is to go.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long the new callee may take to answer.
    pub ringing_timeout: Duration,
    /// The phone hears ringing meanwhile.
    pub play_dialtone: bool,
    /// When we call the target ourselves.
    pub bridging: Bridging,
}

/// The machine.
#[derive(Debug)]
pub struct Transfer {
    state: State,
    terms: Terms,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Asked { give_up: Instant },
    Accepted { give_up: Instant },
    Bridging { give_up: Instant },
    Succeeded { hang_up: Instant },
    Over,
}

impl Transfer {
    /// A transfer is asked for.
    pub fn new(now: Instant, terms: Terms) -> Self {
        let mut transfer = Self { state: State::Over, terms, actions: VecDeque::new() };
        if terms.play_dialtone {
            transfer.actions.push_back(Action::Ringback(true));
        }
        transfer.state = match terms.bridging {
            Bridging::Always => transfer.bridge(now),
            Bridging::Never | Bridging::Fallback => {
                transfer.actions.push_back(Action::Refer);
                State::Asked { give_up: now + terms.ringing_timeout }
            }
        };
        transfer
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        use SipTransferReason::{StrCallEnded, StrCompleted, StrRejected, StrSubscriptionTerminated, StrUnspecified};
        self.state = match (self.state, input) {
            (State::Over, _) => State::Over, // Late news.

            (State::Asked { give_up }, Input::Answered(Some((200..=299, _)))) => State::Accepted { give_up },
            (State::Asked { .. }, Input::Answered(Some((status, _)))) if self.may_bridge(status) => self.bridge(now),
            (State::Asked { .. }, Input::Answered(Some(said))) => self.fail(StrRejected, Some(said)),
            (State::Asked { .. }, Input::Answered(None)) => self.fail(StrUnspecified, None),

            // A NOTIFY may overtake the 202 (RFC 3515 §2.4.4).
            (State::Asked { .. } | State::Accepted { .. }, Input::Notified { said: Some(said), is_last }) => {
                match said.0 {
                    200..=299 => self.succeed(now, said),
                    300.. => self.fail(StrRejected, Some(said)),
                    _ if is_last => self.fail(StrSubscriptionTerminated, None),
                    _ => self.accept(),
                }
            }
            (State::Asked { .. } | State::Accepted { .. }, Input::Notified { said: None, is_last: true }) => {
                self.fail(StrSubscriptionTerminated, None)
            }
            // The peer let go of us before it told how it went: that is how some say that it went well.
            (State::Asked { .. } | State::Accepted { .. }, Input::RemoteHangup) => {
                self.tell(true, StrCompleted, None);
                self.over()
            }

            (State::Bridging { .. }, Input::Bridged) => {
                self.quieten();
                self.tell(true, StrCompleted, Some((200, "OK".to_owned())));
                self.over()
            }
            (State::Bridging { .. }, Input::BridgeFailed { reason, said }) => self.fail(reason, said),
            (State::Bridging { .. }, Input::RemoteHangup | Input::Ended) => {
                self.actions.push_back(Action::Unbridge);
                self.tell(false, StrCallEnded, None);
                self.over()
            }

            (State::Asked { .. } | State::Accepted { .. }, Input::Ended) => {
                self.tell(false, StrCallEnded, None);
                self.over()
            }
            (State::Succeeded { .. }, Input::RemoteHangup | Input::Ended) => self.over(),

            // Reports that cannot be read; those after the success; answers to a REFER that no longer matters; a bridge
            // that nobody asked for.
            (state, Input::Answered(_) | Input::Notified { .. } | Input::Bridged | Input::BridgeFailed { .. }) => state,
        };
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state = match self.state {
            State::Asked { give_up } | State::Accepted { give_up } if now >= give_up => {
                self.fail(SipTransferReason::StrRingingTimeout, None)
            }
            State::Bridging { give_up } if now >= give_up => {
                self.actions.push_back(Action::Unbridge);
                self.fail(SipTransferReason::StrRingingTimeout, None)
            }
            State::Succeeded { hang_up } if now >= hang_up => {
                self.actions.push_back(Action::Hangup);
                self.over()
            }
            state => state,
        };
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Asked { give_up } | State::Accepted { give_up } | State::Bridging { give_up } => Some(give_up),
            State::Succeeded { hang_up } => Some(hang_up),
            State::Over => None,
        }
    }

    /// What is to be done next. `None`: wait for input or time.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn may_bridge(&self, status: u16) -> bool {
        self.terms.bridging == Bridging::Fallback && NOT_HERE.contains(&status)
    }

    fn bridge(&mut self, now: Instant) -> State {
        self.actions.push_back(Action::Bridge);
        State::Bridging { give_up: now + self.terms.ringing_timeout + BRIDGE_SLACK }
    }

    fn accept(&self) -> State {
        match self.state {
            State::Asked { give_up } => State::Accepted { give_up },
            state => state,
        }
    }

    fn succeed(&mut self, now: Instant, said: Said) -> State {
        self.tell(true, SipTransferReason::StrCompleted, Some(said));
        State::Succeeded { hang_up: now + GOODBYE }
    }

    /// The call goes on, and hears its room again.
    fn fail(&mut self, reason: SipTransferReason, said: Option<Said>) -> State {
        self.quieten();
        self.tell(false, reason, said);
        self.over()
    }

    fn quieten(&mut self) {
        if self.terms.play_dialtone {
            self.actions.push_back(Action::Ringback(false));
        }
    }

    fn tell(&mut self, is_success: bool, reason: SipTransferReason, said: Option<Said>) {
        self.actions.push_back(Action::Tell(Verdict { is_success, reason, said }));
    }

    fn over(&mut self) -> State {
        self.actions.push_back(Action::Over);
        State::Over
    }
}

#[cfg(test)]
mod tests;
