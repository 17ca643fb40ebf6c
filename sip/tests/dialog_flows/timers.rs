//! Session timers, UPDATE, acknowledged provisional answers and keys in INFO ([RFC 4028], [RFC 3311], [RFC 3262]).
//!
//! [RFC 4028]: https://www.rfc-editor.org/rfc/rfc4028
//! [RFC 3311]: https://www.rfc-editor.org/rfc/rfc3311
//! [RFC 3262]: https://www.rfc-editor.org/rfc/rfc3262

use std::time::Duration;

use bytes::Bytes;
use sip::{
    CallHandle, Command, Event, Failure, HeaderName, Invite, KeyFormat, KeyPress, Message, Request, Response, Status,
    digest::Credentials,
    endpoint::{Config, Reliability, SessionTimers},
};

use crate::{
    answer, carrier, hang_up, reinvite, ringing, text,
    wire::{Faults, SDP, World, address, config, invite},
};

const MINUTE: Duration = Duration::from_secs(60);

fn with_timers(side: usize, interval: u64, least: u64) -> Config {
    let [interval, least] = [interval, least].map(Duration::from_secs);
    Config { session_timers: Some(SessionTimers { interval, least }), ..config(side) }
}

fn without_timers(side: usize) -> Config {
    Config { session_timers: None, ..config(side) }
}

fn world(alice: Config, bob: Config) -> World {
    World::with(alice, bob, Faults::default(), 1)
}

/// How often a side sent this since the start.
fn count(world: &World, side: usize, line: &str) -> usize {
    world.said(side).iter().filter(|said| **said == line).count()
}

/// The last response of a status that a side sent.
pub(crate) fn last_response(world: &World, side: usize, status: Status) -> Response {
    let found = world.sent.iter().rev().find_map(|(by, _, message)| match message {
        Message::Response(response) if *by == side && response.status == status => Some(response.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no {status}: {:#?}", world.log))
}

/// Lets time pass while both sides do what is asked of them when a refresh is due.
fn live(world: &mut World, time: Duration) {
    let until = world.now + time;
    while world.step(until) {
        for side in 0..2 {
            for _ in 0..world.events[side].len() {
                let Some(event) = world.events[side].pop_front() else { break };
                match event {
                    Event::RefreshDue { call } => world.command(side, reinvite(call)),
                    Event::Reinvite { call, .. } => {
                        world.command(side, Command::AnswerReinvite { call, headers: Vec::new(), body: SDP });
                    }
                    event => world.events[side].push_back(event),
                }
            }
        }
    }
    world.now = until;
}

#[test]
fn half_an_hour_with_sessions_of_ninety_seconds() {
    for (name, faults) in
        [("a good wire", Faults::default()), ("a bad one", Faults { loss: 15, copies: 5, delays: 20 })]
    {
        let mut world = World::with(with_timers(0, 90, 90), config(1), faults, 7);
        let (alice, _) = world.call_up(1);
        live(&mut world, 30 * MINUTE);
        assert_eq!(world.sides[0].stats().calls, 1, "{name}: {:?}", world.events);
        assert_eq!(world.sides[1].stats().calls, 1, "{name}: {:?}", world.events);
        let refreshes = world.sent.iter().filter(|(side, _, message)| {
            *side == 0 && matches!(message, Message::Request(request) if request.method.as_str() == "UPDATE")
        });
        assert!(refreshes.count() >= 39, "{name}");
        world.command(0, hang_up(alice));
        world.assert_empty();
    }
}

#[test]
fn a_peer_without_update_is_refreshed_by_reinvite() {
    let mut world = world(with_timers(0, 90, 90), config(1));
    let mut first = invite(CallHandle::outbound(1));
    first.headers.clear();
    world.command(0, Command::Invite(Box::new(first)));
    let bob = world.expect(1, "Incoming").call();
    // As a peer of old would put it.
    let headers = vec![(HeaderName::Allow, "INVITE, ACK, BYE, CANCEL".to_owned())];
    world.command(1, Command::Answer { call: bob, headers, body: SDP });
    world.expect(0, "Answered");
    world.expect(1, "Acked");
    world.log.clear();
    world.run_for(Duration::from_secs(46));
    world.expect(0, "RefreshDue");
    world.command(0, reinvite(CallHandle::outbound(1)));
    let Event::Reinvite { request, .. } = world.expect(1, "Reinvite") else { unreachable!() };
    assert_eq!(request.headers.get(&HeaderName::SessionExpires), Some("90;refresher=uac"));
    let headers = vec![(HeaderName::Allow, "INVITE, ACK, BYE, CANCEL".to_owned())];
    world.command(1, Command::AnswerReinvite { call: bob, headers, body: SDP });
    world.expect(0, "ReinviteAnswered");
    live(&mut world, 10 * MINUTE);
    assert_eq!(count(&world, 0, "BYE") + count(&world, 1, "BYE"), 0);
}

#[test]
fn the_callee_refreshes_when_the_caller_wants_it() {
    let mut world = world(without_timers(0), config(1));
    let mut first = invite(CallHandle::outbound(1));
    first.headers = vec![(HeaderName::Supported, "timer".to_owned())];
    world.command(0, Command::Invite(Box::new(first)));
    let bob = world.expect(1, "Incoming").call();
    world.command(1, answer(bob));
    let Event::Answered { response, .. } = world.expect(0, "Answered") else { unreachable!() };
    assert_eq!(response.headers.get(&HeaderName::SessionExpires), Some("1800;refresher=uas"));
    assert_eq!(response.headers.require(), ["timer"]);
    world.run_for(Duration::from_secs(901));
    // Alice knows nothing of sessions, but takes an UPDATE; what it does not confirm ends.
    assert_eq!(count(&world, 1, "UPDATE"), 1);
    assert_eq!(count(&world, 0, "200"), 1);
    world.run_for(2 * MINUTE);
    assert_eq!(world.sides[1].stats().calls, 1);
}

#[test]
fn a_lost_peer_is_noticed_by_either_side() {
    // Who refreshes, who is lost, and after how many seconds the other one says goodbye.
    for (refresher, lost, least, most) in [(0, 0, 59, 61), (0, 1, 45, 80)] {
        let mut world = world(with_timers(0, 90, 90), config(1));
        world.call_up(1);
        assert_eq!(refresher, 0);
        let up = world.now;
        world.log.clear();
        world.drop_if = Box::new(move |by, _| by == lost);
        world.sides[lost] = sip::Endpoint::new(config(lost));
        let Event::Failed { why, .. } = world.expect(1 - lost, "Failed") else { unreachable!() };
        let expected = if lost == 0 { Failure::SessionExpired } else { Failure::Gone };
        let after = (world.now - up).as_secs();
        assert!((least..=most).contains(&after), "{after} s");
        // The one who is gone and is asked does not answer, for its answers are lost.
        assert!(why == expected || why == Failure::TimedOut || why == Failure::SessionExpired, "{why:?}");
        assert_eq!(count(&world, 1 - lost, "BYE"), 1);
        if why == Failure::SessionExpired {
            let (bye, _) = world.last(1 - lost, "BYE");
            assert_eq!(bye.headers.get(&HeaderName::Reason), Some("SIP;cause=408;text=\"session timer expired\""));
        }
        world.drop_if = Box::new(|_, _| false);
        world.assert_empty();
    }
}

#[test]
fn a_session_too_short_is_asked_for_again() {
    let mut world = world(with_timers(0, 120, 90), with_timers(1, 1800, 600));
    world.call_up(1);
    assert_eq!(world.said(0), ["INVITE", "ACK", "INVITE", "ACK"]);
    assert_eq!(world.said(1), ["422", "200"]);
    assert_eq!(
        last_response(&world, 1, Status::SESSION_INTERVAL_TOO_SMALL).headers.get(&HeaderName::MinSe),
        Some("600")
    );
    let (second, _) = world.last(0, "INVITE");
    assert_eq!(second.headers.get(&HeaderName::SessionExpires), Some("600"));
    assert_eq!(second.headers.get(&HeaderName::MinSe), Some("600"));
    assert_eq!(second.headers.cseq().unwrap().number, 2);
}

#[test]
fn an_update_without_an_offer_is_answered_and_moves_the_target() {
    let mut world = world(config(0), config(1));
    let (alice, bob) = world.call_up(1);
    let ack = world.last(0, "ACK").0;
    let update = within(
        &ack,
        "UPDATE",
        9,
        "Contact: <sip:moved@192.0.2.1:5060>\r\nSession-Expires: 600;refresher=uac\r\nSupported: timer\r\n",
        "",
    );
    world.inject(1, address(0), &update);
    let response = last_response(&world, 1, Status::OK);
    assert_eq!(response.headers.get(&HeaderName::SessionExpires), Some("600;refresher=uac"));
    assert!(response.headers.contains(&HeaderName::Contact));
    assert!(world.events[1].is_empty());
    world.command(1, hang_up(bob));
    assert_eq!(world.last(1, "BYE").0.uri.to_string(), "sip:moved@192.0.2.1:5060");
    assert_eq!(world.expect(0, "Ended").call(), alice);
    world.assert_empty();
}

#[test]
fn an_update_with_an_offer_is_answered_by_the_user_above() {
    let mut world = world(config(0), config(1));
    let (_, bob) = world.call_up(1);
    let ack = world.last(0, "ACK").0;
    world.inject(1, address(0), &within(&ack, "UPDATE", 9, "Content-Type: application/sdp\r\n", "v=0\r\n"));
    let Event::Reinvite { request, .. } = world.expect(1, "Reinvite") else { unreachable!() };
    assert_eq!(request.body, SDP);
    // Another one meanwhile, and one without an offer.
    world.inject(1, address(0), &within(&ack, "UPDATE", 10, "Content-Type: application/sdp\r\n", "v=0\r\n"));
    assert!(last_response(&world, 1, Status::SERVER_INTERNAL_ERROR).headers.contains(&HeaderName::RetryAfter));
    world.inject(1, address(0), &within(&ack, "UPDATE", 11, "", ""));
    assert_eq!(last_response(&world, 1, Status::OK).headers.cseq().unwrap().number, 11);
    world.command(1, Command::AnswerReinvite { call: bob, headers: Vec::new(), body: SDP });
    let response = last_response(&world, 1, Status::OK);
    assert_eq!((response.headers.cseq().unwrap().number, &response.body), (9, &SDP));
    // There is no ACK to wait for: the next one is taken at once.
    world.inject(1, address(0), &within(&ack, "UPDATE", 12, "Content-Type: application/sdp\r\n", "v=0\r\n"));
    world.expect(1, "Reinvite");
    world.command(1, Command::RejectReinvite { call: bob, status: Status::NOT_ACCEPTABLE_HERE, headers: Vec::new() });
    last_response(&world, 1, Status::NOT_ACCEPTABLE_HERE);
    world.command(1, hang_up(bob));
    world.expect(1, "HungUp");
}

#[test]
fn an_offer_in_update_meets_ours() {
    let mut world = world(config(0), config(1));
    let (_, bob) = world.call_up(1);
    let ack = world.last(0, "ACK").0;
    world.command(1, reinvite(bob));
    world.inject(1, address(0), &within(&ack, "UPDATE", 9, "Content-Type: application/sdp\r\n", "v=0\r\n"));
    last_response(&world, 1, Status::REQUEST_PENDING);
}

#[test]
fn provisional_answers_are_acknowledged_where_required() {
    for (name, required, supported, is_reliable) in [
        ("required", true, Reliability::Required, true),
        ("supported, not required", false, Reliability::Required, false),
        ("supported, and wanted by us", false, Reliability::Supported, true),
    ] {
        let mut world = world(config(0), Config { reliability: supported, ..config(1) });
        let mut first = invite(CallHandle::outbound(1));
        if required {
            first.headers = vec![(HeaderName::Require, "100rel".to_owned())];
        }
        world.command(0, Command::Invite(Box::new(first)));
        let bob = world.expect(1, "Incoming").call();
        world.command(1, ringing(bob));
        world.expect(0, "Progress");
        world.run_for(Duration::from_secs(5));
        // What rings on is not told again.
        world.command(1, ringing(bob));
        world.run_for(Duration::from_secs(5));
        let expected = if is_reliable { (1, 1) } else { (0, 2) };
        assert_eq!((count(&world, 0, "PRACK"), count(&world, 1, "180")), expected, "{name}");
        world.command(1, answer(bob));
        world.expect(1, "Acked");
        // PRACK and BYE have numbers of one series.
        world.command(1, hang_up(bob));
        world.expect(1, "HungUp");
        world.assert_empty();
    }
}

#[test]
fn requests_after_a_prack_go_on_counting() {
    let mut world = world(config(0), Config { reliability: Reliability::Supported, ..config(1) });
    let alice = world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.command(1, ringing(bob));
    world.expect(0, "Progress");
    world.run_for(Duration::from_millis(100));
    let progress = Command::Progress { call: bob, status: Status::SESSION_PROGRESS, headers: Vec::new(), body: SDP };
    world.command(1, progress);
    // The answer waits for the description to arrive.
    world.command(1, answer(bob));
    world.expect(0, "Progress");
    world.expect(0, "Answered");
    world.expect(1, "Acked");
    assert_eq!(world.said(1).iter().filter(|line| line.starts_with("18")).count(), 2);
    assert_eq!(count(&world, 0, "PRACK"), 2);
    world.command(0, hang_up(alice));
    assert_eq!(world.last(0, "BYE").0.headers.cseq().unwrap().number, 4);
    world.expect(0, "HungUp");
    world.assert_empty();
}

/// RFC 3262 §5: who wants our offer has it in the first provisional answer that is sure to arrive.
#[test]
fn an_offer_of_ours_is_answered_in_prack() {
    let progress = |call| Command::Progress { call, status: Status::RINGING, headers: Vec::new(), body: SDP };
    for (name, kind, body, status, is_agreed) in [
        ("answered", "Content-Type: application/sdp\r\n", "v=0\r\n", Status::OK, true),
        ("not answered", "", "", Status::OK, false),
        (
            "answered with something else",
            "Content-Type: text/plain\r\n",
            "v=0\r\n",
            Status::UNSUPPORTED_MEDIA_TYPE,
            false,
        ),
    ] {
        let mut world = World::new();
        let extra = [("Require", "100rel"), ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKi"), ("To", "<sip:b@h>")];
        world.inject(1, address(0), &text("INVITE", &extra));
        let bob = world.expect(1, "Incoming").call();
        world.command(1, progress(bob));
        let ringing = last_response(&world, 1, Status::RINGING);
        assert_eq!(ringing.body, SDP, "{name}");
        let number = ringing.headers.get(&HeaderName::RSeq).expect("a number").to_owned();
        let to = ringing.headers.get(&HeaderName::To).expect("a tag").to_owned();
        // It was said before the answer to the offer came, and waits for that.
        world.command(1, answer(bob));
        assert_eq!(count(&world, 1, "200"), 0, "{name}");
        let extra = format!("RAck: {number} 1 INVITE\r\n{kind}");
        world.inject(1, address(0), &written("PRACK", 2, "<sip:a@example.com>;tag=f1", &to, "c1", &extra, body));
        let said: Vec<_> = world.said(1).into_iter().skip(1).collect();
        assert_eq!(said, [status.to_string().as_str(), "200"], "{name}");
        let accepted = last_response(&world, 1, Status::OK);
        assert_eq!(accepted.body.is_empty(), is_agreed, "{name}: an offer is made once");
        if is_agreed {
            let Event::Acked { body, .. } = world.expect(1, "Acked") else { unreachable!() };
            assert_eq!(body, SDP);
        }
        assert!(world.events[1].is_empty(), "{name}");
        world.command(1, progress(bob));
    }
}

#[test]
fn an_offer_is_not_told_where_it_may_get_lost() {
    let mut world = World::new();
    world.inject(1, address(0), &text("INVITE", &[("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKi")]));
    let bob = world.expect(1, "Incoming").call();
    world.command(1, Command::Progress { call: bob, status: Status::RINGING, headers: Vec::new(), body: SDP });
    assert!(last_response(&world, 1, Status::RINGING).body.is_empty());
    world.command(1, answer(bob));
    assert_eq!(last_response(&world, 1, Status::OK).body, SDP);
}

/// Some carriers want each request to prove itself.
#[test]
fn a_prack_proves_itself_when_asked() {
    let mut world = world(config(0), config(1));
    let credentials = Credentials { username: "u".to_owned(), password: "p".to_owned(), realm: None };
    let first = Invite { credentials: Some(credentials), ..invite(CallHandle::outbound(1)) };
    world.command(0, Command::Invite(Box::new(first)));
    let (sent, _) = world.last(0, "INVITE");
    let ringing = "Require: 100rel\r\nRSeq: 1\r\nContact: <sip:b@192.0.2.2>\r\n";
    world.reply(0, address(1), &sent, "180 Ringing", "a", ringing);
    let (prack, _) = world.last(0, "PRACK");
    assert!(!prack.headers.contains(&HeaderName::Authorization));
    let ask = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    world.reply(0, address(1), &prack, "401 Unauthorized", "a", ask);
    let (again, _) = world.last(0, "PRACK");
    assert!(again.headers.contains(&HeaderName::Authorization));
    assert_eq!(again.headers.get(&HeaderName::RAck), Some("1 1 INVITE"));
    assert_eq!(again.headers.cseq().unwrap().number, 3);
}

#[test]
fn a_provisional_answer_is_repeated_until_nobody_can_be_there() {
    let mut world = world(config(0), Config { reliability: Reliability::Supported, ..config(1) });
    world.invite(1);
    let bob = world.expect(1, "Incoming").call();
    world.drop_if = Box::new(|by, message| {
        by == 0 && matches!(message, Message::Request(request) if request.method.as_str() == "PRACK")
    });
    world.command(1, ringing(bob));
    let Event::Failed { why, .. } = world.expect(1, "Failed") else { unreachable!() };
    assert_eq!(why, Failure::TimedOut);
    assert_eq!(count(&world, 1, "180"), 7);
    world.expect(0, "Progress");
    let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
    assert_eq!(response.status, Status::SERVER_TIMEOUT);
    world.assert_empty();
}

#[test]
fn provisional_answers_are_heard_in_their_order() {
    let mut world = world(config(0), config(1));
    world.invite(1);
    let (sent, _) = world.last(0, "INVITE");
    let number = |number: u32| format!("Require: 100rel\r\nRSeq: {number}\r\nContact: <sip:b@192.0.2.2>\r\n");
    for (rseq, tag, is_heard) in
        [(5, "a", true), (7, "a", false), (5, "a", false), (6, "a", true), (100, "b", true), (7, "a", true)]
    {
        let pracks = count(&world, 0, "PRACK");
        world.reply(0, address(1), &sent, "183 Session Progress", tag, &number(rseq));
        assert_eq!(!world.events[0].is_empty(), is_heard, "{rseq} of {tag}");
        assert_eq!(count(&world, 0, "PRACK") - pracks, usize::from(is_heard), "{rseq} of {tag}");
        world.events[0].clear();
    }
    let (last, _) = world.last(0, "PRACK");
    assert_eq!(last.headers.get(&HeaderName::RAck), Some("7 1 INVITE"));
    assert_eq!(last.headers.cseq().unwrap().number, 4);
}

#[test]
fn an_update_before_the_answer_is_taken() {
    let mut world = world(config(0), config(1));
    world.invite(1);
    let (sent, _) = world.last(0, "INVITE");
    world.reply(
        0,
        address(1),
        &sent,
        "183 Session Progress",
        "a",
        "Require: 100rel\r\nRSeq: 1\r\nContact: <sip:b@192.0.2.2>\r\n",
    );
    let (prack, _) = world.last(0, "PRACK");
    for (body, status) in [("", Status::OK), ("v=0\r\n", Status::REQUEST_PENDING)] {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let number = if body.is_empty() { 1 } else { 2 };
        world.inject(0, address(1), &turned(&prack, "UPDATE", number, kind, body));
        last_response(&world, 0, status);
    }
}

#[test]
fn a_prack_for_nothing_is_refused() {
    let mut world = world(config(0), config(1));
    world.call_up(1);
    let ack = world.last(0, "ACK").0;
    world.inject(1, address(0), &within(&ack, "PRACK", 9, "RAck: 1 1 INVITE\r\n", ""));
    last_response(&world, 1, Status::CALL_DOES_NOT_EXIST);
    for method in ["PRACK", "UPDATE", "INFO"] {
        let mut world = World::new();
        world.inject(1, carrier(), &text(method, &[("To", "<sip:b@example.net>;tag=x")]));
        last_response(&world, 1, Status::CALL_DOES_NOT_EXIST);
    }
}

#[test]
fn keys_are_told_by_info() {
    let mut world = World::with(config(0), config(1), Faults { loss: 20, copies: 20, delays: 20 }, 3);
    let (alice, bob) = world.call_up(1);
    let pressed = "123A#*";
    for key in pressed.chars() {
        let press = KeyPress { key, duration: Duration::from_millis(100) };
        world.command(0, Command::Info { call: alice, press, format: KeyFormat::Relay });
    }
    live(&mut world, 2 * MINUTE);
    let heard: String = world.events[1]
        .drain(..)
        .filter_map(|event| match event {
            Event::Info { press, .. } => Some(press.key),
            _ => None,
        })
        .collect();
    assert_eq!(heard, pressed);
    let answers: Vec<_> = world.events[0]
        .drain(..)
        .filter_map(|event| match event {
            Event::InfoAnswered { status, .. } => status,
            _ => None,
        })
        .collect();
    assert_eq!(answers, [Status::OK; 6]);
    world.command(1, hang_up(bob));
    world.assert_empty();
}

#[test]
fn a_refused_key_comes_with_what_would_be_taken() {
    let cases: &[(&str, &str, u16, &[KeyFormat])] = &[
        ("415 Unsupported Media Type", "Accept: application/sdp, application/dtmf\r\n", 415, &[KeyFormat::Plain]),
        ("415 Unsupported Media Type", "", 415, &[]),
        ("405 Method Not Allowed", "Accept: application/dtmf\r\n", 405, &[]),
        ("200 OK", "Accept: application/dtmf\r\n", 200, &[]),
    ];
    for (line, extra, code, formats) in cases {
        let mut world = World::new();
        let (alice, _) = world.call_up(1);
        world.events[0].clear();
        let press = KeyPress { key: '5', duration: Duration::from_millis(100) };
        world.command(0, Command::Info { call: alice, press, format: KeyFormat::Relay });
        let (info, _) = world.last(0, "INFO");
        world.reply(0, address(1), &info, line, "", extra);
        let told = world.events[0].drain(..).find_map(|event| match event {
            Event::InfoAnswered { status, accepts, .. } => Some((status, accepts)),
            _ => None,
        });
        assert_eq!(told, Some((Status::new(*code), formats.to_vec())), "{line} {extra}");
    }
}

#[test]
fn what_an_info_may_hold() {
    let mut world = World::new();
    world.call_up(1);
    let ack = world.last(0, "ACK").0;
    let cases: &[(&str, &str, Status, Option<char>)] = &[
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Status::OK, Some('5')),
        ("application/dtmf", "9", Status::OK, Some('9')),
        ("application/dtmf-relay", "Signal=16\r\n", Status::OK, None),
        ("", "", Status::OK, None),
        ("text/plain", "5", Status::UNSUPPORTED_MEDIA_TYPE, None),
    ];
    for (number, (kind, body, status, key)) in (20..).zip(cases) {
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let request = within(&ack, "INFO", number, &kind, body);
        world.inject(1, address(0), &request);
        world.inject(1, address(0), &request);
        let response = last_response(&world, 1, *status);
        assert_eq!(response.headers.cseq().unwrap().number, number);
        let heard: Vec<_> = world.events[1].drain(..).collect();
        match (key, heard.as_slice()) {
            (Some(key), [Event::Info { press, .. }]) => assert_eq!(press.key, *key),
            (None, []) => {}
            (key, heard) => panic!("{key:?}: {heard:?}"),
        }
    }
}

/// A request of the same dialog and direction as another one.
pub(crate) fn within(other: &Request, method: &str, number: u32, extra: &str, body: &str) -> String {
    let of = |name: HeaderName| other.headers.get(&name).expect("a header that every request has");
    written(method, number, of(HeaderName::From), of(HeaderName::To), of(HeaderName::CallId), extra, body)
}

/// A request of the same dialog as another one, from the other side.
pub(crate) fn turned(other: &Request, method: &str, number: u32, extra: &str, body: &str) -> String {
    let of = |name: HeaderName| other.headers.get(&name).expect("a header that every request has");
    written(method, number, of(HeaderName::To), of(HeaderName::From), of(HeaderName::CallId), extra, body)
}

pub(crate) fn written(
    method: &str,
    number: u32,
    from: &str,
    to: &str,
    call_id: &str,
    extra: &str,
    body: &str,
) -> String {
    let length = Bytes::copy_from_slice(body.as_bytes()).len();
    format!(
        "{method} sip:x@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{method}{number}\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
         {}{extra}Content-Length: {length}\r\n\r\n{body}",
        if extra.contains("Contact:") { "" } else { "Contact: <sip:a@192.0.2.1>\r\n" },
    )
}
