//! One call of the test phone, from INVITE to what came of it.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use media::desk::{Measurement, PhoneConfig, PhoneReport};
use media::sdp::{Direction, Exchange, Local, Policy, Session};
use media::{Desk, dtmf, rtcp, source};
use sip::{CallHandle, Event, Invite, Response, Status};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::{Handset, Plan};
use crate::plane::{Command, EngineReport, EngineSpec, Family, Line, LineEvent, LineHandle, Spec};

/// Seconds of sound that are kept to be measured when nobody wants a recording.
const MEASURED: Duration = Duration::from_secs(30);
/// After the answer, before the first key is pressed.
const BEFORE_KEYS: Duration = Duration::from_secs(1);
/// How long hanging up may take, 64*T1 and a little (RFC 3261 §17.1.2.2).
const HANGUP_LIMIT: Duration = Duration::from_secs(33);
/// How long the media thread may take to answer.
const PLANE_LIMIT: Duration = Duration::from_secs(2);

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The last answer to the INVITE.
    pub status: Option<Status>,
    /// In words: the reason phrase, or what went wrong.
    pub reason: String,
    /// Statuses of provisional answers in their order, without repetitions.
    pub provisional: Vec<Status>,
    /// From the INVITE to its final answer.
    pub setup: Option<Duration>,
    /// From the answer to the end.
    pub talked: Duration,
    /// The other side hung up.
    pub ended_by_peer: bool,
    /// What was heard, if the call was answered.
    pub heard: Option<Heard>,
}

/// What a call sounded like.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Packets.
    pub packets: PhoneReport,
    /// Sound.
    pub sound: Measurement,
    /// What was recorded, if that was asked for.
    pub recording: Vec<i16>,
}

impl Outcome {
    /// The call was answered.
    pub fn is_answered(&self) -> bool {
        self.status.is_some_and(Status::is_success)
    }

    /// Sound came back, louder than the noise of a line.
    pub fn is_audible(&self) -> bool {
        self.heard.as_ref().is_some_and(|heard| heard.sound.sound > Duration::from_millis(200))
    }

    fn failed(reason: impl Into<String>) -> Self {
        Self {
            status: None,
            reason: reason.into(),
            provisional: Vec::new(),
            setup: None,
            talked: Duration::ZERO,
            ended_by_peer: false,
            heard: None,
        }
    }
}

impl Handset {
    /// Places a call, talks for as long as the plan says, hangs up, and tells what came of it.
    pub async fn place(&self, plan: Plan) -> Outcome {
        let mut outcome = match Attempt::begin(self, &plan).await {
            Ok(mut attempt) => {
                let outcome = attempt.run(&plan).await;
                self.calls().remove(&attempt.call);
                outcome
            }
            Err(reason) => Outcome::failed(reason),
        };
        if !plan.record
            && let Some(heard) = &mut outcome.heard
        {
            heard.recording = Vec::new();
        }
        outcome
    }
}

struct Attempt {
    sip: sip::net::Handle,
    call: CallHandle,
    events: mpsc::Receiver<Event>,
    over: watch::Receiver<bool>,
    line: Line,
    exchange: Exchange,
}

/// How an INVITE ended.
enum Answer {
    Final(Box<Response>),
    Nothing(String),
}

impl Attempt {
    async fn begin(handset: &Handset, plan: &Plan) -> Result<Self, String> {
        let family = if handset.ip.is_ipv4() { Family::V4 } else { Family::V6 };
        let to = plan.to.iter().filter(|hop| hop.address.is_ipv4() == handset.ip.is_ipv4()).cloned().collect();
        let ports = handset.plane.reserve(family).map_err(|error| error.to_string())?;
        let local = Local {
            address: ports.advertised().ip(),
            rtp_port: ports.advertised().port(),
            rtcp_port: ports.advertised().port() + 1,
            session_id: u64::from(rand::random::<u32>()),
            version: 1,
            direction: Direction::SendRecv,
        };
        let mut exchange = Exchange::new(local, Policy { allow_loopback: true, ..Policy::default() });
        let record = if plan.record { plan.talk } else { plan.talk.min(MEASURED) };
        let engine = EngineSpec::Phone(phone_config(), Desk::new(plan.play.clone(), record));
        let line = handset.plane.open(Spec { engine, carrier: Some(ports) }).map_err(|error| error.to_string())?;
        let (call, events) = handset.open_call();
        let invite = Invite {
            credentials: plan.credentials.clone(),
            headers: plan.headers.clone(),
            body: Bytes::from(exchange.offer()),
            ..Invite::new(call, to, plan.uri.clone(), plan.from.clone())
        };
        let over = handset.over.subscribe();
        let attempt = Self { sip: handset.sip.clone(), call, events, over, line, exchange };
        attempt.send(sip::Command::Invite(Box::new(invite))).await;
        Ok(attempt)
    }

    async fn run(&mut self, plan: &Plan) -> Outcome {
        let started = Instant::now();
        let mut provisional = Vec::new();
        let mut over = self.over.clone();
        let answer = tokio::select! {
            answer = timeout(plan.patience, self.answer(&mut provisional)) => {
                answer.map_err(|_| "no answer in time; cancelled")
            }
            _ = over.wait_for(|over| *over) => Err("interrupted; cancelled"),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => {
                self.hang_up().await;
                Answer::Nothing(reason.to_owned())
            }
        };
        let response = match answer {
            Answer::Final(response) => response,
            Answer::Nothing(reason) => return Outcome { provisional, ..Outcome::failed(reason) },
        };
        let refused = Outcome {
            status: Some(response.status),
            reason: response.reason.clone(),
            provisional,
            setup: Some(started.elapsed()),
            ..Outcome::failed("")
        };
        if !response.status.is_success() {
            return refused;
        }
        if let Err(reason) = self.connect(&response.body).await {
            self.hang_up().await;
            return Outcome { reason, ..refused };
        }
        let answered = Instant::now();
        let ended_by_peer = self.talk(plan).await;
        let heard = self.heard().await;
        if !ended_by_peer {
            self.hang_up().await;
        }
        Outcome { talked: answered.elapsed(), ended_by_peer, heard, ..refused }
    }

    /// Waits for the final answer.
    async fn answer(&mut self, provisional: &mut Vec<Status>) -> Answer {
        while let Some(event) = self.events.recv().await {
            match event {
                Event::Progress { response, .. } if provisional.last() != Some(&response.status) => {
                    provisional.push(response.status);
                }
                Event::Answered { response, .. } | Event::Rejected { response, .. } => return Answer::Final(response),
                Event::Failed { why, .. } => return Answer::Nothing(why.to_string()),
                _ => {}
            }
        }
        Answer::Nothing("the SIP endpoint is gone".to_owned())
    }

    async fn connect(&mut self, body: &[u8]) -> Result<(), String> {
        let answer = Session::parse(body).map_err(|error| format!("the answer is no SDP: {error}"))?;
        let negotiated =
            self.exchange.accept_answer(&answer).map_err(|error| format!("the answer does not fit: {error}"))?;
        for command in [Command::Carrier(Box::new(negotiated)), Command::Start] {
            self.line.handle.send(command).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Talks; true when the other side has hung up.
    async fn talk(&mut self, plan: &Plan) -> bool {
        let keys = press(self.line.handle.clone(), plan.dtmf.clone());
        let mut interrupted = self.over.clone();
        let over = async {
            loop {
                tokio::select! {
                    event = self.events.recv() => match event {
                        Some(Event::Reinvite { request, .. }) => {
                            let reply = renegotiate(&mut self.exchange, self.call, &request.body);
                            let _ = self.sip.send(reply).await;
                        }
                        Some(event) if !event.is_last() => {}
                        _ => return true,
                    },
                    event = self.line.events.recv() => match event {
                        Some(LineEvent::Failed(_) | LineEvent::Panicked) | None => return false,
                        Some(_) => {}
                    },
                }
            }
        };
        tokio::select! {
            ended_by_peer = over => ended_by_peer,
            () = async { tokio::join!(keys, sleep(plan.talk)); } => false,
            _ = interrupted.wait_for(|over| *over) => false,
        }
    }

    async fn heard(&self) -> Option<Heard> {
        let (ask, report) = oneshot::channel();
        self.line.handle.send(Command::Report(ask)).await.ok()?;
        let EngineReport::Phone(packets) = timeout(PLANE_LIMIT, report).await.ok()?.ok()?.engine else { return None };
        let (ask, desk) = oneshot::channel();
        self.line.handle.send(Command::TakeDesk(ask)).await.ok()?;
        let desk = timeout(PLANE_LIMIT, desk).await.ok()?.ok()?;
        let measured = tokio::task::spawn_blocking(move || (desk.measure(), desk)).await.ok()?;
        Some(Heard { packets, sound: measured.0, recording: measured.1.recording().to_vec() })
    }

    async fn hang_up(&mut self) {
        self.send(sip::Command::Hangup { call: self.call, headers: Vec::new() }).await;
        let over = async { while self.events.recv().await.is_some_and(|event| !event.is_last()) {} };
        let _ = timeout(HANGUP_LIMIT, over).await;
    }

    async fn send(&self, command: sip::Command) {
        // An endpoint that is gone ends the events as well.
        let _ = self.sip.send(command).await;
    }
}

fn renegotiate(exchange: &mut Exchange, call: CallHandle, offer: &[u8]) -> sip::Command {
    let headers = Vec::new();
    match Session::parse(offer).and_then(|offer| exchange.answer(&offer)) {
        Ok((_, text)) => sip::Command::AnswerReinvite { call, headers, body: Bytes::from(text) },
        Err(_) => sip::Command::RejectReinvite { call, status: Status::NOT_ACCEPTABLE_HERE, headers },
    }
}

async fn press(line: LineHandle, keys: String) {
    if keys.is_empty() {
        return;
    }
    sleep(BEFORE_KEYS).await;
    for key in keys.chars() {
        match dtmf::Event::from_digit(key) {
            Some(event) => {
                let _ = line.send(Command::Press(vec![dtmf::Press::Key(event)])).await;
                sleep(KEY).await;
            }
            None => sleep(PAUSE).await, // `w`, as in LiveKit's API.
        }
    }
}

/// A key and the gap behind it.
const KEY: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(500);

fn phone_config() -> PhoneConfig {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    PhoneConfig {
        seed: rand::random(),
        clock: rtcp::Clock::new(Instant::now(), since_1970),
        cname: format!("{:016x}", rand::random::<u64>()),
        source: source::Mode::Learn,
        peer: None,
        first_timeout: Duration::ZERO,
        timeout: Duration::ZERO,
    }
}
