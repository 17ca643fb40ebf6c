//! What a call does.

use std::fmt;

use bytes::Bytes;
use sip::Status;

use super::end::EndReason;

/// Value of the `sip.callStatus` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStatus {
    /// Outbound, nothing heard from the callee yet.
    Dialing,
    /// The caller hears ringing, or the callee's phone rings.
    Ringing,
    /// Answered, and keys are being pressed toward the callee.
    Automation,
    /// Answered.
    Active,
    /// Over.
    Hangup,
}

impl CallStatus {
    /// As LiveKit writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Automation => "automation",
            Self::Active => "active",
            Self::Hangup => "hangup",
        }
    }
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Find out where the callee's carrier is.
    Locate,
    /// Reserve ports; answer the offer on paper, or make ours, unless the callee is to make one.
    PrepareMedia,
    /// Join the room with this status.
    JoinRoom(CallStatus),
    /// Subscribe to the audio of the others.
    Listen,
    /// Send 180 (again).
    Ring,
    /// Send 183 with the answer prepared before (again).
    Progress,
    /// Let media flow to the carrier before the answer: the room, or silence where we call. Again, it changes nothing.
    StartEarly,
    /// Send 200 with the answer prepared before.
    Answer,
    /// Send the INVITE.
    Dial,
    /// Let the room hear a ringing tone, or no more.
    Dialtone(bool),
    /// Let the room hear what the callee's network says before the answer; answer it, where it offers.
    HearEarly(Offer),
    /// Read the callee's answer to our offer, or answer the callee's.
    Agree(Offer),
    /// Press the keys of the request.
    Press,
    /// Ask the caller for a PIN.
    AskPin,
    /// He pressed a key of it.
    NotePinKey(Key),
    /// Let media flow to the carrier.
    StartMedia,
    /// Change `sip.callStatus`.
    SetStatus(CallStatus),
    /// Change it to `hangup`, and say why.
    TellEnd(EndReason),
    /// Find out when the phone has heard what the room said last.
    PlayOut,
    /// Answer a re-INVITE by offer/answer, or refuse it with 488 and go on as before.
    Renegotiate(Offer),
    /// Refuse a re-INVITE that comes at the wrong time.
    RefuseReoffer(Status),
    /// Tell the room about a key.
    PublishDigit(Key),
    /// Refuse the INVITE.
    Refuse(EndReason),
    /// Send BYE, or CANCEL where there was no answer yet, and say why.
    Hangup(EndReason),
    /// Leave the room, close the line, free the ports.
    Release,
    /// The last one.
    Finished(EndReason),
}

/// A key that was pressed. Its `Debug` does not tell which: people type card numbers and PINs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub char);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(·)")
    }
}

/// An offer or an answer. Its `Debug` tells its length alone: SDP may hold the keys of SRTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer(pub Bytes);

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({} bytes)", self.0.len())
    }
}
