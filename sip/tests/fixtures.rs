//! What carriers send: read, understood, and written back.

use sip::{HeaderName, Headers, Message, Method, Request, Status};

#[test]
fn every_carrier_message_is_read_and_survives_writing() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/carriers");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let message = Message::parse(&bytes).unwrap_or_else(|rejected| panic!("{}: {rejected:?}", path.display()));
        assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 29);
}

#[test]
fn twilio_hides_behind_its_edge() {
    let invite = request("twilio-invite.sip");
    let headers = &invite.headers;
    assert_eq!(invite.uri.to_string(), "sip:+15105550100@sip.example.net:5060");
    assert_eq!(hosts(headers, &HeaderName::RecordRoute), ["54.172.60.1"]);
    assert_eq!(hosts(headers, &HeaderName::Contact), ["172.18.31.77"]);
    assert!(headers.record_routes().unwrap()[0].uri.params.contains("lr"));
    let vias = headers.vias().unwrap();
    assert_eq!((vias.len(), vias[0].wants_rport(), vias[1].rport()), (2, false, Some(5060)));
    assert_eq!(headers.supported(), ["timer"]);
    assert_eq!(headers.allow().len(), 7);
    assert_eq!(headers.get_named("x-twilio-callsid"), Some("CA00000000000000000000000000000c01"));
    let diversion = &headers.addresses(&HeaderName::Diversion).unwrap()[0];
    assert_eq!(diversion.params.get("reason"), Some("unconditional"));
    assert_eq!((headers.content_type().as_deref(), invite.body.len()), (Some("application/sdp"), 275));
}

#[test]
fn telnyx_writes_short_names() {
    let invite = request("telnyx-invite.sip");
    let headers = &invite.headers;
    assert_eq!(invite.uri.params.get("transport"), Some("tcp"));
    assert_eq!(hosts(headers, &HeaderName::RecordRoute), ["64.16.250.10", "10.255.0.2", "10.231.64.12"]);
    assert_eq!(headers.vias().unwrap().len(), 3);
    let from = headers.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("+12125550144"));
    assert_eq!(from.tag().unwrap().as_str(), "Q4tHcX9p2ZK1e");
    assert_eq!(headers.to().unwrap().tag(), None);
    assert_eq!(headers.call_id().unwrap().as_str(), "6b90e8de-1f37-4e52-a5bd-0c4b8f2d91a7");
    assert_eq!((headers.cseq().unwrap().number, headers.max_forwards()), (118_204_477, Ok(Some(24))));
    let identity = &headers.addresses(&HeaderName::PAssertedIdentity).unwrap()[0];
    assert_eq!(identity.uri.params.get("verstat"), Some("TN-Validation-Passed"));
    assert_eq!((headers.content_type().as_deref(), invite.body.len()), (Some("application/sdp"), 555));
}

#[test]
fn causes_of_an_end() {
    for file in ["twilio-bye.sip", "telnyx-bye.sip"] {
        let bye = request(file);
        let reason = &bye.headers.values(&HeaderName::Reason).unwrap()[0];
        assert_eq!(
            (&bye.method, reason.text.as_str(), reason.params.get("cause")),
            (&Method::Bye, "Q.850", Some("16"))
        );
    }
}

#[test]
fn a_refresh_names_its_interval() {
    let refresh = request("twilio-reinvite-refresh-offerless.sip");
    let interval = &refresh.headers.values(&HeaderName::SessionExpires).unwrap()[0];
    assert!(interval.text.parse::<u32>().is_ok(), "{interval}");
    assert!(refresh.body.is_empty());
}

#[test]
fn outcomes_of_our_own_calls() {
    let cases = [
        ("twilio-term-407.sip", Status::PROXY_AUTHENTICATION_REQUIRED),
        ("twilio-term-183-early.sip", Status::SESSION_PROGRESS),
        ("twilio-term-200.sip", Status::OK),
        ("twilio-term-486.sip", Status::BUSY_HERE),
        ("twilio-term-503-cps.sip", Status::SERVICE_UNAVAILABLE),
    ];
    for (file, status) in cases {
        let Message::Response(response) = message(file) else { panic!("{file} is a response") };
        assert_eq!(response.status, status, "{file}");
        assert_eq!(response.headers.cseq().unwrap().method, Method::Invite, "{file}");
    }
}

fn hosts(headers: &Headers, name: &HeaderName) -> Vec<String> {
    let addresses = headers.addresses(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    addresses.iter().map(|address| address.uri.host.to_string()).collect()
}

fn request(file: &str) -> Request {
    let Message::Request(request) = message(file) else { panic!("{file} is a request") };
    request
}

fn message(file: &str) -> Message {
    let path = format!("{}/../tests/data/carriers/{file}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{file}: {error}"));
    Message::parse(&bytes).unwrap_or_else(|rejected| panic!("{file}: {rejected}"))
}
