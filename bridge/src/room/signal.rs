//! The signal connection: a WebSocket that carries protobuf both ways.

/// Why a signal connection could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server answered and does not want us; the text is its own.
    #[error("HTTP {0} {1}")]
    Status(u16, String),
    /// No answer, or a broken one.
    #[error("{0}")]
    Lost(String),
}
