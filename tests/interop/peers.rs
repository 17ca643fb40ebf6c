//! The peers without the gateway: what judges the product is judged first.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::json;
use tests::audio;
use tests::bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::callee::Callee;
use tests::peers::dns::{Dns, Record};
use tests::peers::listener::Listener;
use tests::peers::livekit::LiveKit;
use tests::peers::phone::digest::{Algorithm, Reply, is_right};
use tests::peers::phone::{Format, Law, Phone, Rtp, Seal};
use tests::peers::sdk::{Language, Sdk};
use tests::peers::sipp::{Carrier, Run};
use tests::peers::wire::Wire;
use tests::ports;

const LIMIT: Duration = Duration::from_secs(10);

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
    for qop in [false, true] {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let value = Reply { qop, algorithm, ..reply }.to(challenge, "INVITE", "sip:a@b");
            assert!(is_right(&value, "INVITE", "Mufasa", "CircleOfLife", algorithm), "{value}");
            assert!(!is_right(&value, "INVITE", "Mufasa", "circleoflife", algorithm), "{value}");
            assert!(!is_right(&value, "BYE", "Mufasa", "CircleOfLife", algorithm), "{value}");
        }
    }
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
fn a_browser_and_a_listener_hear_each_other() {
    let Some((scratch, _turn)) = bed::prepare("browser", &[Need::Node, Need::Chromium]) else { return };
    let livekit = LiveKit::start(&scratch);
    let mut one = Listener::start("one", &livekit.url(), &scratch);
    let mut browser = Listener::browser("browser", &livekit.url(), &scratch);
    one.tell("join", json!({"room": "r", "identity": "one", "tone": 440}));
    browser.tell("join", json!({"room": "r", "identity": "browser", "tone": 880}));
    one.hear("browser", 880.0, -15.0, LIMIT);
    browser.hear("one", 440.0, -15.0, LIMIT);
    browser.tell("leave", json!({}));
    one.expect("the browser leaving", LIMIT, |e| e.kind() == "left" && e.text("identity") == "browser");
}

#[test]
fn the_server_sdks_reach_a_server_and_throw_what_they_throw() {
    let Some((scratch, _turn)) = bed::prepare("sdks", &[Need::Node]) else { return };
    let livekit = LiveKit::start(&scratch);
    let mut one = Listener::start("one", &livekit.url(), &scratch);
    one.join_silently("hall");
    for language in [Language::Python, Language::JavaScript] {
        let mut sdk = Sdk::start(language, &livekit.url(), &scratch);
        assert_eq!(sdk.ask("rooms", json!({})).expect("rooms are listed"), json!(["hall"]));
        let (method, request) = match language {
            Language::Python => ("list_inbound_trunk", json!({})),
            Language::JavaScript => ("listSipInboundTrunk", json!([])),
        };
        // A server without Redis has no trunks.
        let thrown = sdk.call(method, request).expect_err("this server has no SIP");
        assert!(!thrown.is_sip() && thrown.code() == "internal", "{language:?}: {thrown:?}");
    }
}

#[test]
fn two_phones_hear_each_other() {
    let Some((scratch, _turn)) = bed::prepare("phones", &[Need::Baresip, Need::Sipp]) else { return };
    let mut callee = Baresip::start("udp", 880.0, ";answermode=auto", &scratch);
    let run = Run { to: "+15550177", ..Run::one("talk.xml") };
    let mut caller = run.start(callee.sip(), &scratch);
    caller.succeeds(Duration::from_secs(20));
    // The recording is complete when its file is closed, which is after the BYE.
    let heard = || audio::measure(audio::loudest(&callee.heard(), 8_000, 1.0), 8_000);
    assert!(tests::within(LIMIT, || heard().is_tone(440.0, -15.0)).is_some(), "{:?}", heard());
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
    // The recording is complete when its file is closed, which is after the BYE.
    let heard = || audio::measure(audio::loudest(&callee.heard(), 8_000, 1.0), 8_000);
    assert!(tests::within(LIMIT, || heard().is_tone(440.0, -15.0)).is_some(), "{:?}", heard());
    assert!(callee.process().output().contains("received event: '5'"), "a key is a key");
}

#[test]
fn the_small_phone_calls_the_small_callee() {
    if !tests::need::all(&[]) {
        return;
    }
    let mut callee = Callee::new();
    let mut phone = Phone::new(callee.address());
    phone.invite("+15550400", "");
    callee.invited();
    callee.reply("180 Ringing");
    callee.play_early(660.0);
    let offer = callee.rtp.offer();
    // Two phones of a forked call answer.
    callee.reply_as("one", "200 OK", "Content-Type: application/sdp\r\n", &offer);
    callee.reply_as("two", "200 OK", "Content-Type: application/sdp\r\n", &offer);
    let answer = phone.answer().expect("the call is answered");
    let tags: Vec<_> = [Some(answer.clone()), phone.answer()].into_iter().flatten().map(|m| m.tag("To")).collect();
    assert_eq!(tags, [Some("one".to_owned()), Some("two".to_owned())]);
    assert_eq!(phone.provisional.len(), 2);
    phone.ack(&answer);
    callee.expect("ACK");
    phone.rtp.start(answer.media().expect("an answer has media"), Some((440.0, -15.0)));
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(phone.rtp.measure().is_tone(660.0, -15.0), "{:?}", phone.rtp.measure());
    assert!(callee.rtp.measure().is_tone(440.0, -15.0), "{:?}", callee.rtp.measure());
    assert!(phone.rtp.heard().longest_silence() < Duration::from_millis(100));
    for event in [1, 5, 11] {
        phone.rtp.press(answer.media().expect("an answer has media"), event);
    }
    assert_eq!(callee.rtp.heard().digits(), "15#");
}

#[test]
fn the_carrier_does_what_the_called_number_says() {
    let Some((scratch, _turn)) = bed::prepare("carrier", &[Need::Sipp]) else { return };
    let port = ports::one();
    let carrier: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    let mut sipp = Carrier { calls: 6, ..Carrier::new("carrier.xml", port) }.start(&scratch);
    for status in [486, 404, 603, 407] {
        assert_eq!(Phone::new(carrier).call(&format!("+15550{status}")).status(), status);
    }
    let mut phone = Phone::new(carrier);
    phone.invite("+15550180", "");
    assert!(phone.answer_within(Duration::from_millis(300)).is_none());
    phone.cancel();
    assert_eq!(phone.answer().expect("a cancelled INVITE is answered").status(), 487);
    let mut phone = Phone::new(carrier);
    phone.call_and_talk("+15550200", 880.0);
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(phone.rtp.measure().is_tone(440.0, -15.0), "{:?}", phone.rtp.measure());
    let refer = phone.in_dialog("REFER", "Refer-To: <tel:+15550177>\r\n", "");
    assert_eq!(refer.status(), 202);
    assert_eq!(phone.bye().status(), 200);
    sipp.succeeds(LIMIT);
}

#[test]
fn the_carrier_plays_before_it_answers_and_asks_for_passwords() {
    let Some((scratch, _turn)) = bed::prepare("carrier-early", &[Need::Sipp]) else { return };
    let port = ports::one();
    let carrier: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    let mut sipp = Carrier { hold: 2_000, ..Carrier::new("early.xml", port) }.start(&scratch);
    let mut phone = Phone::new(carrier);
    phone.invite("+15550400", "");
    assert!(phone.answer_within(Duration::from_millis(300)).is_none());
    let media = phone.provisional[0].media().expect("the 183 says where its media is");
    phone.rtp.start(media, None);
    std::thread::sleep(Duration::from_millis(1_300));
    assert!(phone.rtp.measure().is_tone(440.0, -15.0), "{:?}", phone.rtp.measure());
    let answer = phone.answer().expect("and is answered");
    phone.ack(&answer);
    phone.bye();
    sipp.succeeds(LIMIT);
    for (password, status) in [("correct-horse-battery", 200), ("wrong", 403)] {
        let mut sipp = Carrier::new("password.xml", port).start(&scratch);
        let mut phone = Phone::new(carrier);
        let challenge = phone.call("+15550400");
        assert_eq!(challenge.status(), 401);
        let reply = Reply { user: "livekit-sip-user", password, algorithm: Algorithm::Md5, count: 1, qop: true };
        let uri = format!("sip:+15550400@{carrier}");
        let value = reply.to(challenge.header("WWW-Authenticate").expect("a challenge"), "INVITE", &uri);
        let answer = phone.call_with("+15550400", &format!("Authorization: {value}\r\n"));
        assert_eq!(answer.status(), status, "{password}");
        if status == 200 {
            phone.ack(&answer);
            assert_eq!(phone.bye().status(), 200);
        }
        sipp.succeeds(LIMIT);
    }
}

/// Two small phones without anything between them, in each of their formats.
#[test]
fn small_phones_hear_each_other() {
    let format = |law, kind, millis| Format {
        law,
        says: (kind, 101),
        hears: (kind, 101),
        frame: Duration::from_millis(millis),
        ..Format::default()
    };
    for (format, suite) in [
        (format(Law::Mu, 0, 20), None),
        (format(Law::Mu, 97, 30), None),
        (format(Law::A, 8, 60), None),
        (format(Law::Wide, 9, 20), None),
        (format(Law::Mu, 0, 20), Some("AES_CM_128_HMAC_SHA1_32")),
        (format(Law::A, 8, 10), Some("AEAD_AES_256_GCM")),
    ] {
        let (mut one, mut other) = (Rtp::speaking(format), Rtp::at([127, 0, 0, 2], format));
        if let Some(suite) = suite {
            let (mut ours, mut theirs) = (Seal::new(suite), Seal::new(suite));
            ours.hears(&theirs.line());
            theirs.hears(&ours.line());
            (one.seal, other.seal) = (Some(ours), Some(theirs));
        }
        one.start(other.address(), Some((440.0, -15.0)));
        other.start(one.address(), Some((880.0, -30.0)));
        let heard = |rtp: &Rtp| rtp.heard().samples.len() >= 8_000;
        assert!(tests::within(LIMIT, || heard(&one) && heard(&other)).is_some(), "{format:?} {suite:?}");
        assert!(one.measure().is_tone(880.0, -30.0), "{format:?} {suite:?}: {:?}", one.measure());
        assert!(other.measure().is_tone(440.0, -15.0), "{format:?} {suite:?}: {:?}", other.measure());
        assert_eq!((one.heard().missing(), other.heard().missing()), (0, 0), "{format:?} {suite:?}");
        one.press(other.address(), 5);
        assert!(tests::within(LIMIT, || suite.is_some() || other.heard().digits() == "5").is_some(), "{format:?}");
    }
}

/// ITU-T G.711, table 1a: the values of some codes of A-law, and back.
#[test]
fn a_law_is_that_of_the_recommendation() {
    for (code, value) in [(0xd5_u8, 8_i16), (0xd4, 24), (0xc5, 264), (0x80 ^ 0x55, 8), (0xaa, 32_256), (0x2a, -32_256)]
    {
        assert_eq!(audio::from_alaw(code), value, "{code:#x}");
        assert_eq!(audio::to_alaw(value), code, "{value}");
    }
}

#[test]
fn the_name_server_knows_its_names() {
    let dns = Dns::serve(vec![
        Record::Srv("_sip._udp.carrier.test", 1, 0, 5060, "one.carrier.test"),
        Record::A("one.carrier.test", Ipv4Addr::LOCALHOST),
    ]);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    socket.set_read_timeout(Some(LIMIT)).expect("a socket takes a timeout");
    let ask = |name: &str, kind: u16| {
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend(label.bytes());
        }
        query.extend([0, 0, kind as u8, 0, 1]);
        socket.send_to(&query, dns.address()).expect("a query can be sent");
        let mut reply = [0; 512];
        let length = socket.recv(&mut reply).expect("a reply comes");
        (reply[3] & 15, reply[7], reply[..length].to_vec())
    };
    let (code, answers, bytes) = ask("one.carrier.test", 1);
    assert_eq!((code, answers, &bytes[bytes.len() - 4..]), (0, 1, &[127, 0, 0, 1][..]));
    let (code, answers, bytes) = ask("_sip._udp.carrier.test", 33);
    assert_eq!((code, answers), (0, 1));
    assert!(bytes.ends_with(b"\0\x01\0\0\x13\xc4\x03one\x07carrier\x04test\0"), "{bytes:?}");
    assert_eq!(ask("carrier.test", 35).0, 0, "it exists, without such a record");
    assert_eq!(ask("two.carrier.test", 1).0, 3, "no such name");
}
