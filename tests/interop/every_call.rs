//! Every kind of call that a carrier, a PBX or a phone makes, a row each: who plays the other side, how its trunk differs, and
//! what is done. In every row the tone of the phone is heard in the room and the tone of the room at the phone, at the right
//! pitch (±5 Hz) and level (±3 dB), before and after what the row is about.
//!
//! Each row has a trunk, a number and a room of its own, so several run side by side. `ROWS=hold,g722` runs those alone whose
//! names have such a word.

#[path = "every_call/codecs.rs"]
mod codecs;
#[path = "every_call/desk.rs"]
mod desk;
#[path = "every_call/digits.rs"]
mod digits;
#[path = "every_call/ends.rs"]
mod ends;
#[path = "every_call/headers.rs"]
mod headers;
#[path = "every_call/hold.rs"]
mod hold;
#[path = "every_call/offers.rs"]
mod offers;
#[path = "every_call/pin.rs"]
mod pin;
#[path = "every_call/provisional.rs"]
mod provisional;
#[path = "every_call/silence.rs"]
mod silence;
#[path = "every_call/srtp.rs"]
mod srtp;
#[path = "every_call/timers.rs"]
mod timers;
#[path = "every_call/whole.rs"]
mod whole;

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::bed::prepare_alone;
use tests::need::Need;
use tests::peers::gateway::{self, Gateway, Setup};
use tests::peers::listener::Listener;
use tests::peers::livekit::LiveKit;
use tests::scratch::Scratch;

use Promise::{
    Codecs, DelayedOffers, Digits, Ends, Headers, Hold, Pins, Procedures, Provisional, Sessions, Silence, Srtp,
};
use desk::Desk;

/// Calls at a time.
const LANES: usize = 8;

/// What the gateway promises, in the order of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Promise {
    /// Hold from either side, resumed elsewhere or in another codec; offers that cross.
    Hold,
    /// Sessions that are refreshed by either side (RFC 4028), and peers that are gone.
    Sessions,
    /// Ringing, early media, and provisional answers that are acknowledged (RFC 3262).
    Provisional,
    /// Offers in every message that may bear one (RFC 6337).
    DelayedOffers,
    /// Keys by RFC 4733, INFO and as tones, either way.
    Digits,
    /// Rooms with a PIN.
    Pins,
    /// SRTP by SDES, each suite, with each policy.
    Srtp,
    /// Codecs, packet times, payload types, comfort noise.
    Codecs,
    /// Headers to attributes and back.
    Headers,
    /// What participants ask of a phone.
    Procedures,
    /// Discontinuous talk.
    Silence,
    /// How calls end, and what both sides are told.
    Ends,
}

/// One kind of call.
struct Row {
    promise: Promise,
    name: &'static str,
    /// Who is real at the other end: `sipp`'s SIP with a mouth and an ear of ours, or all of `baresip`.
    peer: Need,
    terms: fn(&mut Terms),
    /// Far longer than the others; begun first.
    is_slow: bool,
    call: fn(&mut Desk<'_>),
}

/// The trunk and the rule of a row, for it to change.
struct Terms {
    trunk: Value,
    rule: Value,
}

const fn sipp(promise: Promise, name: &'static str, call: fn(&mut Desk<'_>)) -> Row {
    Row { promise, name, peer: Need::Sipp, terms: |_| (), is_slow: false, call }
}

const fn baresip(promise: Promise, name: &'static str, call: fn(&mut Desk<'_>)) -> Row {
    Row { peer: Need::Baresip, ..sipp(promise, name, call) }
}

impl Row {
    const fn with(self, terms: fn(&mut Terms)) -> Self {
        Self { terms, ..self }
    }

    const fn slow(self) -> Self {
        Self { is_slow: true, ..self }
    }
}

const ROWS: &[Row] = &[
    sipp(Hold, "sendonly, resumed at another port", |d| hold::by_phone(d, hold::SENDONLY, hold::PORT))
        .with(hold::impatient),
    sipp(Hold, "inactive, resumed at another address", |d| hold::by_phone(d, hold::INACTIVE, hold::ADDRESS))
        .with(hold::impatient),
    sipp(Hold, "0.0.0.0, resumed with another payload type", |d| hold::by_phone(d, hold::ZEROS, hold::TYPE))
        .with(hold::impatient),
    sipp(Hold, "0.0.0.0 and inactive, resumed in PCMA", |d| hold::by_phone(d, hold::BOTH, hold::PCMA))
        .with(hold::impatient),
    sipp(Hold, "sendonly, resumed in G.722", |d| hold::by_phone(d, hold::SENDONLY, hold::G722)).with(hold::impatient),
    sipp(Hold, "with music", hold::with_music),
    sipp(Hold, "recvonly: the phone listens", hold::listening),
    baresip(Hold, "the phone's own key", hold::by_baresip),
    sipp(Hold, "by the room, and refused", hold::by_room),
    sipp(Hold, "by the room, whose offer gets 491", hold::by_room_after_491),
    sipp(Hold, "by the room, while the phone offers as well", hold::crossing),
    sipp(Sessions, "422, then refreshed by the phone: UPDATE, re-INVITE", timers::by_phone),
    sipp(Sessions, "refreshed by us: UPDATE", |d| timers::by_us(d, "UPDATE")).slow(),
    sipp(Sessions, "refreshed by us: re-INVITE", |d| timers::by_us(d, "INVITE")).slow(),
    sipp(Sessions, "a phone that is gone", timers::gone).slow(),
    sipp(Sessions, "out: 422, then refreshed by the carrier", timers::by_carrier),
    sipp(Provisional, "180 until somebody speaks", provisional::rings),
    sipp(Provisional, "180 repeated until PRACK", provisional::acknowledged),
    sipp(Provisional, "183: the room and the caller hear each other", provisional::heard).with(provisional::on_request),
    sipp(Provisional, "out: early media", |d| provisional::early(d, false)),
    sipp(Provisional, "out: early media that we acknowledge", |d| provisional::early(d, true)),
    sipp(DelayedOffers, "in the INVITE, answered in the 200", offers::early),
    sipp(DelayedOffers, "in the 200, answered in the ACK", offers::delayed),
    sipp(DelayedOffers, "in the 180, answered in the PRACK", offers::while_it_rings),
    sipp(DelayedOffers, "in an UPDATE", offers::update),
    sipp(DelayedOffers, "a re-INVITE without one", offers::reinvite_without),
    sipp(DelayedOffers, "a hold that ends by asking for ours", offers::resumed_by_asking),
    sipp(DelayedOffers, "out: theirs in the 200, answered in the ACK", offers::out_delayed),
    sipp(DelayedOffers, "out: theirs in a 183, answered in the PRACK", offers::out_while_it_rings),
    sipp(DelayedOffers, "out: theirs has to be encrypted", offers::out_sealed),
    baresip(DelayedOffers, "out: that of another maker", offers::out_to_baresip),
    sipp(Digits, "RFC 4733 from the phone", digits::from_phone),
    sipp(Digits, "RFC 4733 to the phone, those of a hold as well", digits::to_phone),
    sipp(Digits, "INFO from the phone: dtmf-relay, dtmf", digits::info),
    sipp(Digits, "INFO to the phone", digits::by_info),
    sipp(Digits, "INFO to a phone that takes dtmf alone", |d| digits::in_the_other_format(d, digits::PLAIN)),
    sipp(Digits, "INFO to a phone that takes dtmf-relay after all", |d| digits::in_the_other_format(d, digits::RELAY)),
    sipp(Digits, "tones to a phone that answers INFO with 501", digits::not_by_info),
    sipp(Digits, "tones to the phone", digits::as_tones),
    sipp(Digits, "tones from the phone", digits::tones),
    sipp(Digits, "from the phone, heard in the room", digits::audible),
    sipp(Digits, "RFC 4733 and INFO from the phone, each key once", digits::twice),
    baresip(Digits, "RFC 4733 of another maker", digits::from_baresip),
    sipp(Pins, "the right one", pin::right).with(pin::locked),
    sipp(Pins, "three wrong ones", pin::wrong).with(pin::locked),
    sipp(Pins, "none, with #", pin::none).with(pin::half_locked),
    baresip(Srtp, "offered beside plain RTP", |d| srtp::called(d, "srtp", "udp", true)).with(srtp::allow),
    baresip(Srtp, "offered alone", |d| srtp::called(d, "srtp-mand", "udp", true)).with(srtp::require),
    baresip(Srtp, "offered alone, over TLS", |d| srtp::called(d, "srtp-mand", "tls", true)).with(srtp::allow),
    baresip(Srtp, "allowed, but not offered", |d| srtp::called(d, "", "udp", false)).with(srtp::allow),
    baresip(Srtp, "offered, but switched off", |d| srtp::called(d, "srtp", "udp", false)).with(srtp::disable),
    baresip(Srtp, "out: allowed, and taken", |d| srtp::calling(d, "srtp", srtp::ALLOW, true)),
    baresip(Srtp, "out: required, and taken", |d| srtp::calling(d, "srtp-mand", srtp::REQUIRE, true)),
    baresip(Srtp, "out: allowed, and taken at the second try", srtp::second_try),
    baresip(Srtp, "out: allowed, and not known", |d| srtp::calling(d, "", srtp::ALLOW, false)),
    sipp(Srtp, "AES_CM_128_HMAC_SHA1_80, and another key", |d| srtp::suite(d, "AES_CM_128_HMAC_SHA1_80"))
        .with(srtp::allow),
    sipp(Srtp, "AES_CM_128_HMAC_SHA1_32, and another key", |d| srtp::suite(d, "AES_CM_128_HMAC_SHA1_32"))
        .with(srtp::allow),
    sipp(Srtp, "AES_256_CM_HMAC_SHA1_80, and another key", |d| srtp::suite(d, "AES_256_CM_HMAC_SHA1_80"))
        .with(srtp::allow),
    sipp(Srtp, "AES_256_CM_HMAC_SHA1_32, and another key", |d| srtp::suite(d, "AES_256_CM_HMAC_SHA1_32"))
        .with(srtp::allow),
    sipp(Srtp, "AEAD_AES_128_GCM, and another key", |d| srtp::suite(d, "AEAD_AES_128_GCM")).with(srtp::allow),
    sipp(Srtp, "AEAD_AES_256_GCM, and another key", |d| srtp::suite(d, "AEAD_AES_256_GCM")).with(srtp::allow),
    baresip(Srtp, "out: AES_CM_128_HMAC_SHA1_80", |d| srtp::suite_out(d, "AES_CM_128_HMAC_SHA1_80")),
    baresip(Srtp, "out: AES_CM_128_HMAC_SHA1_32", |d| srtp::suite_out(d, "AES_CM_128_HMAC_SHA1_32")),
    baresip(Srtp, "out: AEAD_AES_128_GCM", |d| srtp::suite_out(d, "AEAD_AES_128_GCM")),
    baresip(Srtp, "required, and not had", srtp::refused).with(srtp::require),
    baresip(Codecs, "G.722, two kilohertz said and five answered", |d| codecs::wide(d, 1_000.0, 5_000.0)),
    baresip(Codecs, "G.722, five kilohertz said and two answered", |d| codecs::wide(d, 5_000.0, 1_000.0)),
    baresip(Codecs, "out: G.722, one kilohertz said and five answered", |d| codecs::wide_out(d, 1_000.0, 5_000.0)),
    baresip(Codecs, "out: G.722, five kilohertz said and one answered", |d| codecs::wide_out(d, 5_000.0, 1_000.0)),
    baresip(Codecs, "Opus, one kilohertz said and five answered", |d| codecs::opus(d, 1_000.0, 5_000.0))
        .with(codecs::with_opus),
    baresip(Codecs, "Opus, five kilohertz said and one answered", |d| codecs::opus(d, 5_000.0, 1_000.0))
        .with(codecs::with_opus),
    baresip(Codecs, "out: Opus, one kilohertz said and five answered", |d| codecs::opus_out(d, 1_000.0, 5_000.0)),
    baresip(Codecs, "out: Opus, five kilohertz said and one answered", |d| codecs::opus_out(d, 5_000.0, 1_000.0)),
    baresip(Codecs, "PCMA alone", codecs::a_law),
    sipp(Codecs, "packets of 10 ms", |d| codecs::packets(d, 10)),
    sipp(Codecs, "packets of 30 ms", |d| codecs::packets(d, 30)),
    sipp(Codecs, "packets of 40 ms", |d| codecs::packets(d, 40)),
    sipp(Codecs, "packets of 60 ms", |d| codecs::packets(d, 60)),
    sipp(Codecs, "the order of the trunk, not that of the offer", codecs::order).with(codecs::a_law_first),
    sipp(Codecs, "out: other payload types than ours", codecs::other_types),
    sipp(Codecs, "comfort noise from the phone", codecs::comfort_noise),
    sipp(Headers, "to attributes, and back on 200 and BYE", headers::both_ways).with(headers::maps),
    sipp(Headers, "who calls and who was called first, where From is anonymous", headers::asserted),
    sipp(Headers, "out: of the request and of the answer", headers::of_a_callee),
    sipp(Procedures, "GetRemoteHeaders, dtmf, EndCall", headers::procedures),
    sipp(Silence, "the room pauses", silence::of_the_room),
    sipp(Silence, "the phone pauses, and sends nothing", silence::of_the_phone),
    sipp(Ends, "the phone hangs up and says why", ends::by_phone),
    sipp(Ends, "the room removes the caller", ends::by_room),
    sipp(Ends, "the last word is heard", ends::last_word),
    sipp(Ends, "out: refused with a reason", ends::refused),
    sipp(Ends, "no media any more", ends::no_media).with(hold::impatient),
    sipp(Hold, "all in one call: hold, resume, refresh, move, four codecs", whole::call),
];

/// What became of a row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    row: usize,
    took: Duration,
    /// What the gateway said of its call, if it failed.
    failure: Option<String>,
}

#[test]
fn every_call() {
    let Some(mut outcomes) = run(wanted()) else { return };
    outcomes.sort();
    let (mut table, mut failed) = (Vec::new(), Vec::new());
    for Outcome { row, took, failure } in &outcomes {
        let Row { promise, name, peer, .. } = &ROWS[*row];
        let mark = if failure.is_none() { "ok    " } else { "FAILED" };
        table.push(format!("{mark} {promise:?}: {name} ({peer:?}, {took:.1?})"));
        if let Some(log) = failure {
            eprintln!("──── {promise:?}: {name}; the gateway said:\n{log}");
            failed.push(name);
        }
    }
    eprintln!("{}", table.join("\n"));
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn no_promise_is_without_a_call() {
    let promises: BTreeSet<Promise> = ROWS.iter().map(|row| row.promise).collect();
    let all =
        [Hold, Sessions, Provisional, DelayedOffers, Digits, Pins, Srtp, Codecs, Headers, Procedures, Silence, Ends];
    let missing: Vec<_> = all.into_iter().filter(|promise| !promises.contains(promise)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let names: BTreeSet<_> = ROWS.iter().map(|row| (row.promise, row.name)).collect();
    assert_eq!(names.len(), ROWS.len(), "two rows have one name");
}

/// The rows that are asked for.
fn wanted() -> Vec<usize> {
    let words = std::env::var("ROWS").unwrap_or_default().to_lowercase();
    let is_wanted = |row: &Row| {
        let name = format!("{:?}: {}", row.promise, row.name).to_lowercase();
        words.is_empty() || words.split(',').any(|word| name.contains(word))
    };
    (0..ROWS.len()).filter(|&row| is_wanted(&ROWS[row])).collect()
}

/// A gateway with a trunk and a rule for each row.
fn setup(rows: &[usize], scratch: &Scratch) -> Setup {
    let (mut trunks, mut rules) = (Vec::new(), Vec::new());
    for &row in rows {
        let (trunk, rule) = (format!("trunk {row}"), format!("rule {row}"));
        let mut terms = Terms {
            trunk: json!({"name": trunk, "numbers": [number(row)], "allowed_addresses": ["127.0.0.1"]}),
            rule: json!({
                "name": rule, "trunk_ids": [trunk], "rule": {"dispatchRuleDirect": {"roomName": room(row)}},
            }),
        };
        (ROWS[row].terms)(&mut terms);
        trunks.push(terms.trunk);
        match terms.rule {
            Value::Array(several) => rules.extend(several),
            one => rules.push(one),
        }
    }
    let setup = Setup { trunks: trunks.into(), rules: rules.into(), tls: true, api: true, ..Setup::room("") };
    setup.with("prompts", pin::prompts(scratch)).with("audio_dtmf", true.into())
}

fn number(row: usize) -> String {
    format!("+155501{row:02}")
}

fn room(row: usize) -> String {
    format!("room-{row}")
}

/// What became of each row, and how long it took.
fn run(rows: Vec<usize>) -> Option<Vec<Outcome>> {
    let (scratch, _turn) = prepare_alone("every-call", &[Need::Sipp, Need::Baresip])?;
    gateway::binary();
    let livekit = LiveKit::start(&scratch);
    let gateway = Gateway::start(&setup(&rows, &scratch), &livekit.url(), &scratch);
    let (slow, quick): (Vec<_>, Vec<_>) = rows.into_iter().partition(|&row| ROWS[row].is_slow);
    let queue = Mutex::new(slow.into_iter().chain(quick).collect::<VecDeque<_>>());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (queue, results, livekit, gateway, scratch) = (&queue, &results, &livekit, &gateway, &scratch);
            scope.spawn(move || {
                let mut listener = None;
                loop {
                    let Some(row) = queue.lock().expect("nobody panics with it").pop_front() else { return };
                    let start = Instant::now();
                    let listen = || Listener::start(&format!("listener-{lane}"), &livekit.url(), scratch);
                    let ear = listener.get_or_insert_with(listen);
                    let failure = played(row, gateway, ear, scratch);
                    if failure.is_some() {
                        // It may be anywhere.
                        listener = None;
                    }
                    let outcome = Outcome { row, took: start.elapsed(), failure };
                    results.lock().expect("nobody panics with it").push(outcome);
                }
            });
        }
    });
    Some(results.into_inner().expect("nobody panics with it"))
}

/// Plays one row; returns what the gateway has to say of it if it fails.
fn played(row: usize, gateway: &Gateway, listener: &mut Listener, scratch: &Scratch) -> Option<String> {
    let (room, caller) = (room(row), format!("+155503{row:02}"));
    let place = scratch.within(&format!("row-{row}"));
    let play = AssertUnwindSafe(|| {
        let place = place;
        let mut desk = Desk { gateway, listener, scratch: &place, number: number(row), room: room.clone(), caller };
        (ROWS[row].call)(&mut desk);
        desk.leave();
    });
    catch_unwind(play).err()?;
    let (log, name) = (gateway.log(), format!("room=\"{room}\""));
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&name)).collect();
    Some(lines[lines.len().saturating_sub(60)..].join("\n"))
}
