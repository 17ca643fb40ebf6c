//! Performs what the question for a PIN wants ([`Entry`]).

use std::time::{Instant, SystemTime};

use media::Sound;
use tracing::{Span, info, warn};

use super::leg::Leg;
use super::{Driver, clipped};
use crate::call::end::EndReason;
use crate::call::pin::{self, Action, Entry, Typed};
use crate::call::{Input, Key};
use crate::dispatch::{Pin, Seat};
use crate::phone::discreet;
use crate::plane::Command;

impl Driver {
    pub(super) async fn ask_pin(&mut self) -> Option<Input> {
        info!("asking for a PIN");
        let now = SystemTime::now();
        self.answered_at = Some(now);
        self.listing.update(|info| info.answered_at = Some(now));
        self.pin.get_or_insert_with(|| Entry::new(Instant::now()));
        self.drive_pin(None).await
    }

    /// The first key may come before the ACK that makes us ask.
    pub(super) async fn note_pin_key(&mut self, key: Key) -> Option<Input> {
        self.pin.get_or_insert_with(|| Entry::new(Instant::now()));
        self.drive_pin(Some(pin::Input::Key(key))).await
    }

    /// Gives the machine what happened, or the time, and does what it wants.
    pub(super) async fn drive_pin(&mut self, input: Option<pin::Input>) -> Option<Input> {
        let entry = self.pin.as_mut()?;
        let now = Instant::now();
        match input {
            Some(input) => entry.handle_input(now, input),
            None => entry.handle_timeout(now),
        }
        let mut result = None;
        while let Some(action) = self.pin.as_mut().and_then(Entry::poll_action) {
            match action {
                Action::Play(prompt) => {
                    let sound = match prompt {
                        Some(prompt) => Some(Sound::once(self.recording(prompt).await)),
                        None => None,
                    };
                    if let Some(fault) = self.order_line(Command::Play(sound)).await {
                        return Some(fault);
                    }
                }
                Action::Judge(typed) => {
                    let is_taken = self.judge(&typed);
                    if let Some(entry) = &mut self.pin {
                        entry.handle_input(Instant::now(), pin::Input::Judged(is_taken));
                    }
                }
                Action::Admit => result = Some(Input::Admitted),
                Action::Refuse => result = Some(Input::Hangup(EndReason::PinRefused)),
            }
        }
        if result.is_some() {
            self.pin = None;
        }
        result
    }

    /// Looks for a rule that takes what was typed, and for the caller's seat by it.
    fn judge(&mut self, typed: &Typed) -> bool {
        let Leg::Inbound(inbound) = &mut self.leg else { return false };
        let Some(gate) = &inbound.pin else { return false };
        let pin = match typed.as_str() {
            "" => Pin::None,
            digits => Pin::Typed(digits),
        };
        let Some(seat) = gate.judge(Instant::now(), pin) else {
            warn!(reason = "wrong_pin", "the caller is not let in");
            return false;
        };
        inbound.seat = *seat;
        self.sit_down();
        true
    }

    /// The seat is the caller's.
    fn sit_down(&mut self) {
        let Seat { room, identity, attributes, rule_id, notes, .. } = self.leg.seat();
        let numbers = self.leg.info();
        let hide = |text: &str| discreet(text, [&numbers.from, &numbers.to]);
        Span::current().record("room", hide(room.as_str()));
        info!(rule = rule_id, identity = hide(identity), "the PIN is right");
        for note in notes {
            warn!(note = clipped(note), "the rule could not be followed to the letter");
        }
        self.listing.update(|info| {
            room.as_str().clone_into(&mut info.room);
            info.identity.clone_from(identity);
            info.rule_id.clone_from(rule_id);
        });
        self.room_name = room.clone();
        self.attributes = attributes.clone();
        self.vouch();
    }
}
