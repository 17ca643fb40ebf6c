//! The peers without the gateway: what judges the product is judged first.

use std::time::Duration;

use tests::audio;
use tests::bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::listener::Listener;
use tests::peers::livekit::LiveKit;
use tests::peers::phone::Phone;
use tests::peers::phone::digest::{Algorithm, Reply};
use tests::peers::sipp::Run;
use tests::peers::wire::Wire;

#[test]
fn tones_are_measured_and_noise_is_not_a_tone() {
    for (pitch, level) in [(440.0, -15.0), (880.0, -30.0), (1_004.0, -10.0), (333.3, -20.0)] {
        let heard = audio::measure(&audio::tone(pitch, level, 8_000, 1.0), 8_000);
        assert!(
            (heard.pitch - pitch).abs() < 1.0 && (heard.level - level).abs() < 0.2 && heard.share > 0.95,
            "{heard:?}"
        );
        assert!(!heard.is_tone(pitch + 10.0, level) && !heard.is_tone(pitch, level + 4.0));
    }
    let mut seed = 1_u32;
    let noise = (0..8_000).map(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 17) as i16
    });
    let heard = audio::measure(&noise.collect::<Vec<_>>(), 8_000);
    assert!(heard.share < 0.1, "{heard:?}");
}

#[test]
fn ulaw_keeps_a_tone() {
    let tone = audio::tone(440.0, -15.0, 8_000, 1.0);
    let coded: Vec<i16> = tone.iter().map(|&s| audio::from_ulaw(audio::to_ulaw(s))).collect();
    assert!(audio::measure(&coded, 8_000).is_tone(440.0, -15.0));
    let again: Vec<u8> = (0..=255).map(|byte| audio::to_ulaw(audio::from_ulaw(byte))).collect();
    // The two zeros are one.
    assert!(again.iter().zip(0..=255_u8).all(|(&a, b)| a == b || b == 0x7f), "{again:?}");
}

#[test]
fn digest_replies_are_those_of_the_rfc() {
    // The example of RFC 2069 §2.4 with the response of its erratum 749.
    let challenge = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc""#;
    let reply = Reply { user: "Mufasa", password: "CircleOfLife", algorithm: Algorithm::Md5, count: 1, qop: false };
    let value = reply.to(challenge, "GET", "/dir/index.html");
    assert!(value.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{value}");
}

#[test]
fn two_listeners_hear_each_other() {
    let Some((scratch, _turn)) = bed::prepare("listeners", &[]) else { return };
    let livekit = LiveKit::start(&scratch);
    let mut one = Listener::start("one", &livekit.url(), &scratch);
    let mut other = Listener::start("other", &livekit.url(), &scratch);
    one.tell("join", serde_json::json!({"room": "r", "identity": "one", "tone": 440}));
    other.tell("join", serde_json::json!({"room": "r", "identity": "other", "tone": 880}));
    one.hear("other", 880.0, -15.0, Duration::from_secs(10));
    other.hear("one", 440.0, -15.0, Duration::from_secs(10));
    assert_eq!(one.participants("r").len(), 2);
}

#[test]
fn two_phones_hear_each_other() {
    let Some((scratch, _turn)) = bed::prepare("phones", &[Need::Baresip, Need::Sipp]) else { return };
    let mut callee = Baresip::start("udp", 880.0, ";answermode=auto", &scratch);
    let run = Run { to: "+15550177", ..Run::one("talk.xml") };
    let mut caller = run.start(callee.sip(), &scratch);
    caller.succeeds(Duration::from_secs(20));
    let heard = callee.heard();
    let heard = audio::measure(audio::loudest(&heard, 8_000, 1.0), 8_000);
    assert!(heard.is_tone(440.0, -15.0), "{heard:?}");
    callee.process().kill();
}

#[test]
fn the_small_phone_speaks_to_baresip_over_every_transport() {
    let Some((scratch, _turn)) = bed::prepare("small-phone", &[Need::Baresip]) else { return };
    let mut callee = Baresip::start("udp", 880.0, ";answermode=auto", &scratch);
    let certificate = scratch.path().join("cert.pem");
    for transport in ["UDP", "TCP", "TLS"] {
        let mut phone = Phone::over(match transport {
            "UDP" => Wire::udp(callee.sip()),
            "TCP" => Wire::tcp(callee.sip()),
            _ => Wire::tls(callee.tls(), &certificate),
        });
        let answer = phone.call_and_talk("+15550177", 440.0);
        std::thread::sleep(Duration::from_millis(1_500));
        let heard = phone.rtp.measure();
        assert!(heard.is_tone(880.0, -15.0), "{transport}: {heard:?}");
        assert_eq!(phone.rtp.heard().missing(), 0, "{transport}");
        phone.rtp.press(answer.media().expect("an answer has media"), 5);
        assert_eq!(phone.bye().status(), 200, "{transport}");
    }
    let heard = callee.heard();
    let heard = audio::measure(audio::loudest(&heard, 8_000, 1.0), 8_000);
    assert!(heard.is_tone(440.0, -15.0), "{heard:?}");
    assert!(callee.process().output().contains("received event: '5'"), "a key is a key");
}
