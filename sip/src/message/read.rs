//! Bytes to messages: lines, folding, limits, and what every message must have ([RFC 3261 §7], [§8.1.1], [§18.3]).
//!
//! [RFC 3261 §7]: https://www.rfc-editor.org/rfc/rfc3261#section-7
//! [§8.1.1]: https://www.rfc-editor.org/rfc/rfc3261#section-8.1.1
//! [§18.3]: https://www.rfc-editor.org/rfc/rfc3261#section-18.3

use bytes::Bytes;

use super::{
    Message,
    header_name::HeaderName,
    headers::Headers,
    method::Method,
    name_addr::NameAddr,
    request::{Request, answer_to},
    response::Response,
    scan::split_at_commas,
    status::Status,
    uri::Uri,
};
use crate::error::{Error, Rejected};

/// The largest head read: start line and headers with their line ends.
pub const MAX_HEAD: usize = 64 * 1024;
/// The largest body read.
pub const MAX_BODY: usize = 256 * 1024;
/// The most header values kept.
pub const MAX_HEADERS: usize = 256;

/// A head that has been read, waiting for its body.
#[derive(Debug)]
pub(crate) struct Head {
    start: Result<Start, Error>,
    headers: Headers,
    /// The first fault found in the headers.
    fault: Option<Error>,
    /// What Content-Length says. Said twice, or not to be read, the end of the body is not known.
    length: Option<Result<usize, Error>>,
}

#[derive(Debug)]
enum Start {
    Request(Method, Uri),
    Response(Status, String),
}

impl Head {
    /// Reads a head, which must be at most [`MAX_HEAD`] long. Goes on behind a fault, to find what an answer needs.
    pub(crate) fn parse(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let (start, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let mut this =
            Self { start: parse_start(trim_line_end(start)), headers: Headers::new(), fault: None, length: None };
        for (name, value) in fields(rest) {
            if let Err(error) = this.add(name, &value) {
                this.fault.get_or_insert(error);
                if matches!(this.fault, Some(Error::TooManyHeaders { .. })) {
                    break;
                }
            }
        }
        if let Err(error) = check_line_ends(&text) {
            this.fault = Some(error.clone());
            this.length = Some(Err(error));
        }
        this
    }

    /// What Content-Length says; `None` when there is none.
    pub(crate) fn length(&self) -> Option<Result<usize, Error>> {
        self.length.clone()
    }

    /// Why this is not SIP at all; its length then means nothing.
    pub(crate) fn not_sip(&self) -> Option<Error> {
        self.start.as_ref().err().filter(|error| matches!(error, Error::NotSip(_))).cloned()
    }

    /// The first fault found in the headers.
    pub(crate) fn fault(&self) -> Option<Error> {
        self.fault.clone()
    }

    /// Puts head and body together, or says what is wrong with them.
    pub(crate) fn finish(self, body: Bytes) -> Result<Message, Rejected> {
        if let Err(error) = self.check() {
            return Err(self.reject(error));
        }
        let headers = self.headers;
        Ok(match self.start? {
            Start::Request(method, uri) => Message::Request(Request { method, uri, headers, body }),
            Start::Response(status, reason) => Message::Response(Response { status, reason, headers, body }),
        })
    }

    /// Refuses the message, with an answer if it is a request that can be answered.
    pub(crate) fn reject(self, error: Error) -> Rejected {
        let answer = self.is_answerable().then(|| Box::new(answer_to(&self.headers, error.status())));
        Rejected { error, answer }
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), Error> {
        // White space before the colon is legal in SIP; a name inside which there is some is no name (RFC 3261 §7.3.1).
        let name = HeaderName::parse(name.trim_end_matches(BLANK)).ok_or(Error::malformed("header name", 0))?;
        if let Some(at) = value.bytes().position(|byte| matches!(byte, b'\r' | 0)) {
            return Err(Error::malformed("header value", at));
        }
        if name == HeaderName::ContentLength {
            let length = if self.length.is_some() { Err(Error::RepeatedHeader(name)) } else { parse_length(value) };
            self.length = Some(length.clone());
            return length.map(drop);
        }
        if name.is_singleton() && self.headers.contains(&name) {
            return Err(Error::RepeatedHeader(name));
        }
        if !name.is_split_at_commas() {
            return self.keep(name, value);
        }
        split_at_commas(value).try_for_each(|value| self.keep(name.clone(), value))
    }

    fn keep(&mut self, name: HeaderName, value: &str) -> Result<(), Error> {
        if self.headers.len() == MAX_HEADERS {
            return Err(Error::TooManyHeaders { limit: MAX_HEADERS });
        }
        self.headers.push(name, value);
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        if let Err(error) = &self.start {
            return Err(error.clone());
        }
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.check_essentials()?;
        match &self.start {
            Ok(Start::Request(method, _)) => self.check_request(method),
            // What a response lacks is for whoever needs it to miss: an outcome is worth more than its Contact.
            _ => Ok(()),
        }
    }

    fn check_request(&self, method: &Method) -> Result<(), Error> {
        if *method != self.headers.cseq()?.method {
            return Err(Error::MethodMismatch);
        }
        // What ends a call or a transaction is not refused over a header it has no need of.
        if matches!(method, Method::Ack | Method::Bye | Method::Cancel) {
            return Ok(());
        }
        self.headers.max_forwards()?;
        self.headers.routes()?;
        self.headers.record_routes()?;
        let mut contacts = self.headers.get_all(&HeaderName::Contact).filter(|contact| *contact != "*");
        contacts.try_for_each(|contact| NameAddr::parse(contact).map(drop))
    }

    /// What every message must have (RFC 3261 §8.1.1, §8.2.6.2).
    fn check_essentials(&self) -> Result<(), Error> {
        let headers = &self.headers;
        headers.vias()?;
        headers.via()?;
        headers.from()?;
        headers.to()?;
        headers.call_id()?;
        headers.cseq().map(drop)
    }

    /// Whether this is a request that can be answered: it says where from and repeats what it is about, be that
    /// readable or not. The start line may be broken where it is only the URI or the version that we cannot read.
    fn is_answerable(&self) -> bool {
        let is_request = match &self.start {
            Ok(Start::Request(method, _)) => *method != Method::Ack,
            Err(Error::Version | Error::Malformed { .. }) => true,
            Ok(Start::Response(..)) | Err(_) => false,
        };
        let echoed = [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
        let is_ack = self.headers.get(&HeaderName::CSeq).is_some_and(|cseq| cseq.ends_with("ACK"));
        is_request && !is_ack && self.headers.via().is_ok() && echoed.iter().all(|name| self.headers.contains(name))
    }
}

/// Where the head ends and the body begins: behind the first empty line at or after `from`.
/// Both CRLF and a lone LF end a line, though a head that mixes them is refused once it is read.
pub(crate) fn find_body(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(next) = bytes.get(at..)?.iter().position(|&byte| byte == b'\n') {
        at += next + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// A request line or a status line.
fn parse_start(line: &str) -> Result<Start, Error> {
    let line = line.trim_end_matches(BLANK);
    if line.contains(['\r', '\0']) {
        return Err(Error::NotSip("control characters in the first line"));
    }
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        return parse_status_line(line);
    }
    let (method, rest) = line.split_once(BLANK).ok_or(Error::NotSip("no request line"))?;
    let (uri, version) = rest.rsplit_once(BLANK).ok_or(Error::NotSip("no version"))?;
    let method = Method::parse(method).ok_or(Error::NotSip("no method"))?;
    check_version(version)?;
    Ok(Start::Request(method, Uri::parse(uri.trim_matches(BLANK))?))
}

fn parse_status_line(line: &str) -> Result<Start, Error> {
    let (version, rest) = line.split_once(BLANK).ok_or(Error::NotSip("no status"))?;
    // 505 is for requests; a response is not answered at all.
    check_version(version).map_err(|_| Error::NotSip("a response of another version"))?;
    let rest = rest.trim_start_matches(BLANK);
    let (code, reason) = rest.split_once(BLANK).unwrap_or((rest, ""));
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let status = code.parse().ok().filter(|_| is_code).and_then(Status::new).ok_or(Error::NotSip("no status code"))?;
    Ok(Start::Response(status, reason.trim_matches(BLANK).to_owned()))
}

fn check_version(version: &str) -> Result<(), Error> {
    match version.split_at_checked(4) {
        Some((name, number)) if name.eq_ignore_ascii_case("SIP/") => {
            if number == "2.0" {
                Ok(())
            } else {
                Err(Error::Version)
            }
        }
        _ => Err(Error::NotSip("no version")),
    }
}

/// All lines end alike. Where some end in CRLF and some in LF, one reader's line end is another's text, and they may
/// disagree on where the message ends, too.
fn check_line_ends(head: &str) -> Result<(), Error> {
    let mut at = 0;
    let mut first = None;
    for line in head.split_inclusive('\n') {
        if *first.get_or_insert(line.ends_with("\r\n")) != line.ends_with("\r\n") {
            return Err(Error::malformed("line end", at));
        }
        at += line.len();
    }
    Ok(())
}

/// The header lines as names and values, folded lines joined by one space (RFC 3261 §7.3.1).
fn fields(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut lines = text.split('\n').map(trim_line_end).peekable();
    std::iter::from_fn(move || {
        let line = lines.next().filter(|line| !line.is_empty())?;
        // A line without a colon is an empty name, which is refused like any other that is none.
        let (name, value) = line.split_once(':').unwrap_or(("", line));
        let mut value = value.trim_matches(BLANK).to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with(BLANK)) {
            value.push(' ');
            value.push_str(more.trim_matches(BLANK));
        }
        Some((name, value))
    })
}

fn parse_length(value: &str) -> Result<usize, Error> {
    let value = value.trim_matches(BLANK);
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(Error::malformed("Content-Length", 0));
    }
    // A number too large for `usize` is certainly too large for us.
    let announced = value.parse().unwrap_or(usize::MAX);
    if announced > MAX_BODY {
        return Err(Error::BodyTooLarge { announced, limit: MAX_BODY });
    }
    Ok(announced)
}

fn trim_line_end(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line)
}

const BLANK: [char; 2] = [' ', '\t'];
