//! The kinds of errors that Twirp knows: why something was not done, as callers of the API are told.

/// A code of [Twirp's list](https://twitchtv.github.io/twirp/docs/errors.html), but for `dataloss`: nothing here loses what it
/// has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// It was given up.
    Canceled,
    /// Nothing better is known.
    Unknown,
    /// The request can never succeed as it is.
    InvalidArgument,
    /// The body is none.
    Malformed,
    /// It took too long.
    DeadlineExceeded,
    /// There is no such thing.
    NotFound,
    /// There is no such method.
    BadRoute,
    /// There is one already.
    AlreadyExists,
    /// Whoever asks may not.
    PermissionDenied,
    /// Whoever asks has not proved who he is.
    Unauthenticated,
    /// Too much of something.
    ResourceExhausted,
    /// Things do not stand as they must for this.
    FailedPrecondition,
    /// Something else came between.
    Aborted,
    /// Beyond the end.
    OutOfRange,
    /// Not here.
    Unimplemented,
    /// Our fault.
    Internal,
    /// Not now.
    Unavailable,
}

impl Code {
    /// The code as Twirp spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalid_argument",
            Self::Malformed => "malformed",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotFound => "not_found",
            Self::BadRoute => "bad_route",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::Unauthenticated => "unauthenticated",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out_of_range",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
}
