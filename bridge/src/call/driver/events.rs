//! What the endpoint and the line tell a call, as its inputs.

use sip::{CallHandle, Event, HeaderName};
use tracing::info;

use super::{Driver, clipped};
use crate::call::end::EndReason;
use crate::call::parting::Parting;
use crate::call::{Input, Key, Offer};
use crate::plane::LineEvent;

impl Driver {
    pub(super) async fn sip_inputs(&mut self, event: Option<Event>) -> Vec<Input> {
        let input = match event {
            None => Input::Hangup(EndReason::GatewayFault), // The endpoint is gone.
            Some(Event::Acked { body, .. }) => match self.media.acknowledged(&body) {
                Ok(()) => {
                    self.note_hold();
                    self.tell_encryption();
                    Input::Acknowledged
                }
                Err(reason) => Input::MediaRefused(reason),
            },
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
            Some(Event::Reinvite { request, .. }) => Input::Reoffered(Offer(request.body)),
            Some(Event::Progress { response, .. }) => return self.progressed(&response),
            Some(Event::Answered { response, .. }) => self.answered(&response),
            Some(Event::Rejected { response, .. }) => {
                self.hear_why(response.headers.joined(&HeaderName::Reason).as_deref());
                self.learn(&response);
                self.refused(&response)
            }
            Some(Event::Info { press, .. }) => Input::Digit(Key(press.key)),
            Some(Event::RefreshDue { call }) => {
                self.refresh(call).await;
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
            Some(Event::ReinviteAnswered { response, .. }) => {
                return self.offer_answered(&response.body).await.into_iter().collect();
            }
            Some(Event::ReinviteRejected { response, .. }) => {
                return self.offer_refused(response.as_deref()).await.into_iter().collect();
            }
            Some(Event::Incoming { .. } | Event::ReinviteCancelled { .. }) => return Vec::new(),
        };
        vec![input]
    }

    /// The session has to be refreshed with an offer of what is in force (RFC 4028 §7.4). A hold that is under way does that
    /// as well.
    async fn refresh(&mut self, call: CallHandle) {
        if let Some(body) = self.offer_again() {
            self.send(sip::Command::Reinvite { call, headers: Vec::new(), body }).await;
        }
    }

    /// What the other side says about the end (RFC 3326).
    fn hear_why(&mut self, reason: Option<&str>) {
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
        Some(LineEvent::Digit(digit)) => Some(Input::Digit(Key(*digit))),
        Some(LineEvent::Pressed) => Some(Input::Pressed),
        Some(LineEvent::PlayedOut) => Some(Input::PlayedOut),
        Some(LineEvent::MediaTimeout) => Some(Input::MediaTimeout),
        Some(_) => None,
    }
}
