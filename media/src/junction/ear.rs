//! What makes samples of a carrier's bytes, and makes up for those that are missing.

use crate::{
    codec::{Coding, g711::Law, g722},
    frame::{FRAME, Rate},
    plc,
};

/// One for each rate. What comes in the codec of the other is brought to it, for a peer may change between those that were
/// agreed upon from packet to packet.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the larger one is what most calls need: it lies beside the rest of a call"
)]
pub(super) enum Ear {
    /// Hears the lower band of G.722, if that was agreed upon.
    Narrow {
        concealer: plc::Narrow,
        g722: Option<Box<g722::Decoder>>,
    },
    Wide(Box<Wide>),
}

/// In memory of its own: most calls are narrow.
#[derive(Debug)]
pub(super) struct Wide {
    concealer: plc::Wide,
    decoder: g722::Decoder,
}

impl Ear {
    pub(super) fn narrow() -> Self {
        Self::Narrow { concealer: plc::Narrow::new(), g722: None }
    }

    /// Hears at another rate from here on, and G.722 whatever the rate.
    pub(super) fn set(&mut self, rate: Rate, hears_g722: bool) {
        match (&mut *self, rate) {
            (Self::Narrow { g722, .. }, Rate::Narrow) => {
                if hears_g722 {
                    g722.get_or_insert_default();
                }
            }
            (Self::Wide(_), Rate::Wide) => {}
            (Self::Wide(wide), Rate::Narrow) => {
                let decoder = hears_g722.then(|| Box::new(wide.decoder.clone()));
                *self = Self::Narrow { concealer: plc::Narrow::new(), g722: decoder };
            }
            (Self::Narrow { g722, .. }, Rate::Wide) => {
                let decoder = g722.take().map_or_else(Default::default, |decoder| *decoder);
                *self = Self::Wide(Box::new(Wide { concealer: plc::Wide::new(), decoder }));
            }
        }
    }

    /// Takes in bytes; returns how many samples they make, for which there is room.
    pub(super) fn hear(&mut self, coding: Coding, bytes: &[u8], samples: &mut [i16]) -> usize {
        match self {
            Self::Narrow { concealer, g722 } => {
                let count = match (coding, g722) {
                    (Coding::Law(law), _) => law.decode(bytes, samples),
                    (Coding::G722, Some(decoder)) => decoder.decode_narrow(bytes, samples),
                    // Not agreed upon, or not heard here: only its time passes.
                    (Coding::G722 | Coding::Opus, _) => silence(bytes.len(), samples),
                };
                concealer.good(&mut samples[..count]);
                count
            }
            Self::Wide(wide) => {
                let count = match coding {
                    Coding::G722 => wide.decoder.decode(bytes, samples),
                    Coding::Opus => silence(2 * bytes.len(), samples),
                    Coding::Law(law) => widen(&mut wide.decoder, law, bytes, samples),
                };
                wide.concealer.good(&mut samples[..count]);
                count
            }
        }
    }

    /// Fills `samples` with what might have been.
    pub(super) fn make_up(&mut self, samples: &mut [i16]) {
        match self {
            Self::Narrow { concealer, .. } => concealer.lost(samples),
            Self::Wide(wide) => wide.concealer.lost(samples),
        }
    }

    /// What follows is not related to what was.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Narrow { concealer, .. } => concealer.reset(),
            Self::Wide(wide) => wide.concealer.reset(),
        }
    }
}

fn widen(decoder: &mut g722::Decoder, law: Law, bytes: &[u8], samples: &mut [i16]) -> usize {
    let mut narrow = [0; FRAME];
    let frames = bytes.chunks(FRAME).zip(samples.chunks_mut(2 * FRAME));
    let widened = frames.map(|(bytes, samples)| {
        let count = law.decode(bytes, &mut narrow);
        decoder.widen(&narrow[..count], samples)
    });
    widened.sum()
}

fn silence(count: usize, samples: &mut [i16]) -> usize {
    let count = count.min(samples.len());
    samples[..count].fill(0);
    count
}
