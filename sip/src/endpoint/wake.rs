//! What a call does when its time has come ([RFC 3261 §13.3.1]).
//!
//! [RFC 3261 §13.3.1]: https://www.rfc-editor.org/rfc/rfc3261#section-13.3.1

use std::time::{Duration, Instant};

use super::{
    Endpoint,
    call::{Exchange, Hangup, Offering, State},
    command::CallHandle,
    event::Event,
    refresh::PAUSE,
};
use crate::{
    message::{HeaderName, Status},
    transaction::PATIENCE,
};

/// How long before a provisional answer is said again (RFC 3261 §13.3.1.1).
pub(super) const REMINDER: Duration = Duration::from_secs(60);
/// How long a re-INVITE of ours may go without a final answer: longer than one that nobody hears (RFC 3261 Timer B).
pub(super) const OFFER_LIMIT: Duration = Duration::from_secs(40);
/// Why we end a call that nobody has acknowledged (RFC 3326; Q.850 cause 102 is recovery on timer expiry).
const NO_ACK: &str = "Q.850;cause=102;text=\"no ACK\"";

impl Endpoint {
    pub(super) fn wake_call(&mut self, now: Instant, handle: CallHandle) {
        let Some(mut call) = self.calls.take(handle) else { return };
        self.expire_referral(now, handle, &mut call);
        let Some(call) = self.keep_alive(now, handle, call) else { return };
        let Some(mut call) = self.repeat_progress(now, handle, call) else { return };
        match call.state {
            State::Offered { invite, id, reminder: Some(mut reminder) } => {
                if now >= reminder.at {
                    reminder.at = now + REMINDER;
                    if let Some(tx) = self.transactions.server_mut(invite) {
                        tx.machine.handle_response(now, Status::SESSION_PROGRESS, reminder.response.clone());
                    }
                    self.settle_server(now, invite);
                }
                call.state = State::Offered { invite, id, reminder: Some(reminder) };
                self.put(handle, call);
            }
            State::Calling { invite, hangup: Hangup::Cancelling { give_up }, .. } if now >= give_up => {
                self.drop_client(invite);
                self.end(handle, Some(Event::HungUp { call: handle }));
            }
            State::Calling { ref attempt, .. } if attempt.silence.is_some_and(|at| now >= at) => {
                self.lose_patience(now, handle, call);
            }
            State::Ended { until, .. } if now >= until => self.end(handle, None),
            State::Up { dialog, exchange: Exchange::Unacknowledged(mut waiting) } => {
                if now >= waiting.give_up {
                    let finally = match waiting.hangup {
                        Some(_) => Some(Event::HungUp { call: handle }),
                        None => {
                            self.tell(Event::AckMissing { call: handle });
                            None
                        }
                    };
                    let headers = waiting.hangup.unwrap_or_else(|| vec![(HeaderName::Reason, NO_ACK.to_owned())]);
                    self.say_bye(now, handle, call.peer, dialog, headers, finally);
                    return;
                }
                if waiting.resend.is_due(now) {
                    self.send(waiting.to.clone(), waiting.response.clone());
                }
                call.state = State::Up { dialog, exchange: Exchange::Unacknowledged(waiting) };
                self.put(handle, call);
            }
            State::Up { dialog, exchange: Exchange::Ours(ours) } if now >= ours.give_up => {
                let exchange = self.give_up_offer(now, handle, ours);
                if matches!(exchange, Exchange::Idle) {
                    call.peer.session.try_again(now + PAUSE);
                }
                call.state = State::Up { dialog, exchange };
                self.put(handle, call);
            }
            State::Up { exchange: Exchange::Owed(ref owed), .. } if now >= owed.give_up => {
                self.forfeit(now, handle, call);
            }
            // Early, or nothing to do.
            state @ (State::Offered { .. }
            | State::Calling { .. }
            | State::Up { .. }
            | State::Closing { .. }
            | State::Ended { .. }) => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    /// A re-INVITE of ours that was heard and is not answered: cancelled first, and when not even that brings an answer,
    /// forgotten (RFC 3261 §9.1). Until then the peer could offer nothing either.
    fn give_up_offer(&mut self, now: Instant, handle: CallHandle, ours: Offering) -> Exchange {
        if ours.is_cancelled || self.transactions.client(ours.invite).is_none() {
            self.drop_client(ours.invite);
            self.tell(Event::ReinviteRejected { call: handle, response: None });
            return Exchange::Idle;
        }
        self.send_cancel(now, ours.invite, Vec::new());
        Exchange::Ours(Offering { give_up: now + PATIENCE, is_cancelled: true, ..ours })
    }
}
