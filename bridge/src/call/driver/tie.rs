//! Calls that end with this one, however its task ends.

use crate::call::end::EndReason;
use crate::call::order::Order;
use crate::phone::Switchboard;

/// The other ends of bridged transfers.
pub(super) struct Ties {
    switchboard: Switchboard,
    others: Vec<String>,
}

impl Ties {
    pub(super) fn new(switchboard: Switchboard) -> Self {
        Self { switchboard, others: Vec::new() }
    }

    pub(super) fn add(&mut self, other: String) {
        self.others.push(other);
    }

    /// Ends the others. They may have been quicker.
    pub(super) fn end(&mut self) {
        for other in self.others.drain(..) {
            self.switchboard.order_now(&other, Order::Hangup(EndReason::BridgeOver));
        }
    }
}

impl Drop for Ties {
    fn drop(&mut self) {
        self.end();
    }
}
