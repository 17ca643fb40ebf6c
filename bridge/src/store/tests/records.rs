use super::*;

fn call(id: u32) -> CallRecord {
    CallRecord { id: format!("SCL_{id}"), started: u64::from(id), ..CallRecord::default() }
}

#[test]
fn records_are_written_behind_the_calls_and_found_after_a_restart() {
    let folder = Folder::new();
    let first = store(&folder, "");
    for id in 0..1000 {
        first.record(call(id));
    }
    first.flush();
    assert_eq!(first.records(&RecordFilter::default()).unwrap()[0].id, "SCL_999");
    first.record(call(1000));
    drop(first);
    let again = store(&folder, "");
    let records = again.records(&RecordFilter { limit: Some(5000), ..RecordFilter::default() }).unwrap();
    assert_eq!((records.len(), records[0].id.as_str()), (1000, "SCL_1000"), "an answer has its limit");
    assert_eq!(again.dropped_records(), 0);
}

#[test]
fn a_disk_that_hangs_costs_records_and_nobody_waits() {
    let folder = Folder::new();
    let store = store(&folder, "");
    let hang = locked(&store.shared.database);
    for id in 0..10_000 {
        store.record(call(id));
    }
    assert!(store.dropped_records() > 5_000, "{}", store.dropped_records());
    drop(hang);
    store.flush();
    let kept = store.records(&RecordFilter::default()).unwrap();
    assert_eq!(kept.len(), 100);
}

#[test]
fn without_a_file_records_last_as_long_as_the_process() {
    let (store, _) = Store::open(None, Items::default()).unwrap();
    store.record(call(1));
    store.flush();
    assert_eq!(store.records(&RecordFilter::default()).unwrap(), [call(1)]);
}
