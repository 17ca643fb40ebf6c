//! A child with its output kept, ended when dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::scratch::Scratch;
use crate::within;

/// One running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts a program with both outputs in `NAME.log` of the folder. Starting the same name again appends.
    pub fn start(name: &str, command: &mut Command, scratch: &Scratch) -> Self {
        let (log, file) = open_log(name, scratch);
        let both = file.try_clone().expect("a file handle can be doubled");
        let child = command.stdin(Stdio::null()).stdout(both).stderr(file).spawn();
        Self { name: name.to_owned(), child: started(name, child), log, ended: None }
    }

    /// The same with the standard streams in the caller's hands; the log has what goes to standard error.
    pub fn start_piped(name: &str, command: &mut Command, scratch: &Scratch) -> (Self, ChildStdin, ChildStdout) {
        let (log, file) = open_log(name, scratch);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file).spawn();
        let mut child = started(name, child);
        let input = child.stdin.take().expect("it was asked for");
        let output = child.stdout.take().expect("it was asked for");
        (Self { name: name.to_owned(), child, log, ended: None }, input, output)
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal by its name.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.id().to_string()]).status();
        assert!(sent.is_ok_and(|s| s.success()), "cannot send {signal} to {}", self.name);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.ended = self.child.wait().ok();
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        within(limit, || self.is_over());
        self.ended
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.is_some()
    }

    /// Waits until a text stands in its output.
    pub fn says(&self, text: &str, limit: Duration) -> bool {
        within(limit, || self.output().contains(text)).is_some()
    }

    /// All it has said up to now.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it holds at this moment, from the kernel.
    pub fn holdings(&self) -> Holdings {
        Holdings::of(self.id()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_over() {
            self.kill();
        }
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Open files, sockets among them.
    pub files: usize,
    /// Sockets alone.
    pub sockets: usize,
    /// Threads.
    pub threads: usize,
    /// Resident memory in KiB.
    pub memory: u64,
    /// Processor time used, in clock ticks of 10 ms, user and system.
    pub ticks: u64,
}

impl Holdings {
    /// Reads `/proc`; `None` when there is no such process (or no `/proc`).
    pub fn of(id: u32) -> Option<Self> {
        let base = Path::new("/proc").join(id.to_string());
        let links: Vec<_> =
            fs::read_dir(base.join("fd")).ok()?.flatten().filter_map(|e| fs::read_link(e.path()).ok()).collect();
        let sockets = links.iter().filter(|l| l.to_string_lossy().starts_with("socket:")).count();
        let threads = fs::read_dir(base.join("task")).ok()?.count();
        let status = fs::read_to_string(base.join("status")).ok()?;
        let memory = status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())?;
        let stat = fs::read_to_string(base.join("stat")).ok()?;
        // The name in parentheses may hold anything; utime and stime are the 12th and 13th fields after it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Self { files: links.len(), sockets, threads, memory, ticks })
    }
}

fn open_log(name: &str, scratch: &Scratch) -> (PathBuf, File) {
    let log = scratch.path().join(format!("{name}.log"));
    let file = File::options().create(true).append(true).open(&log).expect("a log can be opened");
    (log, file)
}

fn started(name: &str, child: std::io::Result<Child>) -> Child {
    child.unwrap_or_else(|error| panic!("cannot start {name}: {error}"))
}
