//! Performs what a call decides.
