//! Parameters: `;name=value` behind addresses, URIs and many headers ([RFC 3261 §25.1], `generic-param`).
//!
//! [RFC 3261 §25.1]: https://www.rfc-editor.org/rfc/rfc3261#section-25.1

use std::fmt;

use super::{
    scan::{Scanner, quote, unquote},
    token::is_token,
};
use crate::error::Error;

/// An ordered list of parameters. Names are compared without case; values are kept as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter, in its old place if it was there. A value that is no token is put into quotes where the
    /// parameters are those of a header, and percent-escaped where they are a URI's.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.put(name, Some(value.into()));
    }

    /// Sets a parameter that has no value.
    pub fn set_flag(&mut self, name: &str) {
        self.put(name, None);
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Whether the parameter is there, with a value or without.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value as it was written, with its quotes if it has any; `None` when absent or without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name)?.1.as_deref()
    }

    /// The value without quotes and escapes.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(unquote)
    }

    /// All parameters in order, values as they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `;name=value` as long as there are any, white space around `;` and `=` allowed, `;;` forgiven.
    pub(crate) fn read_header(scanner: &mut Scanner<'_>) -> Result<Self, Error> {
        let mut params = Self::new();
        while scanner.eat_spaced(b';') {
            if matches!(scanner.peek(), None | Some(b';')) {
                continue;
            }
            let name = scanner.token()?;
            let value = if scanner.eat_spaced(b'=') { Some(read_value(scanner)?) } else { None };
            params.0.push((name.to_owned(), value.map(str::to_owned)));
        }
        Ok(params)
    }

    /// Writes as a header's parameters.
    pub(crate) fn write_header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, value)| match value {
            None => write!(f, ";{name}"),
            Some(value) if is_plain(value) => write!(f, ";{name}={value}"),
            Some(value) => write!(f, ";{name}={}", quote(value)),
        })
    }

    fn put(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(param) => param.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

impl FromIterator<(String, Option<String>)> for Params {
    fn from_iter<T: IntoIterator<Item = (String, Option<String>)>>(params: T) -> Self {
        Self(params.into_iter().collect())
    }
}

/// A token, a host, a quoted string. More is let through than the RFC lists: what cannot be mistaken for a border.
fn read_value<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, Error> {
    if scanner.peek() == Some(b'"') {
        return scanner.quoted();
    }
    Ok(scanner.take_while(is_value_byte))
}

fn is_value_byte(byte: u8) -> bool {
    byte > b' ' && !matches!(byte, b';' | b',' | b'"' | b'<' | b'>' | 0x7f)
}

/// Whether the value reads back the same when written as it is.
fn is_plain(value: &str) -> bool {
    let is_quoted = || {
        let mut scanner = Scanner::new("value", value);
        scanner.quoted().is_ok() && scanner.rest().is_empty() && !value.contains(['\r', '\n', '\0'])
    };
    is_token(value) || value.bytes().all(is_value_byte) || is_quoted()
}
