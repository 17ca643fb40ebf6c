use super::*;

#[test]
fn durations_are_read_as_go_writes_them() {
    let cases: &[(&str, Option<u64>)] = &[
        ("30s", Some(30_000)),
        ("1m30s", Some(90_000)),
        ("1h", Some(3_600_000)),
        ("1.5s", Some(1_500)),
        ("250ms", Some(250)),
        ("1h0m0.5s", Some(3_600_500)),
        ("0", Some(0)),
        ("0s", Some(0)),
        ("", None),
        ("30", None),
        ("s", None),
        ("1x", None),
        ("1 s", None),
        ("1..5s", None),
        ("99999999999999999999h", None),
    ];
    for (text, millis) in cases {
        assert_eq!(parse_duration(text), millis.map(Duration::from_millis), "{text:?}");
    }
    for text in ["0s", "30s", "1m30s", "24h", "1h1s", "1s500ms"] {
        assert_eq!(render_duration(parse_duration(text).unwrap()), text);
    }
}

#[test]
fn values_fit_their_kind() {
    let cases: &[(Kind, &str, bool)] = &[
        (Kind::Port, "5060", true),
        (Kind::Port, "0", false),
        (Kind::Port, "65536", false),
        (Kind::Port, "sip", false),
        (Kind::Ports, "10000-20000", true),
        (Kind::Ports, "{start: 1, end: 2}", true),
        (Kind::Ports, "20000-10000", false),
        (Kind::Ports, "10000", false),
        (Kind::Bool, "true", true),
        (Kind::Bool, "yes", true),
        (Kind::Bool, "'yes'", false),
        (Kind::Bool, "1", false),
        (Kind::Address, "192.0.2.1", true),
        (Kind::Address, "2001:db8::1", true),
        (Kind::Address, "192.0.2.1/24", false),
        (Kind::Addresses, "[192.0.2.1, '::']", true),
        (Kind::Addresses, "[localhost]", false),
        (Kind::Network, "10.0.0.0/8", true),
        (Kind::Network, "10.0.0.0/40", false),
        (Kind::Networks, "[10.0.0.0/8, '::1']", true),
        (Kind::Networks, "[]", true),
        (Kind::Networks, "10.0.0.0/8", false),
        (Kind::Networks, "[10.0.0.0/40]", false),
        (Kind::Servers, "[192.0.2.53, '192.0.2.53:5353', '2001:db8::1', '[2001:db8::1]:53']", true),
        (Kind::Servers, "[dns.example.com]", false),
        (Kind::Servers, "['192.0.2.53:0']", false),
        (Kind::Duration(1, 60), "1s", true),
        (Kind::Duration(1, 60), "61s", false),
        (Kind::Duration(1, 60), "-5s", false),
        (Kind::SignedDuration, "-5s", true),
        (Kind::Integer(0, 10), "10", true),
        (Kind::Integer(0, 10), "11", false),
        (Kind::Choice(&["a", "403"]), "403", true),
        (Kind::Choice(&["a", "403"]), "b", false),
        (Kind::Url, "wss://x.livekit.cloud", true),
        (Kind::Url, "ws://127.0.0.1:7880", true),
        (Kind::Url, "x.livekit.cloud", false),
        (Kind::Url, "wss://", false),
        (Kind::Url, "ftp://x", false),
        (Kind::Texts, "[a, 1]", true),
        (Kind::Texts, "a", false),
        (Kind::TextMap, "{a: 1}", true),
        (Kind::TextMap, "{a: {b: c}}", false),
        (Kind::Codecs, "{G722/8000: false}", true),
        (Kind::Codecs, "{G722/8000: maybe}", false),
        (Kind::Certificates, "[{cert_file: a, key_file: b}]", true),
        (Kind::Certificates, "[{cert_file: a}]", false),
        (Kind::Certificates, "[{cert_file: a, key_file: b, x: y}]", false),
    ];
    for (kind, text, fits) in cases {
        let document = Node::parse(&format!("v: {text}")).unwrap();
        let (.., node) = &document.entries().unwrap()[0];
        assert_eq!(kind.fits(node), *fits, "{kind:?} {text}");
    }
}
