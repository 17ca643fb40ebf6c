use std::net::{IpAddr, Ipv4Addr};

use sip::Wire;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::listen::{answers_strangers, interfaces, listen_addresses};
use super::*;
use crate::config::External;
use crate::config::tests::loaded;
use crate::dispatch::Answer;
use crate::store::tests::Folder;

/// Longer than anything here may take, shorter than the patience of whoever runs the tests.
const LIMIT: Duration = Duration::from_secs(10);

fn config(yaml: &str) -> Config {
    loaded(yaml).unwrap().config
}

/// A gateway on ports of loopback that were free a moment ago, and the folder of its store.
async fn started() -> (App, Folder) {
    started_with("[{name: file, numbers: ['1']}]").await
}

/// The same with these inbound trunks.
async fn started_with(trunks: &str) -> (App, Folder) {
    let free = || std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap().port();
    for _ in 0..20 {
        // A gateway that has failed may hold its store for a moment longer.
        let folder = Folder::new();
        let yaml = format!(
            "sip_port: {}\napi_port: {}\nlisten_ip: 127.0.0.1\nmedia_threads: 1\nstore: {}\n\
             inbound_trunks: {trunks}",
            free(),
            free(),
            folder.path("store.db").display()
        );
        std::fs::write(folder.path("trunkline.yaml"), &yaml).unwrap();
        match App::start(loaded(&yaml).unwrap()).await {
            Ok(app) => return (app, folder),
            Err(Error::Sip(..) | Error::Http(..)) => {} // Somebody was quicker.
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no port is free");
}

#[test]
fn strangers_are_answered_where_there_is_something_for_them() {
    let walled = "inbound_trunks: [{allowed_addresses: [192.0.2.1]}]";
    let open = "inbound_trunks: [{numbers: ['1']}]";
    let cases = [
        ("nobody is let in", "", false),
        ("access lists", walled, false),
        ("access lists, and strangers are refused in words", &format!("reject: 403\n{walled}"), true),
        ("a trunk for everybody", open, true),
        ("a trunk for everybody on a hidden port", &format!("hide_inbound_port: true\n{open}"), false),
    ];
    for (name, yaml, expected) in cases {
        let Loaded { config, snapshot, .. } = loaded(yaml).unwrap();
        assert_eq!(answers_strangers(config.sip.hide, config.sip.reject, &snapshot), expected, "{name}");
    }
}

#[test]
fn what_is_configured_is_listened_on_and_nothing_else() {
    let one = [IpAddr::from([192, 0, 2, 1])];
    assert_eq!(listen_addresses(&one), one);
    assert_eq!(listen_addresses(&[])[0], IpAddr::from(Ipv4Addr::UNSPECIFIED));
}

#[tokio::test]
async fn a_network_of_one_family_does_not_keep_the_gateway_from_starting() {
    let Ok(own) = address::advertised(External::Local, Ipv4Addr::UNSPECIFIED.into(), None).await else { return };
    let addresses = |yaml: &str| config(yaml).addresses;
    let found = interfaces(&addresses(&format!("local_net: {own}/32")), External::Local).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].bind, found[0].advertised), (Ipv4Addr::UNSPECIFIED.into(), own));
    let elsewhere = interfaces(&addresses("local_net: 198.51.100.0/24"), External::Local).await;
    assert!(matches!(elsewhere, Err(address::Error::LocalNet)), "{elsewhere:?}");
}

#[test]
fn settings_of_calls_come_from_the_file() {
    let own = vec!["192.0.2.1:5060".parse().unwrap()];
    let defaults = settings(&config(""), own.clone());
    assert_eq!(defaults.own, own);
    assert_eq!(defaults.codecs, {
        use ::media::sdp::Codec;
        [Codec::G722, Codec::Pcmu, Codec::Pcma]
    });
    assert_eq!((defaults.source, defaults.allow_loopback), (::media::source::Mode::Learn, false));
    let file = "answer: immediately\nsip_ringing_interval: 2s\nmedia_timeout: 7s\nmedia_timeout_initial: 9s\n\
                symmetric_rtp: true\nallow_loopback_media: true\nroom_reconnect_limit: 11s\nopus: {bitrate: 24000, dtx: false}\ncomfort_noise: true\naudio_dtmf: true\n";
    let told = settings(&config(file), Vec::new());
    let seconds = [told.ringing_interval, told.media_timeout, told.media_timeout_initial, told.room_reconnect_limit]
        .map(|duration| duration.as_secs());
    assert_eq!(seconds, [2, 7, 9, 11]);
    assert_eq!((told.answer, told.opus_bitrate), (Answer::Immediately, 24_000));
    assert_eq!((defaults.dtx, defaults.comfort_noise, told.dtx, told.comfort_noise), (true, false, false, true));
    assert_eq!((defaults.audible_keys, told.audible_keys), (false, true));
    assert_eq!((told.source, told.allow_loopback), (::media::source::Mode::Latch, true));
}

#[tokio::test]
async fn a_gateway_without_its_endpoint_does_not_pretend_to_serve() {
    let (app, _folder) = started().await;
    let health = app.health.subscribe();
    app.sip().clone().shutdown().await;
    let ended = timeout(LIMIT, app.run()).await.expect("it ends");
    assert!(matches!(ended, Err(Error::Lost)), "{ended:?}");
    assert_eq!(*health.borrow(), Health::Draining);
}

#[tokio::test]
async fn a_trunk_for_everybody_is_answered_for_as_soon_as_it_is_written() {
    let (app, _folder) = started_with("[{name: walled, allowed_addresses: [192.0.2.1]}]").await;
    let gateway = app.sip().listeners()[0].bind;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let is_answered = async |branch: &str, limit| {
        let options = format!(
            "OPTIONS sip:{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{branch}\r\n\
             From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:{gateway}>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        stranger.send_to(options.as_bytes(), gateway).await.unwrap();
        timeout(limit, stranger.recv_from(&mut [0; 2048])).await.is_ok()
    };
    assert!(!is_answered("1", Duration::from_millis(300)).await, "nothing is for strangers here");
    let open = livekit_protocol::SipInboundTrunkInfo { numbers: vec!["+2".to_owned()], ..Default::default() };
    app.store().create_inbound_trunk(open).unwrap();
    assert!(is_answered("2", LIMIT).await, "now there is something");
}

#[tokio::test]
async fn what_the_api_has_written_is_served_after_a_restart() {
    let (app, folder) = started().await;
    assert!(app.api().is_some_and(|address| address.ip().is_loopback()));
    let trunk = livekit_protocol::SipInboundTrunkInfo {
        name: "api".to_owned(),
        numbers: vec!["+2".to_owned()],
        ..Default::default()
    };
    app.store().create_inbound_trunk(trunk).unwrap();
    app.store().record(crate::store::CallRecord { id: "SCL_1".to_owned(), ..Default::default() });
    let text = std::fs::read_to_string(folder.path("trunkline.yaml")).unwrap();
    let second = App::start(loaded(&text).unwrap()).await;
    assert!(matches!(second, Err(Error::Store(OpenError::InUse(_)))), "a store has one gateway: {second:?}");
    let store = app.store().clone();
    timeout(LIMIT, app.stop()).await.unwrap();
    assert_eq!(store.records(&Default::default()).unwrap().len(), 1, "the last call is on the disk");
    drop(store);
    let (again, _) = Store::open(Some(&folder.path("store.db")), Items::default()).unwrap();
    assert!(again.inbound_trunk("api").is_ok());
}

#[tokio::test]
async fn a_store_that_nobody_has_named_is_done_without() {
    let folder = Folder::new();
    let nowhere = StoreFile::Default { state_directory: Some(folder.path("not/there")) };
    let store = open_store(&nowhere, Items::default()).unwrap();
    assert!(!store.is_durable());
    let named = open_store(&StoreFile::Set(folder.path("not/there/store.db")), Items::default());
    assert!(matches!(named, Err(Error::Store(OpenError::Io(..)))), "{named:?}");
}

#[tokio::test]
async fn the_last_bye_is_repeated_until_it_is_answered() {
    let (app, _folder) = started().await;
    let carrier = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = carrier.local_addr().unwrap();
    let sip = app.sip().clone();
    let call = sip.new_call();
    let uri = sip::Uri::parse(&format!("sip:1@{address}")).unwrap();
    let hop = sip::NextHop { wire: Wire::Udp, address, server_name: None };
    let invite = sip::Invite::new(call, vec![hop], uri.clone(), sip::NameAddr::new(uri));
    sip.send(sip::Command::Invite(Box::new(invite))).await.unwrap();
    answer(&carrier, "INVITE ").await;
    hears(&carrier, "ACK ").await;
    sip.send(sip::Command::Hangup { call, headers: Vec::new() }).await.unwrap();
    hears(&carrier, "BYE ").await; // It is lost.
    let carrier = tokio::spawn(async move { answer(&carrier, "BYE ").await });
    timeout(LIMIT, app.stop()).await.unwrap();
    carrier.await.unwrap();
}

async fn hears(carrier: &UdpSocket, start: &str) -> (sip::Request, SocketAddr) {
    let listen = async {
        loop {
            let mut datagram = [0; 2048];
            let (length, from) = carrier.recv_from(&mut datagram).await.unwrap();
            if let Ok(sip::Message::Request(request)) = sip::Message::parse(&datagram[..length])
                && request.to_string().starts_with(start)
            {
                return (request, from);
            }
        }
    };
    timeout(LIMIT, listen).await.unwrap_or_else(|_| panic!("no {start}"))
}

async fn answer(carrier: &UdpSocket, start: &str) {
    let (request, from) = hears(carrier, start).await;
    let mut response = request.respond(sip::Status::OK);
    response.headers.push(sip::HeaderName::Contact, format!("<sip:1@{}>", carrier.local_addr().unwrap()));
    let text = sip::Message::Response(response).to_bytes();
    let text = String::from_utf8_lossy(&text).replacen(">\r\nCall-ID", ">;tag=carrier\r\nCall-ID", 1);
    carrier.send_to(text.as_bytes(), from).await.unwrap();
}
