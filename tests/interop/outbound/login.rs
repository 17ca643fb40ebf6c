//! Carriers that ask who calls.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::callee::Callee;
use tests::peers::gateway::Setup;
use tests::peers::phone::digest::Algorithm;
use tests::peers::sipp::Carrier;
use tests::ports;

use super::{LIMIT, request, setup};

const USER: &str = "livekit-sip-user";
const PASSWORD: &str = "correct-horse-battery";

#[test]
fn sipp_asks_for_the_password() {
    let port = ports::one();
    let carrier = (Ipv4Addr::LOCALHOST, port).into();
    for (password, expected) in [(PASSWORD, 200), ("wrong", 403)] {
        let setup = with_password(setup(carrier), password);
        let Some(bed) = Bed::new("outbound-sipp-password", &setup, &[Need::Sipp]) else { return };
        let mut sipp = Carrier::new("password.xml", port).start(&bed.scratch);
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&json!({})));
        assert_eq!(answer.status, expected, "{}", answer.body);
        if expected == 200 {
            let call = format!("/trunkline/v1/calls/{}", answer.text("sip_call_id"));
            assert_eq!(bed.gateway.api().request("DELETE", &call, "").status / 100, 2);
        }
        sipp.succeeds(LIMIT);
    }
}

#[test]
fn passwords_are_given_with_both_hashes_to_both_challenges() {
    let mut callee = Callee::new();
    let setup = with_password(setup(callee.address()), PASSWORD);
    let Some(bed) = Bed::new("outbound-password", &setup, &[]) else { return };
    let (md5, sha) = (Algorithm::Md5, Algorithm::Sha256);
    for (status, asked, known) in [
        (401, vec![md5], md5),
        (401, vec![sha], sha),
        (407, vec![md5], md5),
        (407, vec![sha], sha),
        // The first that is understood is the one preferred (RFC 8760 §2.4).
        (401, vec![sha, md5], sha),
    ] {
        let case = format!("{status} {asked:?}");
        let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
        callee.invited();
        let invite = callee.challenge(status, &asked, false);
        assert!(callee.knows(&invite, USER, PASSWORD, known), "{case}: {invite:?}");
        let field = if status == 401 { "Authorization" } else { "Proxy-Authorization" };
        assert!(invite.header(field).is_some(), "{case}");
        // A nonce that has grown old is no wrong password.
        let invite = callee.challenge(status, &[known], true);
        assert!(callee.knows(&invite, USER, PASSWORD, known), "{case}: {invite:?}");
        callee.pick_up(None);
        let answer = pending.finish();
        assert_eq!(answer.status, 200, "{case}: {}", answer.body);
        assert_eq!(callee.bye().status(), 200);
    }
}

#[test]
fn a_wrong_password_is_not_repeated_for_ever() {
    let mut callee = Callee::new();
    let setup = with_password(setup(callee.address()), "wrong");
    let Some(bed) = Bed::new("outbound-wrong-password", &setup, &[]) else { return };
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    let mut rounds = 0;
    while callee.invited_within(Duration::from_secs(2)).is_some() {
        rounds += 1;
        assert!(rounds <= 6, "it gives up");
        let nonce = format!("WWW-Authenticate: Digest realm=\"carrier.test\", nonce=\"n{rounds}\", algorithm=MD5\r\n");
        callee.reply_with("401 Unauthorized", &nonce, "");
        callee.expect("ACK");
    }
    let answer = pending.finish();
    assert!(rounds >= 2 && matches!(answer.code(), "permission_denied" | "unauthenticated"), "{}", answer.body);
}

fn with_password(mut setup: Setup, password: &str) -> Setup {
    setup.outbound[0]["auth_username"] = USER.into();
    setup.outbound[0]["auth_password"] = password.into();
    setup
}
