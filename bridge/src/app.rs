//! Puts the parts together: start, drain, stop.
//!
//! ```text
//! start ──► serving ──SIGTERM──► draining ──last call, limit, second signal──► ending ──► stopped
//!            ▲  │ └──────────────SIGINT─────────────────────────────────────────▲
//!            └──┘ SIGHUP, or the file has changed: [`reload`]
//! ```
//!
//! Parts start in the order in which they need each other (store, media plane, SIP, phone, API), and stop the other way
//! round; what is kept of calls goes to the disk last.

mod address;
mod files;
mod health;
mod listen;
mod reload;
mod settings;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use sip::endpoint::Advertised;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use self::listen::{bind, listeners};
use self::reload::Reloader;
use self::settings::{outbound_defaults, plane_config, settings};
use crate::api::status::Configuration;
use crate::api::{self, Status};
use crate::call::driver::{Parts, Stop};
use crate::config::{Config, Environment, Loaded, NoteLevel, Source, StoreFile};
use crate::dns;
use crate::metrics::Metrics;
use crate::phone::{Phone, Placer, Switchboard};
use crate::plane::Plane;
use crate::prompts::Prompts;
use crate::room;
use crate::stir;
use crate::store::{Items, OpenError, Store};

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
    /// The certificate authorities cannot be read.
    #[error("cannot read tls.ca_file: {0}")]
    Authorities(io::Error),
    /// TLS, for the certificates of callers, cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
    /// The media threads could not be started.
    #[error("cannot start the media threads: {0}")]
    Plane(io::Error),
    /// The health port is taken.
    #[error("cannot listen for HTTP on {0}: {1}")]
    Http(SocketAddr, io::Error),
    /// Our own address is not to be found.
    #[error("cannot find the address to tell carriers: {0}")]
    Address(#[from] address::Error),
    /// `ws_url` leads nowhere that requests could be passed on to.
    #[error("cannot pass requests on to the LiveKit server: {0}")]
    Proxy(#[from] api::proxy::Error),
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
    store: Store,
    /// What callers hear of us.
    prompts: Arc<ArcSwap<Prompts>>,
    api: Option<(SocketAddr, JoinHandle<()>)>,
    reloading: Option<JoinHandle<()>>,
    status: watch::Sender<Status>,
    config: Arc<Loaded>,
    stop: watch::Sender<Stop>,
    active: watch::Receiver<usize>,
    health: watch::Sender<Health>,
    metrics: Arc<Metrics>,
}

impl App {
    /// Starts everything; calls are taken from here on.
    pub async fn start(loaded: Loaded) -> Result<Self, Error> {
        tell(&loaded);
        files::raise_limit();
        let config = &loaded.config;
        let store = open_store(&config.store, loaded.snapshot.items())?;
        let objects = store.objects();
        let metrics = Arc::new(Metrics::new()?);
        health::serve_metrics(config.http.prometheus, Arc::clone(&metrics)).await?;
        let (health, health_seen) = watch::channel(Health::Starting);
        health::serve(config.http.health, health_seen).await?;
        let listeners = listeners(config).await?;
        let own = listeners.iter().filter(|listener| listener.listens()).map(|listener| listener.bind).collect();
        let plane = Plane::start(&plane_config(config).await?).map_err(Error::Plane)?;
        let (sip, events) = bind(config, listeners, &objects).await?;
        for listener in sip.listeners().iter().filter(|listener| listener.listens()) {
            let Advertised { host, port } = &listener.advertised;
            info!(wire = %listener.wire, bind = %listener.bind, "listening; carriers are told {host}:{port}");
        }
        let server = room::Server {
            url: config.livekit.url.clone(),
            key: config.livekit.api_key.clone(),
            secret: config.livekit.api_secret.expose().to_owned(),
        };
        let settings = Arc::new(settings(config, own));
        let prompts = Arc::clone(&settings.prompts);
        let own_host = sip.listeners().first().map(|listener| listener.advertised.host.to_string());
        let placer = Placer::new(Arc::clone(&objects), &own_host.unwrap_or_default(), outbound_defaults(config));
        let parts = Parts {
            sip: sip.clone(),
            plane: plane.clone(),
            server,
            resolver: dns::Resolver::system(dns::Settings {
                servers: config.outbound.dns_servers.clone(),
                deny: config.outbound.deny.clone(),
                ways: sip.listeners().iter().map(way).collect(),
            }),
            placer: placer.clone(),
            store: store.clone(),
            settings,
            stir: verifier(config)?,
            metrics: Arc::clone(&metrics),
        };
        let (stop, stopped) = watch::channel(Stop::Run);
        let (tell_active, active) = watch::channel(0);
        let phone = Phone::new(parts, objects, config, stopped, tell_active);
        let switchboard = phone.switchboard();
        let phone = tokio::spawn(phone.run(events));
        let (status, _) = watch::channel(status_of(&sip));
        let api = serve_api(config, &store, &switchboard, placer, &status).await?;
        health.send_replace(Health::Serving);
        metrics.set_available(true);
        let (config, reloading) = (Arc::new(loaded), None);
        Ok(Self {
            sip,
            plane,
            phone,
            switchboard,
            store,
            prompts,
            api,
            reloading,
            status,
            config,
            stop,
            active,
            health,
            metrics,
        })
    }

    /// Takes changes of the file from here on, and new certificates.
    #[must_use]
    pub fn reloading(mut self, source: &Source, environment: Environment) -> Self {
        let path = source.path(&environment);
        let file = path.as_ref().map(|path| path.display().to_string());
        self.status.send_modify(|status| status.configuration.file = file);
        let (store, sip, status) = (self.store.clone(), self.sip.clone(), self.status.clone());
        let prompts = Arc::clone(&self.prompts);
        let reloader = Reloader::new(path, &self.config, reload::Parts { store, sip, prompts, environment, status });
        self.reloading = Some(tokio::spawn(reload::run(reloader)));
        self
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
        info!(calls, limit = ?self.config.config.calls.drain_timeout, "draining: new calls are sent elsewhere; a second signal ends at once");
        let is_lost = tokio::select! {
            _ = self.active.wait_for(|calls| *calls == 0) => false,
            () = tokio::time::sleep(self.config.config.calls.drain_timeout) => over("the limit for draining is over"),
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
        if let Some(reloading) = &self.reloading {
            reloading.abort();
        }
        self.stop.send_replace(Stop::End);
        let ended = async {
            let _ = self.active.wait_for(|calls| *calls == 0).await;
            said_goodbye(&self.sip).await;
        };
        if tokio::time::timeout(END_LIMIT, ended).await.is_err() {
            error!(calls = *self.active.borrow(), "calls did not end in time");
        }
        // Whoever waits for a call hears how it ended before the API is gone.
        if let Some((_, api)) = &self.api {
            api.abort();
        }
        self.sip.shutdown().await;
        self.phone.abort();
        let store = self.store.clone();
        let _ = tokio::task::spawn_blocking(move || store.flush()).await;
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

    /// Its trunks, rules and records.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where the API listens, if it does.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|(address, _)| *address)
    }

    /// How it fares.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
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

/// What the configuration has to say. What its objects have to say is said by the store, which knows those of the API too.
fn tell(loaded: &Loaded) {
    let of_objects = loaded.snapshot.warnings();
    for note in loaded.notes.iter().filter(|note| !of_objects.contains(&note.text)) {
        match note.level {
            NoteLevel::Info => info!("{}", note.text),
            NoteLevel::Warning => warn!("{}", note.text),
        }
    }
}

fn way(listener: &sip::endpoint::Listener) -> dns::Way {
    dns::Way { wire: listener.wire, is_ipv6: listener.bind.is_ipv6() }
}

fn status_of(sip: &sip::net::Handle) -> Status {
    let listening = sip.listeners().iter().filter(|listener| listener.listens());
    let listeners = listening.map(|listener| format!("{}:{}", listener.wire, listener.bind)).collect();
    let configuration = Configuration { loaded_at: Some(SystemTime::now()), ..Configuration::default() };
    Status { listeners, configuration }
}

/// Certificates are public: the networks that calls may not go to, and the ways that we can call, are no matter of theirs.
fn verifier(config: &Config) -> Result<Option<stir::Verifier>, Error> {
    if config.stir.authorities.is_none() {
        return Ok(None);
    }
    let roots = crate::tls::roots(config.sip.ca_file.as_deref()).map_err(Error::Authorities)?;
    let servers = config.outbound.dns_servers.clone();
    let resolver = dns::Resolver::system(dns::Settings { servers, ..dns::Settings::default() });
    stir::Verifier::new(config.stir.clone(), roots, resolver).map_err(Error::Tls)
}

/// A store that the operator has named must work. One that he has not is done without: calls do not need it.
fn open_store(file: &StoreFile, items: Items) -> Result<Store, Error> {
    let path = file.path();
    let (store, warnings) = match Store::open(Some(&path), items.clone()) {
        Ok(opened) => {
            info!(path = %path.display(), "the store is open");
            opened
        }
        Err(error) if file.is_set() || matches!(error, OpenError::File(_)) => return Err(error.into()),
        Err(error) => {
            warn!("{error}; trunks and rules are those of the file alone, and the API does not change them");
            Store::open(None, items)?
        }
    };
    for warning in warnings {
        warn!("{warning}");
    }
    Ok(store)
}

async fn serve_api(
    config: &Config,
    store: &Store,
    switchboard: &Switchboard,
    placer: Placer,
    status: &watch::Sender<Status>,
) -> Result<Option<(SocketAddr, JoinHandle<()>)>, Error> {
    let Some(address) = config.http.api else { return Ok(None) };
    let livekit = &config.livekit;
    let proxy = if config.http.api_proxy { api::Proxy::new(&livekit.url)? } else { api::Proxy::closed() };
    let parts = api::Parts {
        store: store.clone(),
        switchboard: switchboard.clone(),
        placer,
        status: status.subscribe(),
        keys: api::Keys::new([(livekit.api_key.clone(), livekit.api_secret.expose().to_owned())]),
        proxy,
    };
    let (bound, task) = api::serve(address, parts).await.map_err(|error| Error::Http(address, error))?;
    info!(address = %bound, "the API listens");
    Ok(Some((bound, task)))
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

#[cfg(test)]
mod tests;
