//! Both directions of one stream counted, and a report every five seconds or so (RFC 3550 §6.2, §6.3).
//!
//! ```text
//! handle_packet, handle_sent, handle_datagram ──► counts ──► poll_report, when due ──► summary
//! ```

use std::time::{Duration, Instant};

use super::{Clock, Packet, Reception, Report, ReportBlock, SenderInfo, clock, packets};
use crate::rtp::{self, Extended, Ssrc};

/// The least mean time between reports (RFC 3550 §6.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// The first report comes sooner (RFC 3550 §6.2).
const FIRST_INTERVAL: Duration = Duration::from_millis(2_500);

/// One stream in each direction.
#[derive(Clone, Debug)]
pub struct Control {
    clock: Clock,
    clock_rate: u32,
    ssrc: Ssrc,
    reception: Option<Reception>,
    /// Heard and lost of sources that another has replaced.
    replaced: (u64, i64),
    sent: Sent,
    remote: Option<ReportBlock>,
    round_trip: Option<Duration>,
    due: Instant,
}

/// What we know of the stream, for people and for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packets heard.
    pub received: u64,
    /// Packets that should have been heard and were not.
    pub lost: u64,
    /// How unevenly they came.
    pub jitter: Duration,
    /// Packets sent.
    pub sent: u64,
    /// Payload bytes sent.
    pub sent_octets: u64,
    /// Of ours, those the peer says it lost.
    pub remote_lost: u64,
    /// How unevenly ours came to the peer.
    pub remote_jitter: Duration,
    /// From us to the peer and back, once both have reported.
    pub round_trip: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    packets: u64,
    octets: u64,
    /// The timestamp of the last packet and when it went out.
    last: Option<(u32, Instant)>,
    /// Packets at the last report: who has sent since is a sender (RFC 3550 §6.4).
    reported: u64,
}

impl Control {
    /// A stream of ours with this SSRC; `random` sets when the first report is due.
    pub fn new(now: Instant, clock: Clock, ssrc: Ssrc, clock_rate: u32, random: u32) -> Self {
        let due = now + randomised(FIRST_INTERVAL, random);
        Self {
            clock,
            clock_rate,
            ssrc,
            reception: None,
            replaced: (0, 0),
            sent: Sent::default(),
            remote: None,
            round_trip: None,
            due,
        }
    }

    /// Counts a packet that was heard; one of another source begins the counts of that source.
    pub fn handle_packet(&mut self, now: Instant, packet: &rtp::Packet<'_>) -> Extended {
        match &mut self.reception {
            Some(reception) if reception.ssrc() == packet.ssrc() => reception.handle_packet(now, packet),
            reception => {
                if let Some(old) = reception.take() {
                    self.replaced.0 += old.received();
                    self.replaced.1 += old.lost();
                }
                let new = reception.insert(Reception::new(now, packet, self.clock_rate));
                Extended::At(new.highest())
            }
        }
    }

    /// Counts a packet that was sent.
    pub fn handle_sent(&mut self, now: Instant, timestamp: u32, payload: usize) {
        self.sent.packets += 1;
        self.sent.octets += payload as u64;
        self.sent.last = Some((timestamp, now));
    }

    /// Reads what the peer reports. Returns whether it said goodbye.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let mut goodbye = false;
        for packet in packets(datagram) {
            match packet {
                Packet::SenderReport { ssrc, sender, reports } => {
                    if let Some(reception) = self.reception.as_mut().filter(|reception| reception.ssrc() == ssrc) {
                        reception.handle_sender_report(now, &sender);
                    }
                    self.handle_block(now, reports.about(self.ssrc));
                }
                Packet::ReceiverReport { reports, .. } => self.handle_block(now, reports.about(self.ssrc)),
                Packet::Goodbye { ssrc } => goodbye |= self.reception.is_some_and(|reception| reception.ssrc() == ssrc),
                // Names and feedback are of no use to a single stream of audio.
                Packet::Other { .. } => {}
            }
        }
        goodbye
    }

    /// Writes a report if one is due and returns its length; `random` sets when the next one is.
    pub fn poll_report(&mut self, now: Instant, random: u32, cname: &str, buffer: &mut [u8]) -> Option<usize> {
        if now < self.due {
            return None;
        }
        self.due = now + randomised(INTERVAL, random);
        self.write(now, cname, false, buffer)
    }

    /// Writes the last report, with a goodbye.
    pub fn goodbye(&mut self, now: Instant, cname: &str, buffer: &mut [u8]) -> Option<usize> {
        self.write(now, cname, true, buffer)
    }

    /// When the next report is due.
    pub fn next_timeout(&self) -> Instant {
        self.due
    }

    /// The counts so far.
    pub fn summary(&self) -> Summary {
        let (received, lost) = self.reception.map_or((0, 0), |reception| (reception.received(), reception.lost()));
        let units = self.remote.map_or(0, |block| u64::from(block.jitter));
        Summary {
            received: self.replaced.0 + received,
            lost: u64::try_from(self.replaced.1 + lost).unwrap_or(0),
            jitter: self.reception.map_or(Duration::ZERO, |reception| reception.jitter()),
            sent: self.sent.packets,
            sent_octets: self.sent.octets,
            remote_lost: self.remote.map_or(0, |block| u64::try_from(block.cumulative_lost).unwrap_or(0)),
            remote_jitter: Duration::from_nanos(units * 1_000_000_000 / u64::from(self.clock_rate.max(1))),
            round_trip: self.round_trip,
        }
    }

    /// The round trip is what is left of the time since our report when the peer's delay is taken away
    /// (RFC 3550 §6.4.1). A peer that counts wrongly yields more than a minute, or less than nothing: not believed.
    fn handle_block(&mut self, now: Instant, block: Option<ReportBlock>) {
        let Some(block) = block else { return };
        self.remote = Some(block);
        if block.last_sender_report == 0 {
            return;
        }
        let elapsed = self.clock.middle(now).wrapping_sub(block.last_sender_report);
        let round_trip = elapsed.checked_sub(block.delay_since).map(clock::from_middle);
        if let Some(round_trip) = round_trip.filter(|trip| *trip < Duration::from_secs(60)) {
            self.round_trip = Some(round_trip);
        }
    }

    fn write(&mut self, now: Instant, cname: &str, goodbye: bool, buffer: &mut [u8]) -> Option<usize> {
        let sender = self.sender_info(now);
        self.sent.reported = self.sent.packets;
        let reception = self.reception.as_mut().map(|reception| reception.report(now));
        Report { ssrc: self.ssrc, sender, reception, cname, goodbye }.write(buffer)
    }

    fn sender_info(&self, now: Instant) -> Option<SenderInfo> {
        let (timestamp, at) = self.sent.last.filter(|_| self.sent.packets > self.sent.reported)?;
        let since = now.saturating_duration_since(at).as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        Some(SenderInfo {
            ntp: self.clock.ntp(now),
            timestamp: timestamp.wrapping_add(since as u32),
            packets: self.sent.packets as u32,
            octets: self.sent.octets as u32,
        })
    }
}

/// Between half and one and a half times the mean, so that many calls do not report in step (RFC 3550 §6.3.1).
fn randomised(mean: Duration, random: u32) -> Duration {
    mean / 2 + mean.mul_f64(f64::from(random) / (f64::from(u32::MAX) + 1.0))
}
