//! Keys, each once, and the talk around them unharmed.

use std::time::Duration;

use serde_json::json;
use tests::peers::baresip::Baresip;
use tests::peers::phone::Rtp;

use super::desk::{Desk, LIMIT, ROOM_TONE};
use super::hold;

pub(super) fn from_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    for event in [1, 1, 10, 11, 15] {
        rtp.press(media, event);
        std::thread::sleep(Duration::from_millis(60));
    }
    desk.keys("11*#D");
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

pub(super) fn to_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let held = desk.answered(&rtp).offers(&hold::SENDONLY(&rtp.offer())).waits();
    let mut player = desk.call(held.offers(&rtp.offer()).waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    rtp.forget();
    desk.listener.tell("dtmf", json!({"digits": "12"}));
    desk.listener.tell("press", json!({"digits": "3w#"}));
    expect_keys(&rtp, "123#");
    assert_eq!(rtp.heard().missing(), 0, "the talk around the keys has no gap");
    player.go();
    player.answer("INVITE", 2);
    desk.attribute("sip.hold", "true");
    rtp.forget();
    desk.listener.tell("dtmf", json!({"digits": "45"}));
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(rtp.heard().digits(), "", "a held phone hears no keys");
    player.go();
    player.answer("INVITE", 3);
    expect_keys(&rtp, "45");
    desk.talk(&mut player, 3, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

pub(super) fn info(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(
        desk.answered(&rtp)
            .asks("INFO", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=160\r\n")
            .gets(200)
            .asks("INFO", "Content-Type: application/dtmf\r\n", "#")
            .gets(200)
            .asks("INFO", "Content-Type: text/plain\r\n", "7")
            .gets(415)
            .waits()
            .hangs_up(""),
    );
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    desk.keys("5#");
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

pub(super) fn from_baresip(desk: &mut Desk<'_>) {
    desk.join();
    desk.caller = "+15550177".to_owned();
    let mut phone = Baresip::start("tcp", 440.0, "", desk.scratch);
    phone.call(&desk.number, desk.gateway.sip(), "tcp");
    desk.room_hears(440.0);
    phone.press("50*#");
    desk.keys("50*#");
    desk.room_hears(440.0);
    desk.hang_up_and_judge(&phone, ROOM_TONE, 8_000);
}

fn expect_keys(rtp: &Rtp, digits: &str) {
    tests::within(LIMIT, || rtp.heard().digits().len() >= digits.len());
    // One key more would come soon.
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(rtp.heard().digits(), digits);
}
