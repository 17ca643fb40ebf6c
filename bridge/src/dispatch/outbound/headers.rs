//! Headers of our INVITE: the trunk's, and over them those of the request.

use std::collections::HashMap;

use livekit_protocol as proto;
use sip::{HeaderName, NameAddr, Scheme};

use super::line::Line;
use super::{Defaults, Refusal};
use crate::store::trunk::check_headers;

/// Proxies that one call may be sent by.
const MAX_ROUTES: usize = 8;

/// Headers in order of their names, without `Route`, and the proxies that it names.
type Merged = (Vec<(HeaderName, String)>, Vec<NameAddr>);

/// The headers of both, checked.
pub(super) fn merged(
    line: &Line<'_>,
    request: &proto::CreateSipParticipantRequest,
    defaults: &Defaults,
) -> Result<Merged, Refusal> {
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
    let at = merged.iter().position(|(name, _)| *name == HeaderName::Route);
    let route = at.map(|at| routes(&merged.remove(at).1)).transpose()?;
    Ok((merged, route.unwrap_or_else(|| defaults.route.to_vec())))
}

/// The headers without `Route`, and its value: the one header of the stack's that may be set.
pub(crate) fn without_route(headers: &HashMap<String, String>) -> (HashMap<String, String>, Option<&str>) {
    let is_route = |name: &str| name.eq_ignore_ascii_case(HeaderName::Route.as_str());
    let route = headers.iter().find(|(name, _)| is_route(name)).map(|(_, value)| value.as_str());
    let others = headers.iter().filter(|(name, _)| !is_route(name));
    (others.map(|(name, value)| (name.clone(), value.clone())).collect(), route)
}

/// The addresses of a `Route`, the next hop first.
pub(crate) fn routes(value: &str) -> Result<Vec<NameAddr>, Refusal> {
    let refused = || Refusal::Address { field: "Route", value: value.chars().take(100).collect() };
    if value.chars().any(char::is_control) {
        return Err(refused());
    }
    let routes = NameAddr::parse_list(value).map_err(|_| refused())?;
    let is_sip = |route: &NameAddr| matches!(route.uri.scheme, Scheme::Sip | Scheme::Sips);
    let is_good = !routes.is_empty() && routes.len() <= MAX_ROUTES && routes.iter().all(is_sip);
    if is_good { Ok(routes) } else { Err(refused()) }
}
