//! Requests that come in: which transaction they belong to, and what is done with those outside a call
//! ([RFC 3261 §8.2], [§9.2], [§11.2], [§13.3]).
//!
//! Refusals outside a call are given without keeping state ([§8.2.7]): a copy of the request gets the same answer, and
//! nobody can fill a table with requests that are refused.
//!
//! [RFC 3261 §8.2]: https://www.rfc-editor.org/rfc/rfc3261#section-8.2
//! [§8.2.7]: https://www.rfc-editor.org/rfc/rfc3261#section-8.2.7
//! [§9.2]: https://www.rfc-editor.org/rfc/rfc3261#section-9.2
//! [§11.2]: https://www.rfc-editor.org/rfc/rfc3261#section-11.2
//! [§13.3]: https://www.rfc-editor.org/rfc/rfc3261#section-13.3

use std::time::Instant;

use super::{
    Endpoint,
    body::{SDP, reduce_to_sdp},
    call::{Call, Exchange, Peer, State, Terms},
    command::CallHandle,
    compose::{ALLOW, Answer, skeleton},
    event::Event,
    flow::{Destination, Flow},
    half_open::Place,
    key::{MergeKey, ServerKey},
    route::{Path, stamp},
    session::Session,
    transactions::{ServerMachine, ServerTx, TxId},
};
use crate::{
    dialog::DialogId,
    message::{HeaderName, Headers, Message, Method, Request, Scheme, Status, Tag},
    transaction::{invite_server, invite_server::InviteServer, server::Server},
};

/// How a request came and where its answers go.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) flow: Flow,
    pub(super) reply_to: Destination,
    pub(super) key: ServerKey,
    pub(super) trusted: bool,
}

impl Endpoint {
    pub(super) fn handle_request(&mut self, now: Instant, flow: &Flow, mut request: Request, trusted: bool) {
        // The parser has let through what has a Via.
        let Ok(via) = request.headers.via() else { return };
        let key = ServerKey::of(&request, &via);
        let cancelled = ServerKey::cancelled_by(&request, &via);
        let reply_to = stamp(&mut request.headers, via, flow);
        let arrival = Arrival { flow: *flow, reply_to, key, trusted };
        let known = self.transactions.find_server(&arrival.key);
        match (&request.method, known) {
            (Method::Ack, known) => self.handle_ack(now, known, request),
            (_, Some(id)) => {
                if let Some(tx) = self.transactions.server_mut(id) {
                    tx.machine.handle_retransmission(now);
                }
                self.settle_server(now, id);
            }
            (Method::Cancel, None) => self.handle_cancel(now, &arrival, &request, &cancelled),
            (_, None) if has_to_tag(&request) => self.handle_within(now, &arrival, request),
            (Method::Invite, None) => self.handle_invite(&arrival, request),
            (Method::Options, None) => self.handle_options(&arrival, &request),
            // What makes sense within a call only, news of what nobody has asked for.
            (Method::Bye | Method::Notify | Method::Info | Method::Update | Method::Prack, None) => {
                self.refuse(&arrival, &request, Answer::new(Status::CALL_DOES_NOT_EXIST));
            }
            // Nobody makes us call anybody without having called first.
            (Method::Refer, None) => self.refuse(&arrival, &request, Answer::new(Status::FORBIDDEN)),
            (method, None) => {
                let answer = not_handled(method);
                self.refuse(&arrival, &request, answer);
            }
        }
    }

    /// A call begins, unless there is a reason against it that no policy can change.
    fn handle_invite(&mut self, arrival: &Arrival, mut request: Request) {
        if let Some(answer) = self.objection(&mut request) {
            return self.refuse(arrival, &request, answer);
        }
        let merge = match MergeKey::of(&request.headers) {
            Ok(merge) if self.transactions.find_merged(&merge).is_none() => merge,
            // A second copy of one call, forked on its way to us (RFC 3261 §8.2.2.2).
            _ => return self.refuse(arrival, &request, Answer::new(Status::LOOP_DETECTED)),
        };
        if self.draining.is_some() {
            return self.refuse_overloaded(arrival, &request);
        }
        let Some(place) = self.place_for_call(arrival) else {
            self.stats.overloaded += 1;
            return self.refuse_overloaded(arrival, &request);
        };
        self.open_call(arrival, request, merge, place);
    }

    fn open_call(&mut self, arrival: &Arrival, request: Request, merge: MergeKey, place: Place) {
        let (Ok(call_id), Ok(from)) = (request.headers.call_id(), request.headers.from()) else { return };
        let remote = from.tag().unwrap_or_else(|| Tag::new(""));
        let id = DialogId { call_id, local: self.names.tag(), remote };
        let handle = self.calls.next_inbound();
        let wire = arrival.flow.wire;
        let invite = self.open_server(arrival, &request, Some(merge));
        let is_hidden = !self.is_visible(arrival.trusted);
        if let Some(tx) = self.transactions.server_mut(invite) {
            (tx.call, tx.place, tx.hidden) = (Some(handle), Some(place), is_hidden);
        }
        let source = arrival.flow.remote;
        let local = self.listener(wire, Some(arrival.flow.local), source.ip()).map(|listener| listener.bind);
        let path = Path::of_flow(&arrival.flow, local.unwrap_or(arrival.flow.local));
        let reliable = self.reliable_for(&request.headers);
        let terms = if request.body.is_empty() { Terms::Wanted } else { Terms::Offered };
        let peer = Peer { reliable, terms, ..Peer::new(path, self.config.session_timers) };
        self.put(handle, Call { peer, state: State::Offered { invite, id, reminder: None } });
        self.tell(Event::Incoming {
            call: handle,
            request: Box::new(request),
            source,
            wire,
            local: arrival.flow.local,
            trusted: arrival.trusted,
        });
    }

    /// What is wrong with an INVITE outside a call, if anything. Reduces its body to SDP.
    fn objection(&self, request: &mut Request) -> Option<Answer> {
        if !matches!(request.uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return Some(Answer::new(Status::UNSUPPORTED_URI_SCHEME));
        }
        if request.headers.max_forwards() == Ok(Some(0)) {
            return Some(Answer::new(Status::TOO_MANY_HOPS));
        }
        if !request.headers.from().is_ok_and(|from| from.tag().is_some()) {
            return Some(bad_request("Missing From tag"));
        }
        match request.headers.contact() {
            Ok(Some(_)) => {}
            Ok(None) => return Some(bad_request("Missing Contact header")),
            Err(_) => return Some(bad_request("Malformed Contact header")),
        }
        if request.headers.record_routes().is_err() {
            return Some(bad_request("Malformed Record-Route header"));
        }
        self.unsupported(request).or_else(|| self.too_brief(request)).or_else(|| unreadable_body(request))
    }

    /// The answer to a request that wants a shorter session than we take (RFC 4028 §9).
    pub(super) fn too_brief(&self, request: &Request) -> Option<Answer> {
        let least = Session::objection(self.config.session_timers, &request.headers)?;
        let own = vec![(HeaderName::MinSe, least.as_secs().to_string())];
        Some(Answer { own, ..Answer::new(Status::SESSION_INTERVAL_TOO_SMALL) })
    }

    /// Extensions that are required and that nobody here knows (RFC 3261 §8.2.2.3).
    pub(super) fn unsupported(&self, request: &Request) -> Option<Answer> {
        let is_unknown = |tag: &&str| !self.extensions().any(|known| known.eq_ignore_ascii_case(tag));
        let required = request.headers.require();
        let unknown: Vec<_> = required.into_iter().filter(is_unknown).collect();
        let answer = || Answer::new(Status::BAD_EXTENSION).with(HeaderName::Unsupported, unknown.join(", "));
        (!unknown.is_empty()).then(answer)
    }

    /// Room for a call from this source: among all calls, transactions and unanswered INVITEs.
    fn place_for_call(&mut self, arrival: &Arrival) -> Option<Place> {
        if self.calls.len() >= self.config.limits.calls || !self.has_room() {
            return None;
        }
        let source = arrival.flow.remote.ip();
        let is_known = arrival.trusted || self.calls.has_peer(source);
        self.half_open.take(&self.config.limits, source, is_known)
    }

    /// OPTIONS outside a call is how peers find out whether we are alive (RFC 3261 §11.2).
    fn handle_options(&mut self, arrival: &Arrival, request: &Request) {
        if self.draining.is_some() {
            return self.refuse_overloaded(arrival, request);
        }
        let answer = self.unsupported(request).unwrap_or_else(|| self.abilities());
        self.refuse(arrival, request, answer);
    }

    /// What OPTIONS is answered with, in a call or outside.
    pub(super) fn abilities(&self) -> Answer {
        let mut headers = Headers::new();
        self.add_abilities(&mut headers);
        let mut answer = Answer::new(Status::OK).with(HeaderName::Accept, SDP);
        answer.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.to_owned())));
        answer
    }

    /// The caller gives up (RFC 3261 §9.2). A CANCEL that comes too late changes nothing, but is answered.
    fn handle_cancel(&mut self, now: Instant, arrival: &Arrival, cancel: &Request, invite: &ServerKey) {
        let Some(invite) = self.transactions.find_server(invite) else {
            return self.refuse(arrival, cancel, Answer::new(Status::CALL_DOES_NOT_EXIST));
        };
        let Some(tx) = self.transactions.server_mut(invite) else { return };
        let ServerMachine::Invite(machine) = &mut tx.machine else { return };
        let (handle, is_open) = (tx.call, machine.is_proceeding());
        if tx.hidden && !machine.has_spoken() {
            // Nothing was said to this stranger so far; that stays so.
            machine.handle_input(now, invite_server::Input::Ignore);
            self.stats.hidden += 1;
            self.settle_server(now, invite);
        } else {
            let tag = handle.map_or_else(|| self.stateless_tag(&cancel.headers), |handle| self.local_tag(handle));
            if self.has_room() {
                let id = self.open_server(arrival, cancel, None);
                let response = self.compose_answer(cancel, &tag, None, Answer::new(Status::OK));
                self.respond(now, id, response);
            }
            if is_open {
                self.answer_server(now, invite, &tag, Answer::new(Status::REQUEST_TERMINATED));
            }
        }
        let Some(handle) = handle.filter(|_| is_open) else { return };
        let reason = cancel.headers.joined(&HeaderName::Reason);
        self.invite_cancelled(now, handle, reason);
    }

    fn invite_cancelled(&mut self, now: Instant, handle: CallHandle, reason: Option<String>) {
        let Some(mut call) = self.calls.take(handle) else { return };
        match call.state {
            State::Offered { id, .. } => {
                self.end(handle, Some(Event::Cancelled { call: handle, reason }));
                self.drop_proposal(now, &mut call.peer, &id.local);
            }
            State::Up { dialog, exchange: Exchange::Theirs { .. } } => {
                call.state = State::Up { dialog, exchange: Exchange::Idle };
                self.put(handle, call);
                self.tell(Event::ReinviteCancelled { call: handle });
            }
            state @ (State::Calling { .. } | State::Up { .. } | State::Closing { .. } | State::Ended { .. }) => {
                call.state = state;
                self.put(handle, call);
            }
        }
    }

    /// An ACK: of a refusal, which its transaction absorbs, or of a 2xx, which the call waits for.
    fn handle_ack(&mut self, now: Instant, known: Option<TxId>, request: Request) {
        if let Some(id) = known {
            if let Some(ServerTx { machine: ServerMachine::Invite(machine), .. }) = self.transactions.server_mut(id) {
                machine.handle_input(now, invite_server::Input::Ack);
            }
            if !self.settle_server(now, id) {
                return;
            }
        }
        self.acknowledge(now, request);
    }

    /// Opens a transaction for a request, to answer it now or later.
    pub(super) fn open_server(&mut self, arrival: &Arrival, request: &Request, merge: Option<MergeKey>) -> TxId {
        let is_reliable = arrival.flow.wire.is_reliable();
        let machine = match request.method {
            Method::Invite => ServerMachine::Invite(InviteServer::new(is_reliable)),
            _ => ServerMachine::Other(Server::new(is_reliable)),
        };
        let reply_to = arrival.reply_to.clone();
        self.transactions.insert_server(arrival.key.clone(), merge, machine, skeleton(request), reply_to)
    }

    /// Answers a transaction that was opened.
    pub(super) fn answer_server(&mut self, now: Instant, id: TxId, tag: &Tag, answer: Answer) {
        let Some(tx) = self.transactions.server(id) else { return };
        let (local, remote) = match &tx.reply_to {
            Destination::Datagram { local, remote } => (Some(*local), *remote),
            other => (None, other.remote()),
        };
        let listener = match tx.call.and_then(|handle| self.calls.get(handle)) {
            Some(Call { peer: Peer { path, .. }, .. }) => self.listener(path.wire, Some(path.local), path.remote.ip()),
            None => self.listener(tx.reply_to.wire(), local, remote.ip()),
        };
        let response = self.compose_answer(&tx.asked, tag, listener, answer);
        self.respond(now, id, response);
    }

    /// Answers without remembering anything, unless the source is one to hide from.
    pub(super) fn refuse(&mut self, arrival: &Arrival, request: &Request, answer: Answer) {
        if !self.is_visible(arrival.trusted) {
            self.stats.hidden += 1;
            return;
        }
        let tag = self.stateless_tag(&request.headers);
        let response = self.compose_answer(request, &tag, None, answer);
        self.send(arrival.reply_to.clone(), Message::Response(response).to_bytes());
    }

    pub(super) fn refuse_overloaded(&mut self, arrival: &Arrival, request: &Request) {
        let answer = Answer::new(Status::SERVICE_UNAVAILABLE).with(HeaderName::RetryAfter, self.retry_after());
        self.refuse(arrival, request, answer);
    }

    /// Our tag in a call.
    pub(super) fn local_tag(&self, handle: CallHandle) -> Tag {
        let id = self.calls.get(handle).and_then(Call::dialog_id);
        id.map_or_else(|| Tag::new(""), |id| id.local.clone())
    }
}

/// The answer to a method that we do not handle, known to us or not (RFC 3261 §8.2.1, §21.5.2).
pub(super) fn not_handled(method: &Method) -> Answer {
    let status = match method {
        Method::Other(_) => Status::NOT_IMPLEMENTED,
        _ => Status::METHOD_NOT_ALLOWED,
    };
    Answer::new(status).with(HeaderName::Allow, ALLOW)
}

/// The answer to a body that is not SDP, if it is not (RFC 3261 §8.2.3). Reduces it to SDP.
pub(super) fn unreadable_body(request: &mut Request) -> Option<Answer> {
    let answer = || {
        Answer::new(Status::UNSUPPORTED_MEDIA_TYPE)
            .with(HeaderName::Accept, SDP)
            .with(HeaderName::AcceptEncoding, "identity")
    };
    (!reduce_to_sdp(&mut request.headers, &mut request.body)).then(answer)
}

fn bad_request(reason: &str) -> Answer {
    Answer { reason: Some(reason.to_owned()), ..Answer::new(Status::BAD_REQUEST) }
}

fn has_to_tag(request: &Request) -> bool {
    request.headers.to().is_ok_and(|to| to.tag().is_some())
}
