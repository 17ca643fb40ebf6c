//! What carriers send, read and written back.

use sip::Message;

#[test]
fn every_carrier_message_is_read_and_survives_writing() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/carriers");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let message = Message::parse(&bytes).unwrap_or_else(|rejected| panic!("{}: {rejected:?}", path.display()));
        assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 29);
}
