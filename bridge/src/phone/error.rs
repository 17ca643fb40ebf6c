//! Why a call was not placed, not transferred or not moved: for the caller of the API, in LiveKit's words and codes.

use livekit_protocol::SipTransferReason;

use crate::dispatch::outbound::Code;

/// Statuses whose text livekit-sip gives as a failed INVITE; all others are "unexpected" to it.
const NAMED: &[u16] = &[400, 404, 480, 486, 488];

/// What went wrong with a call that the API asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such call here; somebody else may have it.
    #[error("participant does not exist")]
    NotOurs,
    /// The callee, or a carrier on the way, refused the INVITE.
    #[error("{}: sip status: {status}: {reason}", opening(*status))]
    Sip {
        /// The status.
        status: u16,
        /// Its words.
        reason: String,
    },
    /// The transfer failed; the call goes on, if it was not over.
    #[error("{0}")]
    Transfer(TransferError),
    /// Nobody answered in time.
    #[error("sip request timed out")]
    TimedOut,
    /// The carrier does not answer at all, or cannot be reached.
    #[error("the carrier cannot be reached")]
    CarrierUnreachable,
    /// The carrier's certificate is signed by nobody we believe, or is for another name.
    #[error("the certificate of the carrier cannot be trusted")]
    CarrierUntrusted,
    /// The carrier asks for a password, and the trunk has none.
    #[error("sip server required auth, but no username or password was provided")]
    NoCredentials,
    /// The trunk has as many calls as it may have, or the gateway has.
    #[error("{0}")]
    Caps(Cap),
    /// The gateway is about to stop.
    #[error("the gateway is shutting down and places no calls")]
    Draining,
    /// The address of the trunk leads nowhere, or where calls may not go.
    #[error("{0}")]
    Destination(String),
    /// The LiveKit server could not be reached in time.
    #[error("the LiveKit server cannot be reached")]
    RoomUnreachable,
    /// The LiveKit server does not let the participant in.
    #[error("the LiveKit server does not let the participant into the room")]
    RoomRefused,
    /// There are no ports for media, encryption is asked for, or the callee's answer has nothing that we speak.
    #[error("media of the call failed: {0}")]
    Media(&'static str),
    /// Another transfer or move of this call is under way.
    #[error("call is already being {0}")]
    Busy(&'static str),
    /// The call is in no state for this.
    #[error("call is not active")]
    NotActive,
    /// The target cannot be asked of this call.
    #[error("{0}")]
    BadTarget(String),
    /// There is no outbound trunk to call the target by.
    #[error("{0}")]
    NoTrunk(String),
    /// The call was hung up meanwhile.
    #[error("call ended")]
    Ended,
    /// Something in the gateway has failed.
    #[error("the gateway has failed")]
    Gateway,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cap {
    /// Calls of one trunk at a time.
    #[error("trunk has {0} calls already, as many as it may have")]
    Calls(u32),
    /// Calls of one trunk within a second.
    #[error("trunk may place {0} calls per second, and that was reached")]
    Rate(u32),
    /// Calls of the whole gateway at a time.
    #[error("gateway has {0} calls already, as many as it may have")]
    Gateway(usize),
}

/// A transfer that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferError {
    /// `STR_…`
    pub transfer_id: String,
    /// Why.
    pub reason: SipTransferReason,
    /// The status that the other side gave, if it gave one.
    pub sip_status: Option<(u16, String)>,
}

impl std::fmt::Display for TransferError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.sip_status, self.reason) {
            (Some((status, reason)), _) => write!(f, "call transfer failed: sip status: {status}: {reason}"),
            (None, SipTransferReason::StrRingingTimeout) => f.write_str("request timed out"),
            (None, SipTransferReason::StrSubscriptionTerminated) => {
                f.write_str("call transfer failed: the other side stopped reporting")
            }
            (None, SipTransferReason::StrUnspecified) => {
                f.write_str("call transfer failed: the other side does not answer to it")
            }
            (None, SipTransferReason::StrCallEnded) => f.write_str("call transfer failed: call ended"),
            (None, _) => f.write_str("call transfer failed"),
        }
    }
}

impl CallError {
    /// The code that the caller of the API gets.
    ///
    /// Once an INVITE went out, failures of servers, our own too, are not `unavailable` or `internal`: clients would try again, and the
    /// callee's phone would ring twice.
    pub fn code(&self) -> Code {
        match self {
            Self::NotOurs => Code::NotFound,
            Self::Sip { status, .. } => code_of(*status),
            Self::Transfer(error) => match (&error.sip_status, error.reason) {
                (Some((status, _)), _) => code_of(*status),
                (None, SipTransferReason::StrRingingTimeout) => Code::DeadlineExceeded,
                (None, SipTransferReason::StrCanceled) => Code::Canceled,
                (None, _) => Code::FailedPrecondition,
            },
            Self::TimedOut => Code::Canceled,
            Self::Caps(_) => Code::ResourceExhausted,
            Self::Destination(_) | Self::BadTarget(_) => Code::InvalidArgument,
            Self::Draining | Self::RoomUnreachable => Code::Unavailable,
            Self::CarrierUnreachable
            | Self::CarrierUntrusted
            | Self::NoCredentials
            | Self::RoomRefused
            | Self::Media(_)
            | Self::Busy(_)
            | Self::NoTrunk(_)
            | Self::NotActive
            | Self::Gateway => Code::FailedPrecondition,
            Self::Ended => Code::Aborted,
        }
    }

    /// The SIP status behind it, for `sip_status_code` and `sip_status`.
    pub fn sip_status(&self) -> Option<(u16, &str)> {
        match self {
            Self::Sip { status, reason } => Some((*status, reason)),
            Self::Transfer(error) => error.sip_status.as_ref().map(|(status, reason)| (*status, reason.as_str())),
            _ => None,
        }
    }
}

fn opening(status: u16) -> &'static str {
    if NAMED.contains(&status) { "INVITE failed" } else { "unexpected status from INVITE response" }
}

/// What a SIP status means to callers of the API, as LiveKit has it.
pub fn code_of(status: u16) -> Code {
    match status {
        301 | 302 | 404 | 410 | 481 | 604 => Code::NotFound,
        401 | 402 | 403 | 433 | 470 | 603 | 607 | 608 => Code::PermissionDenied,
        407 | 428 | 436 | 437 | 438 | 494 => Code::Unauthenticated,
        440 | 480 | 486 | 600 => Code::ResourceExhausted,
        408 | 504 => Code::DeadlineExceeded,
        409 | 412 | 482 | 483 | 500..=503 => Code::FailedPrecondition,
        487 | 491 => Code::Aborted,
        416 => Code::OutOfRange,
        505 | 513 => Code::InvalidArgument,
        500..=599 => Code::FailedPrecondition,
        _ => Code::InvalidArgument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_the_code_that_livekit_gives_it() {
        let table: &[(Code, &[u16])] = &[
            (Code::NotFound, &[301, 302, 404, 410, 481, 604]),
            (Code::PermissionDenied, &[401, 402, 403, 433, 470, 603, 607, 608]),
            (Code::Unauthenticated, &[407, 428, 436, 437, 438, 494]),
            (Code::ResourceExhausted, &[440, 480, 486, 600]),
            (Code::InvalidArgument, &[300, 305, 380, 400, 405, 406, 420, 484, 488, 505, 513, 606, 699]),
            (Code::DeadlineExceeded, &[408, 504]),
            (Code::FailedPrecondition, &[409, 412, 482, 483, 500, 501, 502, 503, 580, 599]),
            (Code::Aborted, &[487, 491]),
            (Code::OutOfRange, &[416]),
        ];
        for (code, statuses) in table {
            for status in *statuses {
                assert_eq!(code_of(*status), *code, "{status}");
            }
        }
    }

    /// The texts that stock LiveKit sent, without the words its front end puts before them.
    #[test]
    fn texts_are_those_of_stock_livekit() {
        let sip = |status, reason: &str| CallError::Sip { status, reason: reason.to_owned() };
        for (error, text) in [
            (sip(480, "Temporarily Unavailable"), "INVITE failed: sip status: 480: Temporarily Unavailable"),
            (sip(486, "Busy Here"), "INVITE failed: sip status: 486: Busy Here"),
            (sip(488, "Not Acceptable Here"), "INVITE failed: sip status: 488: Not Acceptable Here"),
            (sip(603, "Decline"), "unexpected status from INVITE response: sip status: 603: Decline"),
            (
                sip(484, "Address Incomplete"),
                "unexpected status from INVITE response: sip status: 484: Address Incomplete",
            ),
            (CallError::NoCredentials, "sip server required auth, but no username or password was provided"),
            (CallError::TimedOut, "sip request timed out"),
            (CallError::NotOurs, "participant does not exist"),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_failed_transfer_tells_its_status_or_its_reason() {
        let failed = |reason, status: Option<(u16, &str)>| {
            let sip_status = status.map(|(status, text)| (status, text.to_owned()));
            CallError::Transfer(TransferError { transfer_id: "STR_1".into(), reason, sip_status })
        };
        use SipTransferReason::{StrRejected, StrRingingTimeout};
        let timed_out = failed(StrRingingTimeout, None);
        assert_eq!((timed_out.to_string().as_str(), timed_out.code()), ("request timed out", Code::DeadlineExceeded));
        let busy = failed(StrRejected, Some((486, "Busy Here")));
        assert_eq!((busy.sip_status(), busy.code()), (Some((486, "Busy Here")), Code::ResourceExhausted));
    }
}
