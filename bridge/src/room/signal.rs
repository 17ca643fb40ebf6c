//! The signal connection: a WebSocket that carries protobuf both ways.
