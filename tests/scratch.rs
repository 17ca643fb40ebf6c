//! A folder for one test: removed when the test passed, kept and shown when it failed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How much of each log a failed test shows.
const LINES_SHOWN: usize = 120;

/// The folder.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a new folder whose name tells the test and the process.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("trunkline-{}-{count}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Self { path }
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).expect("a folder inside the scratch folder can be made");
        }
        fs::write(&file, content).expect("a scratch file can be written");
        file
    }

    /// A folder inside this one; its logs are shown with those of this one.
    pub fn within(&self, name: &str) -> Self {
        let path = self.path.join(name);
        fs::create_dir_all(&path).expect("a folder inside the scratch folder can be made");
        // What identifies this machine to phones over TLS is there as well.
        for file in ["both.pem", "cert.pem", "key.pem"] {
            let _ = fs::copy(self.path.join(file), path.join(file));
        }
        Self { path }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
            return;
        }
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        let mut logs: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| is_log(p)).collect();
        logs.sort();
        for log in logs {
            let text = fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let skipped = text.lines().count().saturating_sub(LINES_SHOWN);
            eprintln!("──── {} (its last {LINES_SHOWN} lines)", log.display());
            for line in text.lines().skip(skipped) {
                eprintln!("{line}");
            }
        }
    }
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "log")
}
