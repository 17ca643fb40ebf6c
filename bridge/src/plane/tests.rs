//! The plane as a whole, on real sockets and threads.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::Output;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// An engine that sends a canned frame every 20 ms while the room is open, and counts.
#[derive(Debug, Default)]
pub struct Probe {
    next: Option<Instant>,
    open: bool,
    due: VecDeque<u32>,
    timestamp: u32,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    heard: u64,
    sent: u64,
    /// The latest a frame was after its time.
    late: Duration,
}

impl Probe {
    const FRAME: Duration = Duration::from_millis(20);

    /// One whose clock runs from the start, room or no room.
    fn ticking() -> Self {
        Self { next: Some(Instant::now()), ..Self::default() }
    }

    pub(crate) fn handle_room(&mut self) {
        self.counts.lock().unwrap().heard += 1;
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self.next.filter(|at| *at <= now) {
            let mut counts = self.counts.lock().unwrap();
            counts.late = counts.late.max(now - at);
            counts.sent += 1;
            self.timestamp = self.timestamp.wrapping_add(960);
            self.due.push_back(self.timestamp);
            self.next = Some(at + Self::FRAME);
        }
    }

    pub(crate) fn set_room_open(&mut self, now: Instant, open: bool) {
        if open != self.open {
            self.open = open;
            self.next = open.then_some(now);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output<'_>> {
        let timestamp = self.due.pop_front()?;
        Some(Output::Room { payload: &[0x78; 80], timestamp, marker: false, level: 30, lost: 0 })
    }
}

fn plane(threads: usize, ports: std::ops::RangeInclusive<u16>) -> Plane {
    let localhost = Interface { bind: Ipv4Addr::LOCALHOST.into(), advertised: Ipv4Addr::LOCALHOST.into() };
    let config = Config {
        threads: NonZeroUsize::new(threads),
        pin: false,
        v4: Some(localhost),
        room: Some(Ipv4Addr::LOCALHOST.into()),
        ports,
        ..Config::default()
    };
    Plane::start(&config).unwrap()
}

fn open(plane: &Plane, probe: Probe) -> (Line, Arc<Mutex<Counts>>) {
    let counts = probe.counts.clone();
    let line = plane.open(Spec { engine: EngineSpec::Probe(probe), carrier: None }).unwrap();
    (line, counts)
}

async fn tell(line: &Line, command: PeerCommand) {
    line.side.send(SideCommand::Peer(Role::Publisher, command)).await.unwrap();
}

/// The first event that `want` likes.
async fn wait_for<T>(side: &mut RoomSide, want: impl Fn(&PeerEvent) -> Option<T>) -> T {
    let found = async {
        loop {
            let (_, event) = side.next_event().await.expect("the line lives");
            assert!(!matches!(event, PeerEvent::Failed(_)), "{event:?}");
            if let Some(found) = want(&event) {
                return found;
            }
        }
    };
    timeout(LIMIT, found).await.expect("the event comes")
}

fn connected(event: &PeerEvent) -> Option<()> {
    (*event == PeerEvent::State(PeerState::Connected)).then_some(())
}

/// Lets two lines talk to each other: both publish, in two connections as with an old server, here in one pair.
async fn join(caller: &mut Line, callee: &mut Line) {
    let publisher = PeerConfig { publish: Some("cid".into()), receive_audio: 0, data_channels: true };
    tell(caller, PeerCommand::Open(publisher)).await;
    tell(callee, PeerCommand::Open(PeerConfig::default())).await;
    tell(caller, PeerCommand::Offer { more_audio: 0, restart_ice: false }).await;
    let offer = wait_for(&mut caller.side, |event| match event {
        PeerEvent::Offer(sdp) => Some(sdp.clone()),
        _ => None,
    });
    let offer = offer.await;
    tell(callee, PeerCommand::Accept(offer)).await;
    let answer = wait_for(&mut callee.side, |event| match event {
        PeerEvent::Answer(sdp) => Some(sdp.clone()),
        _ => None,
    });
    let answer = answer.await;
    tell(caller, PeerCommand::SetAnswer(answer)).await;
    wait_for(&mut caller.side, connected).await;
    wait_for(&mut callee.side, connected).await;
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let give_up = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < give_up, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn next_event(line: &mut Line) -> Option<LineEvent> {
    timeout(LIMIT, line.events.recv()).await.expect("an event")
}

#[tokio::test]
async fn two_lines_hear_each_other() {
    let plane = plane(2, 42_600..=42_609);
    let (mut caller, sent) = open(&plane, Probe::default());
    let (mut callee, heard) = open(&plane, Probe::default());
    join(&mut caller, &mut callee).await;
    assert_eq!(next_event(&mut caller).await, Some(LineEvent::FirstRoomPacketSent));
    until("packets arrive", || heard.lock().unwrap().heard >= 10).await;

    let (reply, report) = oneshot::channel();
    caller.handle.send(Command::Report(reply)).await.unwrap();
    let report = timeout(LIMIT, report).await.unwrap().unwrap();
    assert!(report.room_sent >= 10);
    assert_eq!(report.room_received, 0);
    assert!(sent.lock().unwrap().sent >= 10);
}

/// Nothing is saved up for the moment of connecting: the frames that follow it are those of the clock.
#[tokio::test]
async fn pitfall_11_no_burst_at_connect() {
    let plane = plane(1, 42_600..=42_609);
    let (mut caller, sent) = open(&plane, Probe::default());
    let (mut callee, _) = open(&plane, Probe::default());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = Instant::now();
    join(&mut caller, &mut callee).await;
    until("the first frame", || sent.lock().unwrap().sent > 0).await;
    let frames = u128::from(sent.lock().unwrap().sent);
    assert!(frames <= before.elapsed().as_millis() / 20 + 1, "{frames} frames");
}

#[tokio::test]
async fn a_muted_line_sends_nothing_and_goes_on_afterwards() {
    let plane = plane(1, 42_600..=42_609);
    let (mut caller, _) = open(&plane, Probe::default());
    let (mut callee, heard) = open(&plane, Probe::default());
    caller.side.send(SideCommand::Publish(false)).await.unwrap();
    join(&mut caller, &mut callee).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(heard.lock().unwrap().heard, 0);
    caller.side.send(SideCommand::Publish(true)).await.unwrap();
    until("packets arrive", || heard.lock().unwrap().heard > 0).await;
}

#[tokio::test]
async fn a_new_connection_takes_the_place_of_the_old() {
    let plane = plane(1, 42_600..=42_609);
    let (mut caller, _) = open(&plane, Probe::default());
    for _ in 0..3 {
        let (mut callee, heard) = open(&plane, Probe::default());
        join(&mut caller, &mut callee).await;
        until("packets arrive", || heard.lock().unwrap().heard > 0).await;
    }
}

#[tokio::test]
async fn a_panic_ends_one_line_and_no_other() {
    let plane = plane(1, 42_600..=42_609);
    let (mut broken, _) = open(&plane, Probe::default());
    let (_other, ticks) = open(&plane, Probe::ticking());
    broken.handle.send(Command::Panic).await.unwrap();
    assert_eq!(next_event(&mut broken).await, Some(LineEvent::Panicked));
    assert_eq!(next_event(&mut broken).await, None, "the line is gone");
    until("commands are refused", || broken.side.try_send(SideCommand::Publish(true)) == Err(Refused::Closed)).await;
    // The seat is the last thing that a line gives up.
    until("its seat is free", || plane.stats().lines() == 1).await;
    assert_eq!(plane.stats().panics(), 1);

    let before = ticks.lock().unwrap().sent;
    until("the other goes on", || ticks.lock().unwrap().sent > before + 3).await;
}

/// Twice as much work at once as may delay a frame: pieces of it must yield to the clock.
#[tokio::test]
async fn pitfall_15_slow_work_yields_to_frames_that_are_due() {
    let plane = plane(1, 42_600..=42_609);
    let (_running, counts) = open(&plane, Probe::ticking());
    let slow: Vec<_> = (0..50).map(|_| open(&plane, Probe::default()).0).collect();
    until("the clock runs", || counts.lock().unwrap().sent > 5).await;
    counts.lock().unwrap().late = Duration::ZERO;

    let mut answers = Vec::new();
    for line in &slow {
        line.handle.try_send(Command::Toil(Duration::from_millis(8))).unwrap();
        let (reply, answer) = oneshot::channel();
        line.handle.try_send(Command::Report(reply)).unwrap();
        answers.push(answer);
    }
    for answer in answers {
        timeout(LIMIT, answer).await.unwrap().unwrap();
    }
    let late = counts.lock().unwrap().late;
    assert!(late < Duration::from_millis(200), "a frame was {late:?} late; all work took 400 ms");
}

#[tokio::test]
async fn lines_are_spread_over_the_threads() {
    let plane = plane(2, 42_620..=42_639);
    let reservations: Vec<_> = (0..4).map(|_| plane.reserve(Family::V4).unwrap()).collect();
    let lines: Vec<_> = reservations
        .into_iter()
        .map(|reservation| {
            let engine = EngineSpec::Probe(Probe::default());
            plane.open(Spec { engine, carrier: Some(reservation) }).unwrap()
        })
        .collect();
    let spread: Vec<_> = plane.stats().threads.iter().map(|thread| thread.lines).collect();
    assert_eq!(spread, [2, 2]);
    assert_eq!(plane.stats().ports, 4);
    drop(lines);
    until("all is freed", || plane.stats().lines() == 0 && plane.stats().ports == 0).await;
}

#[tokio::test]
async fn ports_run_out_and_what_was_half_made_is_freed() {
    let plane = plane(1, 42_640..=42_643);
    let first = plane.reserve(Family::V4).unwrap();
    let second = plane.reserve(Family::V4).unwrap();
    assert!(matches!(plane.reserve(Family::V4), Err(Error::PortsExhausted)));
    assert!(matches!(plane.reserve(Family::V6), Err(Error::NoAddress(Family::V6))));
    let mut ports = [first.advertised().port(), second.advertised().port()];
    ports.sort_unstable();
    assert_eq!(ports, [42_640, 42_642]);
    drop((first, second));
    assert_eq!(plane.stats().ports, 0);
    assert!(matches!(plane.reserve(Family::V4), Err(Error::PortsExhausted)), "they rest");
}

#[tokio::test]
async fn a_flood_on_one_socket_does_not_stop_the_thread() {
    let plane = plane(1, 42_650..=42_659);
    let reservation = plane.reserve(Family::V4).unwrap();
    let target = reservation.advertised();
    let engine = EngineSpec::Probe(Probe::default());
    let _flooded = plane.open(Spec { engine, carrier: Some(reservation) }).unwrap();
    let (_other, ticks) = open(&plane, Probe::ticking());
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..20_000 {
        let _ = stranger.send_to(&[0x80; 172], target);
    }
    let before = ticks.lock().unwrap().sent;
    until("the other goes on", || ticks.lock().unwrap().sent > before + 3).await;
}

#[tokio::test]
async fn a_full_queue_is_told_and_nothing_is_lost_by_waiting() {
    let plane = plane(1, 42_600..=42_609);
    let (line, _) = open(&plane, Probe::default());
    line.handle.try_send(Command::Toil(Duration::from_millis(50))).unwrap();
    let refused = (0..1_000).find_map(|_| line.side.try_send(SideCommand::Publish(true)).err());
    assert_eq!(refused, Some(Refused::Full));
    let (reply, answer) = oneshot::channel();
    line.handle.send(Command::Report(reply)).await.unwrap();
    assert!(timeout(LIMIT, answer).await.unwrap().is_ok());
}

/// The cost of a packet on its way out and in, without a codec: printed, not judged, for it depends on the machine.
/// `cargo test --release -p bridge --lib cost_of_a_packet -- --ignored --nocapture`
#[tokio::test]
#[ignore = "prints what a packet costs on this machine, and judges nothing"]
async fn cost_of_a_packet() {
    const PAIRS: usize = 50;
    let plane = plane(1, 42_600..=42_609);
    let mut lines = Vec::new();
    let started = Instant::now();
    for _ in 0..PAIRS {
        let (mut caller, sent) = open(&plane, Probe::default());
        let (mut callee, heard) = open(&plane, Probe::default());
        join(&mut caller, &mut callee).await;
        lines.push((caller, callee, sent, heard));
    }
    println!("{PAIRS} pairs connected one after another in {:?}", started.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let total = || {
        // The callee's frames have no track to go out on.
        lines.iter().map(|(_, _, sent, heard)| sent.lock().unwrap().sent + heard.lock().unwrap().heard).sum::<u64>()
    };
    let (packets, cpu) = (total(), plane.stats().threads[0].cpu);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (packets, cpu) = (total() - packets, plane.stats().threads[0].cpu - cpu);
    let each = cpu / u32::try_from(packets).unwrap();
    println!(
        "{packets} packets sent or received, {cpu:?} of CPU, {each:?} each; latest timer {:?}",
        plane.stats().threads[0].late
    );
}
