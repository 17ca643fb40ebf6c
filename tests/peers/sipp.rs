//! `sipp` as a carrier: scenarios of `tests/data/sipp`, over UDP and TCP. Debian's has no TLS and cannot judge audio; it echoes.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::need::Need;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::{audio, data, ports, within};

/// One run of `sipp`.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// A file of `tests/data/sipp`.
    pub scenario: &'a str,
    /// The called number.
    pub to: &'a str,
    /// `u1` for UDP, `t1` for TCP.
    pub transport: &'a str,
    /// Calls in all.
    pub calls: u32,
    /// Calls at the same time.
    pub at_once: u32,
    /// New calls a second.
    pub rate: u32,
    /// How long a call stands, in milliseconds.
    pub hold: u32,
    /// Send back all RTP that comes.
    pub echo: bool,
}

impl Run<'_> {
    /// One call of that scenario over UDP, held for five seconds.
    pub fn one(scenario: &str) -> Run<'_> {
        let to = super::gateway::NUMBER;
        Run { scenario, to, transport: "u1", calls: 1, at_once: 1, rate: 10, hold: 5_000, echo: false }
    }

    /// Starts it.
    pub fn start(self, server: SocketAddr, scratch: &Scratch) -> Sipp {
        let mut command = program(self.scenario, self.transport, scratch);
        command.arg(server.to_string()).args(["-s", self.to]);
        // Each call has a port for RTP and one for the echo of video behind it.
        let media = ports::range(4 * (self.at_once.min(100) as u16 + 1));
        let numbers = [
            ("-p", u32::from(ports::one())),
            ("-mp", u32::from(*media.start())),
            ("-m", self.calls),
            ("-l", self.at_once),
            ("-r", self.rate),
            ("-d", self.hold),
        ];
        for (option, number) in numbers {
            command.arg(option).arg(number.to_string());
        }
        if self.echo {
            command.arg("-rtp_echo");
        }
        Sipp { process: Process::start("sipp", &mut command, scratch) }
    }
}

/// A carrier that is called.
#[derive(Clone, Copy, Debug)]
pub struct Carrier<'a> {
    /// A file of `tests/data/sipp`.
    pub scenario: &'a str,
    /// Where it listens.
    pub port: u16,
    /// `u1` for UDP, `t1` for TCP.
    pub transport: &'a str,
    /// Calls that it takes; then it ends.
    pub calls: u32,
    /// How long it does what its scenario has a length for, in milliseconds.
    pub hold: u32,
    /// Send back all RTP that comes.
    pub echo: bool,
}

impl<'a> Carrier<'a> {
    /// One call over UDP.
    pub fn new(scenario: &'a str, port: u16) -> Self {
        Self { scenario, port, transport: "u1", calls: 1, hold: 3_000, echo: false }
    }

    /// Starts it and waits until it listens.
    pub fn start(self, scratch: &Scratch) -> Sipp {
        let mut command = program(self.scenario, self.transport, scratch);
        let media = ports::range(4 * (self.calls.min(100) as u16 + 1));
        let numbers =
            [("-p", u32::from(self.port)), ("-mp", u32::from(*media.start())), ("-m", self.calls), ("-d", self.hold)];
        for (option, number) in numbers {
            command.arg(option).arg(number.to_string());
        }
        if self.echo {
            command.arg("-rtp_echo");
        }
        let mut process = Process::start("sipp", &mut command, scratch);
        let wire = if self.transport.starts_with('u') { "udp" } else { "tcp" };
        let up = within(Duration::from_secs(10), || process.is_over() || ports::is_bound(wire, self.port));
        assert!(up.is_some() && !process.is_over(), "sipp does not start:\n{}", process.output());
        Sipp { process }
    }
}

/// `sipp` with what all of its runs have in common.
fn program(scenario: &str, transport: &str, scratch: &Scratch) -> Command {
    let tone: Vec<u8> = audio::tone(440.0, -15.0, 8_000, 1.0).into_iter().map(audio::to_ulaw).collect();
    scratch.write("tone440.ul", tone);
    let mut command = Command::new(Need::Sipp.expect());
    command.current_dir(scratch.path()).arg("-sf").arg(data("sipp").join(scenario));
    command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-t", transport, "-nostdin"]);
    command.args(["-trace_err", "-error_file", "sipp-errors.log", "-trace_msg", "-message_file", "sipp-messages.log"]);
    command
}

impl Sipp {
    /// Waits for all calls to be over, and fails the test when one did not go as its scenario says.
    pub fn succeeds(&mut self, limit: Duration) {
        let ended = self.process.wait(limit);
        assert!(ended.is_some_and(|status| status.success()), "sipp: {ended:?}\n{}", self.process.output());
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
