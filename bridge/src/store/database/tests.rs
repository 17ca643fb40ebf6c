use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::store::record::{CallRecord, RecordFilter};
use crate::store::tests::{Folder, inbound};

fn open(path: &Path) -> Result<Database, OpenError> {
    Database::open(path, 1_700_000_000)
}

fn refused(path: &Path) -> String {
    open(path).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let folder = Folder::new();
    let path = folder.path("store.db");
    let item = Arc::new(inbound("ST_a", "a", &["+1"]));
    let mut database = open(&path).unwrap();
    database.write(&[Step::Put(Arc::clone(&item)), Step::Put(Arc::new(inbound("ST_b", "b", &["+2"])))]).unwrap();
    database.write(&[Step::Delete("ST_b".to_owned())]).unwrap();
    drop(database);
    let (items, unreadable) = open(&path).unwrap().objects().unwrap();
    assert!(items == [(*item).clone()] && unreadable.is_empty());
}

#[test]
fn only_our_user_may_read_the_file() {
    let folder = Folder::new();
    let path = folder.path("store.db");
    let database = open(&path).unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in [path.clone(), beside(&path, "wal"), beside(&path, "shm")] {
        assert_eq!(mode(file.clone()), 0o600, "{}", file.display());
    }
    drop(database);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _open = open(&path).unwrap();
    assert_eq!(mode(path), 0o600, "a file that others could read is taken from them");
}

#[test]
fn a_second_gateway_is_turned_away_and_a_reader_is_not() {
    let folder = Folder::new();
    let path = folder.path("store.db");
    let first = open(&path).unwrap();
    assert!(refused(&path).contains("is in use by another process"));
    let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let objects: i64 = reader.query_row("SELECT count(*) FROM object", [], |row| row.get(0)).unwrap();
    assert_eq!(objects, 0);
    drop(first);
    assert!(open(&path).is_ok(), "the first is gone");
}

#[test]
fn a_broken_file_is_copied_once_and_left() {
    let folder = Folder::new();
    type Damage = fn(&mut Vec<u8>);
    let cases: &[(&str, Damage)] = &[
        ("no database", |file| *file = b"this is a text that somebody has put here".repeat(100)),
        ("a page is gone", |file| file[4096..8192].fill(0xff)),
        ("cut short", |file| file.truncate(file.len() - 4096)),
    ];
    for (name, damage) in cases {
        let path = folder.path(&format!("{name}.db"));
        let mut database = open(&path).unwrap();
        let many: Vec<_> =
            (0..100).map(|n| Step::Put(Arc::new(inbound(&format!("ST_{n}"), "a trunk", &["+1"])))).collect();
        database.write(&many).unwrap();
        drop(database);
        let mut file = fs::read(&path).unwrap();
        damage(&mut file);
        fs::write(&path, &file).unwrap();
        for _ in 0..2 {
            let said = refused(&path);
            assert!(said.contains("is broken") && said.contains(".corrupt-1700000000"), "{name}: {said}");
        }
        assert_eq!(fs::read(&path).unwrap(), file, "{name}: it is left as it is");
        assert_eq!(fs::read(folder.path(&format!("{name}.db.corrupt-1700000000"))).unwrap(), file, "{name}");
        let copies = fs::read_dir(folder.path("")).unwrap().flatten();
        let copies =
            copies.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}.db.corrupt")));
        assert_eq!(copies.count(), 1, "{name}: one copy, not one a start");
    }
}

#[test]
fn files_of_others_and_of_later_versions_are_left_alone() {
    let folder = Folder::new();
    let foreign = folder.path("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(refused(&foreign).contains("not one of ours"));
    let later = folder.path("later.db");
    drop(open(&later).unwrap());
    Connection::open(&later).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(refused(&later).contains("of version 99, this program knows 1"));
    let nowhere = refused(&folder.path("no/such/folder.db"));
    assert!(nowhere.contains("No such file"), "{nowhere}");
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let folder = Folder::new();
    let path = folder.path("store.db");
    let mut database = open(&path).unwrap();
    database.write(&[Step::Put(Arc::new(inbound("ST_a", "a", &["+1"])))]).unwrap();
    let pages: i64 = database.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let _: i64 =
        database.connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 1), [], |row| row.get(0)).unwrap();
    let long = "x".repeat(100_000);
    let full = database.write(&[Step::Put(Arc::new(inbound("ST_b", &long, &["+2"])))]).unwrap_err();
    assert!(matches!(full, ChangeError::Full), "{full:?}");
    assert_eq!(database.objects().unwrap().0.len(), 1);
    database.write(&[Step::Put(Arc::new(inbound("ST_c", "c", &["+3"])))]).unwrap();
    drop(database);
    assert_eq!(open(&path).unwrap().objects().unwrap().0.len(), 2);
}

#[test]
fn an_object_that_cannot_be_read_stays_where_it_is() {
    let folder = Folder::new();
    let path = folder.path("store.db");
    let mut database = open(&path).unwrap();
    database.write(&[Step::Put(Arc::new(inbound("ST_a", "a", &["+1"])))]).unwrap();
    let insert =
        "INSERT INTO object VALUES ('ST_b', 'inbound', 'b', 0, 0, x'ff', '{}'), ('X', 'later', '', 0, 0, '', '{}')";
    database.connection.execute(&insert.replace("''", "x''").replace("'later', x''", "'later', ''"), []).unwrap();
    let (items, unreadable) = database.objects().unwrap();
    assert_eq!((items.len(), unreadable.len()), (1, 2), "{unreadable:?}");
    assert!(unreadable[0].contains("ST_b") && unreadable[1].contains("no kind \"later\""), "{unreadable:?}");
}

#[test]
fn the_oldest_records_make_room() {
    let mut database = Database::in_memory().unwrap();
    for batch in 0..5 {
        let call = |n: u64| CallRecord { id: format!("SCL_{n}"), started: n, ..CallRecord::default() };
        let calls: Vec<_> = (batch * 10..batch * 10 + 10).map(call).collect();
        database.add_calls_up_to(&calls, 25).unwrap();
    }
    let ids: Vec<_> = database.calls(&RecordFilter::default()).unwrap().into_iter().map(|call| call.id).collect();
    assert_eq!((ids.len(), ids[0].as_str(), ids[24].as_str()), (25, "SCL_49", "SCL_25"));
}

#[test]
fn records_are_found_by_what_is_asked() {
    let mut database = Database::in_memory().unwrap();
    let call = |id: &str, started, room: &str, trunk: &str, from: &str, to: &str| {
        let [id, room, trunk, from, to] = [id, room, trunk, from, to].map(str::to_owned);
        CallRecord { id, started, room, trunk, from, to, sip_status: Some(486), ..CallRecord::default() }
    };
    let calls = [
        call("SCL_1", 10, "a", "ST_1", "+1", "+2"),
        call("SCL_2", 20, "b", "ST_1", "+2", "+3"),
        call("SCL_3", 30, "a", "ST_2", "+4", "+5"),
    ];
    database.add_calls(&calls).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let none = RecordFilter::default();
    let cases: &[(&str, RecordFilter, &[usize])] = &[
        ("all, newest first", none.clone(), &[2, 1, 0]),
        ("two", RecordFilter { limit: Some(2), ..none.clone() }, &[2, 1]),
        ("the next page", RecordFilter { before: text("SCL_2"), ..none.clone() }, &[0]),
        ("after one that is gone", RecordFilter { before: text("SCL_0"), ..none.clone() }, &[]),
        ("a room", RecordFilter { room: text("a"), ..none.clone() }, &[2, 0]),
        ("a trunk", RecordFilter { trunk: text("ST_1"), ..none.clone() }, &[1, 0]),
        ("a number, from or to", RecordFilter { number: text("+2"), ..none.clone() }, &[1, 0]),
        ("a time", RecordFilter { since: Some(20), until: Some(30), ..none.clone() }, &[1]),
        ("several", RecordFilter { room: text("a"), number: text("+2"), ..none.clone() }, &[0]),
        ("a quote", RecordFilter { room: text("' OR 1=1 --"), ..none.clone() }, &[]),
        ("a time beyond all", RecordFilter { since: Some(u64::MAX), ..none }, &[]),
    ];
    for (name, filter, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|at| calls[*at].clone()).collect();
        assert_eq!(database.calls(filter).unwrap(), expected, "{name}");
    }
}
