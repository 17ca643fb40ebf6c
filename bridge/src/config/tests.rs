//! The configuration as a whole, from the text of a file to its types.

use super::*;
use crate::dispatch::Dtmf;

/// Loads a file, with what every configuration needs in the environment.
pub(crate) fn loaded(yaml: &str) -> Result<Loaded, Invalid> {
    load(yaml, &environment())
}

/// The trunks and rules of a file.
pub(crate) fn snapshot(yaml: &str) -> Snapshot {
    loaded(yaml).unwrap_or_else(|invalid| panic!("{invalid}\n{yaml}")).snapshot
}

pub(crate) fn environment() -> Environment {
    [
        ("LIVEKIT_URL", "ws://127.0.0.1:7880"),
        ("LIVEKIT_API_KEY", "devkey"),
        ("LIVEKIT_API_SECRET", "a-secret-that-is-long-enough-to-sign"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn refused(yaml: &str) -> String {
    match loaded(yaml) {
        Ok(loaded) => panic!("{yaml}\n{loaded:?}"),
        Err(invalid) => invalid.to_string(),
    }
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = loaded("").unwrap().config;
    assert_eq!((config.sip.port, config.sip.port_listen), (5060, 5060));
    assert!(config.sip.tls.is_none() && config.sip.reject == Reject::Silent && !config.sip.hide);
    assert_eq!(config.media.ports, 10_000..=20_000);
    assert_eq!(config.media.timeout, Duration::from_secs(15));
    assert_eq!(config.media.timeout_initial, Duration::from_secs(30));
    let quarantine = Quarantine { idle: Duration::from_secs(30), limit: Duration::from_secs(600) };
    assert_eq!(config.media.quarantine, Some(quarantine));
    assert_eq!(
        config.media.codecs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["G722/8000", "PCMU/8000", "PCMA/8000"]
    );
    assert_eq!(config.media.opus, Opus { bitrate: 32_000, complexity: 5, dtx: true });
    assert_eq!((config.media.threads, config.calls.max_active), (None, None));
    assert_eq!(config.calls.answer, Answer::OnTrack);
    assert!(config.addresses.listen.is_empty());
    assert_eq!((config.addresses.signalling, config.addresses.media), (External::Local, External::Local));
    assert!(config.http.health.is_none() && config.http.prometheus.is_none());
    assert_eq!((config.logging.level.as_str(), config.logging.json), ("info", false));
}

#[test]
fn codecs_are_on_off_or_for_those_who_list_them() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("{}", &["G722/8000", "PCMU/8000", "PCMA/8000"], &["opus/48000"]),
        ("{opus/48000/2: true}", &["opus/48000", "G722/8000", "PCMU/8000", "PCMA/8000"], &[]),
        ("{Opus/48000: true, G722/8000: false}", &["opus/48000", "PCMU/8000", "PCMA/8000"], &[]),
        ("{opus/48000/2: false, PCMA/8000: false}", &["G722/8000", "PCMU/8000"], &[]),
    ];
    for (codecs, on, listable) in cases {
        let media = loaded(&format!("codecs: {codecs}\n")).unwrap().config.media;
        assert_eq!(media.codecs.iter().map(ToString::to_string).collect::<Vec<_>>(), *on, "{codecs}");
        assert_eq!(media.listable.iter().map(ToString::to_string).collect::<Vec<_>>(), *listable, "{codecs}");
    }
}

#[test]
fn calls_out_have_their_keys() {
    let config = loaded("").unwrap().config;
    assert_eq!((config.http.api, config.http.api_proxy), (Some("127.0.0.1:7890".parse().unwrap()), true));
    assert!(config.outbound.dns_servers.is_empty() && !config.outbound.allow_emergency);
    assert_eq!((config.outbound.max_calls, config.outbound.calls_per_second), (None, None));
    assert_eq!((config.outbound.patience.as_secs(), config.transfer.refer), (4, false));
    assert_eq!((config.transfer.bridge, config.store.is_set()), (Bridging::Never, false));
    let denied = |address: &str| config.outbound.deny.iter().any(|network| network.contains(address.parse().unwrap()));
    for (address, expected) in [
        ("127.0.0.1", true),
        ("::ffff:127.0.0.1", true),
        ("169.254.169.254", true),
        ("0.0.0.0", true),
        ("239.1.1.1", true),
        ("255.255.255.255", true),
        ("::1", true),
        ("::", true),
        ("fe80::1", true),
        ("ff02::1", true),
        ("10.0.0.1", false),
        ("192.168.1.1", false),
        ("fd00::1", false),
        ("203.0.113.7", false),
    ] {
        assert_eq!(denied(address), expected, "{address}");
    }
    let config = loaded(
        "api_port: 0\ndns_servers: [192.0.2.53, '192.0.2.54:5353']\noutbound_deny: []\nallow_emergency: true\nstore: /t.db\n\
         outbound: {max_calls: 3, calls_per_second: 2, patience: 2s}\ntransfer: {refer: true, bridge: fallback}\n",
    )
    .unwrap()
    .config;
    assert_eq!(config.http.api, None);
    let servers = config.outbound.dns_servers.iter().map(ToString::to_string);
    assert_eq!(servers.collect::<Vec<_>>(), ["192.0.2.53:53", "192.0.2.54:5353"]);
    assert!(config.outbound.deny.is_empty() && config.outbound.allow_emergency);
    assert_eq!((config.outbound.max_calls, config.outbound.calls_per_second), (Some(3), Some(2)));
    assert_eq!((config.outbound.patience.as_secs(), config.transfer.refer), (2, true));
    assert_eq!((config.transfer.bridge, config.store), (Bridging::Fallback, StoreFile::Set("/t.db".into())));
}

#[test]
fn trunks_have_fields_beside_those_of_livekit() {
    let inbound = snapshot("inbound_trunks: [{numbers: ['1'], allow_refer: true, dtmf: info}]");
    assert_eq!(inbound.inbound_trunks[0].transfers.allow_refer, Some(true));
    assert_eq!(inbound.inbound_trunks[0].media.dtmf, Dtmf::Info);
    let snapshot = snapshot(
        "outbound_trunks: [{address: h, numbers: ['1'], defaultOutbound: true, maxCalls: 0, calls_per_second: 5, bridge_transfers: always, dtmf: inband, delayedOffer: true}, {address: h, numbers: ['2']}]",
    );
    let ours = snapshot.outbound_trunks[0].ours;
    assert_eq!((ours.default_outbound, ours.max_calls, ours.calls_per_second), (true, Some(0), Some(5)));
    assert_eq!((ours.transfers.allow_refer, ours.transfers.bridge_transfers), (None, Some(Bridging::Always)));
    assert!(ours.delayed_offer);
    assert_eq!((ours.dtmf, snapshot.outbound_trunks[0].media.dtmf), (Some(Dtmf::Inband), Dtmf::Inband));
    assert_eq!(snapshot.outbound_trunks[1].media.dtmf, Dtmf::Auto);
    assert_eq!(snapshot.outbound_trunks[1].ours, crate::store::OutboundExtras::default());
}

#[test]
fn zero_and_blanks_are_as_good_as_not_set() {
    let config = loaded(
        "sip_port: 0\nhealth_port: 0\nnat_1_to_1_ip: ''\nlocal_net: \"\"\nmedia_timeout: 0\nlogging: {level: ''}\n\
         rtp_port:\ntls:\nuser_agent: ''\ninbound_trunks: []\n",
    )
    .unwrap()
    .config;
    assert_eq!((config.sip.port, config.media.timeout), (5060, Duration::from_secs(15)));
    assert_eq!((config.logging.level.as_str(), config.sip.user_agent.as_str()), ("info", "Trunkline"));
    assert!(config.http.health.is_none() && config.addresses.local_net.is_none());
}

#[test]
fn a_file_of_livekit_sip_is_taken_as_it_is() {
    let loaded = loaded(
        "api_key: k\napi_secret: 0123456789012345678901234567890123\nws_url: wss://lk.example.com\n\
         redis: {address: localhost:6379, tls: {enabled: true}}\nsip_port: 5070\nrtp_port: 20000-30000\n\
         use_external_ip: true\nmedia_nat_1_to_1_ip: 203.0.113.10\nlocal_net: 10.0.0.0/8\nhealth_port: 8080\n\
         logging: {level: debug, json: true}\ncodecs: {G722/8000: true, PCMA/8000: false, AMR-WB/16000: true}\n\
         tls: {port: 443, certs: [{cert_file: c.pem, key_file: k.pem}], alpn: [], min_version: tls1.0}\n\
         rtp_draining_idle_timeout: -1s\nhide_inbound_port: yes\nmax_cpu_utilization: 0.8\nlog_level: debug\n\
         listen_ip: 0.0.0.0\nprometheus_port: 9100\n",
    )
    .unwrap();
    let config = &loaded.config;
    assert_eq!(config.livekit.url, "wss://lk.example.com");
    assert_eq!(config.livekit.api_key, "k");
    assert_eq!((config.sip.port, config.sip.port_listen, config.sip.hide), (5070, 5070, true));
    let tls = config.sip.tls.as_ref().unwrap();
    assert_eq!((tls.port, tls.port_listen, tls.alpn.len(), tls.only_1_3, tls.only_1_2), (443, 443, 0, false, false));
    assert_eq!(config.addresses.signalling, External::Discover);
    assert_eq!(config.addresses.media, External::Fixed("203.0.113.10".parse().unwrap()));
    assert_eq!(config.addresses.listen, ["0.0.0.0".parse::<IpAddr>().unwrap()]);
    assert_eq!(config.media.quarantine, None);
    assert_eq!(config.media.codecs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["G722/8000", "PCMU/8000"]);
    assert_eq!(config.http.health, Some("0.0.0.0:8080".parse().unwrap()));
    assert_eq!(config.http.prometheus, Some("127.0.0.1:9100".parse().unwrap()));
    let notes: Vec<_> = loaded.notes.iter().map(|note| note.text.as_str()).collect();
    for part in [
        "redis has no effect: Drop-in mode is not in this version",
        "log_level",
        "max_cpu",
        "AMR-WB/16000 is not",
        "TLS 1.2",
    ] {
        assert!(notes.iter().any(|note| note.contains(part)), "{part}: {notes:?}");
    }
}

#[test]
fn mistakes_name_the_key_the_value_and_what_is_expected() {
    let trunk = "inbound_trunks: [{numbers: ['1']";
    let cases: &[(&str, &[&str])] = &[
        ("sip_prot: 1", &["line 1, column 1", "unknown key \"sip_prot\"", "did you mean \"sip_port\"?"]),
        ("a: 1\nzzzzzzzz: 2", &["line 2, column 1", "unknown key \"zzzzzzzz\""]),
        ("tls:\n  cert: x", &["line 2, column 3", "\"tls.cert\"", "\"tls.certs\""]),
        ("loglevel: info", &["\"loglevel\"", "\"log_level\""]),
        ("sip_port: sixty", &["line 1, column 11", "sip_port is \"sixty\"", "a port from 1 to 65535"]),
        ("sip_port: 70000", &["\"70000\""]),
        ("sip_port: [1]", &["sip_port is a list"]),
        ("sip_ringing_interval: 2m", &["from 1s to 1m"]),
        ("media_timeout: 15", &["\"15\"", "a duration from 1s", "like 30s or 1m30s"]),
        ("reject: 0", &["one of silent"]),
        ("reject: drop", &["one of silent, 403, 404"]),
        ("opus: {bitrate: 1}", &["opus.bitrate", "a whole number from 6000 to 128000"]),
        ("tls: 5061", &["tls is \"5061\"", "a map of keys"]),
        ("- a", &["the file is a list"]),
        ("nat_1_to_1_ip: host", &["an IP address"]),
        ("use_external_ip: true\nnat_1_to_1_ip: 192.0.2.1", &["use_external_ip and nat_1_to_1_ip exclude each other"]),
        ("hide_inbound_port: true\nreject: 404", &["exclude each other"]),
        ("sip_port: 12000", &["sip_port_listen and rtp_port both want port 12000"]),
        ("tls: {port: 5060, certs: [{cert_file: a, key_file: b}]}", &["both want port 5060"]),
        (
            "tls: {min_version: tls1.3, max_version: tls1.2, certs: [{cert_file: a, key_file: b}]}",
            &["exclude each other"],
        ),
        ("outbound_route_headers: [proxy]", &["outbound_route_headers", "such as <sip:proxy.example.com;lr>"]),
        ("outbound_route_headers: ['<sip:p;lr>', '<tel:+1>']", &["outbound_route_headers"]),
        ("codecs: {G723/8000: true}", &["codecs.G723/8000", "G722/8000"]),
        ("codecs: {PCMU/8000: false, PCMA/8000: false, G722/8000: false}", &["without any codec"]),
        ("codecs: {opus/16000: true}", &["codecs.opus/16000", "opus/48000"]),
        ("ws_url: example.com", &["a URL that begins with ws://"]),
        ("a: 1\na: 2", &["not YAML", "line 2"]),
        ("inbound_trunks: [x]", &["inbound_trunks[0] is \"x\", expected a map"]),
        (&format!("{trunk}, nubmers: []}}]"), &["inbound_trunks[0].nubmers", "did you mean \"numbers\"?"]),
        (&format!("{trunk}, authUser: x}}]"), &["inbound_trunks[0].authUser", "auth_username"]),
        (&format!("{trunk}, numbers: ['2']}}]"), &["not YAML"]),
        (&format!("{trunk}, authUsername: x, auth_username: y}}]"), &["only once"]),
        (&format!("{trunk}, include_headers: X}}]"), &["SIP_X_HEADERS"]),
        (
            &format!("{trunk}, media: {{codecs: [{{nam: x}}]}}}}]"),
            &["inbound_trunks[0].media.codecs[0].nam", "\"name\""],
        ),
        (&format!("{trunk}, ringing_timeout: 10}}]"), &["inbound_trunks[0].ringing_timeout is \"10\"", "1m30s"]),
        (&format!("{trunk}, auth_password: [s3cret]}}]"), &["auth_password is a list"]),
        ("dispatch_rules: [{rule: {dispatch_rule_direkt: {room_name: x}}}]", &["dispatch_rule_direct"]),
        (
            "dispatch_rules: [{rule: {dispatch_rule_individual: {}}, answer: later}]",
            &["one of immediately, on_participant, on_track"],
        ),
    ];
    for (yaml, parts) in cases {
        let text = refused(yaml);
        for part in *parts {
            assert!(text.contains(part), "{yaml}\n{text}\nwithout {part}");
        }
    }
}

#[test]
fn a_broken_trunk_is_not_held_against_its_rules() {
    let rules = "dispatch_rules:\n- trunk_ids: [twilio]\n  rule: {dispatch_rule_direct: {}}\n- rule: {}\n";
    let unreadable = format!("inbound_trunks:\n- name: twilio\n  nubmers: []\n{rules}");
    let refused_trunk = format!("inbound_trunks:\n- name: twilio\n  numbers: ['']\n{rules}");
    for (yaml, at) in
        [(unreadable, "line 3, column 3: unknown key"), (refused_trunk, "line 2, column 3: inbound trunk")]
    {
        let text = refused(&yaml);
        assert!(text.starts_with(at), "{text}");
        assert!(!text.contains("no inbound trunk"), "{text}");
        assert!(text.contains("line 5, column 3: dispatch rule SDR_") && text.contains("line 7, column 3: "), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    assert_eq!(refused("sip_prot: 1\nmedia_timeout: x\ndispatch_rules: [{}]").lines().count(), 3);
}

#[test]
fn the_environment_stands_in_for_what_the_file_lacks() {
    let none = Environment::new();
    let text = load("", &none).unwrap_err().to_string();
    for part in ["ws_url is not set", "LIVEKIT_WS_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut both = environment();
    both.insert("LIVEKIT_WS_URL".into(), "wss://first".into());
    assert_eq!(load("", &both).unwrap().config.livekit.url, "wss://first");
    assert_eq!(load("ws_url: wss://file", &both).unwrap().config.livekit.url, "wss://file");
    both.insert("LIVEKIT_WS_URL".into(), "nonsense".into());
    assert!(load("", &both).unwrap_err().to_string().contains("LIVEKIT_WS_URL is \"nonsense\""));
}

#[test]
fn the_text_comes_from_where_it_is_said_to() {
    let mut environment = environment();
    let read =
        |source: Source, environment: &Environment| source.read(environment).map(|loaded| loaded.config.sip.port);
    assert!(matches!(read(Source::default(), &environment).unwrap_err().errors[..], [Error::Nothing]));
    environment.insert("SIP_CONFIG_FILE".into(), "/nonexistent/file.yaml".into());
    assert!(matches!(read(Source::default(), &environment).unwrap_err().errors[..], [Error::File { .. }]));
    environment.insert("SIP_CONFIG_BODY".into(), "sip_port: 1001".into());
    assert_eq!(read(Source::default(), &environment).unwrap(), 1001);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/trunkline.example.yaml");
    let file = Source { file: Some(example.into()), body: None };
    assert_eq!(read(file, &environment).unwrap(), 5060);
    let body = Source { file: Some(example.into()), body: Some("sip_port: 1002".into()) };
    assert_eq!(read(body, &environment).unwrap(), 1002);
}

/// The gateway's voice, of all callers, of a language, and of one rule.
#[test]
fn recordings_are_named_by_language_and_by_rule() {
    use crate::call::pin::Prompt;
    let folder = crate::store::tests::Folder::new();
    let file = |name: &str, length: usize| {
        let path = folder.path(name);
        crate::wav::write(&path, &vec![1; length]).unwrap();
        path.display().to_string()
    };
    let (usual, dutch, own) = (file("usual.wav", 10), file("dutch.wav", 20), file("own.wav", 30));
    let rule = "rule: {dispatch_rule_callee: {}}";
    let yaml = format!(
        "prompts: {{enter_pin: {usual}, nl: {{enter_pin: {dutch}}}, de: {{wrong_pin: {dutch}}}}}\n\
         dispatch_rules: [{{{rule}, language: de_AT, prompts: {{room_join: {own}, hold: {own}}}}}, \
         {{{rule}, name: b, language: nl, priority: 1}}, {{{rule}, name: c, language: eo, priority: 2}}]"
    );
    let loaded = load(&yaml, &environment()).unwrap();
    let heard = |language: &str, prompt| loaded.config.prompts.of(language, prompt).len();
    assert_eq!(["", "nl", "xx"].map(|language| heard(language, Prompt::EnterPin)), [10, 20, 10]);
    assert_eq!(heard("de", Prompt::WrongPin), 20);
    assert!(heard("de", Prompt::EnterPin) > 8_000, "that one comes with the gateway");
    let rule = &loaded.snapshot.dispatch_rules[0].ours.voice;
    assert_eq!((rule.language.as_str(), rule.prompts.files().count()), ("de_AT", 2));
    let notes: Vec<_> = loaded.notes.iter().filter(|note| note.text.contains("recordings")).collect();
    assert_eq!(notes.len(), 2, "nl has one of three and eo none: {notes:?}");
    let shown = render(&loaded);
    assert!(shown.contains(&format!("prompts.<language>.enter_pin: {{nl: {dutch}}}")), "{shown}");
    let cases = [
        ("prompts: {nl: {enter_pin: /no/such.wav}}", "prompts.nl.enter_pin"),
        ("prompts: {dutch: {enter_pin: /no/such.wav}}", "prompts.dutch"),
        ("prompts: {nl: {hold: /no/such.wav}}", "prompts.nl.hold"),
        ("dispatch_rules: [{rule: {dispatch_rule_callee: {}}, language: german}]", "language must be a language tag"),
        (
            "dispatch_rules: [{rule: {dispatch_rule_callee: {}}, prompts: {hold: /no.wav}}]",
            "dispatch_rules[0].prompts.hold",
        ),
        (
            "dispatch_rules: [{rule: {dispatch_rule_callee: {}}, prompts: {enter: x}}]",
            "dispatch_rules[0].prompts.enter",
        ),
    ];
    for (yaml, expected) in cases {
        let error = refused(yaml);
        assert!(error.contains(expected), "{yaml}: {error}");
    }
}

#[test]
fn secrets_are_shown_nowhere() {
    let yaml = "api_secret: s3cret\ninbound_trunks: [{numbers: ['1'], auth_username: u, auth_password: s3cret}]\n\
                outbound_trunks: [{address: h, numbers: ['1'], auth_username: u, auth_password: s3cret}]\n\
                dispatch_rules: [{rule: {dispatch_rule_direct: {room_name: r, pin: '73314'}}}]";
    let loaded = loaded(yaml).unwrap();
    let shown = format!("{loaded:?}{}", render(&loaded));
    assert!(!shown.contains("s3cret") && !shown.contains("73314"), "{shown}");
    assert!(loaded.notes.iter().any(|note| note.text.contains("shorter than 32 bytes")));
}

#[test]
fn the_example_is_valid_and_rendered() {
    let example = include_str!("../../../docs/trunkline.example.yaml");
    let loaded = load(example, &Environment::new()).unwrap_or_else(|invalid| panic!("{invalid}"));
    let text = render(&loaded);
    for part in ["sip_port: 5060", "rtp_port: 10000-20000", "\"demo\" (ST_", "127.0.0.1, ::1", "call-", "priority 2101"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(loaded.notes.len(), 1, "the short secret alone: {:?}", loaded.notes);
}

#[test]
fn the_manual_is_that_of_the_code() {
    let manual = include_str!("../../../docs/configuration.md");
    for table in manual::tables() {
        assert!(
            manual.contains(&format!("<!-- {} -->\n\n{}", table.heading, table.markdown)),
            "the table {:?} of docs/configuration.md should be\n{}",
            table.heading,
            table.markdown
        );
    }
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("| `")).count();
    let code: usize = manual::tables().iter().map(|table| rows(&table.markdown)).sum();
    assert_eq!(rows(manual), code, "rows that the code does not know");
}

#[test]
fn every_example_and_default_of_a_key_fits() {
    for key in key::KEYS {
        for text in [key.example, key.default] {
            if text.is_empty() || text.starts_with('=') {
                continue;
            }
            let document = tree::Node::parse(&format!("v: {text}")).unwrap();
            let node = &document.entries().unwrap()[0].2;
            assert!(key.kind.fits(node), "{}: {text}", key.path);
        }
    }
}

#[test]
fn signatures_of_callers_are_verified_against_a_file_that_can_be_read() {
    let off = loaded("stir: {ca_file: /nonexistent}").unwrap().config.stir;
    assert!(off.authorities.is_none() && off.hosts.is_empty() && !off.allow_loopback);
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/stir/ca.pem");
    let on = loaded(&format!("stir: {{verify: on, ca_file: {ca}, hosts: [a.example]}}")).unwrap().config.stir;
    assert!(on.authorities.is_some() && on.hosts == ["a.example"]);
    assert!(refused("stir: {verify: on}").contains("stir.ca_file is not set"));
    for file in ["/nonexistent", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let error = refused(&format!("stir: {{verify: true, ca_file: {file}}}"));
        assert!(error.contains("stir.ca_file") && error.contains("expected a file of certificates"), "{error}");
    }
}
