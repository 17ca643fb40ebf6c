//! SIP, SIPS and tel URIs, and room for any other ([RFC 3261 §19.1], [RFC 3966]).
//!
//! [RFC 3261 §19.1]: https://www.rfc-editor.org/rfc/rfc3261#section-19.1
//! [RFC 3966]: https://www.rfc-editor.org/rfc/rfc3966

use std::fmt;

use super::{
    host::Host,
    params::Params,
    scan::Scanner,
    token::{Token, is_token},
};
use crate::error::Error;

/// The part of a URI before its first colon, compared without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// A scheme we can keep and write but not follow, in lower case.
    Other(Token),
}

/// A URI in parts. `user`, `password`, `params` and `headers` hold text as written, escapes and all;
/// [`Uri::user_text`] is for reading. Reading and writing both escape whatever would break out of its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    /// What kind of URI this is.
    pub scheme: Scheme,
    /// The part before `@`; for `tel:` the number; for any other scheme everything after the colon.
    pub user: Option<String>,
    /// The part between `:` and `@`.
    pub password: Option<String>,
    /// The host; an empty name where the scheme has none.
    pub host: Host,
    /// The port, when given.
    pub port: Option<u16>,
    /// What follows `;`.
    pub params: Params,
    /// What follows `?`.
    pub headers: Option<String>,
}

impl Uri {
    /// A `sip:` URI. `user` is escaped as needed when written.
    pub fn sip(user: Option<&str>, host: impl Into<Host>, port: Option<u16>) -> Self {
        let (scheme, user) = (Scheme::Sip, user.map(|user| escape(user, is_user_byte)));
        Self { scheme, user, password: None, host: host.into(), port, params: Params::new(), headers: None }
    }

    /// Reads a URI that fills the whole text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once(':').ok_or(Error::malformed("URI", text.len()))?;
        if let Some(at) = text.bytes().position(|byte| byte <= b' ' || b"<>\"\x7f".contains(&byte)) {
            return Err(Error::malformed("URI", at));
        }
        match scheme.to_ascii_lowercase().as_str() {
            "sip" => Self::parse_sip(Scheme::Sip, rest),
            "sips" => Self::parse_sip(Scheme::Sips, rest),
            "tel" => Self::parse_tel(rest),
            other => Self::parse_other(other, rest),
        }
    }

    /// The user part with its escapes decoded. Text from strangers: it may hold any character.
    pub fn user_text(&self) -> Option<String> {
        self.user.as_deref().map(unescape)
    }

    /// A header within the URI with its escapes decoded (RFC 3261 §19.1.1), the first of that name.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers.as_deref()?.split('&').filter_map(|header| header.split_once('='));
        let mut headers = headers.filter(|(known, _)| unescape(known).eq_ignore_ascii_case(name));
        headers.next().map(|(_, value)| unescape(value))
    }

    fn parse_sip(scheme: Scheme, rest: &str) -> Result<Self, Error> {
        // The user part may hold `;` and `?` but no `@`, and nothing behind it may hold one unescaped.
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|info| info.split_once(':').ok_or(info)) {
            Some(Ok((user, password))) => (Some(user), Some(password)),
            Some(Err(user)) => (Some(user), None),
            None => (None, None),
        };
        if user == Some("") {
            return Err(Error::malformed("URI", 0));
        }
        let mut scanner = Scanner::new("URI", rest);
        let host = Host::read(&mut scanner)?;
        let port = Host::read_port(&mut scanner)?;
        let (params, headers) = split_tail(scanner.rest()).ok_or(scanner.error())?;
        Ok(Self {
            scheme,
            user: user.map(|user| escape(user, is_user_byte)),
            password: password.map(|password| escape(password, is_user_byte)),
            host,
            port,
            params: read_params(params),
            headers: headers.map(|headers| escape(headers, is_uri_byte)),
        })
    }

    fn parse_tel(rest: &str) -> Result<Self, Error> {
        let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
        if number.is_empty() {
            return Err(Error::malformed("tel URI", 0));
        }
        let number = escape(number, is_user_byte);
        Ok(Self { params: read_params(params), ..Self::hostless(Scheme::Tel, number) })
    }

    fn parse_other(scheme: &str, rest: &str) -> Result<Self, Error> {
        let starts_with_letter = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        match Token::new(scheme) {
            Some(token) if starts_with_letter && scheme.bytes().all(is_scheme) => {
                Ok(Self::hostless(Scheme::Other(token), escape(rest, is_uri_byte)))
            }
            _ => Err(Error::malformed("URI scheme", 0)),
        }
    }

    fn hostless(scheme: Scheme, text: String) -> Self {
        let host = Host::Name(String::new());
        Self { scheme, user: Some(text), password: None, host, port: None, params: Params::new(), headers: None }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref();
        match &self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => write!(f, "tel:{}", escape(user.unwrap_or_default(), is_user_byte))?,
            Scheme::Other(scheme) => return write!(f, "{scheme}:{}", escape(user.unwrap_or_default(), is_uri_byte)),
        }
        if self.scheme != Scheme::Tel {
            if let Some(user) = user {
                f.write_str(&escape(user, is_user_byte))?;
                if let Some(password) = &self.password {
                    write!(f, ":{}", escape(password, is_user_byte))?;
                }
                f.write_str("@")?;
            }
            write!(f, "{}", self.host)?;
            if let Some(port) = self.port {
                write!(f, ":{port}")?;
            }
        }
        for (name, value) in self.params.iter() {
            write!(f, ";{}", escape(name, is_param_byte))?;
            if let Some(value) = value {
                write!(f, "={}", escape(value, is_value_byte))?;
            }
        }
        match &self.headers {
            Some(headers) => write!(f, "?{}", escape(headers, is_uri_byte)),
            None => Ok(()),
        }
    }
}

impl std::str::FromStr for Uri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// Reads parameters from the text after their first `;`.
fn read_params(text: &str) -> Params {
    let split = |param: &str| match param.split_once('=') {
        Some((name, value)) => (param_name(name), Some(escape(value, is_value_byte))),
        None => (param_name(param), None),
    };
    text.split(';').filter(|param| !param.is_empty()).map(split).collect()
}

/// A parameter's name, to be found however it is escaped: `%6C%72` is `lr` (RFC 3261 §19.1.2).
fn param_name(text: &str) -> String {
    let plain = unescape(text);
    if is_token(&plain) && !plain.contains('%') { plain } else { escape(text, is_param_byte) }
}

/// Splits what follows the host into parameters and headers; `None` when it begins with neither `;` nor `?`.
fn split_tail(tail: &str) -> Option<(&str, Option<&str>)> {
    let (params, headers) = match tail.split_once('?') {
        Some((params, headers)) => (params, Some(headers)),
        None => (tail, None),
    };
    match params.strip_prefix(';') {
        Some(params) => Some((params, headers)),
        None => params.is_empty().then_some((params, headers)),
    }
}

fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"<>\"".contains(&byte)
}

/// RFC 3261 §25.1, `unreserved` and `user-unreserved`, and `%` where it begins an escape; in a user `:` ends it.
fn is_user_byte(byte: u8) -> bool {
    is_uri_byte(byte) && !b"@:[]\\^`{|}".contains(&byte)
}

fn is_param_byte(byte: u8) -> bool {
    is_uri_byte(byte) && !b";?=".contains(&byte)
}

fn is_value_byte(byte: u8) -> bool {
    is_uri_byte(byte) && !b";?".contains(&byte)
}

/// Percent-escapes the bytes that are not `allowed`, and each `%` that does not begin an escape already.
fn escape(text: &str, allowed: fn(u8) -> bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    for (index, &byte) in bytes.iter().enumerate() {
        let is_escape = || bytes.get(index + 1..index + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if allowed(byte) && (byte != b'%' || is_escape()) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |index: usize| after.get(index).and_then(|&digit| char::from(digit).to_digit(16));
        rest = match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                after.get(2..).unwrap_or_default()
            }
            _ => {
                out.push(byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, and how it is written again; `None`: refused.
    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain", "sip:alice@example.com", Some("sip:alice@example.com")),
            ("no user", "sip:192.0.2.1:5060", Some("sip:192.0.2.1:5060")),
            ("everything", "sips:a:b@h:1;p=v;q?X-A=b&c=d", Some("sips:a:b@h:1;p=v;q?X-A=b&c=d")),
            ("scheme in capitals", "SIP:a@B", Some("sip:a@B")),
            ("IPv6", "sip:a@[2001:db8::10]:5061", Some("sip:a@[2001:db8::10]:5061")),
            ("IPv6 without brackets", "sip:a@2001:db8::10", None),
            ("IPv6 left open", "sip:a@[2001:db8::10", None),
            ("tel", "tel:+1-415-555-0123;phone-context=x.com", Some("tel:+1-415-555-0123;phone-context=x.com")),
            ("tel without a number", "tel:;a=b", None),
            ("other scheme", "MailTo:a@b?subject=x", Some("mailto:a@b?subject=x")),
            ("no scheme", "alice@example.com", None),
            ("odd scheme", "1a:b", None),
            ("empty", "", None),
            ("no host", "sip:", None),
            ("nobody", "sip:@example.com", None),
            ("user without a host", "sip:alice@", None),
            ("two @", "sip:a@b@c", None),
            ("@ escaped", "sip:a%40b@c", Some("sip:a%40b@c")),
            ("port too large", "sip:a@b:65536", None),
            ("no port", "sip:a@b:", None),
            ("junk behind the host", "sip:a@b!c", None),
            ("white space", "sip:a b@c", None),
            ("line end", "sip:a@c\r\nX: y", None),
            ("brackets", "<sip:a@c>", None),
            ("bare %", "sip:100%@c;d=5%", Some("sip:100%25@c;d=5%25")),
            ("not ASCII", "sip:é@c", Some("sip:%C3%A9@c")),
            ("empty parameters", "sip:a@c;;lr;", Some("sip:a@c;lr")),
            ("escaped parameter name", "sip:a@c;%6C%72", Some("sip:a@c;lr")),
        ];
        for (name, text, expected) in cases {
            let read = Uri::parse(text);
            assert_eq!(read.as_ref().ok().map(Uri::to_string).as_deref(), *expected, "{name}: {read:?}");
            if let Ok(uri) = read {
                assert_eq!(Uri::parse(&uri.to_string()), Ok(uri), "{name}");
            }
        }
    }

    #[test]
    fn nothing_breaks_out_of_a_uri_of_ours() {
        let mut uri = Uri::sip(Some("a@b>;c\r\nVia: x"), "h", None);
        uri.params.set("p", "v;w?x>\r\n");
        uri.headers = Some("h=\"\n\0".to_owned());
        assert_eq!(uri.to_string(), "sip:a%40b%3E;c%0D%0AVia%3A%20x@h;p=v%3Bw%3Fx%3E%0D%0A?h=%22%0A%00");
        assert_eq!(uri.user_text().as_deref(), Some("a@b>;c\r\nVia: x"));
    }
}
