//! A stream from a stranger, cut at places of its choice: the cuts change nothing about what comes out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{Frame, Rejected, StreamReader};

fuzz_target!(|input: (&[u8], u8)| {
    let (stream, step) = input;
    let whole = frames(stream, stream.len().max(1));
    let pieces = frames(stream, usize::from(step).max(1));
    // Where the stream breaks off, a ping cut in two counts as two line ends.
    let messages = |(frames, end): (Vec<Frame>, Option<Rejected>)| {
        (frames.into_iter().filter(|frame| !matches!(frame, Frame::Ping | Frame::Pong)).collect::<Vec<_>>(), end)
    };
    assert_eq!(messages(whole), messages(pieces));
});

fn frames(stream: &[u8], step: usize) -> (Vec<Frame>, Option<Rejected>) {
    let (mut reader, mut frames) = (StreamReader::new(), Vec::new());
    for piece in stream.chunks(step) {
        reader.push(piece);
        loop {
            match reader.poll() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(rejected) => return (frames, Some(rejected)),
            }
        }
    }
    (frames, None)
}
