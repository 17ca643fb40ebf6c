use super::*;

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
const AUDIO: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n";

#[test]
fn what_must_be_right() {
    let many_media = format!("{HEAD}{}", "m=audio 4000 RTP/AVP 0\r\n".repeat(33));
    let many_formats = format!("{HEAD}m=audio 4000 RTP/AVP{}", " 0".repeat(129));
    let many_maps = format!("{AUDIO}{}", "a=rtpmap:0 PCMU/8000\r\n".repeat(129));
    let too_long = format!("{AUDIO}a=x:{}", "x".repeat(MAX_BYTES));
    let malformed = |what, line| Err(Error::Malformed { what, line });
    let cases: &[(&str, &str, Result<usize, Error>)] = &[
        ("nothing", "", malformed("version", 1)),
        ("no origin", "v=0\r\n", malformed("origin", 2)),
        ("another version", "v=1\r\n", malformed("version", 1)),
        ("no SDP at all", "hello", malformed("version", 1)),
        ("the least", HEAD, Ok(0)),
        ("origin of five words", "v=0\r\no=- 1 1 IN IP4\r\n", malformed("origin", 2)),
        ("an ordinary one", AUDIO, Ok(1)),
        ("line feeds alone", &AUDIO.replace('\r', ""), Ok(1)),
        ("carriage returns alone", &AUDIO.replace('\n', ""), Ok(1)),
        ("blank lines and a zero at the end", &format!("\r\n\r\n{AUDIO}\r\n\r\n\0"), Ok(1)),
        ("no last line end", AUDIO.trim_end(), Ok(1)),
        ("a line of rubbish", &format!("{AUDIO}rubbish\r\n"), malformed("line", 7)),
        ("unknown lines", &format!("{AUDIO}q=1\r\nb=AS:80\r\nk=clear:x\r\nz=\r\n"), Ok(1)),
        ("media line without formats", &format!("{HEAD}m=audio 4000 RTP/AVP\r\n"), malformed("media line", 4)),
        ("port of a word", &format!("{HEAD}m=audio high RTP/AVP 0\r\n"), malformed("media line", 4)),
        ("port beyond", &format!("{HEAD}m=audio 65536 RTP/AVP 0\r\n"), malformed("media line", 4)),
        ("ports counted", &format!("{HEAD}m=audio 4000/2 RTP/AVP 0\r\n"), Ok(1)),
        ("connection of another network", &format!("{HEAD}c=ATM NSAP 47\r\n"), malformed("connection", 4)),
        ("too many media lines", &many_media, Err(Error::TooMany("media lines"))),
        ("too many formats", &many_formats, Err(Error::TooMany("formats"))),
        ("too many maps", &many_maps, Err(Error::TooMany("payload types"))),
        ("too long", &too_long, Err(Error::TooMany("bytes"))),
    ];
    for (name, text, expected) in cases {
        assert_eq!(session(text.as_bytes()).map(|session| session.media.len()), *expected, "{name}");
    }
}

#[test]
fn bytes_that_are_no_text_are_passed_over() {
    let body = [AUDIO.as_bytes(), b"a=x:\xff\xfe\r\na=ptime:30\r\n"].concat();
    assert_eq!(session(&body).unwrap().media[0].ptime, Some(Duration::from_millis(30)));
}

#[test]
fn attributes_that_are_odd_are_passed_over() {
    type Kept = (Option<u64>, Option<u16>, bool, Option<Direction>, usize, usize);
    let none: Kept = (None, None, false, None, 0, 0);
    let cases: &[(&str, Kept)] = &[
        ("a=ptime:20", (Some(20), None, false, None, 0, 0)),
        ("a=ptime: 30 ", (Some(30), None, false, None, 0, 0)),
        ("a=ptime:20.5", (Some(20), None, false, None, 0, 0)),
        ("a=ptime:1", (Some(1), None, false, None, 0, 0)),
        ("a=ptime:200", (Some(200), None, false, None, 0, 0)),
        ("a=ptime:0", none),
        ("a=ptime:201", none),
        ("a=ptime:65535", none),
        ("a=ptime:18446744073709551616", none),
        ("a=ptime:-20", none),
        ("a=ptime", none),
        ("a=rtcp:4003", (None, Some(4003), false, None, 0, 0)),
        ("a=rtcp:4003 IN IP4 192.0.2.9", (None, Some(4003), false, None, 0, 0)),
        ("a=rtcp:0", none),
        ("a=rtcp:x", none),
        ("a=rtcp-mux", (None, None, true, None, 0, 0)),
        ("a=rtcp-mux-only", none),
        ("a=sendonly", (None, None, false, Some(Direction::SendOnly), 0, 0)),
        ("a=inactive", (None, None, false, Some(Direction::Inactive), 0, 0)),
        ("a=sideways", none),
        ("a=rtpmap:96 opus/48000/2", (None, None, false, None, 1, 0)),
        ("a=rtpmap:96 opus", none),
        ("a=rtpmap:128 opus/48000", none),
        ("a=rtpmap:-1 opus/48000", none),
        ("a=rtpmap:96 /48000", none),
        ("a=rtpmap:96 opus/x", none),
        ("a=rtpmap:96 opus/48000/256", none),
        ("a=rtpmap:", none),
        ("a=fmtp:96 x=1", (None, None, false, None, 0, 1)),
        ("a=fmtp:96", none),
        ("a=fmtp:", none),
        ("a=", none),
        ("a=:", none),
    ];
    for (line, expected) in cases {
        let session = session(format!("{AUDIO}{line}\r\n").as_bytes()).unwrap();
        let media = &session.media[0];
        let kept: Kept = (
            media.ptime.map(|ptime| ptime.as_millis() as u64),
            media.rtcp.as_ref().map(|rtcp| rtcp.port),
            media.mux,
            media.direction,
            media.maps.len(),
            media.parameters.len(),
        );
        assert_eq!(kept, *expected, "{line}");
    }
}

#[test]
fn what_belongs_to_a_line_is_kept_with_it() {
    let text = format!(
        "{HEAD}c=IN IP4 192.0.2.1\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 5000 RTP/AVP 8\r\n\
         c=IN IP6 2001:db8::1\r\nc=IN IP4 192.0.2.3\r\na=recvonly\r\n"
    );
    let session = session(text.as_bytes()).unwrap();
    let said: Vec<_> = session
        .media
        .iter()
        .map(|media| (session.host(media).unwrap().address().unwrap().to_string(), session.direction(media)))
        .collect();
    let expected = [("192.0.2.1", Direction::SendOnly), ("2001:db8::1", Direction::RecvOnly)];
    assert_eq!(said, expected.map(|(host, direction)| (host.to_owned(), direction)));
}

#[test]
fn a_host_of_spaces_that_are_none_is_written_as_it_was_read() {
    let text = format!("{AUDIO}a=rtcp:4003 IN IP4 \u{a0} x\r\n");
    let told = session(text.as_bytes()).unwrap();
    assert_eq!(session(told.to_string().as_bytes()), Ok(told));
}
