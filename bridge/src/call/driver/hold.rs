//! The phone holds the call, which the room is told; or the room has the phone held.

use std::collections::BTreeMap;

use media::Sound;
use tracing::info;

use super::Driver;
use super::rpc::Caller;
use crate::call::Input;
use crate::call::holding::{self, Action, Holding};
use crate::call::offers::{self, Wish};
use crate::plane::Command;
use crate::room::RpcError;

/// The attribute that says that the phone holds the call.
const HELD_BY_PHONE: &str = "sip.hold";
/// The attribute that says that the room holds the phone.
const HELD_BY_ROOM: &str = "trunkline.hold";

/// Both kinds.
#[derive(Default)]
pub(super) struct Hold {
    machine: Holding,
    /// What the room has been told of the phone.
    is_told: bool,
    /// Who waits for the machine.
    caller: Option<Caller>,
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
        self.hold.machine.handle_input(holding::Input::Wanted(hold));
        match self.hold.machine.poll_action()? {
            Action::Offer(hold) => self.drive_offers(Some(offers::Input::Wanted(Wish::Hold(hold)))).await,
            Action::Tell(done) => self.settle_hold(done).await,
        }
    }

    /// What has come of the offer.
    pub(super) async fn hold_done(&mut self, taken: bool) -> Option<Input> {
        self.hold.machine.handle_input(holding::Input::Done(taken));
        match self.hold.machine.poll_action()? {
            Action::Tell(done) => self.settle_hold(done).await,
            // Nothing is wanted by being done.
            Action::Offer(_) => None,
        }
    }

    pub(super) fn is_held_by_room(&self) -> bool {
        self.hold.machine.is_held()
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
        let music = if is_held { Some(Sound::endless(self.music().await)) } else { None };
        self.order_line(Command::Play(music)).await
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
