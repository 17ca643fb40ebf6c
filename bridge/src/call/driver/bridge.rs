//! A transfer inside the gateway: we call the target ourselves, and when it answers, both stand in a room of their own.

use livekit_protocol::SipTransferReason;
use tracing::{info, warn};

use crate::call::end::EndReason;
use crate::call::order::{Order, Progress};
use crate::call::transfer::Input;
use crate::dispatch::RoomName;
use crate::phone::{CallError, Placer, Switchboard, Transfer, Wanted};

/// What it takes.
pub(super) struct Bridge {
    pub(super) switchboard: Switchboard,
    pub(super) placer: Placer,
    /// The call that is transferred.
    pub(super) call: String,
    /// `STR_…`
    pub(super) transfer: String,
    /// The outbound trunk; empty for the default one.
    pub(super) trunk: String,
    pub(super) wanted: Transfer,
}

/// Calls the target and brings both together. When this is dropped before the answer, the target's phone stops ringing.
pub(super) async fn run(bridge: Bridge) -> Input {
    match attempt(&bridge).await {
        Ok(()) => Input::Bridged,
        Err(error) => {
            warn!(transfer = bridge.transfer, %error, "the transfer could not be bridged");
            failed(&error)
        }
    }
}

async fn attempt(bridge: &Bridge) -> Result<(), CallError> {
    let Bridge { switchboard, placer, call, transfer, trunk, wanted } = bridge;
    let room = RoomName::new(format!("transfer-{transfer}")).ok_or(CallError::Gateway)?;
    let placement = placer.place(&Wanted {
        trunk,
        target: &wanted.to,
        room: &room,
        headers: &wanted.headers,
        ringing_timeout: Some(wanted.ringing_timeout),
    })?;
    let other = placement.call_id.clone();
    info!(transfer, call = other, "calling the target of the transfer");
    let mut progress = switchboard.start(placement).await?;
    loop {
        match progress.recv().await {
            Some(Progress::Joined(_) | Progress::Ringing) => {}
            Some(Progress::Answered) => break,
            Some(Progress::Failed(error)) => return Err(error),
            None => return Err(CallError::Ended),
        }
    }
    let callee = Alone { switchboard, call: &other, is_alone: true };
    switchboard.move_call(call, room).await?;
    let caller = Alone { switchboard, call, is_alone: true };
    switchboard.order(&other, Order::Tie(call.clone())).await?;
    // From here on the one takes the other with it, unless ours is over already.
    switchboard.order(call, Order::Tie(other.clone())).await?;
    callee.joined();
    caller.joined();
    Ok(())
}

/// One of the two in the room of the transfer: the target, who has answered, or the one who is transferred and has left
/// the room that he was in. Whatever becomes of the other, nobody is left alone there.
struct Alone<'a> {
    switchboard: &'a Switchboard,
    call: &'a str,
    is_alone: bool,
}

impl Alone<'_> {
    fn joined(mut self) {
        self.is_alone = false;
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if self.is_alone {
            self.switchboard.order_now(self.call, Order::Hangup(EndReason::BridgeOver));
        }
    }
}

fn failed(error: &CallError) -> Input {
    let said = error.sip_status().map(|(status, reason)| (status, reason.to_owned()));
    let reason = match error {
        CallError::TimedOut => SipTransferReason::StrRingingTimeout,
        CallError::Ended => SipTransferReason::StrCallEnded,
        _ => SipTransferReason::StrRejected,
    };
    Input::BridgeFailed { reason, said }
}
