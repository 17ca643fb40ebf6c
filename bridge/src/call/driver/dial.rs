//! The outbound half of a call: finding the carrier, our INVITE, and what comes back.

use std::time::{Duration, SystemTime};

use sip::{CallId, HeaderName, NextHop, Response, Status, Tag};
use tracing::{debug, info, warn};

use super::keys::Typist;
use super::leg::Leg;
use super::{Driver, Located, clipped};
use crate::call::end::EndReason;
use crate::call::order::Progress;
use crate::call::refusal::{self, Refusal};
use crate::call::{CallStatus, Input, Offer};
use crate::dispatch::outbound;
use crate::phone::{CallError, Placed};

/// What the API says when there are no keys.
pub(super) const NOT_ENCRYPTED: &str = "one side requires encryption, and the other cannot";
/// Names take no longer, whatever the resolver thinks.
const LOCATE_LIMIT: Duration = Duration::from_secs(10);

impl Driver {
    /// Starts to look for the carrier; [`Driver::located`] hears of the end of it.
    pub(super) fn locate(&mut self) {
        let Leg::Outbound(call) = &self.leg else { return };
        let (resolver, target) = (self.parts.resolver.clone(), call.placement.target.clone());
        self.locating = Some(tokio::spawn(async move {
            match tokio::time::timeout(LOCATE_LIMIT, resolver.locate(&target)).await {
                Ok(Ok(hops)) if hops.is_empty() => Err("no address was found".to_owned()),
                Ok(Ok(hops)) => Ok(hops),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the name servers do not answer".to_owned()),
            }
        }));
    }

    pub(super) fn located(&mut self, located: Located) -> Input {
        self.locating = None;
        match located {
            Ok(hops) => {
                self.hops = hops;
                Input::Located
            }
            Err(error) => {
                warn!(%error, "the carrier cannot be found");
                self.detail = Some(CallError::Destination(error));
                Input::Hangup(EndReason::NoRoute)
            }
        }
    }

    pub(super) async fn dial(&mut self) {
        self.parts.metrics.invited(self.leg.direction());
        self.invite(1).await;
    }

    /// Sends the INVITE of this number.
    async fn invite(&self, cseq: u32) {
        let Leg::Outbound(outbound) = &self.leg else { return };
        let placement = &outbound.placement;
        let invite = sip::endpoint::Invite {
            call: outbound.call,
            to: self.hops.clone(),
            patience: self.parts.settings.patience,
            credentials: placement.credentials.clone(),
            uri: placement.uri.clone(),
            route: placement.route.clone(),
            from: placement.from.clone(),
            to_header: placement.to.clone(),
            call_id: Some(CallId::new(outbound.sip_call_id.as_str())),
            local_tag: Some(Tag::new(placement.call_id.as_str())),
            cseq,
            headers: placement.headers.clone(),
            body: self.media.description(),
        };
        let hop = invite.to.first();
        info!(hop = hop.map(|hop| tracing::field::display(hop.address)), "calling");
        self.send(sip::Command::Invite(Box::new(invite))).await;
    }

    /// A provisional answer.
    pub(super) fn progressed(&mut self, response: &Response) -> Vec<Input> {
        self.learn(response);
        self.media.note_answer(response);
        let mut inputs = Vec::new();
        if response.status.code() >= 180 {
            inputs.push(Input::RemoteRinging);
        }
        if !response.body.is_empty() {
            inputs.push(Input::EarlyOffered(Offer(response.body.clone())));
        }
        inputs
    }

    pub(super) fn answered(&mut self, response: &Response) -> Input {
        self.learn(response);
        self.media.note_answer(response);
        let headers = response.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned()));
        self.remote_headers = headers.collect();
        Input::RemoteAnswered(Offer(response.body.clone()))
    }

    /// A final refusal; nothing comes of it if another offer may be taken.
    pub(super) async fn refused(&mut self, response: &Response) -> Option<Input> {
        if is_about_media(response.status)
            && let Ok(cseq) = response.headers.cseq()
            && self.media.offer_encrypted()
        {
            info!(
                status = response.status.code(),
                "the carrier does not take plain RTP with keys beside it: SRTP is tried"
            );
            self.invite(cseq.number + 1).await;
            return None;
        }
        self.hear_why(response.headers.joined(&HeaderName::Reason).as_deref());
        self.learn(response);
        Some(self.refused_for_good(response))
    }

    fn refused_for_good(&mut self, response: &Response) -> Input {
        let Leg::Outbound(outbound) = &self.leg else { return Input::RemoteHangup };
        let has_credentials = outbound.placement.credentials.is_some();
        let Refusal { reason, status, text } = refusal::read(response, has_credentials);
        info!(status, text = clipped(&text), "the carrier refuses the call");
        self.detail = Some(match reason {
            EndReason::NoCredentials => CallError::NoCredentials,
            _ => CallError::Sip { status, reason: text },
        });
        Input::RemoteRefused(reason)
    }

    pub(super) fn broken(&mut self, why: sip::endpoint::Failure) -> Input {
        info!(%why, "the call has broken down");
        self.detail = Some(match why {
            sip::endpoint::Failure::TimedOut => CallError::TimedOut,
            sip::endpoint::Failure::SessionExpired => return Input::RemoteRefused(EndReason::SessionExpired),
            sip::endpoint::Failure::Untrusted => CallError::CarrierUntrusted,
            _ => CallError::CarrierUnreachable,
        });
        Input::RemoteRefused(EndReason::CarrierUnreachable)
    }

    /// Tries the description of a provisional answer; one that does not fit is no reason to end the call.
    pub(super) async fn hear_early(&mut self, description: &[u8]) -> Option<Input> {
        if self.media.awaits_offer() {
            return Some(self.answer_early(description).await);
        }
        match self.media.hear_early(description).await {
            Ok(true) => {
                info!("early media");
                Some(Input::EarlyMedia)
            }
            Ok(false) => None,
            Err(reason) => {
                debug!(reason = reason.outcome().label, "early media cannot be heard");
                None
            }
        }
    }

    pub(super) async fn agree(&mut self, description: &[u8]) -> Input {
        if self.media.awaits_offer() {
            return self.answer_late(description).await;
        }
        match self.media.agree(description).await {
            Ok(()) => {
                self.note_hold();
                Input::MediaReady
            }
            Err(reason) => {
                self.detail = Some(match reason {
                    EndReason::EncryptionUnavailable => CallError::Media(NOT_ENCRYPTED),
                    _ => CallError::Media("the callee's answer does not fit our offer"),
                });
                Input::MediaRefused(reason)
            }
        }
    }

    pub(super) async fn press(&mut self) -> Option<Input> {
        let Leg::Outbound(outbound) = &self.leg else { return None };
        let keys = outbound.placement.dtmf.clone();
        self.press_keys(&keys, Typist::Request).await
    }

    /// Tells whoever placed the call, as far as it is news to them.
    pub(super) fn tell(&mut self, progress: Progress) {
        let Leg::Outbound(outbound) = &self.leg else { return };
        if let Err(error) = outbound.tell.try_send(progress) {
            // Nobody listens any more, which is the rule for calls that nobody waits for.
            debug!(%error, "nobody heard of it");
        }
    }

    pub(super) fn tell_joined(&mut self, participant_id: &str) {
        let seat = self.leg.seat();
        let placed = Placed {
            participant_id: participant_id.to_owned(),
            participant_identity: seat.identity.clone(),
            room_name: self.room_name.as_str().to_owned(),
            sip_call_id: self.leg.id().to_owned(),
        };
        self.tell(Progress::Joined(placed));
    }

    /// The status of the call as its placer is to hear it.
    pub(super) fn tell_status(&mut self, status: CallStatus) {
        match status {
            CallStatus::Ringing => self.tell(Progress::Ringing),
            CallStatus::Automation | CallStatus::Active if self.answered_at.is_none() => {
                self.parts.metrics.accepted(self.leg.direction());
                self.tell(Progress::Answered);
            }
            _ => {}
        }
        if matches!(status, CallStatus::Automation | CallStatus::Active) && self.answered_at.is_none() {
            let now = SystemTime::now();
            self.answered_at = Some(now);
            self.listing.update(|info| info.answered_at = Some(now));
        }
    }
}

/// Refusals of what our offer says, or of how it says it (RFC 3261 §21.4.13, §21.4.26, §21.6.4).
fn is_about_media(status: Status) -> bool {
    matches!(status, Status::UNSUPPORTED_MEDIA_TYPE | Status::NOT_ACCEPTABLE_HERE | Status::NOT_ACCEPTABLE_ANYWHERE)
}

/// Why a call that was placed came to nothing, for whoever placed it.
pub(super) fn error_of(reason: EndReason, detail: Option<CallError>) -> CallError {
    if let Some(detail) = detail
        && !matches!(reason, EndReason::LocalHangup | EndReason::Shutdown | EndReason::RingingTimeout)
    {
        return detail;
    }
    match reason {
        EndReason::RemoteRefused(status) => {
            CallError::Sip { status: status.code(), reason: status.reason_phrase().to_owned() }
        }
        EndReason::NoCredentials => CallError::NoCredentials,
        EndReason::CarrierBlocked | EndReason::CarrierRate | EndReason::CarrierFull => {
            let status = reason.outcome().status;
            CallError::Sip { status: status.code(), reason: status.reason_phrase().to_owned() }
        }
        EndReason::NoRoute => CallError::Destination("the address of the trunk leads nowhere".to_owned()),
        EndReason::RingingTimeout => CallError::TimedOut,
        EndReason::CarrierUnreachable | EndReason::AckMissing => CallError::CarrierUnreachable,
        EndReason::RoomUnreachable => CallError::RoomUnreachable,
        EndReason::RoomRefused | EndReason::DuplicateIdentity => CallError::RoomRefused,
        EndReason::AnswerUnusable
        | EndReason::OfferMissing
        | EndReason::OfferMalformed
        | EndReason::OfferUnacceptable => CallError::Media("the callee's answer does not fit our offer"),
        EndReason::EncryptionUnavailable => CallError::Media(NOT_ENCRYPTED),
        EndReason::PortsExhausted => CallError::Media("no port is free"),
        EndReason::MediaTimeout | EndReason::MediaFault => CallError::Media("it has broken down"),
        EndReason::GatewayFault => CallError::Gateway,
        EndReason::RemoteHangup
        | EndReason::SessionExpired
        | EndReason::RemoteCancel
        | EndReason::AnsweredElsewhere
        | EndReason::RoomLost
        | EndReason::RoomDeleted
        | EndReason::ParticipantRemoved
        | EndReason::PinRefused
        | EndReason::MaxDuration
        | EndReason::LocalHangup
        | EndReason::Shutdown
        | EndReason::Abandoned
        | EndReason::Transferred
        | EndReason::BridgeOver => CallError::Ended,
    }
}

pub(super) fn key(press: &outbound::Press) -> Option<media::dtmf::Press> {
    Some(match press {
        outbound::Press::Key(digit) => media::dtmf::Press::Key(media::dtmf::Event::from_digit(*digit)?),
        outbound::Press::Pause(pause) => media::dtmf::Press::Pause(*pause),
    })
}

/// The families of the hops in their order, each once.
pub(super) fn families(hops: &[NextHop]) -> Vec<std::net::IpAddr> {
    let mut found: Vec<std::net::IpAddr> = Vec::new();
    for address in hops.iter().map(|hop| hop.address.ip().to_canonical()) {
        if !found.iter().any(|other| other.is_ipv4() == address.is_ipv4()) {
            found.push(address);
        }
    }
    found
}
