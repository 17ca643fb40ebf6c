//! What the endpoint and the line tell a call, as its inputs.

use sip::{Event, HeaderName};
use tracing::debug;

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
                    self.note_hold();
                    Input::Acknowledged
                }
                Err(reason) => Input::MediaRefused(reason),
            },
            Some(Event::Ended { request, .. }) => {
                if let Some(reason) = request.headers.get(&HeaderName::Reason) {
                    debug!(reason = clipped(reason), "the other side said why it hung up");
                }
                Input::RemoteHangup
            }
            Some(Event::Cancelled { .. }) => Input::RemoteCancel,
            Some(Event::AckMissing { .. }) => Input::AckMissing,
            Some(Event::Reinvite { request, .. }) => Input::Reoffered(Offer(request.body)),
            Some(Event::Progress { response, .. }) => return self.progressed(&response),
            Some(Event::Answered { response, .. }) => self.answered(&response),
            Some(Event::Rejected { response, .. }) => self.refused(&response),
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
