//! What became of a subscription: Subscription-State ([RFC 6665 §8.2.3]).
//!
//! [RFC 6665 §8.2.3]: https://www.rfc-editor.org/rfc/rfc6665#section-8.2.3

use std::{fmt, time::Duration};

use super::{header_name::HeaderName, headers::Headers, value::Value};

/// Whether more will be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Yes; for so long, where it says so.
    Active {
        /// The rest of its life.
        expires: Option<Duration>,
    },
    /// No.
    Terminated,
}

impl SubscriptionState {
    /// Reads the value. `pending` and states that nobody has heard of mean that more will be told.
    pub fn parse(value: &str) -> Option<Self> {
        let value = Value::parse(value).ok()?;
        if value.text.eq_ignore_ascii_case("terminated") {
            return Some(Self::Terminated);
        }
        let seconds = value.params.get("expires").and_then(|seconds| seconds.parse::<u32>().ok());
        Some(Self::Active { expires: seconds.map(|seconds| Duration::from_secs(seconds.into())) })
    }

    /// The state that a NOTIFY tells; `None` when it tells none that can be read.
    pub fn of(headers: &Headers) -> Option<Self> {
        headers.get(&HeaderName::SubscriptionState).and_then(Self::parse)
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active { expires: Some(expires) } => write!(f, "active;expires={}", expires.as_secs()),
            Self::Active { expires: None } => f.write_str("active"),
            // What RFC 3515 §2.4.7 gives as the reason when the call has come to its end.
            Self::Terminated => f.write_str("terminated;reason=noresource"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("active", "active;expires=60", Some("active;expires=60")),
            ("no time", "active", Some("active")),
            ("no number", "active;expires=soon", Some("active")),
            ("too large", "active;expires=99999999999", Some("active")),
            ("pending", "pending ; expires = 5", Some("active;expires=5")),
            ("unknown", "asleep", Some("active")),
            ("terminated", "terminated;reason=noresource", Some("terminated;reason=noresource")),
            ("other case", "Terminated;Reason=timeout", Some("terminated;reason=noresource")),
            ("empty", "", None),
            ("parameters alone", ";expires=1", None),
        ];
        for (name, text, expected) in cases {
            let read = SubscriptionState::parse(text);
            assert_eq!(read.map(|state| state.to_string()).as_deref(), *expected, "{name}");
        }
    }
}
