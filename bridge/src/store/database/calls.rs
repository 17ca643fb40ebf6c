//! The table of calls: the newest hundred thousand.

use rusqlite::{ToSql, params};

use super::Database;
use crate::store::record::{CallRecord, RecordFilter};

/// Records that are kept; the oldest make room.
pub(super) const MAX_CALLS: i64 = 100_000;
/// Records in an answer, if nothing is said.
const PAGE: usize = 100;
/// Records in an answer at most.
const MAX_PAGE: usize = 1000;

impl Database {
    /// Adds records, all or none.
    pub(crate) fn add_calls(&mut self, records: &[CallRecord]) -> rusqlite::Result<()> {
        self.add_calls_up_to(records, MAX_CALLS)
    }

    pub(super) fn add_calls_up_to(&mut self, records: &[CallRecord], most: i64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut add = transaction.prepare(
                "INSERT INTO call (id, started, room, trunk, caller, called, record) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?;
            for call in records {
                let started = i64::try_from(call.started).unwrap_or(i64::MAX);
                let json = serde_json::to_string(call).unwrap_or_default();
                add.execute(params![call.id, started, call.room, call.trunk, call.from, call.to, json])?;
            }
            let forget = "DELETE FROM call WHERE number <= (SELECT max(number) FROM call) - ?";
            transaction.prepare(forget)?.execute([most])?;
        }
        transaction.commit()
    }

    /// Records, newest first.
    pub(crate) fn calls(&self, filter: &RecordFilter) -> rusqlite::Result<Vec<CallRecord>> {
        let mut sql = "SELECT record FROM call WHERE true".to_owned();
        let mut values: Vec<&dyn ToSql> = Vec::new();
        let mut narrow = |condition: &str, value| {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.push(value);
        };
        let time = |time: Option<u64>| time.map(|time| i64::try_from(time).unwrap_or(i64::MAX));
        let (since, until) = (time(filter.since), time(filter.until));
        if let Some(before) = &filter.before {
            // An id that is not there any more was older than all that are.
            narrow("number < coalesce((SELECT max(number) FROM call WHERE id = ?), 0)", before);
        }
        if let Some(room) = &filter.room {
            narrow("room = ?", room);
        }
        if let Some(trunk) = &filter.trunk {
            narrow("trunk = ?", trunk);
        }
        if let Some(number) = &filter.number {
            narrow("? IN (caller, called)", number);
        }
        if let Some(since) = &since {
            narrow("started >= ?", since);
        }
        if let Some(until) = &until {
            narrow("started < ?", until);
        }
        let limit = filter.limit.unwrap_or(PAGE).min(MAX_PAGE) as i64;
        sql.push_str(" ORDER BY number DESC LIMIT ?");
        values.push(&limit);
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(values.as_slice())?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            // A record of another version has other fields; what is missing is empty.
            records.extend(serde_json::from_str::<CallRecord>(row.get_ref(0)?.as_str()?).ok());
        }
        Ok(records)
    }
}
