//! CSeq: the order of requests in a dialog ([RFC 3261 §20.16]).
//!
//! [RFC 3261 §20.16]: https://www.rfc-editor.org/rfc/rfc3261#section-20.16

use std::fmt;

use super::{method::Method, scan::Scanner};
use crate::error::Error;

/// A number and the method it was given to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The number. We write less than 2³¹ and read all of 32 bits.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads the value.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut scanner = Scanner::new("CSeq", text);
        scanner.skip_space();
        let number = scanner.number()?;
        scanner.skip_space();
        let error = scanner.error();
        let method = Method::parse(scanner.token()?).ok_or(error)?;
        scanner.end()?;
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
