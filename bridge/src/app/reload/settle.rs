//! Something on the disk that changes: whether it has, and whether it has come to rest.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, os::unix::fs::MetadataExt as _};

/// What has changed is left alone for so long: whoever writes a file may not be done, and of two files that belong
/// together one is there first.
const SETTLE: Duration = Duration::from_millis(900);

/// What tells two states of a file apart without reading it. Links are followed, so a link that was turned to another file
/// (Kubernetes does so with a whole folder) is another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The state of a file; `None` if it is not there or not to be had.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Tells once of each new state that has come to rest.
#[derive(Debug)]
pub(super) struct Watch<T> {
    told: T,
    settling: Option<(T, Instant)>,
}

impl<T: PartialEq> Watch<T> {
    /// Begins with a state that needs no telling.
    pub(super) fn new(now: T) -> Self {
        Self { told: now, settling: None }
    }

    /// Whether this is a new state at rest.
    pub(super) fn look(&mut self, now: Instant, found: T) -> bool {
        match self.settling.take() {
            _ if found == self.told => false,
            Some((state, since)) if state == found => {
                if now.saturating_duration_since(since) < SETTLE {
                    self.settling = Some((state, since));
                    return false;
                }
                self.told = found;
                true
            }
            _ => {
                self.settling = Some((found, now));
                false
            }
        }
    }

    /// Takes a state as told, at rest or not.
    pub(super) fn take(&mut self, found: T) {
        self.told = found;
        self.settling = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_when_it_has_come_to_rest() {
        let start = Instant::now();
        type Looks = &'static [(u64, char, bool)];
        let cases: &[(&str, Looks)] = &[
            ("nothing", &[(0, 'a', false), (1000, 'a', false), (9000, 'a', false)]),
            ("a change", &[(0, 'b', false), (1000, 'b', true), (2000, 'b', false)]),
            ("too early", &[(0, 'b', false), (500, 'b', false), (1000, 'b', true)]),
            ("still moving", &[(0, 'b', false), (1000, 'c', false), (2000, 'd', false), (3000, 'd', true)]),
            ("there and back", &[(0, 'b', false), (1000, 'a', false), (2000, 'b', false), (3000, 'b', true)]),
            ("and back later", &[(0, 'b', false), (1000, 'b', true), (2000, 'a', false), (3000, 'a', true)]),
        ];
        for (name, looks) in cases {
            let mut watch = Watch::new('a');
            for (at, state, told) in *looks {
                let now = start + Duration::from_millis(*at);
                assert_eq!(watch.look(now, *state), *told, "{name} at {at}");
            }
        }
    }
}
