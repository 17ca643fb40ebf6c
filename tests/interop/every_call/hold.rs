//! Hold by either side, and where a call goes on afterwards.

use std::time::Duration;

use serde_json::json;
use tests::peers::baresip::Baresip;
use tests::peers::phone::{Format, Law, Message, Rtp};

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};
use super::pin::MUSIC;

/// An offer made one that holds.
type Held = fn(&str) -> String;

pub(super) const SENDONLY: Held = |offer| format!("{offer}a=sendonly\r\n");
pub(super) const INACTIVE: Held = |offer| format!("{offer}a=inactive\r\n");
/// As before RFC 3264.
pub(super) const ZEROS: Held = |offer| offer.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
pub(super) const BOTH: Held = |offer| INACTIVE(&ZEROS(offer));

/// Where the phone is afterwards.
type Elsewhere = fn() -> Rtp;

pub(super) const PORT: Elsewhere = Rtp::new;
pub(super) const ADDRESS: Elsewhere = || Rtp::at([127, 0, 0, 2], Format::default());
pub(super) const TYPE: Elsewhere = || Rtp::speaking(Format { says: (96, 98), hears: (96, 98), ..Format::default() });
pub(super) const PCMA: Elsewhere =
    || Rtp::speaking(Format { law: Law::A, says: (8, 101), hears: (8, 101), ..Format::default() });
pub(super) const G722: Elsewhere =
    || Rtp::speaking(Format { law: Law::Wide, says: (9, 101), hears: (9, 101), ..Format::default() });

/// Media may stay away for one second only, unless the phone holds.
pub(super) fn impatient(terms: &mut Terms<'_>) {
    terms.trunk["media"] = json!({"media_timeout": "1s"});
}

/// A phone that the room holds hears this.
pub(super) fn musical(terms: &mut Terms<'_>) {
    terms.rule["prompts"] = json!({"hold": terms.recordings["music"]});
}

pub(super) fn by_phone(desk: &mut Desk<'_>, held: Held, elsewhere: Elsewhere) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), elsewhere());
    let scenario = desk.answered(&rtp).offers(&held(&rtp.offer())).waits().offers(&other.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    let answer = player.answer("INVITE", 2);
    assert!(is_held(&answer), "{answer:?}");
    desk.attribute("sip.hold", "true");
    desk.phone_hears_nothing(&rtp);
    // It is silent for longer than the timeout.
    rtp.stop();
    std::thread::sleep(Duration::from_millis(2_500));
    desk.listener.forget();
    player.go();
    assert!(!is_held(&player.answer("INVITE", 3)));
    desk.talk(&mut player, 3, &mut other, 520.0);
    desk.attribute_is_gone("sip.hold");
    player.go();
    player.succeeds();
    desk.gone();
}

/// Who was called may hold as well.
pub(super) fn by_callee(desk: &mut Desk<'_>, held: Held) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let picked_up = Desk::picked_up("", &rtp.offer()).waits();
    let scenario = picked_up.offers(&held(&rtp.offer())).waits().offers(&other.offer()).waits().hangs_up("");
    let (mut player, _) = desk.reach(scenario, &mut rtp, &json!({}));
    player.go();
    assert!(is_held(&player.answer("INVITE", 1)));
    desk.attribute("sip.hold", "true");
    desk.phone_hears_nothing(&rtp);
    rtp.stop();
    player.go();
    desk.talk(&mut player, 2, &mut other, 520.0);
    desk.attribute_is_gone("sip.hold");
    player.go();
    player.succeeds();
}

/// Who is told `sendonly` listens (RFC 3264 §8.4): the room hears what the phone plays meanwhile.
pub(super) fn with_music(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario =
        desk.answered(&rtp).offers(&SENDONLY(&rtp.offer())).waits().offers(&rtp.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    let media = player.answer("INVITE", 2).media().expect("an answer has media");
    rtp.start(media, Some((620.0, -15.0)));
    desk.room_hears(620.0);
    desk.phone_hears_nothing(&rtp);
    player.go();
    desk.talk(&mut player, 3, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// A phone that only listens is heard no more, and hears.
pub(super) fn listening(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = desk.answered(&rtp).offers(&listening_to(&rtp)).waits().offers(&rtp.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    let answer = player.answer("INVITE", 2);
    assert!(answer.body().contains("a=sendonly"), "{answer:?}");
    desk.phone_hears(&rtp, ROOM_TONE);
    player.go();
    desk.talk(&mut player, 3, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// `baresip` records nothing any more once it has held: what it gets afterwards is in its own count of bits a second.
pub(super) fn by_baresip(desk: &mut Desk<'_>) {
    desk.join();
    let mut phone = desk.baresip(Baresip::NARROW, "udp", 440.0, "");
    phone.call(&desk.number, desk.gateway.sip(), "udp");
    desk.room_hears(440.0);
    std::thread::sleep(Duration::from_millis(1_500));
    phone.command("hold", "");
    desk.attribute("sip.hold", "true");
    desk.room_hears_nothing();
    desk.listener.forget();
    phone.command("resume", "");
    desk.attribute_is_gone("sip.hold");
    desk.room_hears(440.0);
    // It counts every few seconds.
    std::thread::sleep(Duration::from_secs(4));
    let mut gets = || phone.process().output().rsplit("audio=").next()?.split(['/', ' ']).nth(1)?.parse::<u32>().ok();
    assert!(tests::within(LIMIT, || gets().is_some_and(|bits| bits > 50_000)).is_some(), "it gets {:?}", gets());
    desk.room_hears(440.0);
    desk.hang_up_and_judge(&phone, ROOM_TONE, 8_000);
}

pub(super) fn by_room(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let held = desk.connected(&rtp).agrees(&listening_to(&rtp)).agrees(&rtp.offer());
    let mut player = desk.call(held.refuses("488 Not Acceptable Here").waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    hold_and_resume(desk, &rtp);
    assert!(player.request("INVITE", 1).body().contains("a=sendonly"));
    assert!(!is_held(&player.request("INVITE", 2)));
    desk.both_hear(&rtp, 440.0);
    // A phone that does not want to be held goes on as before.
    let number = desk.begin("trunkline.hold", "");
    assert_eq!(desk.result(number)["code"], 1500);
    desk.listener.forget();
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

pub(super) fn of_a_callee(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let picked_up = Desk::picked_up("", &rtp.offer()).agrees(&listening_to(&rtp)).agrees(&rtp.offer());
    let (mut player, _) = desk.reach(picked_up.waits().hangs_up(""), &mut rtp, &json!({}));
    hold_and_resume(desk, &rtp);
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// The phone hears the file of the rule over and over.
pub(super) fn by_room_with_a_file(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let held = desk.connected(&rtp).agrees(&listening_to(&rtp)).agrees(&rtp.offer());
    let mut player = desk.call(held.waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    ask(desk, "trunkline.hold");
    desk.phone_hears(&rtp, MUSIC);
    std::thread::sleep(Duration::from_millis(2_500));
    desk.phone_hears(&rtp, MUSIC);
    desk.room_hears_nothing();
    ask(desk, "trunkline.resume");
    desk.listener.forget();
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// Both hold; whoever resumes first hears nothing yet.
pub(super) fn by_both(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let held = desk.answered(&rtp).offers(&INACTIVE(&rtp.offer())).agrees(&INACTIVE(&rtp.offer())).waits();
    let scenario = held.offers(&rtp.offer()).agrees(&rtp.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    desk.attribute("sip.hold", "true");
    ask(desk, "trunkline.hold");
    desk.attribute("trunkline.hold", "true");
    player.go();
    let answer = player.answer("INVITE", 3);
    assert!(answer.body().contains("a=sendonly"), "the room holds still: {answer:?}");
    desk.attribute_is_gone("sip.hold");
    desk.phone_hears_nothing(&rtp);
    desk.room_hears_nothing();
    ask(desk, "trunkline.resume");
    desk.listener.forget();
    desk.talk(&mut player, 3, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// RFC 3261 §14.1: who gets 491 waits a while and offers again.
pub(super) fn by_room_after_491(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let refused = desk.connected(&rtp).refuses("491 Request Pending");
    let scenario = refused.agrees(&listening_to(&rtp)).agrees(&rtp.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    hold_and_resume(desk, &rtp);
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// Both offer at once: the phone's is refused with 491 (RFC 3261 §14.2) and comes again later.
pub(super) fn crossing(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let crossed = desk.connected(&rtp).hears("INVITE").asks("INVITE", "", &other.offer()).may_get(&[100]).gets(491);
    let held = crossed.takes_refusal().replies("200 OK", "", &listening_to(&rtp)).hears("ACK");
    let scenario = held.agrees(&rtp.offer()).waits().offers(&other.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    hold_and_resume(desk, &rtp);
    desk.both_hear(&rtp, 440.0);
    player.go();
    desk.talk(&mut player, 3, &mut other, 520.0);
    player.go();
    player.succeeds();
}

/// A phone without UPDATE answers our refresh late: the hold waits for it. Then both refuse each other, and ours comes again.
pub(super) fn while_refreshing(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let wish = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: INVITE, ACK, BYE\r\n";
    let granted = "Require: timer\r\nSession-Expires: 90;refresher=uac\r\nAllow: INVITE, ACK, BYE\r\n";
    let called = desk.caller().invites(wish, &rtp.offer()).gets(200).acknowledges("");
    let refreshed = called.hears("INVITE").replies("100 Trying", "", "").waits();
    let refreshed = refreshed.replies("200 OK", granted, &rtp.offer()).hears("ACK");
    let crossed = refreshed.hears("INVITE").asks("INVITE", "", &rtp.offer()).may_get(&[100]).gets(491);
    let crossed = crossed.takes_refusal().replies("491 Request Pending", "", "").hears("ACK");
    let held = crossed.agrees(&listening_to(&rtp)).agrees(&rtp.offer());
    let mut player = desk.call(held.waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    // Half of the shortest session that there is.
    assert!(tests::within(Duration::from_secs(50), || !player.requests("INVITE").is_empty()).is_some(), "no refresh");
    let number = desk.begin("trunkline.hold", "");
    std::thread::sleep(Duration::from_secs(2));
    assert!(player.requests("INVITE").iter().all(|invite| !is_held(invite)), "the refresh is not over");
    player.go();
    assert_eq!(desk.result(number)["payload"], "{}");
    hold(desk, &rtp);
    ask(desk, "trunkline.resume");
    desk.listener.forget();
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// The room holds the phone, which hears nothing of it, and lets it go.
fn hold_and_resume(desk: &mut Desk<'_>, rtp: &Rtp) {
    ask(desk, "trunkline.hold");
    hold(desk, rtp);
    ask(desk, "trunkline.resume");
    desk.listener.forget();
}

/// The room has held the phone.
#[track_caller]
fn hold(desk: &mut Desk<'_>, rtp: &Rtp) {
    desk.attribute("trunkline.hold", "true");
    desk.phone_hears_nothing(rtp);
    desk.room_hears_nothing();
    let packets = rtp.heard().packets.len();
    assert!(tests::within(LIMIT, || rtp.heard().packets.len() >= packets + 50).is_some(), "silence is sent");
    assert!(rtp.heard().samples.iter().all(|sample| sample.abs() < 100), "and nothing but silence");
}

/// Calls a procedure of the phone that succeeds.
#[track_caller]
fn ask(desk: &mut Desk<'_>, method: &str) {
    let number = desk.begin(method, "");
    assert_eq!(desk.result(number)["payload"], "{}", "{method}");
}

fn listening_to(rtp: &Rtp) -> String {
    format!("{}a=recvonly\r\n", rtp.offer())
}

fn is_held(message: &Message) -> bool {
    ["a=recvonly", "a=sendonly", "a=inactive"].iter().any(|word| message.body().contains(word))
}
