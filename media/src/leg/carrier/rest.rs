//! Comfort noise in place of silence ([RFC 3389]): while nobody speaks the carrier is told how that sounds, and is sent nothing else.
//!
//! ```text
//!            nobody speaks, and CN was agreed upon
//! Speaking ────────────────────────────────────────► Resting ── it sounds otherwise; five seconds ──┐
//!    ▲                                               │  ▲  └────────────── one packet ──────────────┘
//!    └──── speech, a tone, a key, another answer ────┘
//! ```
//!
//! Timestamps follow the clock meanwhile, and the first packet of what follows carries the marker (RFC 3551 §4.1).
//!
//! [RFC 3389]: https://www.rfc-editor.org/rfc/rfc3389

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::Carrier;
use crate::{noise, rtp::Header, source::Lock};

/// So often it is said again: NATs forget, and who hears nothing for half a minute takes the call for dead.
const AGAIN: Duration = Duration::from_secs(5);
/// No sooner than this is told that it sounds otherwise, and no smaller difference than that, in decibels.
const SETTLED: Duration = Duration::from_millis(200);
const DIFFERENT: u8 = 3;

/// Nobody speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    level: u8,
    told: Instant,
    /// A packet that says so is still to be sent.
    waiting: bool,
}

impl Rest {
    pub(super) fn due(self) -> Instant {
        self.told + AGAIN
    }
}

impl Carrier {
    /// Whether silence may be told instead of being sent. Keys are sent in the time of packets, so they need those.
    pub(crate) fn may_rest(&self) -> bool {
        self.terms.noise.is_some() && self.is_free() && self.is_sending()
    }

    /// Nobody speaks, and the line is as loud as this, in -dBov. Returns whether a packet is ready now.
    pub(crate) fn rest(&mut self, now: Instant, level: u8) -> bool {
        let news = match self.rest {
            None => true,
            Some(rest) => {
                let different = rest.level.abs_diff(level) >= DIFFERENT;
                now >= rest.due() || rest.waiting || (different && now >= rest.told + SETTLED)
            }
        };
        if news {
            if self.sender.is_begun() {
                self.sender.push_silence();
            }
            self.rest = Some(Rest { level, told: now, waiting: true });
        }
        news
    }

    /// Goes on with audio, at its time.
    pub(crate) fn rouse(&mut self, now: Instant) {
        if self.rest.take().is_some() {
            self.follow_clock(now);
        }
    }

    /// Writes what is to be told of silence, once all audio before it is out.
    pub(super) fn poll_noise(&mut self, now: Instant, datagram: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let rest = self.rest.as_mut().filter(|rest| rest.waiting)?;
        rest.waiting = false;
        let level = rest.level;
        let payload_type = self.terms.noise?;
        self.follow_clock(now);
        let timestamp = self.sender.timestamp();
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sender.take_sequence(),
            timestamp,
            ssrc: self.sender.ssrc(),
        };
        let payload = noise::payload(level);
        header.write(datagram)?.get_mut(..payload.len())?.copy_from_slice(&payload);
        let sealed = self.seal.seal_rtp(datagram, Header::LEN + payload.len())?;
        let to = self.lock.as_mut().and_then(Lock::send_rtp)?;
        self.control.handle_sent(now, timestamp, payload.len());
        Some((to, sealed))
    }

    /// The time since the last packet has passed without any.
    fn follow_clock(&mut self, now: Instant) {
        let Some(pace) = self.pace else { return };
        self.sender.skip(pace.lag(now, self.sender.position()));
    }
}
