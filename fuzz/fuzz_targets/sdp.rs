//! A session from a stranger: reading it never panics, what was read reads the same once written, and whatever is
//! answered to it is a session with as many media lines.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use media::sdp::{Codec, Direction, Encryption, Exchange, Local, Policy, Session, answer};
use media::srtp::Secret;

fuzz_target!(|body: &[u8]| {
    let Ok(session) = Session::parse(body) else { return };
    assert_eq!(Session::parse(session.to_string().as_bytes()).as_ref(), Ok(&session));
    let encryption = Encryption::Allow(Secret::new([1; 32]));
    let policy = Policy { codecs: Codec::ALL.to_vec(), allow_loopback: true, encryption, ..Policy::default() };
    let local = Local {
        address: IpAddr::from([203, 0, 113, 10]),
        rtp_port: 20_000,
        rtcp_port: 20_001,
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    };
    let mut call = Exchange::new(local, policy.clone());
    if let Ok((negotiated, text)) = answer(&session, &local, &policy) {
        assert!((1..=200).contains(&negotiated.ptime.as_millis()));
        assert_eq!(text.contains("a=crypto"), negotiated.encryption().is_some());
        let answered = Session::parse(text.as_bytes()).expect("what we answer reads");
        assert_eq!(answered.media().len(), session.media().len());
        call.answer(&session).expect("what was answered once is answered again");
    }
    let offered = Session::parse(call.offer().as_bytes()).expect("what we offer reads");
    let _ = call.accept_answer(&session);
    let _ = call.answer(&offered);
});
