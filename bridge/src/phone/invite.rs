//! An INVITE as dispatch wants to see it.

use std::net::SocketAddr;
use std::time::SystemTime;

use sip::{Error, HeaderName, NameAddr, Request, Uri, Wire};

use crate::dispatch::caller::Asserted;
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
        asserted: Asserted::default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Query {
        let path = format!("{}/../tests/data/carriers/{file}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let Ok(sip::Message::Request(request)) = sip::Message::parse(&bytes) else { panic!("{file}") };
        query(&request, "192.0.2.1:5060".parse().unwrap(), Wire::Tcp, "SCL_query".into()).unwrap()
    }

    fn values<'a>(query: &'a Query, name: &str) -> Vec<&'a str> {
        let named = query.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn who_calls_whom() {
        let cases = [
            ("twilio-invite.sip", "+14155550123", "clinic-demo.pstn.twilio.com", "+15105550100", "sip.example.net"),
            ("telnyx-invite-call-control.sip", "+12125550144", "sip.telnyx.com", "+14155550199", "10.231.64.12"),
        ];
        for (file, from, host, to, to_host) in cases {
            let query = read(file);
            assert_eq!((query.from.user.as_str(), query.from.host.as_str()), (from, host), "{file}");
            assert_eq!((query.to.user.as_str(), query.to.host.as_str()), (to, to_host), "{file}");
            assert_eq!((query.called(), query.request.host.as_str()), (to, "sip.example.net"), "{file}");
            assert_eq!(query.from.display, from, "{file}");
            assert_eq!((query.transport, query.call_id.as_str()), (Transport::Tcp, "SCL_query"), "{file}");
        }
    }

    #[test]
    fn ids_of_the_dialog() {
        let query = read("telnyx-invite-call-control.sip");
        assert_eq!(query.sip_call_id, "6b90e8de-1f37-4e52-a5bd-0c4b8f2d91b0");
        assert_eq!(query.sip_tag, "Q4tHcX9p2ZK1e");
    }

    #[test]
    fn parameters_of_the_request_uri() {
        let query = read("telnyx-invite-call-control.sip");
        assert_eq!(query.request.params, [("transport".to_owned(), Some("tcp".to_owned()))]);
    }

    #[test]
    fn headers_are_all_there_and_to_carries_our_tag() {
        let query = read("twilio-invite.sip");
        assert_eq!(values(&query, "To"), ["<sip:+15105550100@sip.example.net>;tag=SCL_query"]);
        assert_eq!(values(&query, "Via").len(), 2);
        assert_eq!(values(&query, "X-Twilio-CallSid"), ["CA00000000000000000000000000000c01"]);
        assert_eq!(values(&query, "Content-Length"), ["275"]);
    }

    #[test]
    fn the_length_of_no_body_is_zero() {
        let query = read("pbx-invite-offerless.sip");
        assert_eq!(values(&query, "Content-Length"), ["0"]);
    }
}
