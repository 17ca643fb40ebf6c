//! Credentials and challenges from a stranger.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|_text: &str| {});
