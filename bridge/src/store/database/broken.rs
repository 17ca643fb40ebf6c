//! A store that is broken is copied aside, once, so that nothing that is done next can make it worse.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{OpenError, beside};

/// Copies the file and its log, and says where to.
pub(super) fn copied(path: &Path, what: String, now: u64) -> OpenError {
    match copy(path, now) {
        Ok(copy) => OpenError::Broken { path: path.to_owned(), copy, what },
        Err(error) => OpenError::Io(path.to_owned(), io::Error::other(format!("it is broken ({what}), and {error}"))),
    }
}

fn copy(path: &Path, now: u64) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".corrupt-");
    // Whoever starts us again and again gets one copy, not one a start.
    for entry in path.parent().into_iter().flat_map(fs::read_dir).flatten().flatten() {
        let is_copy = entry.file_name().as_encoded_bytes().starts_with(name.as_encoded_bytes());
        if is_copy && same(&entry.path(), path).unwrap_or(false) {
            return Ok(entry.path());
        }
    }
    name.push(now.to_string());
    let copy = path.with_file_name(name);
    fs::copy(path, &copy)?;
    let log = beside(path, "wal");
    if log.exists() {
        fs::copy(log, beside(&copy, "wal"))?;
    }
    Ok(copy)
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let read = one.read(&mut a)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut b[..read])?;
        if a[..read] != b[..read] {
            return Ok(false);
        }
    }
}
