//! An INVITE as dispatch wants to see it.

use std::net::SocketAddr;
use std::time::SystemTime;

use sip::{Error, HeaderName, NameAddr, Request, Uri, Wire};

use crate::dispatch::query::{Party, Query, Target, Transport};

/// What is read from an INVITE once, at the door.
pub(super) fn query(request: &Request, source: SocketAddr, wire: Wire, call_id: String) -> Result<Query, Error> {
    let from = request.headers.from()?;
    let to = request.headers.to()?;
    Ok(Query {
        source,
        transport: match wire {
            Wire::Udp => Transport::Udp,
            Wire::Tcp => Transport::Tcp,
            Wire::Tls => Transport::Tls,
        },
        sip_tag: from.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default(),
        from: party(&from),
        to: party(&to),
        request: target(&request.uri),
        headers: headers(request, &to, &call_id),
        call_id,
        sip_call_id: request.headers.call_id()?.as_str().to_owned(),
        now: SystemTime::now(),
        random: rand::random(),
    })
}

fn party(address: &NameAddr) -> Party {
    Party {
        user: address.uri.user_text().unwrap_or_default(),
        host: address.uri.host.to_string(),
        display: address.display.clone().unwrap_or_default(),
    }
}

fn target(uri: &Uri) -> Target {
    Target {
        user: uri.user_text().unwrap_or_default(),
        host: uri.host.to_string(),
        params: uri.params.iter().map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect(),
    }
}

/// All headers; To carries our tag, as it does in every message of the dialog that follows, and Content-Length, which
/// the parser has used up, stands for the body.
fn headers(request: &Request, to: &NameAddr, tag: &str) -> Vec<(String, String)> {
    let mut tagged = to.clone();
    if tagged.tag().is_none() {
        tagged.set_tag(&sip::Tag::new(tag));
    }
    let value = |name: &HeaderName, value: &str| match name {
        HeaderName::To => tagged.to_string(),
        _ => value.to_owned(),
    };
    let length = (HeaderName::ContentLength.as_str().to_owned(), request.body.len().to_string());
    request.headers.iter().map(|(name, text)| (name.as_str().to_owned(), value(name, text))).chain([length]).collect()
}
