//! Mixing of several talkers at the carrier's rate.

/// Samples summed at a time: few enough to stay in registers while one talker after another is added.
const BLOCK: usize = 32;

/// Sums the talkers, holding at the ends of the scale; samples that a talker lacks are silence.
pub fn mix<'a>(talkers: &(impl Iterator<Item = &'a [i16]> + Clone), sum: &mut [i16]) {
    for (n, sum) in sum.chunks_mut(BLOCK).enumerate() {
        let block = Block::of(talkers, n);
        if block.beyond == [0; BLOCK] {
            sum.copy_from_slice(&block.sum[..sum.len()]);
        } else {
            mix_loud(talkers, n * BLOCK, sum);
        }
    }
}

/// Samples summed as they are: half as wide as what holds every sum, and so twice as many at a time.
struct Block {
    sum: [i16; BLOCK],
    /// Not zero where the sum was beyond the scale, be it that others have brought it back.
    beyond: [i16; BLOCK],
}

impl Block {
    #[inline(always)]
    fn of<'a>(talkers: &(impl Iterator<Item = &'a [i16]> + Clone), n: usize) -> Self {
        let mut block = Self { sum: [0; BLOCK], beyond: [0; BLOCK] };
        for talker in talkers.clone() {
            let talker = &talker[(n * BLOCK).min(talker.len())..];
            if let Some(whole) = talker.first_chunk::<BLOCK>() {
                block.add(whole);
            } else {
                block.add(talker);
            }
        }
        block
    }

    #[inline(always)]
    fn add(&mut self, talker: &[i16]) {
        for ((sum, beyond), sample) in self.sum.iter_mut().zip(&mut self.beyond).zip(talker) {
            let held = sum.saturating_add(*sample);
            *beyond |= held ^ sum.wrapping_add(*sample);
            *sum = held;
        }
    }
}

/// A talker who is held at the end of the scale before others bring him back would be heard distorted: held is the whole sum.
#[cold]
fn mix_loud<'a>(talkers: &(impl Iterator<Item = &'a [i16]> + Clone), start: usize, sum: &mut [i16]) {
    for (n, sum) in sum.iter_mut().enumerate() {
        let total: i32 =
            talkers.clone().filter_map(|talker| talker.get(start + n)).map(|sample| i32::from(*sample)).sum();
        *sum = total.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
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
