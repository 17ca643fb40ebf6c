//! A server on one side, a call of ours on the other: who is asked.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message as _;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::call::order::Order;
use crate::phone::{CallInfo, Listing, Registry};
use crate::store::Direction;

const KEY: &str = "devkey";
const SECRET: &str = "secret";

/// One call of ours in room `a`, as `phone`. What is asked of it is answered so.
struct Bench {
    calls: Switchboard,
    proxy: Proxy,
    _call: Listing,
    moved: mpsc::Receiver<String>,
}

async fn bench(answer: Result<(), CallError>) -> Bench {
    let registry = Registry::default();
    let (orders, mut asked) = mpsc::channel(4);
    let (tell, moved) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(order) = asked.recv().await {
            let Order::Move(room, reply) = order else { continue };
            tell.send(room.as_str().to_owned()).await.unwrap();
            reply.send(answer.clone()).unwrap();
        }
    });
    let call = registry.list(info(), orders);
    let (calls, _) = Switchboard::new(registry);
    Bench { calls, proxy: Proxy::new(&server().await).unwrap(), _call: call, moved }
}

fn info() -> CallInfo {
    CallInfo {
        id: "SCL_1".into(),
        direction: Direction::Outbound,
        status: "active",
        room: "a".into(),
        identity: "phone".into(),
        participant_id: String::new(),
        from: String::new(),
        to: String::new(),
        trunk_id: String::new(),
        rule_id: String::new(),
        sip_call_id: String::new(),
        started_at: SystemTime::UNIX_EPOCH,
        answered_at: None,
        held: false,
        transferring: false,
    }
}

/// A LiveKit server that has no such method, and says so with what it was sent.
async fn server() -> String {
    let answer = |request: Request| async move {
        let what = format!("{} {}", request.method(), request.uri());
        let body = axum::body::to_bytes(request.into_body(), 1 << 22).await.unwrap();
        (StatusCode::NOT_IMPLEMENTED, format!("{what} {}", String::from_utf8_lossy(&body)))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}

fn token(video: &Value, secret: &str) -> String {
    let exp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 60;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed =
        format!("{}.{}", part(&json!({"alg": "HS256"})), part(&json!({"iss": KEY, "exp": exp, "video": video})));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn request(format: &str, token: &str, body: impl Into<Body>) -> Request {
    let request = Request::post(PATH).header("content-type", format).header("authorization", format!("Bearer {token}"));
    request.body(body.into()).unwrap()
}

impl Bench {
    async fn ask(&self, request: Request) -> (u16, Vec<u8>) {
        let keys = Keys::new([(KEY.to_owned(), SECRET.to_owned())]);
        let answer = move_participant(&keys, &self.calls, &self.proxy, request);
        let response = tokio::time::timeout(Duration::from_secs(10), answer).await.unwrap();
        let status = response.status().as_u16();
        (status, axum::body::to_bytes(response.into_body(), 1 << 22).await.unwrap().to_vec())
    }

    async fn json(&self, token: &str, body: &Value) -> (u16, String) {
        let (status, body) = self.ask(request("application/json", token, body.to_string())).await;
        (status, String::from_utf8(body).unwrap())
    }
}

fn granted() -> String {
    token(&json!({"roomAdmin": true, "room": "a", "destinationRoom": "b"}), SECRET)
}

fn ours() -> Value {
    json!({"room": "a", "identity": "phone", "destination_room": "b"})
}

#[tokio::test]
async fn our_phones_are_moved_by_us() {
    let mut bench = bench(Ok(())).await;
    assert_eq!(bench.json(&granted(), &ours()).await, (200, "{}".into()));
    assert_eq!(bench.moved.try_recv().unwrap(), "b");
    let camel = json!({"room": "a", "identity": "phone", "destinationRoom": "b"});
    assert_eq!(bench.json(&granted(), &camel).await.0, 200);
    assert_eq!(bench.moved.try_recv().unwrap(), "b");
    let message = MoveParticipantRequest { room: "a".into(), identity: "phone".into(), destination_room: "b".into() };
    let answer = bench.ask(request("application/protobuf", &granted(), message.encode_to_vec())).await;
    assert_eq!(answer, (200, Vec::new()));
    assert_eq!(bench.moved.try_recv().unwrap(), "b");
}

#[tokio::test]
async fn what_is_not_ours_is_the_servers_as_it_came() {
    let mut bench = bench(Ok(())).await;
    let unknown_key = token(&json!({}), "another secret");
    let cases = [
        ("somebody else", request("application/json", &unknown_key, r#"{ "room": "a", "identity": "agent" }"#)),
        (
            "another room",
            request("application/json", &granted(), r#"{"room":"c","identity":"phone","destination_room":"b"}"#),
        ),
        ("no JSON", request("application/json", &granted(), "{")),
        ("another type", request("text/plain", &granted(), ours().to_string())),
    ];
    for (name, request) in cases {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let sent = format!("POST {PATH} {}", String::from_utf8_lossy(&body));
        let answer = bench.ask(Request::from_parts(head, Body::from(body))).await;
        assert_eq!((answer.0, String::from_utf8(answer.1).unwrap()), (501, sent), "{name}");
    }
    assert!(bench.moved.try_recv().is_err());
}

#[tokio::test]
async fn a_phone_that_hangs_up_meanwhile_is_the_servers() {
    let bench = bench(Err(CallError::NotOurs)).await;
    assert_eq!(bench.json(&granted(), &ours()).await, (501, format!("POST {PATH} {}", ours())));
}

#[tokio::test]
async fn nobody_moves_our_phones_without_being_allowed_to() {
    let mut bench = bench(Ok(())).await;
    let video = |room: &str, destination: &str, admin: bool| {
        token(&json!({"roomAdmin": admin, "room": room, "destinationRoom": destination}), SECRET)
    };
    let cases = [
        ("no admin", video("a", "b", false), ours(), 401, "permissions denied"),
        ("admin of another room", video("c", "b", true), ours(), 401, "permissions denied"),
        ("another destination", video("a", "c", true), ours(), 401, "permissions denied"),
        (
            "no destination in the token",
            token(&json!({"roomAdmin": true, "room": "a"}), SECRET),
            ours(),
            401,
            "permissions denied",
        ),
        ("signed by another", token(&json!({"roomAdmin": true}), "x"), ours(), 401, "signature is invalid"),
        (
            "no destination",
            video("a", "", true),
            json!({"room": "a", "identity": "phone"}),
            400,
            "missing destination room",
        ),
        (
            "where it is",
            video("a", "a", true),
            json!({"room": "a", "identity": "phone", "destination_room": "a"}),
            400,
            "already",
        ),
    ];
    for (name, token, body, status, text) in cases {
        let answer = bench.json(&token, &body).await;
        assert_eq!(answer.0, status, "{name}: {}", answer.1);
        assert!(answer.1.contains(text), "{name}: {}", answer.1);
    }
    assert!(bench.moved.try_recv().is_err());
}

#[tokio::test]
async fn a_move_that_fails_says_why() {
    let bench = bench(Err(CallError::RoomUnreachable)).await;
    let (status, body) = bench.json(&granted(), &ours()).await;
    let error: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &error["code"], &error["msg"]),
        (503, &"unavailable".into(), &"the LiveKit server cannot be reached".into())
    );
}

/// Nobody has shown a token yet when the body is read.
#[tokio::test]
async fn a_body_that_is_longer_than_a_few_names_is_not_kept() {
    let bench = bench(Ok(())).await;
    let long = |length: usize| json!({"room": "a", "identity": "x".repeat(length), "destination_room": "b"});
    assert_eq!(bench.json("", &long(4 * 1024)).await.0, 501, "the server's to judge");
    let (status, body) = bench.json("", &long(16 * 1024)).await;
    assert_eq!(status, 400);
    assert!(body.contains("longer than 16 KiB"), "{body}");
}
