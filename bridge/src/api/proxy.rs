//! The front door: whatever is not ours goes through to the LiveKit server and back, as it is.
//!
//! Apps have one `LIVEKIT_URL`. When it points here, tokens, rooms, agents and the signal WebSockets of clients reach the
//! server behind: method, path and query byte for byte, headers but those of one hop ([RFC 9110 §7.6.1]), bodies as they
//! flow, and connections that become a WebSocket as two streams of bytes. Nothing is checked here that the server checks.
//!
//! [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1

mod body;
mod headers;
mod tunnel;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, StatusCode, Uri, Version};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use body::Pace;
use headers::Via;
use upstream::{Failure, Upstream};

/// WebSockets that are open through us at a time: each client of a room has one, each agent worker too.
const MAX_TUNNELS: usize = 4096;
/// Names and values of a request's headers together. Tokens are the largest of them.
const MAX_HEADERS: usize = 64 * 1024;
/// For the server to begin its answer. Its longest calls wait for somebody to pick up a phone.
const ANSWER_PATIENCE: Duration = Duration::from_secs(180);
/// Of a client in the middle of its body.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(60);
/// What comes of a body while we wait for it for a minute. The slowest of mobile networks carry several times as much, and
/// whatever is shorter than that is there within the minute; but who sends a byte now and then does not keep his place.
const UPLOAD_PACE: Pace = Pace::new(16 * 1024, Duration::from_secs(60));
/// Of the server in the middle of its answer.
const DOWNLOAD_PATIENCE: Duration = Duration::from_secs(300);

/// The way to the LiveKit server. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Proxy(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    upstream: Upstream,
    tunnels: Arc<Semaphore>,
    via: Via,
}

/// There is no way to such a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no URL of a LiveKit server.
    #[error("{0:?} is no URL of a LiveKit server: it should begin with ws://, wss://, http:// or https://")]
    Url(String),
    /// TLS cannot be spoken.
    #[error("no TLS toward {0}: {1}")]
    Tls(String, String),
}

impl Proxy {
    /// The way to the server at this URL, `ws_url` as a rule.
    pub fn new(url: &str) -> Result<Self, Error> {
        let upstream = Upstream::new(url)?;
        Ok(Self(Some(Arc::new(Inner { upstream, tunnels: Arc::new(Semaphore::new(MAX_TUNNELS)), via: Via::new() }))))
    }

    /// No way: whatever is not ours is not found (`api_proxy: false`).
    pub fn closed() -> Self {
        Self(None)
    }

    /// Answers every request by passing it on: the fallback of a router.
    pub fn service(&self) -> MethodRouter {
        let proxy = self.clone();
        any(move |request: Request| async move { proxy.pass(request).await })
    }

    /// Passes one request on and answers with what comes back.
    pub async fn pass(&self, request: Request) -> Response {
        let Some(inner) = &self.0 else {
            return (StatusCode::NOT_FOUND, "there is nothing here; requests are not passed on (api_proxy: false)\n")
                .into_response();
        };
        let is_twirp = request.uri().path().starts_with("/twirp/");
        inner.pass(request).await.unwrap_or_else(|refusal| refusal.response(is_twirp))
    }
}

impl Inner {
    async fn pass(&self, mut request: Request) -> Result<Response, Refusal> {
        if request.method() == Method::CONNECT {
            return Err(Refusal::Connect);
        }
        if headers::size(request.headers()) > MAX_HEADERS {
            return Err(Refusal::Headers);
        }
        if self.via.stands_in(request.headers()) {
            return Err(Refusal::Loop(self.upstream.name().to_owned()));
        }
        let place = if headers::asks_for_websocket(request.headers()) { Some(self.place()?) } else { None };
        let ours = place.is_some().then(|| hyper::upgrade::on(&mut request));
        let request = self.rewritten(request, place.is_some())?;
        let sent = tokio::time::timeout(ANSWER_PATIENCE, self.upstream.send(request, place.is_some()));
        let mut response = match sent.await {
            Ok(Ok(response)) => response,
            Ok(Err(failure)) => return Err(Refusal::Upstream(self.upstream.name().to_owned(), failure)),
            Err(_) => return Err(Refusal::Slow(self.upstream.name().to_owned())),
        };
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(self.answer(response));
        }
        let (Some(place), Some(ours)) = (place, ours) else {
            return Err(Refusal::Unasked(self.upstream.name().to_owned()));
        };
        tunnel::open(ours, hyper::upgrade::on(&mut response), place);
        let mut response = response.map(|_| Body::empty());
        headers::strip(response.headers_mut());
        headers::set_websocket(response.headers_mut());
        Ok(response)
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.tunnels).try_acquire_owned().map_err(|_| Refusal::Full)
    }

    /// The request as it is for the server.
    fn rewritten(&self, request: Request, is_websocket: bool) -> Result<Request, Refusal> {
        let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let (mut parts, body) = request.into_parts();
        parts.uri = self.target(parts.uri.path_and_query()).ok_or(Refusal::Target)?;
        parts.version = Version::HTTP_11;
        parts.extensions = axum::http::Extensions::new();
        headers::strip(&mut parts.headers);
        headers::set_forwarded(&mut parts.headers, from);
        parts.headers.insert(HOST, self.upstream.authority().clone());
        self.via.add(&mut parts.headers);
        if is_websocket {
            headers::set_websocket(&mut parts.headers);
        }
        Ok(Request::from_parts(parts, body::paced(body, UPLOAD_PATIENCE, UPLOAD_PACE)))
    }

    /// Path and query behind the server's own prefix, in the form that goes on the wire.
    fn target(&self, asked: Option<&PathAndQuery>) -> Option<Uri> {
        let asked = asked?;
        match self.upstream.prefix() {
            "" => Some(Uri::from(asked.clone())),
            prefix => format!("{prefix}{asked}").parse().ok(),
        }
    }

    fn answer(&self, response: Response<Incoming>) -> Response {
        let mut response = response.map(|body| body::patient(Body::new(body), DOWNLOAD_PATIENCE));
        headers::strip(response.headers_mut());
        self.via.add(response.headers_mut());
        response
    }
}

/// Why a request was not passed on, or has no answer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("LiveKit server {0} is not reachable: {1}")]
    Upstream(String, Failure),
    #[error("LiveKit server {0} has not answered within {limit} s", limit = ANSWER_PATIENCE.as_secs())]
    Slow(String),
    #[error("LiveKit server {0} has switched protocols without being asked")]
    Unasked(String),
    #[error(
        "the LiveKit server that this gateway passes requests on to, {0}, is this gateway itself; set ws_url to the server"
    )]
    Loop(String),
    #[error("{MAX_TUNNELS} WebSockets are open through this gateway; no more are taken")]
    Full,
    #[error("the headers are longer than {MAX_HEADERS} bytes")]
    Headers,
    #[error("the path cannot be passed on")]
    Target,
    #[error("this is no proxy to everywhere")]
    Connect,
}

impl Refusal {
    /// The status, and how Twirp calls it.
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Upstream(..) | Self::Unasked(_) => (StatusCode::BAD_GATEWAY, "unavailable"),
            Self::Slow(_) => (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded"),
            Self::Loop(_) => (StatusCode::LOOP_DETECTED, "failed_precondition"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, "resource_exhausted"),
            Self::Headers => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "invalid_argument"),
            Self::Target => (StatusCode::BAD_REQUEST, "bad_route"),
            Self::Connect => (StatusCode::METHOD_NOT_ALLOWED, "bad_route"),
        }
    }

    /// SDKs read JSON from Twirp's paths; people and WebSocket clients read text.
    fn response(&self, is_twirp: bool) -> Response {
        let (status, code) = self.status();
        tracing::warn!(%status, "not passed on: {self}");
        let mut response = if is_twirp {
            let body = serde_json::json!({"code": code, "msg": self.to_string()}).to_string();
            (status, [(CONTENT_TYPE, "application/json")], body).into_response()
        } else {
            (status, format!("{self}\n")).into_response()
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

#[cfg(test)]
mod tests;
