//! Where in a datagram the encryption begins.

/// The fixed header of RTCP, which stays readable (RFC 3711 §3.4).
pub(super) const RTCP_HEADER: usize = 8;
/// The index of RTCP, and the bit that says that the packet is encrypted.
pub(super) const RTCP_INDEX: usize = 4;
pub(super) const RTCP_ENCRYPTED: u32 = 1 << 31;

/// What is read of an RTP header before its tag is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rtp {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    /// Bytes that stay readable: the header, with contributors and extension (RFC 3711 §3.1).
    pub(super) header: usize,
}

impl Rtp {
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let (fixed, rest) = datagram.split_first_chunk::<12>()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let contributors = usize::from(fixed[0] & 0x0f) * 4;
        let rest = rest.get(contributors..)?;
        let extension = match fixed[0] & 0x10 {
            0 => 0,
            _ => {
                let [_, _, high, low] = rest.first_chunk::<4>()?;
                4 + usize::from(u16::from_be_bytes([*high, *low])) * 4
            }
        };
        (extension <= rest.len()).then_some(Self {
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            header: fixed.len() + contributors + extension,
        })
    }
}

/// The SSRC of the first packet of a compound.
pub(super) fn rtcp_ssrc(datagram: &[u8]) -> Option<u32> {
    let [first, _, _, _, s0, s1, s2, s3] = datagram.first_chunk::<RTCP_HEADER>()?;
    (first >> 6 == 2).then(|| u32::from_be_bytes([*s0, *s1, *s2, *s3]))
}
