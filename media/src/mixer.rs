//! Mixing of several talkers at the carrier's rate.

/// Adds a talker to what is there, holding at the ends of the scale.
pub fn add(sum: &mut [i16], talker: &[i16]) {
    for (sum, sample) in sum.iter_mut().zip(talker) {
        *sum = sum.saturating_add(*sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_saturates() {
        let cases = [
            ("plain", 100, 23, 123),
            ("opposite", 5_000, -5_000, 0),
            ("too loud", 30_000, 30_000, i16::MAX),
            ("too low", -30_000, -30_000, i16::MIN),
        ];
        for (name, a, b, expected) in cases {
            let mut sum = [a; 160];
            add(&mut sum, &[b; 160]);
            assert_eq!(sum, [expected; 160], "{name}");
        }
    }
}
