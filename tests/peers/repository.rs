//! A service provider that signs for numbers (STIR/SHAKEN), and the host that has its certificate.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use serde_json::{Value, json};

/// The extension that says whom a certificate speaks for (RFC 8226 §9), and a list with the service provider 1234 in it.
const TN_AUTH_LIST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];
const PROVIDER: &[u8] = b"\x30\x08\xa0\x06\x16\x041234";

/// Both. It serves until the test ends.
#[derive(Debug)]
pub struct Repository {
    address: SocketAddr,
    key: Vec<u8>,
    /// Who has issued the certificate, PEM.
    pub authority: String,
    /// Whom to believe when it is fetched, PEM.
    pub tls: String,
    asked: Arc<AtomicUsize>,
}

impl Repository {
    /// Makes keys and certificates, and serves.
    pub fn start() -> Self {
        let (root, issuer) = authority();
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = params("SHAKEN 1234");
        params.custom_extensions = vec![CustomExtension::from_oid_content(TN_AUTH_LIST, PROVIDER.to_vec())];
        let certificate = params.signed_by(&key, &issuer).expect("a certificate can be signed").pem();
        let host = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a name that rcgen takes");
        let tls = host.cert.pem();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has all of them")
            .with_no_client_auth()
            .with_single_cert(
                vec![host.cert.der().clone()],
                PrivateKeyDer::try_from(host.signing_key.serialize_der()).expect("a key of rcgen"),
            )
            .expect("key and certificate belong together");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let (config, count) = (Arc::new(config), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                // Whoever goes away in between is not to end the host.
                let _ = serve(stream, &config, &certificate);
            }
        });
        Self { address, key: key.serialize_der(), authority: root, tls, asked }
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Where its certificate is.
    pub fn url(&self) -> String {
        format!("https://{}/provider.pem", self.address)
    }

    /// The line of an Identity header for a call of now, between numbers in digits. `change` is applied before it is signed.
    pub fn identity(&self, caller: &str, called: &str, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
        let url = self.url();
        let mut header = json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url});
        let mut claims = json!({
            "attest": "A", "dest": {"tn": [called]}, "iat": now, "orig": {"tn": caller},
            "origid": "123e4567-e89b-12d3-a456-426655440000",
        });
        change(&mut header, &mut claims);
        let signed = format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key, &random);
        let signature = key.map(|key| key.sign(&random, signed.as_bytes())).expect("a key of P-256");
        let signature = base64(signature.expect("there is randomness").as_ref());
        let info = header["x5u"].as_str().unwrap_or_default();
        format!("Identity: {signed}.{signature};info=<{info}>;alg=ES256;ppt=shaken\r\n")
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("a key can be made");
    let mut params = params("STI-CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).expect("a certificate can be signed").pem();
    (pem, Issuer::new(params, key))
}

fn serve(mut tcp: TcpStream, config: &Arc<ServerConfig>, certificate: &str) -> std::io::Result<()> {
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = Stream::new(&mut connection, &mut tcp);
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{certificate}", certificate.len())?;
    stream.flush()?;
    connection.send_close_notify();
    connection.complete_io(&mut tcp).map(drop)
}

/// The alphabet of RFC 4648 §5, without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().enumerate().fold(0, |group, (at, byte)| group | u32::from(*byte) << (16 - 8 * at));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}
