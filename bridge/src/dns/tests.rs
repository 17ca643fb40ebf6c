//! Against a name server on loopback that says what a test wants it to say, or nothing.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Instant;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use tokio::net::UdpSocket;

use super::*;

/// What is known of each name.
type Zone = HashMap<String, Vec<RData>>;

/// A zone from lines: `name A address`, `name SRV priority weight port target`, `name NAPTR order preference service target`.
fn zone(text: &str) -> Zone {
    let mut zone = Zone::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<_> = line.split_whitespace().collect();
        let name = |text: &str| Name::from_str(&format!("{text}.").replace("..", ".")).unwrap();
        let data = match words[1..] {
            ["A", address] => RData::A(A(address.parse().unwrap())),
            ["AAAA", address] => RData::AAAA(AAAA(address.parse().unwrap())),
            ["SRV", priority, weight, port, target] => {
                let number = |text: &str| text.parse().unwrap();
                RData::SRV(SRV::new(number(priority), number(weight), number(port), name(target)))
            }
            ["NAPTR", order, preference, service, target] => RData::NAPTR(NAPTR::new(
                order.parse().unwrap(),
                preference.parse().unwrap(),
                b"s"[..].into(),
                service.as_bytes().into(),
                b""[..].into(),
                name(target),
            )),
            _ => panic!("{line}"),
        };
        zone.entry(format!("{}.", words[0])).or_default().push(data);
    }
    zone
}

/// Answers from a zone. A name that ends in `silent.` gets no answer.
async fn serve(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buf = [0; 1500];
        loop {
            let Ok((len, from)) = socket.recv_from(&mut buf).await else { return };
            let asked = Message::from_vec(&buf[..len]).unwrap();
            let query = asked.queries[0].clone();
            let name = query.name().to_ascii().to_ascii_lowercase();
            if name.ends_with("silent.") {
                continue;
            }
            let mut answer = Message::new(asked.id, MessageType::Response, OpCode::Query);
            answer.add_query(query.clone());
            let known = zone.get(&name);
            if known.is_none() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            for data in known.into_iter().flatten().filter(|data| data.record_type() == query.query_type()) {
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
            }
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

async fn resolver(text: &str) -> Resolver {
    let deny = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    Resolver::system(Settings { servers: vec![serve(zone(text)).await], deny, ways: Vec::new() })
}

/// `host`, `host:port`, either with `;udp`, `;tcp`, `;tls`, `;sips` behind it.
fn target(text: &str) -> Target {
    let mut words = text.split(';');
    let (host, port) = crate::store::outbound::host(words.next().unwrap()).unwrap();
    let mut target = Target { host, port, wire: None, sips: false };
    for word in words {
        match word {
            "udp" => target.wire = Some(Wire::Udp),
            "tcp" => target.wire = Some(Wire::Tcp),
            "tls" => target.wire = Some(Wire::Tls),
            _ => target.sips = true,
        }
    }
    target
}

async fn located(resolver: &Resolver, text: &str) -> String {
    match resolver.locate(&target(text)).await {
        Ok(hops) => {
            let hop = |hop: &NextHop| format!("{} {}", hop.wire, hop.address);
            hops.iter().map(hop).collect::<Vec<_>>().join(", ")
        }
        Err(error) => error.to_string(),
    }
}

const ZONE: &str = "
    plain.test A 192.0.2.1
    both.test AAAA 2001:db8::1
    both.test A 192.0.2.2
    v6.test AAAA 2001:db8::6
    several.test A 192.0.2.3
    several.test A 192.0.2.4
    _sip._udp.srv.test SRV 20 0 5080 backup.test
    _sip._udp.srv.test SRV 10 0 5070 plain.test
    _sips._tcp.srv.test SRV 10 0 5071 both.test
    srv.test A 192.0.2.99
    backup.test A 192.0.2.20
    naptr.test NAPTR 20 10 SIP+D2U _sip._udp.srv.test
    naptr.test NAPTR 10 10 SIPS+D2T _sips._tcp.srv.test
    naptr.test A 192.0.2.99
    _sip._udp.half.test SRV 10 0 5060 missing.test
    _sip._udp.half.test SRV 20 0 5060 plain.test
    _sip._udp.lost.test SRV 10 0 5060 missing.test
    lost.test A 192.0.2.99
    _sip._tcp.none.test SRV 0 0 0 .
    none.test A 192.0.2.99
    empty.test SRV 0 0 0 plain.test
    inside.test A 127.0.0.1
    mixed.test A 127.0.0.1
    mixed.test A 192.0.2.5
    mapped.test AAAA ::ffff:127.0.0.1
    short A 192.0.2.7
";

#[tokio::test]
async fn targets_lead_to_hops() {
    let resolver = resolver(ZONE).await;
    let cases: &[(&str, &str, &str)] = &[
        ("address", "192.0.2.9", "udp 192.0.2.9:5060"),
        ("address and port", "192.0.2.9:5070;tcp", "tcp 192.0.2.9:5070"),
        ("address, TLS", "192.0.2.9;tls", "tls 192.0.2.9:5061"),
        ("IPv6", "[2001:db8::9]:5070", "udp [2001:db8::9]:5070"),
        ("sips", "192.0.2.9;sips", "tls 192.0.2.9:5061"),
        ("sips over TCP is TLS", "192.0.2.9;tcp;sips", "tls 192.0.2.9:5061"),
        ("sips over UDP", "192.0.2.9;udp;sips", "sips needs TLS, not udp"),
        ("name", "plain.test", "udp 192.0.2.1:5060"),
        ("name and port", "plain.test:5090", "udp 192.0.2.1:5090"),
        ("name and transport", "plain.test;tls", "tls 192.0.2.1:5061"),
        ("IPv4 before IPv6", "both.test", "udp 192.0.2.2:5060, udp [2001:db8::1]:5060"),
        ("IPv6 alone", "v6.test", "udp [2001:db8::6]:5060"),
        ("several addresses", "several.test:5060;tcp", "tcp 192.0.2.3:5060, tcp 192.0.2.4:5060"),
        ("SRV of one transport", "srv.test;udp", "udp 192.0.2.1:5070, udp 192.0.2.20:5080"),
        ("SRV of sips", "srv.test;tls", "tls 192.0.2.2:5071, tls [2001:db8::1]:5071"),
        ("no SRV of this transport", "srv.test;tcp", "tcp 192.0.2.99:5060"),
        ("a port means no SRV", "srv.test:5065;udp", "udp 192.0.2.99:5065"),
        (
            "SRV of every transport",
            "srv.test",
            "udp 192.0.2.1:5070, udp 192.0.2.20:5080, tls 192.0.2.2:5071, tls [2001:db8::1]:5071",
        ),
        (
            "NAPTR says which transport",
            "naptr.test",
            "tls 192.0.2.2:5071, tls [2001:db8::1]:5071, udp 192.0.2.1:5070, udp 192.0.2.20:5080",
        ),
        ("NAPTR for sips", "naptr.test;sips", "tls 192.0.2.2:5071, tls [2001:db8::1]:5071"),
        ("NAPTR is not asked about a transport", "naptr.test;udp", "udp 192.0.2.99:5060"),
        ("a server without address", "half.test", "udp 192.0.2.1:5060"),
        ("no server with an address", "lost.test", "there is no host missing.test"),
        ("no such service", "none.test;tcp", "none.test has no address"),
        ("no such name", "missing.test", "there is no host missing.test"),
        ("no address", "empty.test", "empty.test has no address"),
        ("denied", "inside.test", "inside.test is in a network that calls may not go to (outbound_deny)"),
        ("denied address", "127.0.0.1", "127.0.0.1 is in a network that calls may not go to (outbound_deny)"),
        ("denied IPv6", "[::1]", "[::1] is in a network that calls may not go to (outbound_deny)"),
        ("denied, mapped", "mapped.test", "mapped.test is in a network that calls may not go to (outbound_deny)"),
        ("one of two is denied", "mixed.test", "udp 192.0.2.5:5060"),
        ("without a dot", "short", "udp 192.0.2.7:5060"),
    ];
    for (name, target, expected) in cases {
        assert_eq!(located(&resolver, target).await, *expected, "{name}: {target}");
    }
}

#[tokio::test]
async fn the_certificate_is_that_of_the_name_that_was_asked_for() {
    let resolver = resolver(ZONE).await;
    let hops = resolver.locate(&target("srv.test;tls")).await.unwrap();
    assert!(hops.iter().all(|hop| hop.server_name.as_deref() == Some("srv.test")), "{hops:?}");
    let hops = resolver.locate(&target("192.0.2.1;tls")).await.unwrap();
    assert_eq!(hops[0].server_name, None);
}

#[tokio::test]
async fn without_ipv6_of_our_own_there_is_none_beside_ipv4() {
    let servers = vec![serve(zone(ZONE)).await];
    let ways = vec![Way { wire: Wire::Udp, is_ipv6: false }];
    let resolver = Resolver::system(Settings { servers, ways, ..Settings::default() });
    assert_eq!(located(&resolver, "both.test").await, "udp 192.0.2.2:5060");
    let not_here = "cannot be reached from here";
    for target in ["v6.test", "plain.test;tcp", "srv.test;tls", "[2001:db8::9]", "192.0.2.9;tls"] {
        let found = located(&resolver, target).await;
        assert!(found.contains(not_here), "{target}: {found}");
    }
}

#[tokio::test]
async fn servers_that_we_cannot_send_to_take_no_place_of_others() {
    let zone: String = (1..=20)
        .map(|n| {
            format!(
                "_sips._tcp.farm.test SRV {n} 0 5061 s{n}.test\n_sip._udp.farm.test SRV {n} 0 5060 s{n}.test\n\
                 s{n}.test AAAA 2001:db8::{n}\n"
            )
        })
        .collect();
    // The first ten have no address of IPv4.
    let zone = zone + &(11..=20).map(|n| format!("s{n}.test A 192.0.2.{n}\n")).collect::<String>();
    let zone = zone
        + "farm.test NAPTR 10 10 SIPS+D2T _sips._tcp.farm.test\nfarm.test NAPTR 20 10 SIP+D2U _sip._udp.farm.test\n";
    let ways = vec![Way { wire: Wire::Udp, is_ipv6: false }];
    let servers = vec![serve(self::zone(&zone)).await];
    let resolver = Resolver::system(Settings { servers, ways, ..Settings::default() });
    let expected: Vec<_> = (11..=16).map(|n| format!("udp 192.0.2.{n}:5060")).collect();
    assert_eq!(located(&resolver, "farm.test").await, expected.join(", "), "of sixteen names");
}

#[tokio::test]
async fn there_are_only_so_many_hops() {
    let many: String = (1..=20).map(|n| format!("many.test A 192.0.2.{n}\n")).collect();
    let servers: String =
        (1..=20).map(|n| format!("_sip._udp.farm.test SRV {n} 0 5060 s{n}.test\ns{n}.test A 192.0.2.{n}\n")).collect();
    let resolver = resolver(&(many + &servers)).await;
    for name in ["many.test", "farm.test"] {
        let hops = resolver.locate(&target(name)).await.unwrap();
        assert_eq!(hops.len(), MAX_HOPS, "{name}");
    }
}

/// Real time: what is tested is that a clock of ours runs.
#[tokio::test]
async fn a_name_server_that_hangs_costs_five_seconds_and_no_more() {
    let resolver = resolver("").await;
    let began = Instant::now();
    let error = resolver.locate(&target("hangs.silent")).await.unwrap_err();
    assert_eq!(error, Error::Silent("hangs.silent".into()));
    assert!(error.is_passing());
    assert!(began.elapsed() < LIMIT + Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_name_server_that_is_not_there_is_an_error() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = vec![socket.local_addr().unwrap()];
    drop(socket);
    let resolver = Resolver::system(Settings { servers, ..Settings::default() });
    let error = resolver.locate(&target("plain.test")).await.unwrap_err();
    assert_eq!(error, Error::Silent("plain.test".into()));
}
