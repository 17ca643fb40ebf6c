//! Free ports. Between asking and using lies a moment; the ranges differ from process to process to keep it harmless.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel takes ports for outgoing connections.
const LOWEST: u16 = 12_000;
const HIGHEST: u16 = 32_000;

/// One port free for UDP and TCP on loopback.
pub fn one() -> u16 {
    *range(2).start()
}

/// So many ports in a row, the first of them even, all free for UDP and TCP.
pub fn range(count: u16) -> RangeInclusive<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = HIGHEST - LOWEST;
    let spread = (std::process::id() % 97) as u16 * 200;
    let step = count.next_multiple_of(2);
    for _ in 0..1_000 {
        let first = LOWEST + (spread + NEXT.fetch_add(step, Ordering::Relaxed) % span) % span;
        let ports = first..=first.saturating_add(count - 1);
        if *ports.end() <= HIGHEST && ports.clone().all(is_free) {
            return ports;
        }
    }
    panic!("no {count} free ports in a row");
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// Whether some socket on loopback or on every address is bound to that port, from the kernel's tables; `udp` or `tcp`.
pub fn is_bound(wire: &str, port: u16) -> bool {
    let table = std::fs::read_to_string(format!("/proc/net/{wire}")).unwrap_or_default();
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&wanted)))
}
