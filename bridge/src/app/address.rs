//! Which address others are to use for us.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::config::External;
use crate::dispatch::acl::Network;

/// Public STUN servers, as livekit-sip asks them (RFC 8489).
const STUN_SERVERS: [&str; 2] = ["stun.l.google.com:19302", "stun1.l.google.com:19302"];
const STUN_TRIES: u32 = 3;
const STUN_PATIENCE: Duration = Duration::from_secs(1);

/// There is no address to tell others.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The routes of this machine lead nowhere.
    #[error("no route to the outside: {0}; set nat_1_to_1_ip or listen_ip")]
    Route(io::Error),
    /// No address of this machine lies in `local_net`.
    #[error("no address of this machine lies in local_net")]
    LocalNet,
    /// No STUN server has answered.
    #[error("no STUN server has answered; set nat_1_to_1_ip to the public address instead of use_external_ip")]
    Stun,
}

impl Error {
    /// The other family may still have an address.
    pub(super) fn is_of_one_family(&self) -> bool {
        match self {
            Self::Route(_) | Self::LocalNet => true,
            Self::Stun => false,
        }
    }
}

/// The address that others are told for what is bound to `bind`.
pub(super) async fn advertised(external: External, bind: IpAddr, local_net: Option<&Network>) -> Result<IpAddr, Error> {
    match external {
        External::Fixed(ip) if ip.is_ipv4() == bind.is_ipv4() => Ok(ip),
        External::Discover if bind.is_ipv4() => tokio::task::spawn_blocking(discover).await.map_err(|_| Error::Stun)?,
        External::Fixed(_) | External::Discover | External::Local if !bind.is_unspecified() => Ok(bind),
        _ => own(bind, local_net),
    }
}

/// Where room media is bound: loopback for a server on this machine, else wherever the routes lead.
pub async fn toward_room(url: &str) -> Option<IpAddr> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let with_port = if authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        authority.to_owned()
    } else {
        format!("{authority}:443")
    };
    let server = tokio::net::lookup_host(with_port).await.ok()?.next()?;
    server.ip().is_loopback().then(|| server.ip())
}

/// The address of this machine that the routes to the outside choose; nothing is sent to find it.
fn own(bind: IpAddr, local_net: Option<&Network>) -> Result<IpAddr, Error> {
    let outside: SocketAddr = match bind {
        IpAddr::V4(_) => ([192, 0, 2, 1], 9).into(),
        IpAddr::V6(_) => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9).into(),
    };
    let route = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind(SocketAddr::new(bind, 0))?;
        socket.connect(outside)?;
        Ok(socket.local_addr()?.ip())
    };
    let found = route();
    if let Some(net) = local_net {
        return match found {
            Ok(ip) if net.contains(ip) => Ok(ip),
            _ => Err(Error::LocalNet),
        };
    }
    match (found, bind) {
        (Ok(ip), _) => Ok(ip),
        // Without any route there is only this machine: a test bed, or a network that is not up yet.
        (Err(error), IpAddr::V4(_)) if error.kind() == io::ErrorKind::NetworkUnreachable => Ok([127, 0, 0, 1].into()),
        (Err(error), IpAddr::V6(_)) if error.kind() == io::ErrorKind::NetworkUnreachable => {
            Ok(std::net::Ipv6Addr::LOCALHOST.into())
        }
        (Err(error), _) => Err(Error::Route(error)),
    }
}

fn discover() -> Result<IpAddr, Error> {
    let ask = |server: &str| -> io::Result<IpAddr> {
        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
        socket.set_read_timeout(Some(STUN_PATIENCE))?;
        socket.connect(server)?;
        let request = binding_request(rand::random());
        socket.send(&request)?;
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer)?;
        let mapped = answer.get(..length).and_then(|answer| mapped_address(answer, &request));
        mapped.ok_or_else(|| io::ErrorKind::InvalidData.into())
    };
    let tries = (0..STUN_TRIES).flat_map(|_| STUN_SERVERS);
    tries.into_iter().find_map(|server| ask(server).ok()).ok_or(Error::Stun)
}

const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// RFC 8489 §5: type, length, magic cookie, transaction id.
fn binding_request(id: [u8; 12]) -> [u8; 20] {
    let mut request = [0; 20];
    request[1] = 1;
    request[4..8].copy_from_slice(&MAGIC);
    request[8..].copy_from_slice(&id);
    request
}

/// The IPv4 address of XOR-MAPPED-ADDRESS (RFC 8489 §14.2) in the answer to our request.
fn mapped_address(answer: &[u8], request: &[u8; 20]) -> Option<IpAddr> {
    let (header, mut rest) = answer.split_first_chunk::<20>()?;
    if header[..2] != [1, 1] || header[4..] != request[4..] {
        return None;
    }
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = tail.get(..length)?;
        if kind == XOR_MAPPED_ADDRESS && value.get(1) == Some(&1) {
            let xored: [u8; 4] = value.get(4..8)?.try_into().ok()?;
            return Some(IpAddr::from(std::array::from_fn::<u8, 4, _>(|i| xored[i] ^ MAGIC[i])));
        }
        rest = tail.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stun_answer_is_read_and_a_foreign_one_is_not() {
        let request = binding_request(*b"0123456789ab");
        let mut answer = vec![1, 1, 0, 12];
        answer.extend(&request[4..]);
        // RFC 8489 §14.2: port and address are xored with the magic cookie.
        answer.extend([0, 0x20, 0, 8, 0, 1, 0, 0, 203 ^ 0x21, 0x12, 113 ^ 0xa4, 10 ^ 0x42]);
        assert_eq!(mapped_address(&answer, &request), Some([203, 0, 113, 10].into()));
        assert_eq!(mapped_address(&answer, &binding_request(*b"other id 123")), None);
        for length in 0..answer.len() {
            assert_eq!(mapped_address(&answer[..length], &request), None, "cut at {length}");
        }
    }

    #[tokio::test]
    async fn what_is_fixed_is_told_in_its_own_family() {
        let fixed = External::Fixed([203, 0, 113, 10].into());
        let v6: IpAddr = "2001:db8::7".parse().unwrap();
        assert_eq!(advertised(fixed, [0, 0, 0, 0].into(), None).await.unwrap(), IpAddr::from([203, 0, 113, 10]));
        assert_eq!(advertised(fixed, v6, None).await.unwrap(), v6);
        assert_eq!(
            advertised(External::Local, [127, 0, 0, 1].into(), None).await.unwrap(),
            IpAddr::from([127, 0, 0, 1])
        );
    }

    #[tokio::test]
    async fn room_media_stays_on_the_machine_when_the_server_does() {
        assert_eq!(toward_room("ws://127.0.0.1:7880").await, Some([127, 0, 0, 1].into()));
        assert_eq!(toward_room("wss://[::1]:7880/x").await, Some(std::net::Ipv6Addr::LOCALHOST.into()));
        assert_eq!(toward_room("wss://192.0.2.1").await, None);
    }
}
