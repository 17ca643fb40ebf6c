//! What is left of a call when it is over.

use super::leg::Leg;
use super::{Driver, clipped};
use crate::call::end::EndReason;
use crate::phone::{CallError, unix_millis};
use crate::store::CallRecord;

impl Driver {
    pub(super) fn record(&self, reason: EndReason, note: String) -> CallRecord {
        let outcome = reason.outcome();
        let note = match self.parting.is_empty() {
            true => note,
            false => format!("peer: {}; {note}", clipped(&self.parting.to_string())),
        };
        let info = self.listing.info().unwrap_or_else(|| self.leg.info());
        let sip_status = match (&self.leg, self.answered_at) {
            (_, Some(_)) => Some(200),
            (Leg::Inbound(_), None) => Some(self.refusal_status(reason).code()),
            (Leg::Outbound(_), None) => self.detail.as_ref().and_then(CallError::sip_status).map(|(status, _)| status),
        };
        let source = self.leg.source().or(self.hop);
        let record = info.record(outcome.label);
        let end_text = self.detail.as_ref().map_or(record.end_text, ToString::to_string);
        let source = source.map(|source| source.to_string()).unwrap_or_default();
        let stir = Some(self.stir.statement().clone()).filter(|statement| !statement.is_empty());
        CallRecord { source, end_text, sip_status, stir, note, answered: self.answered_at.map(unix_millis), ..record }
    }
}
