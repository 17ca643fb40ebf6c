//! Why a write was not done. Where LiveKit's own server has words for it, they are these: there are programs that look
//! for them.

use super::database::Step;
use super::error::{HeaderProblem, Problem};
use super::item::Item;
use super::{Error, Pieces};

/// An object could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no such object.
    #[error("requested sip {} does not exist", .0.words())]
    Missing(ObjectKind),
    /// Nothing says which object is meant.
    #[error("{} ID is required", .0.words())]
    NoId(ObjectKind),
    /// A new object comes with an id.
    #[error("{} id must be empty: the id of a new object is made here", .0.short())]
    IdGiven(ObjectKind),
    /// Several objects have the name that was given in place of an id.
    #[error("{0:?} is the name of several objects; give the id")]
    Ambiguous(String),
    /// The replacement has another id than what it replaces.
    #[error("{} id in the info must be empty or match the id in the update", .0.short())]
    OtherId(ObjectKind),
    /// Neither `replace` nor `update`.
    #[error("missing or unsupported update action")]
    NoAction,
    /// `set` together with `add` or `remove`.
    #[error("cannot set and change the list at the same time")]
    SetAndChange,
    /// `clear` together with anything else.
    #[error("cannot clear and change the list at the same time")]
    ClearAndChange,
    /// A change of a list that changes nothing.
    #[error("unsupported list update operation")]
    NoListChange,
    /// An empty text in a change of a list.
    #[error("empty element in the list")]
    EmptyElement,
    /// The object itself is wrong.
    #[error("{}", in_words(.0))]
    Invalid(Vec<Problem>),
    /// Another trunk takes the same calls.
    #[error("Conflicting inbound SIP Trunks: {other:?} and {trunk:?}, using the same number(s) {numbers} {callers}")]
    TrunkConflict {
        /// The id of the other trunk.
        other: String,
        /// The id of the trunk, or that it is new.
        trunk: String,
        /// The numbers of the other trunk.
        numbers: String,
        /// Whose calls both take.
        callers: String,
    },
    /// Another rule takes the same calls.
    #[error(
        "Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule \
         {id:?} {name:?}"
    )]
    RuleConflict {
        /// The id of the other rule.
        id: String,
        /// Its name.
        name: String,
    },
    /// The configuration file has it; there it is changed.
    #[error("{0} stands in the configuration file: change it there")]
    OfTheFile(String),
    /// The store is as full as it may be.
    #[error("there are {0} trunks and rules in the store, more are not taken")]
    TooMany(usize),
    /// There is nothing to write to.
    #[error("there is no store to write to: set `store` to a file that can be written")]
    NoStore,
    /// The disk is full.
    #[error("the disk of the store is full")]
    Full,
    /// SQLite has failed otherwise.
    #[error("the store cannot be written: {0}")]
    Database(rusqlite::Error),
}

/// What kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A trunk of either kind.
    Trunk,
    /// A dispatch rule.
    Rule,
}

/// What went wrong, in the classes of Twirp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// `not_found`.
    NotFound,
    /// `invalid_argument`.
    InvalidArgument,
    /// `failed_precondition`.
    FailedPrecondition,
    /// `unavailable`.
    Unavailable,
}

impl ChangeError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing(_) => ErrorKind::NotFound,
            Self::NoId(_)
            | Self::IdGiven(_)
            | Self::OtherId(_)
            | Self::NoAction
            | Self::SetAndChange
            | Self::ClearAndChange
            | Self::NoListChange
            | Self::EmptyElement
            | Self::Invalid(_)
            | Self::TrunkConflict { .. }
            | Self::RuleConflict { .. } => ErrorKind::InvalidArgument,
            Self::Ambiguous(_) | Self::OfTheFile(_) | Self::TooMany(_) => ErrorKind::FailedPrecondition,
            Self::NoStore | Self::Full | Self::Database(_) => ErrorKind::Unavailable,
        }
    }
}

impl ObjectKind {
    /// What its ids begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Trunk => "ST_",
            Self::Rule => "SDR_",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Rule => "dispatch rule",
        }
    }

    fn short(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Rule => "rule",
        }
    }
}

/// What errors of all objects say to whoever has asked for the steps. `new` is the id of an object that he has not seen.
pub(super) fn refusal(errors: Vec<Error>, steps: &[Step], new: Option<&str>, pieces: &Pieces) -> ChangeError {
    let is_mine = |id: &str| steps.iter().any(|step| matches!(step, Step::Put(item) if item.id() == id));
    let mut conflict = None;
    let mut problems = Vec::new();
    for Error { id, problem, .. } in errors {
        let Some(other) = problem.other_id() else {
            problems.push(problem);
            continue;
        };
        let (mine, other) = if is_mine(&id) { (id.as_str(), other) } else { (other, id.as_str()) };
        let other = pieces.find_id(other).map(|item| &**item);
        match clash(&problem, mine, other, new) {
            Some(clash) => _ = conflict.get_or_insert(clash),
            None => problems.push(problem),
        }
    }
    match conflict {
        Some(conflict) if problems.is_empty() => conflict,
        _ => ChangeError::Invalid(problems),
    }
}

fn clash(problem: &Problem, mine: &str, other: Option<&Item>, new: Option<&str>) -> Option<ChangeError> {
    match (problem, other?) {
        (Problem::TrunkConflict { .. }, Item::Inbound(other)) => {
            let info = &other.info;
            let numbers = if info.numbers.is_empty() { "<any>".to_owned() } else { listed(&info.numbers) };
            let callers = if info.allowed_numbers.is_empty() {
                "without AllowedNumbers set".to_owned()
            } else {
                format!("and AllowedNumbers {}", listed(&info.allowed_numbers))
            };
            let trunk = if new == Some(mine) { "<new>" } else { mine }.to_owned();
            Some(ChangeError::TrunkConflict { other: info.sip_trunk_id.clone(), trunk, numbers, callers })
        }
        (Problem::RuleConflict { .. }, Item::Rule(other)) => Some(ChangeError::RuleConflict {
            id: other.info.sip_dispatch_rule_id.clone(),
            name: other.info.name.clone(),
        }),
        _ => None,
    }
}

/// Texts as Go prints a list of them.
fn listed(texts: &[String]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

/// What LiveKit says of the first problem that it knows; else all that we have to say.
fn in_words(problems: &[Problem]) -> String {
    let known = problems.iter().filter_map(words_of_livekit).min();
    let ours = || problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    known.map_or_else(ours, |(_, words)| words)
}

/// LiveKit's words, and how early it looks.
fn words_of_livekit(problem: &Problem) -> Option<(u8, String)> {
    Some(match problem {
        Problem::Unguarded => (
            0,
            "for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers"
                .into(),
        ),
        Problem::NoNumbers => (0, "no trunk numbers specified".into()),
        Problem::OutboundAddress(address) if address.is_empty() => (1, "no outbound address specified".into()),
        Problem::OutboundAddress(address) if address.contains("transport=") => {
            (1, "trunk address should not contain transport parameter".into())
        }
        Problem::NoRule => (0, "missing rule".into()),
        Problem::Header { name, why: HeaderProblem::Name(Some(stray)), .. } => {
            let code = u32::from(*stray);
            (2, format!("invalid header name: header name {name} contains invalid characters: char {code} not allowed"))
        }
        Problem::Header { name, why: HeaderProblem::Value(stray), .. } => {
            let code = u32::from(*stray);
            (2, format!("invalid header value for {name}: header {name}: value: char {code} not allowed"))
        }
        _ => return None,
    })
}
