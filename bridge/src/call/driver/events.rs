//! What the endpoint and the line tell a call, as its inputs.

use sip::{Event, HeaderName};
use tracing::info;

use super::{Driver, clipped};
use crate::call::Input;
use crate::call::end::EndReason;
use crate::call::parting::Parting;
use crate::plane::LineEvent;

impl Driver {
    pub(super) async fn sip_inputs(&mut self, event: Option<Event>) -> Vec<Input> {
        let input = match event {
            None => Input::Hangup(EndReason::GatewayFault), // The endpoint is gone.
            Some(Event::Acked { body, .. }) => return self.acknowledged(&body).await,
            Some(Event::Ended { request, .. }) => {
                self.hear_why(request.headers.joined(&HeaderName::Reason).as_deref());
                self.learn_last(&request.headers);
                Input::RemoteHangup
            }
            Some(Event::Cancelled { reason, .. }) => {
                self.hear_why(reason.as_deref());
                if self.parting.is_answered_elsewhere() { Input::AnsweredElsewhere } else { Input::RemoteCancel }
            }
            Some(Event::AckMissing { .. }) => Input::AckMissing,
            Some(Event::Reinvite { request, .. }) => return self.offered(&request).await,
            Some(Event::ReinviteCancelled { .. }) => return self.offer_taken_back().await.into_iter().collect(),
            Some(Event::Progress { response, .. }) => return self.progressed(&response),
            Some(Event::Answered { response, .. }) => self.answered(&response),
            Some(Event::Rejected { response, .. }) => return self.refused(&response).await.into_iter().collect(),
            Some(Event::Info { press, .. }) => return self.hear_info(press).await,
            Some(Event::InfoAnswered { status, accepts, .. }) => {
                return self.key_answered(status, &accepts).await.into_iter().collect();
            }
            Some(Event::RefreshDue { .. }) => return self.refresh().await.into_iter().collect(),
            Some(Event::Failed { why, .. }) => self.broken(why),
            Some(Event::HungUp { .. }) => Input::RemoteHangup,
            Some(event @ (Event::ReferAnswered { .. } | Event::Notified { .. })) => {
                return self.transfer_event(event).await.into_iter().collect();
            }
            Some(Event::Referred { request, .. }) => {
                self.referred(&request).await;
                return Vec::new();
            }
            Some(Event::ReinviteAnswered { response, .. }) => {
                return self.offer_answered(&response.body).await.into_iter().collect();
            }
            Some(Event::ReinviteRejected { response, .. }) => {
                return self.offer_refused(response.as_deref()).await.into_iter().collect();
            }
            Some(Event::Incoming { .. }) => return Vec::new(),
        };
        vec![input]
    }

    /// What the other side says about the end (RFC 3326).
    pub(super) fn hear_why(&mut self, reason: Option<&str>) {
        self.parting = Parting::read(reason);
        if !self.parting.is_empty() {
            let said = self.parting.to_string();
            info!(reason = clipped(&said), "the other side says why it ends the call");
        }
    }
}

pub(super) fn from_line(event: Option<&LineEvent>) -> Option<Input> {
    match event {
        None | Some(LineEvent::Panicked) => Some(Input::MediaFault),
        Some(LineEvent::Pressed) => Some(Input::Pressed),
        Some(LineEvent::PlayedOut) => Some(Input::PlayedOut),
        Some(LineEvent::MediaTimeout) => Some(Input::MediaTimeout),
        Some(_) => None,
    }
}
