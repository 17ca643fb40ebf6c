//! What a peer wishes of the Opus that it is sent ([RFC 7587 §6.1]). What it tells of its own packets needs no agreement: any of
//! them can be decoded.
//!
//! [RFC 7587 §6.1]: https://www.rfc-editor.org/rfc/rfc7587#section-6.1

use std::time::Duration;

use super::media::Media;

/// The longest packet there is (RFC 7587 §6.1, `maxptime`).
const LONGEST: Duration = Duration::from_millis(120);
/// The highest rate there is (RFC 7587 §6.1, `maxaveragebitrate`).
const HIGHEST: u32 = 510_000;
/// The lowest.
const LOWEST: u32 = 6_000;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusTerms {
    /// Bits a second that it takes, in the mean.
    pub bitrate: u32,
    /// Whether it would rather have two channels than one.
    pub stereo: bool,
    /// Whether it makes use of redundancy.
    pub redundancy: bool,
    /// Whether all packets are to be of one size.
    pub constant: bool,
    /// The longest packet that it takes.
    pub longest: Duration,
    /// Samples a second that it can play.
    pub playback: u32,
}

impl Default for OpusTerms {
    fn default() -> Self {
        Self { bitrate: HIGHEST, stereo: false, redundancy: false, constant: false, longest: LONGEST, playback: 48_000 }
    }
}

impl OpusTerms {
    /// As the line says it of this payload type. Lengths belong outside of the format's own parameters, but some write them there.
    pub(super) fn of(media: &Media, payload_type: u8) -> Self {
        let mut terms = Self::default();
        for (name, value) in parameters(media, payload_type) {
            let number = value.parse::<u32>().ok();
            match name.to_ascii_lowercase().as_str() {
                "maxaveragebitrate" => terms.bitrate = number.map_or(HIGHEST, |rate| rate.clamp(LOWEST, HIGHEST)),
                "maxplaybackrate" => terms.playback = number.map_or(48_000, |rate| rate.clamp(8_000, 48_000)),
                "stereo" => terms.stereo = number == Some(1),
                "useinbandfec" => terms.redundancy = number == Some(1),
                "cbr" => terms.constant = number == Some(1),
                "maxptime" => terms.longest = number.map_or(LONGEST, millis),
                // What it sends itself, and what it would like but can do without.
                _ => {}
            }
        }
        terms.longest = media.maxptime.unwrap_or(terms.longest).clamp(Duration::from_millis(10), LONGEST);
        terms
    }
}

/// How long packets should be, where that is told among the parameters.
pub(super) fn ptime(media: &Media, payload_type: u8) -> Option<Duration> {
    let (_, value) = parameters(media, payload_type).find(|(name, _)| name.eq_ignore_ascii_case("ptime"))?;
    value.parse().ok().map(millis)
}

/// The length of a packet of ours: one that a single frame has (RFC 6716 §2.1.4), no longer than this.
pub(super) fn frame(ptime: Duration) -> Duration {
    [60, 40, 20, 10]
        .map(Duration::from_millis)
        .into_iter()
        .find(|frame| *frame <= ptime)
        .unwrap_or(Duration::from_millis(10))
}

fn parameters(media: &Media, payload_type: u8) -> impl Iterator<Item = (&str, &str)> {
    let text = media.parameters(payload_type).unwrap_or_default();
    text.split(';').filter_map(|item| item.split_once('=')).map(|(name, value)| (name.trim(), value.trim()))
}

fn millis(number: u32) -> Duration {
    Duration::from_millis(u64::from(number.min(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        let usual = OpusTerms::default();
        type Case<'a> = (&'a str, &'a str, Option<u64>, OpusTerms, Option<u64>);
        let cases: &[Case<'_>] = &[
            ("nothing", "", None, usual, None),
            ("nonsense", "stereo;=;a=b;maxptime=x;;", None, usual, None),
            ("Twilio", "useinbandfec=1", Some(20), OpusTerms { redundancy: true, longest: millis(20), ..usual }, None),
            (
                "Telnyx",
                "useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40",
                None,
                OpusTerms { redundancy: true, bitrate: 30_000, longest: millis(40), ..usual },
                Some(20),
            ),
            (
                "a small phone",
                "MaxPlaybackRate=8000;maxaveragebitrate=1;stereo=0;cbr=1;usedtx=1",
                Some(200),
                OpusTerms { bitrate: 6_000, playback: 8_000, constant: true, ..usual },
                None,
            ),
            (
                "the line goes before",
                "stereo=1;maxptime=120;ptime=4000000000",
                Some(10),
                OpusTerms { stereo: true, longest: millis(10), ..usual },
                Some(1_000),
            ),
        ];
        for (name, text, maxptime, expected, length) in cases {
            let mut media = Media::new("audio", 4_000, "RTP/AVP");
            media.parameters = vec![(107, (*text).to_owned()), (108, "stereo=1".to_owned())];
            media.maxptime = maxptime.map(Duration::from_millis);
            assert_eq!(OpusTerms::of(&media, 107), *expected, "{name}");
            assert_eq!(ptime(&media, 107), length.map(Duration::from_millis), "{name}");
        }
    }

    #[test]
    fn packets_are_of_one_frame() {
        for (asked, made) in [(5, 10), (10, 10), (30, 20), (40, 40), (50, 40), (60, 60), (200, 60)] {
            assert_eq!(frame(millis(asked)), millis(made), "{asked}");
        }
    }
}
