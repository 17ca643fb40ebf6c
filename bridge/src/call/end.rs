//! Why a call ended, and what follows from it for the carrier, for the room and for the log.

use livekit_protocol::DisconnectReason;
use sip::{Reason, Status};

/// The reason a call ended. There is one a call; the first one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The other side hung up (BYE).
    RemoteHangup,
    /// The caller gave up before we answered (CANCEL).
    RemoteCancel,
    /// The caller's carrier gave up before we answered, for another phone of his choice has (CANCEL, RFC 3326 §3.1).
    AnsweredElsewhere,
    /// The other side refused our INVITE.
    RemoteRefused(Status),
    /// The carrier asks for a password, and the trunk has none.
    NoCredentials,
    /// The carrier blocks calls to this number.
    CarrierBlocked,
    /// The carrier takes no more calls within this second.
    CarrierRate,
    /// The carrier takes no more calls at a time.
    CarrierFull,
    /// The address of the trunk leads nowhere, or where calls may not go.
    NoRoute,
    /// The answer to our INVITE has no description, or one that does not fit our offer.
    AnswerUnusable,
    /// The callee was to offer, and has not.
    OfferMissing,
    /// The offer cannot be read (RFC 8866).
    OfferMalformed,
    /// The offer has nothing that we speak (RFC 3264 §6).
    OfferUnacceptable,
    /// One side asks for encrypted media, and the other has none, or none that both can.
    EncryptionUnavailable,
    /// The range of RTP ports is used up.
    PortsExhausted,
    /// The room's server cannot be reached, or does not answer.
    RoomUnreachable,
    /// The room's server does not let the participant in.
    RoomRefused,
    /// The room was lost in mid-call and did not come back in time.
    RoomLost,
    /// The room was deleted or closed by its server.
    RoomDeleted,
    /// The participant was removed through the API.
    ParticipantRemoved,
    /// Another participant joined with the same identity.
    DuplicateIdentity,
    /// The caller did not know the PIN.
    PinRefused,
    /// Nobody answered in the room while the caller heard ringing.
    RingingTimeout,
    /// Our INVITE stayed without a final answer, or the carrier cannot be reached.
    CarrierUnreachable,
    /// Our 200 was never acknowledged (RFC 3261 §13.3.1.4).
    AckMissing,
    /// Nobody on the other side has kept the session alive (RFC 4028 §10).
    SessionExpired,
    /// No RTP came from the carrier for too long.
    MediaTimeout,
    /// The longest duration that the trunk allows is over.
    MaxDuration,
    /// The media plane gave up this call.
    MediaFault,
    /// Something in the gateway has failed.
    GatewayFault,
    /// The gateway is stopping.
    Shutdown,
    /// The call was hung up from our side on request.
    LocalHangup,
    /// Whoever waited for the answer does not wait any more.
    Abandoned,
    /// The phone talks to somebody else now.
    Transferred,
    /// The other call of a bridged transfer is over.
    BridgeOver,
}

/// What an end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Refuses an INVITE that was not answered yet.
    pub status: Status,
    /// ITU-T Q.850 cause in the `Reason` header of a BYE (RFC 3326).
    pub cause: u8,
    /// Name in logs and metrics.
    pub label: &'static str,
    /// Why the participant leaves the room.
    pub leave: DisconnectReason,
    /// Something is broken: an operator should look.
    pub is_fault: bool,
}

impl Outcome {
    /// The cause of Q.850: the one that the telephone network goes by.
    pub fn q850(&self) -> Reason {
        Reason::q850(self.cause.into(), self.label)
    }

    /// The `Reason` headers of a BYE or a CANCEL (RFC 3326): an end that is not the normal one has a status too. Q.850 goes
    /// first, for some read the first one alone. A refusal has its status in its first line, and says the cause beside it.
    pub fn reasons(&self) -> Vec<Reason> {
        let is_normal = self.cause == NORMAL_CLEARING || self.status.is_success();
        let status = (!is_normal).then(|| Reason::sip(self.status.code(), self.status.reason_phrase()));
        [self.q850()].into_iter().chain(status).collect()
    }
}

/// Q.850: somebody hung up.
const NORMAL_CLEARING: u8 = 16;

impl EndReason {
    /// One row a reason: a new reason needs a row to compile.
    pub fn outcome(self) -> Outcome {
        use DisconnectReason::{ClientInitiated, MediaFailure, SipTrunkFailure, UserUnavailable};
        let (status, cause, label, leave, is_fault) = match self {
            Self::RemoteHangup => (Status::OK, 16, "remote_hangup", ClientInitiated, false),
            Self::RemoteCancel => (Status::REQUEST_TERMINATED, 16, "cancelled", ClientInitiated, false),
            Self::AnsweredElsewhere => (Status::REQUEST_TERMINATED, 26, "answered_elsewhere", ClientInitiated, false),
            Self::RemoteRefused(status) => {
                let (label, leave) = refused(status);
                (status, cause_of(status), label, leave, false)
            }
            Self::NoCredentials => {
                (Status::PROXY_AUTHENTICATION_REQUIRED, 21, "no_credentials", DisconnectReason::UserRejected, true)
            }
            Self::CarrierBlocked => (Status::FORBIDDEN, 21, "carrier_blocked", DisconnectReason::UserRejected, false),
            Self::CarrierRate => (Status::SERVICE_UNAVAILABLE, 42, "carrier_cps_limit", SipTrunkFailure, true),
            Self::CarrierFull => (Status::SERVICE_UNAVAILABLE, 34, "carrier_call_limit", SipTrunkFailure, true),
            Self::NoRoute => (Status::NOT_FOUND, 3, "no_route", SipTrunkFailure, true),
            Self::AnswerUnusable => (Status::NOT_ACCEPTABLE_HERE, 88, "answer_unusable", MediaFailure, true),
            Self::OfferMissing => (Status::NOT_ACCEPTABLE_HERE, 88, "no_offer", MediaFailure, true),
            Self::OfferMalformed => (Status::BAD_REQUEST, 88, "bad_offer", MediaFailure, false),
            Self::OfferUnacceptable => (Status::NOT_ACCEPTABLE_HERE, 88, "no_codec", MediaFailure, false),
            Self::EncryptionUnavailable => (Status::NOT_ACCEPTABLE_HERE, 88, "no_srtp", MediaFailure, false),
            Self::PortsExhausted => (Status::SERVICE_UNAVAILABLE, 34, "no_ports", MediaFailure, true),
            Self::RoomUnreachable => (Status::SERVICE_UNAVAILABLE, 41, "room_unreachable", ClientInitiated, true),
            Self::RoomRefused => (Status::SERVICE_UNAVAILABLE, 41, "room_refused", ClientInitiated, true),
            Self::RoomLost => (Status::SERVICE_UNAVAILABLE, 41, "room_lost", ClientInitiated, true),
            Self::RoomDeleted => (Status::TEMPORARILY_UNAVAILABLE, 16, "room_deleted", ClientInitiated, false),
            Self::ParticipantRemoved => (Status::DECLINE, 16, "participant_removed", ClientInitiated, false),
            Self::DuplicateIdentity => (Status::BUSY_HERE, 17, "duplicate_identity", ClientInitiated, false),
            Self::PinRefused => (Status::FORBIDDEN, 21, "pin_refused", ClientInitiated, false),
            Self::RingingTimeout => (Status::TEMPORARILY_UNAVAILABLE, 19, "ringing_timeout", UserUnavailable, false),
            Self::CarrierUnreachable => (Status::REQUEST_TIMEOUT, 18, "carrier_unreachable", SipTrunkFailure, true),
            Self::AckMissing => (Status::REQUEST_TIMEOUT, 102, "ack_missing", SipTrunkFailure, true),
            Self::SessionExpired => (Status::REQUEST_TIMEOUT, 102, "session_expired", SipTrunkFailure, true),
            Self::MediaTimeout => (Status::REQUEST_TIMEOUT, 102, "media_timeout", MediaFailure, true),
            Self::MaxDuration => (Status::REQUEST_TERMINATED, 16, "max_duration", ClientInitiated, false),
            Self::MediaFault => (Status::SERVER_INTERNAL_ERROR, 41, "media_fault", MediaFailure, true),
            Self::GatewayFault => (Status::SERVER_INTERNAL_ERROR, 41, "gateway_fault", ClientInitiated, true),
            Self::Shutdown => (Status::SERVICE_UNAVAILABLE, 41, "shutdown", ClientInitiated, false),
            Self::LocalHangup => (Status::DECLINE, 16, "local_hangup", ClientInitiated, false),
            Self::Abandoned => (Status::REQUEST_TERMINATED, 16, "abandoned", ClientInitiated, false),
            Self::Transferred => (Status::OK, 16, "transferred", ClientInitiated, false),
            Self::BridgeOver => (Status::OK, 16, "bridge_over", ClientInitiated, false),
        };
        Outcome { status, cause, label, leave, is_fault }
    }

    /// It is ours, and the phone is to hear first what the room said last. Not where media is broken or nobody is there.
    pub fn has_last_word(self) -> bool {
        matches!(
            self,
            Self::RoomDeleted
                | Self::ParticipantRemoved
                | Self::DuplicateIdentity
                | Self::MaxDuration
                | Self::Shutdown
                | Self::LocalHangup
                | Self::BridgeOver
        )
    }

    /// The SIP stack, or the peer, has said or heard what ends the dialog.
    pub fn is_known_to_peer(self) -> bool {
        matches!(
            self,
            Self::RemoteHangup
                | Self::RemoteCancel
                | Self::AnsweredElsewhere
                | Self::AckMissing
                | Self::SessionExpired
                | Self::RemoteRefused(_)
                | Self::NoCredentials
                | Self::CarrierBlocked
                | Self::CarrierRate
                | Self::CarrierFull
                | Self::CarrierUnreachable
        )
    }
}

/// The Q.850 cause of a status, as a gateway to the telephone network has it (RFC 3398 §8.2.6.1).
fn cause_of(status: Status) -> u8 {
    match status.code() {
        400 | 481 | 500 | 503 => 41,
        401 | 402 | 403 | 407 | 603 | 607 => 21,
        404 | 485 | 604 => 1,
        405 => 63,
        406 | 415 | 501 => 79,
        408 | 504 => 102,
        410 => 22,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        488 | 606 => 88,
        502 => 38,
        413 | 414 | 416 | 420 | 421 | 423 | 505 | 513 => 127,
        _ => 31,
    }
}

/// Name and meaning of a refusal, as livekit-sip tells them apart.
///
/// Of a leaving participant's reasons a LiveKit server honours "unavailable" and "rejected"; it takes others for an
/// ordinary leave.
fn refused(status: Status) -> (&'static str, DisconnectReason) {
    use DisconnectReason::{SipTrunkFailure, UserRejected, UserUnavailable};
    match status.code() {
        401 | 407 => ("auth_required", UserRejected),
        403 => ("forbidden", UserRejected),
        404 => ("not_found", UserUnavailable),
        408 => ("request_timeout", UserUnavailable),
        480 => ("unavailable", UserUnavailable),
        486 => ("busy", UserRejected),
        488 => ("not_acceptable", UserRejected),
        600.. => ("declined", UserRejected),
        500.. => ("upstream_error", SipTrunkFailure),
        400.. => ("client_error", UserUnavailable),
        _ => ("redirected", UserUnavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of them, and a refusal of each class: a new reason does not compile until it is named here.
    fn all() -> Vec<EndReason> {
        use EndReason::*;
        let first = RemoteHangup;
        let next = |reason| {
            Some(match reason {
                RemoteHangup => RemoteCancel,
                RemoteCancel => AnsweredElsewhere,
                AnsweredElsewhere => refusal(REFUSALS[0]),
                RemoteRefused(status) => match REFUSALS.iter().position(|code| *code == status.code()) {
                    Some(at) if at + 1 < REFUSALS.len() => refusal(REFUSALS[at + 1]),
                    _ => NoCredentials,
                },
                NoCredentials => CarrierBlocked,
                CarrierBlocked => CarrierRate,
                CarrierRate => CarrierFull,
                CarrierFull => NoRoute,
                NoRoute => AnswerUnusable,
                AnswerUnusable => OfferMissing,
                OfferMissing => OfferMalformed,
                OfferMalformed => OfferUnacceptable,
                OfferUnacceptable => EncryptionUnavailable,
                EncryptionUnavailable => PortsExhausted,
                PortsExhausted => RoomUnreachable,
                RoomUnreachable => RoomRefused,
                RoomRefused => RoomLost,
                RoomLost => RoomDeleted,
                RoomDeleted => ParticipantRemoved,
                ParticipantRemoved => DuplicateIdentity,
                DuplicateIdentity => PinRefused,
                PinRefused => RingingTimeout,
                RingingTimeout => CarrierUnreachable,
                CarrierUnreachable => AckMissing,
                AckMissing => SessionExpired,
                SessionExpired => MediaTimeout,
                MediaTimeout => MaxDuration,
                MaxDuration => MediaFault,
                MediaFault => GatewayFault,
                GatewayFault => Shutdown,
                Shutdown => LocalHangup,
                LocalHangup => Abandoned,
                Abandoned => Transferred,
                Transferred => BridgeOver,
                BridgeOver => return None,
            })
        };
        std::iter::successors(Some(first), |reason| next(*reason)).collect()
    }

    /// One status of each class.
    const REFUSALS: &[u16] = &[302, 407, 403, 404, 408, 480, 486, 488, 484, 503, 603];

    fn refusal(code: u16) -> EndReason {
        EndReason::RemoteRefused(Status::new(code).unwrap())
    }

    #[test]
    fn the_manual_explains_every_reason_and_no_other() {
        let manual = include_str!("../../../docs/troubleshooting.md");
        let (_, reasons) = manual.split_once("## Reasons in the log").unwrap();
        let (refused, ended) = reasons.split_once("Calls that were let in").unwrap();
        let rows = |text: &str| -> Vec<(String, bool)> {
            let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
            cells.map(|(label, rest)| (label.to_owned(), rest.starts_with(" *"))).collect()
        };
        let mut known: Vec<_> =
            all().iter().map(|reason| (reason.outcome().label.to_owned(), reason.outcome().is_fault)).collect();
        let mut explained = rows(ended);
        known.sort();
        explained.sort();
        assert_eq!(explained, known);

        let mut explained: Vec<_> = rows(refused).into_iter().map(|(label, _)| label).collect();
        let mut known: Vec<_> = refusals().iter().map(|refusal| refusal.label().to_owned()).collect();
        known.extend(["wrong_password", "guessing", "max_active_calls", "malformed"].map(str::to_owned));
        known.sort();
        explained.sort();
        assert_eq!(explained, known);
    }

    #[test]
    fn every_end_has_its_status_its_cause_and_its_name() {
        type Row = (u16, u8, &'static str);
        // What a carrier sees of an end, in the order of `all`.
        let rows: &[Row] = &[
            (200, 16, "remote_hangup"),
            (487, 16, "cancelled"),
            (487, 26, "answered_elsewhere"),
            (302, 31, "redirected"),
            (407, 21, "auth_required"),
            (403, 21, "forbidden"),
            (404, 1, "not_found"),
            (408, 102, "request_timeout"),
            (480, 18, "unavailable"),
            (486, 17, "busy"),
            (488, 88, "not_acceptable"),
            (484, 28, "client_error"),
            (503, 41, "upstream_error"),
            (603, 21, "declined"),
            (407, 21, "no_credentials"),
            (403, 21, "carrier_blocked"),
            (503, 42, "carrier_cps_limit"),
            (503, 34, "carrier_call_limit"),
            (404, 3, "no_route"),
            (488, 88, "answer_unusable"),
            (488, 88, "no_offer"),
            (400, 88, "bad_offer"),
            (488, 88, "no_codec"),
            (488, 88, "no_srtp"),
            (503, 34, "no_ports"),
            (503, 41, "room_unreachable"),
            (503, 41, "room_refused"),
            (503, 41, "room_lost"),
            (480, 16, "room_deleted"),
            (603, 16, "participant_removed"),
            (486, 17, "duplicate_identity"),
            (403, 21, "pin_refused"),
            (480, 19, "ringing_timeout"),
            (408, 18, "carrier_unreachable"),
            (408, 102, "ack_missing"),
            (408, 102, "session_expired"),
            (408, 102, "media_timeout"),
            (487, 16, "max_duration"),
            (500, 41, "media_fault"),
            (500, 41, "gateway_fault"),
            (503, 41, "shutdown"),
            (603, 16, "local_hangup"),
            (487, 16, "abandoned"),
            (200, 16, "transferred"),
            (200, 16, "bridge_over"),
        ];
        let all: Vec<Row> = all()
            .into_iter()
            .map(EndReason::outcome)
            .map(|outcome| (outcome.status.code(), outcome.cause, outcome.label))
            .collect();
        assert_eq!(all, rows);
    }

    #[test]
    fn what_a_bye_says_is_read_back_as_it_was_meant() {
        for reason in all() {
            let outcome = reason.outcome();
            let written: Vec<_> = outcome.reasons().iter().map(Reason::to_string).collect();
            assert_eq!(Reason::parse_list(&written.join(", ")), outcome.reasons(), "{reason:?}");
            assert_eq!(outcome.reasons()[0], Reason::q850(outcome.cause.into(), outcome.label), "{reason:?}");
            let has_status = outcome.reasons().len() == 2;
            assert_eq!(has_status, outcome.cause != 16 && !outcome.status.is_success(), "{reason:?}");
        }
        let said = |reason: EndReason| reason.outcome().reasons().iter().map(Reason::to_string).collect::<Vec<_>>();
        assert_eq!(said(EndReason::ParticipantRemoved), ["Q.850;cause=16;text=\"participant_removed\""]);
        let timeout = ["Q.850;cause=102;text=\"media_timeout\"", "SIP;cause=408;text=\"Request Timeout\""];
        assert_eq!(said(EndReason::MediaTimeout), timeout);
    }

    #[test]
    fn the_last_word_is_for_ends_that_are_ours_while_media_flows() {
        let has: Vec<_> = all().into_iter().filter(|reason| reason.has_last_word()).collect();
        assert!(has.iter().all(|reason| !reason.is_known_to_peer() && !reason.outcome().is_fault), "{has:?}");
        assert_eq!(has.len(), 7);
    }

    fn refusals() -> Vec<crate::dispatch::Refusal> {
        use crate::dispatch::Refusal::{CallerNotAllowed, NoRoom, NoRule, NoTrunk, UnknownSource, WrongPin};
        let (text, tried) = (String::new, crate::dispatch::refusal::Tried::default);
        let first = UnknownSource { source_ip: [192, 0, 2, 1].into(), tried: tried() };
        let next = |refusal: &crate::dispatch::Refusal| {
            Some(match refusal {
                UnknownSource { .. } => NoTrunk { called: text(), tried: tried() },
                NoTrunk { .. } => CallerNotAllowed { calling: text(), tried: tried() },
                CallerNotAllowed { .. } => NoRule { trunk: text(), tried: tried() },
                NoRule { .. } => WrongPin { trunk: text() },
                WrongPin { .. } => NoRoom { rule: text() },
                NoRoom { .. } => return None,
            })
        };
        std::iter::successors(Some(first), next).collect()
    }

    #[test]
    fn temporary_conditions_let_the_carrier_fail_over() {
        // Telnyx tries its next route on 408, 480, 503 and 504 only.
        for reason in
            [EndReason::PortsExhausted, EndReason::RoomUnreachable, EndReason::RoomRefused, EndReason::Shutdown]
        {
            assert_eq!(reason.outcome().status, Status::SERVICE_UNAVAILABLE, "{reason:?}");
        }
        assert_eq!(EndReason::RingingTimeout.outcome().status, Status::TEMPORARILY_UNAVAILABLE);
    }

    #[test]
    fn a_refused_callee_is_told_apart_in_the_room() {
        use DisconnectReason::{SipTrunkFailure, UserRejected, UserUnavailable};
        for (statuses, label, leave) in [
            (&[401, 407][..], "auth_required", UserRejected),
            (&[403], "forbidden", UserRejected),
            (&[404], "not_found", UserUnavailable),
            (&[408], "request_timeout", UserUnavailable),
            (&[480], "unavailable", UserUnavailable),
            (&[486], "busy", UserRejected),
            (&[488], "not_acceptable", UserRejected),
            (&[400, 410, 484, 499], "client_error", UserUnavailable),
            (&[500, 503, 599], "upstream_error", SipTrunkFailure),
            (&[600, 603, 699], "declined", UserRejected),
            (&[300, 302], "redirected", UserUnavailable),
        ] {
            for status in statuses {
                let outcome = refusal(*status).outcome();
                assert_eq!((outcome.label, outcome.leave), (label, leave), "{status}");
            }
        }
        // The server keeps these four apart; whatever it is told of others, the room sees an ordinary leave.
        assert_eq!((UserUnavailable as i32, UserRejected as i32), (11, 12));
    }
}
