//! A new INVITE: let in with a seat, or sent away with a reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sip::endpoint::ExtraHeaders;
use sip::{CallHandle, HeaderName, Request, Status, Wire};
use tracing::{Span, debug, field, info, info_span, warn};

use super::door::Verdict;
use super::{Gate, Phone, discreet, invite, new_id, unix_millis};
use crate::call::driver::{Inbound, Leg, clipped};
use crate::dispatch::number::shown;
use crate::dispatch::{self, Decision, Pin, Query, Reject, Seat};
use crate::stir::Claim;
use crate::store::{CallRecord, Direction, InboundTrunk, Transfers};

/// Seconds after which a carrier may come back to a full gateway.
const RETRY_AFTER: &str = "20";
/// Strangers leave a record this often at most: they are not to push out those of calls.
const STRANGERS: Duration = Duration::from_secs(10);

/// A status and headers, or `None` for silence.
pub(super) type Answer = Option<(Status, ExtraHeaders)>;

/// A caller who was let in.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) seat: Box<Seat>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) sip_call_id: String,
    pub(super) transfers: Transfers,
    pub(super) claim: Claim,
    pub(super) pin: Option<Gate>,
}

/// A caller who was not, as far as he is known.
struct Stray<'a> {
    id: &'a str,
    source: SocketAddr,
    is_trusted: bool,
    query: Option<&'a Query>,
    trunk: Option<&'a InboundTrunk>,
}

impl Phone {
    pub(super) async fn incoming(
        &mut self,
        call: CallHandle,
        request: &Request,
        source: SocketAddr,
        wire: Wire,
        trusted: bool,
    ) {
        self.parts.metrics.invited(Direction::Inbound);
        let id = new_id("SCL_");
        let span = info_span!(
            "call", %id, sip.call_id = field::Empty, from = field::Empty, to = field::Empty,
            %source, room = field::Empty, end = field::Empty
        );
        let seat = span.in_scope(|| self.seat(request, source, wire, trusted, &id));
        match seat {
            Ok(Guest { seat, from, to, sip_call_id, transfers, claim, pin }) => {
                self.parts.metrics.accepted(Direction::Inbound);
                let offer = request.body.clone();
                let headers = request.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned()));
                let headers = headers.collect();
                let inbound = Inbound {
                    call,
                    id,
                    offer,
                    source,
                    from,
                    to,
                    sip_call_id,
                    transfers,
                    claim,
                    headers,
                    pin,
                    seat: *seat,
                };
                self.start(Leg::Inbound(Box::new(inbound)), span);
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
    pub(super) fn seat(
        &mut self,
        request: &Request,
        source: SocketAddr,
        wire: Wire,
        trusted: bool,
        id: &str,
    ) -> Result<Guest, Answer> {
        let stray = Stray { id, source, is_trusted: trusted, query: None, trunk: None };
        let mut query = match invite::query(request, source, wire, id.to_owned()) {
            Ok(query) => query,
            Err(error) => return Err(self.unreadable(&error, &stray)),
        };
        let stray = Stray { query: Some(&query), ..stray };
        let span = Span::current();
        span.record("sip.call_id", clipped(&query.sip_call_id));
        span.record("from", shown(&query.from.user)).record("to", shown(query.called()));
        let objects = self.objects.load_full();
        let trunk = match self.door.judge(Instant::now(), &objects, &query, request) {
            Verdict::Enter(trunk) => trunk,
            Verdict::Challenge(status, headers) => {
                if status == Status::FORBIDDEN {
                    self.parts.metrics.refused(Direction::Inbound, "wrong_password");
                    self.leave_record(&stray, "wrong_password", "the password or the user is wrong", Some(status));
                }
                return Err(Some((status, headers)));
            }
            Verdict::Guesser { is_news } => {
                self.parts.metrics.refused(Direction::Inbound, "guessing");
                if is_news {
                    warn!(
                        reason = "guessing",
                        "refused: too many wrong passwords from this address; not answered for a minute"
                    );
                    self.leave_record(&stray, "guessing", "too many wrong passwords", None);
                } else {
                    debug!(reason = "guessing", "refused");
                }
                return Err(None);
            }
            Verdict::Refuse { refusal, is_known } => {
                return Err(self.refused(&refusal, &Stray { is_trusted: trusted || is_known, ..stray }));
            }
        };
        let is_trusted = stray.is_trusted;
        query.believe(&trunk);
        if query.calling() != query.from.user {
            info!(
                caller = shown(query.calling()),
                hidden = query.hides_caller(),
                "From is anonymous, its carrier knows who calls"
            );
        }
        let stray = Stray { id, source, is_trusted, query: Some(&query), trunk: Some(&trunk) };
        if self.max_active.is_some_and(|limit| self.calls.len() >= limit) {
            return Err(self.busy(&stray));
        }
        let claim = Claim::of(&query, trunk.knows(&query));
        match dispatch::decide(&objects, &trunk, &query, Pin::NotAsked) {
            Decision::Join(seat) => {
                span.record("room", discreet(seat.room.as_str(), [query.calling(), query.called()]));
                for note in &seat.notes {
                    warn!(note, "the rule could not be followed to the letter");
                }
                let identity = discreet(&seat.identity, [query.calling(), query.called()]);
                info!(trunk = seat.trunk_id, rule = seat.rule_id, identity, "call accepted");
                Ok(Guest {
                    seat,
                    from: query.calling().to_owned(),
                    to: query.called().to_owned(),
                    sip_call_id: query.sip_call_id.clone(),
                    transfers: trunk.transfers,
                    claim,
                    pin: None,
                })
            }
            Decision::AskPin(rule) => {
                // Media and limits are those of the rule that asks; room and identity are settled by the PIN.
                let seat = dispatch::participant::seat(&trunk, &rule, &query);
                let seat = Box::new(seat.map_err(|refusal| self.refused(&refusal, &stray))?);
                info!(trunk = seat.trunk_id, "call accepted, a PIN is asked for");
                let (from, to) = (query.calling().to_owned(), query.called().to_owned());
                let (sip_call_id, transfers) = (query.sip_call_id.clone(), trunk.transfers);
                let gate = Gate::new(Arc::clone(&self.objects), trunk, query, self.suspects.clone());
                Ok(Guest { seat, from, to, sip_call_id, transfers, claim, pin: Some(gate) })
            }
            Decision::Refuse(refusal) => Err(self.refused(&refusal, &stray)),
        }
    }

    fn refused(&mut self, refusal: &dispatch::Refusal, stray: &Stray<'_>) -> Answer {
        let answer = refusal.answer(stray.is_trusted, self.reject).and_then(Status::new);
        let status = answer.map_or(0, Status::code);
        self.parts.metrics.refused(Direction::Inbound, refusal.label());
        warn!(reason = refusal.label(), status, "refused: {refusal}");
        self.leave_record(stray, refusal.label(), &refusal.to_string(), answer);
        Some((answer?, Vec::new()))
    }

    /// What cannot be read gets the status that says so, unless its sender is to get none.
    fn unreadable(&mut self, error: &sip::Error, stray: &Stray<'_>) -> Answer {
        let answer = (stray.is_trusted || self.reject != Reject::Silent).then(|| error.status());
        self.parts.metrics.refused(Direction::Inbound, "malformed");
        warn!(reason = "malformed", status = answer.map_or(0, Status::code), "refused: {error}");
        self.leave_record(stray, "malformed", &error.to_string(), answer);
        Some((answer?, Vec::new()))
    }

    /// A carrier goes to its next route on 503.
    fn busy(&mut self, stray: &Stray<'_>) -> Answer {
        self.parts.metrics.refused(Direction::Inbound, "max_active_calls");
        warn!(reason = "max_active_calls", "refused: as many calls as allowed");
        let status = Status::SERVICE_UNAVAILABLE;
        self.leave_record(stray, "max_active_calls", "as many calls as allowed", Some(status));
        Some((status, vec![(HeaderName::RetryAfter, RETRY_AFTER.to_owned())]))
    }

    /// The store keeps whole numbers, for those who may read it; the log has the last digits alone.
    fn leave_record(&mut self, stray: &Stray<'_>, label: &str, text: &str, status: Option<Status>) {
        if !stray.is_trusted && stray.trunk.is_none() {
            let now = Instant::now();
            if self.stranger.is_some_and(|last| now.saturating_duration_since(last) < STRANGERS) {
                return;
            }
            self.stranger = Some(now);
        }
        let now = unix_millis(SystemTime::now());
        let of =
            |text: fn(&Query) -> &str| stray.query.map(|query| clipped(text(query)).to_owned()).unwrap_or_default();
        let from = of(|query| query.calling());
        let is_hidden = stray.query.is_some_and(Query::hides_caller);
        self.parts.store.record(CallRecord {
            id: stray.id.to_owned(),
            direction: Direction::Inbound,
            from: if is_hidden { shown(&from) } else { from },
            to: of(|query| query.called()),
            trunk: stray.trunk.map(|trunk| trunk.id().to_owned()).unwrap_or_default(),
            sip_call_id: of(|query| &query.sip_call_id),
            source: stray.source.to_string(),
            started: now,
            ended: now,
            end: label.to_owned(),
            end_text: clipped(text).to_owned(),
            sip_status: status.map(Status::code),
            ..CallRecord::default()
        });
    }
}
