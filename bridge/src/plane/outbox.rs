//! Events of a line on their way up, over bounded channels that nobody may wait on.
//!
//! What is lost when the control plane does not keep up: messages of data channels, which strangers in the room can send
//! at any rate, are dropped as soon as half of the room session's channel is taken. States, descriptions, tracks and
//! digits are kept: first in the other half, then in a backlog that is offered again every few milliseconds. Only when
//! that is full too, with hundreds of events unread, the newest is dropped. Every drop is counted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{LineEvent, PeerEvent, Role};

/// Events that fit into each channel of a line.
const CAPACITY: usize = 64;
/// Events kept besides them.
const BACKLOG: usize = 256;
/// How soon a backlog is offered again.
pub(crate) const RETRY: Duration = Duration::from_millis(10);

/// For the call.
pub(crate) type LineOutbox = Outbox<LineEvent>;
/// For the room session of a side.
pub(crate) type PeerOutbox = Outbox<(Role, PeerEvent)>;

/// A channel that an outbox can be made of.
pub(crate) fn channel<T>() -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
    mpsc::channel(CAPACITY)
}

#[derive(Debug)]
pub(crate) struct Outbox<T> {
    channel: mpsc::Sender<T>,
    backlog: VecDeque<T>,
    /// Dropped since this was last taken.
    dropped: u64,
}

impl PeerOutbox {
    pub(crate) fn push_peer(&mut self, role: Role, event: PeerEvent) {
        if matches!(event, PeerEvent::Data { .. }) && !self.has_spare() {
            self.dropped += 1;
            return;
        }
        self.push((role, event));
    }
}

impl<T> Outbox<T> {
    pub(crate) fn new(channel: mpsc::Sender<T>) -> Self {
        Self { channel, backlog: VecDeque::new(), dropped: 0 }
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.backlog.len() == BACKLOG {
            self.dropped += 1;
            return;
        }
        self.backlog.push_back(item);
        self.retry();
    }

    /// Offers what did not fit again.
    pub(crate) fn retry(&mut self) {
        while let Some(item) = self.backlog.pop_front() {
            match self.channel.try_send(item) {
                Ok(()) => {}
                Err(TrySendError::Full(item)) => {
                    self.backlog.push_front(item);
                    return;
                }
                // Nobody listens any more: that is the listener's choice, not a loss.
                Err(TrySendError::Closed(_)) => self.backlog.clear(),
            }
        }
    }

    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Whether something is waiting to be offered again.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_deserted(&self) -> bool {
        self.channel.is_closed()
    }

    /// Whether half of the channel is free.
    fn has_spare(&self) -> bool {
        self.backlog.is_empty() && self.channel.capacity() > CAPACITY / 2
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn data() -> PeerEvent {
        PeerEvent::Data { label: "_lossy".into(), bytes: Bytes::from_static(b"x") }
    }

    #[test]
    fn a_flood_of_messages_leaves_room_for_states() {
        let (sender, mut peer_events) = channel();
        let mut outbox = PeerOutbox::new(sender);
        for _ in 0..1_000 {
            outbox.push_peer(Role::Publisher, data());
        }
        for _ in 0..CAPACITY / 2 {
            outbox.push_peer(Role::Publisher, PeerEvent::Answered);
        }
        let mut received = Vec::new();
        while let Ok((_, event)) = peer_events.try_recv() {
            received.push(event);
        }
        assert_eq!(received.iter().filter(|event| **event == PeerEvent::Answered).count(), CAPACITY / 2);
        assert_eq!(received.len(), CAPACITY);
        assert_eq!(outbox.take_dropped(), 1_000 - CAPACITY as u64 / 2);
        assert_eq!(outbox.take_dropped(), 0);
    }

    #[test]
    fn digits_survive_a_slow_listener_in_their_order() {
        let (sender, mut events) = channel();
        let mut outbox = LineOutbox::new(sender);
        let digits: Vec<char> = (0..CAPACITY + BACKLOG).map(|n| char::from(b'0' + (n % 10) as u8)).collect();
        for digit in &digits {
            outbox.push(LineEvent::Digit(*digit));
        }
        assert_eq!(outbox.take_dropped(), 0);
        outbox.push(LineEvent::MediaTimeout);
        assert_eq!(outbox.take_dropped(), 1, "beyond the backlog the newest is lost");

        let mut received = Vec::new();
        loop {
            while let Ok(LineEvent::Digit(digit)) = events.try_recv() {
                received.push(digit);
            }
            outbox.retry();
            if events.is_empty() {
                break;
            }
        }
        assert_eq!(received, digits);
    }

    #[test]
    fn a_listener_that_went_away_is_no_loss() {
        let (sender, peer_events) = channel();
        let mut outbox = PeerOutbox::new(sender);
        assert!(!outbox.is_deserted());
        drop(peer_events);
        outbox.push_peer(Role::Publisher, PeerEvent::Answered);
        assert!(outbox.is_deserted() && !outbox.is_waiting());
        assert_eq!(outbox.take_dropped(), 0);
    }
}
