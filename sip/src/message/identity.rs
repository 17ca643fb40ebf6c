//! Identity: who vouches for the caller's number, signed ([RFC 8224 §4]).
//!
//! ```text
//! Identity: eyJhbGciOi….eyJhdHRlc3…._28kAwRWnheX…;info=<https://cert.example.org/passport.cer>;alg=ES256;ppt="shaken"
//!           header      payload     signature
//! ```
//!
//! The compact form leaves out header and payload: `..signature` ([RFC 8225 §7]).
//!
//! [RFC 8224 §4]: https://www.rfc-editor.org/rfc/rfc8224#section-4
//! [RFC 8225 §7]: https://www.rfc-editor.org/rfc/rfc8225#section-7

use super::scan::{Scanner, unquote};
use crate::error::Error;

/// The longest token and URI that are read, in bytes. Those in use have under a thousand and under two hundred.
const MAX_DIGEST: usize = 8 * 1024;
const MAX_INFO: usize = 2 * 1024;
/// As many parameters are read; three are defined.
const MAX_PARAMS: usize = 16;

/// One value of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    digest: String,
    info: String,
    alg: Option<String>,
    ppt: Option<String>,
}

impl Identity {
    /// Reads one value. `info` is the one parameter that must be there, once; unknown ones are passed over.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut scanner = Scanner::new("Identity", text);
        scanner.skip_space();
        let error = scanner.error();
        let digest = scanner.take_while(is_digest_byte);
        if digest.is_empty() || digest.len() > MAX_DIGEST {
            return Err(error);
        }
        let mut identity = Self { digest: digest.to_owned(), info: String::new(), alg: None, ppt: None };
        let mut count = 0;
        while scanner.eat_spaced(b';') {
            count += 1;
            if count > MAX_PARAMS {
                return Err(scanner.error());
            }
            identity.read_param(&mut scanner)?;
        }
        scanner.end()?;
        if identity.info.is_empty() { Err(scanner.error()) } else { Ok(identity) }
    }

    /// What is signed and the signature: three parts of base64url with dots between them, the first two of them empty in
    /// the compact form.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the certificate of the signature is.
    pub fn info(&self) -> &str {
        &self.info
    }

    /// The algorithm, if the header names it.
    pub fn alg(&self) -> Option<&str> {
        self.alg.as_deref()
    }

    /// The kind of token (`shaken`, `div` …), if the header names it.
    pub fn ppt(&self) -> Option<&str> {
        self.ppt.as_deref()
    }

    fn read_param(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Error> {
        let error = scanner.error();
        let name = scanner.token()?;
        if !scanner.eat_spaced(b'=') {
            return Ok(());
        }
        let value = match scanner.peek() {
            Some(b'<') => bracketed(scanner)?.to_owned(),
            Some(b'"') => unquote(scanner.quoted()?),
            _ => scanner.take_while(|byte| !b";, \t".contains(&byte)).to_owned(),
        };
        let known = match name.to_ascii_lowercase().as_str() {
            "info" if value.len() > MAX_INFO || !self.info.is_empty() => return Err(error),
            "info" => {
                self.info = value;
                return Ok(());
            }
            "alg" => &mut self.alg,
            "ppt" => &mut self.ppt,
            _ => return Ok(()),
        };
        // Of two that contradict each other, each reader would believe another one.
        if known.replace(value).is_some() { Err(error) } else { Ok(()) }
    }
}

fn bracketed<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, Error> {
    scanner.eat(b'<');
    let inside = scanner.take_while(|byte| byte > b' ' && byte != b'>' && byte != b'<' && byte < 0x7f);
    if scanner.eat(b'>') { Ok(inside) } else { Err(scanner.error()) }
}

/// RFC 8224 writes `base64-char`, and signs base64url: both alphabets are read, and the signature has the last word.
fn is_digest_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_+/=.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{HeaderName, Headers};

    type Read<'a> = Option<(&'a str, &'a str, Option<&'a str>, Option<&'a str>)>;

    #[test]
    fn values_are_read() {
        let cases: &[(&str, &str, Read<'_>)] = &[
            (
                "full",
                "h.p.s;info=<https://c.example/a.pem>;alg=ES256;ppt=shaken",
                Some(("h.p.s", "https://c.example/a.pem", Some("ES256"), Some("shaken"))),
            ),
            (
                "quoted",
                "h.p.s;info=<https://c.example>;alg=\"ES256\";ppt=\"shaken\"",
                Some(("h.p.s", "https://c.example", Some("ES256"), Some("shaken"))),
            ),
            ("compact", "..s-_;info=<https://c.example>", Some(("..s-_", "https://c.example", None, None))),
            (
                "any order and case, white space, others",
                " h.p.s ; PPT = shaken; x; y=\"a;b\" ;Info = <https://c.example> ",
                Some(("h.p.s", "https://c.example", None, Some("shaken"))),
            ),
            ("no brackets", "h.p.s;info=https://c.example", Some(("h.p.s", "https://c.example", None, None))),
            ("no info", "h.p.s;alg=ES256", None),
            ("empty info", "h.p.s;info=<>", None),
            ("info twice", "h.p.s;info=<https://a>;info=<https://b>", None),
            ("ppt twice", "h.p.s;info=<https://a>;ppt=shaken;ppt=div", None),
            ("open bracket", "h.p.s;info=<https://a", None),
            ("bracket in a bracket", "h.p.s;info=<https://<a>", None),
            ("space in the URI", "h.p.s;info=<https://a b>", None),
            ("RFC 4474", "\"h.p.s\";info=<https://a>", None),
            ("nothing", "", None),
            ("no token", ";info=<https://a>", None),
            ("two in one", "h.p.s;info=<https://a>, h.p.s;info=<https://a>", None),
            ("text behind", "h.p.s;info=<https://a> x", None),
        ];
        for (name, text, expected) in cases {
            let read = Identity::parse(text).ok();
            let read = read.as_ref().map(|read| (read.digest(), read.info(), read.alg(), read.ppt()));
            assert_eq!(read, *expected, "{name}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let info = |length| format!("h.p.s;info=<{}>", "a".repeat(length));
        let digest = |length| format!("{};info=<https://a>", "a".repeat(length));
        let params = |count| format!("h.p.s;info=<https://a>{}", ";x".repeat(count));
        let cases = [
            (info(MAX_INFO), info(MAX_INFO + 1)),
            (digest(MAX_DIGEST), digest(MAX_DIGEST + 1)),
            (params(MAX_PARAMS - 1), params(MAX_PARAMS)),
        ];
        for (fits, too_long) in cases {
            assert!(Identity::parse(&fits).is_ok() && Identity::parse(&too_long).is_err());
        }
    }

    #[test]
    fn a_call_may_have_several() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Identity, "a.b.c;info=<https://a,b>;ppt=div, d.e.f;info=<https://c>");
        headers.push(HeaderName::parse("y").unwrap(), "broken");
        headers.push(HeaderName::Identity, "g.h.i;info=<https://d>");
        let read: Vec<_> = headers.identities().into_iter().map(|read| read.ok().map(|read| read.digest)).collect();
        assert_eq!(read, [Some("a.b.c".to_owned()), Some("d.e.f".into()), None, Some("g.h.i".into())]);
    }
}
