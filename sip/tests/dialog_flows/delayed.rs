//! Calls that Alice places without an offer: Bob offers, and her answer goes out with the PRACK, or with the ACK
//! ([RFC 3261 §13.2.1], [RFC 3262 §5], [RFC 6337 §2.2] patterns 2 and 4).
//!
//! [RFC 3261 §13.2.1]: https://www.rfc-editor.org/rfc/rfc3261#section-13.2.1
//! [RFC 3262 §5]: https://www.rfc-editor.org/rfc/rfc3262#section-5
//! [RFC 6337 §2.2]: https://www.rfc-editor.org/rfc/rfc6337#section-2.2

use std::time::Duration;

use bytes::Bytes;
use sip::{
    CallHandle, Command, Event, Failure, HeaderName, Invite, NextHop, Request, Response, Status, Wire,
    digest::Credentials,
    endpoint::{Config, OfferId, Reliability},
};

use crate::{
    answer, hang_up, reinvite,
    timers::turned,
    wire::{Faults, SDP, World, address, config, invite},
};

const KIND: &str = "Content-Type: application/sdp\r\n";
const OFFER: &str = "v=0\r\no=offer\r\n";
const OTHER: &str = "v=0\r\no=other\r\n";
const SIGNALS: &str = "\u{1}\0";
const MIXED: &str = "--b\r\nContent-Type: application/isup\r\n\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=offer\r\n--b--\r\n";
const ANSWER: &str = "v=0\r\no=answer\r\n";
const RINGING: &str = "183 Session Progress";

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Alice calls Bob and offers nothing.
pub(crate) fn dial(world: &mut World) -> CallHandle {
    let call = CallHandle::outbound(1);
    world.command(0, Command::Invite(Box::new(Invite { body: Bytes::new(), ..invite(call) })));
    call
}

/// The user above answers the offer in this response.
fn acknowledge(world: &mut World, call: CallHandle, response: &Response, body: &'static str) {
    world.command(0, Command::Acknowledge { call, offer: OfferId::of(response), body: bytes(body) });
}

fn progress(world: &mut World) -> Response {
    let Event::Progress { response, .. } = world.expect(0, "Progress") else { unreachable!() };
    *response
}

fn answered(world: &mut World) -> Response {
    let Event::Answered { response, .. } = world.expect(0, "Answered") else { unreachable!() };
    *response
}

/// Answers the last INVITE by hand: as the phone of that tag, with that RSeq if any, and with this description.
pub(crate) fn says(world: &mut World, line: &str, tag: &str, number: Option<u32>, body: &str) {
    let (invite, to) = world.last(0, "INVITE");
    let of = |name: HeaderName| invite.headers.get(&name).expect("a header that every INVITE has");
    let reliably = number.map(|number| format!("Require: 100rel\r\nRSeq: {number}\r\n")).unwrap_or_default();
    let kind = match body {
        "" => "",
        MIXED => "Content-Type: multipart/mixed;boundary=b\r\n",
        SIGNALS => "Content-Type: application/isup\r\n",
        _ => KIND,
    };
    let text = format!(
        "SIP/2.0 {line}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:{tag}@{}>\r\n{reliably}{kind}Content-Length: {}\r\n\r\n{body}",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
        to.remote().ip(),
        body.len()
    );
    world.inject(0, to.remote(), &text);
}

fn count(world: &World, method: &str) -> usize {
    world.said(0).iter().filter(|line| **line == method).count()
}

fn rack(prack: &Request) -> &str {
    prack.headers.get(&HeaderName::RAck).expect("a PRACK says what it is for")
}

/// A world where Bob's provisional answers are acknowledged.
fn reliable() -> World {
    let bob = Config { reliability: Reliability::Supported, ..config(1) };
    World::with(config(0), bob, Faults::default(), 1)
}

#[test]
fn an_offer_in_the_200_is_answered_in_the_ack() {
    let mut world = World::new();
    let alice = dial(&mut world);
    let Event::Incoming { call: bob, request, .. } = world.expect(1, "Incoming") else { unreachable!() };
    assert!(request.body.is_empty() && !request.headers.contains(&HeaderName::ContentType));
    world.command(1, answer(bob));
    let response = answered(&mut world);
    assert_eq!(response.body, SDP);
    // Bob says it again meanwhile; nobody is told of it, and nobody acknowledges what has no answer.
    world.run_for(Duration::from_secs(3));
    assert_eq!((count(&world, "ACK"), count(&world, "BYE")), (0, 0), "{:?}", world.log);
    assert!(world.events[0].is_empty());
    // The first two are lost: the same is said to a 200 that comes again.
    let mut lost = 0;
    world.drop_if = Box::new(move |side, message| {
        let is_ack = matches!(message, sip::Message::Request(request) if request.method.as_str() == "ACK");
        lost += usize::from(side == 0 && is_ack);
        side == 0 && is_ack && lost <= 2
    });
    acknowledge(&mut world, alice, &response, ANSWER);
    let (ack, _) = world.last(0, "ACK");
    assert_eq!((ack.body.clone(), ack.headers.get(&HeaderName::ContentType)), (bytes(ANSWER), Some("application/sdp")));
    let Event::Acked { body, .. } = world.expect(1, "Acked") else { unreachable!() };
    assert_eq!((body, count(&world, "ACK")), (bytes(ANSWER), 3));
    // Once is enough.
    acknowledge(&mut world, alice, &response, OTHER);
    assert_eq!(count(&world, "ACK"), 3);
    // From here on the call is like every other.
    world.command(0, reinvite(alice));
    let bob = world.expect(1, "Reinvite").call();
    world.command(1, Command::AnswerReinvite { call: bob, headers: Vec::new(), body: SDP });
    world.expect(0, "ReinviteAnswered");
    assert!(world.last(0, "ACK").0.body.is_empty());
    world.command(0, hang_up(alice));
    world.expect(0, "HungUp");
    world.assert_empty();
}

#[test]
fn an_offer_in_a_183_is_answered_in_the_prack() {
    let mut world = reliable();
    let alice = dial(&mut world);
    let bob = world.expect(1, "Incoming").call();
    let ringing = Command::Progress { call: bob, status: Status::SESSION_PROGRESS, headers: Vec::new(), body: SDP };
    world.command(1, ringing);
    let response = progress(&mut world);
    assert_eq!(response.body, SDP);
    // Bob repeats it until it is acknowledged.
    world.run_for(Duration::from_secs(2));
    assert_eq!(count(&world, "PRACK"), 0);
    assert!(world.events[0].is_empty());
    acknowledge(&mut world, alice, &response, ANSWER);
    let Event::Acked { body, .. } = world.expect(1, "Acked") else { unreachable!() };
    assert_eq!(body, bytes(ANSWER));
    world.command(1, answer(bob));
    assert!(answered(&mut world).body.is_empty());
    let Event::Acked { body, .. } = world.expect(1, "Acked") else { unreachable!() };
    assert!(body.is_empty(), "there is nothing to answer any more");
    assert_eq!(count(&world, "PRACK"), 1);
    world.command(1, hang_up(bob));
    world.expect(0, "Ended");
    world.assert_empty();
}

/// What Bob says; `true` behind it where the user above answers the offer before Bob says more.
type Script = &'static [(&'static str, Option<u32>, &'static str, bool)];

#[test]
fn what_counts_as_an_offer() {
    // Name, what Bob says, the descriptions that the user above is told, the answers in PRACKs, that in the ACK if it is sent
    // without asking the user above.
    #[expect(clippy::type_complexity, reason = "the columns are explained above")]
    let cases: &[(&str, Script, &[&str], &[&str], Option<&str>)] = &[
        ("a 200 with one", &[("200 OK", None, OFFER, false)], &[OFFER], &[], None),
        ("a 200 without", &[("200 OK", None, "", false)], &[""], &[], Some("")),
        (
            "a 183 that may get lost has none",
            &[(RINGING, None, OFFER, false), ("200 OK", None, OFFER, false)],
            &["", OFFER],
            &[],
            None,
        ),
        (
            "a 183 that is answered, and a 200 that says it again",
            &[(RINGING, Some(7), OFFER, true), ("200 OK", None, OFFER, false)],
            &[OFFER, ""],
            &[ANSWER],
            Some(""),
        ),
        (
            "a 183 without, and a 200 with one",
            &[(RINGING, Some(7), "", false), ("200 OK", None, OFFER, false)],
            &["", OFFER],
            &[""],
            None,
        ),
        (
            "the second of two, and a third that says it again",
            &[
                (RINGING, Some(7), "", false),
                (RINGING, Some(8), OFFER, true),
                (RINGING, Some(9), OTHER, false),
                ("200 OK", None, "", false),
            ],
            &["", OFFER, "", ""],
            &["", ANSWER, ""],
            Some(""),
        ),
        (
            "what is no description, and one beside something else",
            &[(RINGING, Some(7), SIGNALS, false), ("200 OK", None, MIXED, false)],
            &["", OFFER],
            &[""],
            None,
        ),
        ("a 200 with what is no description", &[("200 OK", None, SIGNALS, false)], &[""], &[], Some("")),
        (
            "a 200 that does not wait for the PRACK, with one",
            &[(RINGING, Some(7), OFFER, false), ("200 OK", None, OTHER, false)],
            &[OFFER, OTHER],
            &[],
            None,
        ),
        (
            "a 200 that does not wait for the PRACK, without",
            &[(RINGING, Some(7), OFFER, false), ("200 OK", None, "", false)],
            &[OFFER, ""],
            &[],
            None,
        ),
    ];
    for (name, script, told, pracks, ack) in cases {
        let mut world = World::new();
        world.drop_if = Box::new(|_, _| true);
        let alice = dial(&mut world);
        let (mut bodies, mut offers) = (Vec::new(), Vec::new());
        for (line, number, body, is_answered) in *script {
            says(&mut world, line, "b", *number, body);
            let response = if line.starts_with('2') { answered(&mut world) } else { progress(&mut world) };
            bodies.push(String::from_utf8(response.body.to_vec()).unwrap());
            if *is_answered {
                acknowledge(&mut world, alice, &response, ANSWER);
            }
            offers.push(response);
        }
        assert_eq!(bodies, *told, "{name}");
        let sent = world.sent.iter().filter_map(|(side, _, message)| match message {
            sip::Message::Request(request) if *side == 0 && request.method.as_str() == "PRACK" => Some(request),
            _ => None,
        });
        let sent: Vec<_> = sent.map(|prack| prack.body.clone()).collect();
        assert_eq!(sent, *pracks, "{name}");
        assert_eq!(count(&world, "ACK"), usize::from(ack.is_some()), "{name}");
        // What is still open is answered now; nothing of it twice, and nothing by the answer to something else.
        for (response, told) in offers.iter().zip(*told).filter(|(_, told)| !told.is_empty()) {
            let body = if *told == OTHER { OTHER } else { ANSWER };
            acknowledge(&mut world, alice, response, body);
        }
        let expected = ack.unwrap_or(if told.contains(&OTHER) { OTHER } else { ANSWER });
        assert_eq!(world.last(0, "ACK").0.body, expected, "{name}");
        assert_eq!((count(&world, "ACK"), count(&world, "PRACK")), (1, pracks.len()), "{name}");
        world.command(0, hang_up(alice));
        world.expect(0, "HungUp");
        world.assert_empty();
    }
}

#[test]
fn each_phone_that_rings_has_an_offer_of_its_own() {
    let mut world = World::new();
    world.drop_if = Box::new(|_, _| true);
    let alice = dial(&mut world);
    says(&mut world, RINGING, "first", Some(7), OFFER);
    let first = progress(&mut world);
    says(&mut world, RINGING, "second", Some(7), OTHER);
    let second = progress(&mut world);
    assert_eq!((first.body.clone(), second.body.clone()), (bytes(OFFER), bytes(OTHER)));
    assert_ne!(OfferId::of(&first), OfferId::of(&second));
    assert_eq!(count(&world, "PRACK"), 0);
    for (response, tag, body) in [(&second, "second", OTHER), (&first, "first", ANSWER)] {
        acknowledge(&mut world, alice, response, body);
        let (prack, _) = world.last(0, "PRACK");
        assert_eq!((prack.body.clone(), rack(&prack)), (bytes(body), "7 1 INVITE"));
        assert_eq!(prack.headers.to().unwrap().tag().unwrap().as_str(), tag);
    }
    // A third was not heard of before; that of the second comes too late.
    says(&mut world, "200 OK", "third", None, OFFER);
    let third = answered(&mut world);
    assert_eq!(third.body, bytes(OFFER));
    acknowledge(&mut world, alice, &second, OTHER);
    assert_eq!(count(&world, "ACK"), 0, "that answers another offer");
    says(&mut world, "200 OK", "second", None, "");
    assert_eq!((count(&world, "ACK"), count(&world, "BYE")), (1, 1), "nobody wants two phones");
    acknowledge(&mut world, alice, &third, ANSWER);
    let (ack, _) = world.last(0, "ACK");
    assert_eq!((ack.body.clone(), ack.headers.to().unwrap().tag().unwrap().as_str()), (bytes(ANSWER), "third"));
    world.command(0, hang_up(alice));
    world.expect(0, "HungUp");
    world.assert_empty();
}

/// Neither the next hop nor a proof makes an offer of what had none; and what one hop has offered is over with it.
#[test]
fn what_is_said_again_has_no_offer_either() {
    let mut world = World::new();
    let hop =
        |number: u8| NextHop { wire: Wire::Udp, address: ([203, 0, 113, number], 5060).into(), server_name: None };
    let credentials = Credentials { username: "u".to_owned(), password: "p".to_owned(), realm: None };
    let call = CallHandle::outbound(1);
    let to = vec![hop(1), hop(2)];
    let dialled = Invite { to, credentials: Some(credentials), body: Bytes::new(), ..invite(call) };
    world.command(0, Command::Invite(Box::new(dialled)));
    says(&mut world, RINGING, "first", Some(7), OFFER);
    let lost = progress(&mut world);
    let (request, to) = world.last(0, "INVITE");
    world.reply(0, to.remote(), &request, "503 Service Unavailable", "first", "");
    acknowledge(&mut world, call, &lost, ANSWER);
    assert_eq!(count(&world, "PRACK"), 0);
    let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    let challenged = "407 Proxy Authentication Required";
    let (request, to) = world.last(0, "INVITE");
    assert!(to.remote() == hop(2).address && request.body.is_empty());
    world.reply(0, to.remote(), &request, challenged, "p", challenge);
    assert!(world.last(0, "ACK").0.body.is_empty());
    let (request, _) = world.last(0, "INVITE");
    assert!(request.headers.contains(&HeaderName::ProxyAuthorization) && request.body.is_empty());
    // The PRACK says its answer again with a proof.
    says(&mut world, RINGING, "b", Some(1), OFFER);
    let response = progress(&mut world);
    acknowledge(&mut world, call, &response, ANSWER);
    let (prack, to) = world.last(0, "PRACK");
    assert_eq!(rack(&prack), "1 3 INVITE");
    world.reply(0, to.remote(), &prack, challenged, "", challenge);
    let (again, _) = world.last(0, "PRACK");
    assert_eq!(again.body, bytes(ANSWER));
    assert_ne!(again.headers.cseq(), prack.headers.cseq());
    says(&mut world, "200 OK", "b", None, "");
    answered(&mut world);
    world.command(0, hang_up(call));
    world.expect(0, "HungUp");
    world.assert_empty();
}

#[test]
fn a_200_whose_offer_nobody_answers_is_acknowledged_before_the_bye() {
    enum Then {
        HangUp,
        Nothing,
        TheirBye,
    }
    for (name, then, said, event) in [
        ("hung up", Then::HangUp, ["ACK", "BYE"].as_slice(), "HungUp"),
        ("hung up by Bob", Then::TheirBye, &["ACK"], "Ended"),
        ("forgotten for as long as he waits", Then::Nothing, &["BYE"], "Failed"),
    ] {
        let mut world = World::new();
        let alice = dial(&mut world);
        let bob = world.expect(1, "Incoming").call();
        world.drop_if = Box::new(|side, message| side == 1 && matches!(message, sip::Message::Request(_)));
        world.command(1, answer(bob));
        let response = answered(&mut world);
        let start = world.now;
        match then {
            Then::HangUp => world.command(0, hang_up(alice)),
            Then::Nothing => {}
            Then::TheirBye => {
                let (invite, _) = world.last(0, "INVITE");
                let to = response.headers.get(&HeaderName::To).expect("a To");
                let bye = turned(&invite, "BYE", 1, "", "").replace(
                    &format!("From: {}\r\n", invite.headers.get(&HeaderName::To).expect("a To")),
                    &format!("From: {to}\r\n"),
                );
                world.inject(0, address(1), &bye);
            }
        }
        let told = world.expect(0, event);
        if let Event::Failed { why, .. } = told {
            assert_eq!(((world.now - start).as_secs(), why), (32, Failure::TimedOut), "{name}");
        }
        let requests: Vec<_> = world.said(0).into_iter().filter(|line| matches!(*line, "ACK" | "BYE")).collect();
        assert_eq!(requests, said, "{name}");
        acknowledge(&mut world, alice, &response, ANSWER);
        assert_eq!(count(&world, "ACK"), said.len() - count(&world, "BYE"), "{name}: it comes too late");
        assert!(said[0] != "ACK" || world.last(0, "ACK").0.body.is_empty(), "{name}");
        world.drop_if = Box::new(|_, _| false);
        world.command(1, hang_up(bob));
        world.assert_empty();
    }
}

#[test]
fn a_cancel_that_crosses_the_offer_leaves_nothing_behind() {
    let mut world = World::new();
    world.drop_if = Box::new(|_, _| true);
    let alice = dial(&mut world);
    says(&mut world, RINGING, "b", Some(7), OFFER);
    let response = progress(&mut world);
    world.command(0, hang_up(alice));
    // An answer that was on its way up is given all the same, for Bob repeats what he has offered until it is.
    acknowledge(&mut world, alice, &response, ANSWER);
    says(&mut world, "200 OK", "b", None, OFFER);
    assert_eq!(world.said(0), ["INVITE", "CANCEL", "PRACK", "ACK", "BYE"]);
    assert!(world.last(0, "ACK").0.body.is_empty());
    world.expect(0, "HungUp");
    world.assert_empty();
}

/// One offer at a time: Bob's is open until it is answered (RFC 3261 §14.2), and Alice makes none.
#[test]
fn no_other_offer_is_made_meanwhile() {
    let mut world = World::new();
    let alice = dial(&mut world);
    let bob = world.expect(1, "Incoming").call();
    world.command(1, answer(bob));
    let response = answered(&mut world);
    world.command(0, reinvite(alice));
    let Event::ReinviteRejected { response: None, .. } = world.expect(0, "ReinviteRejected") else { unreachable!() };
    acknowledge(&mut world, alice, &response, ANSWER);
    world.expect(1, "Acked");
    world.command(1, reinvite(bob));
    world.expect(0, "Reinvite");
    world.command(0, hang_up(alice));
    world.expect(0, "HungUp");
    world.run_for(Duration::from_secs(1));
    world.assert_empty();
}
