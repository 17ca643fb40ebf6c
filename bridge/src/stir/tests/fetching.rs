//! Certificates that are fetched from a host of ours, which may do as it likes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::*;
use super::bed::{Authority, Forgery, Signer};
use crate::dns;

/// A repository of certificates.
struct Repository {
    signer: Signer,
    address: SocketAddr,
    roots: RootCertStore,
    asked: Arc<AtomicUsize>,
}

impl Repository {
    async fn new() -> Self {
        let signer = Authority::new().signer(|_| ());
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(listener, Arc::new(config).into(), signer.pem.clone(), Arc::clone(&asked)));
        Self { signer, address, roots, asked }
    }

    fn verifier(&self, settings: Settings) -> Verifier {
        let authorities = Some(self.signer.authorities.clone());
        let resolver = Resolver::system(dns::Settings::default());
        Verifier::new(Settings { authorities, ..settings }, self.roots.clone(), resolver).unwrap().unwrap()
    }

    fn local(&self) -> Verifier {
        self.verifier(Settings { allow_loopback: true, ..Settings::default() })
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn claim(&self, url: &str) -> Claim {
        Forgery::of(&self.signer, SystemTime::now(), url).claim()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, pem: String, asked: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, pem, asked) = (tls.clone(), pem.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { return };
                request.push(byte);
            }
            asked.fetch_add(1, Ordering::SeqCst);
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap();
            let _ = stream.write_all(answer(path, &pem).as_bytes()).await;
            if path == "/slow" {
                std::future::pending::<()>().await;
            }
            let _ = stream.shutdown().await;
        });
    }
}

fn answer(path: &str, pem: &str) -> String {
    let ok =
        |headers: &str, body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len());
    let huge = "x".repeat(16 * 1024 + 1);
    match path {
        "/chain.pem" => ok("Cache-Control: max-age=600\r\n", pem),
        "/fresh.pem" => ok("Cache-Control: no-store\r\n", pem),
        "/chunks" => {
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{pem}\r\n0\r\n\r\n", pem.len())
        }
        "/until-the-end" => format!("HTTP/1.1 200 OK\r\n\r\n{pem}"),
        "/redirect" => "HTTP/1.1 302 Found\r\nLocation: /chain.pem\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "/huge" => ok("", &huge),
        "/huge-unsaid" => format!("HTTP/1.1 200 OK\r\n\r\n{huge}"),
        "/head" => ok(&format!("X: {huge}\r\n"), pem),
        "/slow" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n-----BEGIN", pem.len()),
        "/short" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{pem}", pem.len() + 1),
        "/page" => ok("", "<html>"),
        "/other" => "hello".to_owned(),
        _ => format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{pem}", pem.len()),
    }
}

async fn verify(verifier: &Verifier, claim: &Claim) -> Statement {
    match verifier.begin(claim) {
        Progress::Done(statement) => statement,
        Progress::Waiting(mut waiting) => waiting.finish().await,
    }
}

#[tokio::test]
async fn certificates_are_fetched_as_they_are_and_in_no_other_way() {
    let repository = Repository::new().await;
    let verifier = repository.local();
    for path in ["/chain.pem", "/fresh.pem", "/chunks", "/until-the-end"] {
        let statement = verify(&verifier, &repository.claim(&repository.url(path))).await;
        assert_eq!((statement.verstat, statement.attest), (Some(Verstat::Passed), Some(Attest::A)), "{path}");
    }
    let others = ["/redirect", "/huge", "/huge-unsaid", "/head", "/short", "/page", "/other", "/none", "/slow"];
    for path in others {
        let begun = Instant::now();
        let statement = verify(&verifier, &repository.claim(&repository.url(path))).await;
        assert_eq!(statement.failure.as_deref(), Some("436 Bad Identity Info"), "{path}");
        assert_eq!((statement.verstat, statement.attest), (Some(Verstat::Failed), None), "{path}");
        assert!(begun.elapsed() < fetch::LIMIT + Duration::from_secs(1), "{path}: {:?}", begun.elapsed());
    }
    assert_eq!(repository.asked(), 4 + others.len(), "nobody was followed elsewhere");
}

#[tokio::test]
async fn a_host_that_is_not_believed_is_asked_nothing() {
    let repository = Repository::new().await;
    let stranger = Repository { roots: RootCertStore::empty(), ..Repository::new().await };
    for (name, verifier, url) in [
        ("a stranger's TLS", stranger.local(), stranger.url("/chain.pem")),
        ("loopback", repository.verifier(Settings::default()), "https://127.0.0.1:8443/chain.pem".into()),
        ("loopback by its name", repository.verifier(Settings::default()), "https://localhost:8443/a".into()),
        ("loopback in IPv6", repository.verifier(Settings::default()), "https://[::1]/a".into()),
        ("loopback in disguise", repository.verifier(Settings::default()), "https://[::ffff:127.0.0.1]/a".into()),
        ("a number", repository.verifier(Settings::default()), "https://2130706433/a".into()),
        ("a neighbour", repository.verifier(Settings::default()), "https://10.0.0.1/a".into()),
        ("the cloud", repository.local(), "https://169.254.169.254/latest/meta-data".into()),
        ("plain", repository.local(), repository.url("/chain.pem").replace("https", "http")),
        ("a file", repository.local(), "file:///etc/passwd".into()),
        (
            "not listed",
            repository.verifier(Settings { hosts: vec!["a.example".into()], allow_loopback: true, authorities: None }),
            repository.url("/chain.pem"),
        ),
    ] {
        let statement = verify(&verifier, &repository.claim(&url)).await;
        assert_eq!(statement.failure.as_deref(), Some("436 Bad Identity Info"), "{name}");
    }
    assert_eq!((repository.asked(), stranger.asked()), (0, 0));
}

#[tokio::test]
async fn calls_share_a_fetch_and_what_came_of_it() {
    let repository = Repository::new().await;
    let verifier = repository.local();
    let claim = repository.claim(&repository.url("/chain.pem"));
    let begun: Vec<_> = (0..10).map(|_| verifier.begin(&claim)).collect();
    for progress in begun {
        let Progress::Waiting(mut waiting) = progress else { panic!("there was nothing yet") };
        assert_eq!(waiting.finish().await.verstat, Some(Verstat::Passed));
    }
    assert_eq!(repository.asked(), 1);
    assert!(matches!(verifier.begin(&claim), Progress::Done(done) if done.verstat == Some(Verstat::Passed)));
    let mut forged = Forgery::of(&repository.signer, SystemTime::now(), &repository.url("/chain.pem"));
    forged.swap = Some(("\"A\"", "\"B\""));
    assert!(matches!(verifier.begin(&forged.claim()), Progress::Done(done) if done.verstat == Some(Verstat::Failed)));
    let fresh = repository.claim(&repository.url("/fresh.pem"));
    for _ in 0..2 {
        assert_eq!(verify(&verifier, &fresh).await.verstat, Some(Verstat::Passed));
    }
    assert_eq!(repository.asked(), 3, "what is not to be kept is fetched anew");
}

#[tokio::test]
async fn nothing_is_fetched_for_a_token_that_is_not_for_this_call() {
    let repository = Repository::new().await;
    let verifier = repository.local();
    let mut forgery = Forgery::of(&repository.signer, SystemTime::now(), &repository.url("/chain.pem"));
    forgery.claims["orig"]["tn"] = "15550198".into();
    assert!(matches!(verifier.begin(&forgery.claim()), Progress::Done(_)));
    forgery.unsigned = true;
    let Progress::Done(statement) = verifier.begin(&forgery.claim()) else { panic!("nothing to wait for") };
    assert_eq!(statement.verstat, Some(Verstat::Unknown));
    assert_eq!(repository.asked(), 0);
}
