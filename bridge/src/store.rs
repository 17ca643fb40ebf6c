//! Trunks and dispatch rules as one snapshot.
