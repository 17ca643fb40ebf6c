//! Numbers for people.

use std::time::Duration;

/// Milliseconds with as many digits as they deserve.
pub(super) fn milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
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
    fn quantiles_are_members_of_the_list() {
        let list: Vec<u32> = (1..=101).collect();
        assert_eq!(quantile(&list, 0.5), Some(51));
        assert_eq!(quantile(&list, 0.99), Some(100));
        assert_eq!(quantile(&list, 1.0), Some(101));
        assert_eq!(quantile::<u32>(&[], 0.5), None);
    }
}
