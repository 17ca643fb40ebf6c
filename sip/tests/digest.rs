//! Digest, both sides against each other, against replies of carriers, and against cheats.

use std::time::Duration;

use sip::{
    HeaderName, Message, Method, Request, Response, Status, Uri,
    digest::{Authorization, Challenge, Credentials, NONCE_LIFE, Scope, Server, Verdict, answer},
};

const NOW: Duration = Duration::from_secs(1_790_000_000);
const SCOPE: Scope<'_> = Scope { realm: "sip.example.net", source: None };

#[test]
fn a_client_of_ours_is_let_in_by_either_header_and_either_algorithm() {
    let headers = [
        (Status::UNAUTHORIZED, HeaderName::WwwAuthenticate, HeaderName::Authorization),
        (Status::PROXY_AUTHENTICATION_REQUIRED, HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization),
    ];
    for (status, asked, answered) in headers {
        for (offered, expected) in [(&[0, 1][..], "SHA-256"), (&[1, 0], "SHA-256"), (&[1], "MD5")] {
            let mut server = server();
            let challenges = server.challenge(NOW, SCOPE, false);
            let mut response = Response::new(status);
            for index in offered {
                response.headers.push(asked.clone(), challenges[*index].to_string());
            }
            let mut request = invite("sip:+15105550100@sip.example.net");
            let (header, reply) = answer(&response, &right(), &request.method, &request.uri, "c0ffee").unwrap();
            assert_eq!((&header, reply.algorithm.as_str()), (&answered, expected));
            request.headers.push(header, reply.to_string());
            let read = Authorization::of(&request.headers, SCOPE.realm).unwrap();
            assert_eq!(read, reply);
            assert_eq!(server.verify(NOW, SCOPE, &request, &read, Some(&right())), Verdict::Accepted);
        }
    }
}

#[test]
fn sha_256_is_offered_first() {
    let challenges = server().challenge(NOW, SCOPE, true).map(|challenge| challenge.to_string());
    assert!(challenges[0].contains("algorithm=SHA-256, qop=\"auth\", stale=true"), "{challenges:?}");
    assert!(challenges[1].contains("algorithm=MD5, qop=\"auth\", stale=true"), "{challenges:?}");
}

#[test]
fn replies_are_judged() {
    type Change = fn(&mut Authorization);
    let cases: &[(&str, Change, Verdict)] = &[
        ("as it was made", |_| {}, Verdict::Accepted),
        ("other response", |reply| flip(&mut reply.response), Verdict::Refused),
        ("no response", |reply| reply.response.clear(), Verdict::Refused),
        ("cut response", |reply| reply.response.truncate(63), Verdict::Refused),
        ("in capitals", |reply| reply.response.make_ascii_uppercase(), Verdict::Accepted),
        ("other user", |reply| reply.username.push('x'), Verdict::Refused),
        ("other nonce", |reply| flip(&mut reply.nonce), Verdict::Refused),
        ("other realm", |reply| reply.realm.push('x'), Verdict::Refused),
        ("other uri", |reply| reply.uri.push('x'), Verdict::Refused),
        ("other count", |reply| reply.count.as_mut().unwrap().nc = "00000002".to_owned(), Verdict::Refused),
        ("other cnonce", |reply| reply.count.as_mut().unwrap().cnonce.push('x'), Verdict::Refused),
        ("no count", |reply| reply.count = None, Verdict::Refused),
        ("other opaque", |reply| reply.opaque = Some("x".to_owned()), Verdict::Accepted),
    ];
    for (name, change, expected) in cases {
        let mut server = server();
        let request = invite("sip:+15105550100@sip.example.net");
        let [challenge, _] = server.challenge(NOW, SCOPE, false);
        let mut reply = reply(&challenge, &request, &right());
        change(&mut reply);
        assert_eq!(server.verify(NOW, SCOPE, &request, &reply, Some(&right())), *expected, "{name}");
    }
}

#[test]
fn unknown_users_and_wrong_passwords_are_the_same() {
    let wrong = |username: &str, password: &str| Credentials {
        username: username.into(),
        password: password.into(),
        realm: None,
    };
    let cases = [
        ("wrong password", wrong("trunk", "guess"), Some(right())),
        ("unknown user", wrong("nobody", "s3cret"), None),
        ("a user's password with another's name", wrong("other", "s3cret"), Some(right())),
        ("what is hashed for nobody", wrong("", "no user, no password"), None),
    ];
    for (name, theirs, ours) in cases {
        let mut server = server();
        let request = invite("sip:1@sip.example.net");
        let [challenge, _] = server.challenge(NOW, SCOPE, false);
        let reply = reply(&challenge, &request, &theirs);
        assert_eq!(server.verify(NOW, SCOPE, &request, &reply, ours.as_ref()), Verdict::Refused, "{name}");
    }
}

#[test]
fn nonces_expire() {
    let millisecond = Duration::from_millis(1);
    let cases = [
        ("at once", NOW, Verdict::Accepted),
        ("in time", NOW + NONCE_LIFE, Verdict::Accepted),
        ("late", NOW + NONCE_LIFE + millisecond, Verdict::Stale),
        ("much later", NOW * 2, Verdict::Stale),
        ("before it was made", NOW - millisecond, Verdict::Stale),
    ];
    for (name, at, expected) in cases {
        let mut server = server();
        let request = invite("sip:1@sip.example.net");
        let [challenge, _] = server.challenge(NOW, SCOPE, false);
        let reply = reply(&challenge, &request, &right());
        assert_eq!(server.verify(at, SCOPE, &request, &reply, Some(&right())), expected, "{name}");
    }
}

#[test]
fn nonces_are_good_for_one_server_realm_and_source() {
    let here = Scope { source: Some([192, 0, 2, 1].into()), ..SCOPE };
    let there = Scope { source: Some([192, 0, 2, 2].into()), ..SCOPE };
    let cases = [
        ("the same", here, here, [7; 32], Verdict::Accepted),
        ("another source", here, there, [7; 32], Verdict::Stale),
        ("any source", SCOPE, SCOPE, [7; 32], Verdict::Accepted),
        ("another server's", here, here, [8; 32], Verdict::Stale),
        ("another realm", Scope { realm: "elsewhere", ..here }, here, [7; 32], Verdict::Refused),
    ];
    for (name, asked, judged, key, expected) in cases {
        let request = invite("sip:1@sip.example.net");
        let [challenge, _] = Server::new(&key).challenge(NOW, asked, false);
        let reply = reply(&challenge, &request, &right());
        assert_eq!(server().verify(NOW, judged, &request, &reply, Some(&right())), expected, "{name}");
    }
}

#[test]
fn a_proof_counts_once() {
    let mut server = server();
    let request = invite("sip:1@sip.example.net");
    let [challenge, _] = server.challenge(NOW, SCOPE, false);
    let mut verdict = |count| {
        let reply = challenge.answer(&right(), &request.method, &request.uri, "c0ffee", count).unwrap();
        server.verify(NOW, SCOPE, &request, &reply, Some(&right()))
    };
    let verdicts = [1, 1, 2, 1, 2, 3].map(&mut verdict);
    use Verdict::{Accepted, Stale};
    assert_eq!(verdicts, [Accepted, Stale, Accepted, Stale, Stale, Accepted]);
}

#[test]
fn a_wrong_password_does_not_use_a_nonce_up() {
    let mut server = server();
    let request = invite("sip:1@sip.example.net");
    let [challenge, _] = server.challenge(NOW, SCOPE, false);
    let guess = Credentials { password: "guess".to_owned(), ..right() };
    let guessed = reply(&challenge, &request, &guess);
    assert_eq!(server.verify(NOW, SCOPE, &request, &guessed, Some(&right())), Verdict::Refused);
    let known = reply(&challenge, &request, &right());
    assert_eq!(server.verify(NOW, SCOPE, &request, &known, Some(&right())), Verdict::Accepted);
}

#[test]
fn replies_of_rfc_2069_are_taken_once() {
    let mut server = server();
    let request = invite("sip:1@sip.example.net");
    let [_, mut challenge] = server.challenge(NOW, SCOPE, false);
    challenge.offers_auth = false;
    let reply = reply(&challenge, &request, &right());
    assert!(!reply.to_string().contains("qop"));
    assert_eq!(server.verify(NOW, SCOPE, &request, &reply, Some(&right())), Verdict::Accepted);
    assert_eq!(server.verify(NOW, SCOPE, &request, &reply, Some(&right())), Verdict::Stale);
}

#[test]
fn the_digest_uri_must_mean_the_request_uri() {
    let cases = [
        ("the same", "sip:+1510@sip.example.net", Verdict::Accepted),
        ("other port", "sip:+1510@sip.example.net:5060", Verdict::Accepted),
        ("parameters", "sip:+1510@sip.example.net;transport=tcp", Verdict::Accepted),
        ("sips", "sips:+1510@sip.example.net", Verdict::Accepted),
        ("escaped", "sip:%2b1510@SIP.example.net", Verdict::Accepted),
        ("other user", "sip:+1511@sip.example.net", Verdict::Refused),
        ("no user", "sip:sip.example.net", Verdict::Refused),
        ("other host", "sip:+1510@203.0.113.10", Verdict::Refused),
        ("no URI", "nonsense", Verdict::Refused),
    ];
    for (name, uri, expected) in cases {
        let mut server = server();
        let [challenge, _] = server.challenge(NOW, SCOPE, false);
        let mut dialled = invite("sip:+1510@sip.example.net");
        let mut reply = reply(&challenge, &dialled, &right());
        if let Ok(uri) = Uri::parse(uri) {
            dialled.uri = uri;
            reply = self::reply(&challenge, &dialled, &right());
        } else {
            reply.uri = uri.to_owned();
        }
        let request = invite("sip:+1510@sip.example.net");
        assert_eq!(server.verify(NOW, SCOPE, &request, &reply, Some(&right())), expected, "{name}");
    }
}

/// Their nonces are not ours, so the right one is told to try again and the wrong one is refused.
#[test]
fn a_carriers_proof_is_understood() {
    let credentials = Credentials {
        username: "livekit-sip-user".to_owned(),
        password: "correct-horse-battery".to_owned(),
        realm: None,
    };
    for (file, expected) in [("2-auth", Verdict::Stale), ("2-badauth", Verdict::Refused)] {
        let path = format!("{}/../tests/data/carriers/twilio-dial-sip-invite-{file}.sip", env!("CARGO_MANIFEST_DIR"));
        let Ok(Message::Request(request)) = Message::parse(&std::fs::read(path).unwrap()) else {
            panic!("{file} is a request")
        };
        let reply = Authorization::of(&request.headers, SCOPE.realm).unwrap();
        assert_eq!(server().verify(NOW, SCOPE, &request, &reply, Some(&credentials)), expected, "{file}");
    }
}

#[test]
fn the_reply_to_a_carrier_repeats_its_words() {
    let mut response = Response::new(Status::UNAUTHORIZED);
    response.headers.push(
        HeaderName::WwwAuthenticate,
        r#"Digest realm="a \"b\", c",nonce="n,1",opaque="o",algorithm=SHA-512-256,qop="auth-int,auth", Digest realm="r" , nonce = "n2", opaque="o2",stale=TRUE,algorithm=md5"#,
    );
    response.headers.push(HeaderName::ProxyAuthenticate, "Basic realm=\"x\"");
    response.headers.push(HeaderName::ProxyAuthenticate, "Digest realm=\"only auth-int\", nonce=n, qop=\"auth-int\"");
    let challenges = Challenge::of(&response.headers);
    assert_eq!(challenges.len(), 2, "{challenges:?}");
    assert_eq!((challenges[0].1.realm.as_str(), challenges[0].1.algorithm), ("a \"b\", c", None));
    assert!(challenges[1].1.stale);
    let request = invite("sip:+1510@carrier.example;user=phone");
    let (header, reply) = answer(&response, &right(), &request.method, &request.uri, "c0ffee").unwrap();
    assert_eq!(header, HeaderName::Authorization);
    assert_eq!((reply.nonce.as_str(), reply.opaque.as_deref(), reply.count), ("n2", Some("o2"), None));
    assert_eq!(reply.uri, "sip:+1510@carrier.example;user=phone");
}

#[test]
fn a_trunks_challenge_is_answered() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/carriers/twilio-term-407.sip");
    let Ok(Message::Response(response)) = Message::parse(&std::fs::read(path).unwrap()) else { panic!("a response") };
    let request = invite("sip:+14155550123@example.pstn.twilio.com");
    let (header, reply) = answer(&response, &right(), &request.method, &request.uri, "c0ffee").unwrap();
    assert_eq!(header, HeaderName::ProxyAuthorization);
    assert!(
        reply.to_string().ends_with(r#"cnonce="c0ffee", qop=auth, nc=00000001, opaque="5c0e8d1147aa90bb""#),
        "{reply}"
    );
}

#[test]
fn header_values_are_read_or_refused() {
    let whole = "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:a@b\", response=\"00\"";
    let cases: &[(&str, String, bool)] = &[
        ("RFC 2069", whole.to_owned(), true),
        ("no white space", whole.replace(", ", ","), true),
        ("odd white space", whole.replace(", ", "\t ,, ").replace('=', " = "), true),
        ("scheme in capitals", whole.replace("Digest", "DIGEST"), true),
        ("unknown parameter", format!("{whole}, auth-param=\"x\""), true),
        ("quoted algorithm and qop", format!("{whole}, algorithm=\"MD5\", qop=\"auth\", nc=1, cnonce=\"\""), true),
        ("auth-int", format!("{whole}, qop=auth-int, nc=00000001, cnonce=\"c\""), false),
        ("qop without nc", format!("{whole}, qop=auth, cnonce=\"c\""), false),
        ("qop without cnonce", format!("{whole}, qop=auth, nc=00000001"), false),
        ("nc no number", format!("{whole}, qop=auth, nc=0000000g, cnonce=\"c\""), false),
        ("nc with a sign", format!("{whole}, qop=auth, nc=+1, cnonce=\"c\""), false),
        ("nc too long", format!("{whole}, qop=auth, nc=000000001, cnonce=\"c\""), false),
        ("unknown algorithm", format!("{whole}, algorithm=SHA-512-256"), false),
        ("user twice", format!("{whole}, username=\"v\""), false),
        ("no uri", whole.replace("uri=", "url="), false),
        ("open quote", whole.replace("\"00\"", "\"00"), false),
        ("other scheme", whole.replace("Digest", "Basic"), false),
        ("no scheme", whole.replace("Digest ", ""), false),
        ("NUL in a value", whole.replace("\"n\"", "\"n\0\""), false),
        ("nothing", String::new(), false),
        ("many parameters", format!("{whole}{}", ", a=b".repeat(40_000)), false),
        ("many schemes", "Digest ".repeat(9_000), false),
    ];
    for (name, value, expected) in cases {
        assert_eq!(Authorization::parse(value).is_ok(), *expected, "{name}");
    }
}

#[test]
fn proofs_and_passwords_do_not_show_in_logs() {
    let request = invite("sip:1@sip.example.net");
    let [challenge, _] = server().challenge(NOW, SCOPE, false);
    let reply = reply(&challenge, &request, &right());
    assert!(!format!("{reply:?}").contains(&reply.response));
    assert!(!format!("{:?}", right()).contains("s3cret"));
}

fn server() -> Server {
    Server::new(&[7; 32])
}

fn right() -> Credentials {
    Credentials { username: "trunk".to_owned(), password: "s3cret".to_owned(), realm: None }
}

fn invite(uri: &str) -> Request {
    Request::new(Method::Invite, Uri::parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}")))
}

fn reply(challenge: &Challenge, request: &Request, credentials: &Credentials) -> Authorization {
    challenge.answer(credentials, &request.method, &request.uri, "c0ffee", 1).expect("we know our own algorithms")
}

/// Changes the first hex digit.
fn flip(hex: &mut String) {
    let first = if hex.starts_with('0') { "1" } else { "0" };
    hex.replace_range(..1, first);
}
