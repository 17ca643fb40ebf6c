//! Offers and answers about encryption (RFC 4568): tables of what is offered and what comes of it.

use media::sdp::{
    Direction, Encryption, Error, Exchange, Local, Negotiated, Policy, Session, accept_answer, answer, offer,
};
use media::srtp::{Keys, Secret, Suite};

const KEY: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl\r\n";
const SHORT: &str = "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:Mo7S/4bQQRjmUc3Nm1qe5sS1zgD6GNhPS/Pg+bCX\r\n";
const UNKNOWN: &str = "a=crypto:3 F8_128_HMAC_SHA1_80 inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl\r\n";
const MKI: &str = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl|2^20|1:4\r\n";

const DISABLE: Encryption = Encryption::Disable;

fn allow() -> Encryption {
    Encryption::Allow(Secret::new([1; 32]))
}

fn require() -> Encryption {
    Encryption::Require(Secret::new([1; 32]))
}

fn policy(encryption: Encryption) -> Policy {
    Policy { encryption, ..Policy::default() }
}

fn local() -> Local {
    Local {
        address: [203, 0, 113, 10].into(),
        rtp_port: 20_000,
        rtcp_port: 20_001,
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    }
}

fn parse(text: &str) -> Session {
    Session::parse(text.as_bytes()).expect("a session")
}

fn session(media: &[&str]) -> Session {
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    parse(&format!("{head}{}", media.concat()))
}

fn line(protocol: &str, port: u16, crypto: &str) -> String {
    format!("m=audio {port} {protocol} 0\r\n{crypto}")
}

fn suite(negotiated: &Negotiated) -> Option<Suite> {
    negotiated.encryption().map(|pair| pair.suite())
}

#[test]
fn offers_of_every_kind_are_answered_as_the_policy_says() {
    const LONG: Option<Suite> = Some(Suite::AesCm128Sha1Tag80);
    const LITTLE: Option<Suite> = Some(Suite::AesCm128Sha1Tag32);
    type Answer = Result<Option<Suite>, Error>;
    // Transport, keys; then what comes of it when disabled, allowed and required.
    let cases: &[(&str, &str, String, [Answer; 3])] = &[
        ("plain", "RTP/AVP", String::new(), [Ok(None), Ok(None), Err(Error::NotEncrypted)]),
        ("keys beside", "RTP/AVP", KEY.into(), [Ok(None), Ok(LONG), Ok(LONG)]),
        ("useless keys beside", "RTP/AVP", UNKNOWN.into(), [Ok(None), Ok(None), Err(Error::NotEncrypted)]),
        ("encrypted", "RTP/SAVP", KEY.into(), [Err(Error::Encrypted), Ok(LONG), Ok(LONG)]),
        ("with feedback", "RTP/SAVPF", KEY.into(), [Err(Error::Encrypted), Ok(LONG), Ok(LONG)]),
        ("two suites", "RTP/SAVP", format!("{KEY}{SHORT}"), [Err(Error::Encrypted), Ok(LONG), Ok(LONG)]),
        ("short tags first", "RTP/SAVP", format!("{SHORT}{KEY}"), [Err(Error::Encrypted), Ok(LONG), Ok(LONG)]),
        ("short tags alone", "RTP/SAVP", SHORT.into(), [Err(Error::Encrypted), Ok(LITTLE), Ok(LITTLE)]),
        ("unknown first", "RTP/SAVP", format!("{UNKNOWN}{MKI}{KEY}"), [Err(Error::Encrypted), Ok(LONG), Ok(LONG)]),
        (
            "never unencrypted",
            "RTP/SAVP",
            UNKNOWN.into(),
            [Err(Error::Encrypted), Err(Error::NoCommonSuite), Err(Error::NoCommonSuite)],
        ),
        (
            "key identifier",
            "RTP/SAVP",
            MKI.into(),
            [Err(Error::Encrypted), Err(Error::NoCommonSuite), Err(Error::NoCommonSuite)],
        ),
        ("DTLS", "UDP/TLS/RTP/SAVP", KEY.into(), [(); 3].map(|()| Err(Error::Protocol("UDP/TLS/RTP/SAVP".into())))),
    ];
    for (name, protocol, crypto, expected) in cases {
        for (encryption, expected) in [DISABLE, allow(), require()].into_iter().zip(expected) {
            let offer = session(&[&line(protocol, 4_000, crypto)]);
            let answered = answer(&offer, &local(), &policy(encryption));
            let found = answered.as_ref().map(|(negotiated, _)| suite(negotiated)).map_err(Clone::clone);
            assert_eq!(found, *expected, "{name}, {encryption:?}");
            let Ok((negotiated, text)) = answered else {
                assert_eq!(expected.as_ref().map_err(Error::status_hint), Err(488), "{name}");
                continue;
            };
            assert!(text.contains(&format!("m=audio 20000 {protocol} 0\r\n")), "{name}: {text}");
            match negotiated.encryption() {
                Some(pair) => {
                    assert_ne!(pair.ours, pair.theirs, "{name}");
                    let tag = if pair.suite() == Suite::AesCm128Sha1Tag80 { 1 } else { 2 };
                    let ours = pair.ours.to_base64();
                    let line = format!("a=crypto:{tag} {} inline:{ours}\r\n", pair.suite().name());
                    assert!(text.contains(&line) && text.matches("a=crypto").count() == 1, "{name}: {text}");
                }
                None => assert!(!text.contains("a=crypto"), "{name}: {text}"),
            }
        }
    }
}

#[test]
fn a_stream_offered_twice_is_taken_once_as_the_policy_says() {
    let (plain, secure) = (line("RTP/AVP", 4_000, ""), line("RTP/SAVP", 4_002, KEY));
    let cases = [
        ("plain first", [&plain, &secure], DISABLE, [20_000, 0]),
        ("plain first", [&plain, &secure], allow(), [0, 20_000]),
        ("plain first", [&plain, &secure], require(), [0, 20_000]),
        ("encrypted first", [&secure, &plain], DISABLE, [0, 20_000]),
        ("encrypted first", [&secure, &plain], allow(), [20_000, 0]),
        ("encrypted first", [&secure, &plain], require(), [20_000, 0]),
    ];
    for (name, media, encryption, ports) in cases {
        let offer = session(&[media[0], media[1]]);
        let (_, text) = answer(&offer, &local(), &policy(encryption)).expect("an answer");
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
        for (line, port) in lines.iter().zip(ports) {
            assert!(line.starts_with(&format!("m=audio {port} ")), "{name}, {encryption:?}: {text}");
        }
        assert_eq!(lines.len(), 2);
    }
}

#[test]
fn our_offer_says_what_the_policy_says() {
    let cases = [(DISABLE, "RTP/AVP", 0), (allow(), "RTP/AVP", 4), (require(), "RTP/SAVP", 4)];
    for (encryption, protocol, suites) in cases {
        let text = offer(&local(), &policy(encryption));
        assert!(text.contains(&format!("m=audio 20000 {protocol} ")), "{text}");
        assert_eq!(text.matches("a=crypto:").count(), suites, "{text}");
        assert!(text.len() < 800, "an INVITE with it fits into a datagram: {}", text.len());
    }
}

#[test]
fn a_peer_that_takes_no_plain_offer_gets_an_encrypted_one_where_it_may_have_one() {
    for (encryption, is_made) in [(DISABLE, false), (allow(), true), (require(), false)] {
        let mut call = Exchange::new(local(), policy(encryption));
        assert_eq!(call.offer_encrypted(), None, "there was no first one");
        let first = call.offer();
        let second = call.offer_encrypted();
        assert_eq!(second.is_some(), is_made, "{encryption:?}");
        let Some(second) = second else { continue };
        assert!(second.contains("m=audio 20000 RTP/SAVP 0") && second.matches("a=crypto:").count() == 4, "{second}");
        assert_ne!(first, second);
        assert_eq!(call.offer_encrypted(), None, "once is enough");
        let plain = call.clone().accept_answer(&session(&[&line("RTP/AVP", 4_000, "")]));
        assert_eq!(plain.err(), Some(Error::NotEncrypted), "not what was offered");
        let negotiated = call.accept_answer(&session(&[&line("RTP/SAVP", 4_000, KEY)])).expect("agreement");
        assert!(negotiated.encryption().is_some());
        assert!(call.refresh().contains("RTP/SAVP"), "it stays so");
        assert_eq!(call.offer_encrypted(), None);
    }
}

#[test]
fn answers_to_our_offer_are_taken_or_refused() {
    let theirs = "inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl\r\n";
    let first = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {theirs}");
    let last = format!("a=crypto:4 AES_CM_128_HMAC_SHA1_32 {theirs}");
    let never_offered = format!("a=crypto:9 AES_CM_128_HMAC_SHA1_80 {theirs}");
    let other_number = format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 {theirs}");
    type Case<'a> = (&'a str, Encryption, &'a str, &'a str, Result<Option<Suite>, Error>);
    let long = Suite::AesCm128Sha1Tag80;
    let cases: &[Case<'_>] = &[
        ("plain", DISABLE, "RTP/AVP", "", Ok(None)),
        ("keys nobody offered", DISABLE, "RTP/SAVP", &first, Err(Error::Encrypted)),
        ("a peer that cannot", allow(), "RTP/AVP", "", Ok(None)),
        ("a peer that can", allow(), "RTP/AVP", &first, Ok(Some(long))),
        ("a peer that says so", allow(), "RTP/SAVP", &first, Ok(Some(long))),
        ("a peer that says so without keys", allow(), "RTP/SAVP", "", Err(Error::NoCommonSuite)),
        ("a peer that cannot, but has to", require(), "RTP/AVP", "", Err(Error::NotEncrypted)),
        ("encrypted", require(), "RTP/SAVP", &first, Ok(Some(long))),
        ("another suite", require(), "RTP/SAVP", &last, Ok(Some(Suite::AesCm128Sha1Tag32))),
        ("without keys", require(), "RTP/SAVP", "", Err(Error::NoCommonSuite)),
        ("a number never offered", require(), "RTP/SAVP", &never_offered, Err(Error::NoCommonSuite)),
        ("the number of another suite", require(), "RTP/SAVP", &other_number, Err(Error::NoCommonSuite)),
    ];
    for (name, encryption, protocol, crypto, expected) in cases {
        let policy = policy(*encryption);
        let offered = offer(&local(), &policy);
        let negotiated = accept_answer(&session(&[&line(protocol, 4_000, crypto)]), &local(), &policy);
        assert_eq!(negotiated.as_ref().map(suite).map_err(Clone::clone), *expected, "{name}");
        if let Some(pair) = negotiated.ok().and_then(|negotiated| negotiated.encryption().copied()) {
            assert!(offered.contains(&pair.ours.to_base64()), "{name}: our key is the one that was offered");
        }
    }
}

#[test]
fn ours_stay_when_the_peer_changes_its_keys_and_change_when_they_must() {
    let keys = |generation| Secret::new([7; 32]).keys(Suite::AesCm128Sha1Tag80, generation).to_base64();
    let secure = |port, generation, suite: &str| {
        let crypto = format!("a=crypto:1 {suite} inline:{}\r\n", keys(generation));
        session(&[&line("RTP/SAVP", port, &crypto)])
    };
    let (long, short) = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32");
    let mut call = Exchange::new(local(), policy(allow()));
    let ours = |call: &mut Exchange, offer: &Session| -> Keys {
        let (negotiated, _) = call.answer(offer).expect("an answer");
        negotiated.encryption().expect("keys").ours
    };
    let first = ours(&mut call, &secure(4_000, 0, long));
    assert_eq!(ours(&mut call, &secure(4_000, 0, long)), first, "a refresh");
    assert_eq!(ours(&mut call, &secure(4_000, 1, long)), first, "their keys alone");
    assert_eq!(ours(&mut call, &secure(4_100, 1, long)), first, "their address alone");
    let moved = ours(&mut call, &secure(4_200, 2, long));
    assert_ne!(moved, first, "somebody else, who knows nothing of our wraps");
    let other = ours(&mut call, &secure(4_200, 2, short));
    assert_eq!(other.suite(), Suite::AesCm128Sha1Tag32);
    let back = ours(&mut call, &secure(4_200, 2, long));
    assert!(back != first && back != moved, "keys are never begun with twice");
    // What is in force is offered again, and in the transport it came in.
    let text = call.offer();
    assert!(text.contains("RTP/SAVP 0") && text.contains(&format!("a=crypto:1 {long} inline:{}", back.to_base64())));
    assert!(text.matches("a=crypto").count() == 1, "{text}");
    let (plain, _) = call.answer(&session(&[&line("RTP/AVP", 4_200, "")])).expect("an answer");
    assert_eq!(plain.encryption(), None, "who may go without, goes without when asked");
    let again = ours(&mut call, &secure(4_200, 2, long));
    assert!(again != back && again != moved && again != first);
}

#[test]
fn a_call_that_must_be_encrypted_stays_so() {
    let mut call = Exchange::new(local(), policy(require()));
    call.answer(&session(&[&line("RTP/SAVP", 4_000, KEY)])).expect("an answer");
    let refused = call.answer(&session(&[&line("RTP/AVP", 4_000, "")]));
    assert_eq!(refused.map(|_| ()), Err(Error::NotEncrypted));
    assert!(call.negotiated().is_some_and(|negotiated| negotiated.encryption().is_some()), "what was in force stays");
}

#[test]
fn carriers_offers_are_answered_as_they_expect() {
    let twilio = parse(include_str!("data/twilio-invite-tls-srtp.sdp"));
    let telnyx = parse(include_str!("data/telnyx-invite-tls-srtp.sdp"));
    let plain = parse(include_str!("data/twilio-invite-tls-plain-rtp.sdp"));
    for (name, offer) in [("twilio", &twilio), ("telnyx", &telnyx)] {
        for encryption in [allow(), require()] {
            let (negotiated, text) = answer(offer, &local(), &policy(encryption)).expect("an answer");
            assert_eq!(suite(&negotiated), Some(Suite::AesCm128Sha1Tag80), "{name}");
            assert!(
                text.contains("RTP/SAVP ") && text.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"),
                "{text}"
            );
        }
        assert!(answer(offer, &local(), &policy(DISABLE)).is_err(), "{name}");
    }
    assert!(answer(&plain, &local(), &policy(allow())).is_ok());
    assert_eq!(answer(&plain, &local(), &policy(require())).map(|_| ()), Err(Error::NotEncrypted));
}

#[test]
fn keys_are_printed_by_no_debug() {
    let offer = session(&[&line("RTP/SAVP", 4_000, KEY)]);
    let mut call = Exchange::new(local(), policy(require()));
    let (negotiated, text) = call.answer(&offer).expect("an answer");
    let ours = negotiated.encryption().expect("keys").ours.to_base64();
    assert!(text.contains(&ours));
    let printed = format!("{offer:?} {negotiated:?} {call:?} {:?}", policy(require()));
    for key in [ours.as_str(), "GgKxatEc"] {
        assert!(!printed.contains(key), "{printed}");
    }
}
