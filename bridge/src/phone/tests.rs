//! The switchboard behind an endpoint that is real, with tasks in place of calls that do what calls should not.

mod placing;

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use sip::{Request, Status, Wire};

use super::inbound::{Answer, Guest};
use super::registry::tests::info;
use super::*;
use crate::call::driver::tests::parts;
use crate::config::tests::loaded;

/// Longer than anything here may take, shorter than the patience of whoever runs the tests.
const LIMIT: Duration = Duration::from_secs(5);

const TRUNKS: &str = "inbound_trunks:
- {numbers: ['+15550100'], allowed_addresses: [203.0.113.0/24]}
dispatch_rules:
- {rule: {dispatchRuleIndividual: {roomPrefix: call}}, inbound_numbers: ['+15550199']}
";

const TRUNK: &str = "203.0.113.7:5060";
const STRANGER: &str = "198.51.100.1:5060";

struct Bed {
    phone: Phone,
    events: mpsc::Receiver<Event>,
    _stop: watch::Sender<Stop>,
    _active: watch::Receiver<usize>,
}

async fn bed(yaml: &str) -> Bed {
    let (parts, events) = parts().await;
    let loaded = loaded(yaml).unwrap();
    let objects = Arc::new(ArcSwap::from_pointee(loaded.snapshot));
    let (stop, stopped) = watch::channel(Stop::Run);
    let (tell_active, active) = watch::channel(0);
    let phone = Phone::new(parts, objects, &loaded.config, stopped, tell_active);
    Bed { phone, events, _stop: stop, _active: active }
}

fn invite(from: &str, to: &str, contact: &str) -> String {
    format!(
        "INVITE sip:{to}@gw.example.com SIP/2.0\r\nVia: SIP/2.0/UDP {contact};branch=z9hG4bKphone1;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{from}@trunk.example.com>;tag=ft\r\nTo: <sip:{to}@gw.example.com>\r\n\
         Call-ID: phone1@example.com\r\nCSeq: 1 INVITE\r\nContact: <sip:{contact}>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn request(from: &str, to: &str) -> Request {
    match sip::Message::parse(invite(from, to, "203.0.113.7:5060").as_bytes()).unwrap() {
        sip::Message::Request(request) => request,
        sip::Message::Response(_) => panic!("a response"),
    }
}

/// What the phone answers to an INVITE, and what it writes into its log about it.
fn ask(phone: &mut Phone, request: &Request, source: &str) -> (Result<Guest, Answer>, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let answer = tracing::subscriber::with_default(subscriber, || {
        let span =
            info_span!("call", sip.call_id = field::Empty, from = field::Empty, to = field::Empty, room = field::Empty);
        let trusted = source == TRUNK;
        span.in_scope(|| phone.seat(request, source.parse().unwrap(), Wire::Udp, trusted, "SCL_phone"))
    });
    (answer, log.text())
}

fn status(answer: &Result<Guest, Answer>) -> Option<u16> {
    match answer {
        Ok(_) => Some(200),
        Err(answer) => answer.as_ref().map(|(status, _)| status.code()),
    }
}

#[tokio::test]
async fn each_refusal_is_one_line_with_its_reason() {
    let mut phone = bed(TRUNKS).await.phone;
    let cases = [
        ("taken", "+15550199", "+15550100", TRUNK, Some(200), "call accepted"),
        ("no such number", "+15550199", "+15550177", TRUNK, Some(404), "reason=\"no_trunk\""),
        ("no such rule", "+15550188", "+15550100", TRUNK, Some(404), "reason=\"no_rule\""),
        ("a stranger", "+15550199", "+15550100", STRANGER, None, "reason=\"unknown_source\""),
    ];
    for (name, from, to, source, expected, word) in cases {
        let (answer, log) = ask(&mut phone, &request(from, to), source);
        assert_eq!(status(&answer), expected, "{name}: {log}");
        assert_eq!(log.lines().count(), 1, "{name}: {log}");
        assert!(log.contains(word), "{name}: {log}");
    }
}

#[tokio::test]
async fn numbers_are_masked_wherever_they_show() {
    let mut phone = bed(TRUNKS).await.phone;
    for source in [TRUNK, STRANGER] {
        let (_, log) = ask(&mut phone, &request("+15550199", "+15550100"), source);
        assert!(!log.contains("5550199") && !log.contains("5550100"), "{log}");
        assert!(log.contains("0199") && log.contains("0100"), "the last four digits tell calls apart: {log}");
    }
}

#[tokio::test]
async fn a_full_gateway_says_so_to_those_who_are_let_in_and_to_nobody_else() {
    let mut phone = bed(&format!("max_active_calls: 1\n{TRUNKS}")).await.phone;
    let call = phone.parts.sip.new_call();
    phone.adopt(call, info("SCL_1", "r", "p", 1), mpsc::channel(1).0, std::future::pending(), Span::none());
    let (answer, log) = ask(&mut phone, &request("+15550199", "+15550100"), TRUNK);
    let Err(Some((status, headers))) = answer else { panic!("{log}") };
    assert_eq!(status, Status::SERVICE_UNAVAILABLE);
    assert!(headers.iter().any(|(name, _)| *name == HeaderName::RetryAfter));
    assert!(log.contains("reason=\"max_active_calls\""), "{log}");
    let (answer, _) = ask(&mut phone, &request("+15550199", "+15550100"), STRANGER);
    assert!(matches!(answer, Err(None)), "a stranger learns nothing");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_to_those_who_are_known() {
    let mut phone = bed(TRUNKS).await.phone;
    let mut request = request("+15550199", "+15550100");
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.clone(), value.to_owned())).collect();
    request.headers = sip::Headers::new();
    for (name, value) in headers {
        request.headers.push(name.clone(), if name == HeaderName::To { "<sip:@@>" } else { value.as_str() });
    }
    for (source, expected) in [(TRUNK, Some(400)), (STRANGER, None)] {
        let (answer, log) = ask(&mut phone, &request, source);
        assert_eq!(status(&answer), expected, "{source}");
        assert!(log.contains("reason=\"malformed\""), "{log}");
    }
}

/// A call of a carrier on loopback, as far as its handle.
async fn call(bed: &mut Bed) -> (UdpSocket, CallHandle) {
    let gateway = bed.phone.parts.sip.listeners()[0].bind;
    let carrier = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    carrier.connect(gateway).await.unwrap();
    let contact = carrier.local_addr().unwrap().to_string();
    carrier.send(invite("+15550199", "+15550100", &contact).as_bytes()).await.unwrap();
    match timeout(LIMIT, bed.events.recv()).await.unwrap() {
        Some(Event::Incoming { call, .. }) => (carrier, call),
        other => panic!("{other:?}"),
    }
}

/// The next message that begins so.
async fn hears(carrier: &UdpSocket, start: &str) -> String {
    let listen = async {
        loop {
            let mut datagram = [0; 2048];
            let length = carrier.recv(&mut datagram).await.unwrap();
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            if text.starts_with(start) {
                return text;
            }
        }
    };
    timeout(LIMIT, listen).await.unwrap_or_else(|_| panic!("no {start}"))
}

async fn fails(_: mpsc::Receiver<Event>) -> EndReason {
    panic!("a bug in a call");
}

async fn hangs(events: mpsc::Receiver<Event>) -> EndReason {
    std::future::pending::<()>().await;
    drop(events);
    EndReason::RemoteHangup
}

#[tokio::test]
async fn a_call_whose_task_fails_before_the_answer_is_refused() {
    let mut bed = bed(TRUNKS).await;
    let (carrier, call) = call(&mut bed).await;
    let (tell, events) = mpsc::channel(EVENTS);
    bed.phone.adopt(call, info("SCL_1", "r", "p", 1), tell, fails(events), Span::none());
    let ended = bed.phone.tasks.join_next_with_id().await.unwrap();
    bed.phone.forget(ended).await;
    let refusal = hears(&carrier, "SIP/2.0 500").await;
    assert!(refusal.contains("gateway_fault"), "{refusal}");
    assert!(bed.phone.calls.is_empty() && bed.phone.by_task.is_empty());
    assert_eq!(*bed._active.borrow(), 0);
}

#[tokio::test]
async fn a_call_whose_task_fails_after_the_answer_is_hung_up_and_others_are_not() {
    let mut bed = bed(TRUNKS).await;
    let (carrier, call) = call(&mut bed).await;
    let other = bed.phone.parts.sip.new_call();
    bed.phone.adopt(other, info("SCL_1", "r", "p", 1), mpsc::channel(1).0, std::future::pending(), Span::none());
    let answer = sip::Command::Answer { call, headers: Vec::new(), body: bytes::Bytes::new() };
    bed.phone.parts.sip.send(answer).await.unwrap();
    let answer = hears(&carrier, "SIP/2.0 200").await;
    let to = answer.lines().find(|line| line.starts_with("To:")).unwrap();
    let contact = carrier.local_addr().unwrap();
    let ack = format!(
        "ACK sip:gw.example.com SIP/2.0\r\nVia: SIP/2.0/UDP {contact};branch=z9hG4bKphone2\r\nMax-Forwards: 70\r\n\
         From: <sip:+15550199@trunk.example.com>;tag=ft\r\n{to}\r\nCall-ID: phone1@example.com\r\nCSeq: 1 ACK\r\n\
         Content-Length: 0\r\n\r\n"
    );
    carrier.send(ack.as_bytes()).await.unwrap();
    let (tell, events) = mpsc::channel(EVENTS);
    bed.phone.adopt(call, info("SCL_1", "r", "p", 1), tell, fails(events), Span::none());
    let ended = bed.phone.tasks.join_next_with_id().await.unwrap();
    bed.phone.forget(ended).await;
    let bye = hears(&carrier, "BYE ").await;
    assert!(bye.contains("Reason: Q.850;cause=41"), "{bye}");
    assert_eq!(bed.phone.calls.len(), 1, "the other call goes on");
}

#[tokio::test]
async fn a_call_that_does_not_take_its_events_is_given_up() {
    let mut bed = bed(TRUNKS).await;
    let (carrier, call) = call(&mut bed).await;
    let (tell, events) = mpsc::channel(EVENTS);
    bed.phone.adopt(call, info("SCL_1", "r", "p", 1), tell, hangs(events), Span::none());
    for _ in 0..=EVENTS {
        bed.phone.handle(Event::ReinviteCancelled { call }).await;
    }
    let ended = timeout(LIMIT, bed.phone.tasks.join_next_with_id()).await.unwrap().unwrap();
    bed.phone.forget(ended).await;
    hears(&carrier, "SIP/2.0 500").await;
    assert!(bed.phone.calls.is_empty());
}

#[tokio::test]
async fn calls_end_with_the_endpoint() {
    let mut bed = bed(TRUNKS).await;
    let (tell, mut events) = mpsc::channel(EVENTS);
    let running = async move {
        while events.recv().await.is_some() {}
        EndReason::GatewayFault
    };
    let call = bed.phone.parts.sip.new_call();
    bed.phone.adopt(call, info("SCL_1", "r", "p", 1), tell, running, Span::none());
    let sip = bed.phone.parts.sip.clone();
    let phone = tokio::spawn(bed.phone.run(bed.events));
    sip.shutdown().await;
    timeout(LIMIT, phone).await.unwrap().unwrap();
}

/// What is written into a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
