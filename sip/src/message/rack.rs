//! Which provisional answer is acknowledged: RSeq and RAck ([RFC 3262 §7]).
//!
//! [RFC 3262 §7]: https://www.rfc-editor.org/rfc/rfc3262#section-7

use std::fmt;

use super::{cseq::CSeq, header_name::HeaderName, headers::Headers, scan::Scanner};
use crate::error::Error;

/// The value of RAck: the number of a provisional answer, and the request that it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// Its RSeq.
    pub number: u32,
    /// The CSeq of the INVITE.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads the value.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut scanner = Scanner::new("RAck", text);
        scanner.skip_space();
        let number = scanner.number()?;
        if !matches!(scanner.peek(), Some(b' ' | b'\t')) {
            return Err(scanner.error());
        }
        Ok(Self { number, cseq: CSeq::parse(scanner.rest())? })
    }

    /// What a PRACK acknowledges; `None` when it does not say so readably.
    pub fn of(headers: &Headers) -> Option<Self> {
        headers.get(&HeaderName::RAck).and_then(|value| Self::parse(value).ok())
    }

    /// The number of a provisional answer that wants to be acknowledged (RFC 3262 §4): `Require: 100rel`, and an RSeq that
    /// can be read and is not 0.
    pub fn wanted(response: &Headers) -> Option<u32> {
        let is_required = response.require().iter().any(|tag| tag.eq_ignore_ascii_case("100rel"));
        let number = response.get(&HeaderName::RSeq)?.trim().parse().ok()?;
        (is_required && number > 0).then_some(number)
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.cseq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain", "776656 1 INVITE", Some("776656 1 INVITE")),
            ("spaced", "  1 \t 2  INVITE ", Some("1 2 INVITE")),
            ("largest", "4294967295 4294967295 INVITE", Some("4294967295 4294967295 INVITE")),
            ("too large", "4294967296 1 INVITE", None),
            ("no method", "1 2", None),
            ("one number", "1 INVITE", None),
            ("glued", "1,2 INVITE", None),
            ("empty", "", None),
        ];
        for (name, text, expected) in cases {
            let read = RAck::parse(text).ok().map(|value| value.to_string());
            assert_eq!(read.as_deref(), *expected, "{name}");
        }
    }

    #[test]
    fn what_wants_to_be_acknowledged() {
        type Row<'a> = (&'a str, &'a [(HeaderName, &'a str)], Option<u32>);
        let cases: &[Row<'_>] = &[
            ("both", &[(HeaderName::Require, "x, 100REL"), (HeaderName::RSeq, " 7 ")], Some(7)),
            ("not required", &[(HeaderName::Supported, "100rel"), (HeaderName::RSeq, "7")], None),
            ("no number", &[(HeaderName::Require, "100rel")], None),
            ("zero", &[(HeaderName::Require, "100rel"), (HeaderName::RSeq, "0")], None),
            ("no number at all", &[(HeaderName::Require, "100rel"), (HeaderName::RSeq, "a")], None),
        ];
        for (name, values, expected) in cases {
            let mut headers = Headers::new();
            values.iter().for_each(|(name, value)| headers.push(name.clone(), *value));
            assert_eq!(RAck::wanted(&headers), *expected, "{name}");
        }
    }
}
