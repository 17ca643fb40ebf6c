//! A name server with a handful of names, on a free loopback port (RFC 1035, RFC 2782).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const A: u16 = 1;
const SRV: u16 = 33;

/// One record.
#[derive(Clone, Debug)]
pub enum Record {
    /// An address of a host.
    A(&'static str, Ipv4Addr),
    /// A server of a service: priority, weight, port, host.
    Srv(&'static str, u16, u16, u16, &'static str),
}

/// The server, until it is dropped.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    /// Serves these records; all other names do not exist.
    pub fn serve(records: Vec<Record>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket takes a timeout");
        let address = socket.local_addr().expect("a bound socket has an address");
        let (asked, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (log, flag) = (asked.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1_500];
            while !flag.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let Some((name, kind)) = question(&buffer[..length]) else { continue };
                log.lock().expect("no thread panics while it holds this").push(format!("{name} {kind}"));
                let _ = socket.send_to(&reply(&buffer[..length], &name, kind, &records), from);
            }
        });
        Self { address, asked, stop, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that it was asked: names and the numbers of record types.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics while it holds this").clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Record {
    fn name(&self) -> &'static str {
        match self {
            Self::A(name, _) | Self::Srv(name, ..) => name,
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::A(..) => A,
            Self::Srv(..) => SRV,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self {
            Self::A(_, address) => address.octets().to_vec(),
            Self::Srv(_, priority, weight, port, host) => {
                let numbers = [*priority, *weight, *port];
                numbers.into_iter().flat_map(u16::to_be_bytes).chain(labels(host)).collect()
            }
        }
    }
}

/// The name in lower case, without the last dot, and the type of the first question.
fn question(packet: &[u8]) -> Option<(String, u16)> {
    let mut rest = packet.get(12..)?;
    let mut parts = Vec::new();
    while let Some((&length @ 1..=63, after)) = rest.split_first() {
        parts.push(String::from_utf8_lossy(after.get(..usize::from(length))?).to_ascii_lowercase());
        rest = &after[usize::from(length)..];
    }
    let kind = rest.get(1..3)?;
    Some((parts.join("."), u16::from_be_bytes([kind[0], kind[1]])))
}

fn reply(packet: &[u8], name: &str, kind: u16, records: &[Record]) -> Vec<u8> {
    let found: Vec<&Record> = records.iter().filter(|record| record.name() == name && record.kind() == kind).collect();
    // A name above one that exists does exist (RFC 8020 §2).
    let exists = records.iter().any(|record| record.name().ends_with(name));
    let flags: u16 = 0x8580 | if exists { 0 } else { 3 };
    let mut bytes = packet[..2].to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend([1, found.len() as u16, 0, 0].into_iter().flat_map(u16::to_be_bytes));
    bytes.extend(labels(name));
    bytes.extend([kind, 1].into_iter().flat_map(u16::to_be_bytes));
    for record in found {
        let data = record.data();
        bytes.extend(labels(name));
        bytes.extend([kind, 1].into_iter().flat_map(u16::to_be_bytes));
        bytes.extend(5_u32.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

fn labels(name: &str) -> Vec<u8> {
    let parts = name.split('.').filter(|part| !part.is_empty());
    let mut bytes: Vec<u8> = parts.flat_map(|part| std::iter::once(part.len() as u8).chain(part.bytes())).collect();
    bytes.push(0);
    bytes
}
