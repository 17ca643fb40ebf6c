//! The encryption of the leg: nothing at all while it was not agreed upon.

use crate::{
    frame::LONGEST,
    rtp::Header,
    srtp::{Keys, OVERHEAD, Pair, Receiver, Refused, Sender},
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
    /// What was in force before, for the keys may come back: an offer is taken back, or a phone from which a call was parked has it
    /// again. Counted on they are then, never anew: numbers that were used once would be used twice.
    before: Before,
    /// Packets under way when keys change are opened with those of before, until the first under the new ones came.
    is_changing: bool,
    opened: [u8; DATAGRAM],
}

/// The keys of before, each with what was counted under them.
#[derive(Debug, Default)]
struct Before {
    sender: Option<(Keys, Sender)>,
    receiver: Option<(Keys, Receiver)>,
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
                before: Before::default(),
                is_changing: false,
                opened: [0; DATAGRAM],
            }));
            return;
        };
        let Active { pair: was, before, sender, receiver, is_changing, .. } = &mut **active;
        if was.ours != pair.ours {
            let known = before.sender.take_if(|(keys, _)| *keys == pair.ours).map(|(_, sender)| sender);
            let new = known.unwrap_or_else(|| Sender::after(&pair.ours, sender));
            before.sender = Some((was.ours, std::mem::replace(sender, new)));
        }
        if was.theirs != pair.theirs {
            let known = before.receiver.take_if(|(keys, _)| *keys == pair.theirs).map(|(_, receiver)| receiver);
            let new = known.unwrap_or_else(|| Receiver::after(&pair.theirs, receiver));
            before.receiver = Some((was.theirs, std::mem::replace(receiver, new)));
            *is_changing = true;
        }
        *was = *pair;
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
        let Active { receiver, before, is_changing, opened, .. } = &mut **active;
        let mut result = open(receiver, datagram, opened);
        match (result, &mut before.receiver) {
            (Err(Refused::Forged), Some((_, before))) if *is_changing => result = open(before, datagram, opened),
            (Ok(_), _) => *is_changing = false,
            (Err(_), _) => {}
        }
        match result {
            Ok(length) => return opened.get(..length),
            Err(Refused::Forged) => self.forged += 1,
            Err(Refused::Replayed) => self.replayed += 1,
        }
        None
    }
}
