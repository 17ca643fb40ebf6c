//! Connections, each with its limits: how many, how long a request's head may take, and how long its answer may lie unread.

mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use self::stream::Patient;

/// Connections at a time; others wait in the system's queue.
const CONNECTIONS: usize = 1024;
/// For the head of a request to arrive, and for a connection to stand idle.
const HEAD: Duration = Duration::from_secs(30);
/// For a client to take something of an answer that is there.
const ANSWER: Duration = Duration::from_secs(30);
/// After the system had no file descriptor for us.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes connections until it is dropped, and them with it.
pub(super) async fn run(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer, router.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "an HTTP connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router) {
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, ANSWER)), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        debug!(%error, %peer, "an HTTP connection has failed");
    }
}
