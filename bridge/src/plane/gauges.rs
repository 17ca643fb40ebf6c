//! What a media thread tells about itself, readable from anywhere without asking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Counters of one thread. Relaxed everywhere: each is a number on its own.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    seats: AtomicUsize,
    lines: AtomicUsize,
    busy_permille: AtomicU32,
    cpu_micros: AtomicU64,
    complexity: AtomicU8,
    late_micros: AtomicU64,
    panics: AtomicU64,
    events_dropped: AtomicU64,
}

/// What one media thread does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThreadStats {
    /// Open lines.
    pub lines: usize,
    /// Share of a core used in the last second, 0 to 1.
    pub busy: f32,
    /// CPU time used since the start.
    pub cpu: Duration,
    /// Opus complexity in force.
    pub complexity: u8,
    /// The latest that a timer was served after its time, since the start.
    pub late: Duration,
    /// Lines that ended by a panic.
    pub panics: u64,
    /// Events that were dropped because nobody read them.
    pub events_dropped: u64,
}

impl Gauges {
    pub(crate) fn set_load(&self, cpu: Duration, share: f32, complexity: u8) {
        self.busy_permille.store((share * 1_000.0) as u32, Ordering::Relaxed);
        self.cpu_micros.store(cpu.as_micros() as u64, Ordering::Relaxed);
        self.complexity.store(complexity, Ordering::Relaxed);
    }

    pub(crate) fn add_late(&self, late: Duration) {
        self.late_micros.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_dropped(&self, events: u64) {
        self.events_dropped.fetch_add(events, Ordering::Relaxed);
    }

    /// Reservations and lines: what a new call should avoid.
    pub(crate) fn seats(&self) -> usize {
        self.seats.load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self) -> ThreadStats {
        ThreadStats {
            lines: self.lines.load(Ordering::Relaxed),
            busy: self.busy_permille.load(Ordering::Relaxed) as f32 / 1_000.0,
            cpu: Duration::from_micros(self.cpu_micros.load(Ordering::Relaxed)),
            complexity: self.complexity.load(Ordering::Relaxed),
            late: Duration::from_micros(self.late_micros.load(Ordering::Relaxed)),
            panics: self.panics.load(Ordering::Relaxed),
            events_dropped: self.events_dropped.load(Ordering::Relaxed),
        }
    }
}

/// A place on a thread, counted as long as it is held.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) thread: usize,
    gauges: Arc<Gauges>,
    /// A line sits here, not just a reservation.
    taken: bool,
}

impl Seat {
    pub(crate) fn new(thread: usize, gauges: Arc<Gauges>) -> Self {
        gauges.seats.fetch_add(1, Ordering::Relaxed);
        Self { thread, gauges, taken: false }
    }

    pub(crate) fn take(&mut self) {
        if !self.taken {
            self.taken = true;
            self.gauges.lines.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gauges.seats.fetch_sub(1, Ordering::Relaxed);
        if self.taken {
            self.gauges.lines.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
