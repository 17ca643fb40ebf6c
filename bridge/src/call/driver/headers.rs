//! Headers that a call sends, and those of a carrier that become attributes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use sip::{HeaderName, Response, Status};

use super::Driver;
use super::leg::{Leg, Outbound};
use crate::call::end::EndReason;
use crate::dispatch::query::{Party, Query, Target, Transport};
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
    "sip.hold",
    "trunkline.hold",
];

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

    /// Attributes of the participant that become headers.
    pub(super) fn mapped_headers(&self) -> impl Iterator<Item = (HeaderName, String)> {
        let mapped = self.leg.seat().attributes_to_headers.iter();
        mapped.filter_map(|(attribute, header)| {
            Some((HeaderName::parse(header)?, self.attributes.get(attribute)?.clone()))
        })
    }

    /// What a BYE, a CANCEL or a refusal says beside its status: above all, why.
    pub(super) fn parting_headers(&self, reason: EndReason) -> Vec<(HeaderName, String)> {
        let ours = self.farewell.iter().cloned().chain([(HeaderName::Reason, reason.outcome().header())]);
        let mapped = self.mapped_headers().filter(|(name, _)| !self.farewell.iter().any(|(other, _)| other == name));
        mapped.chain(ours).collect()
    }

    /// What the answer of a carrier tells the room: of a provisional one the headers that LiveKit knows, of the final one
    /// also those that the request asks for.
    pub(super) fn learn(&mut self, response: &Response) {
        let Leg::Outbound(outbound) = &self.leg else { return };
        let mut news = attributes(outbound, response);
        if let Some(tag) = response.headers.to().ok().and_then(|to| to.tag()) {
            news.insert("sip.callTag".to_owned(), tag.as_str().to_owned());
        }
        news.retain(|name, value| self.attributes.get(name) != Some(value));
        if !news.is_empty() {
            self.attributes.extend(news.clone());
            self.tell_attributes(news);
        }
    }
}

fn attributes(outbound: &Outbound, response: &Response) -> BTreeMap<String, String> {
    let seat = &outbound.placement.seat;
    let nobody = BTreeMap::new();
    let (include, map) = match response.status.is_success() {
        true => (seat.include_headers, &seat.headers_to_attributes),
        false => (IncludeHeaders::No, &nobody),
    };
    let is_hidden = !seat.attributes.contains_key("sip.phoneNumber");
    let (mut found, notes) = dispatch::headers::attributes(&query(outbound, response), include, map, is_hidden);
    for note in notes {
        tracing::warn!(note, "a header of the carrier could not be taken over");
    }
    found.retain(|name, _| !OURS.contains(&name.as_str()));
    found
}

/// The answer, as those see it who read headers. The callee is the stranger here, so his number is the one to hide.
fn query(outbound: &Outbound, response: &Response) -> Query {
    let party = |address: &sip::NameAddr| Party {
        user: address.uri.user_text().unwrap_or_default(),
        host: address.uri.host.to_string(),
        display: String::new(),
    };
    let (us, them) = (party(&outbound.placement.from), party(&outbound.placement.to));
    Query {
        source: ([0, 0, 0, 0], 0).into(),
        transport: Transport::Udp,
        request: Target { user: us.user.clone(), host: us.host.clone(), params: Vec::new() },
        from: them,
        to: us,
        call_id: outbound.placement.call_id.clone(),
        sip_call_id: outbound.sip_call_id.clone(),
        sip_tag: String::new(),
        headers: response.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect(),
        now: SystemTime::UNIX_EPOCH,
        random: [0; 16],
    }
}
