//! Addresses: `"Name" <uri>;params` and its short form ([RFC 3261 §20.10], `name-addr` and `addr-spec`).
//!
//! [RFC 3261 §20.10]: https://www.rfc-editor.org/rfc/rfc3261#section-20.10

use std::fmt;

use super::{
    id::Tag,
    params::Params,
    scan::{Scanner, quote, split_at_commas, unquote},
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

    /// Reads values with commas between them, as in Route.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Error> {
        split_at_commas(text).map(Self::parse).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("short", "sip:a@b", Some("<sip:a@b>")),
            ("short with a tag", "sip:a@b;tag=1", Some("<sip:a@b>;tag=1")),
            ("short with headers", "sip:a@b?c=d", None),
            ("brackets", "<sip:a@b;x=y>;tag=1", Some("<sip:a@b;x=y>;tag=1")),
            ("no white space", "\"A B\"<sip:a@b>", Some("\"A B\" <sip:a@b>")),
            ("tokens", "A  B <sip:a@b>", Some("\"A  B\" <sip:a@b>")),
            ("comma", "B, A <sip:a@b>", Some("\"B, A\" <sip:a@b>")),
            ("UTF-8", "Zoë <sip:a@b>", Some("\"Zoë\" <sip:a@b>")),
            ("escapes", r#""a\"\\b" <sip:a@b>"#, Some(r#""a\"\\b" <sip:a@b>"#)),
            ("brackets in the name", "\"<sip:x@y>\" <sip:a@b>", Some("\"<sip:x@y>\" <sip:a@b>")),
            ("empty name", "\"\" <sip:a@b>", Some("\"\" <sip:a@b>")),
            ("open quote", "\"A <sip:a@b>", None),
            ("quote without an address", "\"A\" sip:a@b", None),
            ("open bracket", "<sip:a@b", None),
            ("only a bracket", "<", None),
            ("nothing", "", None),
            ("junk behind", "<sip:a@b> c", None),
            ("two", "<sip:a@b>, <sip:c@d>", None),
            ("quoted parameter", "<sip:a@b>;p=\"x;y\"", Some("<sip:a@b>;p=\"x;y\"")),
            ("IPv6 parameter", "<sip:a@b>;p=[::1]", Some("<sip:a@b>;p=[::1]")),
            ("no parameter name", "<sip:a@b>;=x", None),
            ("spaced parameter", "<sip:a@b> ; p = x ;; q", Some("<sip:a@b>;p=x;q")),
        ];
        for (name, text, expected) in cases {
            let read = NameAddr::parse(text);
            assert_eq!(read.as_ref().ok().map(NameAddr::to_string).as_deref(), *expected, "{name}: {read:?}");
            if let Ok(address) = read {
                assert_eq!(NameAddr::parse(&address.to_string()), Ok(address), "{name}");
            }
        }
    }

    #[test]
    fn tags_are_the_headers_not_the_uris() {
        let tag = |text| NameAddr::parse(text).unwrap().tag().map(|tag| tag.to_string());
        assert_eq!(tag("<sip:a@b;tag=no>;TAG=yes").as_deref(), Some("yes"));
        assert_eq!(tag("<sip:a@b;tag=no>"), None);
        assert_eq!(tag("<sip:a@b>;tag="), None);
    }

    #[test]
    fn nothing_breaks_out_of_an_address_of_ours() {
        let mut address = NameAddr::new(Uri::sip(None, "b", None));
        address.display = Some("a\" <sip:x>\r\nVia: \\".to_owned());
        address.params.set("p", "x;y");
        assert_eq!(address.to_string(), r#""a\" <sip:x>  Via: \\" <sip:b>;p="x;y""#);
    }
}
