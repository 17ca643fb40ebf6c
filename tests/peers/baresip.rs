//! `baresip` as a phone: UDP, TCP, TLS, real codecs, and files of all that it said and heard.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::gateway;
use crate::need::Need;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::{audio, ports, within};

/// One phone. Dropping it kills it; it does not end on SIGTERM while a call stands.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    control: TcpStream,
    folder: PathBuf,
    sip: u16,
}

impl Baresip {
    /// PCMU alone.
    pub const NARROW: (&str, u32) = ("PCMU/8000/1", 8_000);

    /// Starts a phone that speaks PCMU and plays a tone of -15 dBFS in every call. `account` is put behind its address, such
    /// as `;auth_user=u;auth_pass=p`; the transport is `udp`, `tcp` or `tls`.
    pub fn start(transport: &str, tone: f64, account: &str, scratch: &Scratch) -> Self {
        Self::speaking(Self::NARROW, transport, tone, account, scratch)
    }

    /// The same with these codecs, as baresip names them, and the rate of the first.
    pub fn speaking((codecs, rate): (&str, u32), transport: &str, tone: f64, account: &str, scratch: &Scratch) -> Self {
        let (sip, control, media) = (ports::range(4), ports::one(), ports::range(40));
        let folder = scratch.path().join("baresip");
        scratch.write("baresip/contacts", "");
        // It wants as many channels as its codec has.
        let channels = if codecs.starts_with("opus/") { 2 } else { 1 };
        audio::write_channels(&folder.join("tone.wav"), &audio::tone(tone, -15.0, rate, 120.0), rate, channels);
        let certificate = gateway::certificate_and_key(scratch).unwrap_or_else(|| {
            gateway::certificate(scratch);
            scratch.path().join("both.pem")
        });
        let config = format!(
            "net_interface 127.0.0.1\n\
             sip_listen 127.0.0.1:{}\n\
             sip_certificate {}\n\
             sip_cafile {}\n\
             audio_source aufile,{}\n\
             audio_player aubridge,sink\n\
             audio_level no\n\
             module_path {}\n\
             module g711.so\nmodule g722.so\nmodule opus.so\nmodule srtp.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
             module stdio.so\n\
             module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n\
             snd_path {}\n\
             rtp_ports {}-{}\n",
            sip.start(),
            certificate.display(),
            scratch.path().join("cert.pem").display(),
            folder.join("tone.wav").display(),
            modules(),
            folder.display(),
            media.start(),
            media.end(),
        );
        scratch.write("baresip/config", config);
        let account =
            format!("<sip:+15550177@127.0.0.1;transport={transport}>;regint=0;audio_codecs={codecs}{account}\n");
        scratch.write("baresip/accounts", account);
        let mut command = Command::new(Need::Baresip.expect());
        command.args(["-v", "-s", "-f"]).arg(&folder);
        let process = Process::start("baresip", &mut command, scratch);
        let mut stream = None;
        within(Duration::from_secs(10), || {
            stream = TcpStream::connect((Ipv4Addr::LOCALHOST, control)).ok();
            stream.is_some()
        });
        let control = stream.unwrap_or_else(|| panic!("baresip does not start:\n{}", process.output()));
        control.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket takes a timeout");
        Self { process, control, folder, sip: *sip.start() }
    }

    /// Where it takes SIP over UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.sip).into()
    }

    /// Where it takes SIP over TLS.
    pub fn tls(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.sip + 1).into()
    }

    /// Calls a number at a server and waits until it has answered.
    pub fn call(&mut self, number: &str, server: SocketAddr, transport: &str) {
        self.command("dial", &format!("sip:{number}@{server};transport={transport}"));
        let answered = self.process.says("Call established", Duration::from_secs(15));
        assert!(answered, "baresip's call was not answered:\n{}", self.process.output());
    }

    /// Presses keys.
    pub fn press(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.command("sndcode", &digit.to_string());
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Gives a command of baresip's menu.
    pub fn command(&mut self, command: &str, params: &str) {
        let json = json!({"command": command, "params": params, "token": "1"}).to_string();
        let sent = write!(self.control, "{}:{json},", json.len());
        sent.expect("baresip's control connection stands");
        let mut buffer = [0; 4_096];
        let _ = self.control.read(&mut buffer);
    }

    /// What it heard up to now in its last call, at the rate of its codec.
    pub fn heard(&self) -> Vec<i16> {
        self.heard_at().0
    }

    /// The same with that rate; zero when there is nothing yet.
    pub fn heard_at(&self) -> (Vec<i16>, u32) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return (Vec::new(), 0) };
        let dumps = entries.flatten().map(|e| e.path()).filter(|p| p.to_string_lossy().ends_with("-dec.wav"));
        dumps.max().and_then(|dump| audio::read(&dump)).unwrap_or_default()
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Where its modules are: Debian has them by the architecture on some releases.
fn modules() -> &'static str {
    let places = [
        "/usr/lib/baresip/modules",
        "/usr/lib/x86_64-linux-gnu/baresip/modules",
        "/usr/lib/aarch64-linux-gnu/baresip/modules",
    ];
    places.into_iter().find(|place| std::path::Path::new(place).is_dir()).unwrap_or(places[0])
}
