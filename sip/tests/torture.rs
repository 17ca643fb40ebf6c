//! The messages of [RFC 4475], one row each: what each is about is the RFC's, the words are ours.
//!
//! Where the RFC leaves the choice between refusing a message and reading it kindly, the row says what we chose. Faults
//! that are a transaction's or an application's to find (RFC 4475 §3.2, §3.3) are read here, and what those need to see
//! is checked.
//!
//! [RFC 4475]: https://www.rfc-editor.org/rfc/rfc4475

#![expect(clippy::unwrap_used, reason = "the rows' closures run within the test alone")]

use sip::{
    Branch, HeaderName, Headers, Host, Message, Method, Request, Response, Scheme, Status, Transport,
    digest::Authorization,
};

/// What must come of a message.
enum Outcome {
    Request(fn(&Request) -> bool),
    Response(fn(&Response) -> bool),
    /// Refused, and answered with this status.
    Answered(Status),
    /// Refused; nothing can be answered.
    Dropped,
}

use Outcome::{Answered, Dropped};

fn request(is_right: fn(&Request) -> bool) -> Outcome {
    Outcome::Request(is_right)
}

fn response(is_right: fn(&Response) -> bool) -> Outcome {
    Outcome::Response(is_right)
}

#[test]
fn rfc_4475() {
    let rows = valid().into_iter().chain(invalid()).chain(above_the_parser());
    let mut count = 0;
    for (name, text, expected) in rows {
        let text = text.replace('\n', "\r\n");
        let outcome = Message::parse(text.as_bytes());
        match (&outcome, expected) {
            (Ok(Message::Request(request)), Outcome::Request(is_right)) => {
                assert!(is_right(request), "{name}: {request:?}");
            }
            (Ok(Message::Response(response)), Outcome::Response(is_right)) => {
                assert!(is_right(response), "{name}: {response:?}");
            }
            (Err(rejected), Answered(status)) => {
                let answer = rejected.answer.as_deref().unwrap_or_else(|| panic!("{name}: no answer to {rejected}"));
                assert_eq!((rejected.error.status(), answer.status), (status, status), "{name}: {rejected}");
            }
            (Err(rejected), Dropped) => assert_eq!(rejected.answer, None, "{name}"),
            _ => panic!("{name}: {outcome:?}"),
        }
        if let Ok(message) = outcome {
            assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message), "{name}: written and read again");
        }
        count += 1;
    }
    assert_eq!(count, 49);
}

/// RFC 4475 §3.1.1
fn valid() -> Vec<(&'static str, String, Outcome)> {
    vec![
        (
            "3.1.1.1 wsinv: compact names, folding and white space wherever it is allowed",
            "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\n\
             TO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\n\
             from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\n\
             MaX-fOrWaRdS: 0068\n\
             Call-ID: wsinv.ndaksdj@192.0.2.1\n\
             Content-Length   : 8\n\
             cseq: 0009\n  INVITE\n\
             Via  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\n\
             s :\n\
             NewFangledHeader:   newfangled value\n continued newfangled value\n\
             UnknownHeaderWithUnusualValue: ;;,,;;,;\n\
             Content-Type: application/sdp\n\
             Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n\
             v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n \
             SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n\
             m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  \
             secondparam ; q = 0.33\n\nv=0\ns=-\n"
                .to_owned(),
            request(|request| {
                let headers = &request.headers;
                let branches: Vec<_> = headers.vias().unwrap().iter().filter_map(|via| via.branch()).collect();
                let contact = headers.contact().unwrap().unwrap();
                headers.to().unwrap().tag().unwrap().as_str() == "1918181833n"
                    && headers.from().unwrap().display.as_deref() == Some("J Rosenberg \\\"")
                    && headers.from().unwrap().tag().unwrap().as_str() == "98asjd8"
                    && headers.max_forwards() == Ok(Some(68))
                    && headers.cseq().unwrap().number == 9
                    && branches == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"].map(Branch::new)
                    && headers.get(&HeaderName::Subject) == Some("")
                    && headers.get_named("newfangledheader") == Some("newfangled value continued newfangled value")
                    && headers.get_named("UnknownHeaderWithUnusualValue") == Some(";;,,;;,;")
                    && headers.routes().unwrap()[0].uri.params.contains("lr")
                    && contact.params.get("newparam") == Some("newvalue")
                    && contact.params.get("q") == Some("0.33")
                    && request.body == "v=0\r\ns=-"
            }),
        ),
        (
            "3.1.1.2 intmeth: every character a token, a user and a display name may have",
            headed(
                "!interesting-Method0123456789_*+`.%indeed'~ \
                 sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
                "To: \"BEL:\u{7} NUL: DEL:\u{7f}\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\n\
                 From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\u{440}\u{430}\";tag=_token~1'+`*%!-.\n\
                 Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n\
                 CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\n\
                 extensionHeader-!.%*+_`'~:\u{fb}\u{20ac}",
            ),
            request(|request| {
                let from = request.headers.from().unwrap();
                matches!(request.method, Method::Other(_))
                    && request.uri.user.as_deref() == Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
                    && request.uri.password.as_deref() == Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
                    && from.display.as_deref() == Some("token1~` token2'+_ token3*%!.-")
                    && from.tag().unwrap().as_str() == "_token~1'+`*%!-."
                    && request.headers.call_id().unwrap().as_str() == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
            }),
        ),
        (
            "3.1.1.3 esc01: % escapes stay as they are written and decode where asked",
            with(
                "INVITE sip:sips%3Auser%40example.com@example.net",
                "Contact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>",
            ),
            request(|request| {
                let contact = request.headers.contact().unwrap().unwrap();
                request.uri.user.as_deref() == Some("sips%3Auser%40example.com")
                    && request.uri.user_text().as_deref() == Some("sips:user@example.com")
                    && request.uri.host == Host::Name("example.net".to_owned())
                    && contact.uri.params.contains("lr")
                    && contact.uri.params.get("name") == Some("v%61lue%25%34%31")
            }),
        ),
        (
            "3.1.1.4 escnull: an escaped NUL is a character like any other",
            with(
                "REGISTER sip:example.com",
                "Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>",
            ),
            request(|request| {
                let users: Vec<_> = request.headers.addresses(&HeaderName::Contact).unwrap();
                users[0].uri.user_text().as_deref() == Some("\0") && users[1].uri.user_text().as_deref() == Some("\0\0")
            }),
        ),
        (
            "3.1.1.5 esc02: % that begins no escape, in a method and in a display name",
            headed(
                "RE%47IST%45R sip:registrar.example.com",
                "To: \"%Z%45\" <sip:resource@example.com>\nFrom: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\n\
                 Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\nCSeq: 29344 RE%47IST%45R",
            ),
            request(|request| {
                request.method == Method::parse("RE%47IST%45R").unwrap()
                    && request.method != Method::Register
                    && request.headers.to().unwrap().display.as_deref() == Some("%Z%45")
            }),
        ),
        (
            "3.1.1.6 lwsdisp: no white space between display name and <",
            headed(
                "OPTIONS sip:user@example.com",
                "To: sip:user@example.com\nFrom: caller<sip:caller@example.com>;tag=323\n\
                 Call-ID: lwsdisp.1234abcd@funky.example.com\nCSeq: 60 OPTIONS",
            ),
            request(|request| request.headers.from().unwrap().display.as_deref() == Some("caller")),
        ),
        (
            "3.1.1.7 longreq: long values everywhere",
            long_request(),
            request(|request| {
                let headers = &request.headers;
                headers.vias().unwrap().len() == 35
                    && headers.from().unwrap().tag().unwrap().as_str().len() > 500
                    && headers.get(&HeaderName::Subject).unwrap().len() > 1_000
                    && request.uri.host == Host::Name("example.net".to_owned())
            }),
        ),
        (
            "3.1.1.8 dblreq: what is behind the body in a datagram is not looked at",
            with("REGISTER sip:example.com", "l: 0")
                .replace("\n\n", "\n\nINVITE sip:joe@example.com SIP/2.0\nt: sip:joe@example.com\n\n"),
            request(|request| request.method == Method::Register && request.body.is_empty()),
        ),
        (
            "3.1.1.9 semiuri: parameters and semicolons in the user part",
            with("OPTIONS sip:user;par=u%40example.net@example.com", "Accept: application/sdp"),
            request(|request| {
                request.uri.user_text().as_deref() == Some("user;par=u@example.net")
                    && request.uri.host == Host::Name("example.com".to_owned())
                    && request.uri.params.is_empty()
            }),
        ),
        (
            "3.1.1.10 transports: known and unknown ones",
            with(
                "OPTIONS sip:user@example.com",
                "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKkdjuw\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2c\n\
                 Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKkdjuw\nVia: SIP/2.0/TCP t5.example.com;branch=z9hG4bK1",
            ),
            request(|request| {
                let transports: Vec<_> = request.headers.vias().unwrap().into_iter().map(|via| via.transport).collect();
                transports.len() == 5
                    && matches!(&transports[1], Transport::Other(name) if name.as_str() == "SCTP")
                    && transports[2] == Transport::Tls
                    && matches!(&transports[3], Transport::Other(name) if name.as_str() == "UNKNOWN")
            }),
        ),
        (
            "3.1.1.11 mpart01: a multipart body with bytes of any kind",
            with(
                "MESSAGE sip:kumiko@example.org",
                "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\nContent-Length: 37",
            ) + "--7a9cbec02ceef655\n\0\u{1}\u{fe}binary\n--\n\n",
            request(|request| {
                request.headers.content_type().as_deref() == Some("multipart/mixed") && request.body.len() == 37
            }),
        ),
        (
            "3.1.1.12 unreason: a reason phrase in any alphabet",
            answered(
                "200 = 2**3 * 5**2 \u{43d}\u{43e} \u{441}\u{442}\u{43e} \u{434}\u{435}\u{432}\u{44f}\u{43d}\u{43e}",
            ),
            response(|response| {
                response.status == Status::OK && response.reason.starts_with("= 2**3 * 5**2 \u{43d}\u{43e}")
            }),
        ),
        (
            "3.1.1.13 noreason: no reason phrase",
            answered("100 "),
            response(|response| response.status == Status::TRYING && response.reason.is_empty()),
        ),
    ]
}

/// RFC 4475 §3.1.2
fn invalid() -> Vec<(&'static str, String, Outcome)> {
    vec![
        (
            "3.1.2.1 badinv01: separators with nothing between them",
            with(
                "INVITE sip:user@example.com",
                "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\nContact: \"Joe\" <sip:joe@example.org>;;;;",
            ),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.2 clerr: Content-Length larger than the datagram",
            with("INVITE sip:user@example.com", "Content-Length: 9999") + "v=0\n",
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.3 ncl: negative Content-Length",
            with("INVITE sip:user@example.com", "Content-Length: -999") + "v=0\n",
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.4 scalar02: numbers too large for their fields",
            headed(
                "REGISTER sip:example.com",
                "To: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=239232jh3\nCall-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32\n\
                 CSeq: 36893488147419103232 REGISTER\nExpires: 10000000000000000000000000000000000000000000\n\
                 Contact: <sip:user@host129.example.com>\n ;expires=280297596632815",
            ),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.5 scalarlg: the same in a response, which nothing answers",
            answered("503 Service Unavailable").replace("CSeq: 8 ", "CSeq: 9292394834772304023312 "),
            Dropped,
        ),
        (
            "3.1.2.6 quotbal: an open quote in a display name",
            headed(
                "INVITE sip:user@example.com",
                "To: \"Mr. J. User <sip:j.user@example.com>\nFrom: sip:caller@example.net;tag=93334\nCall-ID: quotbal.aksdj\nCSeq: 8 INVITE",
            ),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.7 ltgtruri: a Request-URI in angle brackets",
            with("INVITE <sip:user@example.com>", "Max-Forwards: 70"),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.8 lwsruri: white space in the Request-URI",
            with("INVITE sip:user@example.com; lr", "Max-Forwards: 70"),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.9 lwsstart: more than one space in the request line, which we forgive",
            with("INVITE  sip:user@example.com ", "Max-Forwards: 70"),
            request(|request| request.uri.user.as_deref() == Some("user")),
        ),
        (
            "3.1.2.10 trws: spaces behind the version, which we forgive",
            with("OPTIONS sip:remote-target@example.com", "Max-Forwards: 70").replacen("SIP/2.0\n", "SIP/2.0  \n", 1),
            request(|request| request.method == Method::Options),
        ),
        (
            "3.1.2.11 escruri: headers in the Request-URI, which we read and leave alone (Twilio sends some)",
            with("INVITE sip:user@example.com?Route=%3Csip:example.com%3E", "Max-Forwards: 70"),
            request(|request| {
                request.uri.headers.as_deref() == Some("Route=%3Csip:example.com%3E")
                    && !request.headers.contains(&HeaderName::Route)
            }),
        ),
        (
            "3.1.2.12 baddate: a Date that is not in GMT, which we have no use for",
            with("INVITE sip:user@example.com", "Date: Fri, 01 Jan 2010 16:00:00 EST"),
            request(|request| request.headers.contains(&HeaderName::Date)),
        ),
        (
            "3.1.2.13 regbadct: a URI with headers that is not in angle brackets",
            with("REGISTER sip:example.com", "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E"),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.14 badaspec: white space inside angle brackets, which we forgive",
            headed(
                "OPTIONS sip:user@example.org",
                "To: \"Watson, Thomas\" < sip:t.watson@example.org >\nFrom: \"Bell, Alexander\" <sip:a.g.bell@example.com>;tag=43\n\
                 Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3\nCSeq: 3923239 OPTIONS",
            ),
            request(|request| request.headers.to().unwrap().uri.user.as_deref() == Some("t.watson")),
        ),
        (
            "3.1.2.15 baddn: a display name with a comma and no quotes, which is clear enough",
            headed(
                "OPTIONS sip:t.watson@example.org",
                "To: sip:t.watson@example.org\nFrom: Bell, Alexander <sip:a.g.bell@example.com>;tag=43\n\
                 Call-ID: baddn.31415@c.example.com\nCSeq: 3923239 OPTIONS",
            ),
            request(|request| request.headers.from().unwrap().display.as_deref() == Some("Bell, Alexander")),
        ),
        (
            "3.1.2.16 badvers: another version of SIP",
            with("OPTIONS sip:t.watson@example.org", "Max-Forwards: 70").replacen("SIP/2.0\n", "SIP/7.0\n", 1),
            Answered(Status::VERSION_NOT_SUPPORTED),
        ),
        (
            "3.1.2.17 mismatch01: CSeq names another method",
            with("OPTIONS sip:user@example.com", "Max-Forwards: 70").replace("CSeq: 8 OPTIONS", "CSeq: 8 INVITE"),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.1.2.18 mismatch02: the same with a method nobody knows",
            with("NEWMETHOD sip:user@example.com", "Max-Forwards: 70").replace("CSeq: 8 NEWMETHOD", "CSeq: 8 INVITE"),
            Answered(Status::BAD_REQUEST),
        ),
        ("3.1.2.19 bigcode: a status code too large", answered("4294967301 better not break the receiver"), Dropped),
    ]
}

/// RFC 4475 §3.2 to §3.4: what a transaction, an application or an older peer makes of a message.
fn above_the_parser() -> Vec<(&'static str, String, Outcome)> {
    vec![
        (
            "3.2.1 badbranch: a branch that is only the cookie is no name for a transaction",
            with("OPTIONS sip:user@example.com", "Max-Forwards: 70").replace("z9hG4bK-torture", "z9hG4bK"),
            request(|request| !request.headers.via().unwrap().branch().unwrap().is_rfc3261()),
        ),
        (
            "3.3.1 insuf: Call-ID, From and To are missing",
            "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\n\
             Content-Type: application/sdp\nl: 0\n\n"
                .to_owned(),
            Dropped,
        ),
        (
            "3.3.2 unkscm: a Request-URI nobody can follow (416)",
            with("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent", "Max-Forwards: 70"),
            request(|request| {
                matches!(&request.uri.scheme, Scheme::Other(scheme) if scheme.as_str() == "nobodyknowsthisscheme")
                    && request.uri.user.as_deref() == Some("totallyopaquecontent")
            }),
        ),
        (
            "3.3.3 novelsc: a known scheme that is not SIP's (416)",
            with("OPTIONS soap.beep://192.0.2.103:3002", "Max-Forwards: 70"),
            request(|request| request.uri.to_string() == "soap.beep://192.0.2.103:3002"),
        ),
        (
            "3.3.4 unksm2: unknown schemes in From, To and Contact",
            headed(
                "REGISTER sip:example.com",
                "To: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\nCall-ID: unksm2.daksdj@hyphenated-host.example.com\n\
                 CSeq: 234902 REGISTER\nContact: <name:John_Smith>",
            ),
            request(|request| request.headers.to().unwrap().uri.user.as_deref() == Some("2983792873")),
        ),
        (
            "3.3.5 bext01: extensions required that nobody has (420)",
            with("OPTIONS sip:user@example.com", "Proxy-Require: nothingSupportsThis, noOtherEither\nRequire: nothingSupportsThis\nRequire: another"),
            request(|request| {
                request.headers.require() == ["nothingSupportsThis", "another"]
                    && request.headers.tokens(&HeaderName::ProxyRequire).len() == 2
            }),
        ),
        (
            "3.3.6 invut: a body of an unknown type (415)",
            with("INVITE sip:user@example.com", "Content-Type: application/unknownformat\nContent-Length: 5") + "<a/>\n",
            request(|request| request.headers.content_type().as_deref() == Some("application/unknownformat")),
        ),
        (
            "3.3.7 regaut01: credentials of an unknown scheme",
            with("REGISTER sip:example.com", "Authorization: NoOneKnowsThisScheme opaque-data=here"),
            request(|request| {
                let value = request.headers.get(&HeaderName::Authorization).unwrap();
                Authorization::parse(value).is_err()
            }),
        ),
        (
            "3.3.8 multi01: two of what there is one of",
            with(
                "INVITE sip:user@company.com",
                "CSeq: 59 INVITE\nCall-ID: multi01.other\nMax-Forwards: 70\nMax-Forwards: 5\nTo: sip:other@example.com\nFrom: sip:x@example.com;tag=1",
            ),
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.3.9 mcl01: two Content-Lengths",
            with("OPTIONS sip:user@example.com", "Content-Length: 5\nContent-Length: 4") + "abcd\n",
            Answered(Status::BAD_REQUEST),
        ),
        (
            "3.3.10 bcast: a response whose second Via is a broadcast address",
            answered("200 OK").replacen("From:", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\nFrom:", 1),
            response(|response| response.headers.vias().unwrap().len() == 2),
        ),
        (
            "3.3.11 zeromf: no hops left, and we are not a hop",
            with("OPTIONS sip:user@example.com", "Max-Forwards: 0"),
            request(|request| request.headers.max_forwards() == Ok(Some(0))),
        ),
        (
            "3.3.12 cparam01: an unknown parameter of Contact",
            with("REGISTER sip:example.com", "Contact: sip:+19725552222@gw1.example.net;unknownparam"),
            request(|request| {
                let contact = request.headers.contact().unwrap().unwrap();
                contact.params.contains("unknownparam") && contact.uri.params.is_empty()
            }),
        ),
        (
            "3.3.13 cparam02: an unknown parameter of the URI in Contact",
            with("REGISTER sip:example.com", "Contact: <sip:+19725552222@gw1.example.net;unknownparam>"),
            request(|request| {
                let contact = request.headers.contact().unwrap().unwrap();
                contact.params.is_empty() && contact.uri.params.contains("unknownparam")
            }),
        ),
        (
            "3.3.14 regescrt: headers in the URI in Contact",
            with("REGISTER sip:example.com", "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>"),
            request(|request| {
                let contact = request.headers.contact().unwrap().unwrap();
                contact.uri.headers.as_deref() == Some("Route=%3Csip:sip.example.com%3E")
            }),
        ),
        (
            "3.3.15 sdp01: an Accept that rules out what we would answer (406)",
            with("INVITE sip:user@example.com", "Accept: text/nobodyKnowsThis"),
            request(|request| request.headers.tokens(&HeaderName::Accept) == ["text/nobodyKnowsThis"]),
        ),
        (
            "3.4.1 inv2543: a request of the older RFC, without branch and tag",
            "INVITE sip:UserB@example.com SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\n\
             Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\nTo: sip:+16505552222@ss1.example.net;user=phone\n\
             Call-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 INVITE\nContent-Type: application/sdp\n\nv=0\n"
                .to_owned(),
            request(|request| {
                let headers: &Headers = &request.headers;
                headers.via().unwrap().branch().is_none()
                    && headers.from().unwrap().tag().is_none()
                    && headers.max_forwards() == Ok(None)
                    && request.body == "v=0\r\n"
            }),
        ),
    ]
}

/// A request with a Via, these headers, and the rest left out.
fn headed(start: &str, headers: &str) -> String {
    format!("{start} SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK-torture\n{headers}\n\n")
}

/// A request with all that it must have, and these headers.
fn with(start: &str, headers: &str) -> String {
    let method = start.split(' ').next().unwrap_or_default();
    let rest = format!(
        "From: <sip:caller@example.net>;tag=341518\nTo: <sip:user@example.com>\nCall-ID: torture@192.0.2.1\nCSeq: 8 {method}\n{headers}"
    );
    headed(start, &rest)
}

fn answered(status: &str) -> String {
    format!(
        "SIP/2.0 {status}\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nFrom: <sip:user@example.com>;tag=1\n\
         To: <sip:user@example.edu>;tag=2\nCall-ID: torture@192.0.2.198\nCSeq: 8 INVITE\nContent-Length: 0\n\n"
    )
}

fn long_request() -> String {
    let long = |word: &str, times: usize| word.repeat(times);
    let vias: String =
        (0..34).map(|hop| format!("v: SIP/2.0/TCP sip{hop}.example.com;branch=z9hG4bK{hop}\n")).collect();
    let user = long("amazinglylongcallername", 40);
    headed(
        &format!("INVITE sip:{user}@example.net"),
        &format!(
            "{vias}t: \"I have a user name of {extreme} proportion\" <sip:{user}@example.net:6000;unknownparam1={value};longname{value}=x>\n\
             F: sip:{user}@example.net;tag={tag};unknownheaderparamname{value}=unknownvalue{value}\n\
             Call-ID: longreq.one{really}longcallid\nCSeq: 3882340 INVITE\nunknown-{value}-header: unknown-{value}-value\n\
             s: {subject}\nm: <sip:{user}@host5.example.net>",
            extreme = long("extreme, ", 60),
            value = long("verylong", 30),
            tag = long("12982424", 70),
            really = long("really", 60),
            subject = long("more words ", 100),
        ),
    )
}
