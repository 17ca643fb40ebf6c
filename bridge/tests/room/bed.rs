//! A LiveKit server of the test's own, people in its rooms, and a wire that can be cut.

use std::net::{Ipv4Addr, TcpListener as StdListener, UdpSocket};
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bridge::plane::{self, Config, EngineSpec, Interface, LineHandle, Plane, Report, RoomSide, Side, Spec};
use bridge::room::driver::{self, Handle};
use bridge::room::{Command, Event, JoinConfig, Profile};
use media::Desk;
use media::desk::{GuestConfig, Play};
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

const KEY: &str = "devkey";
const SECRET: &str = "a-secret-for-tests-of-at-least-32-characters";
const LIMIT: Duration = Duration::from_secs(20);
/// What a guest records.
const RECORDING: Duration = Duration::from_secs(30);

pub(crate) fn plane() -> Plane {
    let localhost = Interface { bind: Ipv4Addr::LOCALHOST.into(), advertised: Ipv4Addr::LOCALHOST.into() };
    let config =
        Config { v4: Some(localhost), room: Some(Ipv4Addr::LOCALHOST.into()), pin: false, ..Config::default() };
    Plane::start(&config).unwrap()
}

pub(crate) fn profile(room: &str, identity: &str) -> Profile {
    Profile::new(room, identity)
}

/// A real server on ports of its own.
pub(crate) struct Server {
    program: String,
    config: String,
    child: Option<Child>,
    pub(crate) port: u16,
}

impl Server {
    /// `None` where there is no server to start, which is an error where everything must be tested.
    #[expect(clippy::print_stdout, reason = "a test that does nothing says why")]
    pub(crate) async fn start() -> Option<Self> {
        let program = std::env::var("LIVEKIT_SERVER").unwrap_or_else(|_| "livekit-server".into());
        if Program::new(&program).arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "no livekit-server: install one or name it in LIVEKIT_SERVER");
            println!("skipped: no livekit-server on the path, and none named in LIVEKIT_SERVER");
            return None;
        }
        let tcp = || StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (port, media_tcp) = (tcp(), tcp());
        let media = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = json!({
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "logging": {"level": "error"},
            "rtc": {
                "use_external_ip": false, "node_ip": "127.0.0.1", "tcp_port": media_tcp, "udp_port": media,
                "enable_loopback_candidate": true, "interfaces": {"includes": ["lo"]},
            },
            "keys": {KEY: SECRET},
            "room": {"enable_remote_unmute": true},
        });
        let mut server = Self { program, config: config.to_string(), child: None, port };
        server.restart().await;
        Some(server)
    }

    pub(crate) async fn restart(&mut self) {
        let mut program = Program::new(&self.program);
        program.arg("--config-body").arg(&self.config).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(program.spawn().unwrap());
        let up = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, up).await.expect("the server comes up");
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn participants(&self, room: &str) -> Vec<Value> {
        let answer = self.ask("ListParticipants", json!({"room": room})).await;
        answer["participants"].as_array().cloned().unwrap_or_default()
    }

    /// One request to the room service.
    pub(crate) async fn ask(&self, method: &str, request: Value) -> Value {
        let url = format!("http://127.0.0.1:{}/twirp/livekit.RoomService/{method}", self.port);
        let room = request["room"].as_str().unwrap();
        let response = reqwest::Client::builder().tls_backend_preconfigured(no_roots()).build().unwrap();
        let response = response.post(url).bearer_auth(admin(room)).json(&request).send().await.unwrap();
        let status = response.status();
        let body = response.text().await.unwrap();
        assert!(status.is_success(), "{method}: {status} {body}");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn no_roots() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

fn admin(room: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let grant = json!({"room": room, "roomAdmin": true, "roomCreate": true, "roomList": true});
    let claims = json!({"iss": KEY, "nbf": now - 10, "exp": now + 600, "video": grant});
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}

/// A participant of ours: a desk on a line, in a room.
pub(crate) struct Person {
    identity: String,
    handle: Handle,
    line: LineHandle,
    side: Side,
    /// What was heard before this does not count.
    since: usize,
    begun: std::time::Instant,
}

impl Person {
    pub(crate) fn enter(plane: &Plane, url: &str, profile: Profile, play: Play) -> Self {
        let config = GuestConfig { seed: 7, profile: media::Profile::default() };
        let engine = EngineSpec::Guest(config, Desk::new(play, RECORDING));
        let line = plane.open(Spec { engine, carrier: None }).unwrap();
        Self::stand(line.handle, line.side, url, profile)
    }

    /// The same line in another room too, which is heard from when it is told to [`Self::occupy`].
    pub(crate) async fn enter_also(&self, url: &str, profile: Profile) -> Self {
        let side = self.line.room_side().await.unwrap();
        Self { since: self.since, begun: self.begun, ..Self::stand(self.line.clone(), side, url, profile) }
    }

    /// Takes the audio of the line over.
    pub(crate) async fn occupy(&self) {
        self.line.send(plane::Command::Occupy(self.side)).await.unwrap();
    }

    fn stand(line: LineHandle, side: RoomSide, url: &str, profile: Profile) -> Self {
        let server = bridge::room::Server { url: url.into(), key: KEY.into(), secret: SECRET.into() };
        let (identity, name) = (profile.identity.clone(), side.side());
        let handle = driver::join(JoinConfig { server, profile }, side);
        Self { identity, handle, line, side: name, since: 0, begun: std::time::Instant::now() }
    }

    pub(crate) async fn command(&self, command: Command) {
        self.handle.commands.send(command).await.unwrap();
    }

    pub(crate) async fn until(&mut self, what: &str, want: impl Fn(&Event) -> bool) {
        let mut seen = vec![];
        let found = async {
            while let Some(event) = self.handle.events.recv().await {
                let found = want(&event);
                seen.push(event);
                if found {
                    return true;
                }
            }
            false
        };
        let found = timeout(LIMIT, found).await;
        assert_eq!(found, Ok(true), "{} waits for: {what}; saw {seen:?}", self.identity);
    }

    /// Only what is heard from now on counts.
    pub(crate) fn renew(&mut self) {
        self.since = usize::try_from(self.begun.elapsed().as_millis()).unwrap();
    }

    pub(crate) async fn report(&self) -> Report {
        let (reply, report) = oneshot::channel();
        self.line.send(plane::Command::Report(reply)).await.unwrap();
        timeout(LIMIT, report).await.unwrap().unwrap()
    }

    /// Takes the recording away and looks for a tone at its end.
    pub(crate) async fn hears(&self, frequency: f32) {
        self.recorded(frequency).await;
    }

    /// The same, and gives the recording.
    pub(crate) async fn recorded(&self, frequency: f32) -> Vec<i16> {
        let (reply, desk) = oneshot::channel();
        self.line.send(plane::Command::TakeDesk(reply)).await.unwrap();
        let desk = timeout(LIMIT, desk).await.unwrap().unwrap();
        let recording = desk.recording();
        assert!(recording.len() > 8_000, "{} heard {} samples", self.identity, recording.len());
        let pitch = media::desk::pitch(&recording[recording.len() - 8_000..]);
        let pitch = pitch.unwrap_or_else(|| panic!("{} hears silence", self.identity));
        assert!((pitch - frequency).abs() < 5.0, "{} hears {pitch} Hz", self.identity);
        recording.to_vec()
    }
}

/// A wire to the server that can be cut, and mended.
pub(crate) struct Cut {
    port: u16,
    severed: watch::Sender<bool>,
}

impl Cut {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (severed, watch) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut watch = watch.clone();
                if *watch.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = watch.wait_for(|severed| *severed) => {}
                    }
                });
            }
        });
        Self { port, severed }
    }

    pub(crate) fn cut(&self, severed: bool) {
        self.severed.send(severed).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }
}
