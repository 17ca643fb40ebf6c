//! Keys, each once, and the talk around them unharmed.

use std::time::Duration;

use serde_json::json;
use tests::audio;
use tests::peers::baresip::Baresip;
use tests::peers::phone::Rtp;
use tests::peers::scenario::{Player, Scenario};

use super::Terms;
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
    let heard = rtp.heard();
    assert_eq!(
        (heard.missing(), heard.ends),
        (0, 12),
        "the talk around the keys has no gap, and each ends three times"
    );
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

/// A content type, a body, and the key.
type Told = (&'static str, &'static str, &'static str);

pub(super) const FIVE_BY_RELAY: Told = ("dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5");
pub(super) const HASH_BY_DTMF: Told = ("dtmf", "#", "#");

pub(super) fn info(desk: &mut Desk<'_>, (kind, body, key): Told) {
    desk.join();
    let mut rtp = Rtp::new();
    let told = desk.answered(&rtp).asks("INFO", &format!("Content-Type: application/{kind}\r\n"), body).gets(200);
    let scenario = told.asks("INFO", "Content-Type: text/plain\r\n", "7").gets(415).waits();
    let mut player = desk.call(scenario.hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    desk.keys(key);
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

pub(super) fn from_baresip(desk: &mut Desk<'_>) {
    desk.join();
    let mut phone = desk.baresip(Baresip::NARROW, "tcp", 440.0, "");
    phone.call(&desk.number, desk.gateway.sip(), "tcp");
    desk.room_hears(440.0);
    phone.press("50*#");
    desk.keys("50*#");
    desk.room_hears(440.0);
    desk.hang_up_and_judge(&phone, ROOM_TONE, 8_000);
}

/// A phone without telephone events that knows INFO is told so, one key after the other.
pub(super) fn by_info(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = Desk::picked_up("Allow: INVITE, ACK, BYE, CANCEL, INFO\r\n", &without_events(&rtp));
    let (mut player, _) = desk.reach(told(told(scenario)).waits().hangs_up(""), &mut rtp, &json!({}));
    expect_infos(desk, &mut player);
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// The trunk wants its keys so.
pub(super) fn through_info(terms: &mut Terms<'_>) {
    terms.trunk["dtmf"] = "info".into();
}

/// Telephone events are agreed upon, and the trunk has us use INFO all the same.
pub(super) fn by_info_of_the_trunk(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(told(told(desk.connected(&rtp))).waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    expect_infos(desk, &mut player);
    assert_eq!(rtp.heard().digits(), "", "no events");
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// The formats of keys in INFO, and how each writes a key.
pub(super) const RELAY: (&str, fn(char) -> String) = ("application/dtmf-relay", |key| format!("Signal={key}\r\n"));
pub(super) const PLAIN: (&str, fn(char) -> String) = ("application/dtmf", |key| key.to_string());

/// A phone that takes keys in that format alone, and says so when it is told of one in the other; of the other it has said
/// that it takes it, where that is not the one that we begin with.
pub(super) fn in_the_other_format(desk: &mut Desk<'_>, taken: (&str, fn(char) -> String)) {
    let refused = if taken.0 == PLAIN.0 { RELAY } else { PLAIN };
    desk.join();
    let mut rtp = Rtp::new();
    let headers = format!("Allow: INVITE, ACK, BYE, CANCEL, INFO\r\nAccept: application/sdp, {}\r\n", refused.0);
    let refuses = Desk::picked_up(&headers, &without_events(&rtp)).hears("INFO");
    let refuses = refuses.replies("415 Unsupported Media Type", &format!("Accept: {}\r\n", taken.0), "");
    let (mut player, _) = desk.reach(told(told(refuses)).waits().hangs_up(""), &mut rtp, &json!({}));
    room_presses(desk, "1#");
    for (nth, (kind, body), key) in [(1, refused, '1'), (2, taken, '1'), (3, taken, '#')] {
        let info = player.request("INFO", nth);
        assert_eq!(info.header("Content-Type"), Some(kind), "{info:?}");
        assert!(info.body().starts_with(&body(key)), "{info:?}");
    }
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
    assert_eq!(player.requests("INFO").len(), 3);
}

/// A phone that allows INFO, does not know it, and knows no events: it hears tones, at once from the second key on.
pub(super) fn not_by_info(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = Desk::picked_up("Allow: INVITE, ACK, BYE, CANCEL, INFO\r\n", &without_events(&rtp));
    let refuses = scenario.hears("INFO").replies("501 Not Implemented", "", "");
    let (mut player, _) = desk.reach(refuses.waits().hangs_up(""), &mut rtp, &json!({}));
    for _ in 0..2 {
        rtp.forget();
        room_presses(desk, "5");
        phone_hears_five(&rtp);
    }
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
    assert_eq!(player.requests("INFO").len(), 1);
}

/// The room hears keys of a phone as the tones that they are, those of events and of INFO, as long as they are held, and what the
/// phone says around them.
pub(super) fn audible(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let relay = "Content-Type: application/dtmf-relay\r\n";
    let scenario = desk.answered(&rtp).asks("INFO", relay, "Signal=D\r\nDuration=300\r\n").gets(200).waits();
    let mut player = desk.call(scenario.hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    let (identity, file) = (desk.identity(), desk.scratch.path().join("room.pcm"));
    desk.listener.tell("record", json!({"identity": identity, "file": file}));
    std::thread::sleep(Duration::from_millis(400));
    let began = std::time::Instant::now();
    rtp.press(media, 5);
    // Of the seven packets the fifth is the end; on a busy machine they may be further apart than they say.
    let held = (began.elapsed().as_millis() as usize * 4 / 7 + 20).max(100);
    std::thread::sleep(Duration::from_millis(400));
    player.go();
    desk.keys("5D");
    desk.both_hear(&rtp, 440.0);
    desk.listener.tell("record", json!({"identity": identity, "file": null}));
    let recorded = std::fs::read(file).expect("the listener has recorded");
    let heard: Vec<i16> = recorded.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect();
    for (key, tones, millis) in [('5', [770.0, 1_336.0], held), ('D', [941.0, 1_633.0], 300)] {
        let beeps = runs(&heard, tones);
        let [beep] = beeps[..] else { panic!("{} times {key} in {} samples", beeps.len(), heard.len()) };
        assert!((beep.len() / 8).abs_diff(millis) <= 30, "{key} is heard for {} ms, not {millis}", beep.len() / 8);
        let middle = &beep[beep.len() / 5..beep.len() * 4 / 5];
        for tone in tones {
            let pitch = strongest_near(tone, middle);
            assert!((pitch - tone).abs() <= 5.0, "{key}: {pitch} Hz instead of {tone}");
        }
        // -18 and -16 dBm0 together are -13.9 dBm0, and that is -20 dBFS.
        let level = audio::measure(middle, 8_000).level;
        assert!((level + 20.0).abs() <= 3.0, "{key} at {level:.1} dBFS");
        assert!(audio::share_at(440.0, middle, 8_000) < 0.05, "{key}: the phone is heard beside it");
    }
    player.go();
    player.succeeds();
}

/// A phone that knows neither hears tones, and the room hears none.
pub(super) fn as_tones(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = Desk::picked_up("Allow: INVITE, ACK, BYE, CANCEL\r\n", &without_events(&rtp));
    let (mut player, _) = desk.reach(scenario.waits().hangs_up(""), &mut rtp, &json!({}));
    rtp.forget();
    room_presses(desk, "5");
    phone_hears_five(&rtp);
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// The phone's keys are tones, whatever it has agreed upon.
pub(super) fn in_band(terms: &mut Terms<'_>) {
    terms.trunk["dtmf"] = "inband".into();
}

/// Tones of a phone, with or without telephone events.
pub(super) fn tones(desk: &mut Desk<'_>, offer: fn(&Rtp) -> String) {
    desk.join();
    let mut rtp = Rtp::new();
    let offer = offer(&rtp);
    let mut player = desk.call(desk.caller().invites("", &offer).gets(200).acknowledges("").waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.stop();
    let tone = |hz: f64| audio::tone(hz, -13.0, 8_000, 0.1);
    let mut due = std::time::Instant::now();
    for (low, high) in [(697.0, 1_209.0), (770.0, 1_336.0), (770.0, 1_336.0), (941.0, 1_477.0)] {
        let key = tone(low).into_iter().zip(tone(high)).map(|(low, high)| low + high);
        let said: Vec<i16> = key.chain(std::iter::repeat_n(0, 800)).collect();
        for frame in said.chunks_exact(160) {
            let payload: Vec<u8> = frame.iter().map(|&sample| audio::to_ulaw(sample)).collect();
            rtp.say(media, 0, &payload, 160);
            due += Duration::from_millis(20);
            std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
        }
    }
    desk.keys("155#");
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// Some PBXs tell a key both ways.
pub(super) fn twice(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let relay = |scenario: Scenario, key: &str| {
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        scenario.asks("INFO", "Content-Type: application/dtmf-relay\r\n", &body).gets(200).waits()
    };
    let scenario = relay(relay(desk.answered(&rtp), "5"), "5");
    let mut player = desk.call(scenario.hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    for nth in 1..=2 {
        rtp.press(media, 5);
        player.go();
        player.answer("INFO", nth);
    }
    rtp.press(media, 7);
    rtp.press(media, 7);
    desk.keys("5577");
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// A participant presses keys for the phone.
#[track_caller]
fn room_presses(desk: &mut Desk<'_>, digits: &str) {
    let number = desk.begin("trunkline.dtmf", &json!({"digits": digits}).to_string());
    assert_eq!(desk.result(number)["payload"], "{}");
}

/// The tones of 5 alone, for a tenth of a second at least.
#[track_caller]
fn phone_hears_five(rtp: &Rtp) {
    let is_five = |part: &[i16]| {
        let [low, high, room] = [770.0, 1_336.0, ROOM_TONE].map(|hz| audio::share_at(hz, part, 8_000));
        low > 0.3 && high > 0.3 && room < 0.05
    };
    let rings = || rtp.heard().samples.chunks_exact(400).filter(|part| is_five(part)).count() >= 2;
    assert!(tests::within(LIMIT, rings).is_some(), "the phone hears no key: {:?}", rtp.measure());
}

/// The stretches in which two tones are heard and little else, to about ten milliseconds.
fn runs(heard: &[i16], tones: [f64; 2]) -> Vec<&[i16]> {
    const WINDOW: usize = 160;
    let both = |part: &[i16]| tones.iter().all(|&hz| audio::share_at(hz, part, 8_000) > 0.25);
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for from in (0..heard.len().saturating_sub(WINDOW)).step_by(40).filter(|&from| both(&heard[from..from + WINDOW])) {
        let (begin, end) = (from + WINDOW / 4, from + WINDOW * 3 / 4);
        match runs.last_mut() {
            Some(run) if begin <= run.end + 80 => run.end = end,
            _ => runs.push(begin..end),
        }
    }
    // A word of speech may sound like a key for a moment.
    runs.into_iter().filter(|run| run.len() > 240).map(|run| &heard[run]).collect()
}

/// The frequency within 20 Hz of one that has the largest share.
fn strongest_near(hz: f64, samples: &[i16]) -> f64 {
    let near = (-40..=40).map(|step| hz + f64::from(step) * 0.5);
    let shares = near.map(|hz| (hz, audio::share_at(hz, samples, 8_000)));
    shares.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0.0, |(hz, _)| hz)
}

/// A line that loses some packets and repeats others.
pub(super) fn on_a_bad_line(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    // The beginning is lost; all but one end; everything comes twice; nothing but an end comes; a key of two in a row is whole.
    let lines = [[0, 0, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 0, 1], [2; 7], [0, 0, 0, 0, 0, 0, 1], [1; 7]];
    for (event, copies) in [1, 2, 3, 4, 4].into_iter().zip(lines) {
        rtp.press_on_a_bad_line(media, event, copies);
        std::thread::sleep(Duration::from_millis(60));
    }
    desk.keys("12344");
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

pub(super) fn with_events(rtp: &Rtp) -> String {
    rtp.offer()
}

/// The phone is told of a key by INFO.
fn told(scenario: Scenario) -> Scenario {
    scenario.hears("INFO").replies("200 OK", "", "")
}

/// The room presses two keys, which come one after the other.
fn expect_infos(desk: &mut Desk<'_>, player: &mut Player) {
    room_presses(desk, "1#");
    for (nth, signal) in [(1, "Signal=1\r\n"), (2, "Signal=#\r\n")] {
        let info = player.request("INFO", nth);
        assert_eq!(info.header("Content-Type"), Some("application/dtmf-relay"), "{info:?}");
        assert!(info.body().starts_with(signal), "{info:?}");
    }
}

pub(super) fn without_events(rtp: &Rtp) -> String {
    let offer = rtp.offer().replace(" RTP/AVP 0 101", " RTP/AVP 0");
    offer.split_inclusive("\r\n").filter(|line| !line.contains(":101 ")).collect()
}

fn expect_keys(rtp: &Rtp, digits: &str) {
    tests::within(LIMIT, || rtp.heard().digits().len() >= digits.len());
    // One key more would come soon.
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(rtp.heard().digits(), digits);
}
