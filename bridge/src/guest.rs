//! The other end to try a call with: a participant that echoes, plays or records, over the gateway's own room session.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use media::desk::{GuestConfig, GuestReport, Measurement};
use media::{Desk, Profile as Encoding};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::plane::{self, Command, EngineReport, EngineSpec, Line, LineEvent, LineHandle, Plane, Spec};
use crate::room::{self, Event, JoinConfig};

/// How long the media thread may take to answer, and the room to take note of a leave.
const LIMIT: Duration = Duration::from_secs(2);

/// A participant in a room.
#[derive(Debug)]
pub struct Guest {
    line: LineHandle,
    line_events: mpsc::Receiver<LineEvent>,
    room: room::driver::Handle,
}

/// What a guest heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Packets.
    pub packets: GuestReport,
    /// Sound.
    pub sound: Measurement,
    /// What was recorded.
    pub recording: Vec<i16>,
}

/// A media plane for guests alone: `room` is where peer connections are bound.
pub fn plane(room: Option<IpAddr>) -> io::Result<Plane> {
    Plane::start(&plane::Config { room, v4: None, v6: None, pin: false, ..plane::Config::default() })
}

impl Guest {
    /// Starts to join; [`Guest::next_event`] tells how that goes.
    pub fn join(plane: &Plane, config: JoinConfig, desk: Desk) -> Result<Self, plane::Error> {
        let engine = EngineSpec::Guest(GuestConfig { seed: rand::random(), profile: Encoding::default() }, desk);
        let Line { handle, side, events } = plane.open(Spec { engine, carrier: None })?;
        Ok(Self { line: handle, line_events: events, room: room::driver::join(config, side) })
    }

    /// What happens in the room; `None` when it is over.
    pub async fn next_event(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                event = self.room.events.recv() => return event,
                event = self.line_events.recv() => { event?; }
            }
        }
    }

    /// Leaves, and tells what was heard.
    pub async fn leave(mut self) -> Option<Heard> {
        let heard = self.heard().await;
        let reason = livekit_protocol::DisconnectReason::ClientInitiated;
        if self.room.commands.send(room::Command::Leave(reason)).await.is_ok() {
            let over = async { while self.room.events.recv().await.is_some() {} };
            let _ = timeout(LIMIT, over).await;
        }
        heard
    }

    async fn heard(&self) -> Option<Heard> {
        let (ask, report) = oneshot::channel();
        self.line.send(Command::Report(ask)).await.ok()?;
        let EngineReport::Guest(packets) = timeout(LIMIT, report).await.ok()?.ok()?.engine else { return None };
        let (ask, desk) = oneshot::channel();
        self.line.send(Command::TakeDesk(ask)).await.ok()?;
        let desk = timeout(LIMIT, desk).await.ok()?.ok()?;
        let measured = tokio::task::spawn_blocking(move || (desk.measure(), desk)).await.ok()?;
        Some(Heard { packets, sound: measured.0, recording: measured.1.recording().to_vec() })
    }
}
