//! `sipp` with a scenario that a test puts together step by step. It speaks SIP; the ear and the mouth are an
//! [`Rtp`](super::phone::Rtp) that the session descriptions name, because `sipp` cannot judge what it hears. Where the scenario
//! waits, the test judges, and then lets it go on.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::phone::{Message, branch};
use crate::need::Need;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::{ports, within};

/// How long a message of the gateway may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The header line of a body that is a session description.
pub const SDP: &str = "Content-Type: application/sdp\r\n";

/// The steps of one call.
#[derive(Clone, Debug)]
pub struct Scenario {
    steps: String,
    /// From, To and Call-ID of what it says, and how it names itself in Contact.
    names: String,
    contact: String,
    cseq: u32,
    /// The number of the last INVITE, which its ACK repeats.
    invite: u32,
    /// What was heard last, and whether its To lacks our tag.
    heard: String,
    is_new: bool,
}

impl Scenario {
    /// A phone of that number that calls.
    pub fn caller(number: &str) -> Self {
        let names = format!(
            "From: \"sipp\" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]s[call_number]\r\n\
             To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]\r\n"
        );
        Self {
            steps: String::new(),
            names,
            contact: contact(number),
            cseq: 0,
            invite: 0,
            heard: String::new(),
            is_new: false,
        }
    }

    /// A phone that is called: it takes the INVITE and answers nothing yet.
    pub fn callee() -> Self {
        let names = "From:[$us];tag=[pid]u[call_number]\r\nTo:[$them]\r\n".to_owned();
        let callee = Self { names, contact: contact("callee"), ..Self::caller("") };
        let mut callee = callee.hears("INVITE");
        // The names of the call, which later requests must not change.
        callee.steps.push_str(
            "<nop><action>\n<assignstr assign_to=\"us\" value=\"[$to]\"/>\n\
             <assignstr assign_to=\"them\" value=\"[$from]\"/>\n<assignstr assign_to=\"call_via\" value=\"[$via]\"/>\n\
             <assignstr assign_to=\"call_cseq\" value=\"[$cseq]\"/>\n</action></nop>\n",
        );
        callee.is_new = true;
        callee
    }

    /// Sends the first INVITE, with these header lines, each ended by CRLF, and this description.
    pub fn invites(self, headers: &str, sdp: &str) -> Self {
        self.rings(headers, sdp).may_get(&[180, 183])
    }

    /// The same where the caller says itself what it does while it rings.
    pub fn rings(mut self, headers: &str, sdp: &str) -> Self {
        self.cseq += 1;
        // A try after a refusal is no part of what was refused.
        let (cseq, names) = (self.cseq, self.names.clone());
        self.invite = cseq;
        self.names = names.replace("[peer_tag_param]", "");
        self = self.sends("INVITE", cseq, "sip:[service]@[remote_ip]:[remote_port]", headers, sdp, true);
        self.names = names;
        self.may_get(&[100])
    }

    /// Takes a provisional answer that has to be acknowledged, and waits.
    pub fn hears_ringing(mut self, status: u16) -> Self {
        let _ = writeln!(
            self.steps,
            "<recv response=\"{status}\" rrs=\"true\"><action>\n\
             <ereg regexp=\"100rel\" search_in=\"hdr\" header=\"Require:\" check_it=\"true\" assign_to=\"found\"/>\n\
             <ereg regexp=\"[0-9]+\" search_in=\"hdr\" header=\"RSeq:\" check_it=\"true\" assign_to=\"number\"/>\n\
             </action></recv>"
        );
        self.waits()
    }

    /// Acknowledges it (RFC 3262), with a description if the answer was the offer.
    pub fn acknowledges_ringing(self, sdp: &str) -> Self {
        let invite = self.invite;
        self.asks("PRACK", &format!("RAck: [$number] {invite} INVITE\r\n"), sdp)
    }

    /// Waits for an answer.
    pub fn gets(mut self, status: u16) -> Self {
        let _ = writeln!(self.steps, "<recv response=\"{status}\" rrs=\"true\"/>");
        self
    }

    /// The same where an expression has to be found in a header.
    pub fn gets_with(mut self, status: u16, header: &str, regexp: &str) -> Self {
        let _ = writeln!(
            self.steps,
            "<recv response=\"{status}\" rrs=\"true\"><action><ereg regexp=\"{regexp}\" search_in=\"hdr\" \
             header=\"{header}:\" check_it=\"true\" assign_to=\"found\"/></action></recv>"
        );
        self
    }

    /// Takes answers that may come.
    pub fn may_get(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let _ = writeln!(self.steps, "<recv response=\"{status}\" optional=\"true\"/>");
        }
        self
    }

    /// Acknowledges a 200, with a description if the 200 was the offer.
    pub fn acknowledges(self, sdp: &str) -> Self {
        let invite = self.invite;
        self.sends("ACK", invite, "[next_url]", "", sdp, false)
    }

    /// Acknowledges a refusal.
    pub fn takes_refusal(mut self) -> Self {
        let text = format!(
            "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0\r\n[last_Via:]\r\nMax-Forwards: 70\r\n[last_From:]\r\n\
             [last_To:]\r\nCall-ID: [call_id]\r\nCSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
            self.invite
        );
        self.send(&text, false);
        self
    }

    /// Gives up when it has rung for a second.
    pub fn cancels(mut self, headers: &str) -> Self {
        self.steps.push_str("<pause milliseconds=\"1000\"/>\n");
        let text = format!(
            "CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0\r\n[last_Via:]\r\nMax-Forwards: 70\r\n{}\
             Call-ID: [call_id]\r\nCSeq: {} CANCEL\r\n{headers}Content-Length: 0\r\n\r\n",
            self.names.replace("[peer_tag_param]", ""),
            self.invite
        );
        self.send(&text, true);
        self.gets(200).gets(487).takes_refusal()
    }

    /// Sends a request within the call.
    pub fn asks(mut self, method: &str, headers: &str, body: &str) -> Self {
        self.cseq += 1;
        let cseq = self.cseq;
        if method == "INVITE" {
            self.invite = cseq;
        }
        self.sends(method, cseq, "[next_url]", headers, body, true)
    }

    /// Offers something else in mid-call, and takes the answer.
    pub fn offers(self, sdp: &str) -> Self {
        self.asks("INVITE", "", sdp).may_get(&[100]).gets(200).acknowledges("")
    }

    /// Waits for a request.
    pub fn hears(mut self, method: &str) -> Self {
        let kept = [("Via", "via"), ("From", "from"), ("To", "to"), ("CSeq", "cseq")].map(|(header, variable)| {
            format!("<ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}:\" assign_to=\"{variable}\"/>\n")
        });
        let _ =
            write!(self.steps, "<recv request=\"{method}\" rrs=\"true\"><action>\n{}</action></recv>\n", kept.concat());
        (self.heard, self.is_new) = (method.to_owned(), false);
        self
    }

    /// Is offered something else in mid-call, and takes it.
    pub fn agrees(self, sdp: &str) -> Self {
        self.hears("INVITE").replies("200 OK", "", sdp).hears("ACK")
    }

    /// Is offered something else in mid-call, and does not take it.
    pub fn refuses(self, status: &str) -> Self {
        self.hears("INVITE").replies(status, "", "").hears("ACK")
    }

    /// Waits to be called once more, after it has refused.
    pub fn hears_again(self) -> Self {
        let mut callee = self.hears("INVITE");
        callee.is_new = true;
        callee
    }

    /// Answers the INVITE although it has heard something else since.
    pub fn answers_invite(mut self, status: &str, body: &str) -> Self {
        // What was kept of the INVITE is that of the call.
        self.steps.push_str(
            "<nop><action>\n<assignstr assign_to=\"via\" value=\"[$call_via]\"/>\n\
             <assignstr assign_to=\"from\" value=\"[$them]\"/>\n<assignstr assign_to=\"to\" value=\"[$us]\"/>\n\
             <assignstr assign_to=\"cseq\" value=\"[$call_cseq]\"/>\n</action></nop>\n",
        );
        (self.heard, self.is_new) = ("INVITE".to_owned(), true);
        self.replies(status, "", body)
    }

    /// Answers the last request that it heard, be it some time ago.
    pub fn replies(mut self, status: &str, headers: &str, body: &str) -> Self {
        let tag = if self.is_new { ";tag=[pid]u[call_number]" } else { "" };
        let kind = if body.starts_with("v=0") { SDP } else { "" };
        let text = format!(
            "SIP/2.0 {status}\r\nVia:[$via]\r\nFrom:[$from]\r\nTo:[$to]{tag}\r\nCall-ID: [call_id]\r\nCSeq:[$cseq]\r\n\
             {}{headers}{kind}{}",
            self.contact,
            ending(body)
        );
        let again = self.heard == "INVITE" && !status.starts_with('1');
        self.send(&text, again);
        self
    }

    /// Waits until the test lets it go on.
    pub fn waits(mut self) -> Self {
        self.steps.push_str("<recv request=\"MESSAGE\"/>\n");
        self
    }

    /// Hangs up.
    pub fn hangs_up(self, headers: &str) -> Self {
        self.asks("BYE", headers, "").gets(200)
    }

    /// Is hung up by the gateway.
    pub fn is_hung_up(self) -> Self {
        self.hears("BYE").replies("200 OK", "", "")
    }

    /// Calls the gateway.
    pub fn call(self, server: SocketAddr, number: &str, scratch: &Scratch) -> Player {
        let server = server.to_string();
        self.play(&[&server, "-s", number], scratch)
    }

    /// Waits to be called.
    pub fn listen(self, scratch: &Scratch) -> Player {
        self.play(&[], scratch)
    }

    fn sends(mut self, method: &str, cseq: u32, target: &str, headers: &str, body: &str, again: bool) -> Self {
        let kind = if body.starts_with("v=0") && !headers.contains("Content-Type") { SDP } else { "" };
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport\r\n\
             Max-Forwards: 70\r\n{}Call-ID: [call_id]\r\nCSeq: {cseq} {method}\r\n{}{headers}{kind}{}",
            self.names,
            self.contact,
            ending(body)
        );
        self.send(&text, again);
        self
    }

    fn send(&mut self, text: &str, again: bool) {
        let retrans = if again { " retrans=\"500\"" } else { "" };
        let _ = writeln!(self.steps, "<send{retrans}><![CDATA[\n{}]]></send>", text.replace('\r', ""));
    }

    fn play(self, arguments: &[&str], scratch: &Scratch) -> Player {
        let port = ports::one();
        let (file, log) = (format!("scenario-{port}.xml"), format!("messages-{port}.log"));
        let head = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n";
        // Each that is kept has to be used, and this is one use.
        let kept = ["found", "number", "via", "from", "to", "cseq", "us", "them", "call_via", "call_cseq"];
        let kept: Vec<_> =
            kept.into_iter().filter(|name| self.steps.contains(&format!("assign_to=\"{name}\""))).collect();
        let used =
            if kept.is_empty() { String::new() } else { format!("<Reference variables=\"{}\"/>\n", kept.join(",")) };
        let file = scratch.write(&file, format!("{head}<scenario name=\"row\">\n{}{used}</scenario>\n", self.steps));
        let mut command = Command::new(Need::Sipp.expect());
        command.current_dir(scratch.path()).arg("-sf").arg(file).args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-m", "1", "-nostdin", "-trace_err", "-error_file", "sipp-errors.log"]);
        command
            .args(["-trace_msg", "-message_file", &log, "-cid_str", &format!("%u-{port}@sipp.test")])
            .args(arguments);
        let process = Process::start("sipp", &mut command, scratch);
        let mut player = Player {
            process,
            log: scratch.path().join(log),
            sip: (Ipv4Addr::LOCALHOST, port).into(),
            wire: UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port"),
        };
        let up = within(PATIENCE, || player.process.is_over() || ports::is_bound("udp", port));
        assert!(up.is_some() && !player.failed(), "sipp does not start:\n{}", player.process.output());
        player
    }
}

/// A scenario that runs.
#[derive(Debug)]
pub struct Player {
    process: Process,
    log: std::path::PathBuf,
    sip: SocketAddr,
    wire: UdpSocket,
}

impl Player {
    /// Where it takes SIP.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Lets it go on from where it waits.
    pub fn go(&self) {
        let id = self.messages("").first().and_then(|m| m.header("Call-ID").map(str::to_owned)).unwrap_or_default();
        let text = format!(
            "MESSAGE sip:sipp SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={}\r\nFrom: <sip:test@test>;tag=t\r\n\
             To: <sip:sipp@test>\r\nCall-ID: {id}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
            self.sip,
            branch()
        );
        self.wire.send_to(text.as_bytes(), self.sip).expect("loopback takes datagrams");
    }

    /// All that the gateway has said up to now.
    pub fn received(&self) -> Vec<Message> {
        self.messages("received").into_iter().filter(|m| m.method() != "MESSAGE").collect()
    }

    /// Waits for the so-many-th message of the gateway of some kind, the first being 1.
    #[track_caller]
    pub fn expect(&mut self, what: &str, nth: usize, is_it: impl Fn(&Message) -> bool) -> Message {
        let mut found = None;
        within(PATIENCE, || {
            found = self.received().into_iter().filter(|m| is_it(m)).nth(nth - 1);
            found.is_some() || self.process.is_over()
        });
        found.unwrap_or_else(|| panic!("sipp should get {what}; it got {:#?}\n{}", self.received(), self.story()))
    }

    /// Waits for the so-many-th final answer to a request of its own.
    #[track_caller]
    pub fn answer(&mut self, method: &str, nth: usize) -> Message {
        self.expect(&format!("answer {nth} to {method}"), nth, |m| m.status() >= 200 && m.cseq().ends_with(method))
    }

    /// The requests of some kind that have come.
    pub fn requests(&self, method: &str) -> Vec<Message> {
        self.received().into_iter().filter(|m| m.is_request() && m.method() == method).collect()
    }

    /// Waits for a request of the gateway.
    #[track_caller]
    pub fn request(&mut self, method: &str, nth: usize) -> Message {
        self.expect(&format!("{method} {nth}"), nth, |m| m.is_request() && m.method() == method)
    }

    /// Waits for the end of the call, and fails when it did not go as the scenario says.
    #[track_caller]
    pub fn succeeds(&mut self) {
        let ended = self.process.wait(PATIENCE);
        assert!(ended.is_some_and(|status| status.success()), "sipp: {ended:?}\n{}", self.story());
    }

    fn failed(&mut self) -> bool {
        self.process.is_over() && !self.process.wait(PATIENCE).is_some_and(|status| status.success())
    }

    fn messages(&self, kind: &str) -> Vec<Message> {
        let log = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned();
        let blocks = log.split("-----------------------------------------------");
        let texts = blocks.filter_map(|block| block.split_once("\n\n"));
        let wanted = texts.filter(|(head, _)| head.contains(kind));
        wanted.filter_map(|(_, text)| Message::parse(text.strip_suffix('\n').unwrap_or(text))).collect()
    }

    fn story(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let errors = self.log.with_file_name("sipp-errors.log");
        let errors = std::fs::read_to_string(errors).unwrap_or_default();
        format!("{}\n{errors}", String::from_utf8_lossy(&log))
    }
}

fn contact(user: &str) -> String {
    format!("Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>\r\n")
}

/// The end of a head, and the body.
fn ending(body: &str) -> String {
    match body {
        "" => "Content-Length: 0\r\n\r\n".to_owned(),
        _ => format!("Content-Length: [len]\r\n\r\n{}\r\n", body.trim_end()),
    }
}
