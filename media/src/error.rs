//! What can go wrong before a call's media runs. Afterwards nothing does: bad packets are counted.

use crate::sdp::Codec;

/// Why media cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// libopus refused a setting, or there is no memory.
    #[error("opus: {0}")]
    Opus(#[from] opus::Error),
    /// The session was negotiated with a codec that a junction does not speak.
    #[error("{} cannot be spoken here", .0.name())]
    Codec(Codec),
}
