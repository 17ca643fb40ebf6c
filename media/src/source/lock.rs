//! The machine.

use std::net::SocketAddr;
use std::time::Instant;

use super::candidate::{Candidates, Claim, Sighting};
use super::{Mode, Remote, Verdict, canonical, unreachable};
use crate::rtp::{Packet, Ssrc};

/// What may be sent to an address from which nothing was ever heard: two seconds at 50 packets a second. Whoever names
/// a stranger's address in an SDP cannot make us flood it.
const UNHEARD_LIMIT: u8 = 100;

/// Decides for every packet whether it is the peer's, and for every one of ours where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Lock {
    mode: Mode,
    remote: Remote,
    state: State,
    /// Where RTCP was heard from, if not from where the SDP says.
    rtcp: Option<SocketAddr>,
    may_send: bool,
    /// Whether anything, RTCP too, was ever heard of this peer.
    heard: bool,
    unheard: u8,
    strangers: u64,
}

#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "256 bytes a call, and no allocation")]
enum State {
    /// Nobody is known yet.
    Open(Candidates),
    /// One address is the peer, one SSRC is its voice; `next` is who might take over within the address.
    Locked { address: SocketAddr, ssrc: Ssrc, next: Option<(Ssrc, u16)> },
}

impl Lock {
    /// Waits for the peer to be heard. Nothing may be sent before [`Self::allow_send`].
    pub fn new(mode: Mode, remote: Remote) -> Self {
        Self {
            mode,
            remote: remote.canonical(),
            state: State::Open(Candidates::default()),
            rtcp: None,
            may_send: false,
            heard: false,
            unheard: 0,
            strangers: 0,
        }
    }

    /// Takes the addresses of a new offer or answer. If they are the old ones, as in a session refresh or a hold, or
    /// none, as in a hold by 0.0.0.0, what was learned stays; else the peer is to be found again.
    pub fn renew(&mut self, remote: Remote) {
        let remote = remote.canonical();
        if remote == self.remote || remote.rtp.ip().is_unspecified() {
            return;
        }
        *self = Self { may_send: self.may_send, strangers: self.strangers, ..Self::new(self.mode, remote) };
    }

    /// Opens the gate: the call is answered and acknowledged.
    pub fn allow_send(&mut self) {
        self.may_send = true;
    }

    /// Judges an RTP packet. Show it only packets whose payload type was agreed upon: others prove nothing.
    pub fn judge_rtp(&mut self, now: Instant, from: SocketAddr, packet: &Packet<'_>) -> Verdict {
        let from = canonical(from);
        let verdict = match &mut self.state {
            State::Locked { address, ssrc, next } if *address == from => judge_ssrc(ssrc, next, packet),
            _ if from == self.remote.rtp => self.lock(from, packet.ssrc()),
            State::Open(candidates) => {
                let claim = claim(&self.remote, from);
                let seen = Sighting { from, ssrc: packet.ssrc(), sequence: packet.sequence(), claim };
                let believed = match self.mode {
                    Mode::Strict => false,
                    Mode::Learn => candidates.prove(now, seen),
                    Mode::Latch => true,
                };
                if believed { self.lock(from, packet.ssrc()) } else { Verdict::Refuse }
            }
            // The peer is known and this is not it.
            State::Locked { .. } => Verdict::Refuse,
        };
        match verdict {
            Verdict::Accept | Verdict::AcceptNew => self.heard = true,
            Verdict::Refuse => self.strangers += 1,
        }
        verdict
    }

    /// Judges an RTCP datagram: from where the SDP says, or from the IP of the locked source, one port of it.
    pub fn judge_rtcp(&mut self, from: SocketAddr) -> Verdict {
        let from = canonical(from);
        let verdict = match (self.rtcp, self.locked()) {
            _ if from == self.remote.rtcp => Verdict::Accept,
            (_, Some(address)) if self.remote.mux && from == address => Verdict::Accept,
            (Some(rtcp), _) if from == rtcp => Verdict::Accept,
            (None, Some(address)) if !self.remote.mux && from.ip() == address.ip() => {
                self.rtcp = Some(from);
                Verdict::AcceptNew
            }
            _ => Verdict::Refuse,
        };
        match verdict {
            Verdict::Accept | Verdict::AcceptNew => self.heard = true,
            Verdict::Refuse => self.strangers += 1,
        }
        verdict
    }

    /// Where the next RTP packet goes, which is counted; `None` while nothing may be sent.
    pub fn send_rtp(&mut self) -> Option<SocketAddr> {
        let target = self.locked().unwrap_or(self.remote.rtp);
        self.permit(target)
    }

    /// Where the next RTCP datagram goes, which is counted; `None` while nothing may be sent.
    pub fn send_rtcp(&mut self) -> Option<SocketAddr> {
        let target = self.rtcp_target()?;
        self.permit(target)
    }

    /// The source that is heard.
    pub fn locked(&self) -> Option<SocketAddr> {
        match self.state {
            State::Locked { address, .. } => Some(address),
            State::Open(_) => None,
        }
    }

    /// Packets refused so far.
    pub fn strangers(&self) -> u64 {
        self.strangers
    }

    fn lock(&mut self, address: SocketAddr, ssrc: Ssrc) -> Verdict {
        self.state = State::Locked { address, ssrc, next: None };
        self.rtcp = None;
        Verdict::AcceptNew
    }

    /// As the SDP says, unless the media has come from elsewhere: then from its neighbour port until RTCP was heard.
    fn rtcp_target(&self) -> Option<SocketAddr> {
        let learned = self.locked().filter(|address| *address != self.remote.rtp);
        match (self.rtcp, learned) {
            (Some(rtcp), _) => Some(rtcp),
            (None, None) => Some(self.remote.rtcp),
            (None, Some(address)) if self.remote.mux => Some(address),
            (None, Some(address)) => Some(SocketAddr::new(address.ip(), address.port().checked_add(1)?)),
        }
    }

    fn permit(&mut self, target: SocketAddr) -> Option<SocketAddr> {
        if !self.may_send || target.ip().is_unspecified() || target.port() == 0 {
            return None;
        }
        if !self.heard {
            if self.unheard >= UNHEARD_LIMIT {
                return None;
            }
            self.unheard += 1;
        }
        Some(target)
    }
}

impl Remote {
    fn canonical(self) -> Self {
        let peer = self.peer.map(|peer| peer.to_canonical());
        Self { rtp: canonical(self.rtp), rtcp: canonical(self.rtcp), mux: self.mux, peer }
    }
}

fn claim(remote: &Remote, from: SocketAddr) -> Claim {
    if from.ip() == remote.rtp.ip() || Some(from.ip()) == remote.peer {
        Claim::Expected
    } else if unreachable(remote.rtp.ip(), remote.peer) {
        Claim::Unknown
    } else {
        Claim::Usurper
    }
}

fn judge_ssrc(ssrc: &mut Ssrc, next: &mut Option<(Ssrc, u16)>, packet: &Packet<'_>) -> Verdict {
    let seen = (packet.ssrc(), packet.sequence());
    if seen.0 == *ssrc {
        *next = None;
        return Verdict::Accept;
    }
    if *next == Some(seen) {
        (*ssrc, *next) = (seen.0, None);
        return Verdict::AcceptNew;
    }
    *next = Some((seen.0, seen.1.wrapping_add(1)));
    Verdict::Refuse
}

#[cfg(test)]
mod tests;
