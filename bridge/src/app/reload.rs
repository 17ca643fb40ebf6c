//! Changes of the configuration file while calls go on: looked for every second, and at once on SIGHUP.
//!
//! Trunks and rules take effect, all of them or none, and recordings; calls in progress keep the rules that they began with.
//! Other keys wait for the next start, and are named. A file that is wrong, empty or gone leaves the one before in force. New certificates take
//! effect when both files of a pair have come to rest.

mod settle;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::settle::{Stamp, Watch};
use crate::api::Status;
use crate::config::read::read_file;
use crate::config::{Certificate, Environment, Loaded, load};
use crate::prompts::Prompts;
use crate::store::Store;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the keys of recordings begin with.
const PROMPTS: &str = "prompts.";

/// What a change has its effect on.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) sip: sip::net::Handle,
    pub(super) prompts: Arc<ArcSwap<Prompts>>,
    pub(super) environment: Environment,
    pub(super) status: watch::Sender<Status>,
}

/// Looks at the files, and takes what has changed.
#[derive(Debug)]
pub(super) struct Reloader {
    file: Option<File>,
    certificates: Vec<Certificate>,
    certificate_watch: Watch<Vec<Option<Stamp>>>,
    at_start: Settings,
    parts: Parts,
}

/// The configuration file.
#[derive(Debug)]
struct File {
    path: PathBuf,
    watch: Watch<Option<Stamp>>,
    /// The text that was looked at last, in force or refused; `None` until the first change.
    text: Option<String>,
    /// What was said of the text in force, not to be said again.
    warnings: Vec<String>,
}

/// The configuration at the start, without its objects.
#[derive(Debug)]
struct Settings(Arc<Loaded>);

impl Reloader {
    pub(super) fn new(path: Option<PathBuf>, at_start: &Arc<Loaded>, parts: Parts) -> Self {
        let certificates = at_start.config.sip.tls.as_ref().map(|tls| tls.certs.clone()).unwrap_or_default();
        let file = path.map(|path| {
            let watch = Watch::new(Stamp::of(&path));
            let text = read_file(&path).ok();
            File { path, watch, text, warnings: parts.store.snapshot().warnings() }
        });
        let certificate_watch = Watch::new(stamps(&certificates));
        Self { file, certificates, certificate_watch, at_start: Settings(at_start.clone()), parts }
    }

    /// Looks whether something has changed and come to rest.
    fn look(&mut self, now: Instant) {
        if let Some(file) = &mut self.file {
            let found = Stamp::of(&file.path);
            if file.watch.look(now, found) {
                file.reload(&self.at_start, &self.parts, false);
            }
        }
        let found = stamps(&self.certificates);
        if self.certificate_watch.look(now, found) {
            reload_certificates(&self.parts);
        }
    }

    /// Takes everything as it is, because somebody says so.
    fn reload(&mut self) {
        match &mut self.file {
            Some(file) => {
                file.watch.take(Stamp::of(&file.path));
                file.reload(&self.at_start, &self.parts, true);
            }
            None => info!("the configuration does not come from a file: there is nothing to load again"),
        }
        if !self.certificates.is_empty() {
            self.certificate_watch.take(stamps(&self.certificates));
            reload_certificates(&self.parts);
        }
    }
}

impl File {
    fn reload(&mut self, at_start: &Settings, parts: &Parts, is_asked: bool) {
        let text = match read_file(&self.path) {
            Ok(text) => text,
            Err(error) => return self.refuse(parts, &[format!("it cannot be read: {error}")]),
        };
        if text.trim().is_empty() && self.text.as_ref().is_some_and(|text| !text.trim().is_empty()) {
            return self.refuse(parts, &["it is empty, as it is while somebody writes it".to_owned()]);
        }
        if !is_asked && self.text.as_ref() == Some(&text) && parts.status.borrow().configuration.error.is_none() {
            return;
        }
        self.text = Some(text.clone());
        let loaded = match load(&text, &parts.environment) {
            Ok(loaded) => loaded,
            Err(invalid) => {
                return self.refuse(parts, &invalid.errors.iter().map(ToString::to_string).collect::<Vec<_>>());
            }
        };
        match parts.store.set_file(loaded.snapshot.items()) {
            Ok(warnings) => self.accept(at_start, parts, &loaded, warnings),
            Err(errors) => self.refuse(parts, &errors.iter().map(ToString::to_string).collect::<Vec<_>>()),
        }
    }

    fn accept(&mut self, at_start: &Settings, parts: &Parts, loaded: &Loaded, warnings: Vec<String>) {
        for warning in warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            warn!("{warning}");
        }
        self.warnings = warnings;
        parts.prompts.store(Arc::new(loaded.config.prompts.clone()));
        let changed = at_start.0.changed_keys(loaded).into_iter().filter(|key| !key.starts_with(PROMPTS));
        let needs_restart: Vec<_> = changed.map(str::to_owned).collect();
        if !needs_restart.is_empty() && parts.status.borrow().configuration.needs_restart != needs_restart {
            warn!("these keys have changed and take effect at the next start: {}", needs_restart.join(", "));
        }
        let objects = &loaded.snapshot;
        info!(
            file = %self.path.display(),
            inbound_trunks = objects.inbound_trunks.len(),
            outbound_trunks = objects.outbound_trunks.len(),
            dispatch_rules = objects.dispatch_rules.len(),
            "trunks and rules are loaded again"
        );
        parts.status.send_modify(|status| {
            let configuration = &mut status.configuration;
            configuration.loaded_at = Some(SystemTime::now());
            configuration.error = None;
            configuration.needs_restart = needs_restart;
        });
    }

    fn refuse(&self, parts: &Parts, why: &[String]) {
        error!(file = %self.path.display(), "the configuration file is not taken, the one before stays in force");
        for why in why {
            error!(file = %self.path.display(), "{why}");
        }
        parts.status.send_modify(|status| status.configuration.error = Some(why.join("\n")));
    }
}

fn reload_certificates(parts: &Parts) {
    match parts.sip.reload_certificate() {
        Ok(()) => info!("the certificates are loaded again; connections that stand keep theirs"),
        Err(error) => error!(%error, "new certificates are not taken, the ones before stay in force"),
    }
}

fn stamps(certificates: &[Certificate]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| Stamp::of(Path::new(path));
    certificates.iter().flat_map(|pair| [stamp(&pair.cert_file), stamp(&pair.key_file)]).collect()
}

/// Looks for as long as the gateway runs. Files may lie on a disk that hangs: it is not the control plane that waits.
pub(super) async fn run(mut reloader: Reloader) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(error) => {
            warn!(%error, "cannot wait for SIGHUP");
            None
        }
    };
    let mut clock = tokio::time::interval(INTERVAL);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let is_asked = tokio::select! {
            _ = clock.tick() => false,
            () = heard(hangup.as_mut()) => true,
        };
        let looked = tokio::task::spawn_blocking(move || {
            if is_asked {
                reloader.reload();
            } else {
                reloader.look(Instant::now());
            }
            reloader
        });
        let Ok(back) = looked.await else {
            error!("changes of the configuration file are not looked for any more");
            return;
        };
        reloader = back;
    }
}

async fn heard(hangup: Option<&mut Signal>) {
    if let Some(hangup) = hangup
        && hangup.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests;
