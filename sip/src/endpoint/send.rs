//! Sending requests: which way they go, and the transaction that sees to their arrival.

use std::time::Instant;

use bytes::Bytes;

use super::{
    Endpoint,
    call::{Attempt, Call, State},
    command::{CallHandle, ExtraHeaders},
    compose,
    event::Event,
    flow::{Destination, Flow},
    key::ClientKey,
    route::Path,
    transactions::{ClientMachine, Owner, TxId},
};
use crate::{
    dialog::Dialog,
    message::{Branch, Message, Method, Request},
    transaction::{client::Client, invite_client::InviteClient},
};

impl Endpoint {
    /// Sends the INVITE of an attempt; `None` when no listener fits.
    pub(super) fn send_invite(
        &mut self,
        now: Instant,
        handle: CallHandle,
        path: &Path,
        attempt: &Attempt,
    ) -> Option<TxId> {
        let branch = self.names.branch();
        let listener = self.listener(path.wire, Some(path.local), path.remote.ip())?;
        let request = self.compose_invite(attempt, &branch, listener);
        let sent = Some(compose::skeleton(&request));
        let bytes = Message::Request(request).to_bytes();
        let key = ClientKey { branch, method: Method::Invite };
        Some(self.start_client(now, key, bytes, path.destination(), Owner::Invite(handle), sent))
    }

    /// Sends a request within a dialog; `None` when no listener fits.
    #[expect(clippy::too_many_arguments, reason = "each of them is a part of the request")]
    pub(super) fn send_within(
        &mut self,
        now: Instant,
        path: &Path,
        dialog: &Dialog,
        mut request: Request,
        headers: ExtraHeaders,
        body: Bytes,
        owner: Owner,
    ) -> Option<TxId> {
        let method = request.method.clone();
        let (to, branch) = self.complete_within(path, dialog, &mut request, headers, body)?;
        let sent = (method == Method::Invite).then(|| compose::skeleton(&request));
        let bytes = Message::Request(request).to_bytes();
        Some(self.start_client(now, ClientKey { branch, method }, bytes, to, owner, sent))
    }

    fn complete_within(
        &mut self,
        path: &Path,
        dialog: &Dialog,
        request: &mut Request,
        headers: ExtraHeaders,
        body: Bytes,
    ) -> Option<(Destination, Branch)> {
        let branch = self.names.branch();
        let mut to = path.within(dialog);
        if self.listener(to.wire(), None, to.remote().ip()).is_none() {
            // The route asks for a protocol that we do not have: the way that worked so far is better than none.
            to = path.destination();
        }
        let local = (to.wire() == path.wire).then_some(path.local);
        let listener = self.listener(to.wire(), local, to.remote().ip())?.clone();
        if let Destination::Datagram { local, .. } = &mut to {
            *local = listener.bind;
        }
        self.complete(request, &branch, &listener, headers, body);
        Some((to, branch))
    }

    fn start_client(
        &mut self,
        now: Instant,
        key: ClientKey,
        bytes: Bytes,
        to: Destination,
        owner: Owner,
        sent: Option<Box<Request>>,
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

    /// Acknowledges a 2xx and remembers how, for when it is repeated.
    pub(super) fn send_ack(&mut self, id: TxId, path: &Path, dialog: &Dialog, cseq: u32) {
        let mut request = dialog.ack(cseq);
        let Some((to, _)) = self.complete_within(path, dialog, &mut request, Vec::new(), Bytes::new()) else { return };
        let bytes = Message::Request(request).to_bytes();
        if let Some(tx) = self.transactions.client_mut(id) {
            tx.acks.push((dialog.id().remote.clone(), (bytes.clone(), to.clone())));
        }
        self.transactions.retain(id, bytes.len());
        self.send(to, bytes);
    }

    pub(super) fn send_cancel(&mut self, now: Instant, invite: TxId, headers: ExtraHeaders) {
        let Some(tx) = self.transactions.client(invite) else { return };
        let (Some(sent), to) = (tx.sent.as_deref(), tx.to.clone()) else { return };
        let bytes = compose::cancel(sent, headers);
        let Some(branch) = sent.headers.via().ok().and_then(|via| via.branch()) else { return };
        let key = ClientKey { branch, method: Method::Cancel };
        self.start_client(now, key, bytes, to, Owner::Nobody, None);
    }

    /// Ends an answered call; `finally` is told when the BYE is done with.
    pub(super) fn say_bye(
        &mut self,
        now: Instant,
        handle: CallHandle,
        path: Path,
        mut dialog: Box<Dialog>,
        headers: ExtraHeaders,
        finally: Option<Event>,
    ) {
        let request = dialog.request(Method::Bye);
        let sent = self.send_within(now, &path, &dialog, request, headers, Bytes::new(), Owner::Bye(handle));
        if sent.is_some() {
            self.put(handle, Call { path, state: State::Closing { dialog, finally } });
        } else {
            self.end(handle, finally);
        }
    }

    pub(super) fn path_of(&self, to: &Destination) -> Option<Path> {
        match to {
            Destination::Datagram { local, remote } => {
                let flow = Flow { wire: to.wire(), local: *local, remote: *remote, connection: None };
                Some(Path::of_flow(&flow, *local))
            }
            Destination::Connection { reopen: hop, .. } | Destination::Connect(hop) => {
                let listener = self.listener(hop.wire, None, hop.address.ip())?;
                Some(Path::to_hop(hop, listener.bind))
            }
        }
    }
}
