//! Puts the parts together: start, drain, stop.
