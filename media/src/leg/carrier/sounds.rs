//! What the carrier hears that nobody says: keys that are pressed for it, ringing, and recordings.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::Carrier;
use crate::{
    dtmf,
    frame::{RATE, Rate, WIDE_FRAME},
    rtp::Header,
    source::Lock,
};

/// How long a key is held for the carrier, and how long it is left alone: as livekit-sip does, for slow machines listen.
const KEY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(250));

impl Carrier {
    /// Presses keys, after those before them, each in place of the audio of its time.
    pub(crate) fn press(&mut self, keys: &[dtmf::Press]) -> Result<(), dtmf::Refused> {
        if !self.takes_events() {
            return Err(dtmf::Refused::NoEvents);
        }
        let rate = self.terms.event_rate;
        let sender = self.keys.get_or_insert_with(|| Box::new(dtmf::Sender::new(rate)));
        sender.press_all(keys, KEY.0, KEY.1)
    }

    /// Sends what a tone or a recording says, if it is time to send. Returns whether a packet is ready now.
    #[cold]
    pub(crate) fn play(&mut self, now: Instant, mut speak: impl FnMut(Rate, &mut [i16])) -> bool {
        if self.due().is_none_or(|due| now < due) {
            return false;
        }
        self.catch_up(now);
        let rate = self.rate();
        let mut pcm = [0; WIDE_FRAME];
        while !self.sender.is_ready() {
            let samples = self.sender.missing().min(rate.frame());
            speak(rate, &mut pcm[..samples]);
            self.sender.push(&pcm[..samples]);
        }
        true
    }

    /// Whether digits can be sent as events.
    pub(crate) fn takes_events(&self) -> bool {
        self.terms.send_events.is_some()
    }

    /// Writes the packet of a key that is down in place of the audio that is ready.
    #[cold]
    pub(super) fn poll_key(&mut self, now: Instant, datagram: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let keys = self.keys.as_mut().filter(|_| self.sender.is_ready())?;
        // Keys are timed in units of their own format, which are not those of the audio with a peer that has Opus and only events
        // of 8 kHz; the timestamp on the wire is that of the audio in any case (RFC 4733 §2.1).
        let unit = self.terms.event_rate / RATE;
        let here = (self.sender.position() as u32).wrapping_mul(unit);
        let mut outgoing = keys.tick(here, self.sender.packet() as u32 * unit)?;
        let since = here.wrapping_sub(outgoing.timestamp) / unit;
        outgoing.timestamp = self.sender.timestamp().wrapping_sub(since * self.terms.coding.step());
        self.sender.drop_packet();
        self.write_event(now, outgoing, datagram)
    }

    /// Writes a telephone event in place of the packet that is due.
    pub(crate) fn send_event(
        &mut self,
        now: Instant,
        outgoing: dtmf::Outgoing,
        datagram: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let sent = self.write_event(now, outgoing, datagram);
        self.sender.skip(self.terms.packet as u64);
        sent
    }

    fn write_event(
        &mut self,
        now: Instant,
        outgoing: dtmf::Outgoing,
        datagram: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let payload_type = self.terms.send_events?;
        let header = Header {
            marker: outgoing.marker,
            payload_type,
            sequence: self.sender.take_sequence(),
            timestamp: outgoing.timestamp,
            ssrc: self.sender.ssrc(),
        };
        let rest = header.write(datagram)?;
        rest.get_mut(..outgoing.payload.len())?.copy_from_slice(&outgoing.payload);
        let sealed = self.seal.seal_rtp(datagram, Header::LEN + outgoing.payload.len())?;
        let to = self.lock.as_mut().and_then(Lock::send_rtp)?;
        self.control.handle_sent(now, outgoing.timestamp, outgoing.payload.len());
        Some((to, sealed))
    }
}
