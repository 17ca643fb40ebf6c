//! Headers of our INVITE: the trunk's, and over them those of the request.

use std::collections::HashMap;

use livekit_protocol as proto;
use sip::{HeaderName, NameAddr, Scheme, Uri};

use super::Refusal;
use super::line::Line;
use crate::store::trunk::check_headers;

/// Headers in order of their names, and the next hop if there is a `Route` among them.
type Merged = (Vec<(HeaderName, String)>, Option<Uri>);

/// The headers of both, checked.
pub(super) fn merged(line: &Line<'_>, request: &proto::CreateSipParticipantRequest) -> Result<Merged, Refusal> {
    let (own, _) = without_route(&request.headers);
    let mut problems = Vec::new();
    check_headers(&own, &mut problems);
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem.into());
    }
    let mut merged = Vec::<(HeaderName, String)>::new();
    let trunk = line.headers.into_iter().flatten();
    for (name, value) in trunk.chain(&request.headers) {
        // Names are checked already; one that is none has been refused.
        let Some(name) = HeaderName::parse(name) else { continue };
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.clone_from(value),
            None => merged.push((name, value.clone())),
        }
    }
    merged.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    let route = merged.iter().find(|(name, _)| *name == HeaderName::Route).map(|(_, value)| next_hop(value));
    Ok((merged, route.transpose()?))
}

/// The headers without `Route`, and its value: the one header of the stack's that may be set.
pub(crate) fn without_route(headers: &HashMap<String, String>) -> (HashMap<String, String>, Option<&str>) {
    let is_route = |name: &str| name.eq_ignore_ascii_case(HeaderName::Route.as_str());
    let route = headers.iter().find(|(name, _)| is_route(name)).map(|(_, value)| value.as_str());
    let others = headers.iter().filter(|(name, _)| !is_route(name));
    (others.map(|(name, value)| (name.clone(), value.clone())).collect(), route)
}

/// The first address of a `Route`.
pub(crate) fn next_hop(route: &str) -> Result<Uri, Refusal> {
    let refused = || Refusal::Address { field: "Route", value: route.chars().take(100).collect() };
    let end = route.find('>').map_or(route.len(), |at| at + 1);
    let behind = route[end..].trim_start();
    if route.chars().any(char::is_control) || !(behind.is_empty() || behind.starts_with([',', ';'])) {
        return Err(refused());
    }
    let uri = NameAddr::parse(&route[..end]).map_err(|_| refused())?.uri;
    if matches!(uri.scheme, Scheme::Sip | Scheme::Sips) { Ok(uri) } else { Err(refused()) }
}
