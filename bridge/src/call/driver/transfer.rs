//! Performs what a [`Transfer`](crate::call::transfer::Transfer) decides.

use std::time::Instant;

use livekit_protocol::SipTransferStatus;
use sip::Event;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use super::Driver;
use super::bridge::{self, Bridge};
use crate::call::Input;
use crate::call::end::EndReason;
use crate::call::transfer::{self, Action, Said, Terms, Verdict};
use crate::phone::{CallError, Transfer, TransferError, Transferred};
use crate::plane::Command;

/// Requests for the same transfer that may wait for its end.
const WAITING: usize = 8;

type Reply = oneshot::Sender<Result<Transferred, CallError>>;

/// A transfer that is under way.
pub(super) struct Running {
    id: String,
    machine: transfer::Transfer,
    wanted: Transfer,
    replies: Vec<Reply>,
    bridge: Option<Bridging>,
}

/// A call of our own to the target.
struct Bridging {
    task: JoinHandle<()>,
    over: oneshot::Receiver<transfer::Input>,
}

impl Driver {
    pub(super) async fn transfer(&mut self, wanted: Transfer, reply: Reply) -> Option<Input> {
        let refused = match &mut self.transfer {
            Some(running) if running.wanted.to == wanted.to && running.replies.len() < WAITING => {
                running.replies.push(reply);
                return None;
            }
            Some(_) => CallError::BadTarget("call is already being transferred to another target".to_owned()),
            None if !self.call.is_answered() => CallError::NotActive,
            None => {
                let (_, bridging) = self.leg.transfers(&self.parts.settings);
                let Transfer { ringing_timeout, play_dialtone, .. } = wanted;
                let machine =
                    transfer::Transfer::new(Instant::now(), Terms { ringing_timeout, play_dialtone, bridging });
                let id = crate::phone::new_id("STR_");
                info!(transfer = id, ?bridging, "transferring");
                self.parts.metrics.transferring(self.leg.direction());
                self.listing.update(|info| info.transferring = true);
                self.transfer = Some(Running { id, machine, wanted, replies: vec![reply], bridge: None });
                return self.drive_transfer(None).await;
            }
        };
        let _ = reply.send(Err(refused));
        None
    }

    pub(super) async fn transfer_event(&mut self, event: Event) -> Option<Input> {
        let input = match event {
            Event::ReferAnswered { response, .. } => {
                transfer::Input::Answered(response.map(|response| (response.status.code(), response.reason)))
            }
            Event::Notified { status, reason, over, .. } => {
                let said = status.map(|status| (status.code(), reason));
                transfer::Input::Notified { said, is_last: over }
            }
            _ => return None,
        };
        self.drive_transfer(Some(input)).await
    }

    /// Gives the machine what happened, or the time, and does what it wants.
    pub(super) async fn drive_transfer(&mut self, input: Option<transfer::Input>) -> Option<Input> {
        let running = self.transfer.as_mut()?;
        let now = Instant::now();
        match input {
            Some(input) => {
                debug!(?input, "transfer");
                running.machine.handle_input(now, input);
            }
            None => running.machine.handle_timeout(now),
        }
        let mut result = None;
        while let Some(action) = self.transfer.as_mut().and_then(|running| running.machine.poll_action()) {
            debug!(?action, "transfer");
            if let Some(input) = self.perform_transfer(action).await {
                result = Some(input);
            }
        }
        result
    }

    async fn perform_transfer(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Refer => {
                let running = self.transfer.as_ref()?;
                let headers = running.wanted.headers.iter().cloned().chain(self.mapped_headers()).collect();
                let refer_to = running.wanted.to.clone();
                self.send(sip::Command::Refer { call: self.leg.call(), refer_to, headers }).await;
            }
            Action::Ringback(on) => {
                return self.media.order(Command::Ringback(on)).await.err().map(|_| Input::MediaFault);
            }
            Action::Bridge => self.begin_bridge(),
            Action::Unbridge => {
                if let Some(bridge) = self.transfer.as_mut().and_then(|running| running.bridge.take()) {
                    // The call of our own is given up with the one who waits for its answer.
                    bridge.task.abort();
                }
            }
            Action::Hangup => return Some(Input::Hangup(EndReason::Transferred)),
            Action::Tell(verdict) => self.tell_verdict(&verdict),
            Action::Over => {
                self.listing.update(|info| info.transferring = false);
                self.transfer = None;
            }
        }
        None
    }

    /// Its task has told what came of it.
    pub(super) fn unbridged(&mut self) {
        if let Some(running) = &mut self.transfer {
            running.bridge = None;
        }
    }

    fn begin_bridge(&mut self) {
        let Some(running) = &mut self.transfer else { return };
        let (tell, over) = oneshot::channel();
        let bridge = Bridge {
            switchboard: self.switchboard.clone(),
            placer: self.parts.placer.clone(),
            call: self.leg.id().to_owned(),
            transfer: running.id.clone(),
            trunk: self.leg.outbound_trunk().to_owned(),
            wanted: running.wanted.clone(),
        };
        let task = tokio::spawn(async move {
            // A call that is over does not hear of it, and need not.
            let _ = tell.send(bridge::run(bridge).await);
        });
        running.bridge = Some(Bridging { task, over });
    }

    fn tell_verdict(&mut self, verdict: &Verdict) {
        let Some(running) = &mut self.transfer else { return };
        let Verdict { is_success, reason, said } = verdict.clone();
        let status = said.as_ref().map(|(status, _): &Said| *status);
        let label = reason.as_str_name().trim_start_matches("STR_").to_ascii_lowercase();
        let result = if is_success {
            info!(transfer = running.id, status, "transferred");
            let status = SipTransferStatus::StsTransferSuccessful;
            Ok(Transferred { transfer_id: running.id.clone(), status, reason, sip_status: said })
        } else {
            warn!(transfer = running.id, status, reason = label, "not transferred");
            Err(CallError::Transfer(TransferError { transfer_id: running.id.clone(), reason, sip_status: said }))
        };
        self.parts.metrics.transferred(self.leg.direction(), (!is_success).then_some(&label));
        for reply in running.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(result.clone());
        }
    }

    pub(super) fn next_transfer_timeout(&self) -> Option<Instant> {
        self.transfer.as_ref()?.machine.next_timeout()
    }

    /// The call is over; whoever waits for its transfer is to know.
    pub(super) async fn end_transfer(&mut self, reason: EndReason) {
        let input = match reason {
            EndReason::RemoteHangup => transfer::Input::RemoteHangup,
            _ => transfer::Input::Ended,
        };
        let _ = self.drive_transfer(Some(input)).await;
        if let Some(bridge) = self.transfer.take().and_then(|running| running.bridge) {
            bridge.task.abort();
        }
    }
}

/// What came of a call of our own to the target.
pub(super) async fn next_bridge_event(running: &mut Option<Running>) -> transfer::Input {
    match running.as_mut().and_then(|running| running.bridge.as_mut()) {
        Some(bridge) => (&mut bridge.over).await.unwrap_or(transfer::Input::BridgeFailed {
            reason: livekit_protocol::SipTransferReason::StrUnspecified,
            said: None,
        }),
        None => std::future::pending().await,
    }
}
