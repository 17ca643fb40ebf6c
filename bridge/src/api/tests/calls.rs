use livekit_protocol::{SipTransferReason, SipTransferStatus};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::call::order::Order;
use crate::phone::{CallInfo, Listing, Transfer, TransferError, Transferred};
use crate::store::Direction;

const RINGS_FOR_EVER: &str = "+15550999";

fn caller() -> String {
    token(&json!({"sip": {"call": true}}))
}

fn transferrer() -> String {
    token(&json!({"sip": {"call": true}, "video": {"roomAdmin": true, "room": "r"}}))
}

fn call_to(number: &str) -> Value {
    json!({
        "trunk": {"hostname": "carrier.example.com"}, "sip_number": "+15550100", "sip_call_to": number,
        "room_name": "r", "participant_identity": "p", "wait_until_answered": true
    })
}

fn transfer_to(target: &str) -> Value {
    json!({"room_name": "r", "participant_identity": "p", "transfer_to": target, "ringing_timeout": "20s",
        "headers": {"X-Reason": "billing"}, "play_dialtone": true})
}

impl Bench {
    /// A live call of participant `p` in room `r`, and what is asked of it.
    fn live_call(&self) -> (Listing, mpsc::Receiver<Order>) {
        let info = CallInfo {
            id: "SCL_live".into(),
            direction: Direction::Inbound,
            status: "active",
            room: "r".into(),
            identity: "p".into(),
            participant_id: "PA_1".into(),
            from: "+15550199".into(),
            to: "+15550100".into(),
            trunk_id: "ST_1".into(),
            rule_id: "SDR_1".into(),
            sip_call_id: "a@b".into(),
            started_at: UNIX_EPOCH + Duration::from_millis(1_795_239_715_120),
            answered_at: None,
            held: false,
            transferring: false,
        };
        let (orders, asked) = mpsc::channel(1);
        (self.registry.list(info, orders), asked)
    }

    /// Asks for a transfer of the live call, which comes out as given. The order it got comes back too.
    async fn transfer(&self, result: Result<Transferred, CallError>) -> (Answer, Transfer) {
        let (_listing, mut asked) = self.live_call();
        let call = async {
            let Some(Order::Transfer(transfer, reply)) = asked.recv().await else { panic!("something else was asked") };
            reply.send(result).unwrap();
            *transfer
        };
        let body = transfer_to("tel:+15550177").to_string();
        let token = transferrer();
        tokio::join!(self.twirp("TransferSIPParticipant", Some(&token), body), call)
    }
}

#[tokio::test]
async fn a_client_that_goes_away_gives_the_call_up() {
    let mut bench = Bench::new();
    let (address, server) = serve("127.0.0.1:0".parse().unwrap(), bench.parts.clone()).await.unwrap();
    let body = call_to(RINGS_FOR_EVER).to_string();
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /twirp/livekit.SIP/CreateSIPParticipant HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        caller(),
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(body.as_bytes()).await.unwrap();
    drop(client);
    let given_up = tokio::time::timeout(Duration::from_secs(5), bench.given_up.recv()).await.unwrap();
    assert_eq!(given_up.as_deref(), Some(RINGS_FOR_EVER));
    server.abort();
}

#[tokio::test]
async fn a_client_says_how_long_it_waits() {
    let mut bench = Bench::new();
    let request = Request::post("/twirp/livekit.SIP/CreateSIPParticipant")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", caller()))
        .header("x-twirp-timeout-ms", "50");
    let answer = bench.send(request.body(call_to(RINGS_FOR_EVER).to_string().into()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (408, "deadline_exceeded"));
    let given_up = tokio::time::timeout(Duration::from_secs(5), bench.given_up.recv()).await.unwrap();
    assert_eq!(given_up.as_deref(), Some(RINGS_FOR_EVER), "nobody waits for the call any more");
}

#[tokio::test]
async fn connections_end_with_the_server() {
    let bench = Bench::new();
    let (address, server) = serve("127.0.0.1:0".parse().unwrap(), bench.parts.clone()).await.unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut text = vec![0; 4096];
    for _ in 0..2 {
        client.write_all(b"GET /trunkline/v1/calls HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let len = client.read(&mut text).await.unwrap();
        assert!(text[..len].starts_with(b"HTTP/1.1 401"), "twice on one connection");
    }
    server.abort();
    let end = tokio::time::timeout(Duration::from_secs(5), client.read(&mut text)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn a_gateway_that_drains_places_no_calls() {
    let bench = Bench::new();
    bench.parts.switchboard.drain();
    let answer = bench.twirp("CreateSIPParticipant", Some(&caller()), call_to("+15550200").to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"));
}

#[tokio::test]
async fn transfers_are_asked_of_the_call() {
    let bench = Bench::new();
    let done = Transferred {
        transfer_id: "STR_1".into(),
        status: SipTransferStatus::StsTransferSuccessful,
        reason: SipTransferReason::StrCompleted,
        sip_status: Some((200, "OK".into())),
    };
    let (answer, asked) = bench.transfer(Ok(done.clone())).await;
    let expected = json!({
        "transfer_id": "STR_1", "status": "STS_TRANSFER_SUCCESSFUL", "reason": "STR_COMPLETED",
        "sip_status": {"code": "SIP_STATUS_OK", "status": "OK"}
    });
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    assert_eq!(asked.to, "tel:+15550177");
    assert_eq!((asked.ringing_timeout, asked.play_dialtone), (Duration::from_secs(20), true));
    let headers: Vec<_> = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("X-Reason", "billing")]);

    let odd = Transferred { sip_status: Some((299, "Fine".into())), ..done };
    let (answer, _) = bench.transfer(Ok(odd)).await;
    let expected = json!({"code": "SIP_STATUS_UNKNOWN", "status": "299 Fine"});
    assert_eq!(answer.json()["sip_status"], expected, "a status without a name is told all the same");
}

/// PyPI `livekit-api` makes its `SipCallError` of `sip_status_code` or of `sip_transfer_reason`.
#[tokio::test]
async fn transfers_that_fail_say_why_as_sdks_read_it() {
    use SipTransferReason::{StrCallEnded, StrRejected, StrRingingTimeout, StrSubscriptionTerminated};
    let bench = Bench::new();
    let busy = Some((486, "Busy Here".to_owned()));
    let cases = [
        (StrRejected, busy, 429, "resource_exhausted", "STR_REJECTED", Some(("486", "Busy Here"))),
        (StrRingingTimeout, None, 408, "deadline_exceeded", "STR_RINGING_TIMEOUT", None),
        (StrSubscriptionTerminated, None, 412, "failed_precondition", "STR_SUBSCRIPTION_TERMINATED", None),
        (StrCallEnded, None, 412, "failed_precondition", "STR_CALL_ENDED", None),
    ];
    for (reason, sip_status, status, code, name, sip) in cases {
        let failed = CallError::Transfer(TransferError { transfer_id: "STR_1".into(), reason, sip_status });
        let (answer, _) = bench.transfer(Err(failed)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{answer:?}");
        let body = answer.json();
        let fact = |name: &str| body["meta"][name].as_str();
        assert_eq!((fact("sip_transfer_reason"), fact("sip_transfer_id")), (Some(name), Some("STR_1")), "{body}");
        assert_eq!(fact("sip_status_code").zip(fact("sip_status")), sip, "{body}");
        assert_eq!(fact("error_details").is_some(), sip.is_some(), "{body}");
    }
    let (answer, _) = bench.transfer(Err(CallError::NotActive)).await;
    assert_eq!(answer.json()["meta"], Value::Null, "nothing was transferred: {answer:?}");
}

#[tokio::test]
async fn transfers_are_checked_before_they_are_asked() {
    let bench = Bench::new();
    let (_listing, mut asked) = bench.live_call();
    let with = |key: &str, value: Value| {
        let mut request = transfer_to("tel:+15550177");
        request[key] = value;
        request
    };
    let cases = [
        ("another room", with("room_name", "s".into()), "unauthenticated", "permissions denied"),
        ("no room", with("room_name", "".into()), "invalid_argument", "missing room name"),
        ("nobody", with("participant_identity", "".into()), "invalid_argument", "missing participant identity"),
        ("somebody else", with("participant_identity", "q".into()), "not_found", "participant does not exist"),
        ("nowhere", with("transfer_to", "".into()), "invalid_argument", "missing transfer to"),
        ("a web page", with("transfer_to", "https://h".into()), "invalid_argument", "transfer_to"),
        ("two lines", with("transfer_to", "tel:+1\r\nX: y".into()), "invalid_argument", "transfer_to"),
        ("a header in a header", with("headers", json!({"X-A": "a\r\nX-B: b"})), "invalid_argument", "X-A"),
        ("a header of the stack", with("headers", json!({"Refer-To": "sip:x"})), "invalid_argument", "Refer-To"),
        ("back in time", with("ringing_timeout", "-1s".into()), "invalid_argument", "ringing_timeout"),
    ];
    for (name, request, code, text) in cases {
        let answer = bench.twirp("TransferSIPParticipant", Some(&transferrer()), request.to_string()).await;
        assert_eq!(answer.code(), code, "{name}: {answer:?}");
        assert!(answer.json()["msg"].as_str().unwrap().contains(text), "{name}: {answer:?}");
    }
    let room_only = token(&json!({"video": {"roomAdmin": true, "room": "r"}}));
    let call_only = caller();
    for token in [&room_only, &call_only] {
        let request = transfer_to("tel:+15550177").to_string();
        assert_eq!(bench.twirp("TransferSIPParticipant", Some(token), request).await.status, 401);
    }
    assert!(asked.try_recv().is_err(), "the call has heard of none of it");
}

#[tokio::test]
async fn live_calls_are_listed_and_hung_up() {
    let bench = Bench::new();
    let (listing, mut asked) = bench.live_call();
    let admin = json!({"sip": {"admin": true}});
    let calls = bench.own("GET", "v1/calls", Some(&admin), "").await.json();
    let call = bench.own("GET", "v1/calls/SCL_live", Some(&admin), "").await.json();
    assert_eq!(calls, json!({"calls": [call]}));
    assert_eq!(
        (&call["room"], &call["identity"], &call["direction"], &call["started_at"]),
        (&"r".into(), &"p".into(), &"inbound".into(), &1_795_239_715_120_u64.into())
    );
    let answer = bench.own("DELETE", "v1/calls/SCL_live", Some(&admin), "").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
    assert!(matches!(asked.recv().await, Some(Order::Hangup(_))));
    drop(listing);
    assert_eq!(bench.own("DELETE", "v1/calls/SCL_live", Some(&admin), "").await.status, 404);
}
