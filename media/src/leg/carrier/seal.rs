//! The encryption of the leg: nothing at all while it was not agreed upon.

use crate::{
    frame::LONGEST,
    rtp::Header,
    srtp::{OVERHEAD, Pair, Receiver, Refused, Sender},
};

/// The largest packet that is opened: the longest audio, and as much again for contributors and extensions.
const DATAGRAM: usize = 2 * (Header::LEN + LONGEST) + OVERHEAD;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Seal {
    active: Option<Box<Active>>,
    /// Whether packets are encrypted now. The keys are kept when they no longer are, with what was counted under them.
    on: bool,
    forged: u64,
    replayed: u64,
}

#[derive(Debug)]
struct Active {
    pair: Pair,
    sender: Sender,
    receiver: Receiver,
    /// What was in force before: packets under way when keys change are opened with the old ones, until the first under the
    /// new ones came.
    before: Option<Receiver>,
    opened: [u8; DATAGRAM],
}

impl Seal {
    /// Takes the keys of an answer. Those that are in force already go on as they are.
    pub(super) fn set(&mut self, pair: Option<&Pair>) {
        self.on = pair.is_some();
        let Some(pair) = pair else { return };
        let Some(active) = &mut self.active else {
            self.active = Some(Box::new(Active {
                pair: *pair,
                sender: Sender::new(&pair.ours),
                receiver: Receiver::new(&pair.theirs),
                before: None,
                opened: [0; DATAGRAM],
            }));
            return;
        };
        if active.pair.ours != pair.ours {
            active.sender = Sender::after(&pair.ours, &active.sender);
        }
        if active.pair.theirs != pair.theirs {
            let receiver = Receiver::after(&pair.theirs, &active.receiver);
            active.before = Some(std::mem::replace(&mut active.receiver, receiver));
        }
        active.pair = *pair;
    }

    /// Opens an RTP packet. What is not the peer's is counted, and `None`.
    pub(super) fn open_rtp<'a>(&'a mut self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        self.open(datagram, Receiver::open_rtp)
    }

    /// Opens an RTCP packet.
    pub(super) fn open_rtcp<'a>(&'a mut self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        self.open(datagram, Receiver::open_rtcp)
    }

    /// Seals the RTP packet at the beginning of the buffer; `None` if that cannot be done, and then it must not be sent.
    pub(super) fn seal_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        match self.active.as_mut().filter(|_| self.on) {
            Some(active) => active.sender.seal_rtp(buffer, length),
            None => Some(length),
        }
    }

    /// The same for RTCP.
    pub(super) fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        match self.active.as_mut().filter(|_| self.on) {
            Some(active) => active.sender.seal_rtcp(buffer, length),
            None => Some(length),
        }
    }

    /// Packets whose tags were wrong, plain ones among them.
    pub(super) fn forged(&self) -> u64 {
        self.forged
    }

    /// Packets that came again, or too late to know.
    pub(super) fn replayed(&self) -> u64 {
        self.replayed
    }

    fn open<'a>(
        &'a mut self,
        datagram: &'a [u8],
        open: impl Fn(&mut Receiver, &[u8], &mut [u8]) -> Result<usize, Refused>,
    ) -> Option<&'a [u8]> {
        let Some(active) = self.active.as_mut().filter(|_| self.on) else { return Some(datagram) };
        let Active { receiver, before, opened, .. } = &mut **active;
        let mut result = open(receiver, datagram, opened);
        match (result, &mut *before) {
            (Err(Refused::Forged), Some(before)) => result = open(before, datagram, opened),
            (Ok(_), Some(_)) => *before = None,
            (_, _) => {}
        }
        match result {
            Ok(length) => return opened.get(..length),
            Err(Refused::Forged) => self.forged += 1,
            Err(Refused::Replayed) => self.replayed += 1,
        }
        None
    }
}
