//! An outbound trunk: where calls go out, and as whom.

use std::fmt;

use livekit_protocol as proto;
use sip::Host;

use super::Error;
use super::error::Problem;
use super::item::{OutboundExtras, OutboundItem};
use super::trunk::{check_header_names, check_headers, half_credentials, label, media, named};
use crate::dispatch::Media;
use crate::dispatch::outbound::headers::{routes, without_route};

/// A trunk that calls go out by, checked.
#[derive(Clone)]
pub struct OutboundTrunk {
    /// The object as LiveKit has it; the id is always set.
    pub info: proto::SipOutboundTrunkInfo,
    /// `media`.
    pub media: Media,
    /// What we add to LiveKit's object.
    pub ours: OutboundExtras,
}

impl OutboundTrunk {
    pub(crate) fn new(item: OutboundItem) -> Result<Self, Vec<Error>> {
        let OutboundItem { info, ours } = item;
        let mut problems = Vec::new();
        #[expect(deprecated, reason = "older files set the encryption here")]
        let encryption = info.media_encryption;
        let media = media(info.media.as_ref(), encryption, &mut problems);
        let media = Media { dtmf: ours.dtmf.unwrap_or_default(), dtx: ours.dtx, ..media };
        problems.extend(half_credentials(&info.auth_username, &info.auth_password));
        if host(&info.address).is_none() {
            problems.push(Problem::OutboundAddress(info.address.clone()));
        }
        if info.numbers.is_empty() {
            problems.push(Problem::NoNumbers);
        }
        // Of the headers of the stack one may be set: the way that the call takes.
        let (others, route) = without_route(&info.headers);
        let is_way = route.is_none_or(|route| routes(route).is_ok());
        check_headers(if is_way { &others } else { &info.headers }, &mut problems);
        check_header_names("headers_to_attributes", info.headers_to_attributes.keys(), &mut problems);
        check_header_names("attributes_to_headers", info.attributes_to_headers.values(), &mut problems);
        let trunk = Self { info, media, ours };
        if problems.is_empty() { Ok(trunk) } else { Err(named(trunk.id(), &trunk.label(), problems)) }
    }

    /// The object as it was read.
    pub(crate) fn item(&self) -> OutboundItem {
        OutboundItem { info: self.info.clone(), ours: self.ours }
    }

    /// Its id, `ST_…`.
    pub fn id(&self) -> &str {
        &self.info.sip_trunk_id
    }

    /// Name and id for people.
    pub fn label(&self) -> String {
        label("outbound trunk", &self.info.name, self.id())
    }
}

// Written out because the message would print its password.
impl fmt::Debug for OutboundTrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundTrunk").field("id", &self.id()).field("name", &self.info.name).finish_non_exhaustive()
    }
}

/// Reads a host, or a host and a port; IPv6 in brackets.
pub(crate) fn host(address: &str) -> Option<(Host, Option<u16>)> {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let host = match bracketed {
        Some(inner) => Host::V6(inner.parse().ok()?),
        None => Host::parse(host).ok().filter(|host| !matches!(host, Host::V6(_)))?,
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn addresses_are_hosts() {
        let cases = [
            ("sip.telnyx.com", true),
            ("sip.telnyx.com:5061", true),
            ("192.0.2.1:5060", true),
            ("[2001:db8::1]:5060", true),
            ("[2001:db8::1]", true),
            ("", false),
            ("sip:sip.telnyx.com", false),
            ("sip.telnyx.com;transport=tcp", false),
            ("user@sip.telnyx.com", false),
            ("host:0", false),
            ("host:99999", false),
            ("2001:db8::1", false),
            ("host:", false),
            ("host:+5060", true),
        ];
        for (address, fits) in cases {
            assert_eq!(host(address).is_some(), fits, "{address:?}");
        }
    }
}
