//! Requests, as clients write them in JSON, and what becomes of them.

use serde_json::json;
use sip::Host;

use super::*;
use crate::config::tests::snapshot;
use crate::dispatch::{Encryption, IncludeHeaders};

/// One trunk that says everything, and others that tell each other apart.
const TRUNKS: &str = "
inbound_trunks: [{sip_trunk_id: ST_in, name: inside, numbers: ['+1']}]
outbound_trunks:
- {sip_trunk_id: ST_loop, name: loop, address: '127.0.0.1:5098', transport: SIP_TRANSPORT_UDP, numbers: ['+15550203']}
- {sip_trunk_id: ST_full, name: full, address: sip.example.com, transport: SIP_TRANSPORT_TLS, numbers: ['+*', '+15550200'],
   auth_username: u, auth_password: p, from_host: from.example.com, headers: {X-O: trunk, X-T: t, Route: '<sip:edge.example.com:5070;transport=tcp;lr>'},
   headers_to_attributes: {X-A: a}, attributes_to_headers: {b: X-B}, include_headers: SIP_ALL_HEADERS, max_calls: 3, calls_per_second: 0,
   media: {encryption: SIP_MEDIA_ENCRYPT_REQUIRE, codecs: [{name: PCMA}]}}
- {sip_trunk_id: ST_twilio, name: twilio, address: demo.pstn.twilio.com, numbers: ['15105550100']}
- {name: twin, address: a.example.com, numbers: ['1']}
- {name: twin, address: b.example.com, numbers: ['1']}
- {name: globs, address: a.example.com, numbers: ['+1*']}
";

const DEFAULT: &str = "outbound_trunks: [{name: d, address: h, numbers: ['1'], default_outbound: true}]";

fn context() -> Context {
    let caps = Caps { max_calls: Some(10), calls_per_second: Some(2) };
    Context {
        call_id: "SCL_E4acrZAivj3K".into(),
        random: [7; 16],
        own_host: "198.51.100.1".into(),
        defaults: Defaults { caps, ..Defaults::default() },
    }
}

/// Places a call: what is asked for beyond a trunk, a callee and a room.
fn placed(more: &serde_json::Value) -> Result<Placement, Refusal> {
    placed_by(TRUNKS, more)
}

fn placed_by(trunks: &str, more: &serde_json::Value) -> Result<Placement, Refusal> {
    let mut request = json!({"sipTrunkId": "ST_loop", "sipCallTo": "+15550180", "roomName": "golden"});
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    place(&snapshot(trunks), &serde_json::from_value(request).unwrap(), &context())
}

fn shown(routes: &[NameAddr]) -> Vec<String> {
    routes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_call_goes_by_the_nearest_route_that_is_given() {
    let by_default = [NameAddr::parse("<sip:default.example.com;lr>").unwrap()];
    let defaults = Defaults { route: by_default.as_slice().into(), ..Defaults::default() };
    let context = Context { defaults, ..context() };
    let cases: &[(&str, &str, serde_json::Value, &str, &[&str])] = &[
        ("the default", "ST_loop", json!({}), "default.example.com", &["<sip:default.example.com;lr>"]),
        ("the trunk's", "full", json!({}), "edge.example.com", &["<sip:edge.example.com:5070;transport=tcp;lr>"]),
        (
            "the request's, of several",
            "full",
            json!({"route": "<sip:one.example.com;lr>, \"A, B\" <sip:two.example.com;lr>;x=y"}),
            "one.example.com",
            &["<sip:one.example.com;lr>", "\"A, B\" <sip:two.example.com;lr>;x=y"],
        ),
    ];
    for (name, trunk, headers, host, expected) in cases {
        let request = json!({"sipTrunkId": trunk, "sipCallTo": "+15550180", "roomName": "golden", "headers": headers});
        let call = place(&snapshot(TRUNKS), &serde_json::from_value(request).unwrap(), &context).unwrap();
        assert_eq!(call.target.host.to_string(), *host, "{name}");
        assert_eq!(shown(&call.route), *expected, "{name}");
        assert!(call.headers.iter().all(|(header, _)| *header != HeaderName::Route), "{name}");
    }
}

#[test]
fn a_plain_call_is_what_stock_livekit_sends() {
    let call =
        placed(&json!({"participantName": "N", "participantMetadata": "md", "participantAttributes": {"x": "y"}}));
    let call = call.unwrap();
    assert_eq!(call.uri.to_string(), "sip:+15550180@127.0.0.1:5098;transport=udp");
    assert_eq!(call.to.to_string(), "<sip:+15550180@127.0.0.1:5098;transport=udp>");
    assert_eq!(call.from.to_string(), "\"+15550203\" <sip:+15550203@198.51.100.1>");
    let host = Host::parse("127.0.0.1").unwrap();
    assert_eq!(call.target, dns::Target { host, port: Some(5098), wire: Some(sip::Wire::Udp), sips: false });
    assert_eq!((call.seat.identity.as_str(), call.seat.name.as_str()), ("sip_+15550180", "N"));
    assert_eq!((call.seat.metadata.as_str(), call.seat.room.as_str()), ("md", "golden"));
    let attributes = [
        ("sip.callID", "SCL_E4acrZAivj3K"),
        ("sip.hostname", "127.0.0.1:5098"),
        ("sip.phoneNumber", "+15550180"),
        ("sip.trunkID", "ST_loop"),
        ("sip.trunkPhoneNumber", "+15550203"),
        ("x", "y"),
    ];
    assert_eq!(call.seat.attributes, attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(call.seat.ringing_timeout.as_secs(), 180);
    assert_eq!(call.seat.max_call_duration.as_secs(), 24 * 3600);
    assert!(call.headers.is_empty() && call.credentials.is_none() && call.dtmf.is_empty());
    assert!(!call.play_dialtone && !call.wait_until_answered);
    assert_eq!(call.caps, context().defaults.caps);
}

#[test]
fn a_trunk_gives_what_the_request_does_not() {
    let asked = json!({
        "sipTrunkId": "full", "headers": {"x-o": "request", "X-R": "r"}, "includeHeaders": "SIP_X_HEADERS",
        "ringingTimeout": "45s", "maxCallDuration": "172800s", "dtmf": "w1", "playRingtone": true,
        "waitUntilAnswered": true, "krispEnabled": true, "participantIdentity": "bank",
        "media": {"mediaTimeout": "20s"},
    });
    let call = placed(&asked).unwrap();
    let headers: Vec<_> = call.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(headers, ["X-O: request", "X-R: r", "X-T: t"]);
    assert_eq!(shown(&call.route), ["<sip:edge.example.com:5070;transport=tcp;lr>"]);
    let edge = Host::Name("edge.example.com".into());
    assert_eq!(call.target, dns::Target { host: edge, port: Some(5070), wire: Some(sip::Wire::Tcp), sips: false });
    assert_eq!(call.uri.to_string(), "sip:+15550180@sip.example.com;transport=tls");
    assert_eq!(call.from.uri.to_string(), "sip:+15550200@from.example.com", "a pattern is no number to call from");
    let credentials = call.credentials.unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.as_str()), ("u", "p"));
    assert_eq!(call.caps, Caps { max_calls: Some(3), calls_per_second: None });
    assert_eq!(call.seat.include_headers, IncludeHeaders::X);
    assert_eq!(call.seat.headers_to_attributes["X-A"], "a");
    assert_eq!(call.seat.attributes_to_headers["b"], "X-B");
    assert_eq!(call.seat.media.encryption, Encryption::Require);
    assert_eq!(call.seat.media.listed.len(), 1);
    assert_eq!(call.seat.media.timeout.map(|t| t.as_secs()), Some(20));
    assert_eq!((call.seat.ringing_timeout.as_secs(), call.seat.max_call_duration.as_secs()), (45, 86_400));
    assert!(call.play_dialtone && call.wait_until_answered && call.seat.krisp);
    assert_eq!((call.dtmf.len(), call.seat.identity.as_str()), (2, "bank"));
    assert_eq!(call.trunk.unwrap().id(), "ST_full");
}

#[test]
fn a_password_goes_nowhere_but_to_the_trunk_it_is_for() {
    let trunks = "outbound_trunks: [{sip_trunk_id: ST_loop, address: 'h.example:5080', numbers: ['1'], auth_username: u, auth_password: p}]";
    let inline = json!({"hostname": "h.example", "authUsername": "u", "authPassword": "p"});
    let elsewhere = json!({"Route": "<sip:evil.example;lr>"});
    let cases: &[(&str, serde_json::Value, bool)] = &[
        ("its own server", json!({}), true),
        ("its own server by Route", json!({"headers": {"Route": "<sip:h.example:5080;lr>"}}), true),
        ("another port", json!({"headers": {"Route": "<sip:h.example:5081;lr>"}}), false),
        ("another server", json!({"headers": elsewhere}), false),
        ("the Request-URI leads nowhere", json!({"sipRequestUri": {"raw": "sip:a@evil.example"}}), true),
        (
            "who brings the password may send it where he likes",
            json!({"sipTrunkId": "", "trunk": inline, "sipNumber": "1", "headers": elsewhere}),
            true,
        ),
    ];
    for (name, more, expected) in cases {
        assert_eq!(placed_by(trunks, more).unwrap().credentials.is_some(), *expected, "{name}");
    }
    let of_the_trunk = json!({"sipTrunkId": "full", "headers": {"X-A": "b"}});
    assert!(placed(&of_the_trunk).unwrap().credentials.is_some(), "a Route of the trunk itself");
}

#[test]
fn numbers_and_names_of_the_caller() {
    let raw = json!({"uri": {"raw": "<sip:+1900@carrier.example>"}, "displayName": "Raw"});
    let values = json!({"values": {"user": "+1901", "host": "h.example", "port": 5070}, "displayName": ""});
    let cases: &[(&str, serde_json::Value, &str)] = &[
        ("number of the trunk", json!({}), "\"+15550203\" <sip:+15550203@198.51.100.1>"),
        ("own number", json!({"sipNumber": "+1777"}), "\"+1777\" <sip:+1777@198.51.100.1>"),
        ("no name", json!({"displayName": ""}), "<sip:+15550203@198.51.100.1>"),
        ("a name", json!({"displayName": "A \"B\""}), "\"A \\\"B\\\"\" <sip:+15550203@198.51.100.1>"),
        ("Twilio wants a plus", json!({"sipTrunkId": "twilio"}), "\"+15105550100\" <sip:+15105550100@198.51.100.1>"),
        (
            "From as text",
            json!({"sipFromHeader": {"raw": raw["uri"]["raw"], "displayName": "Raw"}}),
            "\"Raw\" <sip:+1900@carrier.example>",
        ),
        ("From in parts", json!({"sipFromHeader": values}), "<sip:+1901@h.example:5070>"),
        ("a name over From", json!({"sipFromHeader": values, "displayName": "D"}), "\"D\" <sip:+1901@h.example:5070>"),
    ];
    for (name, more, from) in cases {
        assert_eq!(placed(more).unwrap().from.to_string(), *from, "{name}");
    }
}

#[test]
fn addresses_of_the_callee() {
    let uri = "sip:+1555@other.example;user=phone;transport=tcp";
    let cases: &[(&str, serde_json::Value, &str, &str)] = &[
        (
            "separators",
            json!({"sipCallTo": "+1 (415) 555-0123", "sipTrunkId": "twilio"}),
            "sip:+14155550123@demo.pstn.twilio.com",
            "<sip:+14155550123@demo.pstn.twilio.com>",
        ),
        (
            "a user",
            json!({"sipCallTo": "alice.b", "sipTrunkId": "twilio"}),
            "sip:alice.b@demo.pstn.twilio.com",
            "<sip:alice.b@demo.pstn.twilio.com>",
        ),
        (
            "another To",
            json!({"toUserOverride": "7000", "sipTrunkId": "twilio"}),
            "sip:+15550180@demo.pstn.twilio.com",
            "<sip:7000@demo.pstn.twilio.com>",
        ),
        (
            "another Request-URI",
            json!({"sipRequestUri": {"raw": uri}, "sipTrunkId": "twilio"}),
            "sip:+15550180@other.example;user=phone;transport=tcp",
            "<sip:+15550180@demo.pstn.twilio.com>",
        ),
        (
            "the Request-URI says whom",
            json!({"sipCallTo": "", "sipRequestUri": {"raw": uri}, "sipTrunkId": "twilio"}),
            uri,
            "<sip:+1555@demo.pstn.twilio.com>",
        ),
        (
            "To says whom",
            json!({"sipCallTo": "", "sipToHeader": {"values": {"user": "9", "host": "h", "transport": "SIP_TRANSPORT_TCP"}}, "sipTrunkId": "twilio"}),
            "sip:9@demo.pstn.twilio.com",
            "<sip:9@h;transport=tcp>",
        ),
    ];
    for (name, more, uri, to) in cases {
        let call = placed(more).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!((call.uri.to_string().as_str(), call.to.to_string().as_str()), (*uri, *to), "{name}");
        assert_eq!(call.target.host.to_string(), "demo.pstn.twilio.com", "the password is for the trunk: {name}");
    }
}

#[test]
fn trunks_by_id_by_name_by_default_and_none() {
    let inline = json!({"hostname": "[2001:db8::1]:5070", "transport": "SIP_TRANSPORT_TCP", "authUsername": "u",
        "authPassword": "p", "fromHost": "f.example", "headersToAttributes": {"X-A": "a"}});
    let call = placed(&json!({"sipTrunkId": "", "trunk": inline, "sipNumber": "+1"})).unwrap();
    assert_eq!(call.uri.to_string(), "sip:+15550180@[2001:db8::1]:5070;transport=tcp");
    assert_eq!(call.from.uri.to_string(), "sip:+1@f.example");
    assert_eq!((call.seat.trunk_id.as_str(), call.seat.attributes["sip.trunkID"].as_str()), ("", ""));
    assert!(call.trunk.is_none() && call.credentials.is_some());
    assert_eq!(call.caps, context().defaults.caps);

    let host = |more: &serde_json::Value| placed(more).map(|call| call.target.host.to_string());
    assert_eq!(host(&json!({"sipTrunkId": "twilio"})).unwrap(), "demo.pstn.twilio.com");
    let call = placed_by(DEFAULT, &json!({"sipTrunkId": ""})).unwrap();
    assert_eq!(call.target.host.to_string(), "h");
}

#[test]
fn refusals_have_the_codes_and_texts_of_stock_livekit() {
    let inline = |more: serde_json::Value| {
        let mut trunk = json!({"hostname": "h.example"});
        trunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"sipTrunkId": "", "sipNumber": "+1", "trunk": trunk})
    };
    let uri_as_number = "SipCallTo should be a phone number or SIP user, not a full SIP URI";
    use Code::{FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};
    let cases: &[(&str, serde_json::Value, Code, &str)] = &[
        (
            "no trunk",
            json!({"sipTrunkId": "", "sipCallTo": "", "roomName": ""}),
            InvalidArgument,
            "missing sip trunk id and sip number",
        ),
        ("inbound trunk", json!({"sipTrunkId": "ST_in"}), NotFound, "requested sip trunk does not exist"),
        ("inbound trunk by name", json!({"sipTrunkId": "inside"}), NotFound, "requested sip trunk does not exist"),
        (
            "twins",
            json!({"sipTrunkId": "twin"}),
            FailedPrecondition,
            "\"twin\" is the name of several outbound trunks; give the id",
        ),
        ("no room", json!({"roomName": ""}), InvalidArgument, "missing room name"),
        ("nobody", json!({"sipCallTo": ""}), InvalidArgument, "missing sip callee number"),
        ("SIP URI as number", json!({"sipCallTo": "sip:+15550400@h"}), InvalidArgument, uri_as_number),
        ("user and host", json!({"sipCallTo": "alice@h"}), InvalidArgument, uri_as_number),
        ("tel URI as number", json!({"sipCallTo": "tel:+1555"}), InvalidArgument, uri_as_number),
        ("line break", json!({"sipCallTo": "+1\r\nVia: x"}), InvalidArgument, "sip_call_to has the character '\\r'"),
        (
            "dial string",
            json!({"sipCallTo": "+1555;phone-context=x"}),
            InvalidArgument,
            "sip_call_to has the character ';'",
        ),
        ("escape", json!({"sipCallTo": "a%0d"}), InvalidArgument, "sip_call_to has the character '%'"),
        ("long", json!({"sipCallTo": "1".repeat(129)}), InvalidArgument, "sip_call_to is too long"),
        ("pattern to call from", json!({"sipTrunkId": "globs"}), FailedPrecondition, "no numbers on outbound trunk"),
        (
            "inline without number",
            json!({"sipTrunkId": "", "trunk": {"hostname": "h"}}),
            FailedPrecondition,
            "no numbers on outbound trunk",
        ),
        (
            "inline without host",
            json!({"sipTrunkId": "", "trunk": {}}),
            InvalidArgument,
            "no outbound hostname specified",
        ),
        (
            "inline URI",
            inline(json!({"hostname": "sip:h"})),
            InvalidArgument,
            "trunk hostname should be a hostname or IP, not SIP URI",
        ),
        (
            "inline transport",
            inline(json!({"hostname": "h;transport=tcp"})),
            InvalidArgument,
            "trunk hostname should not contain transport parameter",
        ),
        (
            "inline line break",
            inline(json!({"hostname": "h\r\n"})),
            InvalidArgument,
            "trunk hostname should be a hostname or IP",
        ),
        (
            "inline from",
            inline(json!({"fromHost": "a@b"})),
            InvalidArgument,
            "from_host should be a hostname or IP, not SIP URI",
        ),
        (
            "inline half",
            inline(json!({"authUsername": "u"})),
            InvalidArgument,
            "auth_username is set and auth_password is not",
        ),
        ("two callees", json!({"sipToHeader": {"raw": "sip:a@b"}}), InvalidArgument, "exclude each other"),
        (
            "bad Request-URI",
            json!({"sipRequestUri": {"raw": "https://h"}}),
            InvalidArgument,
            "sip_request_uri is no SIP address",
        ),
        (
            "URI with headers",
            json!({"sipRequestUri": {"raw": "sip:a@b?Route=c"}}),
            InvalidArgument,
            "sip_request_uri is no SIP address",
        ),
        (
            "URI without user",
            json!({"sipRequestUri": {"raw": "sip:b"}}),
            InvalidArgument,
            "sip_request_uri is no SIP address",
        ),
        (
            "bad From",
            json!({"sipFromHeader": {"raw": "<sip:a@b>;tag=1"}}),
            InvalidArgument,
            "sip_from_header is no SIP address",
        ),
        (
            "bad port",
            json!({"sipFromHeader": {"values": {"user": "a", "host": "h", "port": 70000}}}),
            InvalidArgument,
            "sip_from_header is no SIP address",
        ),
        ("bad override", json!({"toUserOverride": "a>b"}), InvalidArgument, "to_user_override has the character '>'"),
        ("bad number", json!({"sipNumber": "a b"}), InvalidArgument, "sip_number has the character ' '"),
        ("long name", json!({"displayName": "x".repeat(129)}), InvalidArgument, "DisplayName is too long (max 128"),
        (
            "name with a break",
            json!({"displayName": "a\nb"}),
            InvalidArgument,
            "DisplayName must be a valid quoted string",
        ),
        ("header of the stack", json!({"headers": {"Via": "x"}}), InvalidArgument, "Via"),
        ("header with a break", json!({"headers": {"X-A": "a\r\nVia: x"}}), InvalidArgument, "X-A"),
        ("header that is none", json!({"headers": {"X A": "a"}}), InvalidArgument, "X A"),
        (
            "two Routes, one bad",
            json!({"headers": {"Route": "<sip:h;lr>, <tel:+1>"}}),
            InvalidArgument,
            "Route is no SIP",
        ),
        (
            "many Routes",
            json!({"headers": {"Route": (["<sip:h;lr>"; 9].join(","))}}),
            InvalidArgument,
            "Route is no SIP",
        ),
        ("no Route", json!({"headers": {"Route": ","}}), InvalidArgument, "Route is no SIP"),
        ("bad Route", json!({"headers": {"route": "<tel:+1>"}}), InvalidArgument, "Route is no SIP address"),
        (
            "Route with a break",
            json!({"headers": {"Route": "<sip:h>\r\nVia: x"}}),
            InvalidArgument,
            "Route is no SIP address",
        ),
        ("bad dtmf", json!({"dtmf": "12x!"}), InvalidArgument, "dtmf has the character 'x'"),
        ("emergency", json!({"sipCallTo": "911"}), PermissionDenied, "911 is an emergency number"),
        ("emergency in disguise", json!({"sipCallTo": "+9-1-1"}), PermissionDenied, "is an emergency number"),
        (
            "emergency behind",
            json!({"sipCallTo": "", "sipRequestUri": {"raw": "sip:112@h"}}),
            PermissionDenied,
            "112 is an emergency number",
        ),
        ("emergency with dots", json!({"sipCallTo": "9.1.1"}), PermissionDenied, "9.1.1 is an emergency number"),
        ("emergency and done", json!({"sipCallTo": "112#"}), PermissionDenied, "112# is an emergency number"),
        ("emergency and a pause", json!({"sipCallTo": "999,,1"}), PermissionDenied, "is an emergency number"),
        ("emergency and a slash", json!({"sipCallTo": "+1_1'2/5"}), PermissionDenied, "is an emergency number"),
        ("emergency in To", json!({"toUserOverride": "911"}), PermissionDenied, "911 is an emergency number"),
        (
            "emergency in To as a whole",
            json!({"sipCallTo": "", "sipRequestUri": {"raw": "sip:1@h"}, "sipToHeader": {"raw": "sip:9.1.1@h"}}),
            PermissionDenied,
            "9.1.1 is an emergency number",
        ),
        ("negative", json!({"ringingTimeout": "-1s"}), InvalidArgument, "ringing_timeout must be"),
        ("city", json!({"destination": {"city": "Oslo"}}), InvalidArgument, "if city is specified"),
        ("country", json!({"destination": {"country": "usa"}}), InvalidArgument, "country must be a valid ISO 3166-1"),
        ("long room", json!({"roomName": "r".repeat(256)}), InvalidArgument, "room_name is too long"),
        (
            "long identity",
            json!({"participantIdentity": "r".repeat(256)}),
            InvalidArgument,
            "participant_identity is too long",
        ),
    ];
    for (name, more, code, text) in cases {
        let refusal = placed(more).map(|call| call.uri.to_string()).expect_err(name);
        assert_eq!(refusal.code(), *code, "{name}: {refusal}");
        assert!(refusal.to_string().contains(text), "{name}: {refusal}");
    }
    // Files and the API are held to one; if two got there all the same, neither is chosen by chance.
    let mut two = snapshot(DEFAULT);
    two.outbound_trunks.push(Arc::clone(&two.outbound_trunks[0]));
    let request = serde_json::from_value(json!({"sipCallTo": "1", "roomName": "r"})).unwrap();
    assert_eq!(place(&two, &request, &context()).unwrap_err(), Refusal::SeveralDefaults);
}

#[test]
fn what_must_be_allowed_is_when_it_is() {
    let mut allowing = context();
    allowing.defaults.allow_emergency = true;
    let request = json!({"sipTrunkId": "ST_loop", "sipCallTo": "112", "roomName": "r"});
    let call = place(&snapshot(TRUNKS), &serde_json::from_value(request).unwrap(), &allowing).unwrap();
    assert_eq!(call.callee, "112");
    for number in ["1120", "+49112", "200", "+1911555", "sos", "*110", "#112", "112a", "1.120", "a911"] {
        assert_eq!(placed(&json!({"sipCallTo": number})).unwrap().callee, number);
    }
}

#[test]
fn a_hidden_number_is_told_nowhere_in_the_room() {
    let call = placed(&json!({"hidePhoneNumber": true})).unwrap();
    assert!(!format!("{:?}", call.seat).contains("5550180"), "{:?}", call.seat);
    assert_eq!(call.seat.attributes.keys().collect::<Vec<_>>(), ["sip.callID", "sip.trunkID"]);
    assert!(call.seat.identity.starts_with("sip_") && call.seat.identity.len() == 20);
    let forged = json!({"participantAttributes": {"sip.phoneNumber": "+1900", "sip.x": "1", "y": "z"}});
    let call = placed(&forged).unwrap();
    assert_eq!(call.seat.attributes["sip.phoneNumber"], "+15550180");
    assert!(!call.seat.attributes.contains_key("sip.x") && call.seat.attributes["y"] == "z");
    assert_eq!(call.seat.notes.len(), 1);
}

#[test]
fn every_number_of_a_trunk_has_its_turn() {
    let trunks = "outbound_trunks: [{sip_trunk_id: ST_loop, address: h, numbers: ['1', '2', '3']}]";
    let request: proto::CreateSipParticipantRequest =
        serde_json::from_value(json!({"sipTrunkId": "ST_loop", "sipCallTo": "5", "roomName": "r"})).unwrap();
    let snapshot = snapshot(trunks);
    let number = |n: u8| {
        let mut random = [0; 16];
        random[15] = n;
        place(&snapshot, &request, &Context { random, ..context() }).unwrap().number
    };
    assert_eq!([number(0), number(1), number(2), number(3)], ["1", "2", "3", "1"]);
}

#[test]
fn targets_of_transfers() {
    let cases: &[(&str, Result<&str, Code>)] = &[
        ("tel:+15550500", Ok("tel:+15550500")),
        ("<tel:+15550500>", Ok("tel:+15550500")),
        ("tel:+15550500;ext=7", Ok("<tel:+15550500;ext=7>")),
        ("sip:bob@h.example;transport=tcp", Ok("<sip:bob@h.example;transport=tcp>")),
        ("<sips:bob@h.example>", Ok("<sips:bob@h.example>")),
        ("+1 (555) 0500", Ok("tel:+15550500")),
        ("200", Ok("tel:200")),
        ("bob", Err(Code::InvalidArgument)),
        ("", Err(Code::InvalidArgument)),
        ("https://h", Err(Code::InvalidArgument)),
        ("mailto:a@b", Err(Code::InvalidArgument)),
        ("sip:h.example", Err(Code::InvalidArgument)),
        ("sip:a@b>\r\nVia: x", Err(Code::InvalidArgument)),
        ("\"x\" <sip:a@b>", Err(Code::InvalidArgument)),
        ("tel:911", Err(Code::PermissionDenied)),
        ("sip:112@h", Err(Code::PermissionDenied)),
        ("sip:%39.1.1@h", Err(Code::PermissionDenied)),
        ("tel:9.1.1", Err(Code::PermissionDenied)),
    ];
    for (text, expected) in cases {
        let target = transfer_target(text, false);
        assert_eq!(target.as_deref().map_err(Refusal::code), expected.as_deref().map_err(|code| *code), "{text}");
    }
    assert_eq!(transfer_target("tel:911", true).unwrap(), "tel:911");
    for (refer_to, number) in [
        ("<sip:+15550500@h;transport=tcp?Replaces=x>", Some("+15550500")),
        ("tel:+1-555-0500", Some("+15550500")),
        ("<sip:a;b=c@h>", None),
        ("<sip:911@h>", None),
        ("<https://h>", None),
        ("x", None),
    ] {
        assert_eq!(callee(refer_to, false).ok().as_deref(), number, "{refer_to}");
    }
}

#[test]
fn files_of_lk_are_calls() {
    let trunks = "outbound_trunks: [{sip_trunk_id: ST_fixture0000002, name: twilio, address: demo.pstn.twilio.com, numbers: ['+15105550100']}]";
    let files = [
        include_str!("../../../tests/data/lk/sip-participant.json"),
        include_str!("../../../tests/data/lk/sip-participant-inline-trunk.json"),
        include_str!("../../../tests/data/lk/sip-participant-trunk-by-name.json"),
    ];
    for file in files {
        let request = serde_json::from_str(file).unwrap();
        let call = place(&snapshot(trunks), &request, &context()).unwrap_or_else(|refusal| panic!("{refusal}\n{file}"));
        assert!(call.uri.to_string().contains(".pstn.twilio.com"), "{file}");
        assert_eq!(call.from.uri.user.as_deref(), Some("+15105550100"));
    }
}
