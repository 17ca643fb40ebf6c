//! Calls of foreign phones over UDP, TCP and TLS: heard in the room and hearing it, at the right pitch and level.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;
use tests::peers::sipp::Run;
use tests::peers::wire::Wire;

const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn sipp_over_udp() {
    sipp("sipp-udp", "u1");
}

#[test]
fn sipp_over_tcp() {
    sipp("sipp-tcp", "t1");
}

#[test]
fn baresip_over_udp() {
    baresip("baresip-udp", "udp");
}

#[test]
fn baresip_over_tcp() {
    baresip("baresip-tcp", "tcp");
}

#[test]
fn baresip_over_tls() {
    baresip("baresip-tls", "tls");
}

#[test]
fn the_small_phone_over_every_transport() {
    let setup = Setup { tls: true, ..Setup::room("studio") };
    let Some(mut bed) = Bed::new("phone", &setup, &[]) else { return };
    bed.listener.join("studio", 880.0);
    let certificate = bed.scratch.path().join("cert.pem");
    for transport in ["UDP", "TCP", "TLS"] {
        let mut phone = Phone::over(wire(&bed, transport, &certificate));
        phone.call_and_talk(NUMBER, 440.0);
        bed.listener.hear("sip_+15550199", 440.0, -15.0, LIMIT);
        phone.rtp.forget();
        std::thread::sleep(Duration::from_millis(1_200));
        let heard = phone.rtp.measure();
        assert!(heard.is_tone(880.0, -15.0), "{transport}: {heard:?}");
        let ear = phone.rtp.heard();
        assert_eq!(ear.missing(), 0, "{transport}: packets are missing");
        assert_eq!(phone.bye().status(), 200, "{transport}");
        bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
        bed.listener.forget();
    }
}

fn wire(bed: &Bed, transport: &str, certificate: &Path) -> Wire {
    match transport {
        "UDP" => Wire::udp(bed.gateway.sip()),
        "TCP" => Wire::tcp(bed.gateway.sip()),
        _ => Wire::tls(bed.gateway.tls(), certificate),
    }
}

fn sipp(name: &str, transport: &str) {
    let Some(mut bed) = Bed::new(name, &Setup::room("studio"), &[Need::Sipp]) else { return };
    bed.listener.join("studio", 880.0);
    let mut talk = Run { transport, ..Run::one("talk.xml") }.start(bed.gateway.sip(), &bed.scratch);
    bed.listener.hear("sip_+15550181", 440.0, -15.0, LIMIT);
    talk.succeeds(LIMIT);
    // It cannot judge what it hears, so it sends it back, and the room judges.
    let mut echo = Run { transport, echo: true, ..Run::one("echo.xml") }.start(bed.gateway.sip(), &bed.scratch);
    bed.listener.hear("sip_+15550191", 880.0, -15.0, LIMIT);
    echo.succeeds(LIMIT);
}

fn baresip(name: &str, transport: &str) {
    let setup = Setup { tls: transport == "tls", ..Setup::room("studio") };
    let Some(mut bed) = Bed::new(name, &setup, &[Need::Baresip]) else { return };
    bed.listener.join("studio", 880.0);
    let mut phone = Baresip::start(transport, 440.0, "", &bed.scratch);
    let server = if transport == "tls" { bed.gateway.tls() } else { bed.gateway.sip() };
    phone.call(NUMBER, server, transport);
    let participant = bed.listener.participant("sip_+15550177");
    assert_eq!(participant.text("kind"), "SIP");
    bed.listener.hear("sip_+15550177", 440.0, -15.0, LIMIT);
    phone.press("5#");
    for digit in ["5", "#"] {
        bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == digit);
    }
    std::thread::sleep(Duration::from_secs(1));
    phone.command("hangup", "");
    bed.listener.expect("the caller leaving", Duration::from_secs(3), |e| e.kind() == "left");
    let digits = bed.listener.seen().iter().filter(|e| e.kind() == "dtmf").count();
    assert_eq!(digits, 2, "each key once");
    let heard = || audio::measure(audio::loudest(&phone.heard(), 8_000, 1.0), 8_000);
    assert!(tests::within(LIMIT, || heard().is_tone(880.0, -15.0)).is_some(), "{:?}", heard());
    let left = bed.listener.tell("participants", json!({"room": "studio"}));
    assert_eq!(left.as_array().map(Vec::len), Some(1), "only the listener stays: {left}");
}
