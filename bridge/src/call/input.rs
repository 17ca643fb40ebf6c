//! What happens to a call.

use super::action::{Key, Offer};
use super::end::EndReason;
use crate::room::Audience;

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input {
    /// It is known where the callee's carrier is.
    Located,
    /// Ports are reserved and the offer has an answer (inbound), or our offer is made (outbound); later, the callee's
    /// answer fits our offer.
    MediaReady,
    /// There is nothing to offer or to answer with; the answer to our offer is none; or the callee's offer is none for us.
    MediaRefused(EndReason),
    /// The participant is in the room.
    RoomJoined,
    /// A participant wants the caller to be answered.
    PickedUp,
    /// Who else is there changed.
    Audience(Audience),
    /// The participant is out of the room for good.
    RoomEnded(EndReason),
    /// 180 to 199 to our INVITE.
    RemoteRinging,
    /// 1xx with a description: the callee's network has something to say before the answer.
    EarlyOffered(Offer),
    /// It is heard in the room.
    EarlyMedia,
    /// 2xx to our INVITE; the stack has acknowledged it, unless it offers.
    RemoteAnswered(Offer),
    /// Our INVITE has failed.
    RemoteRefused(EndReason),
    /// Our 200 was acknowledged.
    Acknowledged,
    /// Our 200 was not acknowledged in time; the stack has sent a BYE.
    AckMissing,
    /// BYE; the stack has answered it.
    RemoteHangup,
    /// CANCEL; the stack has answered it and refused the INVITE.
    RemoteCancel,
    /// The same, for another phone has answered.
    AnsweredElsewhere,
    /// A re-INVITE with a new offer, or an empty one that asks for ours.
    Reoffered(Offer),
    /// The carrier pressed a key.
    Digit(Key),
    /// The caller has typed a PIN that a rule takes.
    Admitted,
    /// All keys that we had to press are out.
    Pressed,
    /// The phone has heard what the room said last.
    PlayedOut,
    /// No RTP came for too long.
    MediaTimeout,
    /// The media plane gave up the call.
    MediaFault,
    /// Hang up, for this reason.
    Hangup(EndReason),
}
