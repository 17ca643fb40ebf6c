//! How keys travel between a trunk's peer and us.

use serde::{Deserialize, Serialize};

/// What a trunk says about keys. Whatever it says, telephone events and INFO of the peer are understood; it decides how we
/// press keys ourselves, and whether tones in the peer's audio are keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtmf {
    /// As telephone events where they are agreed upon; else by INFO, if the peer's Allow names it; else as tones. Tones are
    /// keys where no events are agreed upon.
    #[default]
    Auto,
    /// As telephone events (RFC 4733) or not at all.
    Rfc4733,
    /// By INFO (`application/dtmf-relay`, or `application/dtmf` where the peer takes that alone); where it takes neither, as
    /// telephone events if they are agreed upon, else as tones.
    Info,
    /// As tones. Tones are keys.
    Inband,
}

impl Dtmf {
    /// The words of the configuration.
    pub const WORDS: &[&str] = &["auto", "rfc4733", "info", "inband"];

    /// Reads one of [`Dtmf::WORDS`].
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "rfc4733" => Some(Self::Rfc4733),
            "info" => Some(Self::Info),
            "inband" => Some(Self::Inband),
            _ => None,
        }
    }

    /// When tones in the peer's audio are keys.
    pub fn tones(self) -> media::dtmf::Tones {
        match self {
            Self::Auto => media::dtmf::Tones::WithoutEvents,
            Self::Rfc4733 | Self::Info => media::dtmf::Tones::Ignored,
            Self::Inband => media::dtmf::Tones::Heard,
        }
    }

    /// How we press keys for a peer, given whether events are agreed upon and whether it allows INFO; `None` if it takes
    /// none.
    pub fn means(self, takes_events: bool, allows_info: bool) -> Option<Means> {
        match self {
            Self::Auto | Self::Rfc4733 if takes_events => Some(Means::Events),
            Self::Rfc4733 => None,
            Self::Auto if allows_info => Some(Means::Info),
            Self::Info => Some(Means::Info),
            Self::Auto | Self::Inband => Some(Means::Tones),
        }
    }
}

/// How keys are pressed for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// As telephone events.
    Events,
    /// By INFO.
    Info,
    /// As tones in place of the audio.
    Tones,
}

impl Means {
    /// How keys go on for a peer that takes none by INFO.
    pub fn without_info(takes_events: bool) -> Self {
        if takes_events { Self::Events } else { Self::Tones }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_files() {
        for word in Dtmf::WORDS {
            let value = Dtmf::from_word(word).unwrap();
            assert_eq!(serde_json::to_value(value).unwrap(), *word);
        }
        assert_eq!(Dtmf::from_word("rfc2833"), None);
    }

    #[test]
    fn how_keys_are_pressed() {
        use Dtmf::{Auto, Inband, Info, Rfc4733};
        let cases = [
            (Auto, true, true, Some(Means::Events)),
            (Auto, false, true, Some(Means::Info)),
            (Auto, false, false, Some(Means::Tones)),
            (Rfc4733, true, false, Some(Means::Events)),
            (Rfc4733, false, true, None),
            (Info, true, false, Some(Means::Info)),
            (Inband, true, true, Some(Means::Tones)),
        ];
        for (dtmf, takes_events, allows_info, means) in cases {
            assert_eq!(dtmf.means(takes_events, allows_info), means, "{dtmf:?} {takes_events} {allows_info}");
        }
        assert_eq!([true, false].map(Means::without_info), [Means::Events, Means::Tones]);
    }
}
