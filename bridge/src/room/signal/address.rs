//! Where a LiveKit server is, and how its entrances are called.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use livekit_protocol as proto;
use prost::Message as _;

use crate::room::Path;
use crate::room::request::PROTOCOL;

/// The address of a server: `ws`, `wss`, `http` or `https`, a host, perhaps a port and a path before its entrances.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    secure: bool,
    /// As written, IPv6 in brackets.
    authority: String,
    host: String,
    port: u16,
    prefix: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return None,
        };
        let rest = rest.split(['?', '#']).next()?;
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let default = if secure { 443 } else { 80 };
        let port = port.map_or(Some(default), |port| port.parse().ok())?;
        let sound = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '[' | ']' | '<' | '>' | '"' | '\\');
        if host.is_empty() || !host.chars().all(sound) || !prefix.chars().all(sound) {
            return None;
        }
        let prefix = prefix.trim_end_matches('/');
        Some(Self {
            secure,
            authority: authority.into(),
            host: host.into(),
            port,
            prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Where Cloud lists its regions.
    pub(super) fn regions(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}/settings/regions", self.authority, self.prefix)
    }

    /// The entrance with all that is said at it.
    pub(super) fn signal(&self, path: Path, request: &proto::JoinRequest) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        let (path, query) = match path {
            Path::Single => ("rtc/v1", wrapped(request)),
            Path::Dual => ("rtc", query(request)),
        };
        format!("{scheme}://{}{}/{path}?{query}", self.authority, self.prefix)
    }
}

fn wrapped(request: &proto::JoinRequest) -> String {
    let wrapped = proto::WrappedJoinRequest {
        compression: proto::wrapped_join_request::Compression::None as i32,
        join_request: request.encode_to_vec(),
    };
    format!("join_request={}", URL_SAFE.encode(wrapped.encode_to_vec()))
}

fn query(request: &proto::JoinRequest) -> String {
    let auto_subscribe = request.connection_settings.as_ref().is_some_and(|settings| settings.auto_subscribe);
    let mut query = format!(
        "sdk=rust&version={}&os={}&protocol={PROTOCOL}&auto_subscribe={}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        u8::from(auto_subscribe)
    );
    if request.reconnect {
        // Ids of the server's making go into a URL only as far as they are letters.
        let sid: String = request.participant_sid.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        query += &format!("&reconnect=1&sid={sid}&reconnect_reason={}", request.reconnect_reason);
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::request;

    #[test]
    fn addresses_of_all_kinds() {
        let cases = [
            ("plain", "ws://127.0.0.1:7880", Some(("127.0.0.1", 7880, "ws://127.0.0.1:7880/rtc?"))),
            ("http for ws", "http://h/", Some(("h", 80, "ws://h/rtc?"))),
            ("https for wss", "https://x.livekit.cloud", Some(("x.livekit.cloud", 443, "wss://x.livekit.cloud/rtc?"))),
            ("capitals", "WSS://h:8443", Some(("h", 8443, "wss://h:8443/rtc?"))),
            ("IPv6", "ws://[::1]:7880", Some(("::1", 7880, "ws://[::1]:7880/rtc?"))),
            ("IPv6, no port", "wss://[2001:db8::1]", Some(("2001:db8::1", 443, "wss://[2001:db8::1]/rtc?"))),
            ("behind a path", "wss://h/livekit/", Some(("h", 443, "wss://h/livekit/rtc?"))),
            ("query dropped", "ws://h?a=b", Some(("h", 80, "ws://h/rtc?"))),
            ("no scheme", "h:7880", None),
            ("other scheme", "ftp://h", None),
            ("no host", "ws://:80", None),
            ("bad port", "ws://h:99999", None),
            ("user", "ws://u@h", None),
            ("line break", "ws://h\r\nx", None),
            ("open bracket", "ws://[::1", None),
        ];
        for (name, url, expected) in cases {
            let address = Address::parse(url);
            let found = address.as_ref().map(|address| {
                let signal = address.signal(Path::Dual, &proto::JoinRequest::default());
                (address.host(), address.port(), signal.split_inclusive('?').next().unwrap_or_default().to_owned())
            });
            assert_eq!(found, expected.map(|(host, port, signal)| (host, port, signal.to_owned())), "{name}");
        }
    }

    #[test]
    fn a_join_is_wrapped_for_the_one_entrance_and_spelled_out_for_the_other() {
        let address = Address::parse("ws://h").unwrap();
        let join = request::join();
        let single = address.signal(Path::Single, &join);
        let (_, packed) = single.split_once("/rtc/v1?join_request=").unwrap();
        let wrapped = proto::WrappedJoinRequest::decode(&*URL_SAFE.decode(packed).unwrap()).unwrap();
        assert_eq!(proto::JoinRequest::decode(&*wrapped.join_request).unwrap(), join);
        let dual = address.signal(Path::Dual, &request::resume("PA_x&admin=1"));
        assert!(dual.contains("protocol=16&auto_subscribe=0&reconnect=1&sid=PA_xadmin1&"), "{dual}");
    }

    #[test]
    fn regions_are_asked_for_by_https() {
        assert_eq!(
            Address::parse("wss://x.livekit.cloud").unwrap().regions(),
            "https://x.livekit.cloud/settings/regions"
        );
    }
}
