use super::super::query::tests::query;
use super::*;
use crate::config::tests::snapshot;

type Lines = &'static [(&'static str, &'static str)];

fn read(lines: Lines) -> Asserted {
    let owned: Vec<_> = lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Asserted::read(&owned)
}

#[test]
fn who_calls_and_whether_he_may_be_told() {
    let cases: &[(&str, Lines, (&str, &str, bool))] = &[
        ("nothing", &[], ("", "", false)),
        (
            "asserted",
            &[("P-Asserted-Identity", "\"Zo\u{eb}\" <sip:+15550123@x;user=phone>")],
            ("+15550123", "Zo\u{eb}", false),
        ),
        (
            "a name and a number",
            &[("P-Asserted-Identity", "\"Zoe\" <sip:zoe@x>"), ("p-asserted-identity", "<tel:+1555>")],
            ("zoe", "Zoe", false),
        ),
        ("both in a line", &[("P-Asserted-Identity", "<sip:anonymous@x>, <tel:+1555;ext=1>")], ("+1555", "", false)),
        ("parameters of the user", &[("P-Asserted-Identity", "<sip:+1555;npdi;verstat=No@x>")], ("+1555", "", false)),
        ("private", &[("P-Asserted-Identity", "<sip:+1555@x>"), ("Privacy", "id;critical")], ("+1555", "", true)),
        ("waived", &[("P-Asserted-Identity", "<sip:+1555@x>"), ("Privacy", "none")], ("+1555", "", false)),
        ("older", &[("Remote-Party-ID", "\"A\" <sip:7@x>;party=calling;privacy=off")], ("7", "A", false)),
        ("older, private", &[("Remote-Party-ID", "<sip:7@x>;privacy=full")], ("7", "", true)),
        ("older, the callee", &[("Remote-Party-ID", "<sip:7@x>;party=called")], ("", "", false)),
        (
            "both, the newer counts",
            &[("Remote-Party-ID", "<sip:7@x>;privacy=full"), ("P-Asserted-Identity", "<sip:8@x>")],
            ("8", "", false),
        ),
        ("no address", &[("P-Asserted-Identity", "+15550123")], ("", "", false)),
        ("another scheme", &[("P-Asserted-Identity", "<urn:service:sos>")], ("", "", false)),
        ("no user", &[("P-Asserted-Identity", "<sip:x>")], ("", "", false)),
    ];
    for (name, lines, (identity, display, private)) in cases {
        let read = read(lines);
        assert_eq!((&*read.identity, &*read.display, read.is_private), (*identity, *display, *private), "{name}");
    }
    let long = [("P-Asserted-Identity".to_owned(), format!("\"{0}\" <sip:{0}@x>", "a".repeat(300)))];
    let nothing = Asserted { is_believed: true, ..Asserted::default() };
    assert_eq!(Asserted::read(&long), nothing, "nobody has such a number");
}

#[test]
fn whom_the_caller_has_called_first() {
    let cases: &[(&str, Lines, (&str, &str))] = &[
        ("once", &[("Diversion", "<sip:+15550100@x>;reason=No-Answer")], ("+15550100", "no-answer")),
        (
            "twice, the first is the last",
            &[("Diversion", "<sip:2@x>;reason=no-answer, <sip:1@x>;reason=user-busy")],
            ("1", "user-busy"),
        ),
        ("private", &[("Diversion", "<sip:1@x>;privacy=full;reason=user-busy")], ("", "user-busy")),
        ("private by the call", &[("Diversion", "<sip:1@x>;reason=away"), ("Privacy", "history")], ("", "away")),
        (
            "history",
            &[("History-Info", "<sip:+15550100@x>;index=1,<sip:+15550177@y;cause=486>;index=1.1;mp=1")],
            ("+15550100", "user-busy"),
        ),
        (
            "history with a Reason",
            &[("History-Info", "<sip:1@x?Reason=SIP%3Bcause%3D408>;index=1"), ("History-Info", "<sip:2@x>;index=1.1")],
            ("1", "no-answer"),
        ),
        ("history of one call", &[("History-Info", "<sip:1@x>;index=1, <sip:1@y>;index=1.1")], ("", "")),
        (
            "private history",
            &[("History-Info", "<sip:1@x?Privacy=history>;index=1,<sip:2@x;cause=302>;index=1.1")],
            ("", "unconditional"),
        ),
        ("both", &[("Diversion", "<sip:1@x>"), ("History-Info", "<sip:8@x>;index=1,<sip:9@x>;index=1.1")], ("1", "")),
    ];
    for (name, lines, (number, reason)) in cases {
        let read = read(lines);
        assert_eq!((&*read.diversion, &*read.diversion_reason), (*number, *reason), "{name}");
    }
}

#[test]
fn from_that_stands_for_nobody() {
    let cases = [
        ("anonymous", "anonymous.invalid", true),
        ("Anonymous", "carrier.example", true),
        ("Restricted", "carrier.example", true),
        ("", "carrier.example", true),
        ("+15550199", "anonymous.invalid", true),
        ("+15550199", "carrier.example", false),
        ("anon", "carrier.example", false),
    ];
    for (user, host, anonymous) in cases {
        let from = Party { user: user.into(), host: host.into(), display: String::new() };
        assert_eq!(is_anonymous(&from), anonymous, "{user}@{host}");
    }
}

#[test]
fn a_carrier_is_believed_where_the_trunk_knows_it() {
    let cases = [
        ("allowed_addresses: [203.0.113.0/24]", true),
        ("auth_username: u, auth_password: p", true),
        ("allowed_addresses: ['0.0.0.0/0'], auth_username: u, auth_password: p", true),
        ("allowed_addresses: ['0.0.0.0/0']", false),
        ("allowed_addresses: [203.0.113.0/24, '::/0']", true),
        ("allowed_addresses: [198.51.100.0/24, '0.0.0.0/0']", false),
        ("name: open", false),
    ];
    for (trunk, believed) in cases {
        let objects = snapshot(&format!("inbound_trunks: [{{numbers: ['*'], {trunk}}}]"));
        let mut call = query(|q| {
            q.from = Party { user: "anonymous".into(), host: NOWHERE.into(), display: String::new() };
            q.headers = vec![("P-Asserted-Identity".into(), "<sip:+15550123@x>".into())];
        });
        call.believe(&objects.inbound_trunks[0]);
        assert_eq!(call.calling(), if believed { "+15550123" } else { "anonymous" }, "{trunk}");
    }
}
