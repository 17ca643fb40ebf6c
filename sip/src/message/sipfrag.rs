//! How a call fares, as the body of a NOTIFY tells it: the first line of a response ([RFC 3420], [RFC 3515 §2.4.5]).
//!
//! [RFC 3420]: https://www.rfc-editor.org/rfc/rfc3420
//! [RFC 3515 §2.4.5]: https://www.rfc-editor.org/rfc/rfc3515#section-2.4.5

use std::fmt;

use super::{headers::Headers, status::Status};

/// A longer line is no status line.
const MAX_LINE: usize = 512;

/// The status line of a fragment; whatever follows it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sipfrag {
    /// What the call was answered with so far.
    pub status: Status,
    /// The same in words.
    pub reason: String,
}

impl Sipfrag {
    /// What Content-Type calls it.
    pub const CONTENT_TYPE: &str = "message/sipfrag;version=2.0";

    /// A status with its usual words.
    pub fn new(status: Status) -> Self {
        Self { status, reason: status.reason_phrase().to_owned() }
    }

    /// Reads the body of a message with these headers; `None` when it is no fragment, or one of a request.
    pub fn of(headers: &Headers, body: &[u8]) -> Option<Self> {
        let kind = headers.content_type();
        // Without a type there is nothing else it could be.
        kind.is_none_or(|kind| kind == "message/sipfrag").then(|| Self::parse(body)).flatten()
    }

    /// Reads a status line, whose end may be missing: peers leave it out.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let start = body.iter().position(|byte| !b"\r\n".contains(byte))?;
        let window = body.get(start..)?;
        let end = window.iter().position(|byte| b"\r\n".contains(byte)).unwrap_or(window.len());
        let line = String::from_utf8_lossy(window.get(..end).filter(|line| line.len() <= MAX_LINE)?).into_owned();
        let mut words = line.splitn(3, ' ');
        if !words.next()?.eq_ignore_ascii_case("SIP/2.0") {
            return None;
        }
        let code = words.next().filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()))?;
        let status = Status::new(code.parse().ok()?)?;
        let reason = words.next().unwrap_or_default().replace(char::is_control, " ");
        Some(Self { status, reason: reason.trim().to_owned() })
    }
}

impl fmt::Display for Sipfrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0 {} {}\r\n", self.status, self.reason.replace(char::is_control, " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::HeaderName;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &[u8], Option<&str>)] = &[
            ("plain", b"SIP/2.0 486 Busy Here\r\n", Some("SIP/2.0 486 Busy Here\r\n")),
            ("no line end", b"SIP/2.0 100 Trying", Some("SIP/2.0 100 Trying\r\n")),
            ("lone LF", b"SIP/2.0 200 OK\n", Some("SIP/2.0 200 OK\r\n")),
            ("headers behind", b"SIP/2.0 200 OK\r\nTo: <sip:a@b>\r\n\r\n", Some("SIP/2.0 200 OK\r\n")),
            ("empty lines in front", b"\r\n\r\nSIP/2.0 200 OK", Some("SIP/2.0 200 OK\r\n")),
            ("other case", b"sip/2.0 180 Ringing", Some("SIP/2.0 180 Ringing\r\n")),
            ("no reason", b"SIP/2.0 603", Some("SIP/2.0 603 \r\n")),
            ("control characters", b"SIP/2.0 603 No\0way\x07", Some("SIP/2.0 603 No way\r\n")),
            ("no UTF-8", b"SIP/2.0 603 \xff", Some("SIP/2.0 603 \u{fffd}\r\n")),
            ("other version", b"SIP/3.0 200 OK", None),
            ("no such code", b"SIP/2.0 099 No", None),
            ("code too long", b"SIP/2.0 2000 No", None),
            ("signed code", b"SIP/2.0 +20 No", None),
            ("a request", b"INVITE sip:a@b SIP/2.0\r\n", None),
            ("two spaces", b"SIP/2.0  200 OK", None),
            ("empty", b"", None),
            ("only line ends", b"\r\n\r\n", None),
        ];
        for (name, text, expected) in cases {
            let read = Sipfrag::parse(text);
            assert_eq!(read.as_ref().map(Sipfrag::to_string).as_deref(), *expected, "{name}");
        }
        let long = format!("SIP/2.0 200 {}", "x".repeat(MAX_LINE));
        assert_eq!(Sipfrag::parse(long.as_bytes()), None, "too long");
    }

    #[test]
    fn only_a_fragment_is_read_as_one() {
        let cases: &[(&str, Option<&str>, bool)] = &[
            ("no type", None, true),
            ("with a version", Some("message/sipfrag;version=2.0"), true),
            ("other case", Some("Message/SIPfrag"), true),
            ("other type", Some("text/plain"), false),
        ];
        for (name, kind, expected) in cases {
            let mut headers = Headers::new();
            kind.iter().for_each(|kind| headers.push(HeaderName::ContentType, *kind));
            assert_eq!(Sipfrag::of(&headers, b"SIP/2.0 200 OK").is_some(), *expected, "{name}");
        }
    }
}
