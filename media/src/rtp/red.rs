//! Packets that repeat those before them ([RFC 2198]).
//!
//! ```text
//!  0                   1                   2                   3
//! |1|  block PT   |     timestamp offset      |   block length    |  for each that is repeated, the oldest first
//! |0|  block PT   |                                                  of what is new
//! | what is repeated, in the same order | what is new, to the end of the packet
//! ```
//!
//! [RFC 2198]: https://www.rfc-editor.org/rfc/rfc2198#section-3

/// Another header follows (RFC 2198 §3).
const MORE: u8 = 0x80;
const PAYLOAD_TYPE: u8 = 0x7f;

/// A payload with what it repeats, every length in it checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redundant<'a> {
    payload_type: u8,
    primary: &'a [u8],
    heads: &'a [[u8; 4]],
    repeated: &'a [u8],
}

/// What is repeated of an earlier packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated<'a> {
    /// What it is, as the SDP says.
    pub payload_type: u8,
    /// So much lower than the packet's timestamp is its own.
    pub offset: u16,
    /// What it says; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Redundant<'a> {
    /// Reads a payload, or returns `None` when it is cut short.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let count = payload.chunks(4).position(|head| head[0] & MORE == 0)?;
        let (heads, rest) = payload.split_at_checked(4 * count)?;
        let (last, rest) = rest.split_first()?;
        let heads = heads.as_chunks::<4>().0;
        let (repeated, primary) = rest.split_at_checked(heads.iter().map(length).sum())?;
        Some(Self { payload_type: last & PAYLOAD_TYPE, primary, heads, repeated })
    }

    /// A payload that repeats nothing, as most are.
    pub fn plain(payload: &'a [u8]) -> Self {
        Self { payload_type: 0, primary: payload, heads: &[], repeated: &[] }
    }

    /// What the new block is, as the SDP says; 0 of a plain payload.
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// What is new; may be empty.
    pub fn primary(&self) -> &'a [u8] {
        self.primary
    }

    /// What is repeated, the newest first.
    pub fn repeated(&self) -> impl Iterator<Item = Repeated<'a>> + 'a {
        let mut before = self.repeated;
        self.heads.iter().rev().map_while(move |head| {
            let (rest, payload) = before.split_at_checked(before.len().checked_sub(length(head))?)?;
            before = rest;
            let offset = u16::from(head[1]) << 6 | u16::from(head[2]) >> 2;
            Some(Repeated { payload_type: head[0] & PAYLOAD_TYPE, offset, payload })
        })
    }
}

fn length(head: &[u8; 4]) -> usize {
    usize::from(head[2] & 3) << 8 | usize::from(head[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a block that is repeated.
    fn head(payload_type: u8, offset: u16, length: u16) -> [u8; 4] {
        let word = 1 << 31 | u32::from(payload_type) << 24 | u32::from(offset) << 10 | u32::from(length);
        word.to_be_bytes()
    }

    #[test]
    fn blocks_are_told_apart() {
        let one = [&head(111, 960, 3)[..], &[111], b"oldnew"].concat();
        let two = [&head(111, 1_920, 5)[..], &head(111, 960, 3), &[111], b"olderoldnew"].concat();
        let empty = [&head(111, 1_920, 0)[..], &head(111, 960, 1), &[111], b"onew"].concat();
        let largest = [&head(127, 0x3fff, 0x3ff)[..], &[0], &[b'o'; 0x3ff], b"new"].concat();
        let mixed = [&head(13, 960, 1)[..], &[111], b"onew"].concat();
        let nothing_new = [&head(111, 960, 3)[..], &[111], b"old"].concat();
        let too_long = [&head(111, 960, 4)[..], &[111], b"old"].concat();
        type Expected<'a> = Option<(u8, &'a [u8], &'a [(u8, u16, &'a [u8])])>;
        let cases: &[(&str, &[u8], Expected<'_>)] = &[
            ("nothing repeated", b"\x6fnew", Some((111, b"new", &[]))),
            ("nothing at all", b"\x6f", Some((111, b"", &[]))),
            ("one", &one, Some((111, b"new", &[(111, 960, b"old")]))),
            ("two, the newest first", &two, Some((111, b"new", &[(111, 960, b"old"), (111, 1_920, b"older")]))),
            ("one of length zero", &empty, Some((111, b"new", &[(111, 960, b"o"), (111, 1_920, b"")]))),
            ("the largest numbers", &largest, Some((0, b"new", &[(127, 0x3fff, &[b'o'; 0x3ff])]))),
            ("of another kind", &mixed, Some((111, b"new", &[(13, 960, b"o")]))),
            ("nothing new", &nothing_new, Some((111, b"", &[(111, 960, b"old")]))),
            ("longer than the packet", &too_long, None),
            ("empty", b"", None),
            ("a header cut short", &one[..3], None),
            ("headers without an end", &one[..4], None),
            ("headers and no blocks", &one[..5], None),
            ("headers alone", &[0xff; 1_500], None),
        ];
        for (name, payload, expected) in cases {
            let read = Redundant::parse(payload);
            let blocks: Vec<_> = read.iter().flat_map(Redundant::repeated).collect();
            let blocks: Vec<_> = blocks.iter().map(|block| (block.payload_type, block.offset, block.payload)).collect();
            let read = read.map(|read| (read.payload_type(), read.primary(), &blocks[..]));
            assert_eq!(read, *expected, "{name}");
        }
        let plain = Redundant::plain(b"new");
        assert_eq!((plain.primary(), plain.repeated().count()), (&b"new"[..], 0));
    }

    #[test]
    fn no_bytes_are_too_odd() {
        let mut random = 1u64;
        for round in 0..100_000 {
            let bytes: Vec<u8> = (0..round % 40)
                .map(|n| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // Lengths are short more often than not, so that some of it can be read.
                    let mask = [0xff, 0xff, 0xfc, 0x07][n % 4];
                    (random >> 33) as u8 & mask
                })
                .collect();
            let Some(read) = Redundant::parse(&bytes) else { continue };
            let lengths: usize = read.repeated().map(|block| block.payload.len()).sum();
            let heads = 4 * read.repeated().count() + 1;
            assert_eq!(heads + lengths + read.primary().len(), bytes.len(), "{bytes:?}");
        }
    }
}
