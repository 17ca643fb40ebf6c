//! Hold by either side, and where a call goes on afterwards.

use std::time::Duration;

use serde_json::json;
use tests::peers::baresip::Baresip;
use tests::peers::phone::{Format, Law, Message, Rtp};

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};

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
pub(super) fn impatient(terms: &mut Terms) {
    terms.trunk["media"] = json!({"media_timeout": "1s"});
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
    let listens = format!("{}a=recvonly\r\n", rtp.offer());
    let mut player = desk.call(desk.answered(&rtp).offers(&listens).waits().offers(&rtp.offer()).waits().hangs_up(""));
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

pub(super) fn by_baresip(desk: &mut Desk<'_>) {
    desk.join();
    desk.caller = "+15550177".to_owned();
    let mut phone = Baresip::start("udp", 440.0, "", desk.scratch);
    phone.call(&desk.number, desk.gateway.sip(), "udp");
    desk.room_hears(440.0);
    phone.command("hold", "");
    desk.attribute("sip.hold", "true");
    desk.room_hears_nothing();
    desk.listener.forget();
    phone.command("resume", "");
    desk.attribute_is_gone("sip.hold");
    desk.room_hears(440.0);
    std::thread::sleep(Duration::from_millis(1_500));
    desk.hang_up_and_judge(&phone, ROOM_TONE, 8_000);
}

pub(super) fn by_room(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = desk
        .caller()
        .invites("", &rtp.offer())
        .gets(200)
        .acknowledges("")
        .hears("INVITE")
        .replies("200 OK", "", &listening_to(&rtp))
        .hears("ACK")
        .hears("INVITE")
        .replies("200 OK", "", &rtp.offer())
        .hears("ACK")
        .hears("INVITE")
        .replies("488 Not Acceptable Here", "", "")
        .hears("ACK")
        .waits()
        .hangs_up("");
    let mut player = desk.call(scenario);
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

/// RFC 3261 §14.1: who gets 491 waits a while and offers again.
pub(super) fn by_room_after_491(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = desk
        .caller()
        .invites("", &rtp.offer())
        .gets(200)
        .acknowledges("")
        .hears("INVITE")
        .replies("491 Request Pending", "", "")
        .hears("ACK")
        .hears("INVITE")
        .replies("200 OK", "", &listening_to(&rtp))
        .hears("ACK")
        .hears("INVITE")
        .replies("200 OK", "", &rtp.offer())
        .hears("ACK")
        .waits()
        .hangs_up("");
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
    let scenario = desk
        .caller()
        .invites("", &rtp.offer())
        .gets(200)
        .acknowledges("")
        .hears("INVITE")
        .asks("INVITE", "", &other.offer())
        .may_get(&[100])
        .gets(491)
        .takes_refusal()
        .replies("200 OK", "", &listening_to(&rtp))
        .hears("ACK")
        .hears("INVITE")
        .replies("200 OK", "", &rtp.offer())
        .hears("ACK")
        .waits()
        .offers(&other.offer())
        .waits()
        .hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    hold_and_resume(desk, &rtp);
    desk.both_hear(&rtp, 440.0);
    player.go();
    desk.talk(&mut player, 3, &mut other, 520.0);
    player.go();
    player.succeeds();
}

/// The room holds the phone, which hears nothing of it, and lets it go.
fn hold_and_resume(desk: &mut Desk<'_>, rtp: &Rtp) {
    let number = desk.begin("trunkline.hold", "");
    assert_eq!(desk.result(number)["payload"], "{}");
    desk.attribute("trunkline.hold", "true");
    desk.phone_hears_nothing(rtp);
    desk.room_hears_nothing();
    let packets = rtp.heard().packets.len();
    assert!(tests::within(LIMIT, || rtp.heard().packets.len() >= packets + 50).is_some(), "silence is sent");
    assert!(rtp.heard().samples.iter().all(|sample| sample.abs() < 100), "and nothing but silence");
    let number = desk.begin("trunkline.resume", "");
    assert_eq!(desk.result(number)["payload"], "{}");
    desk.listener.forget();
}

fn listening_to(rtp: &Rtp) -> String {
    format!("{}a=recvonly\r\n", rtp.offer())
}

fn is_held(message: &Message) -> bool {
    ["a=recvonly", "a=sendonly", "a=inactive"].iter().any(|word| message.body().contains(word))
}
