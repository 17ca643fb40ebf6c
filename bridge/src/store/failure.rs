//! Why a write was not done. Where LiveKit's own server has words for it, they are these: there are programs that look
//! for them.

use super::Error;

/// An object could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no such object.
    #[error("requested sip {} does not exist", .0.words())]
    Missing(ObjectKind),
    /// Nothing says which object is meant.
    #[error("{} ID is required", .0.title())]
    NoId(ObjectKind),
    /// A new object comes with an id.
    #[error("{} ID must be empty: the id of a new object is made here", .0.title())]
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
    /// The object itself.
    #[error("{0}")]
    Invalid(Box<Error>),
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
            | Self::Invalid(_) => ErrorKind::InvalidArgument,
            Self::Ambiguous(_) | Self::OfTheFile(_) | Self::TooMany(_) => ErrorKind::FailedPrecondition,
            Self::NoStore | Self::Full | Self::Database(_) => ErrorKind::Unavailable,
        }
    }
}

impl ObjectKind {
    fn words(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Rule => "dispatch rule",
        }
    }

    fn title(self) -> &'static str {
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
