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
#[path = "every_call/opus.rs"]
mod opus;
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
use tests::peers::repository::Repository;
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
    terms: fn(&mut Terms<'_>),
    /// Far longer than the others; begun first.
    is_slow: bool,
    call: fn(&mut Desk<'_>),
}

/// The trunk and the rule of a row, for it to change.
struct Terms<'a> {
    trunk: Value,
    rule: Value,
    /// Files that a rule may name.
    recordings: &'a Value,
}

const fn sipp(promise: Promise, name: &'static str, call: fn(&mut Desk<'_>)) -> Row {
    Row { promise, name, peer: Need::Sipp, terms: |_| (), is_slow: false, call }
}

const fn baresip(promise: Promise, name: &'static str, call: fn(&mut Desk<'_>)) -> Row {
    Row { peer: Need::Baresip, ..sipp(promise, name, call) }
}

impl Row {
    const fn with(self, terms: fn(&mut Terms<'_>)) -> Self {
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
    sipp(Hold, "out: sendonly, resumed at another port", |d| hold::by_callee(d, hold::SENDONLY)),
    sipp(Hold, "out: inactive, resumed at another port", |d| hold::by_callee(d, hold::INACTIVE)),
    baresip(Hold, "the phone's own key", hold::by_baresip),
    sipp(Hold, "by the room, and refused", hold::by_room),
    sipp(Hold, "out: by the room", hold::of_a_callee),
    sipp(Hold, "by the room, with a file of the rule", hold::by_room_with_a_file).with(hold::musical),
    sipp(Hold, "by the phone, then by the room as well", hold::by_both),
    sipp(Hold, "by the room, whose offer gets 491", hold::by_room_after_491),
    sipp(Hold, "by the room, while the phone offers as well", hold::crossing),
    sipp(Hold, "by the room, while a refresh is under way", hold::while_refreshing).slow(),
    sipp(Sessions, "422, then refreshed by the phone: UPDATE, re-INVITE", timers::by_phone),
    sipp(Sessions, "Min-SE longer than what we want", timers::longer),
    sipp(Sessions, "refreshed by us: UPDATE", |d| timers::by_us(d, "UPDATE")).slow(),
    sipp(Sessions, "refreshed by us: re-INVITE", |d| timers::by_us(d, "INVITE")).slow(),
    sipp(Sessions, "a phone that is gone", timers::gone).slow(),
    sipp(Sessions, "a phone that refreshes no more", timers::forgotten).slow(),
    sipp(Sessions, "out: 422, then refreshed by the carrier", timers::by_carrier),
    sipp(Sessions, "out: refreshed by us", timers::by_us_as_caller).slow(),
    sipp(Provisional, "180 until somebody speaks", provisional::rings),
    sipp(Provisional, "180 repeated until PRACK: required", |d| provisional::acknowledged(d, "Require: 100rel\r\n")),
    sipp(Provisional, "180 repeated until PRACK: supported", |d| provisional::acknowledged(d, "Supported: 100rel\r\n")),
    sipp(Provisional, "183: the room and the caller hear each other", provisional::heard).with(provisional::on_request),
    sipp(Provisional, "183 and PRACK, whose own offer is answered", provisional::heard_reliably)
        .with(provisional::on_request),
    sipp(Provisional, "183 and PRACK, then an offer in an UPDATE", provisional::updated).with(provisional::on_request),
    sipp(Provisional, "out: early media", |d| provisional::early(d, false)),
    sipp(Provisional, "out: early media that we acknowledge", |d| provisional::early(d, true)),
    sipp(DelayedOffers, "in the INVITE, answered in the 200", offers::early),
    sipp(DelayedOffers, "in the 200, answered in the ACK", offers::delayed),
    sipp(DelayedOffers, "in the 180, answered in the PRACK", offers::while_it_rings),
    sipp(DelayedOffers, "in an UPDATE", offers::update),
    sipp(DelayedOffers, "in an UPDATE that comes too soon", offers::update_while_it_rings),
    sipp(DelayedOffers, "a re-INVITE without one", offers::reinvite_without),
    sipp(DelayedOffers, "out: a re-INVITE without one", offers::reinvite_without_as_callee),
    sipp(DelayedOffers, "a hold that ends by asking for ours", offers::resumed_by_asking),
    sipp(DelayedOffers, "out: theirs in the 200, answered in the ACK", offers::out_delayed),
    sipp(DelayedOffers, "out: theirs in a 183, answered in the PRACK", offers::out_while_it_rings),
    sipp(DelayedOffers, "out: theirs has to be encrypted", offers::out_sealed),
    baresip(DelayedOffers, "out: that of another maker", offers::out_to_baresip),
    sipp(Digits, "RFC 4733 from the phone", digits::from_phone),
    sipp(Digits, "RFC 4733 from the phone, packets lost and repeated", digits::on_a_bad_line),
    sipp(Digits, "RFC 4733 to the phone, those of a hold as well", digits::to_phone),
    sipp(Digits, "INFO from the phone: dtmf-relay", |d| digits::info(d, digits::FIVE_BY_RELAY)),
    sipp(Digits, "INFO from the phone: dtmf", |d| digits::info(d, digits::HASH_BY_DTMF)),
    sipp(Digits, "INFO to the phone, which knows nothing else", digits::by_info),
    sipp(Digits, "INFO to the phone, as the trunk says", digits::by_info_of_the_trunk).with(digits::through_info),
    sipp(Digits, "INFO to a phone that takes dtmf alone", |d| digits::in_the_other_format(d, digits::PLAIN)),
    sipp(Digits, "INFO to a phone that takes dtmf-relay after all", |d| digits::in_the_other_format(d, digits::RELAY)),
    sipp(Digits, "tones to a phone that answers INFO with 501", digits::not_by_info),
    sipp(Digits, "tones to the phone", digits::as_tones),
    sipp(Digits, "tones from the phone, which knows nothing else", |d| digits::tones(d, digits::without_events)),
    sipp(Digits, "tones from the phone, as the trunk says", |d| digits::tones(d, digits::with_events))
        .with(digits::in_band),
    sipp(Digits, "from the phone, heard in the room", digits::audible),
    sipp(Digits, "RFC 4733 and INFO from the phone, each key once", digits::twice),
    baresip(Digits, "RFC 4733 of another maker", digits::from_baresip),
    sipp(Pins, "the right one", |d| pin::right(d, pin::USUAL)).with(pin::locked),
    sipp(Pins, "asked for in words of the rule's own", |d| pin::right(d, pin::OF_THE_RULE))
        .with(pin::locked_in_words_of_its_own),
    sipp(Pins, "asked for in German", |d| pin::in_language(d, "de")).with(pin::locked_in_german),
    sipp(Pins, "asked for in French, of Canada", |d| pin::in_language(d, "fr")).with(pin::locked_in_french),
    sipp(Pins, "three wrong ones, and the right one too late", pin::wrong).with(pin::locked),
    sipp(Pins, "none, with #", pin::none).with(pin::half_locked),
    sipp(Pins, "nothing is typed, three times", pin::silent).with(pin::locked).slow(),
    baresip(Srtp, "offered beside plain RTP", |d| srtp::called(d, "srtp", "udp", true)).with(srtp::allow),
    baresip(Srtp, "offered alone", |d| srtp::called(d, "srtp-mand", "udp", true)).with(srtp::require),
    baresip(Srtp, "offered alone, over TLS", |d| srtp::called(d, "srtp-mand", "tls", true)).with(srtp::allow),
    baresip(Srtp, "allowed, but not offered", |d| srtp::called(d, "", "udp", false)).with(srtp::allow),
    baresip(Srtp, "offered, but switched off", |d| srtp::called(d, "srtp", "udp", false)).with(srtp::disable),
    sipp(Srtp, "two lines, RTP/AVP and RTP/SAVP: allowed", |d| srtp::two_lines(d, true)).with(srtp::allow),
    sipp(Srtp, "two lines, RTP/AVP and RTP/SAVP: switched off", |d| srtp::two_lines(d, false)).with(srtp::disable),
    sipp(Srtp, "among the capabilities of plain RTP", srtp::capabilities).with(srtp::allow),
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
    sipp(Srtp, "packets that come twice", srtp::replayed).with(srtp::allow),
    sipp(Srtp, "reports", |d| srtp::reports(d, true)).with(srtp::allow),
    sipp(Srtp, "none: reports", |d| srtp::reports(d, false)),
    baresip(Codecs, "G.722, 1 kHz said, 5 answered", |d| codecs::called(d, &codecs::WIDE, codecs::UP)),
    baresip(Codecs, "G.722, 5 kHz said, 1 answered", |d| codecs::called(d, &codecs::WIDE, codecs::DOWN)),
    baresip(Codecs, "out: G.722, 1 kHz said, 5 answered", |d| codecs::calling(d, &codecs::WIDE, codecs::UP)),
    baresip(Codecs, "out: G.722, 5 kHz said, 1 answered", |d| codecs::calling(d, &codecs::WIDE, codecs::DOWN)),
    baresip(Codecs, "Opus, 1 kHz said, 5 answered", |d| codecs::called(d, &codecs::OPUS, codecs::UP))
        .with(codecs::with_opus),
    baresip(Codecs, "Opus, 5 kHz said, 1 answered", |d| codecs::called(d, &codecs::OPUS, codecs::DOWN))
        .with(codecs::with_opus),
    baresip(Codecs, "out: Opus, 1 kHz said, 5 answered", |d| codecs::calling(d, &codecs::OPUS, codecs::UP)),
    baresip(Codecs, "out: Opus, 5 kHz said, 1 answered", |d| codecs::calling(d, &codecs::OPUS, codecs::DOWN)),
    sipp(Codecs, "Opus of one talker, byte by byte", opus::passed_on).with(codecs::with_opus),
    baresip(Codecs, "PCMA alone", |d| codecs::called(d, &codecs::A_LAW, codecs::NARROW)),
    baresip(Codecs, "out: PCMA alone", |d| codecs::calling(d, &codecs::A_LAW, codecs::NARROW)),
    sipp(Codecs, "packets of 10 ms", |d| codecs::packets(d, 10)),
    sipp(Codecs, "packets of 20 ms", |d| codecs::packets(d, 20)),
    sipp(Codecs, "packets of 30 ms", |d| codecs::packets(d, 30)),
    sipp(Codecs, "packets of 40 ms", |d| codecs::packets(d, 40)),
    sipp(Codecs, "packets of 60 ms", |d| codecs::packets(d, 60)),
    sipp(Codecs, "packets of 60 ms wanted, and 20 ms the longest", |d| codecs::longest(d, 20)),
    sipp(Codecs, "the order of the trunk, not that of the offer", codecs::order).with(codecs::a_law_first),
    sipp(Codecs, "one that the trunk has not", codecs::disabled).with(codecs::mu_law_alone),
    sipp(Codecs, "other payload types than ours", codecs::other_types),
    sipp(Codecs, "out: other payload types than ours", codecs::other_types_of_a_callee),
    sipp(Codecs, "comfort noise from the phone", codecs::comfort_noise),
    sipp(Codecs, "comfort noise to the phone", silence::told_to_the_phone),
    sipp(Headers, "to attributes, and back on 200 and BYE", headers::both_ways).with(headers::maps),
    sipp(Headers, "out: to attributes, and back on INVITE and BYE", headers::of_a_callee),
    sipp(Headers, "P-Asserted-Identity and Diversion", |d| headers::known(d, &headers::ASSERTED)),
    sipp(Headers, "Remote-Party-ID", |d| headers::known(d, &headers::REMOTE_PARTY)),
    sipp(Headers, "P-Asserted-Identity and History-Info", |d| headers::known(d, &headers::HISTORY)),
    sipp(Headers, "a caller whom nobody names", |d| headers::known(d, &headers::NOBODY)),
    sipp(Headers, "what a stranger says of himself", |d| headers::known(d, &headers::STRANGER)).with(headers::open),
    sipp(Headers, "Privacy", headers::private).with(headers::all),
    sipp(Headers, "Identity: signed, and verified", headers::signed),
    sipp(Headers, "Identity: the carrier's word", |d| headers::known(d, &headers::VOUCHED)),
    sipp(Procedures, "GetRemoteHeaders, dtmf, EndCall", headers::procedures),
    sipp(Silence, "the room pauses", silence::of_the_room),
    sipp(Silence, "the room sends its words alone", silence::words_of_the_room),
    sipp(Silence, "the phone pauses, and sends nothing", silence::of_the_phone),
    sipp(Silence, "the phone pauses, and no word is clipped", silence::words_of_the_phone),
    sipp(Silence, "the noise of a line is heard, and left out", |d| silence::of_a_line(d, false)).slow(),
    sipp(Silence, "the noise of a line is heard, and sent", |d| silence::of_a_line(d, true))
        .with(silence::whole)
        .slow(),
    sipp(Ends, "the phone hangs up and says why: Q.850", |d| ends::by_phone(d, ends::Q850)),
    sipp(Ends, "the phone hangs up and says why: SIP", |d| ends::by_phone(d, ends::SIP)),
    sipp(Ends, "the phone hangs up and says why: both", |d| ends::by_phone(d, ends::BOTH)).with(headers::maps),
    sipp(Ends, "the room removes the caller", ends::by_room),
    sipp(Ends, "the last word is heard", ends::last_word),
    sipp(Ends, "another phone has answered", ends::elsewhere),
    sipp(Ends, "out: busy", |d| ends::refused(d, "486 Busy Here", ends::BUSY)),
    sipp(Ends, "out: no circuit", |d| ends::refused(d, "503 Service Unavailable", ends::FULL)),
    sipp(Ends, "out: nobody answers", ends::unanswered),
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

/// A gateway with a trunk and a rule for each row, and everything switched on that a phone may make use of.
fn setup(rows: &[usize], signer: &Repository, scratch: &Scratch) -> Setup {
    let recordings = pin::recordings(scratch);
    let (mut trunks, mut rules) = (Vec::new(), Vec::new());
    for &row in rows {
        let (trunk, rule) = (format!("trunk {row}"), format!("rule {row}"));
        let mut terms = Terms {
            trunk: json!({"name": trunk, "numbers": [number(row)], "allowed_addresses": ["127.0.0.1"]}),
            rule: json!({
                "name": rule, "trunk_ids": [trunk], "rule": {"dispatchRuleDirect": {"roomName": room(row)}},
            }),
            recordings: &recordings,
        };
        (ROWS[row].terms)(&mut terms);
        trunks.push(terms.trunk);
        match terms.rule {
            Value::Array(several) => rules.extend(several),
            one => rules.push(one),
        }
    }
    let setup = Setup { trunks: trunks.into(), rules: rules.into(), tls: true, api: true, ..Setup::room("") };
    let prompts = ["enter_pin", "wrong_pin", "room_join"].map(|name| (name, recordings[name].clone()));
    let authority = scratch.write("sti-ca.pem", &signer.authority);
    setup
        .with("prompts", prompts.into_iter().collect())
        .with("comfort_noise", true.into())
        .with("reliable_provisional", "supported".into())
        .with("audio_dtmf", true.into())
        .with("stir", json!({"verify": true, "ca_file": authority, "allow_loopback": true}))
        .with("tls", json!({"ca_file": scratch.write("tls-ca.pem", &signer.tls)}))
}

fn number(row: usize) -> String {
    format!("+155501{row:03}")
}

fn room(row: usize) -> String {
    format!("room-{row}")
}

/// What became of each row, and how long it took.
fn run(rows: Vec<usize>) -> Option<Vec<Outcome>> {
    let (scratch, _turn) = prepare_alone("every-call", &[Need::Sipp, Need::Baresip])?;
    gateway::binary();
    let livekit = LiveKit::start(&scratch);
    let (url, signer) = (livekit.url(), Repository::start());
    let gateway = Gateway::start(&setup(&rows, &signer, &scratch), &url, &scratch);
    let (slow, quick): (Vec<_>, Vec<_>) = rows.into_iter().partition(|&row| ROWS[row].is_slow);
    let queue = Mutex::new(slow.into_iter().chain(quick).collect::<VecDeque<_>>());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (queue, results, shared) = (&queue, &results, Shared { gateway: &gateway, url: &url, signer: &signer });
            let scratch = &scratch;
            scope.spawn(move || {
                let mut listener = None;
                loop {
                    let Some(row) = queue.lock().expect("nobody panics with it").pop_front() else { return };
                    let start = Instant::now();
                    let listen = || Listener::start(&format!("listener-{lane}"), shared.url, scratch);
                    let ear = listener.get_or_insert_with(listen);
                    let failure = played(row, shared, ear, scratch);
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

/// What all rows have in common.
#[derive(Clone, Copy)]
struct Shared<'a> {
    gateway: &'a Gateway,
    url: &'a str,
    signer: &'a Repository,
}

/// Plays one row; returns what the gateway has to say of it if it fails.
fn played(row: usize, shared: Shared<'_>, listener: &mut Listener, scratch: &Scratch) -> Option<String> {
    let Shared { gateway, url: server, signer } = shared;
    let (room, caller) = (room(row), format!("+155503{row:03}"));
    let place = scratch.within(&format!("row-{row}"));
    let play = AssertUnwindSafe(|| {
        let place = place;
        let (room, number) = (room.clone(), number(row));
        let mut desk = Desk { gateway, listener, scratch: &place, server, signer, number, room, caller };
        (ROWS[row].call)(&mut desk);
        desk.leave();
    });
    catch_unwind(play).err()?;
    let (log, name) = (gateway.log(), format!("room=\"{room}\""));
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&name)).collect();
    Some(lines[lines.len().saturating_sub(60)..].join("\n"))
}
