//! Tokens, the words of SIP ([RFC 3261 §25.1]).
//!
//! [RFC 3261 §25.1]: https://www.rfc-editor.org/rfc/rfc3261#section-25.1

use std::fmt;

/// A word of token characters, never empty. What is a token needs no escaping anywhere in a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(Box<str>);

impl Token {
    /// Takes `text` when it is a token.
    pub fn new(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(text.into()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}
