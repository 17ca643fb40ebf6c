//! Performs what a [`Session`] decides: owns the signal connection, the clock and the line.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tracing::{Instrument as _, debug, info, warn};

use super::signal::{Connection, tls};
use super::{
    Action, Command, Connect, End, Event, Input, JoinConfig, Refusal, Rights, Session, SignalEvent, Token, token,
};
use crate::plane::{RoomSide, SideCommand};

/// Commands that wait for the session; it takes them within microseconds.
const COMMANDS: usize = 64;
/// Events that wait in the channel to the call.
const EVENTS: usize = 256;
/// Events that wait before it. Beyond it the call is not listening, and data of others is dropped.
const BACKLOG: usize = 1_024;
/// For a busy line to take an order.
const LINE_PATIENCE: Duration = Duration::from_secs(1);

/// The call's end of a room session. When it is dropped the room is left.
#[derive(Debug)]
pub struct Handle {
    /// What the call wants.
    pub commands: mpsc::Sender<Command>,
    /// What the call should know; the last one is [`Event::Ended`].
    pub events: mpsc::Receiver<Event>,
}

/// Starts to join a room and returns at once; everything else is told by events.
///
/// `side` is that of the line whose audio goes into the room: at once if it is the line's first, else when it is given the
/// audio by [`Command::Occupy`](crate::plane::Command::Occupy). It is free for another room before the end is told.
pub fn join(config: JoinConfig, side: RoomSide) -> Handle {
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let (tell, events) = mpsc::channel(EVENTS);
    let session = Session::new(Instant::now(), config.profile.clone(), config.server.is_cloud(), rand::random());
    let (found, regions) = mpsc::channel(1);
    let driver = Driver {
        config,
        session,
        side,
        inbox,
        tell,
        backlog: VecDeque::new(),
        signal: None,
        lost: None,
        found,
        regions,
    };
    tokio::spawn(driver.run().in_current_span());
    Handle { commands, events }
}

struct Driver {
    config: JoinConfig,
    session: Session,
    side: RoomSide,
    inbox: mpsc::Receiver<Command>,
    tell: mpsc::Sender<Event>,
    backlog: VecDeque<Event>,
    signal: Option<Connection>,
    /// What became known of the signal connection while an action was performed.
    lost: Option<SignalEvent>,
    found: mpsc::Sender<Vec<String>>,
    regions: mpsc::Receiver<Vec<String>>,
}

impl Driver {
    async fn run(mut self) {
        loop {
            while let Some(action) = self.session.poll_output() {
                if let Action::Event(Event::Ended(end)) = action {
                    return self.finish(end).await;
                }
                self.perform(action).await;
            }
            let input = match self.lost.take() {
                Some(lost) => Some(Input::Signal(lost)),
                None => self.next().await,
            };
            let now = Instant::now();
            match input {
                Some(input) => self.session.handle_input(now, input),
                None => self.session.handle_timeout(now),
            }
        }
    }

    /// The next input, or `None` when it is time, or when room was made for the backlog.
    async fn next(&mut self) -> Option<Input> {
        let until = self.session.next_timeout();
        tokio::select! {
            biased;
            permit = self.tell.reserve(), if !self.backlog.is_empty() => {
                if let (Ok(permit), Some(event)) = (permit, self.backlog.pop_front()) {
                    permit.send(event);
                    return None;
                }
                Some(leave())
            }
            event = receive(&mut self.signal) => Some(Input::Signal(event)),
            event = self.side.next_event() => Some(match event {
                Some((role, event)) => Input::Peer(role, event),
                // Without a line there is nothing to stand in the room for.
                None => leave(),
            }),
            command = self.inbox.recv() => Some(command.map_or_else(leave, Input::Command)),
            Some(urls) = self.regions.recv() => Some(Input::Signal(SignalEvent::Regions(urls))),
            () = sleep_until(until) => None,
        }
    }

    async fn perform(&mut self, action: Action) {
        match action {
            Action::Connect(connect) => self.connect(*connect),
            Action::Disconnect => self.signal = None,
            Action::Send(request) => {
                if let Some(signal) = &self.signal
                    && !signal.send(*request)
                {
                    self.signal = None;
                    self.lost = Some(SignalEvent::Lost("the server does not keep up".into()));
                }
            }
            Action::Peer(role, command) => self.order(SideCommand::Peer(role, command)).await,
            Action::Publish(open) => self.order(SideCommand::Publish(open)).await,
            Action::Forget { ssrc } => self.order(SideCommand::Forget { ssrc }).await,
            Action::FindRegions => self.find_regions(),
            Action::Event(event) => self.pass_on(event),
        }
    }

    fn connect(&mut self, connect: Connect) {
        let url = connect.url.unwrap_or_else(|| self.config.server.url.clone());
        let token = match connect.token {
            Token::Given(token) => Ok(token),
            Token::Fresh { room, attributes, rights } => {
                token::sign(SystemTime::now(), &self.config, &room, &attributes, rights)
            }
        };
        debug!(%url, path = ?connect.path, resume = connect.request.reconnect, "opening the signal connection");
        match token {
            Ok(token) => self.signal = Some(Connection::open(url, connect.path, token, connect.request)),
            Err(error) => {
                self.signal = None;
                self.lost = Some(SignalEvent::Refused(Refusal::Lost(error.to_string())));
            }
        }
    }

    fn find_regions(&self) {
        let (profile, found) = (&self.config.profile, self.found.clone());
        let signed = token::sign(SystemTime::now(), &self.config, &profile.room, &profile.attributes, Rights::ALL);
        let url = self.config.server.url.clone();
        tokio::spawn(async move {
            let urls = match signed {
                Ok(token) => tls::regions(&url, &token).await,
                Err(_) => Vec::new(),
            };
            // The session may be over by now.
            let _ = found.send(urls).await;
        });
    }

    async fn order(&self, command: SideCommand) {
        match tokio::time::timeout(LINE_PATIENCE, self.side.send(command)).await {
            Ok(Ok(())) => {}
            // The end of its events says the same.
            Ok(Err(error)) => debug!(%error, "an order was not taken"),
            Err(_) => warn!("the line is too busy to take an order"),
        }
    }

    fn pass_on(&mut self, event: Event) {
        note(&event);
        if self.backlog.len() >= BACKLOG && matches!(event, Event::Data { .. } | Event::Dtmf { .. }) {
            return;
        }
        if !self.backlog.is_empty() {
            return self.backlog.push_back(event);
        }
        if let Err(mpsc::error::TrySendError::Full(event)) = self.tell.try_send(event) {
            self.backlog.push_back(event);
        }
    }

    /// Tells the rest and goes; the signal connection sends what it still has on its own.
    async fn finish(self, end: End) {
        info!(?end, "left the room");
        let Self { signal, side, tell, mut backlog, .. } = self;
        drop((signal, side));
        backlog.push_back(Event::Ended(end));
        while let Some(event) = backlog.pop_front() {
            if tell.send(event).await.is_err() {
                return;
            }
        }
    }
}

fn leave() -> Input {
    Input::Command(Command::Leave(livekit_protocol::DisconnectReason::ClientInitiated))
}

async fn receive(signal: &mut Option<Connection>) -> SignalEvent {
    let event = match signal {
        Some(connection) => connection.recv().await,
        None => std::future::pending().await,
    };
    event.unwrap_or_else(|| {
        *signal = None;
        SignalEvent::Lost("its task is gone".into())
    })
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The stages of a session for the log. Data and digits of people are not for it.
fn note(event: &Event) {
    match event {
        Event::Joined(joined) => {
            info!(sid = joined.participant_sid, others = joined.others, "in the room");
        }
        Event::Connected => info!("media is up"),
        Event::Interrupted => warn!("the room is lost for now"),
        Event::Restored(how) => info!(?how, "the room is back"),
        Event::Publishing(open) => info!(open, "our audio in the room"),
        Event::Audience(audience) => debug!(?audience, "audience"),
        Event::Stream { ssrc, identity } => debug!(ssrc, identity, "remote stream"),
        Event::StreamGone { ssrc } => debug!(ssrc, "remote stream over"),
        Event::Attributes(changed) => {
            debug!(names = ?changed.keys().collect::<Vec<_>>(), "others have changed our attributes");
        }
        Event::Dtmf { .. } | Event::Rpc(_) | Event::Data { .. } | Event::Ended(_) => {}
    }
}
