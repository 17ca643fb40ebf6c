//! Our side of the talk, as sessions to be written.

use super::{Format, Negotiated, secrecy};
use crate::noise;
use crate::sdp::address::Host;
use crate::sdp::crypto::Crypto;
use crate::sdp::media::{Map, Media, PLAIN, Rtcp, SECURE};
use crate::sdp::session::Origin;
use crate::sdp::{Codec, Encryption, Events, Local, Policy, Session};

/// Where telephone events are usually found.
const EVENTS: u8 = 101;
/// Payload types that mean what the description says (RFC 3551 §6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// The answer to an offer, with its media lines in their order.
pub(in crate::sdp) fn answer(offer: &Session, negotiated: &Negotiated, local: &Local) -> Session {
    let media = offer.media.iter().enumerate().map(|(line, media)| match line == negotiated.line {
        true => accepted(media, negotiated, local),
        false => media.refused(),
    });
    session(local, media.collect())
}

/// The answer to an offer of which nothing is taken.
pub(in crate::sdp) fn refusal(offer: &Session, local: &Local) -> Session {
    session(local, offer.media.iter().map(Media::refused).collect())
}

/// An offer of all that we speak; or, within a call, of what is in force first and under the types it has, with the
/// media lines that there are.
pub(in crate::sdp) fn offer(local: &Local, policy: &Policy, before: Option<(&Session, &Negotiated)>) -> Session {
    let protocol = match (policy.encryption, before) {
        (_, Some((last, negotiated))) => last.media.get(negotiated.line).map_or(PLAIN, |line| &line.protocol),
        (Encryption::Require(_), None) => SECURE,
        (Encryption::Disable | Encryption::Allow(_), None) => PLAIN,
    };
    let mut media = Media::new("audio", local.rtp_port, protocol);
    media.crypto = secrecy::offer(policy, before.map(|(_, negotiated)| negotiated));
    let Some((last, negotiated)) = before else {
        for codec in &policy.codecs {
            add_codec(&mut media, codec.payload_type(), *codec);
        }
        if policy.comfort_noise && policy.codecs.iter().any(|codec| codec.clock_rate() == noise::CLOCK_RATE) {
            add_noise(&mut media, noise::PAYLOAD_TYPE);
        }
        add_events(&mut media, policy);
        finish(&mut media, local, policy.offer_mux);
        media.ptime = Some(policy.ptime);
        return session(local, vec![media]);
    };
    let receive = negotiated.receive.iter();
    let (in_force, others): (Vec<&Format>, Vec<_>) = receive.partition(|format| format.codec == negotiated.codec);
    for format in in_force.into_iter().chain(others) {
        add_codec(&mut media, format.payload_type, format.codec);
    }
    if negotiated.comfort_noise.is_some() {
        add_noise(&mut media, noise::PAYLOAD_TYPE);
    }
    if let Some(events) = negotiated.receive_events {
        add_event_type(&mut media, events, negotiated.event_rate, Events::KEYS);
    }
    finish(&mut media, local, negotiated.mux);
    media.ptime = Some(negotiated.ptime);
    let lines = last.media.iter().enumerate().map(|(line, old)| match line == negotiated.line {
        true => media.clone(),
        false => old.refused(),
    });
    session(local, lines.collect())
}

/// The same within a call, with all that we speak beside what is in force.
pub(in crate::sdp) fn offer_anew(local: &Local, policy: &Policy, before: (&Session, &Negotiated)) -> Session {
    let mut session = offer(local, policy, Some(before));
    let Some(media) = session.media.get_mut(before.1.line) else { return session };
    let events =
        media.formats.iter().position(|format| before.1.receive_events.is_some_and(|own| *format == own.to_string()));
    let mut more = Media::new("", 0, "");
    for codec in
        policy.codecs.iter().filter(|codec| !media.payload_types().any(|own| media.codec(own) == Some(**codec)))
    {
        let is_free = |payload_type: &u8| {
            [&*media, &more].iter().all(|media| !media.payload_types().any(|own| own == *payload_type))
        };
        let own = Some(codec.payload_type()).filter(is_free).or_else(|| DYNAMIC.rev().find(is_free));
        own.into_iter().for_each(|payload_type| add_codec(&mut more, payload_type, *codec));
    }
    // Telephone events come last, as ever.
    let at = events.unwrap_or(media.formats.len());
    media.formats.splice(at..at, more.formats);
    media.maps.extend(more.maps);
    media.parameters.extend(more.parameters);
    session
}

fn session(local: &Local, media: Vec<Media>) -> Session {
    let host = Host::Address(local.address);
    let origin = Origin {
        username: "-".to_owned(),
        session_id: local.session_id.to_string(),
        version: local.version.to_string(),
        host: host.clone(),
    };
    Session { origin, connection: Some(host), direction: None, media }
}

fn accepted(offered: &Media, negotiated: &Negotiated, local: &Local) -> Media {
    let mut media = Media::new(&offered.kind, local.rtp_port, &offered.protocol);
    add_codec(&mut media, negotiated.payload_type, negotiated.codec);
    if let Some(payload_type) = negotiated.comfort_noise {
        add_noise(&mut media, payload_type);
    }
    if let Some(events) = negotiated.events {
        add_event_type(&mut media, events, negotiated.event_rate, negotiated.keys);
    }
    finish(&mut media, local, negotiated.mux);
    media.direction = Some(negotiated.direction);
    let ours = negotiated.secrecy.pair.map(|pair| Crypto { tag: negotiated.secrecy.tag, keys: pair.ours });
    media.crypto = ours.into_iter().collect();
    media.ptime = Some(negotiated.ptime);
    media
}

fn finish(media: &mut Media, local: &Local, mux: bool) {
    media.direction = Some(local.direction);
    media.mux = mux;
    // Where RTCP is heard goes without saying if it is the port above.
    let implied = local.rtp_port.checked_add(1) == Some(local.rtcp_port);
    if !mux && !implied && local.rtcp_port != 0 {
        media.rtcp = Some(Rtcp { port: local.rtcp_port, host: None });
    }
}

/// One telephone-event format for each clock.
fn add_events(media: &mut Media, policy: &Policy) {
    if !policy.events {
        return;
    }
    let mut clock_rates: Vec<_> = policy.codecs.iter().map(|codec| codec.clock_rate()).collect();
    // Those of the telephone are under the number that everybody expects, whatever the order of the codecs.
    clock_rates.sort_unstable();
    clock_rates.dedup();
    for (payload_type, clock_rate) in (EVENTS..).zip(clock_rates) {
        add_event_type(media, payload_type, clock_rate, Events::KEYS);
    }
}

fn add_codec(media: &mut Media, payload_type: u8, codec: Codec) {
    add(media, payload_type, codec.name(), codec.clock_rate(), codec.channels());
    if codec == Codec::Opus {
        // One loss is mended from the packet after it (RFC 7587 §6.1).
        media.parameters.push((payload_type, "useinbandfec=1".to_owned()));
    }
}

fn add_noise(media: &mut Media, payload_type: u8) {
    add(media, payload_type, "CN", noise::CLOCK_RATE, 1);
}

fn add_event_type(media: &mut Media, payload_type: u8, clock_rate: u32, keys: Events) {
    add(media, payload_type, "telephone-event", clock_rate, 1);
    media.parameters.push((payload_type, keys.to_string()));
}

fn add(media: &mut Media, payload_type: u8, name: &str, clock_rate: u32, channels: u8) {
    media.formats.push(payload_type.to_string());
    media.maps.push(Map { payload_type, name: name.to_owned(), clock_rate, channels });
}
