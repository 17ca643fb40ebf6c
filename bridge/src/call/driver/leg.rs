//! What is known of a call before it begins: an INVITE that was let in, or a placement.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use bytes::Bytes;
use sip::CallHandle;
use tokio::sync::mpsc;

use crate::call::order::Progress;
use crate::call::{Call, CallStatus, Limits};
use crate::dispatch::number::shown;
use crate::dispatch::outbound::{Placement, Press};
use crate::dispatch::{Answer, Seat};
use crate::phone::{CallInfo, Gate, Permit};
use crate::plane::Family;
use crate::stir::Claim;
use crate::store::{Bridging, Direction, Transfers};

use super::Settings;

/// How long a key and the gap behind it take, and what the media thread may be late.
const KEY: std::time::Duration = std::time::Duration::from_secs(1);

/// One of the two.
#[derive(Debug)]
pub enum Leg {
    /// The phone called.
    Inbound(Box<Inbound>),
    /// The gateway calls.
    Outbound(Box<Outbound>),
}

/// An INVITE that a trunk and a rule have taken.
#[derive(Debug)]
pub struct Inbound {
    /// Its handle at the endpoint.
    pub call: CallHandle,
    /// Our id of it, and our tag in its dialog.
    pub id: String,
    /// The offer; empty when the caller wants ours.
    pub offer: Bytes,
    /// Where the packet came from.
    pub source: SocketAddr,
    /// The calling number.
    pub from: String,
    /// The called number.
    pub to: String,
    /// The Call-ID of its messages.
    pub sip_call_id: String,
    /// What its trunk says about transfers.
    pub transfers: Transfers,
    /// His number, and what came with it to prove that it is his.
    pub claim: Claim,
    /// The headers of the INVITE.
    pub headers: Vec<(String, String)>,
    /// What a PIN of the caller is held against, where he has to type one. The seat is not his before that.
    pub pin: Option<Gate>,
    /// Where the caller stands.
    pub seat: Seat,
}

/// A call that the API has asked for.
#[derive(Debug)]
pub struct Outbound {
    /// Its handle at the endpoint.
    pub call: CallHandle,
    /// The Call-ID of its messages.
    pub sip_call_id: String,
    /// Whom to call, as whom, for which room.
    pub placement: Placement,
    /// Who wants to know how it goes.
    pub tell: mpsc::Sender<Progress>,
    /// Its place in what the trunk allows, until the carrier is done with it.
    pub permit: Option<Permit>,
}

impl Leg {
    /// The trunk may take another call.
    pub(super) fn release(&mut self) {
        if let Self::Outbound(outbound) = self {
            outbound.permit = None;
        }
    }

    /// Its handle at the endpoint.
    pub fn call(&self) -> CallHandle {
        match self {
            Self::Inbound(inbound) => inbound.call,
            Self::Outbound(outbound) => outbound.call,
        }
    }

    /// Our id of it.
    pub fn id(&self) -> &str {
        match self {
            Self::Inbound(inbound) => &inbound.id,
            Self::Outbound(outbound) => &outbound.placement.call_id,
        }
    }

    /// Where the phone stands in the room.
    pub fn seat(&self) -> &Seat {
        match self {
            Self::Inbound(inbound) => &inbound.seat,
            Self::Outbound(outbound) => &outbound.placement.seat,
        }
    }

    /// The headers that the peer has sent with the call.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        match self {
            Self::Inbound(inbound) => inbound.headers.clone(),
            Self::Outbound(_) => Vec::new(),
        }
    }

    /// The number of the peer.
    pub(super) fn remote_number(&self) -> &str {
        match self {
            Self::Inbound(inbound) => &inbound.from,
            Self::Outbound(outbound) => &outbound.placement.callee,
        }
    }

    /// Who calls whom.
    pub fn direction(&self) -> Direction {
        match self {
            Self::Inbound(_) => Direction::Inbound,
            Self::Outbound(_) => Direction::Outbound,
        }
    }

    /// What the API is to tell of it as long as nothing has happened.
    pub fn info(&self) -> CallInfo {
        let (from, to, sip_call_id) = match self {
            // Lists and records know no more of a caller who hides than the log does.
            Self::Inbound(call) if call.seat.hides_caller => {
                (shown(&call.from), call.to.clone(), call.sip_call_id.clone())
            }
            Self::Inbound(call) => (call.from.clone(), call.to.clone(), call.sip_call_id.clone()),
            Self::Outbound(call) => {
                (call.placement.number.clone(), call.placement.callee.clone(), call.sip_call_id.clone())
            }
        };
        let seat = self.seat();
        let status = match self {
            Self::Inbound(_) => CallStatus::Ringing,
            Self::Outbound(_) => CallStatus::Dialing,
        };
        let info = CallInfo {
            id: self.id().to_owned(),
            direction: self.direction(),
            status: status.as_str(),
            room: seat.room.as_str().to_owned(),
            identity: seat.identity.clone(),
            participant_id: String::new(),
            from,
            to,
            trunk_id: seat.trunk_id.clone(),
            rule_id: seat.rule_id.clone(),
            sip_call_id,
            started_at: SystemTime::now(),
            answered_at: None,
            held: false,
            encrypted: false,
            transferring: false,
        };
        match self {
            Self::Inbound(inbound) if inbound.pin.is_some() => {
                let nobody = String::new;
                CallInfo { room: nobody(), identity: nobody(), rule_id: nobody(), ..info }
            }
            _ => info,
        }
    }

    /// Address and port of the peer, if it is known.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::Inbound(inbound) => Some(inbound.source),
            Self::Outbound(_) => None,
        }
    }

    /// The address that media is expected from, and the offer that came with the call.
    pub(super) fn origin(&self) -> (Option<IpAddr>, Bytes, Family) {
        match self {
            Self::Inbound(inbound) => {
                let peer = inbound.source.ip().to_canonical();
                (Some(peer), inbound.offer.clone(), family(peer))
            }
            Self::Outbound(_) => (None, Bytes::new(), Family::V4),
        }
    }

    /// Whether the trunk leaves the offer to the callee.
    pub(super) fn awaits_offer(&self) -> bool {
        match self {
            Self::Inbound(_) => false,
            Self::Outbound(outbound) => outbound.placement.trunk.as_ref().is_some_and(|trunk| trunk.ours.delayed_offer),
        }
    }

    pub(super) fn machine(&self, settings: &Settings) -> Call {
        let seat = self.seat();
        let limits = Limits {
            answer: seat.answer.unwrap_or(settings.answer),
            early_media: false,
            ringing: seat.ringing_timeout,
            ringing_interval: settings.ringing_interval,
            duration: seat.max_call_duration,
            dialtone: false,
            keys: None,
            asks_pin: false,
        };
        match self {
            Self::Inbound(inbound) => {
                // Whoever wants our offer has not said yet where media goes.
                let early_media = seat.early_media.unwrap_or(settings.early_media) && !inbound.offer.is_empty();
                Call::inbound(Limits { early_media, asks_pin: inbound.pin.is_some(), ..limits })
            }
            Self::Outbound(outbound) => {
                let Placement { dtmf, play_dialtone, .. } = &outbound.placement;
                let wait = |press: &Press| match press {
                    Press::Key(_) => KEY,
                    Press::Pause(pause) => *pause,
                };
                let keys = (!dtmf.is_empty()).then(|| KEY + dtmf.iter().map(wait).sum::<std::time::Duration>());
                Call::outbound(Limits { answer: Answer::Immediately, dialtone: *play_dialtone, keys, ..limits })
            }
        }
    }

    /// Whether the peer may transfer us, and when we call the target of a transfer ourselves.
    pub(super) fn transfers(&self, settings: &Settings) -> (bool, Bridging) {
        let trunk = match self {
            Self::Inbound(inbound) => inbound.transfers,
            Self::Outbound(outbound) => {
                outbound.placement.trunk.as_ref().map(|trunk| trunk.ours.transfers).unwrap_or_default()
            }
        };
        let bridging = trunk.bridge_transfers.unwrap_or(settings.bridge_transfers);
        (trunk.allow_refer.unwrap_or(settings.allow_refer), bridging)
    }

    /// The outbound trunk that other calls of this one go out by; empty for the default one.
    pub(super) fn outbound_trunk(&self) -> &str {
        match self {
            Self::Inbound(_) => "",
            Self::Outbound(outbound) => outbound.placement.trunk.as_ref().map_or("", |trunk| trunk.id()),
        }
    }
}

pub(super) fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}
