//! Trunks and dispatch rules: those of the file and those that the API has written, as one snapshot. And what is left of
//! calls.
//!
//! Objects are LiveKit's own messages, with what a call needs of them worked out once: networks, number patterns,
//! templates. A [`Snapshot`] never changes; whoever reloads or writes puts another in its place.
//!
//! ```text
//! file ──set_file──┐                    ┌─► calls: dispatch looks at the snapshot, nobody waits
//!                  ├─► both, checked ───┤
//! API ──create … ──┘   together         └─► database: written before the snapshot changes
//! ```

pub mod change;
pub(crate) mod database;
pub mod error;
pub mod exchange;

pub mod failure;
pub mod id;
pub mod item;
pub mod list;
pub mod outbound;
pub mod record;
mod recorder;
pub mod rule;
pub mod snapshot;
pub mod trunk;
mod update;
pub mod validate;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

pub use change::Changed;
pub use database::OpenError;
pub use error::Error;
pub use failure::{ChangeError, ErrorKind, ObjectKind};
pub use item::{Bridging, InboundExtras, InboundItem, OutboundExtras, OutboundItem, RuleExtras, Transfers};
pub use outbound::OutboundTrunk;
pub use record::{CallRecord, Direction, RecordFilter};
pub use rule::{DispatchRule, RoomPlan, RuleItem};
pub use snapshot::{Items, Snapshot};
pub use trunk::InboundTrunk;

use self::database::Database;
use self::item::Item;
use self::recorder::Recorder;

/// Where trunks, rules and call records are kept. Clones are handles to the same.
#[derive(Clone)]
pub struct Store {
    objects: Arc<ArcSwap<Snapshot>>,
    shared: Arc<Shared>,
}

/// Where an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It stands in the configuration file.
    File,
    /// The API has written it.
    Api,
}

struct Shared {
    /// One writer at a time; whoever has it may take the database, never the other way round.
    pieces: Mutex<Pieces>,
    database: Arc<Mutex<Database>>,
    is_durable: bool,
    recorder: Recorder,
}

/// What the snapshot is made of.
#[derive(Clone, Default)]
struct Pieces {
    file: Vec<Arc<Item>>,
    api: BTreeMap<String, Arc<Item>>,
    /// Objects of the API that do not go with the file as it is now, by their ids. They are kept, and take no calls.
    aside: BTreeMap<String, Error>,
}

impl Store {
    /// Opens the store and puts what it has beside the objects of the file. Without a path there is nothing to write to:
    /// objects are those of the file, and call records end with the process. What is unlikely to be meant comes back as
    /// warnings.
    pub fn open(path: Option<&Path>, file: Items) -> Result<(Self, Vec<String>), OpenError> {
        let named = path.unwrap_or(Path::new(":memory:"));
        let failed = |error| OpenError::Database(named.to_owned(), error);
        let database = match path {
            Some(path) => Database::open(path, since_1970().as_secs())?,
            None => Database::in_memory().map_err(failed)?,
        };
        let (items, mut warnings) = database.objects().map_err(failed)?;
        let api = items.into_iter().map(|item| (item.id().to_owned(), Arc::new(item))).collect();
        let mut pieces = Pieces { file: of_the_file(file), api, aside: BTreeMap::new() };
        let snapshot = pieces.settle().map_err(OpenError::File)?;
        warnings.extend(snapshot.warnings());
        warnings.extend(pieces.aside_in_words());
        let database = Arc::new(Mutex::new(database));
        let recorder =
            Recorder::start(Arc::clone(&database)).map_err(|error| OpenError::Io(named.to_owned(), error))?;
        let mut snapshot = snapshot;
        snapshot.aside = pieces.aside_items();
        let shared = Shared { pieces: Mutex::new(pieces), database, is_durable: path.is_some(), recorder };
        Ok((Self { objects: Arc::new(ArcSwap::from_pointee(snapshot)), shared: Arc::new(shared) }, warnings))
    }

    /// The snapshot in force, for those who look at every call.
    pub fn objects(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.objects)
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.objects.load_full()
    }

    /// Whether there is a file to write to.
    pub fn is_durable(&self) -> bool {
        self.shared.is_durable
    }

    /// Where an object comes from; `None` if there is no such object.
    pub fn origin(&self, id: &str) -> Option<Origin> {
        self.snapshot().origin(id)
    }

    /// Objects of the API that do not go with the file, and take no calls until they do: ids, and why.
    pub fn aside(&self) -> BTreeMap<String, Error> {
        self.pieces().aside.clone()
    }

    /// Puts the objects of the file in place of those it had before: all of them or none. They must go with those of the
    /// API that are in force. What is unlikely to be meant comes back as warnings.
    pub fn set_file(&self, file: Items) -> Result<Vec<String>, Vec<Error>> {
        let mut pieces = self.pieces();
        let mut next = Pieces { file: of_the_file(file), ..pieces.clone() };
        let snapshot = next.compose().map_err(|errors| next.told_apart(errors))?;
        let snapshot = next.readmit(snapshot);
        let mut warnings = snapshot.warnings();
        warnings.extend(next.aside_in_words());
        self.publish(&mut pieces, next, snapshot);
        Ok(warnings)
    }

    /// Keeps what is left of a call. Never waits: when the disk is too slow, the record is dropped and counted.
    pub fn record(&self, record: CallRecord) {
        self.shared.recorder.keep(record);
    }

    /// How many records were dropped.
    pub fn dropped_records(&self) -> u64 {
        self.shared.recorder.dropped()
    }

    /// Records of calls, newest first. Reads from the disk.
    pub fn records(&self, filter: &RecordFilter) -> Changed<Vec<CallRecord>> {
        Ok(locked(&self.shared.database).calls(filter)?)
    }

    /// Waits until all records are written, for a few seconds at most.
    pub fn flush(&self) {
        self.shared.recorder.flush();
    }

    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        locked(&self.shared.pieces)
    }

    /// From here on calls see what was written.
    fn publish(&self, pieces: &mut Pieces, next: Pieces, mut snapshot: Snapshot) {
        snapshot.aside = next.aside_items();
        *pieces = next;
        self.objects.store(Arc::new(snapshot));
    }
}

impl Pieces {
    /// The file, and the objects of the API that are in force. Fails if these do not go together.
    fn compose(&self) -> Result<Snapshot, Vec<Error>> {
        let in_force = self.api.iter().filter(|(id, _)| !self.aside.contains_key(*id)).map(|(_, item)| item);
        Snapshot::beside(Items::from_each(self.file.iter()), Items::from_each(in_force))
    }

    /// The first snapshot of a process. What the API has written and the file contradicts is put aside: the file may have
    /// been changed since, and a gateway that does not start takes no calls at all.
    fn settle(&mut self) -> Result<Snapshot, Vec<Error>> {
        loop {
            let errors = match self.compose() {
                Ok(snapshot) => return Ok(snapshot),
                Err(errors) => errors,
            };
            let (of_the_api, of_the_file): (Vec<_>, Vec<_>) =
                errors.into_iter().partition(|error| self.is_in_force(&error.id));
            if of_the_api.is_empty() {
                return Err(of_the_file);
            }
            self.aside.extend(of_the_api.into_iter().map(|error| (error.id.clone(), error)));
        }
    }

    /// Takes back what was put aside and goes with the rest now. What is in force stays so.
    fn readmit(&mut self, snapshot: Snapshot) -> Snapshot {
        if self.aside.is_empty() {
            return snapshot;
        }
        let before = std::mem::take(&mut self.aside);
        loop {
            let errors = match self.compose() {
                Ok(snapshot) => return snapshot,
                Err(errors) => errors,
            };
            let still = self.aside.len();
            for error in errors {
                let ids = [Some(error.id.as_str()), error.problem.other_id()];
                let aside = ids.into_iter().flatten().find_map(|id| before.get_key_value(id));
                self.aside.extend(aside.map(|(id, reason)| (id.clone(), reason.clone())));
            }
            if self.aside.len() == still {
                self.aside = before;
                return snapshot;
            }
        }
    }

    fn is_in_force(&self, id: &str) -> bool {
        self.api.contains_key(id) && !self.aside.contains_key(id)
    }

    fn aside_items(&self) -> Items {
        Items::from_each(self.aside.keys().filter_map(|id| self.api.get(id)))
    }

    fn aside_in_words(&self) -> Vec<String> {
        self.aside.values().map(|error| format!("written by the API, and NOT IN FORCE: {error}")).collect()
    }

    /// Errors of a file, with a word to those that are about objects of the API.
    fn told_apart(&self, mut errors: Vec<Error>) -> Vec<Error> {
        for error in &mut errors {
            if self.api.contains_key(&error.id) {
                error.object.push_str(", written by the API");
            }
        }
        errors
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("is_durable", &self.shared.is_durable).finish_non_exhaustive()
    }
}

/// Every change of what is behind these locks is made in one step at the end, so a panic leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The objects of a file, each with an id.
fn of_the_file(mut file: Items) -> Vec<Arc<Item>> {
    file.assign_ids();
    file.into_each().map(Arc::new).collect()
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
