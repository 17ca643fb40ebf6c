//! Any command at any time, any message again and changed: nothing breaks, and nothing is left behind.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use sip::{
    CallHandle, Command, Event, HeaderName, Invite, KeyFormat, KeyPress, Message, NextHop, Status, Wire,
    digest::Credentials,
    endpoint::{Config, Reliability, SessionTimers},
};

use crate::{
    answer, hang_up, reinvite, reject, ringing,
    wire::{Faults, SDP, World, address, config, invite},
};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).expect("small")).expect("small")
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

const STATUSES: [Status; 8] = [
    Status::ACCEPTED,
    Status::OK,
    Status::TRYING,
    Status::RINGING,
    Status::BUSY_HERE,
    Status::SERVICE_UNAVAILABLE,
    Status::DECLINE,
    Status::UNAUTHORIZED,
];

fn place(number: u64, random: &mut Random) -> Command {
    let nowhere = SocketAddr::from(([203, 0, 113, 1], 5060));
    let hop = |address| NextHop { wire: Wire::Udp, address, server_name: None };
    let ways = [[nowhere, address(1)], [address(1), nowhere], [address(1), address(1)]];
    Command::Invite(Box::new(Invite {
        to: random.one_of(&ways).map(hop).to_vec(),
        credentials: Some(Credentials { username: "u".to_owned(), password: "p".to_owned(), realm: None }),
        ..invite(CallHandle::outbound(number))
    }))
}

/// Some command for some call.
fn command(call: CallHandle, random: &mut Random) -> Command {
    let (status, headers) = (random.one_of(&STATUSES), Vec::new());
    match random.below(23) {
        0..=2 => answer(call),
        3 => ringing(call),
        4 => {
            let challenge = (HeaderName::WwwAuthenticate, "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"".to_owned());
            Command::Reject { call, status: Status::UNAUTHORIZED, reason: None, headers: vec![challenge] }
        }
        5 => reject(call, status),
        6 => Command::Ignore { call },
        7 => reinvite(call),
        8 => Command::AnswerReinvite { call, headers, body: SDP },
        9 => Command::RejectReinvite { call, status, headers },
        10..=11 => Command::Refer { call, refer_to: "<sip:c@example.org>".to_owned(), headers },
        12 => Command::AnswerRefer { call, status },
        13..=14 => Command::Notify { call, status, over: random.below(2) == 0 },
        15 => hang_up(call),
        16..=17 => {
            let press = KeyPress { key: '5', duration: Duration::from_millis(100) };
            Command::Info { call, press, format: random.one_of(&[KeyFormat::Relay, KeyFormat::Plain]) }
        }
        18 => Command::Progress { call, status: Status::SESSION_PROGRESS, headers, body: SDP },
        _ => Command::Notify { call, status: Status::RINGING, over: false },
    }
}

/// Some message that was sent, to some side, from somewhere, a little different.
fn replay(world: &mut World, random: &mut Random) {
    if world.sent.is_empty() {
        return;
    }
    let (by, _, message) = world.sent[random.below(world.sent.len())].clone();
    let mut text = String::from_utf8_lossy(&message.to_bytes()).into_owned();
    let swaps = [
        ("", ""),
        ("SIP/2.0 200 OK", "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"m\""),
        ("SIP/2.0 180 Ringing", "SIP/2.0 200 OK\r\nContact: <sip:x@203.0.113.9>"),
        ("SIP/2.0 202 Accepted", "SIP/2.0 603 Decline"),
        (";tag=", ";tag=x"),
        ("CSeq: 2", "CSeq: 9"),
        ("z9hG4bK", "z9hG4bKx"),
        ("refer;id=", "refer;id=9"),
        ("active", "terminated"),
        ("INVITE", "REFER"),
        ("INVITE", "UPDATE"),
        ("ACK", "PRACK"),
        ("INFO", "UPDATE"),
        ("RSeq: ", "RSeq: 1"),
        ("Session-Expires: ", "Session-Expires: 9"),
        ("SIP/2.0 200 OK", "SIP/2.0 422 Small\r\nMin-SE: 3600"),
        ("NOTIFY", "BYE"),
    ];
    let (from, to) = random.one_of(&swaps);
    if !from.is_empty() {
        text = text.replace(from, to);
    }
    let source = random.one_of(&[address(by), SocketAddr::from(([203, 0, 113, 9], 5060))]);
    world.inject(if random.below(8) == 0 { by } else { 1 - by }, source, &text);
}

#[test]
fn nothing_breaks_and_nothing_is_left() {
    let mut kinds = BTreeSet::new();
    for seed in 1..=100 {
        let mut random = Random(seed);
        let timers = Some(SessionTimers { interval: Duration::from_secs(90), ..SessionTimers::default() });
        let reliability = random.one_of(&[Reliability::Required, Reliability::Supported]);
        let sides = [0, 1].map(|side| Config { session_timers: timers, reliability, ..config(side) });
        let [alice, bob] = sides;
        let mut world = World::with(alice, bob, Faults { loss: 10, copies: 5, delays: 10 }, seed);
        let mut calls = [Vec::new(), Vec::new()];
        for round in 0..80 {
            match random.below(8) {
                0 if round < 70 => {
                    let number = u64::try_from(calls[0].len()).expect("small") + 1;
                    world.command(0, place(number, &mut random));
                    calls[0].push(CallHandle::outbound(number));
                }
                1..=2 => replay(&mut world, &mut random),
                3 => world.run_for(Duration::from_millis(u64::try_from(random.below(20_000)).expect("small"))),
                4 => world.run_for(Duration::from_millis(50)),
                _ => {
                    let side = random.below(2);
                    if !calls[side].is_empty() {
                        let call = random.one_of(&calls[side]);
                        world.command(side, command(call, &mut random));
                    }
                }
            }
            note(&mut world, &mut calls, &mut kinds, Some(&mut random));
        }
        for _ in 0..3 {
            for (side, calls) in calls.iter().enumerate() {
                calls.iter().for_each(|&call| world.command(side, hang_up(call)));
            }
            world.run_for(Duration::from_secs(70));
            note(&mut world, &mut calls, &mut kinds, None);
        }
        let stats = world.sides.iter().map(|side| (side.stats().calls, side.stats().alarms)).collect::<Vec<_>>();
        assert!(stats.iter().all(|(calls, _)| *calls == 0), "seed {seed}: {stats:?}");
        world.assert_empty();
    }
    for kind in [
        "Answered",
        "Rejected",
        "Failed",
        "HungUp",
        "Ended",
        "Referred",
        "ReferAnswered",
        "Notified",
        "Reinvite",
        "Info",
        "RefreshDue",
    ] {
        assert!(kinds.contains(kind), "{kind} never happened: {kinds:?}");
    }
}

/// Takes the events, and the handles of calls that came in. Most of the time somebody does what is wanted.
fn note(
    world: &mut World,
    calls: &mut [Vec<CallHandle>; 2],
    kinds: &mut BTreeSet<String>,
    mut random: Option<&mut Random>,
) {
    for (side, calls) in calls.iter_mut().enumerate() {
        while let Some(event) = world.events[side].pop_front() {
            let call = event.call();
            let reply = match event {
                // Some take no UPDATE.
                Event::Incoming { .. } if random.as_mut().is_some_and(|random| random.below(2) == 0) => {
                    let headers = vec![(HeaderName::Allow, "INVITE, ACK, BYE, CANCEL".to_owned())];
                    Some(Command::Answer { call, headers, body: SDP })
                }
                Event::Incoming { .. } => Some(answer(call)),
                Event::Acked { .. } | Event::Answered { .. } => {
                    Some(Command::Refer { call, refer_to: "<sip:c@example.org>".to_owned(), headers: Vec::new() })
                }
                Event::Referred { .. } => Some(Command::AnswerRefer { call, status: Status::ACCEPTED }),
                Event::RefreshDue { .. } => Some(reinvite(call)),
                Event::Reinvite { .. } => Some(Command::AnswerReinvite { call, headers: Vec::new(), body: SDP }),
                _ => None,
            };
            if let Some(reply) = reply.filter(|_| random.as_mut().is_some_and(|random| random.below(4) > 0)) {
                world.command(side, reply);
            }
            kinds.insert(format!("{event:?}").split([' ', '{']).next().unwrap_or_default().to_owned());
            if let Event::Incoming { call, .. } = event {
                calls.push(call);
            }
        }
    }
}

#[test]
fn messages_cut_short_are_no_messages() {
    let mut world = World::new();
    world.call_up(1);
    let texts: Vec<_> = world.sent.iter().map(|(by, _, message)| (*by, message.to_bytes())).collect();
    for (by, bytes) in texts {
        for end in 0..bytes.len() {
            if Message::parse(&bytes[..end]).is_err() {
                world.inject(1 - by, address(by), &String::from_utf8_lossy(&bytes[..end]));
            }
        }
    }
    assert!(world.sides.iter().all(|side| side.stats().calls == 1));
}
