//! Connections, each with its limits: how many, how long a request's head may take, and how long its answer may lie unread.

mod requests;
mod stream;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{debug, warn};

use self::requests::{Marked, Requests};
use self::stream::Patient;

/// Connections of the API at a time. When there are so many, one without a request makes room for the next, the oldest first; when
/// all have one, others wait in the system's queue.
const CONNECTIONS: usize = 1024;
/// For the head of a request to arrive, and for a connection to stand idle.
const HEAD: Duration = Duration::from_secs(30);
/// For a client to take something of an answer that is there.
const ANSWER: Duration = Duration::from_secs(30);
/// After the system had no file descriptor for us.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes connections of the API until it is dropped, and them with it.
pub(super) async fn run(listener: TcpListener, router: Router) {
    run_with(listener, router, CONNECTIONS).await;
}

/// The same for any routes, with at most so many connections at a time.
pub(crate) async fn run_with(listener: TcpListener, router: Router, most: usize) {
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut known = VecDeque::<Known>::new();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "an HTTP connection could not be taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        known.retain(|connection| !connection.task.is_finished());
        if places.available_permits() == 0
            && let Some(idle) = known.iter().position(|connection| !connection.requests.are_under_way())
            && let Some(idle) = known.remove(idle)
        {
            idle.task.abort();
        }
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let requests = Requests::default();
        let connection = connection(stream, peer, router.clone(), requests.clone());
        let task = connections.spawn(async move {
            connection.await;
            drop(place);
        });
        known.push_back(Known { task, requests });
    }
}

/// A connection as whoever takes new ones sees it.
struct Known {
    task: AbortHandle,
    requests: Requests,
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, requests: Requests) {
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (answer, mark) = (router.call(request), requests.mark());
        async move { answer.await.map(|response| response.map(|body| Body::new(Marked::new(body, mark)))) }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

    async fn answer(client: &mut TcpStream) -> String {
        let mut bytes = [0; 1024];
        let read = tokio::time::timeout(Duration::from_secs(5), client.read(&mut bytes)).await.expect("an answer");
        String::from_utf8_lossy(&bytes[..read.unwrap_or_default()]).into_owned()
    }

    #[tokio::test]
    async fn who_only_holds_a_connection_makes_room_for_who_asks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            "slow"
        };
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let router = router.route("/slow", axum::routing::get(slow));
        let server = tokio::spawn(run_with(listener, router, 2));
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(ASK).await.unwrap();
        assert!(answer(&mut idle).await.ends_with("here"));
        let mut honest = TcpStream::connect(address).await.unwrap();
        honest.write_all(ASK).await.unwrap();
        assert!(answer(&mut honest).await.ends_with("here"));
        assert_eq!(answer(&mut idle).await, "", "closed");
        assert!(answer(&mut busy).await.ends_with("slow"), "whoever has asked is answered");
        server.abort();
    }
}
