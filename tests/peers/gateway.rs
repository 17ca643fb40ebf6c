//! The gateway itself, the real program with a configuration file.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::Api;
use super::livekit;
use crate::process::{Holdings, Process};
use crate::scratch::Scratch;
use crate::{ports, root, within};

/// The number that the usual trunk answers.
pub const NUMBER: &str = "+15550100";

/// The number that our outbound calls come from.
pub const OUR_NUMBER: &str = "+15550300";

/// What goes into the configuration file.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `inbound_trunks`, as in the files of `lk`.
    pub trunks: Value,
    /// `dispatch_rules`, as in the files of `lk`.
    pub rules: Value,
    /// `outbound_trunks`, as in the files of `lk`.
    pub outbound: Value,
    /// Further keys, put over the others, maps into maps.
    pub more: Value,
    /// Whether to make a certificate and listen with TLS.
    pub tls: bool,
    /// Whether to keep a store and answer the API.
    pub api: bool,
    /// What its files are called, where there are several.
    pub name: &'static str,
}

impl Setup {
    /// One trunk for [`NUMBER`] from anywhere on this machine, one rule into that room.
    pub fn room(room: &str) -> Self {
        Self {
            trunks: json!([{"name": "carrier", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.1"]}]),
            rules: json!([{"name": "to the room", "rule": {"dispatchRuleDirect": {"roomName": room}}}]),
            outbound: json!([]),
            more: json!({}),
            tls: false,
            api: false,
            name: "trunkline",
        }
    }

    /// The same with the API, and an outbound trunk called `out` toward that address.
    pub fn outbound(room: &str, carrier: SocketAddr) -> Self {
        let trunk = json!({"name": "out", "address": carrier.to_string(), "numbers": [OUR_NUMBER]});
        Self { outbound: json!([trunk]), api: true, ..Self::room(room) }
    }

    /// With one more key in the file.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.more[key] = value;
        self
    }
}

/// A running gateway. Dropping it kills it.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    sip: u16,
    tls: u16,
    rtp: std::ops::RangeInclusive<u16>,
    api: u16,
    name: &'static str,
    config: Value,
    file: PathBuf,
}

impl Gateway {
    /// Writes the configuration, starts `trunkline serve` and waits until it listens.
    pub fn start(setup: &Setup, ws_url: &str, scratch: &Scratch) -> Self {
        let (sip, tls, rtp, api) = (ports::one(), ports::one(), ports::range(400), ports::one());
        let mut config = json!({
            "ws_url": ws_url,
            "api_key": livekit::KEY,
            "api_secret": livekit::SECRET,
            "listen_ip": "127.0.0.1",
            "sip_port": sip,
            "rtp_port": format!("{}-{}", rtp.start(), rtp.end()),
            "api_port": if setup.api { api } else { 0 },
            "store": scratch.path().join(format!("{}.db", setup.name)),
            // Carriers are on loopback here, which a gateway on a public address has to refuse.
            "nat_1_to_1_ip": "127.0.0.1",
            "allow_loopback_media": true,
            "outbound_deny": [],
            "logging": {"level": "debug"},
            "inbound_trunks": setup.trunks,
            "dispatch_rules": setup.rules,
            "outbound_trunks": setup.outbound,
        });
        if setup.tls {
            let (cert, key) = certificate(scratch);
            config["tls"] = json!({"port": tls, "certs": [{"cert_file": cert, "key_file": key}]});
        }
        for (key, value) in setup.more.as_object().into_iter().flatten() {
            match (config[key].as_object_mut(), value.as_object()) {
                (Some(map), Some(more)) => map.extend(more.clone()),
                _ => config[key] = value.clone(),
            }
        }
        let file = scratch.write(&format!("{}.yaml", setup.name), config.to_string());
        let process = serve(setup.name, &file, scratch);
        let mut gateway = Self { process, sip, tls, rtp, api, name: setup.name, config, file };
        gateway.wait_until_up();
        gateway
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same ports and the same files.
    pub fn restart(&mut self, scratch: &Scratch) {
        self.process.kill();
        self.process = serve(self.name, &self.file, scratch);
        self.wait_until_up();
    }

    /// Changes its configuration file under it, in one step, as an operator's tools do.
    pub fn rewrite(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        let text = self.config.to_string();
        self.rewrite_raw(&text);
    }

    /// Puts this text in the place of its configuration file.
    pub fn rewrite_raw(&self, text: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).expect("the scratch folder can be written");
        std::fs::rename(&new, &self.file).expect("a file can take another's place");
    }

    fn wait_until_up(&mut self) {
        let answers = |port: u16| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        let api = self.config["api_port"] != 0;
        let (sip, port) = (self.sip, self.api);
        let process = &mut self.process;
        let up = within(Duration::from_secs(10), || process.is_over() || (answers(sip) && (!api || answers(port))));
        assert!(up.is_some() && !process.is_over(), "the gateway does not start:\n{}", process.output());
    }

    /// Where its API is.
    pub fn api(&self) -> Api {
        Api::new((Ipv4Addr::LOCALHOST, self.api).into())
    }

    /// What an app has as its `LIVEKIT_URL`.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.api)
    }

    /// Its store.
    pub fn store(&self) -> PathBuf {
        self.config["store"].as_str().expect("the store is a path").into()
    }

    /// Its configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where it takes SIP over UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.sip).into()
    }

    /// Where it takes SIP over TLS.
    pub fn tls(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.tls).into()
    }

    /// Its ports for RTP and RTCP.
    pub fn rtp(&self) -> std::ops::RangeInclusive<u16> {
        self.rtp.clone()
    }

    /// What its process holds now.
    pub fn holdings(&self) -> Holdings {
        self.process.holdings()
    }

    /// All it has logged.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// The process, for its log and for signals.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn serve(name: &str, file: &Path, scratch: &Scratch) -> Process {
    let mut command = Command::new(binary());
    command.arg("serve").arg("--config").arg(file);
    Process::start(name, &mut command, scratch)
}

/// The `trunkline` program that the variable `TRUNKLINE` names; else that of the profile that this test was built with, built
/// if it is not up to date.
pub fn binary() -> PathBuf {
    // A failure is kept as well, so that it is not repeated for every test.
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || std::env::var_os("TRUNKLINE").map(PathBuf::from).or_else(build);
    BUILT.get_or_init(find).clone().expect("the gateway builds")
}

/// A `trunkline` command with those arguments and the key of the test server in its environment.
pub fn command(ws_url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).envs([
        ("LIVEKIT_WS_URL", ws_url),
        ("LIVEKIT_API_KEY", livekit::KEY),
        ("LIVEKIT_API_SECRET", livekit::SECRET),
    ]);
    command
}

fn build() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.ancestors().nth(2).expect("tests lie in PROFILE/deps");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["build", "--quiet", "--package", "bridge", "--bin", "trunkline"]);
    command.arg("--target-dir").arg(profile.parent().expect("the profile's folder lies in the target folder"));
    if profile.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let built = command.status().is_ok_and(|status| status.success());
    built.then(|| profile.join("trunkline"))
}

/// A certificate for this machine and its key, signed by itself.
pub fn certificate(scratch: &Scratch) -> (PathBuf, PathBuf) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("names that rcgen takes");
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    scratch.write("both.pem", format!("{key}{cert}"));
    (scratch.write("cert.pem", cert), scratch.write("key.pem", key))
}

/// The file in which [`certificate`] left both parts, which is how `baresip` wants it.
pub fn certificate_and_key(scratch: &Scratch) -> Option<PathBuf> {
    Some(scratch.path().join("both.pem")).filter(|file: &PathBuf| Path::exists(file))
}
