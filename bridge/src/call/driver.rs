//! Performs what a [`Call`] decides: one task a call, between the SIP endpoint, the room session and the line.
//!
//! ```text
//! sip::Event ──┐                       ┌──► sip::Command
//! room::Event ─┼─► Input ─► Call ─► Action ─► room::Command
//! LineEvent ───┘                       └──► plane::Command
//! ```

mod bridge;
mod delayed;
mod dial;
mod events;
mod headers;
mod hold;
mod keys;
mod leg;
mod media;
mod offers;
mod parts;
mod pin;
mod record;
mod refer;
mod room;
mod rpc;
mod stir;
mod tie;
mod transfer;
mod voice;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use sip::{HeaderName, NextHop, Status, Tag};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use self::dial::{error_of, families};
use self::events::from_line;
use self::headers::Farewell;
use self::hold::Hold;
use self::keys::Keys;
pub use self::leg::{Inbound, Leg, Outbound};
use self::media::Media;
pub use self::parts::{Parts, Settings, Stop, Wires};
use self::room::{Move, next_event, next_move_event};
use self::stir::Stir;
use self::tie::Ties;
use self::transfer::{Running, next_bridge_event};
use super::end::EndReason;
use super::offers::Offers;
use super::order::{Order, Progress};
use super::parting::Parting;
use super::sieve::Way;
use super::{Action, Call, Input, Key, Offer};
use crate::dispatch::RoomName;
use crate::phone::{CallError, Listing, Switchboard};
use crate::plane::{Command, LineEvent};
use crate::room as rooms;
use crate::stir::Statement;
use crate::store::Direction;

/// Seconds after which a carrier may try again what failed for want of a room or of ports.
const RETRY_AFTER: &str = "10";

/// Runs a call to its end.
pub async fn run(parts: Parts, leg: Leg, wires: Wires) -> EndReason {
    let mut driver = Driver::new(parts, leg, wires);
    let started = Instant::now();
    let reason = driver.run().await;
    driver.finish(reason, started).await;
    reason
}

type Located = Result<Vec<NextHop>, String>;

struct Driver {
    call: Call,
    parts: Parts,
    leg: Leg,
    attributes: BTreeMap<String, String>,
    media: Media,
    /// The session in the room of that name.
    room: Option<rooms::driver::Handle>,
    room_name: RoomName,
    is_listening: bool,
    sip_events: mpsc::Receiver<sip::Event>,
    orders: mpsc::Receiver<Order>,
    listing: Listing,
    switchboard: Switchboard,
    stop: watch::Receiver<Stop>,
    locating: Option<JoinHandle<Located>>,
    hops: Vec<NextHop>,
    /// The first hop of a call that we placed.
    hop: Option<SocketAddr>,
    moving: Option<Move>,
    transfer: Option<Running>,
    /// The call that the peer has asked us for.
    referral: Option<JoinHandle<()>>,
    /// Whose offer is open.
    offers: Offers,
    hold: Hold,
    keys: Keys,
    /// Whether the caller's number is his.
    stir: Stir,
    /// The question for a PIN.
    pin: Option<super::pin::Entry>,
    /// Of the INVITE, or of the 200 to ours.
    remote_headers: Vec<(String, String)>,
    /// What the room wants to tell the phone with the BYE.
    farewell: Vec<(HeaderName, String)>,
    /// When a participant was told that the call ends as he wished.
    granted_at: Option<Instant>,
    /// Calls that end with this one.
    ties: Ties,
    answered_at: Option<SystemTime>,
    /// What went wrong, in more words than the reason of the end has.
    detail: Option<CallError>,
    /// Why the other side has ended it, in its own words (RFC 3326).
    parting: Parting,
    /// Attributes from the message that has ended it.
    last_news: BTreeMap<String, String>,
}

impl Driver {
    fn new(parts: Parts, leg: Leg, wires: Wires) -> Self {
        let Wires { sip_events, orders, listing, switchboard, stop } = wires;
        let mut attributes = leg.seat().attributes.clone();
        if let Leg::Outbound(outbound) = &leg {
            attributes.insert("sip.callIDFull".to_owned(), outbound.sip_call_id.clone());
        }
        Self {
            call: leg.machine(&parts.settings),
            offers: Offers::new(leg.direction() == Direction::Outbound),
            hold: Hold::default(),
            keys: Keys::default(),
            stir: Stir::default(),
            remote_headers: leg.headers(),
            pin: None,
            farewell: Vec::new(),
            granted_at: None,
            media: Media::new(&parts, &leg),
            room_name: leg.seat().room.clone(),
            attributes,
            parts,
            leg,
            room: None,
            is_listening: false,
            sip_events,
            orders,
            listing,
            ties: Ties::new(switchboard.clone()),
            switchboard,
            stop,
            locating: None,
            hops: Vec::new(),
            hop: None,
            moving: None,
            transfer: None,
            referral: None,
            answered_at: None,
            detail: None,
            parting: Parting::default(),
            last_news: BTreeMap::new(),
        }
    }

    async fn run(&mut self) -> EndReason {
        self.verify();
        loop {
            while let Some(action) = self.call.poll_action() {
                debug!(?action, "action");
                if let Action::Finished(reason) = action {
                    return reason;
                }
                if let Some(input) = self.perform(action).await {
                    self.take(input);
                }
            }
            let woken = self.wake().await;
            for input in self.inputs(woken).await {
                self.take(input);
            }
        }
    }

    async fn wake(&mut self) -> Woken {
        let deadlines = [self.call.next_timeout(), self.next_transfer_timeout(), self.next_move_timeout()];
        let asides = [self.offers.next_timeout(), self.pin.as_ref().and_then(super::pin::Entry::next_timeout)];
        let deadline = deadlines.into_iter().chain(asides).chain([self.next_key_timeout()]).flatten().min();
        // What ends a call that is about to end already would be told again and again.
        let is_open = !self.call.is_playing_out();
        tokio::select! {
            event = self.sip_events.recv() => Woken::Sip(event),
            event = next_event(&mut self.room) => Woken::Room(event),
            event = self.media.next_event() => Woken::Line(event),
            Some(order) = self.orders.recv() => Woken::Order(order),
            located = located(&mut self.locating) => Woken::Located(located),
            event = next_move_event(&mut self.moving) => Woken::Moving(event),
            input = next_bridge_event(&mut self.transfer) => Woken::Bridge(input),
            statement = self.stir.next() => Woken::Verified(statement),
            () = abandoned(&self.leg, self.answered_at.is_some(), self.call.is_in_room()), if is_open => Woken::Abandoned,
            _ = self.stop.wait_for(|stop| *stop == Stop::End), if is_open => Woken::Stop,
            () = wake_at(deadline) => Woken::Clock,
        }
    }

    async fn inputs(&mut self, woken: Woken) -> Vec<Input> {
        let input = match woken {
            Woken::Sip(event) => return self.sip_inputs(event).await,
            Woken::Room(Some(rooms::Event::Dtmf { digits, .. })) => self.press_for_room(&digits).await,
            Woken::Room(Some(rooms::Event::Rpc(call))) => self.called(call).await,
            Woken::Room(event) => self.room_input(event),
            Woken::Line(Some(LineEvent::Played)) => self.drive_pin(Some(super::pin::Input::Played)).await,
            Woken::Line(Some(LineEvent::Digit(key))) => self.hear_key(Way::Event, key),
            Woken::Line(Some(LineEvent::Tone(key))) => self.hear_key(Way::Tone, key),
            Woken::Line(event) => from_line(event.as_ref()),
            Woken::Order(order) => self.take_order(order).await,
            Woken::Located(located) => Some(self.located(located)),
            Woken::Moving(event) => self.moving_on(Some(event)).await,
            Woken::Bridge(input) => {
                self.unbridged();
                self.drive_transfer(Some(input)).await
            }
            Woken::Verified(statement) => {
                self.verified(statement);
                None
            }
            Woken::Abandoned => Some(Input::Hangup(EndReason::Abandoned)),
            Woken::Stop => Some(Input::Hangup(EndReason::Shutdown)),
            Woken::Clock => {
                self.call.handle_timeout(Instant::now());
                let mut inputs = Vec::from_iter(self.moving_on(None).await);
                inputs.extend(self.drive_transfer(None).await);
                inputs.extend(self.drive_offers(None).await);
                inputs.extend(self.drive_pin(None).await);
                inputs.extend(self.drive_keys().await);
                return inputs;
            }
        };
        input.into_iter().collect()
    }

    fn take(&mut self, input: Input) {
        debug!(?input, "input");
        self.call.handle_input(Instant::now(), input);
    }

    async fn take_order(&mut self, order: Order) -> Option<Input> {
        match order {
            Order::Hangup(reason) => return Some(Input::Hangup(reason)),
            Order::Transfer(transfer, reply) => return self.transfer(*transfer, reply).await,
            Order::Move(room, reply) => self.move_to(room, reply).await,
            Order::Tie(other) => self.ties.add(other),
        }
        None
    }

    /// Does one thing; what comes of it at once is the next input.
    async fn perform(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Locate => self.locate(),
            Action::PrepareMedia => return Some(self.prepare().await),
            Action::JoinRoom(status) => return self.join(status),
            Action::Listen => self.listen(),
            Action::Ring => self.ring().await,
            Action::Progress => self.progress(Status::SESSION_PROGRESS, self.media.description()).await,
            Action::StartEarly => return self.order_line(Command::StartEarly).await,
            Action::Answer => {
                let (headers, body) = (self.headers(), self.media.description());
                self.send(sip::Command::Answer { call: self.leg.call(), headers, body }).await;
            }
            Action::Dial => self.dial().await,
            Action::Dialtone(on) => return self.order_line(Command::Dialtone(on)).await,
            Action::HearEarly(Offer(description)) => return self.hear_early(&description).await,
            Action::Agree(Offer(description)) => return Some(self.agree(&description).await),
            Action::Press => return self.press().await,
            Action::AskPin => return self.ask_pin().await,
            Action::NotePinKey(key) => return self.note_pin_key(key).await,
            Action::StartMedia => {
                self.tell_encryption();
                return self.order_line(Command::Start).await;
            }
            Action::SetStatus(status) => self.set_status(status),
            Action::TellEnd(reason) => self.tell_end(reason),
            Action::PlayOut => return self.order_line(Command::PlayOut).await,
            Action::Renegotiate(Offer(offer)) => return self.renegotiate(&offer).await,
            Action::RefuseReoffer(status) => return self.refuse_reoffer(status).await,
            Action::PublishDigit(Key(digit)) => self.tell_room(rooms::Command::Dtmf(digit)),
            Action::Refuse(reason) => self.refuse(reason).await,
            Action::Hangup(reason) => {
                let headers = self.parting_headers(Farewell::Hangup, reason);
                self.send(sip::Command::Hangup { call: self.leg.call(), headers }).await;
            }
            Action::Release => {
                self.let_answer_out().await;
                self.media.close().await;
            }
            Action::Finished(_) => {} // The end is the loop's.
        }
        None
    }

    async fn prepare(&mut self) -> Input {
        let prepared = match &self.leg {
            Leg::Inbound(inbound) => {
                let local_tag = Some(Tag::new(inbound.id.as_str()));
                self.send(sip::Command::Trying { call: inbound.call, local_tag }).await;
                self.media.prepare(&self.parts.plane)
            }
            Leg::Outbound(_) => {
                self.hop = self.hops.first().map(|hop| hop.address);
                self.media.prepare_toward(&self.parts.plane, &families(&self.hops))
            }
        };
        match prepared {
            Ok(()) => Input::MediaReady,
            Err(reason) => Input::MediaRefused(reason),
        }
    }

    async fn ring(&self) {
        // Who wants our offer has it as early as may be (RFC 3262 §5).
        let body = match &self.leg {
            Leg::Inbound(inbound) if inbound.offer.is_empty() => self.media.description(),
            _ => bytes::Bytes::new(),
        };
        self.progress(Status::RINGING, body).await;
    }

    async fn progress(&self, status: Status, body: bytes::Bytes) {
        let (call, headers) = (self.leg.call(), Vec::new());
        self.send(sip::Command::Progress { call, status, headers, body }).await;
    }

    async fn refuse(&self, reason: EndReason) {
        let status = self.refusal_status(reason);
        let mut headers = self.parting_headers(Farewell::Refusal, reason);
        if status == Status::SERVICE_UNAVAILABLE {
            headers.push((HeaderName::RetryAfter, RETRY_AFTER.to_owned()));
        }
        self.send(sip::Command::Reject { call: self.leg.call(), status, reason: None, headers }).await;
    }

    /// Whether media is encrypted, where calls are looked at: in the log and the list.
    fn tell_encryption(&self) {
        let suite = self.media.suite();
        if self.listing.info().is_some_and(|info| info.encrypted != suite.is_some()) {
            info!(suite = suite.map_or("none", ::media::srtp::Suite::name), "encryption of the phone's media");
            self.listing.update(|info| info.encrypted = suite.is_some());
        }
    }

    async fn order_line(&self, command: Command) -> Option<Input> {
        self.media.order(command).await.err().map(|_| Input::MediaFault)
    }

    async fn send(&self, command: sip::Command) {
        if self.parts.sip.send(command).await.is_err() {
            debug!("the endpoint is gone");
        }
    }

    /// No more orders are taken. Those that came too late are answered by being dropped; but a call that was to end with
    /// this one does.
    async fn take_last_orders(&mut self) {
        self.orders.close();
        while let Some(order) = self.orders.recv().await {
            if let Order::Tie(other) = order {
                self.ties.add(other);
            }
        }
    }

    /// Tells everybody who has to know, and writes down what is left.
    async fn finish(&mut self, reason: EndReason, started: Instant) {
        self.take_last_orders().await;
        self.end_transfer(reason).await;
        self.end_referral(reason);
        // Whoever hears how it ended may place the next call at once.
        self.leg.release();
        if self.leg.direction() == Direction::Outbound && self.answered_at.is_none() {
            self.parts.metrics.refused(Direction::Outbound, reason.outcome().label);
            self.tell(Progress::Failed(error_of(reason, self.detail.clone())));
        }
        self.ties.end();
        self.leave(reason).await;
        let outcome = reason.outcome();
        tracing::Span::current().record("end", outcome.label);
        let seconds = started.elapsed().as_secs_f64();
        let summary = self.media.summary();
        if outcome.is_fault {
            warn!(reason = outcome.label, seconds, %summary, "call ended");
        } else {
            info!(reason = outcome.label, seconds, %summary, "call ended");
        }
        self.parts.store.record(self.record(reason, summary.to_string()));
    }
}

const STATUS: &str = "sip.callStatus";

/// What the task of a call waits for.
enum Woken {
    Sip(Option<sip::Event>),
    Room(Option<rooms::Event>),
    Line(Option<LineEvent>),
    Order(Order),
    Located(Located),
    Moving(Option<rooms::Event>),
    Bridge(super::transfer::Input),
    Verified(Statement),
    Abandoned,
    Stop,
    Clock,
}

async fn wake_at(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn located(locating: &mut Option<JoinHandle<Located>>) -> Located {
    match locating {
        Some(locating) => locating.await.unwrap_or_else(|error| Err(error.to_string())),
        None => std::future::pending().await,
    }
}

/// Whoever has placed a call has gone before it came to what he waits for: its answer, or its place in the room.
async fn abandoned(leg: &Leg, is_answered: bool, is_in_room: bool) {
    match leg {
        Leg::Outbound(call) if !(if call.placement.wait_until_answered { is_answered } else { is_in_room }) => {
            call.tell.closed().await;
        }
        _ => std::future::pending().await,
    }
}

/// As much of a foreign text as a log line should hold.
pub(crate) fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(128)]
}

#[cfg(test)]
pub(crate) mod tests;
