//! What we send.

use super::cipher::{Cipher, Place, Trailer};
use super::index::nearest;
use super::layout::{RTCP_ENCRYPTED, RTCP_HEADER, RTCP_INDEX, Rtp, rtcp_ssrc};
use super::{Keys, Suite};

/// Seals the packets of one stream of ours.
#[derive(Debug)]
pub struct Sender {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    /// The source and the index of the last packet. Another source counts its wraps by itself (RFC 3711 §3.2.3).
    last: Option<(u32, u64)>,
    /// The index of the next RTCP packet.
    next_rtcp: u32,
}

impl Sender {
    /// Nothing was sent under these keys before.
    pub fn new(keys: &Keys) -> Self {
        let (rtp, rtcp) = (Cipher::rtp(keys), Cipher::rtcp(keys));
        Self { suite: keys.suite(), rtp, rtcp, last: None, next_rtcp: 0 }
    }

    /// The same with new keys, for streams that go on. Wraps are counted anew, as peers expect whose media moved; indexes of
    /// RTCP, which are sent, count on.
    pub fn after(keys: &Keys, before: &Self) -> Self {
        Self { next_rtcp: before.next_rtcp, ..Self::new(keys) }
    }

    /// How packets are encrypted.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Seals the RTP packet that is in the first `length` bytes of the buffer, and says how long it is then; `None` when
    /// the buffer is too short, what is in it is no RTP, or its number is not above all before it.
    ///
    /// Show it every packet that takes a sequence number, those too that are not sent: it counts their wraps.
    pub fn seal_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let sealed = length + self.rtp.tag();
        let (packet, tag) = buffer.get_mut(..sealed)?.split_at_mut(length);
        let Rtp { ssrc, sequence, header } = Rtp::read(packet)?;
        let last = self.last.filter(|(source, _)| *source == ssrc).map(|(_, last)| last);
        let index = match last {
            // Two packets under one index give away what is in both.
            Some(last) => nearest(last, sequence).filter(|index| *index > last)?,
            None => sequence.into(),
        };
        self.last = Some((ssrc, index));
        let (header, text) = packet.split_at_mut(header);
        self.rtp.seal(Place { ssrc, index }, header, Trailer::RollOver((index >> 16) as u32), text, tag)?;
        Some(sealed)
    }

    /// The same for RTCP.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let sealed = length + self.rtcp.tag() + RTCP_INDEX;
        let (packet, rest) = buffer.get_mut(..sealed)?.split_at_mut(length);
        let ssrc = rtcp_ssrc(packet)?;
        let index = self.next_rtcp;
        // After two thousand million reports there are no more (RFC 3711 §9.2).
        self.next_rtcp = index.checked_add(1).filter(|next| *next < RTCP_ENCRYPTED)?;
        let word = index | RTCP_ENCRYPTED;
        let (header, text) = packet.split_at_mut(RTCP_HEADER);
        // HMAC comes after the index, the tag of AES-GCM before it (RFC 7714 §9.2).
        let (at_tag, at_index) = match self.suite.is_gcm() {
            true => (0, self.rtcp.tag()),
            false => (RTCP_INDEX, 0),
        };
        rest[at_index..][..RTCP_INDEX].copy_from_slice(&word.to_be_bytes());
        let tag = &mut rest[at_tag..][..self.rtcp.tag()];
        self.rtcp.seal(Place { ssrc, index: index.into() }, header, Trailer::Index(word), text, tag)?;
        Some(sealed)
    }
}
