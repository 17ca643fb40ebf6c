//! The RTP stream toward the carrier: samples in, packets of the negotiated length out. Positions and lengths are ticks.

use crate::{
    codec::{Coding, g711::Law, g722},
    frame::{FRAME, Fifo, LONGEST, Rate},
    rtp::{Header, Ssrc},
};

/// Ticks waiting to be sent: the longest packet, and what may come at once while it fills.
const QUEUE: usize = 2 * LONGEST;

/// Cuts samples into packets and numbers them.
#[derive(Debug)]
pub(crate) struct Sender {
    ssrc: Ssrc,
    sequence: u16,
    /// Timestamp of the sample at position 0.
    origin: u32,
    /// Ticks sent or skipped.
    position: u64,
    coder: Coder,
    payload_type: u8,
    /// Ticks in a packet.
    packet: usize,
    /// The next packet is the first after silence.
    marker: bool,
    queue: Fifo,
}

/// What makes bytes of samples. The state of G.722 is only there where it is spoken.
#[derive(Debug)]
enum Coder {
    Law(Law),
    G722(Box<g722::Encoder>),
}

/// A packet written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) length: usize,
    pub(crate) timestamp: u32,
}

impl Sender {
    /// A stream that begins at random numbers (RFC 3550 §5.1), taken from a seed. The first sequence number is in the lower
    /// half, so that its first wrap is far away when its first packets are lost (RFC 3711 §3.3.1).
    pub(crate) fn new(ssrc: Ssrc, random: u64) -> Self {
        Self {
            ssrc,
            sequence: random as u16 >> 1,
            origin: (random >> 16) as u32,
            position: 0,
            coder: Coder::Law(Law::Mu),
            payload_type: 0,
            packet: FRAME,
            marker: true,
            queue: Fifo::new(QUEUE),
        }
    }

    /// What to send from the next packet on. What is queued is sent as well, at the rate of that.
    pub(crate) fn set(&mut self, coding: Coding, payload_type: u8, packet: usize) {
        if coding.rate() != self.rate() {
            self.queue = self.queue.converted(self.rate(), coding.rate());
        }
        match (&mut self.coder, coding) {
            (Coder::G722(_), Coding::G722) => {}
            (coder, Coding::G722) => *coder = Coder::G722(Box::default()),
            (coder, Coding::Law(law)) => *coder = Coder::Law(law),
        }
        self.payload_type = payload_type;
        self.packet = packet.clamp(1, LONGEST);
    }

    /// Queues samples; what does not fit is dropped.
    pub(crate) fn push(&mut self, samples: &[i16]) {
        self.queue.push(samples);
    }

    /// Completes the next packet with silence.
    pub(crate) fn push_silence(&mut self) {
        self.queue.push_silence(self.missing());
    }

    /// Lets time pass without sending: the timestamp moves on.
    pub(crate) fn skip(&mut self, ticks: u64) {
        self.position += ticks;
        self.marker = true;
    }

    /// Drops what is queued.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Drops the next packet in favour of something that is sent in its time.
    pub(crate) fn drop_packet(&mut self) {
        self.queue.consume(self.rate().samples(self.packet));
        self.position += self.packet as u64;
    }

    /// The samples of the next packet, as many of them as are there.
    pub(crate) fn packet_mut(&mut self) -> &mut [i16] {
        let samples = self.rate().samples(self.packet);
        let queued = self.queue.front_mut();
        let count = samples.min(queued.len());
        &mut queued[..count]
    }

    /// Writes the next packet if there are samples for it.
    pub(crate) fn poll(&mut self, datagram: &mut [u8]) -> Option<Written> {
        let samples = self.queue.front().get(..self.rate().samples(self.packet))?;
        let timestamp = self.timestamp();
        let header = Header {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        let payload = header.write(datagram)?;
        let length = match &mut self.coder {
            Coder::Law(law) => law.encode(samples, payload),
            Coder::G722(encoder) => encoder.encode(samples, payload),
        };
        self.queue.consume(self.rate().samples(self.packet));
        self.position += self.packet as u64;
        self.sequence = self.sequence.wrapping_add(1);
        self.marker = false;
        Some(Written { length: Header::LEN + length, timestamp })
    }

    /// Takes a sequence number for a packet that is not audio; the caller writes it.
    pub(crate) fn take_sequence(&mut self) -> u16 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }

    pub(crate) fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Timestamp of the next sample to be sent.
    pub(crate) fn timestamp(&self) -> u32 {
        self.origin.wrapping_add(self.position as u32)
    }

    /// Ticks sent or skipped: the position of the next packet.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The position behind all that is queued.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.rate().ticks(self.queue.len()) as u64
    }

    /// Whether there are samples for a packet.
    pub(crate) fn is_ready(&self) -> bool {
        self.missing() == 0
    }

    /// Whether there are samples at all.
    pub(crate) fn is_begun(&self) -> bool {
        self.queue.len() > 0
    }

    /// Samples that the next packet wants yet.
    pub(crate) fn missing(&self) -> usize {
        self.rate().samples(self.packet).saturating_sub(self.queue.len())
    }

    /// Of the samples it takes.
    pub(crate) fn rate(&self) -> Rate {
        match self.coder {
            Coder::Law(_) => Rate::Narrow,
            Coder::G722(_) => Rate::Wide,
        }
    }

    /// Ticks in a packet.
    pub(crate) fn packet(&self) -> usize {
        self.packet
    }
}
