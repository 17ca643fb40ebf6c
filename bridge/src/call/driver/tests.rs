//! The driver beside an endpoint and a media plane that are real, and a room session that the test plays.

mod bridge;
mod delayed;
mod ends;
mod moving;
mod offers;
mod outbound;
mod stir;

use std::sync::Arc;
use std::time::Duration;

use super::super::Limits;
use super::*;
use crate::config::tests::snapshot;
use crate::dispatch::query::tests::query;
use crate::dispatch::{Admission, Answer, Decision, Pin, Seat, admit, decide, outbound as placing};
use crate::dns::{self, Resolver};
use crate::metrics::Metrics;
use crate::phone::{Placer, Registry};
use crate::plane::{self, Plane};
use crate::prompts::Prompts;
use crate::stir::Claim;
use crate::store::{Bridging, Items, Store, Transfers};

/// Longer than anything here may take, shorter than the patience of whoever runs the tests.
const LIMIT: Duration = Duration::from_secs(5);

const TRUNK: &str = "inbound_trunks:
- {numbers: ['+15550100'], allowed_addresses: [203.0.113.7], headers: {X-Fixed: us},
   attributes_to_headers: {sip.phoneNumber: X-Number}, ringing_timeout_status: SIP_STATUS_BUSY_HERE}
dispatch_rules: [{rule: {dispatchRuleDirect: {roomName: lobby}}}]";

fn seat(yaml: &str) -> Seat {
    let (objects, query) = (snapshot(yaml), query(|_| ()));
    let Admission::Accept(trunk) = admit(&objects, &query) else { panic!("not admitted") };
    match decide(&objects, &trunk, &query, Pin::NotAsked) {
        Decision::Join(seat) => *seat,
        other => panic!("{other:?}"),
    }
}

/// An endpoint on loopback, its events, a media plane, and no room far and wide.
pub(crate) async fn parts() -> (Parts, mpsc::Receiver<sip::Event>) {
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let advertised = sip::endpoint::Advertised { host: sip::Host::from(bind.ip()), port: 0 };
    let listener = sip::endpoint::Listener { wire: sip::Wire::Udp, bind, advertised };
    let endpoint = sip::endpoint::Config::new(vec![listener], [7; 32]);
    let (sip, events) = sip::net::bind(sip::net::Config::new(endpoint)).await.unwrap();
    let interface = plane::Interface { bind: bind.ip(), advertised: bind.ip() };
    let config = plane::Config {
        threads: std::num::NonZeroUsize::new(1),
        pin: false,
        v4: Some(interface),
        ports: 41_000..=41_400,
        ..plane::Config::default()
    };
    let server = rooms::Server { url: "ws://127.0.0.1:9".into(), key: "k".into(), secret: "s".into() };
    let settings = Settings {
        answer: Answer::Immediately,
        early_media: false,
        ringing_interval: Duration::from_secs(1),
        room_reconnect_limit: Duration::from_secs(1),
        codecs: vec![::media::sdp::Codec::Pcmu],
        listable: Vec::new(),
        allow_loopback: true,
        source: ::media::source::Mode::Learn,
        media_timeout_initial: Duration::from_secs(30),
        media_timeout: Duration::from_secs(15),
        opus_bitrate: 32_000,
        dtx: true,
        comfort_noise: false,
        audible_keys: false,
        own: Vec::new(),
        patience: Duration::from_secs(4),
        allow_refer: false,
        bridge_transfers: Bridging::Never,
        prompts: Arc::new(arc_swap::ArcSwap::from_pointee(Prompts::default())),
    };
    let metrics = Arc::new(Metrics::new().unwrap());
    let (store, _) = Store::open(None, Items::default()).unwrap();
    let placer = Placer::new(store.objects(), "127.0.0.1", placing::Defaults::default());
    let resolver = Resolver::system(dns::Settings::default());
    let (plane, settings) = (Plane::start(&config).unwrap(), Arc::new(settings));
    (Parts { sip, plane, server, resolver, placer, store, settings, stir: None, metrics }, events)
}

struct Bed {
    driver: Driver,
    sip: mpsc::Sender<sip::Event>,
    /// Held, so that the endpoint lives.
    _sip_tells: mpsc::Receiver<sip::Event>,
    /// Held, so that the room session looks alive.
    _room: (mpsc::Receiver<rooms::Command>, mpsc::Sender<rooms::Event>),
    _stop: watch::Sender<Stop>,
    registry: Registry,
}

/// A driver that has not begun, beside a room session that takes one order and then no more.
async fn bed(leg: impl FnOnce(&Parts) -> Leg) -> Bed {
    let (parts, sip_tells) = parts().await;
    let leg = leg(&parts);
    let (sip, sip_events) = mpsc::channel(8);
    let (give, orders) = mpsc::channel(8);
    let (stopper, stop) = watch::channel(Stop::Run);
    let registry = Registry::default();
    let listing = registry.list(leg.info(), give);
    let (switchboard, _) = Switchboard::new(registry.clone());
    let (commands, inbox) = mpsc::channel(1);
    let (tell, events) = mpsc::channel(8);
    let mut driver = Driver::new(parts, leg, Wires { sip_events, orders, listing, switchboard, stop });
    driver.room = Some(rooms::driver::Handle { commands, events });
    Bed { driver, sip, _sip_tells: sip_tells, _room: (inbox, tell), _stop: stopper, registry }
}

fn inbound(parts: &Parts, yaml: &str) -> Leg {
    Leg::Inbound(Box::new(Inbound {
        call: parts.sip.new_call(),
        id: "SCL_test".into(),
        offer: bytes::Bytes::new(),
        source: ([127, 0, 0, 1], 5060).into(),
        from: "+15550199".into(),
        to: "+15550100".into(),
        sip_call_id: "test@example.com".into(),
        transfers: Transfers::default(),
        headers: Vec::new(),
        claim: Claim::of(&query(|_| ()), false),
        pin: None,
        seat: seat(yaml),
    }))
}

/// A call that both sides hear.
async fn active(yaml: &str) -> Bed {
    let mut bed = bed(|parts| inbound(parts, yaml)).await;
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let limits = Limits {
        answer: Answer::Immediately,
        early_media: false,
        ringing: second,
        ringing_interval: second,
        duration: 60 * second,
        dialtone: false,
        keys: None,
        asks_pin: false,
    };
    let mut call = Call::inbound(limits);
    for input in [Input::MediaReady, Input::RoomJoined, Input::Acknowledged] {
        call.handle_input(now, input);
    }
    while call.poll_action().is_some() {}
    bed.driver.call = call;
    bed
}

#[tokio::test]
async fn a_room_session_that_hangs_does_not_keep_the_call_from_its_end() {
    let mut bed = active(TRUNK).await;
    bed.driver.tell_room(rooms::Command::Subscribe(true));
    bed.sip.send(sip::Event::AckMissing { call: bed.driver.leg.call() }).await.unwrap();
    let ended = tokio::time::timeout(LIMIT, bed.driver.run()).await;
    assert_eq!(ended, Ok(EndReason::AckMissing));
    let left = tokio::time::timeout(LIMIT, bed.driver.leave(EndReason::AckMissing)).await;
    assert_eq!(left, Ok(()), "leaving has its limit too");
}

#[tokio::test]
async fn a_call_whose_events_have_ended_ends() {
    let bed = active(TRUNK).await;
    let (mut driver, sip) = (bed.driver, bed.sip);
    drop(sip);
    assert_eq!(tokio::time::timeout(LIMIT, driver.run()).await, Ok(EndReason::GatewayFault));
}

#[tokio::test]
async fn a_tie_that_comes_with_the_end_is_kept_and_a_later_one_is_refused() {
    let Bed { mut driver, sip, registry, .. } = active(TRUNK).await;
    let (give, orders) = mpsc::channel(8);
    driver.orders = orders;
    let (tell, mut other) = mpsc::channel(8);
    let info = crate::phone::CallInfo { id: "SCL_other".into(), ..driver.leg.info() };
    let _listing = registry.list(info, tell);
    drop(sip);
    let reason = driver.run().await;
    give.try_send(Order::Tie("SCL_other".into())).unwrap();
    tokio::time::timeout(LIMIT, driver.finish(reason, Instant::now())).await.unwrap();
    assert!(matches!(other.try_recv(), Ok(Order::Hangup(EndReason::BridgeOver))));
    assert!(give.try_send(Order::Tie("SCL_other".into())).is_err());
}

#[tokio::test]
async fn a_call_whose_task_fails_takes_those_tied_to_it_along() {
    let Bed { mut driver, registry, .. } = active(TRUNK).await;
    let (tell, mut other) = mpsc::channel(8);
    let info = crate::phone::CallInfo { id: "SCL_other".into(), ..driver.leg.info() };
    let _listing = registry.list(info, tell);
    driver.take_order(Order::Tie("SCL_other".into())).await;
    drop(driver);
    assert!(matches!(other.try_recv(), Ok(Order::Hangup(EndReason::BridgeOver))));
}

#[tokio::test]
async fn headers_go_where_they_belong() {
    let driver = active(TRUNK).await.driver;
    let names = |headers: Vec<(HeaderName, String)>| -> Vec<String> {
        headers.iter().map(|(name, _)| name.as_str().to_owned()).collect()
    };
    assert_eq!(names(driver.headers()), ["X-Fixed", "X-Number"], "our 200");
    let parting = driver.parting_headers(Farewell::Hangup, EndReason::Shutdown);
    assert_eq!(names(parting.clone()), ["X-Number", "Reason", "Reason"], "BYE: Retry-After is for answers alone");
    assert_eq!(parting[1].1, "Q.850;cause=41;text=\"shutdown\"");
    assert_eq!(parting[2].1, "SIP;cause=503;text=\"Service Unavailable\"");
    let refusal = driver.parting_headers(Farewell::Refusal, EndReason::Shutdown);
    assert_eq!(refusal, parting[..2], "its status is in its first line");
}

/// An agent notes what came of a call on its participant, and the carrier is to have it with the BYE.
#[tokio::test]
async fn attributes_that_an_app_sets_become_headers() {
    let trunk = TRUNK.replace("{sip.phoneNumber", "{case: X-Case, sip.phoneNumber");
    let mut driver = active(&trunk).await.driver;
    let number = driver.headers();
    let long = "x".repeat(5_000);
    let steps = [
        ("set", "case", "42", Some("42")),
        ("changed", "case", "43\r\nX-Evil: 1", Some("43X-Evil: 1")),
        ("of ours", "sip.phoneNumber", "+1", Some("43X-Evil: 1")),
        ("long", "case", &long, Some(&long[..1024])),
        ("taken away", "case", "", None),
    ];
    for (name, attribute, value, expected) in steps {
        let changed = BTreeMap::from([(attribute.to_owned(), value.to_owned())]);
        assert!(driver.room_input(Some(rooms::Event::Attributes(changed))).is_none());
        let mut headers = driver.parting_headers(Farewell::Hangup, EndReason::LocalHangup);
        let case = headers.iter().position(|(header, _)| header.as_str() == "X-Case");
        assert_eq!(case.map(|at| headers.remove(at).1).as_deref(), expected, "{name}");
        assert_eq!(headers[0], number[1], "{name}");
    }
}

#[tokio::test]
async fn a_trunk_may_have_its_own_status_for_callers_whom_nobody_answers() {
    let driver = active(TRUNK).await.driver;
    assert_eq!(driver.refusal_status(EndReason::RingingTimeout), Status::BUSY_HERE);
    assert_eq!(driver.refusal_status(EndReason::RoomDeleted), EndReason::RoomDeleted.outcome().status);
    let driver = active(&TRUNK.replace(", ringing_timeout_status: SIP_STATUS_BUSY_HERE", "")).await.driver;
    assert_eq!(driver.refusal_status(EndReason::RingingTimeout), Status::TEMPORARILY_UNAVAILABLE);
}

#[tokio::test]
async fn a_call_that_must_be_encrypted_is_refused_rather_than_heard_by_everybody() {
    let yaml = TRUNK.replace("headers: {X-Fixed", "media: {encryption: SIP_MEDIA_ENCRYPT_REQUIRE}, headers: {X-Fixed");
    let mut driver = active(&yaml).await.driver;
    let plane = driver.parts.plane.clone();
    let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000";
    let keys = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl\r\n";
    for offer in [format!("{head} RTP/AVP 0\r\n"), format!("{head} RTP/SAVP 0\r\n")] {
        driver.media.set_offer(&offer);
        assert_eq!(driver.media.prepare(&plane), Err(EndReason::EncryptionUnavailable));
        assert_eq!(plane.stats().ports, 0);
    }
    driver.media.set_offer(&format!("{head} RTP/SAVP 0\r\n{keys}"));
    assert_eq!(driver.media.prepare(&plane), Ok(()));
    assert_eq!(driver.media.suite(), Some(::media::srtp::Suite::AesCm128Sha1Tag80));
    driver.tell_encryption();
    assert!(driver.listing.info().is_some_and(|info| info.encrypted));
    let answer = String::from_utf8(driver.media.description().to_vec()).unwrap();
    assert!(
        answer.contains("RTP/SAVP 0\r\n") && answer.contains("a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:"),
        "{answer}"
    );
}

#[tokio::test]
async fn encryption_that_is_switched_off_is_told_apart_from_a_codec_that_is_not_spoken() {
    let mut driver = active(TRUNK).await.driver;
    let plane = driver.parts.plane.clone();
    let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n";
    driver.media.set_offer(offer);
    assert_eq!(driver.media.prepare(&plane), Err(EndReason::EncryptionUnavailable));
}

#[tokio::test]
async fn an_offer_taken_back_is_not_answered_by_the_next_ack() {
    let mut driver = active(TRUNK).await.driver;
    let plane = driver.parts.plane.clone();
    driver.media.prepare(&plane).unwrap();
    let offer = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    assert_eq!(driver.media.acknowledged(offer), Ok(()), "the answer to the offer in our 200");
    driver.media.renegotiate(b"").await.unwrap();
    driver.media.renegotiate(offer).await.unwrap();
    assert_eq!(driver.media.acknowledged(b""), Ok(()));
}

#[tokio::test]
async fn a_session_is_refreshed_with_what_is_in_force() {
    let mut driver = active(TRUNK).await.driver;
    let plane = driver.parts.plane.clone();
    assert!(driver.media.refresh().is_none(), "there is no line to refresh");
    driver.media.prepare(&plane).unwrap();
    let theirs =
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    assert_eq!(driver.media.acknowledged(theirs), Ok(()));
    let first = driver.media.refresh();
    assert!(driver.media.refresh().is_none() && driver.media.offer(::media::sdp::Direction::SendOnly).is_none());
    driver.media.withdraw(::media::sdp::Direction::SendRecv);
    assert_eq!(driver.media.agree(theirs).await, Err(EndReason::AnswerUnusable), "nothing is offered");
    assert_eq!(driver.media.refresh(), first, "the version stays where nothing changes (RFC 4028 §7.4)");
    assert_eq!(driver.media.agree(theirs).await, Ok(()));
}

#[tokio::test]
async fn what_the_other_side_says_about_the_end_is_in_the_record() {
    let mut driver = active(TRUNK).await.driver;
    assert_eq!(driver.record(EndReason::LocalHangup, "media".to_owned()).note, "media");
    let call = driver.leg.call();
    let reason = Some("Q.850;cause=31".to_owned());
    let inputs = driver.sip_inputs(Some(sip::Event::Cancelled { call, reason })).await;
    assert!(matches!(inputs.as_slice(), [Input::RemoteCancel]), "{inputs:?}");
    let record = driver.record(EndReason::RemoteCancel, "media".to_owned());
    assert_eq!(record.note, "peer: Q.850;cause=31; media");
}

#[tokio::test]
async fn keys_by_info_and_lost_sessions_are_heard() {
    let mut driver = active(TRUNK).await.driver;
    let call = driver.leg.call();
    let press = sip::KeyPress { key: '5', duration: Duration::from_millis(100) };
    let inputs = driver.sip_inputs(Some(sip::Event::Info { call, press })).await;
    assert!(matches!(inputs.as_slice(), [Input::Digit(Key('5'))]), "{inputs:?}");
    assert!(driver.inputs(Woken::Line(Some(LineEvent::Digit('5')))).await.is_empty(), "the same as an event");
    assert!(driver.inputs(Woken::Line(Some(LineEvent::Tone('5')))).await.is_empty(), "and as a tone");
    let inputs = driver.inputs(Woken::Line(Some(LineEvent::Digit('5')))).await;
    assert!(matches!(inputs.as_slice(), [Input::Digit(Key('5'))]), "pressed once more: {inputs:?}");
    let why = sip::Failure::SessionExpired;
    let inputs = driver.sip_inputs(Some(sip::Event::Failed { call, why })).await;
    assert!(matches!(inputs.as_slice(), [Input::RemoteRefused(EndReason::SessionExpired)]), "{inputs:?}");
}

#[test]
fn what_the_end_of_a_room_session_means() {
    let cases = [
        (rooms::End::Left, EndReason::MediaFault),
        (rooms::End::Removed, EndReason::ParticipantRemoved),
        (rooms::End::RoomClosed, EndReason::RoomDeleted),
        (rooms::End::GaveUp { last: String::new() }, EndReason::RoomUnreachable),
    ];
    for (end, expected) in cases {
        assert_eq!(room::end_of(&end), expected, "{end:?}");
    }
}

#[test]
fn foreign_text_is_clipped_between_characters() {
    assert_eq!(clipped("Q.850;cause=16"), "Q.850;cause=16");
    assert_eq!(clipped(&"ä".repeat(100)).len(), 128);
    assert_eq!(clipped(&format!("a{}", "ä".repeat(100))).len(), 127);
}
