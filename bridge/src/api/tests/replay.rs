//! What the stock server was asked and answered, asked again here, row by row and in its order.

use std::collections::BTreeMap;

use super::*;

/// Objects whose ids later rows ask for.
const NAMED: &[(&str, &str)] = &[
    ("inbound: camelCase full", "$IN"),
    ("outbound: full", "$OUT"),
    ("outbound: address with port", "$LOOP"),
    ("rule: direct without room", "$EMPTYROOM"),
    ("rule: legacy flat", "$FLAT"),
];

/// Rows that need more than this process.
const ELSEWHERE: &[(&str, &str)] = &[
    ("list the ringing participant", "the LiveKit server answers it, the front door passes it on"),
    ("transfer: live participant", "needs a call: tests/interop"),
    ("move: open source server", "answered by the calls, or passed on"),
];

/// Where we say no and the stock server says yes, or says that it has failed: our code, and why.
const STRICTER: &[(&str, &str, &str)] = &[
    ("inbound: user without password", "invalid_argument", "half of a pair of credentials keeps nobody out"),
    ("inbound: password without user", "invalid_argument", "half of a pair of credentials keeps nobody out"),
    ("inbound: bad CIDR", "invalid_argument", "an entry that matches nothing is a mistake that would cost calls"),
    ("inbound: host name as address", "invalid_argument", "a caller can write any name into From"),
    ("inbound: forbidden header", "invalid_argument", "Via belongs to the SIP stack"),
    ("inbound: negative timeout", "invalid_argument", "no time is negative"),
    ("outbound: user without password", "invalid_argument", "the carrier's challenge could not be answered"),
    ("outbound: update address to empty", "invalid_argument", "it is a mistake of the request, not of the server"),
    ("rule: direct without room", "invalid_argument", "there is no room without a name"),
    ("rule: delete the one without room", "not_found", "it was not made"),
    ("rule: pin with letters", "invalid_argument", "nobody can type it"),
    ("participant: bad dtmf", "invalid_argument", "there are no such keys"),
];

/// What happened to the objects between two rows, and was not recorded.
const UNRECORDED: &[(&str, &str, &str)] = &[(
    "inbound: update set numbers",
    "UpdateSIPInboundTrunk",
    r#"{"sip_trunk_id": "$IN", "update": {"name": "renamed"}}"#,
)];

/// Lists that differ, and why.
const OTHER_LISTS: &[(&str, &str)] = &[("inbound: list page of 1", "theirs has all of them, ours has one")];

#[tokio::test]
async fn every_row_of_the_stock_server() {
    let bench = Bench::new();
    let rows: Vec<Value> = serde_json::from_str(include_str!("../../../tests/data/api.json")).unwrap();
    let mut ids = Ids::default();
    let mut faults = Vec::new();
    let mut replayed = 0;
    for row in &rows {
        let (case, method) = (row["case"].as_str().unwrap(), row["method"].as_str().unwrap());
        if ELSEWHERE.iter().any(|(name, _)| *name == case) {
            continue;
        }
        replayed += 1;
        for (_, method, request) in UNRECORDED.iter().filter(|(before, ..)| *before == case) {
            let request: Value = serde_json::from_str(request).unwrap();
            assert_eq!(bench.admin(method, &ids.ours(&request)).await.status, 200, "before {case}");
        }
        let request = match &row["request"] {
            Value::String(text) => text.clone(),
            request => ids.ours(request).to_string(),
        };
        let answer = bench.twirp(method, token_of(case, method).as_deref(), request).await;
        if let Some((_, code, why)) = STRICTER.iter().find(|(name, ..)| *name == case) {
            if !answer.status.is_client_error() || answer.code() != *code {
                faults.push(format!("{case}: not stricter ({why}): {answer:?}"));
            }
            continue;
        }
        if row["response"].is_object() && answer.status == 200 {
            ids.learn(case, &row["response"], &answer.json());
        }
        faults.extend(differences(case, row, &answer, &ids));
    }
    assert!(faults.is_empty(), "{} of {replayed} rows differ:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(replayed + ELSEWHERE.len(), rows.len());
}

/// The exemptions name rows that there are.
#[test]
fn exemptions_are_of_rows() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../../../tests/data/api.json")).unwrap();
    let named = NAMED.iter().map(|(case, _)| case).chain(STRICTER.iter().map(|(case, ..)| case));
    let named = named.chain(ELSEWHERE.iter().map(|(case, _)| case));
    for case in named.chain(UNRECORDED.iter().map(|(case, ..)| case)).chain(OTHER_LISTS.iter().map(|(case, _)| case)) {
        assert!(rows.iter().any(|row| row["case"] == *case), "{case}");
    }
}

fn token_of(case: &str, method: &str) -> Option<String> {
    let grants = match case {
        "auth: no token" => return None,
        "auth: bad signature" => {
            let token = token(&json!({"sip": {"admin": true}}));
            return Some(format!("{}.{}", token.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode([0; 32])));
        }
        "auth: token without sip grant" => json!({}),
        "auth: sip.admin may not call" => json!({"sip": {"admin": true}}),
        _ if method == "CreateSIPParticipant" => json!({"sip": {"call": true}}),
        _ if method == "TransferSIPParticipant" => {
            json!({"sip": {"call": true}, "video": {"roomAdmin": true, "room": "golden"}})
        }
        _ => json!({"sip": {"admin": true}}),
    };
    Some(token(&grants))
}

/// Which of our ids stands for which of theirs.
#[derive(Default)]
struct Ids {
    theirs: BTreeMap<String, String>,
    named: BTreeMap<&'static str, String>,
}

impl Ids {
    fn learn(&mut self, case: &str, theirs: &Value, ours: &Value) {
        for field in ["sip_trunk_id", "sip_dispatch_rule_id"] {
            if let (Some(theirs), Some(ours)) = (theirs[field].as_str(), ours[field].as_str()) {
                self.theirs.insert(theirs.to_owned(), ours.to_owned());
                if let Some((_, name)) = NAMED.iter().find(|(named, _)| *named == case) {
                    self.named.insert(name, ours.to_owned());
                }
            }
        }
    }

    /// A value with our ids in place of theirs and of names.
    fn ours(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let named = self.named.iter().map(|(name, ours)| (*name, ours));
                let theirs = self.theirs.iter().map(|(theirs, ours)| (theirs.as_str(), ours));
                named.chain(theirs).fold(text.clone(), |text, (from, to)| text.replace(from, to)).into()
            }
            Value::Array(items) => items.iter().map(|item| self.ours(item)).collect(),
            Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), self.ours(value))).collect(),
            other => other.clone(),
        }
    }

    /// A list without what we have refused to make, in the order of names: the order of ids is that of chance.
    fn list(&self, items: &Value) -> Vec<Value> {
        let id =
            |item: &Value| item["sip_trunk_id"].as_str().or(item["sip_dispatch_rule_id"].as_str()).map(str::to_owned);
        let known = |item: &&Value| id(item).is_some_and(|id| self.theirs.values().any(|ours| *ours == id));
        let mut items: Vec<_> = self.ours(items).as_array().unwrap().iter().filter(known).cloned().collect();
        items.sort_by_key(|item| (item["name"].to_string(), id(item)));
        items
    }
}

fn differences(case: &str, row: &Value, answer: &Answer, ids: &Ids) -> Vec<String> {
    if u64::from(answer.status.as_u16()) != row["status"].as_u64().unwrap() {
        return vec![format!("{case}: {} expected: {answer:?}", row["status"])];
    }
    let theirs = ids.ours(&row["response"]);
    if theirs.is_string() {
        let is_text = answer.headers["content-type"] == "text/plain; charset=utf-8";
        return if is_text { Vec::new() } else { vec![format!("{case}: text expected: {answer:?}")] };
    }
    let ours = answer.json();
    if OTHER_LISTS.iter().any(|(name, _)| *name == case) {
        return Vec::new();
    }
    if let Some(items) = theirs.get("items") {
        let (theirs, ours) = (ids.list(items), ids.list(&ours["items"]));
        let names = |list: &[Value]| list.iter().map(|item| item["name"].to_string()).collect::<Vec<_>>().join(" ");
        if theirs.len() != ours.len() {
            return vec![format!("{case}: expected {}, listed {}", names(&theirs), names(&ours))];
        }
        return theirs.iter().zip(&ours).flat_map(|(theirs, ours)| fields(case, theirs, ours)).collect();
    }
    fields(case, &theirs, &ours)
}

fn fields(case: &str, theirs: &Value, ours: &Value) -> Vec<String> {
    let (theirs, ours) = (theirs.as_object().unwrap(), ours.as_object().unwrap());
    let mut names: Vec<_> = theirs.keys().chain(ours.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&String| match name.as_str() {
        // Of their run and of ours.
        "participant_id" | "sip_call_id" => !ours.contains_key(*name),
        // Theirs are empty in this version, ours are true.
        "created_at" | "updated_at" => !ours.contains_key(*name),
        "msg" => words(&theirs["msg"]) != words(&ours["msg"]),
        // We say more.
        "meta" if !theirs.contains_key("meta") => false,
        name => theirs.get(name) != ours.get(name),
    };
    names
        .into_iter()
        .filter(differs)
        .map(|name| format!("{case}: {name}: expected {:?}, is {:?}", theirs.get(name), ours.get(name)))
        .collect()
}

/// A text without the name of the library that their server puts in front of some.
fn words(text: &Value) -> &str {
    text.as_str().unwrap_or_default().trim_start_matches("twirp error unknown: ")
}
