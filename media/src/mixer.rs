//! Mixing of several talkers at the carrier's rate.

/// Samples summed at a time: few enough to stay in registers while one talker after another is added.
const BLOCK: usize = 32;

/// Sums the talkers, holding at the ends of the scale; samples that a talker lacks are silence.
pub fn mix<'a>(talkers: &(impl Iterator<Item = &'a [i16]> + Clone), sum: &mut [i16]) {
    for (n, sum) in sum.chunks_mut(BLOCK).enumerate() {
        // Wide enough for the sum of any number of talkers: one who is held at the end of the scale before others bring him back
        // would be heard distorted.
        let mut block = [0i32; BLOCK];
        for talker in talkers.clone() {
            let talker = &talker[(n * BLOCK).min(talker.len())..];
            if let Some(whole) = talker.first_chunk::<BLOCK>() {
                add(&mut block, whole);
            } else {
                add(&mut block, talker);
            }
        }
        for (sum, total) in sum.iter_mut().zip(block) {
            *sum = total.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }
}

#[inline(always)]
fn add(sum: &mut [i32; BLOCK], talker: &[i16]) {
    for (sum, sample) in sum.iter_mut().zip(talker) {
        *sum += i32::from(*sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_saturates() {
        let cases: &[(&str, &[i16], i16)] = &[
            ("plain", &[100, 23], 123),
            ("opposite", &[5_000, -5_000], 0),
            ("too loud", &[30_000, 30_000], i16::MAX),
            ("too low", &[-30_000, -30_000], i16::MIN),
            ("too loud but for the last", &[30_000, 30_000, -30_000], 30_000),
            ("all at the end of the scale", &[i16::MIN; 16], i16::MIN),
        ];
        for (name, samples, expected) in cases {
            for length in [1, 31, 32, 33, 160] {
                let talkers: Vec<_> = samples.iter().map(|sample| vec![*sample; length]).collect();
                let mut sum = vec![7; length];
                mix(&talkers.iter().map(Vec::as_slice), &mut sum);
                assert_eq!(sum, vec![*expected; length], "{name}");
            }
        }
    }
}
