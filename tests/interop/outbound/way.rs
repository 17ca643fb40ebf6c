//! By which way a call reaches its carrier: names, servers, transports.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::callee::Callee;
use tests::peers::dns::{Dns, Record};
use tests::peers::gateway::{OUR_NUMBER, Setup};

use super::{LIMIT, ROOM, request, setup};

#[test]
fn srv_records_lead_past_carriers_that_are_full_or_dead() {
    let (mut full, dead, mut alive) = (Callee::new(), Callee::new(), Callee::new());
    let dns = Dns::serve(vec![
        Record::Srv("_sip._udp.full.test", 10, 0, full.address().port(), "a.full.test"),
        Record::Srv("_sip._udp.full.test", 20, 0, alive.address().port(), "b.full.test"),
        Record::Srv("_sip._udp.dead.test", 10, 0, dead.address().port(), "a.full.test"),
        Record::Srv("_sip._udp.dead.test", 20, 0, alive.address().port(), "b.full.test"),
        Record::A("a.full.test", Ipv4Addr::LOCALHOST),
        Record::A("b.full.test", Ipv4Addr::LOCALHOST),
    ]);
    let trunk = |name: &str, host: &str| json!({"name": name, "address": host, "numbers": [OUR_NUMBER]});
    let setup = Setup {
        outbound: json!([trunk("full", "full.test"), trunk("dead", "dead.test"), trunk("none", "none.test")]),
        api: true,
        ..Setup::room(ROOM)
    };
    let setup =
        setup.with("dns_servers", json!([dns.address().to_string()])).with("outbound", json!({"patience": "1s"}));
    let Some(bed) = Bed::new("outbound-srv", &setup, &[]) else { return };
    for name in ["full", "dead"] {
        let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({"sip_trunk_id": name})));
        let start = Instant::now();
        if name == "full" {
            full.invited();
            full.refuse("503 Service Unavailable");
        }
        let invite = alive.invited();
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
        assert!(invite.start().contains(&format!("@{name}.test")), "the URI keeps the domain: {}", invite.start());
        alive.pick_up(None);
        assert_eq!(pending.finish().status, 200, "{name}");
        assert_eq!(alive.bye().status(), 200);
    }
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&json!({"sip_trunk_id": "none"})));
    assert_eq!(answer.code(), "invalid_argument", "{}; asked were {:?}", answer.body, dns.asked());
}

#[test]
fn baresip_is_called_over_udp_tcp_and_with_a_long_request() {
    let long: serde_json::Map<_, _> = (0..4).map(|n| (format!("X-Long-{n}"), "x".repeat(500).into())).collect();
    for (case, transport, headers) in [
        ("udp", "SIP_TRANSPORT_UDP", json!({})),
        ("tcp", "SIP_TRANSPORT_TCP", json!({})),
        ("long", "SIP_TRANSPORT_AUTO", Value::Object(long)),
    ] {
        let inline = |to: SocketAddr| json!({"hostname": to.to_string(), "transport": transport});
        let Some(mut bed) = Bed::new(&format!("outbound-baresip-{case}"), &setup(unused()), &[Need::Baresip]) else {
            return;
        };
        bed.listener.join(ROOM, 880.0);
        let mut phone = Baresip::start("udp", 440.0, ";answermode=auto", &bed.scratch);
        let call = json!({
            "sip_trunk_id": null, "trunk": inline(phone.sip()), "sip_number": OUR_NUMBER, "sip_call_to": "+15550177",
            "headers": headers,
        });
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&call));
        assert_eq!(answer.status, 200, "{case}: {}", answer.body);
        bed.listener.hear("sip_+15550177", 440.0, -15.0, LIMIT);
        let via = if case == "udp" { "Via: SIP/2.0/UDP" } else { "Via: SIP/2.0/TCP" };
        let invites = phone.process().output();
        let (_, invite) = invites.split_once("INVITE sip:").expect("baresip shows what it is sent");
        assert!(invite.lines().take(12).any(|line| line.contains(via)), "{case}: not {via}");
        std::thread::sleep(Duration::from_secs(1));
        bed.listener.tell("remove", json!({"room": ROOM, "identity": "sip_+15550177"}));
        bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
        // It writes the rest of its file when the call is over.
        let heard = || audio::measure(audio::loudest(&phone.heard(), 8_000, 1.0), 8_000);
        assert!(tests::within(LIMIT, || heard().is_tone(880.0, -15.0)).is_some(), "{case}: {:?}", heard());
    }
}

/// An address at which nobody is called.
fn unused() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 9).into()
}
