//! One stream: a task that opens it, or finishes its handshake, and then reads and writes until it ends.

use std::{io, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    config::Limits,
    listen::Arrival,
    tls::{self, Tls},
};
use crate::{
    endpoint::{ConnectionId, Flow, NextHop, Wire},
    message::{Frame, StreamReader},
};

/// How much is read at once.
const READ: usize = 16 * 1024;
/// The answer to a keep-alive (RFC 5626 §3.5.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");
/// A keep-alive.
const PING: Bytes = Bytes::from_static(b"\r\n\r\n");

/// What a stream's task needs.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) id: ConnectionId,
    pub(super) wire: Wire,
    pub(super) limits: Limits,
    pub(super) tls: Tls,
    /// Where a stream of ours comes from that the peer could not open again, and so has to be kept.
    pub(super) source: Option<SocketAddr>,
    pub(super) driver: mpsc::Sender<Arrival>,
}

impl Stream {
    /// A stream that somebody opened to us.
    pub(super) async fn accepted(
        self,
        tcp: TcpStream,
        remote: SocketAddr,
        local: SocketAddr,
        queue: mpsc::Receiver<Bytes>,
    ) {
        // Nagle would hold back a short message for nothing.
        let _ = tcp.set_nodelay(true);
        let flow = Flow { wire: self.wire, local, remote, connection: Some(self.id) };
        let ended = match (self.wire, self.tls.acceptor()) {
            (Wire::Tls, Some(acceptor)) => match timeout(self.limits.handshake, acceptor.accept(tcp)).await {
                Ok(Ok(stream)) => self.serve(flow, stream, queue).await,
                Ok(Err(error)) => Err(error),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
            (Wire::Tls, None) => Err(io::ErrorKind::Unsupported.into()),
            _ => self.serve(flow, tcp, queue).await,
        };
        if let Err(error) = ended {
            tracing::debug!(%remote, wire = %self.wire, %error, "stream ended");
        }
        let _ = self.driver.send(Arrival::Closed { id: self.id, is_untrusted: false, opened_for: None }).await;
    }

    /// A stream that we open.
    pub(super) async fn opened(self, hop: NextHop, queue: mpsc::Receiver<Bytes>) {
        let connecting = timeout(self.limits.connect + self.limits.handshake, self.connect(&hop)).await;
        let (ended, is_untrusted) = match connecting.unwrap_or_else(|late| Err(late.into())) {
            Ok(Opened::Plain(flow, stream)) => (self.serve(flow, stream, queue).await, false),
            Ok(Opened::Tls(flow, stream)) => (self.serve(flow, *stream, queue).await, false),
            Err(error) => {
                let name = hop.server_name.as_deref();
                tracing::warn!(remote = %hop.address, name, wire = %self.wire, %error, "cannot connect");
                (Ok(()), tls::is_untrusted(&error))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(remote = %hop.address, wire = %self.wire, %error, "stream ended");
        }
        let _ = self.driver.send(Arrival::Closed { id: self.id, is_untrusted, opened_for: Some(hop) }).await;
    }

    async fn connect(&self, hop: &NextHop) -> io::Result<Opened> {
        let tcp = timeout(self.limits.connect, self.dial(hop.address)).await??;
        let _ = tcp.set_nodelay(true);
        let local = tcp.local_addr()?;
        let flow = Flow { wire: self.wire, local, remote: hop.address, connection: Some(self.id) };
        if self.wire != Wire::Tls {
            return Ok(Opened::Plain(flow, tcp));
        }
        let name = tls::server_name(hop)?;
        let stream = timeout(self.limits.handshake, self.tls.connector().connect(name, tcp)).await??;
        Ok(Opened::Tls(flow, Box::new(stream)))
    }

    /// Connects, from the port that it has to come from if that can be had.
    async fn dial(&self, remote: SocketAddr) -> io::Result<TcpStream> {
        if let Some(source) = self.source {
            let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // Streams to several peers share the port.
            socket.set_reuseaddr(true)?;
            let connected = match socket.bind(source) {
                Ok(()) => socket.connect(remote).await,
                Err(error) => Err(error),
            };
            match connected {
                // Nobody listens, and the system has connected us to ourselves.
                Ok(stream) if stream.local_addr()? == remote => return Err(io::ErrorKind::ConnectionRefused.into()),
                Err(error) if is_taken(&error) => {} // Another stream to the same peer, or another program.
                connected => return connected,
            }
        }
        TcpStream::connect(remote).await
    }

    /// Reads and writes until either side ends, or is silent for too long.
    async fn serve<S>(&self, flow: Flow, stream: S, mut queue: mpsc::Receiver<Bytes>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        let (reader, mut writer) = split(stream);
        // Full: a peer that only sends keep-alives and reads nothing need not be answered.
        let (pongs, mut pings) = mpsc::channel(1);
        let writing = async {
            let mut keep_alives = 0;
            loop {
                let bytes = tokio::select! {
                    bytes = queue.recv() => match bytes {
                        Some(bytes) => {
                            keep_alives = 0;
                            bytes
                        }
                        None => return writer.shutdown().await,
                    },
                    Some(()) = pings.recv() => PONG,
                    () = sleep(self.limits.keep_alive), if self.source.is_some() => {
                        keep_alives += 1;
                        if keep_alives > self.limits.keep_alives {
                            return writer.shutdown().await;
                        }
                        PING
                    }
                };
                self.write(&mut writer, &bytes).await?;
            }
        };
        tokio::select! {
            ended = self.read(flow, reader, pongs) => ended,
            ended = writing => ended,
        }
    }

    async fn write<S: AsyncWrite>(&self, writer: &mut WriteHalf<S>, bytes: &[u8]) -> io::Result<()> {
        timeout(self.limits.write, async {
            writer.write_all(bytes).await?;
            writer.flush().await
        })
        .await?
    }

    async fn read<S: AsyncRead>(&self, flow: Flow, mut reader: ReadHalf<S>, pongs: mpsc::Sender<()>) -> io::Result<()> {
        let mut frames = StreamReader::new();
        let mut buffer = BytesMut::with_capacity(READ);
        // Whether a stream that is kept still leads anywhere is found out by writing, which also ends it one day.
        let idle = match self.source {
            Some(_) => self.limits.keep_alive * self.limits.keep_alives.saturating_add(2),
            None => self.limits.idle,
        };
        loop {
            buffer.clear();
            buffer.reserve(READ);
            if timeout(idle, reader.read_buf(&mut buffer)).await?? == 0 {
                return Ok(());
            }
            frames.push(&buffer);
            loop {
                let arrival = match frames.poll() {
                    Ok(None) => break,
                    Ok(Some(Frame::Ping)) => {
                        let _ = pongs.try_send(());
                        continue;
                    }
                    Ok(Some(Frame::Pong)) => continue,
                    Ok(Some(Frame::Message(message))) => Arrival::Message(flow, Box::new(message)),
                    Ok(Some(Frame::Rejected(rejected))) => Arrival::Rejected(flow, Box::new(rejected)),
                    // Where the next message begins is not known any more.
                    Err(rejected) => {
                        let _ = self.driver.send(Arrival::Rejected(flow, Box::new(rejected))).await;
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                };
                if self.driver.send(arrival).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// Whether a port, or a way from it to that peer, is in use already.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}

enum Opened {
    Plain(Flow, TcpStream),
    Tls(Flow, Box<tokio_rustls::client::TlsStream<TcpStream>>),
}
