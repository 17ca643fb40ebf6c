//! The signal connection: a WebSocket that carries protobuf both ways.
//!
//! One task a connection opens it, reads and writes it, and says how it ends. It decides nothing: pings, resumes and
//! retries are the session's. All channels are bounded and every wait has an end.

mod address;
pub(crate) mod tls;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Request;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::{Path, SignalEvent};
use address::Address;

/// For one address to take a TCP connection. A server that is away must not hold up the attempt that finds it back.
const TCP_PATIENCE: Duration = Duration::from_secs(1);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// For name, TCP, TLS and WebSocket together.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
/// For the socket to take a message, or its own end.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// For what was said last to go out, and for the server to take note of a leave.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// The description of a very large room; anything longer is not meant for us.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Of each connection's own; the library's would be 128 KiB each way, more than all the rest of a call.
const BUFFER: usize = 4 * 1024;
/// Messages each way that may wait. The session takes and gives them in bursts of a few.
const QUEUE: usize = 256;
/// Of the server's words in a refusal.
const MAX_TEXT: usize = 256;

/// Why a signal connection could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server answered and does not want us; the text is its own.
    #[error("HTTP {0} {1}")]
    Status(u16, String),
    /// No answer, or a broken one.
    #[error("{0}")]
    Lost(String),
}

/// One signal connection, open or being opened. When it is dropped what was sent still goes out, and nothing comes in.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<SignalEvent>,
}

impl Connection {
    /// Begins to open one.
    pub(crate) fn open(url: String, path: Path, token: String, request: proto::JoinRequest) -> Self {
        let (requests, outbox) = mpsc::channel(QUEUE);
        let (tell, events) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let socket = tokio::select! {
                opened = open(&url, path, &token, &request) => opened,
                // Nobody waits for it any more.
                () = tell.closed() => return,
            };
            let end = match socket {
                Ok(socket) => SignalEvent::Lost(run(socket, outbox, &tell).await),
                Err(refusal) => SignalEvent::Refused(refusal),
            };
            // The owner may have turned away meanwhile.
            let _ = tell.send(end).await;
        });
        Self { requests, events }
    }

    /// Hands a message over; false when the connection does not keep up and is of no use.
    pub(crate) fn send(&self, request: Request) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// What comes in; `None` after the end was told.
    pub(crate) async fn recv(&mut self) -> Option<SignalEvent> {
        self.events.recv().await
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(url: &str, path: Path, token: &str, request: &proto::JoinRequest) -> Result<Socket, Refusal> {
    match timeout(OPEN_PATIENCE, attempt(url, path, token, request)).await {
        Ok(result) => result,
        Err(_) => Err(lost("no connection in time")),
    }
}

async fn attempt(url: &str, path: Path, token: &str, request: &proto::JoinRequest) -> Result<Socket, Refusal> {
    let address = Address::parse(url).ok_or_else(|| lost("the address is none of a LiveKit server"))?;
    let mut upgrade = address.signal(path, request).into_client_request().map_err(lost)?;
    let bearer = format!("Bearer {token}").parse().map_err(|_| lost("the token does not fit into a header"))?;
    upgrade.headers_mut().insert("Authorization", bearer);
    let stream = dial(&address).await?;
    // Messages are small and each is waited for.
    stream.set_nodelay(true).map_err(lost)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER);
    match client_async_tls_with_config(upgrade, stream, Some(config), tls::connector(&address)?).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            let text = String::from_utf8_lossy(body).trim().chars().take(MAX_TEXT).collect();
            Err(Refusal::Status(response.status().as_u16(), text))
        }
        Err(error) => Err(lost(error)),
    }
}

async fn dial(address: &Address) -> Result<TcpStream, Refusal> {
    let mut last = lost("the name has no address");
    for target in tokio::net::lookup_host((address.host(), address.port())).await.map_err(lost)?.take(MAX_ADDRESSES) {
        match timeout(TCP_PATIENCE, TcpStream::connect(target)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = lost(format!("{target}: {error}")),
            Err(_) => last = lost(format!("{target} does not answer")),
        }
    }
    Err(last)
}

/// Carries messages until one side ends; returns why.
async fn run(mut socket: Socket, mut outbox: mpsc::Receiver<Request>, tell: &mpsc::Sender<SignalEvent>) -> String {
    let mut leaving = false;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => match proto::SignalResponse::decode(bytes) {
                    Ok(proto::SignalResponse { message: Some(message) }) => {
                        // Waits for the session when it is behind; the server then waits for us.
                        if tell.send(SignalEvent::Message(Box::new(message))).await.is_err() {
                            return close(socket, outbox, leaving).await;
                        }
                    }
                    // A message of a kind that we do not know.
                    Ok(_) => {}
                    Err(error) => return error.to_string(),
                },
                Some(Ok(Message::Close(_))) => return "closed by the server".into(),
                // Pings are answered by the library; text is not spoken here.
                Some(Ok(_)) => {}
                Some(Err(error)) => return error.to_string(),
                None => return "the stream ended".into(),
            },
            request = outbox.recv() => match request {
                Some(request) => {
                    leaving |= matches!(request, Request::Leave(_));
                    if let Err(why) = write(&mut socket, request).await {
                        return why;
                    }
                }
                None => return close(socket, outbox, leaving).await,
            },
        }
    }
}

async fn write(socket: &mut Socket, request: Request) -> Result<(), String> {
    let bytes = proto::SignalRequest { message: Some(request) }.encode_to_vec();
    match timeout(WRITE_PATIENCE, socket.send(Message::Binary(bytes.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the server takes nothing".into()),
    }
}

/// Sends what was left to say and goes. After a leave it is the server that hangs up: one that finds the socket closed
/// when it answers an earlier message drops the connection without having read the leave, and the participant stays.
async fn close(mut socket: Socket, mut outbox: mpsc::Receiver<Request>, mut leaving: bool) -> String {
    outbox.close();
    let farewell = async {
        while let Some(request) = outbox.recv().await {
            leaving |= matches!(request, Request::Leave(_));
            write(&mut socket, request).await?;
        }
        if leaving {
            let hung_up = async { while let Some(Ok(_)) = socket.next().await {} };
            // A server that does not hang up has had its time.
            let _ = timeout(CLOSE_PATIENCE, hung_up).await;
        }
        socket.close(None).await.map_err(|error| error.to_string())
    };
    match timeout(CLOSE_PATIENCE * 2, farewell).await {
        Ok(Ok(())) => "closed".into(),
        Ok(Err(why)) => why,
        Err(_) => "the server takes nothing".into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "errors are handed over by map_err")]
fn lost(why: impl ToString) -> Refusal {
    Refusal::Lost(why.to_string())
}
