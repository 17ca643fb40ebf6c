//! Concealment of lost telephone audio, after the idea of [ITU-T G.711 Appendix I]: go on with the last pitch period, fade,
//! and cross over into what comes next.
//!
//! The appendix holds everything back by 3.75 ms to smooth the beginning of a gap. We do not: the last period is joined to
//! itself before it is repeated, so its first sample follows the last one received, and nothing is delayed.
//!
//! [ITU-T G.711 Appendix I]: https://www.itu.int/rec/T-REC-G.711-199909-I!AppI

/// Samples at 8 kHz remembered: the longest pitch searched for, and twice the window that is compared, and some.
const HISTORY: usize = 480;
/// Pitch range: 200 Hz to 50 Hz; higher voices are met by a multiple of their period.
const SHORTEST: usize = 40;
const LONGEST: usize = 160;
/// Ticks compared when searching the pitch.
const WINDOW: usize = 160;
/// Ticks at full level before the fade begins.
const HOLD: usize = 80;
/// Ticks made up for a loss, 100 ms; the last of them is silent. The appendix is silent after 60 ms. Where packets are lost in rows,
/// more is left of speech that fades more slowly (docs/PERFORMANCE.md).
pub(crate) const LIMIT: usize = 800;
/// Ticks before another period joins those repeated, so that a long loss does not ring.
const GROWTH: usize = 160;

/// For audio of 8 kHz.
pub(crate) type Narrow = Concealer<HISTORY>;
/// For audio of 16 kHz.
pub(crate) type Wide = Concealer<{ 2 * HISTORY }>;

/// Remembers so many samples of what was heard and goes on from there.
#[derive(Debug)]
pub(crate) struct Concealer<const SAMPLES: usize> {
    /// What was heard last, in a circle: the oldest sample is at `oldest`.
    history: [i16; SAMPLES],
    oldest: usize,
    /// Periods that are being repeated, joined end to start.
    cycle: Box<[f32; SAMPLES]>,
    cycle_length: usize,
    pitch: usize,
    /// Where in the cycle we are.
    at: usize,
    /// Samples made up since the last good one; 0 when nothing is lost.
    made: usize,
}

impl<const SAMPLES: usize> Concealer<SAMPLES> {
    /// Samples in a tick.
    const SCALE: usize = SAMPLES / HISTORY;

    pub(crate) fn new() -> Self {
        Self {
            history: [0; SAMPLES],
            oldest: 0,
            cycle: Box::new([0.0; SAMPLES]),
            cycle_length: SHORTEST * Self::SCALE,
            pitch: SHORTEST * Self::SCALE,
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
            } else if self.made == GROWTH * Self::SCALE || self.made == 2 * GROWTH * Self::SCALE {
                self.at %= self.pitch;
                self.repeat(1 + self.made / (GROWTH * Self::SCALE));
            }
            *sample = (self.next() * self.gain()) as i16;
            self.made += 1;
        }
    }

    /// Forgets everything: what follows is not related to what was.
    pub(crate) fn reset(&mut self) {
        self.history.fill(0);
        self.made = 0;
    }

    fn remember(&mut self, samples: &[i16]) {
        let kept = &samples[samples.len().saturating_sub(SAMPLES)..];
        let (until_end, from_start) = kept.split_at(kept.len().min(SAMPLES - self.oldest));
        self.history[self.oldest..][..until_end.len()].copy_from_slice(until_end);
        self.history[..from_start.len()].copy_from_slice(from_start);
        self.oldest = (self.oldest + kept.len()) % SAMPLES;
    }

    fn cross_over(&mut self, samples: &mut [i16]) {
        // A longer loss has drifted further from the signal and is left more slowly.
        let length = (32 * Self::SCALE + self.made / 5).min(80 * Self::SCALE).min(samples.len());
        for (n, sample) in samples[..length].iter_mut().enumerate() {
            let weight = (n + 1) as f32 / (length + 1) as f32;
            let made_up = self.next() * self.gain();
            *sample = (f32::from(*sample) * weight + made_up * (1.0 - weight)) as i16;
        }
    }

    fn next(&mut self) -> f32 {
        let sample = self.cycle[self.at];
        self.at = (self.at + 1) % self.cycle_length;
        sample
    }

    /// The lag at which the last samples resemble those before them most, to one of 8 kHz first and then to the sample.
    fn find_pitch(&self) -> usize {
        let coarse = (SHORTEST..=LONGEST).map(|lag| lag * Self::SCALE);
        let coarse = self.most_alike(coarse, SHORTEST * Self::SCALE);
        match Self::SCALE {
            1 => coarse,
            scale => self.most_alike((coarse - scale + 1..coarse + scale).chain([coarse]), coarse),
        }
    }

    /// Of some lags that of the highest normalised correlation.
    fn most_alike(&self, lags: impl Iterator<Item = usize>, or: usize) -> usize {
        let window = WINDOW * Self::SCALE;
        let tail = &self.history[SAMPLES - window..];
        let mut best = (f32::MIN, or);
        for lag in lags {
            let before = &self.history[SAMPLES - window - lag..SAMPLES - lag];
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
        let length = (self.pitch * periods).min(SAMPLES - LONGEST * Self::SCALE / 4);
        let start = SAMPLES - length;
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

    fn gain(&self) -> f32 {
        let (hold, limit) = (HOLD * Self::SCALE, LIMIT * Self::SCALE);
        let faded = self.made.saturating_sub(hold) as f32 / (limit - hold - 1) as f32;
        (1.0 - faded).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::level;

    fn tone(frequency: f64, from: usize, count: usize) -> Vec<i16> {
        tone_at(8_000.0, frequency, from, count)
    }

    fn tone_at(rate: f64, frequency: f64, from: usize, count: usize) -> Vec<i16> {
        (from..from + count)
            .map(|n| {
                let angle = n as f64 * frequency * std::f64::consts::TAU / rate;
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
            let mut concealer = Narrow::new();
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
    fn the_same_holds_for_wide_audio() {
        for frequency in [100.0, 133.0, 210.0, 440.0, 1_000.0] {
            let tone = |from, count| tone_at(16_000.0, frequency, from, count);
            let mut concealer = Wide::new();
            let mut heard = tone(0, 1_600);
            concealer.good(&mut heard);
            let mut made_up = [0; 320];
            concealer.lost(&mut made_up);
            let mut after = tone(1_920, 320);
            concealer.good(&mut after);
            let steepest_tone = steepest(&heard);
            heard.extend_from_slice(&made_up);
            heard.extend_from_slice(&after);
            let jump = steepest(&heard[1_400..]);
            assert!(jump <= steepest_tone * 8 / 5, "{frequency} Hz: {jump} over {steepest_tone}");
            assert!(level(&made_up).abs_diff(level(&tone(1_600, 320))) <= 2, "{frequency} Hz");
        }
        let mut concealer = Wide::new();
        concealer.good(&mut tone_at(16_000.0, 200.0, 0, 1_600));
        let mut made_up = [1; 2 * LIMIT + 320];
        concealer.lost(&mut made_up);
        let levels: Vec<u8> = made_up.chunks(320).map(level).collect();
        assert!(levels.is_sorted() && levels[LIMIT / 160] == crate::frame::SILENCE, "{levels:?}");
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let mut concealer = Narrow::new();
        concealer.good(&mut tone(200.0, 0, 800));
        let mut made_up = [1; LIMIT + 160];
        concealer.lost(&mut made_up);
        let levels: Vec<u8> = made_up.chunks(160).map(level).collect();
        assert!(levels.is_sorted(), "only ever quieter: {levels:?}");
        assert_eq!(made_up[LIMIT - 1], 0);
        assert_eq!(levels[LIMIT / 160], crate::frame::SILENCE);
    }

    #[test]
    fn silence_is_concealed_by_silence() {
        let mut concealer = Narrow::new();
        let mut made_up = [7; 160];
        concealer.lost(&mut made_up);
        assert_eq!(made_up, [0; 160]);
    }

    #[test]
    fn odd_lengths_and_short_frames() {
        let mut concealer = Narrow::new();
        for length in [1, 8, 79, 80, 159, 1_600] {
            let mut frame = tone(300.0, 0, length);
            concealer.good(&mut frame);
            let mut made_up = vec![0; length];
            concealer.lost(&mut made_up);
        }
    }
}
