//! Counters for Prometheus, under the names of livekit-sip, so that its panels go on working.

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, histogram_opts,
    opts,
};

use crate::call::end::EndReason;

/// Every call is inbound in this version; the label is there for the panels and for the next one.
const INBOUND: &str = "inbound";

/// Lengths of calls, as livekit-sip counts them: a second to a day.
const CALL_SECONDS: [f64; 8] = [1.0, 10.0, 60.0, 600.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0];

/// The counters of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    available: IntGauge,
    requests: IntCounterVec,
    accepted: IntCounterVec,
    errors: IntCounterVec,
    active: IntGaugeVec,
    terminated: IntCounterVec,
    duration: HistogramVec,
    tasks: IntGauge,
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("livekit_sip".to_owned()), None)?;
        let name = |name: &str, help: &str| -> Opts { opts!(name, help) };
        let metrics = Self {
            available: IntGauge::with_opts(name("available", "1 while calls are taken"))?,
            requests: IntCounterVec::new(name("invite_requests", "INVITEs of new calls"), &["dir"])?,
            accepted: IntCounterVec::new(name("invite_accepted", "INVITEs that a trunk and a rule took"), &["dir"])?,
            errors: IntCounterVec::new(name("invite_error", "INVITEs refused at the door"), &["dir", "reason"])?,
            active: IntGaugeVec::new(name("calls_active", "Calls now"), &["dir"])?,
            terminated: IntCounterVec::new(name("calls_terminated", "Calls ended"), &["dir", "result", "reason"])?,
            duration: HistogramVec::new(
                HistogramOpts { buckets: CALL_SECONDS.to_vec(), ..histogram_opts!("dur_call_sec", "Lengths of calls") },
                &["dir"],
            )?,
            tasks: IntGauge::with_opts(name("tasks", "Tasks of the control plane, a few a call"))?,
            registry,
        };
        metrics.register()?;
        Ok(metrics)
    }

    fn register(&self) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(self.available.clone()))?;
        self.registry.register(Box::new(self.tasks.clone()))?;
        for counter in [&self.requests, &self.accepted, &self.errors, &self.terminated] {
            self.registry.register(Box::new(counter.clone()))?;
        }
        self.registry.register(Box::new(self.active.clone()))?;
        self.registry.register(Box::new(self.duration.clone()))
    }

    /// Whether calls are taken.
    pub fn set_available(&self, available: bool) {
        self.available.set(available.into());
    }

    /// An INVITE of a new call came.
    pub fn invited(&self) {
        self.requests.with_label_values(&[INBOUND]).inc();
    }

    /// A trunk and a rule took it.
    pub fn accepted(&self) {
        self.accepted.with_label_values(&[INBOUND]).inc();
    }

    /// It was refused at the door.
    pub fn refused(&self, reason: &str) {
        self.errors.with_label_values(&[INBOUND, reason]).inc();
    }

    /// So many calls there are.
    pub fn set_active(&self, calls: usize) {
        self.active.with_label_values(&[INBOUND]).set(i64::try_from(calls).unwrap_or(i64::MAX));
    }

    /// A call ended.
    pub fn ended(&self, reason: EndReason, lasted: Duration) {
        let outcome = reason.outcome();
        let result = if outcome.is_fault { "server_error" } else { "success" };
        self.terminated.with_label_values(&[INBOUND, result, outcome.label]).inc();
        self.duration.with_label_values(&[INBOUND]).observe(lasted.as_secs_f64());
    }

    /// All of them in the text format of Prometheus.
    pub fn text(&self) -> String {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tasks = runtime.metrics().num_alive_tasks();
            self.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        }
        // The families come from our own registry, which checked them when they were made.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_livekit_sip() {
        let metrics = Metrics::new().unwrap();
        metrics.set_available(true);
        metrics.invited();
        metrics.accepted();
        metrics.refused("no_trunk");
        metrics.set_active(3);
        metrics.ended(EndReason::MediaTimeout, Duration::from_secs(5));
        let text = metrics.text();
        for line in [
            "livekit_sip_available 1",
            "livekit_sip_invite_requests{dir=\"inbound\"} 1",
            "livekit_sip_invite_accepted{dir=\"inbound\"} 1",
            "livekit_sip_invite_error{dir=\"inbound\",reason=\"no_trunk\"} 1",
            "livekit_sip_calls_active{dir=\"inbound\"} 3",
            "livekit_sip_calls_terminated{dir=\"inbound\",reason=\"media_timeout\",result=\"server_error\"} 1",
            "livekit_sip_dur_call_sec_bucket{dir=\"inbound\",le=\"10\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
