//! A network that loses packets: a namespace of its own, and a program in it that is asked about each (`tests/python/impair.py`).

use std::io::{BufRead, BufReader, Write};
use std::ops::RangeInclusive;
use std::process::{ChildStdin, ChildStdout, Command};

use super::gateway;
use crate::bed;
use crate::need::Need;
use crate::process::Process;
use crate::root;
use crate::scratch::Scratch;

/// Tells the test inside of the namespace that it is there.
const APART: &str = "TRUNKLINE_APART";

/// Whether the caller is in a namespace of its own. If not, this runs the test of that name in one, and fails if that fails.
pub fn apart(test: &str) -> bool {
    if std::env::var_os(APART).is_some() {
        return true;
    }
    let Some((_scratch, _turn)) = bed::prepare_alone("apart", &[Need::Impairment, Need::Speech]) else { return false };
    let mut command = Command::new(Need::Impairment.expect());
    command.arg(std::env::current_exe().expect("a running test has a path"));
    command.args([test, "--exact", "--nocapture"]).env(APART, "yes");
    // In there nothing can be fetched, so all is found or made before.
    let made = [
        ("LIVEKIT_SERVER", Need::LiveKit.expect()),
        ("LISTENER_PYTHON", Need::Python.expect()),
        ("SPEECH_CLIPS", Need::Speech.expect()),
        ("TRUNKLINE", gateway::binary()),
    ];
    let status = command.envs(made).status().expect("what was tried before can be started");
    assert!(status.success(), "{test} in a network of its own: {status}");
    false
}

/// What is lost, by a model of two states (Gilbert). By default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    /// Of the packets between gateway, phone and server, 0 to 1.
    pub share: f64,
    /// Of those between server and participants.
    pub of_participants: f64,
    /// How many in a row, on average. `None`: no loss depends on the one before it.
    pub row: Option<f64>,
}

impl Loss {
    /// For a table of losses.
    pub fn name(&self) -> String {
        format!("{:.0}{}-real", 100.0 * self.share, if self.row.is_some() { "-rows" } else { "" })
    }
}

/// The program. Dropping it ends the loss with it.
#[derive(Debug)]
pub struct Impair {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Impair {
    /// Stands at these ports, and loses nothing yet.
    pub fn start(ports: &RangeInclusive<u16>, seed: u64, scratch: &Scratch) -> Self {
        let mut command = Command::new(Need::Python.expect());
        command.arg(root().join("tests/python/impair.py")).arg(seed.to_string());
        command.arg(format!("{}:{}", ports.start(), ports.end()));
        let (process, input, output) = Process::start_piped("impair", &mut command, scratch);
        let mut impair = Self { _process: process, input, output: BufReader::new(output) };
        assert_eq!(impair.line(), "ready");
        impair
    }

    /// Loses this from here on, each way of each conversation by itself. Returns how many packets came since the last change,
    /// and how many were lost.
    pub fn lose(&mut self, loss: &Loss) -> (u64, u64) {
        let Loss { share, of_participants, row } = loss;
        writeln!(self.input, "{share} {of_participants} {}", row.unwrap_or(0.0)).expect("the program takes lines");
        let line = self.line();
        let mut counts = line.split(' ').map(|count| count.parse().expect("a count"));
        (counts.next().expect("packets seen"), counts.next().expect("packets lost"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the program answers");
        line.trim_end().to_owned()
    }
}
