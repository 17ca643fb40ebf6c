//! What the benches share: fixed speech and the reference codec.
