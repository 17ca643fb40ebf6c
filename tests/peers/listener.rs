//! The far end of the room: LiveKit's own Python client, driven over its standard streams (`tests/python/listener.py`).

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::livekit;
use crate::audio::Heard;
use crate::need::Need;
use crate::process::Process;
use crate::root;
use crate::scratch::Scratch;

/// How long a command may take. A join waits for ICE and DTLS on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// One listener; it may be in one room. Dropping it kills it.
#[derive(Debug)]
pub struct Listener {
    process: Process,
    input: ChildStdin,
    events: Receiver<Event>,
    /// All that happened, in order; what tests have waited for stays in it.
    seen: Vec<Event>,
    number: u64,
}

/// One line of the listener, with the moment at which it came.
#[derive(Clone, Debug)]
pub struct Event {
    /// When we read it.
    pub at: Instant,
    /// The line, a JSON object with a field `event`.
    pub line: Value,
}

impl Event {
    /// The kind of this event.
    pub fn kind(&self) -> &str {
        self.text("event")
    }

    /// A text field of it, empty when absent.
    pub fn text(&self, field: &str) -> &str {
        self.line[field].as_str().unwrap_or_default()
    }

    /// An attribute of the participant that it describes.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.line["attributes"][name].as_str()
    }
}

impl Listener {
    /// Starts the client; it is in no room yet.
    pub fn start(name: &str, url: &str, scratch: &Scratch) -> Self {
        let mut command = Command::new(Need::Python.expect());
        command.arg(root().join("tests/python/listener.py")).args([url, livekit::KEY, livekit::SECRET]);
        Self::run(name, &mut command, scratch)
    }

    /// The same with the JavaScript client in a browser (`tests/node/browser.mjs`).
    pub fn browser(name: &str, url: &str, scratch: &Scratch) -> Self {
        let mut command = Command::new("node");
        command.arg(Need::Node.expect().join("browser.mjs")).args([url, livekit::KEY, livekit::SECRET]);
        Self::run(name, command.arg(Need::Chromium.expect()), scratch)
    }

    /// Any program that speaks the same lines.
    pub fn run(name: &str, command: &mut Command, scratch: &Scratch) -> Self {
        let (process, input, output) = Process::start_piped(name, command, scratch);
        let (sender, events) = mpsc::channel();
        let copy = scratch.path().join(format!("{name}-events.log"));
        std::thread::spawn(move || read_lines(output, &sender, &copy));
        let mut listener = Self { process, input, events, seen: Vec::new(), number: 0 };
        listener.expect("its start", PATIENCE, |e| e.kind() == "ready");
        listener
    }

    /// Does what `tests/python/listener.py` calls `do_NAME` and returns its answer.
    pub fn ask(&mut self, name: &str, arguments: Value) -> Result<Value, String> {
        let number = self.begin(name, arguments);
        self.finish(number, PATIENCE).map_err(|error| error.to_string())
    }

    /// Asks without waiting for the answer, which [`finish`](Self::finish) takes.
    pub fn begin(&mut self, name: &str, arguments: Value) -> u64 {
        self.number += 1;
        let mut command = arguments;
        command["id"] = self.number.into();
        command["do"] = name.into();
        writeln!(self.input, "{command}").expect("the listener takes commands");
        self.number
    }

    /// The answer to what [`begin`](Self::begin) asked.
    pub fn finish(&mut self, number: u64, limit: Duration) -> Result<Value, Value> {
        let reply = self.expect("its answer", limit, |e| e.kind() == "reply" && e.line["id"] == number);
        match reply.line.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(reply.line["value"].clone()),
        }
    }

    /// The same where only success will do.
    pub fn tell(&mut self, name: &str, arguments: Value) -> Value {
        self.ask(name, arguments).unwrap_or_else(|error| panic!("the listener cannot {name}: {error}"))
    }

    /// Joins a room and plays a tone of -15 dBFS into it.
    pub fn join(&mut self, room: &str, tone: f64) {
        self.tell("join", json!({"room": room, "tone": tone}));
    }

    /// Joins a room in silence.
    pub fn join_silently(&mut self, room: &str) {
        self.tell("join", json!({"room": room}));
    }

    /// What happens next, be it of whatever kind; `None` when nothing does in that time.
    pub fn next(&mut self, limit: Duration) -> Option<Event> {
        match self.events.recv_timeout(limit) {
            Ok(event) => {
                self.seen.push(event.clone());
                Some(event)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the listener ended:\n{}", self.process.output()),
        }
    }

    /// Waits for an event; one that came before counts as well. Fails the test when it does not come.
    pub fn expect(&mut self, what: &str, limit: Duration, is_it: impl Fn(&Event) -> bool) -> Event {
        self.wait(limit, &is_it).unwrap_or_else(|| panic!("not within {limit:?}: {what}; seen:\n{}", self.story()))
    }

    /// Waits for an event; one that came before counts as well.
    pub fn wait(&mut self, limit: Duration, is_it: impl Fn(&Event) -> bool) -> Option<Event> {
        if let Some(event) = self.seen.iter().find(|e| is_it(e)) {
            return Some(event.clone());
        }
        let deadline = Instant::now() + limit;
        while let Some(event) = self.next(deadline.saturating_duration_since(Instant::now())) {
            if is_it(&event) {
                return Some(event);
            }
        }
        None
    }

    /// Forgets what was seen, so that the next wait is for something new.
    pub fn forget(&mut self) {
        while self.next(Duration::ZERO).is_some() {}
        self.seen.clear();
    }

    /// All that was seen since the last [`forget`](Self::forget).
    pub fn seen(&mut self) -> &[Event] {
        while self.next(Duration::ZERO).is_some() {}
        &self.seen
    }

    /// Waits for the participant of a caller. Those already there are told again at the join.
    pub fn participant(&mut self, identity: &str) -> Event {
        let is_it = |e: &Event| e.kind() == "participant" && e.text("identity") == identity;
        self.expect(&format!("participant {identity}"), PATIENCE, is_it)
    }

    /// Waits until a participant has this attribute.
    pub fn attribute(&mut self, identity: &str, name: &str, value: &str) -> Event {
        let is_it = |e: &Event| e.text("identity") == identity && e.attribute(name) == Some(value);
        self.expect(&format!("{name}={value} of {identity}"), PATIENCE, is_it)
    }

    /// Listens for a tone of a participant, at most that long; returns the last half second heard.
    pub fn hear(&mut self, identity: &str, pitch: f64, level: f64, limit: Duration) -> Heard {
        let deadline = Instant::now() + limit;
        let mut last = None;
        while let Some(event) = self.next(deadline.saturating_duration_since(Instant::now())) {
            if event.kind() == "heard" && event.text("identity") == identity {
                let heard = heard(&event.line);
                if heard.is_tone(pitch, level) {
                    return heard;
                }
                last = Some(heard);
            }
        }
        panic!("{identity} should sound like {pitch} Hz at {level} dBFS, but it is {last:?}; seen:\n{}", self.story());
    }

    /// The participants of a room, as the server has them.
    pub fn participants(&mut self, room: &str) -> Vec<Value> {
        // A room that is gone is an empty one.
        let found = self.ask("participants", json!({"room": room})).unwrap_or_default();
        found.as_array().cloned().unwrap_or_default()
    }

    fn story(&self) -> String {
        let lines: Vec<String> = self.seen.iter().rev().take(40).map(|e| e.line.to_string()).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

fn heard(line: &Value) -> Heard {
    let number = |name: &str| line[name].as_f64().unwrap_or(f64::NAN);
    Heard { pitch: number("pitch"), level: number("level"), share: number("share") }
}

fn read_lines(output: ChildStdout, sender: &mpsc::Sender<Event>, copy: &std::path::Path) {
    let mut copy = std::fs::File::create(copy).ok();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(file) = copy.as_mut() {
            let _ = writeln!(file, "{line}");
        }
        let Ok(line) = serde_json::from_str(&line) else { continue };
        if sender.send(Event { at: Instant::now(), line }).is_err() {
            return;
        }
    }
}
