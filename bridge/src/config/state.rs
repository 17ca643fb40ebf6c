//! Where the store is kept: where the file says, else in the first place of a service's own that can be written to.

use std::path::{Path, PathBuf};

use super::Environment;

/// The name of the store where only its folder is known.
const NAME: &str = "trunkline.db";

/// The folder of packages and of units without a state directory.
const SYSTEM: &str = "/var/lib/trunkline";

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFile {
    /// The file was named: it has to work.
    Set(PathBuf),
    /// Nobody named one: if it does not work, the API refuses to write.
    Default {
        /// The folder that the service manager gives us, if it does.
        state_directory: Option<PathBuf>,
    },
}

impl StoreFile {
    pub(super) fn new(set: &str, environment: &Environment) -> Self {
        if !set.is_empty() {
            return Self::Set(set.into());
        }
        // systemd joins several folders with colons; the first is the one that the unit names first.
        let folders = environment.get("STATE_DIRECTORY").and_then(|folders| folders.split(':').next());
        Self::Default { state_directory: folders.filter(|folder| !folder.is_empty()).map(PathBuf::from) }
    }

    /// Whether the operator named the file.
    pub fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// The file. Looks at the disk where nobody named it.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Set(path) => path.clone(),
            Self::Default { state_directory: Some(folder) } => folder.join(NAME),
            Self::Default { state_directory: None } if is_writable(Path::new(SYSTEM)) => Path::new(SYSTEM).join(NAME),
            Self::Default { state_directory: None } => NAME.into(),
        }
    }
}

/// Whether a file can be made in a folder. Permissions alone do not tell: the disk may be mounted to be read only.
fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(format!(".{NAME}.{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe).is_ok();
    made && std::fs::remove_file(&probe).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_it_was_said_to_be() {
        let environment = |folders: &str| Environment::from([("STATE_DIRECTORY".to_owned(), folders.to_owned())]);
        let cases: &[(&str, &str, &str)] =
            &[("set", "/data/t.db", "/data/t.db"), ("service", "", "/var/lib/x/trunkline.db")];
        for (name, set, path) in cases {
            assert_eq!(StoreFile::new(set, &environment("/var/lib/x:/var/lib/y")).path(), Path::new(path), "{name}");
        }
        assert_eq!(StoreFile::new("", &environment("")), StoreFile::Default { state_directory: None });
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_written_to() {
        assert!(!is_writable(Path::new("/nonexistent/folder")));
        let folder = std::env::temp_dir();
        assert!(is_writable(&folder));
        assert!(!folder.join(format!(".{NAME}.{}", std::process::id())).exists(), "the probe is gone");
    }
}
