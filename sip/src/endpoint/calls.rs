//! All calls, by handle and by dialog, and the addresses of those we talk to.

use std::{collections::HashMap, net::IpAddr};

use super::{call::Call, command::CallHandle, sources::owner};
use crate::dialog::DialogId;

/// The table of calls. A call is taken out to be worked on and put back, which keeps the indices right.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: HashMap<CallHandle, Call>,
    dialogs: HashMap<DialogId, CallHandle>,
    peers: HashMap<IpAddr, usize>,
    made: u64,
}

impl Calls {
    /// A handle for a call that came in.
    pub(crate) fn next_inbound(&mut self) -> CallHandle {
        self.made += 1;
        CallHandle::inbound(self.made)
    }

    /// Puts a call into the table, with all that it is found by.
    pub(crate) fn put(&mut self, handle: CallHandle, call: Call) {
        self.take(handle);
        for id in call.dialog_ids() {
            self.dialogs.insert(id.clone(), handle);
        }
        if call.knows_peer() {
            *self.peers.entry(owner(call.peer.path.remote.ip())).or_default() += 1;
        }
        self.calls.insert(handle, call);
    }

    /// Takes a call out of the table. Who does not put it back has ended it.
    pub(crate) fn take(&mut self, handle: CallHandle) -> Option<Call> {
        let call = self.calls.remove(&handle)?;
        for id in call.dialog_ids() {
            self.dialogs.remove(id);
        }
        if call.knows_peer() {
            let peer = owner(call.peer.path.remote.ip());
            if let Some(calls) = self.peers.get_mut(&peer) {
                *calls -= 1;
                if *calls == 0 {
                    self.peers.remove(&peer);
                }
            }
        }
        Some(call)
    }

    pub(crate) fn find(&self, id: &DialogId) -> Option<CallHandle> {
        self.dialogs.get(id).copied()
    }

    pub(crate) fn contains(&self, handle: CallHandle) -> bool {
        self.calls.contains_key(&handle)
    }

    pub(crate) fn get(&self, handle: CallHandle) -> Option<&Call> {
        self.calls.get(&handle)
    }

    /// Whether this address is one that we have a call with.
    pub(crate) fn has_peer(&self, address: IpAddr) -> bool {
        self.peers.contains_key(&owner(address))
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn dialog_count(&self) -> usize {
        self.dialogs.len()
    }
}
