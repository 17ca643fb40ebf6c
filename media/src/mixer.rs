//! Mixing of several talkers at the carrier's rate.

/// Samples summed at a time: few enough to stay in registers while one talker after another is added.
const BLOCK: usize = 32;

/// Sums the talkers, holding at the ends of the scale; samples that a talker lacks are silence.
pub fn mix<'a>(talkers: &(impl Iterator<Item = &'a [i16]> + Clone), sum: &mut [i16]) {
    for (n, sum) in sum.chunks_mut(BLOCK).enumerate() {
        let mut block = [0i16; BLOCK];
        for talker in talkers.clone() {
            let talker = &talker[(n * BLOCK).min(talker.len())..];
            if let Some(whole) = talker.first_chunk::<BLOCK>() {
                add(&mut block, whole);
            } else {
                add(&mut block, talker);
            }
        }
        sum.copy_from_slice(&block[..sum.len()]);
    }
}

#[inline(always)]
fn add(sum: &mut [i16; BLOCK], talker: &[i16]) {
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
            for length in [1, 31, 32, 33, 160] {
                let talkers = [vec![a; length], vec![b; length]];
                let mut sum = vec![7; length];
                mix(&talkers.iter().map(Vec::as_slice), &mut sum);
                assert_eq!(sum, vec![expected; length], "{name}");
            }
        }
    }
}
