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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_methods() {
        type Row = (&'static str, &'static str, Option<(u32, &'static str)>);
        let cases: &[Row] = &[
            ("plain", "1 INVITE", Some((1, "INVITE"))),
            ("zeros and white space", " 0009 \t INVITE ", Some((9, "INVITE"))),
            ("largest", "4294967295 BYE", Some((u32::MAX, "BYE"))),
            ("too large", "4294967296 BYE", None),
            ("negative", "-1 BYE", None),
            ("sign", "+1 BYE", None),
            ("unknown method", "1 FROB", Some((1, "FROB"))),
            ("no method", "1", None),
            ("no number", "INVITE", None),
            ("no token", "1 INV@TE", None),
            ("more", "1 INVITE x", None),
            ("empty", "", None),
        ];
        for (name, text, expected) in cases {
            let read = CSeq::parse(text).ok();
            assert_eq!(read.as_ref().map(|cseq| (cseq.number, cseq.method.as_str())), *expected, "{name}");
        }
    }
}
