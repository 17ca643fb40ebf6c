//! Transfers: REFER and the NOTIFY that tells what came of it, both ways ([RFC 3515], [RFC 6665]).
//!
//! [RFC 3515]: https://www.rfc-editor.org/rfc/rfc3515
//! [RFC 6665]: https://www.rfc-editor.org/rfc/rfc6665

use std::{net::SocketAddr, time::Duration};

use sip::{CallHandle, Command, Event, HeaderName, Message, Request, Status, Tag};

use crate::{
    Changes, answer, carrier, hang_up, ringing, text,
    wire::{World, address},
};

const EDGE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(54, 172, 60, 1)), 5060);

fn refer(call: CallHandle) -> Command {
    Command::Refer { call, refer_to: "<sip:carol@example.org>".to_owned(), headers: Vec::new() }
}

fn notify(call: CallHandle, status: Status, over: bool) -> Command {
    Command::Notify { call, status, over }
}

/// Status and whether it was the last, of the next [`Event::Notified`].
fn news(world: &mut World, side: usize) -> (Option<u16>, String, bool) {
    let Event::Notified { status, reason, over, .. } = world.expect(side, "Notified") else { unreachable!() };
    (status.map(Status::code), reason, over)
}

fn final_answer(world: &mut World, side: usize) -> Option<Status> {
    let Event::ReferAnswered { response, .. } = world.expect(side, "ReferAnswered") else { unreachable!() };
    response.map(|response| response.status)
}

/// The status that a side has answered the last request with.
fn last_answer(world: &World, side: usize) -> Option<u16> {
    world.sent.iter().rev().find_map(|(by, _, message)| match message {
        Message::Response(response) if *by == side => Some(response.status.code()),
        _ => None,
    })
}

#[test]
fn a_transfer_is_asked_for_accepted_and_told_of() {
    // Both the caller and the called may ask.
    for asks in [0, 1] {
        let mut world = World::new();
        let (alice, bob) = world.call_up(1);
        let (by, of) = if asks == 0 { (alice, bob) } else { (bob, alice) };
        let does = 1 - asks;
        world.command(asks, refer(by));
        let Event::Referred { request, .. } = world.expect(does, "Referred") else { unreachable!() };
        assert_eq!(request.headers.get(&HeaderName::ReferTo), Some("<sip:carol@example.org>"));
        assert!(request.headers.contact().unwrap().is_some(), "RFC 3515 §2.2");
        world.command(does, Command::AnswerRefer { call: of, status: Status::ACCEPTED });
        assert_eq!(final_answer(&mut world, asks), Some(Status::ACCEPTED));
        assert_eq!(news(&mut world, asks), (Some(100), "Trying".to_owned(), false));
        world.command(does, notify(of, Status::RINGING, false));
        assert_eq!(news(&mut world, asks), (Some(180), "Ringing".to_owned(), false));
        world.command(does, notify(of, Status::OK, false));
        assert_eq!(news(&mut world, asks), (Some(200), "OK".to_owned(), true), "a final status ends it");
        let (last, _) = world.last(does, "NOTIFY");
        let header = |name| last.headers.get(&name).unwrap();
        let number = request.headers.cseq().unwrap().number;
        assert_eq!(header(HeaderName::Event), format!("refer;id={number}"));
        assert_eq!(header(HeaderName::SubscriptionState), "terminated;reason=noresource");
        assert_eq!(header(HeaderName::ContentType), "message/sipfrag;version=2.0");
        assert_eq!(&last.body[..], b"SIP/2.0 200 OK\r\n");
        world.command(does, notify(of, Status::OK, true));
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.said(does).iter().filter(|line| **line == "NOTIFY").count(), 3, "nothing after the end");
        // The next one, in the same call.
        world.command(asks, refer(by));
        world.expect(does, "Referred");
        world.command(does, Command::AnswerRefer { call: of, status: Status::DECLINE });
        assert_eq!(final_answer(&mut world, asks), Some(Status::DECLINE));
        world.command(asks, hang_up(by));
        world.expect(does, "Ended");
        world.expect(asks, "HungUp");
        world.assert_empty();
        assert!(world.events.iter().all(|events| events.is_empty()));
    }
}

#[test]
fn news_does_not_overtake_news() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.command(0, refer(alice));
    world.expect(1, "Referred");
    world.command(1, Command::AnswerRefer { call: bob, status: Status::ACCEPTED });
    // The first NOTIFY is under way: what comes meanwhile waits, and only the last of it counts.
    for status in [Status::TRYING, Status::RINGING, Status::SESSION_PROGRESS] {
        world.command(1, notify(bob, status, false));
    }
    world.command(1, notify(bob, Status::BUSY_HERE, true));
    world.command(1, notify(bob, Status::RINGING, false));
    assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED));
    assert_eq!(news(&mut world, 0).0, Some(100));
    assert_eq!(news(&mut world, 0), (Some(486), "Busy Here".to_owned(), true));
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn one_transfer_at_a_time() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.command(0, refer(alice));
    world.expect(1, "Referred");
    world.command(1, Command::AnswerRefer { call: bob, status: Status::ACCEPTED });
    assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED));
    // Nothing more is told by the user above: the stack says after five minutes that this was all.
    assert_eq!(news(&mut world, 0).0, Some(100));
    world.run_for(Duration::from_secs(400));
    assert_eq!(news(&mut world, 0), (Some(408), "Request Timeout".to_owned(), true));
    world.command(0, refer(alice));
    world.expect(1, "Referred");
    world.command(0, hang_up(alice));
    assert_eq!(
        final_answer(&mut world, 0),
        Some(Status::REQUEST_TERMINATED),
        "the call ends, and with it the question"
    );
    world.expect(0, "HungUp");
    world.assert_empty();
}

#[test]
fn a_transfer_that_was_given_up_makes_room_for_another() {
    // Whether the peer numbers what it tells of the first and of the second, what is told of the first when the second is
    // sent, when it is accepted, and after that: the answer, and what the user above hears.
    type Told = (u16, Option<Option<u16>>);
    let cases: &[(&str, &str, &str, [Told; 2], Told)] = &[
        ("numbers all", "refer;id=2", "refer;id=3", [(481, None), (481, None)], (200, Some(Some(180)))),
        ("numbers the second, as it must", "refer", "refer;id=3", [(200, None), (481, None)], (200, Some(Some(180)))),
        ("numbers none", "refer", "refer", [(200, None), (200, Some(Some(486)))], (200, Some(Some(180)))),
    ];
    for (name, first, second, stale, told) in cases {
        let mut world = World::new();
        let (alice, _) = world.call_up(1);
        world.drop_if = Box::new(|_, message| message.headers().cseq().unwrap().method.as_str() == "REFER");
        world.command(0, refer(alice));
        let (request, to) = world.last(0, "REFER");
        world.reply(0, to.remote(), &request, "202 Accepted", "", "");
        assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED), "{name}");
        let tell = |world: &mut World, number, event: &str, body: &str, (answer, told): Told| {
            world.inject(0, address(1), &notify_text(&request, number, event, "active", body));
            assert_eq!(last_answer(world, 0), Some(answer), "{name}: {number}");
            match told {
                Some(status) => assert_eq!(news(world, 0).0, status, "{name}: {number}"),
                None => assert!(world.events[0].is_empty(), "{name}: {number}"),
            }
        };
        tell(&mut world, 10, first, "SIP/2.0 180 Ringing", (200, Some(Some(180))));
        world.run_for(Duration::from_secs(30));
        world.command(0, refer(alice));
        let (again, _) = world.last(0, "REFER");
        assert_eq!(again.headers.cseq().unwrap().number, 3, "{name}");
        tell(&mut world, 11, first, "SIP/2.0 180 Ringing", stale[0]);
        world.reply(0, to.remote(), &again, "202 Accepted", "", "");
        assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED), "{name}");
        tell(&mut world, 12, second, "SIP/2.0 180 Ringing", *told);
        tell(&mut world, 13, first, "SIP/2.0 486 Busy Here", stale[1]);
        tell(&mut world, 14, second, "SIP/2.0 200 OK", (200, Some(Some(200))));
        world.run_for(Duration::from_secs(179));
        assert!(world.events[0].is_empty(), "{name}: the time of the first one counts no more");
        world.run_for(Duration::from_secs(1));
        assert_eq!(news(&mut world, 0), (None, String::new(), true), "{name}");
        world.command(0, hang_up(alice));
        world.expect(0, "HungUp");
        world.assert_empty();
    }
}

#[test]
fn an_answer_to_a_transfer_that_was_given_up_is_none_to_the_next() {
    let late = ["202 Accepted", "603 Decline", "407 Proxy Authentication Required"];
    for late in late {
        let mut world = World::new();
        let (alice, _) = world.call_up(1);
        world.drop_if = Box::new(|_, message| message.headers().cseq().unwrap().method.as_str() == "REFER");
        world.command(0, refer(alice));
        let (first, to) = world.last(0, "REFER");
        world.run_for(Duration::from_secs(1));
        world.command(0, refer(alice));
        let (second, _) = world.last(0, "REFER");
        assert_ne!(first.headers.cseq().unwrap().number, second.headers.cseq().unwrap().number);
        world.reply(0, to.remote(), &first, late, "", "");
        assert!(world.events[0].is_empty(), "{late}");
        world.reply(0, to.remote(), &second, "202 Accepted", "", "");
        assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED), "{late}");
        world.command(0, hang_up(alice));
        world.expect(0, "HungUp");
    }
}

#[test]
fn a_peer_that_never_tells_is_given_up() {
    let mut world = World::new();
    let (alice, _) = world.call_up(1);
    world.drop_if = Box::new(|side, message| side == 0 && message.headers().cseq().unwrap().method.as_str() == "REFER");
    world.command(0, refer(alice));
    let (request, to) = world.last(0, "REFER");
    world.reply(0, to.remote(), &request, "202 Accepted", "", "");
    assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED));
    world.run_for(Duration::from_secs(179));
    assert!(world.events[0].is_empty());
    world.run_for(Duration::from_secs(1));
    assert_eq!(news(&mut world, 0), (None, String::new(), true));
    world.command(0, hang_up(alice));
    world.expect(0, "HungUp");
    world.assert_empty();
}

#[test]
fn a_refer_that_nobody_answers_is_reported_and_the_call_goes_on() {
    let mut world = World::new();
    let (alice, _) = world.call_up(1);
    world.drop_if = Box::new(|_, message| message.headers().cseq().unwrap().method.as_str() == "REFER");
    world.command(0, refer(alice));
    assert_eq!(final_answer(&mut world, 0), None);
    assert_eq!(world.sides[0].stats().dialogs, 1);
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn a_refer_that_the_user_above_forgets_is_declined() {
    let mut world = World::new();
    let (alice, _) = world.call_up(1);
    // Alice repeats it for 32 s and then gives up; Bob must not keep it.
    world.command(0, refer(alice));
    world.expect(1, "Referred");
    world.run_for(Duration::from_secs(33));
    assert_eq!(last_answer(&world, 1), Some(603));
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

/// The headers of a NOTIFY to Alice, as Bob would write it.
fn notify_text(refer: &Request, number: u32, event: &str, state: &str, body: &str) -> String {
    let of = |name: HeaderName| refer.headers.get(&name).expect("a header of every request");
    let state = if state.is_empty() { String::new() } else { format!("Subscription-State: {state}\r\n") };
    let event = if event.is_empty() { String::new() } else { format!("Event: {event}\r\n") };
    format!(
        "NOTIFY sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKn{number}\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {number} NOTIFY\r\nMax-Forwards: 70\r\n{event}{state}Content-Type: message/sipfrag\r\n\
         Content-Length: {}\r\n\r\n{body}",
        of(HeaderName::To),
        of(HeaderName::From),
        of(HeaderName::CallId),
        body.len(),
    )
}

#[test]
fn notifies_are_told_apart() {
    let active = "active;expires=60";
    // Event, state, body; the answer, and what is told.
    type Case = (&'static str, &'static str, &'static str, &'static str, u16, Option<(Option<u16>, bool)>);
    let cases: &[Case] = &[
        ("plain", "refer", active, "SIP/2.0 180 Ringing\r\n", 200, Some((Some(180), false))),
        ("numbered", "refer;id=2", active, "SIP/2.0 180 Ringing", 200, Some((Some(180), false))),
        ("last", "refer", "terminated;reason=noresource", "SIP/2.0 200 OK", 200, Some((Some(200), true))),
        ("last, with nothing to say", "refer", "terminated", "", 200, Some((None, true))),
        ("final status, not over", "refer", active, "SIP/2.0 200 OK", 200, Some((Some(200), false))),
        ("no state", "refer", "", "SIP/2.0 180 Ringing", 200, Some((Some(180), false))),
        ("no state, final status", "refer", "", "SIP/2.0 486 Busy Here", 200, Some((Some(486), true))),
        ("unreadable", "refer", active, "what?", 200, Some((None, false))),
        ("another number", "refer;id=7", active, "SIP/2.0 180 Ringing", 481, None),
        ("no number", "refer;id=x", active, "SIP/2.0 180 Ringing", 481, None),
        ("another event", "presence", active, "SIP/2.0 180 Ringing", 489, None),
        ("no event", "", active, "SIP/2.0 180 Ringing", 489, None),
    ];
    for (name, event, state, body, status, told) in cases {
        // Whether it comes before or behind the answer to the REFER makes no difference.
        for is_early in [false, true] {
            let mut world = World::new();
            let (alice, _) = world.call_up(1);
            world.drop_if = Box::new(|_, message| message.headers().cseq().unwrap().method.as_str() == "REFER");
            world.command(0, refer(alice));
            let (request, to) = world.last(0, "REFER");
            assert_eq!(request.headers.cseq().unwrap().number, 2);
            let accept = |world: &mut World| {
                world.reply(0, to.remote(), &request, "202 Accepted", "", "");
                assert_eq!(final_answer(world, 0), Some(Status::ACCEPTED), "{name}");
            };
            if !is_early {
                accept(&mut world);
            }
            world.inject(0, address(1), &notify_text(&request, 10, event, state, body));
            assert_eq!(last_answer(&world, 0), Some(*status), "{name}");
            if let Some((status, over)) = told {
                let (told, _, is_over) = news(&mut world, 0);
                assert_eq!((told, is_over), (*status, *over), "{name}");
            }
            if is_early {
                accept(&mut world);
            }
            let is_over = told.is_some_and(|(_, over)| over);
            world.inject(0, address(1), &notify_text(&request, 11, "refer", active, "SIP/2.0 100 Trying"));
            assert_eq!(last_answer(&world, 0), Some(if is_over { 481 } else { 200 }), "{name}: one more");
            world.events[0].clear();
            world.command(0, hang_up(alice));
            world.expect(0, "HungUp");
            world.assert_empty();
        }
    }
}

#[test]
fn news_that_nobody_asked_for_is_refused() {
    let mut world = World::new();
    let (alice, _) = world.call_up(1);
    let (invite, _) = world.last(0, "ACK");
    world.inject(0, address(1), &notify_text(&invite, 10, "refer", "active", "SIP/2.0 200 OK"));
    assert_eq!(last_answer(&world, 0), Some(481));
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

#[test]
fn news_is_heard_for_a_while_after_the_call() {
    // Whether we hang up or the peer does.
    for we_end in [true, false] {
        let mut world = World::new();
        let (alice, bob) = world.call_up(1);
        world.drop_if = Box::new(|_, message| message.headers().cseq().unwrap().method.as_str() == "REFER");
        world.command(0, refer(alice));
        let (request, to) = world.last(0, "REFER");
        world.reply(0, to.remote(), &request, "202 Accepted", "", "");
        assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED));
        if we_end {
            world.command(0, hang_up(alice));
            world.inject(0, address(1), &notify_text(&request, 9, "refer", "active", "SIP/2.0 100 Trying"));
            assert_eq!(news(&mut world, 0).0, Some(100), "while the BYE is under way");
            world.expect(1, "Ended");
            world.expect(0, "HungUp");
        } else {
            world.command(1, hang_up(bob));
            world.expect(0, "Ended");
            world.expect(1, "HungUp");
        }
        world.run_for(Duration::from_secs(31));
        world.inject(0, address(1), &notify_text(&request, 10, "refer", "active", "SIP/2.0 180 Ringing"));
        assert_eq!((last_answer(&world, 0), news(&mut world, 0).0), (Some(200), Some(180)));
        world.inject(0, address(1), &notify_text(&request, 10, "refer", "active", "SIP/2.0 180 Ringing"));
        assert!(world.events[0].is_empty(), "a repetition is answered and not told again");
        world.inject(0, address(1), &notify_text(&request, 8, "refer", "active", "SIP/2.0 100 Trying"));
        assert_eq!(last_answer(&world, 0), Some(500), "out of order");
        let bye = notify_text(&request, 11, "refer", "active", "").replace("NOTIFY", "BYE");
        world.inject(0, address(1), &bye);
        assert_eq!(last_answer(&world, 0), Some(481), "nothing else is heard");
        world.run_for(Duration::from_secs(2));
        world.inject(0, address(1), &notify_text(&request, 12, "refer", "active", "SIP/2.0 200 OK"));
        assert_eq!(last_answer(&world, 0), Some(481), "that was long enough");
        world.command(0, hang_up(alice));
        world.command(0, refer(alice));
        world.assert_empty();
    }
}

#[test]
fn a_peer_that_asked_and_hung_up_is_still_told() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.command(0, refer(alice));
    world.expect(1, "Referred");
    world.command(1, Command::AnswerRefer { call: bob, status: Status::ACCEPTED });
    assert_eq!(final_answer(&mut world, 0), Some(Status::ACCEPTED));
    assert_eq!(news(&mut world, 0).0, Some(100));
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.command(1, notify(bob, Status::OK, true));
    world.expect(0, "HungUp");
    assert_eq!(news(&mut world, 0), (Some(200), "OK".to_owned(), true));
    world.assert_empty();
}

#[test]
fn a_peer_that_refuses_news_gets_no_more() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.command(0, refer(alice));
    world.expect(1, "Referred");
    world.drop_if = Box::new(|_, message| message.headers().cseq().unwrap().method.as_str() == "NOTIFY");
    world.command(1, Command::AnswerRefer { call: bob, status: Status::ACCEPTED });
    let (request, to) = world.last(1, "NOTIFY");
    world.reply(1, to.remote(), &request, "481 Subscription Does Not Exist", "", "");
    world.log.clear();
    world.command(1, notify(bob, Status::OK, true));
    assert_eq!(world.said(1), [""; 0]);
    world.command(0, hang_up(alice));
    world.expect(1, "Ended");
    world.assert_empty();
}

/// A REFER as a carrier writes it, within or outside a call.
fn refer_text(changes: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("CSeq", "2"),
        ("Via", "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKr"),
        ("To", "<sip:b@example.net>;tag=t"),
    ];
    all.extend(changes);
    text("REFER", &all)
}

#[test]
fn a_refer_is_answered_as_the_call_stands() {
    type Case = (&'static str, Changes, Option<u16>);
    const ONE: (&str, &str) = ("Refer-To", "<sip:c@example.org>");
    let cases: &[Case] = &[
        ("good", &[ONE], None),
        ("no target", &[], Some(400)),
        ("two targets", &[("Refer-To", "<sip:c@example.org>, <sip:d@example.org>")], Some(400)),
        ("unreadable target", &[("Refer-To", "c")], Some(400)),
        ("out of order", &[ONE, ("CSeq", "1")], Some(500)),
        ("an extension", &[ONE, ("Require", "norefersub")], Some(420)),
        ("another call", &[ONE, ("Call-ID", "c9")], Some(481)),
        ("no call", &[ONE, ("To", "<sip:b@example.net>")], Some(403)),
    ];
    for (name, changes, expected) in cases {
        let mut world = World::new();
        world.inject(1, carrier(), &text("INVITE", &[]));
        let call = world.expect(1, "Incoming").call();
        world.command(1, Command::Trying { call, local_tag: Some(Tag::new("t")) });
        world.command(1, answer(call));
        let ack = [("To", "<sip:b@example.net>;tag=t"), ("Via", "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa")];
        world.inject(1, carrier(), &text("ACK", &ack));
        world.expect(1, "Acked");
        world.log.clear();
        world.sent.clear();
        world.inject(1, carrier(), &refer_text(changes));
        assert_eq!(last_answer(&world, 1), *expected, "{name}");
        assert_eq!(world.events[1].len(), usize::from(expected.is_none()), "{name}");
        if expected.is_none() {
            let second = [ONE, ("CSeq", "3"), ("Via", "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKr2")];
            world.inject(1, carrier(), &refer_text(&second));
            assert_eq!(last_answer(&world, 1), Some(491), "one at a time");
        }
        world.command(1, hang_up(call));
        if expected.is_none() {
            assert!(world.said(1).contains(&"487"), "the open one is answered before the end: {:?}", world.said(1));
        }
        world.run_for(Duration::from_secs(60));
        world.assert_empty();
    }
}

#[test]
fn a_call_that_is_not_answered_cannot_be_transferred() {
    let mut world = World::new();
    world.inject(1, carrier(), &text("INVITE", &[]));
    let call = world.expect(1, "Incoming").call();
    world.command(1, Command::Trying { call, local_tag: Some(Tag::new("t")) });
    world.command(1, ringing(call));
    world.inject(1, carrier(), &refer_text(&[("Refer-To", "<sip:c@example.org>")]));
    assert_eq!(last_answer(&world, 1), Some(603));
    // Nor by us: such a command does nothing.
    world.log.clear();
    world.command(1, refer(call));
    assert_eq!(world.said(1), [""; 0]);
    world.command(1, hang_up(call));
    world.expect(1, "HungUp");
    world.inject(
        1,
        carrier(),
        &refer_text(&[("Refer-To", "<sip:c@example.org>"), ("CSeq", "3"), ("Via", "SIP/2.0/UDP h;branch=z9hG4bKq")]),
    );
    assert_eq!(last_answer(&world, 1), Some(481), "the call is over");
}

#[test]
fn twilio_tells_how_a_transfer_goes() {
    let told = [
        (include_str!("../../../tests/data/carriers/twilio-notify-refer-200.sip"), (Some(200), "OK", true)),
        (include_str!("../../../tests/data/carriers/twilio-notify-refer-486.sip"), (Some(486), "Busy Here", true)),
    ];
    for (last, (status, reason, over)) in told {
        let mut world = World::new();
        world.inject(1, EDGE, include_str!("../../../tests/data/carriers/twilio-invite.sip"));
        let call = world.expect(1, "Incoming").call();
        world.command(1, Command::Trying { call, local_tag: Some(Tag::new("SCL_fixture0002")) });
        world.command(1, answer(call));
        world.inject(1, EDGE, include_str!("../../../tests/data/carriers/twilio-ack.sip"));
        world.expect(1, "Acked");
        world.command(1, Command::Refer { call, refer_to: "<tel:+15105550199>".to_owned(), headers: Vec::new() });
        let (request, to) = world.last(1, "REFER");
        assert_eq!(to.remote(), EDGE);
        world.reply(1, EDGE, &request, "202 Accepted", "", "");
        assert_eq!(final_answer(&mut world, 1), Some(Status::ACCEPTED));
        // The fixtures were taken from a call whose REFER had another number.
        let number = format!("refer;id={}", request.headers.cseq().unwrap().number);
        let trying = include_str!("../../../tests/data/carriers/twilio-notify-refer-100.sip");
        world.inject(1, EDGE, &trying.replace("refer;id=2", &number));
        assert_eq!(news(&mut world, 1), (Some(100), "Trying".to_owned(), false));
        world.inject(1, EDGE, &last.replace("refer;id=2", &number));
        assert_eq!(news(&mut world, 1), (status, reason.to_owned(), over));
        assert_eq!(last_answer(&world, 1), Some(200));
        world.command(1, hang_up(call));
        world.expect(1, "HungUp");
        world.assert_empty();
    }
}
