//! Why a call out is not made: one row a reason, with the code that the API gives for it.

use super::Code;
use crate::store::error::Problem;

/// A request that cannot be met.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Neither a trunk is named, nor one brought, nor is there a default.
    #[error("missing sip trunk id and sip number")]
    NoTrunk,
    /// No outbound trunk has this id or name.
    #[error("requested sip trunk does not exist")]
    UnknownTrunk,
    /// Several outbound trunks have this name.
    #[error("{0:?} is the name of several outbound trunks; give the id")]
    AmbiguousTrunk(String),
    /// Several outbound trunks are the default.
    #[error("no trunk is named, and several have default_outbound")]
    SeveralDefaults,
    /// The trunk of the request leads nowhere.
    #[error("no outbound hostname specified")]
    NoHostname,
    /// A host that is none.
    #[error("{field} {why}")]
    Hostname {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A user without a password, or a media setting or a header that cannot be.
    #[error("{0}")]
    Invalid(Box<Problem>),
    /// There is no number to call from.
    #[error("no numbers on outbound trunk")]
    NoNumbers,
    /// Nobody is to be called.
    #[error("missing sip callee number")]
    NoCallee,
    /// The callee is given in two ways.
    #[error("sip_call_to and sip_to_header exclude each other")]
    CalleeTwice,
    /// The callee is a whole address.
    #[error("SipCallTo should be a phone number or SIP user, not a full SIP URI")]
    CalleeIsUri,
    /// A character that has no place in a number or a user.
    #[error("{field} has the character {character:?}, which is not one of a phone number or SIP user")]
    Character {
        /// Where.
        field: &'static str,
        /// Which one.
        character: char,
    },
    /// More than LiveKit or SIP takes.
    #[error("{field} is too long (max {max} bytes)")]
    TooLong {
        /// What.
        field: &'static str,
        /// The limit.
        max: usize,
    },
    /// No room is named.
    #[error("missing room name")]
    NoRoom,
    /// A display name that cannot be written in a header.
    #[error("DisplayName must be a valid quoted string: it has the character {0:?}")]
    DisplayName(char),
    /// An address that is none.
    #[error("{field} is no SIP address: {value:?}")]
    Address {
        /// Which one.
        field: &'static str,
        /// As written.
        value: String,
    },
    /// A place on earth that is none.
    #[error("{0}")]
    Destination(&'static str),
    /// An emergency number.
    #[error(
        "{0} is an emergency number: it is not called unless allow_emergency is set, for a carrier that knows where you are"
    )]
    Emergency(String),
    /// A key that no telephone has.
    #[error("dtmf has the character {0:?}: keys are 0-9, A-D, * and #, and w is a pause of half a second")]
    Key(char),
    /// A time that makes no sense.
    #[error("{0} must be between 0 and 24 hours")]
    Duration(&'static str),
    /// A target of a transfer that cannot be asked for.
    #[error("transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)")]
    TransferTo,
}

impl Refusal {
    /// The code that the API gives for it.
    pub fn code(&self) -> Code {
        match self {
            Self::UnknownTrunk => Code::NotFound,
            Self::AmbiguousTrunk(_) | Self::SeveralDefaults | Self::NoNumbers => Code::FailedPrecondition,
            Self::Emergency(_) => Code::PermissionDenied,
            Self::NoTrunk
            | Self::NoHostname
            | Self::Hostname { .. }
            | Self::Invalid(_)
            | Self::NoCallee
            | Self::CalleeTwice
            | Self::CalleeIsUri
            | Self::Character { .. }
            | Self::TooLong { .. }
            | Self::NoRoom
            | Self::DisplayName(_)
            | Self::Address { .. }
            | Self::Destination(_)
            | Self::Key(_)
            | Self::Duration(_)
            | Self::TransferTo => Code::InvalidArgument,
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Invalid(Box::new(problem))
    }
}
