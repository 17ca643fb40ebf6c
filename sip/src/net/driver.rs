//! The task that feeds the endpoint and does what it says. It decides nothing.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Instant};

use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::sleep_until,
};

use super::{
    bind::Bound,
    config::Limits,
    handle::Ask,
    listen::{self, Arrival},
    streams::Streams,
    tls::Tls,
};
use crate::endpoint::{Destination, Endpoint, Event, Output, Wire};

/// Endpoint, sockets and channels.
pub(super) struct Driver {
    endpoint: Endpoint,
    sockets: Vec<(SocketAddr, Arc<UdpSocket>)>,
    streams: Streams,
    arrivals: mpsc::Receiver<Arrival>,
    /// Events that the user above has not taken yet; while there are any, the network is not read, so this holds what
    /// commands and time bring about and no more.
    pending: VecDeque<Event>,
    /// Ends with the driver.
    _listeners: JoinSet<()>,
}

impl Driver {
    pub(super) fn new(endpoint: Endpoint, bound: Bound, tls: Tls, limits: Limits, queue: usize) -> Self {
        let (sender, arrivals) = mpsc::channel(queue);
        let mut listeners = JoinSet::new();
        let mut sockets = Vec::new();
        for (local, socket) in bound.datagrams {
            let socket = Arc::new(socket);
            listeners.spawn(listen::datagrams(socket.clone(), local, sender.clone()));
            sockets.push((local, socket));
        }
        for (wire, local, listener) in bound.streams {
            listeners.spawn(listen::streams(listener, wire, local, sender.clone()));
        }
        let mute = endpoint.config().listeners.iter().filter(|listener| !listener.listens());
        let sources = mute.map(|listener| SocketAddr::new(listener.bind.ip(), listener.advertised.port)).collect();
        let streams = Streams::new(limits, tls, sources, sender);
        Self { endpoint, sockets, streams, arrivals, pending: VecDeque::new(), _listeners: listeners }
    }

    pub(super) async fn run(mut self, mut asks: mpsc::Receiver<Ask>, events: mpsc::Sender<Event>) {
        loop {
            self.perform(&events);
            let wake = self.endpoint.next_timeout();
            tokio::select! {
                biased;
                ask = asks.recv() => match ask {
                    Some(Ask::Command(command)) => self.endpoint.handle_command(now(), command),
                    Some(Ask::Stats(reply)) => answer(reply, self.endpoint.stats()),
                    Some(Ask::Shutdown(reply)) => {
                        drop(self);
                        return answer(reply, ());
                    }
                    None => return,
                },
                permit = events.reserve(), if !self.pending.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(event) = self.pending.pop_front() {
                            permit.send(event);
                        }
                    }
                    Err(_) => return,
                },
                () = wake_at(wake) => self.endpoint.handle_timeout(now()),
                Some(arrival) = self.arrivals.recv(), if self.pending.is_empty() => self.arrive(arrival),
                () = events.closed() => return,
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let now = now();
        match arrival {
            Arrival::Datagram(flow, bytes) => self.endpoint.handle_datagram(now, &flow, &bytes),
            Arrival::Message(flow, message) => self.endpoint.handle_message(now, &flow, *message),
            Arrival::Rejected(flow, rejected) => self.endpoint.handle_rejected(now, &flow, *rejected),
            Arrival::Accepted { wire, stream, remote, local } => {
                let trusted = (self.endpoint.config().trusted)(remote.ip().to_canonical());
                self.streams.accept(wire, stream, remote, local, trusted);
            }
            Arrival::Closed { id, is_untrusted, opened_for } => {
                self.streams.closed(id);
                // In this order: what is sent again over a new stream to that hop has not failed with the old one.
                match opened_for.map(Destination::Connect) {
                    Some(to) if is_untrusted => self.endpoint.handle_untrusted(now, &to),
                    Some(to) => self.endpoint.handle_unreachable(now, &to),
                    None => {}
                }
                self.endpoint.handle_flow_closed(now, id);
            }
        }
    }

    /// Sends what is to be sent and hands up what is to be told, as far as there is room.
    fn perform(&mut self, events: &mpsc::Sender<Event>) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { to: Destination::Datagram { local, remote }, bytes } => {
                    self.send_datagram(local, remote, &bytes);
                }
                Output::Send { to, bytes } => {
                    if !self.streams.send(&to, bytes) {
                        tracing::debug!(remote = %to.remote(), wire = %to.wire(), "cannot send");
                        self.endpoint.handle_unreachable(now(), &to);
                    }
                }
                Output::Event(event) => self.pending.push_back(event),
            }
        }
        while let Some(event) = self.pending.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
                self.pending.push_front(event);
                return;
            }
        }
    }

    fn send_datagram(&self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        let Some((_, socket)) = self.sockets.iter().find(|(known, _)| *known == local) else {
            tracing::warn!(%local, "no such socket");
            return;
        };
        // A full buffer loses the datagram as a network would; it is repeated.
        if let Err(error) = socket.try_send_to(bytes, remote) {
            tracing::debug!(wire = %Wire::Udp, %remote, %error, "cannot send");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn now() -> Instant {
    Instant::now()
}

async fn wake_at(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    // Whoever asked may have stopped waiting.
    let _ = reply.send(value);
}
