//! What each side is told of an end: headers of BYE, CANCEL and refusals in both directions, attributes of the participant.

use super::outbound::{Placing, SDP, placing};
use super::*;

type Told = &'static [(&'static str, &'static str)];

#[track_caller]
fn assert_told(name: &str, known: &BTreeMap<String, String>, told: Told) {
    for (attribute, value) in told {
        assert_eq!(known.get(*attribute).map_or("", String::as_str), *value, "{name}: {attribute} in {known:?}");
    }
}

async fn talking() -> (Placing, String) {
    let mut call =
        placing("", |request| request.set_include_headers(livekit_protocol::SipHeaderOptions::SipXHeaders)).await;
    let invite = call.answered().await;
    call.attributes_until("sip.callStatus", "active").await;
    (call, invite)
}

#[tokio::test]
async fn what_a_bye_says_is_told_before_the_participant_leaves() {
    let cases: &[(&str, &str, Told)] = &[
        (
            "a plain one",
            "",
            &[
                ("sip.disconnectReason", "remote_hangup"),
                ("sip.disconnectStatus", "200"),
                ("sip.disconnectCause", "16"),
                ("sip.disconnectText", ""),
            ],
        ),
        (
            "both protocols in two lines",
            "Reason: SIP;cause=408;text=\"RTP timeout\"\r\nReason: Q.850 ;cause=102\r\n",
            &[
                ("sip.disconnectReason", "remote_hangup"),
                ("sip.disconnectStatus", "408"),
                ("sip.disconnectCause", "102"),
                ("sip.disconnectText", "RTP timeout"),
            ],
        ),
        (
            "headers that the trunk maps, includes, and LiveKit knows",
            "X-Cost: 9\r\nX-Twilio-RecordingSid: RE1\r\nX-Twilio-CallSid: CA1\r\nSubject: no\r\n",
            &[
                ("cost", "9"),
                ("sip.h.x-cost", "9"),
                ("sip.h.x-twilio-recordingsid", "RE1"),
                ("sip.twilio.callSid", "CA1"),
                ("sip.h.subject", ""),
            ],
        ),
    ];
    for (name, more, told) in cases {
        let (mut call, invite) = talking().await;
        call.carrier.asks(&invite, "BYE", more, "").await;
        let known = call.attributes_until("sip.callStatus", "hangup").await;
        assert_told(name, &known, told);
        assert_eq!(call.ends().await, EndReason::RemoteHangup, "{name}");
    }
}

#[tokio::test]
async fn a_bye_takes_nothing_from_what_the_answer_has_told() {
    let mut call =
        placing("", |request| request.set_include_headers(livekit_protocol::SipHeaderOptions::SipAllHeaders)).await;
    let invite = call.carrier.hears("INVITE").await;
    call.carrier.says(&invite, "200 OK", "X-Cost: 1\r\nSubject: first\r\n", SDP).await;
    let known = call.attributes_until("sip.callStatus", "active").await;
    assert_told("answer", &known, &[("cost", "1"), ("sip.h.subject", "first")]);
    call.carrier.asks(&invite, "BYE", "X-Cost: 2\r\nSubject: last\r\nX-New: n\r\n", "").await;
    let known = call.attributes_until("sip.callStatus", "hangup").await;
    assert_told("BYE", &known, &[("cost", "2"), ("sip.h.x-new", "n"), ("sip.h.subject", ""), ("sip.h.from", "")]);
    assert_eq!(call.ends().await, EndReason::RemoteHangup);
}

#[tokio::test]
async fn what_a_refusal_says_is_told_before_the_participant_leaves() {
    let cases: &[(&str, &str, Told)] = &[
        (
            "486 Busy Here",
            "X-Cost: 5\r\n",
            &[
                ("cost", "5"),
                ("sip.disconnectReason", "busy"),
                ("sip.disconnectStatus", "486"),
                ("sip.disconnectCause", "17"),
            ],
        ),
        (
            "503 Service Unavailable",
            "Reason: Q.850;cause=34;text=\"No circuit\"\r\n",
            &[
                ("sip.disconnectReason", "upstream_error"),
                ("sip.disconnectStatus", "503"),
                ("sip.disconnectCause", "34"),
                ("sip.disconnectText", "No circuit"),
            ],
        ),
        (
            "480 Trunk CPS limit exceeded",
            "",
            &[("sip.disconnectReason", "unavailable"), ("sip.disconnectStatus", "480"), ("sip.disconnectCause", "18")],
        ),
    ];
    for (status, more, told) in cases {
        let mut call = placing("", |_| ()).await;
        let invite = call.carrier.hears("INVITE").await;
        call.carrier.says(&invite, status, more, "").await;
        let known = call.attributes_until("sip.callStatus", "hangup").await;
        assert_told(status, &known, told);
        call.ends().await;
        call.store.flush();
        let records = call.store.records(&crate::store::RecordFilter::default()).unwrap();
        assert_eq!(records[0].note.contains("peer: Q.850;cause=34"), more.contains("Q.850"), "{records:?}");
    }
}

#[tokio::test]
async fn what_we_say_when_we_end_a_call() {
    let (mut call, _) = talking().await;
    call.orders.send(Order::Hangup(EndReason::DuplicateIdentity)).await.unwrap();
    let known = call.attributes_until("sip.callStatus", "hangup").await;
    let told: Told = &[
        ("sip.disconnectReason", "duplicate_identity"),
        ("sip.disconnectStatus", "486"),
        ("sip.disconnectCause", "17"),
        ("sip.disconnectText", ""),
    ];
    assert_told("BYE", &known, told);
    let bye = call.carrier.hears("BYE").await;
    for reason in ["Reason: Q.850;cause=17;text=\"duplicate_identity\"", "Reason: SIP;cause=486;text=\"Busy Here\""] {
        assert!(bye.contains(reason), "{bye}");
    }
    assert_eq!(call.ends().await, EndReason::DuplicateIdentity);

    let second = pbjson_types::Duration { seconds: 1, nanos: 0 };
    let mut call = placing("", |request| request.ringing_timeout = Some(second)).await;
    let invite = call.carrier.hears("INVITE").await;
    call.carrier.says(&invite, "180 Ringing", "", "").await;
    let cancel = call.carrier.hears("CANCEL").await;
    assert!(cancel.contains("Reason: Q.850;cause=19;text=\"ringing_timeout\""), "{cancel}");
    assert!(cancel.contains("Reason: SIP;cause=480;"), "{cancel}");
    assert_eq!(call.ends().await, EndReason::RingingTimeout);
}

#[tokio::test]
async fn a_room_that_is_gone_and_a_gateway_that_stops_do_not_keep_the_last_word() {
    let (mut call, _) = talking().await;
    call.room_tells.send(rooms::Event::Ended(rooms::End::Removed)).await.unwrap();
    // The session is over, and says so with the end of its events.
    call.room_tells = mpsc::channel(1).0;
    assert!(call.carrier.hears("BYE").await.contains("participant_removed"));
    let ended = tokio::time::timeout(LIMIT, &mut call.task).await;
    assert_eq!(ended.unwrap().unwrap(), EndReason::ParticipantRemoved);

    let (mut call, _) = talking().await;
    call.stop.send_replace(Stop::End);
    let bye = call.carrier.hears("BYE").await;
    assert!(bye.contains("Q.850;cause=41;text=\"shutdown\"") && bye.contains("SIP;cause=503"), "{bye}");
    assert_eq!(call.ends().await, EndReason::Shutdown);
}

#[tokio::test]
async fn a_caller_whom_another_phone_has_answered() {
    let mut driver = active(TRUNK).await.driver;
    let call = driver.leg.call();
    let reason = Some("SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=26".to_owned());
    let inputs = driver.sip_inputs(Some(sip::Event::Cancelled { call, reason })).await;
    assert!(matches!(inputs.as_slice(), [Input::AnsweredElsewhere]), "{inputs:?}");
    let record = driver.record(EndReason::AnsweredElsewhere, "media".to_owned());
    assert_eq!(record.end, "answered_elsewhere");
    let note = "peer: SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=26; media";
    assert_eq!(record.note, note);
}

#[tokio::test]
async fn reasons_are_ours_to_say_whatever_a_trunk_maps() {
    let yaml = TRUNK.replace("sip.phoneNumber: X-Number", "sip.phoneNumber: Reason");
    let driver = active(&yaml).await.driver;
    let said = driver.parting_headers(Farewell::Hangup, EndReason::LocalHangup);
    assert_eq!(said, [(HeaderName::Reason, "Q.850;cause=16;text=\"local_hangup\"".to_owned())]);
}
