//! What the configuration says, in the words of the parts.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::listen::interfaces;
use super::{Error, toward_room};
use crate::call::driver::Settings;
use crate::config::Config;
use crate::dispatch;
use crate::dispatch::outbound::{Caps, Defaults};
use crate::plane;

pub(super) async fn plane_config(config: &Config) -> Result<plane::Config, Error> {
    let (mut v4, mut v6) = (None, None);
    for interface in interfaces(&config.addresses, config.addresses.media).await? {
        let family = if interface.bind.is_ipv4() { &mut v4 } else { &mut v6 };
        family.get_or_insert(interface);
    }
    let media = &config.media;
    Ok(plane::Config {
        threads: media.threads.and_then(NonZeroUsize::new),
        v4,
        v6,
        room: toward_room(&config.livekit.url).await,
        ports: media.ports.clone(),
        complexity: media.opus.complexity,
        quarantine: media.quarantine.map_or(Duration::ZERO, |quarantine| quarantine.idle),
        ..plane::Config::default()
    })
}

pub(super) fn settings(config: &Config, own: Vec<SocketAddr>) -> Settings {
    let media = &config.media;
    let known = |codec: &dispatch::Codec| media_codec(codec);
    Settings {
        answer: config.calls.answer,
        early_media: config.calls.early_media,
        ringing_interval: config.sip.ringing_interval,
        room_reconnect_limit: config.calls.room_reconnect_limit,
        codecs: media.codecs.iter().filter_map(known).collect(),
        listable: media.listable.iter().filter_map(known).collect(),
        allow_loopback: media.allow_loopback,
        source: if media.symmetric_rtp { ::media::source::Mode::Latch } else { ::media::source::Mode::Learn },
        media_timeout_initial: media.timeout_initial,
        media_timeout: media.timeout,
        opus_bitrate: media.opus.bitrate,
        dtx: media.opus.dtx,
        comfort_noise: media.comfort_noise,
        audible_keys: media.audible_keys,
        own,
        patience: config.outbound.patience,
        allow_refer: config.transfer.refer,
        bridge_transfers: config.transfer.bridge,
        prompts: Arc::new(ArcSwap::from_pointee(config.prompts.clone())),
    }
}

pub(super) fn outbound_defaults(config: &Config) -> Defaults {
    let outbound = &config.outbound;
    let caps = Caps { max_calls: outbound.max_calls, calls_per_second: outbound.calls_per_second };
    Defaults { caps, allow_emergency: outbound.allow_emergency, route: outbound.route.as_slice().into() }
}

/// Those that the media plane speaks; others of the configuration wait for a later version.
fn media_codec(codec: &dispatch::Codec) -> Option<::media::sdp::Codec> {
    ::media::sdp::Codec::named(&codec.name, codec.rate)
}
