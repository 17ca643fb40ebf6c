//! What carriers really send, replayed from `tests/data/carriers` with the addresses of this machine, and what must come
//! of it. Left to later versions: transfers (`twilio-notify-refer-*`), and
//! calls that we place through a carrier (`twilio-term-*`).

use std::time::{Duration, Instant};

use serde_json::json;
use tests::bed::Bed;
use tests::data;
use tests::peers::gateway::Setup;
use tests::peers::phone::{Message, Rtp};
use tests::peers::wire::Wire;

const LIMIT: Duration = Duration::from_secs(10);
const TWILIO: &str = "+15105550100";
const TELNYX: &str = "+14155550199";

/// One fixture and what follows from it.
struct Case {
    file: &'static str,
    transport: &'static str,
    status: u16,
    /// The caller, if the call is answered.
    identity: &'static str,
    attributes: &'static [(&'static str, &'static str)],
}

#[test]
fn invites_of_carriers_reach_the_room() {
    let cases = [
        Case {
            file: "twilio-invite.sip",
            transport: "UDP",
            status: 200,
            identity: "sip_+14155550123",
            attributes: &[
                ("sip.phoneNumber", "+14155550123"),
                ("sip.trunkPhoneNumber", TWILIO),
                ("sip.hostname", "clinic-demo.pstn.twilio.com"),
                ("sip.callIDFull", "5f0c1be2a7714c0f9d1e6b0a4c77d2e1@0.0.0.0"),
                ("sip.twilio.accountSid", "AC00000000000000000000000000000a11"),
                ("sip.twilio.callSid", "CA00000000000000000000000000000c01"),
                ("sip.h.x-twilio-verstat", "TN-Validation-Passed-A"),
            ],
        },
        Case {
            file: "twilio-invite-opus.sip",
            transport: "UDP",
            status: 200,
            identity: "sip_+14155550123",
            attributes: &[],
        },
        Case {
            file: "twilio-invite-tls-plain-rtp.sip",
            transport: "TLS",
            status: 200,
            identity: "sip_+14155550123",
            attributes: &[("sip.trunkPhoneNumber", TWILIO)],
        },
        Case {
            file: "telnyx-invite.sip",
            transport: "TCP",
            status: 200,
            identity: "sip_+12125550144",
            attributes: &[],
        },
        Case {
            file: "telnyx-invite-call-control.sip",
            transport: "TCP",
            status: 200,
            identity: "sip_+12125550144",
            attributes: &[
                ("sip.telnyx.callLegID", "0f3d5a44-c66d-11f0-8b7e-02420aef21b0"),
                ("sip.telnyx.callSessionID", "0f3c2b9e-c66d-11f0-9a51-02420aef21b0"),
                ("sip.hostname", "sip.telnyx.com"),
            ],
        },
    ];
    let setup = Setup { tls: true, ..setup() };
    let Some(mut bed) = Bed::new("carriers", &setup, &[]) else { return };
    bed.listener.join("clinic", 880.0);
    for case in cases {
        let mut carrier = Carrier::new(&bed, case.transport);
        carrier.send(case.file, None);
        let answer = carrier.answer().unwrap_or_else(|| panic!("{}: no answer", case.file));
        assert_eq!(answer.status(), case.status, "{}: {}", case.file, answer.start());
        let participant = bed.listener.participant(case.identity);
        assert_eq!(participant.text("kind"), "SIP", "{}", case.file);
        for (name, value) in case.attributes {
            assert_eq!(participant.attribute(name), Some(*value), "{}: {name}", case.file);
        }
        carrier.acknowledge(&answer);
        let media = answer.media().expect("the answer says where its media is");
        carrier.rtp.start(media, Some((440.0, -15.0)));
        bed.listener.hear(case.identity, 440.0, -15.0, LIMIT);
        let ended = carrier.in_dialog("BYE", &answer);
        assert_eq!(ended.status(), 200, "{}: BYE", case.file);
        bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
        bed.listener.forget();
    }
}

#[test]
fn opus_is_taken_by_those_who_want_it() {
    let setup = setup().with("codecs", json!({"opus/48000/2": true}));
    let Some(mut bed) = Bed::new("carriers-opus", &setup, &[]) else { return };
    bed.listener.join("clinic", 880.0);
    for (file, transport, taken) in [
        ("twilio-invite-opus.sip", "UDP", "RTP/AVP 107 101\r\n"),
        ("telnyx-invite.sip", "TCP", "RTP/AVP 102 103\r\n"),
        ("twilio-invite.sip", "UDP", "RTP/AVP 0 101\r\n"),
    ] {
        let mut carrier = Carrier::new(&bed, transport);
        carrier.send(file, None);
        let answer = carrier.answer().unwrap_or_else(|| panic!("{file}: no answer"));
        assert_eq!(answer.status(), 200, "{file}: {}", answer.start());
        assert!(answer.body().contains(taken), "{file}: {}", answer.body());
        carrier.acknowledge(&answer);
        assert_eq!(carrier.in_dialog("BYE", &answer).status(), 200, "{file}");
        bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
        bed.listener.forget();
    }
}

/// Encrypted audio itself is judged with a phone that has it; this is what is said about it.
#[test]
fn secure_trunks_are_answered_as_the_trunk_says() {
    for (encryption, encrypted, plain) in [
        ("SIP_MEDIA_ENCRYPT_DISABLE", 488, 200),
        ("SIP_MEDIA_ENCRYPT_ALLOW", 200, 200),
        ("SIP_MEDIA_ENCRYPT_REQUIRE", 200, 488),
    ] {
        let mut setup = Setup { tls: true, ..setup() };
        for trunk in setup.trunks.as_array_mut().expect("a list") {
            trunk["media"] = json!({"encryption": encryption});
        }
        let Some(mut bed) = Bed::new("carriers-secure", &setup, &[]) else { return };
        bed.listener.join("clinic", 880.0);
        for (file, status) in [
            ("twilio-invite-tls-srtp.sip", encrypted),
            ("telnyx-invite-tls-srtp.sip", encrypted),
            ("twilio-invite-tls-plain-rtp.sip", plain),
        ] {
            let mut carrier = Carrier::new(&bed, "TLS");
            carrier.send(file, None);
            let answer = carrier.answer().unwrap_or_else(|| panic!("{file}: no answer"));
            assert_eq!(answer.status(), status, "{file}, {encryption}: {}", answer.start());
            if status != 200 {
                continue;
            }
            let theirs = std::fs::read_to_string(data("carriers").join(file)).expect("the fixture can be read");
            let (secure, body) = (theirs.contains("RTP/SAVP"), answer.body());
            let keys = |sdp: &str| -> Vec<String> {
                sdp.lines().filter(|line| line.starts_with("a=crypto:")).map(str::to_owned).collect()
            };
            assert_eq!(body.contains("RTP/SAVP "), secure, "{file}: {body}");
            assert_eq!(keys(body).len(), usize::from(secure), "{file}: {body}");
            for line in keys(body) {
                assert!(line.starts_with("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"), "{file}: {line}");
                assert!(!keys(&theirs).contains(&line), "{file}: a key of our own");
            }
            carrier.acknowledge(&answer);
            assert_eq!(carrier.in_dialog("BYE", &answer).status(), 200, "{file}");
            bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
            bed.listener.forget();
        }
    }
}

/// Twilio's Contact is a private address: what we say in the call has to take the way of Record-Route.
#[test]
fn our_bye_takes_the_recorded_route() {
    let Some(mut bed) = Bed::new("carriers-route", &setup(), &[]) else { return };
    bed.listener.join("clinic", 880.0);
    let mut carrier = Carrier::new(&bed, "UDP");
    carrier.send("twilio-invite.sip", None);
    let answer = carrier.answer().expect("an answer");
    carrier.acknowledge(&answer);
    bed.listener.participant("sip_+14155550123");
    bed.listener.tell("remove", json!({"room": "clinic", "identity": "sip_+14155550123"}));
    let deadline = Instant::now() + LIMIT;
    let bye = loop {
        let message = carrier.wire.receive(deadline - Instant::now()).expect("BYE comes where the route says");
        if message.method() == "BYE" {
            break message;
        }
    };
    carrier.wire.send(&bye.reply("200 OK"));
    assert!(bye.start().starts_with("BYE sip:+14155550123@172.18.31.77:5060"), "{}", bye.start());
    assert!(bye.header("Route").is_some_and(|route| route.contains(&carrier.wire.here().to_string())), "{bye:?}");
}

#[test]
fn a_caller_who_cancels_gets_487() {
    let Some(mut bed) = Bed::new("carriers-cancel", &setup(), &[]) else { return };
    bed.listener.join_silently("clinic");
    let mut carrier = Carrier::new(&bed, "UDP");
    carrier.send("twilio-invite.sip", None);
    bed.listener.participant("sip_+14155550123");
    carrier.send("twilio-cancel.sip", None);
    assert_eq!(carrier.answer().expect("an answer").status(), 487);
}

#[test]
fn a_refresh_and_a_hold_are_answered_and_the_call_stays() {
    let Some(mut bed) = Bed::new("carriers-hold", &setup(), &[]) else { return };
    bed.listener.join("clinic", 880.0);
    let mut carrier = Carrier::new(&bed, "UDP");
    carrier.send("twilio-invite.sip", None);
    let answer = carrier.answer().expect("an answer");
    carrier.acknowledge(&answer);
    let media = answer.media().expect("the answer says where its media is");
    carrier.rtp.start(media, Some((440.0, -15.0)));
    bed.listener.hear("sip_+14155550123", 440.0, -15.0, LIMIT);
    let tag = answer.tag("To");
    carrier.send("twilio-reinvite-refresh-offerless.sip", tag.as_deref());
    let refreshed = carrier.answer().expect("an answer to the refresh");
    assert_eq!(refreshed.status(), 200, "{}", refreshed.start());
    assert!(refreshed.media().is_some(), "an INVITE without an offer is answered with one");
    assert_eq!(refreshed.header("Session-Expires"), Some("1800;refresher=uac"));
    let sdp = carrier.rtp.offer();
    carrier.acknowledge_with(&refreshed, 3, &sdp);
    carrier.send("twilio-reinvite-hold.sip", tag.as_deref());
    let held = carrier.answer().expect("an answer to the hold");
    assert_eq!(held.status(), 200, "{}", held.start());
    // RFC 3264 §8.4: who is told sendonly answers recvonly.
    assert!(held.body().contains("a=recvonly"), "{}", held.body());
    carrier.acknowledge(&held);
    bed.listener.attribute("sip_+14155550123", "sip.hold", "true");
    bed.listener.forget();
    bed.listener.hear("sip_+14155550123", 440.0, -15.0, LIMIT);
}

#[test]
fn an_offer_may_come_late() {
    let Some(mut bed) = Bed::new("carriers-offerless", &setup(), &[]) else { return };
    bed.listener.join("clinic", 880.0);
    let mut carrier = Carrier::new(&bed, "UDP");
    carrier.send("pbx-invite-offerless.sip", None);
    let answer = carrier.answer().expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.start());
    let media = answer.media().expect("the offer is in the 200");
    let sdp = carrier.rtp.offer();
    carrier.acknowledge_with(&answer, 101, &sdp);
    carrier.rtp.start(media, Some((440.0, -15.0)));
    bed.listener.hear("sip_5001", 440.0, -15.0, LIMIT);
}

#[test]
fn a_ping_is_answered_with_what_is_really_handled() {
    let Some(bed) = Bed::new("carriers-ping", &setup(), &[]) else { return };
    let mut carrier = Carrier::new(&bed, "UDP");
    carrier.send("telnyx-options-ping.sip", None);
    let answer = carrier.wire.receive(LIMIT).expect("an answer");
    assert_eq!(answer.status(), 200);
    let allowed = answer.all("Allow").collect::<Vec<_>>().join(",");
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK"] {
        assert!(allowed.contains(method), "{method} is missing in {allowed}");
    }
    for method in ["SUBSCRIBE", "PUBLISH", "MESSAGE", "REGISTER"] {
        assert!(!allowed.contains(method), "{method} is not handled, but in {allowed}");
    }
}

#[test]
fn a_scanner_gets_nothing() {
    let mut setup = setup();
    setup
        .trunks
        .as_array_mut()
        .expect("a list")
        .iter_mut()
        .for_each(|trunk| trunk["allowed_addresses"] = json!(["192.0.2.1"]));
    let Some(bed) = Bed::new("carriers-scanner", &setup, &[]) else { return };
    let mut carrier = Carrier::new(&bed, "UDP");
    carrier.send("scanner-invite.sip", None);
    let answer = carrier.wire.receive(Duration::from_secs(2));
    assert!(answer.as_ref().is_none_or(|a| a.status() == 403), "{answer:?}");
}

#[test]
fn the_digest_exchange_of_programmable_voice() {
    let mut setup = setup();
    setup.trunks = json!([{
        "name": "dial sip",
        "numbers": [TWILIO],
        "auth_username": "livekit-sip-user",
        "auth_password": "correct-horse-battery",
    }]);
    let Some(bed) = Bed::new("carriers-digest", &setup, &[]) else { return };
    // The nonces of the fixtures are of another gateway, so neither reply can be right here; both are asked again.
    for file in [
        "twilio-dial-sip-invite-1-unauth.sip",
        "twilio-dial-sip-invite-2-auth.sip",
        "twilio-dial-sip-invite-2-badauth.sip",
    ] {
        let mut carrier = Carrier::new(&bed, "TCP");
        carrier.send(file, None);
        let answer = carrier.answer().expect("an answer");
        assert!(matches!(answer.status(), 401 | 403 | 407), "{file}: {}", answer.start());
    }
}

/// Two trunks as in the files of `lk`, and one room.
fn setup() -> Setup {
    let trunks = json!([
        {"name": "Twilio", "numbers": [TWILIO], "allowed_addresses": ["127.0.0.1"], "include_headers": "SIP_X_HEADERS"},
        {"name": "Telnyx", "numbers": [TELNYX], "allowed_addresses": ["127.0.0.1"]},
    ]);
    // Telnyx offers it, and what is said here is PCMU.
    let more = json!({"codecs": {"G722/8000": false}});
    Setup { trunks, more, ..Setup::room("clinic") }
}

/// A carrier that says what is in the files, from this machine.
struct Carrier {
    wire: Wire,
    rtp: Rtp,
}

impl Carrier {
    fn new(bed: &Bed, transport: &str) -> Self {
        let wire = match transport {
            "UDP" => Wire::udp(bed.gateway.sip()),
            "TCP" => Wire::tcp(bed.gateway.sip()),
            _ => Wire::tls(bed.gateway.tls(), &bed.scratch.path().join("cert.pem")),
        };
        Self { wire, rtp: Rtp::new() }
    }

    /// Sends a file. A request within a call has the tag of the other side, which no file can know.
    fn send(&mut self, file: &str, tag: Option<&str>) {
        let path = data("carriers").join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.trim_end(), ""));
        let body = self.here_in_sdp(body);
        let mut lines: Vec<String> = Vec::new();
        let mut top_via = true;
        for line in head.split("\r\n") {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            lines.push(match name.as_str() {
                "via" | "v" if std::mem::take(&mut top_via) => self.here_in_via(line),
                "record-route" => self.here_in_route(line),
                "content-length" | "l" => format!("Content-Length: {}", body.len()),
                "to" | "t" => with_tag(line, tag),
                _ => line.to_owned(),
            });
        }
        let text = format!("{}\r\n\r\n{body}", lines.join("\r\n"));
        self.wire.send(&text);
    }

    /// The final answer to an INVITE.
    fn answer(&mut self) -> Option<Message> {
        let deadline = Instant::now() + LIMIT;
        while let Some(message) = self.wire.receive(deadline.saturating_duration_since(Instant::now())) {
            if message.status() >= 200 && message.cseq().ends_with("INVITE") {
                return Some(message);
            }
        }
        None
    }

    fn acknowledge(&mut self, answer: &Message) {
        let cseq = answer.cseq().split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1);
        self.acknowledge_with(answer, cseq, "");
    }

    fn acknowledge_with(&mut self, answer: &Message, cseq: u32, sdp: &str) {
        let text = self.request("ACK", answer, cseq, sdp);
        self.wire.send(&text);
    }

    /// A request within the call, and its answer.
    fn in_dialog(&mut self, method: &str, answer: &Message) -> Message {
        let cseq = answer.cseq().split(' ').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(1) + 20;
        let text = self.request(method, answer, cseq, "");
        self.wire.send(&text);
        let deadline = Instant::now() + LIMIT;
        loop {
            let message = self.wire.receive(deadline.saturating_duration_since(Instant::now())).expect("an answer");
            if message.status() >= 200 && message.cseq().ends_with(method) {
                return message;
            }
        }
    }

    fn request(&self, method: &str, answer: &Message, cseq: u32, sdp: &str) -> String {
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        let contact = header("Contact");
        let target = contact.split(['<', '>']).nth(1).unwrap_or("sip:gateway");
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {cseq} {method}\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            self.wire.name(),
            self.wire.here(),
            tests::peers::phone::branch(),
            header("From"),
            header("To"),
            header("Call-ID"),
            sdp.len()
        )
    }

    /// The top Via names this socket; the branch stays.
    fn here_in_via(&self, line: &str) -> String {
        let parameters = line.split_once(';').map_or("", |(_, rest)| rest);
        format!("Via: SIP/2.0/{} {};{parameters}", self.wire.name(), self.wire.here())
    }

    /// A recorded route leads here, whichever hop it was.
    fn here_in_route(&self, line: &str) -> String {
        let host = line.split_once("sip:").and_then(|(_, rest)| rest.split(['>', ';']).next()).unwrap_or_default();
        line.replace(host, &self.wire.here().to_string())
    }

    /// The description of media names this RTP socket.
    fn here_in_sdp(&self, body: &str) -> String {
        let here = self.rtp.address();
        let line = |line: &str| match line.split_once(' ') {
            _ if line.starts_with("c=") => format!("c=IN IP4 {}", here.ip()),
            Some(("m=audio", rest)) => {
                format!("m=audio {} {}", here.port(), rest.split_once(' ').map_or("", |(_, rest)| rest))
            }
            _ if line.starts_with("a=rtcp:") => format!("a=rtcp:{} IN IP4 {}", here.port() + 1, here.ip()),
            _ => line.to_owned(),
        };
        body.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n")
    }
}

fn with_tag(line: &str, tag: Option<&str>) -> String {
    match (line.split_once(";tag="), tag) {
        (Some((start, _)), Some(tag)) => format!("{start};tag={tag}"),
        _ => line.to_owned(),
    }
}
