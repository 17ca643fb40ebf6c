//! JSON as strangers send it, taken strictly: a name that is there twice in one object is refused, because two readers
//! would believe two things. `null` is the same as not there (protojson). `serde_json` itself goes no deeper than 128.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Entries of one list or one object. Each costs memory here, and a comparison with others when an object is checked.
pub(super) const MOST_ENTRIES: usize = 10_000;

/// Reads a text that is one JSON value and nothing else.
pub(super) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(text).map(|Strict(value)| value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            check_room::<A::Error>(list.len())?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, _>()? {
            check_room::<A::Error>(map.len())?;
            if map.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name:?} is there twice")));
            }
            map.insert(name, value);
        }
        map.retain(|_, value| !value.is_null());
        Ok(Value::Object(map))
    }
}

/// Whether there may be one entry more.
fn check_room<E: Error>(entries: usize) -> Result<(), E> {
    if entries < MOST_ENTRIES { Ok(()) } else { Err(E::custom(format_args!("more than {MOST_ENTRIES} entries"))) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_they_say() {
        let cases = [
            ("{}", json!({})),
            (r#"{"a": null, "b": {"c": null, "d": 1}}"#, json!({"b": {"d": 1}})),
            (r#" [null, true, -1, 1.5, "x", 18446744073709551615] "#, json!([null, true, -1, 1.5, "x", u64::MAX])),
            (r#"{"a": {"x": 1}, "b": {"x": 2}}"#, json!({"a": {"x": 1}, "b": {"x": 2}})),
            ("null", Value::Null),
        ];
        for (text, value) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        let long = format!("[{}0]", "0,".repeat(MOST_ENTRIES));
        let deep = "[".repeat(200) + &"]".repeat(200);
        let cases: &[(&str, &[u8])] = &[
            ("nothing", b""),
            ("half", b"{"),
            ("two", b"{}{}"),
            ("twice", br#"{"a": 1, "a": 2}"#),
            ("twice, once in escapes", br#"{"a": 1, "\u0061": 2}"#),
            ("twice, once null", br#"{"a": null, "a": 2}"#),
            ("twice inside", br#"{"a": {"b": 1, "b": 1}}"#),
            ("long", long.as_bytes()),
            ("deep", deep.as_bytes()),
            ("not UTF-8", b"{\"a\": \"\xff\"}"),
            ("half a surrogate", br#"{"a": "\ud800"}"#),
            ("a control character", b"{\"a\": \"\x01\"}"),
            ("a comma too many", b"[1,]"),
            ("a number beyond numbers", b"1e999"),
        ];
        for (name, text) in cases {
            assert!(parse(text).is_err(), "{name}");
        }
    }
}
