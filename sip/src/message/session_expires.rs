//! How long a session lasts without being refreshed: Session-Expires and Min-SE ([RFC 4028 §4, §5]).
//!
//! [RFC 4028 §4, §5]: https://www.rfc-editor.org/rfc/rfc4028#section-4

use std::{fmt, time::Duration};

use super::{header_name::HeaderName, headers::Headers, value::Value};

/// Who keeps a session alive, as seen from the request that the header belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Whoever sent the request.
    Uac,
    /// Whoever answered it.
    Uas,
}

/// The value of Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Time from one refresh to the end.
    pub interval: Duration,
    /// Who refreshes, where it is said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads the value; a refresher that nobody has heard of is none.
    pub fn parse(value: &str) -> Option<Self> {
        let value = Value::parse(value).ok()?;
        let refresher = match value.params.get("refresher") {
            Some(role) if role.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(role) if role.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Some(Self { interval: seconds(&value.text)?, refresher })
    }

    /// What a message says; `None` when it says nothing that can be read.
    pub fn of(headers: &Headers) -> Option<Self> {
        headers.get(&HeaderName::SessionExpires).and_then(Self::parse)
    }

    /// The least that a message asks for (Min-SE).
    pub fn least(headers: &Headers) -> Option<Duration> {
        let value = headers.get(&HeaderName::MinSe).and_then(|value| Value::parse(value).ok())?;
        seconds(&value.text)
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.refresher {
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
            None => "",
        };
        write!(f, "{}{role}", self.interval.as_secs())
    }
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain", "1800", Some("1800")),
            ("caller", "1800;refresher=uac", Some("1800;refresher=uac")),
            ("callee, spaced, other case", " 90 ; Refresher = UAS", Some("90;refresher=uas")),
            ("unknown refresher", "90;refresher=proxy", Some("90")),
            ("other parameter", "90;x=y;refresher=uac", Some("90;refresher=uac")),
            ("largest", "4294967295", Some("4294967295")),
            ("too large", "4294967296", None),
            ("negative", "-1", None),
            ("fraction", "90.5", None),
            ("no number", "soon", None),
            ("empty", "", None),
        ];
        for (name, text, expected) in cases {
            let read = SessionExpires::parse(text).map(|value| value.to_string());
            assert_eq!(read.as_deref(), *expected, "{name}");
        }
    }

    #[test]
    fn the_least_is_read_from_its_own_header() {
        let mut headers = Headers::new();
        assert_eq!(SessionExpires::least(&headers), None);
        headers.push(HeaderName::MinSe, "120;x=y");
        assert_eq!(SessionExpires::least(&headers), Some(Duration::from_secs(120)));
        assert_eq!(SessionExpires::of(&headers), None);
    }
}
