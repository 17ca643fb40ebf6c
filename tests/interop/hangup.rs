//! The ends of a call, from either side, and what the other side sees of each.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const CALLER: &str = "sip_+15550199";
const SOON: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn the_phone_hangs_up_and_the_participant_is_gone_within_a_second() {
    let Some((mut bed, mut phone)) = talking("hangup-phone", &Setup::room("talk")) else { return };
    let start = Instant::now();
    assert_eq!(phone.bye().status(), 200);
    let left = bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    assert!(left.at - start <= SOON, "{:?}", left.at - start);
    let again = phone.bye();
    assert_eq!(again.status(), 481, "the call is over");
}

#[test]
fn the_participant_is_removed_and_the_phone_hears_it_within_a_second() {
    let Some((mut bed, mut phone)) = talking("hangup-removed", &Setup::room("talk")) else { return };
    let start = Instant::now();
    bed.listener.tell("remove", json!({"room": "talk", "identity": CALLER}));
    expect_bye(&mut phone, start, SOON);
}

#[test]
fn the_room_is_deleted_and_the_phone_hears_it_within_a_second() {
    let Some((mut bed, mut phone)) = talking("hangup-deleted", &Setup::room("talk")) else { return };
    let start = Instant::now();
    bed.listener.tell("delete", json!({"room": "talk"}));
    expect_bye(&mut phone, start, SOON);
}

#[test]
fn a_caller_who_gives_up_is_gone() {
    let Some(mut bed) = Bed::new("hangup-cancel", &Setup::room("talk"), &[]) else { return };
    bed.listener.join_silently("talk");
    let mut phone = Phone::new(bed.gateway.sip());
    phone.invite(NUMBER, "");
    bed.listener.participant(CALLER);
    let start = Instant::now();
    phone.cancel();
    assert_eq!(phone.answer().expect("a cancelled INVITE is answered").status(), 487);
    let left = bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    assert!(left.at - start <= SOON, "{:?}", left.at - start);
}

#[test]
fn nobody_answers() {
    let mut setup = Setup::room("talk");
    setup.trunks[0]["ringing_timeout"] = "2s".into();
    let Some(mut bed) = Bed::new("hangup-unanswered", &setup, &[]) else { return };
    bed.listener.join_silently("talk");
    let mut phone = Phone::new(bed.gateway.sip());
    let start = Instant::now();
    let answer = phone.call(NUMBER);
    assert_eq!(answer.status(), 480, "{}", answer.start());
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn no_rtp_ever_comes() {
    let setup = Setup::room("talk").with("media_timeout_initial", json!("2s"));
    let Some(mut bed) = Bed::new("hangup-mute", &setup, &[]) else { return };
    bed.listener.join("talk", 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    let answer = phone.call(NUMBER);
    phone.ack(&answer);
    let start = Instant::now();
    let at = expect_bye(&mut phone, start, Duration::from_secs(4));
    assert!(at >= Duration::from_millis(1_500), "{at:?}");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn rtp_stops() {
    let setup = Setup::room("talk").with("media_timeout", json!("2s"));
    let Some((mut bed, mut phone)) = talking("hangup-silence", &setup) else { return };
    phone.rtp.stop();
    let start = Instant::now();
    let at = expect_bye(&mut phone, start, Duration::from_secs(4));
    assert!(at >= Duration::from_millis(1_500), "{at:?}");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn a_call_may_last_only_so_long() {
    let mut setup = Setup::room("talk");
    setup.trunks[0]["max_call_duration"] = "3s".into();
    let Some((_bed, mut phone)) = talking("hangup-duration", &setup) else { return };
    expect_bye(&mut phone, Instant::now(), Duration::from_secs(5));
}

/// RFC 3261 §13.3.1.4: the 200 is repeated until 64·T1, then the call is given up with a BYE.
#[test]
fn the_answer_is_never_acknowledged() {
    let Some(mut bed) = Bed::aside("hangup-no-ack", &Setup::room("talk"), &[]) else { return };
    bed.listener.join("talk", 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    let answer = phone.call(NUMBER);
    assert_eq!(answer.status(), 200);
    let media = answer.media().expect("the answer says where its media is");
    phone.rtp.start(media, Some((440.0, -15.0)));
    let again = phone.answer_within(Duration::from_secs(2)).expect("an answer without ACK is repeated");
    assert_eq!(again.status(), 200);
    let at = expect_bye(&mut phone, Instant::now(), Duration::from_secs(40));
    assert!(at > Duration::from_secs(20), "{at:?}");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn a_gateway_that_drains_takes_no_call_and_ends_none() {
    let Some((mut bed, mut phone)) = talking("hangup-drain", &Setup::room("talk")) else { return };
    bed.gateway.process().terminate();
    // A call that comes before the signal has arrived is taken, and would put the first one of the same number out.
    let told = tests::within(LIMIT, || bed.gateway.process().output().contains("draining"));
    assert!(told.is_some(), "the log says that the gateway drains");
    let refused = Phone::new(bed.gateway.sip()).call(NUMBER);
    assert_eq!(refused.status(), 503, "{}", refused.start());
    assert!(refused.header("Retry-After").is_some(), "{refused:?}");
    bed.listener.forget();
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    assert_eq!(phone.bye().status(), 200);
    let ended = bed.gateway.process().wait(LIMIT);
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

/// A call that stands, both sides heard.
fn talking(name: &str, setup: &Setup) -> Option<(Bed, Phone)> {
    let mut bed = Bed::new(name, setup, &[])?;
    bed.listener.join("talk", 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    bed.listener.forget();
    Some((bed, phone))
}

/// Waits for BYE and returns how long after `start` it came.
fn expect_bye(phone: &mut Phone, start: Instant, limit: Duration) -> Duration {
    let (at, bye) = phone.expect_request("BYE", limit + LIMIT).expect("the gateway says BYE");
    assert!(at - start <= limit, "BYE came after {:?}", at - start);
    assert!(bye.header("Reason").is_some(), "a BYE of ours says why: {bye:?}");
    at - start
}
