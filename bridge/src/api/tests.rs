//! The router in process: whole requests in, whole answers out.

mod calls;
mod hostile;
mod own;
mod replay;
mod routes;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::call::order::Progress;
use crate::dispatch::outbound::Defaults;
use crate::phone::{Ask, CallError, Placed, Registry};
use crate::store::Items;

const KEY: &str = "devkey";
const SECRET: &str = "secret";

/// An API on a store of its own.
struct Bench {
    router: TowerToHyperService<Router>,
    parts: Parts,
    registry: Registry,
    /// Calls whose API client went away before anybody answered.
    given_up: mpsc::Receiver<String>,
    // The store's file lives as long as this does.
    _folder: Folder,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), String::from_utf8_lossy(&self.body))
    }
}

/// A folder that goes with its owner.
struct Folder(std::path::PathBuf);

impl Bench {
    fn new() -> Self {
        let folder = Folder::new();
        let (store, _) = Store::open(Some(&folder.0.join("trunkline.db")), Items::default()).unwrap();
        let registry = Registry::default();
        let (switchboard, asks) = Switchboard::new(registry.clone());
        let (tell, given_up) = mpsc::channel(8);
        tokio::spawn(carrier(asks, tell));
        let placer = Placer::new(store.objects(), "gw.example.com", Defaults::default());
        let keys = Keys::new([(KEY.into(), SECRET.into())]);
        let status = watch::channel(Status { listeners: vec!["udp:0.0.0.0:5060".into()], ..Status::default() }).1;
        let parts = Parts { store, switchboard, placer, keys, status, proxy: Proxy::closed() };
        let router = TowerToHyperService::new(router(parts.clone()));
        Self { router, parts, registry, given_up, _folder: folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.call(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer { status: head.status, headers: head.headers, body: to_bytes(body, usize::MAX).await.unwrap().to_vec() }
    }

    /// A method of `livekit.SIP` with a body in JSON.
    async fn twirp(&self, method: &str, token: Option<&str>, body: impl Into<Body>) -> Answer {
        let mut request =
            Request::post(format!("/twirp/livekit.SIP/{method}")).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The same for whoever manages trunks.
    async fn admin(&self, method: &str, body: &Value) -> Answer {
        self.twirp(method, Some(&token(&json!({"sip": {"admin": true}}))), body.to_string()).await
    }
}

/// In place of the phone task: answers each call as the last three digits of its number say.
async fn carrier(mut asks: mpsc::Receiver<Ask>, given_up: mpsc::Sender<String>) {
    while let Some(Ask::Place(placement, tell)) = asks.recv().await {
        let placed = Placed {
            participant_id: "PA_1".into(),
            participant_identity: placement.seat.identity.clone(),
            room_name: placement.seat.room.as_str().to_owned(),
            sip_call_id: placement.call_id.clone(),
        };
        let _ = tell.send(Progress::Joined(placed)).await;
        let status: u16 = placement.callee[placement.callee.len() - 3..].parse().unwrap();
        let news = match status {
            180 => Progress::Failed(CallError::TimedOut),
            200 => Progress::Answered,
            // It rings for ever.
            999 => {
                tell.closed().await;
                let _ = given_up.send(placement.callee).await;
                continue;
            }
            407 => Progress::Failed(CallError::NoCredentials),
            status => Progress::Failed(CallError::Sip { status, reason: reason(status).into() }),
        };
        let _ = tell.send(news).await;
    }
}

/// The words of the carrier that the stock server was recorded with.
fn reason(status: u16) -> &'static str {
    match status {
        408 => "Request Timeout",
        480 => "Temporarily Unavailable",
        484 => "Address Incomplete",
        486 => "Busy Here",
        488 => "Not Acceptable Here",
        500 => "Server Error",
        503 => "Service Unavailable",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "",
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("trunkline-api-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A token with these grants.
fn token(grants: &Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let mut claims = json!({"iss": KEY, "sub": "test", "nbf": now - 5, "exp": now + 600});
    claims.as_object_mut().unwrap().extend(grants.as_object().unwrap().clone());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(&claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}
