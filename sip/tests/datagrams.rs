//! Datagrams from strangers: what is forgiven, what is refused and with which answer, and how large they may be.

use sip::{Error, HeaderName, Message, Method, Rejected, Status, message::MAX_BODY, message::MAX_HEAD};

const ESSENTIALS: &str =
    "Via: SIP/2.0/UDP c;branch=z9hG4bK1\r\nFrom: <sip:d@e>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: f\r\n";

fn invite(headers: &str, body: &str) -> String {
    format!("INVITE sip:a@b SIP/2.0\r\n{ESSENTIALS}CSeq: 1 INVITE\r\n{headers}\r\n{body}")
}

/// How long the body is; or the status it was refused with, and whether there is an answer to send.
type Outcome = Result<usize, (u16, bool)>;

fn status(datagram: &[u8]) -> Outcome {
    match Message::parse(datagram) {
        Ok(message) => Ok(message.body().len()),
        Err(Rejected { error, answer }) => {
            assert!(answer.as_ref().is_none_or(|answer| answer.status == error.status()));
            Err((error.status().code(), answer.is_some()))
        }
    }
}

#[test]
fn accepted_and_refused() {
    let cases: &[(&str, String, Outcome)] = &[
        ("no Content-Length: all that is left", invite("", "body"), Ok(4)),
        ("Content-Length", invite("Content-Length: 4\r\n", "body"), Ok(4)),
        ("compact", invite("l:4\r\n", "body"), Ok(4)),
        ("surplus", invite("l: 2\r\n", "body"), Ok(2)),
        ("too short", invite("l: 5\r\n", "body"), Err((400, true))),
        ("not a number", invite("l: 4 4\r\n", "body"), Err((400, true))),
        ("empty number", invite("l:\r\n", "body"), Err((400, true))),
        ("sign", invite("l: +4\r\n", "body"), Err((400, true))),
        ("twice the same", invite("l: 4\r\nContent-Length: 4\r\n", "body"), Err((400, true))),
        ("body announced too large", invite(&format!("l: {}\r\n", MAX_BODY + 1), ""), Err((413, true))),
        ("line ends in front", format!("\r\n\r\n{}", invite("", "")), Ok(0)),
        ("only LF", invite("", "").replace('\r', ""), Ok(0)),
        ("mixed line ends", invite("X: y\n", ""), Err((400, true))),
        ("bare CR in a value", invite("X: a\rb\r\n", ""), Err((400, true))),
        ("NUL in a value", invite("X: a\0b\r\n", ""), Err((400, true))),
        ("NUL in the reason phrase", format!("SIP/2.0 200 O\0K\r\n{ESSENTIALS}CSeq: 1 A\r\n\r\n"), Err((400, false))),
        ("white space before the colon", invite("Expires \t: 5\r\n", ""), Ok(0)),
        ("white space in a name", invite("Content Length: 0\r\n", ""), Err((400, true))),
        ("other white space by a name", invite("X\u{b}: 0\r\n", ""), Err((400, true))),
        ("no colon", invite("nonsense\r\n", ""), Err((400, true))),
        ("no name", invite(": nonsense\r\n", ""), Err((400, true))),
        ("folded first line", invite("", "").replacen("\r\n", "\r\n ", 1), Err((400, false))),
        ("second From", invite("f: <sip:x@y>;tag=2\r\n", ""), Err((400, true))),
        ("second To", invite("T: <sip:x@y>\r\n", ""), Err((400, true))),
        ("second Call-ID", invite("i: g\r\n", ""), Err((400, true))),
        ("second CSeq", invite("CSeq: 1 INVITE\r\n", ""), Err((400, true))),
        ("second Max-Forwards", invite("Max-Forwards: 1\r\nMAX-FORWARDS: 1\r\n", ""), Err((400, true))),
        ("second Content-Type", invite("c: a/b\r\nContent-Type: a/b\r\n", ""), Err((400, true))),
        ("second Contact", invite("m: <sip:x@y>\r\nContact: <sip:x@z>\r\n", ""), Ok(0)),
        ("second Subject", invite("s: x\r\nSubject: y\r\n", ""), Ok(0)),
        ("broken Contact", invite("m: <sip:>\r\n", ""), Err((400, true))),
        ("broken Contact in a BYE", invite("m: <sip:>\r\n", "").replace("INVITE", "BYE"), Ok(0)),
        ("broken Contact in a response", format!("SIP/2.0 200 OK\r\n{ESSENTIALS}CSeq: 1 A\r\nm: <>\r\n\r\n"), Ok(0)),
        ("Contact *", invite("m: *\r\n", ""), Ok(0)),
        ("broken Route", invite("Route: <sip:x@y\r\n", ""), Err((400, true))),
        ("broken Record-Route", invite("Record-Route: x\r\n", ""), Err((400, true))),
        ("broken second Via", invite("Via: x\r\n", ""), Err((400, true))),
        ("broken first Via", invite("", "").replace("SIP/2.0/UDP", "HTTP/2"), Err((400, false))),
        ("broken From", invite("", "").replace("<sip:d@e>", "<>"), Err((400, true))),
        ("no To", invite("", "").replace("To:", "X-To:"), Err((400, false))),
        ("no Via", invite("", "").replace("Via:", "X-Via:"), Err((400, false))),
        ("not UTF-8 stays readable", invite("s: caf\u{e9}\r\n", ""), Ok(0)),
        ("ACK is never answered", invite("l: x\r\n", "").replace("INVITE", "ACK"), Err((400, false))),
        (
            "nor one with a broken URI",
            invite("", "").replace("INVITE sip:a@b", "ACK sip:").replace("INVITE", "ACK"),
            Err((400, false)),
        ),
        ("nor a response", format!("SIP/2.0 200 OK\r\n{ESSENTIALS}CSeq: x\r\n\r\n"), Err((400, false))),
        ("code too short", format!("SIP/2.0 20 OK\r\n{ESSENTIALS}CSeq: 1 A\r\n\r\n"), Err((400, false))),
        ("code below any", format!("SIP/2.0 099 OK\r\n{ESSENTIALS}CSeq: 1 A\r\n\r\n"), Err((400, false))),
        ("no reason", format!("SIP/2.0 200\r\n{ESSENTIALS}CSeq: 1 A\r\n\r\n"), Ok(0)),
        ("small letters", format!("sip/2.0 200\r\n{ESSENTIALS}CSeq: 1 A\r\n\r\n"), Ok(0)),
        ("other version", invite("", "").replacen("SIP/2.0", "SIP/2.1", 1), Err((505, true))),
        ("other version in a response", format!("SIP/1.0 200 OK\r\n{ESSENTIALS}CSeq: 1 A\r\n\r\n"), Err((400, false))),
        ("no version", invite("", "").replacen(" SIP/2.0", "", 1), Err((400, false))),
        ("no end", invite("", "").trim_end().to_owned(), Err((400, false))),
        ("HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), Err((400, false))),
        ("keep-alive", "\r\n\r\n".to_owned(), Err((400, false))),
        ("nothing", String::new(), Err((400, false))),
    ];
    for (name, datagram, expected) in cases {
        assert_eq!(status(datagram.as_bytes()), *expected, "{name}: {:?}", Message::parse(datagram.as_bytes()));
    }
    assert_eq!(Message::parse(b"\r\n\r\n"), Err(Error::Empty.into()));
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced_except_in_the_body() {
    let datagram = [invite("", "").trim_end().as_bytes(), b"\r\nSubject: caf\xe9\r\n\r\ncaf\xe9"].concat();
    let message = Message::parse(&datagram).unwrap();
    assert_eq!(message.headers().get(&HeaderName::Subject), Some("caf\u{fffd}"));
    assert_eq!(message.body().as_ref(), b"caf\xe9");
}

#[test]
fn sizes() {
    let padded = |size: usize| {
        let empty = invite("s: \r\n", "").len();
        invite(&format!("s: {}\r\n", "x".repeat(size - empty)), "")
    };
    assert_eq!(status(padded(MAX_HEAD).as_bytes()), Ok(0));
    assert_eq!(status(padded(MAX_HEAD + 1).as_bytes()), Err((513, false)));
    assert_eq!(status(invite("", &"x".repeat(MAX_BODY)).as_bytes()), Ok(MAX_BODY));
    assert_eq!(status(invite("", &"x".repeat(MAX_BODY + 1)).as_bytes()), Err((413, true)));
    assert_eq!(status(invite(&"X-A: y\r\n".repeat(251), "").as_bytes()), Ok(0));
    assert_eq!(status(invite(&"X-A: y\r\n".repeat(252), "").as_bytes()), Err((513, true)));
    assert_eq!(status(invite(&format!("Route: {}\r\n", "<sip:a>,".repeat(252)), "").as_bytes()), Err((513, true)));
}

#[test]
fn values_that_share_a_line_are_told_apart() {
    let message = Message::parse(
        invite(
            "Record-Route: <sip:p1;lr>, \"P, 2\" <sip:p2;lr>\r\nrecord-route: <sip:p3;lr>\r\nm: <sip:x>,<sip:y>\r\n",
            "",
        )
        .as_bytes(),
    )
    .unwrap();
    let hosts: Vec<_> =
        message.headers().record_routes().unwrap().iter().map(|route| route.uri.host.to_string()).collect();
    assert_eq!(hosts, ["p1", "p2", "p3"]);
    assert_eq!(message.headers().addresses(&HeaderName::Contact).unwrap().len(), 2);
}

#[test]
fn an_answer_repeats_what_it_must_and_nothing_else() {
    let datagram = invite("Via: SIP/2.0/UDP second\r\nRecord-Route: <sip:p;lr>\r\nX: y\r\nl: 9\r\n", "body");
    let answer = Message::parse(datagram.as_bytes()).unwrap_err().answer.unwrap();
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Via", "Via", "From", "To", "Call-ID", "CSeq"]);
    assert_eq!((answer.status, answer.reason.as_str()), (Status::BAD_REQUEST, "Bad Request"));
}

#[test]
fn an_answer_to_a_good_request() {
    let Ok(Message::Request(request)) = Message::parse(invite("Timestamp: 54\r\n", "").as_bytes()) else {
        panic!("a request")
    };
    assert_eq!(request.method, Method::Invite);
    assert_eq!(request.respond(Status::TRYING).headers.get(&HeaderName::Timestamp), Some("54"));
    let answer = Message::from(request.respond(Status::OK));
    assert_eq!(answer.headers().get(&HeaderName::Timestamp), None);
    assert_eq!(Message::parse(&answer.to_bytes()), Ok(answer));
}

/// As large as may be, and made to be looked at again and again: a reader that needs time by the square of the length
/// needs minutes for each.
#[test]
fn hostile_shapes_take_no_longer_than_others() {
    let fill = |unit: &str, size: usize| unit.repeat(size / unit.len());
    let cases: &[(&str, String)] = &[
        ("folded lines", invite(&format!("X: y\r\n{}", fill(" z\r\n", 60_000)), "")),
        ("empty folded lines", invite(&format!("X: y\r\n{}", fill(" \r\n", 60_000)), "")),
        ("commas", invite(&format!("Via: {}\r\n", fill(",", 60_000)), "")),
        ("open quotes", invite(&format!("Contact: {}\r\n", fill("\",", 60_000)), "")),
        ("open brackets", invite(&format!("Contact: {}\r\n", fill("<,", 60_000)), "")),
        ("escapes", invite(&format!("Contact: \"{}\r\n", fill("\\\"", 60_000)), "")),
        ("parameters", invite(&format!("Via: SIP/2.0/UDP h{}\r\n", fill(";a", 60_000)), "")),
        ("semicolons", invite(&format!("Via: SIP/2.0/UDP h{}\r\n", fill(" ;", 60_000)), "")),
        ("spaces", invite(&format!("Via: SIP/2.0/UDP h{}x\r\n", fill(" ", 60_000)), "")),
        ("URI parameters", invite(&format!("Contact: <sip:a{}>\r\n", fill(";a=b", 60_000)), "")),
        ("URI escapes", invite(&format!("Contact: <sip:{}@a>\r\n", fill("%", 60_000)), "")),
        ("the same singleton", invite(&fill("To:<sip:a@b>\r\n", 60_000), "")),
        ("names without colons", invite(&fill("a\r\n", 60_000), "")),
        ("first line", format!("INVITE {} SIP/2.0\r\n\r\n", fill(" a", 60_000))),
        ("LFs that end nothing", fill("\na", 1_000_000)),
        ("line ends in front", fill("\r\n", 1_000_000)),
    ];
    for (name, datagram) in cases {
        #[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
        let start = std::time::Instant::now();
        let _ = Message::parse(datagram.as_bytes());
        let took = start.elapsed();
        assert!(took.as_millis() < 2_000, "{name} took {took:?}");
    }
}
