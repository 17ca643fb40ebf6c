//! The RTP stream toward the carrier: samples in, packets of the negotiated length out. Positions and lengths are ticks.

mod speaker;

use self::speaker::Speaker;
use crate::{
    Error,
    codec::{Coding, g711::Law, g722},
    frame::{FRAME, Fifo, LONGEST, Rate},
    rtp::{Header, Ssrc},
    sdp::OpusTerms,
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
    /// What the clock of the timestamps counts in a tick.
    step: u32,
    coder: Coder,
    payload_type: u8,
    /// Ticks in a packet.
    packet: usize,
    /// The next packet is the first after silence.
    marker: bool,
    queue: Fifo,
}

/// What makes bytes of samples. The state of G.722 and of Opus is only there where it is spoken.
#[derive(Debug)]
enum Coder {
    Law(Law),
    G722(Box<g722::Encoder>),
    Opus(Box<Speaker>),
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
            step: 1,
            coder: Coder::Law(Law::Mu),
            payload_type: 0,
            packet: FRAME,
            marker: true,
            queue: Fifo::new(QUEUE),
        }
    }

    /// What to send from the next packet on. What is queued is sent as well, at the rate of that.
    pub(crate) fn set(
        &mut self,
        coding: Coding,
        payload_type: u8,
        packet: usize,
        opus: OpusTerms,
    ) -> Result<(), Error> {
        if coding.rate() != self.rate() {
            self.queue = self.queue.converted(self.rate(), coding.rate());
        }
        match (&mut self.coder, coding) {
            (Coder::G722(_), Coding::G722) => {}
            (Coder::Opus(speaker), Coding::Opus) => speaker.set(opus)?,
            (coder, Coding::Opus) => *coder = Coder::Opus(Box::new(Speaker::new(opus)?)),
            (coder, Coding::G722) => *coder = Coder::G722(Box::default()),
            (coder, Coding::Law(law)) => *coder = Coder::Law(law),
        }
        self.payload_type = payload_type;
        self.packet = packet.clamp(1, LONGEST);
        Ok(())
    }

    /// Goes on as another source whose clock counts so much in a tick: timestamps of two rates do not share one
    /// (RFC 7160 §4).
    pub(crate) fn become_another(&mut self, ssrc: Ssrc, step: u32) {
        let timestamp = self.timestamp();
        (self.ssrc, self.step, self.marker) = (ssrc, step, true);
        self.origin = timestamp.wrapping_sub((self.position as u32).wrapping_mul(step));
    }

    /// Queues samples; what does not fit is dropped.
    pub(crate) fn push(&mut self, samples: &[i16]) {
        self.queue.push(samples);
    }

    /// Queues somebody else's packet of Opus, to be sent as it is after what is queued, all of it. One at a time.
    pub(crate) fn hand_on(&mut self, ticks: usize, payload: &[u8]) {
        if let Coder::Opus(speaker) = &mut self.coder {
            // The shortest frame is one of 2.5 ms.
            let rest = Rate::Wide.ticks(self.queue.len()) % 20;
            self.queue.push_silence(Rate::Wide.samples((20 - rest) % 20));
            speaker.end();
            speaker.hand_on(ticks, payload);
        }
    }

    /// Queues a packet of silence that nobody has to encode, if there is such a thing and nothing is queued.
    pub(crate) fn hush(&mut self) -> bool {
        match &mut self.coder {
            Coder::Opus(speaker) if self.queue.len() == 0 => speaker.hush(self.packet),
            _ => false,
        }
    }

    /// Leaves out numbers of packets that were lost on their way to us, and their time.
    pub(crate) fn leave_out(&mut self, packets: u16, ticks: u64) {
        self.sequence = self.sequence.wrapping_add(packets);
        self.position += ticks;
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
        if let Coder::Opus(speaker) = &mut self.coder {
            speaker.forget();
        }
    }

    /// Drops the next packet in favour of something that is sent in its time.
    pub(crate) fn drop_packet(&mut self) {
        self.queue.consume(self.rate().samples(self.packet));
        self.position += self.packet as u64;
    }

    /// Writes the next packet if there are samples for it, or a whole one.
    pub(crate) fn poll(&mut self, datagram: &mut [u8]) -> Option<Written> {
        let (ticks, samples) = self.next()?;
        let timestamp = self.timestamp();
        let header = Header {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        let payload = header.write(datagram)?;
        let queued = &self.queue.front()[..samples];
        let length = match &mut self.coder {
            Coder::Law(law) => Some(law.encode(queued, payload)),
            Coder::G722(encoder) => Some(encoder.encode(queued, payload)),
            Coder::Opus(speaker) if samples == 0 => speaker.take(payload).map(|whole| whole.length),
            Coder::Opus(speaker) => speaker.encode(queued, payload),
        };
        self.queue.consume(samples);
        self.position += ticks as u64;
        let length = length?;
        self.sequence = self.sequence.wrapping_add(1);
        self.marker = false;
        Some(Written { length: Header::LEN + length, timestamp })
    }

    /// The ticks of the next packet, and the samples that it is made of: none if it is whole already.
    fn next(&mut self) -> Option<(usize, usize)> {
        let queued = self.queue.len();
        let ticks = match &mut self.coder {
            Coder::Law(_) | Coder::G722(_) => self.packet,
            Coder::Opus(speaker) if queued == 0 => return speaker.turn().map(|ticks| (ticks, 0)),
            Coder::Opus(speaker) => speaker.length(self.packet, Rate::Wide.ticks(queued)),
        };
        let samples = self.rate().samples(ticks);
        (samples <= queued).then_some((ticks, samples))
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
        self.origin.wrapping_add((self.position as u32).wrapping_mul(self.step))
    }

    /// Ticks sent or skipped: the position of the next packet.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The position behind all that is queued.
    pub(crate) fn end(&self) -> u64 {
        let whole = if let Coder::Opus(speaker) = &self.coder { speaker.waiting() } else { 0 };
        self.position + (self.rate().ticks(self.queue.len()) + whole) as u64
    }

    /// Whether there are samples for a packet.
    pub(crate) fn is_ready(&self) -> bool {
        self.missing() == 0
    }

    /// Samples that the next packet wants yet.
    pub(crate) fn missing(&self) -> usize {
        self.rate().samples(self.packet).saturating_sub(self.queue.len())
    }

    /// Of the samples it takes.
    pub(crate) fn rate(&self) -> Rate {
        match self.coder {
            Coder::Law(_) => Rate::Narrow,
            Coder::G722(_) | Coder::Opus(_) => Rate::Wide,
        }
    }

    /// Ticks in a packet.
    pub(crate) fn packet(&self) -> usize {
        self.packet
    }
}
