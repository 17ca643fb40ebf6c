//! How a peer connection is made: codec, header extensions, reports, and the timing of ICE.

use std::time::{Duration, Instant};

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use rtc::peer_connection::configuration::setting_engine::{SctpMaxMessageSize, SettingEngine, SettingEngineBuilder};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

use super::Error;
use super::reports::Reader;

/// Payload type of Opus in our offers.
pub(super) const OPUS: u8 = 111;
/// Payload type of what repeats earlier packets of Opus (RFC 2198), in our offers as in those of servers.
pub(super) const RED: u8 = 63;
/// Its name; the engine knows none for it.
const MIME_TYPE_RED: &str = "audio/red";
/// Client-to-mixer audio level (RFC 6464): the server finds the active speaker by it.
pub(super) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Media section of a packet (RFC 9143 §15).
const SDES_MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// Largest message of a data channel. The engine sets this much memory aside for each connection; LiveKit allows 15 KiB
/// a packet, to which its envelope comes.
const MESSAGE: u32 = 20 * 1024;

/// An empty connection with our settings, and who reads the reports on our packets. One that receives takes redundant audio.
pub(super) fn connection(now: Instant, reader: Reader, receives: bool) -> Result<RTCPeerConnection, Error> {
    let mut engine = MediaEngine::default();
    let parameters = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS };
    engine.register_codec(parameters, RtpCodecKind::Audio)?;
    if receives {
        // The engine names it in the section that we send in as well, whatever is preferred there: the session tells the server
        // that our track is plain.
        let parameters = RTCRtpCodecParameters { rtp_codec: red(), payload_type: RED };
        engine.register_codec(parameters, RtpCodecKind::Audio)?;
    }
    // Neither extension is registered by the engine's own defaults.
    for uri in [AUDIO_LEVEL, SDES_MID] {
        let capability = RTCRtpHeaderExtensionCapability { uri: uri.into() };
        engine.register_header_extension(capability, RtpCodecKind::Audio, None)?;
    }
    // Reports alone: retransmission and transport feedback bring nothing to one stream of speech.
    let connection = RTCPeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_setting_engine(settings())
        .with_media_engine(engine)
        .with_interceptor_registry(configure_rtcp_reports(Registry::new()).with(Reader::SLOT, reader))
        .build(now)?;
    Ok(connection)
}

/// The track we publish.
pub(super) fn track(cid: String, ssrc: u32) -> MediaStreamTrack {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec: opus(),
        ..Default::default()
    };
    MediaStreamTrack::new("phone".into(), cid, "phone".into(), RtpCodecKind::Audio, vec![coding])
}

pub(super) fn direction(direction: RTCRtpTransceiverDirection) -> RTCRtpTransceiverInit {
    RTCRtpTransceiverInit { direction, streams: Vec::new(), send_encodings: Vec::new() }
}

/// The engine's own check interval of 200 ms would be added to every join, and its wait of one second before a
/// peer-reflexive pair is accepted to every join in which the server's first check overtakes its trickled candidate.
/// Checks go on for five seconds, so that a slow server is not given up. A media server has no name to be looked up on
/// the local network (multicast DNS), so nothing is kept ready for that.
fn settings() -> SettingEngine {
    SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        .with_ice_connection_attempts(Some(Duration::from_millis(20)), Some(250))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(MESSAGE))
        .build()
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
        rtcp_feedback: Vec::new(),
    }
}

fn red() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_RED.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: format!("{OPUS}/{OPUS}"),
        rtcp_feedback: Vec::new(),
    }
}
