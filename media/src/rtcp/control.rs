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
    /// That of the peer's stream.
    heard_rate: u32,
    ssrc: Ssrc,
    reception: Option<Reception>,
    /// Heard and lost of sources that another has replaced.
    replaced: (u64, i64),
    sent: Sent,
    remote: Option<ReportBlock>,
    /// Of ours, those lost of sources that another has replaced.
    remote_before: u64,
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
    /// How many of both were sent as another source.
    before: (u64, u64),
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
            heard_rate: clock_rate,
            ssrc,
            reception: None,
            replaced: (0, 0),
            sent: Sent::default(),
            remote: None,
            remote_before: 0,
            round_trip: None,
            due,
        }
    }

    /// The clock of what is heard counts at this rate from here on.
    pub fn set_heard_rate(&mut self, rate: u32) {
        if rate != self.heard_rate {
            self.heard_rate = rate;
            self.reception.iter_mut().for_each(|reception| reception.set_clock_rate(rate));
        }
    }

    /// Our stream goes on as another source, whose clock counts at this rate (RFC 7160 §4). Its reports count from nothing,
    /// the summary goes on.
    pub fn become_another(&mut self, ssrc: Ssrc, clock_rate: u32) {
        (self.ssrc, self.clock_rate) = (ssrc, clock_rate);
        self.remote_before += self.remote.take().map_or(0, |block| u64::try_from(block.cumulative_lost).unwrap_or(0));
        let Sent { packets, octets, .. } = self.sent;
        self.sent = Sent { packets, octets, before: (packets, octets), last: None, reported: packets };
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
                let new = reception.insert(Reception::new(now, packet, self.heard_rate));
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
            remote_lost: self.remote_before
                + self.remote.map_or(0, |block| u64::try_from(block.cumulative_lost).unwrap_or(0)),
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
            packets: (self.sent.packets - self.sent.before.0) as u32,
            octets: (self.sent.octets - self.sent.before.1) as u32,
        })
    }
}

/// Between half and one and a half times the mean, so that many calls do not report in step (RFC 3550 §6.3.1).
fn randomised(mean: Duration, random: u32) -> Duration {
    mean / 2 + mean.mul_f64(f64::from(random) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Header;

    const CNAME: &str = "call@trunkline";
    const FRAME: Duration = Duration::from_millis(20);

    #[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
    fn start() -> Instant {
        Instant::now()
    }

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> [u8; Header::LEN] {
        let mut datagram = [0; Header::LEN];
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: Ssrc(ssrc) }.write(&mut datagram).unwrap();
        datagram
    }

    fn hear(control: &mut Control, now: Instant, ssrc: u32, number: u32) {
        let datagram = packet(ssrc, number as u16, number * 160);
        control.handle_packet(now, &rtp::Packet::parse(&datagram).unwrap());
    }

    fn control(now: Instant, ssrc: u32) -> Control {
        Control::new(now, Clock::new(now, Duration::from_secs(1_700_000_000)), Ssrc(ssrc), 8_000, 1 << 31)
    }

    fn report(control: &mut Control, now: Instant) -> Vec<u8> {
        let mut buffer = [0; Report::MAX_LEN];
        let length = control.poll_report(now, 1 << 31, CNAME, &mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    fn block(datagram: &[u8], about: u32) -> Option<ReportBlock> {
        packets(datagram).find_map(|packet| match packet {
            Packet::SenderReport { reports, .. } | Packet::ReceiverReport { reports, .. } => reports.about(Ssrc(about)),
            Packet::Goodbye { .. } | Packet::Other { .. } => None,
        })
    }

    #[test]
    fn loss_is_counted_for_the_call_and_for_the_interval() {
        let cases: &[(&str, &[u32], u64, i32, u8)] = &[
            ("none lost", &[65_530, 65_531, 65_532, 65_533], 4, 0, 0),
            ("one of four", &[1, 2, 4], 3, 1, 64),
            ("reordered is not lost", &[1, 3, 2, 4], 4, 0, 0),
            ("late from before the first", &[2, 1, 3], 3, 0, 0),
            ("repeated makes up for one lost", &[1, 3, 3], 3, 0, 0),
            ("repeated more than lost", &[1, 1, 1], 3, -2, 0),
            ("across the wrap", &[65_534, 65_535, 65_537, 65_538], 4, 1, 51),
            ("one wild packet is not counted", &[1, 30_000, 2, 3], 3, 0, 0),
            ("begun anew, what was lost before still counts", &[1, 3, 30_000, 30_001, 30_002], 4, 1, 0),
        ];
        for (name, numbers, received, lost, fraction) in cases {
            let now = start();
            let mut control = control(now, 1);
            for number in *numbers {
                hear(&mut control, now, 2, *number);
            }
            let datagram = report(&mut control, now + INTERVAL);
            let heard = block(&datagram, 2).unwrap();
            assert_eq!((heard.cumulative_lost, heard.fraction_lost), (*lost, *fraction), "{name}");
            let summary = control.summary();
            assert_eq!((summary.received, summary.lost), (*received, u64::try_from(*lost).unwrap_or(0)), "{name}");
            hear(&mut control, now, 2, numbers[numbers.len() - 1] + 1);
            let datagram = report(&mut control, now + INTERVAL * 3);
            assert_eq!(block(&datagram, 2).unwrap().fraction_lost, 0, "{name}: an interval without loss");
        }
    }

    #[test]
    fn highest_sequence_counts_wraps_from_zero() {
        let now = start();
        let mut control = control(now, 1);
        for number in [65_535, 65_536] {
            hear(&mut control, now, 2, number);
        }
        assert_eq!(block(&report(&mut control, now + INTERVAL), 2).unwrap().highest_sequence, 1 << 16);
    }

    #[test]
    fn jitter_is_that_of_the_arrivals() {
        let cases: &[(&str, [u64; 2], Duration)] =
            &[("even", [0, 0], Duration::ZERO), ("every other packet 4 ms late", [0, 4], Duration::from_millis(4))];
        for (name, late, expected) in cases {
            let start = start();
            let mut control = control(start, 1);
            for number in 0..1_000u32 {
                let late = Duration::from_millis(late[number as usize % 2]);
                hear(&mut control, start + FRAME * number + late, 2, number);
            }
            let difference = control.summary().jitter.abs_diff(*expected);
            assert!(difference <= Duration::from_micros(250), "{name}: {:?}", control.summary().jitter);
        }
    }

    #[test]
    fn packets_of_one_timestamp_are_no_jitter() {
        let start = start();
        let mut control = control(start, 1);
        for number in 0..50u16 {
            let datagram = packet(2, number, 8_000);
            control.handle_packet(start + FRAME * number.into(), &rtp::Packet::parse(&datagram).unwrap());
        }
        assert_eq!(control.summary().jitter, Duration::ZERO);
    }

    #[test]
    fn round_trip_is_measured_by_both_ends() {
        let start = start();
        let way = Duration::from_millis(30);
        let (mut near, mut far) = (control(start, 1), control(start, 2));
        near.handle_sent(start, 0, 160);
        far.handle_sent(start, 0, 160);
        hear(&mut near, start, 2, 0);
        hear(&mut far, start, 1, 0);
        let at = near.next_timeout();
        let first = report(&mut near, at);
        far.handle_datagram(at + way, &first);
        let second = report(&mut far, at + INTERVAL);
        near.handle_datagram(at + INTERVAL + way, &second);
        let round_trip = near.summary().round_trip.unwrap();
        assert!(round_trip.abs_diff(way * 2) < Duration::from_micros(100), "{round_trip:?}");
        assert_eq!(far.summary().round_trip, None, "nothing of its own was echoed yet");
    }

    #[test]
    fn impossible_round_trips_are_not_believed() {
        let start = start();
        let mut near = control(start, 1);
        for (last_sender_report, delay_since) in [(near.clock.middle(start), u32::MAX), (1, 0), (0, 0)] {
            let block = ReportBlock {
                ssrc: Ssrc(1),
                fraction_lost: 0,
                cumulative_lost: 0,
                highest_sequence: 0,
                jitter: 0,
                last_sender_report,
                delay_since,
            };
            let mut buffer = [0; Report::MAX_LEN];
            let report = Report { ssrc: Ssrc(2), sender: None, reception: Some(block), cname: "", goodbye: false };
            let length = report.write(&mut buffer).unwrap();
            near.handle_datagram(start + FRAME, &buffer[..length]);
            assert_eq!(near.summary().round_trip, None, "{last_sender_report} {delay_since}");
        }
    }

    #[test]
    fn who_has_not_sent_is_a_receiver() {
        let start = start();
        let mut control = control(start, 1);
        let kind = |datagram: &[u8]| datagram[1];
        assert_eq!(kind(&report(&mut control, start + INTERVAL)), 201);
        control.handle_sent(start + INTERVAL, 160, 160);
        let datagram = report(&mut control, start + INTERVAL * 3);
        assert_eq!(kind(&datagram), 200);
        let Some(Packet::SenderReport { sender, .. }) = packets(&datagram).next() else { panic!("{datagram:?}") };
        // Ten seconds after the last packet the media clock stands so much later.
        assert_eq!((sender.timestamp, sender.packets, sender.octets), (160 + 80_000, 1, 160));
        assert_eq!(kind(&report(&mut control, start + INTERVAL * 6)), 201);
    }

    #[test]
    fn reports_come_at_their_time() {
        let cases: &[(u32, u64, u64)] = &[(0, 1_250, 2_500), (1 << 31, 2_500, 5_000), (u32::MAX, 3_749, 7_499)];
        for (random, first, later) in cases {
            let start = start();
            let clock = Clock::new(start, Duration::ZERO);
            let mut control = Control::new(start, clock, Ssrc(1), 8_000, *random);
            let due = control.next_timeout();
            assert_eq!((due - start).as_millis() as u64, *first, "{random}");
            let mut buffer = [0; Report::MAX_LEN];
            assert_eq!(control.poll_report(due - FRAME, *random, CNAME, &mut buffer), None);
            assert!(control.poll_report(due, *random, CNAME, &mut buffer).is_some());
            assert_eq!((control.next_timeout() - due).as_millis() as u64, *later, "{random}");
        }
    }

    #[test]
    fn goodbye_is_told_and_heard() {
        let start = start();
        let (mut near, mut far) = (control(start, 1), control(start, 2));
        let mut buffer = [0; Report::MAX_LEN];
        let length = near.goodbye(start, CNAME, &mut buffer).unwrap();
        assert!(!far.handle_datagram(start, &buffer[..length]), "of a source that was never heard");
        hear(&mut far, start, 1, 0);
        assert!(far.handle_datagram(start, &buffer[..length]));
    }

    #[test]
    fn a_clock_of_another_rate_is_another_source_of_ours() {
        let start = start();
        let mut control = control(start, 1);
        control.handle_sent(start, 160, 160);
        report(&mut control, start + INTERVAL);
        control.become_another(Ssrc(9), 48_000);
        let datagram = report(&mut control, start + INTERVAL * 3);
        assert_eq!((datagram[1], &datagram[4..8]), (201, &[0, 0, 0, 9][..]), "nothing was sent as this one");
        control.handle_sent(start + INTERVAL * 3, 960, 60);
        let datagram = report(&mut control, start + INTERVAL * 6);
        let Some(Packet::SenderReport { sender, .. }) = packets(&datagram).next() else { panic!("{datagram:?}") };
        assert_eq!((sender.timestamp, sender.packets, sender.octets), (960 + 15 * 48_000, 1, 60));
        assert_eq!((control.summary().sent, control.summary().sent_octets), (2, 220), "the call goes on");
    }

    #[test]
    fn jitter_goes_on_in_the_units_of_another_clock() {
        let start = start();
        let mut control = control(start, 1);
        let (mut timestamp, mut jitter) = (0u32, Vec::new());
        for number in 0..600u32 {
            let wide = number / 200 == 1;
            control.set_heard_rate(if wide { 48_000 } else { 8_000 });
            let datagram = packet(2, number as u16, timestamp);
            let late = Duration::from_millis(u64::from(number % 2) * 4);
            control.handle_packet(start + FRAME * number + late, &rtp::Packet::parse(&datagram).unwrap());
            timestamp = timestamp.wrapping_add(if wide { 960 } else { 160 });
            jitter.push(control.summary().jitter);
        }
        for number in [199, 201, 399, 401, 599] {
            let difference = jitter[number].abs_diff(Duration::from_millis(4));
            assert!(difference <= Duration::from_micros(500), "{number}: {:?}", jitter[number]);
        }
    }

    #[test]
    fn another_source_begins_its_own_counts() {
        let start = start();
        let mut control = control(start, 1);
        for number in [1, 3] {
            hear(&mut control, start, 2, number);
        }
        for number in [9_000, 9_001] {
            hear(&mut control, start, 7, number);
        }
        let summary = control.summary();
        assert_eq!((summary.received, summary.lost), (4, 1));
        assert_eq!(block(&report(&mut control, start + INTERVAL), 7).unwrap().cumulative_lost, 0);
    }
}
