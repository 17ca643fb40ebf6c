//! Compound datagrams read (RFC 3550 §6.1), leniently: what is cut short ends the reading, what is unknown is passed over.

use super::{GOODBYE, RECEIVER_REPORT, SENDER_REPORT, VERSION};
use crate::rtp::Ssrc;

const HEADER: usize = 4;
const PADDING: u8 = 0x20;
const COUNT: u8 = 0x1f;

/// Reads a datagram as a row of packets.
///
/// A lone packet that is not a report is read too: some peers send such (RFC 5506).
pub fn packets(datagram: &[u8]) -> Packets<'_> {
    Packets { rest: datagram }
}

/// The packets of one datagram.
#[derive(Clone, Copy, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// From one who sends (RFC 3550 §6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: Ssrc,
        /// What it has sent.
        sender: SenderInfo,
        /// What it has heard.
        reports: ReportBlocks<'a>,
    },
    /// From one who only listens (RFC 3550 §6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: Ssrc,
        /// What it has heard.
        reports: ReportBlocks<'a>,
    },
    /// The first of the sources that have left (RFC 3550 §6.6).
    Goodbye {
        /// Who has left.
        ssrc: Ssrc,
    },
    /// Descriptions, feedback, application data: whole, but of no use here.
    Other {
        /// The packet type.
        kind: u8,
    },
}

/// What a sender says of itself; pairs its media clock with the time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// Seconds since 1900 in the high half, fractions in the low.
    pub ntp: u64,
    /// The same instant on the media clock.
    pub timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

/// What one end heard of one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// Whose packets this is about.
    pub ssrc: Ssrc,
    /// Lost since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Lost in all, 24 bits with sign: repeated packets make it fall.
    pub cumulative_lost: i32,
    /// The highest sequence number heard, wraps in the high half.
    pub highest_sequence: u32,
    /// Interarrival jitter in units of the media clock.
    pub jitter: u32,
    /// The middle half of the NTP time of the last sender report heard, 0 for none.
    pub last_sender_report: u32,
    /// How long ago that was, in 65536ths of a second.
    pub delay_since: u32,
}

/// The report blocks of one packet, at most 31.
#[derive(Clone, Copy, Debug)]
pub struct ReportBlocks<'a> {
    blocks: &'a [[u8; ReportBlock::LEN]],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        loop {
            let (header, rest) = self.rest.split_first_chunk::<HEADER>()?;
            if header[0] >> 6 != VERSION {
                return None;
            }
            let words = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let (body, rest) = rest.split_at_checked(words * 4)?;
            self.rest = rest;
            if let Some(packet) = read(header[0], header[1], body) {
                return Some(packet);
            }
        }
    }
}

impl ReportBlock {
    pub(crate) const LEN: usize = 24;

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self {
            ssrc: Ssrc(word(0)),
            fraction_lost: bytes[4],
            // Shifted up and back down, so that the sign of the 24 bits is kept.
            cumulative_lost: (word(4) << 8).cast_signed() >> 8,
            highest_sequence: word(8),
            jitter: word(12),
            last_sender_report: word(16),
            delay_since: word(20),
        }
    }
}

impl ReportBlocks<'_> {
    /// The block about one source.
    pub fn about(&self, ssrc: Ssrc) -> Option<ReportBlock> {
        self.iter().find(|block| block.ssrc == ssrc)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = ReportBlock> {
        self.blocks.iter().map(ReportBlock::read)
    }
}

fn read(first: u8, kind: u8, body: &[u8]) -> Option<Packet<'_>> {
    let body = match first & PADDING {
        0 => body,
        _ => body.get(..body.len().checked_sub(usize::from(*body.last()?))?)?,
    };
    let count = usize::from(first & COUNT);
    match kind {
        SENDER_REPORT => {
            let (ssrc, rest) = read_ssrc(body)?;
            let (sender, rest) = read_sender(rest)?;
            Some(Packet::SenderReport { ssrc, sender, reports: read_blocks(rest, count) })
        }
        RECEIVER_REPORT => {
            let (ssrc, rest) = read_ssrc(body)?;
            Some(Packet::ReceiverReport { ssrc, reports: read_blocks(rest, count) })
        }
        GOODBYE if count > 0 => Some(Packet::Goodbye { ssrc: read_ssrc(body)?.0 }),
        _ => Some(Packet::Other { kind }),
    }
}

fn read_ssrc(bytes: &[u8]) -> Option<(Ssrc, &[u8])> {
    let (ssrc, rest) = bytes.split_first_chunk::<4>()?;
    Some((Ssrc(u32::from_be_bytes(*ssrc)), rest))
}

fn read_sender(bytes: &[u8]) -> Option<(SenderInfo, &[u8])> {
    let (ntp, rest) = bytes.split_first_chunk::<8>()?;
    let (timestamp, rest) = rest.split_first_chunk::<4>()?;
    let (packets, rest) = rest.split_first_chunk::<4>()?;
    let (octets, rest) = rest.split_first_chunk::<4>()?;
    let sender = SenderInfo {
        ntp: u64::from_be_bytes(*ntp),
        timestamp: u32::from_be_bytes(*timestamp),
        packets: u32::from_be_bytes(*packets),
        octets: u32::from_be_bytes(*octets),
    };
    Some((sender, rest))
}

/// As many blocks as are announced and there; a count that promises more than was sent is not believed.
fn read_blocks(bytes: &[u8], count: usize) -> ReportBlocks<'_> {
    let (blocks, _extension) = bytes.as_chunks::<{ ReportBlock::LEN }>();
    ReportBlocks { blocks: &blocks[..count.min(blocks.len())] }
}

#[cfg(test)]
mod tests {
    use super::super::{Report, is_rtcp};
    use super::*;

    const SENDER: SenderInfo = SenderInfo { ntp: 0x0102_0304_0506_0708, timestamp: 9, packets: 10, octets: 11 };
    const BLOCK: ReportBlock = ReportBlock {
        ssrc: Ssrc(2),
        fraction_lost: 64,
        cumulative_lost: -3,
        highest_sequence: 0x0001_0005,
        jitter: 40,
        last_sender_report: 0x0304_0506,
        delay_since: 65_536,
    };

    #[test]
    fn what_is_written_reads_the_same() {
        type Case<'a> = (&'a str, Option<SenderInfo>, Option<ReportBlock>, bool, &'a str);
        let cases: &[Case<'_>] = &[
            ("sender and reception", Some(SENDER), Some(BLOCK), false, "a@b"),
            ("sender alone", Some(SENDER), None, false, "abcd"),
            ("reception alone", None, Some(BLOCK), false, "abcde"),
            ("nothing yet", None, None, false, ""),
            ("goodbye", Some(SENDER), Some(BLOCK), true, "abcdef"),
            ("a long name", None, None, true, &"x".repeat(300)),
        ];
        for (name, sender, reception, goodbye, cname) in cases {
            let report = Report { ssrc: Ssrc(1), sender: *sender, reception: *reception, cname, goodbye: *goodbye };
            let mut buffer = [0xff; Report::MAX_LEN];
            let length = report.write(&mut buffer).unwrap();
            assert_eq!(length % 4, 0, "{name}");
            assert!(is_rtcp(&buffer[..length]), "{name}");
            let read: Vec<_> = packets(&buffer[..length]).collect();
            let (heard_sender, blocks) = match &read[0] {
                Packet::SenderReport { ssrc: Ssrc(1), sender, reports } => (Some(*sender), reports),
                Packet::ReceiverReport { ssrc: Ssrc(1), reports } => (None, reports),
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!((heard_sender, blocks.about(Ssrc(2))), (*sender, *reception), "{name}");
            assert!(matches!(read[1], Packet::Other { kind: super::super::SOURCE_DESCRIPTION }), "{name}");
            let left = read.iter().any(|packet| matches!(packet, Packet::Goodbye { ssrc: Ssrc(1) }));
            assert_eq!((left, read.len()), (*goodbye, 2 + usize::from(*goodbye)), "{name}");
            for short in 0..length {
                assert_eq!(report.write(&mut buffer[..short]), None, "{name} into {short} bytes");
            }
        }
    }

    #[test]
    fn odd_datagrams_are_passed_over() {
        let cases: &[(&str, &[u8], usize)] = &[
            ("empty", b"", 0),
            ("three bytes", b"\x80\xc8\0", 0),
            ("version 1", b"\x40\xc9\0\x01\0\0\0\x01", 0),
            ("longer than sent", b"\x80\xc9\0\x02\0\0\0\x01", 0),
            ("receiver report without an SSRC", b"\x80\xc9\0\0", 0),
            ("sender report cut inside", b"\x80\xc8\0\x01\0\0\0\x01", 0),
            ("more blocks promised than sent", b"\x9f\xc9\0\x01\0\0\0\x01", 1),
            ("feedback", b"\x81\xce\0\x02\0\0\0\x01\0\0\0\x02", 1),
            ("goodbye of nobody", b"\x80\xcb\0\0", 1),
            ("goodbye without an SSRC", b"\x81\xcb\0\0", 0),
            ("padding of everything", b"\xa0\xc9\0\x01\0\0\0\x04", 0),
            ("padding longer than the packet", b"\xa0\xc9\0\x01\0\0\0\x09", 0),
            ("a whole one, then rubbish", b"\x80\xc9\0\x01\0\0\0\x01\xff\xff\xff\xff\xff", 1),
            ("an odd one, then a whole one", b"\x80\xc9\0\0\x80\xc9\0\x01\0\0\0\x01", 1),
        ];
        for (name, datagram, expected) in cases {
            assert_eq!(packets(datagram).count(), *expected, "{name}");
        }
    }

    #[test]
    fn a_shared_port_tells_rtp_and_rtcp_apart() {
        for kind in 0..=u8::MAX {
            assert_eq!(is_rtcp(&[0x80, kind, 0, 0]), (192..=223).contains(&kind), "{kind}");
        }
        assert!(!is_rtcp(&[0x40, 200]) && !is_rtcp(&[0x80]) && !is_rtcp(&[]));
    }
}
