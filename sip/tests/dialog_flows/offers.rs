//! Where offers and answers travel ([RFC 6337 §2.2], table 1), and what becomes of an offer while another one is open
//! ([RFC 3261 §14.2], [RFC 3311 §5.2], [RFC 6337 §4]).
//!
//! [RFC 6337 §2.2]: https://www.rfc-editor.org/rfc/rfc6337#section-2.2
//! [RFC 3261 §14.2]: https://www.rfc-editor.org/rfc/rfc3261#section-14.2
//! [RFC 3311 §5.2]: https://www.rfc-editor.org/rfc/rfc3311#section-5.2
//! [RFC 6337 §4]: https://www.rfc-editor.org/rfc/rfc6337#section-4

use std::time::Duration;

use bytes::Bytes;
use sip::{CallHandle, Command, Event, HeaderName, Status};

use crate::{
    delayed::{dial, says},
    hang_up, reinvite, text,
    timers::{last_response, turned, written},
    wire::{SDP, World, address},
};

/// How far offer and answer are when the request comes. Bob is the gateway, and Alice somebody who writes by hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// Nothing is open.
    Settled,
    /// Our re-INVITE is on its way.
    Ours,
    /// The peer's waits for the user above.
    Theirs,
    /// It has its 2xx, which has no ACK.
    Unacknowledged,
    /// The INVITE of the call, which offers, has no answer.
    Ringing,
    /// The INVITE of the call wants our offer, which is in our 180.
    Wanted,
    /// That offer is answered, in the PRACK.
    Agreed,
    /// The INVITE of the call offers, and our 180 with the answer is not acknowledged.
    Answering,
    /// It is.
    Answered,
    /// And the peer has offered something else, which waits for the user above.
    Proposed,
    /// Our INVITE of the call has no answer, but a provisional one.
    Calling,
    /// It had no offer, and our answer to that in the 2xx is not given.
    Owed,
}

/// What is done with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The user above decides.
    Told,
    Refused(u16),
    /// Refused, to be tried again after the time that is said.
    Later,
    /// Answered, for it offers nothing.
    Taken,
}

pub(crate) const BODY: &str = "v=0\r\n";
pub(crate) const KIND: &str = "Content-Type: application/sdp\r\n";

#[test]
fn one_offer_at_a_time() {
    use Then::{Later, Refused, Taken, Told};
    use When::{
        Agreed, Answered, Answering, Calling, Ours, Owed, Proposed, Ringing, Settled, Theirs, Unacknowledged, Wanted,
    };
    const PENDING: Then = Refused(491);
    // INVITE with an offer and without, UPDATE with an offer and without.
    let cases: &[(When, [Then; 4])] = &[
        (Settled, [Told, Told, Told, Taken]),
        (Ours, [PENDING, PENDING, PENDING, Taken]),
        (Theirs, [Later, Later, Later, Taken]),
        (Unacknowledged, [PENDING, PENDING, PENDING, Taken]),
        (Ringing, [Later, Later, Later, Taken]),
        (Wanted, [Later, Later, PENDING, Taken]),
        (Agreed, [Later, Later, Told, Taken]),
        (Answering, [Later, Later, Later, Taken]),
        (Answered, [Later, Later, Told, Taken]),
        (Proposed, [Later, Later, Later, Taken]),
        (Calling, [PENDING, PENDING, PENDING, Taken]),
        (Owed, [PENDING, PENDING, PENDING, Taken]),
    ];
    for (when, expected) in cases {
        for ((method, body), expected) in
            [("INVITE", BODY), ("INVITE", ""), ("UPDATE", BODY), ("UPDATE", "")].into_iter().zip(expected)
        {
            let name = format!("{when:?}: {method} with {:?}", body.len());
            let mut world = World::new();
            let side = prepare(&mut world, *when);
            let (from, to, call_id) = dialog(&world, *when);
            let kind = if body.is_empty() { "" } else { KIND };
            world.inject(side, address(1 - side), &written(method, 50, &from, &to, &call_id, kind, body));
            let told = world.events[side].iter().any(|event| matches!(event, Event::Reinvite { request, .. } if request.headers.cseq().is_ok_and(|cseq| cseq.number == 50)));
            assert_eq!(told, *expected == Told, "{name}: {:#?}", world.log);
            let status = match expected {
                Told => continue,
                Refused(status) => *status,
                Later => 500,
                Taken => 200,
            };
            let response = last_response(&world, side, Status::new(status).expect("a status"));
            assert_eq!(response.headers.cseq().map(|cseq| cseq.number), Ok(50), "{name}");
            assert_eq!(response.headers.contains(&HeaderName::RetryAfter), *expected == Later, "{name}");
        }
    }
}

/// A PBX that has heard our offer and forgets it must not keep either side from making another one.
#[test]
fn an_offer_that_is_heard_and_not_answered_is_taken_back() {
    for is_cancel_answered in [true, false] {
        let mut world = World::new();
        let (_, bob) = world.call_up(1);
        world.drop_if = Box::new(|side, _| side == 1);
        world.command(1, reinvite(bob));
        let (sent, _) = world.last(1, "INVITE");
        world.reply(1, address(0), &sent, "100 Trying", "", "");
        world.run_for(Duration::from_secs(39));
        assert!(world.events[1].is_empty() && !world.said(1).contains(&"CANCEL"));
        world.run_for(Duration::from_secs(2));
        let (cancel, _) = world.last(1, "CANCEL");
        assert_eq!(cancel.headers.via().map(|via| via.branch()), sent.headers.via().map(|via| via.branch()));
        if is_cancel_answered {
            world.reply(1, address(0), &cancel, "200 OK", "", "");
            world.reply(1, address(0), &sent, "487 Request Terminated", "", "");
        }
        let begin = world.now;
        let Event::ReinviteRejected { response, .. } = world.expect(1, "ReinviteRejected") else { unreachable!() };
        assert_eq!(response.is_some(), is_cancel_answered);
        assert_eq!((world.now - begin).as_secs(), if is_cancel_answered { 0 } else { 31 });
        world.drop_if = Box::new(|_, _| false);
        world.command(1, reinvite(bob));
        world.expect(0, "Reinvite");
    }
}

/// Whoever hangs up while our re-INVITE is open need not answer it, and many do not.
#[test]
fn an_offer_that_a_hangup_leaves_open_leaves_nothing_behind() {
    for (name, is_heard, is_ours) in [
        ("heard, they hang up", true, false),
        ("heard, we hang up", true, true),
        ("not heard, they hang up", false, false),
        ("not heard, we hang up", false, true),
    ] {
        let mut world = World::new();
        let (_, bob) = world.call_up(1);
        let ack = world.last(0, "ACK").0;
        world.drop_if = Box::new(|side, _| side == 1);
        world.command(1, reinvite(bob));
        let (sent, _) = world.last(1, "INVITE");
        if is_heard {
            world.reply(1, address(0), &sent, "100 Trying", "", "");
        }
        if is_ours {
            world.command(1, hang_up(bob));
            world.reply(1, address(0), &world.last(1, "BYE").0.clone(), "200 OK", "", "");
            world.expect(1, "HungUp");
        } else {
            let of = |name| ack.headers.get(&name).expect("a header of every request").to_owned();
            let [from, to, call_id] = [HeaderName::From, HeaderName::To, HeaderName::CallId].map(of);
            world.inject(1, address(0), &written("BYE", 9, &from, &to, &call_id, "", ""));
            world.expect(1, "Ended");
        }
        world.run_for(Duration::from_secs(120));
        let left = world.sides[1].stats();
        assert_eq!((left.calls, left.client_transactions, left.retained_bytes), (0, 0, 0), "{name}");
    }
}

/// Brings a call as far as that; says which side is ours.
pub(crate) fn prepare(world: &mut World, when: When) -> usize {
    let invite = |body: &str| {
        let mut invite = text(
            "INVITE",
            &[("Require", "100rel"), ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKi"), ("To", "<sip:b@h>")],
        );
        if !body.is_empty() {
            let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
            invite = invite.replace("Content-Length: 0\r\n\r\n", &format!("{KIND}{length}"));
        }
        invite
    };
    let ring = |world: &mut World, body: &str, description: Bytes| {
        world.inject(1, address(0), &invite(body));
        let bob = world.expect(1, "Incoming").call();
        let (status, headers) = (Status::RINGING, Vec::new());
        world.command(1, Command::Progress { call: bob, status, headers, body: description });
    };
    let acknowledge = |world: &mut World, body: &str| {
        let (from, to, call_id) = dialog(world, When::Wanted);
        let number =
            last_response(world, 1, Status::RINGING).headers.get(&HeaderName::RSeq).expect("a number").to_owned();
        let kind = if body.is_empty() { "" } else { KIND };
        let extra = format!("RAck: {number} 1 INVITE\r\n{kind}");
        world.inject(1, address(0), &written("PRACK", 2, &from, &to, &call_id, &extra, body));
    };
    match when {
        When::Settled => drop(world.call_up(1)),
        When::Ours => {
            let (_, bob) = world.call_up(1);
            world.command(1, reinvite(bob));
        }
        When::Theirs | When::Unacknowledged => {
            let (alice, bob) = world.call_up(1);
            world.command(0, reinvite(alice));
            world.expect(1, "Reinvite");
            if matches!(when, When::Unacknowledged) {
                world.command(1, Command::AnswerReinvite { call: bob, headers: Vec::new(), body: SDP });
            }
        }
        When::Ringing => {
            ring(world, BODY, Bytes::new());
            acknowledge(world, "");
        }
        When::Wanted => ring(world, "", SDP),
        When::Agreed => {
            ring(world, "", SDP);
            acknowledge(world, BODY);
            let Event::Acked { body, .. } = world.expect(1, "Acked") else { unreachable!() };
            assert_eq!(body, SDP);
        }
        When::Answering => ring(world, BODY, SDP),
        When::Answered => {
            ring(world, BODY, SDP);
            acknowledge(world, "");
        }
        When::Proposed => {
            ring(world, BODY, SDP);
            acknowledge(world, BODY);
        }
        When::Calling => {
            world.invite(1);
            let (sent, _) = world.last(0, "INVITE");
            let reliable = "Require: 100rel\r\nRSeq: 1\r\nContact: <sip:b@192.0.2.2>\r\n";
            world.reply(0, address(1), &sent, "183 Session Progress", "a", reliable);
            return 0;
        }
        When::Owed => {
            dial(world);
            says(world, "180 Ringing", "a", Some(1), "");
            says(world, "200 OK", "a", None, BODY);
            return 0;
        }
    }
    1
}

/// From, To and Call-ID of a request of the peer.
pub(crate) fn dialog(world: &World, when: When) -> (String, String, String) {
    let text_of = |value: Option<&str>| value.expect("a header that every message has").to_owned();
    match when {
        When::Calling | When::Owed => {
            let (prack, _) = world.last(0, "PRACK");
            let of = |name: HeaderName| text_of(prack.headers.get(&name));
            (of(HeaderName::To), of(HeaderName::From), of(HeaderName::CallId))
        }
        When::Ringing | When::Wanted | When::Agreed | When::Answering | When::Answered | When::Proposed => {
            let ringing = last_response(world, 1, Status::RINGING);
            let of = |name: HeaderName| text_of(ringing.headers.get(&name));
            (of(HeaderName::From), of(HeaderName::To), of(HeaderName::CallId))
        }
        When::Settled | When::Ours | When::Theirs | When::Unacknowledged => {
            let (ack, _) = world.last(0, "ACK");
            let of = |name: HeaderName| text_of(ack.headers.get(&name));
            (of(HeaderName::From), of(HeaderName::To), of(HeaderName::CallId))
        }
    }
}

/// Each of the ways that we use, in the role that we have in it: who gets the offer, and who the answer. Calls that we place
/// without an offer, patterns 2 and 4 as caller, have a file of their own.
#[test]
fn where_offers_and_answers_travel() {
    const OFFER: Bytes = Bytes::from_static(b"v=0\r\no=offer\r\n");
    const ANSWER: Bytes = Bytes::from_static(b"v=0\r\no=answer\r\n");
    // Pattern 1: offer in the INVITE, answer in the 2xx; as caller and as callee, and in mid-call.
    let mut world = World::new();
    let alice = CallHandle::outbound(1);
    world.command(0, Command::Invite(Box::new(sip::Invite { body: OFFER, ..crate::wire::invite(alice) })));
    let Event::Incoming { call: bob, request, .. } = world.expect(1, "Incoming") else { unreachable!() };
    assert_eq!(request.body, OFFER);
    world.command(1, Command::Answer { call: bob, headers: Vec::new(), body: ANSWER });
    let Event::Answered { response, .. } = world.expect(0, "Answered") else { unreachable!() };
    assert_eq!(response.body, ANSWER);
    let Event::Acked { body, .. } = world.expect(1, "Acked") else { unreachable!() };
    assert!(body.is_empty());
    for (from, to, caller, callee) in [(0, 1, alice, bob), (1, 0, bob, alice)] {
        world.command(from, Command::Reinvite { call: caller, headers: Vec::new(), body: OFFER });
        let Event::Reinvite { request, .. } = world.expect(to, "Reinvite") else { unreachable!() };
        assert_eq!(request.body, OFFER);
        world.command(to, Command::AnswerReinvite { call: callee, headers: Vec::new(), body: ANSWER });
        let Event::ReinviteAnswered { response, .. } = world.expect(from, "ReinviteAnswered") else { unreachable!() };
        assert_eq!(response.body, ANSWER);
        world.expect(to, "Acked");
    }

    // Pattern 2: offer in the 2xx, answer in the ACK; as callee, at the beginning and in mid-call.
    let mut world = World::new();
    world.inject(1, address(0), &text("INVITE", &[("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKi")]));
    let bob = world.expect(1, "Incoming").call();
    world.command(1, Command::Answer { call: bob, headers: Vec::new(), body: OFFER });
    let accepted = last_response(&world, 1, Status::OK);
    assert_eq!(accepted.body, OFFER);
    let of = |name: HeaderName| accepted.headers.get(&name).expect("a header").to_owned();
    let (from, to, call_id) = (of(HeaderName::From), of(HeaderName::To), of(HeaderName::CallId));
    let answer_text = "v=0\r\no=answer\r\n";
    for number in [1, 7] {
        world.inject(1, address(0), &written("ACK", number, &from, &to, &call_id, KIND, answer_text));
        let Event::Acked { body, .. } = world.expect(1, "Acked") else { unreachable!() };
        assert_eq!(body, ANSWER);
        if number == 1 {
            world.inject(1, address(0), &written("INVITE", 7, &from, &to, &call_id, "", ""));
            let Event::Reinvite { request, .. } = world.expect(1, "Reinvite") else { unreachable!() };
            assert!(request.body.is_empty());
            world.command(1, Command::AnswerReinvite { call: bob, headers: Vec::new(), body: OFFER });
            assert_eq!(last_response(&world, 1, Status::OK).body, OFFER);
        }
    }

    // Pattern 6: offer in the UPDATE, answer in its 2xx, and no ACK.
    world.inject(1, address(0), &written("UPDATE", 8, &from, &to, &call_id, KIND, "v=0\r\no=offer\r\n"));
    let Event::Reinvite { request, .. } = world.expect(1, "Reinvite") else { unreachable!() };
    assert_eq!(request.body, OFFER);
    world.command(1, Command::AnswerReinvite { call: bob, headers: Vec::new(), body: ANSWER });
    assert_eq!(last_response(&world, 1, Status::OK).body, ANSWER);
    world.command(1, hang_up(bob));

    // Pattern 3: answer in a provisional answer that is acknowledged, as caller. The user above hears of it.
    let mut world = World::new();
    let alice = world.invite(1);
    let (sent, _) = world.last(0, "INVITE");
    let early = format!("Require: 100rel\r\nRSeq: 1\r\nContact: <sip:b@192.0.2.2>\r\n{KIND}");
    let says = |line: &str, extra: &str, body: &str| {
        let of = |name: HeaderName| sent.headers.get(&name).expect("a header").to_owned();
        let [via, from, to, call_id, cseq] =
            [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq].map(of);
        format!(
            "SIP/2.0 {line}\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to};tag=a\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
             {extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    world.inject(0, address(1), &says("183 Session Progress", &early, answer_text));
    let Event::Progress { response, .. } = world.expect(0, "Progress") else { unreachable!() };
    assert_eq!(response.body, ANSWER);
    let (prack, _) = world.last(0, "PRACK");
    assert!(prack.body.is_empty());
    // Pattern 5, an offer in the PRACK, is one that we never make; those of callers have a file of their own.
    world.inject(0, address(1), &turned(&prack, "INFO", 1, "", ""));
    world.inject(0, address(1), &says("200 OK", "Contact: <sip:b@192.0.2.2>\r\n", ""));
    let Event::Answered { response, .. } = world.expect(0, "Answered") else { unreachable!() };
    assert!(response.body.is_empty(), "the user above has it already");
    world.command(0, hang_up(alice));

    // Pattern 4: offer in a provisional answer, answer in the PRACK, as callee.
    let mut world = World::new();
    prepare(&mut world, When::Agreed);
    assert_eq!(last_response(&world, 1, Status::RINGING).body, SDP);
}
