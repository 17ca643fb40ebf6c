//! LiveKit's JSON in its two spellings: people write `auth_username` and `authUsername`, `livekit-protocol` the second;
//! we speak the first.

#[cfg(test)]
mod names;

use serde_json::Value;

#[cfg(test)]
pub(crate) use names::names_of;

/// Fields that are maps: their keys are somebody's own words, not names of ours to spell.
const MAPS: &[&str] = &[
    "headers",
    "headers_to_attributes",
    "attributes_to_headers",
    "attributes",
    "participant_attributes",
    "tags",
    "metadata",
    "meta",
    "origins",
];

/// `authUsername` as `auth_username`.
pub fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// `auth_username` as `authUsername`.
pub fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}

/// The same with all names in snake_case, and without what is null, which is the same as not set.
pub fn spelled(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| {
                let name = snake(name);
                let value = if is_map(&name) { value.clone() } else { spelled(value) };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(spelled).collect(),
        scalar => scalar.clone(),
    }
}

/// Whether the keys of this field are data.
pub fn is_map(field: &str) -> bool {
    MAPS.contains(&field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_are_one() {
        let camel = json!({"trunk": {"authUsername": "u", "headers": {"X-Own": "1", "aB": "2"}, "media": null}});
        assert_eq!(spelled(&camel), json!({"trunk": {"auth_username": "u", "headers": {"X-Own": "1", "aB": "2"}}}));
    }

    #[test]
    fn names_go_there_and_back() {
        for (snaked, cameled) in [("auth_username", "authUsername"), ("name", "name"), ("sip_trunk_id", "sipTrunkId")] {
            assert_eq!((camel(snaked).as_str(), snake(cameled).as_str()), (cameled, snaked));
        }
    }

    /// `metadata` of a participant is a text, that of a file in a bucket a map.
    #[test]
    fn keys_of_maps_are_not_names() {
        let bucket = json!({"s3": {"forcePathStyle": true, "metadata": {"ownKey": "1"}}, "metadata": "oneText"});
        assert_eq!(
            spelled(&bucket),
            json!({"s3": {"force_path_style": true, "metadata": {"ownKey": "1"}}, "metadata": "oneText"})
        );
    }
}
