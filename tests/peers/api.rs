//! The HTTP API of the gateway, called as plainly as can be: one connection a request, JSON both ways, tokens signed here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use ring::hmac;
use serde_json::{Value, json};

use super::livekit;

/// Longer than any call of a test rings.
const PATIENCE: Duration = Duration::from_secs(90);

/// One server, and who calls it: somebody who may do everything.
#[derive(Clone, Debug)]
pub struct Api {
    server: SocketAddr,
    token: String,
}

/// What it said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status of HTTP, 0 where the connection broke before there was one.
    pub status: u16,
    /// The body; a JSON string where it is text.
    pub body: Value,
}

/// A request under way.
#[derive(Debug)]
pub struct Pending(JoinHandle<Answer>);

impl Api {
    /// At that address.
    pub fn new(server: SocketAddr) -> Self {
        let video = json!({"roomAdmin": true, "roomCreate": true, "roomList": true});
        Self { server, token: token(&json!({"sip": {"admin": true, "call": true}, "video": video})) }
    }

    /// With these grants alone.
    pub fn with_grants(&self, grants: &Value) -> Self {
        Self { token: token(grants), ..self.clone() }
    }

    /// With what a server SDK signs to administer a room.
    pub fn admin_of(&self, room: &str) -> Self {
        let video = json!({"roomAdmin": true, "room": room});
        self.with_grants(&json!({"sip": {"admin": true, "call": true}, "video": video}))
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.server)
    }

    /// The token, for those who call by another way.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Calls a method of `livekit.SIP`.
    pub fn sip(&self, method: &str, request: &Value) -> Answer {
        self.post(&format!("/twirp/livekit.SIP/{method}"), request)
    }

    /// The same where only success will do.
    pub fn must(&self, method: &str, request: &Value) -> Value {
        let answer = self.sip(method, request);
        assert_eq!(answer.status, 200, "{method} {request}: {}", answer.body);
        answer.body
    }

    /// The same without waiting.
    pub fn begin(&self, method: &str, request: &Value) -> Pending {
        let (api, method, request) = (self.clone(), method.to_owned(), request.clone());
        Pending(std::thread::spawn(move || api.sip(&method, &request)))
    }

    /// Sends a JSON body to a path.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &body.to_string())
    }

    /// Reads a path.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    /// Any request; a server that is not there, or goes away, is status 0.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_request(method, path, body)
            .unwrap_or_else(|error| Answer { status: 0, body: Value::String(error.to_string()) })
    }

    fn try_request(&self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(self.server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server,
            self.token,
            body.len()
        )?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Answer::parse(&bytes).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let header = |wanted: &str| {
            let found = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim().to_owned())
        };
        let body = match header("transfer-encoding") {
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => joined(body)?,
            _ => body.to_owned(),
        };
        // Cut short by a server that died: no answer.
        if header("content-length").is_some_and(|length| length.parse() != Ok(body.len())) {
            return None;
        }
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        Some(Self { status, body })
    }

    /// The code of a Twirp error.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The SIP status that a Twirp error carries in its `meta`.
    pub fn sip_status(&self) -> Option<u16> {
        self.body["meta"]["sip_status_code"].as_str()?.parse().ok()
    }

    /// A text field of the body, empty when absent.
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
}

impl Pending {
    /// Waits for the answer.
    pub fn finish(self) -> Answer {
        self.0.join().expect("a request does not panic")
    }

    /// Whether the answer is there.
    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

/// A token of the test server's key with these grants.
pub fn token(grants: &Value) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let mut claims = json!({"iss": livekit::KEY, "sub": "tests", "nbf": now - 10, "exp": now + 3_600});
    for (name, value) in grants.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    let head = base64url(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", base64url(claims.to_string().as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, livekit::SECRET.as_bytes());
    let signature = base64url(hmac::sign(&key, signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        let letters = (0..=chunk.len()).map(|n| LETTERS[(bits >> (18 - 6 * n) & 63) as usize]);
        text.extend(letters.map(char::from));
    }
    text
}

/// The content of a chunked body.
fn joined(mut rest: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n")?;
        let length = usize::from_str_radix(length.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.push_str(after.get(..length)?);
        rest = after.get(length..)?.strip_prefix("\r\n")?;
    }
}
