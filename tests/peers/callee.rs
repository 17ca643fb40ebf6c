//! A phone that is called: a test writes its part line by line, so that it can do what no real phone would.
//!
//! It knows no transactions: it sends once, loopback loses nothing, and what is said again is not heard again.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::phone::digest::{self, Algorithm};
use super::phone::{Message, PATIENCE, Rtp, branch};

/// One phone with one call at a time.
#[derive(Debug)]
pub struct Callee {
    /// Its ear and mouth.
    pub rtp: Rtp,
    socket: UdpSocket,
    call: Option<Leg>,
    /// What came and was not asked for yet.
    inbox: Vec<(Message, SocketAddr)>,
    /// The starts and branches of all that came: the same ones again are the same message again.
    known: Vec<String>,
}

/// The call that it is in.
#[derive(Clone, Debug)]
struct Leg {
    invite: Message,
    from: SocketAddr,
    tag: String,
    cseq: u32,
}

impl Callee {
    /// Listens on a free port.
    pub fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        Self { rtp: Rtp::new(), socket, call: None, inbox: Vec::new(), known: Vec::new() }
    }

    /// Where it takes SIP over UDP.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// Waits for a call.
    pub fn invited(&mut self) -> Message {
        self.invited_within(PATIENCE).expect("the phone is called")
    }

    /// The same with a limit of one's own; silence is `None`.
    pub fn invited_within(&mut self, limit: Duration) -> Option<Message> {
        let (invite, from) = self.hear(limit, |message| message.method() == "INVITE")?;
        let tag = format!("callee{}", self.known.len());
        self.call = Some(Leg { invite: invite.clone(), from, tag, cseq: 0 });
        Some(invite)
    }

    /// Answers the INVITE with a status and without a body.
    pub fn reply(&mut self, status: &str) {
        self.reply_with(status, "", "");
    }

    /// The same with header lines, each ended by CRLF, and a body.
    pub fn reply_with(&mut self, status: &str, headers: &str, body: &str) {
        let tag = self.leg().tag.clone();
        self.reply_as(&tag, status, headers, body);
    }

    /// The same under a tag of one's own, as one of several phones that a proxy forks the call to.
    pub fn reply_as(&mut self, tag: &str, status: &str, headers: &str, body: &str) {
        let leg = self.leg();
        let text = answer(&leg.invite, tag, self.address(), status, headers, body);
        self.send(&text, leg.from);
    }

    /// The same with a Contact of its own among the header lines, if any.
    pub fn say_as(&mut self, tag: &str, status: &str, headers: &str, body: &str) {
        let leg = self.leg();
        let contact = format!("Contact: <sip:callee@{}>\r\n", self.address());
        let text = answer(&leg.invite, tag, self.address(), status, headers, body);
        let text = if headers.contains("Contact: ") { text.replacen(&contact, "", 1) } else { text };
        tag.clone_into(&mut self.call.as_mut().expect("there is a call").tag);
        self.send(&text, leg.from);
    }

    /// Refuses, and waits for the acknowledgement.
    pub fn refuse(&mut self, status: &str) {
        self.reply(status);
        self.expect("ACK");
    }

    /// Answers 200 with its media, and waits for the acknowledgement.
    pub fn pick_up(&mut self, tone: Option<f64>) {
        let offer = self.rtp.offer();
        self.reply_with("200 OK", "Content-Type: application/sdp\r\n", &offer);
        self.expect("ACK");
        self.talk(tone);
    }

    /// Answers a provisional status with its media, and plays into it.
    pub fn play_early(&mut self, tone: f64) {
        let offer = self.rtp.offer();
        self.reply_with("183 Session Progress", "Content-Type: application/sdp\r\n", &offer);
        self.talk(Some(tone));
    }

    /// Plays a tone of -15 dBFS, or silence, to where the caller wants it.
    pub fn talk(&mut self, tone: Option<f64>) {
        let media = self.leg().invite.media().expect("an INVITE has an offer");
        self.rtp.start(media, tone.map(|hz| (hz, -15.0)));
    }

    /// Asks the caller for a password and returns the next INVITE: 401 or 407, with each of these hashes.
    pub fn challenge(&mut self, status: u16, algorithms: &[Algorithm], stale: bool) -> Message {
        let (phrase, header) = match status {
            401 => ("401 Unauthorized", "WWW-Authenticate"),
            _ => ("407 Proxy Authentication Required", "Proxy-Authenticate"),
        };
        let lines = algorithms.iter().map(|algorithm| {
            let (name, more) = (algorithm.name(), if stale { ", stale=true" } else { "" });
            let nonce = branch();
            format!(
                "{header}: Digest realm=\"carrier.test\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\", opaque=\"o\"{more}\r\n"
            )
        });
        let lines: String = lines.collect();
        self.reply_with(phrase, &lines, "");
        self.expect("ACK");
        self.invited()
    }

    /// The reply in an INVITE to a challenge with that hash, if its arithmetic is that of this user and password.
    pub fn knows(&self, invite: &Message, user: &str, password: &str, algorithm: Algorithm) -> bool {
        let replies = ["Authorization", "Proxy-Authorization"].into_iter().flat_map(|name| invite.all(name));
        let mut replies = replies.map(str::to_owned);
        replies.any(|reply| digest::is_right(&reply, "INVITE", user, password, algorithm))
    }

    /// Waits for a request of the caller. Others keep until they are waited for.
    pub fn expect(&mut self, method: &str) -> Message {
        self.expect_within(method, PATIENCE).unwrap_or_else(|| panic!("the caller should send {method}"))
    }

    /// The same with a limit of one's own; silence is `None`.
    pub fn expect_within(&mut self, method: &str, limit: Duration) -> Option<Message> {
        let (message, from) = self.hear(limit, |message| message.method() == method)?;
        if let Some(leg) = &mut self.call {
            leg.from = from;
        }
        Some(message)
    }

    /// Answers some other request of the caller.
    pub fn reply_to(&mut self, request: &Message, status: &str) {
        let leg = self.leg();
        let text = answer(request, &leg.tag, self.address(), status, "", "");
        self.send(&text, leg.from);
    }

    /// Waits for the caller's BYE and answers it.
    pub fn expect_bye(&mut self, limit: Duration) -> Option<Message> {
        let bye = self.expect_within("BYE", limit)?;
        self.reply_to(&bye, "200 OK");
        Some(bye)
    }

    /// Sends a request within the call and returns its final answer.
    pub fn in_dialog(&mut self, method: &str, headers: &str, body: &str) -> Message {
        let address = self.address();
        let leg = self.call.as_mut().expect("there is a call");
        leg.cseq += 1;
        let (cseq, leg) = (leg.cseq, leg.clone());
        let header = |name: &str| leg.invite.header(name).unwrap_or_default().to_owned();
        let contact = header("Contact");
        let target = contact.trim_start_matches('<').split('>').next().unwrap_or_default();
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch={};rport\r\nMax-Forwards: 70\r\n\
             From: {};tag={}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:callee@{address}>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            branch(),
            header("To"),
            leg.tag,
            header("From"),
            header("Call-ID"),
            body.len()
        );
        self.send(&text, leg.from);
        let is_it = |m: &Message| !m.is_request() && m.status() >= 200 && m.cseq() == format!("{cseq} {method}");
        let (message, _) = self.hear(PATIENCE, is_it).unwrap_or_else(|| panic!("no answer to {method}"));
        message
    }

    /// Hangs up.
    pub fn bye(&mut self) -> Message {
        self.in_dialog("BYE", "", "")
    }

    /// The next message that is asked for; others wait for their turn.
    fn hear(&mut self, limit: Duration, is_it: impl Fn(&Message) -> bool) -> Option<(Message, SocketAddr)> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(at) = self.inbox.iter().position(|(message, _)| is_it(message)) {
                return Some(self.inbox.remove(at));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.set_read_timeout(Some(left)).expect("a socket takes a timeout");
            let mut buffer = vec![0; 65_536];
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else { continue };
            let Some(message) = Message::parse(&String::from_utf8_lossy(&buffer[..length])) else { continue };
            let name = format!("{} {:?}", message.start(), message.header("Via"));
            if !self.known.contains(&name) {
                self.known.push(name);
                self.inbox.push((message, from));
            }
        }
    }

    fn send(&self, text: &str, to: SocketAddr) {
        self.socket.send_to(text.as_bytes(), to).expect("loopback takes datagrams");
    }

    fn leg(&self) -> Leg {
        self.call.clone().expect("there is a call")
    }
}

impl Default for Callee {
    fn default() -> Self {
        Self::new()
    }
}

fn answer(request: &Message, tag: &str, here: SocketAddr, status: &str, headers: &str, body: &str) -> String {
    let text = request.reply(status);
    let lines = text.split_inclusive("\r\n").map(|line| match line.strip_prefix("To: ") {
        Some(to) if !to.contains(";tag=") => format!("To: {};tag={tag}\r\n", to.trim_end()),
        _ if line.starts_with("Content-Length: ") => {
            format!("Contact: <sip:callee@{here}>\r\n{headers}Content-Length: {}\r\n", body.len())
        }
        _ => line.to_owned(),
    });
    format!("{}{body}", lines.collect::<String>())
}
