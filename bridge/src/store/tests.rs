//! The store as a whole: what stands beside what, and what is left after a restart.

mod kill;
mod records;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use livekit_protocol as proto;
use proto::update_sip_dispatch_rule_request::Action as RuleAction;
use proto::update_sip_inbound_trunk_request::Action as InboundAction;

use super::*;
use crate::config::tests::snapshot;

/// A folder that goes with its owner.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("trunkline-store-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn inbound(id: &str, name: &str, numbers: &[&str]) -> Item {
    let info = proto::SipInboundTrunkInfo { sip_trunk_id: id.to_owned(), ..trunk(name, numbers) };
    Item::Inbound(InboundItem { info, ..InboundItem::default() })
}

fn trunk(name: &str, numbers: &[&str]) -> proto::SipInboundTrunkInfo {
    let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
    proto::SipInboundTrunkInfo { name: name.to_owned(), numbers, ..Default::default() }
}

fn outbound(name: &str) -> proto::SipOutboundTrunkInfo {
    let (name, address, numbers) = (name.to_owned(), "sip.example.com".to_owned(), vec!["+1".to_owned()]);
    proto::SipOutboundTrunkInfo { name, address, numbers, ..Default::default() }
}

fn rule(name: &str, trunk_ids: &[&str]) -> proto::SipDispatchRuleInfo {
    let kind = proto::sip_dispatch_rule::Rule::DispatchRuleCallee(proto::SipDispatchRuleCallee::default());
    proto::SipDispatchRuleInfo {
        name: name.to_owned(),
        trunk_ids: trunk_ids.iter().map(|id| (*id).to_owned()).collect(),
        rule: Some(proto::SipDispatchRule { rule: Some(kind) }),
        ..Default::default()
    }
}

fn file(yaml: &str) -> Items {
    snapshot(yaml).items()
}

/// A store with a file of its own, and the objects of a configuration.
fn store(folder: &Folder, yaml: &str) -> Store {
    Store::open(Some(&folder.path("store.db")), file(yaml)).unwrap().0
}

fn rename(id: &str, name: &str) -> proto::UpdateSipInboundTrunkRequest {
    let update = proto::SipInboundTrunkUpdate { name: Some(name.to_owned()), ..Default::default() };
    proto::UpdateSipInboundTrunkRequest { sip_trunk_id: id.to_owned(), action: Some(InboundAction::Update(update)) }
}

fn names(store: &Store) -> Vec<String> {
    store.snapshot().inbound_trunks.iter().map(|trunk| trunk.info.name.clone()).collect()
}

#[test]
fn what_the_api_has_written_is_there_after_a_restart() {
    let folder = Folder::new();
    let yaml = "inbound_trunks: [{name: file, numbers: ['+1']}]";
    let first = store(&folder, yaml);
    let a = first.create_inbound_trunk(trunk("a", &["+2"])).unwrap();
    let out = first.create_outbound_trunk(outbound("out")).unwrap();
    let made = first.create_dispatch_rule(rule("r", &["a", "file"])).unwrap();
    assert!(a.sip_trunk_id.starts_with("ST_") && a.sip_trunk_id.len() == 15 && a.created_at.is_some());
    assert!(made.sip_dispatch_rule_id.starts_with("SDR_") && made.sip_dispatch_rule_id.len() == 16);
    let file_id = first.snapshot().inbound_trunks[0].id().to_owned();
    assert_eq!(made.trunk_ids, [a.sip_trunk_id.clone(), file_id.clone()], "names become ids");
    let renamed = first.update_inbound_trunk(rename(&a.sip_trunk_id, "b")).unwrap();
    assert_eq!((renamed.name.as_str(), renamed.created_at), ("b", a.created_at));
    assert_eq!((first.origin(&file_id), first.origin(&a.sip_trunk_id)), (Some(Origin::File), Some(Origin::Api)));
    assert_eq!(first.origin("ST_none"), None);
    let before = first.snapshot().items();
    drop(first);
    let again = store(&folder, yaml);
    assert!(again.snapshot().items() == before);
    assert_eq!(names(&again), ["file", "b"]);
    assert_eq!(again.outbound_trunk("out").unwrap(), out, "a name that is its own is as good as an id");
    again.delete_trunk(&a.sip_trunk_id).unwrap();
    assert_eq!(again.dispatch_rule("r").unwrap().trunk_ids, made.trunk_ids, "a rule outlives its trunk");
    drop(again);
    let (last, warnings) = Store::open(Some(&folder.path("store.db")), file(yaml)).unwrap();
    assert_eq!(names(&last), ["file"]);
    assert!(warnings.iter().any(|warning| warning.contains(&a.sip_trunk_id)), "{warnings:?}");
}

#[test]
fn refusals_have_the_words_and_classes_that_programs_look_for() {
    use ErrorKind::{FailedPrecondition, InvalidArgument, NotFound};
    let folder = Folder::new();
    let store = store(
        &folder,
        "inbound_trunks: [{name: file, numbers: ['+9']}]\noutbound_trunks: [{name: twin, address: h, numbers: ['1']}]",
    );
    let a = store.create_inbound_trunk(trunk("a", &["+1", "+2"])).unwrap().sip_trunk_id;
    let r = store.create_dispatch_rule(rule("r", &[])).unwrap().sip_dispatch_rule_id;
    store.create_inbound_trunk(trunk("twin", &["+3"])).unwrap();
    let file_id = store.snapshot().inbound_trunks[0].id().to_owned();
    let with = |edit: fn(&mut proto::SipInboundTrunkInfo)| {
        let mut info = trunk("x", &["+5"]);
        edit(&mut info);
        store.create_inbound_trunk(info).map(|info| info.sip_trunk_id)
    };
    let update = |id: &str, action| {
        let request = proto::UpdateSipInboundTrunkRequest { sip_trunk_id: id.to_owned(), action };
        store.update_inbound_trunk(request).map(|info| info.sip_trunk_id)
    };
    let replaced = |id: &str| {
        let info = proto::SipInboundTrunkInfo { sip_trunk_id: id.to_owned(), ..trunk("a", &["+1"]) };
        Some(InboundAction::Replace(info))
    };
    let cases: Vec<(&str, Changed<String>, ErrorKind, String)> = vec![
        ("open to all", with(|info| info.numbers.clear()), InvalidArgument,
            "for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers".into()),
        ("an id", with(|info| info.sip_trunk_id = "ST_mine".into()), InvalidArgument, "trunk id must be empty: the id of a new object is made here".into()),
        ("a header's name", with(|info| _ = info.headers.insert("Bad Header".into(), "1".into())), InvalidArgument,
            "invalid header name: header name Bad Header contains invalid characters: char 32 not allowed".into()),
        ("a header's value", with(|info| _ = info.headers.insert("X-A".into(), "a\r\nX-B: b".into())), InvalidArgument,
            "invalid header value for X-A: header X-A: value: char 13 not allowed".into()),
        ("half of the credentials", with(|info| info.auth_username = "u".into()), InvalidArgument, "auth_username is set and auth_password is not".into()),
        ("two faults", with(|info| { info.auth_username = "u".into(); info.allowed_addresses = vec!["x".into()]; }), InvalidArgument,
            "allowed_addresses: \"x\" is no IP address (names are not looked up, and a caller could write any); auth_username is set and auth_password is not".into()),
        ("the numbers of another", with(|info| info.numbers = vec!["2".into()]), InvalidArgument,
            format!("Conflicting inbound SIP Trunks: {a:?} and \"<new>\", using the same number(s) [\"+1\" \"+2\"] without AllowedNumbers set")),
        ("the number of the file", with(|info| info.numbers = vec!["+9".into()]), InvalidArgument,
            format!("Conflicting inbound SIP Trunks: {file_id:?} and \"<new>\", using the same number(s) [\"+9\"] without AllowedNumbers set")),
        ("no update", update(&a, None), InvalidArgument, "missing or unsupported update action".into()),
        ("an unknown trunk", update("ST_none", replaced("")), NotFound, "requested sip trunk does not exist".into()),
        ("no id", update("", replaced("")), InvalidArgument, "trunk ID is required".into()),
        ("another id", update(&a, replaced("ST_other")), InvalidArgument, "trunk id in the info must be empty or match the id in the update".into()),
        ("a trunk of the file", update(&file_id, replaced("")), FailedPrecondition,
            format!("inbound trunk \"file\" ({file_id}) stands in the configuration file: change it there")),
        ("delete a trunk of the file", store.delete_trunk("file"), FailedPrecondition,
            format!("inbound trunk \"file\" ({file_id}) stands in the configuration file: change it there")),
        ("a name of two", store.delete_trunk("twin"), FailedPrecondition, "\"twin\" is the name of several objects; give the id".into()),
        ("delete without id", store.delete_trunk(""), InvalidArgument, "trunk ID is required".into()),
        ("an empty outbound trunk", store.create_outbound_trunk(proto::SipOutboundTrunkInfo::default()).map(|info| info.name), InvalidArgument,
            "no trunk numbers specified".into()),
        ("an address with a parameter", store.create_outbound_trunk(proto::SipOutboundTrunkInfo { address: "h;transport=tcp".into(), ..outbound("x") }).map(|info| info.name), InvalidArgument,
            "trunk address should not contain transport parameter".into()),
        ("no address", store.create_outbound_trunk(proto::SipOutboundTrunkInfo { address: String::new(), ..outbound("x") }).map(|info| info.name), InvalidArgument,
            "no outbound address specified".into()),
        ("a rule for the same calls", store.create_dispatch_rule(rule("s", &[])).map(|info| info.name), InvalidArgument,
            format!("Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule {r:?} \"r\"")),
        ("a rule without a kind", store.create_dispatch_rule(proto::SipDispatchRuleInfo::default()).map(|info| info.name), InvalidArgument, "missing rule".into()),
        ("a rule for a name that nobody has", store.create_dispatch_rule(rule("s", &["fil"])).map(|info| info.name), InvalidArgument,
            "trunk_ids: \"fil\" is the id or name of no inbound trunk, did you mean \"file\"?".into()),
        ("an unknown rule", store.delete_dispatch_rule("SDR_none").map(|info| info.name), NotFound, "requested sip dispatch rule does not exist".into()),
        ("a rule without id", store.delete_dispatch_rule("").map(|info| info.name), InvalidArgument, "dispatch rule ID is required".into()),
    ];
    for (name, done, kind, words) in cases {
        let error = done.expect_err(name);
        assert_eq!((error.kind(), error.to_string()), (kind, words), "{name}");
    }
    assert_eq!(store.delete_trunk("ST_none").unwrap(), "ST_none", "what is not there is as good as deleted");
    let unknown = store.create_dispatch_rule(rule("early", &["ST_fixture0000001"])).unwrap();
    assert_eq!(unknown.trunk_ids, ["ST_fixture0000001"], "rules are written before trunks too");
    assert_eq!(names(&store).len(), 3, "nothing else was written");
}

#[test]
fn updates_touch_what_they_name() {
    let folder = Folder::new();
    let store = store(&folder, "");
    let mut info = trunk("a", &["+1"]);
    info.metadata = "m".to_owned();
    let id = store.create_inbound_trunk(info).unwrap().sip_trunk_id;
    let numbers = proto::ListUpdate { add: vec!["+2".to_owned()], ..Default::default() };
    let update = proto::SipInboundTrunkUpdate { numbers: Some(numbers), ..Default::default() };
    let request = proto::UpdateSipInboundTrunkRequest {
        sip_trunk_id: "a".to_owned(),
        action: Some(InboundAction::Update(update)),
    };
    let updated = store.update_inbound_trunk(request).unwrap();
    assert_eq!((updated.sip_trunk_id.as_str(), updated.metadata.as_str()), (id.as_str(), "m"));
    assert_eq!(updated.numbers, ["+1", "+2"]);
    let replace = InboundAction::Replace(trunk("z", &["+3"]));
    let request = proto::UpdateSipInboundTrunkRequest { sip_trunk_id: id.clone(), action: Some(replace) };
    let replaced = store.update_inbound_trunk(request).unwrap();
    assert_eq!((replaced.sip_trunk_id, replaced.metadata.as_str(), replaced.name.as_str()), (id, "", "z"));
    assert_eq!(store.snapshot().inbound_trunks[0].numbers[0].as_str(), "+3", "calls see it");
}

#[test]
fn a_rule_whose_trunk_is_gone_can_still_be_changed() {
    let folder = Folder::new();
    let store = store(&folder, "");
    let a = store.create_inbound_trunk(trunk("a", &["+1"])).unwrap().sip_trunk_id;
    let id = store.create_dispatch_rule(rule("r", &[&a])).unwrap().sip_dispatch_rule_id;
    store.delete_trunk(&a).unwrap();
    let update = proto::SipDispatchRuleUpdate { name: Some("s".to_owned()), ..Default::default() };
    let request =
        proto::UpdateSipDispatchRuleRequest { sip_dispatch_rule_id: id, action: Some(RuleAction::Update(update)) };
    assert_eq!(store.update_dispatch_rule(request).unwrap().trunk_ids, [a.as_str()]);
    let kept = &store.snapshot().dispatch_rules[0].trunk_ids;
    assert_eq!(*kept, [a], "a rule for a trunk that is gone is for no trunk, and not for all");
}

#[test]
fn a_file_that_contradicts_the_api_is_refused_as_a_whole() {
    let folder = Folder::new();
    let store = store(&folder, "inbound_trunks: [{name: file, numbers: ['+1']}]");
    store.create_inbound_trunk(trunk("api", &["+2"])).unwrap();
    let errors = store
        .set_file(file("inbound_trunks: [{name: file, numbers: ['+3']}, {name: more, numbers: ['+2']}]"))
        .unwrap_err();
    let said = errors.iter().map(ToString::to_string).collect::<String>();
    assert!(
        said.contains("\"api\" (ST_") && said.contains("written by the API") && said.contains("\"more\""),
        "{said}"
    );
    assert_eq!(store.snapshot().inbound_trunks[0].numbers[0].as_str(), "+1", "nothing has changed");
    store.set_file(file("inbound_trunks: [{name: file, numbers: ['+3']}]")).unwrap();
    assert_eq!(store.snapshot().inbound_trunks[0].numbers[0].as_str(), "+3");
    assert_eq!(names(&store), ["file", "api"]);
}

#[test]
fn at_a_start_the_file_is_stronger_and_nothing_is_lost() {
    let folder = Folder::new();
    let first = store(&folder, "");
    let a = first.create_inbound_trunk(trunk("api", &["+2"])).unwrap().sip_trunk_id;
    drop(first);
    let yaml = "inbound_trunks: [{name: file, numbers: ['+2']}]";
    let (store, warnings) = Store::open(Some(&folder.path("store.db")), file(yaml)).unwrap();
    assert!(warnings.iter().any(|warning| warning.contains("NOT IN FORCE") && warning.contains(&a)), "{warnings:?}");
    assert_eq!(names(&store), ["file"]);
    assert_eq!(store.inbound_trunk(&a).unwrap().name, "api", "it is listed");
    assert_eq!((store.origin(&a), store.aside().len()), (Some(Origin::Api), 1));
    store.create_inbound_trunk(trunk("other", &["+4"])).unwrap();
    assert_eq!(store.aside().len(), 1, "other writes go on");
    let still = store.update_inbound_trunk(rename(&a, "x")).unwrap_err();
    assert!(still.to_string().starts_with("Conflicting inbound SIP Trunks"), "{still}");
    let warnings = store.set_file(file("inbound_trunks: [{name: file, numbers: ['+5']}]")).unwrap();
    assert!(store.aside().is_empty(), "{warnings:?}");
    assert_eq!(names(&store).len(), 3, "it is back");
}

#[test]
fn an_object_put_aside_can_be_mended_or_deleted() {
    let folder = Folder::new();
    let first = store(&folder, "");
    let [a, b] = ["+1", "+2"].map(|number| first.create_inbound_trunk(trunk("t", &[number])).unwrap().sip_trunk_id);
    drop(first);
    let store = store(&folder, "inbound_trunks: [{name: file, numbers: ['+1', '+2']}]");
    assert_eq!(store.aside().len(), 2);
    let replace = InboundAction::Replace(trunk("t", &["+7"]));
    let request = proto::UpdateSipInboundTrunkRequest { sip_trunk_id: a, action: Some(replace) };
    store.update_inbound_trunk(request).unwrap();
    assert_eq!((names(&store).len(), store.aside().len()), (2, 1));
    store.delete_trunk(&b).unwrap();
    assert!(store.aside().is_empty() && store.inbound_trunk(&b).is_err());
}

#[test]
fn without_a_file_there_is_nothing_to_write_to() {
    let (store, _) = Store::open(None, file("inbound_trunks: [{name: file, numbers: ['+1']}]")).unwrap();
    let error = store.create_inbound_trunk(trunk("a", &["+2"])).unwrap_err();
    assert_eq!((error.kind(), store.is_durable()), (ErrorKind::Unavailable, false));
    assert_eq!(names(&store), ["file"]);
}

#[test]
fn lists_are_by_id_by_number_and_by_page() {
    let folder = Folder::new();
    let store = store(&folder, "inbound_trunks: [{sip_trunk_id: ST_0file, name: file, numbers: ['+1 (555) 0100']}]");
    let secret =
        proto::SipInboundTrunkInfo { auth_username: "u".into(), auth_password: "p".into(), ..trunk("open", &[]) };
    let open = store.create_inbound_trunk(secret).unwrap().sip_trunk_id;
    let glob = store.create_inbound_trunk(trunk("glob", &["+1*"])).unwrap().sip_trunk_id;
    // Ids are random: any of them may be the first.
    let mut sorted = ["ST_0file".to_owned(), open.clone(), glob.clone()];
    sorted.sort();
    let list = |ids: &[&str], numbers: &[&str], after: &str, limit| {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let page = Some(proto::Pagination { after_id: after.to_owned(), limit });
        let request = proto::ListSipInboundTrunkRequest { page, trunk_ids: texts(ids), numbers: texts(numbers) };
        store.inbound_trunks(&request).into_iter().map(|info| info.sip_trunk_id).collect::<Vec<_>>()
    };
    assert_eq!(list(&[], &[], "", 0), sorted, "all, in the order of ids");
    assert_eq!(list(&[&glob, "ST_none", "ST_0file"], &[], "", 0), [glob.as_str(), "ST_0file"], "as asked");
    let mut by_number = list(&[], &["15550100"], "", 0);
    by_number.sort();
    let mut expected = vec!["ST_0file".to_owned(), open];
    expected.sort();
    assert_eq!(by_number, expected);
    assert_eq!(list(&[], &[], "", 1), sorted[..1]);
    assert_eq!(list(&[], &[], &sorted[0], 1), sorted[1..2]);
    assert_eq!(list(&[], &[], &sorted[2], 1), [""; 0]);
    let rules = ["all", "one", "other"].map(|name| {
        let trunks: &[&str] = if name == "all" {
            &[]
        } else if name == "one" {
            &["ST_0file"]
        } else {
            &["glob"]
        };
        store.create_dispatch_rule(rule(name, trunks)).unwrap().name
    });
    let request = proto::ListSipDispatchRuleRequest { trunk_ids: vec!["ST_0file".to_owned()], ..Default::default() };
    let mut of_trunk: Vec<_> = store.dispatch_rules(&request).into_iter().map(|rule| rule.name).collect();
    of_trunk.sort();
    assert_eq!(of_trunk, rules[..2], "those for all trunks too");
    assert_eq!(store.trunks(&proto::ListSipTrunkRequest::default()).len(), 3);
}
