//! What strangers say about the caller and about the end of a call: read without a fault, bounded, and once written read the
//! same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{Diversion, HeaderName, Headers, HistoryInfo, Privacy, Reason, RemotePartyId};

fuzz_target!(|text: &str| {
    let mut headers = Headers::new();
    for line in text.split('\n') {
        for name in [
            HeaderName::Reason,
            HeaderName::Privacy,
            HeaderName::Diversion,
            HeaderName::HistoryInfo,
            HeaderName::RemotePartyId,
        ] {
            headers.push(name, line);
        }
    }
    for reason in Reason::of(&headers) {
        let written = reason.to_string();
        let read = Reason::parse_list(&written);
        assert_eq!(read.iter().map(Reason::to_string).collect::<Vec<_>>(), [written]);
    }
    let privacy = Privacy::of(&headers);
    assert_eq!(Privacy::parse(&privacy.to_string()), privacy);
    for diversion in Diversion::of(&headers) {
        let _ = (diversion.reason(), diversion.is_private());
    }
    for entry in HistoryInfo::of(&headers) {
        let _ = (entry.cause(), entry.ended(), entry.is_private());
    }
    for party in RemotePartyId::of(&headers) {
        let _ = (party.is_calling(), party.is_private());
    }
});
