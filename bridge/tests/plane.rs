//! The media plane from outside: a phone, a call and an echoing participant on real sockets, and nothing left of them.
//!
//! One test alone in its process, because it counts the process's descriptors and threads.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime};

use bridge::plane::{
    Command, Config, EngineReport, EngineSpec, Family, Interface, Line, LineEvent, PeerCommand, PeerConfig, PeerEvent,
    PeerState, Plane, Reservation, Role, RoomSide, SideCommand, Spec,
};
use media::desk::{GuestConfig, Play};
use media::sdp::{self, Local, Policy, Session};
use media::{CarrierConfig, Desk, Profile, dtmf, rtcp, source};
use tokio::sync::oneshot;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);
const TONE: f32 = 440.0;
const LEVEL: u8 = 20;

#[tokio::test]
async fn a_call_is_heard_both_ways_and_leaves_nothing_behind() {
    let threads = entries("/proc/self/task");
    let plane = start();
    let idle = (entries("/proc/self/fd"), entries("/proc/self/task"));

    one_call(&plane).await;
    until("the call is gone", || plane.stats().lines() == 0 && plane.stats().ports == 0).await;
    many_lines(&plane).await;
    until("the lines are gone", || plane.stats().lines() == 0 && plane.stats().ports == 0).await;
    assert_eq!((entries("/proc/self/fd"), entries("/proc/self/task")), idle, "descriptors and threads");
    assert_eq!(plane.stats().panics(), 0);

    drop(plane);
    until("the threads have ended", || entries("/proc/self/task") == threads).await;
}

/// phone ─ RTP ─ junction ─ WebRTC ─ guest, which sends back what it hears.
async fn one_call(plane: &Plane) {
    let (here, there) = (plane.reserve(Family::V4).unwrap(), plane.reserve(Family::V4).unwrap());
    let policy = Policy { allow_loopback: true, ..Policy::default() };
    let (local_here, local_there) = (local(&here), local(&there));
    let offer = Session::parse(sdp::offer(&local_here, &policy).as_bytes()).unwrap();
    let (negotiated_there, answer) = sdp::answer(&offer, &local_there, &policy).unwrap();
    let answer = Session::parse(answer.as_bytes()).unwrap();
    let negotiated_here = sdp::accept_answer(&answer, &local_here, &policy).unwrap();

    let tone = Desk::new(Play::Tone { frequency: TONE, level: LEVEL }, Duration::from_secs(30));
    let phone = open(plane, EngineSpec::Phone(carrier(1), tone), Some(here));
    let junction = media::Config { carrier: carrier(2), profile: Profile::default() };
    let mut call = open(plane, EngineSpec::Junction(junction), Some(there));
    let echo = Desk::new(Play::Echo, Duration::ZERO);
    let guest_config = GuestConfig { seed: 3, profile: Profile::default() };
    let mut guest = open(plane, EngineSpec::Guest(guest_config, echo), None);

    connect(&mut call, &mut guest).await;
    connect(&mut guest, &mut call).await;
    call.handle.send(Command::Carrier(Box::new(negotiated_there))).await.unwrap();
    call.handle.send(Command::Start).await.unwrap();
    phone.handle.send(Command::Carrier(Box::new(negotiated_here))).await.unwrap();
    phone.handle.send(Command::Start).await.unwrap();

    // In whatever order: the guest speaks on a clock of its own.
    let mut first = (false, false);
    event(&mut call, |event| {
        first.0 |= *event == LineEvent::FirstRtp;
        first.1 |= matches!(event, LineEvent::FirstRoomPacketReceived { .. });
        first == (true, true)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for key in ['4', '2'] {
        phone.handle.send(Command::Press(vec![dtmf::Press::Key(dtmf::Event::from_digit(key).unwrap())])).await.unwrap();
    }
    for key in ['4', '2'] {
        event(&mut call, |event| *event == LineEvent::Digit(key)).await;
    }

    let (reply, report) = oneshot::channel();
    call.handle.send(Command::Report(reply)).await.unwrap();
    let report = timeout(LIMIT, report).await.unwrap().unwrap();
    let EngineReport::Junction(counts) = report.engine else { panic!("not of a call: {report:?}") };
    assert_eq!((counts.carrier.stream.lost, counts.carrier.strangers), (0, 0));
    assert!(report.room_sent > 100 && report.room_received > 100, "{report:?}");

    let (reply, desk) = oneshot::channel();
    phone.handle.send(Command::TakeDesk(reply)).await.unwrap();
    let heard = timeout(LIMIT, desk).await.unwrap().unwrap().measure();
    let pitch = heard.pitch.unwrap();
    assert!((pitch - TONE).abs() < 5.0 && heard.level.abs_diff(LEVEL) <= 3, "{heard:?}");
}

/// Each opens a connection and makes an offer; they are dropped in every state they can be in.
async fn many_lines(plane: &Plane) {
    for round in 0..10 {
        let mut lines = Vec::new();
        for number in 0..10 {
            let reservation = plane.reserve(Family::V4).unwrap();
            let junction = media::Config { carrier: carrier(number), profile: Profile::default() };
            let line = open(plane, EngineSpec::Junction(junction), Some(reservation));
            let config = PeerConfig { publish: Some("cid".into()), receive_audio: 2, data_channels: true };
            line.side.send(SideCommand::Peer(Role::Publisher, PeerCommand::Open(config))).await.unwrap();
            if number % 2 == 0 {
                let offer = PeerCommand::Offer { more_audio: 0, restart_ice: false };
                line.side.send(SideCommand::Peer(Role::Publisher, offer)).await.unwrap();
            }
            lines.push(line);
        }
        if round % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn start() -> Plane {
    let localhost = Interface { bind: Ipv4Addr::LOCALHOST.into(), advertised: Ipv4Addr::LOCALHOST.into() };
    let config = Config {
        v4: Some(localhost),
        room: Some(Ipv4Addr::LOCALHOST.into()),
        ports: 43_000..=43_999,
        quarantine: Duration::from_millis(10),
        ..Config::default()
    };
    Plane::start(&config).unwrap()
}

fn open(plane: &Plane, engine: EngineSpec, carrier: Option<Reservation>) -> Line {
    plane.open(Spec { engine, carrier }).unwrap()
}

fn local(reservation: &Reservation) -> Local {
    let at = reservation.advertised();
    Local {
        address: at.ip(),
        rtp_port: at.port(),
        rtcp_port: at.port() + 1,
        session_id: 1,
        version: 1,
        direction: sdp::Direction::SendRecv,
    }
}

fn carrier(seed: u64) -> CarrierConfig {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    CarrierConfig {
        seed,
        clock: rtcp::Clock::new(Instant::now(), unix),
        cname: "test".into(),
        source: source::Mode::Strict,
        peer: None,
        first_timeout: Duration::from_secs(30),
        timeout: Duration::from_secs(15),
    }
}

/// One direction: the publisher of one line with the subscriber of another.
async fn connect(from: &mut Line, to: &mut Line) {
    let publish = PeerConfig { publish: Some("cid".into()), receive_audio: 0, data_channels: true };
    tell(from, Role::Publisher, PeerCommand::Open(publish)).await;
    tell(from, Role::Publisher, PeerCommand::Offer { more_audio: 0, restart_ice: false }).await;
    let offer = said(&mut from.side, |event| match event {
        PeerEvent::Offer(sdp) => Some(sdp),
        _ => None,
    });
    let offer = offer.await;
    tell(to, Role::Subscriber, PeerCommand::Open(PeerConfig::default())).await;
    tell(to, Role::Subscriber, PeerCommand::Accept(offer)).await;
    let answer = said(&mut to.side, |event| match event {
        PeerEvent::Answer(sdp) => Some(sdp),
        _ => None,
    });
    let answer = answer.await;
    tell(from, Role::Publisher, PeerCommand::SetAnswer(answer)).await;
    let connected = |event| (event == PeerEvent::State(PeerState::Connected)).then_some(());
    said(&mut from.side, connected).await;
    said(&mut to.side, connected).await;
}

async fn tell(line: &Line, role: Role, command: PeerCommand) {
    line.side.send(SideCommand::Peer(role, command)).await.unwrap();
}

async fn said<T>(side: &mut RoomSide, want: impl Fn(PeerEvent) -> Option<T>) -> T {
    let found = async {
        loop {
            let (_, event) = side.next_event().await.expect("the line lives");
            assert!(!matches!(event, PeerEvent::Failed(_)), "{event:?}");
            if let Some(found) = want(event) {
                return found;
            }
        }
    };
    timeout(LIMIT, found).await.expect("the event comes")
}

async fn event(line: &mut Line, mut want: impl FnMut(&LineEvent) -> bool) {
    let found = async { while !want(&line.events.recv().await.expect("the line lives")) {} };
    timeout(LIMIT, found).await.expect("the event comes");
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let give_up = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < give_up, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}
