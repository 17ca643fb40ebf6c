//! The media of one call: its ports, its offer/answer, its line on the plane.

mod delayed;

use std::fmt;
use std::future::pending;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use media::dtmf::Tones;
use media::sdp::{Codec, Direction, Encryption, Exchange, Local, Policy, Session};
use media::srtp::{Secret, Suite};
use media::{CarrierConfig, Profile, rtcp};
use tokio::sync::{mpsc, oneshot};

use self::delayed::Delayed;
pub(super) use self::delayed::Reply;
use super::leg::family;
use super::{Leg, Parts, Settings};
use crate::call::end::EndReason;
use crate::dispatch;
use crate::plane::{
    self, Command, EngineReport, EngineSpec, Family, LineEvent, LineHandle, Plane, Report, RoomSide, Spec,
};

/// How long the media thread may take to count its packets at the end of a call.
const REPORT_LIMIT: Duration = Duration::from_millis(500);
/// How long its queue may be full before the line counts as broken.
const LINE_LIMIT: Duration = Duration::from_secs(1);

pub(super) struct Media {
    state: State,
    offer: Bytes,
    /// Where the callee is to offer.
    delayed: Option<Delayed>,
    family: Family,
    policy: Policy,
    setup: Setup,
    report: Option<Box<Report>>,
}

enum State {
    Closed,
    Open(Box<Open>),
}

/// A line, and what was agreed upon with the carrier.
struct Open {
    exchange: Exchange,
    local: Local,
    description: String,
    /// What was agreed upon before the peer's offer that our answer to is not acknowledged.
    before: Option<Box<Exchange>>,
    /// The description in the last provisional answer that fitted our offer.
    early: Bytes,
    line: LineHandle,
    events: mpsc::Receiver<LineEvent>,
    side: Option<RoomSide>,
}

/// How the carrier's leg is made.
struct Setup {
    peer: Option<IpAddr>,
    source: media::source::Mode,
    first_timeout: Duration,
    timeout: Duration,
    bitrate: u32,
    tones: Tones,
    audible_keys: bool,
    dtx: bool,
}

impl Media {
    pub(super) fn new(parts: &Parts, leg: &Leg) -> Self {
        let settings = &parts.settings;
        let wanted = &leg.seat().media;
        let (peer, offer, family) = leg.origin();
        let setup = Setup {
            peer,
            source: settings.source,
            first_timeout: settings.media_timeout_initial,
            timeout: wanted.timeout.unwrap_or(settings.media_timeout),
            bitrate: settings.opus_bitrate,
            tones: wanted.dtmf.tones(),
            audible_keys: settings.audible_keys,
            dtx: wanted.dtx.unwrap_or(settings.dtx),
        };
        let policy = policy(settings, wanted);
        let delayed = leg.awaits_offer().then(Delayed::default);
        Self { state: State::Closed, offer, delayed, family, policy, setup, report: None }
    }

    #[cfg(test)]
    pub(super) fn set_offer(&mut self, offer: &str) {
        self.offer = Bytes::copy_from_slice(offer.as_bytes());
    }

    /// Media of a call that we place goes to the first of these addresses whose family we have.
    pub(super) fn prepare_toward(&mut self, plane: &Plane, addresses: &[IpAddr]) -> Result<(), EndReason> {
        let mut result = Err(EndReason::PortsExhausted);
        for address in addresses {
            self.family = family(*address);
            self.setup.peer = Some(*address);
            result = self.prepare(plane);
            if result != Err(EndReason::PortsExhausted) {
                break;
            }
        }
        result
    }

    /// Reads the offer before it reserves ports for it, so that nonsense costs nothing.
    pub(super) fn prepare(&mut self, plane: &Plane) -> Result<(), EndReason> {
        let offer = match self.offer.is_empty() {
            true => None,
            false => Some(Session::parse(&self.offer).map_err(|error| refused(&error))?),
        };
        let ports = plane.reserve(self.family).map_err(|error| unavailable(&error))?;
        let advertised = ports.advertised();
        let local = Local {
            address: advertised.ip(),
            rtp_port: advertised.port(),
            rtcp_port: advertised.port() + 1,
            session_id: u64::from(rand::random::<u32>()),
            version: 1,
            direction: Direction::SendRecv,
        };
        let mut exchange = Exchange::new(local, self.policy.clone());
        let (negotiated, description) = match &offer {
            Some(offer) => exchange.answer(offer).map(|(agreed, text)| (Some(agreed), text)),
            None if self.delayed.is_some() => Ok((None, String::new())),
            None => Ok((None, exchange.offer())),
        }
        .map_err(|error| refused(&error))?;
        let engine = EngineSpec::Junction(self.setup.engine());
        let line = plane.open(Spec { engine, carrier: Some(ports) }).map_err(|error| unavailable(&error))?;
        if self.setup.tones != Tones::Ignored {
            line.handle.try_send(Command::Tones(self.setup.tones)).map_err(|_| EndReason::MediaFault)?;
        }
        if self.setup.audible_keys {
            line.handle.try_send(Command::AudibleKeys(true)).map_err(|_| EndReason::MediaFault)?;
        }
        if let Some(negotiated) = negotiated {
            line.handle.try_send(Command::Carrier(Box::new(negotiated))).map_err(|_| EndReason::MediaFault)?;
        }
        self.state = State::Open(Box::new(Open {
            exchange,
            local,
            description,
            before: None,
            early: Bytes::new(),
            line: line.handle,
            events: line.events,
            side: Some(line.side),
        }));
        Ok(())
    }

    /// The answer, or the offer where the caller made none; nothing where the callee is to make one.
    pub(super) fn description(&self) -> Bytes {
        match &self.state {
            State::Open(open) => Bytes::from(open.description.clone()),
            State::Closed => Bytes::new(),
        }
    }

    /// Makes our offer another one, where the callee may take that: encrypted by its profile. False if there is none.
    pub(super) fn offer_encrypted(&mut self) -> bool {
        let State::Open(open) = &mut self.state else { return false };
        let Some(description) = open.exchange.offer_encrypted() else { return false };
        open.description = description;
        open.early.clear();
        true
    }

    /// What the room session needs of the line. It can be had once.
    pub(super) fn room_side(&mut self) -> Option<RoomSide> {
        let State::Open(open) = &mut self.state else { return None };
        open.side.take()
    }

    /// Another side of the line, to join another room with.
    pub(super) async fn another_side(&self) -> Option<RoomSide> {
        let State::Open(open) = &self.state else { return None };
        open.line.room_side().await.ok()
    }

    /// What the callee's network says before the answer (RFC 3261 §13.2.1, RFC 3960); false when it was said before. The
    /// offer stays open: the final answer may come from elsewhere.
    pub(super) async fn hear_early(&mut self, description: &[u8]) -> Result<bool, EndReason> {
        let State::Open(open) = &mut self.state else { return Err(EndReason::MediaFault) };
        if open.early == description {
            return Ok(false);
        }
        let session = Session::parse(description).map_err(|_| EndReason::AnswerUnusable)?;
        let mut attempt = open.exchange.clone();
        let negotiated = attempt.accept_answer(&session).map_err(|_| EndReason::AnswerUnusable)?;
        open.order(Command::Carrier(Box::new(negotiated))).await?;
        open.early = Bytes::copy_from_slice(description);
        Ok(true)
    }

    /// The answer to our offer, the first or a later one. A 2xx without a description stands for the one that
    /// came before it.
    pub(super) async fn agree(&mut self, description: &[u8]) -> Result<(), EndReason> {
        let State::Open(open) = &mut self.state else { return Err(EndReason::MediaFault) };
        let early = std::mem::take(&mut open.early);
        let description = if description.is_empty() { &early } else { description };
        let unusable = |error: &media::sdp::Error| {
            tracing::info!(%error, "the answer cannot be used");
            if error.is_about_encryption() { EndReason::EncryptionUnavailable } else { EndReason::AnswerUnusable }
        };
        let session = Session::parse(description).map_err(|error| unusable(&error))?;
        let negotiated = open.exchange.accept_answer(&session).map_err(|error| unusable(&error))?;
        open.order(Command::Carrier(Box::new(negotiated))).await
    }

    /// An offer of ours in mid-call; none while another one is open.
    pub(super) fn offer(&mut self, direction: Direction) -> Option<Bytes> {
        let open = self.unasked()?;
        open.exchange.set_direction(direction);
        Some(Bytes::from(open.exchange.offer()))
    }

    /// An offer that changes nothing; none while another one is open.
    pub(super) fn refresh(&mut self) -> Option<Bytes> {
        Some(Bytes::from(self.unasked()?.exchange.refresh()))
    }

    /// It came to nothing; this is what we want from now on.
    pub(super) fn withdraw(&mut self, direction: Direction) {
        let State::Open(open) = &mut self.state else { return };
        open.exchange.set_direction(direction);
        open.exchange.withdraw();
    }

    /// The line, unless an offer of ours waits for its answer.
    fn unasked(&mut self) -> Option<&mut Open> {
        match &mut self.state {
            State::Open(open) if !open.exchange.is_offering() => Some(open),
            State::Open(_) | State::Closed => None,
        }
    }

    /// Whether the peer has put us on hold.
    pub(super) fn is_held(&self) -> bool {
        let State::Open(open) = &self.state else { return false };
        open.exchange.negotiated().is_some_and(media::sdp::Negotiated::is_held)
    }

    /// Whether telephone events are agreed upon for what we send.
    pub(super) fn takes_events(&self) -> bool {
        let State::Open(open) = &self.state else { return false };
        open.exchange.negotiated().is_some_and(|negotiated| negotiated.events.is_some())
    }

    /// How packets are encrypted, if they are.
    pub(super) fn suite(&self) -> Option<Suite> {
        let State::Open(open) = &self.state else { return None };
        Some(open.exchange.negotiated()?.encryption()?.suite())
    }

    /// Hands an order to the line.
    pub(super) async fn order(&self, command: Command) -> Result<(), EndReason> {
        match &self.state {
            State::Open(open) => open.order(command).await,
            State::Closed => Ok(()),
        }
    }

    /// The ACK: with a delayed offer it holds the answer (RFC 3264 §4, RFC 3261 §13.2.1).
    pub(super) fn acknowledged(&mut self, body: &[u8]) -> Result<(), EndReason> {
        let State::Open(open) = &mut self.state else { return Ok(()) };
        open.before = None;
        if !open.exchange.is_offering() {
            return Ok(());
        }
        let negotiated = Session::parse(body).and_then(|answer| open.exchange.accept_answer(&answer));
        let negotiated = negotiated.map_err(|error| {
            open.exchange.withdraw();
            refused(&error)
        })?;
        open.line.try_send(Command::Carrier(Box::new(negotiated))).map_err(|_| EndReason::MediaFault)
    }

    /// Answers an offer in mid-call; an empty one gets an offer of ours, as if the call were a new one.
    pub(super) async fn renegotiate(&mut self, offer: &[u8]) -> Result<Bytes, EndReason> {
        let State::Open(open) = &mut self.state else { return Err(EndReason::MediaFault) };
        // An offer of ours that the caller took back before he saw it is not answered by the next ACK.
        open.exchange.withdraw();
        open.before = None;
        let before = open.exchange.clone();
        let body = if offer.is_empty() {
            open.exchange.offer_anew()
        } else {
            let offer = Session::parse(offer).map_err(|error| refused(&error))?;
            let (negotiated, text) = open.exchange.answer(&offer).map_err(|error| refused(&error))?;
            open.order(Command::Carrier(Box::new(negotiated))).await?;
            text
        };
        open.before = Some(Box::new(before));
        Ok(Bytes::from(body))
    }

    /// The peer has taken back its offer before it had our answer.
    pub(super) async fn take_back(&mut self) -> Result<(), EndReason> {
        let State::Open(open) = &mut self.state else { return Ok(()) };
        let Some(before) = open.before.take() else { return Ok(()) };
        open.exchange = *before;
        match open.exchange.negotiated().cloned() {
            Some(negotiated) => open.order(Command::Carrier(Box::new(negotiated))).await,
            None => Ok(()),
        }
    }

    /// Ends the carrier's side; the line is gone when the room session lets go of it too.
    pub(super) async fn close(&mut self) {
        let State::Open(open) = std::mem::replace(&mut self.state, State::Closed) else { return };
        let (ask, answer) = oneshot::channel();
        let report = async {
            open.line.send(Command::Report(ask)).await.ok()?;
            answer.await.ok()
        };
        self.report = tokio::time::timeout(REPORT_LIMIT, report).await.ok().flatten().map(Box::new);
    }

    pub(super) async fn next_event(&mut self) -> Option<LineEvent> {
        match &mut self.state {
            State::Open(open) => open.events.recv().await,
            State::Closed => pending().await,
        }
    }

    /// The packets of the call in a few words.
    pub(super) fn summary(&self) -> Summary<'_> {
        Summary(self.report.as_deref())
    }
}

impl Open {
    async fn order(&self, command: Command) -> Result<(), EndReason> {
        match tokio::time::timeout(LINE_LIMIT, self.line.send(command)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(EndReason::MediaFault),
        }
    }
}

impl Setup {
    fn engine(&self) -> media::Config {
        let now = Instant::now();
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let carrier = CarrierConfig {
            seed: rand::random(),
            clock: rtcp::Clock::new(now, since_1970),
            cname: format!("{:016x}", rand::random::<u64>()),
            source: self.source,
            peer: self.peer,
            first_timeout: self.first_timeout,
            timeout: self.timeout,
        };
        let bitrate = i32::try_from(self.bitrate).unwrap_or(i32::MAX);
        let profile = Profile { bitrate, dtx: self.dtx, ..Profile::default() };
        media::Config { carrier, profile }
    }
}

/// Counters of a call for its last line in the log.
pub(super) struct Summary<'a>(Option<&'a Report>);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(EngineReport::Junction(report)) = self.0.map(|report| &report.engine) else {
            return f.write_str("no media");
        };
        let stream = &report.carrier.stream;
        write!(
            f,
            "carrier: {} packets in, {} lost, jitter {:.1} ms, {} out, {} lost there",
            stream.received,
            stream.lost,
            stream.jitter.as_secs_f64() * 1e3,
            stream.sent,
            stream.remote_lost
        )?;
        if let Some(round_trip) = stream.round_trip {
            write!(f, ", round trip {:.0} ms", round_trip.as_secs_f64() * 1e3)?;
        }
        write!(f, "; room: {} in, {} late, {} out", report.room_received, report.room_late, report.room_sent)?;
        match report.carrier.strangers {
            0 => {}
            strangers => write!(f, "; {strangers} packets of strangers dropped")?,
        }
        match (report.carrier.forged, report.carrier.replayed) {
            (0, 0) => Ok(()),
            (forged, replayed) => write!(f, "; {forged} packets without a right tag dropped, {replayed} repeated"),
        }
    }
}

fn policy(settings: &Settings, wanted: &dispatch::Media) -> Policy {
    let enabled: Vec<Codec> = settings.codecs.clone();
    let may_be = |codec: &Codec| enabled.contains(codec) || settings.listable.contains(codec);
    let spoken = |codec: &dispatch::Codec| Codec::named(&codec.name, codec.rate).filter(may_be);
    let mut codecs: Vec<Codec> = wanted.listed.iter().filter_map(spoken).collect();
    if !wanted.only_listed {
        let others: Vec<_> = enabled.iter().filter(|codec| !codecs.contains(codec)).copied().collect();
        codecs.extend(others);
    }
    let secret = || Secret::new(rand::random());
    let encryption = match wanted.encryption {
        dispatch::Encryption::Disable => Encryption::Disable,
        dispatch::Encryption::Allow => Encryption::Allow(secret()),
        dispatch::Encryption::Require => Encryption::Require(secret()),
    };
    let (allow_loopback, own) = (settings.allow_loopback, settings.own.clone());
    Policy { codecs, allow_loopback, own, encryption, comfort_noise: settings.comfort_noise, ..Policy::default() }
}

fn refused(error: &media::sdp::Error) -> EndReason {
    tracing::info!(%error, "the offer is refused");
    match error.status_hint() {
        _ if error.is_about_encryption() => EndReason::EncryptionUnavailable,
        400 => EndReason::OfferMalformed,
        _ => EndReason::OfferUnacceptable,
    }
}

fn unavailable(error: &plane::Error) -> EndReason {
    tracing::error!(%error, "no media for this call");
    EndReason::PortsExhausted
}
