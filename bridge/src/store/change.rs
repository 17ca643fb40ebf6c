//! Writing objects: create, update, delete.

use livekit_protocol as proto;

use super::{ChangeError, Store};

/// What became of a write: the object as it stands now.
pub type Changed<T> = Result<T, ChangeError>;

impl Store {
    /// Adds an inbound trunk under a new id.
    pub fn create_inbound_trunk(&self, info: proto::SipInboundTrunkInfo) -> Changed<proto::SipInboundTrunkInfo> {
        let _ = info;
        Err(ChangeError::NoStore)
    }

    /// Adds an outbound trunk under a new id.
    pub fn create_outbound_trunk(&self, info: proto::SipOutboundTrunkInfo) -> Changed<proto::SipOutboundTrunkInfo> {
        let _ = info;
        Err(ChangeError::NoStore)
    }

    /// Adds a rule under a new id.
    pub fn create_dispatch_rule(&self, info: proto::SipDispatchRuleInfo) -> Changed<proto::SipDispatchRuleInfo> {
        let _ = info;
        Err(ChangeError::NoStore)
    }

    /// Replaces an inbound trunk, or some of its fields.
    pub fn update_inbound_trunk(
        &self,
        request: proto::UpdateSipInboundTrunkRequest,
    ) -> Changed<proto::SipInboundTrunkInfo> {
        let _ = request;
        Err(ChangeError::NoStore)
    }

    /// Replaces an outbound trunk, or some of its fields.
    pub fn update_outbound_trunk(
        &self,
        request: proto::UpdateSipOutboundTrunkRequest,
    ) -> Changed<proto::SipOutboundTrunkInfo> {
        let _ = request;
        Err(ChangeError::NoStore)
    }

    /// Replaces a rule, or some of its fields.
    pub fn update_dispatch_rule(
        &self,
        request: proto::UpdateSipDispatchRuleRequest,
    ) -> Changed<proto::SipDispatchRuleInfo> {
        let _ = request;
        Err(ChangeError::NoStore)
    }

    /// Deletes a trunk of either kind. One that there is not is as good as deleted, as in LiveKit.
    pub fn delete_trunk(&self, id: &str) -> Changed<()> {
        let _ = id;
        Err(ChangeError::NoStore)
    }

    /// Deletes a rule and gives it back.
    pub fn delete_dispatch_rule(&self, id: &str) -> Changed<proto::SipDispatchRuleInfo> {
        let _ = id;
        Err(ChangeError::NoStore)
    }
}
