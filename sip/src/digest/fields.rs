//! The grammar that challenges and credentials share: `Digest name=value, name="value"` ([RFC 7235 §2.1]).
//!
//! [RFC 7235 §2.1]: https://www.rfc-editor.org/rfc/rfc7235#section-2.1

use crate::{
    error::Error,
    message::scan::{Scanner, unquote},
};

/// The parameters behind one `Digest`; values are unquoted.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(Vec<(&'a str, String)>);

/// More parameters than any digest has; what is longer is not read.
const MAX_FIELDS: usize = 32;
/// More challenges than any peer has reason to send in one line.
const MAX_CHALLENGES: usize = 16;

impl<'a> Fields<'a> {
    /// All the `Digest` parts of one header value. Other schemes are stepped over, where their form allows it.
    pub(crate) fn read_all(value: &'a str) -> Result<Vec<Self>, Error> {
        let mut scanner = Scanner::new("digest", value);
        let mut found: Vec<(bool, Self)> = Vec::new();
        loop {
            while scanner.eat_spaced(b',') {}
            scanner.skip_space();
            if scanner.rest().is_empty() {
                break;
            }
            let error = scanner.error();
            let word = scanner.token()?;
            if !scanner.eat_spaced(b'=') {
                if found.len() == MAX_CHALLENGES {
                    return Err(error);
                }
                found.push((word.eq_ignore_ascii_case("Digest"), Self::default()));
                continue;
            }
            let (_, fields) = found.last_mut().ok_or(error)?;
            fields.add(word, &mut scanner)?;
        }
        Ok(found.into_iter().filter_map(|(is_digest, fields)| is_digest.then_some(fields)).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn required(&self, name: &str) -> Result<String, Error> {
        self.get(name).map(str::to_owned).ok_or(Error::malformed("digest", 0))
    }

    /// A parameter given twice could be understood in two ways, so it is refused.
    fn add(&mut self, name: &'a str, scanner: &mut Scanner<'a>) -> Result<(), Error> {
        let error = scanner.error();
        let value = match scanner.peek() {
            Some(b'"') => unquote(scanner.quoted()?),
            _ => scanner.take_while(|byte| !b" \t,\"".contains(&byte)).to_owned(),
        };
        if self.get(name).is_some() || self.0.len() == MAX_FIELDS || value.contains(['\r', '\n', '\0']) {
            return Err(error);
        }
        self.0.push((name, value));
        Ok(())
    }
}
