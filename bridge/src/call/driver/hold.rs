//! The phone holds the call, which the room is told; or the room has the phone held.

use std::collections::BTreeMap;
use std::time::Instant;

use media::Sound;
use media::sdp::Direction;
use sip::{Response, Status};
use tracing::{debug, info};

use super::Driver;
use super::rpc::Caller;
use crate::call::Input;
use crate::call::holding::{self, Action, Holding};
use crate::plane::Command;
use crate::room::RpcError;
use crate::store;

/// The attribute that says that the phone holds the call.
const HELD_BY_PHONE: &str = "sip.hold";
/// The attribute that says that the room holds the phone.
const HELD_BY_ROOM: &str = "trunkline.hold";

/// Both kinds.
pub(super) struct Hold {
    machine: Holding,
    /// What the room has been told of the phone.
    is_told: bool,
    /// Who waits for the machine.
    caller: Option<Caller>,
}

impl Hold {
    pub(super) fn new(direction: store::Direction) -> Self {
        let machine = Holding::new(direction == store::Direction::Outbound);
        Self { machine, is_told: false, caller: None }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.machine.next_timeout()
    }
}

impl Driver {
    /// After an offer or an answer of the phone's.
    pub(super) fn note_hold(&mut self) {
        let is_held = self.media.is_held();
        if is_held != std::mem::replace(&mut self.hold.is_told, is_held) {
            info!(is_held, "the phone holds the call, or does no longer");
            self.listing.update(|info| info.held = is_held);
            self.tell_flag(HELD_BY_PHONE, is_held);
        }
    }

    /// Holds the phone, or lets it go; the caller hears of it when the phone has answered.
    pub(super) async fn hold_phone(&mut self, hold: bool, caller: Caller) -> Option<Input> {
        if self.hold.machine.is_busy() {
            self.reply(caller, Err(RpcError::Application("the call is being held or resumed")));
            return None;
        }
        self.hold.caller = Some(caller);
        self.drive_hold(Some(holding::Input::Wanted(hold))).await
    }

    /// What is in force, as an offer; none while the machine has one of its own to make.
    pub(super) fn offer_again(&mut self) -> Option<bytes::Bytes> {
        if self.hold.machine.is_busy() {
            return None;
        }
        self.media.offer(direction(self.hold.machine.is_held()))
    }

    /// The phone takes an offer of ours, whatever it was made for.
    pub(super) async fn offer_answered(&mut self, description: &[u8]) -> Option<Input> {
        let input = match self.media.agree(description).await {
            Ok(()) => holding::Input::Answered,
            Err(_) => {
                self.media.withdraw(direction(self.hold.machine.is_held()));
                holding::Input::Refused
            }
        };
        self.note_hold();
        self.drive_hold(Some(input)).await
    }

    /// The phone refuses an offer of ours, or it could not be made.
    pub(super) async fn offer_refused(&mut self, response: Option<&Response>) -> Option<Input> {
        self.media.withdraw(direction(self.hold.machine.is_held()));
        let input = match response {
            Some(response) if response.status != Status::REQUEST_PENDING => holding::Input::Refused,
            _ => holding::Input::Glare(rand::random()),
        };
        self.drive_hold(Some(input)).await
    }

    /// Gives the machine what happened, or the time, and does what it wants.
    pub(super) async fn drive_hold(&mut self, input: Option<holding::Input>) -> Option<Input> {
        let now = Instant::now();
        match input {
            Some(input) => self.hold.machine.handle_input(now, input),
            None => self.hold.machine.handle_timeout(now),
        }
        while let Some(action) = self.hold.machine.poll_action() {
            debug!(?action, "hold");
            match action {
                Action::Offer(hold) => match self.media.offer(direction(hold)) {
                    Some(body) => {
                        let command = sip::Command::Reinvite { call: self.leg.call(), headers: Vec::new(), body };
                        self.send(command).await;
                    }
                    None => self.hold.machine.handle_input(now, holding::Input::Glare(rand::random())),
                },
                Action::Tell(done) => {
                    if let Some(fault) = self.settle_hold(done).await {
                        return Some(fault);
                    }
                }
            }
        }
        None
    }

    /// A held phone hears the music of the house, or silence, and nothing of the room.
    async fn settle_hold(&mut self, done: bool) -> Option<Input> {
        let is_held = self.hold.machine.is_held();
        if let Some(caller) = self.hold.caller.take() {
            let result = if done { Ok("{}".to_owned()) } else { Err(RpcError::Application("the phone refuses")) };
            self.reply(caller, result);
        }
        if !done || self.attributes.contains_key(HELD_BY_ROOM) == is_held {
            return None;
        }
        info!(is_held, "the room holds the phone, or does no longer");
        self.tell_flag(HELD_BY_ROOM, is_held);
        let music = self.parts.settings.prompts.hold();
        self.order_line(Command::Play(is_held.then(|| Sound::endless(music)))).await
    }

    fn tell_flag(&mut self, name: &str, on: bool) {
        let value = match on {
            true => {
                self.attributes.insert(name.to_owned(), "true".to_owned());
                "true"
            }
            false => {
                self.attributes.remove(name);
                ""
            }
        };
        self.tell_attributes(BTreeMap::from([(name.to_owned(), value.to_owned())]));
    }
}

fn direction(hold: bool) -> Direction {
    if hold { Direction::SendOnly } else { Direction::SendRecv }
}
