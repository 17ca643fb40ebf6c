//! What the other side reports of our packets ([RFC 3550 §6.4.2]).
//!
//! The engine hands no report on, and does not enter any into its statistics. So there is a place of ours in the chain that all
//! packets go through, the closest to the wire.
//!
//! [RFC 3550 §6.4.2]: https://www.rfc-editor.org/rfc/rfc3550#section-6.4.2

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, Slot, StreamInfo, TaggedPacket};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// Nobody has reported since the last question.
const NONE: u32 = u32::MAX;

/// The last report, for whoever sends the packets. The engine wants what it carries along to be shared between threads; this
/// is touched by one alone.
#[derive(Clone, Debug)]
pub(super) struct Reports(Arc<AtomicU32>);

impl Reports {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU32::new(NONE)))
    }

    /// The share of packets that were lost, once for each report.
    pub(super) fn take(&self) -> Option<f64> {
        match self.0.load(Ordering::Relaxed) {
            NONE => None,
            lost => {
                self.0.store(NONE, Ordering::Relaxed);
                Some(f64::from(lost) / 256.0)
            }
        }
    }
}

/// Reads the reports on one stream, and lets everything pass.
pub(super) struct Reader {
    ssrc: u32,
    reports: Reports,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl Reader {
    /// Where it belongs in the chain.
    pub(super) const SLOT: Slot = Slot::Custom(500);

    pub(super) fn new(ssrc: u32, reports: Reports) -> Self {
        Self { ssrc, reports, read: VecDeque::new(), written: VecDeque::new() }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Reader {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            let reports = packets.iter().filter_map(|packet| packet.as_any().downcast_ref::<ReceiverReport>());
            let ours = reports.flat_map(|report| &report.reports).find(|report| report.ssrc == self.ssrc);
            if let Some(report) = ours {
                self.reports.0.store(report.fraction_lost.into(), Ordering::Relaxed);
            }
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.written.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.written.pop_front()
    }
}

impl Interceptor for Reader {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
