//! Our participant's attributes: as they should be, and as the server knows them.

use std::collections::{BTreeMap, HashMap};

/// The current map survives every loss of the room; what the server knows is learned anew at each join. Others may change
/// them as well, by the server's API: theirs is what stands, unless it is older than a change of ours.
#[derive(Debug)]
pub(super) struct Attributes {
    current: BTreeMap<String, String>,
    told: BTreeMap<String, String>,
    /// Changes that the server was told and has not repeated; an empty value for what is to go.
    unconfirmed: HashMap<String, String>,
}

impl Attributes {
    pub(super) fn new(current: BTreeMap<String, String>) -> Self {
        Self { current, told: BTreeMap::new(), unconfirmed: HashMap::new() }
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
        self.unconfirmed.clear();
        self.current.clone()
    }

    /// What to tell the server: changed keys alone, an empty value for those that are gone. The caller sends it.
    pub(super) fn changes(&mut self) -> HashMap<String, String> {
        let gone =
            self.told.keys().filter(|key| !self.current.contains_key(*key)).map(|key| (key.clone(), String::new()));
        let set = self.current.iter().filter(|(key, value)| self.told.get(*key) != Some(value));
        let changes: HashMap<_, _> = gone.chain(set.map(|(key, value)| (key.clone(), value.clone()))).collect();
        self.told.clone_from(&self.current);
        self.unconfirmed.extend(changes.clone());
        changes
    }

    /// The server says what they are; returns what others have changed, an empty value for what they took away. A server
    /// that says nothing knows nothing of attributes.
    pub(super) fn learn(&mut self, known: &HashMap<String, String>) -> BTreeMap<String, String> {
        if known.is_empty() {
            return BTreeMap::new();
        }
        let value = |key: &String| known.get(key).cloned().unwrap_or_default();
        self.unconfirmed.retain(|key, told| value(key) != *told);
        let is_news = |key: &&String| {
            !self.unconfirmed.contains_key(*key) && value(key) != self.told.get(*key).cloned().unwrap_or_default()
        };
        let news: BTreeMap<_, _> =
            known.keys().chain(self.told.keys()).filter(is_news).map(|key| (key.clone(), value(key))).collect();
        for (key, value) in &news {
            match value.is_empty() {
                true => self.told.remove(key),
                false => self.told.insert(key.clone(), value.clone()),
            };
        }
        self.merge(news.clone());
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    /// Each step: what we set, what the server says then, and what others have changed by that.
    #[test]
    fn what_others_change_is_learned_and_echoes_are_not() {
        type Pairs = &'static [(&'static str, &'static str)];
        let steps: &[(&str, Pairs, Pairs, Pairs)] = &[
            ("as it is", &[], &[("a", "1")], &[]),
            ("another one", &[], &[("a", "1"), ("b", "2")], &[("b", "2")]),
            ("the same again", &[], &[("a", "1"), ("b", "2")], &[]),
            ("ours is changed by others", &[], &[("a", "9"), ("b", "2")], &[("a", "9")]),
            ("older than our change", &[("a", "3")], &[("a", "9"), ("b", "2")], &[]),
            ("our change", &[], &[("a", "3"), ("b", "2")], &[]),
            ("two of ours, the first is repeated", &[("a", "4"), ("a", "5")], &[("a", "4"), ("b", "2")], &[]),
            ("the second", &[], &[("a", "5"), ("b", "2")], &[]),
            ("ours again, by others", &[], &[("a", "6"), ("b", "2")], &[("a", "6")]),
            ("taken away by others", &[], &[("a", "6")], &[("b", "")]),
            ("taken away by us, still there", &[("a", "")], &[("a", "6"), ("c", "1")], &[("c", "1")]),
            ("gone", &[], &[("c", "1")], &[]),
            ("a server of old", &[], &[], &[]),
        ];
        let mut attributes = Attributes::new(map(&[("a", "1")]));
        attributes.for_join();
        for (name, ours, known, expected) in steps {
            for pair in *ours {
                attributes.merge(map(&[*pair]));
                attributes.changes();
            }
            let known = known.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
            assert_eq!(attributes.learn(&known), map(expected), "{name}");
            assert!(attributes.changes().is_empty(), "{name}: nothing is told back");
        }
        assert_eq!(attributes.for_join(), map(&[("c", "1")]), "a rejoin brings them along");
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
