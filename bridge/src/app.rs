//! Puts the parts together: start, drain, stop.
//!
//! ```text
//! start ──► serving ──SIGTERM──► draining ──last call, limit, second signal──► ending ──► stopped
//!                └────────────────SIGINT─────────────────────────────────────────▲
//! ```

mod address;
mod health;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sip::endpoint::{Advertised, Listener};
use sip::net::TlsVersions;
use sip::{Host, Wire};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::call::driver::{Parts, Settings, Stop};
use crate::config::{self, Addresses, Config, External, Loaded, NoteLevel};
use crate::dispatch::outbound::{Caps, Defaults};
use crate::dispatch::{self, Reject};
use crate::dns;
use crate::metrics::Metrics;
use crate::phone::{Phone, Placer, Switchboard};
use crate::plane::{self, Interface, Plane};
use crate::room;
use crate::store::{Items, OpenError, Snapshot, Store};

pub use address::toward_room;
pub use health::Health;

/// How long calls may take to end once they are told to.
const END_LIMIT: Duration = Duration::from_secs(5);
/// How often the endpoint is asked whether it has calls left.
const GOODBYE_INTERVAL: Duration = Duration::from_millis(20);
/// When carriers may try a draining gateway again: it will be another process by then.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The gateway could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// SIP ports are taken, or the certificate cannot be read.
    #[error("cannot listen for SIP on {0}: {1}")]
    Sip(String, io::Error),
    /// The media threads could not be started.
    #[error("cannot start the media threads: {0}")]
    Plane(io::Error),
    /// The health port is taken.
    #[error("cannot listen for HTTP on {0}: {1}")]
    Http(SocketAddr, io::Error),
    /// Our own address is not to be found.
    #[error("cannot find the address to tell carriers: {0}")]
    Address(#[from] address::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A counter has a name that Prometheus does not take.
    #[error("cannot count: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The SIP endpoint or what listens to it has failed. Whoever started us should do so again.
    #[error("the SIP endpoint has failed, and its calls are gone")]
    Lost,
    /// The system does not let us wait for signals.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// A running gateway.
#[derive(Debug)]
pub struct App {
    sip: sip::net::Handle,
    plane: Plane,
    phone: JoinHandle<()>,
    switchboard: Switchboard,
    stop: watch::Sender<Stop>,
    active: watch::Receiver<usize>,
    health: watch::Sender<Health>,
    metrics: Arc<Metrics>,
    drain_timeout: Duration,
}

impl App {
    /// Starts everything; calls are taken from here on.
    pub async fn start(loaded: Loaded) -> Result<Self, Error> {
        let Loaded { config, snapshot, notes, .. } = loaded;
        for note in &notes {
            match note.level {
                NoteLevel::Info => info!("{}", note.text),
                NoteLevel::Warning => warn!("{}", note.text),
            }
        }
        let answer_strangers = answers_strangers(&config, &snapshot);
        let objects = Arc::new(ArcSwap::from_pointee(snapshot));
        let metrics = Arc::new(Metrics::new()?);
        health::serve_metrics(config.http.prometheus, Arc::clone(&metrics)).await?;
        let (health, health_seen) = watch::channel(Health::Starting);
        health::serve(config.http.health, health_seen).await?;
        let listeners = listeners(&config).await?;
        let own = listeners.iter().map(|listener| listener.bind).collect();
        let plane = Plane::start(&plane_config(&config).await?).map_err(Error::Plane)?;
        let (sip, events) = bind(&config, listeners, &objects, answer_strangers).await?;
        for listener in sip.listeners() {
            let Advertised { host, port } = &listener.advertised;
            info!(wire = %listener.wire, bind = %listener.bind, "listening; carriers are told {host}:{port}");
        }
        let server = room::Server {
            url: config.livekit.url.clone(),
            key: config.livekit.api_key.clone(),
            secret: config.livekit.api_secret.expose().to_owned(),
        };
        let settings = Arc::new(settings(&config, own));
        let own_host = sip.listeners().first().map(|listener| listener.advertised.host.to_string());
        let placer = Placer::new(Arc::clone(&objects), &own_host.unwrap_or_default(), outbound_defaults(&config));
        let resolver = dns::Resolver::system(dns::Settings {
            servers: config.outbound.dns_servers.clone(),
            deny: config.outbound.deny.clone(),
            v6: sip.listeners().iter().any(|listener| listener.bind.is_ipv6()),
        });
        let (store, _) = Store::open(None, Items::default())?;
        let metrics_seen = Arc::clone(&metrics);
        let parts = Parts {
            sip: sip.clone(),
            plane: plane.clone(),
            server,
            resolver,
            placer,
            store,
            settings,
            metrics: metrics_seen,
        };
        let (stop, stopped) = watch::channel(Stop::Run);
        let (tell_active, active) = watch::channel(0);
        let phone = Phone::new(parts, objects, &config, stopped, tell_active);
        let switchboard = phone.switchboard();
        let phone = tokio::spawn(phone.run(events));
        health.send_replace(Health::Serving);
        metrics.set_available(true);
        let drain_timeout = config.calls.drain_timeout;
        Ok(Self { sip, plane, phone, switchboard, stop, active, health, metrics, drain_timeout })
    }

    /// Serves until a signal says otherwise, then drains and stops.
    pub async fn run(mut self) -> Result<(), Error> {
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
        let mut quit = signal(SignalKind::quit()).map_err(Error::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = quit.recv() => {}
            _ = interrupt.recv() => {
                info!("interrupted: ending all calls");
                self.stop().await;
                return Ok(());
            }
            _ = &mut self.phone => return Err(self.lost()),
        }
        self.drain().await;
        let calls = *self.active.borrow();
        info!(calls, limit = ?self.drain_timeout, "draining: new calls are sent elsewhere; a second signal ends at once");
        let is_lost = tokio::select! {
            _ = self.active.wait_for(|calls| *calls == 0) => false,
            () = tokio::time::sleep(self.drain_timeout) => over("the limit for draining is over"),
            _ = terminate.recv() => over("second signal"),
            _ = quit.recv() => over("second signal"),
            _ = interrupt.recv() => over("second signal"),
            _ = &mut self.phone => true,
        };
        if is_lost {
            return Err(self.lost());
        }
        self.stop().await;
        Ok(())
    }

    fn lost(&self) -> Error {
        self.health.send_replace(Health::Draining);
        Error::Lost
    }

    /// Refuses new calls from now on; those in progress go on.
    pub async fn drain(&self) {
        self.health.send_replace(Health::Draining);
        self.metrics.set_available(false);
        self.switchboard.drain();
        let _ = self.sip.send(sip::Command::Drain { retry_after: RETRY_AFTER }).await;
    }

    /// Ends all calls, then everything.
    pub async fn stop(mut self) {
        self.drain().await;
        self.stop.send_replace(Stop::End);
        let ended = async {
            let _ = self.active.wait_for(|calls| *calls == 0).await;
            said_goodbye(&self.sip).await;
        };
        if tokio::time::timeout(END_LIMIT, ended).await.is_err() {
            error!(calls = *self.active.borrow(), "calls did not end in time");
        }
        self.sip.shutdown().await;
        self.phone.abort();
        info!(lines = self.plane.stats().lines(), "stopped");
    }

    /// The SIP endpoint.
    pub fn sip(&self) -> &sip::net::Handle {
        &self.sip
    }

    /// The way to its calls.
    pub fn switchboard(&self) -> &Switchboard {
        &self.switchboard
    }

    /// The media plane.
    pub fn plane(&self) -> &Plane {
        &self.plane
    }

    /// How many calls there are.
    pub fn active_calls(&self) -> usize {
        *self.active.borrow()
    }
}

/// Draining is over, with calls left; the endpoint is not lost.
fn over(why: &str) -> bool {
    warn!("{why}");
    false
}

/// Waits until each BYE is answered: until then it may have to be repeated, which needs the sockets.
async fn said_goodbye(sip: &sip::net::Handle) {
    while sip.stats().await.is_ok_and(|stats| stats.calls > 0) {
        tokio::time::sleep(GOODBYE_INTERVAL).await;
    }
}

async fn bind(
    config: &Config,
    listeners: Vec<Listener>,
    objects: &Arc<ArcSwap<Snapshot>>,
    answer_strangers: bool,
) -> Result<(sip::net::Handle, tokio::sync::mpsc::Receiver<sip::Event>), Error> {
    let names = listeners.iter().map(|l| format!("{}:{}", l.wire, l.bind)).collect::<Vec<_>>().join(", ");
    let objects = Arc::clone(objects);
    let endpoint = sip::endpoint::Config {
        user_agent: config.sip.user_agent.clone(),
        trusted: Arc::new(move |address| dispatch::is_trusted_source(&objects.load(), address)),
        answer_strangers,
        ..sip::endpoint::Config::new(listeners, rand::random())
    };
    let mut net = sip::net::Config::new(endpoint);
    if let Some(tls) = &config.sip.tls {
        let files = |cert: &config::Certificate| sip::net::Certificate {
            chain: cert.cert_file.clone(),
            key: cert.key_file.clone(),
        };
        net.certificates = tls.certs.iter().map(files).collect();
        net.tls_versions = match (tls.only_1_2, tls.only_1_3) {
            (true, _) => TlsVersions::Only12,
            (_, true) => TlsVersions::Only13,
            _ => TlsVersions::Both,
        };
        net.alpn.clone_from(&tls.alpn);
    }
    sip::net::bind(net).await.map_err(|error| Error::Sip(names, error))
}

/// Strangers who ask for nothing but a sign of life get none, unless some trunk takes calls from everywhere.
fn answers_strangers(config: &Config, snapshot: &Snapshot) -> bool {
    let is_open = snapshot.inbound_trunks.iter().any(|trunk| trunk.networks.is_empty());
    !config.sip.hide && (is_open || config.sip.reject != Reject::Silent)
}

async fn listeners(config: &Config) -> Result<Vec<Listener>, Error> {
    let mut listeners = Vec::new();
    for Interface { bind: ip, advertised: told } in interfaces(&config.addresses, config.addresses.signalling).await? {
        let mut add = |wire, port_listen, port, host| {
            let bind = SocketAddr::new(ip, port_listen);
            listeners.push(Listener { wire, bind, advertised: Advertised { host, port } });
        };
        for wire in [Wire::Udp, Wire::Tcp] {
            add(wire, config.sip.port_listen, config.sip.port, Host::from(told));
        }
        if let Some(tls) = &config.sip.tls {
            let host = if config.sip.hostname.is_empty() {
                Host::from(told)
            } else {
                Host::from(config.sip.hostname.replace("${IP}", &told.to_string().replace(['.', ':'], "-")).as_str())
            };
            add(Wire::Tls, tls.port_listen, tls.port, host);
        }
    }
    Ok(listeners)
}

/// What is bound, each with the address that others are told. Of families that nobody asked for, those are left out that
/// have no address of ours to tell; one is needed.
async fn interfaces(addresses: &Addresses, external: External) -> Result<Vec<Interface>, address::Error> {
    let (mut found, mut missing) = (Vec::new(), None);
    for bind in listen_addresses(&addresses.listen) {
        match address::advertised(external, bind, addresses.local_net.as_ref()).await {
            Ok(advertised) => found.push(Interface { bind, advertised }),
            Err(error) if addresses.listen.is_empty() && error.is_of_one_family() => _ = missing.get_or_insert(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// Both families where nothing is said, as far as this machine has them.
fn listen_addresses(configured: &[IpAddr]) -> Vec<IpAddr> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    let mut addresses = vec![IpAddr::from(Ipv4Addr::UNSPECIFIED)];
    if std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push(Ipv6Addr::UNSPECIFIED.into());
    }
    addresses
}

async fn plane_config(config: &Config) -> Result<plane::Config, Error> {
    let (mut v4, mut v6) = (None, None);
    for interface in interfaces(&config.addresses, config.addresses.media).await? {
        let family = if interface.bind.is_ipv4() { &mut v4 } else { &mut v6 };
        family.get_or_insert(interface);
    }
    let media = &config.media;
    Ok(plane::Config {
        threads: media.threads.and_then(NonZeroUsize::new),
        v4,
        v6,
        room: toward_room(&config.livekit.url).await,
        ports: media.ports.clone(),
        complexity: media.opus.complexity,
        quarantine: media.quarantine.map_or(Duration::ZERO, |quarantine| quarantine.idle),
        ..plane::Config::default()
    })
}

fn settings(config: &Config, own: Vec<SocketAddr>) -> Settings {
    let media = &config.media;
    let known = |codec: &dispatch::Codec| media_codec(codec);
    Settings {
        answer: config.calls.answer,
        ringing_interval: config.sip.ringing_interval,
        room_reconnect_limit: config.calls.room_reconnect_limit,
        codecs: media.codecs.iter().filter_map(known).collect(),
        allow_loopback: media.allow_loopback,
        source: if media.symmetric_rtp { ::media::source::Mode::Latch } else { ::media::source::Mode::Learn },
        media_timeout_initial: media.timeout_initial,
        media_timeout: media.timeout,
        opus_bitrate: media.opus.bitrate,
        own,
        patience: config.outbound.patience,
        allow_refer: config.transfer.refer,
        bridge_transfers: config.transfer.bridge,
    }
}

fn outbound_defaults(config: &Config) -> Defaults {
    let outbound = &config.outbound;
    let caps = Caps { max_calls: outbound.max_calls, calls_per_second: outbound.calls_per_second };
    Defaults { caps, allow_emergency: outbound.allow_emergency }
}

/// Those that the media plane speaks; others of the configuration wait for a later version.
fn media_codec(codec: &dispatch::Codec) -> Option<::media::sdp::Codec> {
    use ::media::sdp::Codec;
    Codec::from_name(&codec.name, codec.rate, 1).filter(|codec| matches!(codec, Codec::Pcmu | Codec::Pcma))
}

#[cfg(test)]
mod tests;
