//! Talk with pauses, from either side.

use std::time::Duration;

use serde_json::json;
use tests::peers::phone::Rtp;

use super::desk::{Desk, ROOM_TONE};

/// A participant who is mute for a while is silence to the phone, whose packets go on, and is heard again at once.
pub(super) fn of_the_room(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    for muted in [true, false] {
        desk.listener.tell("mute", json!({"room": desk.room, "identity": "far-end", "muted": muted}));
        if muted {
            desk.phone_hears_nothing(&rtp);
        } else {
            desk.phone_hears(&rtp, ROOM_TONE);
        }
        assert_eq!(rtp.heard().missing(), 0);
    }
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// A phone that sends nothing while nobody speaks, and no comfort noise either.
pub(super) fn of_the_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    for tone in [480.0, 520.0] {
        rtp.stop();
        desk.room_hears_nothing();
        std::thread::sleep(Duration::from_millis(500));
        desk.talk(&mut player, 1, &mut rtp, tone);
    }
    player.go();
    player.succeeds();
}
