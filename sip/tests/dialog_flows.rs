//! Whole calls between two endpoints on a virtual wire ([RFC 3665] §3, and what goes wrong).
//!
//! [RFC 3665]: https://www.rfc-editor.org/rfc/rfc3665

#[path = "dialog_flows/delayed.rs"]
mod delayed;
#[path = "dialog_flows/early.rs"]
mod early;
#[path = "dialog_flows/mischief.rs"]
mod mischief;
#[path = "dialog_flows/offers.rs"]
mod offers;
#[path = "dialog_flows/outbound.rs"]
mod outbound;
#[path = "dialog_flows/timers.rs"]
mod timers;
#[path = "dialog_flows/transfer.rs"]
mod transfer;
#[path = "dialog_flows/wire.rs"]
mod wire;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sip::{CallHandle, Command, Event, Failure, HeaderName, Message, Method, Status, Tag, endpoint::Limits};
use wire::{Faults, SDP, World, address, config, invite};

fn answer(call: CallHandle) -> Command {
    Command::Answer { call, headers: Vec::new(), body: SDP }
}

fn hang_up(call: CallHandle) -> Command {
    Command::Hangup { call, headers: Vec::new() }
}

fn ringing(call: CallHandle) -> Command {
    Command::Progress { call, status: Status::RINGING, headers: Vec::new(), body: Bytes::new() }
}

fn reject(call: CallHandle, status: Status) -> Command {
    Command::Reject { call, status, reason: None, headers: Vec::new() }
}

fn reinvite(call: CallHandle) -> Command {
    Command::Reinvite { call, headers: Vec::new(), body: SDP }
}

/// Headers to change in a request, or to leave out when empty.
type Changes = &'static [(&'static str, &'static str)];

/// A request as a stranger or a carrier writes it.
fn text(method: &str, changes: &[(&str, &str)]) -> String {
    let mut lines = vec![
        ("Via", "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKx1"),
        ("From", "<sip:a@example.com>;tag=f1"),
        ("To", "<sip:b@example.net>"),
        ("Call-ID", "c1"),
        ("CSeq", "1"),
        ("Contact", "<sip:a@198.51.100.7>"),
        ("Max-Forwards", "70"),
    ];
    let mut uri = "sip:b@example.net";
    for &(name, value) in changes {
        if name == "uri" {
            uri = value;
            continue;
        }
        lines.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            lines.push((name, value));
        }
    }
    let cseq = |name: &str| if name == "CSeq" { format!(" {method}") } else { String::new() };
    let headers: String = lines.iter().map(|(name, value)| format!("{name}: {value}{}\r\n", cseq(name))).collect();
    format!("{method} {uri} SIP/2.0\r\n{headers}Content-Length: 0\r\n\r\n")
}

fn carrier() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 5060))
}

#[test]
fn a_call_is_made_and_ended_by_either_side() {
    for caller_ends in [true, false] {
        let mut world = World::new();
        let alice = world.invite(1);
        let bob = world.expect(1, "Incoming").call();
        world.command(1, Command::Trying { call: bob, local_tag: Some(Tag::new("SCL_x")) });
        world.command(1, ringing(bob));
        world.expect(0, "Progress");
        let Event::Progress { response, .. } = world.expect(0, "Progress") else { unreachable!() };
        assert_eq!(response.headers.to().unwrap().tag(), Some(Tag::new("SCL_x")));
        world.command(1, answer(bob));
        let Event::Answered { response, .. } = world.expect(0, "Answered") else { unreachable!() };
        assert_eq!(response.body, SDP);
        world.expect(1, "Acked");
        let (ends, other, by, of) = if caller_ends { (0, 1, alice, bob) } else { (1, 0, bob, alice) };
        world.command(ends, hang_up(by));
        assert_eq!(world.expect(other, "Ended").call(), of);
        assert_eq!(world.expect(ends, "HungUp").call(), by);
        world.assert_empty();
        assert!(world.events.iter().all(|events| events.is_empty()));
    }
}

#[test]
fn nothing_is_said_before_the_first_command() {
    let mut world = World::new();
    world.invite(1);
    world.expect(1, "Incoming");
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.said(1), [""; 0]);
}

#[test]
fn an_ignored_call_is_never_answered_and_forgotten() {
    let mut world = World::new();
    world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.command(1, Command::Ignore { call: bob });
    let Event::Failed { why, .. } = world.expect(0, "Failed") else { unreachable!() };
    assert_eq!(why, Failure::TimedOut);
    assert_eq!(world.said(1), [""; 0]);
    world.assert_empty();
}

#[test]
fn a_ringing_call_is_cancelled() {
    let mut world = World::new();
    let alice = world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.command(1, ringing(bob));
    world.expect(0, "Progress");
    let said = ["Q.850;cause=16", "SIP;cause=200;text=\"Call completed elsewhere\""];
    let reason = said.map(|reason| (HeaderName::Reason, reason.to_owned())).to_vec();
    world.command(0, Command::Hangup { call: alice, headers: reason });
    let Event::Cancelled { reason, .. } = world.expect(1, "Cancelled") else { unreachable!() };
    assert_eq!(reason, Some(said.join(", ")), "one a protocol");
    world.expect(0, "HungUp");
    assert_eq!(world.said(0), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.said(1), ["180", "200", "487"]);
    world.assert_empty();
}

#[test]
fn a_cancel_waits_for_the_first_provisional_answer() {
    let mut world = World::new();
    let alice = world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.command(0, hang_up(alice));
    assert!(!world.said(0).contains(&"CANCEL"));
    world.command(1, Command::Trying { call: bob, local_tag: None });
    world.expect(1, "Cancelled");
    world.expect(0, "HungUp");
    world.assert_empty();
}

#[test]
fn cancel_and_200_cross() {
    let mut world = World::new();
    let alice = world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.command(1, ringing(bob));
    world.expect(0, "Progress");
    // Both are on the wire at once.
    world.command(0, hang_up(alice));
    world.command(1, answer(bob));
    world.expect(1, "Acked");
    world.expect(1, "Ended");
    world.expect(0, "HungUp");
    assert_eq!(world.said(0), ["INVITE", "CANCEL", "ACK", "BYE"]);
    assert_eq!(world.said(1), ["180", "200", "200", "200"]);
    world.assert_empty();
}

#[test]
fn a_lost_cancel_outcome_does_not_last_for_ever() {
    let mut world = World::new();
    let alice = world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.command(1, ringing(bob));
    world.expect(0, "Progress");
    world.drop_if = Box::new(|_, _| true);
    world.command(0, hang_up(alice));
    world.expect(0, "HungUp");
    assert_eq!((world.now - world.start).as_secs(), 32);
    world.drop_if = Box::new(|_, _| false);
    world.command(1, reject(bob, Status::BUSY_HERE));
    world.assert_empty();
}

#[test]
fn without_an_ack_the_200_is_repeated_and_the_call_ends_after_32_seconds() {
    let mut world = World::new();
    world.drop_if =
        Box::new(|_, message| matches!(message, Message::Request(request) if request.method == Method::Ack));
    world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    let begin = world.now;
    world.command(1, answer(bob));
    world.expect(0, "Answered");
    world.expect(1, "AckMissing");
    let Event::Ended { request, .. } = world.expect(0, "Ended") else { panic!("a BYE ends the call") };
    assert_eq!(request.headers.get(&HeaderName::Reason), Some("Q.850;cause=102;text=\"no ACK\""));
    let offset = (begin - world.start).as_millis();
    let at: Vec<_> =
        world.log.iter().filter(|(_, side, line)| *side == 1 && line == "200").map(|(ms, ..)| ms - offset).collect();
    assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(world.said(1).last(), Some(&"BYE"));
    world.assert_empty();
}

#[test]
fn a_hangup_before_the_ack_waits_for_it() {
    let mut world = World::new();
    world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.command(1, answer(bob));
    world.command(1, hang_up(bob));
    assert_eq!(world.said(1), ["200"]);
    world.expect(0, "Answered");
    world.expect(0, "Ended");
    world.expect(1, "HungUp");
    assert_eq!(world.said(1), ["200", "BYE"]);
    world.assert_empty();
}

/// A peer that refuses a BYE goes on talking, at our cost.
#[test]
fn what_ends_a_call_demands_nothing() {
    let headers = || {
        let header = |name: &str, value: &str| (HeaderName::parse(name).unwrap(), value.to_owned());
        vec![header("Require", "x"), header("Proxy-Require", "x"), header("X-Kept", "1")]
    };
    for is_answered in [true, false] {
        let mut world = World::new();
        let alice = if is_answered { world.call_up(1).0 } else { world.invite(1) };
        if !is_answered {
            let bob = world.expect(1, "Incoming").call();
            world.command(1, ringing(bob));
            world.expect(0, "Progress");
        }
        world.command(0, Command::Hangup { call: alice, headers: headers() });
        world.expect(1, if is_answered { "Ended" } else { "Cancelled" });
        world.expect(0, "HungUp");
        let (sent, _) = world.last(0, if is_answered { "BYE" } else { "CANCEL" });
        assert_eq!((sent.headers.require(), sent.headers.get_named("Proxy-Require")), (vec![], None));
        assert_eq!(sent.headers.get_named("X-Kept"), Some("1"));
        world.assert_empty();
    }
}

/// A phone behind NAT whose mapping was forgotten in a long call is at another port from its next request on.
#[test]
fn a_phone_whose_nat_has_changed_its_port_is_found() {
    let mut world = World::new();
    world.inject(1, carrier(), &text("INVITE", &[("Contact", "<sip:a@10.0.0.7:5062>")]));
    let bob = world.expect(1, "Incoming").call();
    world.command(1, answer(bob));
    let to = timers::last_response(&world, 1, Status::OK).headers.get(&HeaderName::To).unwrap().to_owned();
    let within = |method, number: &'static str, branch: &'static str| {
        text(method, &[("To", &to), ("CSeq", number), ("Via", branch), ("Contact", "<sip:a@10.0.0.7:5062>")])
    };
    world.inject(1, carrier(), &within("ACK", "1", "SIP/2.0/UDP 10.0.0.7:5062;branch=z9hG4bKx2;rport"));
    world.expect(1, "Acked");
    let moved = SocketAddr::new(carrier().ip(), 61_000);
    world.inject(1, moved, &within("UPDATE", "2", "SIP/2.0/UDP 10.0.0.7:5062;branch=z9hG4bKx3;rport"));
    world.command(1, hang_up(bob));
    assert_eq!(world.last(1, "BYE").1.remote(), moved);
    // Another address is another matter.
    world.inject(1, address(0), &within("INFO", "3", "SIP/2.0/UDP 10.0.0.7:5062;branch=z9hG4bKx4;rport"));
    world.expect(1, "HungUp");
    assert_eq!(world.last(1, "BYE").1.remote(), moved);
    world.assert_empty();
}

#[test]
fn both_sides_hang_up_at_once() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.command(0, hang_up(alice));
    world.command(1, hang_up(bob));
    world.expect(0, "HungUp");
    world.expect(1, "HungUp");
    world.assert_empty();
    assert!(world.events.iter().all(|events| events.is_empty()));
}

#[test]
fn the_session_is_renegotiated_with_and_without_an_offer() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    for (name, body) in [("offer", SDP), ("no offer", Bytes::new())] {
        world.command(0, Command::Reinvite { call: alice, headers: Vec::new(), body: body.clone() });
        let Event::Reinvite { request, .. } = world.expect(1, "Reinvite") else { unreachable!() };
        assert_eq!(request.body, body, "{name}");
        world.command(1, Command::AnswerReinvite { call: bob, headers: Vec::new(), body: SDP });
        world.expect(0, "ReinviteAnswered");
        world.expect(1, "Acked");
    }
    world.command(1, reinvite(bob));
    world.expect(0, "Reinvite");
    world.command(0, Command::RejectReinvite { call: alice, status: Status::NOT_ACCEPTABLE_HERE, headers: Vec::new() });
    world.expect(1, "ReinviteRejected");
    world.command(1, hang_up(bob));
    world.expect(0, "Ended");
    world.assert_empty();
}

#[test]
fn two_offers_that_meet_are_both_refused_with_491() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.command(0, reinvite(alice));
    world.command(1, reinvite(bob));
    for side in [0, 1] {
        let Event::ReinviteRejected { response: Some(response), .. } = world.expect(side, "ReinviteRejected") else {
            unreachable!()
        };
        assert_eq!(response.status, Status::REQUEST_PENDING);
    }
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn a_reinvite_that_the_peer_hangs_up_on_is_closed() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.command(0, reinvite(alice));
    world.expect(1, "Reinvite");
    world.command(1, hang_up(bob));
    world.expect(0, "ReinviteRejected");
    world.expect(0, "Ended");
    world.expect(1, "HungUp");
    // The user above did not know yet.
    world.command(1, Command::AnswerReinvite { call: bob, headers: Vec::new(), body: SDP });
    world.assert_empty();
}

#[test]
fn calls_survive_a_bad_wire_and_leave_nothing_behind() {
    let mut repeated = 0;
    for seed in 1..=200 {
        let faults = Faults { loss: 20, copies: 5, delays: 10 };
        let mut world = World::with(config(0), config(1), faults, seed);
        let alice = world.invite(seed);
        let bob = world.expect(1, "Incoming").call();
        world.command(1, Command::Trying { call: bob, local_tag: None });
        world.command(1, ringing(bob));
        world.run_for(Duration::from_secs(2));
        world.command(1, answer(bob));
        while !matches!(world.expect(0, ""), Event::Answered { .. }) {}
        world.expect(1, "Acked");
        let (ends, by) = if seed % 2 == 0 { (0, alice) } else { (1, bob) };
        world.command(ends, hang_up(by));
        world.expect(1 - ends, "Ended");
        world.expect(ends, "HungUp");
        world.assert_empty();
        assert!(world.events.iter().all(|events| events.is_empty()), "seed {seed}: {:?}", world.events);
        repeated += world.said(0).iter().filter(|line| **line == "INVITE").count() - 1;
    }
    assert!(repeated > 20, "the wire was not bad enough: {repeated}");
}

#[test]
fn forked_and_late_200s_are_acknowledged_and_ended() {
    let mut world = World::new();
    let (alice, _) = world.call_up(1);
    let ok = world.sent.iter().find_map(|(side, _, message)| match message {
        Message::Response(response) if *side == 1 && response.status == Status::OK => Some(response.clone()),
        _ => None,
    });
    let mut other = ok.clone().unwrap();
    let to = other.headers.get(&HeaderName::To).unwrap().split(";tag=").next().unwrap().to_owned();
    other.headers.set(HeaderName::To, format!("{to};tag=fork"));
    world.log.clear();
    let bytes = |response| Message::Response(response).to_bytes();
    let inject = |world: &mut World, bytes: Bytes| world.inject(0, address(1), std::str::from_utf8(&bytes).unwrap());
    inject(&mut world, bytes(other.clone()));
    assert_eq!(world.said(0), ["ACK", "BYE"], "another fork");
    inject(&mut world, bytes(other));
    assert_eq!(world.said(0), ["ACK", "BYE", "ACK"], "another fork again");
    inject(&mut world, bytes(ok.clone().unwrap()));
    assert_eq!(world.said(0), ["ACK", "BYE", "ACK", "ACK"], "our own again");
    world.command(0, hang_up(alice));
    world.expect(0, "HungUp");
    inject(&mut world, bytes(ok.unwrap()));
    assert_eq!(world.said(0).last(), Some(&"ACK"), "our own, late");
    world.assert_empty();
}

#[test]
fn requests_are_answered_as_the_rfc_has_it() {
    let cases: &[(&str, &str, Changes, Option<&str>)] = &[
        ("OPTIONS", "OPTIONS", &[], Some("200")),
        ("OPTIONS at the last hop", "OPTIONS", &[("Max-Forwards", "0")], Some("200")),
        ("OPTIONS with Require", "OPTIONS", &[("Require", "nothing")], Some("420")),
        ("REGISTER", "REGISTER", &[], Some("405")),
        ("SUBSCRIBE", "SUBSCRIBE", &[], Some("405")),
        ("INFO", "INFO", &[], Some("481")),
        ("MESSAGE", "MESSAGE", &[], Some("405")),
        ("unknown method", "DANCE", &[], Some("501")),
        ("BYE without call", "BYE", &[("To", "<sip:b@example.net>;tag=t")], Some("481")),
        ("BYE without tag", "BYE", &[], Some("481")),
        ("REFER in no call", "REFER", &[("Refer-To", "<sip:c@example.org>")], Some("403")),
        ("REFER in a call that is not", "REFER", &[("To", "<sip:b@example.net>;tag=t")], Some("481")),
        ("news of nothing", "NOTIFY", &[("Event", "message-summary")], Some("481")),
        ("INVITE in no call", "INVITE", &[("To", "<sip:b@example.net>;tag=t")], Some("481")),
        ("CANCEL of nothing", "CANCEL", &[], Some("481")),
        ("ACK of nothing", "ACK", &[], None),
        ("other scheme", "INVITE", &[("uri", "mailto:b@example.net")], Some("416")),
        ("precondition required", "INVITE", &[("Require", "precondition")], Some("420")),
        ("too short a session", "INVITE", &[("Session-Expires", "30"), ("Supported", "timer")], Some("422")),
        ("no hops left", "INVITE", &[("Max-Forwards", "0")], Some("483")),
        ("no From tag", "INVITE", &[("From", "<sip:a@example.com>")], Some("400")),
        ("no Contact", "INVITE", &[("Contact", "")], Some("400")),
        ("no Call-ID", "OPTIONS", &[("Call-ID", "")], None),
        ("good INVITE", "INVITE", &[], None),
    ];
    for (name, method, changes, expected) in cases {
        let mut world = World::new();
        world.inject(1, carrier(), &text(method, changes));
        assert_eq!(world.said(1), expected.iter().copied().collect::<Vec<_>>(), "{name}");
        let calls = usize::from(*name == "good INVITE");
        assert_eq!(world.sides[1].stats().calls, calls, "{name}");
    }
}

#[test]
fn allow_names_exactly_what_is_handled() {
    let mut world = World::new();
    world.inject(1, carrier(), &text("OPTIONS", &[]));
    let Some((_, to, Message::Response(response))) = world.sent.first() else { panic!("no answer") };
    assert_eq!(
        response.headers.get(&HeaderName::Allow),
        Some("INVITE, ACK, BYE, CANCEL, OPTIONS, REFER, NOTIFY, INFO, UPDATE, PRACK")
    );
    assert_eq!(response.headers.get(&HeaderName::Accept), Some("application/sdp"));
    assert_eq!(to.remote(), carrier());
}

#[test]
fn answers_go_to_the_source_and_never_to_maddr() {
    let via = "SIP/2.0/UDP 203.0.113.9:7000;branch=z9hG4bKq;maddr=203.0.113.99";
    let source = SocketAddr::from(([198, 51, 100, 7], 40_000));
    for (name, via, port) in [("no rport", via.to_owned(), 7_000), ("rport", format!("{via};rport"), 40_000)] {
        let mut world = World::new();
        world.inject(1, source, &text("OPTIONS", &[("Via", &via)]));
        let (_, to, message) = world.sent.first().unwrap();
        assert_eq!(to.remote(), SocketAddr::new(source.ip(), port), "{name}");
        assert_eq!(message.headers().via().unwrap().received(), Some(source.ip()), "{name}");
    }
}

#[test]
fn a_second_copy_of_a_call_is_refused() {
    let mut world = World::new();
    world.inject(1, carrier(), &text("INVITE", &[]));
    world.inject(1, carrier(), &text("INVITE", &[]));
    world.inject(1, carrier(), &text("INVITE", &[("Via", "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKother")]));
    assert_eq!(world.said(1), ["482"]);
    assert_eq!(world.sides[1].stats().calls, 1);
}

#[test]
fn strangers_meet_silence_unless_a_call_is_theirs() {
    let mut hiding = config(1);
    let is_open = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_open);
    hiding.answer_strangers = Arc::new(move || asked.load(Ordering::Relaxed));
    hiding.trusted = Arc::new(|ip| ip == address(0).ip());
    let mut world = World::with(config(0), hiding, Faults::default(), 1);
    for (name, method) in
        [("ping", "OPTIONS"), ("registration", "REGISTER"), ("unknown", "DANCE"), ("bye", "BYE"), ("cancel", "CANCEL")]
    {
        world.inject(1, carrier(), &text(method, &[]));
        assert_eq!(world.said(1), [""; 0], "{name}");
    }
    world.inject(1, carrier(), "INVITE sip:b SIP/2.0\r\nnonsense\r\n\r\n");
    world.inject(1, carrier(), &text("INVITE", &[("Require", "x")]));
    world.inject(1, carrier(), &text("INVITE", &[]));
    let Event::Incoming { trusted, .. } = world.expect(1, "Incoming") else { unreachable!() };
    assert!(!trusted);
    world.inject(1, carrier(), &text("CANCEL", &[]));
    world.expect(1, "Cancelled");
    assert_eq!(world.said(1), [""; 0], "nothing at all");
    // Until there is something for strangers.
    is_open.store(true, Ordering::Relaxed);
    world.inject(1, carrier(), &text("OPTIONS", &[("Call-ID", "c3")]));
    assert_eq!(world.said(1), ["200"]);
    is_open.store(false, Ordering::Relaxed);
    world.log.clear();
    // The same from a carrier is answered, and its calls work.
    world.inject(1, address(0), &text("OPTIONS", &[("Call-ID", "c2")]));
    assert_eq!(world.said(1), ["200"]);
    let (alice, _) = world.call_up(1);
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn a_draining_endpoint_refuses_new_calls_and_keeps_old_ones() {
    let mut world = World::new();
    let (alice, _) = world.call_up(1);
    world.command(1, Command::Drain { retry_after: Duration::from_secs(10) });
    world.invite(2);
    let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
    assert_eq!(response.status, Status::SERVICE_UNAVAILABLE);
    assert!((10..=15).contains(&response.headers.retry_after().unwrap().unwrap()));
    world.log.clear();
    world.inject(1, carrier(), &text("OPTIONS", &[]));
    assert_eq!(world.said(1), ["503"]);
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn full_tables_refuse_and_recover() {
    let mut small = config(1);
    small.limits = Limits { calls: 3, ..Limits::default() };
    let mut world = World::with(config(0), small, Faults::default(), 1);
    let up: Vec<_> = (1..=3).map(|number| world.call_up(number)).collect();
    world.invite(4);
    let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
    assert_eq!(response.status, Status::SERVICE_UNAVAILABLE);
    assert!(response.headers.contains(&HeaderName::RetryAfter));
    for (alice, _) in up {
        world.command(0, hang_up(alice));
        world.expect(1, "Ended");
        world.expect(0, "HungUp");
    }
    let (alice, _) = world.call_up(5);
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn five_thousand_half_open_calls_do_not_lock_out_an_honest_one() {
    let mut guarded = config(1);
    guarded.trusted = Arc::new(|ip| ip == address(0).ip());
    let mut world = World::with(config(0), guarded, Faults::default(), 1);
    for n in 0..5_000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let source = SocketAddr::from(([203, 0, high, low], 5_060));
        let (via, call_id) = (format!("SIP/2.0/UDP 203.0.113.1;branch=z9hG4bK{n}"), format!("flood-{n}"));
        world.inject(1, source, &text("INVITE", &[("Via", &via), ("Call-ID", &call_id)]));
    }
    let held = world.sides[1].stats();
    assert_eq!(held.half_open, Limits::default().half_open / 2);
    let flood: Vec<_> = world.events[1].drain(..).map(|event| event.call()).collect();
    let (alice, _) = world.call_up(1);
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    flood.into_iter().for_each(|call| world.command(1, Command::Ignore { call }));
    world.run_for(Duration::from_secs(45));
    assert_eq!(world.sides[1].stats().half_open, 0);
    world.assert_empty();
}

#[test]
fn one_stranger_cannot_flood() {
    let mut guarded = config(1);
    guarded.trusted = Arc::new(|_| false);
    let mut world = World::with(config(0), guarded, Faults::default(), 1);
    for n in 0..2_000 {
        let via = format!("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{n}");
        world.inject(1, carrier(), &text("OPTIONS", &[("Via", &via)]));
    }
    let rate = Limits::default().stranger_rate;
    assert_eq!(world.said(1).len(), usize::try_from(rate.burst).unwrap());
    assert_eq!(world.sides[1].stats().throttled, 2_000 - u64::from(rate.burst));
}

#[test]
fn twilio_is_reached_through_its_route_with_its_private_contact_as_target() {
    let mut world = World::new();
    let invite = include_str!("../../tests/data/carriers/twilio-invite.sip");
    let edge = SocketAddr::from(([54, 172, 60, 1], 5_060));
    world.inject(1, edge, invite);
    let call = world.expect(1, "Incoming").call();
    world.command(1, Command::Trying { call, local_tag: Some(Tag::new("SCL_fixture0002")) });
    world.command(1, answer(call));
    world.inject(1, edge, include_str!("../../tests/data/carriers/twilio-ack.sip"));
    world.expect(1, "Acked");
    world.command(1, hang_up(call));
    let Some((_, to, Message::Request(bye))) = world.sent.last() else { panic!("no BYE") };
    assert_eq!(to.remote(), edge);
    assert_eq!(bye.uri.to_string(), "sip:+14155550123@172.18.31.77:5060;transport=udp");
    assert_eq!(bye.headers.routes().unwrap()[0].uri.host.to_string(), "54.172.60.1");
}

#[test]
fn twilio_hangs_up() {
    let mut world = World::new();
    let edge = SocketAddr::from(([54, 172, 60, 1], 5_060));
    world.inject(1, edge, include_str!("../../tests/data/carriers/twilio-invite.sip"));
    let call = world.expect(1, "Incoming").call();
    world.command(1, Command::Trying { call, local_tag: Some(Tag::new("SCL_fixture0002")) });
    world.command(1, answer(call));
    world.inject(1, edge, include_str!("../../tests/data/carriers/twilio-ack.sip"));
    world.expect(1, "Acked");
    let refresh = include_str!("../../tests/data/carriers/twilio-reinvite-refresh-offerless.sip");
    world.inject(1, edge, refresh);
    world.expect(1, "Reinvite");
    world.command(1, Command::AnswerReinvite { call, headers: Vec::new(), body: SDP });
    let ack = include_str!("../../tests/data/carriers/twilio-ack.sip").replace("CSeq: 1", "CSeq: 3");
    world.inject(1, edge, &ack);
    world.expect(1, "Acked");
    let late = include_str!("../../tests/data/carriers/twilio-bye.sip");
    world.log.clear();
    world.inject(1, edge, late);
    assert_eq!(world.said(1), ["500"], "CSeq 2 after 3 is out of order");
    world.inject(1, edge, &late.replace("CSeq: 2", "CSeq: 4").replace("bye2", "bye4"));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn a_duplicate_handle_and_commands_to_the_dead_do_nothing() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.log.clear();
    world.command(0, Command::Invite(Box::new(invite(alice))));
    for command in [ringing(bob), answer(bob), reject(bob, Status::BUSY_HERE), Command::Ignore { call: bob }] {
        world.command(1, command);
    }
    assert_eq!(world.log, []);
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.expect(0, "HungUp");
    world.log.clear();
    for command in [hang_up(bob), reinvite(bob)] {
        world.command(1, command);
    }
    assert_eq!(world.log, []);
    world.assert_empty();
}

#[test]
fn a_request_sent_again_over_a_new_stream_does_not_fail_with_the_old_one() {
    use sip::endpoint::{ConnectionId, Destination, Endpoint, Flow, Listener, Output};
    let mut tcp = config(1);
    let (bind, advertised) = (address(1), tcp.listeners[0].advertised.clone());
    tcp.listeners = vec![Listener { wire: sip::Wire::Tcp, bind, advertised }];
    let now = World::new().now;
    let mut bob = Endpoint::new(tcp);
    let id = ConnectionId(1);
    let flow = Flow { wire: sip::Wire::Tcp, local: bind, remote: carrier(), connection: Some(id) };
    let hand = |bob: &mut Endpoint, text: &str| {
        let message = Message::parse(text.as_bytes()).unwrap();
        bob.handle_message(now, &flow, message);
        std::iter::from_fn(|| bob.poll_output()).collect::<Vec<_>>()
    };
    let outputs = hand(&mut bob, &text("INVITE", &[("Via", "SIP/2.0/TCP h;branch=z9hG4bK1")]));
    let Some(Output::Event(Event::Incoming { call, .. })) = outputs.first().cloned() else { panic!("a call") };
    bob.handle_command(now, Command::Trying { call, local_tag: Some(Tag::new("t")) });
    bob.handle_command(now, answer(call));
    while bob.poll_output().is_some() {}
    let ack = [("To", "<sip:b@example.net>;tag=t"), ("Via", "SIP/2.0/TCP h;branch=z9hG4bK3")];
    hand(&mut bob, &text("ACK", &ack));
    bob.handle_command(now, hang_up(call));
    let Some(Output::Send { to: Destination::Connection { reopen, .. }, bytes }) = bob.poll_output() else {
        panic!("BYE over the open stream")
    };
    bob.handle_unreachable(now, &Destination::Connect(reopen.clone()));
    assert!(bob.poll_output().is_none(), "an old failure toward that hop is not about this request");
    bob.handle_flow_closed(now, id);
    let Some(Output::Send { to, bytes: again }) = bob.poll_output() else { panic!("BYE again") };
    assert_eq!((to.clone(), again), (Destination::Connect(reopen), bytes));
    bob.handle_unreachable(now, &to);
    assert!(matches!(bob.poll_output(), Some(Output::Event(Event::HungUp { .. }))));
}
