//! The plane as a whole, on real sockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::engine::Output;

/// An engine that sends a canned frame every 20 ms and counts what it hears.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    next: Option<Instant>,
    open: bool,
    due: VecDeque<u32>,
    timestamp: u32,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
pub(crate) struct Heard {
    packets: u64,
    late: Duration,
    sent: u64,
}

impl Probe {
    const FRAME: Duration = Duration::from_millis(20);

    pub(crate) fn handle_room(&mut self, _now: Instant, _ssrc: u32, _sequence: u16, _timestamp: u32, _payload: &[u8]) {
        self.heard.lock().unwrap().packets += 1;
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self.next.filter(|at| *at <= now) {
            let mut heard = self.heard.lock().unwrap();
            heard.late = heard.late.max(now - at);
            heard.sent += 1;
            self.timestamp = self.timestamp.wrapping_add(960);
            self.due.push_back(self.timestamp);
            self.next = Some(at + Self::FRAME);
        }
    }

    pub(crate) fn set_room_open(&mut self, open: bool) {
        if open != self.open {
            self.open = open;
            self.next = open.then(Instant::now);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output<'_>> {
        let timestamp = self.due.pop_front()?;
        Some(Output::Room { payload: &[0x78; 80], timestamp, marker: false, level: 30 })
    }
}
