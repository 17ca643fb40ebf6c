//! Transfers: by REFER with each of its outcomes, inside the gateway where the carrier will not, and asked for by a phone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::peers::api::Pending;
use tests::peers::callee::Callee;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::{Message, Phone};

const LIMIT: Duration = Duration::from_secs(10);
const ROOM: &str = "desk";
const CALLER: &str = "sip_+15550199";
const NOTIFY: &str = "Event: refer\r\nContent-Type: message/sipfrag\r\nSubscription-State: ";

#[test]
fn the_carrier_transfers_and_the_call_ends_here() {
    let Some((mut bed, mut phone, _)) = talking("transfer-accepted", setup()) else { return };
    let pending = transfer(&bed, &json!({"headers": {"X-Reason": "billing"}}));
    let refer = referred(&mut phone, "202 Accepted");
    assert_eq!(refer.header("Refer-To"), Some("<tel:+15550177>"));
    assert_eq!(refer.header("X-Reason"), Some("billing"));
    notify(&mut phone, "active;expires=60", "100 Trying");
    notify(&mut phone, "active;expires=60", "180 Ringing");
    assert!(!pending.is_over(), "nobody has answered yet");
    notify(&mut phone, "terminated;reason=noresource", "200 OK");
    let answer = pending.finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.text("transfer_id").starts_with("STR_"), "{}", answer.body);
    // The phone was to hang up and does not, so the gateway does.
    assert!(phone.expect_request("BYE", Duration::from_secs(3)).is_some());
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn a_hang_up_during_the_transfer_is_its_success() {
    let Some((mut bed, mut phone, _)) = talking("transfer-hung-up", setup()) else { return };
    let pending = transfer(&bed, &json!({}));
    referred(&mut phone, "202 Accepted");
    notify(&mut phone, "active;expires=60", "100 Trying");
    assert_eq!(phone.bye().status(), 200);
    let answer = pending.finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

/// What the API's caller gets of each refusal, and that the call goes on as it was.
#[test]
fn a_transfer_that_fails_leaves_the_call() {
    let Some((mut bed, mut phone, _)) = talking("transfer-refused", setup()) else { return };
    let cases: [(&str, &[&str], u16, &str); 4] = [
        ("603 Decline", &[], 603, "permission_denied"),
        ("405 Method Not Allowed", &[], 405, "invalid_argument"),
        ("202 Accepted", &["100 Trying", "486 Busy Here"], 486, "resource_exhausted"),
        ("202 Accepted", &["503 Service Unavailable"], 503, "failed_precondition"),
    ];
    for (reply, fragments, status, code) in cases {
        let pending = transfer(&bed, &json!({}));
        referred(&mut phone, reply);
        for (n, fragment) in fragments.iter().enumerate() {
            let last = n + 1 == fragments.len();
            notify(&mut phone, if last { "terminated;reason=noresource" } else { "active;expires=60" }, fragment);
        }
        let answer = pending.finish();
        assert_eq!((answer.code(), answer.sip_status()), (code, Some(status)), "{reply}: {}", answer.body);
        expect_the_call_to_stand(&mut bed, &mut phone);
    }
}

#[test]
fn a_transfer_that_nobody_answers_times_out() {
    for (case, reply) in [("transfer-silent", None), ("transfer-no-notify", Some("202 Accepted"))] {
        let Some((mut bed, mut phone, _)) = talking(case, setup()) else { return };
        let pending = transfer(&bed, &json!({"ringing_timeout": "2s"}));
        let refer = wait_for_refer(&mut phone, None);
        if let Some(reply) = reply {
            phone.send(&refer.reply(reply));
        }
        let answer = pending.finish();
        assert_eq!(answer.code(), "deadline_exceeded", "{case}: {}", answer.body);
        expect_the_call_to_stand(&mut bed, &mut phone);
    }
}

/// An agent whose transfer came to nothing tries another number.
#[test]
fn after_a_transfer_timed_out_another_one_can_be_tried() {
    let Some((mut bed, mut phone, _)) = talking("transfer-again", setup()) else { return };
    let pending = transfer(&bed, &json!({"ringing_timeout": "1s"}));
    let silent = wait_for_refer(&mut phone, None);
    assert_eq!(pending.finish().code(), "deadline_exceeded");
    let pending = transfer(&bed, &json!({"transfer_to": "tel:+15550178"}));
    let refer = wait_for_refer(&mut phone, Some(&silent));
    assert_eq!(refer.header("Refer-To"), Some("<tel:+15550178>"));
    // The first is answered now, when nobody asks any more: it is no answer to the second.
    phone.send(&silent.reply("603 Decline"));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!pending.is_over(), "a late answer to the first is none to the second");
    phone.send(&refer.reply("202 Accepted"));
    notify(&mut phone, "terminated;reason=noresource", "200 OK");
    let answer = pending.finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn the_phone_hears_ringing_meanwhile_and_the_room_is_silent_to_it() {
    let Some((mut bed, mut phone, _)) = talking("transfer-dialtone", setup()) else { return };
    let pending = transfer(&bed, &json!({"play_dialtone": true}));
    referred(&mut phone, "202 Accepted");
    notify(&mut phone, "active;expires=60", "180 Ringing");
    let rings = tests::within(LIMIT, || {
        let heard = phone.rtp.measure();
        (heard.pitch - 425.0).abs() < 5.0 && heard.share > 0.7
    });
    assert!(rings.is_some(), "{:?}", phone.rtp.measure());
    notify(&mut phone, "terminated;reason=noresource", "480 Temporarily Unavailable");
    assert_eq!(pending.finish().sip_status(), Some(480));
    expect_the_call_to_stand(&mut bed, &mut phone);
}

#[test]
fn a_placed_call_is_transferred_as_well() {
    let mut callee = Callee::new();
    let Some(mut bed) = Bed::new("transfer-outbound", &Setup::outbound(ROOM, callee.address()), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let call = json!({
        "sip_trunk_id": "out", "sip_call_to": "+15550400", "room_name": ROOM, "participant_identity": CALLER,
        "wait_until_answered": true,
    });
    let placing = bed.gateway.api().begin("CreateSIPParticipant", &call);
    callee.invited();
    callee.pick_up(Some(440.0));
    assert_eq!(placing.finish().status, 200);
    let pending = transfer(&bed, &json!({"transfer_to": "sip:+15550177@carrier.test"}));
    let refer = callee.expect("REFER");
    assert_eq!(refer.header("Refer-To"), Some("<sip:+15550177@carrier.test>"));
    callee.reply_to(&refer, "202 Accepted");
    let fragment =
        callee.in_dialog("NOTIFY", &format!("{NOTIFY}terminated;reason=noresource\r\n"), "SIP/2.0 200 OK\r\n");
    assert_eq!(fragment.status(), 200);
    assert_eq!(pending.finish().status, 200);
    assert!(callee.expect_bye(Duration::from_secs(3)).is_some());
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn where_the_carrier_refuses_the_gateway_bridges() {
    let setup = |callee: &Callee| {
        let mut setup = setup()(callee);
        setup.trunks[0]["bridge_transfers"] = "fallback".into();
        setup.outbound[0]["default_outbound"] = true.into();
        setup
    };
    let Some((mut bed, mut phone, mut target)) = talking("transfer-bridged", setup) else { return };
    let pending = transfer(&bed, &json!({}));
    referred(&mut phone, "405 Method Not Allowed");
    let invite = target.invited();
    assert!(invite.start().starts_with("INVITE sip:+15550177@"), "{}", invite.start());
    target.reply("180 Ringing");
    assert!(!pending.is_over(), "nobody has answered yet");
    target.pick_up(Some(660.0));
    let answer = pending.finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    let heard = tests::within(LIMIT, || phone.rtp.measure().is_tone(660.0, -15.0));
    assert!(heard.is_some(), "the caller hears the target: {:?}", phone.rtp.measure());
    let heard = tests::within(LIMIT, || target.rtp.measure().is_tone(440.0, -15.0));
    assert!(heard.is_some(), "the target hears the caller: {:?}", target.rtp.measure());
    let ear = phone.rtp.heard();
    assert!(ear.longest_pause() < Duration::from_millis(200), "{:?}", ear.longest_pause());
    // One hangs up, so the other is hung up.
    assert_eq!(target.bye().status(), 200);
    assert!(phone.expect_request("BYE", LIMIT).is_some());
}

#[test]
fn a_bridged_transfer_to_somebody_busy_leaves_the_call() {
    let setup = |callee: &Callee| {
        let mut setup = setup()(callee);
        setup.trunks[0]["bridge_transfers"] = "always".into();
        setup.outbound[0]["default_outbound"] = true.into();
        setup
    };
    let Some((mut bed, mut phone, mut target)) = talking("transfer-bridged-busy", setup) else { return };
    let pending = transfer(&bed, &json!({}));
    target.invited();
    target.refuse("486 Busy Here");
    let answer = pending.finish();
    assert_eq!((answer.code(), answer.sip_status()), ("resource_exhausted", Some(486)), "{}", answer.body);
    expect_the_call_to_stand(&mut bed, &mut phone);
}

#[test]
fn a_phone_may_not_transfer_unless_its_trunk_allows_it() {
    let Some((mut bed, mut phone, mut target)) = talking("transfer-inbound-refused", setup()) else { return };
    let refused = phone.in_dialog("REFER", "Refer-To: <tel:+15550177>\r\n", "");
    assert_eq!(refused.status(), 603, "{}", refused.start());
    assert!(target.invited_within(Duration::from_secs(1)).is_none(), "nobody is called");
    expect_the_call_to_stand(&mut bed, &mut phone);
}

#[test]
fn a_phone_that_may_brings_the_target_into_the_room() {
    let setup = |callee: &Callee| {
        let mut setup = setup()(callee);
        setup.trunks[0]["allow_refer"] = true.into();
        setup.outbound[0]["default_outbound"] = true.into();
        setup
    };
    let Some((mut bed, mut phone, mut target)) = talking("transfer-inbound", setup) else { return };
    let accepted = phone.in_dialog("REFER", "Refer-To: <tel:+15550177>\r\n", "");
    assert_eq!(accepted.status(), 202, "{}", accepted.start());
    target.invited();
    target.reply("180 Ringing");
    target.pick_up(Some(660.0));
    let mut fragments = Vec::new();
    while !fragments.iter().any(|f: &String| f.contains(" 200")) {
        let (_, notify) = phone.expect_request("NOTIFY", LIMIT).expect("the progress is told");
        assert!(notify.header("Event").is_some_and(|event| event.starts_with("refer")));
        fragments.push(notify.body().trim().to_owned());
    }
    assert!(fragments[0].starts_with("SIP/2.0 100"), "{fragments:?}");
    assert_eq!(phone.bye().status(), 200);
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left" && e.text("identity") == CALLER);
    bed.listener.hear("sip_+15550177", 660.0, -15.0, LIMIT);
    let heard = tests::within(LIMIT, || target.rtp.measure().is_tone(880.0, -15.0));
    assert!(heard.is_some(), "{:?}", target.rtp.measure());
}

/// The usual trunk for callers, and an outbound one toward the target of transfers.
fn setup() -> impl Fn(&Callee) -> Setup {
    |callee| Setup::outbound(ROOM, callee.address())
}

/// A caller with 440 Hz who hears a listener with 880 Hz, and somebody to be transferred to.
fn talking(name: &str, setup: impl Fn(&Callee) -> Setup) -> Option<(Bed, Phone, Callee)> {
    let target = Callee::new();
    let mut bed = Bed::new(name, &setup(&target), &[])?;
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    Some((bed, phone, target))
}

fn transfer(bed: &Bed, changes: &Value) -> Pending {
    let mut request = json!({"room_name": ROOM, "participant_identity": CALLER, "transfer_to": "tel:+15550177"});
    for (name, value) in changes.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    bed.gateway.api().admin_of(ROOM).begin("TransferSIPParticipant", &request)
}

/// Waits for a REFER that is another than that one, which may be sent again, and does not answer it.
fn wait_for_refer(phone: &mut Phone, before: Option<&Message>) -> Message {
    let deadline = Instant::now() + LIMIT;
    while let Some(message) = phone.receive(deadline.saturating_duration_since(Instant::now())) {
        if message.is_request() && message.method() == "REFER" && before.is_none_or(|b| b.cseq() != message.cseq()) {
            return message;
        }
    }
    panic!("no REFER");
}

fn referred(phone: &mut Phone, reply: &str) -> Message {
    let refer = wait_for_refer(phone, None);
    phone.send(&refer.reply(reply));
    refer
}

fn notify(phone: &mut Phone, state: &str, fragment: &str) {
    let answer = phone.in_dialog("NOTIFY", &format!("{NOTIFY}{state}\r\n"), &format!("SIP/2.0 {fragment}\r\n"));
    assert_eq!(answer.status(), 200, "NOTIFY {fragment}: {}", answer.start());
}

/// Both still hear each other.
fn expect_the_call_to_stand(bed: &mut Bed, phone: &mut Phone) {
    bed.listener.forget();
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let heard = tests::within(LIMIT, || phone.rtp.measure().is_tone(880.0, -15.0));
    assert!(heard.is_some(), "{:?}", phone.rtp.measure());
}
