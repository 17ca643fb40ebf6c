//! What the interop tests share: real peers on free loopback ports.
