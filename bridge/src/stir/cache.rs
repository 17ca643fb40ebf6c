//! Certificates that were fetched, by their address. Calls that want the same one at the same time wait for one fetch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tracing::Instrument as _;

use super::Failure;
use super::credential::Chain;
use super::fetch::Fetcher;

/// Addresses that are remembered; the next one takes the place of the one that would have been forgotten first.
const MAX_KEPT: usize = 512;
/// Fetches at a time. Who comes when there are so many does without.
const MAX_FETCHES: usize = 32;

/// What came of a fetch.
pub(super) type Fetched = Result<Arc<Chain>, Failure>;

/// What was fetched, and what is being fetched. Locked for as long as it takes to look something up.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, Entry>>);

enum Entry {
    Fetching(watch::Receiver<Option<Fetched>>),
    Kept { fetched: Fetched, until: Instant },
}

/// A certificate, or the way to it.
pub(super) enum Found {
    Here(Fetched),
    Coming(watch::Receiver<Option<Fetched>>),
}

impl Cache {
    /// Looks for the certificate of an address, and begins to fetch it where that is needed.
    pub(super) fn find(cache: &Arc<Self>, now: Instant, url: &str, fetcher: &Arc<Fetcher>) -> Found {
        let tell = match cache.look(now, url) {
            Ok(found) => return found,
            Err(tell) => tell,
        };
        let (cache, fetcher, url) = (Arc::clone(cache), Arc::clone(fetcher), url.to_owned());
        let receiver = tell.subscribe();
        let fetch = async move {
            let (fetched, age) = fetcher.fetch(&url).await;
            cache.keep(url, fetched.clone(), Instant::now() + age);
            tell.send_replace(Some(fetched));
        };
        // Not of the call that happens to be the first.
        tokio::spawn(fetch.instrument(tracing::Span::none()));
        Found::Coming(receiver)
    }

    /// What there is, or where to tell what comes of a fetch that begins now.
    fn look(&self, now: Instant, url: &str) -> Result<Found, watch::Sender<Option<Fetched>>> {
        let mut entries = self.lock();
        match entries.get(url) {
            Some(Entry::Kept { fetched, until }) if now < *until => return Ok(Found::Here(fetched.clone())),
            // Without its sender a fetch is over, and has left nothing.
            Some(Entry::Fetching(coming)) if coming.has_changed().is_ok() => return Ok(Found::Coming(coming.clone())),
            Some(_) | None => {}
        }
        let is_running = |entry: &&Entry| matches!(entry, Entry::Fetching(coming) if coming.has_changed().is_ok());
        if entries.values().filter(is_running).count() >= MAX_FETCHES {
            return Ok(Found::Here(Err(Failure::Busy)));
        }
        if entries.len() >= MAX_KEPT {
            make_room(&mut entries, now);
        }
        let (tell, coming) = watch::channel(None);
        entries.insert(url.to_owned(), Entry::Fetching(coming));
        Err(tell)
    }

    fn keep(&self, url: String, fetched: Fetched, until: Instant) {
        self.lock().insert(url, Entry::Kept { fetched, until });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // What is in there is whole after every change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    /// The certificate, if it is at hand.
    pub(super) fn now(&self) -> Option<Fetched> {
        match self {
            Self::Here(fetched) => Some(fetched.clone()),
            Self::Coming(_) => None,
        }
    }

    /// Waits for it.
    pub(super) async fn wait(&mut self) -> Fetched {
        match self {
            Self::Here(fetched) => fetched.clone(),
            Self::Coming(coming) => match coming.wait_for(Option::is_some).await {
                Ok(fetched) => fetched.clone().unwrap_or(Err(GONE)),
                Err(_) => Err(GONE),
            },
        }
    }
}

const GONE: Failure = Failure::Fetch("it was broken off");

/// Forgets what is too old, or else what would be first.
fn make_room(entries: &mut HashMap<String, Entry>, now: Instant) {
    entries.retain(|_, entry| match entry {
        Entry::Fetching(coming) => coming.has_changed().is_ok(),
        Entry::Kept { until, .. } => now < *until,
    });
    let first = entries.iter().filter_map(|(url, entry)| match entry {
        Entry::Kept { until, .. } => Some((*until, url.clone())),
        Entry::Fetching(_) => None,
    });
    if entries.len() >= MAX_KEPT
        && let Some((_, url)) = first.min()
    {
        entries.remove(&url);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FAILED: Fetched = Err(Failure::Fetch("a test"));
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_fetch_serves_all_who_ask_meanwhile_and_later_until_it_is_too_old() {
        let (cache, now) = (Cache::default(), Instant::now());
        let Err(tell) = cache.look(now, "a") else { panic!("nothing was there") };
        assert!(matches!(cache.look(now, "a"), Ok(Found::Coming(_))));
        assert!(cache.look(now, "b").is_err(), "another address");
        cache.keep("a".into(), FAILED, now + SECOND);
        drop(tell);
        assert!(matches!(cache.look(now, "a"), Ok(Found::Here(Err(Failure::Fetch("a test"))))));
        assert!(cache.look(now + SECOND, "a").is_err(), "too old");
    }

    #[test]
    fn a_fetch_that_has_died_is_begun_anew() {
        let (cache, now) = (Cache::default(), Instant::now());
        drop(cache.look(now, "a"));
        assert!(cache.look(now, "a").is_err());
    }

    #[test]
    fn fetches_and_memory_are_bounded() {
        let (cache, now) = (Cache::default(), Instant::now());
        let running: Vec<_> = (0..MAX_FETCHES).map(|n| cache.look(now, &n.to_string()).err().unwrap()).collect();
        assert!(matches!(cache.look(now, "one more"), Ok(Found::Here(Err(Failure::Busy)))));
        drop(running);
        for n in 0..2 * MAX_KEPT as u32 {
            let (url, now) = (n.to_string(), now + n * SECOND);
            assert!(cache.look(now, &url).is_err());
            cache.keep(url, FAILED, now + 10_000 * SECOND);
        }
        assert!(cache.lock().len() <= MAX_KEPT);
        let last = (2 * MAX_KEPT - 1).to_string();
        assert!(cache.look(now, &last).is_ok(), "the newest are kept");
        assert!(cache.look(now, &MAX_KEPT.to_string()).is_ok() && cache.look(now, "40").is_err());
    }
}
