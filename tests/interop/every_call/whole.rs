//! One call through all that a call may go through, heard both ways after every step.

use serde_json::json;
use tests::peers::phone::{Format, Law, Rtp};

use super::desk::Desk;
use super::hold;

const SESSION: &str = "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n";

pub(super) fn call(desk: &mut Desk<'_>) {
    desk.join();
    let format = |law, kind| Format { law, says: (kind, 101), hears: (kind, 101), ..Format::default() };
    let mut first = Rtp::new();
    let mut moved = Rtp::at([127, 0, 0, 2], Format::default());
    let (mut a_law, mut wide) = (Rtp::speaking(format(Law::A, 8)), Rtp::speaking(format(Law::Wide, 9)));
    let mut last = Rtp::new();
    let scenario = desk
        .caller()
        .invites(SESSION, &first.offer())
        .gets(200)
        .acknowledges("")
        .waits()
        // 2: the phone holds; 3: and resumes.
        .offers(&hold::SENDONLY(&first.offer()))
        .waits()
        .offers(&first.offer())
        .waits()
        .asks("UPDATE", SESSION, "")
        .gets(200)
        // The room holds and resumes.
        .hears("INVITE")
        .replies("200 OK", "", &format!("{}a=recvonly\r\n", first.offer()))
        .hears("ACK")
        .hears("INVITE")
        .replies("200 OK", "", &first.offer())
        .hears("ACK")
        .waits()
        // 4: another address and port; 5, 6 and 7: other codecs.
        .offers(&moved.offer())
        .waits()
        .offers(&a_law.offer())
        .waits()
        .offers(&wide.offer())
        .waits()
        .offers(&last.offer())
        .waits()
        .hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut first, 440.0);
    player.go();
    player.answer("INVITE", 2);
    desk.attribute("sip.hold", "true");
    desk.phone_hears_nothing(&first);
    player.go();
    desk.talk(&mut player, 3, &mut first, 460.0);
    player.go();
    assert_eq!(player.answer("UPDATE", 1).status(), 200);
    desk.talk(&mut player, 3, &mut first, 480.0);
    for (method, hears) in [("trunkline.hold", false), ("trunkline.resume", true)] {
        let number = desk.begin(method, "");
        assert_eq!(desk.result(number)["payload"], json!("{}"), "{method}");
        if hears {
            desk.both_hear(&first, 480.0);
        } else {
            desk.phone_hears_nothing(&first);
        }
    }
    first.stop();
    for (nth, rtp, tone) in
        [(4, &mut moved, 500.0), (5, &mut a_law, 520.0), (6, &mut wide, 540.0), (7, &mut last, 560.0)]
    {
        player.go();
        desk.talk(&mut player, nth, rtp, tone);
        assert_eq!(rtp.heard().missing(), 0, "step {nth}");
        rtp.stop();
    }
    player.go();
    player.succeeds();
    desk.gone();
}
