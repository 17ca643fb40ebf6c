//! What carriers, a PBX and a scanner really send, replayed with the addresses of this machine, and what must come of it. So
//! are the files that people have for `lk`, and the requests of their back ends.

#[path = "carriers/files.rs"]
mod files;
#[path = "carriers/inbound.rs"]
mod inbound;
#[path = "carriers/outbound.rs"]
mod outbound;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::peers::carrier::Carrier;
use tests::peers::gateway::Setup;
use tests::peers::phone::{Message, Rtp};
use tests::{data, root};

const LIMIT: Duration = Duration::from_secs(10);
const ROOM: &str = "clinic";
const TWILIO: &str = "+15105550100";
const TELNYX: &str = "+14155550199";
/// Who calls by Twilio.
const CALLER: &str = "sip_+14155550123";

/// Every file, and the test that plays it.
const FILES: &[(&str, fn())] = &[
    ("carriers/pbx-info-dtmf.sip", inbound::the_key_of_a_pbx_reaches_the_room),
    ("carriers/pbx-invite-offerless.sip", inbound::an_offer_may_come_late),
    ("carriers/scanner-invite.sip", inbound::a_scanner_gets_nothing),
    ("carriers/telnyx-bye.sip", inbound::compact_headers_hang_up_as_well),
    ("carriers/telnyx-invite-call-control.sip", inbound::the_call_control_id_names_the_room),
    ("carriers/telnyx-invite-tls-srtp.sip", inbound::secure_trunks_are_answered_as_the_trunk_says),
    ("carriers/telnyx-invite.sip", inbound::invites_reach_the_room),
    ("carriers/telnyx-options-ping.sip", inbound::a_ping_is_answered_with_what_is_really_handled),
    ("carriers/twilio-ack.sip", inbound::a_call_from_its_invite_to_its_bye),
    ("carriers/twilio-bye.sip", inbound::a_call_from_its_invite_to_its_bye),
    ("carriers/twilio-cancel.sip", inbound::a_caller_who_cancels_gets_487),
    ("carriers/twilio-dial-sip-407-challenge.sip", inbound::the_digest_exchange_of_programmable_voice),
    ("carriers/twilio-dial-sip-invite-1-unauth.sip", inbound::the_digest_exchange_of_programmable_voice),
    ("carriers/twilio-dial-sip-invite-2-auth.sip", inbound::the_digest_exchange_of_programmable_voice),
    ("carriers/twilio-dial-sip-invite-2-badauth.sip", inbound::the_digest_exchange_of_programmable_voice),
    ("carriers/twilio-invite-opus.sip", inbound::opus_is_taken_by_those_who_want_it),
    ("carriers/twilio-invite-tls-plain-rtp.sip", inbound::secure_trunks_are_answered_as_the_trunk_says),
    ("carriers/twilio-invite-tls-srtp.sip", inbound::secure_trunks_are_answered_as_the_trunk_says),
    ("carriers/twilio-invite.sip", inbound::a_call_from_its_invite_to_its_bye),
    ("carriers/twilio-notify-refer-100.sip", outbound::a_transfer_is_reported),
    ("carriers/twilio-notify-refer-200.sip", outbound::a_transfer_is_reported),
    ("carriers/twilio-notify-refer-486.sip", outbound::a_transfer_is_reported),
    ("carriers/twilio-reinvite-hold.sip", inbound::a_refresh_and_a_hold_are_answered_and_the_call_stays),
    ("carriers/twilio-reinvite-refresh-offerless.sip", inbound::a_refresh_and_a_hold_are_answered_and_the_call_stays),
    ("carriers/twilio-term-183-early.sip", outbound::a_termination_trunk_answers),
    ("carriers/twilio-term-200.sip", outbound::a_termination_trunk_answers),
    ("carriers/twilio-term-407.sip", outbound::a_termination_trunk_answers),
    ("carriers/twilio-term-486.sip", outbound::a_termination_trunk_refuses),
    ("carriers/twilio-term-503-cps.sip", outbound::a_termination_trunk_refuses),
    ("http/active-rooms-response.json", files::a_back_end_sees_what_it_shows),
    ("http/move-participant.json", files::a_transfer_and_a_move_as_agents_ask_for_them),
    ("http/sip-outbound-request.json", files::a_back_end_sees_what_it_shows),
    ("http/sip-outbound-response.json", files::a_back_end_sees_what_it_shows),
    ("http/telnyx-call-initiated.json", inbound::the_call_control_id_names_the_room),
    ("http/twirp-error-486.json", outbound::a_termination_trunk_refuses),
    ("lk/dispatch-rule-direct-pin.json", files::a_hidden_caller_with_a_pin),
    ("lk/dispatch-rule-legacy-flat.json", files::objects_are_taken_as_lk_sends_them),
    ("lk/dispatch-rule.json", files::objects_are_taken_as_lk_sends_them),
    ("lk/inbound-trunk-any-number-pattern.json", files::objects_are_taken_as_lk_sends_them),
    ("lk/inbound-trunk-digest.json", inbound::the_digest_exchange_of_programmable_voice),
    ("lk/inbound-trunk-telnyx.json", files::objects_are_taken_as_lk_sends_them),
    ("lk/inbound-trunk.json", files::objects_are_taken_as_lk_sends_them),
    ("lk/outbound-trunk-secure.json", files::objects_are_taken_as_lk_sends_them),
    ("lk/outbound-trunk-telnyx.json", files::objects_are_taken_as_lk_sends_them),
    ("lk/outbound-trunk.json", outbound::a_termination_trunk_answers),
    ("lk/sip-participant-inline-trunk.json", files::calls_are_placed_as_lk_asks_for_them),
    ("lk/sip-participant-trunk-by-name.json", outbound::a_termination_trunk_refuses),
    ("lk/sip-participant.json", outbound::a_termination_trunk_answers),
    ("lk/transfer.json", files::a_transfer_and_a_move_as_agents_ask_for_them),
];

#[test]
fn every_file_is_played() {
    let folders = [("carriers", data("carriers")), ("http", data("http")), ("lk", root().join("bridge/tests/data/lk"))];
    let there: BTreeSet<String> = folders
        .iter()
        .flat_map(|(name, folder)| {
            let entries = std::fs::read_dir(folder).expect("the folder is in the tree").flatten();
            entries.map(move |entry| format!("{name}/{}", entry.file_name().to_string_lossy()))
        })
        .collect();
    let played: BTreeSet<String> = FILES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(played, there);
}

/// A file of JSON: `lk/…` or `http/…`.
fn json_of(file: &str) -> Value {
    let folder = if file.starts_with("lk/") { root().join("bridge/tests/data") } else { data("") };
    let text = std::fs::read_to_string(folder.join(file)).expect("the file is in the tree");
    serde_json::from_str(&text).expect("the file is JSON")
}

/// What an INVITE has to become.
fn expected(file: &str) -> Value {
    let text = std::fs::read_to_string(root().join("bridge/tests/data/expected-attributes.json"));
    let all: Value = serde_json::from_str(&text.expect("the file is in the tree")).expect("the file is JSON");
    all[file].clone()
}

/// Two trunks as in the files of `lk`, and one room.
fn setup() -> Setup {
    let trunks = json!([
        {"name": "Twilio", "numbers": [TWILIO], "allowed_addresses": ["127.0.0.1"], "include_headers": "SIP_X_HEADERS"},
        {"name": "Telnyx", "numbers": [TELNYX], "allowed_addresses": ["127.0.0.1"]},
    ]);
    Setup { trunks, api: true, ..Setup::room(ROOM) }
}

fn carrier(bed: &Bed, transport: &str) -> Carrier {
    Carrier::new(&bed.gateway, transport, &bed.scratch.path().join("cert.pem"))
}

/// The carrier takes an answer to its INVITE, and both ends hear each other.
#[track_caller]
fn talks(bed: &mut Bed, carrier: &mut Carrier, answer: &Message, identity: &str) {
    carrier.acknowledge(answer);
    carrier.talk(answer, 440.0);
    both_hear(bed, &carrier.rtp, identity, 440.0);
}

/// The carrier hangs up, and its caller leaves the room.
#[track_caller]
fn hangs_up(bed: &mut Bed, carrier: &mut Carrier, answer: &Message, name: &str) {
    assert_eq!(carrier.bye(answer).status(), 200, "{name}");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    bed.listener.forget();
}

/// Both ends hear each other from now on.
#[track_caller]
fn both_hear(bed: &mut Bed, rtp: &Rtp, identity: &str, tone: f64) {
    bed.listener.hear(identity, tone, -15.0, LIMIT);
    hears(rtp, 880.0);
}

#[track_caller]
fn hears(rtp: &Rtp, pitch: f64) {
    rtp.forget();
    let is_it = || rtp.heard().samples.len() >= 4_000 && rtp.measure().is_tone(pitch, -15.0);
    assert!(tests::within(LIMIT, is_it).is_some(), "the phone should hear {pitch} Hz, but it is {:?}", rtp.measure());
}

/// The record of the last call, once it is written.
#[track_caller]
fn record(bed: &Bed) -> Value {
    let mut found = Value::Null;
    let written = tests::within(LIMIT, || {
        found = bed.gateway.api().get("/trunkline/v1/records?limit=1").body["records"][0].clone();
        !found.is_null()
    });
    assert!(written.is_some(), "the call leaves a record");
    found
}
