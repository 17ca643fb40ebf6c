//! What can be wrong with a trunk or a rule.

use std::fmt;

use crate::dispatch::acl::NetworkError;
use crate::dispatch::template::UnknownVariable;

/// A trunk or a rule that cannot be taken as it is.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{object}: {problem}")]
pub struct Error {
    /// Its id.
    pub id: String,
    /// Which one, by name and id.
    pub object: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Everybody could call everything by this trunk.
    #[error(
        "one of numbers, allowed_addresses, or auth_username and auth_password must be set, or anybody could call any number by it"
    )]
    Unguarded,
    /// A user without a password, or the other way round.
    #[error("{present} is set and {missing} is not")]
    HalfCredentials {
        /// The one that is there.
        present: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// An access list entry.
    #[error("allowed_addresses: {0}")]
    Address(#[from] NetworkError),
    /// An entry of a list of numbers.
    #[error("{field} has an entry that is empty or has blanks around it: {value:?}")]
    Number {
        /// The list.
        field: &'static str,
        /// The entry.
        value: String,
    },
    /// A header that cannot be sent or is not ours to set.
    #[error("{field}: header {name:?} {why}")]
    Header {
        /// The map.
        field: &'static str,
        /// The header.
        name: String,
        /// Why it is refused.
        why: HeaderProblem,
    },
    /// A list that is too long.
    #[error("{field}: at most {max} are possible")]
    TooMany {
        /// The list, or the lists that multiply.
        field: &'static str,
        /// The most there can be.
        max: usize,
    },
    /// A time that makes no sense.
    #[error("{field} is {value}, it must be between 0 and {max}")]
    Duration {
        /// The field.
        field: &'static str,
        /// As written.
        value: String,
        /// The largest.
        max: &'static str,
    },
    /// A status that would not end the call.
    #[error("ringing_timeout_status is {0}, it must be a status from 400 to 699")]
    RingingStatus(i32),
    /// An outbound trunk that leads nowhere.
    #[error("address must be a host or host:port without `sip:`, not {0:?}")]
    OutboundAddress(String),
    /// An outbound trunk that has nothing to call from.
    #[error("numbers must have at least one entry")]
    NoNumbers,
    /// A rule without a kind.
    #[error("rule must be one of dispatch_rule_direct, dispatch_rule_individual, dispatch_rule_callee")]
    NoRule,
    /// A direct rule without a room.
    #[error("dispatch_rule_direct needs a room_name")]
    NoRoom,
    /// A name that is longer than LiveKit takes.
    #[error("{field} is {len} bytes long, at most 255 are possible")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length.
        len: usize,
    },
    /// A PIN that nobody could type.
    #[error("pin must be 1 to 16 digits")]
    Pin,
    /// What names no language.
    #[error("language must be a language tag like de or pt-BR, not {0:?}")]
    Language(String),
    /// A template.
    #[error("{field}: {error}")]
    Template {
        /// The field.
        field: String,
        /// What is wrong with it.
        error: UnknownVariable,
    },
    /// A rule for a trunk that there is not.
    #[error("trunk_ids: {id:?} is the id or name of no inbound trunk{}", nearest_trunk(.nearest))]
    UnknownTrunk {
        /// As written.
        id: String,
        /// The most similar that there is.
        nearest: Option<String>,
    },
    /// A name in `trunk_ids` that several trunks have.
    #[error("trunk_ids: {0:?} is the name of several inbound trunks; give its id")]
    AmbiguousTrunk(String),
    /// Two objects have one id.
    #[error("the id {0} is taken")]
    DuplicateId(String),
    /// Two trunks could take the same call, and nothing tells them apart.
    #[error(
        "it takes {number} from {caller} as {other} does; different allowed_addresses, allowed_numbers or credentials would tell them apart"
    )]
    TrunkConflict {
        /// The other trunk.
        other: String,
        /// Its id.
        other_id: String,
        /// The number that both have.
        number: String,
        /// The caller whom both take.
        caller: String,
    },
    /// Two trunks for calls that name none.
    #[error("default_outbound is set, and {other} has it already")]
    SecondDefault {
        /// The other trunk.
        other: String,
        /// Its id.
        other_id: String,
    },
    /// Two rules could take the same call, and nothing tells them apart.
    #[error(
        "it takes the same calls as {other}: {what}; different numbers, trunk_ids, a pin or a priority would tell them apart"
    )]
    RuleConflict {
        /// The other rule.
        other: String,
        /// Its id.
        other_id: String,
        /// The calls.
        what: String,
    },
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderProblem {
    /// Its name is empty, too long, or has a character that names do not have.
    #[error("is no header name")]
    Name(Option<char>),
    /// Its value has a control character, a line break above all.
    #[error("has a value with line breaks or control characters")]
    Value(char),
    /// Its value is too long.
    #[error("has a value of more than 1024 bytes")]
    Long,
    /// We set it ourselves.
    #[error("belongs to the SIP stack")]
    Reserved,
}

fn nearest_trunk(nearest: &Option<String>) -> impl fmt::Display {
    nearest.as_ref().map(|nearest| format!(", did you mean {nearest:?}?")).unwrap_or_default()
}

impl Problem {
    /// The object that it is about besides the one that has it.
    pub(crate) fn other_id(&self) -> Option<&str> {
        match self {
            Self::TrunkConflict { other_id, .. }
            | Self::SecondDefault { other_id, .. }
            | Self::RuleConflict { other_id, .. } => Some(other_id),
            _ => None,
        }
    }
}

impl Error {
    pub(crate) fn new(id: &str, object: &str, problem: Problem) -> Self {
        Self { id: id.to_owned(), object: object.to_owned(), problem }
    }
}
