//! Writes call records beside the calls: nobody waits for a disk to hang up.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::warn;

use super::database::Database;
use super::locked;
use super::record::CallRecord;

/// Records that wait for the disk. When so many wait, new ones are dropped and counted.
const WAITING: usize = 4096;
/// Records that are written at once.
const BATCH: usize = 256;
/// How long a stop may wait for the disk.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// A thread that writes records, and the queue to it.
#[derive(Debug)]
pub(super) struct Recorder {
    queue: Option<SyncSender<Order>>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Keep(Box<CallRecord>),
    Tell(SyncSender<()>),
}

impl Recorder {
    pub(super) fn start(database: Arc<Mutex<Database>>) -> io::Result<Self> {
        let (queue, orders) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let run = move || write_all(&orders, &database, &counter);
        let thread = thread::Builder::new().name("records".to_owned()).spawn(run)?;
        Ok(Self { queue: Some(queue), dropped, thread: Some(thread) })
    }

    /// Queues a record, or drops it and counts.
    pub(super) fn keep(&self, record: CallRecord) {
        let queue = self.queue.as_ref().map(|queue| queue.try_send(Order::Keep(Box::new(record))));
        if let Some(Ok(())) = queue {
            return;
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many records were lost to a full queue or a disk that does not take them.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything queued before is written, but not for ever.
    pub(super) fn flush(&self) {
        let Some(queue) = &self.queue else { return };
        let (tell, told) = sync_channel(1);
        match queue.try_send(Order::Tell(tell)) {
            Ok(()) => _ = told.recv_timeout(FLUSH_LIMIT),
            Err(TrySendError::Full(order)) => {
                // The queue moves as long as the disk does.
                if queue.send(order).is_ok() {
                    let _ = told.recv_timeout(FLUSH_LIMIT);
                }
            }
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until the last handle of the store is gone.
fn write_all(orders: &Receiver<Order>, database: &Mutex<Database>, dropped: &AtomicU64) {
    let mut is_failing = false;
    while let Ok(order) = orders.recv() {
        let (mut records, mut waiting) = (Vec::new(), Vec::new());
        let mut next = Some(order);
        while let Some(order) = next {
            match order {
                Order::Keep(record) => records.push(*record),
                Order::Tell(tell) => waiting.push(tell),
            }
            next = if records.len() < BATCH { orders.try_recv().ok() } else { None };
        }
        if !records.is_empty() {
            match locked(database).add_calls(&records) {
                Ok(()) => is_failing = false,
                Err(error) => {
                    dropped.fetch_add(records.len() as u64, Ordering::Relaxed);
                    if !is_failing {
                        warn!(%error, "records of calls are not written; calls go on");
                    }
                    is_failing = true;
                }
            }
        }
        for tell in waiting {
            let _ = tell.try_send(());
        }
    }
}
