//! A way to a phone that leaves lines out of what the gateway says: UDP, one caller.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The way. Dropping it closes it.
#[derive(Debug)]
pub struct Filter {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Filter {
    /// Before that phone; lines for which `keeps` says no do not reach it.
    pub fn to(phone: SocketAddr, keeps: impl Fn(&str) -> bool + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket takes a timeout");
        let address = socket.local_addr().expect("a bound socket has an address");
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut caller, mut buffer) = (None, vec![0; 65_536]);
            while !flag.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let (text, to) = if from == phone {
                    (text, caller)
                } else {
                    caller = Some(from);
                    (filtered(&text, &keeps), Some(phone))
                };
                if let Some(to) = to {
                    let _ = socket.send_to(text.as_bytes(), to);
                }
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    /// Where the gateway calls.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn filtered(text: &str, keeps: &impl Fn(&str) -> bool) -> String {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return text.to_owned() };
    let body: String = body.split_inclusive("\r\n").filter(|line| keeps(line)).collect();
    let length = format!("Content-Length: {}", body.len());
    let head: Vec<_> = head
        .split("\r\n")
        .map(|line| if line.to_ascii_lowercase().starts_with("content-length:") { &length } else { line })
        .collect();
    format!("{}\r\n\r\n{body}", head.join("\r\n"))
}
