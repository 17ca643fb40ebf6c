//! Reading objects: by id, by number, by page. Nothing here waits for anything: it is all in the snapshot.

use livekit_protocol as proto;

use super::change::Changed;
use super::failure::ObjectKind;
use super::{ChangeError, Store};

impl Store {
    /// One inbound trunk, by id or by a name that is its own.
    pub fn inbound_trunk(&self, id: &str) -> Changed<proto::SipInboundTrunkInfo> {
        let _ = id;
        Err(ChangeError::Missing(ObjectKind::Trunk))
    }

    /// One outbound trunk, by id or by a name that is its own.
    pub fn outbound_trunk(&self, id: &str) -> Changed<proto::SipOutboundTrunkInfo> {
        let _ = id;
        Err(ChangeError::Missing(ObjectKind::Trunk))
    }

    /// One rule, by id or by a name that is its own.
    pub fn dispatch_rule(&self, id: &str) -> Changed<proto::SipDispatchRuleInfo> {
        let _ = id;
        Err(ChangeError::Missing(ObjectKind::Rule))
    }

    /// Inbound trunks: those with the ids, in their order, or all in the order of ids; with one of the numbers or open for
    /// all; one page of them.
    pub fn inbound_trunks(&self, request: &proto::ListSipInboundTrunkRequest) -> Vec<proto::SipInboundTrunkInfo> {
        let _ = request;
        Vec::new()
    }

    /// Outbound trunks, in the same manner.
    pub fn outbound_trunks(&self, request: &proto::ListSipOutboundTrunkRequest) -> Vec<proto::SipOutboundTrunkInfo> {
        let _ = request;
        Vec::new()
    }

    /// Rules, in the same manner; by trunk with those that are for all trunks.
    pub fn dispatch_rules(&self, request: &proto::ListSipDispatchRuleRequest) -> Vec<proto::SipDispatchRuleInfo> {
        let _ = request;
        Vec::new()
    }

    /// Trunks of both kinds in the shape that came before the two kinds.
    pub fn trunks(&self, request: &proto::ListSipTrunkRequest) -> Vec<proto::SipTrunkInfo> {
        let _ = request;
        Vec::new()
    }
}
