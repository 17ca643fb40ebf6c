//! The values of the file, key by key: set, taken over from another key, or the default.

use std::collections::BTreeMap;

use super::key::{self, KEYS, Key};
use super::object::misfit;
use super::tree::{Node, Value};
use super::value::Kind;
use super::{Error, Note, NoteLevel};

/// The values of the file by key, each of the kind its key takes.
pub(super) struct Values<'a> {
    set: BTreeMap<String, &'a Node>,
    defaults: BTreeMap<&'static str, Node>,
}

impl<'a> Values<'a> {
    pub(super) fn read(document: &'a Node, errors: &mut Vec<Error>) -> Self {
        let default = |key: &Key| {
            let document = Node::parse(&format!("default: {}", key.default)).ok()?;
            Some((key.path, document.entries()?.first()?.2.clone()))
        };
        let has_default = |key: &&Key| !key.default.is_empty() && !key.default.starts_with('=');
        let defaults = KEYS.iter().filter(has_default).filter_map(default).collect();
        let mut values = Self { set: BTreeMap::new(), defaults };
        values.section(document, "", errors);
        values
    }

    fn section(&mut self, node: &'a Node, path: &str, errors: &mut Vec<Error>) {
        let Value::Map(entries) = &node.value else {
            let key = if path.is_empty() { "the file" } else { path }.to_owned();
            let expected = "a map of keys".to_owned();
            errors.push(Error::Value { place: node.place, key, value: node.shown(), expected });
            return;
        };
        for (place, name, value) in entries {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if matches!(value.value, Value::Null) && (key::find(&path).is_some() || key::is_section(&path)) {
                continue;
            }
            if let Some(key) = key::find(&path) {
                if key.kind.fits(value) && !is_blank(value) {
                    self.set.insert(path, value);
                } else if !is_nothing(key.kind, value) {
                    errors.push(misfit(value, &path, key.kind));
                }
            } else if key::is_section(&path) {
                self.section(value, &path, errors);
            } else {
                errors.push(Error::UnknownKey { place: *place, nearest: nearest(&path, name), key: path });
            }
        }
    }

    /// The value that the file gives a key.
    pub(super) fn set(&self, path: &str) -> Option<&'a Node> {
        self.set.get(path).copied()
    }

    /// The values of a key that there may be for each language, with the languages.
    pub(super) fn of_languages<'k>(&self, key: &'k str) -> impl Iterator<Item = (&str, &'a Node)> + use<'_, 'a, 'k> {
        let (before, after) = key.split_once(key::LANGUAGE).unwrap_or((key, ""));
        let language = move |path: &'_ String| -> Option<std::ops::Range<usize>> {
            let rest = path.strip_prefix(before)?.strip_suffix(after)?;
            let is_one = !after.is_empty() && !rest.contains('.');
            is_one.then(|| before.len()..before.len() + rest.len())
        };
        self.set.iter().filter_map(move |(path, node)| Some((&path[language(path)?], *node)))
    }

    /// The value of a key: from the file, from the key whose value it takes over, or the default.
    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        if let Some(node) = self.set.get(path) {
            return Some(node);
        }
        match key::find(path).and_then(|key| key.default.strip_prefix('=')) {
            Some(other) => self.get(other),
            None => self.defaults.get(path),
        }
    }

    pub(super) fn take<T>(&self, path: &str, read: impl Fn(&Node) -> Option<T>) -> T {
        debug_assert!(key::find(path).is_some(), "{path} is no key");
        self.get(path).and_then(read).expect("a value was held against its kind, and a key without one has a default")
    }

    pub(super) fn text(&self, path: &str) -> String {
        self.get(path).and_then(Node::text).unwrap_or_default().to_owned()
    }

    pub(super) fn bool(&self, path: &str) -> bool {
        self.take(path, Node::bool)
    }

    pub(super) fn port(&self, path: &str) -> u16 {
        self.take(path, |node| node.integer()?.try_into().ok())
    }

    pub(super) fn duration(&self, path: &str) -> std::time::Duration {
        self.take(path, |node| Some(node.duration()?.1))
    }

    /// What the keys without effect that are set have to say.
    pub(super) fn idle_notes(&self) -> Vec<Note> {
        let idle = KEYS.iter().filter(|key| !key.works && self.set.contains_key(key.path));
        idle.map(|key| Note { level: NoteLevel::Info, text: format!("{} has no effect: {}", key.path, key.about) })
            .collect()
    }

    /// Every key with an effect and its value, secrets hidden, for people.
    pub(super) fn effective(&self) -> Vec<(&'static str, String)> {
        let shown = |key: &Key| {
            if key.path.contains(key::LANGUAGE) {
                let each: Vec<_> =
                    self.of_languages(key.path).map(|(language, node)| format!("{language}: {}", flow(node))).collect();
                return (!each.is_empty()).then(|| (key.path, format!("{{{}}}", each.join(", "))));
            }
            let node = self.get(key.path)?;
            let text = match key.kind {
                Kind::Objects(_) => return None,
                Kind::Secret => "…".to_owned(),
                _ => flow(node),
            };
            Some((key.path, text))
        };
        KEYS.iter().filter(|key| key.works).filter_map(shown).collect()
    }
}

/// Text without a character: livekit-sip does not tell it from a key that is not set.
fn is_blank(node: &Node) -> bool {
    node.text() == Some("")
}

/// A zero where none fits stands for not set in livekit-sip, and so do blanks.
fn is_nothing(kind: Kind, node: &Node) -> bool {
    let has_zero = matches!(kind, Kind::Port | Kind::Integer(..) | Kind::Duration(..));
    is_blank(node) || has_zero && matches!(node.text(), Some("0" | "0s"))
}

/// The key that was probably meant: one beside it, else one whose last part is like it.
fn nearest(path: &str, name: &str) -> Option<String> {
    let full = key::nearest(path, KEYS.iter().map(|key| key.path));
    let last = |key: &'static Key| key.path.rsplit('.').next().unwrap_or(key.path);
    let by_last = || {
        let likest = key::nearest(name, KEYS.iter().map(last))?;
        KEYS.iter().find(|key| last(key) == likest).map(|key| key.path)
    };
    full.or_else(by_last).map(str::to_owned)
}

/// A value on one line of YAML.
fn flow(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".to_owned(),
        Value::Scalar { text, .. } if text.is_empty() => "\"\"".to_owned(),
        Value::Scalar { text, .. } => text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entry = |(_, key, value): &(_, String, Node)| format!("{key}: {}", flow(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
