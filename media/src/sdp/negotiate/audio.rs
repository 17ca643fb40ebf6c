//! The choice of the line and the codec.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Format, Negotiated, secrecy};
use crate::noise;
use crate::sdp::address::check_target;
use crate::sdp::media::Media;
use crate::sdp::{Codec, Direction, Error, Events, Local, OpusTerms, Policy, Preference, Session, opus};

const TELEPHONE_EVENT: &str = "telephone-event";
const COMFORT_NOISE: &str = "CN";
/// Packets of ours are no shorter than this unless the peer can take no more, and never longer than the other: a longer one
/// costs more delay than its header saves. No telephone is so small that it takes no more than a millisecond: who says so wants a
/// thousand packets a second.
const SHORTEST: Duration = Duration::from_millis(10);
const SHORTEST_TAKEN: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(60);
/// The clock of the telephone's events, which some have beside Opus as well.
const RATE: u32 = 8_000;
/// RTP payload types that a shared port would take for RTCP (RFC 5761 §4).
const UNMUXABLE: std::ops::RangeInclusive<u8> = 64..=95;

/// What an offer and our side agree upon. `before` is what was in force: its line and its codec are kept if they still
/// fit, so that a refresh changes nothing.
pub(in crate::sdp) fn choose(
    offer: &Session,
    local: &Local,
    policy: &Policy,
    before: Option<&Negotiated>,
) -> Result<Negotiated, Error> {
    let mut why_not = Error::NoAudio;
    let kept = before.map(|before| before.line);
    let mut lines: Vec<_> = offer.media.iter().enumerate().collect();
    // Of a stream that is offered twice, the encrypted line is the one to take.
    lines.sort_by_key(|(line, media)| (Some(*line) != kept, !secrecy::is_preferred(media, policy)));
    for (line, media) in lines {
        if !media.is_audio() {
            continue;
        }
        match choose_from(offer, media, local, policy, before) {
            Ok(negotiated) => return Ok(Negotiated { line, ..negotiated }),
            // The first reason is told, unless all that is known is that something was missing.
            Err(error) if why_not == Error::NoAudio => why_not = error,
            Err(_) => {}
        }
    }
    Err(why_not)
}

/// What the answer to our own offer says.
pub(in crate::sdp) fn accept(
    answer: &Session,
    offer: &Session,
    local: &Local,
    policy: &Policy,
    before: Option<&Negotiated>,
) -> Result<Negotiated, Error> {
    if answer.media.len() != offer.media.len() {
        return Err(Error::NotAnAnswer);
    }
    let mut lines = offer.media.iter().zip(&answer.media).enumerate();
    let Some((line, (ours, theirs))) = lines.find(|(_, (ours, _))| ours.is_audio()) else {
        return Err(Error::NotAnAnswer);
    };
    if !theirs.is_audio() {
        return Err(Error::NoAudio);
    }
    let secrecy = secrecy::accept(ours, theirs, policy, before.map_or(0, |before| before.secrecy.generation))?;
    // Theirs that we have offered, in the order of the answer; what they send comes under the types of our offer.
    let common: Vec<_> = formats(theirs, policy).filter(|format| ours.codec_is_listed(format.codec)).collect();
    let chosen = *common.first().ok_or(Error::NoCommonCodec)?;
    let receive = formats(ours, policy).filter(|own| common.iter().any(|format| format.codec == own.codec)).collect();
    let events = policy.events.then(|| common_events(theirs, chosen.codec)).flatten();
    // What we hear comes under the numbers of our offer, in the clock of the answer.
    let own_events = events.and_then(|events| events_of(ours, events.rate));
    let noise = policy.comfort_noise && common_noise(ours, chosen.codec).is_some();
    let target = target(answer, theirs, local, policy, theirs.mux && ours.mux)?;
    let direction = held(&target, answer.direction(theirs)).reversed().and(offer.direction(ours));
    Ok(Negotiated {
        remote_rtp: target.rtp,
        remote_rtcp: target.rtcp,
        mux: target.mux,
        codec: chosen.codec,
        payload_type: chosen.payload_type,
        receive,
        events: events.map(|events| events.payload_type),
        receive_events: own_events.map(|events| events.payload_type),
        more_events: events.and_then(|events| other_events(ours, events.rate)),
        event_rate: events.map_or(RATE, |events| events.rate),
        keys: events.map_or(Events::KEYS, |events| events.keys),
        comfort_noise: noise.then(|| common_noise(theirs, chosen.codec)).flatten(),
        ptime: ptime(theirs, chosen, policy),
        opus: OpusTerms::of(theirs, chosen.payload_type),
        direction,
        secrecy,
        line,
    })
}

fn choose_from(
    offer: &Session,
    media: &Media,
    local: &Local,
    policy: &Policy,
    before: Option<&Negotiated>,
) -> Result<Negotiated, Error> {
    let theirs = secrecy::theirs(media, policy, before)?;
    let common: Vec<_> = formats(media, policy).collect();
    let chosen = prefer(&common, policy, before).ok_or(Error::NoCommonCodec)?;
    let events = policy.events.then(|| common_events(media, chosen.codec)).flatten();
    let muxable = |payload_type: u8| !UNMUXABLE.contains(&payload_type);
    let mux = media.mux && muxable(chosen.payload_type) && events.is_none_or(|events| muxable(events.payload_type));
    let target = target(offer, media, local, policy, mux)?;
    let direction = held(&target, offer.direction(media)).reversed().and(local.direction);
    let moved = before.is_some_and(|before| before.remote_rtp != target.rtp);
    Ok(Negotiated {
        remote_rtp: target.rtp,
        remote_rtcp: target.rtcp,
        mux,
        codec: chosen.codec,
        payload_type: chosen.payload_type,
        receive: vec![chosen],
        events: events.map(|events| events.payload_type),
        receive_events: events.map(|events| events.payload_type),
        more_events: events.and_then(|events| other_events(media, events.rate)),
        event_rate: events.map_or(RATE, |events| events.rate),
        keys: events.map_or(Events::KEYS, |events| events.keys),
        comfort_noise: policy.comfort_noise.then(|| common_noise(media, chosen.codec)).flatten(),
        ptime: ptime(media, chosen, policy),
        opus: OpusTerms::of(media, chosen.payload_type),
        direction,
        secrecy: secrecy::answer(theirs, policy, before, moved),
        line: 0,
    })
}

/// The formats of a line that we speak, in its order.
fn formats(media: &Media, policy: &Policy) -> impl Iterator<Item = Format> {
    media
        .payload_types()
        .filter_map(|payload_type| Some(Format { payload_type, codec: media.codec(payload_type)? }))
        .filter(|format| policy.codecs.contains(&format.codec))
}

fn prefer(common: &[Format], policy: &Policy, before: Option<&Negotiated>) -> Option<Format> {
    let find = |codec: Codec| common.iter().find(|format| format.codec == codec).copied();
    let first = match policy.preference {
        Preference::Ours => policy.codecs.iter().find_map(|codec| find(*codec)),
        Preference::Theirs => common.first().copied(),
    };
    before.and_then(|before| find(before.codec)).or(first)
}

/// Telephone events of a line.
#[derive(Clone, Copy)]
struct Common {
    payload_type: u8,
    rate: u32,
    /// What the peer understands of them.
    keys: Events,
}

/// The telephone events that share the codec's clock (RFC 4733 §2.1); beside Opus those of the telephone's clock if there are no
/// others, for many phones have only them.
fn common_events(media: &Media, codec: Codec) -> Option<Common> {
    let fitting = events_of(media, codec.clock_rate());
    fitting.or_else(|| events_of(media, RATE).filter(|_| codec == Codec::Opus))
}

fn events_of(media: &Media, rate: u32) -> Option<Common> {
    let payload_type = event_types(media).find(|(_, clock)| *clock == rate)?.0;
    let keys = media.parameters(payload_type).map_or(Events::KEYS, Events::read);
    (!keys.is_empty()).then_some(Common { payload_type, rate, keys })
}

/// The payload type of events of another clock.
fn other_events(media: &Media, rate: u32) -> Option<u8> {
    event_types(media).find(|(_, clock)| *clock != rate).map(|(payload_type, _)| payload_type)
}

fn event_types(media: &Media) -> impl Iterator<Item = (u8, u32)> {
    media.payload_types().filter_map(|payload_type| {
        let map = media.map(payload_type)?;
        map.name.eq_ignore_ascii_case(TELEPHONE_EVENT).then_some((payload_type, map.clock_rate))
    })
}

/// The comfort noise that shares the codec's clock: as mapped, or as assigned if it is not mapped (RFC 3389 §4).
fn common_noise(media: &Media, codec: Codec) -> Option<u8> {
    let clock_rate = codec.clock_rate();
    media.payload_types().find(|payload_type| match media.map(*payload_type) {
        Some(map) => map.name.eq_ignore_ascii_case(COMFORT_NOISE) && map.clock_rate == clock_rate,
        None => (*payload_type, clock_rate) == (noise::PAYLOAD_TYPE, noise::CLOCK_RATE),
    })
}

/// As the peer asks, within what is usual and what it can take.
fn ptime(media: &Media, format: Format, policy: &Policy) -> Duration {
    let told = if format.codec == Codec::Opus { opus::ptime(media, format.payload_type) } else { None };
    let wanted = media.ptime.or(told).unwrap_or(policy.ptime).clamp(SHORTEST, LONGEST);
    if format.codec == Codec::Opus {
        return opus::frame(wanted.min(OpusTerms::of(media, format.payload_type).longest));
    }
    media.maxptime.map_or(wanted, |most| wanted.min(most.max(SHORTEST_TAKEN)))
}

struct Target {
    rtp: SocketAddr,
    rtcp: SocketAddr,
    mux: bool,
}

fn target(session: &Session, media: &Media, local: &Local, policy: &Policy, mux: bool) -> Result<Target, Error> {
    let address = session.host(media).ok_or(Error::NoAddress)?.address()?;
    let rtp = SocketAddr::new(address, media.port);
    check(rtp, local, policy)?;
    let rtcp = match &media.rtcp {
        _ if mux => rtp,
        Some(rtcp) => {
            let host = rtcp.host.as_ref().map_or(Ok(address), |host| host.address())?;
            SocketAddr::new(host, rtcp.port)
        }
        // The highest port has none above it: its RTCP shares it.
        None => SocketAddr::new(address, media.port.checked_add(1).unwrap_or(media.port)),
    };
    check(rtcp, local, policy)?;
    Ok(Target { rtp, rtcp, mux })
}

fn check(target: SocketAddr, local: &Local, policy: &Policy) -> Result<(), Error> {
    let address = target.ip();
    if address.is_ipv4() != local.address.to_canonical().is_ipv4() {
        return Err(Error::AddressFamily(address));
    }
    if address == local.address && [local.rtp_port, local.rtcp_port].contains(&target.port()) {
        return Err(Error::RefusedPort(address, target.port()));
    }
    check_target(target, policy)
}

/// The unspecified address is how hold was said before there were directions (RFC 3264 §8.4): such a peer hears nothing.
fn held(target: &Target, direction: Direction) -> Direction {
    match target.rtp.ip() {
        IpAddr::V4(address) if address.is_unspecified() => direction.and(Direction::SendOnly),
        IpAddr::V6(address) if address.is_unspecified() => direction.and(Direction::SendOnly),
        _ => direction,
    }
}

impl Media {
    fn codec_is_listed(&self, codec: Codec) -> bool {
        self.payload_types().any(|payload_type| self.codec(payload_type) == Some(codec))
    }
}
