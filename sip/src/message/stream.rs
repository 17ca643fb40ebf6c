//! Messages out of a stream of bytes, TCP or TLS ([RFC 3261 §18.3], [RFC 5626 §3.5.1]).
//!
//! ```text
//!        empty line              last byte of the body
//! Head ─────────────► Body ──────────────────────────────► Head
//!  │  fault in length or size
//!  └────────────────────────► Broken
//! ```
//!
//! [RFC 3261 §18.3]: https://www.rfc-editor.org/rfc/rfc3261#section-18.3
//! [RFC 5626 §3.5.1]: https://www.rfc-editor.org/rfc/rfc5626#section-3.5.1

use bytes::{Buf, BytesMut};

use super::{
    Message,
    header_name::HeaderName,
    read::{Head, MAX_HEAD, find_body},
};
use crate::error::{Error, Rejected};

/// Cuts a stream into messages. Feed it with [`push`](Self::push), then call [`poll`](Self::poll) until it has no more.
#[derive(Debug, Default)]
pub struct StreamReader {
    buffer: BytesMut,
    state: State,
}

/// What the stream held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A message that was refused; its length was clear, so the stream goes on behind it.
    Rejected(Rejected),
    /// The double CRLF that asks for a single one in return (RFC 5626 §3.5.1).
    Ping,
    /// A single CRLF: the return, or space between messages.
    Pong,
}

#[derive(Debug)]
enum State {
    /// Looking for the empty line; there is none before `searched`.
    Head { searched: usize },
    /// The head is read and its body on the way.
    Body { head: Box<Head>, length: usize },
    /// Where the next message begins is no longer known.
    Broken,
}

impl StreamReader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was read from the connection. It holds at most one head and body more than a single call brings.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Broken) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next thing in the stream; `None`: more bytes are needed. After an error, which says that the end of a
    /// message cannot be known, send the answer it carries and close the connection; nothing more will come.
    pub fn poll(&mut self) -> Result<Option<Frame>, Rejected> {
        loop {
            match std::mem::replace(&mut self.state, State::Broken) {
                State::Head { searched: 0 } if matches!(self.buffer.first(), Some(b'\r' | b'\n')) => {
                    self.state = State::default();
                    return Ok(self.take_line_ends());
                }
                State::Head { searched } => match self.take_head(searched) {
                    Ok(Some((head, length))) => self.state = State::Body { head: Box::new(head), length },
                    Ok(None) => return Ok(None),
                    Err(rejected) => {
                        self.buffer = BytesMut::new();
                        return Err(rejected);
                    }
                },
                State::Body { head, length } if self.buffer.len() < length => {
                    self.state = State::Body { head, length };
                    return Ok(None);
                }
                State::Body { head, length } => {
                    self.state = State::default();
                    let body = self.buffer.split_to(length).freeze();
                    return Ok(Some(head.finish(body).map_or_else(Frame::Rejected, Frame::Message)));
                }
                // The connection is only waiting to be closed.
                State::Broken => return Ok(None),
            }
        }
    }

    /// Steps over the line ends in front of a message. A lone CR or the first half of a ping may still grow.
    fn take_line_ends(&mut self) -> Option<Frame> {
        let (length, frame) = match self.buffer.as_ref() {
            [b'\r', b'\n', b'\r', b'\n', ..] => (4, Frame::Ping),
            [b'\r'] | [b'\r', b'\n', b'\r'] => return None,
            [b'\r', b'\n', ..] => (2, Frame::Pong),
            _ => (1, Frame::Pong),
        };
        self.buffer.advance(length);
        Some(frame)
    }

    fn take_head(&mut self, searched: usize) -> Result<Option<(Head, usize)>, Rejected> {
        let window = self.buffer.get(..MAX_HEAD).unwrap_or(&self.buffer);
        let Some(end) = find_body(window, searched) else {
            if window.len() == MAX_HEAD {
                return Err(Error::HeadTooLarge { limit: MAX_HEAD }.into());
            }
            // An empty line may have begun in the last three bytes.
            self.state = State::Head { searched: window.len().saturating_sub(3) };
            return Ok(None);
        };
        let head = Head::parse(&self.buffer.split_to(end));
        if let Some(error) = head.not_sip() {
            return Err(error.into());
        }
        match head.length() {
            Some(Ok(length)) => Ok(Some((head, length))),
            Some(Err(error)) => Err(head.reject(error)),
            None => {
                let error = head.fault().unwrap_or(Error::MissingHeader(HeaderName::ContentLength));
                Err(head.reject(error))
            }
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Head { searched: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{MAX_BODY, Method, Status};

    fn options(headers: &str) -> String {
        format!(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nFrom: <sip:d@e>;tag=1\r\nTo: <sip:a@b>\r\n\
             Call-ID: f\r\nCSeq: 1 OPTIONS\r\n{headers}\r\n"
        )
    }

    /// Everything the stream holds, in words.
    fn read(stream: &[u8], step: usize) -> Vec<String> {
        let (mut reader, mut seen) = (StreamReader::new(), Vec::new());
        for piece in stream.chunks(step) {
            reader.push(piece);
            loop {
                match reader.poll() {
                    Ok(None) => break,
                    Ok(Some(Frame::Message(message))) => seen.push(format!("body {}", message.body().len())),
                    Ok(Some(Frame::Rejected(rejected))) => seen.push(format!("rejected {}", rejected.error.status())),
                    Ok(Some(frame)) => seen.push(format!("{frame:?}")),
                    Err(rejected) => seen.push(format!("broken {}", rejected.error.status())),
                }
            }
        }
        seen
    }

    #[test]
    fn messages_and_what_is_between_them() {
        let (whole, empty) = (options("Content-Length: 4\r\n") + "body", options("l:0\r\n"));
        let fault = options("Content-Length: 3\r\nMax-Forwards: x\r\n") + "abc";
        let cases: &[(&str, String, &[&str])] = &[
            ("one", whole.clone(), &["body 4"]),
            ("two", whole.clone() + &empty, &["body 4", "body 0"]),
            ("keep-alives", format!("\r\n\r\n{empty}\r\n\r\n\r\n"), &["Ping", "body 0", "Ping", "Pong"]),
            ("cut short", whole[..whole.len() - 1].to_owned(), &[]),
            ("a fault of known length", fault + &empty, &["rejected 400", "body 0"]),
            ("no Content-Length", options("") + &empty, &["broken 400"]),
            ("two Content-Lengths", options("l: 4\r\nContent-Length: 4\r\n") + "body" + &empty, &["broken 400"]),
            ("unreadable, then readable", options("l: x\r\nl: 4\r\n") + "body" + &empty, &["broken 400"]),
            ("negative", options("l: -4\r\n") + &empty, &["broken 400"]),
            ("body too large", options(&format!("l: {}\r\n", MAX_BODY + 1)), &["broken 413"]),
            ("beyond any number", options("l: 99999999999999999999999999\r\n"), &["broken 413"]),
            (
                "other version",
                options("l: 0\r\n").replace("SIP/2.0\r", "SIP/3.0\r") + &empty,
                &["rejected 505", "body 0"],
            ),
            ("only LF", empty.replace('\r', "") + &empty, &["body 0", "body 0"]),
            ("mixed line ends", empty.replacen("\r\n", "\n", 1) + &empty, &["broken 400"]),
            ("too many headers", options(&("a:b\r\n".repeat(300) + "l:0\r\n")) + &empty, &["broken 513"]),
            ("no SIP", "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned() + &empty, &["broken 400"]),
        ];
        for (name, stream, expected) in cases {
            assert_eq!(read(stream.as_bytes(), stream.len()), *expected, "{name}");
        }
    }

    #[test]
    fn cuts_change_nothing() {
        let stream = options("Content-Length: 4\r\n") + "body\r\n" + &options("Content-Length: 0\r\n");
        for step in 1..stream.len() {
            let seen = read(stream.as_bytes(), step);
            assert_eq!(seen, ["body 4", "Pong", "body 0"], "in steps of {step}");
        }
    }

    #[test]
    fn an_endless_head_is_given_up_without_searching_it_again_and_again() {
        let (mut reader, mut pushed) = (StreamReader::new(), 0);
        let rejected = loop {
            reader.push(b"\na");
            pushed += 2;
            match reader.poll() {
                Ok(_) => assert!(pushed <= 2 * MAX_HEAD, "never given up"),
                Err(rejected) => break rejected,
            }
        };
        assert_eq!(rejected.error, Error::HeadTooLarge { limit: MAX_HEAD });
        reader.push(&[b'a'; 4096]);
        assert_eq!(reader.poll(), Ok(None));
        assert_eq!(reader.buffer.capacity(), 0, "neither what came nor what comes after is kept");
    }

    #[test]
    fn the_answer_to_a_broken_stream_is_there_to_be_sent() {
        let mut reader = StreamReader::new();
        reader.push(options("").as_bytes());
        let rejected = reader.poll().unwrap_err();
        assert_eq!(rejected.error, Error::MissingHeader(HeaderName::ContentLength));
        let answer = rejected.answer.unwrap();
        assert_eq!(answer.status, Status::BAD_REQUEST);
        assert_eq!(answer.headers.cseq().unwrap().method, Method::Options);
    }
}
