//! A call that we place without an offer: the callee's is answered by the terms of the trunk.

use super::outbound::{Placing, SDP, placing};
use super::*;

const DELAYED: &str = "delayed_offer: true";
const KEYS: &str = "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl\r\n";
const RINGS: &str = "183 Session Progress";

fn reliably(number: u32) -> String {
    format!("Require: 100rel\r\nRSeq: {number}\r\n")
}

fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").expect("a message has a head").1
}

/// The number of the session in a description, and its version.
fn origin(message: &str) -> (&str, &str) {
    let line = body(message).lines().find(|line| line.starts_with("o=")).unwrap_or_else(|| panic!("{message}"));
    let mut words = line.split(' ').skip(1);
    (words.next().expect("a number"), words.next().expect("a version"))
}

/// A call that was placed, and its INVITE.
async fn dialled(more: &str) -> (Placing, String) {
    let more = if more.is_empty() { DELAYED.to_owned() } else { format!("{DELAYED}, {more}") };
    let mut call = placing(&more, |_| ()).await;
    let invite = call.carrier.hears("INVITE").await;
    assert!(body(&invite).is_empty() && !invite.contains("Content-Type"), "{invite}");
    assert!(invite.contains("100rel"), "the callee may offer before it is picked up: {invite}");
    (call, invite)
}

#[tokio::test]
async fn the_offer_in_a_200_is_answered_in_the_ack() {
    let (mut call, invite) = dialled("").await;
    call.carrier.says(&invite, "180 Ringing", "", "").await;
    call.attributes_until("sip.callStatus", "ringing").await;
    call.carrier.says(&invite, "200 OK", "", SDP).await;
    let ack = call.carrier.hears("ACK").await;
    for part in ["Content-Type: application/sdp", "RTP/AVP 0 101\r\n", "a=sendrecv"] {
        assert!(ack.contains(part), "{part} is not in\n{ack}");
    }
    assert!(!ack.contains("m=audio 0 "));
    call.attributes_until("sip.callStatus", "active").await;
    // From here on the call is like every other: an offer of the phone's is one of the same session.
    call.carrier.asks(&invite, "INVITE", "Content-Type: application/sdp\r\n", &SDP.replace("1 1 IN", "1 2 IN")).await;
    let again = call.carrier.hears("SIP/2.0 200").await;
    assert_eq!(origin(&again), origin(&ack), "nothing has changed");
    call.carrier.asks(&invite, "ACK", "", "").await;
    call.orders.send(Order::Hangup(EndReason::LocalHangup)).await.unwrap();
    call.carrier.hears("BYE").await;
    assert_eq!(call.ends().await, EndReason::LocalHangup);
}

#[tokio::test]
async fn the_offer_in_a_183_is_answered_in_the_prack() {
    let (mut call, invite) = dialled("").await;
    call.carrier.says(&invite, RINGS, &reliably(7), SDP).await;
    let prack = call.carrier.hears("PRACK").await;
    assert!(prack.contains("RAck: 7 1 INVITE") && body(&prack).contains("RTP/AVP 0 101\r\n"), "{prack}");
    call.carrier.says(&prack, "200 OK", "", "").await;
    call.attributes_until("sip.callStatus", "ringing").await;
    // Some say it once more.
    call.carrier.says(&invite, "200 OK", "", SDP).await;
    let ack = call.carrier.hears("ACK").await;
    assert!(body(&ack).is_empty(), "{ack}");
    call.attributes_until("sip.callStatus", "active").await;
    call.carrier.asks(&invite, "INVITE", "Content-Type: application/sdp\r\n", &SDP.replace("1 1 IN", "1 2 IN")).await;
    let again = call.carrier.hears("SIP/2.0 200").await;
    assert_eq!(origin(&again).0, origin(&prack).0, "the session is that of the PRACK");
}

/// Each has an answer of its own, and what goes for the call is that to the one which was picked up.
#[tokio::test]
async fn several_phones_offer_and_one_is_picked_up() {
    let (mut call, invite) = dialled("media: {encryption: SIP_MEDIA_ENCRYPT_ALLOW}").await;
    let mut answers = Vec::new();
    for (phone, port) in [("first", "40000"), ("callee", "40002"), ("third", "40004")] {
        let offer = format!("{}{KEYS}", SDP.replace("40000", port));
        call.carrier.says_as(phone, &invite, RINGS, &reliably(1), &offer).await;
        let prack = call.carrier.hears("PRACK").await;
        assert!(prack.contains(&format!(";tag={phone}")), "{prack}");
        call.carrier.says(&prack, "200 OK", "", "").await;
        answers.push(prack);
    }
    let sessions: std::collections::BTreeSet<_> = answers.iter().map(|answer| origin(answer).0).collect();
    let key = |answer: &str| answer.lines().find(|line| line.starts_with("a=crypto:3")).map(str::to_owned);
    let keys: std::collections::BTreeSet<_> = answers.iter().map(|answer| key(answer)).collect();
    assert_eq!((sessions.len(), keys.len()), (3, 3), "{answers:#?}");
    call.carrier.says(&invite, "200 OK", "", "").await;
    assert!(body(&call.carrier.hears("ACK").await).is_empty());
    call.attributes_until("sip.callStatus", "active").await;
    let again = format!("{}{KEYS}", SDP.replace("1 1 IN", "1 2 IN").replace("40000", "40002"));
    call.carrier.asks(&invite, "INVITE", "Content-Type: application/sdp\r\n", &again).await;
    let again = call.carrier.hears("SIP/2.0 200").await;
    assert_eq!((origin(&again), key(&again)), (origin(&answers[1]), key(&answers[1])));
}

/// Neither PRACK nor ACK can refuse an offer: the answer takes nothing of it, and the call ends.
#[tokio::test]
async fn what_we_do_not_take_is_answered_and_the_call_ends() {
    let foreign = SDP.replace("RTP/AVP 0 101", "RTP/AVP 18");
    let sealed = format!("{}{KEYS}", SDP.replace("RTP/AVP", "RTP/SAVP"));
    let require = "media: {encryption: SIP_MEDIA_ENCRYPT_REQUIRE}";
    // Name, the trunk, the offer, the line of our answer, the end, what whoever has placed the call hears.
    let cases = [
        ("no codec", "", foreign.as_str(), Some("m=audio 0 RTP/AVP 18\r\n"), "no_codec", "cannot be taken"),
        ("plain RTP, ruled out", require, SDP, Some("m=audio 0 RTP/AVP 0 101\r\n"), "no_srtp", "requires encryption"),
        ("SRTP, switched off", "", &sealed, Some("m=audio 0 RTP/SAVP 0 101\r\n"), "no_srtp", "requires encryption"),
        ("no description", "", "hello", None, "bad_offer", "cannot be taken"),
    ];
    for (name, trunk, offer, line, label, told) in cases {
        for is_early in [false, true] {
            let (mut call, invite) = dialled(trunk).await;
            let answer = if is_early {
                call.carrier.says(&invite, RINGS, &reliably(1), offer).await;
                call.carrier.hears("PRACK").await
            } else {
                call.carrier.says(&invite, "200 OK", "", offer).await;
                call.carrier.hears("ACK").await
            };
            match line {
                Some(line) => assert!(answer.contains(line), "{name}: {answer}"),
                None => assert!(body(&answer).is_empty(), "{name}: {answer}"),
            }
            let end = call.carrier.hears(if is_early { "CANCEL" } else { "BYE" }).await;
            assert!(end.contains("Reason: Q.850;cause=88") && end.contains(label), "{name}: {end}");
            assert!(matches!(call.hears().await, Progress::Joined(_)), "{name}");
            let progress = call.hears().await;
            let progress = if progress == Progress::Ringing { call.hears().await } else { progress };
            let Progress::Failed(error) = progress else { panic!("{name}: {progress:?}") };
            assert!(error.to_string().contains(told), "{name}: {error}");
            assert_eq!(call.ends().await.outcome().label, label, "{name}");
        }
    }
}

#[tokio::test]
async fn a_callee_that_offers_nothing_is_hung_up() {
    for early in [None, Some(RINGS)] {
        let (mut call, invite) = dialled("").await;
        if let Some(status) = early {
            // Not acknowledged, and so no offer.
            call.carrier.says(&invite, status, "", SDP).await;
            call.attributes_until("sip.callStatus", "ringing").await;
        }
        call.carrier.says(&invite, "200 OK", "", "").await;
        assert!(body(&call.carrier.hears("ACK").await).is_empty());
        assert!(call.carrier.hears("BYE").await.contains("no_offer"));
        assert_eq!(call.ends().await, EndReason::OfferMissing);
    }
}

/// What a carrier refuses that takes no INVITE without an offer is not tried with one.
#[tokio::test]
async fn a_carrier_that_wants_our_offer_refuses_for_good() {
    let (mut call, invite) = dialled("media: {encryption: SIP_MEDIA_ENCRYPT_ALLOW}").await;
    call.carrier.says(&invite, "488 Not Acceptable Here", "", "").await;
    call.carrier.hears("ACK").await;
    assert_eq!(call.ends().await.outcome().label, "not_acceptable");
}
