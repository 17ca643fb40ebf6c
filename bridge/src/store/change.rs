//! Writing objects: create, update, delete. One way for all of them: what would come of it is checked as a whole, beside
//! the file; it goes to the disk; then calls see it.

use std::sync::Arc;
use std::time::Duration;

use livekit_protocol as proto;
use proto::update_sip_dispatch_rule_request::Action as RuleAction;
use proto::update_sip_inbound_trunk_request::Action as InboundAction;
use proto::update_sip_outbound_trunk_request::Action as OutboundAction;
use tracing::info;

use super::database::Step;
use super::error::Problem;
use super::item::{Item, Object};
use super::{
    ChangeError, InboundItem, InboundTrunk, ObjectKind, OutboundItem, Pieces, RuleItem, Store, failure, locked, rule,
    since_1970, update,
};
use crate::dispatch::query::twelve;

/// What became of a read or a write: the object as it stands now.
pub type Changed<T> = Result<T, ChangeError>;

/// Objects that the API may have written, all kinds together.
pub(super) const MAX_OBJECTS: usize = 10_000;

impl Store {
    /// Adds an inbound trunk under a new id.
    pub fn create_inbound_trunk(&self, info: proto::SipInboundTrunkInfo) -> Changed<proto::SipInboundTrunkInfo> {
        Ok(self.create(InboundItem { info, ..InboundItem::default() })?.info)
    }

    /// Adds an outbound trunk under a new id.
    pub fn create_outbound_trunk(&self, info: proto::SipOutboundTrunkInfo) -> Changed<proto::SipOutboundTrunkInfo> {
        Ok(self.create(OutboundItem { info, ..OutboundItem::default() })?.info)
    }

    /// Adds a rule under a new id.
    pub fn create_dispatch_rule(&self, info: proto::SipDispatchRuleInfo) -> Changed<proto::SipDispatchRuleInfo> {
        Ok(self.create(RuleItem { info, ..RuleItem::default() })?.info)
    }

    /// Replaces an inbound trunk, or some of its fields.
    pub fn update_inbound_trunk(
        &self,
        request: proto::UpdateSipInboundTrunkRequest,
    ) -> Changed<proto::SipInboundTrunkInfo> {
        let action = request.action.ok_or(ChangeError::NoAction)?;
        let edit = |item: &mut InboundItem| match action {
            InboundAction::Replace(info) => replace(&mut item.info, info, |info| &info.sip_trunk_id, ObjectKind::Trunk),
            InboundAction::Update(update) => update::inbound_trunk(&mut item.info, update),
        };
        Ok(self.edit(&request.sip_trunk_id, edit)?.info)
    }

    /// Replaces an outbound trunk, or some of its fields.
    pub fn update_outbound_trunk(
        &self,
        request: proto::UpdateSipOutboundTrunkRequest,
    ) -> Changed<proto::SipOutboundTrunkInfo> {
        let action = request.action.ok_or(ChangeError::NoAction)?;
        let edit = |item: &mut OutboundItem| match action {
            OutboundAction::Replace(info) => {
                replace(&mut item.info, info, |info| &info.sip_trunk_id, ObjectKind::Trunk)
            }
            OutboundAction::Update(update) => update::outbound_trunk(&mut item.info, update),
        };
        Ok(self.edit(&request.sip_trunk_id, edit)?.info)
    }

    /// Replaces a rule, or some of its fields.
    pub fn update_dispatch_rule(
        &self,
        request: proto::UpdateSipDispatchRuleRequest,
    ) -> Changed<proto::SipDispatchRuleInfo> {
        let action = request.action.ok_or(ChangeError::NoAction)?;
        let edit = |item: &mut RuleItem| match action {
            RuleAction::Replace(info) => {
                replace(&mut item.info, info, |info| &info.sip_dispatch_rule_id, ObjectKind::Rule)
            }
            RuleAction::Update(update) => update::dispatch_rule(&mut item.info, update),
        };
        Ok(self.edit(&request.sip_dispatch_rule_id, edit)?.info)
    }

    /// Deletes a trunk of either kind, by id or by a name that is its own, and says its id. One that there is not is as good
    /// as deleted, as in LiveKit.
    pub fn delete_trunk(&self, id: &str) -> Changed<String> {
        match self.delete(id, ObjectKind::Trunk) {
            Ok(item) => Ok(item.id().to_owned()),
            Err(ChangeError::Missing(_)) => Ok(id.to_owned()),
            Err(error) => Err(error),
        }
    }

    /// Deletes a rule, by id or by a name that is its own, and gives it back.
    pub fn delete_dispatch_rule(&self, id: &str) -> Changed<proto::SipDispatchRuleInfo> {
        let deleted = self.delete(id, ObjectKind::Rule)?;
        RuleItem::of(&deleted).map(|rule| rule.info.clone()).ok_or(ChangeError::Missing(ObjectKind::Rule))
    }

    fn create<T: Object>(&self, object: T) -> Changed<T> {
        let mut item = object.into_item();
        if !item.id().is_empty() {
            return Err(ChangeError::IdGiven(item.object_kind()));
        }
        let mut pieces = self.pieces();
        let id = loop {
            let id = format!("{}{}", item.object_kind().prefix(), twelve(rand::random()));
            if pieces.find_id(&id).is_none() {
                break id;
            }
        };
        item.set_id(id.clone());
        self.name_trunks(&mut item, None)?;
        let now = timestamp(since_1970());
        let (created, updated) = item.times();
        (*created, *updated) = (Some(now), Some(now));
        let item = Arc::new(item);
        self.commit(&mut pieces, &[Step::Put(Arc::clone(&item))], Some(&id))?;
        info!(object = %item.label(), "created by the API");
        T::of(&item).cloned().ok_or(ChangeError::Missing(item.object_kind()))
    }

    fn edit<T: Object>(&self, id: &str, edit: impl FnOnce(&mut T) -> Result<(), ChangeError>) -> Changed<T> {
        let mut pieces = self.pieces();
        let before = pieces.own(id, T::KIND, |item| T::of(item).is_some())?;
        let mut object = T::of(&before).cloned().ok_or(ChangeError::Missing(T::KIND))?;
        edit(&mut object)?;
        let mut item = object.into_item();
        item.set_id(before.id().to_owned());
        self.name_trunks(&mut item, Some(&before))?;
        let (created, updated) = item.times();
        *created = (*before).clone().times().0.take();
        *updated = Some(timestamp(since_1970()));
        let item = Arc::new(item);
        self.commit(&mut pieces, &[Step::Put(Arc::clone(&item))], None)?;
        info!(object = %item.label(), "changed by the API");
        T::of(&item).cloned().ok_or(ChangeError::Missing(T::KIND))
    }

    fn delete(&self, id: &str, kind: ObjectKind) -> Changed<Arc<Item>> {
        let mut pieces = self.pieces();
        let item = pieces.own(id, kind, |item| item.object_kind() == kind)?;
        self.commit(&mut pieces, &[Step::Delete(item.id().to_owned())], None)?;
        info!(object = %item.label(), "deleted by the API");
        Ok(item)
    }

    /// Puts ids in place of names of trunks in a rule, so that it keeps its trunk when that is renamed. What was there
    /// before stays: its trunk may be gone since. An id that is unknown is taken, because rules are written before trunks
    /// too; a name that is unknown is a mistake.
    fn name_trunks(&self, item: &mut Item, before: Option<&Item>) -> Result<(), ChangeError> {
        let Item::Rule(after) = item else { return Ok(()) };
        let old = before.and_then(RuleItem::of).map(|rule| rule.info.trunk_ids.as_slice()).unwrap_or_default();
        let snapshot = self.snapshot();
        let mut problems = Vec::new();
        for entry in &mut after.info.trunk_ids {
            if !old.contains(entry) {
                *entry = resolved(entry, &snapshot.inbound_trunks, &mut problems);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ChangeError::Invalid(problems)) }
    }

    /// Does all steps or none. `new` is the id of an object that nobody has heard of yet.
    pub(super) fn commit(&self, pieces: &mut Pieces, steps: &[Step], new: Option<&str>) -> Result<(), ChangeError> {
        if !self.shared.is_durable {
            return Err(ChangeError::NoStore);
        }
        let mut next = pieces.clone();
        next.take(steps);
        if next.api.len() > MAX_OBJECTS.max(pieces.api.len()) {
            return Err(ChangeError::TooMany(MAX_OBJECTS));
        }
        let snapshot = next.compose().map_err(|errors| failure::refusal(errors, steps, new, &next))?;
        let snapshot = next.readmit(snapshot);
        locked(&self.shared.database).write(steps)?;
        self.publish(pieces, next, snapshot);
        Ok(())
    }
}

impl Pieces {
    pub(super) fn take(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Put(item) => {
                    self.aside.remove(item.id());
                    self.api.insert(item.id().to_owned(), Arc::clone(item));
                }
                Step::Delete(id) => {
                    self.aside.remove(id);
                    self.api.remove(id);
                }
            }
        }
    }

    /// An object that the API may change, by id or by a name that is its own.
    fn own(&self, text: &str, kind: ObjectKind, fits: impl Fn(&Item) -> bool) -> Changed<Arc<Item>> {
        if text.is_empty() {
            return Err(ChangeError::NoId(kind));
        }
        let by_id = self.find_id(text).filter(|item| fits(item));
        let all = || self.file.iter().chain(self.api.values()).filter(|item| fits(item));
        let named: Vec<&Arc<Item>> = all().filter(|item| item.name() == text).collect();
        let found = match (by_id, &named[..]) {
            (Some(item), _) => item,
            (None, [item]) => *item,
            (None, []) => return Err(ChangeError::Missing(kind)),
            (None, _) => return Err(ChangeError::Ambiguous(text.to_owned())),
        };
        if self.file.iter().any(|item| item.id() == found.id()) {
            return Err(ChangeError::OfTheFile(found.label()));
        }
        Ok(Arc::clone(found))
    }

    /// An object of the file or of the API.
    pub(super) fn find_id(&self, id: &str) -> Option<&Arc<Item>> {
        self.file.iter().find(|item| item.id() == id).or_else(|| self.api.get(id))
    }
}

fn replace<T>(old: &mut T, new: T, id: impl Fn(&T) -> &String, kind: ObjectKind) -> Result<(), ChangeError> {
    if !id(&new).is_empty() && id(&new) != id(old) {
        return Err(ChangeError::OtherId(kind));
    }
    *old = new;
    Ok(())
}

fn resolved(entry: &str, trunks: &[Arc<InboundTrunk>], problems: &mut Vec<Problem>) -> String {
    let mut wrong = Vec::new();
    let found = rule::trunk_ids(&[entry.to_owned()], trunks, &mut wrong).pop();
    if !entry.starts_with(ObjectKind::Trunk.prefix()) {
        problems.append(&mut wrong);
    }
    found.unwrap_or_else(|| entry.to_owned())
}

pub(super) fn timestamp(since_1970: Duration) -> pbjson_types::Timestamp {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    pbjson_types::Timestamp { seconds, nanos: since_1970.subsec_nanos().cast_signed() }
}
