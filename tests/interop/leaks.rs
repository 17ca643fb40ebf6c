//! Many calls leave nothing behind: no socket, no port, no thread, no participant.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::gateway::Setup;
use tests::peers::sipp::Run;
use tests::ports;
use tests::process::Holdings;

#[test]
fn two_hundred_calls_one_after_another_and_fifty_at_once() {
    // A room for each call, so that all may have the same number; answered at once, as nobody is there.
    let setup = Setup {
        rules: json!([{"name": "own room", "answer": "immediately", "rule": {"dispatchRuleIndividual": {"roomPrefix": "one"}}}]),
        ..Setup::room("")
    };
    let metrics = ports::one();
    let setup = setup.with("rtp_draining_idle_timeout", json!("1s")).with("prometheus_port", json!(metrics));
    let Some(mut bed) = Bed::alone("leaks", &setup, &[Need::Sipp]) else { return };
    let one = Run { hold: 200, ..Run::one("talk.xml") };
    // What is made once and kept is there after the first calls.
    Run { calls: 4, at_once: 4, ..one }.start(bed.gateway.sip(), &bed.scratch).succeeds(Duration::from_secs(20));
    std::thread::sleep(Duration::from_secs(3));
    let before = bed.gateway.holdings();
    let tasks = tasks(metrics);

    let serial = Run { calls: 200, at_once: 1, rate: 100, hold: 100, ..one };
    serial.start(bed.gateway.sip(), &bed.scratch).succeeds(Duration::from_secs(120));
    expect_clean(&mut bed, before, "200 calls one after another");
    expect_tasks(metrics, tasks, "200 calls one after another");

    let crowd = Run { calls: 50, at_once: 50, rate: 50, hold: 4_000, ..one };
    crowd.start(bed.gateway.sip(), &bed.scratch).succeeds(Duration::from_secs(60));
    expect_clean(&mut bed, before, "50 calls at once");
    expect_tasks(metrics, tasks, "50 calls at once");
}

/// Files, sockets, threads and ports are back to what they were, and nobody is left in a room.
pub(crate) fn expect_clean(bed: &mut Bed, before: Holdings, after: &str) {
    let mut now = before;
    let mut ports = Vec::new();
    let clean = tests::within(Duration::from_secs(15), || {
        now = bed.gateway.holdings();
        ports = bound_ports(bed);
        now.files <= before.files && now.sockets <= before.sockets && now.threads <= before.threads && ports.is_empty()
    });
    assert!(clean.is_some(), "{after}: before {before:?}, now {now:?}, RTP ports still bound {ports:?}");
    let rooms = bed.listener.tell("rooms", json!({}));
    let names: Vec<String> =
        rooms.as_array().into_iter().flatten().filter_map(|r| r["name"].as_str().map(str::to_owned)).collect();
    let mut people = Vec::new();
    let empty = tests::within(Duration::from_secs(5), || {
        people = names.iter().flat_map(|room| bed.listener.participants(room)).collect();
        people.is_empty()
    });
    assert!(empty.is_some(), "{after}: still in rooms: {people:?}");
}

/// Tasks end when their streams and timers do, a little after the last socket.
pub(crate) fn expect_tasks(metrics: u16, before: i64, after: &str) {
    let mut now = before;
    let clean = tests::within(Duration::from_secs(15), || {
        now = tasks(metrics);
        now <= before
    });
    assert!(clean.is_some(), "{after}: {before} tasks before, {now} now");
}

/// The tasks of the gateway, as it tells Prometheus.
pub(crate) fn tasks(metrics: u16) -> i64 {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, metrics)).expect("the port for Prometheus");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let line = text.lines().find_map(|line| line.strip_prefix("livekit_sip_tasks "));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no tasks in\n{text}"))
}

/// Ports of the gateway's RTP range that some socket is bound to, from the kernel's tables.
fn bound_ports(bed: &Bed) -> Vec<u16> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let ports = lines.filter_map(|line| {
        let (_, port) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok()
    });
    ports.filter(|port| bed.gateway.rtp().contains(port)).collect()
}
