//! The LiveKit server behind us: how to reach it, and the connections to it that are free.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::Error;
use crate::room::signal::tls;

/// For name, TCP and TLS together.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Free connections that are kept for the next request.
const MAX_IDLE: usize = 32;
/// How long they are kept: servers and load balancers close what is idle for longer than a minute.
const IDLE: Duration = Duration::from_secs(5);
/// How long a response may keep its connection before that is no longer kept for others.
const BUSY: Duration = Duration::from_secs(60);
/// Of the server's status line and headers.
const MAX_HEAD: usize = 64 * 1024;
/// When a silent connection is asked whether it is still there, and how often then.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The server.
pub(super) struct Upstream {
    name: String,
    host: String,
    port: u16,
    authority: HeaderValue,
    prefix: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Arc<Idle>,
}

/// What went wrong on the way to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Connect(#[from] io::Error),
    #[error("no connection within {} s", CONNECT_PATIENCE.as_secs())]
    TimedOut,
    #[error("{}", root(.0))]
    Http(#[from] hyper::Error),
}

impl Upstream {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let bad = || Error::Url(url.to_owned());
        let uri: Uri = url.trim().parse().map_err(|_| bad())?;
        let secure = match uri.scheme_str() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            _ => return Err(bad()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let default = if secure { 443 } else { 80 };
        // `port_u16` would take a port that is none for one that is not said.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => default,
            rest => rest.and_then(|rest| rest.strip_prefix(':')?.parse().ok()).ok_or_else(bad)?,
        };
        if host.is_empty() {
            return Err(bad());
        }
        let tls = if secure { Some(connector(&host)?) } else { None };
        let header = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
        Ok(Self {
            name: format!("{host}:{port}"),
            port,
            authority: header,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            tls,
            idle: Arc::default(),
            host,
        })
    }

    /// Host and port, for people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What goes into `Host`.
    pub(super) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The path before all of the server's own.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Sends a request and waits for the head of the response. `alone`: on a connection of its own.
    pub(super) async fn send(&self, request: Request<Body>, alone: bool) -> Result<Response<Incoming>, Failure> {
        let mut request = request;
        while !alone && let Some(mut sender) = self.idle.take() {
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.keep(sender);
                    return Ok(response);
                }
                // The server has closed it meanwhile, and nothing of the request has gone out: another one.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = timeout(CONNECT_PATIENCE, self.connect()).await.map_err(|_| Failure::TimedOut)??;
        let response = sender.send_request(request).await?;
        if !alone {
            self.keep(sender);
        }
        Ok(response)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, Failure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        match &self.tls {
            Some((connector, name)) => handshake(connector.connect(name.clone(), stream).await?).await,
            None => handshake(stream).await,
        }
    }

    /// Puts a connection aside once its response has been read.
    fn keep(&self, mut sender: SendRequest<Body>) {
        let idle = Arc::clone(&self.idle);
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(BUSY, sender.ready()).await {
                idle.put(sender);
            }
        });
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upstream").field(&self.name).finish()
    }
}

/// Connections that nobody uses.
#[derive(Default)]
struct Idle(Mutex<Vec<(Instant, SendRequest<Body>)>>);

impl Idle {
    /// The one that was used last and is still open.
    fn take(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        idle.retain(|(since, sender)| now - *since < IDLE && sender.is_ready());
        idle.pop().map(|(_, sender)| sender)
    }

    /// When there are enough, this one is closed.
    fn put(&self, sender: SendRequest<Body>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push((Instant::now(), sender));
        }
    }
}

/// HTTP/1.1 alone: a WebSocket needs it, and tunnels of HTTP/2 are not everywhere.
async fn handshake(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Body>, Failure> {
    let (sender, connection) = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
    // What goes wrong on it is told to whoever has sent a request.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

fn connector(host: &str) -> Result<(TlsConnector, ServerName<'static>), Error> {
    let failed = |error: &dyn fmt::Display| Error::Tls(host.to_owned(), error.to_string());
    let config = tls::config().map_err(|error| failed(&error))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// What lies under an error that says no more than where it was seen.
fn root(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_kinds() {
        let cases = [
            ("plain", "ws://127.0.0.1:7880", Some(("127.0.0.1:7880", "127.0.0.1:7880", "", false))),
            ("http", "http://h/", Some(("h:80", "h", "", false))),
            ("Cloud", "wss://x.livekit.cloud", Some(("x.livekit.cloud:443", "x.livekit.cloud", "", true))),
            ("behind a path", "https://h:8443/livekit/", Some(("h:8443", "h:8443", "/livekit", true))),
            ("IPv6", "ws://[::1]:7880", Some(("::1:7880", "[::1]:7880", "", false))),
            ("no scheme", "h:7880", None),
            ("other scheme", "ftp://h", None),
            ("bad port", "ws://h:99999", None),
            ("user", "ws://u:p@h", None),
            ("nothing", "", None),
            ("line break", "ws://h\r\nX: y", None),
        ];
        for (name, url, expected) in cases {
            let found = Upstream::new(url).ok();
            let found =
                found.as_ref().map(|u| (u.name(), u.authority().to_str().unwrap(), u.prefix(), u.tls.is_some()));
            assert_eq!(found, expected, "{name}");
        }
    }
}
