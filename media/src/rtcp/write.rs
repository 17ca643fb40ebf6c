//! A compound datagram written: SR or RR, then SDES with the CNAME, then BYE if this is the last (RFC 3550 §6.1).

use super::{CNAME, GOODBYE, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo, VERSION};
use crate::rtp::Ssrc;

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Who reports.
    pub ssrc: Ssrc,
    /// What we have sent; none makes it a receiver report.
    pub sender: Option<SenderInfo>,
    /// What we have heard.
    pub reception: Option<ReportBlock>,
    /// Our name, the same for the whole call; cut at 255 bytes.
    pub cname: &'a str,
    /// Whether we leave.
    pub goodbye: bool,
}

impl Report<'_> {
    /// Enough for every report there can be.
    pub const MAX_LEN: usize = 8 + 20 + ReportBlock::LEN + 4 + 4 + 2 + 255 + 4 + 8;

    /// Writes the compound and returns its length, or `None` when the buffer is too short.
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut out = Writer { buffer, at: 0 };
        self.write_report(&mut out)?;
        self.write_name(&mut out)?;
        if self.goodbye {
            out.word(header(1, GOODBYE, 1))?;
            out.word(self.ssrc.0)?;
        }
        Some(out.at)
    }

    fn write_report(&self, out: &mut Writer<'_>) -> Option<()> {
        let blocks = u16::from(self.reception.is_some());
        let (kind, sender_words) = match self.sender {
            Some(_) => (SENDER_REPORT, 5),
            None => (RECEIVER_REPORT, 0),
        };
        out.word(header(blocks as u8, kind, 1 + sender_words + blocks * (ReportBlock::LEN / 4) as u16))?;
        out.word(self.ssrc.0)?;
        if let Some(sender) = &self.sender {
            out.put(&sender.ntp.to_be_bytes())?;
            out.word(sender.timestamp)?;
            out.word(sender.packets)?;
            out.word(sender.octets)?;
        }
        let Some(block) = &self.reception else { return Some(()) };
        out.word(block.ssrc.0)?;
        out.word(u32::from(block.fraction_lost) << 24 | clamp_lost(block.cumulative_lost))?;
        out.word(block.highest_sequence)?;
        out.word(block.jitter)?;
        out.word(block.last_sender_report)?;
        out.word(block.delay_since)
    }

    /// The chunk ends with one to four zero bytes, at a word's border.
    fn write_name(&self, out: &mut Writer<'_>) -> Option<()> {
        let length = u8::try_from(self.cname.len()).unwrap_or(u8::MAX);
        let name = &self.cname.as_bytes()[..usize::from(length)];
        let words = (2 + u16::from(length)) / 4 + 1;
        out.word(header(1, SOURCE_DESCRIPTION, 1 + words))?;
        out.word(self.ssrc.0)?;
        out.put(&[CNAME, length])?;
        out.put(name)?;
        out.put(&[0; 4][..usize::from(words * 4 - 2 - u16::from(length))])
    }
}

struct Writer<'b> {
    buffer: &'b mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn word(&mut self, word: u32) -> Option<()> {
        self.put(&word.to_be_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at + bytes.len();
        self.buffer.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }
}

fn header(count: u8, kind: u8, words: u16) -> u32 {
    u32::from_be_bytes([VERSION << 6 | count, kind, 0, 0]) | u32::from(words)
}

/// 24 bits with sign; more than they hold stays at the end of the scale (RFC 3550 A.3).
fn clamp_lost(lost: i32) -> u32 {
    lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff
}
