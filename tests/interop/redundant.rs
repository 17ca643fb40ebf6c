//! Redundant audio (RFC 2198): the room sends it, and ours stays plain.

use std::time::Duration;

use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const ROOM: &str = "studio";
const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn the_room_repeats_its_packets_and_hears_ours() {
    let Some(mut bed) = Bed::new("redundant", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear("sip_+15550199", 440.0, -15.0, LIMIT);
    phone.rtp.forget();
    std::thread::sleep(Duration::from_millis(1_200));
    let heard = phone.rtp.measure();
    assert!(heard.is_tone(880.0, -15.0), "{heard:?}");
    let noted = bed.gateway.log().matches("redundant audio from the room").count();
    assert_eq!(noted, 1, "the participant's stream, once");
    assert_eq!(phone.bye().status(), 200);
}
