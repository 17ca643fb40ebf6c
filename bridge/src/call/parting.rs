//! What is said about the end of a call: by the other side (RFC 3326), and by us in attributes of the participant before it
//! leaves.

use std::collections::BTreeMap;
use std::fmt;

use sip::message::Protocol;
use sip::{Reason, Status};

use super::end::EndReason;
use crate::dispatch::headers::clean;

/// The attributes, all but `sip.callStatus`.
pub(crate) const ATTRIBUTES: &[&str] = &[REASON, STATUS, CAUSE, TEXT];
/// Name of the end, as in the log.
const REASON: &str = "sip.disconnectReason";
/// Status of SIP.
const STATUS: &str = "sip.disconnectStatus";
/// Cause of Q.850.
const CAUSE: &str = "sip.disconnectCause";
/// The other side's words.
const TEXT: &str = "sip.disconnectText";

/// As many bytes of the other side's words are passed on.
const MAX_TEXT: usize = 128;

/// What the other side says about the end, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parting(Vec<Reason>);

impl Parting {
    /// Reads the Reason headers of a message, given as one list.
    pub fn read(reasons: Option<&str>) -> Self {
        Self(reasons.map(Reason::parse_list).unwrap_or_default())
    }

    /// Whether nothing was said, or nothing that can be read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Another phone has answered (RFC 3326 §3.1). Carriers of the telephone network say it by a cause.
    pub fn is_answered_elsewhere(&self) -> bool {
        self.cause(&Protocol::Sip).is_some_and(|status| (200..300).contains(&status))
            || self.cause(&Protocol::Q850) == Some(26)
    }

    fn cause(&self, protocol: &Protocol) -> Option<u16> {
        self.0.iter().find(|reason| reason.protocol == *protocol)?.cause
    }

    fn text(&self) -> Option<String> {
        let text = clean(self.0.iter().find_map(|reason| reason.text.as_deref())?);
        (!text.is_empty()).then(|| text[..text.floor_char_boundary(MAX_TEXT)].to_owned())
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, reason) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{reason}")?;
        }
        Ok(())
    }
}

/// What the room is told of an end: our name for it, and the codes of the other side where it has said any. `status` is
/// that of the message that ended the call, if there is one with a status.
pub fn attributes(reason: EndReason, status: Option<Status>, parting: &Parting) -> BTreeMap<String, String> {
    let outcome = reason.outcome();
    let status = parting.cause(&Protocol::Sip).unwrap_or(status.unwrap_or(outcome.status).code());
    let cause = parting.cause(&Protocol::Q850).unwrap_or(outcome.cause.into());
    let told = [(REASON, outcome.label.to_owned()), (STATUS, status.to_string()), (CAUSE, cause.to_string())];
    let text = parting.text().map(|text| (TEXT, text));
    told.into_iter().chain(text).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        reason: EndReason,
        said: Option<&'static str>,
        /// Label, status, cause, text.
        told: [&'static str; 4],
    }

    #[test]
    fn the_room_is_told_of_an_end_in_the_words_of_whoever_has_made_it() {
        let refused = EndReason::RemoteRefused(Status::BUSY_HERE);
        let case = |name, reason, said, told| Case { name, reason, said, told };
        let cases = [
            case("ours", EndReason::ParticipantRemoved, None, ["participant_removed", "603", "16", ""]),
            case("ours, broken", EndReason::MediaTimeout, None, ["media_timeout", "408", "102", ""]),
            case("plain BYE", EndReason::RemoteHangup, None, ["remote_hangup", "200", "16", ""]),
            case(
                "BYE with a cause",
                EndReason::RemoteHangup,
                Some("Q.850;cause=31;text=\"Normal, unspecified\""),
                ["remote_hangup", "200", "31", "Normal, unspecified"],
            ),
            case(
                "both protocols, text in the second",
                EndReason::RemoteHangup,
                Some("Q.850;cause=102, SIP;cause=408;text=\"RTP timeout\""),
                ["remote_hangup", "408", "102", "RTP timeout"],
            ),
            case(
                "another protocol alone",
                EndReason::RemoteHangup,
                Some("X.int;cause=7;text=\"x\""),
                ["remote_hangup", "200", "16", "x"],
            ),
            case("refusal", refused, None, ["busy", "486", "17", ""]),
            case("refusal with a cause", refused, Some("Q.850;cause=34"), ["busy", "486", "34", ""]),
            case("nonsense", EndReason::RemoteHangup, Some(";;"), ["remote_hangup", "200", "16", ""]),
        ];
        for Case { name, reason, said, told } in cases {
            let found = attributes(reason, None, &Parting::read(said));
            let found = ATTRIBUTES.iter().map(|name| found.get(*name).map_or("", String::as_str)).collect::<Vec<_>>();
            assert_eq!(found, told, "{name}");
        }
        let own = attributes(EndReason::RingingTimeout, Some(Status::BUSY_HERE), &Parting::default());
        assert_eq!(own[STATUS], "486", "a status of the trunk");
    }

    #[test]
    fn a_call_that_was_answered_elsewhere_is_known() {
        let cases = [
            ("SIP;cause=200;text=\"Call completed elsewhere\"", true),
            ("Q.850;cause=16, SIP;cause=200", true),
            ("Q.850;cause=26", true),
            ("SIP;cause=487", false),
            ("Q.850;cause=16", false),
            ("X.int;cause=200", false),
            ("", false),
        ];
        for (said, elsewhere) in cases {
            assert_eq!(Parting::read(Some(said)).is_answered_elsewhere(), elsewhere, "{said}");
        }
        assert!(!Parting::read(None).is_answered_elsewhere());
    }

    #[test]
    fn words_of_strangers_are_bounded() {
        let said = format!("SIP;cause=1;text=\"{}\"", "ä".repeat(1_000));
        let told = attributes(EndReason::RemoteHangup, None, &Parting::read(Some(&said)));
        assert_eq!(told[TEXT].len(), MAX_TEXT);
        let many = Parting::read(Some(&"SIP;cause=200,".repeat(1_000)));
        assert!(many.to_string().len() < 200, "{many}");
    }
}
