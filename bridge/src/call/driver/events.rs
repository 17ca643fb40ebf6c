//! What the endpoint and the line tell a call, as its inputs.

use sip::{CallHandle, Event, HeaderName};
use tracing::{debug, info};

use super::{Driver, clipped};
use crate::call::end::EndReason;
use crate::call::{Input, Key, Offer};
use crate::plane::LineEvent;

impl Driver {
    pub(super) async fn sip_inputs(&mut self, event: Option<Event>) -> Vec<Input> {
        let input = match event {
            None => Input::Hangup(EndReason::GatewayFault), // The endpoint is gone.
            Some(Event::Acked { body, .. }) => match self.media.acknowledged(&body) {
                Ok(()) => {
                    self.tell_encryption();
                    Input::Acknowledged
                }
                Err(reason) => Input::MediaRefused(reason),
            },
            Some(Event::Ended { request, .. }) => {
                self.hear_why(request.headers.get(&HeaderName::Reason));
                Input::RemoteHangup
            }
            Some(Event::Cancelled { reason, .. }) => {
                self.hear_why(reason.as_deref());
                Input::RemoteCancel
            }
            Some(Event::AckMissing { .. }) => Input::AckMissing,
            Some(Event::Reinvite { request, .. }) => Input::Reoffered(Offer(request.body)),
            Some(Event::Progress { response, .. }) => return self.progressed(&response),
            Some(Event::Answered { response, .. }) => self.answered(&response),
            Some(Event::Rejected { response, .. }) => {
                self.hear_why(response.headers.get(&HeaderName::Reason));
                self.refused(&response)
            }
            Some(Event::Info { press, .. }) => Input::Digit(Key(press.key)),
            Some(Event::RefreshDue { call }) => {
                self.refresh(call).await;
                return Vec::new();
            }
            Some(Event::ReinviteAnswered { response, .. }) => {
                self.refreshed(&response.body).await;
                return Vec::new();
            }
            Some(Event::ReinviteRejected { .. }) => {
                self.media.withdraw();
                return Vec::new();
            }
            Some(Event::Failed { why, .. }) => self.broken(why),
            Some(Event::HungUp { .. }) => Input::RemoteHangup,
            Some(event @ (Event::ReferAnswered { .. } | Event::Notified { .. })) => {
                return self.transfer_event(event).await.into_iter().collect();
            }
            Some(Event::Referred { request, .. }) => {
                self.referred(&request).await;
                return Vec::new();
            }
            Some(Event::Incoming { .. } | Event::ReinviteCancelled { .. }) => return Vec::new(),
        };
        vec![input]
    }

    /// The session has to be refreshed with an offer of what is in force (RFC 4028 §7.4).
    async fn refresh(&mut self, call: CallHandle) {
        let body = self.media.offer_again();
        if !body.is_empty() {
            self.send(sip::Command::Reinvite { call, headers: Vec::new(), body }).await;
        }
    }

    /// Our offer in mid-call is answered; an answer that does not fit leaves all as it was.
    async fn refreshed(&mut self, answer: &[u8]) {
        match self.media.agree(answer).await {
            Ok(is_held) => self.listing.update(|info| info.held = is_held),
            Err(reason) => {
                debug!(reason = reason.outcome().label, "the answer to our offer in mid-call cannot be used");
                self.media.withdraw();
            }
        }
    }

    /// What the other side says about the end (RFC 3326).
    fn hear_why(&mut self, reason: Option<&str>) {
        let Some(reason) = reason.map(clipped) else { return };
        info!(reason, "the other side says why it ends the call");
        self.parting = Some(reason.to_owned());
    }
}

pub(super) fn from_line(event: Option<&LineEvent>) -> Option<Input> {
    match event {
        None | Some(LineEvent::Panicked) => Some(Input::MediaFault),
        Some(LineEvent::Digit(digit)) => Some(Input::Digit(Key(*digit))),
        Some(LineEvent::Pressed) => Some(Input::Pressed),
        Some(LineEvent::MediaTimeout) => Some(Input::MediaTimeout),
        Some(_) => None,
    }
}
