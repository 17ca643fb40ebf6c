//! The line that a call goes out by: a trunk of ours, or one that the request brings along.

use std::collections::HashMap;
use std::sync::Arc;

use livekit_protocol as proto;
use sip::{Host, Wire, digest};

use super::{Caps, Defaults, Refusal};
use crate::dispatch::{IncludeHeaders, Media};
use crate::dns;
use crate::store::trunk::{check_header_names, half_credentials};
use crate::store::{OutboundTrunk, Snapshot, outbound};

/// What a call out needs of either kind of trunk.
pub(super) struct Line<'a> {
    /// `ST_…`, or nothing for a trunk of the request.
    pub(super) id: &'a str,
    /// The address as it was written.
    pub(super) address: &'a str,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
    /// The transport; `None` to let DNS say.
    pub(super) wire: Option<Wire>,
    pub(super) from_host: &'a str,
    pub(super) headers: Option<&'a HashMap<String, String>>,
    pub(super) headers_to_attributes: &'a HashMap<String, String>,
    pub(super) attributes_to_headers: &'a HashMap<String, String>,
    pub(super) include_headers: IncludeHeaders,
    pub(super) media: Media,
    pub(super) caps: Caps,
    pub(super) trunk: Option<Arc<OutboundTrunk>>,
    numbers: &'a [String],
    username: &'a str,
    password: &'a str,
}

impl<'a> Line<'a> {
    /// The line of a request: a trunk by its id, else by its name; the one of the request; the default.
    pub(super) fn of(
        objects: &'a Snapshot,
        request: &'a proto::CreateSipParticipantRequest,
        defaults: &Defaults,
    ) -> Result<Self, Refusal> {
        match (&*request.sip_trunk_id, &request.trunk) {
            ("", Some(inline)) => Self::inline(inline, defaults),
            ("", None) => Self::trunk(default(objects)?, defaults),
            (named, _) => Self::trunk(find(objects, named)?, defaults),
        }
    }

    /// The number to call from: the one of the request, else one of the trunk's at random. A pattern is no number.
    pub(super) fn number(
        &self,
        request: &proto::CreateSipParticipantRequest,
        random: [u8; 16],
    ) -> Result<String, Refusal> {
        let mut number = if request.sip_number.is_empty() {
            let numbers: Vec<_> = self.numbers.iter().filter(|number| !number.contains('*')).collect();
            let at = u128::from_be_bytes(random).checked_rem(numbers.len() as u128).ok_or(Refusal::NoNumbers)?;
            numbers[at as usize].clone()
        } else {
            request.sip_number.clone()
        };
        // Twilio takes no number without it.
        if self.is_at("twilio.com") && number.starts_with(|c: char| c.is_ascii_digit()) {
            number.insert(0, '+');
        }
        super::address::check_user("sip_number", &number)?;
        Ok(number)
    }

    /// What to answer a challenge with. The password of a trunk is for its servers: whoever may place calls need not know
    /// it, and must not have it asked for where he sends them.
    pub(super) fn credentials(
        &self,
        request: &proto::CreateSipParticipantRequest,
        target: &dns::Target,
    ) -> Option<digest::Credentials> {
        let is_diverted = self.trunk.is_some() && super::headers::without_route(&request.headers).1.is_some();
        if is_diverted && (&target.host, target.port) != (&self.host, self.port) {
            return None;
        }
        let (username, password) = (self.username.to_owned(), self.password.to_owned());
        (!username.is_empty()).then_some(digest::Credentials { username, password, realm: None })
    }

    fn trunk(trunk: &'a Arc<OutboundTrunk>, defaults: &Defaults) -> Result<Self, Refusal> {
        let info = &trunk.info;
        let (host, port) = outbound::host(&info.address).ok_or(NO_HOST)?;
        let cap = |own: Option<u32>, usual: Option<u32>| own.map_or(usual, |own| (own != 0).then_some(own));
        Ok(Self {
            id: trunk.id(),
            address: &info.address,
            host,
            port,
            wire: wire(info.transport()),
            from_host: &info.from_host,
            headers: Some(&info.headers),
            headers_to_attributes: &info.headers_to_attributes,
            attributes_to_headers: &info.attributes_to_headers,
            include_headers: include(info.include_headers()),
            media: trunk.media.clone(),
            caps: Caps {
                max_calls: cap(trunk.ours.max_calls, defaults.caps.max_calls),
                calls_per_second: cap(trunk.ours.calls_per_second, defaults.caps.calls_per_second),
            },
            numbers: &info.numbers,
            username: &info.auth_username,
            password: &info.auth_password,
            trunk: Some(Arc::clone(trunk)),
        })
    }

    fn inline(config: &'a proto::SipOutboundConfig, defaults: &Defaults) -> Result<Self, Refusal> {
        if config.hostname.is_empty() {
            return Err(Refusal::NoHostname);
        }
        check_host("trunk hostname", &config.hostname)?;
        let mut problems = Vec::from_iter(half_credentials(&config.auth_username, &config.auth_password));
        check_header_names("headers_to_attributes", config.headers_to_attributes.keys(), &mut problems);
        check_header_names("attributes_to_headers", config.attributes_to_headers.values(), &mut problems);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem.into());
        }
        if !config.from_host.is_empty() {
            check_host("from_host", &config.from_host)?;
        }
        let (host, port) = outbound::host(&config.hostname).ok_or(NO_HOST)?;
        Ok(Self {
            id: "",
            address: &config.hostname,
            host,
            port,
            wire: wire(config.transport()),
            from_host: &config.from_host,
            headers: None,
            headers_to_attributes: &config.headers_to_attributes,
            attributes_to_headers: &config.attributes_to_headers,
            include_headers: IncludeHeaders::No,
            media: Media::default(),
            caps: defaults.caps,
            trunk: None,
            numbers: &[],
            username: &config.auth_username,
            password: &config.auth_password,
        })
    }

    /// Whether the trunk is a host of this domain.
    fn is_at(&self, domain: &str) -> bool {
        let Host::Name(name) = &self.host else { return false };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        name.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }
}

const NO_HOST: Refusal = Refusal::Hostname { field: "trunk hostname", why: "should be a hostname or IP" };

fn find<'a>(objects: &'a Snapshot, named: &str) -> Result<&'a Arc<OutboundTrunk>, Refusal> {
    let trunks = &objects.outbound_trunks;
    if let Some(trunk) = trunks.iter().find(|trunk| trunk.id() == named) {
        return Ok(trunk);
    }
    let mut by_name = trunks.iter().filter(|trunk| trunk.info.name == named);
    match (by_name.next(), by_name.next()) {
        (Some(trunk), None) => Ok(trunk),
        (Some(_), Some(_)) => Err(Refusal::AmbiguousTrunk(named.to_owned())),
        (None, _) => Err(Refusal::UnknownTrunk),
    }
}

fn default(objects: &Snapshot) -> Result<&Arc<OutboundTrunk>, Refusal> {
    let mut defaults = objects.outbound_trunks.iter().filter(|trunk| trunk.ours.default_outbound);
    match (defaults.next(), defaults.next()) {
        (Some(trunk), None) => Ok(trunk),
        (Some(_), Some(_)) => Err(Refusal::SeveralDefaults),
        (None, _) => Err(Refusal::NoTrunk),
    }
}

/// What LiveKit says of a host that is none.
fn check_host(field: &'static str, host: &str) -> Result<(), Refusal> {
    let why = if host.contains("transport=") {
        "should not contain transport parameter"
    } else if host.contains(['@', ';']) || host.starts_with("sip:") || host.starts_with("sips:") {
        "should be a hostname or IP, not SIP URI"
    } else if outbound::host(host).is_none() {
        "should be a hostname or IP"
    } else {
        return Ok(());
    };
    Err(Refusal::Hostname { field, why })
}

pub(super) fn wire(transport: proto::SipTransport) -> Option<Wire> {
    match transport {
        proto::SipTransport::Auto => None,
        proto::SipTransport::Udp => Some(Wire::Udp),
        proto::SipTransport::Tcp => Some(Wire::Tcp),
        proto::SipTransport::Tls => Some(Wire::Tls),
    }
}

pub(super) fn include(option: proto::SipHeaderOptions) -> IncludeHeaders {
    match option {
        proto::SipHeaderOptions::SipNoHeaders => IncludeHeaders::No,
        proto::SipHeaderOptions::SipXHeaders => IncludeHeaders::X,
        proto::SipHeaderOptions::SipAllHeaders => IncludeHeaders::All,
    }
}
