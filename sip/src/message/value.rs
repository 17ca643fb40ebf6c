//! A word and its parameters: Reason, Session-Expires, Event, Content-Type and many more ([RFC 3261 §7.3.1]).
//!
//! [RFC 3261 §7.3.1]: https://www.rfc-editor.org/rfc/rfc3261#section-7.3.1

use std::fmt;

use super::{params::Params, scan::Scanner};
use crate::error::Error;

/// `text;name=value`, such as `Q.850;cause=16;text="Normal"` or `1800;refresher=uac`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// What stands in front of the first `;`.
    pub text: String,
    /// What stands behind it.
    pub params: Params,
}

impl Value {
    /// A word without parameters.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: Params::new() }
    }

    /// Reads one value.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut scanner = Scanner::new("value", text);
        let text = scanner.take_while(|byte| byte != b';').trim_matches([' ', '\t']);
        if text.is_empty() {
            return Err(scanner.error());
        }
        let params = Params::read_header(&mut scanner)?;
        scanner.end()?;
        Ok(Self { text: text.to_owned(), params })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.params.write_header(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("reason", "Q.850;cause=16;text=\"a;b\"", Some("Q.850;cause=16;text=\"a;b\"")),
            ("white space", " 1800 ; refresher = uac ", Some("1800;refresher=uac")),
            ("no parameters", "refer", Some("refer")),
            ("no word", ";cause=16", None),
            ("open quote", "SIP;text=\"a", None),
            ("empty", "", None),
        ];
        for (name, text, expected) in cases {
            let read = Value::parse(text);
            assert_eq!(read.as_ref().ok().map(Value::to_string).as_deref(), *expected, "{name}: {read:?}");
        }
    }
}
