//! How many files, sockets above all, the process may have open.
//!
//! A call has several sockets, and many systems begin with a soft limit of 1024, which is there for programs that use
//! `select`. We do not, so the limit that counts is the hard one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

/// Raises the soft limit to the hard one.
pub(super) fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    let Some(wanted) = raised(&before) else {
        info!(open_files = told(before.current), "the limit of open files is as high as it can be");
        return;
    };
    let (from, to) = (told(before.current), told(wanted.maximum));
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => info!(open_files = to, before = from, "the limit of open files is raised"),
        Err(error) => warn!(%error, open_files = from, "the limit of open files cannot be raised to {to}"),
    }
}

/// The limits to ask for, if there is something to gain. None is no limit.
fn raised(limit: &Rlimit) -> Option<Rlimit> {
    (limit.current != limit.maximum).then_some(Rlimit { current: limit.maximum, maximum: limit.maximum })
}

fn told(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_goes_up_to_the_hard_one() {
        let cases = [
            ("usual", Some(1_024), Some(524_288), Some(Some(524_288))),
            ("high already", Some(4_096), Some(4_096), None),
            ("no hard limit", Some(1_024), None, Some(None)),
            ("no limit at all", None, None, None),
        ];
        for (name, current, maximum, expected) in cases {
            let raised = raised(&Rlimit { current, maximum });
            assert_eq!(raised.as_ref().map(|limit| limit.current), expected, "{name}");
            assert!(raised.is_none_or(|limit| limit.maximum == maximum), "{name}: the hard limit stays");
        }
    }

    #[test]
    fn the_process_has_what_the_system_gives() {
        raise_limit();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
    }
}
