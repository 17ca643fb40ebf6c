//! Why a request or an answer was sent: Reason ([RFC 3326 §2]), one value a protocol, in requests and in answers ([RFC 6432]).
//!
//! [RFC 3326 §2]: https://www.rfc-editor.org/rfc/rfc3326#section-2
//! [RFC 6432]: https://www.rfc-editor.org/rfc/rfc6432

use std::fmt;

use super::{
    header_name::HeaderName,
    headers::Headers,
    scan::{quote, split_at_commas},
    token::Token,
    value::Value,
};

/// Values that are read of one message. There is one a protocol, and few protocols.
const MAX: usize = 8;

/// One value: what happened, in the terms of a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Whose terms.
    pub protocol: Protocol,
    /// The cause: a status of SIP, a cause value of Q.850.
    pub cause: Option<u16>,
    /// The same for people.
    pub text: Option<String>,
}

/// Whose causes they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Statuses of SIP.
    Sip,
    /// ITU-T Q.850: causes of the telephone network.
    Q850,
    /// Another, such as `X.int` or `release_cause`.
    Other(Token),
}

impl Reason {
    /// A status of SIP.
    pub fn sip(cause: u16, text: impl Into<String>) -> Self {
        Self { protocol: Protocol::Sip, cause: Some(cause), text: Some(text.into()) }
    }

    /// A cause of Q.850.
    pub fn q850(cause: u16, text: impl Into<String>) -> Self {
        Self { protocol: Protocol::Q850, cause: Some(cause), text: Some(text.into()) }
    }

    /// Reads one value. A cause that is no number is none; parameters that nobody has heard of are passed over.
    pub fn parse(text: &str) -> Option<Self> {
        let value = Value::parse(text).ok()?;
        let protocol = match value.text.as_str() {
            name if name.eq_ignore_ascii_case("SIP") => Protocol::Sip,
            name if name.eq_ignore_ascii_case("Q.850") => Protocol::Q850,
            name => Protocol::Other(Token::new(name)?),
        };
        let cause = value.params.text("cause").and_then(|cause| cause.parse().ok());
        let text = value.params.text("text").filter(|text| !text.is_empty());
        Some(Self { protocol, cause, text })
    }

    /// Reads values with commas between them, the first few; those that cannot be read are passed over.
    pub fn parse_list(text: &str) -> Vec<Self> {
        split_at_commas(text).filter_map(Self::parse).take(MAX).collect()
    }

    /// All that a message says.
    pub fn of(headers: &Headers) -> Vec<Self> {
        let values = headers.get_all(&HeaderName::Reason).flat_map(split_at_commas);
        values.filter_map(Self::parse).take(MAX).collect()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = Value::new(self.protocol.to_string());
        if let Some(cause) = self.cause {
            value.params.set("cause", cause.to_string());
        }
        value.fmt(f)?;
        // Always in quotes, as its grammar has it.
        self.text.as_deref().map_or(Ok(()), |text| write!(f, ";text={}", quote(text)))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sip => "SIP",
            Self::Q850 => "Q.850",
            Self::Other(name) => name.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("status", "SIP;cause=200;text=\"Call completed elsewhere\"", None),
            ("cause", "Q.850;cause=16;text=\"Normal; clearing\"", None),
            ("no text", "Q.850;cause=16", None),
            ("case and white space", " q.850 ; Cause = 16 ; Text = busy", Some("Q.850;cause=16;text=\"busy\"")),
            ("another protocol", "X.int;reasoncode=0x1;cause=1", Some("X.int;cause=1")),
            ("parameters behind", "SIP;cause=486;text=\"a\\\"b\";location=LN", Some("SIP;cause=486;text=\"a\\\"b\"")),
            ("quoted cause", "Q.850;cause=\"34\"", Some("Q.850;cause=34")),
            ("no cause", "SIP", None),
            ("a cause that is none", "SIP;cause=busy", Some("SIP")),
            ("a cause too large", "SIP;cause=70000", Some("SIP")),
            ("negative", "SIP;cause=-1", Some("SIP")),
            ("empty text", "SIP;cause=1;text=\"\"", Some("SIP;cause=1")),
            ("no protocol", ";cause=16", Some("")),
            ("a protocol with a blank", "Q 850;cause=16", Some("")),
            ("open quote", "SIP;text=\"a", Some("")),
            ("empty", "", Some("")),
        ];
        for (name, text, expected) in cases {
            let read = Reason::parse(text).map(|reason| reason.to_string()).unwrap_or_default();
            assert_eq!(read, expected.unwrap_or(text), "{name}");
        }
    }

    #[test]
    fn several_values_in_lines_and_behind_commas() {
        let mut headers = Headers::new();
        assert_eq!(Reason::of(&headers), []);
        headers.push(HeaderName::Reason, "SIP;cause=480;text=\"a, b\", ;, Q.850;cause=19");
        headers.push(HeaderName::Reason, "X.int;cause=1");
        let read: Vec<_> = Reason::of(&headers).iter().map(Reason::to_string).collect();
        assert_eq!(read, ["SIP;cause=480;text=\"a, b\"", "Q.850;cause=19", "X.int;cause=1"]);
        assert_eq!(Reason::parse_list("SIP;cause=1,Q.850;cause=2").len(), 2);
        assert_eq!(Reason::parse_list(&"SIP;cause=1,".repeat(100)).len(), MAX);
    }

    #[test]
    fn nothing_breaks_out_of_a_text_of_ours() {
        assert_eq!(Reason::q850(16, "a\"\r\nVia: b").to_string(), "Q.850;cause=16;text=\"a\\\"  Via: b\"");
    }
}
