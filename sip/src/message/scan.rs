//! A cursor over the text of one header value; every grammar of this module is read with it.

use super::token::is_token_byte;
use crate::error::Error;

/// Reads `text` from left to right. Folding is gone by now, so white space is SP and HTAB.
pub(crate) struct Scanner<'a> {
    what: &'static str,
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// `what` names the grammar in errors.
    pub(crate) fn new(what: &'static str, text: &'a str) -> Self {
        Self { what, text, at: 0 }
    }

    pub(crate) fn skip_space(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// The longest run of bytes for which `wanted` holds, possibly empty.
    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !wanted(byte)).unwrap_or(rest.len());
        self.take(length)
    }

    /// Steps over `byte` if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// Steps over `byte` with the white space around it if that is next; otherwise stays in front of the white space.
    pub(crate) fn eat_spaced(&mut self, byte: u8) -> bool {
        let start = self.at;
        self.skip_space();
        if self.eat(byte) {
            self.skip_space();
            return true;
        }
        self.at = start;
        false
    }

    pub(crate) fn token(&mut self) -> Result<&'a str, Error> {
        let token = self.take_while(is_token_byte);
        if token.is_empty() { Err(self.error()) } else { Ok(token) }
    }

    /// A quoted string as it is written, with its quotes. Escapes may hide any character but not the end.
    pub(crate) fn quoted(&mut self) -> Result<&'a str, Error> {
        let rest = self.rest().as_bytes();
        if rest.first() != Some(&b'"') {
            return Err(self.error());
        }
        let mut escaped = false;
        for (index, &byte) in rest.iter().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Ok(self.take(index + 1)),
                _ => {}
            }
        }
        Err(self.error())
    }

    /// A decimal number.
    pub(crate) fn number<N: std::str::FromStr>(&mut self) -> Result<N, Error> {
        let error = self.error();
        self.take_while(|byte| byte.is_ascii_digit()).parse().map_err(|_| error)
    }

    /// Nothing but white space may be left.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.skip_space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.error()) }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn error(&self) -> Error {
        Error::malformed(self.what, self.at)
    }

    /// Steps over `length` bytes, which must end at a character's border.
    pub(crate) fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }
}

/// The content of a quoted string: without its quotes and escapes. Text that is not quoted stays as it is.
pub(crate) fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// Puts `text` into quotes. Line ends and NUL cannot be escaped in SIP; they become spaces.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\r' | '\n' | '\0' => out.push(' '),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Splits at the commas that are neither in quotes nor in angle brackets; parts are trimmed, empty ones left out.
pub(crate) fn split_at_commas(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    text.split(move |character: char| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !bracketed => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            ',' => return !quoted && !bracketed,
            _ => {}
        }
        false
    })
    .map(|part| part.trim_matches([' ', '\t']))
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_split_at_the_top_level_alone() {
        let cases: &[(&str, &[&str])] = &[
            ("a, b,c", &["a", "b", "c"]),
            (" ,, a ,\t, ", &["a"]),
            ("\"a,b\" <sip:c,d>;e=\"f,\\\"g\", h", &["\"a,b\" <sip:c,d>;e=\"f,\\\"g\"", "h"]),
            ("<sip:a\">, <sip:b>", &["<sip:a\">", "<sip:b>"]),
            ("\"a, b", &["\"a, b"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(split_at_commas(text).collect::<Vec<_>>(), *expected, "{text}");
        }
    }

    #[test]
    fn quotes_hide_everything_but_their_end() {
        let cases: &[(&str, Option<&str>)] = &[
            (r#""a" b"#, Some("a")),
            (r#""a\"b" c"#, Some("a\"b")),
            (r#""a\\" b"#, Some("a\\")),
            (r#""""#, Some("")),
            (r#""é\é""#, Some("éé")),
            (r#""a\""#, None),
            (r#"""#, None),
            ("a", None),
        ];
        for (text, expected) in cases {
            let read = Scanner::new("text", text).quoted().ok().map(unquote);
            assert_eq!(read.as_deref(), *expected, "{text}");
        }
        assert_eq!(unquote(&quote("a\"b\\c\r\n")), "a\"b\\c  ");
    }
}
