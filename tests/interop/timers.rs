//! Half an hour of a session of ninety seconds, for real. The rows of `every_call` have all that takes no such time.

use std::time::{Duration, Instant};

use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const LIMIT: Duration = Duration::from_secs(10);
const ROOM: &str = "talk";
const CALLER: &str = "sip_+15550199";
/// A re-INVITE is a refresh as well.
const OFFER: &str = "Content-Type: application/sdp\r\nSupported: timer\r\nSession-Expires: 90;refresher=uas\r\n";

#[test]
#[ignore = "takes half an hour: the same runs on virtual time in the tests of sip; to be run by hand before a release"]
fn half_an_hour_with_sessions_of_ninety_seconds() {
    let Some(mut bed) = Bed::new("timers-half-hour", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    let timer = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    let answer = phone.call_with(NUMBER, timer);
    assert_eq!(answer.header("Session-Expires"), Some("90;refresher=uas"));
    phone.ack(&answer);
    phone.rtp.start(answer.media().expect("the answer says where its media is"), Some((440.0, -15.0)));
    let start = Instant::now();
    let mut last = start;
    let mut refreshes = 0;
    while start.elapsed() < Duration::from_secs(1_800) {
        let Some(message) = phone.receive(Duration::from_secs(60)) else { panic!("no refresh for a minute") };
        assert!(message.is_request() && message.method() == "UPDATE", "{message:?}");
        assert!((40..50).contains(&last.elapsed().as_secs()), "after {:?}", last.elapsed());
        last = Instant::now();
        refreshes += 1;
        let session = "SIP/2.0 200 OK\r\nSession-Expires: 90;refresher=uac\r\nRequire: timer\r\n";
        phone.send(&message.reply("200 OK").replacen("SIP/2.0 200 OK\r\n", session, 1));
        // The phone holds for two refreshes.
        let change = match refreshes {
            10 => Some("a=sendonly\r\n"),
            12 => Some(""),
            _ => None,
        };
        if let Some(direction) = change {
            let offer = format!("{}{direction}", phone.rtp.offer());
            let answer = phone.in_dialog("INVITE", OFFER, &offer);
            assert_eq!(answer.status(), 200, "{answer:?}");
            phone.ack(&answer);
            last = Instant::now();
        }
        if refreshes == 10 {
            bed.listener.attribute(CALLER, "sip.hold", "true");
        }
        bed.listener.forget();
        bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
        if !(10..12).contains(&refreshes) {
            phone.rtp.forget();
            let heard = tests::within(LIMIT, || phone.rtp.measure().is_tone(880.0, -15.0));
            assert!(heard.is_some(), "the phone should hear the room, but it is {:?}", phone.rtp.measure());
        }
    }
    assert!(refreshes >= 39, "{refreshes} refreshes");
    // A phone that is gone.
    let deadline = Instant::now() + Duration::from_secs(120);
    let bye = loop {
        let message = phone.receive(deadline.saturating_duration_since(Instant::now())).expect("the gateway gives up");
        if message.method() == "BYE" {
            break message;
        }
    };
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("408")), "{bye:?}");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}
