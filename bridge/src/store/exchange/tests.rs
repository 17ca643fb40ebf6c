use super::*;
use crate::config::tests::snapshot;
use crate::store::tests::Folder;

const YAML: &str = "
inbound_trunks:
- {sip_trunk_id: ST_in, name: in, numbers: ['+1'], auth_username: u, auth_password: hunter2, allow_refer: true, dtmf: inband,
   headers: {X-CamelCase: v}, ringing_timeout: 30s}
outbound_trunks:
- {sip_trunk_id: ST_out, name: out, address: sip.example.com, numbers: ['+2'], max_calls: 3, default_outbound: true, dtmf: info,
   dtx: true, delayed_offer: true}
dispatch_rules:
- {sip_dispatch_rule_id: SDR_r, name: r, trunk_ids: [in], answer: immediately, priority: 7, dtx: false, attributes: {aB: c},
   language: de-AT, prompts: {enter_pin: tests/data/../../prompts/en/wrong_pin.wav},
   rule: {dispatch_rule_direct: {room_name: lobby, pin: '1234'}}}
";

fn store(folder: &Folder) -> Store {
    Store::open(Some(&folder.path("store.db")), Items::default()).unwrap().0
}

fn acts(plan: &Plan) -> Vec<(&str, Act)> {
    plan.entries.iter().map(|entry| (entry.id.as_str(), entry.action)).collect()
}

#[test]
fn what_is_exported_can_be_a_file_and_can_be_imported() {
    let exported = export(&snapshot(YAML), true);
    assert_eq!(exported.origins["ST_in"], Origin::File);
    let text = serde_json::to_string(&Objects { origins: BTreeMap::new(), ..exported.clone() }).unwrap();
    assert!(text.contains("\"auth_username\"") && text.contains("X-CamelCase") && text.contains("\"aB\""), "{text}");
    assert!(snapshot(&text).items() == snapshot(YAML).items(), "JSON is YAML: {text}");

    let folder = Folder::new();
    let store = store(&folder);
    let dry = store.import(&exported, Mode::Merge, true).unwrap();
    assert_eq!(acts(&dry), [("ST_in", Act::Create), ("ST_out", Act::Create), ("SDR_r", Act::Create)]);
    assert!(!dry.done && store.snapshot().inbound_trunks.is_empty(), "a dry run writes nothing");
    assert!(store.import(&exported, Mode::Add, false).unwrap().done);
    let again = store.export(true);
    assert_eq!(again.origins["ST_in"], Origin::Api);
    let differences = diff(&exported, &again);
    let fields: Vec<_> = differences.iter().flat_map(|difference| &difference.fields).collect();
    assert_eq!(fields.len(), 1, "{differences:?}");
    assert_eq!((fields[0].field.as_str(), &fields[0].after), ("trunk_ids", &Some(serde_json::json!(["ST_in"]))));
    let rule = &store.snapshot().dispatch_rules[0];
    assert_eq!(
        (rule.ours.priority, rule.ours.answer.map(crate::dispatch::Answer::word)),
        (Some(7), Some("immediately"))
    );
    let voice = &rule.ours.voice;
    assert_eq!((voice.language.as_str(), voice.prompts.files().count()), ("de-AT", 1));
    let ours = store.snapshot().outbound_trunks[0].ours;
    assert_eq!((ours.max_calls, ours.delayed_offer), (Some(3), true));
    assert_eq!((rule.media.dtx, store.snapshot().outbound_trunks[0].media.dtx), (Some(false), Some(true)));
    drop(store);
    let (reopened, _) = Store::open(Some(&folder.path("store.db")), Items::default()).unwrap();
    assert_eq!(reopened.export(true), again, "what we add to LiveKit's objects is kept too");
}

#[test]
fn passwords_are_exported_only_when_asked_for_and_kept_by_an_import_without() {
    let folder = Folder::new();
    let store = store(&folder);
    store.import(&export(&snapshot(YAML), true), Mode::Merge, false).unwrap();
    let mut open = store.export(false);
    let text = serde_json::to_string(&open).unwrap() + &format!("{open:?}");
    assert!(!text.contains("hunter2"), "{text}");
    let unchanged = store.import(&open, Mode::Merge, false).unwrap();
    assert_eq!(unchanged.count(Act::Unchanged), 3, "{unchanged:?}");
    open.inbound_trunks[0].insert("name".to_owned(), "renamed".into());
    let renamed = store.import(&open, Mode::Merge, false).unwrap();
    assert_eq!((renamed.count(Act::Update), renamed.entries[0].changes.len()), (1, 1), "{renamed:?}");
    assert_eq!(store.inbound_trunk("ST_in").unwrap().auth_password, "hunter2");
    let mut other = store.export(true);
    other.inbound_trunks[0].insert("auth_password".to_owned(), "correct horse".into());
    let changed = format!("{:?}", diff(&store.export(true), &other));
    assert!(changed.contains("••••") && !changed.contains("hunter2") && !changed.contains("horse"), "{changed}");
    assert!(diff(&store.export(false), &other).is_empty(), "what is left out is not changed");
}

#[test]
fn an_import_says_what_is_in_the_way_and_does_nothing_then() {
    let folder = Folder::new();
    let file = snapshot("inbound_trunks: [{sip_trunk_id: ST_file, name: file, numbers: ['+9']}]").items();
    let (store, _) = Store::open(Some(&folder.path("store.db")), file).unwrap();
    let objects = |yaml: &str| serde_saphyr::from_str::<Objects>(yaml).unwrap();
    let first = "inbound_trunks: [{sipTrunkId: ST_a, name: a, numbers: ['+1']}]";
    assert!(store.import(&objects(first), Mode::Merge, false).unwrap().done);
    let cases: &[(&str, Mode, &str, Act, &str)] = &[
        ("the same", Mode::Add, first, Act::Unchanged, ""),
        (
            "wrapped",
            Mode::Add,
            "inbound_trunks: [{trunk: {sip_trunk_id: ST_a, name: a, numbers: ['+1']}}]",
            Act::Unchanged,
            "",
        ),
        ("changed", Mode::Merge, "inbound_trunks: [{sip_trunk_id: ST_a, numbers: ['+2']}]", Act::Update, ""),
        (
            "changed, and that is not wanted",
            Mode::Add,
            "inbound_trunks: [{sip_trunk_id: ST_a, numbers: ['+2']}]",
            Act::Conflict,
            "it is there, and differs",
        ),
        (
            "of the file",
            Mode::Merge,
            "inbound_trunks: [{sip_trunk_id: ST_file, numbers: ['+2']}]",
            Act::Conflict,
            "stands in the configuration file",
        ),
        (
            "as in the file",
            Mode::Merge,
            "inbound_trunks: [{sip_trunk_id: ST_file, name: file, numbers: ['+9']}]",
            Act::Unchanged,
            "",
        ),
        (
            "the number of another",
            Mode::Merge,
            "inbound_trunks: [{sip_trunk_id: ST_b, numbers: ['+1']}]",
            Act::Conflict,
            "it takes +1 from any caller",
        ),
        ("nobody is let in by it", Mode::Merge, "inbound_trunks: [{sip_trunk_id: ST_b}]", Act::Conflict, "must be set"),
        (
            "half of its credentials",
            Mode::Merge,
            "outbound_trunks: [{sip_trunk_id: ST_b, address: h, numbers: ['1'], auth_username: u}]",
            Act::Conflict,
            "auth_password is not",
        ),
        (
            "a field that there is not",
            Mode::Merge,
            "inbound_trunks: [{numbres: ['1']}]",
            Act::Conflict,
            "inbound_trunks[0]: there is no field \"numbres\", did you mean \"numbers\"?",
        ),
        (
            "another kind",
            Mode::Merge,
            "outbound_trunks: [{sip_trunk_id: ST_a, address: h, numbers: ['1']}]",
            Act::Conflict,
            "its id is that of inbound trunk \"a\" (ST_a)",
        ),
        (
            "an id of another kind",
            Mode::Merge,
            "inbound_trunks: [{sip_trunk_id: SDR_x, numbers: ['5']}]",
            Act::Conflict,
            "must begin with ST_",
        ),
        ("without an id", Mode::Merge, "inbound_trunks: [{name: b, numbers: ['+5']}]", Act::Create, ""),
        (
            "for a trunk by name",
            Mode::Merge,
            "dispatch_rules: [{trunk_ids: [a], rule: {dispatchRuleCallee: {}}}]",
            Act::Create,
            "",
        ),
        (
            "for a trunk that is gone",
            Mode::Merge,
            "dispatch_rules: [{trunk_ids: [ST_gone], rule: {dispatchRuleCallee: {}}}]",
            Act::Create,
            "",
        ),
        (
            "for a name that nobody has",
            Mode::Merge,
            "dispatch_rules: [{trunk_ids: [nobody], rule: {dispatchRuleCallee: {}}}]",
            Act::Conflict,
            "names an inbound trunk that there is not",
        ),
    ];
    for (name, mode, yaml, action, reason) in cases {
        let plan = store.import(&objects(yaml), *mode, true).unwrap();
        let said = plan.entries[0].reason.clone().unwrap_or_default();
        assert_eq!(plan.entries[0].action, *action, "{name}: {plan:?}");
        assert!(said.contains(reason) && said.is_empty() == reason.is_empty(), "{name}: {said}");
    }
    let twice =
        objects("inbound_trunks: [{sip_trunk_id: ST_c, numbers: ['+6']}, {sip_trunk_id: ST_c, numbers: ['+7']}]");
    assert!(store.import(&twice, Mode::Merge, false).unwrap().has_conflicts());
    let half =
        objects("inbound_trunks: [{sip_trunk_id: ST_c, numbers: ['+6']}, {sip_trunk_id: ST_d, numbers: ['+9']}]");
    let plan = store.import(&half, Mode::Merge, false).unwrap();
    assert_eq!(acts(&plan), [("ST_c", Act::Create), ("ST_d", Act::Conflict)]);
    assert!(!plan.done && store.inbound_trunk("ST_c").is_err(), "all or nothing");
    let mirrored =
        store.import(&objects("inbound_trunks: [{sip_trunk_id: ST_e, numbers: ['+1']}]"), Mode::Mirror, false);
    assert_eq!(acts(&mirrored.unwrap()), [("ST_e", Act::Create), ("ST_a", Act::Delete)], "in place of the other");
    let left: Vec<_> = store.inbound_trunks(&Default::default()).into_iter().map(|info| info.sip_trunk_id).collect();
    assert_eq!(left, ["ST_e", "ST_file"]);
}

#[test]
fn differences_are_told_field_by_field() {
    let one = export(&snapshot(YAML), false);
    let mut other = one.clone();
    other.outbound_trunks.clear();
    other.dispatch_rules[0]["rule"]["dispatch_rule_direct"]["room_name"] = "hall".into();
    other.inbound_trunks.push(serde_json::from_str("{\"sipTrunkId\": \"ST_new\", \"numbers\": [\"+5\"]}").unwrap());
    let told: Vec<_> = diff(&one, &other)
        .into_iter()
        .map(|d| (d.kind, d.id, d.is_new, d.fields.into_iter().map(|field| field.field).collect::<Vec<_>>()))
        .collect();
    let field = "rule.dispatch_rule_direct.room_name".to_owned();
    assert_eq!(told[0], ("inbound", "ST_new".to_owned(), Some(true), vec![]));
    assert_eq!(told[1], ("outbound", "ST_out".to_owned(), Some(false), vec![]));
    assert_eq!(told[2], ("rule", "SDR_r".to_owned(), None, vec![field]));
    assert_eq!(told.len(), 3);
}
