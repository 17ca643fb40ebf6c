//! A SIP message taken apart just far enough for a test to look at it.

use std::net::{IpAddr, SocketAddr};

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    /// Takes a datagram apart; `None` when it has no head.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect();
        Some(Self { start, headers, body: body.to_owned() })
    }

    /// Whether it asks for something.
    pub fn is_request(&self) -> bool {
        !self.start.starts_with("SIP/2.0")
    }

    /// What it asks for.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The status code of an answer, 0 for a request.
    pub fn status(&self) -> u16 {
        self.start.strip_prefix("SIP/2.0 ").and_then(|s| s.get(..3)?.parse().ok()).unwrap_or(0)
    }

    /// The first line.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// All headers of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// CSeq, empty when there is none.
    pub fn cseq(&self) -> &str {
        self.header("CSeq").unwrap_or_default()
    }

    /// The tag of From or To.
    pub fn tag(&self, header: &str) -> Option<String> {
        let (_, tag) = self.header(header)?.split_once(";tag=")?;
        tag.split(';').next().map(str::to_owned)
    }

    /// What follows the head.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Where its session description wants audio sent to. Of several streams it has taken one at the most.
    pub fn media(&self) -> Option<SocketAddr> {
        let address: IpAddr = self.body.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim().parse().ok()?;
        let streams = self.body.lines().filter_map(|line| line.strip_prefix("m=audio "));
        let port = streams.filter_map(|stream| stream.split(' ').next()?.parse().ok()).find(|port| *port != 0)?;
        Some(SocketAddr::new(address, port))
    }

    /// An answer to this request, without a body.
    pub fn reply(&self, status: &str) -> String {
        let copied = ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"];
        let lines = copied.iter().flat_map(|name| self.all(name).map(move |value| format!("{name}: {value}\r\n")));
        format!("SIP/2.0 {status}\r\n{}Content-Length: 0\r\n\r\n", lines.collect::<String>())
    }
}
