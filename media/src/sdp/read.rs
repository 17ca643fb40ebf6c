//! The text read, leniently: any line ends, unknown lines and attributes passed over, odd values of known attributes too.
//! What we cannot do without, the version, the origin and the media lines, must be right.

use std::time::Duration;

use super::address::Host;
use super::crypto::Crypto;
use super::media::{Map, Rtcp};
use super::session::Origin;
use super::{Direction, Error, Media, Session};

/// No honest body comes near.
const MAX_BYTES: usize = 32 * 1024;
const MAX_MEDIA: usize = 32;
/// Payload types there are; also the most attributes of one kind that make sense.
const MAX_FORMATS: usize = 128;
/// Packets longer than this are no conversation, and a ptime of 65535 has crashed others (CVE-2026-41416).
const MAX_PTIME: u64 = 200;

pub(super) fn session(body: &[u8]) -> Result<Session, Error> {
    if body.len() > MAX_BYTES {
        return Err(Error::TooMany("bytes"));
    }
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
    let mut lines = (1..).zip(text.split(['\r', '\n', '\0'])).map(|(number, line)| Line { number, text: line });
    let mut lines = lines.by_ref().filter(|line| !line.text.trim().is_empty());
    let version = lines.next().ok_or(Error::Malformed { what: "version", line: 1 })?;
    if version.text.trim() != "v=0" {
        return Err(version.malformed("version"));
    }
    let origin = lines.next().ok_or(Error::Malformed { what: "origin", line: 2 })?;
    let mut session = Session {
        origin: read_origin(&origin).ok_or_else(|| origin.malformed("origin"))?,
        connection: None,
        direction: None,
        media: Vec::new(),
    };
    for line in lines {
        read_line(&mut session, &line)?;
    }
    Ok(session)
}

struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { what, line: self.number }
    }
}

fn read_line(session: &mut Session, line: &Line<'_>) -> Result<(), Error> {
    let Some((kind, value)) = line.text.split_once('=') else { return Err(line.malformed("line")) };
    let lines = session.media.len();
    match (kind.trim(), session.media.last_mut()) {
        ("m", _) if lines == MAX_MEDIA => Err(Error::TooMany("media lines")),
        ("m", _) => {
            session.media.push(read_media(line, value)?);
            Ok(())
        }
        ("c", media) => {
            let connection = media.map_or(&mut session.connection, |media| &mut media.connection);
            let host = Host::read(value).ok_or_else(|| line.malformed("connection"))?;
            // Further ones are layers of a multicast session (RFC 8866 §5.7).
            connection.get_or_insert(host);
            Ok(())
        }
        ("a", Some(media)) => read_attribute(media, value),
        ("a", None) => {
            session.direction = read_direction(value.trim()).or(session.direction);
            Ok(())
        }
        // Names, times, bandwidths, keys: not ours.
        _ => Ok(()),
    }
}

fn read_origin(line: &Line<'_>) -> Option<Origin> {
    let value = line.text.trim_start().strip_prefix("o=")?;
    let mut words = value.split_ascii_whitespace();
    let mut word = || words.next().map(str::to_owned);
    let (username, session_id, version) = (word()?, word()?, word()?);
    let rest: Vec<_> = words.collect();
    Some(Origin { username, session_id, version, host: Host::read(&rest.join(" "))? })
}

fn read_media(line: &Line<'_>, value: &str) -> Result<Media, Error> {
    let malformed = || line.malformed("media line");
    let mut words = value.split_ascii_whitespace();
    let (kind, port, protocol) = (words.next(), words.next(), words.next());
    let (Some(kind), Some(port), Some(protocol)) = (kind, port, protocol) else { return Err(malformed()) };
    // A count of ports after a slash is for layered streams.
    let port = port.split_once('/').map_or(port, |(port, _)| port);
    let port = port.parse().map_err(|_| malformed())?;
    let mut media = Media::new(kind, port, protocol);
    for format in words {
        if media.formats.len() == MAX_FORMATS {
            return Err(Error::TooMany("formats"));
        }
        media.formats.push(format.to_owned());
    }
    match media.formats.is_empty() {
        true => Err(malformed()),
        false => Ok(media),
    }
}

fn read_attribute(media: &mut Media, value: &str) -> Result<(), Error> {
    let value = value.trim_ascii();
    let (name, value) = value.split_once(':').unwrap_or((value, ""));
    match name {
        "rtpmap" => push(&mut media.maps, read_map(value), "payload types")?,
        "fmtp" => push(&mut media.parameters, read_parameters(value), "format parameters")?,
        "ptime" => media.ptime = read_ptime(value).or(media.ptime),
        "maxptime" => media.maxptime = read_ptime(value).or(media.maxptime),
        "rtcp" => media.rtcp = read_rtcp(value).or(media.rtcp.take()),
        "rtcp-mux" => media.mux = true,
        "crypto" => push(&mut media.crypto, Crypto::read(value), "keys")?,
        _ => media.direction = read_direction(name).or(media.direction),
    }
    Ok(())
}

fn push<T>(list: &mut Vec<T>, item: Option<T>, what: &'static str) -> Result<(), Error> {
    let Some(item) = item else { return Ok(()) };
    if list.len() == MAX_FORMATS {
        return Err(Error::TooMany(what));
    }
    list.push(item);
    Ok(())
}

fn read_map(value: &str) -> Option<Map> {
    let (payload_type, format) = read_payload_type(value)?;
    let mut parts = format.split('/').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty() && !name.contains(char::is_whitespace))?;
    let clock_rate = parts.next()?.parse().ok()?;
    let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
    Some(Map { payload_type, name: name.to_owned(), clock_rate, channels })
}

fn read_parameters(value: &str) -> Option<(u8, String)> {
    let (payload_type, text) = read_payload_type(value)?;
    (!text.is_empty()).then(|| (payload_type, text.to_owned()))
}

fn read_payload_type(value: &str) -> Option<(u8, &str)> {
    let (payload_type, rest) = value.trim().split_once(char::is_whitespace)?;
    let payload_type = payload_type.parse().ok().filter(|payload_type| *payload_type < 128)?;
    Some((payload_type, rest.trim()))
}

/// Whole milliseconds; the grammar allows a fraction, and some write `20.0`.
fn read_ptime(value: &str) -> Option<Duration> {
    let whole = value.trim().split('.').next()?;
    let millis = whole.parse().ok().filter(|millis| (1..=MAX_PTIME).contains(millis))?;
    Some(Duration::from_millis(millis))
}

fn read_rtcp(value: &str) -> Option<Rtcp> {
    let value = value.trim_ascii();
    let (port, host) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some(Rtcp { port, host: Host::read(host) })
}

fn read_direction(name: &str) -> Option<Direction> {
    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
        .into_iter()
        .find(|direction| direction.name() == name)
}

#[cfg(test)]
mod tests;
