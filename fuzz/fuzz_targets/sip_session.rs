//! What a stranger may write about sessions, provisional answers and keys: reading it never panics, and what was read reads
//! the same once written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{
    KeyFormat,
    message::{RAck, SessionExpires},
};

fuzz_target!(|bytes: &[u8]| {
    for format in [KeyFormat::Relay, KeyFormat::Plain] {
        let Some(press) = format.read(bytes) else { continue };
        assert_eq!(format.read(&format.write(press)), Some(press));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(session) = SessionExpires::parse(text) {
        assert_eq!(SessionExpires::parse(&session.to_string()), Some(session));
    }
    if let Ok(rack) = RAck::parse(text) {
        assert_eq!(RAck::parse(&rack.to_string()), Ok(rack));
    }
});
