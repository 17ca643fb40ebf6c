//! A process that is killed while it writes: whatever it was told is written must be there.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// Writes in all, over all lives of the process.
const WRITES: usize = 200;
/// Tells a process that it is the one to be killed: the path of its store.
const VARIABLE: &str = "TRUNKLINE_TEST_STORE_WRITER";

/// Not a test by itself: the process that the next one starts.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let (store, _) = Store::open(Some(Path::new(&path)), Items::default()).unwrap();
    for _ in 0..WRITES {
        let number = format!("+{}", rand::random::<u64>());
        let id = store.create_inbound_trunk(trunk(&number, &[&number])).unwrap().sip_trunk_id;
        let renamed = store.update_inbound_trunk(rename(&id, "renamed")).unwrap();
        // A test's output is kept back: this goes past it.
        let line = format!("\nacknowledged {id} {number} {}\n", renamed.name);
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).unwrap();
    }
}

#[test]
fn whatever_was_acknowledged_survives_being_killed() {
    let folder = Folder::new();
    let path = folder.path("store.db");
    let mut acknowledged = Vec::<(String, String)>::new();
    let mut lives = 0;
    while acknowledged.len() < WRITES {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::kill::writer", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // A life is 1 to 20 writes long, so that the blow falls on every stage of one.
        let life = 1 + lives * 7 % 20;
        let told = lines.map_while(Result::ok).filter_map(|line| {
            let mut words = line.strip_prefix("acknowledged ")?.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        });
        let before = acknowledged.len();
        acknowledged.extend(told.take(life));
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(acknowledged.len() > before, "the writer does not write");
        lives += 1;
        let (store, warnings) = Store::open(Some(&path), Items::default()).unwrap();
        assert!(!warnings.iter().any(|warning| warning.contains("read")), "{warnings:?}");
        for (id, number) in &acknowledged {
            let found = store.inbound_trunk(id).unwrap();
            assert_eq!((found.name.as_str(), &found.numbers[0]), ("renamed", number), "after {lives} lives");
        }
    }
    assert!(lives >= 10, "killed only {lives} times");
}
