//! Against another reader of SIP: what both accept, both must understand alike.
//!
//! `rsip` knows less than we do (no compact names, no folding), so it accepts fewer messages; the carriers' messages and
//! seeded damage done to them find the places where two readers could be played off against each other.

use rsip::{
    SipMessage,
    prelude::{HeadersExt, ToTypedHeader},
};
use sip::{HeaderName, Message, Token};

/// How many damaged copies of each carrier's message.
const COPIES: u64 = 700;
/// What may be put into a message; most of it means something somewhere in the grammar.
const SPICES: &[u8] = b" \t\r\n:;,=<>@\"\\/?%&.-_()[]{}0159azAZ+*~#|\x00\x7f\xff";

#[derive(Debug, PartialEq)]
struct Reading {
    start: String,
    branch: Option<String>,
    from_tag: Option<String>,
    to_tag: Option<String>,
    call_id: String,
    cseq: (u32, String),
}

#[test]
fn both_readers_understand_the_same() {
    let (mut compared, mut misread, mut ours_alone, mut theirs_alone) = (0, 0, 0, 0);
    for (name, original) in carriers() {
        for seed in 0..COPIES {
            let copy = if seed == 0 { original.clone() } else { damaged(&original, seed) };
            match (ours(&copy), theirs(&copy)) {
                (Some(ours), Some(_)) if rsip_misreads(&copy, &ours) => misread += 1,
                (Some(ours), Some(theirs)) => {
                    let text = String::from_utf8_lossy(&copy);
                    assert_eq!(ours, theirs, "{name}, seed {seed}\n{text}");
                    compared += 1;
                }
                (Some(_), None) => ours_alone += 1,
                (None, Some(_)) => theirs_alone += 1,
                (None, None) => {}
            }
        }
    }
    println!(
        "{compared} compared, {misread} left out, {ours_alone} accepted by us alone, {theirs_alone} by rsip alone"
    );
    assert!(compared >= 5_000, "only {compared} messages were accepted by both");
}

/// What `rsip` is known to read otherwise than RFC 3261 has it, or than the sender can have meant: it cuts a branch or
/// a tag where a character is no token's, does not know HTAB, and takes white space before a colon for part of a name.
fn rsip_misreads(copy: &[u8], ours: &Reading) -> bool {
    let names = [&ours.branch, &ours.from_tag, &ours.to_tag];
    let has_odd_name = names.into_iter().flatten().any(|name| Token::new(name).is_none());
    has_odd_name || copy.contains(&b'\t') || copy.windows(2).any(|two| two == b" :")
}

fn ours(bytes: &[u8]) -> Option<Reading> {
    let message = Message::parse(bytes).ok()?;
    let headers = message.headers();
    let cseq = headers.cseq().ok()?;
    Some(Reading {
        start: match &message {
            Message::Request(request) => request.method.to_string(),
            Message::Response(response) => response.status.to_string(),
        },
        branch: headers.via().ok()?.branch().map(|branch| branch.to_string()),
        from_tag: headers.from().ok()?.tag().map(|tag| tag.to_string()),
        to_tag: headers.to().ok()?.tag().map(|tag| tag.to_string()),
        call_id: headers.get(&HeaderName::CallId)?.to_owned(),
        cseq: (cseq.number, cseq.method.to_string()),
    })
}

fn theirs(bytes: &[u8]) -> Option<Reading> {
    let message = SipMessage::try_from(bytes).ok()?;
    let cseq = message.cseq_header().ok()?.typed().ok()?;
    let via = message.via_header().ok()?.typed().ok()?;
    let (from, to) = (message.from_header().ok()?.typed().ok()?, message.to_header().ok()?.typed().ok()?);
    let filled = |text: String| (!text.is_empty()).then_some(text);
    Some(Reading {
        start: match &message {
            SipMessage::Request(request) => request.method.to_string(),
            SipMessage::Response(response) => response.status_code.code().to_string(),
        },
        branch: via.branch().and_then(|branch| filled(branch.value().to_owned())),
        from_tag: from.tag().and_then(|tag| filled(tag.value().to_owned())),
        to_tag: to.tag().and_then(|tag| filled(tag.value().to_owned())),
        call_id: rsip::prelude::UntypedHeader::value(message.call_id_header().ok()?).to_owned(),
        cseq: (cseq.seq, cseq.method.to_string()),
    })
}

/// One to three faults: a byte changed, put in or taken out, a line doubled, swapped or taken out.
fn damaged(original: &[u8], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut bytes = original.to_vec();
    for _ in 0..=dice.below(3) {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len() - 1);
        let at = dice.below(head);
        match dice.below(6) {
            0 => bytes[at] = SPICES[dice.below(SPICES.len())],
            1 => bytes.insert(at, SPICES[dice.below(SPICES.len())]),
            2 => drop(bytes.remove(at)),
            kind => {
                let text = bytes.clone();
                let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
                let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
                match kind {
                    3 => lines.insert(one, lines[other]),
                    4 => lines.swap(one, other),
                    _ => drop(lines.remove(one)),
                }
                bytes = lines.concat();
            }
        }
        if bytes.len() < 8 {
            break;
        }
    }
    bytes
}

/// SplitMix64: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).expect("it is below a usize")
    }
}

fn carriers() -> Vec<(String, Vec<u8>)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/carriers");
    let entries = std::fs::read_dir(directory).expect("the carriers' messages are in the tree");
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let read = |path: std::path::PathBuf| (path.display().to_string(), std::fs::read(&path).expect("it was listed"));
    files.into_iter().map(read).collect()
}
