//! The peer asks us to call somebody (REFER, RFC 3515): where its trunk allows that, the new callee comes into the same
//! room, and the peer may go.

use std::time::Duration;

use sip::{CallHandle, Request, Status};
use tracing::{info, warn};

use super::Driver;
use crate::call::end::EndReason;
use crate::call::order::{Order, Progress};
use crate::dispatch::outbound::Placement;
use crate::phone::{CallError, Switchboard, Wanted};

/// How long the peer may take to hang up once the new callee is there.
const GOODBYE: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) async fn referred(&mut self, request: &Request) {
        let (is_allowed, _) = self.leg.transfers(&self.parts.settings);
        let is_busy = self.referral.as_ref().is_some_and(|task| !task.is_finished());
        let placement = match is_allowed && self.call.is_answered() && !is_busy {
            true => self.referral_placement(request),
            false => Err(CallError::NotActive),
        };
        let call = self.leg.call();
        let placement = match placement {
            Ok(placement) => placement,
            Err(error) => {
                warn!(is_allowed, is_busy, %error, "the peer asks for a transfer and is refused");
                return self.send(sip::Command::AnswerRefer { call, status: Status::DECLINE }).await;
            }
        };
        info!(call = placement.call_id, "the peer asks for a transfer");
        self.send(sip::Command::AnswerRefer { call, status: Status::ACCEPTED }).await;
        let referral = Referral {
            sip: self.parts.sip.clone(),
            switchboard: self.switchboard.clone(),
            call,
            id: self.leg.id().to_owned(),
        };
        self.referral = Some(tokio::spawn(referral.run(placement)));
    }

    /// The call that a REFER asks for: to a number or a user, and nothing else, under the rules of the API.
    fn referral_placement(&self, request: &Request) -> Result<Placement, CallError> {
        let target = request.headers.get_named("Refer-To").ok_or(CallError::NotActive)?;
        self.parts.placer.place(&Wanted {
            trunk: self.leg.outbound_trunk(),
            target,
            room: &self.room_name,
            headers: &[],
            ringing_timeout: None,
        })
    }

    /// The call is over. What the peer has asked for goes on if it was the one who hung up: it has handed the room over.
    pub(super) fn end_referral(&mut self, reason: EndReason) {
        if !matches!(reason, EndReason::RemoteHangup | EndReason::Transferred)
            && let Some(task) = self.referral.take()
        {
            task.abort();
        }
    }
}

/// One such request.
struct Referral {
    sip: sip::net::Handle,
    switchboard: Switchboard,
    call: CallHandle,
    id: String,
}

impl Referral {
    async fn run(self, placement: Placement) {
        // The stack has told the peer that we try (RFC 3515 §2.4.4).
        let status = match self.place(placement).await {
            Ok(()) => Status::OK,
            Err(error) => {
                info!(%error, "the peer's transfer failed");
                let status = error.sip_status().and_then(|(status, _)| Status::new(status));
                status.unwrap_or(Status::SERVICE_UNAVAILABLE)
            }
        };
        self.notify(status, true).await;
        if status.is_success() {
            tokio::time::sleep(GOODBYE).await;
            // Gone already, as a rule.
            let _ = self.switchboard.order(&self.id, Order::Hangup(EndReason::Transferred)).await;
        }
    }

    async fn place(&self, placement: Placement) -> Result<(), CallError> {
        let mut progress = self.switchboard.start(placement).await?;
        loop {
            match progress.recv().await {
                Some(Progress::Joined(_)) => {}
                Some(Progress::Ringing) => self.notify(Status::RINGING, false).await,
                Some(Progress::Answered) => return Ok(()),
                Some(Progress::Failed(error)) => return Err(error),
                None => return Err(CallError::Ended),
            }
        }
    }

    async fn notify(&self, status: Status, over: bool) {
        // A call that is gone wants no news.
        let _ = self.sip.send(sip::Command::Notify { call: self.call, status, over }).await;
    }
}
