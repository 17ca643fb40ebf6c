//! Partial updates: which fields they touch, and how lists change.

use std::collections::HashMap;

use livekit_protocol as proto;

use super::ChangeError;

type Done = Result<(), ChangeError>;

#[expect(deprecated, reason = "older programs set the encryption outside of `media`")]
pub(super) fn inbound_trunk(info: &mut proto::SipInboundTrunkInfo, update: proto::SipInboundTrunkUpdate) -> Done {
    list(&mut info.numbers, update.numbers)?;
    list(&mut info.allowed_addresses, update.allowed_addresses)?;
    list(&mut info.allowed_numbers, update.allowed_numbers)?;
    set(&mut info.auth_username, update.auth_username);
    set(&mut info.auth_password, update.auth_password);
    set(&mut info.auth_realm, update.auth_realm);
    set(&mut info.name, update.name);
    set(&mut info.metadata, update.metadata);
    media((&mut info.media, &mut info.media_encryption), update.media, update.media_encryption);
    Ok(())
}

#[expect(deprecated, reason = "older programs set the encryption outside of `media`")]
pub(super) fn outbound_trunk(info: &mut proto::SipOutboundTrunkInfo, update: proto::SipOutboundTrunkUpdate) -> Done {
    list(&mut info.numbers, update.numbers)?;
    set(&mut info.address, update.address);
    set(&mut info.transport, update.transport);
    set(&mut info.destination_country, update.destination_country);
    set(&mut info.auth_username, update.auth_username);
    set(&mut info.auth_password, update.auth_password);
    set(&mut info.name, update.name);
    set(&mut info.metadata, update.metadata);
    set(&mut info.from_host, update.from_host);
    media((&mut info.media, &mut info.media_encryption), update.media, update.media_encryption);
    Ok(())
}

#[expect(deprecated, reason = "older programs set the encryption outside of `media`")]
pub(super) fn dispatch_rule(info: &mut proto::SipDispatchRuleInfo, update: proto::SipDispatchRuleUpdate) -> Done {
    list(&mut info.trunk_ids, update.trunk_ids)?;
    if update.rule.is_some() {
        info.rule = update.rule;
    }
    set(&mut info.name, update.name);
    set(&mut info.metadata, update.metadata);
    map(&mut info.attributes, update.attributes);
    media((&mut info.media, &mut info.media_encryption), update.media, update.media_encryption);
    Ok(())
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Sets a list anew, empties it, or takes entries out and puts others in that are not there yet.
fn list(list: &mut Vec<String>, update: Option<proto::ListUpdate>) -> Done {
    let Some(proto::ListUpdate { set, add, remove, clear }) = update else { return Ok(()) };
    let changes = !add.is_empty() || !remove.is_empty();
    if [&set, &add, &remove].into_iter().flatten().any(String::is_empty) {
        return Err(ChangeError::EmptyElement);
    }
    match (set.is_empty(), changes, clear) {
        (true, false, false) => return Err(ChangeError::NoListChange),
        (true, false, true) => list.clear(),
        (_, _, true) => return Err(ChangeError::ClearAndChange),
        (false, true, false) => return Err(ChangeError::SetAndChange),
        (false, false, false) => *list = set,
        (true, true, false) => {
            list.retain(|entry| !remove.contains(entry));
            for entry in add {
                if !list.contains(&entry) {
                    list.push(entry);
                }
            }
        }
    }
    Ok(())
}

/// Sets entries; an empty value takes an entry out.
fn map(map: &mut HashMap<String, String>, update: HashMap<String, String>) {
    for (key, value) in update {
        if value.is_empty() {
            map.remove(&key);
        } else {
            map.insert(key, value);
        }
    }
}

/// Every partial update brings the encryption of old where it belongs now, as LiveKit's server does.
fn media(
    (config, encryption): (&mut Option<proto::SipMediaConfig>, &mut i32),
    new: Option<proto::SipMediaConfig>,
    new_encryption: Option<i32>,
) {
    let replaced = new.is_some();
    if replaced {
        *config = new;
    }
    set(encryption, new_encryption);
    let config = config.get_or_insert_default();
    if let Some(new) = new_encryption.filter(|_| !replaced) {
        config.encryption = Some(new);
    } else if config.encryption.is_none() && *encryption != 0 {
        config.encryption = Some(*encryption);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn lists_change_as_asked() {
        type Texts = &'static [&'static str];
        type Outcome = Result<Texts, &'static str>;
        let cases: &[(&str, [Texts; 3], bool, Outcome)] = &[
            ("set", [&["c"], &[], &[]], false, Ok(&["c"])),
            ("add", [&[], &["c"], &[]], false, Ok(&["a", "b", "c"])),
            ("add what is there", [&[], &["b", "c", "c"], &[]], false, Ok(&["a", "b", "c"])),
            ("remove", [&[], &[], &["a", "x"]], false, Ok(&["b"])),
            ("add and remove", [&[], &["c"], &["a"]], false, Ok(&["b", "c"])),
            ("clear", [&[], &[], &[]], true, Ok(&[])),
            ("nothing", [&[], &[], &[]], false, Err("unsupported list update operation")),
            ("set and add", [&["c"], &["d"], &[]], false, Err("cannot set and change the list at the same time")),
            ("set and remove", [&["c"], &[], &["a"]], false, Err("cannot set and change the list at the same time")),
            ("clear and add", [&[], &["c"], &[]], true, Err("cannot clear and change the list at the same time")),
            ("clear and set", [&["c"], &[], &[]], true, Err("cannot clear and change the list at the same time")),
            ("an empty entry", [&[], &[""], &[]], false, Err("empty element in the list")),
        ];
        for (name, [set, add, remove], clear, expected) in cases {
            let update = proto::ListUpdate { set: texts(set), add: texts(add), remove: texts(remove), clear: *clear };
            let mut entries = texts(&["a", "b"]);
            let done = list(&mut entries, Some(update)).map(|()| entries).map_err(|error| error.to_string());
            assert_eq!(done, expected.map(texts).map_err(str::to_owned), "{name}");
        }
    }

    #[test]
    fn entries_of_maps_are_set_and_taken_out() {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut attributes = pairs(&[("a", "1"), ("b", "2")]);
        map(&mut attributes, pairs(&[("a", ""), ("b", "3"), ("c", "4")]));
        assert_eq!(attributes, pairs(&[("b", "3"), ("c", "4")]));
    }

    #[test]
    #[expect(deprecated, reason = "older programs set the encryption outside of `media`")]
    fn the_encryption_is_never_said_twice_in_different_ways() {
        let (allow, require) = (1, 2);
        let media = |encryption| proto::SipMediaConfig { encryption, ..Default::default() };
        let cases = [
            ("nothing new", allow, None, None, None, Some(allow)),
            ("nothing at all", 0, None, None, None, None),
            ("the old field", 0, Some(media(Some(allow))), None, Some(require), Some(require)),
            ("the new field", allow, None, Some(media(Some(require))), None, Some(require)),
            ("both", 0, None, Some(media(Some(require))), Some(allow), Some(require)),
            ("off by the old field", allow, Some(media(Some(allow))), None, Some(0), Some(0)),
        ];
        for (name, old, old_media, new_media, new, expected) in cases {
            let mut info = proto::SipInboundTrunkInfo { media_encryption: old, media: old_media, ..Default::default() };
            let update = proto::SipInboundTrunkUpdate { media: new_media, media_encryption: new, ..Default::default() };
            inbound_trunk(&mut info, update).unwrap();
            assert_eq!(info.media.unwrap().encryption, expected, "{name}");
        }
    }
}
