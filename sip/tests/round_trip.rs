//! What we write reads back the same, whatever was put into it.

use proptest::{collection::vec, option, prelude::*};
use sip::{
    Branch, CSeq, CallId, Diversion, HeaderName, Headers, HistoryInfo, Host, Message, Method, NameAddr, Privacy,
    Reason, ReferTo, RemotePartyId, Request, Response, Sipfrag, Status, Tag, Transport, Uri, Via,
    message::{Package, SubscriptionState},
};

/// Headers of free text, of which there may be many.
const FREE: &[&str] = &["Subject", "User-Agent", "Allow", "Supported", "X-Room", "P-Charge-Info", "Warning", "Date"];

proptest! {
    #[test]
    fn messages(message in message()) {
        prop_assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
    }

    #[test]
    fn addresses(address in address(), name in "[a-z]{1,8}", value in "[^\r\n\0\"][^\r\n\0]*") {
        let mut address = address;
        address.params.set(&name, value.as_str());
        let read = NameAddr::parse(&address.to_string()).unwrap();
        prop_assert_eq!(&read.display, &address.display);
        prop_assert_eq!(&read.uri, &address.uri);
        prop_assert_eq!(read.params.text(&name), Some(value));
    }

    /// Text that was not made by us either is refused or settles after one writing.
    #[test]
    fn uris_settle(text in "(sip|sips|tel|x-y):[ -~]{0,40}") {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert_eq!(Uri::parse(&uri.to_string()), Ok(uri));
        }
    }

    /// What they say about ends and callers, likewise; none of it is a fault.
    #[test]
    fn reasons_settle_and_callers_are_read(
        text in "((SIP|Q.850|X.int)?[ -~\\t\u{e4}\0]{0,12}[;,]){0,4}(cause|text|privacy|index)?=?\"?[ -~]{0,16}",
        uri in "<sip:[ -~]{0,12}@x[?&;=%A-Za-z0-9]{0,24}>",
    ) {
        let written = |text: &str| Reason::parse_list(text).iter().map(Reason::to_string).collect::<Vec<_>>();
        let once = written(&text);
        prop_assert_eq!(written(&once.join(", ")), once);
        let privacy = Privacy::parse(&text);
        prop_assert_eq!(Privacy::parse(&privacy.to_string()), privacy);
        for value in [format!("{uri};{text}"), format!("{uri};index=1;{text}")] {
            let _ = Diversion::parse(&value).map(|diversion| (diversion.reason(), diversion.is_private()));
            let _ = HistoryInfo::parse(&value).map(|entry| (entry.cause(), entry.ended(), entry.is_private()));
            let _ = RemotePartyId::parse(&value).map(|party| (party.is_calling(), party.is_private()));
        }
    }

    /// What strangers write into REFER and NOTIFY, likewise.
    #[test]
    fn transfers_settle(
        target in "(\"[ -~]{0,8}\" ?)?<?(sip|tel):[ -~]{0,30}>?[ -~]{0,10}",
        state in "(active|terminated|pending)[ -~]{0,20}",
        event in "refer[ -~]{0,12}",
        told in "(SIP/2.0 [1-6][0-9]{2}|sip/2.0) ?\\PC{0,20}",
    ) {
        if let Ok(target) = ReferTo::parse(&target) {
            prop_assert_eq!(ReferTo::parse(&target.to_string()), Ok(target));
        }
        if let Some(state) = SubscriptionState::parse(&state) {
            prop_assert_eq!(SubscriptionState::parse(&state.to_string()), Some(state));
        }
        if let Some(event @ Package::Refer { id: Some(Ok(_)) }) = Package::parse(&event) {
            prop_assert_eq!(Package::parse(&event.to_string()), Some(event));
        }
        if let Some(told) = Sipfrag::parse(told.as_bytes()) {
            prop_assert_eq!(Sipfrag::parse(told.to_string().as_bytes()), Some(told));
        }
    }

    #[test]
    fn noise(bytes in vec(any::<u8>(), 0..2_000)) {
        let _ = Message::parse(&bytes);
    }

    #[test]
    fn noise_in_a_header(name in "(Via|From|Contact|CSeq|Route|Call-ID|Content-Length|Max-Forwards)", value in "\\PC{0,80}") {
        let _ = Message::parse(format!("OPTIONS sip:a@b SIP/2.0\r\n{name}: {value}\r\n\r\n").as_bytes());
    }
}

fn message() -> impl Strategy<Value = Message> {
    let start = prop_oneof![
        (method(), uri()).prop_map(|(method, uri)| (Message::Request(Request::new(method.clone(), uri)), method)),
        (100u16..700, "[^\r\n\0]{0,20}", method()).prop_map(|(code, reason, method)| {
            let mut response = Response::new(Status::new(code).expect("the range is that of codes"));
            response.reason = reason.trim_matches([' ', '\t']).to_owned();
            (Message::Response(response), method)
        }),
    ];
    (start, headers(), vec(any::<u8>(), 0..200)).prop_map(|((message, method), mut headers, body)| {
        headers.push(HeaderName::CSeq, CSeq { number: 7, method }.to_string());
        match message {
            Message::Request(request) => Request { headers, body: body.into(), ..request }.into(),
            Message::Response(response) => Response { headers, body: body.into(), ..response }.into(),
        }
    })
}

fn headers() -> impl Strategy<Value = Headers> {
    let free = vec((proptest::sample::select(FREE), any::<String>()), 0..8);
    let lists = (vec(via(), 1..4), vec(address(), 0..3), vec(address(), 0..3));
    ((address(), address(), "[!-~]{1,30}"), lists, free).prop_map(
        |((from, to, call_id), (vias, routes, contacts), free)| {
            let mut headers = Headers::new();
            headers.push(HeaderName::From, from.to_string());
            headers.push(HeaderName::To, to.to_string());
            headers.push(HeaderName::CallId, CallId::new(call_id).to_string());
            vias.iter().for_each(|via| headers.push(HeaderName::Via, via.to_string()));
            routes.iter().for_each(|route| headers.push(HeaderName::RecordRoute, route.to_string()));
            contacts.iter().for_each(|contact| headers.push(HeaderName::Contact, contact.to_string()));
            free.into_iter()
                .for_each(|(name, value)| headers.push(HeaderName::parse(name).expect("the list holds names"), value));
            headers
        },
    )
}

fn via() -> impl Strategy<Value = Via> {
    (prop_oneof![Just(Transport::Udp), Just(Transport::Tls)], host(), any::<Option<u16>>(), "[!-~]{1,20}")
        .prop_map(|(transport, host, port, branch)| Via::new(transport, host, port, &Branch::new(branch)))
}

fn address() -> impl Strategy<Value = NameAddr> {
    (option::of("[^\r\n\0]{0,20}"), uri(), option::of("[!-~]{1,20}")).prop_map(|(display, uri, tag)| {
        let mut address = NameAddr { display, ..NameAddr::new(uri) };
        if let Some(tag) = tag {
            address.set_tag(&Tag::new(tag));
        }
        address
    })
}

fn uri() -> impl Strategy<Value = Uri> {
    (option::of(".{1,20}"), host(), any::<Option<u16>>(), any::<bool>()).prop_map(|(user, host, port, loose)| {
        let mut uri = Uri::sip(user.as_deref(), host, port);
        if loose {
            uri.params.set_flag("lr");
        }
        uri
    })
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,10}(\\.[a-z]{2,5}){0,2}".prop_map(Host::Name),
        any::<std::net::IpAddr>().prop_map(Host::from)
    ]
}

fn method() -> impl Strategy<Value = Method> {
    "(INVITE|ACK|BYE|[a-zA-Z0-9.!%*_+`'~-]{1,12})"
        .prop_map(|text| Method::parse(&text).expect("the pattern is that of tokens"))
}
