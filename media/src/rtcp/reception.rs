//! What was heard of one source: loss and jitter ([RFC 3550 A.3, A.8]).
//!
//! [RFC 3550 A.3, A.8]: https://www.rfc-editor.org/rfc/rfc3550#appendix-A.3

use std::time::{Duration, Instant};

use super::clock::to_middle;
use super::{ReportBlock, SenderInfo, clock};
use crate::rtp::{Extended, Packet, Sequence, Ssrc};

/// The counts of one source since it was first heard.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    ssrc: Ssrc,
    clock_rate: u32,
    origin: Instant,
    sequence: Sequence,
    first: u64,
    received: u64,
    /// Expected and received at the last report, for the fraction lost since.
    reported: (u64, u64),
    transit: Option<(u32, i64)>,
    /// Sixteen times the jitter, in units of the media clock.
    jitter: u64,
    sender_report: Option<(u32, Instant)>,
    /// Losses and packets of a sender that has begun anew.
    before: (i64, u64),
}

impl Reception {
    /// Starts with the first packet of a source; the packet is counted.
    pub fn new(now: Instant, packet: &Packet<'_>, clock_rate: u32) -> Self {
        let sequence = Sequence::new(packet.sequence());
        let mut reception = Self {
            ssrc: packet.ssrc(),
            clock_rate,
            origin: now,
            sequence,
            first: sequence.highest(),
            received: 0,
            reported: (0, 0),
            transit: None,
            jitter: 0,
            sender_report: None,
            before: (0, 0),
        };
        reception.handle_packet(now, packet);
        reception
    }

    /// Its clock counts at another rate from here on (RFC 7160 §4).
    pub(super) fn set_clock_rate(&mut self, rate: u32) {
        self.jitter = self.jitter * u64::from(rate) / u64::from(self.clock_rate.max(1));
        (self.clock_rate, self.transit) = (rate, None);
    }

    /// Counts a packet and says where it stands in the stream.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) -> Extended {
        let before = (self.lost(), self.received());
        let place = self.sequence.extend(packet.sequence());
        match place {
            Extended::At(number) => {
                // Late ones from before the first packet were expected as well.
                self.first = self.first.min(number);
                self.received += 1;
                self.measure_jitter(now, packet.timestamp());
            }
            Extended::Restarted(number) => {
                self.before = before;
                (self.first, self.received, self.reported, self.transit) = (number, 1, (0, 0), None);
            }
            Extended::Wild => {}
        }
        place
    }

    /// Remembers a sender report, so that the next block can echo it.
    pub fn handle_sender_report(&mut self, now: Instant, sender: &SenderInfo) {
        self.sender_report = Some((clock::middle(sender.ntp), now));
    }

    /// The block to report, and the beginning of the next interval.
    pub fn report(&mut self, now: Instant) -> ReportBlock {
        let (expected, received) = (self.expected(), self.received);
        let (expected_now, received_now) = (expected - self.reported.0, received - self.reported.1);
        self.reported = (expected, received);
        let lost_now = expected_now.saturating_sub(received_now);
        let (last_sender_report, delay_since) = match self.sender_report {
            Some((middle, at)) => (middle, to_middle(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: (lost_now * 256).checked_div(expected_now).map_or(0, |part| part.min(255) as u8),
            cumulative_lost: self.lost().clamp(i32::MIN.into(), i32::MAX.into()) as i32,
            // One cycle was given to the first packet, see `Sequence`.
            highest_sequence: (self.sequence.highest() as u32).wrapping_sub(1 << 16),
            jitter: u32::try_from(self.jitter >> 4).unwrap_or(u32::MAX),
            last_sender_report,
            delay_since,
        }
    }

    /// Whose packets these are.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// The highest sequence number heard, see [`Sequence`].
    pub fn highest(&self) -> u64 {
        self.sequence.highest()
    }

    /// Packets heard, repeated ones included.
    pub fn received(&self) -> u64 {
        self.before.1 + self.received
    }

    /// Packets lost, less those heard twice.
    pub fn lost(&self) -> i64 {
        let lost = self.expected().cast_signed() - self.received.cast_signed();
        self.before.0 + lost
    }

    /// How unevenly packets arrive.
    pub fn jitter(&self) -> Duration {
        Duration::from_nanos((self.jitter >> 4).saturating_mul(1_000_000_000) / u64::from(self.clock_rate.max(1)))
    }

    fn expected(&self) -> u64 {
        self.sequence.highest() - self.first + 1
    }

    /// Packets that share a timestamp, as those of one telephone event do, were not sampled at their sending: only the
    /// first of them counts.
    fn measure_jitter(&mut self, now: Instant, timestamp: u32) {
        let arrival =
            now.saturating_duration_since(self.origin).as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        let Some((last, transit)) = self.transit else {
            self.transit = Some((timestamp, arrival as i64));
            return;
        };
        if timestamp == last {
            return;
        }
        // `transit` is kept as the arrival at which this timestamp would have come with no jitter.
        let arrival = arrival as i64;
        let step = i64::from(timestamp.wrapping_sub(last).cast_signed());
        let difference = (arrival - transit - step).unsigned_abs().min(u64::from(u32::MAX));
        self.transit = Some((timestamp, arrival));
        self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
    }
}
