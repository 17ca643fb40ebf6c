//! Numbers for people.

use std::time::Duration;

/// Milliseconds with as many digits as they deserve.
pub(super) fn milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Milliseconds for a script, to a hundredth.
pub(super) fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

/// Reads a length of time as people write it: `90`, `90s`, `1.5m`, `250ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &text[..text.len() - unit.len()];
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{text:?} is no length of time; it should look like 30s, 250ms or 2m")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no length of time"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

/// Reads the pitch of a tone that a telephone lets through.
pub(super) fn pitch(text: &str) -> Result<f32, String> {
    let pitch = text.parse().ok().filter(|pitch| (20.0..=3900.0).contains(pitch));
    pitch.ok_or_else(|| format!("{text:?} is no pitch; it should be a number of hertz from 20 to 3900"))
}

/// The value below which this share of a sorted list lies; `None` for an empty one.
pub(super) fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, expected) in [
            ("30", Some(30_000)),
            ("30s", Some(30_000)),
            ("250ms", Some(250)),
            ("1.5m", Some(90_000)),
            ("-1s", None),
            ("s", None),
            ("3 days", None),
        ] {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn pitches() {
        for (text, expected) in [("440", Some(440.0)), ("0", None), ("NaN", None), ("20000", None), ("a", None)] {
            assert_eq!(pitch(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn quantiles_are_members_of_the_list() {
        let list: Vec<u32> = (1..=101).collect();
        assert_eq!(quantile(&list, 0.5), Some(51));
        assert_eq!(quantile(&list, 0.99), Some(100));
        assert_eq!(quantile(&list, 1.0), Some(101));
        assert_eq!(quantile::<u32>(&[], 0.5), None);
    }
}
