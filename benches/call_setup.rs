//! A call between two endpoints, from INVITE to the answer of the BYE, without sockets and without waiting.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sip::{
    CallHandle, Command, Endpoint, Event, Host, Invite, NameAddr, NextHop, Status, Uri, Wire,
    endpoint::{Advertised, Config, Flow, Listener, Output},
};

/// How long ended calls are remembered, and longer (RFC 3261 §17: 64 times T1).
const LINGER: Duration = Duration::from_secs(40);
/// Calls between two of these waits.
const BATCH: u64 = 100;

/// Budget: a call in under 120 µs of both sides together: INVITE, 100, 180, 200, ACK, BYE, 200, each written and read.
fn call_setup(criterion: &mut Criterion) {
    let sdp = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/carriers/twilio-invite.sip"))
        .expect("the messages are in the tree");
    let body_at = sdp.windows(4).position(|window| window == b"\r\n\r\n").expect("a body") + 4;
    let mut world = World::new(Bytes::from(sdp).slice(body_at..));
    let mut group = criterion.benchmark_group("call_setup");
    group.throughput(Throughput::Elements(1));
    let mut number = 0;
    group.bench_function("INVITE to BYE", |bencher| {
        bencher.iter(|| {
            world.call(number);
            number += 1;
            if number % BATCH == 0 {
                world.linger();
            }
        });
    });
    world.linger();
    for side in &world.sides {
        let stats = side.stats();
        let kept = (stats.calls, stats.dialogs, stats.server_transactions, stats.client_transactions, stats.alarms);
        assert_eq!(kept, (0, 0, 0, 0, 0), "every call has ended");
    }
    group.finish();
}

/// A caller, side 0, and a called one, side 1, and a wire that takes no time.
struct World {
    now: Instant,
    sides: [Endpoint; 2],
    sdp: Bytes,
    /// Calls that got as far as the ACK, and calls that were ended, as told to the called one.
    told: (u64, u64),
}

impl World {
    fn new(sdp: Bytes) -> Self {
        Self { now: Instant::now(), sides: [0, 1].map(|side| Endpoint::new(config(side))), sdp, told: (0, 0) }
    }

    /// A whole call, hung up by the caller.
    fn call(&mut self, number: u64) {
        let call = CallHandle::outbound(number);
        let before = self.told;
        let invite = Command::Invite(Box::new(invite(call, self.sdp.clone())));
        self.sides[0].handle_command(self.now, invite);
        self.settle();
        self.now += Duration::from_millis(20);
        self.sides[0].handle_command(self.now, Command::Hangup { call, headers: Vec::new() });
        self.settle();
        assert_eq!(self.told, (before.0 + 1, before.1 + 1), "acknowledged and ended, each once");
    }

    /// Lets the time pass for which ended calls are remembered.
    fn linger(&mut self) {
        let until = self.now + LINGER;
        while let Some(at) = self.sides.iter().filter_map(Endpoint::next_timeout).min().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            for side in &mut self.sides {
                side.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = until;
    }

    /// Carries messages to and fro, and answers calls, until nobody has anything to say.
    fn settle(&mut self) {
        let mut quiet = 0;
        let mut side = 0;
        while quiet < 2 {
            quiet += 1;
            while let Some(output) = self.sides[side].poll_output() {
                quiet = 0;
                match output {
                    Output::Send { bytes, .. } => {
                        let flow =
                            Flow { wire: Wire::Udp, local: address(1 - side), remote: address(side), connection: None };
                        self.sides[1 - side].handle_datagram(self.now, &flow, &bytes);
                    }
                    Output::Event(event) => self.handle_event(side, &event),
                }
            }
            side = 1 - side;
        }
    }

    fn handle_event(&mut self, side: usize, event: &Event) {
        let call = event.call();
        match event {
            Event::Incoming { .. } => {
                let (headers, body, status) = (Vec::new(), Bytes::new(), Status::RINGING);
                let commands = [
                    Command::Trying { call, local_tag: None },
                    Command::Progress { call, status, headers, body },
                    Command::Answer { call, headers: Vec::new(), body: self.sdp.clone() },
                ];
                for command in commands {
                    self.sides[side].handle_command(self.now, command);
                }
            }
            Event::Acked { .. } => self.told.0 += 1,
            Event::Ended { .. } => self.told.1 += 1,
            // The caller's side of the same.
            _ => {}
        }
    }
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + side as u8], 5060))
}

fn config(side: usize) -> Config {
    let bind = address(side);
    let advertised = Advertised { host: Host::from(bind.ip()), port: bind.port() };
    let mut config = Config::new(vec![Listener { wire: Wire::Udp, bind, advertised }], [1 + side as u8; 32]);
    // Virtual time stands still here while calls come, so their rate means nothing.
    config.limits.trusted_rate = sip::endpoint::Rate { per_second: u32::MAX, burst: u32::MAX };
    config
}

fn invite(call: CallHandle, body: Bytes) -> Invite {
    let uri = |text| Uri::parse(text).expect("a URI");
    let hop = NextHop { wire: Wire::Udp, address: address(1), server_name: None };
    let from = NameAddr::new(uri("sip:+15550100@192.0.2.1"));
    Invite { body, ..Invite::new(call, vec![hop], uri("sip:+15550101@192.0.2.2"), from) }
}

criterion_group!(name = benches; config = benches::criterion(); targets = call_setup);
criterion_main!(benches);
