//! A small SIP phone that says exactly what a test wants said, right or wrong, and hears with G.711 µ-law.
//!
//! It knows no transactions: it sends once, and loopback loses nothing.

mod coder;
pub mod digest;
pub mod message;
pub mod rtp;
pub mod seal;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use message::Message;
pub use rtp::{Format, Law, Rtp};
pub use seal::Seal;

use super::wire::Wire;

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One phone with one call at a time.
#[derive(Debug)]
pub struct Phone {
    /// Its way to the gateway.
    pub wire: Wire,
    /// Its ear and mouth.
    pub rtp: Rtp,
    /// The call that it is in.
    pub call: Call,
    /// All provisional answers to the last INVITE.
    pub provisional: Vec<Message>,
}

/// What names a call, and where requests in it go.
#[derive(Clone, Debug)]
pub struct Call {
    /// Call-ID.
    pub id: String,
    /// Who calls, as the From header has it.
    pub from: String,
    /// The number that is called.
    pub to: String,
    /// Our tag.
    pub tag: String,
    /// Their tag, once they have answered.
    pub remote_tag: Option<String>,
    /// The number of the last request.
    pub cseq: u32,
    /// The branch of the last INVITE, which its CANCEL repeats.
    pub branch: String,
}

impl Phone {
    /// A phone that calls from +15550199 over UDP.
    pub fn new(server: SocketAddr) -> Self {
        Self::over(Wire::udp(server))
    }

    /// A phone on any transport.
    pub fn over(wire: Wire) -> Self {
        let id = unique();
        let call = Call {
            id: format!("{id}@phone.test"),
            from: "\"Alice\" <sip:+15550199@trunk.example.com>".into(),
            to: super::gateway::NUMBER.into(),
            tag: format!("t{id}"),
            remote_tag: None,
            cseq: 0,
            branch: String::new(),
        };
        Self { wire, rtp: Rtp::new(), call, provisional: Vec::new() }
    }

    /// Calls that number, and returns the final answer. It is acknowledged if it refuses.
    pub fn call(&mut self, to: &str) -> Message {
        self.call_with(to, "")
    }

    /// The same with further header lines, each ended by CRLF.
    pub fn call_with(&mut self, to: &str, headers: &str) -> Message {
        self.invite(to, headers);
        self.answer().expect("an INVITE gets a final answer")
    }

    /// Calls, acknowledges, and plays a tone of -15 dBFS until [`Rtp::stop`].
    pub fn call_and_talk(&mut self, to: &str, tone: f64) -> Message {
        let answer = self.call(to);
        assert_eq!(answer.status(), 200, "{answer:?}");
        self.ack(&answer);
        let media = answer.media().expect("the answer says where its media is");
        self.rtp.start(media, Some((tone, -15.0)));
        answer
    }

    /// Sends an INVITE with an offer of G.711 and digits.
    pub fn invite(&mut self, to: &str, headers: &str) {
        self.call.to = to.to_owned();
        self.call.cseq += 1;
        self.call.branch = branch();
        self.provisional.clear();
        let offer = self.rtp.offer();
        let headers = format!("Content-Type: application/sdp\r\n{headers}");
        let request = self.request("INVITE", self.call.cseq, &self.call.branch, &headers, &offer);
        self.send(&request);
    }

    /// Waits for the final answer to the last INVITE.
    pub fn answer(&mut self) -> Option<Message> {
        self.answer_within(PATIENCE)
    }

    /// The same with a limit of one's own; silence is `None`.
    pub fn answer_within(&mut self, limit: Duration) -> Option<Message> {
        let deadline = Instant::now() + limit;
        while let Some(message) = self.receive(deadline.saturating_duration_since(Instant::now())) {
            if message.is_request() || message.cseq() != format!("{} INVITE", self.call.cseq) {
                continue;
            }
            match message.status() {
                100..200 => self.provisional.push(message),
                status => {
                    self.call.remote_tag = message.tag("To");
                    if status >= 300 {
                        // The acknowledgement of a refusal belongs to the INVITE's own transaction (RFC 3261 §17.1.1.3).
                        let request = self.request("ACK", self.call.cseq, &self.call.branch, "", "");
                        self.send(&request);
                        // A refusal makes no dialog, so the next try is a new one.
                        self.call.remote_tag = None;
                    }
                    return Some(message);
                }
            }
        }
        None
    }

    /// Acknowledges a 200.
    pub fn ack(&mut self, answer: &Message) {
        self.call.remote_tag = answer.tag("To");
        let request = self.request("ACK", self.call.cseq, &branch(), "", "");
        self.send(&request);
    }

    /// Gives up before the answer.
    pub fn cancel(&mut self) {
        let request = self.request("CANCEL", self.call.cseq, &self.call.branch, "", "");
        self.send(&request);
    }

    /// Hangs up and returns the answer.
    pub fn bye(&mut self) -> Message {
        self.in_dialog("BYE", "", "")
    }

    /// Sends a request within the call and returns its final answer.
    pub fn in_dialog(&mut self, method: &str, headers: &str, body: &str) -> Message {
        self.call.cseq += 1;
        let cseq = self.call.cseq;
        let request = self.request(method, cseq, &branch(), headers, body);
        self.send(&request);
        let deadline = Instant::now() + PATIENCE;
        while let Some(message) = self.receive(deadline.saturating_duration_since(Instant::now())) {
            if !message.is_request() && message.status() >= 200 && message.cseq() == format!("{cseq} {method}") {
                return message;
            }
        }
        panic!("no answer to {method}");
    }

    /// Waits for a request of the other side, answers 200, and says when it came.
    pub fn expect_request(&mut self, method: &str, limit: Duration) -> Option<(Instant, Message)> {
        let deadline = Instant::now() + limit;
        while let Some(message) = self.receive(deadline.saturating_duration_since(Instant::now())) {
            if message.is_request() && message.method() == method {
                let at = Instant::now();
                self.send(&message.reply("200 OK"));
                return Some((at, message));
            }
        }
        None
    }

    /// Sends this text.
    pub fn send(&mut self, text: &str) {
        self.wire.send(text);
    }

    /// The next message, of whatever kind.
    pub fn receive(&mut self, limit: Duration) -> Option<Message> {
        self.wire.receive(limit)
    }

    /// A request of the present call, as text.
    pub fn request(&self, method: &str, cseq: u32, branch: &str, headers: &str, body: &str) -> String {
        let Call { id, from, to, tag, remote_tag, .. } = &self.call;
        let (here, server, transport) = (self.wire.here(), self.wire.there(), self.wire.name());
        let remote_tag = remote_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        format!(
            "{method} sip:{to}@{server} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {here};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: {from};tag={tag}\r\n\
             To: <sip:{to}@{server}>{remote_tag}\r\n\
             Call-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:phone@{here};transport={transport}>\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Forgets the call, for another one from the same socket.
    pub fn next_call(&mut self) {
        let id = unique();
        self.call.id = format!("{id}@phone.test");
        self.call.tag = format!("t{id}");
        self.call.remote_tag = None;
    }
}

/// A branch never used before.
pub fn branch() -> String {
    format!("z9hG4bK{}", unique())
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_nanos());
    format!("{now:x}{:x}", COUNT.fetch_add(1, Ordering::Relaxed))
}
