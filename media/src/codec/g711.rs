//! PCMU and PCMA ([ITU-T G.711], payload types 0 and 8 of [RFC 3551 §4.5.14]).
//!
//! Decoding reads a table of 256 entries. Encoding needs none: converting the biased magnitude to a float leaves segment
//! and mantissa side by side in its upper bits, which compilers turn into vector code.
//!
//! [ITU-T G.711]: https://www.itu.int/rec/T-REC-G.711
//! [RFC 3551 §4.5.14]: https://www.rfc-editor.org/rfc/rfc3551#section-4.5.14

/// Which of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// PCMU.
    Mu,
    /// PCMA.
    A,
}

impl Law {
    /// Decodes as many bytes as both slices have; returns how many.
    pub fn decode(self, bytes: &[u8], samples: &mut [i16]) -> usize {
        let table = match self {
            Self::Mu => &MU,
            Self::A => &A,
        };
        for (sample, byte) in samples.iter_mut().zip(bytes) {
            *sample = table[usize::from(*byte)];
        }
        bytes.len().min(samples.len())
    }

    /// Encodes as many samples as both slices have; returns how many.
    pub fn encode(self, samples: &[i16], bytes: &mut [u8]) -> usize {
        match self {
            Self::Mu => encode_with(samples, bytes, mu_from),
            Self::A => encode_with(samples, bytes, a_from),
        }
        bytes.len().min(samples.len())
    }

    /// The byte that stands for silence.
    pub fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }
}

static MU: [i16; 256] = table(Law::Mu);
static A: [i16; 256] = table(Law::A);

const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match law {
            Law::Mu => mu_to_linear(byte as u8),
            Law::A => a_to_linear(byte as u8),
        };
        byte += 1;
    }
    table
}

/// What is added to a µ-law magnitude so that its segments begin at powers of two, in 16 bit scale.
const MU_BIAS: i32 = 0x84;
/// The largest magnitude µ-law can carry, in 16 bit scale.
const MU_CLIP: i16 = 32_635;

const fn mu_to_linear(byte: u8) -> i16 {
    let bits = !byte;
    let segment = (bits >> 4) & 7;
    let magnitude = (((((bits & 15) as i32) << 3) + MU_BIAS) << segment) - MU_BIAS;
    (if bits & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

const fn a_to_linear(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let segment = (bits >> 4) & 7;
    let mantissa = ((bits & 15) as i32) << 4;
    let magnitude = match segment {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (segment - 1),
    };
    (if bits & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[inline(always)]
fn encode_with(samples: &[i16], bytes: &mut [u8], encode: impl Fn(i16) -> u8) {
    for (byte, sample) in bytes.iter_mut().zip(samples) {
        *byte = encode(*sample);
    }
}

/// In sixteen bits as far as it goes, for which every vector unit has maximum and minimum.
#[inline(always)]
fn mu_from(sample: i16) -> u8 {
    // Mirrored, a negative value is less by one than its magnitude; `- sign` gives it back where nothing can overflow.
    let sign = sample >> 15;
    let magnitude = (sample ^ sign).min(MU_CLIP + sign) + MU_BIAS as i16 - sign;
    let code = float_code(magnitude, 7);
    !(code & 0x7f | sign & 0x80) as u8
}

#[inline(always)]
fn a_from(sample: i16) -> u8 {
    // 13 bits; negative values are mirrored so that -1 falls where 0 does.
    let value = sample >> 3;
    let sign = value >> 15;
    let magnitude = value ^ sign;
    let code = if magnitude < 32 { magnitude >> 1 } else { float_code(magnitude, 4) };
    (code & 0x7f ^ 0xd5 ^ (sign & 0x80)) as u8
}

/// Segment and mantissa: the exponent of the magnitude as a float, less that of the first segment, and four bits more.
#[inline(always)]
fn float_code(magnitude: i16, first_exponent: i32) -> i16 {
    let bits = f32::from(magnitude).to_bits().cast_signed();
    ((bits >> 19) - ((127 + first_exponent) << 4)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision tables of the recommendation, searched segment by segment.
    fn reference(law: Law, sample: i16) -> u8 {
        let sample = i32::from(sample);
        match law {
            Law::Mu => {
                let magnitude = sample.abs().min(i32::from(MU_CLIP)) + MU_BIAS;
                let segment = (0..8).rev().find(|s| magnitude >= 0x80 << s).unwrap();
                let mantissa = (magnitude >> (segment + 3)) & 15;
                let sign = if sample < 0 { 0x80 } else { 0 };
                !((sign | segment << 4 | mantissa) as u8)
            }
            Law::A => {
                let value = sample >> 3;
                let magnitude = if value < 0 { -value - 1 } else { value };
                let segment = (1..8).rev().find(|s| magnitude >= 0x10 << s).unwrap_or(0);
                let mantissa = (magnitude >> segment.max(1)) & 15;
                let sign = if value < 0 { 0x55 } else { 0xd5 };
                ((segment << 4 | mantissa) as u8) ^ sign
            }
        }
    }

    #[test]
    fn every_sample_encodes_as_the_recommendation_says() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut bytes = vec![0; all.len()];
        for law in [Law::Mu, Law::A] {
            assert_eq!(law.encode(&all, &mut bytes), all.len());
            for (sample, byte) in all.iter().zip(&bytes) {
                assert_eq!(*byte, reference(law, *sample), "{law:?} {sample}");
            }
        }
    }

    #[test]
    fn every_byte_survives_a_round_trip() {
        for law in [Law::Mu, Law::A] {
            for byte in 0..=255 {
                let (mut sample, mut again) = ([0], [0]);
                law.decode(&[byte], &mut sample);
                law.encode(&sample, &mut again);
                // µ-law has two zeros; the negative one comes back positive.
                let expected = if law == Law::Mu && byte == 0x7f { 0xff } else { byte };
                assert_eq!(again[0], expected, "{law:?} {byte:#x}");
            }
        }
    }

    #[test]
    fn known_values() {
        let cases = [
            ("µ loudest negative", Law::Mu, 0x00, -32_124),
            ("µ loudest positive", Law::Mu, 0x80, 32_124),
            ("µ zero", Law::Mu, 0xff, 0),
            ("A least positive", Law::A, 0xd5, 8),
            ("A least negative", Law::A, 0x55, -8),
            ("A loudest positive", Law::A, 0xaa, 32_256),
        ];
        for (name, law, byte, expected) in cases {
            let mut sample = [0];
            law.decode(&[byte], &mut sample);
            assert_eq!(sample[0], expected, "{name}");
        }
    }
}
