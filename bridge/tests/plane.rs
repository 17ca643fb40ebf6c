//! The media plane from outside: a phone, a call and an echoing participant on real sockets, and nothing left of them.
//!
//! One test alone in its process, because it counts the process's descriptors and threads.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime};

use bridge::plane::{
    Command, Config, EngineReport, EngineSpec, Family, Interface, Line, LineEvent, LineHandle, PeerCommand, PeerConfig,
    PeerEvent, PeerState, Plane, Refused, Report, Reservation, Role, RoomSide, SideCommand, Spec,
};
use media::desk::{GuestConfig, Play};
use media::sdp::{self, Local, Negotiated, Policy, Session};
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
    one_ring(&plane).await;
    one_move(&plane).await;
    until("the moved call is gone", || plane.stats().lines() == 0 && plane.stats().ports == 0).await;
    many_lines(&plane).await;
    until("the lines are gone", || plane.stats().lines() == 0 && plane.stats().ports == 0).await;
    assert_eq!((entries("/proc/self/fd"), entries("/proc/self/task")), idle, "descriptors and threads");
    assert_eq!(plane.stats().panics(), 0);

    drop(plane);
    until("the threads have ended", || entries("/proc/self/task") == threads).await;
}

/// phone ─ RTP ─ junction ─ WebRTC ─ guest, which sends back what it hears.
async fn one_call(plane: &Plane) {
    let (mut phone, mut call, negotiated) = phone_and_call(plane, TONE);
    let echo = Desk::new(Play::Echo, Duration::ZERO);
    let guest_config = GuestConfig { seed: 3, profile: Profile::default() };
    let mut guest = open(plane, EngineSpec::Guest(guest_config, echo), None);

    connect(&mut call.side, &mut guest.side).await;
    connect(&mut guest.side, &mut call.side).await;
    answer(&phone.handle, &call.handle, negotiated).await;

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

    // The other way, and what the call is told when all are out.
    let keys = ['7', '#'].map(|key| dtmf::Press::Key(dtmf::Event::from_digit(key).unwrap()));
    call.handle.send(Command::Press(keys.to_vec())).await.unwrap();
    for key in ['7', '#'] {
        event(&mut phone, |event| *event == LineEvent::Digit(key)).await;
    }
    event(&mut call, |event| *event == LineEvent::Pressed).await;

    let report = report(&call).await;
    let EngineReport::Junction(counts) = report.engine else { panic!("not of a call: {report:?}") };
    assert_eq!((counts.carrier.stream.lost, counts.carrier.strangers), (0, 0));
    assert!(report.room_sent > 100 && report.room_received > 100, "{report:?}");

    let heard = desk(&phone).await.measure();
    let pitch = heard.pitch.unwrap();
    assert!((pitch - TONE).abs() < 5.0 && heard.level.abs_diff(LEVEL) <= 3, "{heard:?}");
}

/// A call that is placed: it rings in the room before anything comes from the carrier, and takes no keys.
async fn one_ring(plane: &Plane) {
    let (_phone, mut call, _) = phone_and_call(plane, TONE);
    let desk_of_guest = Desk::new(Play::Silence, Duration::from_secs(30));
    let config = GuestConfig { seed: 3, profile: Profile::default() };
    let mut guest = open(plane, EngineSpec::Guest(config, desk_of_guest), None);
    call.handle.send(Command::Dialtone(true)).await.unwrap();
    connect(&mut call.side, &mut guest.side).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    call.handle.send(Command::Dialtone(false)).await.unwrap();
    let key = dtmf::Press::Key(dtmf::Event::from_digit('1').unwrap());
    call.handle.send(Command::Press(vec![key])).await.unwrap();
    event(&mut call, |event| *event == LineEvent::Pressed).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let heard = desk(&guest).await;
    let (tones, _) = tones(heard.recording());
    assert!(tones.iter().any(|tone| (tone - 425.0).abs() < 5.0), "{tones:?}");
}

/// The same call from room to room, each with somebody else in it: first one that it joins while the other still talks, then
/// one in the place that was left.
async fn one_move(plane: &Plane) {
    const ROOMS: [f32; 3] = [440.0, 880.0, 1_320.0];
    let (phone, call, negotiated) = phone_and_call(plane, 600.0);
    let Line { handle, side, events: _events } = call;
    let guests = ROOMS.map(|frequency| {
        let desk = Desk::new(Play::Tone { frequency, level: LEVEL }, Duration::from_secs(30));
        open(plane, EngineSpec::Guest(GuestConfig { seed: 3, profile: Profile::default() }, desk), None)
    });
    let mut guests = guests.into_iter();
    let mut line = (side, guests.next().unwrap());
    connect(&mut line.0, &mut line.1.side).await;
    connect(&mut line.1.side, &mut line.0).await;
    answer(&phone.handle, &handle, negotiated).await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut left = Vec::new();
    for guest in guests {
        let mut next = (handle.room_side().await.unwrap(), guest);
        assert_eq!(handle.room_side().await.err(), Some(Refused::NoSide));
        connect(&mut next.0, &mut next.1.side).await;
        connect(&mut next.1.side, &mut next.0).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.send(Command::Occupy(next.0.side())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (side, guest) = std::mem::replace(&mut line, next);
        drop(side);
        left.push(guest);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    left.push(line.1);

    // The phone: one stream without a hole, and one tone after another.
    let EngineReport::Phone(counts) = report(&phone).await.engine else { panic!("not of a phone") };
    assert_eq!((counts.carrier.stream.lost, counts.concealed), (0, 0));
    let heard = desk(&phone).await;
    let (tones, gap) = tones(heard.recording());
    assert!(gap < Duration::from_millis(200), "the caller hears nothing for {gap:?}");
    // Two rooms at once would be 3 dB louder, for a second before each move; a decoder that begins in the middle of a tone
    // is so for less than half of one.
    let levels: Vec<u8> = heard.recording().chunks_exact(1_600).map(media::frame::level).collect();
    let loud = levels.iter().filter(|level| **level < LEVEL - 1).count();
    assert!(loud <= 4, "one room at a time is heard, not two: {levels:?}");
    for frequency in ROOMS {
        assert!(tones.iter().any(|tone| (tone - frequency).abs() < 15.0), "{frequency} Hz among {tones:?}");
    }
    // The rooms: each hears the caller in its turn, after silence on the same timeline, and nothing is missing between.
    for (number, guest) in left.iter().enumerate() {
        let EngineReport::Guest(counts) = report(guest).await.engine else { panic!("not of a guest") };
        // Made up for are the 100 ms behind the last packet, and what a busy machine delivers late.
        assert!(counts.concealed <= 800 * (1 + counts.late), "room {number}: {counts:?}");
        let heard = desk(guest).await;
        let recording = heard.recording();
        let spoken = recording.chunks_exact(160).filter(|frame| media::frame::level(frame) < 40).count();
        assert!((45..=180).contains(&spoken), "room {number} heard {spoken} frames of {}", recording.len() / 160);
        let before = recording.chunks_exact(160).take_while(|frame| media::frame::level(frame) > 60).count();
        assert!(number == 0 || before >= 30, "room {number}: {before} frames of silence before its turn");
    }
}

/// The pitch of each fifth of a second, and the longest silence between the first sound and the last.
fn tones(recording: &[i16]) -> (Vec<f32>, Duration) {
    let tones = recording.chunks_exact(1_600).filter_map(media::desk::pitch).collect();
    let loud: Vec<usize> = (0..recording.len()).filter(|n| recording[*n].unsigned_abs() > 500).collect();
    let longest = loud.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    (tones, Duration::from_micros(longest as u64 * 125))
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

/// A phone that plays a tone, and the line of its call; what they agreed upon is still to be told them.
fn phone_and_call(plane: &Plane, frequency: f32) -> (Line, Line, [Negotiated; 2]) {
    let (here, there) = (plane.reserve(Family::V4).unwrap(), plane.reserve(Family::V4).unwrap());
    let policy = Policy { allow_loopback: true, ..Policy::default() };
    let (local_here, local_there) = (local(&here), local(&there));
    let offer = Session::parse(sdp::offer(&local_here, &policy).as_bytes()).unwrap();
    let (negotiated_there, answer) = sdp::answer(&offer, &local_there, &policy).unwrap();
    let answer = Session::parse(answer.as_bytes()).unwrap();
    let negotiated_here = sdp::accept_answer(&answer, &local_here, &policy).unwrap();

    let tone = Desk::new(Play::Tone { frequency, level: LEVEL }, Duration::from_secs(30));
    let phone = open(plane, EngineSpec::Phone(carrier(1), tone), Some(here));
    let junction = media::Config { carrier: carrier(2), profile: Profile::default() };
    let call = open(plane, EngineSpec::Junction(junction), Some(there));
    (phone, call, [negotiated_here, negotiated_there])
}

async fn answer(phone: &LineHandle, call: &LineHandle, [here, there]: [Negotiated; 2]) {
    for (line, negotiated) in [(call, there), (phone, here)] {
        line.send(Command::Carrier(Box::new(negotiated))).await.unwrap();
        line.send(Command::Start).await.unwrap();
    }
}

async fn report(line: &Line) -> Report {
    let (reply, report) = oneshot::channel();
    line.handle.send(Command::Report(reply)).await.unwrap();
    timeout(LIMIT, report).await.unwrap().unwrap()
}

async fn desk(line: &Line) -> Desk {
    let (reply, desk) = oneshot::channel();
    line.handle.send(Command::TakeDesk(reply)).await.unwrap();
    timeout(LIMIT, desk).await.unwrap().unwrap()
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

/// One direction: the publisher of one side with the subscriber of another.
async fn connect(from: &mut RoomSide, to: &mut RoomSide) {
    let publish = PeerConfig { publish: Some("cid".into()), receive_audio: 0, data_channels: true };
    tell(from, Role::Publisher, PeerCommand::Open(publish)).await;
    tell(from, Role::Publisher, PeerCommand::Offer { more_audio: 0, restart_ice: false }).await;
    let offer = said(from, |event| match event {
        PeerEvent::Offer(sdp) => Some(sdp),
        _ => None,
    });
    let offer = offer.await;
    tell(to, Role::Subscriber, PeerCommand::Open(PeerConfig::default())).await;
    tell(to, Role::Subscriber, PeerCommand::Accept(offer)).await;
    let answer = said(to, |event| match event {
        PeerEvent::Answer(sdp) => Some(sdp),
        _ => None,
    });
    let answer = answer.await;
    tell(from, Role::Publisher, PeerCommand::SetAnswer(answer)).await;
    let connected = |event| (event == PeerEvent::State(PeerState::Connected)).then_some(());
    said(from, connected).await;
    said(to, connected).await;
}

async fn tell(side: &RoomSide, role: Role, command: PeerCommand) {
    side.send(SideCommand::Peer(role, command)).await.unwrap();
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
