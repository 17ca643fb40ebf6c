//! A key pressed, told in the body of an INFO: `application/dtmf-relay` and `application/dtmf`, which no RFC defines and
//! PBXs agree upon.

use std::{fmt::Write, time::Duration};

use bytes::Bytes;

use super::{HeaderName, Headers};

/// Keys are not pressed for longer, whatever a body says.
const LONGEST: Duration = Duration::from_secs(10);
/// How long a key is pressed where a body does not say.
const USUAL: Duration = Duration::from_millis(250);
/// More of a body is not looked at.
const MAX_BODY: usize = 256;

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormat {
    /// `application/dtmf-relay`: `Signal=5`, `Duration=160`.
    Relay,
    /// `application/dtmf`: the key alone.
    Plain,
}

/// A key that was pressed. Its `Debug` does not tell which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyPress {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub key: char,
    /// For how long.
    pub duration: Duration,
}

impl KeyFormat {
    /// All types, as an Accept header lists them.
    pub const ACCEPTED: &str = "application/dtmf-relay, application/dtmf";

    /// The format of a type of body; `None` when it is another.
    pub fn of(content_type: &str) -> Option<Self> {
        [Self::Relay, Self::Plain].into_iter().find(|format| format.content_type() == content_type)
    }

    /// Those that an Accept header names, be it as `*/*` (RFC 3261 §20.1).
    pub fn among(headers: &Headers) -> Vec<Self> {
        let accepted = headers.tokens(&HeaderName::Accept);
        let mut formats = vec![Self::Relay, Self::Plain];
        formats.retain(|format| accepted.iter().any(|range| is_within(format.content_type(), range)));
        formats
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Relay => Self::Plain,
            Self::Plain => Self::Relay,
        }
    }

    /// The type of its bodies.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Relay => "application/dtmf-relay",
            Self::Plain => "application/dtmf",
        }
    }

    /// Reads a body; `None` when there is no key in it: a hook flash is none.
    pub fn read(self, body: &[u8]) -> Option<KeyPress> {
        let text = std::str::from_utf8(body.get(..body.len().min(MAX_BODY))?).ok()?;
        match self {
            Self::Relay => {
                let fields = text.lines().filter_map(|line| line.split_once('='));
                let value = |wanted: &str| {
                    let mut fields = fields.clone();
                    fields.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
                };
                let millis = value("Duration").and_then(|millis| millis.parse().ok());
                let duration = millis.map_or(USUAL, Duration::from_millis).min(LONGEST);
                Some(KeyPress { key: key(value("Signal")?)?, duration })
            }
            Self::Plain => Some(KeyPress { key: key(text.trim())?, duration: USUAL }),
        }
    }

    /// Writes a body.
    pub fn write(self, press: KeyPress) -> Bytes {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = match self {
            Self::Relay => write!(text, "Signal={}\r\nDuration={}\r\n", press.key, press.duration.as_millis()),
            Self::Plain => write!(text, "{}", press.key),
        };
        Bytes::from(text)
    }
}

impl std::fmt::Debug for KeyPress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPress").field("duration", &self.duration).finish_non_exhaustive()
    }
}

/// Whether a type of body is one of those that an Accept header means by an item.
fn is_within(content_type: &str, range: &str) -> bool {
    let mut parts = range.split(';');
    let range: String = parts.next().unwrap_or_default().split_whitespace().collect();
    // Named, and not wanted (RFC 2616 §14.1).
    let is_unwanted = |parameter: &str| {
        let quality = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        quality.is_some_and(|(_, value)| value.trim().parse() == Ok(0.0))
    };
    !parts.any(is_unwanted)
        && ["*/*", "application/*", content_type].iter().any(|known| range.eq_ignore_ascii_case(known))
}

/// A key by its sign, or by the number of its event (RFC 4733 §3.2), as some write `*` and `#`.
fn key(text: &str) -> Option<char> {
    let sign = match text {
        "10" => '*',
        "11" => '#',
        "12" => 'A',
        "13" => 'B',
        "14" => 'C',
        "15" => 'D',
        _ => {
            let mut signs = text.chars();
            signs.next().filter(|_| signs.next().is_none())?.to_ascii_uppercase()
        }
    };
    matches!(sign, '0'..='9' | '*' | '#' | 'A'..='D').then_some(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        use KeyFormat::{Plain, Relay};
        type Row = (&'static str, KeyFormat, &'static str, Option<(char, u64)>);
        let cases: &[Row] = &[
            ("relay", Relay, "Signal=5\r\nDuration=160\r\n", Some(('5', 160))),
            ("no duration, no line end", Relay, "Signal=5", Some(('5', 250))),
            ("spaced, other case, other order", Relay, "duration = 100\nSIGNAL= #\n", Some(('#', 100))),
            ("by number", Relay, "Signal=10\r\nDuration=100", Some(('*', 100))),
            ("small letter", Relay, "Signal=d\r\n", Some(('D', 250))),
            ("for ever", Relay, "Signal=1\r\nDuration=99999999", Some(('1', 10_000))),
            ("odd duration", Relay, "Signal=1\r\nDuration=long", Some(('1', 250))),
            ("hook flash", Relay, "Signal=16\r\nDuration=100", None),
            ("two keys", Relay, "Signal=55\r\n", None),
            ("no signal", Relay, "Duration=100\r\n", None),
            ("empty", Relay, "", None),
            ("plain", Plain, "7", Some(('7', 250))),
            ("plain with a line end", Plain, "*\r\n", Some(('*', 250))),
            ("plain by number", Plain, "11", Some(('#', 250))),
            ("nothing", Plain, "", None),
            ("a word", Plain, "hello", None),
        ];
        for (name, format, body, expected) in cases {
            let read = format.read(body.as_bytes()).map(|press| (press.key, press.duration));
            assert_eq!(read, expected.map(|(key, millis)| (key, Duration::from_millis(millis))), "{name}");
        }
        assert_eq!(Relay.read(&[0xff, b'5']), None);
    }

    #[test]
    fn formats_that_are_accepted() {
        use KeyFormat::{Plain, Relay};
        let cases: &[(&[&str], &[KeyFormat])] = &[
            (&[], &[]),
            (&[""], &[]),
            (&["application/dtmf"], &[Plain]),
            (&["application/sdp, application/DTMF-Relay"], &[Relay]),
            (&["application/sdp", "application/dtmf;q=0.5, application / dtmf-relay"], &[Relay, Plain]),
            (&["application/dtmf-relay;q=0, application/dtmf"], &[Plain]),
            (&["application/dtmf-relay; Q=0.000"], &[]),
            (&["*/*"], &[Relay, Plain]),
            (&["application/*"], &[Relay, Plain]),
            (&["text/*, application/dtmf-relayed, application/dtmfx"], &[]),
        ];
        for (values, expected) in cases {
            let mut headers = Headers::new();
            values.iter().for_each(|value| headers.push(HeaderName::Accept, *value));
            assert_eq!(KeyFormat::among(&headers), *expected, "{values:?}");
        }
        assert_eq!((Relay.other(), Plain.other()), (Plain, Relay));
    }

    #[test]
    fn what_is_written_can_be_read_and_is_not_shown() {
        let press = KeyPress { key: '9', duration: Duration::from_millis(120) };
        assert_eq!(KeyFormat::Relay.read(&KeyFormat::Relay.write(press)), Some(press));
        assert_eq!(&KeyFormat::Plain.write(press)[..], b"9");
        assert!(!format!("{press:?}").contains('9'));
        assert_eq!(KeyFormat::of("application/dtmf"), Some(KeyFormat::Plain));
        assert_eq!(KeyFormat::of("text/plain"), None);
    }
}
