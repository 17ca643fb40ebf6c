//! The SIP endpoint of the gateway.
