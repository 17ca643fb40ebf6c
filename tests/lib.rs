//! What the interop tests share: the gateway as a process of its own, and real peers around it on free loopback ports.
//!
//! | module | what |
//! |---|---|
//! | [`bed`] | one LiveKit server, one gateway, one listener in the room: what most tests begin with |
//! | [`peers`] | those three, and the phones: `sipp`, `baresip`, and two small ones, a caller and a callee, that say exactly what a test wants said; |
//! | | `sipp` with scenarios that a test puts together, a carrier that replays files, a way that leaves lines of SDP out; |
//! | | callers of the API: plain HTTP and LiveKit's server SDKs; a participant in a browser; a name server |
//! | | a network that loses packets, and a judge of the speech that came through it |
//! | [`audio`] | tones, and what pitch and level somebody heard |
//! | [`process`] | a child with its output kept, ended when dropped |
//! | [`scratch`] | a folder for one test, shown when the test fails |
//! | [`ports`] | free ports |
//! | [`turn`] | which tests run side by side |
//! | [`need`] | what is not installed: an error where peers are required, elsewhere a word and a skipped test |
//!
//! Nothing here uses the product's own crates: a mistake in them must not hide behind the same mistake in its judge.

#![expect(clippy::print_stderr, reason = "the harness of tests speaks to the person who runs them")]

pub mod audio;
pub mod bed;
pub mod need;
pub mod peers;
pub mod ports;
pub mod process;
pub mod scratch;
pub mod turn;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The root of the source tree.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the crate lies in the workspace").to_owned()
}

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

/// Asks again and again until the answer is yes, and says how long that took; `None` when it never was.
pub fn within(limit: Duration, mut done: impl FnMut() -> bool) -> Option<Duration> {
    let start = Instant::now();
    while start.elapsed() <= limit {
        if done() {
            return Some(start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}
