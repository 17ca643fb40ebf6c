//! Whether to code redundancy toward the room, by what the room's reports say of our packets ([RFC 3550 §6.4.2]).
//!
//! A report comes about once a second and speaks of some fifty packets, so one of them proves little: a mean of the last few
//! decides. It falls to the lower border only after many reports without a loss, which is all the hysteresis there is.
//!
//! [RFC 3550 §6.4.2]: https://www.rfc-editor.org/rfc/rfc3550#section-6.4.2

/// The weight of the latest report.
const WEIGHT: f64 = 0.25;
/// Redundancy is coded when the mean is above this share of packets lost.
const ON: f64 = 0.01;
/// And no longer when it is below this: of five percent lost, that is eight reports after the last loss.
const OFF: f64 = 0.005;
/// The loss that libopus is told to expect, in percent. More makes the redundancy better and the rest worse: at 3, 5 and 10
/// percent lost, nothing above this was heard better.
const EXPECTED: u8 = 10;

/// Follows the reports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Redundancy {
    mean: f64,
    on: bool,
}

impl Redundancy {
    /// Takes the share of our packets that a report says were lost; returns the loss to expect from here on if that changes.
    pub(crate) fn handle_report(&mut self, lost: f64) -> Option<u8> {
        self.mean += WEIGHT * (lost.clamp(0.0, 1.0) - self.mean);
        let on = self.mean > if self.on { OFF } else { ON };
        let changed = on != std::mem::replace(&mut self.on, on);
        changed.then_some(if on { EXPECTED } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redundancy_follows_the_loss_and_outlives_it() {
        type Changes = &'static [(usize, u8)];
        let cases: &[(&str, &[f64], Changes)] = &[
            ("no loss", &[0.0; 20], &[]),
            ("one packet in a minute", &[0.0, 0.02, 0.0, 0.0], &[]),
            ("five percent", &[0.05; 10], &[(0, 10)]),
            ("two percent", &[0.02; 10], &[(2, 10)]),
            ("a little, for long", &[0.009; 100], &[]),
            ("a burst, and then nothing", &[0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], &[(0, 10), (4, 0)]),
            ("more and less", &[0.05, 0.0, 0.02, 0.0, 0.02, 0.0, 0.02, 0.0], &[(0, 10)]),
            ("not a share", &[f64::INFINITY, -1.0], &[(0, 10)]),
        ];
        for (name, reports, expected) in cases {
            let mut redundancy = Redundancy::default();
            let changes: Vec<_> = reports
                .iter()
                .enumerate()
                .filter_map(|(n, lost)| redundancy.handle_report(*lost).map(|loss| (n, loss)))
                .collect();
            assert_eq!(changes, *expected, "{name}");
        }
    }
}
