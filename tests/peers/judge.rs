//! How good speech is, by ITU-T P.862 (`tests/python/score.py`), and the clips to speak.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::need::Need;
use crate::root;

/// What was judged of one group of pairs.
#[derive(Clone, Debug)]
pub struct Score {
    /// Its name.
    pub group: String,
    /// Pairs.
    pub count: usize,
    /// Of the scores of all.
    pub median: f64,
    /// The worst.
    pub least: f64,
}

impl Score {
    /// Says so, as a line for the table in docs/PERFORMANCE.md, with the share of packets that were lost.
    pub fn show(&self, (sent, lost): (u64, u64)) {
        let share = 100.0 * lost as f64 / sent.max(1) as f64;
        eprintln!("| {} | {} | {share:.1} | {:.2} | {:.2} |", self.group, self.count, self.median, self.least);
    }
}

/// Clips of `narrow`, `wide` or `reference`, in the order of their names: the samples of each are 16 bits without a header.
pub fn clips(kind: &str) -> Vec<PathBuf> {
    let folder = Need::Speech.expect().join(kind);
    let entries = std::fs::read_dir(folder).expect("the folder of clips is there");
    let mut clips: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    clips.sort();
    clips
}

/// The name of a clip, which it has in every folder.
pub fn name(clip: &Path) -> String {
    clip.file_stem().expect("a clip has a name").to_string_lossy().into_owned()
}

/// The samples of a file.
pub fn read(file: &Path) -> Vec<i16> {
    let bytes = std::fs::read(file).expect("a file of samples can be read");
    bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// The bytes of samples.
pub fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Judges pairs: the group, the original, what was heard of it.
pub fn judge(pairs: &[(String, PathBuf, PathBuf)]) -> Vec<Score> {
    let mut command = Command::new(Need::Python.expect());
    command.arg(root().join("tests/python/score.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("Python starts");
    let lines =
        pairs.iter().map(|(group, original, heard)| format!("{group} {} {}\n", original.display(), heard.display()));
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(lines.collect::<String>().as_bytes()).expect("the judge takes pairs");
    drop(input);
    let output = child.wait_with_output().expect("the judge ends");
    assert!(output.status.success(), "the judge fails");
    String::from_utf8_lossy(&output.stdout).lines().map(score).collect()
}

fn score(line: &str) -> Score {
    let fields: Vec<&str> = line.split(' ').collect();
    let number = |n: usize| fields[n].parse().expect("a number");
    Score { group: fields[0].to_owned(), count: number(1) as usize, median: number(2), least: number(3) }
}
