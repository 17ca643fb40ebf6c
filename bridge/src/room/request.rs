//! The messages that a session sends.

use livekit_protocol as proto;
use proto::signal_request::Message as Request;

use super::action::Path;
use super::roster::Changes;

/// Our name for our track until the server has given it an id.
pub(super) const CID: &str = "phone-audio";
/// 17 asks for trailers in video packets and 18 for data channels with fixed ids: neither is ours.
pub(super) const PROTOCOL: i32 = 16;
/// The data channel that keeps order and loses nothing.
pub(super) const RELIABLE: &str = "_reliable";

pub(super) fn client_info() -> proto::ClientInfo {
    proto::ClientInfo {
        sdk: proto::client_info::Sdk::Rust as i32,
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: PROTOCOL,
        os: std::env::consts::OS.into(),
        ..Default::default()
    }
}

/// Our track, described as that of livekit-sip is: named after the participant, with the defaults for most of the rest.
pub(super) fn our_track(identity: &str, muted: bool, path: Path) -> proto::AddTrackRequest {
    proto::AddTrackRequest {
        cid: CID.into(),
        name: identity.into(),
        r#type: proto::TrackType::Audio as i32,
        source: proto::TrackSource::Microphone as i32,
        muted,
        // On a single connection the engine offers what we take in the section of our track as well, and the server, which goes by
        // the offer, would take plain Opus for redundant audio.
        disable_red: path == Path::Single,
        ..Default::default()
    }
}

/// A join. The attributes travel in the token alone: the request is part of a URL, which ends up in access logs.
pub(super) fn join() -> proto::JoinRequest {
    proto::JoinRequest {
        client_info: Some(client_info()),
        // Without automatic subscription the server never asks us to receive video.
        connection_settings: Some(proto::ConnectionSettings { auto_subscribe: false, ..Default::default() }),
        ..Default::default()
    }
}

pub(super) fn resume(participant_sid: &str) -> proto::JoinRequest {
    proto::JoinRequest {
        reconnect: true,
        reconnect_reason: proto::ReconnectReason::RrSignalDisconnected as i32,
        participant_sid: participant_sid.into(),
        ..join()
    }
}

pub(super) fn subscriptions(changes: Changes) -> impl Iterator<Item = Request> {
    let request = |track_sids: Vec<String>, subscribe| {
        let update = proto::UpdateSubscription { track_sids, subscribe, ..Default::default() };
        (!update.track_sids.is_empty()).then_some(Request::Subscription(update))
    };
    request(changes.remove, false).into_iter().chain(request(changes.add, true))
}

pub(super) fn leave(reason: proto::DisconnectReason) -> Request {
    Request::Leave(proto::LeaveRequest {
        reason: reason as i32,
        action: proto::leave_request::Action::Disconnect as i32,
        ..Default::default()
    })
}

pub(super) fn description(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: kind.into(), sdp, id, ..Default::default() }
}
