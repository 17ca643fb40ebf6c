//! The addresses of a call out: Request-URI, From, To and next hop, and targets of transfers.

use livekit_protocol as proto;
use proto::{sip_named_dest, sip_request_dest};
use sip::{Host, NameAddr, Scheme, Uri, Wire};

use super::Refusal;
use super::line::{self, Line};
use crate::dns;
use crate::store::outbound;

/// The longest number or user.
const MAX_USER: usize = 128;

/// The longest display name that LiveKit takes.
const MAX_DISPLAY: usize = 128;

/// Emergency numbers of the larger networks, and the one that tests those of North America. Short numbers that many
/// PBXs have as extensions (100 to 109) are left out.
const EMERGENCY: &[&str] = &["000", "110", "112", "119", "911", "933", "999"];

/// The number or user to call: what the request says, else what its addresses have.
pub(super) fn callee_of(request: &proto::CreateSipParticipantRequest) -> Result<String, Refusal> {
    let written = request.sip_call_to.as_str();
    if !written.is_empty() && request.sip_to_header.is_some() {
        return Err(Refusal::CalleeTwice);
    }
    if written.is_empty() {
        let uri = match (&request.sip_request_uri, &request.sip_to_header) {
            (Some(dest), _) => request_dest(dest)?,
            (None, Some(dest)) => named_dest("sip_to_header", dest)?,
            (None, None) => None,
        };
        return user_of(&uri.ok_or(Refusal::NoCallee)?, "sip_call_to");
    }
    if written.contains('@') || is_uri(written) {
        return Err(Refusal::CalleeIsUri);
    }
    let callee = without_separators(written);
    check_user("sip_call_to", &callee)?;
    Ok(callee)
}

/// The number or user behind a Refer-To value, to be called by a trunk of ours. Only what a trunk can call is let
/// through: the host and the parameters of the address are not the caller's to choose.
pub fn callee(refer_to: &str, allow_emergency: bool) -> Result<String, Refusal> {
    let uri = NameAddr::parse(refer_to).map_err(|_| Refusal::TransferTo)?.uri;
    let callee = user_of(&uri, "transfer_to")?;
    check_emergency(&callee, allow_emergency)?;
    Ok(callee)
}

/// The Refer-To value of a target: `tel:`, `sip:` or `sips:`, with or without brackets, or a bare number.
pub fn transfer_target(text: &str, allow_emergency: bool) -> Result<String, Refusal> {
    let bare = text.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(text);
    let number = without_separators(bare);
    let uri = if is_number(&number) { Uri::parse(&format!("tel:{number}")) } else { Uri::parse(bare) };
    let uri = uri.map_err(|_| Refusal::TransferTo)?;
    let user = user_of(&uri, "transfer_to")?;
    check_emergency(&user, allow_emergency)?;
    // A bare address is where most carriers look for a number; what has parameters needs the brackets (RFC 3261 §20).
    let is_plain = uri.scheme == Scheme::Tel && uri.params.is_empty();
    Ok(if is_plain { uri.to_string() } else { format!("<{uri}>") })
}

/// The Request-URI: the callee at the trunk's address, unless the request has one of its own.
pub(super) fn request_uri(
    line: &Line<'_>,
    request: &proto::CreateSipParticipantRequest,
    callee: &str,
) -> Result<Uri, Refusal> {
    if let Some(dest) = &request.sip_request_uri
        && let Some(uri) = request_dest(dest)?
    {
        let user = user_of(&uri, "sip_request_uri")?;
        // What is checked is what is called.
        return if user == callee { Ok(uri) } else { Ok(with_user(uri, callee)) };
    }
    Ok(at_trunk(line, callee))
}

/// Where the INVITE goes: to the first `Route`, else to the trunk, whatever the Request-URI says. The password of a trunk
/// is for its own server.
pub(super) fn target(line: &Line<'_>, uri: &Uri, route: Option<&NameAddr>) -> Result<dns::Target, Refusal> {
    let wire_of = |uri: &Uri| match uri.params.get("transport") {
        Some(name) => wire_named(name).map(Some).ok_or_else(|| not_an_address("transport", name)),
        None => Ok(None),
    };
    if let Some(NameAddr { uri: route, .. }) = route {
        let sips = route.scheme == Scheme::Sips;
        return Ok(dns::Target { host: route.host.clone(), port: route.port, wire: wire_of(route)?, sips });
    }
    let wire = match line.wire {
        Some(wire) => Some(wire),
        None => wire_of(uri)?,
    };
    Ok(dns::Target { host: line.host.clone(), port: line.port, wire, sips: uri.scheme == Scheme::Sips })
}

/// The From header.
pub(super) fn from(
    line: &Line<'_>,
    request: &proto::CreateSipParticipantRequest,
    number: &str,
    own_host: &str,
) -> Result<NameAddr, Refusal> {
    let mut from = match &request.sip_from_header {
        Some(dest) => named(named_dest("sip_from_header", dest)?, &dest.display_name),
        None => None,
    };
    let from = from.get_or_insert_with(|| {
        let host = if line.from_host.is_empty() { own_host } else { line.from_host };
        let (host, port) = outbound::host(host).unwrap_or_else(|| (Host::from(own_host), None));
        let display = Some(number.to_owned());
        NameAddr { display, ..NameAddr::new(Uri::sip(Some(number), host, port)) }
    });
    if let Some(display) = &request.display_name {
        from.display = (!display.is_empty()).then(|| display.clone());
    }
    if let Some(display) = &from.display {
        if display.len() > MAX_DISPLAY {
            return Err(Refusal::TooLong { field: "DisplayName", max: MAX_DISPLAY });
        }
        if let Some(character) = display.chars().find(|c| c.is_control()) {
            return Err(Refusal::DisplayName(character));
        }
    }
    Ok(from.clone())
}

/// The To header: the callee at the trunk's address, or what the request has in place of either.
pub(super) fn to(
    line: &Line<'_>,
    request: &proto::CreateSipParticipantRequest,
    callee: &str,
) -> Result<NameAddr, Refusal> {
    let given = match &request.sip_to_header {
        Some(dest) => named(named_dest("sip_to_header", dest)?, &dest.display_name),
        None => None,
    };
    let mut to = given.unwrap_or_else(|| NameAddr::new(at_trunk(line, callee)));
    if !request.to_user_override.is_empty() {
        check_user("to_user_override", &request.to_user_override)?;
        to.uri = with_user(to.uri, &request.to_user_override);
    }
    Ok(to)
}

/// What LiveKit checks of the place that a call goes to, though the place is of no use here.
pub(super) fn check_destination(destination: Option<&proto::Destination>) -> Result<(), Refusal> {
    let Some(destination) = destination else { return Ok(()) };
    if !destination.city.is_empty() && destination.country.is_empty() && destination.region.is_empty() {
        return Err(Refusal::Destination("if city is specified, country or region must also be specified"));
    }
    let country = destination.country.as_bytes();
    if !country.is_empty() && (country.len() != 2 || !country.iter().all(u8::is_ascii_uppercase)) {
        return Err(Refusal::Destination("country must be a valid ISO 3166-1 alpha-2 code"));
    }
    Ok(())
}

/// Whether a number calls for help: as carriers dial it, without what people write between digits (RFC 3966 §5.1.1), up
/// to whatever ends the number. What begins with a star or a hash is a code of the PBX.
fn is_emergency(callee: &str) -> bool {
    let is_dialled = |c: &char| c.is_ascii_digit() || " -.()_!~'".contains(*c);
    let number = callee.strip_prefix('+').unwrap_or(callee);
    let dialled: String = number.chars().take_while(is_dialled).filter(char::is_ascii_digit).collect();
    let behind = number.chars().find(|c| !is_dialled(c));
    !behind.is_some_and(char::is_alphanumeric) && EMERGENCY.contains(&dialled.as_str())
}

/// Refuses an emergency number.
pub(super) fn check_emergency(user: &str, is_allowed: bool) -> Result<(), Refusal> {
    if !is_allowed && is_emergency(user) { Err(Refusal::Emergency(user.to_owned())) } else { Ok(()) }
}

/// Refuses what is no number and no SIP user: a dial string with parameters, an escape, a line break.
pub(super) fn check_user(field: &'static str, user: &str) -> Result<(), Refusal> {
    if user.len() > MAX_USER {
        return Err(Refusal::TooLong { field, max: MAX_USER });
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,/#".contains(c);
    match user.chars().find(|c| !fits(*c)) {
        Some(character) => Err(Refusal::Character { field, character }),
        None => Ok(()),
    }
}

/// The user of an address, if it can be called.
fn user_of(uri: &Uri, field: &'static str) -> Result<String, Refusal> {
    if matches!(uri.scheme, Scheme::Other(_)) {
        return Err(Refusal::TransferTo);
    }
    let user = without_separators(&uri.user_text().unwrap_or_default());
    if user.is_empty() {
        return Err(Refusal::Address { field, value: uri.to_string() });
    }
    check_user(field, &user)?;
    Ok(user)
}

fn with_user(uri: Uri, user: &str) -> Uri {
    let user = Uri::sip(Some(user), Host::Name(String::new()), None).user;
    Uri { user, password: None, ..uri }
}

fn at_trunk(line: &Line<'_>, user: &str) -> Uri {
    let mut uri = Uri::sip(Some(user), line.host.clone(), line.port);
    if let Some(wire) = line.wire {
        uri.params.set("transport", wire.uri_param());
    }
    uri
}

fn named(uri: Option<Uri>, display: &str) -> Option<NameAddr> {
    let display = (!display.is_empty()).then(|| display.to_owned());
    Some(NameAddr { display, ..NameAddr::new(uri?) })
}

fn request_dest(dest: &proto::SipRequestDest) -> Result<Option<Uri>, Refusal> {
    match &dest.uri {
        None => Ok(None),
        Some(sip_request_dest::Uri::Raw(raw)) => raw_uri("sip_request_uri", raw).map(Some),
        Some(sip_request_dest::Uri::Values(values)) => valued_uri("sip_request_uri", values).map(Some),
    }
}

fn named_dest(field: &'static str, dest: &proto::SipNamedDest) -> Result<Option<Uri>, Refusal> {
    match &dest.uri {
        None => Ok(None),
        Some(sip_named_dest::Uri::Raw(raw)) => raw_uri(field, raw).map(Some),
        Some(sip_named_dest::Uri::Values(values)) => valued_uri(field, values).map(Some),
    }
}

/// An address as text, with or without brackets. URI headers would become headers of the request.
fn raw_uri(field: &'static str, raw: &str) -> Result<Uri, Refusal> {
    let bare = raw.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(raw);
    let uri = Uri::parse(bare).ok().filter(|uri| uri.headers.is_none() && uri.password.is_none());
    uri.filter(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips)).ok_or_else(|| not_an_address(field, raw))
}

fn valued_uri(field: &'static str, values: &proto::SipUri) -> Result<Uri, Refusal> {
    let host = if values.host.is_empty() { &values.ip } else { &values.host };
    let port = u16::try_from(values.port).map_err(|_| not_an_address(field, &values.port.to_string()))?;
    let host = Host::parse(host).map_err(|_| not_an_address(field, host))?;
    let user = (!values.user.is_empty()).then_some(values.user.as_str());
    let mut uri = Uri::sip(user, host, (port != 0).then_some(port));
    if let Some(wire) = line::wire(values.transport()) {
        uri.params.set("transport", wire.uri_param());
    }
    Ok(uri)
}

fn not_an_address(field: &'static str, value: &str) -> Refusal {
    Refusal::Address { field, value: value.chars().take(100).collect() }
}

fn wire_named(name: &str) -> Option<Wire> {
    [Wire::Udp, Wire::Tcp, Wire::Tls].into_iter().find(|wire| wire.uri_param().eq_ignore_ascii_case(name))
}

fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("sip" | "sips" | "tel"))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A number without the blanks, brackets and dashes that people write; anything else as it is.
fn without_separators(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    if is_number(&bare) { bare } else { text.to_owned() }
}
