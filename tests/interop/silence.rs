//! Callers and rooms that say nothing for a while: what is left out, and what is heard of that at both ends.

use std::time::Duration;

use serde_json::json;
use tests::audio;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const LIMIT: Duration = Duration::from_secs(15);
const ROOM: &str = "quiet";
const CALLER: &str = "sip_+15550199";
const SAID: f64 = 440.0;
const ANSWERED: f64 = 1_000.0;
/// The noise of the caller's line, in dBFS.
const LINE: f64 = -50.0;

/// Two seconds of a tone and six without it, all over the noise of a line.
fn line() -> Vec<i16> {
    let mut random = 1u32;
    let peak = 32_768.0 * 3f64.sqrt() * 10f64.powf(LINE / 20.0);
    let mut noise = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(random.cast_signed()) / 2_147_483_648.0 * peak
    };
    let tone = audio::tone(SAID, -15.0, 8_000, 2.0);
    let said = tone.into_iter().chain(std::iter::repeat_n(0, 48_000));
    said.map(|sample| (f64::from(sample) + noise()) as i16).collect()
}

/// How loud the caller was in each half second, and in the quietest 20 ms of it, by the ears of LiveKit's own client.
fn levels(bed: &mut Bed) -> Vec<(f64, f64)> {
    let heard = bed.listener.seen().iter().filter(|event| event.kind() == "heard" && event.text("identity") == CALLER);
    heard.filter_map(|event| Some((event.line["level"].as_f64()?, event.line["quietest"].as_f64()?))).collect()
}

#[test]
fn a_caller_who_says_nothing_is_heard_to_be_there() {
    let mut received = Vec::new();
    for dtx in [true, false] {
        let setup = Setup::room(ROOM).with("opus", json!({"dtx": dtx}));
        let Some(mut bed) = Bed::alone(&format!("silence-{dtx}"), &setup, &[]) else { return };
        bed.listener.join(ROOM, ANSWERED);
        let mut phone = Phone::new(bed.gateway.sip());
        let answer = phone.call(NUMBER);
        phone.ack(&answer);
        phone.rtp.play(answer.media().expect("the answer says where its media is"), line());
        bed.listener.hear(CALLER, SAID, -15.0, LIMIT);
        // The line is known after its first pause, and the next one is listened to: from a second after its beginning on.
        std::thread::sleep(Duration::from_secs(6));
        bed.listener.forget();
        bed.listener.hear(CALLER, SAID, -15.0, LIMIT);
        std::thread::sleep(Duration::from_secs(3));
        bed.listener.forget();
        std::thread::sleep(Duration::from_millis(3_200));
        let levels = levels(&mut bed);
        assert!(levels.len() >= 5, "{levels:?}");
        println!("dtx {dtx}: a line of {LINE} dBFS sounds like {levels:.1?}");
        // Neither is the line quieter while it is not sent, nor does it drop out for a moment.
        for (level, quietest) in &levels {
            assert!((level - LINE).abs() <= 5.0 && quietest - LINE >= -8.0, "dtx {dtx}: {levels:.1?}");
        }
        bed.listener.hear(CALLER, SAID, -15.0, LIMIT);
        assert!(phone.rtp.measure().is_tone(ANSWERED, -15.0), "{:?}", phone.rtp.measure());
        let losses = bed.listener.tell("losses", json!({"identity": CALLER}));
        assert_eq!(losses["lost"], 0, "nothing is missing, for nothing was sent: {losses}");
        received.push(losses["received"].as_f64().expect("a number"));
        phone.bye();
    }
    // Of every eight seconds some two and a quarter are sent, and of the rest every tenth frame.
    println!("packets received with and without: {received:?}");
    assert!(received[0] < 0.6 * received[1], "{received:?}");
}

#[test]
fn a_phone_that_knows_comfort_noise_is_told_of_silence() {
    for wanted in [true, false] {
        let setup = Setup::room(ROOM).with("comfort_noise", json!(wanted)).with("answer", json!("immediately"));
        let Some(mut bed) = Bed::new(&format!("comfort-noise-{wanted}"), &setup, &[]) else { return };
        bed.listener.join_silently(ROOM);
        let mut phone = Phone::new(bed.gateway.sip());
        phone.rtp.noise = true;
        phone.call_and_talk(NUMBER, SAID);
        bed.listener.hear(CALLER, SAID, -15.0, LIMIT);
        std::thread::sleep(Duration::from_secs(1));
        phone.rtp.forget();
        std::thread::sleep(Duration::from_secs(6));
        let ear = phone.rtp.heard();
        if wanted {
            assert!(ear.packets.is_empty() && ear.noise.len() == 1, "{} of audio, {:?}", ear.packets.len(), ear.noise);
        } else {
            assert!(ear.packets.len() >= 290 && ear.noise.is_empty(), "{} of audio", ear.packets.len());
        }
        // Talk after it is heard whole.
        bed.listener.tell("tone", json!({"hz": ANSWERED}));
        let is_heard = || phone.rtp.measure().is_tone(ANSWERED, -15.0);
        assert!(tests::within(LIMIT, is_heard).is_some(), "{:?}", phone.rtp.measure());
        bed.listener.forget();
        bed.listener.hear(CALLER, SAID, -15.0, LIMIT);
        phone.bye();
    }
}
