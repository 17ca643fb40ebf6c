//! A stock LiveKit server on free loopback ports.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::need::Need;
use crate::ports;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::within;

/// The key of every server that tests start.
pub const KEY: &str = "devkey";
/// The secret that belongs to it.
pub const SECRET: &str = "a-secret-for-tests-of-at-least-32-characters";

/// One server. Dropping it kills it.
#[derive(Debug)]
pub struct LiveKit {
    process: Option<Process>,
    config: std::path::PathBuf,
    port: u16,
    media: std::ops::RangeInclusive<u16>,
}

impl LiveKit {
    /// Writes a configuration, starts the server and waits until it listens.
    pub fn start(scratch: &Scratch) -> Self {
        let port = ports::one();
        let media = ports::range(400);
        // JSON is YAML.
        let config = json!({
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {
                "tcp_port": ports::one(),
                "port_range_start": media.start(),
                "port_range_end": media.end(),
                "node_ip": "127.0.0.1",
                "interfaces": {"includes": ["lo"]},
                // Without this a server that has nothing but loopback offers no address at all, and nobody connects.
                "enable_loopback_candidate": true,
            },
            "room": {"enable_remote_unmute": true},
            "keys": {KEY: SECRET},
        });
        let config = scratch.write("livekit.yaml", config.to_string());
        let mut server = Self { process: None, config, port, media };
        server.restart(scratch);
        server
    }

    /// Starts it again on the same ports after [`kill`](Self::kill).
    pub fn restart(&mut self, scratch: &Scratch) {
        let mut command = Command::new(Need::LiveKit.expect());
        command.arg("--config").arg(&self.config);
        let mut process = Process::start("livekit", &mut command, scratch);
        let up = within(Duration::from_secs(20), || process.is_over() || self.listens());
        assert!(up.is_some() && !process.is_over(), "livekit-server does not start:\n{}", process.output());
        self.process = Some(process);
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Where its signalling and API are.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// The port of its signalling and API.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its ports for media.
    pub fn media(&self) -> std::ops::RangeInclusive<u16> {
        self.media.clone()
    }

    fn listens(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }
}
