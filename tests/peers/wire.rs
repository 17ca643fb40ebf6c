//! SIP over UDP, TCP and TLS from the other side: text out, messages in.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::phone::Message;

/// One way to a server.
#[derive(Debug)]
pub enum Wire {
    /// Datagrams from a socket of its own.
    Udp(UdpSocket, SocketAddr),
    /// One connection.
    Tcp(TcpStream, Vec<u8>),
    /// One connection, encrypted.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>, Vec<u8>),
}

impl Wire {
    /// Datagrams.
    pub fn udp(server: SocketAddr) -> Self {
        Self::Udp(UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port"), server)
    }

    /// A connection.
    pub fn tcp(server: SocketAddr) -> Self {
        Self::Tcp(TcpStream::connect(server).expect("the gateway listens on TCP"), Vec::new())
    }

    /// An encrypted connection; the server's certificate is in that file.
    pub fn tls(server: SocketAddr, certificate: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(certificate).expect("the test wrote a certificate");
        roots.add(certificate).expect("the certificate is a sound one");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("ring knows the versions").with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a host name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a sound configuration");
        let stream = TcpStream::connect(server).expect("the gateway listens on TLS");
        Self::Tls(Box::new(StreamOwned::new(connection, stream)), Vec::new())
    }

    /// As Via calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Udp(..) => "UDP",
            Self::Tcp(..) => "TCP",
            Self::Tls(..) => "TLS",
        }
    }

    /// Our end.
    pub fn here(&self) -> SocketAddr {
        let address = match self {
            Self::Udp(socket, _) => socket.local_addr(),
            Self::Tcp(stream, _) => stream.local_addr(),
            Self::Tls(stream, _) => stream.sock.local_addr(),
        };
        address.expect("a bound socket has an address")
    }

    /// Their end.
    pub fn there(&self) -> SocketAddr {
        match self {
            Self::Udp(_, server) => *server,
            Self::Tcp(stream, _) => stream.peer_addr().expect("a connected socket has a peer"),
            Self::Tls(stream, _) => stream.sock.peer_addr().expect("a connected socket has a peer"),
        }
    }

    /// Sends this text as it is.
    pub fn send(&mut self, text: &str) {
        let sent = match self {
            Self::Udp(socket, server) => socket.send_to(text.as_bytes(), *server).map(drop),
            Self::Tcp(stream, _) => stream.write_all(text.as_bytes()),
            Self::Tls(stream, _) => stream.write_all(text.as_bytes()).and_then(|()| stream.flush()),
        };
        sent.expect("the gateway takes bytes");
    }

    /// The next message, of whatever kind.
    pub fn receive(&mut self, limit: Duration) -> Option<Message> {
        let deadline = Instant::now() + limit;
        loop {
            if let Self::Tcp(_, buffer) | Self::Tls(_, buffer) = self
                && let Some(message) = take_message(buffer)
            {
                return Some(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let mut chunk = vec![0; 65_536];
            let (read, buffer) = match self {
                Self::Udp(socket, _) => {
                    socket.set_read_timeout(Some(left)).expect("a socket takes a timeout");
                    let (length, _) = socket.recv_from(&mut chunk).ok()?;
                    return Message::parse(&String::from_utf8_lossy(&chunk[..length]));
                }
                Self::Tcp(stream, buffer) => {
                    stream.set_read_timeout(Some(left)).expect("a socket takes a timeout");
                    (stream.read(&mut chunk), buffer)
                }
                Self::Tls(stream, buffer) => {
                    stream.sock.set_read_timeout(Some(left)).expect("a socket takes a timeout");
                    (stream.read(&mut chunk), buffer)
                }
            };
            match read {
                Ok(0) => return None,
                Ok(length) => buffer.extend(&chunk[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
                Err(error) => panic!("the connection broke: {error}"),
            }
        }
    }
}

/// Takes one message off the front of a stream, keep-alive line ends before it with it.
fn take_message(buffer: &mut Vec<u8>) -> Option<Message> {
    let blank = buffer.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    buffer.drain(..blank);
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
    let length: usize = Message::parse(&text)?.header("Content-Length")?.parse().ok()?;
    if buffer.len() < head + length {
        return None;
    }
    let whole: Vec<u8> = buffer.drain(..head + length).collect();
    Message::parse(&String::from_utf8_lossy(&whole))
}
