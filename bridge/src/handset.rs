//! The test phone: places calls over the same SIP stack and media plane that the gateway runs on, and measures them.

mod place;
mod route;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sip::net::Roots;
use sip::{CallHandle, HeaderName, Host, NameAddr, NextHop, Status, Uri, Wire};
use tokio::sync::mpsc;

use crate::plane::{self, Plane};

pub use place::{Heard, Outcome};
pub use route::{Error as RouteError, resolve};

/// Events of one call that wait for its task; a call makes a handful.
const EVENTS: usize = 32;

/// What a call is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to call.
    pub uri: Uri,
    /// Where to send the INVITE.
    pub to: NextHop,
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
    calls: Arc<Mutex<HashMap<CallHandle, mpsc::Sender<sip::Event>>>>,
}

impl Handset {
    /// A phone that can call whatever this machine reaches `peer` from.
    pub async fn start(wire: Wire, peer: SocketAddr, roots: Roots) -> io::Result<Self> {
        let ip = local_address_toward(peer)?;
        let bind = SocketAddr::new(ip, 0);
        let advertised = sip::endpoint::Advertised { host: Host::from(ip), port: 0 };
        let listener = sip::endpoint::Listener { wire, bind, advertised };
        let mut endpoint = sip::endpoint::Config::new(vec![listener], rand::random());
        endpoint.user_agent = concat!("trunkline-call/", env!("CARGO_PKG_VERSION")).to_owned();
        let config = sip::net::Config { roots, connect_only: true, ..sip::net::Config::new(endpoint) };
        let (sip, events) = sip::net::bind(config).await?;
        let interface = Some(plane::Interface { bind: ip, advertised: ip });
        let (v4, v6) = if ip.is_ipv4() { (interface, None) } else { (None, interface) };
        let plane =
            Plane::start(&plane::Config { v4, v6, ports: 20_002..=65_000, pin: false, ..plane::Config::default() })?;
        let handset = Self { sip, plane, calls: Arc::default() };
        tokio::spawn(handset.clone().distribute(events));
        Ok(handset)
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
        for wire in [Wire::Udp, Wire::Tcp, Wire::Tls] {
            let started = Handset::start(wire, ([127, 0, 0, 1], 5061).into(), Roots::default()).await;
            assert!(started.is_ok(), "{wire}: {started:?}");
        }
    }
}
