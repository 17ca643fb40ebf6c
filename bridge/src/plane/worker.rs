//! A media thread: one poll, one wheel, and the lines it owns.
//!
//! What is due by the clock and packets of running calls go first. Everything that takes long - commands, handshakes,
//! goodbyes - waits in a queue and is done piece by piece, each followed by a look at the wheel, and after a
//! millisecond of it by a look at the sockets. So a storm of joins delays a running call by one piece at most.
//!
//! A panic in a line's work ends that line alone.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use super::LineEvent;
use super::circuit::{Circuit, Workshop};
use super::gauges::Gauges;
use super::load::{self, Governor, Meter};
use super::peer::Drained;
use super::slab::{Key, Slab};
use super::socket::Traits;
use super::wheel::Wheel;

const WAKE: Token = Token(usize::MAX);
/// Readiness events taken at once; more wait in the system.
const EVENTS: usize = 1_024;
/// The largest datagram that is read whole; media and handshakes stay below 1500.
const DATAGRAM: usize = 2_048;
/// How long queued work goes on before the sockets are looked at again.
const SLICE: Duration = Duration::from_millis(1);

/// Lines above which packets are taken in portions: each wake-up costs as much as a packet.
const FEW: usize = 8;
/// How long the thread then rests between two looks at its sockets. It is the most that this adds to the delay of a
/// packet, and with it a thread wakes up a few hundred times a second instead of a few thousand.
const REST: Duration = Duration::from_millis(2);
/// A call that is being set up goes back and forth a dozen times: nobody rests until this long after such work.
const BRISK: Duration = Duration::from_millis(50);

/// A line's number, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LineId(pub(crate) u64);

/// What a thread is told.
pub(crate) enum Message {
    Open(Box<Circuit>),
    /// A line has commands.
    Ring(LineId),
    /// The last handle of a line is gone.
    Close(LineId),
    /// Nobody can open a line here any more.
    Stop,
}

/// The way to a thread. It cannot overflow: each line has at most one bell and one end in it.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: mpsc::Sender<Message>,
    waker: Waker,
}

impl Inbox {
    /// False when the thread is gone.
    pub(crate) fn send(&self, message: Message) -> bool {
        // A wake that fails is made up for within a second, when the thread measures itself.
        self.messages.send(message).is_ok() && self.waker.wake().is_ok()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.send(Message::Stop);
    }
}

/// How a thread is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) traits: Traits,
    pub(crate) room: Option<IpAddr>,
    pub(crate) core: Option<core_affinity::CoreId>,
    pub(crate) complexity: u8,
}

/// Starts a thread.
pub(crate) fn start(name: String, settings: Settings, gauges: Arc<Gauges>) -> io::Result<Inbox> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    let registry = poll.registry().try_clone()?;
    let (sender, messages) = mpsc::channel();
    let thread = move || {
        if let Some(core) = settings.core {
            // Unpinned is slower, not wrong.
            core_affinity::set_for_current(core);
        }
        let now = Instant::now();
        let worker = Worker {
            poll,
            messages,
            lines: Slab::new(),
            keys: HashMap::new(),
            wheel: Wheel::new(now),
            queue: VecDeque::new(),
            workshop: Workshop {
                registry,
                scratch: vec![0; DATAGRAM].into_boxed_slice(),
                traits: settings.traits,
                room: settings.room,
            },
            governor: Governor::new(settings.complexity),
            meter: Meter::start(now),
            next_measure: now + load::PERIOD,
            gauges,
            brisk_until: now,
            stopping: false,
        };
        worker.run();
    };
    std::thread::Builder::new().name(name).spawn(thread)?;
    Ok(Inbox { messages: sender, waker })
}

/// Work that can wait a little.
#[derive(Clone, Copy)]
enum Work {
    Readable(usize),
    Commands,
    Close,
}

impl Work {
    /// The mark of what is already queued.
    fn bit(self) -> u8 {
        match self {
            Self::Readable(socket) => 1 << socket,
            Self::Commands => 1 << 6,
            Self::Close => 1 << 7,
        }
    }
}

struct Worker {
    poll: Poll,
    messages: mpsc::Receiver<Message>,
    lines: Slab<Circuit>,
    keys: HashMap<LineId, Key>,
    wheel: Wheel<(Key, Instant)>,
    queue: VecDeque<(Key, Work)>,
    workshop: Workshop,
    governor: Governor,
    meter: Meter,
    next_measure: Instant,
    gauges: Arc<Gauges>,
    brisk_until: Instant,
    stopping: bool,
}

impl Worker {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.stopping {
            let wait = self.wait();
            if self.poll.poll(&mut events, Some(wait)).is_err() {
                // Interrupted by a signal.
                continue;
            }
            self.run_due();
            for event in &events {
                match event.token() {
                    WAKE => self.take_messages(),
                    Token(token) => self.handle_ready(token),
                }
            }
            self.run_queue();
            self.measure();
            self.rest();
        }
    }

    /// Lets packets gather, if there are lines enough to make that worth while and none is being set up.
    fn rest(&mut self) {
        if self.keys.len() > FEW && self.queue.is_empty() && Instant::now() >= self.brisk_until {
            std::thread::sleep(REST);
        }
    }

    fn wait(&self) -> Duration {
        if !self.queue.is_empty() {
            return Duration::ZERO;
        }
        let next = self.wheel.next().map_or(self.next_measure, |at| at.min(self.next_measure));
        next.saturating_duration_since(Instant::now())
    }

    /// Serves the lines whose time has come.
    fn run_due(&mut self) {
        let now = Instant::now();
        while let Some((key, at)) = self.wheel.pop_due(now) {
            let Some(line) = self.lines.get_mut(key) else { continue };
            if line.armed != Some(at) {
                // It was armed for an earlier time meanwhile.
                continue;
            }
            line.armed = None;
            self.gauges.add_late(now.saturating_duration_since(at));
            self.with(key, |line, _| line.handle_timeout(now));
        }
    }

    fn take_messages(&mut self) {
        loop {
            match self.messages.try_recv() {
                Ok(Message::Open(line)) => self.open(line),
                Ok(Message::Ring(id)) => {
                    if let Some(key) = self.keys.get(&id) {
                        self.enqueue(*key, Work::Commands);
                    }
                }
                Ok(Message::Close(id)) => {
                    if let Some(key) = self.keys.get(&id) {
                        self.enqueue(*key, Work::Close);
                    }
                }
                Ok(Message::Stop) => {
                    self.stopping = true;
                    return;
                }
                Err(_) => return,
            }
        }
    }

    fn open(&mut self, mut line: Box<Circuit>) {
        let key = self.lines.vacant();
        if let Err(error) = line.settle_in(key, &self.workshop.registry, self.governor.complexity()) {
            line.tell(LineEvent::Failed(error.to_string()));
            return;
        }
        self.keys.insert(line.id, key);
        self.lines.insert(line);
        // Commands may have come before the line.
        self.enqueue(key, Work::Commands);
        self.with(key, |_, _| {});
    }

    /// Packets of running calls are handled at once, steps of a handshake in their turn.
    fn handle_ready(&mut self, token: usize) {
        let (key, socket) = Key::from_token(token);
        let Some(line) = self.lines.get_mut(key) else { return };
        if line.is_handshake(socket) {
            self.enqueue(key, Work::Readable(socket));
        } else {
            self.read(key, socket);
            self.run_due();
        }
    }

    fn read(&mut self, key: Key, socket: usize) {
        let now = Instant::now();
        let drained = self.with(key, |line, workshop| line.handle_readable(now, socket, workshop));
        // The poll tells of a socket once; one that was left with something to read has to be remembered.
        if drained == Some(Drained::More) {
            self.enqueue(key, Work::Readable(socket));
        }
    }

    /// Queues work for a line, each kind once.
    fn enqueue(&mut self, key: Key, work: Work) {
        let Some(line) = self.lines.get_mut(key) else { return };
        if line.queued & work.bit() == 0 {
            line.queued |= work.bit();
            self.queue.push_back((key, work));
        }
    }

    fn run_queue(&mut self) {
        let started = Instant::now();
        if !self.queue.is_empty() {
            self.brisk_until = started + BRISK;
        }
        while let Some((key, work)) = self.queue.pop_front() {
            let Some(line) = self.lines.get_mut(key) else { continue };
            line.queued &= !work.bit();
            match work {
                Work::Readable(socket) => self.read(key, socket),
                Work::Commands => {
                    let now = Instant::now();
                    if self.with(key, |line, workshop| line.handle_command(now, workshop)) == Some(true) {
                        self.enqueue(key, Work::Commands);
                    }
                }
                Work::Close => {
                    self.with(key, |line, _| line.close());
                    self.remove(key);
                }
            }
            self.run_due();
            if started.elapsed() >= SLICE {
                return;
            }
        }
    }

    /// Works on one line and arms it for what it wants next. A panic ends the line; nothing else has seen its insides.
    fn with<R>(&mut self, key: Key, work: impl FnOnce(&mut Circuit, &mut Workshop) -> R) -> Option<R> {
        let line = self.lines.get_mut(key)?;
        let workshop = &mut self.workshop;
        let done = catch_unwind(AssertUnwindSafe(|| {
            let result = work(line, workshop);
            (result, line.next_timeout(Instant::now()))
        }));
        let Ok((result, next)) = done else {
            self.bury(key);
            return None;
        };
        if let Some(at) = next
            && line.armed.is_none_or(|armed| at < armed)
        {
            line.armed = Some(at);
            self.wheel.insert(at, (key, at));
        }
        Some(result)
    }

    fn bury(&mut self, key: Key) {
        self.gauges.add_panic();
        if let Some(line) = self.lines.get_mut(key) {
            line.tell(LineEvent::Panicked);
        }
        self.remove(key);
    }

    fn remove(&mut self, key: Key) {
        let Some(mut line) = self.lines.remove(key) else { return };
        self.keys.remove(&line.id);
        self.gauges.add_dropped(line.take_dropped());
        // What panicked once may do so again while it is taken apart.
        if catch_unwind(AssertUnwindSafe(move || drop(line))).is_err() {
            self.gauges.add_panic();
        }
    }

    /// Once a second: how busy the thread was, and what its encoders may spend.
    fn measure(&mut self) {
        let now = Instant::now();
        if now < self.next_measure {
            return;
        }
        self.next_measure = now + load::PERIOD;
        // Bells whose wake-up was lost.
        self.take_messages();
        let (cpu, share) = self.meter.read(now);
        let changed = self.governor.handle_load(now, share);
        self.gauges.set_load(cpu, share, self.governor.complexity());
        let keys: Vec<_> = self.lines.keys().collect();
        for key in keys {
            let Some(line) = self.lines.get_mut(key) else { continue };
            self.gauges.add_dropped(line.take_dropped());
            if let Some(complexity) = changed {
                self.with(key, |line, _| line.set_complexity(complexity));
            }
        }
    }
}
