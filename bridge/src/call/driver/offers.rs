//! Performs what [`Offers`](crate::call::offers::Offers) wants: offers within an answered call, of both sides.

use std::time::Instant;

use media::sdp::Direction;
use sip::{Method, Request, Response, Status};
use tracing::debug;

use super::Driver;
use crate::call::offers::{self, Action, Wish};
use crate::call::{Input, Offer};

impl Driver {
    /// The session has to be refreshed with an offer of what is in force (RFC 4028 §7.4).
    pub(super) async fn refresh(&mut self) -> Option<Input> {
        self.drive_offers(Some(offers::Input::Wanted(Wish::Refresh))).await
    }

    /// The phone takes our offer.
    pub(super) async fn offer_answered(&mut self, description: &[u8]) -> Option<Input> {
        if !self.offers.is_ours() {
            return self.drive_offers(Some(offers::Input::Taken)).await;
        }
        let input = match self.media.agree(description).await {
            Ok(()) => offers::Input::Taken,
            Err(_) => {
                self.withdraw_offer();
                offers::Input::Refused
            }
        };
        self.tell_encryption();
        self.note_hold();
        self.drive_offers(Some(input)).await
    }

    /// The phone refuses our offer, or it could not be made.
    pub(super) async fn offer_refused(&mut self, response: Option<&Response>) -> Option<Input> {
        if self.offers.is_ours() {
            self.withdraw_offer();
        }
        let input = match response {
            Some(response) if response.status != Status::REQUEST_PENDING => offers::Input::Refused,
            _ => offers::Input::Glare(rand::random()),
        };
        self.drive_offers(Some(input)).await
    }

    /// The phone offers, or wants our offer.
    pub(super) async fn offered(&mut self, request: &Request) -> Vec<Input> {
        let has_ack = request.method == Method::Invite;
        let fault = self.drive_offers(Some(offers::Input::Offered { has_ack })).await;
        fault.into_iter().chain([Input::Reoffered(Offer(request.body.clone()))]).collect()
    }

    /// Answers it.
    pub(super) async fn renegotiate(&mut self, offer: &[u8]) -> Option<Input> {
        match self.media.renegotiate(offer).await {
            Ok(body) => {
                self.note_hold();
                self.tell_encryption();
                let command = sip::Command::AnswerReinvite { call: self.leg.call(), headers: Vec::new(), body };
                self.send(command).await;
                self.drive_offers(Some(offers::Input::Answered(true))).await
            }
            Err(reason) => self.refuse_reoffer(reason.outcome().status).await,
        }
    }

    pub(super) async fn refuse_reoffer(&mut self, status: Status) -> Option<Input> {
        let command = sip::Command::RejectReinvite { call: self.leg.call(), status, headers: Vec::new() };
        self.send(command).await;
        self.drive_offers(Some(offers::Input::Answered(false))).await
    }

    /// The phone has cancelled its INVITE: our answer to it was never sent, and what was in force before it stays.
    pub(super) async fn offer_taken_back(&mut self) -> Option<Input> {
        if self.media.take_back().await.is_err() {
            return Some(Input::MediaFault);
        }
        self.note_hold();
        self.tell_encryption();
        self.drive_offers(Some(offers::Input::TakenBack)).await
    }

    /// The ACK of a 2xx of ours, or the PRACK with the answer to our offer.
    pub(super) async fn acknowledged(&mut self, body: &[u8]) -> Vec<Input> {
        let input = match self.media.acknowledged(body) {
            Ok(()) => {
                self.note_hold();
                self.tell_encryption();
                Input::Acknowledged
            }
            Err(reason) => Input::MediaRefused(reason),
        };
        let fault = self.drive_offers(Some(offers::Input::Acknowledged)).await;
        [input].into_iter().chain(fault).collect()
    }

    /// Gives the machine what happened, or the time, and does what it wants.
    pub(super) async fn drive_offers(&mut self, input: Option<offers::Input>) -> Option<Input> {
        let now = Instant::now();
        match input {
            Some(input) => self.offers.handle_input(now, input),
            None => self.offers.handle_timeout(now),
        }
        while let Some(action) = self.offers.poll_action() {
            debug!(?action, "offers");
            match action {
                Action::Offer(wish) => match self.offer(wish) {
                    Some(body) => {
                        let command = sip::Command::Reinvite { call: self.leg.call(), headers: Vec::new(), body };
                        self.send(command).await;
                    }
                    // There is no line to speak of.
                    None => self.offers.handle_input(now, offers::Input::Refused),
                },
                Action::Withdraw => self.withdraw_offer(),
                Action::Done(Wish::Hold(_), taken) => {
                    if let Some(fault) = self.hold_done(taken).await {
                        return Some(fault);
                    }
                }
                Action::Done(Wish::Refresh, _) => {}
            }
        }
        None
    }

    fn offer(&mut self, wish: Wish) -> Option<bytes::Bytes> {
        match wish {
            Wish::Hold(hold) => self.media.offer(direction(hold)),
            Wish::Refresh => self.media.refresh(),
        }
    }

    fn withdraw_offer(&mut self) {
        self.media.withdraw(direction(self.is_held_by_room()));
    }
}

fn direction(hold: bool) -> Direction {
    if hold { Direction::SendOnly } else { Direction::SendRecv }
}
