//! One packet: the view of a received one, the header of one to send.
//!
//! ```text
//!  0                   1                   2                   3
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |                             SSRC                              |
//! |                       CSRC, CC of them                        |
//! |  extension profile (if X)     |     length in 32-bit words    |
//! ```

use super::Ssrc;

/// The only version there is, in the two high bits of the first byte.
const VERSION: u8 = 2;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const CSRC_COUNT: u8 = 0x0f;
const MARKER: u8 = 0x80;
const PAYLOAD_TYPE: u8 = 0x7f;

/// A received packet, every length in it checked.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: &'a [u8; Header::LEN],
    contributors: &'a [u8],
    extension: Option<Extension<'a>>,
    payload: &'a [u8],
}

/// The header extension, its content unread (RFC 3550 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What "defined by profile" says; 0xBEDE for one-byte elements (RFC 8285).
    pub profile: u16,
    /// A whole number of 32-bit words.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram, or returns `None` when it is not RTP version 2 or is cut short.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, rest) = datagram.split_first_chunk::<{ Header::LEN }>()?;
        if header[0] >> 6 != VERSION {
            return None;
        }
        let (contributors, rest) = rest.split_at_checked(usize::from(header[0] & CSRC_COUNT) * 4)?;
        let (extension, rest) = match header[0] & EXTENSION {
            0 => (None, rest),
            _ => split_extension(rest)?,
        };
        let payload = match header[0] & PADDING {
            0 => rest,
            _ => strip_padding(rest)?,
        };
        Some(Self { header, contributors, extension, payload })
    }

    /// The marker bit: for audio, the first packet after silence (RFC 3551 §4.1).
    pub fn marker(&self) -> bool {
        self.header[1] & MARKER != 0
    }

    /// What the payload is, as the SDP says.
    pub fn payload_type(&self) -> u8 {
        self.header[1] & PAYLOAD_TYPE
    }

    /// Rises by one a packet.
    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// The sampling instant of the first sample, in units of the payload's clock.
    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.header[4], self.header[5], self.header[6], self.header[7]])
    }

    /// Who sent it.
    pub fn ssrc(&self) -> Ssrc {
        Ssrc(u32::from_be_bytes([self.header[8], self.header[9], self.header[10], self.header[11]]))
    }

    /// Whose sound a mixer has put into it; at most fifteen.
    pub fn contributors(&self) -> impl Iterator<Item = Ssrc> + 'a {
        self.contributors.as_chunks::<4>().0.iter().map(|bytes| Ssrc(u32::from_be_bytes(*bytes)))
    }

    /// The header extension, if there is one.
    pub fn extension(&self) -> Option<Extension<'a>> {
        self.extension
    }

    /// What is carried, padding taken off; may be empty.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The fixed header of a packet to send: no contributors, no extension, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Set on the first packet after silence.
    pub marker: bool,
    /// Seven bits; the eighth is dropped.
    pub payload_type: u8,
    /// Rises by one a packet.
    pub sequence: u16,
    /// The sampling instant of the first sample.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: Ssrc,
}

impl Header {
    /// Bytes on the wire.
    pub const LEN: usize = 12;

    /// Writes the header and returns the rest of the buffer for the payload, or `None` when the buffer is too short.
    pub fn write<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let (header, rest) = buffer.split_first_chunk_mut::<{ Self::LEN }>()?;
        header[0] = VERSION << 6;
        header[1] = if self.marker { MARKER } else { 0 } | (self.payload_type & PAYLOAD_TYPE);
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header[8..].copy_from_slice(&self.ssrc.0.to_be_bytes());
        Some(rest)
    }
}

fn split_extension(bytes: &[u8]) -> Option<(Option<Extension<'_>>, &[u8])> {
    let ([p0, p1, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
    let words = u16::from_be_bytes([*l0, *l1]);
    let (data, rest) = rest.split_at_checked(usize::from(words) * 4)?;
    Some((Some(Extension { profile: u16::from_be_bytes([*p0, *p1]), data }), rest))
}

/// The last byte counts the padding, itself included, so it is never zero (RFC 3550 §5.1).
fn strip_padding(bytes: &[u8]) -> Option<&[u8]> {
    let count = usize::from(*bytes.last()?);
    if count == 0 {
        return None;
    }
    bytes.get(..bytes.len().checked_sub(count)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut datagram = vec![first, 0x80 | 101, 0x12, 0x34, 0, 0, 0, 7, 0xde, 0xad, 0xbe, 0xef];
        datagram.extend_from_slice(rest);
        datagram
    }

    #[test]
    fn payload_is_what_is_left_of_a_whole_packet() {
        type Case<'a> = (&'a str, u8, &'a [u8], Option<&'a [u8]>);
        let cases: &[Case<'_>] = &[
            ("plain", 0x80, b"ab", Some(b"ab")),
            ("empty", 0x80, b"", Some(b"")),
            ("version 1", 0x40, b"ab", None),
            ("version 0, as STUN", 0x00, b"ab", None),
            ("one CSRC", 0x81, b"\0\0\0\x01ab", Some(b"ab")),
            ("one CSRC cut short", 0x81, b"\0\0\0", None),
            ("fifteen CSRCs and nothing else", 0x8f, &[0; 60], Some(b"")),
            ("fifteen CSRCs cut short", 0x8f, &[0; 59], None),
            ("padding", 0xa0, b"ab\0\x02", Some(b"ab")),
            ("nothing but padding", 0xa0, b"\0\0\0\x04", Some(b"")),
            ("padding of zero", 0xa0, b"ab\0\0", None),
            ("padding too long", 0xa0, b"ab\0\x09", None),
            ("padding without a count", 0xa0, b"", None),
            ("extension", 0x90, b"\xbe\xde\0\x01wxyzab", Some(b"ab")),
            ("empty extension", 0x90, b"\xbe\xde\0\0ab", Some(b"ab")),
            ("extension cut short", 0x90, b"\xbe\xde\0\x02wxyzab", None),
            ("extension header cut short", 0x90, b"\xbe\xde\0", None),
            ("all of it", 0xb1, b"\0\0\0\x01\xbe\xde\0\x01wxyzab\x01", Some(b"ab")),
            ("padding longer than what follows the extension", 0xb0, b"\xbe\xde\0\x01wxyz\x02", None),
        ];
        for (name, first, rest, expected) in cases {
            let datagram = datagram(*first, rest);
            assert_eq!(Packet::parse(&datagram).map(|packet| packet.payload()), *expected, "{name}");
        }
        for length in 0..Header::LEN {
            assert!(Packet::parse(&datagram(0x80, b"")[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn fields_are_where_they_belong() {
        let datagram = datagram(0x92, b"\0\0\0\x01\0\0\0\x02\xbe\xde\0\x01wxyzab");
        let packet = Packet::parse(&datagram).unwrap();
        assert!(packet.marker());
        assert_eq!((packet.payload_type(), packet.sequence(), packet.timestamp()), (101, 0x1234, 7));
        assert_eq!(packet.ssrc(), Ssrc(0xdead_beef));
        assert!(packet.contributors().eq([Ssrc(1), Ssrc(2)]));
        assert_eq!(packet.extension(), Some(Extension { profile: 0xbede, data: b"wxyz" }));
    }

    #[test]
    fn header_is_written_before_the_payload() {
        let header =
            Header { marker: true, payload_type: 101, sequence: 0x1234, timestamp: 7, ssrc: Ssrc(0xdead_beef) };
        let mut buffer = [0; 14];
        header.write(&mut buffer).unwrap().copy_from_slice(b"ab");
        assert_eq!(buffer[..], datagram(0x80, b"ab"));
        assert_eq!(header.write(&mut buffer[..11]), None);
        assert_eq!(header.write(&mut buffer[..12]).unwrap().len(), 0);
    }
}
