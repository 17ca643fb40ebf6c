//! The transactions under way, by number and by key.

use std::{collections::HashMap, time::Instant};

use bytes::Bytes;

use super::{
    command::CallHandle,
    compose::skeleton,
    event::Failure,
    flow::Destination,
    half_open::Place,
    key::{ClientKey, MergeKey, ServerKey},
    send::Ask,
};
use crate::{
    message::{HeaderName, Headers, Request, Status, Tag},
    transaction::{
        Output,
        client::{self, Client},
        invite_client::{self, InviteClient},
        invite_server::{self, InviteServer},
        server::{self, Server},
    },
};

/// Names a transaction for as long as the process lives.
pub(crate) type TxId = u64;

/// What a transaction weighs besides its text.
const OVERHEAD: usize = 512;

/// All transactions.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    servers: HashMap<TxId, ServerTx>,
    clients: HashMap<TxId, ClientTx>,
    server_ids: HashMap<ServerKey, TxId>,
    client_ids: HashMap<ClientKey, TxId>,
    merged: HashMap<MergeKey, TxId>,
    made: TxId,
    retained: usize,
}

/// A transaction that we answer.
#[derive(Debug)]
pub(crate) struct ServerTx {
    pub(crate) machine: ServerMachine,
    /// What answers are made from: the request without its body and without headers that no answer repeats.
    pub(crate) asked: Box<Request>,
    pub(crate) reply_to: Destination,
    /// The call that it belongs to, while that is so.
    pub(crate) call: Option<CallHandle>,
    /// The place taken among the INVITEs without an answer.
    pub(crate) place: Option<Place>,
    /// Its source is a stranger whom we do not answer by ourselves.
    pub(crate) hidden: bool,
    key: ServerKey,
    merge: Option<MergeKey>,
    weight: usize,
}

/// Either server machine.
#[derive(Debug)]
pub(crate) enum ServerMachine {
    Invite(InviteServer),
    Other(Server),
}

/// A transaction that we started.
#[derive(Debug)]
pub(crate) struct ClientTx {
    pub(crate) machine: ClientMachine,
    pub(crate) to: Destination,
    pub(crate) owner: Owner,
    pub(crate) sent: Sent,
    /// What it means if it cannot be sent.
    pub(crate) unsent: Failure,
    /// The ACKs of 2xx, by the tag of the fork that sent it.
    pub(crate) acks: Vec<(Tag, (Bytes, Destination))>,
    key: ClientKey,
    weight: usize,
}

/// What is remembered of a request.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// An INVITE without its body, to make its ACK and CANCEL from.
    pub(crate) invite: Option<Box<Request>>,
    /// A request within a dialog, when it may have to be said again in another way.
    pub(crate) ask: Option<Box<Ask>>,
    /// It goes over TCP for its size alone.
    pub(crate) is_moved: bool,
    /// A CANCEL has followed.
    pub(crate) is_cancelled: bool,
}

/// Either client machine.
#[derive(Debug)]
pub(crate) enum ClientMachine {
    Invite(InviteClient),
    Other(Client),
}

/// Whom the outcome of a transaction concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The INVITE that places a call.
    Invite(CallHandle),
    /// An INVITE within a call.
    Reinvite(CallHandle),
    /// The BYE that ends a call.
    Bye(CallHandle),
    /// A REFER within a call.
    Refer(CallHandle),
    /// A NOTIFY within a call.
    Notify(CallHandle),
    /// Nobody: a CANCEL, or the BYE to a fork that came too late.
    Nobody,
}

impl Transactions {
    pub(crate) fn insert_server(
        &mut self,
        key: ServerKey,
        merge: Option<MergeKey>,
        machine: ServerMachine,
        asked: Box<Request>,
        reply_to: Destination,
    ) -> TxId {
        let id = self.next_id();
        let weight = OVERHEAD + key.len() + text_len(&asked.headers);
        self.retained += weight;
        self.server_ids.insert(key.clone(), id);
        if let Some(merge) = &merge {
            self.merged.insert(merge.clone(), id);
        }
        let tx = ServerTx { machine, asked, reply_to, call: None, place: None, hidden: false, key, merge, weight };
        self.servers.insert(id, tx);
        id
    }

    pub(crate) fn insert_client(
        &mut self,
        key: ClientKey,
        machine: ClientMachine,
        to: Destination,
        owner: Owner,
        sent: Sent,
        request_len: usize,
    ) -> TxId {
        let id = self.next_id();
        let weight = OVERHEAD + request_len + sent.weight();
        self.retained += weight;
        self.client_ids.insert(key.clone(), id);
        self.clients.insert(
            id,
            ClientTx { machine, to, owner, sent, unsent: Failure::Transport, acks: Vec::new(), key, weight },
        );
        id
    }

    pub(crate) fn remove_server(&mut self, id: TxId) -> Option<ServerTx> {
        let tx = self.servers.remove(&id)?;
        self.retained = self.retained.saturating_sub(tx.weight);
        self.server_ids.remove(&tx.key);
        if let Some(merge) = &tx.merge
            && self.merged.get(merge) == Some(&id)
        {
            self.merged.remove(merge);
        }
        Some(tx)
    }

    pub(crate) fn remove_client(&mut self, id: TxId) -> Option<ClientTx> {
        let tx = self.clients.remove(&id)?;
        self.retained = self.retained.saturating_sub(tx.weight);
        self.client_ids.remove(&tx.key);
        Some(tx)
    }

    /// Counts bytes that a transaction has begun to keep.
    pub(crate) fn retain(&mut self, id: TxId, bytes: usize) {
        if let Some(tx) = self.servers.get_mut(&id) {
            tx.weight += bytes;
            self.retained += bytes;
        } else if let Some(tx) = self.clients.get_mut(&id) {
            tx.weight += bytes;
            self.retained += bytes;
        }
    }

    pub(crate) fn server_mut(&mut self, id: TxId) -> Option<&mut ServerTx> {
        self.servers.get_mut(&id)
    }

    pub(crate) fn client_mut(&mut self, id: TxId) -> Option<&mut ClientTx> {
        self.clients.get_mut(&id)
    }

    pub(crate) fn server(&self, id: TxId) -> Option<&ServerTx> {
        self.servers.get(&id)
    }

    pub(crate) fn client(&self, id: TxId) -> Option<&ClientTx> {
        self.clients.get(&id)
    }

    pub(crate) fn find_server(&self, key: &ServerKey) -> Option<TxId> {
        self.server_ids.get(key).copied()
    }

    pub(crate) fn find_client(&self, key: &ClientKey) -> Option<TxId> {
        self.client_ids.get(key).copied()
    }

    /// The INVITE of which this is a second copy, as long as it may still become a call, or is one.
    pub(crate) fn find_merged(&self, key: &MergeKey) -> Option<TxId> {
        let id = self.merged.get(key).copied()?;
        let tx = self.servers.get(&id)?;
        matches!(&tx.machine, ServerMachine::Invite(machine) if machine.is_alive()).then_some(id)
    }

    /// Those that were sent somewhere, in the order they were made.
    pub(crate) fn clients_toward(&self, is_there: impl Fn(&Destination) -> bool) -> Vec<TxId> {
        let mut found: Vec<_> = self.clients.iter().filter(|(_, tx)| is_there(&tx.to)).map(|(id, _)| *id).collect();
        found.sort_unstable();
        found
    }

    pub(crate) fn server_count(&self) -> usize {
        self.servers.len()
    }

    pub(crate) fn client_count(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn retained_bytes(&self) -> usize {
        self.retained
    }

    fn next_id(&mut self) -> TxId {
        self.made += 1;
        self.made
    }
}

impl Sent {
    pub(crate) fn invite(request: &Request) -> Self {
        let mut invite = skeleton(request);
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            request.headers.get_all(&name).for_each(|value| invite.headers.push(name.clone(), value));
        }
        Self { invite: Some(invite), ..Self::default() }
    }

    fn weight(&self) -> usize {
        let ask = |ask: &Ask| {
            let headers = ask.own.iter().chain(&ask.headers);
            headers.map(|(_, value)| value.len() + 32).sum::<usize>() + ask.body.len()
        };
        self.invite.as_ref().map_or(0, |invite| text_len(&invite.headers)) + self.ask.as_deref().map_or(0, ask)
    }
}

impl ServerMachine {
    pub(crate) fn handle_retransmission(&mut self, now: Instant) {
        match self {
            Self::Invite(machine) => machine.handle_input(now, invite_server::Input::Retransmission),
            Self::Other(machine) => machine.handle_input(now, server::Input::Retransmission),
        }
    }

    pub(crate) fn handle_response(&mut self, now: Instant, status: Status, response: Bytes) {
        match self {
            Self::Invite(machine) => machine.handle_input(
                now,
                match status {
                    status if status.is_provisional() => invite_server::Input::Provisional(response),
                    status if status.is_success() => invite_server::Input::Success(response),
                    _ => invite_server::Input::Failure(response),
                },
            ),
            Self::Other(machine) => machine.handle_input(now, server::Input::Final(response)),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Invite(machine) => machine.handle_timeout(now),
            Self::Other(machine) => machine.handle_timeout(now),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Invite(machine) => machine.poll_output(),
            Self::Other(machine) => machine.poll_output(),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Invite(machine) => machine.next_timeout(),
            Self::Other(machine) => machine.next_timeout(),
        }
    }

    /// Nothing is open any more: answered and, if refused, acknowledged; or over.
    pub(crate) fn is_answered(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_answered(),
            Self::Other(_) => true,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::Other(machine) => machine.is_terminated(),
        }
    }
}

impl ClientMachine {
    /// `ack` is asked for when a refusal of an INVITE has to be acknowledged.
    pub(crate) fn handle_response(&mut self, now: Instant, status: Status, ack: impl FnOnce() -> Bytes) {
        match self {
            Self::Invite(machine) => machine.handle_input(
                now,
                match status {
                    status if status.is_provisional() => invite_client::Input::Provisional,
                    status if status.is_success() => invite_client::Input::Success,
                    _ => invite_client::Input::Failure { ack: ack() },
                },
            ),
            Self::Other(machine) => machine.handle_input(
                now,
                if status.is_provisional() { client::Input::Provisional } else { client::Input::Final },
            ),
        }
    }

    pub(crate) fn handle_transport_error(&mut self, now: Instant) {
        match self {
            Self::Invite(machine) => machine.handle_input(now, invite_client::Input::TransportError),
            Self::Other(machine) => machine.handle_input(now, client::Input::TransportError),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Invite(machine) => machine.handle_timeout(now),
            Self::Other(machine) => machine.handle_timeout(now),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Invite(machine) => machine.poll_output(),
            Self::Other(machine) => machine.poll_output(),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Invite(machine) => machine.next_timeout(),
            Self::Other(machine) => machine.next_timeout(),
        }
    }

    /// The request, while it is not known to have arrived.
    pub(crate) fn unanswered(&self) -> Option<Bytes> {
        match self {
            Self::Invite(machine) => machine.unanswered(),
            Self::Other(machine) => machine.unanswered(),
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::Other(machine) => machine.is_terminated(),
        }
    }
}

fn text_len(headers: &Headers) -> usize {
    headers.iter().map(|(_, value)| value.len() + 32).sum()
}
