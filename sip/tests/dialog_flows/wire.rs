//! Two endpoints on one virtual wire that loses, doubles and swaps datagrams as its seed says.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{
    CallHandle, Command, Endpoint, Event, HeaderName, Host, Invite, Message, NameAddr, NextHop, Request, Uri, Wire,
    endpoint::{Advertised, Config, Destination, Flow, Listener, Output},
};

pub(crate) const SDP: Bytes = Bytes::from_static(b"v=0\r\n");

/// What a wire does to datagrams, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) loss: u64,
    pub(crate) copies: u64,
    pub(crate) delays: u64,
}

/// Given the sender and the message, says whether it gets lost.
type Filter = Box<dyn FnMut(usize, &Message) -> bool>;

/// Alice is side 0, Bob is side 1.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) sides: [Endpoint; 2],
    pub(crate) events: [VecDeque<Event>; 2],
    /// First lines of everything that was sent, with the side that sent it and when, in milliseconds.
    pub(crate) log: Vec<(u128, usize, String)>,
    /// The whole of what was sent.
    pub(crate) sent: Vec<(usize, Destination, Message)>,
    /// Takes a datagram off the wire when it says so.
    pub(crate) drop_if: Filter,
    flying: Vec<(Instant, u64, usize, Bytes)>,
    faults: Faults,
    random: u64,
    count: u64,
}

pub(crate) fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + u8::try_from(side).expect("two sides")], 5060))
}

pub(crate) fn config(side: usize) -> Config {
    let bind = address(side);
    let advertised = Advertised { host: Host::from(bind.ip()), port: bind.port() };
    let seed = [u8::try_from(side).expect("two sides") + 1; 32];
    Config::new(vec![Listener { wire: Wire::Udp, bind, advertised }], seed)
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config(0), config(1), Faults::default(), 1)
    }

    #[expect(clippy::disallowed_methods, reason = "the origin of virtual time; nothing waits for it")]
    pub(crate) fn with(alice: Config, bob: Config, faults: Faults, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            start: now,
            sides: [Endpoint::new(alice), Endpoint::new(bob)],
            events: [VecDeque::new(), VecDeque::new()],
            log: Vec::new(),
            sent: Vec::new(),
            drop_if: Box::new(|_, _| false),
            flying: Vec::new(),
            faults,
            random: seed,
            count: 0,
        }
    }

    /// Places a call from Alice to Bob.
    pub(crate) fn invite(&mut self, number: u64) -> CallHandle {
        let call = CallHandle::outbound(number);
        self.command(0, Command::Invite(Box::new(invite(call))));
        call
    }

    pub(crate) fn command(&mut self, side: usize, command: Command) {
        self.sides[side].handle_command(self.now, command);
        self.collect();
    }

    /// Hands a text to a side as a datagram from that address.
    pub(crate) fn inject(&mut self, side: usize, from: SocketAddr, text: &str) {
        let flow = Flow { wire: Wire::Udp, local: address(side), remote: from, connection: None };
        self.sides[side].handle_datagram(self.now, &flow, text.as_bytes());
        self.collect();
    }

    /// Answers a request of a side as whoever it was sent to, or as somebody else: with these headers, and a To tag.
    pub(crate) fn reply(&mut self, side: usize, from: SocketAddr, to: &Request, line: &str, tag: &str, extra: &str) {
        self.reply_with(side, from, to, line, tag, extra, "");
    }

    /// The same with a body.
    #[expect(clippy::too_many_arguments, reason = "a response has as many parts")]
    pub(crate) fn reply_with(
        &mut self,
        side: usize,
        from: SocketAddr,
        to: &Request,
        line: &str,
        tag: &str,
        extra: &str,
        body: &str,
    ) {
        let headers = &to.headers;
        let of = |name: HeaderName| headers.get(&name).expect("a header that every request has").to_owned();
        let mut address = of(HeaderName::To);
        if !tag.is_empty() && !address.contains(";tag=") {
            address = format!("{address};tag={tag}");
        }
        let [via, from_header, call_id, cseq] =
            [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq].map(of);
        let text = format!(
            "SIP/2.0 {line}\r\nVia: {via}\r\nFrom: {from_header}\r\nTo: {address}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.inject(side, from, &text);
    }

    /// The last request of that method that a side sent, and where to.
    pub(crate) fn last(&self, side: usize, method: &str) -> (Request, Destination) {
        let found = self.sent.iter().rev().find_map(|(by, to, message)| match message {
            Message::Request(request) if *by == side && request.method.as_str() == method => {
                Some((request.clone(), to.clone()))
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {method} was sent: {:#?}", self.log))
    }

    /// Says that nothing can be sent there.
    pub(crate) fn unreachable(&mut self, side: usize, to: &Destination) {
        self.sides[side].handle_unreachable(self.now, to);
        self.collect();
    }

    /// Goes on to the next thing that happens; false when nothing ever will, or not before `until`.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let arrival = self.flying.iter().map(|(at, order, ..)| (*at, *order)).min();
        let alarm = self.sides.iter().filter_map(Endpoint::next_timeout).min();
        let next = match (arrival, alarm) {
            (Some((at, _)), Some(alarm)) => at.min(alarm),
            (Some((at, _)), None) => at,
            (None, Some(alarm)) => alarm,
            (None, None) => return false,
        };
        if next > until {
            return false;
        }
        self.now = self.now.max(next);
        if let Some((at, order)) = arrival.filter(|(at, _)| *at <= next) {
            let index = self.flying.iter().position(|(a, o, ..)| (*a, *o) == (at, order)).expect("it was just found");
            let (_, _, to, bytes) = self.flying.swap_remove(index);
            let flow = Flow { wire: Wire::Udp, local: address(to), remote: address(1 - to), connection: None };
            self.sides[to].handle_datagram(self.now, &flow, &bytes);
        } else {
            for side in &mut self.sides {
                side.handle_timeout(self.now);
            }
        }
        self.collect();
        true
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
        self.now = until;
    }

    /// Waits for an event of a side, a minute at most.
    pub(crate) fn expect(&mut self, side: usize, what: &str) -> Event {
        let until = self.now + Duration::from_secs(60);
        loop {
            if let Some(event) = self.events[side].pop_front() {
                let text = format!("{event:?}");
                assert!(text.starts_with(what), "expected {what}, got {}", &text[..text.len().min(200)]);
                return event;
            }
            assert!(self.step(until), "no {what} came; sent: {:#?}", self.log);
        }
    }

    /// Sets up a call and returns both handles.
    pub(crate) fn call_up(&mut self, number: u64) -> (CallHandle, CallHandle) {
        let alice = self.invite(number);
        let bob = self.expect(1, "Incoming").call();
        self.command(1, Command::Answer { call: bob, headers: Vec::new(), body: SDP });
        self.expect(0, "Answered");
        self.expect(1, "Acked");
        (alice, bob)
    }

    /// First lines sent by a side since the log was last cleared, methods and statuses only.
    pub(crate) fn said(&self, side: usize) -> Vec<&str> {
        self.log.iter().filter(|(_, by, _)| *by == side).map(|(_, _, line)| line.as_str()).collect()
    }

    /// Nothing is left once all lingering is over.
    pub(crate) fn assert_empty(&mut self) {
        self.run_for(Duration::from_secs(120));
        for (name, side) in ["Alice", "Bob"].iter().zip(&self.sides) {
            let s = side.stats();
            let held =
                (s.calls, s.dialogs, s.server_transactions, s.client_transactions, s.half_open, s.retained_bytes);
            assert_eq!(held, (0, 0, 0, 0, 0, 0), "{name} has kept something");
            assert_eq!(s.alarms, 0, "{name} has an alarm set");
        }
    }

    fn collect(&mut self) {
        for side in 0..2 {
            while let Some(output) = self.sides[side].poll_output() {
                match output {
                    Output::Event(event) => self.events[side].push_back(event),
                    Output::Send { to, bytes } => self.fly(side, &to, &bytes),
                }
            }
        }
    }

    fn fly(&mut self, side: usize, to: &Destination, bytes: &Bytes) {
        let message = Message::parse(bytes).expect("we send what we can read");
        let line = match &message {
            Message::Request(request) => request.method.to_string(),
            Message::Response(response) => response.status.to_string(),
        };
        self.log.push(((self.now - self.start).as_millis(), side, line));
        let is_dropped = (self.drop_if)(side, &message);
        self.sent.push((side, to.clone(), message));
        // Whoever else is addressed is not in this world.
        if is_dropped || to.remote() != address(1 - side) || self.chance(self.faults.loss) {
            return;
        }
        let copies = 1 + u64::from(self.chance(self.faults.copies));
        for _ in 0..copies {
            let late = if self.chance(self.faults.delays) { 30 + self.next() % 300 } else { 10 };
            self.count += 1;
            self.flying.push((self.now + Duration::from_millis(late), self.count, 1 - side, bytes.clone()));
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        percent > 0 && self.next() % 100 < percent
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

pub(crate) fn invite(call: CallHandle) -> Invite {
    let uri = |text| Uri::parse(text).expect("a URI");
    let hop = NextHop { wire: Wire::Udp, address: address(1), server_name: None };
    let from = NameAddr::new(uri("sip:alice@192.0.2.1"));
    Invite { body: SDP, ..Invite::new(call, vec![hop], uri("sip:bob@192.0.2.2"), from) }
}
