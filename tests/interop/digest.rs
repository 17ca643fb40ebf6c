//! Trunks with a password: who knows it gets in, with MD5 and with SHA-256, and nobody else.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::need::{self, Need};
use tests::peers::baresip::Baresip;
use tests::peers::gateway::{Gateway, Setup};
use tests::peers::phone::digest::{Algorithm, Reply, parameter};
use tests::peers::phone::{Message, Phone};
use tests::scratch::Scratch;

const TO: &str = "+15105550100";
const RIGHT: Reply<'static> = Reply {
    user: "livekit-sip-user",
    password: "correct-horse-battery",
    algorithm: Algorithm::Sha256,
    count: 1,
    qop: true,
};

/// How long a nonce lives, and a little more.
const NONCE_LIFE: Duration = Duration::from_secs(62);

#[test]
fn the_right_password_is_let_in_and_all_else_is_not() {
    let Some(mut bed) = Bed::new("digest", &setup(), &[]) else { return };
    bed.listener.join("vault", 880.0);
    let md5 = Reply { algorithm: Algorithm::Md5, ..RIGHT };
    let cases = [
        ("SHA-256", RIGHT, true),
        ("MD5", md5, true),
        ("MD5 as in RFC 2069", Reply { qop: false, ..md5 }, true),
        ("SHA-256, wrong password", Reply { password: "wrong", ..RIGHT }, false),
        ("MD5, wrong password", Reply { password: "wrong", ..md5 }, false),
        ("wrong user", Reply { user: "nobody", ..RIGHT }, false),
        ("no password", Reply { password: "", ..RIGHT }, false),
    ];
    for (case, reply, accepted) in cases {
        let mut phone = Phone::new(bed.gateway.sip());
        let answer = call(&mut phone, |challenge, uri| reply.to(challenge, "INVITE", uri), reply.algorithm);
        assert_eq!(answer.status() == 200, accepted, "{case}: {}", answer.start());
        if accepted {
            phone.ack(&answer);
            assert_eq!(phone.bye().status(), 200, "{case}");
        } else {
            assert!(matches!(answer.status(), 401 | 403 | 407), "{case}: {}", answer.start());
        }
    }
    // Nobody who was refused has been in the room.
    let callers = bed.listener.seen().iter().filter(|e| e.kind() == "participant").count();
    assert_eq!(callers, 3);
}

#[test]
fn a_reply_is_good_for_one_call() {
    let Some(mut bed) = Bed::new("digest-replay", &setup(), &[]) else { return };
    bed.listener.join("vault", 880.0);
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let mut phone = Phone::new(bed.gateway.sip());
        let reply = Reply { algorithm, ..RIGHT };
        let mut overheard = String::new();
        let listen = |challenge: &str, uri: &str| {
            overheard = reply.to(challenge, "INVITE", uri);
            overheard.clone()
        };
        let answer = call(&mut phone, listen, algorithm);
        assert_eq!(answer.status(), 200, "{algorithm:?}");
        phone.ack(&answer);
        phone.bye();
        let mut thief = Phone::new(bed.gateway.sip());
        for header in ["Authorization", "Proxy-Authorization"] {
            let answer = thief.call_with(TO, &format!("{header}: {overheard}\r\n"));
            assert!(matches!(answer.status(), 401 | 403 | 407), "{algorithm:?}, {header}: {}", answer.start());
            thief.next_call();
        }
    }
}

/// Needs no room: whoever is refused never comes near one.
#[test]
fn an_old_nonce_is_stale() {
    if !need::all(&[]) {
        return;
    }
    let scratch = Scratch::new("digest-stale");
    let gateway = Gateway::start(&setup(), "ws://127.0.0.1:9", &scratch);
    let mut phone = Phone::new(gateway.sip());
    let answer = phone.call(TO);
    let (header, challenge) = challenge_of(&answer, RIGHT.algorithm);
    std::thread::sleep(NONCE_LIFE);
    let value = RIGHT.to(&challenge, "INVITE", &uri(&phone));
    let answer = phone.call_with(TO, &format!("{header}: {value}\r\n"));
    let (_, again) = challenge_of(&answer, RIGHT.algorithm);
    assert_eq!(parameter(&again, "stale").as_deref(), Some("true"), "{again}");
    assert_ne!(parameter(&again, "nonce"), parameter(&challenge, "nonce"));
}

/// baresip 1.0 gives up when SHA-256 is offered beside MD5.
#[test]
fn baresip_gets_in_where_md5_alone_is_asked_for() {
    let setup = setup().with("digest", json!("md5"));
    let Some(mut bed) = Bed::new("digest-baresip", &setup, &[Need::Baresip]) else { return };
    bed.listener.join("vault", 880.0);
    let account = format!(";auth_user={};auth_pass={}", RIGHT.user, RIGHT.password);
    let mut phone = Baresip::start("udp", 440.0, &account, &bed.scratch);
    phone.call(TO, bed.gateway.sip(), "udp");
    bed.listener.hear("sip_+15550177", 440.0, -15.0, Duration::from_secs(10));
}

fn setup() -> Setup {
    let trunk = json!({
        "name": "Twilio TwiML Dial-Sip",
        "numbers": [TO],
        "authUsername": RIGHT.user,
        "authPassword": RIGHT.password,
        "authRealm": "sip.example.net",
    });
    Setup { trunks: json!([trunk]), ..Setup::room("vault") }
}

/// Calls, is challenged, and calls again with what `reply` makes of the challenge and the Request-URI.
fn call(phone: &mut Phone, mut reply: impl FnMut(&str, &str) -> String, algorithm: Algorithm) -> Message {
    let answer = phone.call(TO);
    let (header, challenge) = challenge_of(&answer, algorithm);
    let value = reply(&challenge, &uri(phone));
    phone.call_with(TO, &format!("{header}: {value}\r\n"))
}

/// The challenge for that hash, and the header that its reply goes into.
fn challenge_of(answer: &Message, algorithm: Algorithm) -> (&'static str, String) {
    let (asks, replies) = match answer.status() {
        401 => ("WWW-Authenticate", "Authorization"),
        407 => ("Proxy-Authenticate", "Proxy-Authorization"),
        _ => panic!("a challenge was expected: {}", answer.start()),
    };
    let is_it = |challenge: &&str| parameter(challenge, "algorithm").unwrap_or("MD5".into()) == algorithm.name();
    let challenge =
        answer.all(asks).find(is_it).unwrap_or_else(|| panic!("no challenge for {algorithm:?}: {answer:?}"));
    (replies, challenge.to_owned())
}

fn uri(phone: &Phone) -> String {
    format!("sip:{TO}@{}", phone.wire.there())
}
