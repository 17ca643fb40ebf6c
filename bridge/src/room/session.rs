//! The room session as a machine.

mod peer;
mod reach;
mod server;
mod state;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

use super::attributes::Attributes;
use super::digits::Digits;
use super::heartbeat::{Beat, Heartbeat};
use super::negotiation::Negotiation;
use super::ours::Ours;
use super::pace::{Pace, Regions};
use super::peers::Peers;
use super::roster::Roster;
use super::rpc::{self, Gate};
use super::streams::Streams;
use super::{Action, Audience, Command, End, Event, Input, Path, Profile, Restored, SignalEvent, request};
use crate::plane::{Channel, PeerCommand, Role};
use state::{Described, Kind, Next, Outage, State, Sync};

/// One participant in one room, from the first join to its end.
#[derive(Debug)]
pub struct Session {
    profile: Profile,
    state: State,
    actions: VecDeque<Action>,
    outage: Option<Outage>,
    path: Path,
    /// A join by `path` has succeeded.
    proven: bool,
    pace: Pace,
    last_attempt: Option<Instant>,
    regions: Regions,
    ours: Ours,
    /// Whether the line was last told to let our audio into the room.
    open: bool,
    attributes: Attributes,
    digits: Digits,
    rpc: Gate,
    peers: Peers,
    negotiation: Negotiation,
    /// Ids of the server's offers that our subscriber is answering.
    accepting: VecDeque<u32>,
    /// When media has to be up, while it is not.
    media_by: Option<Instant>,
    listening: bool,
    roster: Roster,
    streams: Streams,
    audience: Audience,
    /// Roster, streams or what we want of them have changed since they were last looked at.
    changed: bool,
    requests: u32,
    round_trip: Option<Duration>,
}

impl Session {
    /// Starts to join. `cloud`: the server can be asked for other regions. `seed` spreads the retries of many sessions.
    pub fn new(now: Instant, profile: Profile, cloud: bool, seed: u64) -> Self {
        let outage = Outage {
            since: now,
            limit: profile.join_limit,
            last: "no attempt was made".into(),
            shutdown: false,
            kind: Kind::First,
        };
        let mut session = Self {
            state: State::Ended,
            actions: VecDeque::new(),
            outage: Some(outage),
            path: if profile.dual { Path::Dual } else { Path::Single },
            proven: false,
            pace: Pace::new(seed),
            last_attempt: None,
            regions: Regions::new(cloud),
            ours: Ours::new(profile.room.clone()),
            open: true,
            attributes: Attributes::new(profile.attributes.clone()),
            digits: Digits::default(),
            rpc: Gate::default(),
            peers: Peers::default(),
            negotiation: Negotiation::new(),
            accepting: VecDeque::new(),
            media_by: None,
            listening: profile.subscribe,
            roster: Roster::default(),
            streams: Streams::default(),
            audience: Audience::default(),
            changed: false,
            requests: 0,
            round_trip: None,
            profile,
        };
        session.state = session.open(now);
        session
    }

    /// Takes in what happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = self.step(now, state, input);
        self.settle();
    }

    /// Lets time pass; calling early is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = match (&self.outage, state) {
            (_, State::Ended) => State::Ended,
            (Some(outage), _) if now >= outage.since + outage.limit => self.give_up(),
            (_, state) => self.tick(now, state),
        };
        self.settle();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Offering { give_up } | State::Joining { give_up, .. } | State::Resuming { give_up } => *give_up,
            State::Waiting { until, .. } => *until,
            State::Syncing { heartbeat, give_up, .. } => heartbeat.next_timeout().min(*give_up),
            State::Joined { heartbeat } => {
                let media = [self.media_by, self.negotiation.next_timeout()];
                media.into_iter().flatten().fold(heartbeat.next_timeout(), Instant::min)
            }
            State::Ended => return None,
        };
        let outage = self.outage.as_ref().map(|outage| outage.since + outage.limit);
        Some(outage.map_or(state, |at| at.min(state)))
    }

    /// The next thing to do, or `None`: wait for input or time.
    pub fn poll_output(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Round trip to the server on the signal connection, as last measured.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn step(&mut self, now: Instant, state: State, input: Input) -> State {
        match (state, input) {
            // Nothing is owed to anybody any more.
            (State::Ended, _) => State::Ended,
            (state, Input::Command(command)) => self.commanded(state, command),
            (state, Input::Signal(SignalEvent::Regions(urls))) => {
                self.regions.found(urls);
                state
            }
            (State::Joining { offer, give_up }, Input::Signal(SignalEvent::Message(message))) => match *message {
                Response::Join(join) => self.joined(now, &offer, join),
                Response::Leave(leave) => self.dismissed(now, leave),
                // The join comes before anything else that matters.
                _ => State::Joining { offer, give_up },
            },
            (State::Joining { offer, .. }, Input::Signal(SignalEvent::Refused(why))) => self.refused(now, offer, why),
            (State::Joining { offer, .. }, Input::Signal(SignalEvent::Lost(why))) => {
                self.elsewhere();
                self.wait(now, Next::Join(offer), why)
            }
            (State::Resuming { give_up }, Input::Signal(SignalEvent::Message(message))) => match *message {
                Response::Reconnect(_) => self.describe(now),
                Response::Leave(leave) => self.dismissed(now, leave),
                // The answer to a resume comes first.
                _ => State::Resuming { give_up },
            },
            (State::Resuming { .. }, Input::Signal(SignalEvent::Refused(why))) => self.not_resumed(now, why),
            (State::Resuming { .. }, Input::Signal(SignalEvent::Lost(why))) => {
                self.elsewhere();
                self.wait(now, Next::Resume, why)
            }
            (State::Joined { mut heartbeat }, Input::Signal(SignalEvent::Message(message))) => {
                heartbeat.heard(now);
                self.told(now, State::Joined { heartbeat }, *message)
            }
            (State::Syncing { mut heartbeat, sync, give_up }, Input::Signal(SignalEvent::Message(message))) => {
                heartbeat.heard(now);
                self.told(now, State::Syncing { heartbeat, sync, give_up }, *message)
            }
            (State::Joined { .. } | State::Syncing { .. }, Input::Signal(SignalEvent::Lost(why))) => {
                self.resume(now, why)
            }
            // Late word of a connection that was given up or replaced.
            (state, Input::Signal(_)) => state,
            (state, Input::Peer(role, event)) => self.peer(now, state, role, event),
        }
    }

    fn tick(&mut self, now: Instant, state: State) -> State {
        match state {
            State::Offering { give_up } if now >= give_up => {
                self.wait(now, Next::Open, "the peer connection made no offer".into())
            }
            State::Joining { offer, give_up } if now >= give_up => {
                self.actions.push_back(Action::Disconnect);
                self.elsewhere();
                self.wait(now, Next::Join(offer), "no answer to the join".into())
            }
            State::Resuming { give_up } if now >= give_up => {
                self.actions.push_back(Action::Disconnect);
                self.elsewhere();
                self.wait(now, Next::Resume, "no answer to the resume".into())
            }
            State::Waiting { until, next } if now >= until => match next {
                Next::Open => self.open(now),
                Next::Join(offer) => self.knock(now, offer),
                Next::Resume => self.knock_again(now),
            },
            State::Syncing { give_up, .. } if now >= give_up => {
                self.rejoin(now, "the peer connection did not describe itself".into())
            }
            State::Syncing { mut heartbeat, sync, give_up } => match self.beat(now, &mut heartbeat) {
                Alive::Yes => State::Syncing { heartbeat, sync, give_up },
                Alive::No => self.resume(now, "the signal connection is silent".into()),
            },
            State::Joined { mut heartbeat } => match self.beat(now, &mut heartbeat) {
                Alive::Yes => self.negotiate(now, State::Joined { heartbeat }),
                Alive::No => self.resume(now, "the signal connection is silent".into()),
            },
            // Woken early.
            state => state,
        }
    }

    fn beat(&mut self, now: Instant, heartbeat: &mut Heartbeat) -> Alive {
        match heartbeat.tick(now) {
            Beat::Quiet => Alive::Yes,
            Beat::Ping(ping) => {
                self.send(Request::PingReq(ping));
                Alive::Yes
            }
            Beat::Dead => Alive::No,
        }
    }

    fn commanded(&mut self, state: State, command: Command) -> State {
        match command {
            Command::Subscribe(listening) => {
                self.listening = listening;
                self.changed = true;
            }
            Command::Attributes(changes) => {
                self.attributes.merge(changes);
                // Elsewhere they wait: for the token of a join, or for the end of a resume.
                if let State::Joined { .. } = state {
                    self.tell_attributes();
                }
            }
            Command::Dtmf(digit) => {
                self.digits.push(digit);
                self.flush_digits();
            }
            Command::Reply { to, id, result } => {
                self.digits.queue(rpc::response(&to, &id, result));
                self.flush_digits();
            }
            Command::Leave(reason) => {
                if let State::Joined { .. } | State::Syncing { .. } = state {
                    self.send(request::leave(reason));
                }
                return self.end(End::Left);
            }
        }
        state
    }

    /// What follows from any change: subscriptions, streams, audience, and the end of an outage.
    fn settle(&mut self) {
        if let State::Ended = self.state {
            return;
        }
        if std::mem::take(&mut self.changed) {
            if let State::Joined { .. } = self.state {
                let changes = self.roster.reconcile(self.listening && self.ours.may.subscribe);
                request::subscriptions(changes).for_each(|request| self.send(request));
            }
            let gone = self.streams.retain(&self.roster);
            self.forget(gone);
            let audience = self.roster.audience(self.streams.len());
            if audience != std::mem::replace(&mut self.audience, audience) {
                self.event(Event::Audience(audience));
            }
        }
        if let State::Joined { .. } = self.state
            && self.peers.is_up()
            && let Some(outage) = self.outage.take()
        {
            self.media_by = None;
            self.event(match outage.kind {
                Kind::First => Event::Connected,
                Kind::Resume => Event::Restored(Restored::Resumed),
                Kind::Rejoin => Event::Restored(Restored::Rejoined),
            });
        }
    }

    fn tell_attributes(&mut self) {
        let attributes = self.attributes.changes();
        if !attributes.is_empty() {
            self.requests += 1;
            let request_id = self.requests;
            let update = proto::UpdateParticipantMetadata { attributes, request_id, ..Default::default() };
            self.send(Request::UpdateMetadata(update));
        }
    }

    fn flush_digits(&mut self) {
        while let Some(bytes) = self.digits.pop() {
            self.order(Role::Publisher, PeerCommand::Data { channel: Channel::Reliable, bytes });
        }
    }

    /// Tells line and call when our audio may go into the room, or may not any more.
    fn publish(&mut self) {
        let open = self.ours.is_open();
        if open != std::mem::replace(&mut self.open, open) {
            self.actions.push_back(Action::Publish(open));
            self.event(Event::Publishing(open));
        }
    }

    fn forget(&mut self, gone: Vec<u32>) {
        for ssrc in gone {
            self.actions.push_back(Action::Forget { ssrc });
            self.event(Event::StreamGone { ssrc });
            self.changed = true;
        }
    }

    fn send(&mut self, request: Request) {
        self.actions.push_back(Action::Send(Box::new(request)));
    }

    fn order(&mut self, role: Role, command: PeerCommand) {
        self.actions.push_back(Action::Peer(role, command));
    }

    fn event(&mut self, event: Event) {
        self.actions.push_back(Action::Event(event));
    }
}

enum Alive {
    Yes,
    No,
}
