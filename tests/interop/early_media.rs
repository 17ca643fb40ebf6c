//! What a caller hears before he is answered.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const ROOM: &str = "lobby";
const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(10);

/// He hears the room by 183, is heard there, and is answered when a participant asks for it; the stream is one.
#[test]
fn a_caller_hears_the_room_until_a_participant_answers_him() {
    let mut setup = Setup::room(ROOM);
    setup.rules[0]["answer"] = json!("on_request");
    setup.rules[0]["early_media"] = json!(true);
    let Some(mut bed) = Bed::new("early-media", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.invite(NUMBER, "");
    assert!(phone.answer_within(Duration::from_millis(1_500)).is_none(), "an audience does not answer the call");
    let progress: Vec<_> = phone.provisional.iter().filter(|message| message.status() == 183).collect();
    assert!(progress.len() >= 2, "it is told again and again: {:?}", phone.provisional);
    assert!(phone.provisional.iter().all(|message| message.status() != 180));
    let early = progress[0].body().to_owned();
    let media = progress[0].media().expect("183 has a description");
    phone.rtp.start(media, Some((440.0, -15.0)));
    expect_tone(&phone, 880.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    bed.listener.attribute(CALLER, "sip.callStatus", "ringing");

    let request = json!({"identity": CALLER, "method": "trunkline.answer", "payload": ""});
    let answered = bed.listener.tell("rpc", request.clone());
    assert_eq!(answered["payload"], "{}", "{answered}");
    let answer = phone.answer().expect("a final answer");
    assert_eq!((answer.status(), answer.body()), (200, early.as_str()), "RFC 3261 §13.2.1: the same description");
    phone.ack(&answer);
    bed.listener.attribute(CALLER, "sip.callStatus", "active");
    expect_tone(&phone, 880.0);
    bed.listener.forget();
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    assert_eq!(phone.rtp.heard().missing(), 0);
    let again = bed.listener.tell("rpc", request);
    assert_eq!(again["code"], 1500, "he waits no longer: {again}");
    assert_eq!(phone.bye().status(), 200);
}

fn expect_tone(phone: &Phone, pitch: f64) {
    let heard = tests::within(LIMIT, || phone.rtp.measure().is_tone(pitch, -15.0));
    assert!(heard.is_some(), "the phone should hear {pitch} Hz, but it is {:?}", phone.rtp.measure());
}
