//! How often to try again, and where.

use std::time::Duration;

/// Most regions that are kept; Cloud names a handful.
const MAX_REGIONS: usize = 16;
/// While a room is freshly lost its server is likely to be back any moment, and people are talking.
const EAGER: Duration = Duration::from_secs(30);

/// Waits between attempts, spread so that the calls of a gateway do not all knock in the same instant.
#[derive(Debug)]
pub(super) struct Pace {
    seed: u64,
}

impl Pace {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: seed | 1 }
    }

    /// The wait before the next attempt, `lost` after the room was lost.
    pub(super) fn wait(&mut self, lost: Duration) -> Duration {
        // xorshift64: even enough for a jitter, and the same in every run of a test.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let jitter = self.seed % 200;
        if lost < EAGER { Duration::from_millis(300 + jitter) } else { Duration::from_millis(1_500 + 5 * jitter) }
    }
}

/// The addresses of a server. Only Cloud has more than one.
#[derive(Debug)]
pub(super) struct Regions {
    askable: bool,
    others: Vec<String>,
    /// 0 is the address that was configured.
    at: usize,
}

impl Regions {
    /// `askable`: the configured server can be asked for its regions.
    pub(super) fn new(askable: bool) -> Self {
        Self { askable, others: Vec::new(), at: 0 }
    }

    /// An attempt failed: the next one goes elsewhere. Returns whether the regions should be asked for, which is once.
    pub(super) fn failed(&mut self) -> bool {
        self.at = (self.at + 1) % (self.others.len() + 1);
        std::mem::take(&mut self.askable)
    }

    /// Takes the list over; one that is empty changes nothing.
    pub(super) fn found(&mut self, urls: impl IntoIterator<Item = String>) {
        let urls: Vec<_> = urls.into_iter().filter(|url| is_secure(url)).take(MAX_REGIONS).collect();
        if !urls.is_empty() {
            self.others = urls;
            self.at = 1;
        }
    }

    /// Where to go now, unless to the address that was configured.
    pub(super) fn url(&self) -> Option<String> {
        self.others.get(self.at.checked_sub(1)?).cloned()
    }
}

/// Regions are public addresses: a token does not go there in the clear.
fn is_secure(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("wss://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_every_third_to_half_of_a_second_at_first_and_seldom_later() {
        let mut pace = Pace::new(7);
        for _ in 0..1_000 {
            let early = pace.wait(Duration::from_secs(1)).as_millis();
            assert!((300..500).contains(&early), "{early}");
            let late = pace.wait(Duration::from_secs(31)).as_millis();
            assert!((1_500..2_500).contains(&late), "{late}");
        }
    }

    #[test]
    fn two_sessions_do_not_knock_together() {
        let waits = |seed| {
            let mut pace = Pace::new(seed);
            (0..8).map(|_| pace.wait(Duration::ZERO)).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(1_000_003));
        assert_eq!(waits(5), waits(5), "a test can repeat it");
    }

    #[test]
    fn regions_take_turns_with_the_configured_address() {
        let mut regions = Regions::new(true);
        assert_eq!(regions.url(), None);
        assert!(regions.failed(), "asked for once");
        assert!(!regions.failed());
        regions.found(["https://a".into(), "http://in-the-clear".into(), "https://b".into()]);
        assert_eq!(regions.url().as_deref(), Some("https://a"));
        regions.failed();
        assert_eq!(regions.url().as_deref(), Some("https://b"));
        regions.failed();
        assert_eq!(regions.url(), None);
        regions.found([]);
        assert_eq!(regions.url(), None);
    }

    #[test]
    fn an_own_server_is_not_asked_for_regions() {
        assert!(!Regions::new(false).failed());
    }
}
