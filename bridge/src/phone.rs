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
use sip::endpoint::ExtraHeaders;
use sip::{CallHandle, Event, HeaderName, Request, Status, Wire};
use tokio::sync::{mpsc, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tracing::{Instrument as _, Span, debug, error, field, info, info_span, warn};

use self::door::{Door, Verdict};
use crate::call::driver::{self, Inbound, Parts, Stop, clipped};
use crate::call::end::EndReason;
use crate::config::Config;
use crate::dispatch::number::shown;
use crate::dispatch::{self, Decision, Pin, Query, Reject, Seat};
use crate::plane::Family;
use crate::store::Snapshot;

/// Events of one call that wait for its task. A call makes a handful; re-INVITEs come one at a time. When it is full,
/// the task hangs, and is given up like one that has failed.
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
}

/// A status and headers, or `None` for silence.
type Answer = Option<(Status, ExtraHeaders)>;

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
        let (calls, by_task) = (HashMap::new(), HashMap::new());
        Self { parts, objects, door, reject, max_active, calls, tasks: JoinSet::new(), by_task, stop, active }
    }

    /// Runs until the endpoint is gone and the last call has ended.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle(event).await,
                    None => break,
                },
                Some(ended) = self.tasks.join_next_with_id() => self.forget(ended).await,
            }
        }
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

    async fn incoming(&mut self, call: CallHandle, request: &Request, source: SocketAddr, wire: Wire, trusted: bool) {
        self.parts.metrics.invited();
        let id = new_call_id();
        let span = info_span!(
            "call", %id, sip.call_id = field::Empty, from = field::Empty, to = field::Empty,
            %source, room = field::Empty, end = field::Empty
        );
        let seat = span.in_scope(|| self.seat(request, source, wire, trusted, &id));
        match seat {
            Ok(seat) => {
                self.parts.metrics.accepted();
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
    ) -> Result<Box<Seat>, Answer> {
        let query =
            invite::query(request, source, wire, id.to_owned()).map_err(|error| self.unreadable(&error, trusted))?;
        let span = Span::current();
        span.record("sip.call_id", clipped(&query.sip_call_id));
        span.record("from", shown(&query.from.user)).record("to", shown(query.called()));
        let objects = self.objects.load_full();
        let trunk = match self.door.judge(Instant::now(), &objects, &query, request) {
            Verdict::Enter(trunk) => trunk,
            Verdict::Challenge(status, headers) => return Err(Some((status, headers))),
            Verdict::Guesser { is_news: true } => {
                self.parts.metrics.refused("guessing");
                warn!(
                    reason = "guessing",
                    "refused: too many wrong passwords from this address; not answered for a minute"
                );
                return Err(None);
            }
            Verdict::Guesser { is_news: false } => {
                self.parts.metrics.refused("guessing");
                debug!(reason = "guessing", "refused");
                return Err(None);
            }
            Verdict::Refuse(refusal) => return Err(self.refused(&refusal, trusted)),
        };
        if self.max_active.is_some_and(|limit| self.calls.len() >= limit) {
            return Err(self.busy());
        }
        match dispatch::decide(&objects, &trunk, &query, Pin::NotAsked) {
            Decision::Join(seat) => {
                span.record("room", discreet(seat.room.as_str(), &query));
                for note in &seat.notes {
                    warn!(note, "the rule could not be followed to the letter");
                }
                let identity = discreet(&seat.identity, &query);
                info!(trunk = seat.trunk_id, rule = seat.rule_id, identity, "call accepted");
                Ok(seat)
            }
            Decision::AskPin(rule) => {
                Err(self.refused(&dispatch::Refusal::PinRequired { rule: rule.label() }, trusted))
            }
            Decision::Refuse(refusal) => Err(self.refused(&refusal, trusted)),
        }
    }

    fn refused(&self, refusal: &dispatch::Refusal, trusted: bool) -> Answer {
        let answer = refusal.answer(trusted, self.reject).and_then(Status::new);
        let status = answer.map_or(0, Status::code);
        self.parts.metrics.refused(refusal.label());
        warn!(reason = refusal.label(), status, "refused: {refusal}");
        Some((answer?, Vec::new()))
    }

    /// What cannot be read gets the status that says so, unless its sender is to get none.
    fn unreadable(&self, error: &sip::Error, trusted: bool) -> Answer {
        let answer = (trusted || self.reject != Reject::Silent).then(|| error.status());
        self.parts.metrics.refused("malformed");
        warn!(reason = "malformed", status = answer.map_or(0, Status::code), "refused: {error}");
        Some((answer?, Vec::new()))
    }

    /// A carrier goes to its next route on 503.
    fn busy(&self) -> Answer {
        self.parts.metrics.refused("max_active_calls");
        warn!(reason = "max_active_calls", "refused: as many calls as allowed");
        Some((Status::SERVICE_UNAVAILABLE, vec![(HeaderName::RetryAfter, RETRY_AFTER.to_owned())]))
    }

    fn start(&mut self, inbound: Inbound, span: Span) {
        let (tell, events) = mpsc::channel(EVENTS);
        let call = inbound.call;
        let running = driver::run(self.parts.clone(), inbound, events, self.stop.clone());
        self.adopt(call, tell, running, span);
    }

    fn adopt(
        &mut self,
        call: CallHandle,
        events: mpsc::Sender<Event>,
        running: impl Future<Output = EndReason> + Send + 'static,
        span: Span,
    ) {
        let task = self.tasks.spawn(running.instrument(span.clone()));
        self.by_task.insert(task.id(), call);
        self.calls.insert(call, Ongoing { events, task, span, since: Instant::now() });
        self.count();
    }

    async fn forget(&mut self, ended: Result<(task::Id, EndReason), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(call) = self.by_task.remove(&task) else { return };
        let ongoing = self.calls.remove(&call);
        let reason = ended.as_ref().map_or(EndReason::GatewayFault, |(_, reason)| *reason);
        if let Some(ongoing) = &ongoing {
            self.parts.metrics.ended(reason, ongoing.since.elapsed());
        }
        if let (Err(error), Some(ongoing)) = (ended, ongoing) {
            let reason = reason.outcome().label;
            ongoing.span.in_scope(|| error!(reason, %error, "call ended: its task has failed"));
            self.hang_up(call).await;
        }
        self.count();
    }

    fn count(&self) {
        self.parts.metrics.set_active(self.calls.len());
        self.active.send_replace(self.calls.len());
    }

    /// Ends the carrier's side of a call whose task is gone. Its line and its room went with the task.
    async fn hang_up(&self, call: CallHandle) {
        let outcome = EndReason::GatewayFault.outcome();
        let headers = vec![(HeaderName::Reason, outcome.header())];
        // Of the two, the one that does not fit the state of the call does nothing.
        let refuse = sip::Command::Reject { call, status: outcome.status, reason: None, headers: headers.clone() };
        for command in [refuse, sip::Command::Hangup { call, headers }] {
            // An endpoint that is gone has no calls.
            let _ = self.parts.sip.send(command).await;
        }
    }
}

/// `SCL_` and twelve letters and digits, as LiveKit makes them.
fn new_call_id() -> String {
    use rand::distr::{Alphanumeric, SampleString as _};
    format!("SCL_{}", Alphanumeric.sample_string(&mut rand::rng(), 12))
}

/// Names often hold the number of the caller or of the called one. The log is to know its last four digits alone.
fn discreet(text: &str, query: &Query) -> String {
    [query.calling(), query.called()].into_iter().fold(text.to_owned(), |text, number| {
        let bare = number.trim_start_matches('+');
        if bare.is_empty() { text } else { text.replace(bare, &shown(bare)) }
    })
}

#[cfg(test)]
mod tests;
