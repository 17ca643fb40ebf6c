//! What others ask of a call, and what they hear of it.

use tokio::sync::oneshot;

use super::end::EndReason;
use crate::dispatch::RoomName;
use crate::phone::{CallError, Placed, Transfer, Transferred};

/// Asked of the task of a call.
#[derive(Debug)]
pub enum Order {
    /// Hang up, for this reason.
    Hangup(EndReason),
    /// Transfer the phone.
    Transfer(Box<Transfer>, oneshot::Sender<Result<Transferred, CallError>>),
    /// Stand in another room.
    Move(RoomName, oneshot::Sender<Result<(), CallError>>),
    /// End together with another call; whichever ends first takes the other with it.
    Tie(String),
}

/// Told to whoever placed a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It stands in its room.
    Joined(Placed),
    /// The callee's phone rings.
    Ringing,
    /// The callee has answered.
    Answered,
    /// It came to nothing.
    Failed(CallError),
}
