//! Calls that we place without an offer: the callee's is answered in the PRACK, while it rings, or in the ACK (RFC 3262 §5,
//! RFC 3261 §13.2.1). Neither can say no: what we do not take is answered with its lines refused, and the call ends
//! (RFC 6337 §2.3).

use tracing::info;

use super::Driver;
use super::dial::NOT_ENCRYPTED;
use super::media::Reply;
use crate::call::Input;
use crate::call::end::EndReason;
use crate::phone::CallError;

impl Driver {
    /// A phone that rings offers.
    pub(super) async fn answer_early(&mut self, offer: &[u8]) -> Input {
        let reply = self.media.answer_early(offer).await;
        match self.acknowledge(reply).await {
            Ok(()) => {
                info!("early media");
                Input::EarlyMedia
            }
            Err(reason) => self.refuse_offer(reason),
        }
    }

    /// The phone was picked up, and offers now or has offered before.
    pub(super) async fn answer_late(&mut self, offer: &[u8]) -> Input {
        let result = if offer.is_empty() {
            self.media.resume_early().await
        } else {
            let reply = self.media.answer_late(offer).await;
            self.acknowledge(reply).await
        };
        match result {
            Ok(()) => {
                self.note_hold();
                Input::MediaReady
            }
            Err(reason) => self.refuse_offer(reason),
        }
    }

    async fn acknowledge(&self, reply: Reply) -> Result<(), EndReason> {
        let Reply { offer, body, result } = reply;
        if let Some(offer) = offer {
            self.send(sip::Command::Acknowledge { call: self.leg.call(), offer, body }).await;
        }
        result
    }

    fn refuse_offer(&mut self, reason: EndReason) -> Input {
        self.detail = Some(CallError::Media(match reason {
            EndReason::EncryptionUnavailable => NOT_ENCRYPTED,
            EndReason::OfferMissing => "the callee offers none",
            _ => "the callee's offer cannot be taken",
        }));
        Input::MediaRefused(reason)
    }
}
