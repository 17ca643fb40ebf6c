//! One LiveKit server, one gateway, one listener: what most tests begin with.

use crate::need::{self, Need};
use crate::peers::gateway::{self, Gateway, Setup};
use crate::peers::listener::Listener;
use crate::peers::livekit::LiveKit;
use crate::scratch::Scratch;
use crate::turn::Turn;

/// Everything that one test needs, ended with it.
#[derive(Debug)]
pub struct Bed {
    /// The gateway under test.
    pub gateway: Gateway,
    /// The far end; in no room yet.
    pub listener: Listener,
    /// The server of the rooms.
    pub livekit: LiveKit,
    /// Files and logs; dropped after the others, which write into it.
    pub scratch: Scratch,
    _turn: Option<Turn>,
}

impl Bed {
    /// Starts all; `None` when something is not installed, which [`need::all`] has then said.
    pub fn new(name: &str, setup: &Setup, needs: &[Need]) -> Option<Self> {
        Self::start(name, needs, |livekit, _| (setup.clone(), livekit.url()))
    }

    /// The same where the gateway reaches the server by another way.
    pub fn with_way(name: &str, setup: &Setup, way: impl FnOnce(&LiveKit) -> String) -> Option<Self> {
        Self::start(name, &[], |livekit, _| (setup.clone(), way(livekit)))
    }

    /// The same where something else has to run before the gateway's setup is known.
    pub fn with_setup(name: &str, setup: impl FnOnce(&LiveKit, &Scratch) -> Setup) -> Option<Self> {
        Self::start(name, &[], |livekit, scratch| (setup(livekit, scratch), livekit.url()))
    }

    /// The same while no other test runs: for who measures what others would disturb.
    pub fn alone(name: &str, setup: &Setup, needs: &[Need]) -> Option<Self> {
        let (scratch, turn) = prepare_alone(name, needs)?;
        Some(Self::build(scratch, Some(turn), |livekit, _| (setup.clone(), livekit.url())))
    }

    /// The same beside any others, without a turn of its own: for who waits for most of a minute and measures no time.
    pub fn aside(name: &str, setup: &Setup, needs: &[Need]) -> Option<Self> {
        let scratch = scratch(name, needs)?;
        Some(Self::build(scratch, None, |livekit, _| (setup.clone(), livekit.url())))
    }

    fn start(name: &str, needs: &[Need], way: impl FnOnce(&LiveKit, &Scratch) -> (Setup, String)) -> Option<Self> {
        let (scratch, turn) = prepare(name, needs)?;
        Some(Self::build(scratch, Some(turn), way))
    }

    fn build(scratch: Scratch, turn: Option<Turn>, way: impl FnOnce(&LiveKit, &Scratch) -> (Setup, String)) -> Self {
        // Before anything runs: building takes its time, and the machine.
        gateway::binary();
        let livekit = LiveKit::start(&scratch);
        let (setup, url) = way(&livekit, &scratch);
        let gateway = Gateway::start(&setup, &url, &scratch);
        let listener = Listener::start("listener", &livekit.url(), &scratch);
        Self { gateway, listener, livekit, scratch, _turn: turn }
    }
}

/// A folder, and a place beside others.
pub fn prepare(name: &str, needs: &[Need]) -> Option<(Scratch, Turn)> {
    Some((scratch(name, needs)?, Turn::beside()))
}

/// A folder, and nobody beside.
pub fn prepare_alone(name: &str, needs: &[Need]) -> Option<(Scratch, Turn)> {
    Some((scratch(name, needs)?, Turn::alone()))
}

fn scratch(name: &str, needs: &[Need]) -> Option<Scratch> {
    let needs = [&[Need::LiveKit, Need::Python], needs].concat();
    need::all(&needs).then(|| Scratch::new(name))
}
