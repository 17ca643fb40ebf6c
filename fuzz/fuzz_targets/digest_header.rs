//! Credentials and challenges from a stranger: what was read reads the same once written, and gets nobody in.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sip::{
    Method, Request, Uri,
    digest::{Authorization, Challenge, Credentials, Scope, Server, Verdict},
};

fuzz_target!(|value: &str| {
    if let Ok(challenges) = Challenge::parse_all(value) {
        for challenge in challenges {
            let written = challenge.to_string();
            let uri = Uri::sip(Some("a"), "b", None);
            let answer = challenge.answer(&credentials(), &Method::Invite, &uri, "c", 1);
            if let Some(answer) = answer {
                assert_eq!(Challenge::parse_all(&written), Ok(vec![challenge]));
                assert_eq!(Authorization::parse(&answer.to_string()), Ok(answer));
            }
        }
    }
    if let Ok(authorization) = Authorization::parse(value) {
        assert_eq!(Authorization::parse(&authorization.to_string()).as_ref(), Ok(&authorization));
        let request = Request::new(Method::Invite, Uri::sip(Some("a"), "b", None));
        let scope = Scope { realm: &authorization.realm, source: None };
        let verdict =
            Server::new(&[7; 32]).verify(Duration::ZERO, scope, &request, &authorization, Some(&credentials()));
        assert_ne!(verdict, Verdict::Accepted);
    }
});

fn credentials() -> Credentials {
    Credentials { username: "u".to_owned(), password: "p".to_owned(), realm: None }
}
