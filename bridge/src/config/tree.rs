//! YAML as a tree in which every value knows its place in the file and its text as it was written.
//!
//! The text matters: `+15105550100` is a number to YAML, and a telephone number without its plus is another one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::Error;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text as written; `quoted` if it can be nothing but text.
    Scalar { text: String, quoted: bool },
    /// A list.
    List(Vec<Node>),
    /// Keys and values in their order.
    Map(Vec<(Place, String, Node)>),
}

/// Line and column, from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Node {
    /// Reads a document; an empty one is an empty map.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let root = serde_saphyr::from_str::<Option<Spanned<Raw>>>(text)
            .map_err(|error| Error::Yaml(error.without_snippet().to_string()))?;
        Ok(match root {
            Some(raw) => Self::new(raw, text),
            None => Self { place: Place { line: 1, column: 1 }, value: Value::Map(Vec::new()) },
        })
    }

    /// What kind of thing it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    fn new(raw: Spanned<Raw>, source: &str) -> Self {
        let span = raw.defined.span();
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Text(text) => {
                let quoted = slice(source, &span).is_some_and(|written| written.starts_with(['"', '\'']));
                Value::Scalar { text, quoted }
            }
            Raw::Typed(text) => {
                let written = slice(source, &span).map(|written| written.trim().to_owned());
                Value::Scalar { text: written.filter(|written| !written.is_empty()).unwrap_or(text), quoted: false }
            }
            Raw::List(items) => Value::List(items.into_iter().map(|item| Self::new(item, source)).collect()),
            Raw::Map(entries) => {
                let entry =
                    |(key, value): (Spanned<String>, _)| (place(key.referenced), key.value, Self::new(value, source));
                Value::Map(entries.into_iter().map(entry).collect())
            }
        };
        Self { place: place(raw.referenced), value }
    }
}

fn place(location: serde_saphyr::Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

fn slice<'a>(source: &'a str, span: &serde_saphyr::Span) -> Option<&'a str> {
    let from = usize::try_from(span.byte_offset()?).ok()?;
    let len = usize::try_from(span.byte_len()?).ok()?;
    source.get(from..from.checked_add(len)?)
}

/// A value as YAML resolves it.
enum Raw {
    Null,
    Text(String),
    /// A number or a truth value, in our words; those of the file are in the source.
    Typed(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars(node: &Node, out: &mut Vec<(String, u64, u64)>) {
        match &node.value {
            Value::Null => out.push(("~".into(), node.place.line, node.place.column)),
            Value::Scalar { text, .. } => out.push((text.clone(), node.place.line, node.place.column)),
            Value::List(items) => items.iter().for_each(|item| scalars(item, out)),
            Value::Map(entries) => {
                for (place, key, value) in entries {
                    out.push((format!("{key}:"), place.line, place.column));
                    scalars(value, out);
                }
            }
        }
    }

    #[test]
    fn values_keep_their_text_and_their_place() {
        let node = Node::parse(
            "a: +15105550100\nb:\n  - 007\n  - '+1'\n  - 1e3\n  - yes # so\n  - ~\nc: {d: 30s, \"e\": 0x1F}\nf: &x 12.50\ng: *x\nh: |\n  two\n  lines\n",
        )
        .unwrap();
        let mut out = Vec::new();
        scalars(&node, &mut out);
        let texts: Vec<_> = out.iter().map(|(text, ..)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "a:",
                "+15105550100",
                "b:",
                "007",
                "+1",
                "1e3",
                "yes",
                "~",
                "c:",
                "d:",
                "30s",
                "e:",
                "0x1F",
                "f:",
                "12.50",
                "g:",
                "12.50",
                "h:",
                "two\nlines\n"
            ]
        );
        assert_eq!(out[1], ("+15105550100".into(), 1, 4));
        assert_eq!(out[3], ("007".into(), 3, 5));
        assert_eq!((out[9].1, out[9].2), (8, 5));
    }

    #[test]
    fn documents_that_are_none_are_errors() {
        for text in ["a: [", "a: 1\na: 2\n", "\t- x: y\n z", "a: *nowhere"] {
            assert!(Node::parse(text).is_err(), "{text:?}");
        }
        assert!(matches!(Node::parse("").unwrap().value, Value::Map(map) if map.is_empty()));
        assert!(matches!(Node::parse("# nothing\n").unwrap().value, Value::Map(map) if map.is_empty()));
    }
}
