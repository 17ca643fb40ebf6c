//! What a stranger may write into a REFER or a NOTIFY: reading it never panics, and what was read reads the same once
//! written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{
    HeaderName, Headers,
    message::{Package, ReferTo, Sipfrag, SubscriptionState},
};

fuzz_target!(|bytes: &[u8]| {
    if let Some(told) = Sipfrag::parse(bytes) {
        assert_eq!(Sipfrag::parse(told.to_string().as_bytes()), Some(told));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(state) = SubscriptionState::parse(text) {
        assert_eq!(SubscriptionState::parse(&state.to_string()), Some(state));
    }
    if let Some(package @ Package::Refer { id: Some(Ok(_)) }) = Package::parse(text) {
        assert_eq!(Package::parse(&package.to_string()), Some(package));
    }
    let mut headers = Headers::new();
    headers.push(HeaderName::ReferTo, text);
    if let Ok(target) = ReferTo::of(&headers) {
        assert_eq!(ReferTo::parse(&target.to_string()), Ok(target));
    }
});
