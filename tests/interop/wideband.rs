//! Calls of G.722 with a foreign phone, each way: what no narrow call could carry is heard at both ends.

use std::time::Duration;

use serde_json::json;
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::gateway::{NUMBER, OUR_NUMBER, Setup};

const LIMIT: Duration = Duration::from_secs(15);
const ROOM: &str = "studio";
const CALLER: &str = "sip_+15550177";
/// What the phone says and what the room says; of two kilohertz and of five, one and the other way.
const TONES: [(f64, f64); 2] = [(1_000.0, 5_000.0), (5_000.0, 1_000.0)];
/// G.722 first, but not alone.
const CODECS: (&str, u32) = ("G722/16000/1,PCMU/8000/1", 16_000);

#[test]
fn baresip_calls_in_g722() {
    for (said, answered) in TONES {
        let name = format!("wideband-in-{said}");
        let Some(mut bed) = Bed::new(&name, &Setup::room(ROOM), &[Need::Baresip]) else { return };
        bed.listener.join(ROOM, answered);
        let mut phone = Baresip::speaking(CODECS, "udp", said, "", &bed.scratch);
        phone.call(NUMBER, bed.gateway.sip(), "udp");
        bed.listener.hear(CALLER, said, -15.0, LIMIT);
        // Keys are told in the clock of the codec, which is that of the telephone for G.722 as well.
        phone.press("5");
        bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "5");
        std::thread::sleep(Duration::from_secs(1));
        phone.command("hangup", "");
        bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
        expect_wide_tone(&phone, answered);
    }
}

#[test]
fn baresip_is_called_in_g722() {
    for (said, answered) in TONES {
        let setup = Setup { api: true, ..Setup::room(ROOM) };
        let Some(mut bed) = Bed::new(&format!("wideband-out-{said}"), &setup, &[Need::Baresip]) else { return };
        bed.listener.join(ROOM, answered);
        let mut phone = Baresip::speaking(CODECS, "udp", said, ";answermode=auto", &bed.scratch);
        let trunk = json!({"hostname": phone.sip().to_string(), "transport": "SIP_TRANSPORT_UDP"});
        let call = json!({
            "trunk": trunk, "sip_number": OUR_NUMBER, "sip_call_to": "+15550177", "room_name": ROOM,
            "wait_until_answered": true,
        });
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &call);
        assert_eq!(answer.status, 200, "{}", answer.body);
        bed.listener.hear(CALLER, said, -15.0, LIMIT);
        let output = phone.process().output();
        let (_, invite) = output.split_once("INVITE sip:").expect("baresip shows what it is sent");
        let media = invite.lines().find(|line| line.starts_with("m=audio ")).expect("an offer");
        assert!(media.contains(" RTP/AVP 9 0 8 101"), "{media}");
        std::thread::sleep(Duration::from_secs(1));
        bed.listener.tell("remove", json!({"room": ROOM, "identity": CALLER}));
        bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
        expect_wide_tone(&phone, answered);
    }
}

/// The phone writes the rest of its file when the call is over.
#[track_caller]
fn expect_wide_tone(phone: &Baresip, pitch: f64) {
    let heard = || {
        let (samples, rate) = phone.heard_at();
        (rate, audio::measure(audio::loudest(&samples, rate.max(1), 1.0), rate.max(1)))
    };
    let is_it = || {
        let (rate, heard) = heard();
        rate == 16_000 && heard.is_tone(pitch, -15.0)
    };
    assert!(tests::within(LIMIT, is_it).is_some(), "{:?}", heard());
}
