//! Offers of a caller before our answer, in a PRACK or in an UPDATE ([RFC 3262 §5], [RFC 3311 §5.1], [RFC 6337 §2.2]). Bob is
//! the gateway, and Alice somebody who writes by hand.
//!
//! [RFC 3262 §5]: https://www.rfc-editor.org/rfc/rfc3262#section-5
//! [RFC 3311 §5.1]: https://www.rfc-editor.org/rfc/rfc3311#section-5.1
//! [RFC 6337 §2.2]: https://www.rfc-editor.org/rfc/rfc6337#section-2.2

use std::time::Duration;

use bytes::Bytes;
use sip::{CallHandle, Command, Event, HeaderName, Message, Method, Response, Status};

use crate::{
    hang_up,
    offers::{BODY, KIND, When, dialog, prepare},
    reject,
    timers::{last_response, written},
    wire::{SDP, World, address},
};

/// What the user above makes of a call.
type Order = fn(CallHandle) -> Command;

const ANSWER: Bytes = Bytes::from_static(b"v=0\r\no=another\r\n");

/// A call that rings, and has this offer open; the request that it came in.
fn proposed(method: &str) -> (World, CallHandle, String) {
    let mut world = World::new();
    let when = if method == "PRACK" { When::Answering } else { When::Answered };
    prepare(&mut world, when);
    let (from, to, call_id) = dialog(&world, when);
    let number = number(&world);
    let rack = if method == "PRACK" { format!("RAck: {number} 1 INVITE\r\n") } else { String::new() };
    let request = written(method, 3, &from, &to, &call_id, &format!("{rack}{KIND}"), BODY);
    world.inject(1, address(0), &request);
    let Event::Reinvite { call, request: told } = world.expect(1, "Reinvite") else { unreachable!() };
    assert_eq!((told.method.as_str(), told.body), (method, Bytes::from_static(BODY.as_bytes())));
    (world, call, request)
}

fn number(world: &World) -> String {
    last_response(world, 1, Status::RINGING).headers.get(&HeaderName::RSeq).expect("a number").to_owned()
}

/// The answers to requests of that method, in their order.
fn answers(world: &World, method: &str) -> Vec<Response> {
    let sent = world.sent.iter().filter(|(side, _, _)| *side == 1);
    let responses = sent.filter_map(|(_, _, message)| match message {
        Message::Response(response) => Some(response.clone()),
        Message::Request(_) => None,
    });
    // A PRACK of the preparation is none of them.
    let is_of = |response: &Response| {
        response
            .headers
            .cseq()
            .is_ok_and(|cseq| cseq.method.as_str() == method && (method != "PRACK" || cseq.number == 3))
    };
    responses.filter(is_of).collect()
}

fn take(call: CallHandle) -> Command {
    Command::AnswerReinvite { call, headers: Vec::new(), body: ANSWER }
}

fn refuse(call: CallHandle) -> Command {
    Command::RejectReinvite { call, status: Status::NOT_ACCEPTABLE_HERE, headers: Vec::new() }
}

fn answer(call: CallHandle) -> Command {
    Command::Answer { call, headers: Vec::new(), body: SDP }
}

fn progress(call: CallHandle) -> Command {
    Command::Progress { call, status: Status::SESSION_PROGRESS, headers: Vec::new(), body: SDP }
}

#[test]
fn an_offer_is_answered_in_the_2xx_of_what_it_came_in() {
    for method in ["PRACK", "UPDATE"] {
        let (mut world, call, request) = proposed(method);
        world.inject(1, address(0), &request);
        world.run_for(Duration::from_secs(10));
        assert_eq!(answers(&world, method).len(), 0, "{method}: it waits for the user above");
        assert_eq!(answers(&world, "INVITE").len(), 1, "{method}: the 180 has arrived");
        world.command(1, take(call));
        world.inject(1, address(0), &request);
        let said = answers(&world, method);
        assert_eq!(said.len(), 2, "{method}: said again as it was");
        let [first, second] = [0, 1].map(|nth| Message::Response(said[nth].clone()).to_bytes());
        assert_eq!(first, second, "{method}");
        assert_eq!((said[0].status, &said[0].body), (Status::OK, &ANSWER), "{method}");
        assert_eq!(said[0].headers.contains(&HeaderName::Contact), method == "UPDATE", "{method}");
        assert!(world.events[1].is_empty(), "{method}: {:?}", world.events[1]);

        // What the user above said before it is of no account any more.
        world.command(1, progress(call));
        let progress = answers(&world, "INVITE").pop().unwrap();
        assert_eq!((progress.status, progress.body.len()), (Status::SESSION_PROGRESS, 0), "{method}");
        world.command(1, answer(call));
        let accepted = answers(&world, "INVITE").pop().unwrap();
        assert_eq!((accepted.status, accepted.body.len()), (Status::OK, 0), "{method}");
    }
}

#[test]
fn one_that_is_refused_leaves_what_was_agreed() {
    for method in ["PRACK", "UPDATE"] {
        let (mut world, call, _) = proposed(method);
        world.command(1, refuse(call));
        assert_eq!(answers(&world, method)[0].status, Status::NOT_ACCEPTABLE_HERE, "{method}");
        world.run_for(Duration::from_secs(10));
        assert_eq!(answers(&world, "INVITE").len(), 1, "{method}: the 180 has arrived all the same");
        world.command(1, answer(call));
        assert_eq!(answers(&world, "INVITE").pop().unwrap().body, SDP, "{method}: it is said again");
    }
}

#[test]
fn the_answer_to_the_call_waits_for_that_to_the_offer() {
    let cases: &[(&str, Order, Bytes)] = &[("taken", take, Bytes::new()), ("refused", refuse, SDP)];
    for method in ["PRACK", "UPDATE"] {
        for (name, decide, body) in cases {
            let (mut world, call, _) = proposed(method);
            world.command(1, answer(call));
            assert!(answers(&world, "INVITE").iter().all(|said| said.status.is_provisional()), "{method} {name}");
            world.command(1, decide(call));
            let accepted = answers(&world, "INVITE").pop().unwrap();
            assert_eq!((accepted.status, &accepted.body), (Status::OK, body), "{method} {name}");
        }
    }
}

/// One offer after the other, and each answered by its own.
#[test]
fn another_one_may_follow() {
    let (mut world, call, _) = proposed("UPDATE");
    let (from, to, call_id) = dialog(&world, When::Answered);
    let again = |number| written("UPDATE", number, &from, &to, &call_id, KIND, BODY);
    world.inject(1, address(0), &again(4));
    let early = last_response(&world, 1, Status::SERVER_INTERNAL_ERROR);
    assert!(early.headers.contains(&HeaderName::RetryAfter));
    world.command(1, take(call));
    world.inject(1, address(0), &again(5));
    world.expect(1, "Reinvite");
    world.command(1, take(call));
    let numbers = answers(&world, "UPDATE").into_iter().map(|said| said.headers.cseq().unwrap().number);
    assert_eq!(numbers.collect::<Vec<_>>(), [4, 3, 5]);
    // One that was overtaken on its way says what counts no longer (RFC 3261 §12.2.2).
    let overtaken = again(4).replace("z9hG4bKUPDATE4", "z9hG4bKlate");
    world.inject(1, address(0), &overtaken);
    let late = answers(&world, "UPDATE").pop().unwrap();
    assert_eq!((late.status, late.headers.cseq().unwrap().number), (Status::SERVER_INTERNAL_ERROR, 4));
    assert!(world.events[1].is_empty());
}

/// Nobody waits longer for it than its sender does.
#[test]
fn one_that_nobody_answers_is_given_up() {
    for method in ["PRACK", "UPDATE"] {
        let (mut world, call, _) = proposed(method);
        world.command(1, answer(call));
        world.run_for(Duration::from_secs(33));
        assert_eq!(answers(&world, method)[0].status, Status::SERVER_TIMEOUT, "{method}");
        let accepted = answers(&world, "INVITE").into_iter().find(|said| said.status.is_success()).unwrap();
        assert_eq!(accepted.body, SDP, "{method}: what was agreed stays");
        world.command(1, take(call));
        assert_eq!(answers(&world, method).len(), 1, "{method}: it is too late");
    }
}

#[test]
fn an_end_that_crosses_it_leaves_nothing_behind() {
    let ends: &[(&str, Result<Order, Method>, u16)] = &[
        ("cancelled", Err(Method::Cancel), 487),
        ("hung up by the caller", Err(Method::Bye), 487),
        ("hung up by us", Ok(hang_up), 603),
        ("refused", Ok(|call| reject(call, Status::BUSY_HERE)), 486),
    ];
    for method in ["PRACK", "UPDATE"] {
        for (name, end, status) in ends {
            let (mut world, call, _) = proposed(method);
            let (from, to, call_id) = dialog(&world, When::Answered);
            match end {
                Ok(command) => world.command(1, command(call)),
                Err(Method::Bye) => world.inject(1, address(0), &written("BYE", 9, &from, &to, &call_id, "", "")),
                Err(_) => {
                    let cancel = written("CANCEL", 1, &from, "<sip:b@h>", &call_id, "", "");
                    world.inject(1, address(0), &cancel.replace("z9hG4bKCANCEL1", "z9hG4bKi"));
                }
            }
            assert_eq!(answers(&world, method)[0].status, Status::REQUEST_TERMINATED, "{method} {name}");
            assert_eq!(answers(&world, "INVITE").pop().unwrap().status.code(), *status, "{method} {name}");
            world.command(1, take(call));
            assert_eq!(answers(&world, method).len(), 1, "{method} {name}");
            world.run_for(Duration::from_secs(120));
            let left = world.sides[1].stats();
            let held = (left.calls, left.server_transactions, left.retained_bytes, left.alarms);
            assert_eq!(held, (0, 0, 0, 0), "{method} {name}");
        }
    }
}

#[test]
fn what_is_no_description_is_refused_and_nobody_hears_of_it() {
    let mut world = World::new();
    prepare(&mut world, When::Answered);
    let (from, to, call_id) = dialog(&world, When::Answered);
    let cases = [
        ("text", "Content-Type: text/plain\r\n", Status::UNSUPPORTED_MEDIA_TYPE),
        ("something unknown is required", "Content-Type: application/sdp\r\nRequire: magic\r\n", Status::BAD_EXTENSION),
    ];
    for (number, (name, extra, status)) in (5..).zip(cases) {
        world.inject(1, address(0), &written("UPDATE", number, &from, &to, &call_id, extra, BODY));
        assert_eq!(last_response(&world, 1, status).headers.cseq().unwrap().number, number, "{name}");
        assert!(world.events[1].is_empty(), "{name}");
    }
}
