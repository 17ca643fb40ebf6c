//! What is heard before the answer, beside the rows of `every_call`.

use serde_json::json;
use tests::peers::phone::Rtp;

use super::{CALLED, LIMIT, ROOM, bed, expect_tone, request};

#[test]
fn early_media_changes_to_that_of_the_answer() {
    let Some((mut bed, mut callee)) = bed("outbound-early-changed", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.play_early(660.0);
    bed.listener.hear(CALLED, 660.0, -15.0, LIMIT);
    let before = callee.rtp.heard();
    assert!(before.samples.iter().all(|sample| sample.abs() < 100), "the callee hears nobody before it has answered");
    // Another socket answers, as where an announcement gives way to a person.
    callee.rtp = Rtp::new();
    callee.pick_up(Some(440.0));
    assert_eq!(pending.finish().status, 200);
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    expect_tone(&mut callee, 880.0);
}

#[test]
fn a_dialtone_is_heard_until_the_answer() {
    let Some((mut bed, mut callee)) = bed("outbound-dialtone", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({"play_dialtone": true})));
    callee.invited();
    callee.reply("180 Ringing");
    bed.listener.expect("the tone of ringing", LIMIT, |e| {
        let number = |name: &str| e.line[name].as_f64().unwrap_or(0.0);
        e.kind() == "heard" && (number("pitch") - 425.0).abs() < 5.0 && number("share") > 0.8
    });
    callee.pick_up(Some(440.0));
    assert_eq!(pending.finish().status, 200);
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
}
