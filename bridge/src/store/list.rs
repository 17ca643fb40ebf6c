//! Reading objects: by id, by number, by page. Nothing here waits for anything: it is all in the snapshot.

use livekit_protocol as proto;

use super::change::Changed;
use super::{ChangeError, ObjectKind, Snapshot, Store};
use crate::dispatch::number::Pattern;

impl Store {
    /// One inbound trunk, by id or by a name that is its own.
    pub fn inbound_trunk(&self, id: &str) -> Changed<proto::SipInboundTrunkInfo> {
        one(&self.snapshot().inbound(), id)
    }

    /// One outbound trunk, by id or by a name that is its own.
    pub fn outbound_trunk(&self, id: &str) -> Changed<proto::SipOutboundTrunkInfo> {
        one(&self.snapshot().outbound(), id)
    }

    /// One rule, by id or by a name that is its own.
    pub fn dispatch_rule(&self, id: &str) -> Changed<proto::SipDispatchRuleInfo> {
        one(&self.snapshot().rules(), id)
    }

    /// Inbound trunks: those with the ids, in their order, or all in the order of ids; with one of the numbers or open for
    /// all numbers; one page of them.
    pub fn inbound_trunks(&self, request: &proto::ListSipInboundTrunkRequest) -> Vec<proto::SipInboundTrunkInfo> {
        let asked: Vec<_> = request.numbers.iter().map(|number| Pattern::new(number)).collect();
        let has = |number: &String| asked.contains(&Pattern::new(number));
        let fits = |trunk: &proto::SipInboundTrunkInfo| {
            asked.is_empty() || trunk.numbers.is_empty() || trunk.numbers.iter().any(has)
        };
        several(self.snapshot().inbound(), &request.trunk_ids, request.page.as_ref(), fits)
    }

    /// Outbound trunks, in the same manner; numbers count as they are written.
    pub fn outbound_trunks(&self, request: &proto::ListSipOutboundTrunkRequest) -> Vec<proto::SipOutboundTrunkInfo> {
        let asked = &request.numbers;
        let fits = |trunk: &proto::SipOutboundTrunkInfo| {
            asked.is_empty() || trunk.numbers.is_empty() || trunk.numbers.iter().any(|number| asked.contains(number))
        };
        several(self.snapshot().outbound(), &request.trunk_ids, request.page.as_ref(), fits)
    }

    /// Rules, in the same manner; by trunk with those that are for all trunks.
    pub fn dispatch_rules(&self, request: &proto::ListSipDispatchRuleRequest) -> Vec<proto::SipDispatchRuleInfo> {
        let asked = &request.trunk_ids;
        let fits = |rule: &proto::SipDispatchRuleInfo| {
            asked.is_empty() || rule.trunk_ids.is_empty() || rule.trunk_ids.iter().any(|id| asked.contains(id))
        };
        several(self.snapshot().rules(), &request.dispatch_rule_ids, request.page.as_ref(), fits)
    }

    /// Trunks of both kinds in the shape that came before the two kinds, in the order of ids.
    pub fn trunks(&self, request: &proto::ListSipTrunkRequest) -> Vec<proto::SipTrunkInfo> {
        let snapshot = self.snapshot();
        let inbound = snapshot.inbound().into_iter().map(old_inbound);
        let outbound = snapshot.outbound().into_iter().map(old_outbound);
        let all: Vec<_> = inbound.chain(outbound).collect();
        several(all.iter().collect(), &[], request.page.as_ref(), |_| true)
    }
}

/// What all objects have that are listed.
trait Listed: Clone {
    const KIND: ObjectKind;
    fn id(&self) -> &str;
    fn name(&self) -> &str;
}

macro_rules! listed {
    ($($info:ident $id:ident $kind:ident),*) => {$(
        impl Listed for proto::$info {
            const KIND: ObjectKind = ObjectKind::$kind;

            fn id(&self) -> &str {
                &self.$id
            }

            fn name(&self) -> &str {
                &self.name
            }
        }
    )*};
}

listed!(
    SipInboundTrunkInfo sip_trunk_id Trunk, SipOutboundTrunkInfo sip_trunk_id Trunk, SipTrunkInfo sip_trunk_id Trunk,
    SipDispatchRuleInfo sip_dispatch_rule_id Rule
);

fn one<T: Listed>(all: &[&T], id: &str) -> Changed<T> {
    if id.is_empty() {
        return Err(ChangeError::NoId(T::KIND));
    }
    let mut named = all.iter().filter(|object| object.name() == id);
    match (all.iter().find(|object| object.id() == id).or(named.next()), named.next()) {
        (None, _) => Err(ChangeError::Missing(T::KIND)),
        (Some(object), Some(_)) if object.id() != id => Err(ChangeError::Ambiguous(id.to_owned())),
        (Some(object), _) => Ok((*object).clone()),
    }
}

fn several<T: Listed>(
    mut all: Vec<&T>,
    ids: &[String],
    page: Option<&proto::Pagination>,
    fits: impl Fn(&T) -> bool,
) -> Vec<T> {
    all.retain(|object| fits(object));
    if !ids.is_empty() {
        let with = |id: &String| all.iter().find(|object| object.id() == id);
        return ids.iter().filter_map(with).map(|object| (*object).clone()).collect();
    }
    all.sort_by(|a, b| a.id().cmp(b.id()));
    let (after, limit) = page.map_or(("", 0), |page| (page.after_id.as_str(), page.limit));
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    all.into_iter().filter(|object| object.id() > after).take(limit).cloned().collect()
}

impl Snapshot {
    fn inbound(&self) -> Vec<&proto::SipInboundTrunkInfo> {
        let aside = self.aside.inbound_trunks.iter().map(|item| &item.info);
        self.inbound_trunks.iter().map(|trunk| &trunk.info).chain(aside).collect()
    }

    fn outbound(&self) -> Vec<&proto::SipOutboundTrunkInfo> {
        let aside = self.aside.outbound_trunks.iter().map(|item| &item.info);
        self.outbound_trunks.iter().map(|trunk| &trunk.info).chain(aside).collect()
    }

    fn rules(&self) -> Vec<&proto::SipDispatchRuleInfo> {
        let aside = self.aside.dispatch_rules.iter().map(|item| &item.info);
        self.dispatch_rules.iter().map(|rule| &rule.info).chain(aside).collect()
    }
}

fn old_inbound(info: &proto::SipInboundTrunkInfo) -> proto::SipTrunkInfo {
    proto::SipTrunkInfo {
        sip_trunk_id: info.sip_trunk_id.clone(),
        kind: proto::sip_trunk_info::TrunkKind::TrunkInbound.into(),
        inbound_addresses: info.allowed_addresses.clone(),
        // One number was all that a trunk had.
        outbound_number: info.numbers.first().cloned().unwrap_or_default(),
        inbound_numbers: info.allowed_numbers.clone(),
        inbound_username: info.auth_username.clone(),
        inbound_password: info.auth_password.clone(),
        name: info.name.clone(),
        metadata: info.metadata.clone(),
        ..Default::default()
    }
}

fn old_outbound(info: &proto::SipOutboundTrunkInfo) -> proto::SipTrunkInfo {
    proto::SipTrunkInfo {
        sip_trunk_id: info.sip_trunk_id.clone(),
        kind: proto::sip_trunk_info::TrunkKind::TrunkOutbound.into(),
        outbound_address: info.address.clone(),
        outbound_number: info.numbers.first().cloned().unwrap_or_default(),
        transport: info.transport,
        outbound_username: info.auth_username.clone(),
        outbound_password: info.auth_password.clone(),
        name: info.name.clone(),
        metadata: info.metadata.clone(),
        ..Default::default()
    }
}
