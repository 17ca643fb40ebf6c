//! The SIP side of the gateway: who rings is let in, sent away, or not answered at all; each call gets its events.
//!
//! ```text
//! sip::Event::Incoming ─► Door ─┬─► call::driver::run   one task a call
//!                               ├─► Reject (challenge, 403, 404, 488 …)
//!                               └─► Ignore (a stranger: not a word)
//! every other event ──────────────► the task of its call
//! ```

mod door;
mod invite;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use sip::{CallHandle, Event, HeaderName, Request, Status, Wire};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{Instrument as _, field, info, info_span, warn};

use self::door::{Door, Verdict};
use crate::call::driver::{self, Inbound, Parts, Stop};
use crate::call::end::EndReason;
use crate::config::Config;
use crate::dispatch::{self, Decision, Pin, Reject, Seat};
use crate::plane::Family;
use crate::store::Snapshot;

/// Events of one call that wait for its task. A call makes a handful; re-INVITEs come one at a time. When it is full,
/// the task is stuck, and the event is lost to it: the stack goes on by itself (it answers BYE, repeats 200).
const EVENTS: usize = 32;

/// Seconds after which a carrier may come back to a full gateway.
const RETRY_AFTER: &str = "20";

/// The switchboard: owns the events of the endpoint.
#[derive(Debug)]
pub struct Phone {
    parts: Parts,
    objects: Arc<ArcSwap<Snapshot>>,
    door: Door,
    reject: Reject,
    max_active: Option<usize>,
    calls: HashMap<CallHandle, mpsc::Sender<Event>>,
    tasks: JoinSet<(CallHandle, EndReason)>,
    stop: watch::Receiver<Stop>,
    active: watch::Sender<usize>,
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
        Self { parts, objects, door, reject, max_active, calls: HashMap::new(), tasks: JoinSet::new(), stop, active }
    }

    /// Runs until the endpoint is gone and the last call has ended.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle(event).await,
                    None => break,
                },
                Some(ended) = self.tasks.join_next() => self.forget(ended),
            }
        }
        while let Some(ended) = self.tasks.join_next().await {
            self.forget(ended);
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Incoming { call, request, source, wire, trusted, .. } => {
                self.incoming(call, &request, source, wire, trusted).await;
            }
            event => {
                let call = event.call();
                if let Some(task) = self.calls.get(&call)
                    && let Err(mpsc::error::TrySendError::Full(event)) = task.try_send(event)
                {
                    warn!(?call, ?event, "a call does not take its events");
                }
            }
        }
    }

    async fn incoming(&mut self, call: CallHandle, request: &Request, source: SocketAddr, wire: Wire, trusted: bool) {
        let id = new_call_id();
        let span = info_span!(
            "call", %id, sip.call_id = field::Empty, from = field::Empty, to = field::Empty,
            %source, room = field::Empty, end = field::Empty
        );
        let is_full = self.max_active.is_some_and(|limit| self.calls.len() >= limit);
        let seat = if is_full {
            Err(span.in_scope(|| busy()))
        } else {
            span.in_scope(|| self.seat(request, source, wire, trusted, &id))
        };
        match seat {
            Ok(seat) => {
                let peer = source.ip().to_canonical();
                let family = if peer.is_ipv4() { Family::V4 } else { Family::V6 };
                let offer = request.body.clone();
                self.start(Inbound { call, id, offer, peer, family, seat: *seat }, span);
            }
            Err(Some((status, headers))) => {
                let command = sip::Command::Reject { call, status, reason: None, headers };
                let _ = self.parts.sip.send(command).await;
            }
            Err(None) => {
                let _ = self.parts.sip.send(sip::Command::Ignore { call }).await;
            }
        }
    }

    /// Finds the caller's seat, or what to answer; `None` for silence. Each refusal is a line in the log.
    fn seat(
        &mut self,
        request: &Request,
        source: SocketAddr,
        wire: Wire,
        trusted: bool,
        id: &str,
    ) -> Result<Box<Seat>, Option<(Status, sip::endpoint::ExtraHeaders)>> {
        let query =
            invite::query(request, source, wire, id.to_owned()).map_err(|error| Some((error.status(), Vec::new())))?;
        let span = tracing::Span::current();
        span.record("sip.call_id", &query.sip_call_id).record("from", &query.from.user).record("to", query.called());
        let objects = self.objects.load_full();
        let trunk = match self.door.judge(Instant::now(), &objects, &query, request) {
            Verdict::Enter(trunk) => trunk,
            Verdict::Challenge(status, headers) => return Err(Some((status, headers))),
            Verdict::Guesser => {
                warn!(reason = "guessing", "refused: too many wrong passwords from this address");
                return Err(None);
            }
            Verdict::Refuse(refusal) => return Err(self.refused(&refusal, trusted)),
        };
        match dispatch::decide(&objects, &trunk, &query, Pin::NotAsked) {
            Decision::Join(seat) => {
                span.record("room", seat.room.as_str());
                for note in &seat.notes {
                    warn!(note, "the rule could not be followed to the letter");
                }
                info!(trunk = seat.trunk_id, rule = seat.rule_id, identity = seat.identity, "call accepted");
                Ok(seat)
            }
            Decision::AskPin(rule) => {
                Err(self.refused(&dispatch::Refusal::PinRequired { rule: rule.label() }, trusted))
            }
            Decision::Refuse(refusal) => Err(self.refused(&refusal, trusted)),
        }
    }

    fn refused(&self, refusal: &dispatch::Refusal, trusted: bool) -> Option<(Status, sip::endpoint::ExtraHeaders)> {
        let answer = refusal.answer(trusted, self.reject).and_then(Status::new);
        let status = answer.map_or(0, Status::code);
        warn!(reason = refusal.label(), status, "refused: {refusal}");
        Some((answer?, Vec::new()))
    }

    fn start(&mut self, inbound: Inbound, span: tracing::Span) {
        let call = inbound.call;
        let (tell, events) = mpsc::channel(EVENTS);
        self.calls.insert(call, tell);
        let running = driver::run(self.parts.clone(), inbound, events, self.stop.clone());
        self.tasks.spawn(async move { (call, running.await) }.instrument(span));
        self.active.send_replace(self.calls.len());
    }

    fn forget(&mut self, ended: Result<(CallHandle, EndReason), tokio::task::JoinError>) {
        match ended {
            Ok((call, _)) => {
                self.calls.remove(&call);
            }
            Err(error) => {
                // The task of a call has panicked. Its line and its room went with it; the carrier's side ends here.
                tracing::error!(%error, "the task of a call has failed");
                self.calls.retain(|_, task| !task.is_closed());
            }
        }
        self.active.send_replace(self.calls.len());
    }
}

/// A carrier goes to its next route on 503.
fn busy() -> Option<(Status, sip::endpoint::ExtraHeaders)> {
    warn!(reason = "max_active_calls", "refused: as many calls as allowed");
    Some((Status::SERVICE_UNAVAILABLE, vec![(HeaderName::RetryAfter, RETRY_AFTER.to_owned())]))
}

/// `SCL_` and twelve letters and digits, as LiveKit makes them.
fn new_call_id() -> String {
    use rand::distr::{Alphanumeric, SampleString as _};
    format!("SCL_{}", Alphanumeric.sample_string(&mut rand::rng(), 12))
}
