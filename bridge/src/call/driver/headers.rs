//! Headers that a call sends, and those of the other side that become attributes.

use std::collections::BTreeMap;

use sip::{HeaderName, Headers, Response, Status};

use super::Driver;
use super::leg::Leg;
use crate::call::end::EndReason;
use crate::call::parting;
use crate::dispatch::{self, IncludeHeaders};

/// Attributes that tell which call this is: no header of a stranger may stand in their place.
const OURS: &[&str] = &[
    "sip.callID",
    "sip.callIDFull",
    "sip.callTag",
    "sip.callStatus",
    "sip.trunkID",
    "sip.ruleID",
    "sip.phoneNumber",
    "sip.trunkPhoneNumber",
    "sip.hostname",
    "sip.assertedIdentity",
    "sip.displayName",
    "sip.privacy",
    "sip.diversion",
    "sip.diversionReason",
    "sip.hold",
    "trunkline.hold",
];

/// The longest value that is sent, in bytes; a longer one is cut.
const MAX_VALUE: usize = 1024;

/// Why we send a BYE, a CANCEL or a refusal: the last has a status in its first line already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    Hangup,
    Refusal,
}

impl Driver {
    /// The status of a refusal; the trunk may have one of its own for callers whom nobody answers.
    pub(super) fn refusal_status(&self, reason: EndReason) -> Status {
        let own = match reason {
            EndReason::RingingTimeout => self.leg.seat().ringing_timeout_status.and_then(Status::new),
            _ => None,
        };
        own.unwrap_or(reason.outcome().status)
    }

    /// The headers of our 200: those of the trunk, and attributes of the caller.
    pub(super) fn headers(&self) -> Vec<(HeaderName, String)> {
        let fixed = self.leg.seat().headers.iter();
        let fixed = fixed.filter_map(|(header, value)| Some((HeaderName::parse(header)?, value.clone())));
        fixed.chain(self.mapped_headers()).collect()
    }

    /// Attributes of the participant that become headers, as they are now.
    pub(super) fn mapped_headers(&self) -> impl Iterator<Item = (HeaderName, String)> {
        let mapped = self.leg.seat().attributes_to_headers.iter();
        mapped.filter_map(|(attribute, header)| {
            let value = dispatch::headers::clean(self.attributes.get(attribute)?);
            let value = value[..value.floor_char_boundary(MAX_VALUE)].to_owned();
            Some((HeaderName::parse(header)?, value))
        })
    }

    /// An app has changed attributes of the participant. Those that tell which call this is are ours alone.
    pub(super) fn heed(&mut self, changed: BTreeMap<String, String>) {
        for (name, value) in changed {
            if is_ours(&name) {
                continue;
            }
            match value.is_empty() {
                true => self.attributes.remove(&name),
                false => self.attributes.insert(name, value),
            };
        }
    }

    /// What a BYE, a CANCEL or a refusal says beside its status: above all, why.
    pub(super) fn parting_headers(&self, kind: Farewell, reason: EndReason) -> Vec<(HeaderName, String)> {
        let outcome = reason.outcome();
        let reasons = match kind {
            Farewell::Hangup => outcome.reasons(),
            Farewell::Refusal => vec![outcome.q850()],
        };
        let reasons = reasons.into_iter().map(|reason| (HeaderName::Reason, reason.to_string()));
        let mapped = self.mapped_headers().filter(|(name, _)| !self.farewell.iter().any(|(other, _)| other == name));
        // Why we hang up is ours to say.
        let mapped = mapped.filter(|(name, _)| *name != HeaderName::Reason);
        mapped.chain(self.farewell.iter().cloned()).chain(reasons).collect()
    }

    /// What the answer of a carrier tells the room: of a provisional one the headers that LiveKit knows, of a final one
    /// also those that the request asks for.
    pub(super) fn learn(&mut self, response: &Response) {
        if !matches!(self.leg, Leg::Outbound(_)) {
            return;
        }
        let mut news = self.read_attributes(&response.headers, response.status.is_final());
        if let Some(tag) = response.headers.to().ok().and_then(|to| to.tag()) {
            news.insert("sip.callTag".to_owned(), tag.as_str().to_owned());
        }
        if response.status.code() >= 300 {
            // It goes with the news of the end, and takes nothing from what a message before it has told.
            return self.keep_last_news(news);
        }
        news.retain(|name, value| self.attributes.get(name) != Some(value));
        if !news.is_empty() {
            self.attributes.extend(news.clone());
            self.tell_attributes(news);
        }
    }

    /// The headers of a BYE: Twilio's say where the recording of the call is.
    pub(super) fn learn_last(&mut self, headers: &Headers) {
        let news = self.read_attributes(headers, true);
        self.keep_last_news(news);
    }

    /// Tells the room why the call is over, and what its last message has said, before the participant leaves.
    pub(super) fn tell_end(&mut self, reason: EndReason) {
        let status = match &self.leg {
            Leg::Inbound(_) if self.answered_at.is_none() => Some(self.refusal_status(reason)),
            _ => self.detail.as_ref().and_then(|detail| Status::new(detail.sip_status()?.0)),
        };
        let mut news = std::mem::take(&mut self.last_news);
        news.extend(parting::attributes(reason, status, &self.parting));
        self.set_hangup(news);
    }

    /// `sip.h.…` is for the message that the call began with; the last one adds what it alone has.
    fn keep_last_news(&mut self, mut news: BTreeMap<String, String>) {
        news.retain(|name, _| !(name.starts_with("sip.h.") && self.attributes.contains_key(name)));
        self.last_news = news;
    }

    /// Attributes from the headers of a message of the other side.
    fn read_attributes(&self, headers: &Headers, is_final: bool) -> BTreeMap<String, String> {
        let seat = self.leg.seat();
        let nobody = BTreeMap::new();
        let (include, map) = match is_final {
            true => (seat.include_headers, &seat.headers_to_attributes),
            false => (IncludeHeaders::No, &nobody),
        };
        let is_hidden = !seat.attributes.contains_key("sip.phoneNumber");
        let hidden = is_hidden.then(|| self.leg.remote_number());
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect();
        let (mut found, notes) = dispatch::headers::attributes_of(&headers, include, map, hidden);
        for note in notes {
            tracing::warn!(note, "a header of the other side could not be taken over");
        }
        found.retain(|name, _| !is_ours(name));
        found
    }
}

fn is_ours(name: &str) -> bool {
    OURS.contains(&name) || parting::ATTRIBUTES.contains(&name) || name.starts_with(crate::stir::PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_attribute_of_ours() {
        let manual = include_str!("../../../../docs/attributes.md");
        for name in OURS.iter().chain(parting::ATTRIBUTES) {
            let is_there = manual.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
            assert!(is_there, "{name} is not in docs/attributes.md");
        }
    }
}
