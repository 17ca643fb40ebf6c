//! A carrier that says what is in the files of `tests/data/carriers`, from this machine.

use std::path::Path;
use std::time::{Duration, Instant};

use super::gateway::Gateway;
use super::phone::{Message, Rtp, Seal, branch};
use super::wire::Wire;
use crate::data;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// One carrier with one call.
#[derive(Debug)]
pub struct Carrier {
    /// Its way to the gateway.
    pub wire: Wire,
    /// Its ear and mouth.
    pub rtp: Rtp,
    /// The tag of the gateway, which no file can know.
    pub tag: Option<String>,
}

/// A file as it is.
pub fn fixture(name: &str) -> String {
    let path = data("carriers").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Carrier {
    /// A carrier that reaches the gateway by `UDP`, `TCP` or `TLS`.
    pub fn new(gateway: &Gateway, transport: &str, certificate: &Path) -> Self {
        let wire = match transport {
            "UDP" => Wire::udp(gateway.sip()),
            "TCP" => Wire::tcp(gateway.sip()),
            _ => Wire::tls(gateway.tls(), certificate),
        };
        Self { wire, rtp: Rtp::new(), tag: None }
    }

    /// Sends a file, with the addresses of this machine. A request within a call has the tag of the gateway. The keys of a
    /// description become those of our ear and mouth.
    pub fn send(&mut self, file: &str) {
        self.send_with(file, &[]);
    }

    /// The same with some texts replaced first.
    pub fn send_with(&mut self, file: &str, changes: &[(&str, &str)]) {
        let text = changes.iter().fold(fixture(file), |text, (theirs, ours)| text.replace(theirs, ours));
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.trim_end(), ""));
        if body.contains("RTP/SAVP") {
            self.rtp.seal = Some(Seal::told(body));
        }
        let body = self.here_in_sdp(body);
        let mut lines: Vec<String> = Vec::new();
        let mut top_via = true;
        for line in head.split("\r\n") {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            lines.push(match name.as_str() {
                "via" | "v" if std::mem::take(&mut top_via) => self.here_in_via(line),
                "record-route" => self.here_in_route(line),
                "content-length" | "l" => format!("Content-Length: {}", body.len()),
                "to" | "t" => with_tag(line, self.tag.as_deref()),
                _ => line.to_owned(),
            });
        }
        let text = format!("{}\r\n\r\n{body}", lines.join("\r\n"));
        self.wire.send(&text);
    }

    /// The final answer to an INVITE.
    pub fn answer(&mut self) -> Option<Message> {
        self.answer_to("INVITE")
    }

    /// The final answer to a request.
    pub fn answer_to(&mut self, method: &str) -> Option<Message> {
        let found = self.hear(|m| m.status() >= 200 && m.cseq().ends_with(method))?;
        if method == "INVITE" && found.status() == 200 {
            self.tag = found.tag("To");
        }
        Some(found)
    }

    /// A request of the gateway.
    pub fn request(&mut self, method: &str) -> Option<Message> {
        self.hear(|m| m.is_request() && m.method() == method)
    }

    /// Speaks that tone to where an answer wants it, and listens.
    pub fn talk(&mut self, answer: &Message, tone: f64) {
        if let Some(seal) = &mut self.rtp.seal {
            seal.hears(answer.body());
        }
        let media = answer.media().expect("the answer says where its media is");
        self.rtp.start(media, Some((tone, -15.0)));
    }

    /// Acknowledges an answer by a request of our own.
    pub fn acknowledge(&mut self, answer: &Message) {
        self.acknowledge_with(answer, "");
    }

    /// The same with a description.
    pub fn acknowledge_with(&mut self, answer: &Message, sdp: &str) {
        let cseq = answer.cseq().split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1);
        let text = self.within("ACK", answer, cseq, sdp);
        self.wire.send(&text);
    }

    /// Hangs up by a request of our own.
    pub fn bye(&mut self, answer: &Message) -> Message {
        let cseq = answer.cseq().split(' ').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(1) + 20;
        let text = self.within("BYE", answer, cseq, "");
        self.wire.send(&text);
        self.answer_to("BYE").expect("BYE is answered")
    }

    fn hear(&mut self, is_it: impl Fn(&Message) -> bool) -> Option<Message> {
        let deadline = Instant::now() + LIMIT;
        while let Some(message) = self.wire.receive(deadline.saturating_duration_since(Instant::now())) {
            if is_it(&message) {
                return Some(message);
            }
        }
        None
    }

    fn within(&self, method: &str, answer: &Message, cseq: u32, sdp: &str) -> String {
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        let contact = header("Contact");
        let target = contact.split(['<', '>']).nth(1).unwrap_or("sip:gateway");
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {cseq} {method}\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            self.wire.name(),
            self.wire.here(),
            branch(),
            header("From"),
            header("To"),
            header("Call-ID"),
            sdp.len()
        )
    }

    /// The top Via names this socket; the branch stays.
    fn here_in_via(&self, line: &str) -> String {
        let parameters = line.split_once(';').map_or("", |(_, rest)| rest);
        format!("Via: SIP/2.0/{} {};{parameters}", self.wire.name(), self.wire.here())
    }

    /// A recorded route leads here, whichever hop it was.
    fn here_in_route(&self, line: &str) -> String {
        let host = line.split_once("sip:").and_then(|(_, rest)| rest.split(['>', ';']).next()).unwrap_or_default();
        line.replace(host, &self.wire.here().to_string())
    }

    fn here_in_sdp(&self, body: &str) -> String {
        here_in_sdp(body, &self.rtp)
    }
}

/// The description of media names this ear.
pub fn here_in_sdp(body: &str, rtp: &Rtp) -> String {
    let here = rtp.address();
    let line = |line: &str| match line.split_once(' ') {
        _ if line.starts_with("c=") => format!("c=IN IP4 {}", here.ip()),
        Some(("m=audio", rest)) => {
            format!("m=audio {} {}", here.port(), rest.split_once(' ').map_or("", |(_, rest)| rest))
        }
        _ if line.starts_with("a=rtcp:") => format!("a=rtcp:{} IN IP4 {}", here.port() + 1, here.ip()),
        _ => line.to_owned(),
    };
    body.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n")
}

fn with_tag(line: &str, tag: Option<&str>) -> String {
    match (line.split_once(";tag="), tag) {
        (Some((start, _)), Some(tag)) => format!("{start};tag={tag}"),
        _ => line.to_owned(),
    }
}
