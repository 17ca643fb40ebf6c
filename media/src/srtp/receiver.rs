//! What the peer sends.

use super::cipher::{Cipher, Place, Sealed, Trailer};
use super::index::{Window, nearest};
use super::layout::{RTCP_ENCRYPTED, RTCP_HEADER, RTCP_INDEX, Rtp, rtcp_ssrc};
use super::{Keys, Suite};

/// Streams that are remembered: a peer has one, and another after it was moved or transferred. The oldest is forgotten, so
/// that a peer that begins one more is heard.
const STREAMS: usize = 16;

/// Opens the packets of the peer.
#[derive(Debug)]
pub struct Receiver {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    reports: Streams,
    /// The roll-over counter of the stream before these keys: whether it begins anew, peers do not agree.
    roll_over: u64,
}

/// Why a packet is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its tag is wrong: it is not the peer's, or it is not encrypted at all.
    Forged,
    /// It was there before, or is too old to know.
    Replayed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Streams {
    all: [Option<Stream>; STREAMS],
    /// Where the next new one goes.
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    window: Window,
}

impl Receiver {
    /// Nothing was received under these keys before.
    pub fn new(keys: &Keys) -> Self {
        Self {
            suite: keys.suite(),
            rtp: Cipher::rtp(keys),
            rtcp: Cipher::rtcp(keys),
            streams: Streams::default(),
            reports: Streams::default(),
            roll_over: 0,
        }
    }

    /// The same after a change of keys: streams may count on from where they are (RFC 3711 §3.3.1) or begin anew.
    pub fn after(keys: &Keys, before: &Self) -> Self {
        let roll_over = before.streams.last().map_or(before.roll_over, |stream| stream.window.highest() >> 16);
        Self { roll_over, ..Self::new(keys) }
    }

    /// Opens an RTP packet into a buffer that is at least as long, and says how long the packet is.
    pub fn open_rtp(&mut self, datagram: &[u8], into: &mut [u8]) -> Result<usize, Refused> {
        let packet = Rtp::read(datagram).ok_or(Refused::Forged)?;
        if let Some(window) = self.streams.find(packet.ssrc) {
            let index = nearest(window.highest(), packet.sequence).ok_or(Refused::Forged)?;
            if !window.is_new(index) {
                return Err(Refused::Replayed);
            }
            let length = open_rtp(&self.rtp, packet, index, datagram, into).ok_or(Refused::Forged)?;
            window.take(index);
            return Ok(length);
        }
        // A stream that we hear from its middle on may have wrapped just before.
        let before = (self.roll_over > 0).then_some(self.roll_over);
        let mut guesses = [Some(0), before, Some(self.roll_over + 1)].into_iter().flatten();
        let opened = guesses.find_map(|roll_over| {
            let index = u64::from(packet.sequence) + (roll_over << 16);
            Some((index, open_rtp(&self.rtp, packet, index, datagram, into)?))
        });
        let (index, length) = opened.ok_or(Refused::Forged)?;
        self.streams.add(packet.ssrc, index);
        Ok(length)
    }

    /// The same for RTCP. What came with the bit for encryption clear is refused: nobody agreed to that.
    pub fn open_rtcp(&mut self, datagram: &[u8], into: &mut [u8]) -> Result<usize, Refused> {
        let (ssrc, index, length) = self.read_rtcp(datagram, into)?;
        match self.reports.find(ssrc) {
            Some(window) => window.take(index),
            None => self.reports.add(ssrc, index),
        }
        Ok(length)
    }

    fn read_rtcp(&mut self, datagram: &[u8], into: &mut [u8]) -> Result<(u32, u64, usize), Refused> {
        let ssrc = rtcp_ssrc(datagram).ok_or(Refused::Forged)?;
        let (header, rest) = datagram.split_at(RTCP_HEADER);
        let (sealed, word) = split_rtcp(rest, self.rtcp.tag(), self.suite).ok_or(Refused::Forged)?;
        if word & RTCP_ENCRYPTED == 0 {
            return Err(Refused::Forged);
        }
        let index = u64::from(word ^ RTCP_ENCRYPTED);
        if self.reports.find(ssrc).is_some_and(|window| !window.is_new(index)) {
            return Err(Refused::Replayed);
        }
        let (start, text) = into.split_at_mut_checked(RTCP_HEADER).ok_or(Refused::Forged)?;
        if !self.rtcp.open(Place { ssrc, index }, header, Trailer::Index(word), sealed, text) {
            return Err(Refused::Forged);
        }
        start.copy_from_slice(header);
        Ok((ssrc, index, RTCP_HEADER + sealed.text.len()))
    }
}

impl Streams {
    fn find(&mut self, ssrc: u32) -> Option<&mut Window> {
        self.all.iter_mut().flatten().find(|stream| stream.ssrc == ssrc).map(|stream| &mut stream.window)
    }

    fn add(&mut self, ssrc: u32, first: u64) {
        self.all[self.next] = Some(Stream { ssrc, window: Window::new(first) });
        self.next = (self.next + 1) % STREAMS;
    }

    fn last(&self) -> Option<Stream> {
        self.all[self.next.checked_sub(1).unwrap_or(STREAMS - 1)]
    }
}

fn open_rtp(cipher: &Cipher, packet: Rtp, index: u64, datagram: &[u8], into: &mut [u8]) -> Option<usize> {
    let (header, rest) = datagram.split_at(packet.header);
    let sealed = Sealed::split(rest, cipher.tag())?;
    let (start, text) = into.split_at_mut_checked(header.len())?;
    let place = Place { ssrc: packet.ssrc, index };
    let trailer = Trailer::RollOver((index >> 16) as u32);
    cipher.open(place, header, trailer, sealed, text).then(|| start.copy_from_slice(header))?;
    Some(header.len() + sealed.text.len())
}

/// The index stands before the tag of HMAC, and after that of AES-GCM (RFC 7714 §9.2).
fn split_rtcp(rest: &[u8], tag: usize, suite: Suite) -> Option<(Sealed<'_>, u32)> {
    let (sealed, word) = if suite.is_gcm() {
        let (rest, word) = rest.split_last_chunk::<RTCP_INDEX>()?;
        (Sealed::split(rest, tag)?, word)
    } else {
        let Sealed { text, tag } = Sealed::split(rest, tag)?;
        let (text, word) = text.split_last_chunk::<RTCP_INDEX>()?;
        (Sealed { text, tag }, word)
    };
    Some((sealed, u32::from_be_bytes(*word)))
}
