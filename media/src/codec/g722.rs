//! G.722 at 64 kbit/s ([ITU-T G.722], payload type 9 of [RFC 3551 §4.5.2]): seven kilohertz of voice in the bytes of G.711.
//!
//! ```text
//! 16 kHz ──► mirror filters ──► 0-4 kHz at 8 kHz ──► 6 bits ─┐
//!                          └──► 4-8 kHz at 8 kHz ──► 2 bits ─┴─► one byte for two samples
//! ```
//!
//! A byte is two samples and one tick of the RTP clock, which says 8000 for the sake of an old mistake. Each band is predicted
//! from its past, and what the prediction missed is quantised in steps that grow and shrink with the signal. The decoder does
//! the same from the same bits; after a loss the leakage built into both brings them together again.
//!
//! [ITU-T G.722]: https://www.itu.int/rec/T-REC-G.722
//! [RFC 3551 §4.5.2]: https://www.rfc-editor.org/rfc/rfc3551#section-4.5.2

mod band;
mod mirror;
mod tables;

use self::{
    band::Band,
    mirror::{Analysis, Synthesis},
};

/// Two samples in, a byte out.
#[derive(Clone, Debug)]
pub struct Encoder {
    split: Analysis,
    low: Band,
    high: Band,
}

/// A byte in, two samples out.
#[derive(Clone, Debug)]
pub struct Decoder {
    join: Synthesis,
    low: Band,
    high: Band,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { split: Analysis::default(), low: Band::low(), high: Band::high() }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { join: Synthesis::default(), low: Band::low(), high: Band::high() }
    }
}

impl Encoder {
    /// Encodes pairs of samples, as many as both slices have room for; returns how many bytes they make.
    pub fn encode(&mut self, samples: &[i16], bytes: &mut [u8]) -> usize {
        let (pairs, _) = samples.as_chunks::<2>();
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let (low, high) = self.split.split(*pair);
            *byte = self.high.encode_high(high) << 6 | self.low.encode_low(low);
        }
        bytes.len().min(pairs.len())
    }
}

impl Decoder {
    /// Decodes as many bytes as both slices have room for; returns how many samples they make, two each.
    pub fn decode(&mut self, bytes: &[u8], samples: &mut [i16]) -> usize {
        let (pairs, _) = samples.as_chunks_mut::<2>();
        for (byte, pair) in bytes.iter().zip(pairs.iter_mut()) {
            let low = self.low.decode_low(byte & 0x3f);
            let high = self.high.decode_high(byte >> 6);
            *pair = self.join.join(2 * low, 2 * high);
        }
        2 * bytes.len().min(pairs.len())
    }

    /// Decodes the lower band alone, to a sample at 8 kHz a byte; returns how many.
    pub(crate) fn decode_narrow(&mut self, bytes: &[u8], samples: &mut [i16]) -> usize {
        for (byte, sample) in bytes.iter().zip(samples.iter_mut()) {
            *sample = (2 * self.low.decode_low(byte & 0x3f)) as i16;
            self.high.decode_high(byte >> 6);
        }
        bytes.len().min(samples.len())
    }

    /// Brings samples of 8 kHz to 16 kHz: to the filters they are a lower band without an upper one. So a peer that changes
    /// from one codec to another and back is heard without a step.
    pub(crate) fn widen(&mut self, narrow: &[i16], samples: &mut [i16]) -> usize {
        let (pairs, _) = samples.as_chunks_mut::<2>();
        for (sample, pair) in narrow.iter().zip(pairs.iter_mut()) {
            *pair = self.join.join((*sample).into(), 0);
        }
        2 * narrow.len().min(pairs.len())
    }
}

#[cfg(test)]
mod tests;
