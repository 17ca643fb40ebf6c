//! A session, as far as it is of use.

use super::address::Host;
use super::{Direction, Error, Media, read};

/// One SDP, read. What we do not know is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub(super) origin: Origin,
    pub(super) connection: Option<Host>,
    /// Holds for every media line that says nothing else.
    pub(super) direction: Option<Direction>,
    pub(super) media: Vec<Media>,
}

/// `o=` (RFC 8866 §5.2). The numbers are kept as text: some peers exceed 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) username: String,
    pub(super) session_id: String,
    pub(super) version: String,
    pub(super) host: Host,
}

impl Session {
    /// Reads a body of type `application/sdp`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        read::session(body)
    }

    /// The media lines.
    pub fn media(&self) -> &[Media] {
        &self.media
    }

    pub(super) fn host<'a>(&'a self, media: &'a Media) -> Option<&'a Host> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    pub(super) fn direction(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or_default()
    }
}
