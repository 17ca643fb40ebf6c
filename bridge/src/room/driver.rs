//! Performs what a [`Session`](super) decides: owns the signal connection, the clock and the line.
