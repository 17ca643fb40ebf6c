//! HTTP: LiveKit's SIP API, what it lacks, and the way through to the LiveKit server.

pub mod proxy;
