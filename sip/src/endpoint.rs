//! All calls of a process as one machine: transactions, dialogs, and what the stack answers by itself.
//!
//! ```text
//!  datagrams, messages ──►              ──► Output::Send
//!             commands ──►   Endpoint   ──► Output::Event
//!                 time ──►              ──► next_timeout
//! ```
//!
//! What it answers by itself: OPTIONS (200, or 503 while draining); CANCEL, BYE, INFO and PRACK of known calls; UPDATE
//! without an offer; NOTIFY of what a REFER has started; 481 for unknown ones; REFER outside a call (403) or before its answer (603); 400, 405, 415, 416, 420, 482,
//! 422, 483, 489, 491, 500, 501, 503, 505 where the RFCs have them. Challenges to our own requests, hops that do not answer,
//! forks that come too late and session timers are dealt with here as well. To strangers it says none of that
//! when [`Config::answer_strangers`] is off.

mod alarms;
mod body;
mod call;
mod calls;
mod challenged;
mod command;
mod commands;
mod compose;
mod config;
mod delayed;
mod early;
mod event;
mod failover;
mod flow;
mod half_open;
mod info;
mod key;
mod login;
mod names;
mod prack;
mod refer;
mod referral;
mod refresh;
mod reliable;
mod requests;
mod responses;
mod route;
mod send;
mod session;
mod sources;
mod stats;
mod transactions;
mod wake;
mod within;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::Bytes;

#[cfg(feature = "net")]
pub(crate) use self::sources::owner;
use self::{
    alarms::Alarms,
    call::{Call, Peer, State},
    calls::Calls,
    half_open::HalfOpen,
    names::Names,
    sources::Sources,
    transactions::{Transactions, TxId},
};
pub use self::{
    command::{CallHandle, Command, ExtraHeaders, Invite},
    config::{Acl, Choice, Config, Limits, Rate, Reliability, SessionTimers},
    delayed::OfferId,
    event::{Event, Failure, Output},
    flow::{Advertised, ConnectionId, Destination, Flow, Listener, NextHop, Wire},
    stats::Stats,
};
use crate::{
    dialog::Dialog,
    error::Rejected,
    message::{HeaderName, Headers, Message, Response, Tag},
    transaction::{self, PATIENCE},
};

/// The user agent.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    names: Names,
    sources: Sources,
    half_open: HalfOpen,
    transactions: Transactions,
    calls: Calls,
    alarms: Alarms<Wake>,
    outputs: VecDeque<Output>,
    draining: Option<Duration>,
    stats: Stats,
}

/// Who wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Wake {
    Server(TxId),
    Client(TxId),
    Call(CallHandle),
}

impl Endpoint {
    /// An endpoint without calls.
    pub fn new(config: Config) -> Self {
        Self {
            names: Names::new(&config.seed),
            sources: Sources::new(config.limits.sources),
            half_open: HalfOpen::default(),
            transactions: Transactions::default(),
            calls: Calls::default(),
            alarms: Alarms::new(),
            outputs: VecDeque::new(),
            draining: None,
            stats: Stats::default(),
            config,
        }
    }

    /// A datagram came.
    pub fn handle_datagram(&mut self, now: Instant, flow: &Flow, datagram: &[u8]) {
        let Some(trusted) = self.admit(now, flow) else { return };
        // Keep-alives of phones are line ends, or a few zeros; over UDP nobody waits for an answer (RFC 5626 §4.4).
        if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
            return;
        }
        match Message::parse(datagram) {
            Ok(message) => self.dispatch(now, flow, message, trusted),
            Err(rejected) => self.refuse_malformed(flow, rejected, trusted),
        }
    }

    /// A message came on a stream.
    pub fn handle_message(&mut self, now: Instant, flow: &Flow, message: Message) {
        let Some(trusted) = self.admit(now, flow) else { return };
        self.dispatch(now, flow, message, trusted);
    }

    /// Something that is no message came on a stream.
    pub fn handle_rejected(&mut self, now: Instant, flow: &Flow, rejected: Rejected) {
        let Some(trusted) = self.admit(now, flow) else { return };
        self.refuse_malformed(flow, rejected, trusted);
    }

    /// A stream was closed, by whichever side. Requests that were sent over it and not answered are sent again, over a
    /// new one.
    pub fn handle_flow_closed(&mut self, _now: Instant, connection: ConnectionId) {
        let is_there = |to: &Destination| matches!(to, Destination::Connection { id, .. } if *id == connection);
        for id in self.transactions.clients_toward(is_there) {
            let Some(tx) = self.transactions.client_mut(id) else { continue };
            if let Destination::Connection { reopen, .. } = &tx.to {
                tx.to = Destination::Connect(reopen.clone());
            }
            if let Some(bytes) = tx.machine.unanswered() {
                let to = tx.to.clone();
                self.send(to, bytes);
            }
        }
    }

    /// Bytes could not be sent: no listener at the other end, no proof of its name, a stream that we opened was closed.
    pub fn handle_unreachable(&mut self, now: Instant, to: &Destination) {
        self.fail_toward(now, to, Failure::Transport);
    }

    /// As [`handle_unreachable`](Self::handle_unreachable), because of the certificate that was shown there.
    pub fn handle_untrusted(&mut self, now: Instant, to: &Destination) {
        self.fail_toward(now, to, Failure::Untrusted);
    }

    fn fail_toward(&mut self, now: Instant, to: &Destination, why: Failure) {
        // Datagrams have no streams to fail, and a request sent again over a new stream is not concerned by the old one.
        for id in self.transactions.clients_toward(|sent_to| sent_to == to) {
            if let Some(tx) = self.transactions.client_mut(id) {
                tx.unsent = why;
                tx.machine.handle_transport_error(now);
            }
            self.settle_client(now, id, None);
        }
    }

    /// Time has passed. Calling early is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(wake) = self.alarms.pop_due(now) {
            match wake {
                Wake::Server(id) => {
                    if let Some(tx) = self.transactions.server_mut(id) {
                        tx.machine.handle_timeout(now);
                    }
                    self.settle_server(now, id);
                }
                Wake::Client(id) => {
                    if let Some(tx) = self.transactions.client_mut(id) {
                        tx.machine.handle_timeout(now);
                    }
                    self.settle_client(now, id, None);
                }
                Wake::Call(handle) => self.wake_call(now, handle),
            }
        }
    }

    /// The next thing to do; `None`: wait for input or time.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        self.alarms.next()
    }

    /// What was done and what is held.
    pub fn stats(&self) -> Stats {
        Stats {
            calls: self.calls.len(),
            dialogs: self.calls.dialog_count(),
            server_transactions: self.transactions.server_count(),
            client_transactions: self.transactions.client_count(),
            half_open: self.half_open.total(),
            retained_bytes: self.transactions.retained_bytes(),
            alarms: self.alarms.len(),
            ..self.stats
        }
    }

    /// What it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether this source may be heard now, and if so whether it is trusted. Asked before anything is parsed.
    fn admit(&mut self, now: Instant, flow: &Flow) -> Option<bool> {
        self.stats.received += 1;
        let source = flow.remote.ip().to_canonical();
        let trusted = (self.config.trusted)(source);
        // Whoever we have a call with is heard as often, but not believed more.
        let limits = &self.config.limits;
        let rate = if trusted || self.calls.has_peer(source) { limits.trusted_rate } else { limits.stranger_rate };
        if self.sources.admit(now, source, rate) {
            return Some(trusted);
        }
        self.stats.throttled += 1;
        None
    }

    fn dispatch(&mut self, now: Instant, flow: &Flow, message: Message, trusted: bool) {
        match message {
            Message::Request(request) => self.handle_request(now, flow, request, trusted),
            Message::Response(response) => self.handle_response(now, flow, response),
        }
    }

    fn refuse_malformed(&mut self, flow: &Flow, rejected: Rejected, trusted: bool) {
        self.stats.malformed += 1;
        let Some(mut response) = rejected.answer else { return };
        if !self.is_visible(trusted) {
            self.stats.hidden += 1;
            return;
        }
        let Ok(via) = response.headers.via() else { return };
        let to = route::stamp(&mut response.headers, via, flow);
        if let Ok(mut address) = response.headers.to()
            && address.tag().is_none()
        {
            address.set_tag(&self.stateless_tag(&response.headers));
            response.headers.set_first(HeaderName::To, address.to_string());
        }
        self.send(to, Message::Response(*response).to_bytes());
    }

    /// Whether somebody may see that there is anything at this address.
    fn is_visible(&self, trusted: bool) -> bool {
        trusted || (self.config.answer_strangers)()
    }

    fn stateless_tag(&self, headers: &Headers) -> Tag {
        let text = |name| headers.get(&name).unwrap_or_default();
        self.names.stateless_tag(&[
            text(HeaderName::CallId),
            text(HeaderName::From),
            text(HeaderName::CSeq),
            text(HeaderName::Via),
        ])
    }

    /// The listener used toward a peer: the one named, or the first of that protocol and family.
    fn listener(&self, wire: Wire, local: Option<SocketAddr>, remote: IpAddr) -> Option<&Listener> {
        let fits =
            |listener: &&Listener| listener.wire == wire && listener.bind.is_ipv4() == remote.to_canonical().is_ipv4();
        let is_named = |listener: &&Listener| listener.wire == wire && Some(listener.bind) == local;
        let listeners = &self.config.listeners;
        listeners.iter().find(is_named).or_else(|| listeners.iter().find(fits))
    }

    /// When to come back, spread out a little.
    fn retry_after(&mut self) -> String {
        let base = self.draining.unwrap_or(self.config.limits.retry_after);
        let seconds = u32::try_from(base.as_secs()).unwrap_or(u32::MAX).max(1);
        seconds.saturating_add(self.names.below(seconds / 2 + 1)).to_string()
    }

    fn send(&mut self, to: Destination, bytes: Bytes) {
        self.stats.sent += 1;
        self.outputs.push_back(Output::Send { to, bytes });
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Gives a server transaction its answer.
    fn respond(&mut self, now: Instant, id: TxId, response: Response) {
        let status = response.status;
        let bytes = Message::Response(response).to_bytes();
        let kept = if status.is_success() { 0 } else { bytes.len() };
        if let Some(tx) = self.transactions.server_mut(id) {
            tx.machine.handle_response(now, status, bytes);
        }
        self.transactions.retain(id, kept);
        self.settle_server(now, id);
    }

    /// Does what a server transaction wants; true when it hands an ACK up.
    fn settle_server(&mut self, now: Instant, id: TxId) -> bool {
        let Some(tx) = self.transactions.server_mut(id) else { return false };
        let mut is_delivered = false;
        // A transaction over a stream has nothing to wait for.
        if tx.machine.next_timeout().is_some_and(|at| at <= now) {
            tx.machine.handle_timeout(now);
        }
        while let Some(output) = tx.machine.poll_output() {
            match output {
                transaction::Output::Send(bytes) => {
                    self.stats.sent += 1;
                    self.outputs.push_back(Output::Send { to: tx.reply_to.clone(), bytes });
                }
                transaction::Output::Deliver => is_delivered = true,
                // Nobody acknowledged a refusal: there is nobody to tell.
                transaction::Output::TimedOut | transaction::Output::Unreachable => {}
            }
        }
        if tx.machine.is_answered()
            && let Some(place) = tx.place.take()
        {
            self.half_open.give_back(&place);
        }
        if !tx.machine.is_terminated() {
            self.alarms.set(Wake::Server(id), tx.machine.next_timeout());
            return is_delivered;
        }
        self.alarms.set(Wake::Server(id), None);
        self.transactions.remove_server(id);
        is_delivered
    }

    /// Puts a call back, with its alarm.
    fn put(&mut self, handle: CallHandle, call: Call) {
        self.alarms.set(Wake::Call(handle), call.next_timeout());
        self.calls.put(handle, call);
    }

    /// Forgets a call, and says so if there is anything to say.
    fn end(&mut self, handle: CallHandle, event: Option<Event>) {
        self.calls.take(handle);
        self.alarms.set(Wake::Call(handle), None);
        if let Some(event) = event {
            self.tell(event);
        }
    }

    /// A call is over. As long as something that a REFER has started is not told, its dialog stays, for as long as a
    /// message may be under way.
    fn retire(&mut self, now: Instant, handle: CallHandle, peer: Peer, dialog: Box<Dialog>, event: Option<Event>) {
        if !peer.referral.is_open() {
            return self.end(handle, event);
        }
        self.put(handle, Call { peer, state: State::Ended { dialog, until: now + PATIENCE } });
        event.into_iter().for_each(|event| self.tell(event));
    }

    /// The listener used toward the peer of a call.
    fn listener_of(&self, peer: &Peer) -> Option<&Listener> {
        let path = &peer.path;
        self.listener(path.wire, Some(path.local), path.remote.ip())
    }

    /// Forgets a transaction that nobody waits for any more.
    fn drop_client(&mut self, id: TxId) {
        self.transactions.remove_client(id);
        self.alarms.set(Wake::Client(id), None);
    }

    /// Whether there is room for another transaction.
    fn has_room(&self) -> bool {
        let limits = &self.config.limits;
        self.transactions.server_count() + self.transactions.client_count() < limits.transactions
            && self.transactions.retained_bytes() < limits.retained_bytes
    }
}
