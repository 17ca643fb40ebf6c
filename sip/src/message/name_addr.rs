//! Addresses: `"Name" <uri>;params` and its short form ([RFC 3261 §20.10], `name-addr` and `addr-spec`).
//!
//! [RFC 3261 §20.10]: https://www.rfc-editor.org/rfc/rfc3261#section-20.10

use std::fmt;

use super::{
    id::Tag,
    params::Params,
    scan::{Scanner, quote, unquote},
    uri::Uri,
};
use crate::error::Error;

/// The value of From, To, Contact, Route, Record-Route, Refer-To and their like.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// The header's parameters, not the URI's.
    pub params: Params,
}

impl NameAddr {
    /// An address with no name and no parameters.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// Reads one value. Without angle brackets, parameters belong to the header and the URI may hold no `?`
    /// (RFC 3261 §20).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut scanner = Scanner::new("address", text);
        scanner.skip_space();
        let (display, uri) = match read_display(&mut scanner)? {
            Some(display) => (display, read_bracketed(&mut scanner)?),
            None => {
                let bare = scanner.take_while(|byte| !b";?, \t<>\"".contains(&byte));
                (None, Uri::parse(bare)?)
            }
        };
        let params = Params::read_header(&mut scanner)?;
        scanner.end()?;
        Ok(Self { display, uri, params })
    }

    /// Sets the tag.
    pub fn set_tag(&mut self, tag: &Tag) {
        self.params.set("tag", tag.as_str());
    }

    /// The tag, when there is one that is not empty.
    pub fn tag(&self) -> Option<Tag> {
        self.params.get("tag").filter(|tag| !tag.is_empty()).map(Tag::new)
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", quote(display))?;
        }
        write!(f, "<{}>", self.uri)?;
        self.params.write_header(f)
    }
}

/// Steps over the display name up to the `<`. The outer `None`: there are no brackets.
fn read_display(scanner: &mut Scanner<'_>) -> Result<Option<Option<String>>, Error> {
    if scanner.peek() == Some(b'"') {
        let display = unquote(scanner.quoted()?);
        scanner.skip_space();
        return if scanner.peek() == Some(b'<') { Ok(Some(Some(display))) } else { Err(scanner.error()) };
    }
    // Unquoted names are tokens by the RFC; peers send `Joe@home <sip:…>` and names in UTF-8, which are as clear.
    let Some(bracket) = scanner.rest().find(['<', ';', '"']) else { return Ok(None) };
    if scanner.rest().as_bytes().get(bracket) != Some(&b'<') {
        return Ok(None);
    }
    let display = scanner.take(bracket).trim_matches([' ', '\t']);
    Ok(Some((!display.is_empty()).then(|| display.to_owned())))
}

fn read_bracketed(scanner: &mut Scanner<'_>) -> Result<Uri, Error> {
    scanner.eat(b'<');
    let inside = scanner.take_while(|byte| byte != b'>');
    let error = scanner.error();
    if !scanner.eat(b'>') {
        return Err(error);
    }
    Uri::parse(inside.trim_matches([' ', '\t']))
}
