//! Concealment of lost telephone audio, after the idea of [ITU-T G.711 Appendix I]: go on with the last pitch period, fade,
//! and cross over into what comes next.
//!
//! The appendix holds everything back by 3.75 ms to smooth the beginning of a gap. We do not: the last period is joined to
//! itself before it is repeated, so its first sample follows the last one received, and nothing is delayed.
//!
//! [ITU-T G.711 Appendix I]: https://www.itu.int/rec/T-REC-G.711-199909-I!AppI

/// Samples remembered: the longest pitch searched for, and twice the window that is compared, and some.
const HISTORY: usize = 480;
/// Pitch range: 200 Hz to 50 Hz; higher voices are met by a multiple of their period.
const SHORTEST: usize = 40;
const LONGEST: usize = 160;
/// Samples compared when searching the pitch.
const WINDOW: usize = 160;
/// Samples at full level before the fade begins.
const HOLD: usize = 80;
/// Samples made up for a loss; the last of them is silent.
pub(crate) const LIMIT: usize = 480;
/// Samples before another period joins those repeated, so that a long loss does not ring.
const GROWTH: usize = 160;

/// Remembers what was heard and goes on from there.
#[derive(Debug)]
pub(crate) struct Concealer {
    /// What was heard last, in a circle: the oldest sample is at `oldest`.
    history: [i16; HISTORY],
    oldest: usize,
    /// Periods that are being repeated, joined end to start.
    cycle: Box<[f32; HISTORY]>,
    cycle_length: usize,
    pitch: usize,
    /// Where in the cycle we are.
    at: usize,
    /// Samples made up since the last good one; 0 when nothing is lost.
    made: usize,
}

impl Concealer {
    pub(crate) fn new() -> Self {
        Self {
            history: [0; HISTORY],
            oldest: 0,
            cycle: Box::new([0.0; HISTORY]),
            cycle_length: SHORTEST,
            pitch: SHORTEST,
            at: 0,
            made: 0,
        }
    }

    /// Takes in good samples; after a loss their beginning is crossed over from what was made up.
    pub(crate) fn good(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            self.cross_over(samples);
            self.made = 0;
        }
        self.remember(samples);
    }

    /// Fills `samples` with what might have been. Past [`LIMIT`] that is silence.
    pub(crate) fn lost(&mut self, samples: &mut [i16]) {
        for sample in samples {
            if self.made == 0 {
                self.history.rotate_left(std::mem::take(&mut self.oldest));
                self.pitch = self.find_pitch();
                self.at = 0;
                self.repeat(1);
            } else if self.made == GROWTH || self.made == 2 * GROWTH {
                self.at %= self.pitch;
                self.repeat(1 + self.made / GROWTH);
            }
            *sample = (self.next() * gain(self.made)) as i16;
            self.made += 1;
        }
    }

    /// Forgets everything: what follows is not related to what was.
    pub(crate) fn reset(&mut self) {
        self.history.fill(0);
        self.made = 0;
    }

    fn remember(&mut self, samples: &[i16]) {
        let kept = &samples[samples.len().saturating_sub(HISTORY)..];
        let (until_end, from_start) = kept.split_at(kept.len().min(HISTORY - self.oldest));
        self.history[self.oldest..][..until_end.len()].copy_from_slice(until_end);
        self.history[..from_start.len()].copy_from_slice(from_start);
        self.oldest = (self.oldest + kept.len()) % HISTORY;
    }

    fn cross_over(&mut self, samples: &mut [i16]) {
        // A longer loss has drifted further from the signal and is left more slowly.
        let length = (32 + self.made / 5).min(80).min(samples.len());
        for (n, sample) in samples[..length].iter_mut().enumerate() {
            let weight = (n + 1) as f32 / (length + 1) as f32;
            let made_up = self.next() * gain(self.made);
            *sample = (f32::from(*sample) * weight + made_up * (1.0 - weight)) as i16;
        }
    }

    fn next(&mut self) -> f32 {
        let sample = self.cycle[self.at];
        self.at = (self.at + 1) % self.cycle_length;
        sample
    }

    /// The lag at which the last samples resemble those before them most, by normalised correlation.
    fn find_pitch(&self) -> usize {
        let tail = &self.history[HISTORY - WINDOW..];
        let mut best = (f32::MIN, SHORTEST);
        for lag in SHORTEST..=LONGEST {
            let before = &self.history[HISTORY - WINDOW - lag..HISTORY - lag];
            let (mut product, mut energy) = (0i64, 1_000i64);
            for (a, b) in tail.iter().zip(before) {
                product += i64::from(i32::from(*a) * i32::from(*b));
                energy += i64::from(i32::from(*b) * i32::from(*b));
            }
            let likeness = product as f32 / (energy as f32).sqrt();
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        best.1
    }

    /// Prepares the last periods for repetition: their end fades into what came before their start.
    fn repeat(&mut self, periods: usize) {
        let length = (self.pitch * periods).min(HISTORY - LONGEST / 4);
        let start = HISTORY - length;
        for (to, from) in self.cycle.iter_mut().zip(&self.history[start..]) {
            *to = f32::from(*from);
        }
        let overlap = self.pitch / 4;
        for n in 0..overlap {
            let weight = (n + 1) as f32 / (overlap + 1) as f32;
            let end = &mut self.cycle[length - overlap + n];
            *end = *end * (1.0 - weight) + f32::from(self.history[start - overlap + n]) * weight;
        }
        self.cycle_length = length;
    }
}

fn gain(made: usize) -> f32 {
    let faded = made.saturating_sub(HOLD) as f32 / (LIMIT - HOLD - 1) as f32;
    (1.0 - faded).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::level;

    fn tone(frequency: f64, from: usize, count: usize) -> Vec<i16> {
        (from..from + count)
            .map(|n| {
                let angle = n as f64 * frequency * std::f64::consts::TAU / 8_000.0;
                (angle.sin() * 10_000.0) as i16
            })
            .collect()
    }

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_lost_frame_of_a_tone_goes_unnoticed() {
        for frequency in [100.0, 133.0, 210.0, 440.0, 1_000.0] {
            let mut concealer = Concealer::new();
            let mut heard = tone(frequency, 0, 800);
            concealer.good(&mut heard);
            let mut made_up = [0; 160];
            concealer.lost(&mut made_up);
            let mut after = tone(frequency, 960, 160);
            concealer.good(&mut after);

            let steepest_tone = steepest(&heard);
            heard.extend_from_slice(&made_up);
            heard.extend_from_slice(&after);
            let jump = steepest(&heard[700..]);
            assert!(jump <= steepest_tone * 8 / 5, "{frequency} Hz: {jump} over {steepest_tone}");
            let wanted = level(&tone(frequency, 800, 160));
            assert!(level(&made_up).abs_diff(wanted) <= 2, "{frequency} Hz");
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let mut concealer = Concealer::new();
        concealer.good(&mut tone(200.0, 0, 800));
        let mut made_up = [1; LIMIT + 160];
        concealer.lost(&mut made_up);
        let levels: Vec<u8> = made_up.chunks(160).map(level).collect();
        assert!(levels.is_sorted(), "only ever quieter: {levels:?}");
        assert_eq!(made_up[LIMIT - 1], 0);
        assert_eq!(levels[3], crate::frame::SILENCE);
    }

    #[test]
    fn silence_is_concealed_by_silence() {
        let mut concealer = Concealer::new();
        let mut made_up = [7; 160];
        concealer.lost(&mut made_up);
        assert_eq!(made_up, [0; 160]);
    }

    #[test]
    fn odd_lengths_and_short_frames() {
        let mut concealer = Concealer::new();
        for length in [1, 8, 79, 80, 159, 1_600] {
            let mut frame = tone(300.0, 0, length);
            concealer.good(&mut frame);
            let mut made_up = vec![0; length];
            concealer.lost(&mut made_up);
        }
    }
}
