//! Counters for Prometheus, under the names of livekit-sip, so that its panels go on working.

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, histogram_opts,
    opts,
};

use crate::call::end::EndReason;
use crate::store::Direction;

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
    transfers: IntCounterVec,
    transfers_succeeded: IntCounterVec,
    transfers_failed: IntCounterVec,
    transfers_active: IntGaugeVec,
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
            transfers: IntCounterVec::new(name("transfers_total", "Transfers asked for"), &["dir"])?,
            transfers_succeeded: IntCounterVec::new(name("transfers_succeeded_total", "Transfers done"), &["dir"])?,
            transfers_failed: IntCounterVec::new(
                name("transfers_failed_total", "Transfers failed"),
                &["dir", "reason"],
            )?,
            transfers_active: IntGaugeVec::new(name("transfers_active", "Transfers under way"), &["dir"])?,
            tasks: IntGauge::with_opts(name("tasks", "Tasks of the control plane, a few a call"))?,
            registry,
        };
        metrics.register()?;
        Ok(metrics)
    }

    fn register(&self) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(self.available.clone()))?;
        self.registry.register(Box::new(self.tasks.clone()))?;
        for counter in [
            &self.requests,
            &self.accepted,
            &self.errors,
            &self.terminated,
            &self.transfers,
            &self.transfers_succeeded,
            &self.transfers_failed,
        ] {
            self.registry.register(Box::new(counter.clone()))?;
        }
        for gauge in [&self.active, &self.transfers_active] {
            self.registry.register(Box::new(gauge.clone()))?;
        }
        self.registry.register(Box::new(self.duration.clone()))
    }

    /// Whether calls are taken.
    pub fn set_available(&self, available: bool) {
        self.available.set(available.into());
    }

    /// An INVITE of a new call came, or went out.
    pub fn invited(&self, direction: Direction) {
        self.requests.with_label_values(&[dir(direction)]).inc();
    }

    /// A trunk and a rule took it, or the callee answered.
    pub fn accepted(&self, direction: Direction) {
        self.accepted.with_label_values(&[dir(direction)]).inc();
    }

    /// It was refused at the door, or not placed, or not answered.
    pub fn refused(&self, direction: Direction, reason: &str) {
        self.errors.with_label_values(&[dir(direction), reason]).inc();
    }

    /// So many calls there are each way.
    pub fn set_active(&self, inbound: usize, outbound: usize) {
        for (direction, calls) in [(Direction::Inbound, inbound), (Direction::Outbound, outbound)] {
            self.active.with_label_values(&[dir(direction)]).set(i64::try_from(calls).unwrap_or(i64::MAX));
        }
    }

    /// A call ended.
    pub fn ended(&self, direction: Direction, reason: EndReason, lasted: Duration) {
        let outcome = reason.outcome();
        let result = if outcome.is_fault { "server_error" } else { "success" };
        self.terminated.with_label_values(&[dir(direction), result, outcome.label]).inc();
        self.duration.with_label_values(&[dir(direction)]).observe(lasted.as_secs_f64());
    }

    /// A transfer began.
    pub fn transferring(&self, direction: Direction) {
        self.transfers.with_label_values(&[dir(direction)]).inc();
        self.transfers_active.with_label_values(&[dir(direction)]).inc();
    }

    /// A transfer ended: well, or for this reason.
    pub fn transferred(&self, direction: Direction, failure: Option<&str>) {
        self.transfers_active.with_label_values(&[dir(direction)]).dec();
        match failure {
            None => self.transfers_succeeded.with_label_values(&[dir(direction)]).inc(),
            Some(reason) => self.transfers_failed.with_label_values(&[dir(direction), reason]).inc(),
        }
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

fn dir(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_livekit_sip() {
        let metrics = Metrics::new().unwrap();
        metrics.set_available(true);
        metrics.invited(Direction::Inbound);
        metrics.accepted(Direction::Inbound);
        metrics.refused(Direction::Inbound, "no_trunk");
        metrics.set_active(3, 1);
        metrics.ended(Direction::Inbound, EndReason::MediaTimeout, Duration::from_secs(5));
        for failure in [None, Some("rejected")] {
            metrics.transferring(Direction::Outbound);
            metrics.transferred(Direction::Outbound, failure);
        }
        let text = metrics.text();
        for line in [
            "livekit_sip_available 1",
            "livekit_sip_invite_requests{dir=\"inbound\"} 1",
            "livekit_sip_invite_accepted{dir=\"inbound\"} 1",
            "livekit_sip_invite_error{dir=\"inbound\",reason=\"no_trunk\"} 1",
            "livekit_sip_calls_active{dir=\"inbound\"} 3",
            "livekit_sip_calls_active{dir=\"outbound\"} 1",
            "livekit_sip_transfers_total{dir=\"outbound\"} 2",
            "livekit_sip_transfers_succeeded_total{dir=\"outbound\"} 1",
            "livekit_sip_transfers_failed_total{dir=\"outbound\",reason=\"rejected\"} 1",
            "livekit_sip_transfers_active{dir=\"outbound\"} 0",
            "livekit_sip_calls_terminated{dir=\"inbound\",reason=\"media_timeout\",result=\"server_error\"} 1",
            "livekit_sip_dur_call_sec_bucket{dir=\"inbound\",le=\"10\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
