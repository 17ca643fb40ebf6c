//! The SIP side of the gateway: who rings is let in, sent away, or not answered at all; calls are placed where the API asks
//! for them; each call gets its events.
//!
//! ```text
//! sip::Event::Incoming ─► Door ─┬─► call::driver::run   one task a call ◄── caps ◄── Switchboard::place
//!                               ├─► Reject (challenge, 403, 404, 488 …)
//!                               └─► Ignore (a stranger: not a word)
//! every other event ──────────────► the task of its call ◄── orders ◄── Switchboard: transfer, move, hang up
//! ```

mod caps;
mod door;
mod error;
mod gate;
mod inbound;
mod invite;
mod placer;
mod registry;
mod switchboard;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use sip::{CallHandle, Event, HeaderName};
use tokio::sync::{mpsc, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tracing::{Instrument as _, Span, error, field, info, info_span, warn};

pub use self::caps::Permit;
use self::caps::Trunks;
use self::door::Door;
pub use self::error::{CallError, Cap, TransferError, code_of};
pub use self::gate::Gate;
use self::gate::Suspects;
pub use self::placer::Placer;
pub(crate) use self::placer::Wanted;
pub use self::registry::CallInfo;
pub(crate) use self::registry::{Listing, Registry, unix_millis};
pub(crate) use self::switchboard::Ask;
pub use self::switchboard::{Participant, Placed, Switchboard, Transfer, Transferred};
use crate::call::driver::{self, Leg, Outbound, Parts, Stop, Wires};
use crate::call::end::EndReason;
use crate::call::order::Progress;
use crate::config::Config;
use crate::dispatch::Reject;
use crate::dispatch::number::shown;
use crate::dispatch::outbound::Placement;
use crate::store::{Direction, Snapshot};

/// Events of one call that wait for its task. A call makes a handful; re-INVITEs come one at a time. When it is full,
/// the task hangs, and is given up like one that has failed.
const EVENTS: usize = 32;

/// Orders of one call that wait for its task: people and programs ask, one by one.
const ORDERS: usize = 16;

/// The switchboard: owns the events of the endpoint.
#[derive(Debug)]
pub struct Phone {
    parts: Parts,
    objects: Arc<ArcSwap<Snapshot>>,
    door: Door,
    reject: Reject,
    max_active: Option<usize>,
    trunks: Trunks,
    suspects: Suspects,
    registry: Registry,
    switchboard: Switchboard,
    asks: Option<mpsc::Receiver<Ask>>,
    /// When a stranger last left a record.
    stranger: Option<Instant>,
    calls: HashMap<CallHandle, Ongoing>,
    tasks: JoinSet<EndReason>,
    by_task: HashMap<task::Id, CallHandle>,
    stop: watch::Receiver<Stop>,
    active: watch::Sender<usize>,
}

/// A call as the switchboard sees it.
#[derive(Debug)]
struct Ongoing {
    events: mpsc::Sender<Event>,
    task: AbortHandle,
    span: Span,
    since: Instant,
    /// What was known of it at its beginning.
    info: CallInfo,
}

impl Phone {
    /// A switchboard without calls. `active` is told how many there are.
    pub fn new(
        parts: Parts,
        objects: Arc<ArcSwap<Snapshot>>,
        config: &Config,
        stop: watch::Receiver<Stop>,
        active: watch::Sender<usize>,
    ) -> Self {
        let door = Door::new(Instant::now(), &rand::random(), config.sip.digest);
        let (reject, max_active) = (config.sip.reject, config.calls.max_active);
        let registry = Registry::default();
        let (switchboard, asks) = Switchboard::new(registry.clone());
        Self {
            parts,
            objects,
            door,
            reject,
            max_active,
            trunks: Trunks::default(),
            suspects: Suspects::default(),
            registry,
            switchboard,
            asks: Some(asks),
            stranger: None,
            calls: HashMap::new(),
            tasks: JoinSet::new(),
            by_task: HashMap::new(),
            stop,
            active,
        }
    }

    /// The way for others to its calls.
    pub fn switchboard(&self) -> Switchboard {
        self.switchboard.clone()
    }

    /// Runs until the endpoint is gone and the last call has ended.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let mut asks = self.asks.take();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle(event).await,
                    None => break,
                },
                Some(ask) = next_ask(&mut asks) => match ask {
                    Ask::Place(placement, tell) => self.place(*placement, tell),
                },
                Some(ended) = self.tasks.join_next_with_id() => self.forget(ended).await,
            }
        }
        // Whoever asks from now on is refused at once.
        drop(asks);
        for ongoing in self.calls.values_mut() {
            // The end of its events tells a call that there is no endpoint any more.
            ongoing.events = mpsc::channel(1).0;
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(ended).await;
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Incoming { call, request, source, wire, trusted, .. } => {
                self.incoming(call, &request, source, wire, trusted).await;
            }
            event => {
                if let Some(ongoing) = self.calls.get(&event.call())
                    && let Err(mpsc::error::TrySendError::Full(_)) = ongoing.events.try_send(event)
                {
                    ongoing.task.abort();
                }
            }
        }
    }

    /// Places a call, unless there are too many.
    fn place(&mut self, placement: Placement, tell: mpsc::Sender<Progress>) {
        let span = info_span!(
            "call",
            id = placement.call_id,
            sip.call_id = field::Empty,
            from = shown(&placement.number),
            to = shown(&placement.callee),
            room = placement.seat.room.as_str(),
            end = field::Empty
        );
        let permit = match self.admit(&placement) {
            Ok(permit) => Some(permit),
            Err(error) => {
                let reason = if error == CallError::Draining { "draining" } else { "caps" };
                self.parts.metrics.refused(Direction::Outbound, reason);
                span.in_scope(|| warn!(reason, "not placed: {error}"));
                // Whoever asked may have gone.
                let _ = tell.try_send(Progress::Failed(error));
                return;
            }
        };
        let call = self.parts.sip.new_call();
        let sip_call_id = format!("{:032x}", rand::random::<u128>());
        span.record("sip.call_id", &sip_call_id);
        span.in_scope(|| info!(trunk = placement.seat.trunk_id, "placing a call"));
        let leg = Leg::Outbound(Box::new(Outbound { call, sip_call_id, placement, tell, permit }));
        self.start(leg, span);
    }

    /// Whether a call may be placed.
    fn admit(&self, placement: &Placement) -> Result<Permit, CallError> {
        if self.switchboard.is_draining() || *self.stop.borrow() == Stop::End {
            return Err(CallError::Draining);
        }
        if let Some(limit) = self.max_active.filter(|limit| self.calls.len() >= *limit) {
            return Err(CallError::Caps(Cap::Gateway(limit)));
        }
        // Trunks that come with their requests are told apart by where they lead.
        let trunk = match &placement.trunk {
            Some(trunk) => trunk.id().to_owned(),
            None => placement.target.host.to_string(),
        };
        self.trunks.admit(Instant::now(), &trunk, placement.caps).map_err(CallError::Caps)
    }

    fn start(&mut self, leg: Leg, span: Span) {
        let (tell, sip_events) = mpsc::channel(EVENTS);
        let (give, orders) = mpsc::channel(ORDERS);
        let (call, info) = (leg.call(), leg.info());
        let listing = self.registry.list(info.clone(), give);
        let wires =
            Wires { sip_events, orders, listing, switchboard: self.switchboard.clone(), stop: self.stop.clone() };
        let running = driver::run(self.parts.clone(), leg, wires);
        self.adopt(call, info, tell, running, span);
    }

    fn adopt(
        &mut self,
        call: CallHandle,
        info: CallInfo,
        events: mpsc::Sender<Event>,
        running: impl Future<Output = EndReason> + Send + 'static,
        span: Span,
    ) {
        let task = self.tasks.spawn(running.instrument(span.clone()));
        self.by_task.insert(task.id(), call);
        self.calls.insert(call, Ongoing { events, task, span, since: Instant::now(), info });
        self.count();
    }

    async fn forget(&mut self, ended: Result<(task::Id, EndReason), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(call) = self.by_task.remove(&task) else { return };
        let ongoing = self.calls.remove(&call);
        let reason = ended.as_ref().map_or(EndReason::GatewayFault, |(_, reason)| *reason);
        if let Some(ongoing) = &ongoing {
            self.parts.metrics.ended(ongoing.info.direction, reason, ongoing.since.elapsed());
        }
        if let (Err(error), Some(ongoing)) = (ended, ongoing) {
            let reason = reason.outcome().label;
            ongoing.span.in_scope(|| error!(reason, %error, "call ended: its task has failed"));
            self.parts.store.record(ongoing.info.record(reason));
            self.hang_up(call).await;
        }
        self.count();
    }

    fn count(&self) {
        let outbound = self.calls.values().filter(|ongoing| ongoing.info.direction == Direction::Outbound).count();
        self.parts.metrics.set_active(self.calls.len() - outbound, outbound);
        self.active.send_replace(self.calls.len());
    }

    /// Ends the carrier's side of a call whose task is gone. Its line and its room went with the task.
    async fn hang_up(&self, call: CallHandle) {
        let outcome = EndReason::GatewayFault.outcome();
        let headers = vec![(HeaderName::Reason, outcome.q850().to_string())];
        // Of the two, the one that does not fit the state of the call does nothing.
        let refuse = sip::Command::Reject { call, status: outcome.status, reason: None, headers: headers.clone() };
        for command in [refuse, sip::Command::Hangup { call, headers }] {
            // An endpoint that is gone has no calls.
            let _ = self.parts.sip.send(command).await;
        }
    }
}

async fn next_ask(asks: &mut Option<mpsc::Receiver<Ask>>) -> Option<Ask> {
    match asks {
        Some(asks) => asks.recv().await,
        None => std::future::pending().await,
    }
}

/// Names often hold the number of the caller or of the called one. The log is to know its last four digits alone.
pub(crate) fn discreet(text: &str, numbers: [&str; 2]) -> String {
    numbers.into_iter().fold(text.to_owned(), |text, number| {
        let bare = number.trim_start_matches('+');
        if bare.is_empty() { text } else { text.replace(bare, &shown(bare)) }
    })
}

/// A prefix, `SCL_` for a call, and twelve letters and digits, as LiveKit makes them.
pub(crate) fn new_id(prefix: &str) -> String {
    use rand::distr::{Alphanumeric, SampleString as _};
    format!("{prefix}{}", Alphanumeric.sample_string(&mut rand::rng(), 12))
}

#[cfg(test)]
mod tests;
