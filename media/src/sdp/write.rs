//! The text of a session, in the order of RFC 8866 §5.

use std::fmt;

use super::Session;
use super::media::{Map, Media};
use super::session::Origin;

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\n{}s=-\r\n", self.origin)?;
        if let Some(host) = &self.connection {
            write!(f, "c={host}\r\n")?;
        }
        write!(f, "t=0 0\r\n")?;
        if let Some(direction) = self.direction {
            write!(f, "a={}\r\n", direction.name())?;
        }
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o={} {} {} {}\r\n", self.username, self.session_id, self.version, self.host)
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {} {}", self.kind, self.port, self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        write!(f, "\r\n")?;
        if let Some(host) = &self.connection {
            write!(f, "c={host}\r\n")?;
        }
        self.maps.iter().try_for_each(|map| write!(f, "{map}"))?;
        self.parameters.iter().try_for_each(|(of, text)| write!(f, "a=fmtp:{of} {text}\r\n"))?;
        if let Some(rtcp) = &self.rtcp {
            write!(f, "a=rtcp:{}", rtcp.port)?;
            rtcp.host.iter().try_for_each(|host| write!(f, " {host}"))?;
            write!(f, "\r\n")?;
        }
        if self.mux {
            write!(f, "a=rtcp-mux\r\n")?;
        }
        self.crypto.iter().try_for_each(|crypto| write!(f, "{crypto}"))?;
        for (name, value) in [("ptime", self.ptime), ("maxptime", self.maxptime)] {
            value.iter().try_for_each(|value| write!(f, "a={name}:{}\r\n", value.as_millis()))?;
        }
        self.direction.iter().try_for_each(|direction| write!(f, "a={}\r\n", direction.name()))
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a=rtpmap:{} {}/{}", self.payload_type, self.name, self.clock_rate)?;
        match self.channels {
            1 => write!(f, "\r\n"),
            channels => write!(f, "/{channels}\r\n"),
        }
    }
}
