//! The streams that are open, and how many of them anybody may have.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use bytes::Bytes;
use tokio::{
    net::TcpStream,
    sync::mpsc::{self, error::TrySendError},
    task::AbortHandle,
};

use super::{config::Limits, listen::Arrival, stream::Stream, tls::Tls};
use crate::endpoint::{ConnectionId, Destination, NextHop, Wire, owner};

/// Messages that wait to be written to one stream. When it is full the peer has not read for long, and is cut off.
const QUEUE: usize = 64;

/// All streams.
pub(super) struct Streams {
    open: HashMap<ConnectionId, Open>,
    opened: HashMap<NextHop, ConnectionId>,
    by_source: HashMap<IpAddr, usize>,
    made: u64,
    limits: Limits,
    tls: Tls,
    /// Where TLS streams come from that the peer could not open again.
    sources: Vec<SocketAddr>,
    driver: mpsc::Sender<Arrival>,
}

struct Open {
    queue: mpsc::Sender<Bytes>,
    /// The hop that we opened it for.
    hop: Option<NextHop>,
    /// The address that it is counted against, when the peer opened it.
    source: Option<IpAddr>,
    task: AbortHandle,
}

impl Streams {
    pub(super) fn new(limits: Limits, tls: Tls, sources: Vec<SocketAddr>, driver: mpsc::Sender<Arrival>) -> Self {
        let (open, opened, by_source) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { open, opened, by_source, made: 0, limits, tls, sources, driver }
    }

    /// Takes a stream that a peer has opened, if it may have another; else it is closed at once.
    pub(super) fn accept(&mut self, wire: Wire, tcp: TcpStream, remote: SocketAddr, local: SocketAddr, trusted: bool) {
        let source = owner(remote.ip());
        let held = self.by_source.get(&source).copied().unwrap_or_default();
        let most = match trusted {
            true => self.limits.connections_per_trusted,
            false => self.limits.connections_per_stranger,
        };
        // Strangers cannot take the last quarter.
        let room = if trusted { self.limits.connections } else { self.limits.connections / 4 * 3 };
        if held >= most || self.open.len() >= room {
            tracing::debug!(%remote, %wire, "too many streams");
            return;
        }
        *self.by_source.entry(source).or_default() += 1;
        let (queue, receiver) = mpsc::channel(QUEUE);
        let stream = self.next(wire);
        let id = stream.id;
        let task = tokio::spawn(stream.accepted(tcp, remote, local, receiver)).abort_handle();
        self.open.insert(id, Open { queue, hop: None, source: Some(source), task });
    }

    /// Writes to a stream, opening one where there is none; false when that is impossible now.
    pub(super) fn send(&mut self, to: &Destination, bytes: Bytes) -> bool {
        let (id, hop) = match to {
            Destination::Datagram { .. } => return false,
            Destination::Connection { id, reopen } => (Some(*id), reopen),
            Destination::Connect(hop) => (None, hop),
        };
        let known = id.filter(|id| self.open.contains_key(id)).or_else(|| self.opened.get(hop).copied());
        let Some(id) = known else { return self.connect(hop, bytes) };
        let Some(open) = self.open.get(&id) else { return false };
        match open.queue.try_send(bytes) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                open.task.abort();
                self.closed(id);
                false
            }
        }
    }

    /// A stream has ended.
    pub(super) fn closed(&mut self, id: ConnectionId) {
        let Some(open) = self.open.remove(&id) else { return };
        if let Some(hop) = open.hop
            && self.opened.get(&hop) == Some(&id)
        {
            self.opened.remove(&hop);
        }
        let Some(source) = open.source else { return };
        if let Some(held) = self.by_source.get_mut(&source) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    /// Opens a stream and writes to it; false when there are too many.
    fn connect(&mut self, hop: &NextHop, bytes: Bytes) -> bool {
        if self.open.len() >= self.limits.connections {
            return false;
        }
        let (queue, receiver) = mpsc::channel(QUEUE);
        // Before the task begins: it may have failed, and told why, before we come back here.
        let is_queued = queue.try_send(bytes).is_ok();
        let stream = self.next(hop.wire);
        let id = stream.id;
        let family = |source: &&SocketAddr| source.is_ipv4() == hop.address.is_ipv4();
        let source = self.sources.iter().find(family).copied().filter(|_| hop.wire == Wire::Tls);
        let task = tokio::spawn(Stream { source, ..stream }.opened(hop.clone(), receiver)).abort_handle();
        self.open.insert(id, Open { queue, hop: Some(hop.clone()), source: None, task });
        self.opened.insert(hop.clone(), id);
        is_queued
    }

    fn next(&mut self, wire: Wire) -> Stream {
        self.made += 1;
        let id = ConnectionId(self.made);
        let (limits, tls, driver) = (self.limits.clone(), self.tls.clone(), self.driver.clone());
        Stream { id, wire, limits, tls, source: None, driver }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        // Those that wait to read would otherwise wait until they are idle for too long.
        self.open.values().for_each(|open| open.task.abort());
    }
}
