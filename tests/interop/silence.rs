//! What is heard of a room that says nothing, where nobody has asked for comfort noise.

use std::time::Duration;

use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const LIMIT: Duration = Duration::from_secs(15);
const ROOM: &str = "quiet";
const CALLER: &str = "sip_+15550199";

/// Silence is sent as such: NATs, recorders and media timeouts of others expect packets.
#[test]
fn a_phone_that_knows_comfort_noise_gets_packets_all_the_same() {
    let mut setup = Setup::room(ROOM);
    setup.rules[0]["answer"] = "immediately".into();
    let Some(mut bed) = Bed::new("comfort-noise", &setup, &[]) else { return };
    bed.listener.join_silently(ROOM);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.rtp.noise = true;
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    std::thread::sleep(Duration::from_secs(1));
    phone.rtp.forget();
    std::thread::sleep(Duration::from_secs(6));
    let ear = phone.rtp.heard();
    assert!(ear.packets.len() >= 290 && ear.noise.is_empty(), "{} of audio", ear.packets.len());
    bed.listener.tell("tone", serde_json::json!({"hz": 880.0}));
    let is_heard = || phone.rtp.measure().is_tone(880.0, -15.0);
    assert!(tests::within(LIMIT, is_heard).is_some(), "{:?}", phone.rtp.measure());
    phone.bye();
}
