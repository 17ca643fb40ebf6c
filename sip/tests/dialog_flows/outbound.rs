//! Calls that we place: proofs, one hop after the other, large requests, forks ([RFC 3261 §13.2.2], [§18.1.1], [§22],
//! [RFC 3263 §4.3]).
//!
//! [RFC 3261 §13.2.2]: https://www.rfc-editor.org/rfc/rfc3261#section-13.2.2
//! [§18.1.1]: https://www.rfc-editor.org/rfc/rfc3261#section-18.1.1
//! [§22]: https://www.rfc-editor.org/rfc/rfc3261#section-22
//! [RFC 3263 §4.3]: https://www.rfc-editor.org/rfc/rfc3263#section-4.3

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use sip::{
    CallHandle, Command, Event, Failure, HeaderName, Invite, Message, NameAddr, NextHop, Request, Status, Uri, Wire,
    digest::{Authorization, Challenge, Credentials},
    endpoint::{Config, Destination, Listener},
};

use crate::{
    hang_up, reinvite,
    wire::{Faults, SDP, World, address, config, invite},
};

const CONTACT: &str = "Contact: <sip:bob@203.0.113.1>\r\n";
const ASK: &str = "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", opaque=\"o\"";

/// The hosts of a carrier, which the test plays itself.
fn hop(number: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, number], 5060))
}

fn hops(count: u8) -> Vec<NextHop> {
    (1..=count).map(|number| NextHop { wire: Wire::Udp, address: hop(number), server_name: None }).collect()
}

fn credentials() -> Credentials {
    Credentials { username: "u".to_owned(), password: "p".to_owned(), realm: None }
}

/// Alice calls a carrier of so many hosts.
fn dial(world: &mut World, count: u8) -> CallHandle {
    dial_with(world, |invite| invite.to = hops(count))
}

fn dial_with(world: &mut World, change: impl FnOnce(&mut Invite)) -> CallHandle {
    let call = CallHandle::outbound(1);
    let mut invite = Invite { to: hops(1), credentials: Some(credentials()), ..invite(call) };
    change(&mut invite);
    world.command(0, Command::Invite(Box::new(invite)));
    call
}

/// Answers the last request of that method from the host that it was sent to.
fn reply(world: &mut World, method: &str, line: &str, extra: &str) -> Request {
    let (request, to) = world.last(0, method);
    world.reply(0, to.remote(), &request, line, "t", extra);
    request
}

fn answered(world: &mut World) {
    reply(world, "INVITE", "200 OK", CONTACT);
    world.expect(0, "Answered");
}

/// Whom the INVITEs went to, and when in milliseconds.
fn tried(world: &World) -> Vec<SocketAddr> {
    let invites = world.sent.iter().filter_map(|(_, to, message)| match message {
        Message::Request(request) if request.method.as_str() == "INVITE" => Some(to.remote()),
        _ => None,
    });
    let mut tried: Vec<_> = invites.collect();
    tried.dedup();
    tried
}

/// Whether the request carries the right proof for this challenge, and how often its nonce was used.
fn proof(request: &Request, header: &HeaderName, challenge: &str) -> Option<u32> {
    let proof = Authorization::parse(request.headers.get(header)?).expect("a proof");
    let challenge = Challenge::parse_all(challenge).expect("a challenge").remove(0);
    let count = proof.count.clone().expect("qop=auth");
    let number = u32::from_str_radix(&count.nc, 16).expect("a number");
    let right = challenge.answer(&credentials(), &request.method, &request.uri, &count.cnonce, number);
    assert!(right.as_ref() == Some(&proof), "{proof:?} for {challenge:?}");
    Some(number)
}

/// Networks that speak ISUP beside SIP put both into one body, in answers as well (RFC 5621 §3).
#[test]
fn an_answer_of_several_parts_is_heard() {
    let part = |kind: &str, content: &str| format!("--b\r\nContent-Type: {kind}\r\n\r\n{content}\r\n");
    let isup = part("application/isup;version=itu-t92+", "\u{1}\u{2}");
    let several = [isup.clone(), part("application/sdp", "v=0"), "--b--\r\n".to_owned()].concat();
    let mixed = "multipart/mixed;boundary=b";
    for (name, kind, body, expected) in [
        ("SDP alone", "application/sdp", "v=0\r\n", "v=0\r\n"),
        ("beside ISUP", mixed, several.as_str(), "v=0\r\n"),
        ("no SDP", mixed, isup.as_str(), ""),
        ("something else", "text/plain", "hello", ""),
    ] {
        let mut world = World::new();
        let alice = world.invite(1);
        world.expect(1, "Incoming");
        let extra = format!("Contact: <sip:b@192.0.2.2>\r\nContent-Type: {kind}\r\n");
        let (sent, _) = world.last(0, "INVITE");
        world.reply_with(0, address(1), &sent, "183 Session Progress", "t", &extra, body);
        let Event::Progress { response, .. } = world.expect(0, "Progress") else { unreachable!() };
        assert_eq!(response.body, expected, "{name}");
        world.reply_with(0, address(1), &sent, "200 OK", "t", &extra, body);
        let Event::Answered { response, .. } = world.expect(0, "Answered") else { unreachable!() };
        assert_eq!(response.body, expected, "{name}");
        world.command(0, reinvite(alice));
        let (sent, _) = world.last(0, "INVITE");
        world.reply_with(0, address(1), &sent, "200 OK", "t", &extra, body);
        let Event::ReinviteAnswered { response, .. } = world.expect(0, "ReinviteAnswered") else { unreachable!() };
        assert_eq!(response.body, expected, "{name}");
    }
    let mut world = World::new();
    world.invite(1);
    let (sent, _) = world.last(0, "INVITE");
    world.reply_with(0, address(1), &sent, "486 Busy Here", "t", "Content-Type: text/plain\r\n", "why");
    let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
    assert_eq!(response.body, "why", "a refusal may say it in words");
}

#[test]
fn every_request_of_a_call_proves_itself_when_asked() {
    for (status, asks, answers) in [
        ("401 Unauthorized", "WWW-Authenticate", HeaderName::Authorization),
        ("407 Proxy Authentication Required", "Proxy-Authenticate", HeaderName::ProxyAuthorization),
    ] {
        let ask = format!("{asks}: {ASK}\r\n");
        let mut world = World::new();
        let call = dial(&mut world, 1);
        let first = reply(&mut world, "INVITE", status, &ask);
        assert_eq!(proof(&first, &answers, ASK), None, "nothing is proven unasked");
        let second = reply(&mut world, "INVITE", "180 Ringing", "");
        assert_eq!(proof(&second, &answers, ASK), Some(1), "{status}");
        assert_eq!(first.headers.call_id(), second.headers.call_id());
        assert_eq!(first.headers.from(), second.headers.from());
        assert_eq!(second.headers.cseq().unwrap().number, 2);
        world.expect(0, "Progress");
        answered(&mut world);
        let (ack, _) = world.last(0, "ACK");
        assert_eq!(ack.headers.get(&answers), second.headers.get(&answers), "the ACK has the proof of its INVITE");

        world.command(0, reinvite(call));
        reply(&mut world, "INVITE", status, &ask);
        let again = reply(&mut world, "INVITE", "200 OK", CONTACT);
        assert_eq!((proof(&again, &answers, ASK), &again.body), (Some(2), &SDP));
        world.expect(0, "ReinviteAnswered");
        assert_eq!(world.last(0, "ACK").0.headers.get(&answers), again.headers.get(&answers));

        let headers = vec![(HeaderName::ReferredBy, "<sip:alice@192.0.2.1>".to_owned())];
        world.command(0, Command::Refer { call, refer_to: "<tel:+1555>".to_owned(), headers });
        reply(&mut world, "REFER", status, &ask);
        let again = reply(&mut world, "REFER", "603 Decline", "");
        assert_eq!(proof(&again, &answers, ASK), Some(3), "{status}");
        assert_eq!(again.headers.get(&HeaderName::ReferTo), Some("<tel:+1555>"));
        assert!(again.headers.contains(&HeaderName::ReferredBy));
        world.expect(0, "ReferAnswered");

        world.command(0, hang_up(call));
        reply(&mut world, "BYE", status, &ask);
        assert_eq!(proof(&reply(&mut world, "BYE", "200 OK", ""), &answers, ASK), Some(4), "{status}");
        world.expect(0, "HungUp");
        world.assert_empty();
    }
}

#[test]
fn proofs_are_for_whoever_is_called_and_nobody_else() {
    let elsewhere = "Contact: <sip:bob@203.0.113.99>\r\n";
    let ask = format!("WWW-Authenticate: {ASK}\r\n");
    // Name, the contact of the 2xx, who challenges the BYE, whether it is answered.
    let cases = [
        ("whoever was called", CONTACT, hop(1), true),
        ("from another port", CONTACT, SocketAddr::new(hop(1).ip(), 6000), true),
        ("somebody else answers", CONTACT, hop(98), false),
        ("the contact is somebody else", elsewhere, hop(99), false),
        ("the contact is somebody else, and yet", elsewhere, hop(1), false),
    ];
    for (name, contact, challenger, is_answered) in cases {
        let mut world = World::new();
        let call = dial(&mut world, 1);
        reply(&mut world, "INVITE", "200 OK", contact);
        world.expect(0, "Answered");
        world.command(0, hang_up(call));
        let (bye, _) = world.last(0, "BYE");
        world.reply(0, challenger, &bye, "401 Unauthorized", "t", &ask);
        let (last, _) = world.last(0, "BYE");
        assert_eq!(proof(&last, &HeaderName::Authorization, ASK).is_some(), is_answered, "{name}");
        if is_answered {
            reply(&mut world, "BYE", "200 OK", "");
        }
        world.expect(0, "HungUp");
        world.assert_empty();
    }
}

#[test]
fn an_invite_is_not_proven_to_somebody_else() {
    let mut other_realm = credentials();
    other_realm.realm = Some("another".to_owned());
    let cases = [
        ("no credentials", None, hop(1)),
        ("credentials of another realm", Some(other_realm), hop(1)),
        ("somebody else asks", Some(credentials()), hop(7)),
    ];
    for (name, credentials, challenger) in cases {
        let mut world = World::new();
        dial_with(&mut world, |invite| invite.credentials = credentials);
        let (request, _) = world.last(0, "INVITE");
        let ask = format!("WWW-Authenticate: {ASK}\r\n");
        world.reply(0, challenger, &request, "401 Unauthorized", "t", &ask);
        world.expect(0, "Rejected");
        assert_eq!(world.said(0), ["INVITE", "ACK"], "{name}");
        world.assert_empty();
    }
}

#[test]
fn nothing_is_proven_in_a_call_that_came_in() {
    let mut world = World::new();
    let (alice, bob) = world.call_up(1);
    world.drop_if = Box::new(|side, _| side == 1);
    world.command(1, hang_up(bob));
    let (bye, to) = world.last(1, "BYE");
    world.reply(1, to.remote(), &bye, "401 Unauthorized", "", &format!("WWW-Authenticate: {ASK}\r\n"));
    world.expect(1, "HungUp");
    assert_eq!(world.said(1).iter().filter(|line| **line == "BYE").count(), 1);
    world.drop_if = Box::new(|_, _| false);
    world.command(0, hang_up(alice));
    world.assert_empty();
}

#[test]
fn a_wrong_password_is_said_twice_at_most() {
    let ask = |nonce: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"\r\n");
    for (name, nonces, invites) in [("one nonce", ["a", "a", "a"], 2), ("new ones", ["a", "b", "c"], 3)] {
        let mut world = World::new();
        dial(&mut world, 1);
        for nonce in nonces.iter().take(invites) {
            reply(&mut world, "INVITE", "401 Unauthorized", &ask(nonce));
        }
        let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
        assert_eq!(response.status, Status::UNAUTHORIZED, "{name}");
        assert_eq!(world.said(0).iter().filter(|line| **line == "INVITE").count(), invites, "{name}");
        world.assert_empty();
    }
}

#[test]
fn a_call_that_is_given_up_is_not_proven_any_more() {
    let mut world = World::new();
    let call = dial(&mut world, 1);
    world.command(0, hang_up(call));
    reply(&mut world, "INVITE", "401 Unauthorized", &format!("WWW-Authenticate: {ASK}\r\n"));
    world.expect(0, "HungUp");
    assert_eq!(world.said(0), ["INVITE", "ACK"]);
    world.assert_empty();
}

#[test]
fn the_next_hop_is_tried() {
    let unavailable = "503 Service Unavailable";
    // Name, what the first two of three hops say (nothing when empty), when the third is tried.
    let cases: &[(&str, [&str; 2], u128)] = &[
        ("503 at once", [unavailable, unavailable], 0),
        ("silence", ["", ""], 8_000),
        ("503, then silence", [unavailable, ""], 4_000),
        ("silence, then 503", ["", unavailable], 4_000),
    ];
    for (name, says, at) in cases {
        let mut world = World::new();
        let call = dial(&mut world, 3);
        for (index, line) in (1..).zip(says) {
            match line.is_empty() {
                true => while tried(&world).len() == index && world.step(world.now + Duration::from_secs(10)) {},
                false => drop(reply(&mut world, "INVITE", line, "Retry-After: 30\r\n")),
            }
        }
        assert_eq!((world.now - world.start).as_millis(), *at, "{name}");
        assert_eq!(tried(&world), [hop(1), hop(2), hop(3)], "{name}");
        let (request, _) = world.last(0, "INVITE");
        let (first, _) = world
            .sent
            .iter()
            .find_map(|(_, to, message)| match message {
                Message::Request(request) => Some((request.clone(), to.clone())),
                Message::Response(_) => None,
            })
            .unwrap();
        assert_eq!(request.headers.call_id(), first.headers.call_id(), "{name}");
        assert_eq!(request.headers.from(), first.headers.from(), "{name}");
        assert_ne!(request.headers.via().unwrap().branch(), first.headers.via().unwrap().branch(), "{name}");
        assert_eq!(request.headers.cseq().unwrap().number, 3, "{name}");
        answered(&mut world);
        assert_eq!(world.last(0, "ACK").0.headers.cseq().unwrap().number, 3, "{name}");
        world.command(0, hang_up(call));
        reply(&mut world, "BYE", "200 OK", "");
        world.expect(0, "HungUp");
        assert!(world.events[0].is_empty(), "{name}");
        world.assert_empty();
    }
}

#[test]
fn what_the_last_hop_says_is_what_is_told() {
    let mut world = World::new();
    dial(&mut world, 2);
    reply(&mut world, "INVITE", "503 First", "");
    reply(&mut world, "INVITE", "503 Second", "");
    let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
    assert_eq!(response.reason, "Second");
    world.assert_empty();

    let mut world = World::new();
    dial(&mut world, 2);
    let Event::Failed { why, .. } = world.expect(0, "Failed") else { unreachable!() };
    assert_eq!((why, (world.now - world.start).as_secs()), (Failure::TimedOut, 36));
    world.assert_empty();
}

#[test]
fn an_answer_that_counts_is_the_last_word() {
    let cases =
        ["486 Busy Here", "500 Server Internal Error", "408 Request Timeout", "302 Moved Temporarily", "603 No"];
    for line in cases {
        let mut world = World::new();
        dial(&mut world, 3);
        reply(&mut world, "INVITE", line, "Contact: <sip:evil@203.0.113.66>\r\n");
        let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
        assert_eq!(response.status.to_string(), line[..3]);
        assert_eq!(tried(&world), [hop(1)], "{line}");
        world.assert_empty();
    }
}

#[test]
fn whoever_has_said_something_is_waited_for() {
    let mut world = World::new();
    let call = dial(&mut world, 2);
    world.run_for(Duration::from_secs(3));
    reply(&mut world, "INVITE", "100 Trying", "");
    world.expect(0, "Progress");
    world.run_for(Duration::from_secs(60));
    assert_eq!(tried(&world), [hop(1)]);
    // Only then, that it cannot serve.
    reply(&mut world, "INVITE", "503 Service Unavailable", "");
    assert_eq!(tried(&world), [hop(1), hop(2)]);
    answered(&mut world);
    world.command(0, hang_up(call));
    world.assert_empty();
}

#[test]
fn a_hop_that_cannot_be_reached_is_passed_over() {
    let mut world = World::with(both(config(0)), config(1), Faults::default(), 1);
    dial_with(&mut world, |invite| {
        invite.to = hops(3);
        invite.to[0].wire = Wire::Tcp;
        // We have no listener for this one.
        invite.to[1].wire = Wire::Tls;
    });
    let (_, to) = world.last(0, "INVITE");
    assert_eq!(to.wire(), Wire::Tcp);
    world.unreachable(0, &to);
    assert_eq!(tried(&world), [hop(1), hop(3)]);
    answered(&mut world);

    let mut world = World::new();
    dial_with(&mut world, |invite| invite.to = Vec::new());
    let Event::Failed { why, .. } = world.expect(0, "Failed") else { unreachable!() };
    assert_eq!(why, Failure::Unavailable);
    world.assert_empty();
}

/// What was refused may be said again in other words: the same call to whoever hears it, and a new request.
#[test]
fn a_refused_call_is_tried_anew_under_its_names() {
    let mut world = World::new();
    let call_id = Some(sip::CallId::new("again@example.com"));
    let (call_id, tag) = (|| call_id.clone(), || Some(sip::Tag::new("ours")));
    let call = dial_with(&mut world, |invite| (invite.call_id, invite.local_tag) = (call_id(), tag()));
    reply(&mut world, "INVITE", "488 Not Acceptable Here", "");
    let Event::Rejected { response, .. } = world.expect(0, "Rejected") else { unreachable!() };
    let number = response.headers.cseq().expect("a number").number;
    let again = Invite { to: hops(1), call_id: call_id(), local_tag: tag(), cseq: number + 1, ..invite(call) };
    world.command(0, Command::Invite(Box::new(again)));
    let (second, _) = world.last(0, "INVITE");
    assert_eq!(second.headers.get(&HeaderName::CSeq), Some("2 INVITE"));
    assert_eq!(second.headers.get(&HeaderName::CallId), Some("again@example.com"));
    assert!(second.headers.get(&HeaderName::From).is_some_and(|from| from.ends_with(";tag=ours")));
    // The first refusal, again, is of the first INVITE.
    answered(&mut world);
    world.command(0, hang_up(call));
}

#[test]
fn hanging_up_ends_the_search() {
    let mut world = World::new();
    let call = dial(&mut world, 3);
    world.run_for(Duration::from_secs(5));
    assert_eq!(tried(&world), [hop(1), hop(2)]);
    world.command(0, hang_up(call));
    world.expect(0, "HungUp");
    assert_eq!((world.now - world.start).as_secs(), 8, "as long as the hop may be silent");
    assert_eq!(tried(&world), [hop(1), hop(2)]);
    world.assert_empty();

    let mut world = World::new();
    let call = dial(&mut world, 3);
    world.command(0, hang_up(call));
    reply(&mut world, "INVITE", "503 Service Unavailable", "");
    world.expect(0, "HungUp");
    assert_eq!(tried(&world), [hop(1)]);
    world.assert_empty();
}

#[test]
fn a_hop_that_wakes_up_too_late_is_sent_away() {
    // What the first hop says while the second one is tried, and what we say to that.
    let cases: &[(&str, &[&str])] = &[
        ("180 Ringing", &["CANCEL"]),
        ("200 OK", &["ACK", "BYE"]),
        ("486 Busy Here", &["ACK"]),
        ("503 Service Unavailable", &["ACK"]),
    ];
    for (line, expected) in cases {
        let mut world = World::new();
        let call = dial(&mut world, 2);
        let (first, _) = world.last(0, "INVITE");
        world.run_for(Duration::from_secs(4));
        assert_eq!(tried(&world), [hop(1), hop(2)]);
        let repeated = |world: &World| world.sent.iter().filter(|(_, to, _)| to.remote() == hop(1)).count();
        let before = repeated(&world);
        world.log.clear();
        for _ in 0..2 {
            world.reply(0, hop(1), &first, line, "late", CONTACT);
        }
        let said: Vec<_> = world.said(0).into_iter().map(str::to_owned).collect();
        assert!(
            said.starts_with(&expected.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()),
            "{line}: {said:?}"
        );
        assert!(said.iter().filter(|said| *said != "ACK").count() < 2, "once is enough: {said:?}");
        assert!(repeated(&world) > before);
        answered(&mut world);
        world.command(0, hang_up(call));
        reply(&mut world, "BYE", "200 OK", "");
        world.assert_empty();
    }
}

/// With a TCP listener besides.
fn both(mut config: Config) -> Config {
    let udp = config.listeners[0].clone();
    config.listeners.push(Listener { wire: Wire::Tcp, ..udp });
    config
}

fn large() -> Bytes {
    Bytes::from("a=x\r\n".repeat(300))
}

#[test]
fn large_requests_go_over_tcp() {
    // Name, whether we have TCP, the body, what is used.
    let cases = [
        ("small", true, SDP, Wire::Udp),
        ("large", true, large(), Wire::Tcp),
        ("large, no TCP", false, large(), Wire::Udp),
    ];
    for (name, has_tcp, body, wire) in cases {
        let alice = if has_tcp { both(config(0)) } else { config(0) };
        let mut world = World::with(alice, config(1), Faults::default(), 1);
        dial_with(&mut world, |invite| invite.body = body.clone());
        let (request, to) = world.last(0, "INVITE");
        assert_eq!((to.wire(), to.remote(), &request.body), (wire, hop(1), &body), "{name}");
        assert_eq!(request.headers.via().unwrap().transport.to_string(), wire.as_str(), "{name}");
        let contact = request.headers.contact().unwrap().unwrap();
        assert_eq!(contact.uri.params.get("transport"), (wire == Wire::Tcp).then_some("tcp"), "{name}");
        assert_eq!(matches!(to, Destination::Connect(_)), wire == Wire::Tcp, "{name}");
        reply(&mut world, "INVITE", "486 Busy Here", "");
        world.expect(0, "Rejected");
        world.assert_empty();
    }
}

#[test]
fn the_limit_is_1300_bytes() {
    let mut world = World::with(both(config(0)), config(1), Faults::default(), 1);
    dial_with(&mut world, |invite| invite.body = Bytes::from("a".repeat(100)));
    let head = Message::Request(world.last(0, "INVITE").0).to_bytes().len() - 100;
    for (length, wire) in [(1300, Wire::Udp), (1301, Wire::Tcp)] {
        let mut world = World::with(both(config(0)), config(1), Faults::default(), 1);
        // The length of the body has one digit more.
        dial_with(&mut world, |invite| invite.body = Bytes::from("a".repeat(length - head)));
        let (request, to) = world.last(0, "INVITE");
        assert_eq!(to.wire(), wire, "{length}: {}", Message::Request(request).to_bytes().len());
    }
}

#[test]
fn without_tcp_at_the_other_end_large_requests_go_back_to_udp() {
    for (name, is_refused, after) in [("refused", true, 0), ("silent", false, 4_000)] {
        let mut world = World::with(both(config(0)), config(1), Faults::default(), 1);
        let call = dial_with(&mut world, |invite| invite.body = large());
        let (first, to) = world.last(0, "INVITE");
        if is_refused {
            world.unreachable(0, &to);
        } else {
            world.run_for(Duration::from_secs(4));
        }
        let (second, to) = world.last(0, "INVITE");
        assert_eq!(
            (to.wire(), to.remote(), (world.now - world.start).as_millis()),
            (Wire::Udp, hop(1), after),
            "{name}"
        );
        assert_eq!(
            (second.headers.via().unwrap().transport.to_string(), &second.body),
            ("UDP".to_owned(), &first.body)
        );
        assert_ne!(first.headers.via().unwrap().branch(), second.headers.via().unwrap().branch(), "{name}");
        answered(&mut world);
        // It is remembered for the rest of the call.
        world.command(0, Command::Reinvite { call, headers: Vec::new(), body: large() });
        assert_eq!(world.last(0, "INVITE").1.wire(), Wire::Udp, "{name}");
        reply(&mut world, "INVITE", "488 Not Acceptable Here", "");
        world.expect(0, "ReinviteRejected");
        world.command(0, hang_up(call));
        reply(&mut world, "BYE", "200 OK", "");
        world.expect(0, "HungUp");
        world.assert_empty();
    }
}

#[test]
fn large_requests_within_a_call_go_over_tcp_and_back() {
    let mut world = World::with(both(config(0)), config(1), Faults::default(), 1);
    let call = dial(&mut world, 1);
    answered(&mut world);
    world.command(0, Command::Reinvite { call, headers: Vec::new(), body: large() });
    let (first, to) = world.last(0, "INVITE");
    assert_eq!((to.wire(), first.headers.via().unwrap().transport.to_string().as_str()), (Wire::Tcp, "TCP"));
    world.unreachable(0, &to);
    let (second, to) = world.last(0, "INVITE");
    assert_eq!((to.wire(), second.headers.via().unwrap().transport.to_string().as_str()), (Wire::Udp, "UDP"));
    assert!(second.headers.cseq().unwrap().number > first.headers.cseq().unwrap().number);
    reply(&mut world, "INVITE", "200 OK", CONTACT);
    world.expect(0, "ReinviteAnswered");
    world.command(0, hang_up(call));
    reply(&mut world, "BYE", "200 OK", "");
    world.expect(0, "HungUp");
    world.assert_empty();
}

#[test]
fn of_many_phones_that_ring_one_is_talked_to() {
    let mut world = World::new();
    let call = dial(&mut world, 1);
    let (request, _) = world.last(0, "INVITE");
    let say = |world: &mut World, line: &str, tag: &str| world.reply(0, hop(1), &request, line, tag, CONTACT);
    for (line, tag) in [("180 Ringing", "one"), ("183 Session Progress", "two"), ("180 Ringing", "three")] {
        say(&mut world, line, tag);
        let Event::Progress { response, .. } = world.expect(0, "Progress") else { unreachable!() };
        assert_eq!(response.headers.to().unwrap().tag().unwrap().as_str(), tag);
    }
    say(&mut world, "200 OK", "two");
    let Event::Answered { response, .. } = world.expect(0, "Answered") else { unreachable!() };
    assert_eq!(response.headers.to().unwrap().tag().unwrap().as_str(), "two");
    world.log.clear();
    for tag in ["one", "three", "one"] {
        say(&mut world, "200 OK", tag);
    }
    assert_eq!(world.said(0), ["ACK", "BYE", "ACK", "BYE", "ACK"]);
    world.command(0, hang_up(call));
    let (bye, _) = world.last(0, "BYE");
    assert_eq!(bye.headers.to().unwrap().tag().unwrap().as_str(), "two");
    reply(&mut world, "BYE", "200 OK", "");
    world.expect(0, "HungUp");
    assert!(world.events[0].is_empty());
    world.assert_empty();
}

#[test]
fn a_phone_that_answers_after_all_is_over_is_hung_up_on() {
    // What ends the call before the 200 of another fork.
    for (name, line, event) in
        [("487 to our CANCEL", "487 Request Terminated", "HungUp"), ("busy", "486 Busy Here", "Rejected")]
    {
        let mut world = World::new();
        let call = dial(&mut world, 1);
        let (request, _) = world.last(0, "INVITE");
        world.reply(0, hop(1), &request, "180 Ringing", "one", "");
        world.expect(0, "Progress");
        if event == "HungUp" {
            world.command(0, hang_up(call));
        }
        world.reply(0, hop(1), &request, line, "one", "");
        world.expect(0, event);
        world.log.clear();
        world.reply(0, hop(1), &request, "200 OK", "two", CONTACT);
        assert_eq!(world.said(0), ["ACK", "BYE"], "{name}");
        assert!(world.events[0].is_empty(), "{name}");
        world.assert_empty();
    }
}

#[test]
fn the_invite_and_what_belongs_to_it_name_the_proxies_to_visit() {
    let callee = "sip:bob@192.0.2.2";
    // The routes, the Request-URI, and the Route headers that follow from them.
    let cases: &[(&str, &[&str], &str, &[&str])] = &[
        ("none", &[], callee, &[]),
        ("loose", &["<sip:p1;lr>", "<sip:p2;lr>;x=y"], callee, &["<sip:p1;lr>", "<sip:p2;lr>;x=y"]),
        ("strict", &["<sip:p1;method=BYE?a=b>", "<sip:p2;lr>"], "sip:p1", &["<sip:p2;lr>", "<sip:bob@192.0.2.2>"]),
    ];
    for (name, route, uri, expected) in cases {
        let mut world = World::new();
        let call = dial_with(&mut world, |invite| {
            invite.uri = Uri::parse(callee).unwrap();
            invite.to = hops(2);
            invite.route = route.iter().map(|route| NameAddr::parse(route).unwrap()).collect();
        });
        let shown = |world: &World, method: &str| {
            let (request, to) = world.last(0, method);
            let routes: Vec<_> = request.headers.get_all(&HeaderName::Route).map(str::to_owned).collect();
            (request.uri.to_string(), routes, to.remote())
        };
        let routed = |to| ((*uri).to_owned(), expected.iter().map(|&route| route.to_owned()).collect::<Vec<_>>(), to);
        assert_eq!(shown(&world, "INVITE"), routed(hop(1)), "{name}");
        // The next hop, and a proof, change nothing of it; nor has the ACK of a refusal, or a CANCEL, another way.
        reply(&mut world, "INVITE", "503 Service Unavailable", "");
        assert_eq!(shown(&world, "ACK"), routed(hop(1)), "{name}");
        assert_eq!(shown(&world, "INVITE"), routed(hop(2)), "{name}");
        reply(&mut world, "INVITE", "401 Unauthorized", &format!("WWW-Authenticate: {ASK}\r\n"));
        assert_eq!(shown(&world, "INVITE"), routed(hop(2)), "{name}");
        reply(&mut world, "INVITE", "180 Ringing", "");
        world.expect(0, "Progress");
        world.command(0, hang_up(call));
        assert_eq!(shown(&world, "CANCEL"), routed(hop(2)), "{name}");
        // Answered all the same: from here on the way is the one that was recorded.
        reply(&mut world, "INVITE", "200 OK", &format!("{CONTACT}Record-Route: <sip:p3;lr>\r\n"));
        let recorded = ("sip:bob@203.0.113.1".to_owned(), vec!["<sip:p3;lr>".to_owned()], hop(2));
        assert_eq!(shown(&world, "ACK"), recorded, "{name}");
        assert_eq!(shown(&world, "BYE"), recorded, "{name}");
        reply(&mut world, "BYE", "200 OK", "");
        world.assert_empty();
    }
}

#[test]
fn nothing_from_above_breaks_out_of_its_place() {
    let mut world = World::new();
    let evil = "x\r\nVia: SIP/2.0/UDP evil\r\n\r\nbody".to_owned();
    let header = |name: &str, value: &str| (HeaderName::parse(name).unwrap(), value.to_owned());
    let call = dial_with(&mut world, |invite| {
        invite.headers = vec![
            (HeaderName::parse("X-Room").unwrap(), evil.clone()),
            header("Session-Expires", "5"),
            header("Expires", "1800"),
            header("Expires", "90"),
            header("Referred-By", "<sip:one@h>"),
            header("r", "<sip:evil@h>"),
            header("X-Two", "1"),
            header("X-Two", "2"),
        ];
        for name in ["Via", "From", "t", "Call-ID", "CSeq", "m", "Route", "Record-Route", "Max-Forwards", "c", "l"] {
            invite.headers.push(header(name, "evil"));
        }
        for name in ["Authorization", "Proxy-Authorization", "Content-Encoding", "Event", "Subscription-State"] {
            invite.headers.push(header(name, "evil"));
        }
        invite.uri = Uri::parse("sip:bob@192.0.2.2;method=REFER;user=phone?Route=%3Csip:evil%3E&Subject=x").unwrap();
        invite.from.params.set("tag", "evil");
        invite.from.display = Some(evil.clone());
        invite.to_header.params.set("tag", "evil");
        invite.local_tag = Some(sip::Tag::new("evil\r\nVia: evil"));
        invite.call_id = Some(sip::CallId::new("a b\r\nVia: evil"));
    });
    let (request, _) = world.last(0, "INVITE");
    let bytes = Message::Request(request.clone()).to_bytes();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert_eq!(request.uri.to_string(), "sip:bob@192.0.2.2;user=phone");
    assert_eq!(text.lines().filter(|line| line.to_ascii_lowercase().starts_with("via:")).count(), 1, "{text}");
    for name in
        ["Session-Expires", "Expires", "Referred-By", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact"]
    {
        let name = HeaderName::parse(name).unwrap();
        assert_eq!(request.headers.get_all(&name).count(), 1, "{name}");
    }
    assert_eq!(request.headers.get(&HeaderName::SessionExpires), Some("1800"));
    assert_eq!(request.headers.get(&HeaderName::Expires), Some("90"));
    assert_eq!(request.headers.get_all(&HeaderName::parse("X-Two").unwrap()).collect::<Vec<_>>(), ["1", "2"]);
    for name in ["Authorization", "Proxy-Authorization", "Event", "Refer-To", "Route", "Content-Encoding"] {
        assert!(!request.headers.contains(&HeaderName::parse(name).unwrap()), "{name}");
    }
    assert!(request.headers.to().unwrap().tag().is_none());
    assert!(!request.headers.from().unwrap().tag().unwrap().as_str().contains("evil"));

    answered(&mut world);
    let sent = world.sent.len();
    for refer_to in ["<sip:a@b>\r\nVia: evil", "<sip:a@b>, <sip:c@d>", "", "nonsense"] {
        world.command(0, Command::Refer { call, refer_to: refer_to.to_owned(), headers: Vec::new() });
        let Event::ReferAnswered { response: None, .. } = world.expect(0, "ReferAnswered") else {
            panic!("{refer_to:?} was sent")
        };
    }
    assert_eq!(world.sent.len(), sent);
}
