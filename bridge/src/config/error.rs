//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use super::tree::Place;
use crate::store;

/// Everything that is wrong with a configuration, in the order of the file as far as it has one.
#[derive(Debug, thiserror::Error)]
pub struct Invalid {
    /// One a problem; there is at least one.
    pub errors: Vec<Error>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl From<Error> for Invalid {
    fn from(error: Error) -> Self {
        Self { errors: vec![error] }
    }
}

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no configuration to read.
    #[error("no configuration: give --config FILE or set SIP_CONFIG_FILE or SIP_CONFIG_BODY")]
    Nothing,
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The text is no YAML.
    #[error("not YAML: {0}")]
    Yaml(String),
    /// A key that there is not.
    #[error("{place}: unknown key {key:?}{}", suggestion(.nearest))]
    UnknownKey {
        /// Where it stands.
        place: Place,
        /// Its path.
        key: String,
        /// The most similar key that there is.
        nearest: Option<String>,
    },
    /// A value that does not fit its key.
    #[error("{place}: {key} is {value}, expected {expected}")]
    Value {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// As written.
        value: String,
        /// What would fit.
        expected: String,
    },
    /// A value that must be there.
    #[error("{key} is not set{}", from_environment(.variable))]
    Missing {
        /// The key.
        key: &'static str,
        /// The environment variable that would do as well.
        variable: Option<&'static str>,
    },
    /// Two keys that exclude each other.
    #[error("{one} and {other} exclude each other")]
    Exclusive {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Two keys that want the same port.
    #[error("{one} and {other} both want port {port}")]
    Clash {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
        /// The port.
        port: u16,
    },
    /// A value in the environment that does not fit.
    #[error("environment variable {variable} is {value:?}, expected {expected}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What would fit.
        expected: String,
    },
    /// A trunk or a rule.
    #[error("{place}: {error}")]
    Object {
        /// Where it begins.
        place: Place,
        /// What is wrong.
        error: store::Error,
    },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|nearest| format!(", did you mean {nearest:?}?")).unwrap_or_default()
}

fn from_environment(variable: &Option<&str>) -> String {
    variable.map(|variable| format!(", neither in the file nor as {variable} in the environment")).unwrap_or_default()
}
