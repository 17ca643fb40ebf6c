//! Sending requests: which way they go, and the transaction that sees to their arrival.

use std::time::Instant;

use bytes::Bytes;

use super::{
    Endpoint,
    body::SDP,
    call::{Attempt, Call, Peer, State},
    command::{CallHandle, ExtraHeaders},
    compose,
    event::Event,
    flow::{Destination, Flow, Listener, NextHop, Wire},
    key::ClientKey,
    login::Asked,
    route::Path,
    transactions::{ClientMachine, Owner, Sent, TxId},
};
use crate::{
    dialog::Dialog,
    message::{Branch, HeaderName, Message, Method, Request, Status},
    transaction::{client::Client, invite_client::InviteClient},
};

/// The largest request that goes over UDP where the path's limit is not known (RFC 3261 §18.1.1).
const LARGEST_DATAGRAM: usize = 1300;

/// A request within a dialog, before it has a number and a way.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// What the stack has to say in it.
    pub(crate) own: ExtraHeaders,
    /// What the user above adds.
    pub(crate) headers: ExtraHeaders,
    /// What the body is.
    pub(crate) kind: &'static str,
    pub(crate) body: Bytes,
    /// Who wants a proof.
    pub(crate) asked: Asked,
}

impl Ask {
    pub(crate) fn new(method: Method) -> Self {
        let (own, headers, body) = (ExtraHeaders::new(), ExtraHeaders::new(), Bytes::new());
        Self { method, own, headers, kind: SDP, body, asked: Asked::default() }
    }
}

/// A request as it is sent.
struct Letter {
    request: Request,
    bytes: Bytes,
    to: Destination,
    is_moved: bool,
}

impl Endpoint {
    /// Sends the INVITE of an attempt; `None` when no listener fits.
    pub(super) fn send_invite(
        &mut self,
        now: Instant,
        handle: CallHandle,
        peer: &mut Peer,
        attempt: &Attempt,
    ) -> Option<TxId> {
        let branch = self.names.branch();
        let path = &peer.path;
        let listener = self.listener(path.wire, Some(path.local), path.remote.ip())?;
        let mut request = self.compose_invite(attempt, &peer.session, &branch, listener);
        let uri = request.uri.clone();
        self.prove(&mut request, peer, &attempt.asked, &uri);
        let letter = self.fit(request, &branch, &peer.path, peer.path.destination());
        let sent = Sent { is_moved: letter.is_moved, ..Sent::invite(&letter.request) };
        let key = ClientKey { branch, method: Method::Invite };
        Some(self.start_client(now, key, letter.bytes, letter.to, Owner::Invite(handle), sent))
    }

    /// Sends a request within a dialog; `None` when no listener fits.
    pub(super) fn send_within(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        dialog: &mut Dialog,
        ask: Ask,
        owner: Owner,
    ) -> Option<TxId> {
        let (to, listener) = self.way(&peer.path, dialog)?;
        let branch = self.names.branch();
        let method = ask.method.clone();
        let mut request = dialog.request(method.clone());
        self.complete(&mut request, &branch, &listener, &ask);
        let uri = request.uri.clone();
        self.prove(&mut request, peer, &ask.asked, &uri);
        let Letter { request, bytes, to, is_moved } = self.fit(request, &branch, &peer.path, to);
        let sent = if method == Method::Invite { Sent::invite(&request) } else { Sent::default() };
        // Kept where it may have to be said again.
        let may_be_refused = matches!(method, Method::Invite | Method::Update);
        let ask = (is_moved || may_be_refused || peer.login.is_some()).then(|| Box::new(ask));
        Some(self.start_client(now, ClientKey { branch, method }, bytes, to, owner, Sent { is_moved, ask, ..sent }))
    }

    /// Where a request within a dialog goes, and the listener that it names.
    fn way(&self, path: &Path, dialog: &Dialog) -> Option<(Destination, Listener)> {
        let mut to = path.within(dialog);
        let found = self.listener(to.wire(), None, to.remote().ip());
        if found.is_none_or(|listener| !listener.listens() && to.wire() != path.wire) {
            // The route asks for a protocol that we do not have, or only for calls that began with it: the way that worked
            // so far is better than none.
            to = path.destination();
        }
        let local = (to.wire() == path.wire).then_some(path.local);
        let listener = self.listener(to.wire(), local, to.remote().ip())?.clone();
        if let Destination::Datagram { local, .. } = &mut to {
            *local = listener.bind;
        }
        Some((to, listener))
    }

    /// Adds the proofs that were asked for.
    fn prove(&mut self, request: &mut Request, peer: &mut Peer, asked: &Asked, uri: &crate::message::Uri) {
        let Some(login) = &mut peer.login else { return };
        let names = &mut self.names;
        let proofs = login.prove(asked, &request.method, uri, || names.cnonce());
        proofs.into_iter().for_each(|(name, value)| request.headers.push(name, value));
    }

    /// Writes a request out, and moves it to a stream if it is too large for a datagram (RFC 3261 §18.1.1), we have one,
    /// and none has failed toward this peer.
    fn fit(&self, mut request: Request, branch: &Branch, path: &Path, to: Destination) -> Letter {
        let bytes = Message::Request(request.clone()).to_bytes();
        let is_too_large = to.wire() == Wire::Udp && bytes.len() > LARGEST_DATAGRAM && !path.datagrams_only;
        let stream = self.listener(Wire::Tcp, None, to.remote().ip()).filter(|_| is_too_large);
        let Some(listener) = stream else { return Letter { request, bytes, to, is_moved: false } };
        compose::readdress(&mut request, branch, listener);
        let hop = NextHop { wire: Wire::Tcp, address: to.remote(), server_name: path.server_name.clone() };
        let bytes = Message::Request(request.clone()).to_bytes();
        Letter { request, bytes, to: Destination::Connect(hop), is_moved: true }
    }

    fn start_client(
        &mut self,
        now: Instant,
        key: ClientKey,
        bytes: Bytes,
        to: Destination,
        owner: Owner,
        sent: Sent,
    ) -> TxId {
        let (length, is_reliable) = (bytes.len(), to.wire().is_reliable());
        let machine = match key.method {
            Method::Invite => ClientMachine::Invite(InviteClient::new(now, bytes, is_reliable)),
            _ => ClientMachine::Other(Client::new(now, bytes, is_reliable)),
        };
        let id = self.transactions.insert_client(key, machine, to, owner, sent, length);
        self.settle_client(now, id, None);
        id
    }

    /// Acknowledges a 2xx, with our answer to its offer if it has one, and remembers how, for when it is repeated.
    pub(super) fn send_ack(&mut self, id: TxId, path: &Path, dialog: &Dialog, cseq: u32, body: Bytes) {
        let mut request = dialog.ack(cseq);
        let Some((to, listener)) = self.way(path, dialog) else { return };
        let branch = self.names.branch();
        self.complete(&mut request, &branch, &listener, &Ask { body, ..Ask::new(Method::Ack) });
        let Some(tx) = self.transactions.client_mut(id) else { return };
        // The proofs of the INVITE (RFC 3261 §22.1), unless the contact is somebody else than was called.
        if to.remote().ip() == tx.to.remote().ip()
            && let Some(invite) = &tx.sent.invite
        {
            for name in [HeaderName::ProxyAuthorization, HeaderName::Authorization] {
                invite.headers.get_all(&name).for_each(|value| request.headers.push(name.clone(), value));
            }
        }
        let bytes = Message::Request(request).to_bytes();
        tx.acks.push((dialog.id().remote.clone(), (bytes.clone(), to.clone())));
        self.transactions.retain(id, bytes.len());
        self.send(to, bytes);
    }

    pub(super) fn send_cancel(&mut self, now: Instant, invite: TxId, headers: ExtraHeaders) {
        let Some(tx) = self.transactions.client_mut(invite) else { return };
        let (Some(sent), to) = (tx.sent.invite.as_deref(), tx.to.clone()) else { return };
        let bytes = compose::cancel(sent, headers);
        let Some(branch) = sent.headers.via().ok().and_then(|via| via.branch()) else { return };
        tx.sent.is_cancelled = true;
        let key = ClientKey { branch, method: Method::Cancel };
        self.start_client(now, key, bytes, to, Owner::Nobody, Sent::default());
    }

    /// Ends an answered call; `finally` is told when the BYE is done with.
    pub(super) fn say_bye(
        &mut self,
        now: Instant,
        handle: CallHandle,
        mut peer: Peer,
        mut dialog: Box<Dialog>,
        headers: ExtraHeaders,
        finally: Option<Event>,
    ) {
        self.close_referral(now, &mut peer, &dialog.id().local, Status::REQUEST_TERMINATED);
        let ask = Ask { headers, ..Ask::new(Method::Bye) };
        if self.send_within(now, &mut peer, &mut dialog, ask, Owner::Bye(handle)).is_some() {
            self.put(handle, Call { peer, state: State::Closing { dialog, finally } });
        } else {
            self.retire(now, handle, peer, dialog, finally);
        }
    }

    pub(super) fn path_of(&self, to: &Destination) -> Option<Path> {
        match to {
            Destination::Datagram { local, remote } => {
                let flow = Flow { wire: to.wire(), local: *local, remote: *remote, connection: None };
                Some(Path::of_flow(&flow, *local))
            }
            Destination::Connection { reopen: hop, .. } | Destination::Connect(hop) => self.path_to(hop),
        }
    }

    /// The way to a hop; `None` when no listener fits.
    pub(super) fn path_to(&self, hop: &NextHop) -> Option<Path> {
        let listener = self.listener(hop.wire, None, hop.address.ip())?;
        Some(Path::to_hop(hop, listener.bind))
    }
}
