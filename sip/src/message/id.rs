//! The names of transactions, dialogs' ends and calls: opaque, compared byte by byte ([RFC 3261 §8.1.1]).
//!
//! [RFC 3261 §8.1.1]: https://www.rfc-editor.org/rfc/rfc3261#section-8.1.1

use std::fmt;

use super::scan::Scanner;
use crate::error::Error;

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

identifiers! {
    /// The name a client gives to a transaction (RFC 3261 §8.1.1.7).
    Branch
    /// The name each side gives to its end of a dialog (RFC 3261 §19.3).
    Tag
    /// The name of a call (RFC 3261 §8.1.1.4).
    CallId
}

impl Branch {
    /// What every branch of RFC 3261 begins with.
    pub const COOKIE: &'static str = "z9hG4bK";

    /// Whether it is of the kind that is unique by itself: the cookie and something behind it.
    pub fn is_rfc3261(&self) -> bool {
        self.as_str().strip_prefix(Self::COOKIE).is_some_and(|rest| !rest.is_empty())
    }
}

impl CallId {
    /// Reads the value: one word, whose characters we do not narrow down.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut scanner = Scanner::new("Call-ID", text);
        scanner.skip_space();
        let word = scanner.take_while(|byte| byte > b' ' && byte != 0x7f);
        if word.is_empty() {
            return Err(scanner.error());
        }
        scanner.end()?;
        Ok(Self::new(word))
    }
}
