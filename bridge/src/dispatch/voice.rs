//! In which language the gateway speaks to the callers of a rule, and by which recordings.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::call::pin::Prompt;

/// What a rule says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Voice {
    /// A language tag; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// WAV files in place of single recordings.
    #[serde(skip_serializing_if = "Recordings::is_empty")]
    pub prompts: Recordings,
}

/// Paths of WAV files; empty for those that are not replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recordings {
    /// Asks for the PIN.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub enter_pin: String,
    /// Says that it was wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wrong_pin: String,
    /// Says that it was right.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub room_join: String,
    /// Heard by a phone that the room holds, again and again.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hold: String,
}

impl Recordings {
    /// The file of a prompt, if it is replaced.
    pub fn of(&self, prompt: Prompt) -> Option<&Path> {
        let path = match prompt {
            Prompt::EnterPin => &self.enter_pin,
            Prompt::WrongPin => &self.wrong_pin,
            Prompt::RoomJoin => &self.room_join,
        };
        named(path)
    }

    /// The file that a held phone hears.
    pub fn hold(&self) -> Option<&Path> {
        named(&self.hold)
    }

    /// All files, with the fields that name them.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let fields = [
            ("enter_pin", &self.enter_pin),
            ("wrong_pin", &self.wrong_pin),
            ("room_join", &self.room_join),
            ("hold", &self.hold),
        ];
        fields.into_iter().filter_map(|(field, path)| Some((field, named(path)?)))
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn named(path: &str) -> Option<&Path> {
    (!path.is_empty()).then(|| Path::new(path))
}
