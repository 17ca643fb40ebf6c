//! The test phone: places calls over the same SIP stack and media plane that the gateway runs on, and measures them.

mod place;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sip::net::Roots;
use sip::{CallHandle, HeaderName, Host, NameAddr, NextHop, Status, Uri, Wire};
use tokio::sync::{mpsc, watch};

use crate::plane::{self, Plane};

pub use place::{Heard, Outcome};

/// Events of one call that wait for its task; a call makes a handful.
const EVENTS: usize = 32;

/// What a call is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to call.
    pub uri: Uri,
    /// Where to send the INVITE, in the order in which to try it.
    pub to: Vec<NextHop>,
    /// Who calls.
    pub from: NameAddr,
    /// More headers.
    pub headers: Vec<(HeaderName, String)>,
    /// Name and password, should the other side ask.
    pub credentials: Option<sip::digest::Credentials>,
    /// What is said.
    pub play: media::desk::Play,
    /// Whether what is heard is kept.
    pub record: bool,
    /// Keys to press a second after the answer.
    pub dtmf: String,
    /// How long to talk.
    pub talk: Duration,
    /// How long to let it ring.
    pub patience: Duration,
}

/// A phone on this machine. Clones are the same phone.
#[derive(Clone, Debug)]
pub struct Handset {
    sip: sip::net::Handle,
    plane: Plane,
    ip: IpAddr,
    over: watch::Sender<bool>,
    calls: Arc<Mutex<HashMap<CallHandle, mpsc::Sender<sip::Event>>>>,
}

impl Handset {
    /// A phone that can call these hops, or those of them that are of the same family as the first one that this machine
    /// has a route to.
    pub async fn start(hops: &[NextHop], roots: Roots) -> io::Result<Self> {
        let ip = local_address(hops)?;
        let bind = SocketAddr::new(ip, 0);
        let is_used = |wire: &Wire| hops.iter().any(|hop| hop.wire == *wire);
        let listener = |wire| {
            let advertised = sip::endpoint::Advertised { host: Host::from(ip), port: 0 };
            sip::endpoint::Listener { wire, bind, advertised }
        };
        let listeners = [Wire::Udp, Wire::Tcp, Wire::Tls].into_iter().filter(is_used).map(listener).collect();
        let mut endpoint = sip::endpoint::Config::new(listeners, rand::random());
        endpoint.user_agent = concat!("trunkline-call/", env!("CARGO_PKG_VERSION")).to_owned();
        let config = sip::net::Config { roots, connect_only: true, ..sip::net::Config::new(endpoint) };
        let (sip, events) = sip::net::bind(config).await?;
        let interface = Some(plane::Interface { bind: ip, advertised: ip });
        let (v4, v6) = if ip.is_ipv4() { (interface, None) } else { (None, interface) };
        let plane =
            Plane::start(&plane::Config { v4, v6, ports: 20_002..=65_000, pin: false, ..plane::Config::default() })?;
        let handset = Self { sip, plane, ip, over: watch::Sender::new(false), calls: Arc::default() };
        tokio::spawn(handset.clone().distribute(events));
        Ok(handset)
    }

    /// Ends all calls, and begins no others.
    pub fn hang_up(&self) {
        self.over.send_replace(true);
    }

    /// Whether [`hang_up`](Self::hang_up) was called.
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    async fn distribute(self, mut events: mpsc::Receiver<sip::Event>) {
        while let Some(event) = events.recv().await {
            let call = event.call();
            let known = self.calls().get(&call).cloned();
            match (known, event) {
                (Some(call), event) => {
                    // A call that does not read its events any more is over.
                    let _ = call.try_send(event);
                }
                (None, sip::Event::Incoming { call, .. }) => {
                    let (status, reason, headers) = (Status::TEMPORARILY_UNAVAILABLE, None, Vec::new());
                    let _ = self.sip.send(sip::Command::Reject { call, status, reason, headers }).await;
                }
                (None, _) => {}
            }
        }
    }

    fn open_call(&self) -> (CallHandle, mpsc::Receiver<sip::Event>) {
        let call = self.sip.new_call();
        let (tell, events) = mpsc::channel(EVENTS);
        self.calls().insert(call, tell);
        (call, events)
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<CallHandle, mpsc::Sender<sip::Event>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ours toward the first hop that there is a route to.
fn local_address(hops: &[NextHop]) -> io::Result<IpAddr> {
    let mut failed = io::ErrorKind::HostUnreachable.into();
    for hop in hops {
        match local_address_toward(hop.address) {
            Ok(ip) => return Ok(ip),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The address that the routes of this machine choose toward a peer. Nothing is sent.
fn local_address_toward(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_phone_starts_over_every_transport() {
        let hop = |wire| NextHop { wire, address: ([127, 0, 0, 1], 5061).into(), server_name: None };
        let all = [Wire::Udp, Wire::Tcp, Wire::Tls].map(hop);
        for hops in [&all[..1], &all[1..2], &all[2..], &all] {
            let started = Handset::start(hops, Roots::default()).await.unwrap();
            assert_eq!(started.sip.listeners().len(), hops.len());
        }
        assert!(Handset::start(&[], Roots::default()).await.is_err());
    }
}
