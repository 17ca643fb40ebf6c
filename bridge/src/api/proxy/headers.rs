//! Headers between two hops.

use std::fmt::Write as _;
use std::net::IpAddr;

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// What stands for one hop alone (RFC 9110 §7.6.1), or is answered at each (`Expect`: 100 has been sent by then).
const ONE_HOP: [HeaderName; 11] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];

/// Bytes of all names and values.
pub(super) fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Whether the connection is to become a WebSocket (RFC 6455 §4.1). Other protocols are not passed on: what an
/// intermediary does not know it leaves out (RFC 9110 §7.8).
pub(super) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let upgrades = tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    upgrades && tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"))
}

/// Asks for a WebSocket, or agrees to one.
pub(super) fn set_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Takes away what stood for the hop that is behind us.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION).filter_map(|token| token.parse().ok()).collect();
    if headers.contains_key(TRANSFER_ENCODING) {
        // Never both: who believes which one is how requests are smuggled (RFC 9112 §6.1).
        headers.remove(CONTENT_LENGTH);
    }
    for name in named.iter().chain(&ONE_HOP) {
        headers.remove(name);
    }
}

/// Says whom the request is from. What a proxy before us has said stays in front.
pub(super) fn set_forwarded(headers: &mut HeaderMap, from: Option<IpAddr>) {
    if let Some(from) = from {
        let mut list = String::new();
        for before in headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()) {
            let _ = write!(list, "{before}, ");
        }
        let _ = write!(list, "{}", from.to_canonical());
        if let Ok(list) = HeaderValue::from_str(&list) {
            headers.insert(FORWARDED_FOR, list);
        }
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
}

/// Our name among the intermediaries of a message (RFC 9110 §7.6.3): the same for as long as we run, and nobody else's.
/// A request that carries it already has come round in a circle.
#[derive(Debug)]
pub(super) struct Via {
    pseudonym: String,
    value: HeaderValue,
}

impl Via {
    pub(super) fn new() -> Self {
        let pseudonym = format!("trunkline-{:08x}", rand::random::<u32>());
        let value = HeaderValue::from_str(&format!("1.1 {pseudonym}")).expect("letters and digits are a header value");
        Self { pseudonym, value }
    }

    pub(super) fn add(&self, headers: &mut HeaderMap) {
        headers.append(VIA, self.value.clone());
    }

    pub(super) fn stands_in(&self, headers: &HeaderMap) -> bool {
        tokens(headers, &VIA).any(|hop| hop.split_ascii_whitespace().nth(1) == Some(&self.pseudonym))
    }
}

/// The members of a list that may be spread over several fields.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = &'static [(&'static str, &'static str)];

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn headers_of_one_hop_go_no_further() {
        let kept = [("authorization", "Bearer x"), ("sec-websocket-key", "k"), ("cookie", "a=b"), ("cookie", "c=d")];
        let cases: [(&str, Fields); 5] = [
            ("none", &[]),
            (
                "all of them",
                &[("connection", "close"), ("keep-alive", "timeout=5"), ("te", "trailers"), ("expect", "100-continue")],
            ),
            ("those that Connection names", &[("connection", "X-Own, keep-alive"), ("x-own", "1")]),
            ("over two fields", &[("connection", "x-a"), ("connection", "x-b"), ("x-a", "1"), ("x-b", "2")]),
            ("two lengths", &[("transfer-encoding", "chunked"), ("content-length", "5")]),
        ];
        for (name, more) in cases {
            let mut found = headers(&[&kept, more].concat());
            strip(&mut found);
            assert_eq!(found, headers(&kept), "{name}");
        }
    }

    #[test]
    fn websockets_are_asked_for_in_two_headers() {
        let cases: [(&str, Fields, bool); 6] = [
            ("both", &[("connection", "Upgrade"), ("upgrade", "websocket")], true),
            ("as Firefox does", &[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")], true),
            ("no Connection", &[("upgrade", "websocket")], false),
            ("no Upgrade", &[("connection", "upgrade")], false),
            ("HTTP/2", &[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")], false),
            ("none", &[], false),
        ];
        for (name, fields, asks) in cases {
            assert_eq!(asks_for_websocket(&headers(fields)), asks, "{name}");
        }
    }

    #[test]
    fn who_asks_is_added_to_who_asked_before() {
        let address = Some("::ffff:192.0.2.7".parse().unwrap());
        let mut first = HeaderMap::new();
        set_forwarded(&mut first, address);
        assert_eq!(first, headers(&[("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "http")]));
        let mut second = headers(&[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")]);
        set_forwarded(&mut second, address);
        let expected = headers(&[("x-forwarded-for", "198.51.100.1, 192.0.2.7"), ("x-forwarded-proto", "https")]);
        assert_eq!(second, expected);
    }

    #[test]
    fn we_know_ourselves_among_others() {
        let (us, other) = (Via::new(), Via::new());
        let mut passed = headers(&[("via", "1.1 vegur, 1.0 nginx")]);
        other.add(&mut passed);
        assert!(!us.stands_in(&passed), "another gateway's name is not ours");
        us.add(&mut passed);
        assert!(us.stands_in(&passed));
    }
}
