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
                State::Head { searched } => match self.take_head(searched)? {
                    Some((head, length)) => self.state = State::Body { head: Box::new(head), length },
                    None => return Ok(None),
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
        match head.content_length() {
            Some(length) => Ok(Some((head, length))),
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
