//! Offer and answer, on the texts of carriers and phones.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use media::sdp::{
    Codec, Direction, Error, Exchange, Local, Negotiated, Policy, Preference, Session, accept_answer, answer, offer,
};
use proptest::prelude::*;

const DATA: &[(&str, &[u8])] = &[
    ("livekit-sip-offer", include_bytes!("data/livekit-sip-offer.sdp")),
    ("scanner-invite", include_bytes!("data/scanner-invite.sdp")),
    ("telnyx-invite", include_bytes!("data/telnyx-invite.sdp")),
    ("telnyx-invite-call-control", include_bytes!("data/telnyx-invite-call-control.sdp")),
    ("telnyx-invite-tls-srtp", include_bytes!("data/telnyx-invite-tls-srtp.sdp")),
    ("twilio-dial-sip-invite", include_bytes!("data/twilio-dial-sip-invite.sdp")),
    ("twilio-invite", include_bytes!("data/twilio-invite.sdp")),
    ("twilio-invite-opus", include_bytes!("data/twilio-invite-opus.sdp")),
    ("twilio-invite-tls-plain-rtp", include_bytes!("data/twilio-invite-tls-plain-rtp.sdp")),
    ("twilio-invite-tls-srtp", include_bytes!("data/twilio-invite-tls-srtp.sdp")),
    ("twilio-reinvite-hold", include_bytes!("data/twilio-reinvite-hold.sdp")),
    ("twilio-term-183-early", include_bytes!("data/twilio-term-183-early.sdp")),
    ("twilio-term-200", include_bytes!("data/twilio-term-200.sdp")),
];

fn data(name: &str) -> Session {
    let (_, body) = DATA.iter().find(|(known, _)| *known == name).expect("a file of that name");
    Session::parse(body).expect("the sample reads")
}

fn local() -> Local {
    Local {
        address: IpAddr::from([203, 0, 113, 10]),
        rtp_port: 20_000,
        rtcp_port: 20_001,
        session_id: 42,
        version: 42,
        direction: Direction::SendRecv,
    }
}

/// An audio offer: its media line's formats, and the attributes after it.
fn offered(formats: &str, attributes: &str) -> Session {
    let attributes: String =
        attributes.split(';').filter(|line| !line.is_empty()).map(|line| format!("a={line}\r\n")).collect();
    text(&format!("c=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP {formats}\r\n{attributes}"))
}

fn text(rest: &str) -> Session {
    Session::parse(format!("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n{rest}").as_bytes()).expect("a session")
}

fn taken(offer: &Session, policy: &Policy) -> (Negotiated, String) {
    answer(offer, &local(), policy).expect("an answer")
}

#[test]
fn carriers_are_answered() {
    type Case<'a> = (&'a str, Result<(Codec, u8, Option<u8>, &'a str), u16>);
    let cases: &[Case<'_>] = &[
        ("livekit-sip-offer", Err(488)),
        ("scanner-invite", Ok((Codec::Pcmu, 0, None, "198.51.100.200:10000"))),
        ("telnyx-invite", Ok((Codec::Pcmu, 0, Some(101), "50.114.144.60:19206"))),
        ("telnyx-invite-call-control", Ok((Codec::Pcmu, 0, Some(101), "50.114.144.60:19206"))),
        ("telnyx-invite-tls-srtp", Err(488)),
        ("twilio-dial-sip-invite", Ok((Codec::Pcmu, 0, Some(101), "168.86.137.21:15002"))),
        ("twilio-invite", Ok((Codec::Pcmu, 0, Some(101), "168.86.137.21:18334"))),
        ("twilio-invite-opus", Ok((Codec::Pcmu, 0, Some(101), "168.86.137.21:21440"))),
        ("twilio-invite-tls-plain-rtp", Ok((Codec::Pcmu, 0, Some(101), "168.86.137.21:27120"))),
        ("twilio-invite-tls-srtp", Err(488)),
        ("twilio-reinvite-hold", Ok((Codec::Pcmu, 0, Some(101), "168.86.150.9:40112"))),
        ("twilio-term-183-early", Ok((Codec::Pcmu, 0, Some(101), "168.86.137.21:33020"))),
        ("twilio-term-200", Ok((Codec::Pcmu, 0, Some(101), "168.86.137.21:33020"))),
    ];
    assert_eq!(cases.len(), DATA.len());
    for (name, expected) in cases {
        let taken = answer(&data(name), &local(), &Policy::default());
        let told =
            taken.as_ref().map(|(n, _)| (n.codec, n.payload_type, n.events, n.remote_rtp)).map_err(Error::status_hint);
        let expected = expected
            .map(|(codec, payload_type, events, at)| (codec, payload_type, events, at.parse().expect("an address")));
        assert_eq!(told, expected, "{name}");
        if let Ok((_, text)) = taken {
            assert!(Session::parse(text.as_bytes()).is_ok(), "{name}: {text}");
        }
    }
}

#[test]
fn carriers_that_speak_g722_are_spoken_to_in_it() {
    let wide = Policy::with_codecs(&[Codec::G722], false);
    for (name, expected) in [
        ("telnyx-invite", Some((Codec::G722, 9))),
        ("telnyx-invite-call-control", Some((Codec::Pcmu, 0))),
        ("twilio-invite", Some((Codec::Pcmu, 0))),
        ("twilio-invite-opus", Some((Codec::Pcmu, 0))),
        ("twilio-dial-sip-invite", Some((Codec::Pcmu, 0))),
    ] {
        let told = answer(&data(name), &local(), &wide).ok();
        assert_eq!(told.as_ref().map(|(n, _)| (n.codec, n.payload_type)), expected, "{name}");
        let (negotiated, text) = told.expect("an answer");
        if negotiated.codec == Codec::G722 {
            // The clock of the line is 8000, and so is that of the keys.
            assert!(text.contains("m=audio 20000 RTP/AVP 9 101\r\na=rtpmap:9 G722/8000\r\n"), "{name}: {text}");
            assert!(text.contains("a=rtpmap:101 telephone-event/8000\r\n"), "{name}: {text}");
        }
    }
    assert!(offer(&local(), &wide).contains("m=audio 20000 RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\n"));
}

#[test]
fn a_later_offer_of_ours_begins_with_what_is_in_force() {
    let policy = Policy::with_codecs(&[Codec::G722], false);
    let mut exchange = Exchange::new(local(), policy);
    exchange.offer();
    exchange.accept_answer(&offered("8 9 0", "")).expect("an answer");
    assert!(exchange.offer().contains("m=audio 20000 RTP/AVP 8 9 0\r\n"));
    // The peer wants another codec, and back.
    for (formats, codec) in [("9", Codec::G722), ("9 0", Codec::G722), ("0", Codec::Pcmu), ("9 0", Codec::Pcmu)] {
        let (negotiated, _) = exchange.answer(&offered(formats, "")).expect("an answer");
        assert_eq!(negotiated.codec, codec, "{formats}");
    }
}

#[test]
fn an_answer_to_the_letter() {
    let (_, text) = taken(&data("twilio-invite"), &Policy::default());
    let expected = [
        "v=0",
        "o=- 42 42 IN IP4 203.0.113.10",
        "s=-",
        "c=IN IP4 203.0.113.10",
        "t=0 0",
        "m=audio 20000 RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ];
    assert_eq!(text, expected.join("\r\n"));
}

#[test]
fn codecs_are_chosen_by_policy() {
    use Codec::{G722, Opus, Pcma, Pcmu};
    let policy = |codecs: &[Codec], preference| Policy { codecs: codecs.to_vec(), preference, ..Policy::default() };
    let (ours, theirs) = (Preference::Ours, Preference::Theirs);
    type Case<'a> = (&'a str, &'a str, &'a str, Policy, Option<(Codec, u8)>);
    let cases: &[Case<'_>] = &[
        ("ours first", "8 0", "", policy(&[Pcmu, Pcma], ours), Some((Pcmu, 0))),
        ("theirs first", "8 0", "", policy(&[Pcmu, Pcma], theirs), Some((Pcma, 8))),
        ("only one in common", "8", "", policy(&[Pcmu, Pcma], ours), Some((Pcma, 8))),
        ("none in common", "18 3", "", policy(&[Pcmu, Pcma], ours), None),
        ("not enabled", "9", "", policy(&[Pcmu, Pcma], ours), None),
        ("enabled", "9 0", "", policy(&[G722, Pcmu], ours), Some((G722, 9))),
        ("a dynamic type", "97", "rtpmap:97 PCMA/8000", policy(&[Pcma], ours), Some((Pcma, 97))),
        ("in small letters, one channel", "97", "rtpmap:97 pcmu/8000/1", policy(&[Pcmu], ours), Some((Pcmu, 97))),
        ("two channels", "97", "rtpmap:97 PCMU/8000/2", policy(&[Pcmu], ours), None),
        ("another clock", "97", "rtpmap:97 PCMU/16000", policy(&[Pcmu], ours), None),
        ("a static type that is mapped away", "0", "rtpmap:0 iLBC/8000", policy(&[Pcmu], ours), None),
        ("opus", "107 0", "rtpmap:107 opus/48000/2", policy(&[Opus, Pcmu], ours), Some((Opus, 107))),
        ("mapped, not in the line", "3", "rtpmap:0 PCMU/8000", policy(&[Pcmu], ours), None),
        ("types that are none", "x 300 0", "", policy(&[Pcmu], ours), Some((Pcmu, 0))),
        ("no codec, only events", "101", "rtpmap:101 telephone-event/8000", policy(&[Pcmu], ours), None),
    ];
    for (name, formats, attributes, policy, expected) in cases {
        let told = answer(&offered(formats, attributes), &local(), policy);
        let told = told.map(|(n, text)| {
            assert!(text.contains(&format!("m=audio 20000 RTP/AVP {}\r\n", n.payload_type)), "{name}: {text}");
            (n.codec, n.payload_type)
        });
        assert_eq!(told, expected.ok_or(Error::NoCommonCodec), "{name}");
    }
    assert_eq!(Policy::with_codecs(&[G722, Pcma], false).codecs, [G722, Pcma, Pcmu]);
    assert_eq!(Policy::with_codecs(&[Pcma], true).codecs, [Pcma]);
}

#[test]
fn events_share_the_clock_and_the_keys() {
    let both = "rtpmap:107 opus/48000/2;rtpmap:101 telephone-event/8000;rtpmap:103 telephone-event/48000";
    type Case<'a> = (&'a str, &'a str, &'a str, Option<(u8, &'a str)>);
    let cases: &[Case<'_>] = &[
        ("all", "0 101", "rtpmap:101 telephone-event/8000;fmtp:101 0-16", Some((101, "0-15"))),
        ("some", "0 101", "rtpmap:101 telephone-event/8000;fmtp:101 0-9,11,66", Some((101, "0-9,11"))),
        ("unsaid", "0 96", "rtpmap:96 telephone-event/8000", Some((96, "0-15"))),
        ("none of the keys", "0 101", "rtpmap:101 telephone-event/8000;fmtp:101 32-40", None),
        ("backwards", "0 101", "rtpmap:101 telephone-event/8000;fmtp:101 9-0", None),
        ("another clock", "0 103", "rtpmap:103 telephone-event/48000", None),
        ("not in the line", "0", "rtpmap:101 telephone-event/8000", None),
        ("of two clocks that of PCMU", "0 103 101", both, Some((101, "0-15"))),
        ("of two clocks that of opus", "107 101 103", both, Some((103, "0-15"))),
        ("that of the telephone beside opus, if there is no other", "107 101", both, Some((101, "0-15"))),
    ];
    for (name, formats, attributes, expected) in cases {
        let (negotiated, text) = taken(&offered(formats, attributes), &Policy::with_codecs(&[Codec::Opus], false));
        assert_eq!(negotiated.events, expected.map(|(payload_type, _)| payload_type), "{name}");
        assert_eq!(negotiated.receive_events, negotiated.events, "{name}");
        let parameters = expected.map(|(payload_type, keys)| format!("a=fmtp:{payload_type} {keys}\r\n"));
        assert_eq!(text.contains("telephone-event"), parameters.is_some(), "{name}: {text}");
        assert!(parameters.is_none_or(|line| text.contains(&line)), "{name}: {text}");
    }
    let off = Policy { events: false, ..Policy::default() };
    assert_eq!(taken(&data("twilio-invite"), &off).0.events, None);
}

/// What of a carrier's offer is agreed upon by those who have Opus, and by those who have not.
#[test]
fn carriers_that_speak_opus_are_spoken_to_in_it() {
    let on = Policy::with_codecs(&[Codec::Opus, Codec::G722], false);
    let twilio = "m=audio 20000 RTP/AVP 107 101|a=rtpmap:107 opus/48000/2|a=rtpmap:101 telephone-event/8000|\
                  a=fmtp:107 useinbandfec=1|a=fmtp:101 0-15|a=ptime:20|a=sendrecv|";
    let telnyx = "m=audio 20000 RTP/AVP 102 103|a=rtpmap:102 opus/48000/2|a=rtpmap:103 telephone-event/48000|\
                  a=fmtp:102 useinbandfec=1|a=fmtp:103 0-15|a=ptime:20|a=sendrecv|";
    for (name, number, text, events, more, bitrate, longest) in [
        ("twilio-invite-opus", 107, twilio, (101, 8_000), None, 510_000, 20),
        ("telnyx-invite", 102, telnyx, (103, 48_000), Some(101), 30_000, 40),
    ] {
        let (negotiated, answer) = taken(&data(name), &on);
        assert_eq!((negotiated.codec, negotiated.payload_type), (Codec::Opus, number), "{name}");
        assert_eq!((negotiated.events, negotiated.event_rate), (Some(events.0), events.1), "{name}");
        assert_eq!(negotiated.more_events, more, "{name}: heard as well");
        assert_eq!((negotiated.opus.bitrate, negotiated.opus.redundancy), (bitrate, true), "{name}");
        assert_eq!(negotiated.opus.longest, Duration::from_millis(longest), "{name}");
        assert_eq!(
            answer.split_once("m=").map(|(_, media)| format!("m={}", media.replace("\r\n", "|"))).as_deref(),
            Some(text),
            "{name}"
        );
        let (off, _) = taken(&data(name), &Policy::with_codecs(&[Codec::Pcmu], false));
        assert_eq!((off.codec, off.events, off.event_rate), (Codec::Pcmu, Some(101), 8_000), "{name}");
    }
}

#[test]
fn opus_is_offered_with_events_of_both_clocks() {
    let on = Policy::with_codecs(&[Codec::Opus, Codec::G722], false);
    let ours = offer(&local(), &on);
    assert!(ours.contains("m=audio 20000 RTP/AVP 96 9 0 8 101 102\r\n"), "{ours}");
    for line in ["a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:102 telephone-event/48000"]
    {
        assert!(ours.contains(&format!("{line}\r\n")), "{ours}");
    }
    // Whichever is answered, and under whatever numbers.
    let map = "rtpmap:111 opus/48000/2;rtpmap:110 telephone-event/48000;rtpmap:101 telephone-event/8000;";
    for (formats, extra, codec, sent, heard, rate) in [
        ("111 110", "fmtp:111 stereo=1", Codec::Opus, Some(110), Some(102), 48_000),
        ("111 101", "", Codec::Opus, Some(101), Some(101), 8_000),
        ("0 101", "", Codec::Pcmu, Some(101), Some(101), 8_000),
        ("111", "", Codec::Opus, None, None, 8_000),
    ] {
        let answer = offered(formats, &format!("{map}{extra}"));
        let agreed = accept_answer(&answer, &local(), &on).expect("an answer");
        assert_eq!((agreed.codec, agreed.events, agreed.receive_events), (codec, sent, heard), "{formats}");
        assert_eq!((agreed.event_rate, agreed.opus.stereo), (rate, extra.contains("stereo")), "{formats}");
    }
    let mut exchange = Exchange::new(local(), on);
    exchange.answer(&data("telnyx-invite")).expect("an answer");
    let again = exchange.offer();
    assert!(again.contains("m=audio 20000 RTP/AVP 102 103\r\n"), "{again}");
    assert!(again.contains("a=rtpmap:103 telephone-event/48000\r\n"), "{again}");
}

#[test]
fn packets_of_opus_are_of_one_frame() {
    let on = Policy::with_codecs(&[Codec::Opus], false);
    for (attributes, expected) in [
        ("", 20),
        ("ptime:30", 20),
        ("ptime:60", 60),
        ("ptime:60;maxptime:40", 40),
        ("ptime:10", 10),
        ("fmtp:107 ptime=40", 40),
        ("fmtp:107 ptime=40;ptime:10", 10),
    ] {
        let offer = offered("107", &format!("rtpmap:107 opus/48000/2;{attributes}"));
        let (negotiated, text) = taken(&offer, &on);
        assert_eq!(negotiated.ptime, Duration::from_millis(expected), "{attributes}");
        assert!(text.contains(&format!("a=ptime:{expected}\r\n")), "{attributes}: {text}");
    }
}

#[test]
fn comfort_noise_is_agreed_upon_where_it_is_wanted() {
    let wanting = Policy { comfort_noise: true, ..Policy::with_codecs(&[Codec::G722], false) };
    let cases: &[(&str, &str, &str, Option<u8>)] = &[
        ("by number", "0 13", "", Some(13)),
        ("by name", "0 13 101", "rtpmap:13 CN/8000;rtpmap:101 telephone-event/8000", Some(13)),
        ("under another number", "8 118", "rtpmap:118 cn/8000", Some(118)),
        ("with G.722, whose clock says 8000", "9 13", "", Some(13)),
        ("of another clock", "0 118", "rtpmap:118 CN/16000", None),
        ("13 is something else", "0 13", "rtpmap:13 telephone-event/8000", None),
        ("not offered", "0", "", None),
    ];
    for (name, formats, attributes, expected) in cases {
        let offer = offered(formats, attributes);
        let (negotiated, text) = taken(&offer, &wanting);
        assert_eq!(negotiated.comfort_noise, *expected, "{name}");
        let line = expected.map(|payload_type| format!("a=rtpmap:{payload_type} CN/8000\r\n"));
        assert_eq!(line.as_ref().is_some_and(|line| text.contains(line)), expected.is_some(), "{name}: {text}");
        let (negotiated, text) = taken(&offer, &Policy { comfort_noise: false, ..wanting.clone() });
        assert_eq!((negotiated.comfort_noise, text.contains(" CN/")), (None, false), "{name}");
    }
}

#[test]
fn comfort_noise_is_offered_where_it_is_wanted() {
    for wanted in [true, false] {
        let policy = Policy { comfort_noise: wanted, ..Policy::default() };
        let text = offer(&local(), &policy);
        assert_eq!(text.contains("m=audio 20000 RTP/AVP 0 8 13 101\r\n"), wanted, "{text}");
        assert_eq!(text.contains("a=rtpmap:13 CN/8000\r\n"), wanted, "{text}");
        // They may answer without, and under a number of theirs; what was not offered is not taken.
        for (formats, attributes, theirs) in
            [("0", "", None), ("0 13", "", Some(13)), ("0 99", "rtpmap:99 CN/8000", Some(99))]
        {
            let negotiated = accept_answer(&offered(formats, attributes), &local(), &policy).expect("an answer");
            assert_eq!(negotiated.comfort_noise, theirs.filter(|_| wanted), "{formats}");
        }
    }
}

#[test]
fn a_later_offer_of_ours_keeps_comfort_noise() {
    let policy = Policy { comfort_noise: true, ..Policy::default() };
    for (formats, kept) in [("0 13", true), ("0", false)] {
        let mut exchange = Exchange::new(local(), policy.clone());
        exchange.answer(&offered(formats, "")).expect("an answer");
        assert_eq!(exchange.offer().contains("a=rtpmap:13 CN/8000"), kept, "{formats}");
    }
}

#[test]
fn ptime_is_that_of_the_peer() {
    let cases: &[(&str, u64)] = &[
        ("", 20),
        ("ptime:10", 10),
        ("ptime:30", 30),
        ("ptime:60", 60),
        ("ptime:200", 60),
        ("ptime:1", 10),
        ("ptime:5;maxptime:5", 5),
        ("ptime:20;maxptime:1", 5),
        ("ptime:30;maxptime:10", 10),
        ("ptime:0", 20),
        ("ptime:65535", 20),
        ("maxptime:10", 10),
        ("ptime:40;maxptime:20", 20),
        ("ptime:20;maxptime:150", 20),
        ("ptime:60;maxptime:0", 60),
    ];
    for (attributes, expected) in cases {
        let (negotiated, text) = taken(&offered("0", attributes), &Policy::default());
        assert_eq!(negotiated.ptime, Duration::from_millis(*expected), "{attributes}");
        assert!(text.contains(&format!("a=ptime:{expected}\r\n")), "{attributes}: {text}");
    }
}

#[test]
fn direction_is_answered() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let cases: &[(&str, &str, Direction, Direction)] = &[
        ("198.51.100.7", "", SendRecv, SendRecv),
        ("198.51.100.7", "a=sendonly\r\n", SendRecv, RecvOnly),
        ("198.51.100.7", "a=recvonly\r\n", SendRecv, SendOnly),
        ("198.51.100.7", "a=inactive\r\n", SendRecv, Inactive),
        ("198.51.100.7", "", SendOnly, SendOnly),
        ("198.51.100.7", "a=sendonly\r\n", SendOnly, Inactive),
        ("0.0.0.0", "", SendRecv, RecvOnly),
        ("0.0.0.0", "a=sendonly\r\n", SendRecv, RecvOnly),
        ("0.0.0.0", "a=recvonly\r\n", SendRecv, Inactive),
        ("0.0.0.0", "a=inactive\r\n", SendRecv, Inactive),
    ];
    for (host, attribute, wanted, expected) in cases {
        for (session, media) in [(*attribute, ""), ("", *attribute)] {
            let offer = text(&format!("c=IN IP4 {host}\r\nt=0 0\r\n{session}m=audio 4000 RTP/AVP 0\r\n{media}"));
            let (negotiated, text) =
                answer(&offer, &Local { direction: *wanted, ..local() }, &Policy::default()).expect("an answer");
            assert_eq!(negotiated.direction, *expected, "{host} {attribute} {wanted:?}");
            assert!(Session::parse(text.as_bytes()).is_ok());
            assert_eq!(negotiated.is_held(), !matches!(expected, SendRecv | SendOnly));
        }
    }
}

#[test]
fn rtcp_has_its_own_port_or_shares_one() {
    let cases: &[(&str, &str, &str, bool)] = &[
        ("0", "", "198.51.100.7:4001", false),
        ("0", "rtcp:5005", "198.51.100.7:5005", false),
        ("0", "rtcp:5005 IN IP4 198.51.100.8", "198.51.100.8:5005", false),
        ("0", "rtcp-mux", "198.51.100.7:4000", true),
        ("0", "rtcp:4000;rtcp-mux", "198.51.100.7:4000", true),
        ("72", "rtpmap:72 PCMU/8000;rtcp-mux", "198.51.100.7:4001", false),
    ];
    for (formats, attributes, at, mux) in cases {
        let (negotiated, text) = taken(&offered(formats, attributes), &Policy::default());
        assert_eq!((negotiated.remote_rtcp, negotiated.mux), (at.parse().expect("an address"), *mux), "{attributes}");
        assert_eq!(text.contains("a=rtcp-mux\r\n"), *mux, "{attributes}: {text}");
        assert!(!text.contains("a=rtcp:"), "{attributes}: the port above goes without saying");
    }
    let apart = Local { rtcp_port: 20_007, ..local() };
    let (_, text) = answer(&offered("0", ""), &apart, &Policy::default()).expect("an answer");
    assert!(text.contains("a=rtcp:20007\r\n"), "{text}");
}

/// An answer that cannot be a refusal by itself refuses what there is, and leaves everything as it was.
#[test]
fn an_offer_is_answered_by_refusing_each_of_its_lines() {
    let lines = "c=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/SAVP 0 101\r\nm=video 4002 RTP/AVP 96\r\n";
    let (offer, mut call) = (text(lines), Exchange::new(local(), Policy::default()));
    assert_eq!(call.answer(&offer).map(|_| ()), Err(Error::Encrypted));
    let refusal = call.refuse(&offer);
    assert!(
        refusal.contains("m=audio 0 RTP/SAVP 0 101\r\n") && refusal.contains("m=video 0 RTP/AVP 96\r\n"),
        "{refusal}"
    );
    assert!(call.negotiated().is_none() && !call.is_offering());
    assert!(call.offer().contains("o=- 42 42 "), "no version was spent on it");
}

#[test]
fn one_line_is_taken_and_the_others_refused() {
    type Case<'a> = (&'a str, &'a [&'a str], Result<&'a [&'a str], Error>);
    let cases: &[Case<'_>] = &[
        (
            "video after audio",
            &["audio 4000 RTP/AVP 0", "video 4002 RTP/AVP 96"],
            Ok(&["audio 20000 RTP/AVP 0", "video 0 RTP/AVP 96"]),
        ),
        (
            "video before audio",
            &["video 4002 RTP/AVP 96 97", "audio 4000 RTP/AVP 8"],
            Ok(&["video 0 RTP/AVP 96 97", "audio 20000 RTP/AVP 8"]),
        ),
        (
            "secure before plain",
            &["audio 4000 RTP/SAVP 0", "audio 4002 RTP/AVP 0"],
            Ok(&["audio 0 RTP/SAVP 0", "audio 20000 RTP/AVP 0"]),
        ),
        (
            "two that would do",
            &["audio 4000 RTP/AVP 0", "audio 4002 RTP/AVP 8"],
            Ok(&["audio 20000 RTP/AVP 0", "audio 0 RTP/AVP 8"]),
        ),
        (
            "the first is off",
            &["audio 0 RTP/AVP 0", "audio 4002 RTP/AVP 8"],
            Ok(&["audio 0 RTP/AVP 0", "audio 20000 RTP/AVP 8"]),
        ),
        ("fax", &["image 4000 udptl t38"], Err(Error::NoAudio)),
        ("fax instead of audio", &["audio 0 RTP/AVP 0", "image 4000 udptl t38"], Err(Error::NoAudio)),
        ("secure alone", &["audio 4000 RTP/SAVP 0"], Err(Error::Encrypted)),
        ("browser alone", &["audio 9 UDP/TLS/RTP/SAVPF 111"], Err(Error::Protocol("UDP/TLS/RTP/SAVPF".to_owned()))),
        ("nothing", &[], Err(Error::NoAudio)),
    ];
    for (name, lines, expected) in cases {
        let lines: String = lines.iter().map(|line| format!("m={line}\r\n")).collect();
        let told = answer(&text(&format!("c=IN IP4 198.51.100.7\r\n{lines}")), &local(), &Policy::default());
        let told = told.map(|(_, text)| {
            text.lines().filter_map(|line| line.strip_prefix("m=")).map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(told, expected.clone().map(|lines| lines.iter().map(|line| (*line).to_owned()).collect()), "{name}");
    }
}

#[test]
fn media_is_not_aimed_at_anybody_else() {
    let own = Policy {
        own: vec![SocketAddr::from(([203, 0, 113, 10], 5060)), SocketAddr::from(([0, 0, 0, 0], 8080))],
        ..Policy::default()
    };
    let at_home = Policy { allow_loopback: true, ..own.clone() };
    let refused = |address: &str| Some(Error::RefusedAddress(address.parse().expect("an address")));
    let refused_port = |address: &str, port| Some(Error::RefusedPort(address.parse().expect("an address"), port));
    type Case<'a> = (&'a str, &'a str, u16, &'a Policy, Option<Error>);
    let cases: &[Case<'_>] = &[
        ("a peer", "IP4 198.51.100.7", 4000, &own, None),
        ("a private peer", "IP4 192.168.1.5", 4000, &own, None),
        ("multicast", "IP4 224.2.1.1/127", 4000, &own, refused("224.2.1.1")),
        ("broadcast", "IP4 255.255.255.255", 4000, &own, refused("255.255.255.255")),
        ("reserved", "IP4 240.0.0.1", 4000, &own, refused("240.0.0.1")),
        ("this network", "IP4 0.0.0.1", 4000, &own, refused("0.0.0.1")),
        ("loopback", "IP4 127.0.0.1", 4000, &own, refused("127.0.0.1")),
        ("loopback allowed", "IP4 127.0.0.1", 4000, &at_home, None),
        ("our own listener", "IP4 203.0.113.10", 5060, &own, refused_port("203.0.113.10", 5060)),
        ("our own listener on loopback", "IP4 127.0.0.1", 8080, &at_home, refused_port("127.0.0.1", 8080)),
        ("RTCP into our own listener", "IP4 203.0.113.10", 5059, &own, refused_port("203.0.113.10", 5060)),
        ("our own media port", "IP4 203.0.113.10", 20_000, &own, refused_port("203.0.113.10", 20_000)),
        (
            "another family",
            "IP6 2001:db8::7",
            4000,
            &own,
            Some(Error::AddressFamily("2001:db8::7".parse().expect("an address"))),
        ),
        ("IPv4 within IPv6", "IP6 ::ffff:127.0.0.1", 4000, &own, refused("127.0.0.1")),
        ("a name", "IP4 media.example.net", 4000, &own, Some(Error::NotAnAddress)),
    ];
    for (name, host, port, policy, expected) in cases {
        let offer = text(&format!("c=IN {host}\r\nm=audio {port} RTP/AVP 0\r\n"));
        let told = answer(&offer, &local(), policy);
        assert_eq!(told.as_ref().err(), expected.as_ref(), "{name}");
        assert!(
            told.is_ok_and(|_| true) || expected.as_ref().is_some_and(|error| error.status_hint() == 488),
            "{name}"
        );
    }
    let rtcp = offered("0", "rtcp:5005 IN IP4 224.0.0.1");
    assert_eq!(answer(&rtcp, &local(), &own).err(), refused("224.0.0.1"), "RTCP to a group");
    let error = answer(&text("m=audio 4000 RTP/AVP 0\r\n"), &local(), &own).expect_err("no address");
    assert_eq!((error.status_hint(), error), (400, Error::NoAddress));
}

#[test]
fn ipv6_is_spoken_to_ipv6() {
    let offer = text("c=IN IP6 2001:db8::7\r\nm=audio 4000 RTP/AVP 0\r\n");
    let local = Local { address: "2001:db8::10".parse().expect("an address"), ..local() };
    let (negotiated, text) = answer(&offer, &local, &Policy::default()).expect("an answer");
    assert_eq!(negotiated.remote_rtp, "[2001:db8::7]:4000".parse().expect("an address"));
    assert!(text.contains("c=IN IP6 2001:db8::10\r\n"), "{text}");
}

#[test]
fn an_offer_and_its_answer_agree() {
    let (near, far) =
        (local(), Local { address: IpAddr::from([198, 51, 100, 7]), rtp_port: 30_000, rtcp_port: 30_001, ..local() });
    for mux in [false, true] {
        let policy = Policy { offer_mux: mux, ..Policy::with_codecs(&[Codec::Opus, Codec::G722], false) };
        let offer_text = offer(&near, &policy);
        let (theirs, answer_text) =
            answer(&Session::parse(offer_text.as_bytes()).expect("ours"), &far, &policy).expect("an answer");
        let ours =
            accept_answer(&Session::parse(answer_text.as_bytes()).expect("theirs"), &near, &policy).expect("agreement");
        assert_eq!((ours.codec, ours.payload_type, ours.events), (theirs.codec, theirs.payload_type, theirs.events));
        assert_eq!((ours.mux, theirs.mux, ours.ptime, ours.direction), (mux, mux, theirs.ptime, theirs.direction));
        assert_eq!(ours.remote_rtp, "198.51.100.7:30000".parse().expect("an address"));
        assert_eq!(ours.codec_of(ours.payload_type), Some(Codec::Opus));
        assert_eq!(ours.codec_of(9), None, "what is not in the answer is not heard");
    }
}

#[test]
fn an_answer_may_have_its_own_types_and_order() {
    let policy = Policy::default();
    let told = accept_answer(
        &offered("97 0 98", "rtpmap:97 PCMA/8000;rtpmap:98 telephone-event/8000;ptime:30"),
        &local(),
        &policy,
    );
    let told = told.expect("agreement");
    assert_eq!(
        (told.codec, told.payload_type, told.events, told.receive_events),
        (Codec::Pcma, 97, Some(98), Some(101))
    );
    assert_eq!((told.codec_of(0), told.codec_of(8), told.codec_of(97)), (Some(Codec::Pcmu), Some(Codec::Pcma), None));
    assert_eq!(told.ptime, Duration::from_millis(30));
    let cases: &[(&str, &str, Error)] = &[
        ("refused", "c=IN IP4 198.51.100.7\r\nm=audio 0 RTP/AVP 0\r\n", Error::NoAudio),
        ("nothing of ours", "c=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 18\r\n", Error::NoCommonCodec),
        (
            "a line more",
            "c=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\n",
            Error::NotAnAnswer,
        ),
        ("a line less", "c=IN IP4 198.51.100.7\r\n", Error::NotAnAnswer),
        ("secure", "c=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/SAVP 0\r\n", Error::Encrypted),
    ];
    for (name, rest, expected) in cases {
        assert_eq!(accept_answer(&text(rest), &local(), &policy).as_ref(), Err(expected), "{name}");
    }
    for name in ["twilio-term-200", "twilio-term-183-early"] {
        let told = accept_answer(&data(name), &local(), &policy).expect("agreement");
        assert_eq!((told.payload_type, told.events, told.codec_of(8)), (0, Some(101), None), "{name}");
    }
}

#[test]
fn a_call_is_held_resumed_moved_and_refreshed() {
    let mut call = Exchange::new(local(), Policy::default());
    let version = |text: &str| -> u64 { text.split_whitespace().nth(3).expect("o=").parse().expect("a number") };
    let audio = |host: &str, rest: &str| text(&format!("c=IN IP4 {host}\r\nm=audio 4000 RTP/AVP 0 8\r\n{rest}"));

    let first = audio("198.51.100.7", "");
    let told: Vec<_> = [
        ("first", first.clone()),
        ("refresh", first.clone()),
        ("hold", audio("198.51.100.7", "a=sendonly\r\n")),
        ("hold again", audio("198.51.100.7", "a=sendonly\r\n")),
        ("resume", first.clone()),
        ("old hold", audio("0.0.0.0", "")),
        ("moved", audio("198.51.100.8", "")),
        ("the other codec", text("c=IN IP4 198.51.100.8\r\nm=audio 4000 RTP/AVP 8\r\n")),
        ("both again", audio("198.51.100.8", "")),
    ]
    .into_iter()
    .map(|(name, offer)| {
        let (negotiated, text) = call.answer(&offer).expect(name);
        (version(&text), negotiated.direction, negotiated.codec, negotiated.remote_rtp.ip().to_string())
    })
    .collect();
    use Codec::{Pcma, Pcmu};
    use Direction::{RecvOnly, SendRecv};
    let expected = [
        (42, SendRecv, Pcmu, "198.51.100.7"),
        (42, SendRecv, Pcmu, "198.51.100.7"),
        (43, RecvOnly, Pcmu, "198.51.100.7"),
        (43, RecvOnly, Pcmu, "198.51.100.7"),
        (44, SendRecv, Pcmu, "198.51.100.7"),
        (45, RecvOnly, Pcmu, "0.0.0.0"),
        (46, SendRecv, Pcmu, "198.51.100.8"),
        (47, SendRecv, Pcma, "198.51.100.8"),
        (47, SendRecv, Pcma, "198.51.100.8"),
    ];
    assert_eq!(told, expected.map(|(version, direction, codec, host)| (version, direction, codec, host.to_owned())));

    let fax = text("c=IN IP4 198.51.100.8\r\nm=image 4000 udptl t38\r\n");
    assert_eq!(call.answer(&fax).map(|_| ()).map_err(|error| error.status_hint()), Err(488));
    assert_eq!(call.negotiated().map(|negotiated| negotiated.codec), Some(Pcma), "a refused offer changes nothing");
}

#[test]
fn a_refresh_changes_nothing_whoever_holds() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let audio = |rest: &str| offered("0 8", rest);
    // Ours, theirs, and what stays in force.
    let cases = [
        (SendRecv, "", SendRecv),
        (SendRecv, "sendonly", RecvOnly),
        (SendRecv, "inactive", Inactive),
        (SendOnly, "recvonly", SendOnly),
        (SendOnly, "sendonly", Inactive),
    ];
    for (ours, theirs, expected) in cases {
        let mut call = Exchange::new(local(), Policy::default());
        call.set_direction(ours);
        let (_, answer) = call.answer(&audio(theirs)).expect("an answer");
        assert_eq!(call.refresh(), answer, "{ours:?} {theirs}: neither text nor version change (RFC 4028 §7.4)");
        // Whatever the peer makes of it, nobody is let go by a refresh.
        for answer in [theirs, ""] {
            let mut call = call.clone();
            let negotiated = call.accept_answer(&offered("0", answer)).expect("agreement");
            assert_eq!(negotiated.direction, expected, "{ours:?} {theirs} {answer}");
        }
        call.withdraw();
        assert!(!call.is_offering());
        // Who asks for an offer may be back.
        assert!(call.offer_anew().contains(if ours == SendOnly { "a=sendonly" } else { "a=sendrecv" }));
    }
}

#[test]
fn a_peer_that_asks_for_an_offer_in_mid_call_gets_all_that_we_speak() {
    let policy = Policy::with_codecs(&[Codec::G722, Codec::Pcmu, Codec::Pcma, Codec::Opus], true);
    // What the first offer had, the line of our later one, and the codecs that the peer may go on with.
    let cases = [
        ("0 101", "rtpmap:101 telephone-event/8000", "0 9 8 96 101"),
        ("8", "", "8 9 0 96"),
        ("97 96", "rtpmap:97 PCMA/8000;rtpmap:96 telephone-event/8000", "97 9 0 127 96"),
    ];
    for (formats, attributes, expected) in cases {
        let mut call = Exchange::new(local(), Policy { preference: Preference::Theirs, ..policy.clone() });
        call.answer(&offered(formats, attributes)).expect("an answer");
        let again = call.offer_anew();
        assert!(again.contains(&format!("m=audio 20000 RTP/AVP {expected}\r\n")), "{formats}: {again}");
        assert!(Session::parse(again.as_bytes()).is_ok());
        for codec in ["9", "0"] {
            let negotiated = call.clone().accept_answer(&offered(codec, "")).expect("agreement");
            assert_eq!(negotiated.payload_type.to_string(), codec, "{formats}");
        }
        call.accept_answer(&offered("98", "rtpmap:98 opus/48000/2"))
            .expect("agreement in a codec that was not in force");
        assert_eq!(call.negotiated().map(|negotiated| negotiated.codec), Some(Codec::Opus));
    }
}

#[test]
fn a_body_less_offer_is_answered_with_what_is_in_force() {
    let mut call = Exchange::new(local(), Policy::default());
    let offer = text(
        "c=IN IP4 198.51.100.7\r\nm=video 4002 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 97 96\r\na=rtpmap:97 PCMA/8000\r\n\
         a=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\na=rtcp-mux\r\n",
    );
    call.answer(&offer).expect("an answer");
    let again = call.offer();
    let lines: Vec<_> = again.lines().filter(|line| !line.starts_with(['v', 's', 't', 'c'])).collect();
    let expected = [
        "o=- 42 43 IN IP4 203.0.113.10",
        "m=video 0 RTP/AVP 99",
        "m=audio 20000 RTP/AVP 97 96",
        "a=rtpmap:97 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=rtcp-mux",
        "a=ptime:30",
        "a=sendrecv",
    ];
    // The same text as the answer, so the version stays.
    assert_eq!(lines[1..], expected[1..]);
    assert_eq!(lines[0], "o=- 42 42 IN IP4 203.0.113.10");

    let moved = text(
        "c=IN IP4 198.51.100.9\r\nm=video 0 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000\r\na=sendonly\r\n",
    );
    let negotiated = call.accept_answer(&moved).expect("agreement");
    assert_eq!((negotiated.payload_type, negotiated.direction), (97, Direction::RecvOnly));
    assert_eq!(call.accept_answer(&moved), Err(Error::NotAnAnswer), "there is no offer open");

    call.set_direction(Direction::SendOnly);
    let hold = call.offer();
    assert!(hold.contains("a=sendonly\r\n") && hold.contains("o=- 42 43 "), "{hold}");
    call.withdraw();
    assert_eq!(call.negotiated(), Some(&negotiated));
}

#[test]
fn samples_read_the_same_once_written() {
    for (name, _) in DATA {
        let session = data(name);
        assert_eq!(Session::parse(session.to_string().as_bytes()), Ok(session), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Samples with bytes and lines changed: reading never panics, what was read reads the same once written, and so
    /// does whatever we answer.
    #[test]
    fn mutated_samples_do_no_harm(
        sample in 0..DATA.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4, "[ -~\r\n\t\u{0}\u{b}\u{85}\u{a0}é]{0,12}"), 0..6),
    ) {
        let mut body = DATA[sample].1.to_vec();
        for (at, kind, bytes) in edits {
            let at = at.index(body.len() + 1);
            match kind {
                0 => { body.splice(at..at, bytes.bytes()); }
                1 => body.truncate(at),
                2 => { let end = body.len().min(at + bytes.len()); body.splice(at..end, bytes.bytes()); }
                _ => { let line = body[at..].to_vec(); body.extend(line); }
            }
        }
        let Ok(session) = Session::parse(&body) else { return Ok(()) };
        let again = Session::parse(session.to_string().as_bytes());
        prop_assert_eq!(again.as_ref(), Ok(&session));
        let policy = Policy { codecs: Codec::ALL.to_vec(), allow_loopback: true, ..Policy::default() };
        let Ok((negotiated, text)) = answer(&session, &local(), &policy) else { return Ok(()) };
        prop_assert!((1..=200).contains(&negotiated.ptime.as_millis()));
        let answered = Session::parse(text.as_bytes());
        prop_assert_eq!(answered.as_ref().map(|answer| answer.media().len()), Ok(session.media().len()));
        let mut call = Exchange::new(local(), policy);
        let _ = call.offer();
        let _ = call.accept_answer(&session);
        let _ = call.offer();
    }
}
