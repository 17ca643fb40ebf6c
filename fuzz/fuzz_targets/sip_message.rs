//! A datagram from a stranger: reading it never panics, and what was read reads the same once written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{HeaderName, Message};

fuzz_target!(|datagram: &[u8]| {
    let message = match Message::parse(datagram) {
        Ok(message) => message,
        Err(rejected) => {
            if let Some(answer) = rejected.answer {
                let answer = Message::Response(*answer);
                if let Ok(read) = Message::parse(&answer.to_bytes()) {
                    assert_eq!(read, answer);
                }
            }
            return;
        }
    };
    assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message));
    let headers = message.headers();
    let _ = (headers.contact(), headers.expires(), headers.retry_after(), headers.content_type(), headers.allow());
    let _ = headers.addresses(&HeaderName::PAssertedIdentity);
    let _ = headers.identities();
});
