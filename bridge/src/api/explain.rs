//! A call that nobody made: what `explain` is asked about, in words that people and JSON have.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sip::Uri;

use crate::dispatch::Query;
use crate::dispatch::caller::Asserted;
use crate::dispatch::query::{Party, Target, Transport};

/// The port of somebody whose port does not matter.
const PORT: u16 = 5060;

/// A call that might come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Who would call: a number, or a SIP URI where the host matters.
    pub from: String,
    /// Who would be called: a number, or a SIP URI.
    pub to: String,
    /// The address it would come from, with or without a port. Without one it comes from an address that is in no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it would come over: `udp`, `tcp` or `tls`; `udp` if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Headers that its INVITE would have beside the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A question that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Neither a number nor a URI.
    #[error("{field} should be a number or a SIP URI, not {text:?}")]
    Party {
        /// Which of the two.
        field: &'static str,
        /// As written.
        text: String,
    },
    /// Not an address.
    #[error("source should be an IP address, with or without a port, not {0:?}")]
    Source(String),
    /// Not a transport.
    #[error("transport should be udp, tcp or tls, not {0:?}")]
    Transport(String),
}

impl Ask {
    /// What dispatch would see of it.
    pub fn query(&self, now: SystemTime, random: [u8; 16]) -> Result<Query, AskError> {
        let source = self.source()?;
        let from = party("from", &self.from, &source.ip().to_string())?;
        let to = party("to", &self.to, "localhost")?;
        let request = Target { user: to.user.clone(), host: to.host.clone(), params: Vec::new() };
        Ok(Query {
            source,
            transport: self.transport()?,
            from,
            to,
            request,
            call_id: "SCL_explained".to_owned(),
            sip_call_id: "explained".to_owned(),
            sip_tag: "explained".to_owned(),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            asserted: Asserted::default(),
            now,
            random,
        })
    }

    fn source(&self) -> Result<SocketAddr, AskError> {
        let Some(text) = &self.source else { return Ok((IpAddr::from([0, 0, 0, 0]), PORT).into()) };
        let address = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)));
        address.map_err(|_| AskError::Source(text.clone()))
    }

    fn transport(&self) -> Result<Transport, AskError> {
        match self.transport.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("udp") => Ok(Transport::Udp),
            Some("tcp") => Ok(Transport::Tcp),
            Some("tls") => Ok(Transport::Tls),
            Some(other) => Err(AskError::Transport(other.to_owned())),
        }
    }
}

fn party(field: &'static str, text: &str, host: &str) -> Result<Party, AskError> {
    let party = |user: String, host: String| Party { user, host, display: String::new() };
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if matches!(scheme.as_deref(), Some("sip" | "sips" | "tel")) {
        let uri = Uri::parse(text).map_err(|_| AskError::Party { field, text: text.to_owned() })?;
        return Ok(party(uri.user_text().unwrap_or_default(), uri.host.to_string()));
    }
    if text.is_empty() || text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '@') {
        return Err(AskError::Party { field, text: text.to_owned() });
    }
    Ok(party(text.to_owned(), host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(from: &str, to: &str) -> Ask {
        Ask { from: from.into(), to: to.into(), ..Ask::default() }
    }

    fn query(ask: &Ask) -> Result<Query, AskError> {
        ask.query(SystemTime::UNIX_EPOCH, [0; 16])
    }

    #[test]
    fn parties_are_numbers_or_uris() {
        let seen = |ask: Ask| query(&ask).map(|query| (query.from.user, query.from.host, query.to.user));
        let texts = |user: &str, host: &str, to: &str| Ok((user.to_owned(), host.to_owned(), to.to_owned()));
        assert_eq!(seen(ask("+15550199", "+15550100")), texts("+15550199", "0.0.0.0", "+15550100"));
        assert_eq!(seen(ask("sip:u%40x@pbx.example.com:5070", "sip:100@gw")), texts("u@x", "pbx.example.com", "100"));
        for bad in ["", "a b", "a\r\nb", "u@h", "sip:", "sip:a@"] {
            assert!(query(&ask(bad, "1")).is_err(), "{bad:?}");
            assert!(query(&ask("1", bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sources_and_transports_are_read() {
        let from = |source: &str| {
            let ask = Ask { source: Some(source.into()), ..ask("1", "2") };
            query(&ask).map(|query| query.source.to_string())
        };
        assert_eq!(from("203.0.113.7").as_deref(), Ok("203.0.113.7:5060"));
        assert_eq!(from("203.0.113.7:5070").as_deref(), Ok("203.0.113.7:5070"));
        assert_eq!(from("2001:db8::1").as_deref(), Ok("[2001:db8::1]:5060"));
        assert_eq!(from("pbx.example.com"), Err(AskError::Source("pbx.example.com".into())));
        let over = |transport: &str| {
            let ask = Ask { transport: Some(transport.into()), ..ask("1", "2") };
            query(&ask).map(|query| query.transport)
        };
        assert_eq!(over("TLS"), Ok(Transport::Tls));
        assert_eq!(over("sctp"), Err(AskError::Transport("sctp".into())));
    }
}
