//! Calls over real sockets on loopback: UDP, TCP and TLS, IPv4 and IPv6.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use sip::{
    Command, Event, Host, Invite, NameAddr, NextHop, Uri, Wire,
    endpoint::{self, Advertised, Listener},
    net::{self, Certificate, Config, Handle, Roots},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::mpsc::Receiver,
    time::timeout,
};

const SDP: Bytes = Bytes::from_static(b"v=0\r\n");
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

type Side = (Handle, Receiver<Event>);

/// A certificate for `localhost`, on disk and to be believed; the files go away with it.
struct Authority {
    directory: PathBuf,
    certificate: Certificate,
    roots: Roots,
}

impl Authority {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("sip-net-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for the test");
        let certificate = Certificate { chain: directory.join("chain.pem"), key: directory.join("key.pem") };
        let mut authority = Self { directory, certificate, roots: Roots::default() };
        authority.renew();
        authority
    }

    /// Writes another certificate, which then is the only one believed.
    fn renew(&mut self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(&self.certificate.chain, made.cert.pem()).expect("the chain");
        std::fs::write(&self.certificate.key, made.signing_key.serialize_pem()).expect("the key");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(made.cert.der().to_vec())).expect("a root");
        self.roots = Roots(Arc::new(roots));
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn config(listeners: &[(Wire, IpAddr)], seed: u8, authority: Option<&Authority>) -> Config {
    let listeners = listeners.iter().map(|&(wire, ip)| Listener {
        wire,
        bind: SocketAddr::new(ip, 0),
        advertised: Advertised { host: Host::from(ip), port: 0 },
    });
    let mut config = Config::new(endpoint::Config::new(listeners.collect(), [seed; 32]));
    if let Some(authority) = authority {
        config.certificates = vec![authority.certificate.clone()];
        config.roots = authority.roots.clone();
    }
    config
}

async fn next(side: &mut Side) -> Event {
    timeout(Duration::from_secs(10), side.1.recv()).await.expect("an event in time").expect("a driver")
}

fn address(side: &Side, wire: Wire, ip: IpAddr) -> SocketAddr {
    let mut listeners = side.0.listeners().iter();
    listeners.find(|listener| listener.wire == wire && listener.bind.ip() == ip).expect("a listener").bind
}

fn invite(side: &Side, wire: Wire, address: SocketAddr, server_name: Option<&str>) -> Invite {
    let uri = Uri::sip(Some("b"), address.ip(), Some(address.port()));
    let hop = NextHop { wire, address, server_name: server_name.map(str::to_owned) };
    let from = NameAddr::new(Uri::sip(Some("a"), address.ip(), None));
    Invite { body: SDP, ..Invite::new(side.0.new_call(), vec![hop], uri, from) }
}

/// Makes a call, and lets `ends` hang up: 0 the caller, 1 the called.
async fn call(sides: &mut [Side; 2], wire: Wire, to: SocketAddr, ends: usize) {
    let invite = invite(&sides[0], wire, to, Some("localhost"));
    let mut calls = [invite.call, invite.call];
    sides[0].0.send(Command::Invite(Box::new(invite))).await.expect("a driver");
    let Event::Incoming { call, wire: came_over, .. } = next(&mut sides[1]).await else { panic!("no call came") };
    assert_eq!(came_over, wire);
    calls[1] = call;
    sides[1].0.send(Command::Answer { call, headers: Vec::new(), body: SDP }).await.expect("a driver");
    assert!(matches!(next(&mut sides[0]).await, Event::Answered { .. }));
    assert!(matches!(next(&mut sides[1]).await, Event::Acked { .. }));
    sides[ends].0.send(Command::Hangup { call: calls[ends], headers: Vec::new() }).await.expect("a driver");
    assert!(matches!(next(&mut sides[1 - ends]).await, Event::Ended { .. }));
    assert!(matches!(next(&mut sides[ends]).await, Event::HungUp { .. }));
}

#[tokio::test]
async fn calls_over_every_protocol_and_family() {
    let authority = Authority::new("calls");
    let all: Vec<_> = [Wire::Udp, Wire::Tcp, Wire::Tls].iter().flat_map(|&wire| [(wire, V4), (wire, V6)]).collect();
    let mut sides = [
        net::bind(config(&all, 1, Some(&authority))).await.expect("sockets"),
        net::bind(config(&all, 2, Some(&authority))).await.expect("sockets"),
    ];
    for &(wire, ip) in &all {
        let to = address(&sides[1], wire, ip);
        for ends in [0, 1] {
            call(&mut sides, wire, to, ends).await;
        }
    }
    for side in &sides {
        assert_eq!(side.0.stats().await.expect("a driver").calls, 0);
    }
    sides[0].0.shutdown().await;
    assert!(sides[0].0.stats().await.is_err());
}

#[tokio::test]
async fn a_large_call_goes_over_tcp_and_back_to_udp_where_nobody_listens() {
    for (name, theirs, wire) in
        [("TCP", &[(Wire::Udp, V4), (Wire::Tcp, V4)][..], Wire::Tcp), ("UDP alone", &[(Wire::Udp, V4)], Wire::Udp)]
    {
        // The same port for both protocols, as it is everywhere but on machines with no port to spare.
        let mut bob_config = config(theirs, 2, None);
        let free = UdpSocket::bind((V4, 0)).await.expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        bob_config.endpoint.listeners.iter_mut().for_each(|listener| listener.bind.set_port(port));
        let mut bob = net::bind(bob_config).await.expect("sockets");
        let mut alice = net::bind(config(&[(Wire::Udp, V4), (Wire::Tcp, V4)], 1, None)).await.expect("sockets");
        let body = Bytes::from("a=x\r\n".repeat(400));
        let invite = Invite { body: body.clone(), ..invite(&alice, Wire::Udp, address(&bob, Wire::Udp, V4), None) };
        alice.0.send(Command::Invite(Box::new(invite))).await.expect("a driver");
        let Event::Incoming { call, request, wire: used, .. } = next(&mut bob).await else { panic!("{name}") };
        assert_eq!((used, &request.body), (wire, &body), "{name}");
        bob.0.send(Command::Answer { call, headers: Vec::new(), body: SDP }).await.expect("a driver");
        assert!(matches!(next(&mut alice).await, Event::Answered { .. }), "{name}");
        assert!(matches!(next(&mut bob).await, Event::Acked { .. }), "{name}");
        bob.0.send(Command::Hangup { call, headers: Vec::new() }).await.expect("a driver");
        assert!(matches!(next(&mut alice).await, Event::Ended { .. }), "{name}");
        assert!(matches!(next(&mut bob).await, Event::HungUp { .. }), "{name}");
    }
}

/// A side that shows no certificate and believes these authorities.
async fn connects_only(authority: &Authority, change: impl FnOnce(&mut Config)) -> Side {
    let mut config = config(&[(Wire::Udp, V4), (Wire::Tls, V4)], 1, None);
    (config.connect_only, config.roots) = (true, authority.roots.clone());
    change(&mut config);
    net::bind(config).await.expect("sockets")
}

/// A port of TCP that nobody uses now.
async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind((V4, 0)).await.expect("a port");
    listener.local_addr().expect("its address").port()
}

#[tokio::test]
async fn without_a_certificate_tls_is_called_and_either_side_hangs_up() {
    let authority = Authority::new("connects");
    let port = free_port().await;
    let alice = connects_only(&authority, |config| config.endpoint.listeners[1].advertised.port = port).await;
    assert!(!alice.0.listeners()[1].listens() && alice.0.listeners()[0].listens());
    assert!(TcpStream::connect((V4, port)).await.is_err(), "nothing listens");
    let bob = net::bind(config(&[(Wire::Tls, V4)], 2, Some(&authority))).await.expect("sockets");
    let to = address(&bob, Wire::Tls, V4);
    let mut sides = [alice, bob];
    for ends in [0, 1, 1] {
        call(&mut sides, Wire::Tls, to, ends).await;
    }
}

#[tokio::test]
async fn a_stream_that_nobody_could_open_again_comes_from_its_port_and_is_kept() {
    let authority = Authority::new("kept");
    let port = free_port().await;
    let mut alice = connects_only(&authority, |config| {
        config.endpoint.listeners[1].advertised.port = port;
        (config.limits.idle, config.limits.keep_alive) = (Duration::from_millis(100), Duration::from_millis(50));
        config.limits.keep_alives = 20;
    })
    .await;
    let carrier = tokio::net::TcpListener::bind((V4, 0)).await.expect("a port");
    let chain = CertificateDer::pem_file_iter(&authority.certificate.chain).expect("a chain");
    let key = PrivateKeyDer::from_pem_file(&authority.certificate.key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().expect("a chain"), key)
        .expect("a certificate");
    let invite = invite(&alice, Wire::Tls, carrier.local_addr().expect("its address"), Some("localhost"));
    alice.0.send(Command::Invite(Box::new(invite))).await.expect("a driver");
    let (stream, from) = timeout(Duration::from_secs(5), carrier.accept()).await.expect("in time").expect("a stream");
    assert_eq!(from.port(), port);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let mut stream = timeout(Duration::from_secs(5), acceptor.accept(stream)).await.expect("in time").expect("TLS");
    let mut heard = Vec::new();
    let ended = timeout(Duration::from_secs(10), stream.read_to_end(&mut heard)).await;
    assert!(matches!(ended, Ok(Ok(_))), "it ends after so many signs of life: {ended:?}");
    let text = String::from_utf8(heard).expect("text");
    let (request, signs) = text.split_once("v=0\r\n").expect("an INVITE with its body");
    assert!(request.contains(&format!("Contact: <sip:127.0.0.1:{port};transport=tls>")), "{request}");
    assert_eq!(signs, "\r\n\r\n".repeat(20), "long after others are closed");
    assert!(matches!(next(&mut alice).await, Event::Failed { why: sip::Failure::Transport, .. }));
}

#[tokio::test]
async fn a_peer_that_nobody_vouches_for_is_not_called() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let listeners = [(Wire::Tls, V4)];
    let bob = net::bind(config(&listeners, 2, Some(&theirs))).await.expect("sockets");
    let to = address(&bob, Wire::Tls, V4);
    let mut believing = config(&listeners, 3, Some(&ours));
    believing.roots = theirs.roots.clone();
    for (case, config, name) in [
        ("unknown authority", config(&listeners, 1, Some(&ours)), "localhost"),
        ("other name", believing, "carrier.example.com"),
    ] {
        let mut alice = net::bind(config).await.expect("sockets");
        let invite = invite(&alice, Wire::Tls, to, Some(name));
        alice.0.send(Command::Invite(Box::new(invite))).await.expect("a driver");
        assert!(matches!(next(&mut alice).await, Event::Failed { why: sip::Failure::Untrusted, .. }), "{case}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let mut authority = Authority::new("renewed");
    let bob = net::bind(config(&[(Wire::Tls, V4)], 2, Some(&authority))).await.expect("sockets");
    let to = address(&bob, Wire::Tls, V4);
    authority.renew();
    bob.0.reload_certificate().expect("good files");
    let alice = net::bind(config(&[(Wire::Tls, V4)], 1, Some(&authority))).await.expect("sockets");
    let mut sides = [alice, bob];
    call(&mut sides, Wire::Tls, to, 0).await;
    std::fs::write(&authority.certificate.chain, "nonsense").expect("a file");
    assert!(sides[1].0.reload_certificate().is_err());
    call(&mut sides, Wire::Tls, to, 0).await;
}

#[tokio::test]
async fn nobody_listening_is_known_at_once() {
    let mut alice = net::bind(config(&[(Wire::Tcp, V4)], 1, None)).await.expect("sockets");
    let free = tokio::net::TcpListener::bind((V4, 0)).await.expect("a port").local_addr().expect("its address");
    let invite = invite(&alice, Wire::Tcp, free, None);
    alice.0.send(Command::Invite(Box::new(invite))).await.expect("a driver");
    assert!(matches!(next(&mut alice).await, Event::Failed { why: sip::Failure::Transport, .. }));
}

#[tokio::test]
async fn keep_alives_are_answered_and_options_too() {
    let bob = net::bind(config(&[(Wire::Tcp, V4), (Wire::Udp, V4)], 2, None)).await.expect("sockets");
    let mut stream = TcpStream::connect(address(&bob, Wire::Tcp, V4)).await.expect("a stream");
    stream.write_all(b"\r\n\r\n").await.expect("open");
    let mut pong = [0; 2];
    timeout(Duration::from_secs(5), stream.read_exact(&mut pong)).await.expect("in time").expect("open");
    assert_eq!(&pong, b"\r\n");

    let socket = UdpSocket::bind((V4, 0)).await.expect("a socket");
    let options = "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1\r\n\
                   From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
    socket.send_to(options.as_bytes(), address(&bob, Wire::Udp, V4)).await.expect("sent");
    let mut answer = [0; 2_000];
    let length = timeout(Duration::from_secs(5), socket.recv(&mut answer)).await.expect("in time").expect("open");
    assert!(answer[..length].starts_with(b"SIP/2.0 200 OK"));
}

#[tokio::test]
async fn hoarded_streams_are_closed() {
    let authority = Authority::new("hoard");
    let mut config = config(&[(Wire::Tls, V4), (Wire::Tcp, V4)], 2, Some(&authority));
    config.limits.connections_per_trusted = 4;
    config.limits.handshake = Duration::from_millis(200);
    config.limits.idle = Duration::from_millis(200);
    let bob = net::bind(config).await.expect("sockets");
    for (name, wire) in [("no handshake", Wire::Tls), ("nothing to say", Wire::Tcp)] {
        let mut streams = Vec::new();
        for _ in 0..6 {
            streams.push(TcpStream::connect(address(&bob, wire, V4)).await.expect("accepted by the system"));
        }
        for stream in &mut streams {
            let ended = timeout(Duration::from_secs(5), stream.read(&mut [0; 64])).await;
            assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{name}: {ended:?}");
        }
    }
}

#[tokio::test]
async fn a_call_outlives_its_stream() {
    let mut bob = net::bind(config(&[(Wire::Tcp, V4)], 2, None)).await.expect("sockets");
    let to = address(&bob, Wire::Tcp, V4);
    let ours = tokio::net::TcpListener::bind((V4, 0)).await.expect("a port");
    let port = ours.local_addr().expect("its address").port();
    let request = |method: &str, branch: &str, tag: &str| {
        format!(
            "{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK{branch}\r\n\
             From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:x@127.0.0.1>{tag}\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:a@127.0.0.1:{port};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(to).await.expect("a stream");
    stream.write_all(request("INVITE", "1", "").as_bytes()).await.expect("open");
    let call = next(&mut bob).await.call();
    bob.0.send(Command::Trying { call, local_tag: Some(sip::Tag::new("t")) }).await.expect("a driver");
    bob.0.send(Command::Answer { call, headers: Vec::new(), body: SDP }).await.expect("a driver");
    stream.write_all(request("ACK", "2", ";tag=t").as_bytes()).await.expect("open");
    assert!(matches!(next(&mut bob).await, Event::Acked { .. }));
    drop(stream);
    // The driver learns of the end in its own time; both ways of finding out lead to a new stream.
    bob.0.send(Command::Hangup { call, headers: Vec::new() }).await.expect("a driver");
    let (mut stream, _) = timeout(Duration::from_secs(5), ours.accept()).await.expect("in time").expect("a stream");
    let mut bye = [0; 3];
    timeout(Duration::from_secs(5), stream.read_exact(&mut bye)).await.expect("in time").expect("open");
    assert_eq!(&bye, b"BYE");
}
