//! The calls that are there, by id and by participant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use tokio::sync::mpsc;

use super::switchboard::Participant;
use crate::call::order::Order;
use crate::store::{CallRecord, Direction};

/// A call as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallInfo {
    /// Our id, `SCL_…`.
    pub id: String,
    /// Who called whom.
    pub direction: Direction,
    /// The value of `sip.callStatus`.
    pub status: &'static str,
    /// The room.
    pub room: String,
    /// The participant in it.
    pub identity: String,
    /// `PA_…`; empty before the room is joined.
    pub participant_id: String,
    /// The number that calls.
    pub from: String,
    /// The number that is called.
    pub to: String,
    /// The trunk, `ST_…`; empty for one that came with the request.
    pub trunk_id: String,
    /// The rule, `SDR_…`; empty for calls that we placed.
    pub rule_id: String,
    /// The Call-ID of the SIP messages.
    pub sip_call_id: String,
    /// When it came in, or was asked for.
    #[serde(serialize_with = "millis")]
    pub started_at: SystemTime,
    /// When it was answered.
    #[serde(serialize_with = "some_millis")]
    pub answered_at: Option<SystemTime>,
    /// The phone has put us on hold.
    pub held: bool,
    /// Media is encrypted on the phone's side.
    pub encrypted: bool,
    /// A transfer is under way.
    pub transferring: bool,
}

impl CallInfo {
    /// What is left of it, now that it ended for this reason.
    pub(crate) fn record(self, end: &str) -> CallRecord {
        CallRecord {
            id: self.id,
            direction: self.direction,
            from: self.from,
            to: self.to,
            trunk: self.trunk_id,
            rule: self.rule_id,
            room: self.room,
            identity: self.identity,
            sip_call_id: self.sip_call_id,
            started: unix_millis(self.started_at),
            answered: self.answered_at.map(unix_millis),
            ended: unix_millis(SystemTime::now()),
            end: end.to_owned(),
            end_text: end.replace('_', " "),
            ..CallRecord::default()
        }
    }
}

/// Calls by id. Cheap to clone; locked for as long as it takes to copy one entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    calls: Arc<Mutex<HashMap<String, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    info: CallInfo,
    orders: mpsc::Sender<Order>,
}

impl Registry {
    /// Lists a call until the listing is dropped, however its task ends.
    pub(crate) fn list(&self, info: CallInfo, orders: mpsc::Sender<Order>) -> Listing {
        let id = info.id.clone();
        self.lock().insert(id.clone(), Entry { info, orders });
        Listing { registry: self.clone(), id }
    }

    /// The call of a participant; of several, the one that came last: it has taken the identity of the others.
    pub(crate) fn find(&self, who: &Participant) -> Option<String> {
        let calls = self.lock();
        let infos = calls.values().map(|entry| &entry.info);
        let theirs = infos.filter(|info| info.room == who.room && info.identity == who.identity);
        theirs.max_by_key(|info| info.started_at).map(|info| info.id.clone())
    }

    pub(crate) fn orders(&self, id: &str) -> Option<mpsc::Sender<Order>> {
        self.lock().get(id).map(|entry| entry.orders.clone())
    }

    pub(crate) fn one(&self, id: &str) -> Option<CallInfo> {
        self.lock().get(id).map(|entry| entry.info.clone())
    }

    pub(crate) fn all(&self) -> Vec<CallInfo> {
        let mut all: Vec<_> = self.lock().values().map(|entry| entry.info.clone()).collect();
        all.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // What is in there is whole after every change.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place in the registry.
#[derive(Debug)]
pub(crate) struct Listing {
    registry: Registry,
    id: String,
}

impl Listing {
    /// Changes what is told of the call.
    pub(crate) fn update(&self, change: impl FnOnce(&mut CallInfo)) {
        if let Some(entry) = self.registry.lock().get_mut(&self.id) {
            change(&mut entry.info);
        }
    }

    pub(crate) fn info(&self) -> Option<CallInfo> {
        self.registry.one(&self.id)
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}

/// Milliseconds since 1970.
pub(crate) fn unix_millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn millis<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(unix_millis(*at))
}

fn some_millis<S: Serializer>(at: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_some(&unix_millis(*at)),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    pub(crate) fn info(id: &str, room: &str, identity: &str, second: u64) -> CallInfo {
        CallInfo {
            id: id.into(),
            direction: Direction::Outbound,
            status: "active",
            room: room.into(),
            identity: identity.into(),
            participant_id: "PA_1".into(),
            from: "+15550100".into(),
            to: "+15550199".into(),
            trunk_id: "ST_1".into(),
            rule_id: String::new(),
            sip_call_id: "a@b".into(),
            started_at: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            answered_at: None,
            held: false,
            encrypted: false,
            transferring: false,
        }
    }

    #[test]
    fn a_call_is_found_by_its_participant_and_gone_with_its_task() {
        let registry = Registry::default();
        let list = |id, room, identity, second| registry.list(info(id, room, identity, second), mpsc::channel(1).0);
        let older = list("SCL_1", "r", "p", 1);
        let newer = list("SCL_2", "r", "p", 2);
        let other = list("SCL_3", "r", "q", 3);
        let find = |room: &str, identity: &str| {
            registry.find(&Participant { room: room.to_owned(), identity: identity.to_owned() })
        };
        assert_eq!(find("r", "p").as_deref(), Some("SCL_2"));
        assert_eq!(find("s", "p"), None);
        drop(newer);
        assert_eq!(find("r", "p").as_deref(), Some("SCL_1"));
        older.update(|info| info.room = "s".into());
        assert_eq!((find("r", "p"), find("s", "p").as_deref()), (None, Some("SCL_1")));
        assert_eq!(registry.all().len(), 2);
        drop((older, other));
        assert!(registry.all().is_empty());
    }

    #[test]
    fn a_call_is_told_in_plain_json() {
        let json = serde_json::to_value(info("SCL_1", "r", "p", 2)).unwrap();
        assert_eq!(json["direction"], "outbound");
        assert_eq!((&json["started_at"], &json["answered_at"]), (&2000.into(), &serde_json::Value::Null));
    }
}
