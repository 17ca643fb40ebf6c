//! What is left of a call when it is over.

use std::time::SystemTime;

use super::Driver;
use super::leg::Leg;
use crate::call::end::EndReason;
use crate::phone::{CallError, unix_millis};
use crate::store::CallRecord;

impl Driver {
    pub(super) fn record(&self, reason: EndReason, note: String) -> CallRecord {
        let outcome = reason.outcome();
        let info = self.listing.info().unwrap_or_else(|| self.leg.info());
        let sip_status = match (&self.leg, self.answered_at) {
            (_, Some(_)) => Some(200),
            (Leg::Inbound(_), None) => Some(self.refusal_status(reason).code()),
            (Leg::Outbound(_), None) => self.detail.as_ref().and_then(CallError::sip_status).map(|(status, _)| status),
        };
        let source = self.leg.source().or(self.hop);
        CallRecord {
            id: info.id,
            direction: info.direction,
            from: info.from,
            to: info.to,
            trunk: info.trunk_id,
            rule: info.rule_id,
            room: info.room,
            identity: info.identity,
            sip_call_id: info.sip_call_id,
            source: source.map(|source| source.to_string()).unwrap_or_default(),
            started: unix_millis(info.started_at),
            answered: self.answered_at.map(unix_millis),
            ended: unix_millis(SystemTime::now()),
            end: outcome.label.to_owned(),
            end_text: self.detail.as_ref().map_or_else(|| outcome.label.replace('_', " "), ToString::to_string),
            sip_status,
            note,
        }
    }
}
