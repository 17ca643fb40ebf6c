//! The door with the digest of the SIP stack on both of its sides.

use std::time::Duration;

use sip::digest::{Algorithm, Credentials};
use sip::{Message, Method, Response, Uri, Wire};

use super::*;
use crate::config::tests::snapshot;
use crate::phone::invite;

const TRUNKS: &str = "inbound_trunks:
- {name: phones, numbers: ['200'], auth_username: alice, auth_password: right}
- {name: carrier, numbers: ['+15550100'], allowed_addresses: [192.0.2.1]}
";

struct Caller {
    door: Door,
    objects: Snapshot,
    start: Instant,
    source: SocketAddr,
}

impl Caller {
    fn new(hashes: Digest) -> Self {
        let start = Instant::now();
        let door = Door::new(start, &[7; 32], hashes);
        Self { door, objects: snapshot(TRUNKS), start, source: "192.0.2.1:5060".parse().unwrap() }
    }

    fn call(&mut self, after: u64, number: &str, header: Option<&(HeaderName, String)>) -> Verdict {
        let text = format!(
            "INVITE sip:{number}@gw.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKdoor\r\n\
             From: <sip:alice@example.com>;tag=ft\r\nTo: <sip:{number}@gw.example.com>\r\nCall-ID: door@example.com\r\n\
             CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        let Ok(Message::Request(mut request)) = Message::parse(text.as_bytes()) else { panic!("{text}") };
        if let Some((name, value)) = header {
            request.headers.push(name.clone(), value);
        }
        let query = invite::query(&request, self.source, Wire::Udp, "SCL_door".into()).unwrap();
        self.door.judge(self.start + Duration::from_secs(after), &self.objects, &query, &request)
    }

    /// The challenge to a call without any proof.
    fn challenge(&mut self, after: u64) -> Response {
        let Verdict::Challenge(status, headers) = self.call(after, "200", None) else { panic!("no challenge") };
        assert_eq!(status, Status::PROXY_AUTHENTICATION_REQUIRED);
        let mut response = Response::new(status);
        headers.iter().for_each(|(name, value)| response.headers.push(name.clone(), value));
        response
    }

    /// A call that answers a fresh challenge.
    fn proves(&mut self, after: u64, user: &str, password: &str) -> Verdict {
        let reply = reply(&self.challenge(after), user, password);
        self.call(after, "200", Some(&reply))
    }
}

/// The proof that the strongest hash of the challenge asks for, to a call to 200.
fn reply(challenge: &Response, username: &str, password: &str) -> (HeaderName, String) {
    reply_for("200", challenge, username, password)
}

fn reply_for(number: &str, challenge: &Response, username: &str, password: &str) -> (HeaderName, String) {
    let uri = Uri::parse(&format!("sip:{number}@gw.example.com")).unwrap();
    let credentials = Credentials { username: username.into(), password: password.into(), realm: None };
    let (name, value) = digest::answer(challenge, &credentials, &Method::Invite, &uri, "0a4f113b").unwrap();
    (name, value.to_string())
}

/// The same for one of its hashes, with `qop=auth` or as in RFC 2069.
fn reply_with(challenge: &Response, algorithm: Algorithm, with_count: bool) -> (HeaderName, String) {
    let uri = Uri::parse("sip:200@gw.example.com").unwrap();
    let credentials = Credentials { username: "alice".into(), password: "right".into(), realm: None };
    let all = digest::Challenge::of(&challenge.headers);
    let (name, mut wanted) = all.into_iter().find(|(_, one)| one.algorithm == Some(algorithm)).unwrap();
    wanted.offers_auth = with_count;
    let value = wanted.answer(&credentials, &Method::Invite, &uri, "0a4f113b", 1).unwrap();
    (name, value.to_string())
}

fn outcome(verdict: Verdict) -> String {
    match verdict {
        Verdict::Enter(trunk) => trunk.info.name.clone(),
        Verdict::Challenge(status, headers) if headers.iter().any(|(_, value)| value.contains("stale=true")) => {
            format!("{} stale", status.code())
        }
        Verdict::Challenge(status, _) => status.code().to_string(),
        Verdict::Guesser { .. } => "silence".to_owned(),
        Verdict::Refuse { refusal, is_known: true } => format!("{}, and told so", refusal.label()),
        Verdict::Refuse { refusal, .. } => refusal.label().to_owned(),
    }
}

#[test]
fn a_call_without_proof_is_challenged_with_the_hashes_of_the_configuration() {
    for (hashes, expected) in [
        (Digest::Both, &[Algorithm::Sha256, Algorithm::Md5][..]),
        (Digest::Md5, &[Algorithm::Md5]),
        (Digest::Sha256, &[Algorithm::Sha256]),
    ] {
        let challenge = Caller::new(hashes).challenge(0);
        let asked: Vec<_> =
            digest::Challenge::of(&challenge.headers).iter().filter_map(|(_, challenge)| challenge.algorithm).collect();
        assert_eq!(asked, expected, "{hashes:?}");
    }
}

#[test]
fn the_right_password_opens_in_every_dialect() {
    for (name, algorithm, with_count) in [
        ("MD5", Algorithm::Md5, true),
        ("SHA-256", Algorithm::Sha256, true),
        ("RFC 2069", Algorithm::Md5, false),
        ("RFC 2069 with SHA-256", Algorithm::Sha256, false),
    ] {
        let mut caller = Caller::new(Digest::Both);
        let (header, value) = reply_with(&caller.challenge(0), algorithm, with_count);
        for header in [header, HeaderName::Authorization] {
            let fresh = reply_with(&caller.challenge(0), algorithm, with_count).1;
            assert_eq!(outcome(caller.call(1, "200", Some(&(header, fresh)))), "phones", "{name}");
        }
        assert_eq!(outcome(caller.call(1, "200", Some(&(HeaderName::ProxyAuthorization, value)))), "phones", "{name}");
    }
}

#[test]
fn a_hash_that_was_not_asked_for_is_no_proof() {
    let mut caller = Caller::new(Digest::Sha256);
    let sha = caller.challenge(0);
    // The challenge in MD5 that a caller makes up from it.
    let mut weaker = Response::new(Status::PROXY_AUTHENTICATION_REQUIRED);
    let value = sha.headers.get(&HeaderName::ProxyAuthenticate).unwrap().replace("SHA-256", "MD5");
    weaker.headers.push(HeaderName::ProxyAuthenticate, &value);
    assert_eq!(outcome(caller.call(0, "200", Some(&reply(&weaker, "alice", "right")))), "407");
}

#[test]
fn five_wrong_answers_within_a_minute_are_followed_by_silence() {
    let mut caller = Caller::new(Digest::Both);
    for n in 0..5 {
        assert_eq!(outcome(caller.proves(n, "alice", "wrong")), "403", "{n}");
    }
    assert!(matches!(caller.call(5, "200", None), Verdict::Guesser { is_news: true }));
    assert!(matches!(caller.call(6, "200", None), Verdict::Guesser { is_news: false }), "said once");
    assert_eq!(outcome(caller.call(6, "+15550100", None)), "carrier", "a trunk without password is not affected");
    let guesser = caller.source;
    caller.source = "192.0.2.2:5060".parse().unwrap();
    assert_eq!(outcome(caller.proves(7, "alice", "right")), "phones", "neither are others");
    caller.source = guesser;
    assert_eq!(outcome(caller.proves(65, "alice", "right")), "phones", "and it ends");
}

#[test]
fn an_unknown_user_is_told_what_a_wrong_password_is_told() {
    let mut caller = Caller::new(Digest::Both);
    let told = ["alice", "mallory", ""].map(|user| format!("{:?}", caller.proves(0, user, "wrong")));
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[test]
fn whoever_tries_numbers_does_not_find_them_by_the_question() {
    let mut caller = Caller::new(Digest::Both);
    assert_eq!(outcome(caller.call(0, "999", None)), "no_trunk", "an address of a trunk is told the truth");
    caller.source = "198.51.100.1:5060".parse().unwrap();
    for number in ["200", "999"] {
        assert_eq!(outcome(caller.call(0, number, None)), "407", "{number}");
        let wrong = reply_for(number, &caller.challenge(0), "alice", "wrong");
        assert_eq!(outcome(caller.call(0, number, Some(&wrong))), "403", "{number}");
    }
    let right = reply_for("999", &caller.challenge(0), "alice", "right");
    assert_eq!(outcome(caller.call(0, "999", Some(&right))), "no_trunk, and told so");
    for number in ["200", "999", "200"] {
        let wrong = reply_for(number, &caller.challenge(0), "alice", "wrong");
        caller.call(0, number, Some(&wrong));
    }
    assert_eq!(outcome(caller.call(0, "999", None)), "silence", "guesses at numbers that are none count too");
}

#[test]
fn expired_and_replayed_proofs_may_try_again() {
    let mut caller = Caller::new(Digest::Both);
    let proof = reply(&caller.challenge(0), "alice", "right");
    assert_eq!(outcome(caller.call(1, "200", Some(&proof))), "phones");
    assert_eq!(outcome(caller.call(2, "200", Some(&proof))), "407 stale", "replayed");
    let proof = reply(&caller.challenge(0), "alice", "right");
    assert_eq!(outcome(caller.call(61, "200", Some(&proof))), "407 stale", "expired");
    let wrong = reply(&caller.challenge(0), "alice", "wrong");
    assert_eq!(outcome(caller.call(61, "200", Some(&wrong))), "403", "expired and wrong tells nothing more");
    for n in 0..10 {
        assert_eq!(outcome(caller.call(62 + n, "200", Some(&proof))), "407 stale", "staleness is no guess");
    }
}

#[test]
fn a_proof_is_good_for_its_own_number_alone() {
    let mut caller = Caller::new(Digest::Both);
    caller.objects = snapshot(&TRUNKS.replace("['200']", "['200', '201']"));
    let proof = reply(&caller.challenge(0), "alice", "right");
    assert_eq!(outcome(caller.call(0, "201", Some(&proof))), "403");
}
