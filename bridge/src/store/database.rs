//! The file that objects and call records are kept in: SQLite, because operators know it and it backs up with one command.
//!
//! A write that was acknowledged is on the disk (`synchronous = FULL`); a process that is killed loses nothing but what
//! nobody was told of. The file, its log and its index are for our user alone: there are passwords in them. A second
//! gateway on the same file is turned away, because neither would see what the other writes; `sqlite3` may read along.
//! A file that is broken is copied aside and never deleted.

mod broken;
mod calls;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use super::ChangeError;
use super::item::Item;

/// The mark of our files among those of SQLite: «Trnk».
const APPLICATION: i32 = 0x5472_6e6b;
/// How long a write waits for somebody else who reads or copies the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// The log is cut back to so many bytes when it has been taken over into the file.
const MAX_LOG: i64 = 8 * 1024 * 1024;

/// What makes each version of the file out of the one before.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE object (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        message BLOB NOT NULL,
        extras TEXT NOT NULL
    ) STRICT;
    CREATE TABLE call (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        started INTEGER NOT NULL,
        room TEXT NOT NULL,
        trunk TEXT NOT NULL,
        caller TEXT NOT NULL,
        called TEXT NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX call_by_id ON call (id);
    CREATE INDEX call_by_start ON call (started);
"];

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system does not let us.
    #[error("cannot open the store {path}: {error}", path = .0.display(), error = .1)]
    Io(PathBuf, io::Error),
    /// SQLite does not.
    #[error("cannot open the store {path}: {error}", path = .0.display(), error = .1)]
    Database(PathBuf, rusqlite::Error),
    /// Another gateway has it.
    #[error("the store {path} is in use by another process; each gateway needs a file of its own", path = .0.display())]
    InUse(PathBuf),
    /// It is a database of something else.
    #[error("{path} is a database, but not one of ours: set `store` to another file", path = .0.display())]
    Foreign(PathBuf),
    /// A later version of this program has written it.
    #[error(
        "the store {path} is of version {found}, this program knows {known}: run the later version again, or set `store` \
         to another file",
        path = .path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The last one that we know.
        known: usize,
    },
    /// The objects of the file are not in order, each or together.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    File(Vec<super::Error>),
    /// It is broken.
    #[error(
        "the store {path} is broken ({what}); it is left as it is, and copied to {copy}: put a backup in its place, or \
         move it away to begin anew",
        path = .path.display(), copy = .copy.display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// Its copy.
        copy: PathBuf,
        /// What SQLite says.
        what: String,
    },
}

/// An open store.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    /// Held for as long as the file is open, and after it.
    _lock: Option<File>,
}

/// One step of a write.
#[derive(Clone)]
pub(crate) enum Step {
    /// The object is new or has changed.
    Put(Arc<Item>),
    /// The object with this id is gone.
    Delete(String),
}

impl Database {
    /// Opens or makes the file. `now` is for the name of a copy, in seconds since 1970.
    pub(crate) fn open(path: &Path, now: u64) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io(path.to_owned(), error);
        let lock = lock(path)?;
        let length = private(path).map_err(io)?;
        let opened =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let prepared = opened.and_then(|connection| prepare(connection, length == 0));
        match prepared {
            Ok(Prepared::Ready(connection)) => Ok(Self { connection, _lock: Some(lock) }),
            Ok(Prepared::Foreign) => Err(OpenError::Foreign(path.to_owned())),
            Ok(Prepared::TooNew(found)) => {
                Err(OpenError::TooNew { path: path.to_owned(), found, known: MIGRATIONS.len() })
            }
            Ok(Prepared::Broken(what)) => Err(broken::copied(path, what, now)),
            Err(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    Err(broken::copied(path, error.to_string(), now))
                }
                _ => Err(OpenError::Database(path.to_owned(), error)),
            },
        }
    }

    /// A store that ends with the process, for call records where there is no file.
    pub(crate) fn in_memory() -> rusqlite::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        migrate(&mut connection, 0)?;
        Ok(Self { connection, _lock: None })
    }

    /// All objects, in the order of ids. Those that cannot be read stay in the file, and are told in words.
    pub(crate) fn objects(&self) -> rusqlite::Result<(Vec<Item>, Vec<String>)> {
        let mut statement = self.connection.prepare("SELECT id, kind, message, extras FROM object ORDER BY id")?;
        let mut rows = statement.query([])?;
        let (mut items, mut unreadable) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let (id, kind): (String, String) = (row.get(0)?, row.get(1)?);
            let (message, extras): (Vec<u8>, String) = (row.get(2)?, row.get(3)?);
            match Item::decode(&kind, &message, &extras) {
                Ok(item) => items.push(item),
                Err(error) => unreadable.push(format!("the object {id} of the store cannot be read: {error}")),
            }
        }
        Ok((items, unreadable))
    }

    /// Writes all steps or none. When this returns, they are on the disk.
    pub(crate) fn write(&mut self, steps: &[Step]) -> Result<(), ChangeError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = transaction.prepare(
                "INSERT INTO object (id, kind, name, created, updated, message, extras) VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, created = excluded.created,
                     updated = excluded.updated, message = excluded.message, extras = excluded.extras",
            )?;
            let mut delete = transaction.prepare("DELETE FROM object WHERE id = ?")?;
            for step in steps {
                match step {
                    Step::Put(item) => {
                        let (message, extras) = item.encoded();
                        let (created, updated) = item.seconds();
                        let (id, kind, name) = (item.id(), item.kind(), item.name());
                        put.execute(params![id, kind, name, created, updated, message, extras.to_string()])?;
                    }
                    Step::Delete(id) => _ = delete.execute([id])?,
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

impl From<rusqlite::Error> for ChangeError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Database(error),
        }
    }
}

/// What a file turned out to be.
enum Prepared {
    Ready(Connection),
    Foreign,
    TooNew(usize),
    Broken(String),
}

fn prepare(mut connection: Connection, is_new: bool) -> rusqlite::Result<Prepared> {
    connection.busy_timeout(PATIENCE)?;
    let number = |connection: &Connection, pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let (application, version): (i32, i64) = (
        number(&connection, "application_id")?,
        connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
    );
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if !is_new && application != APPLICATION {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Ok(Prepared::Foreign);
        }
    }
    if version > MIGRATIONS.len() {
        return Ok(Prepared::TooNew(version));
    }
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Prepared::Broken(verdict));
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", MAX_LOG)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    migrate(&mut connection, version)?;
    Ok(Prepared::Ready(connection))
}

fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    for (version, sql) in MIGRATIONS.iter().enumerate().skip(from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", version as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// A file beside the store says that it is in use: locks on the store itself would be lost as soon as anything in this
/// process closes it.
fn lock(path: &Path) -> Result<File, OpenError> {
    let io = |error| OpenError::Io(path.to_owned(), error);
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(beside(path, "lock"));
    let lock = lock.map_err(io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Makes the file, or takes it from everybody but our user. SQLite gives its log and its index the same mode. Returns its
/// length.
fn private(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if metadata.permissions().mode() & 0o077 != 0 {
        for path in [path.to_owned(), beside(path, "wal"), beside(path, "shm")] {
            if path.exists() {
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            }
        }
    }
    Ok(metadata.len())
}

/// The name of a file that belongs to the store.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-");
    name.push(what);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
