//! The way around by 48 kHz that the 8 kHz path is compared with: libopus at its defaults, and a resampler on either side.

use media::codec::g711::Law;
use opus::{Application, Channels, Decoder, Encoder};
use rubato::{FftFixedInOut, Resampler as _};

use crate::FRAME;

const WIDE: usize = 6 * FRAME;

/// Resamples frames of twenty milliseconds, by Fourier transform.
pub struct Resampler {
    inner: FftFixedInOut<f32>,
    input: Vec<Vec<f32>>,
    output: Vec<Vec<f32>>,
}

impl Resampler {
    /// From one rate to another.
    pub fn new(from: usize, to: usize) -> Self {
        let inner = FftFixedInOut::new(from, to, from / 50, 1).expect("rates in a whole ratio");
        Self { input: inner.input_buffer_allocate(true), output: inner.output_buffer_allocate(true), inner }
    }

    /// One frame.
    pub fn process(&mut self, from: &[i16], to: &mut [i16]) {
        for (wide, sample) in self.input[0].iter_mut().zip(from) {
            *wide = f32::from(*sample);
        }
        self.inner.process_into_buffer(&self.input, &mut self.output, None).expect("a frame of the length set");
        for (sample, wide) in to.iter_mut().zip(&self.output[0]) {
            *sample = wide.round() as i16;
        }
    }
}

/// Both directions of a call at 48 kHz.
pub struct Detour {
    up: Resampler,
    down: Resampler,
    encoder: Encoder,
    decoder: Decoder,
}

impl Default for Detour {
    fn default() -> Self {
        Self {
            up: Resampler::new(8_000, 48_000),
            down: Resampler::new(48_000, 8_000),
            encoder: Encoder::new(48_000, Channels::Mono, Application::Voip).expect("an encoder"),
            decoder: Decoder::new(48_000, Channels::Mono).expect("a decoder"),
        }
    }
}

impl Detour {
    /// From the carrier to the room.
    pub fn uplink(&mut self, g711: &[u8], payload: &mut [u8]) -> usize {
        let (mut narrow, mut wide) = ([0; FRAME], [0; WIDE]);
        Law::Mu.decode(g711, &mut narrow);
        self.up.process(&narrow, &mut wide);
        self.encoder.encode(&wide, payload).expect("Opus")
    }

    /// From the room to the carrier.
    pub fn downlink(&mut self, payload: &[u8], g711: &mut [u8]) {
        let (mut narrow, mut wide) = ([0; FRAME], [0; WIDE]);
        self.decoder.decode(payload, &mut wide, false).expect("Opus");
        self.down.process(&wide, &mut narrow);
        Law::Mu.encode(&narrow, g711);
    }
}
