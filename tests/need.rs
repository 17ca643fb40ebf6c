//! What is not installed: an error where peers are required, elsewhere a word and a skipped test.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::root;

/// Something that a test cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The SIP test program of Debian's `sip-tester`.
    Sipp,
    /// The softphone of Debian's `baresip-core`.
    Baresip,
    /// A stock LiveKit server, found or built by `script/livekit-server`.
    LiveKit,
    /// A Python with LiveKit's client, made by `script/python`.
    Python,
    /// A folder with LiveKit's JavaScript clients, made by `script/node`.
    Node,
    /// A browser.
    Chromium,
    /// The HTTP client.
    Curl,
    /// A folder with clips of real speech, made by `script/speech`.
    Speech,
    /// A network namespace of one's own, and the right to queue its packets for a program that loses some.
    Impairment,
}

impl Need {
    /// The program, or what to do about its absence.
    pub fn program(self) -> Result<PathBuf, String> {
        match self {
            Self::Sipp => on_path("sipp").ok_or_else(|| "sipp (Debian, Ubuntu: apt install sip-tester)".into()),
            Self::Baresip => {
                on_path("baresip").ok_or_else(|| "baresip (Debian, Ubuntu: apt install baresip-core)".into())
            }
            Self::LiveKit => {
                static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
                FOUND.get_or_init(|| from_script("LIVEKIT_SERVER", "script/livekit-server")).clone()
            }
            Self::Python => {
                static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
                FOUND.get_or_init(|| from_script("LISTENER_PYTHON", "script/python")).clone()
            }
            Self::Node => {
                static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
                FOUND.get_or_init(|| from_script("PEERS_NODE", "script/node")).clone()
            }
            Self::Chromium => ["chromium", "chromium-browser", "google-chrome"]
                .into_iter()
                .find_map(on_path)
                .ok_or_else(|| "chromium (Debian: apt install chromium)".into()),
            Self::Speech => {
                static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
                FOUND.get_or_init(|| from_script("SPEECH_CLIPS", "script/speech")).clone()
            }
            Self::Impairment => {
                static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
                FOUND.get_or_init(impairment).clone()
            }
            Self::Curl => on_path("curl").ok_or_else(|| "curl (Debian, Ubuntu: apt install curl)".into()),
        }
    }

    /// The program of something whose presence was checked before.
    pub fn expect(self) -> PathBuf {
        self.program().unwrap_or_else(|missing| panic!("missing: {missing}"))
    }
}

/// Whether all of these are there. Says so when not, and fails where peers are required: in CI (`CI=true`), and where
/// `TRUNKLINE_PEERS=required`. With `TRUNKLINE_PEERS=none` nothing is, whatever is installed.
pub fn all(needs: &[Need]) -> bool {
    let wish = std::env::var("TRUNKLINE_PEERS").unwrap_or_default();
    if wish == "none" {
        return false;
    }
    let missing: Vec<String> = needs.iter().filter_map(|need| need.program().err()).collect();
    if missing.is_empty() {
        return true;
    }
    let required = wish == "required" || std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!required, "this test needs {}", missing.join(", and "));
    eprintln!("skipped; this test needs {}", missing.join(", and "));
    false
}

/// What the environment names, or what a script of the tree prints as its last line.
fn from_script(variable: &str, script: &str) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let run = Command::new(root().join(script)).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = run.map_err(|error| format!("{script}: {error}"))?;
    let last = String::from_utf8_lossy(&output.stdout).lines().last().map(PathBuf::from);
    last.filter(|_| output.status.success()).ok_or_else(|| format!("what {script} just asked for"))
}

/// Tries it: programs alone are not enough, the kernel has to have the queue and give the right to it.
fn impairment() -> Result<PathBuf, String> {
    let missing = "a network namespace with iptables and NFQUEUE (root, or user namespaces; Debian, Ubuntu: apt install \
                   iptables iproute2 util-linux)";
    let script = root().join("script/apart");
    let rule = ["iptables", "-A", "INPUT", "-p", "udp", "-j", "NFQUEUE", "--queue-num", "7"];
    let tried = Command::new(&script).args(rule).stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => Ok(script),
        Ok(output) => Err(format!("{missing}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{missing}: {error}")),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
