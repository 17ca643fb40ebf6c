//! Our participant's attributes: as they should be, and as the server knows them.

use std::collections::{BTreeMap, HashMap};

/// The current map survives every loss of the room; what the server knows is learned anew at each join.
#[derive(Debug)]
pub(super) struct Attributes {
    current: BTreeMap<String, String>,
    told: BTreeMap<String, String>,
}

impl Attributes {
    pub(super) fn new(current: BTreeMap<String, String>) -> Self {
        Self { current, told: BTreeMap::new() }
    }

    /// Sets these and leaves the others; an empty value takes one away.
    pub(super) fn merge(&mut self, changes: BTreeMap<String, String>) {
        for (key, value) in changes {
            if value.is_empty() {
                self.current.remove(&key);
            } else {
                self.current.insert(key, value);
            }
        }
    }

    /// The map for the token of a join; from here on the server is taken to know it.
    pub(super) fn for_join(&mut self) -> BTreeMap<String, String> {
        self.told.clone_from(&self.current);
        self.current.clone()
    }

    /// What to tell the server: changed keys alone, an empty value for those that are gone. The caller sends it.
    pub(super) fn changes(&mut self) -> HashMap<String, String> {
        let gone =
            self.told.keys().filter(|key| !self.current.contains_key(*key)).map(|key| (key.clone(), String::new()));
        let set = self.current.iter().filter(|(key, value)| self.told.get(*key) != Some(value));
        let changes = gone.chain(set.map(|(key, value)| (key.clone(), value.clone()))).collect();
        self.told.clone_from(&self.current);
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn only_changed_keys_are_told() {
        let mut attributes = Attributes::new(map(&[("a", "1"), ("b", "2")]));
        assert_eq!(attributes.for_join(), map(&[("a", "1"), ("b", "2")]));
        assert!(attributes.changes().is_empty());
        attributes.merge(map(&[("a", "1"), ("b", ""), ("c", "3")]));
        assert_eq!(attributes.changes(), HashMap::from([("b".into(), String::new()), ("c".into(), "3".into())]));
        assert!(attributes.changes().is_empty());
        assert_eq!(attributes.for_join(), map(&[("a", "1"), ("c", "3")]));
    }

    #[test]
    fn a_change_between_join_and_its_answer_is_told_afterwards() {
        let mut attributes = Attributes::new(map(&[("status", "ringing")]));
        attributes.for_join();
        attributes.merge(map(&[("status", "active")]));
        assert_eq!(attributes.changes(), HashMap::from([("status".into(), "active".into())]));
    }
}
