//! What would become of a call, and why: every trunk and every rule, by the same checks that calls go through.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Admission, Challenge, Decision, Pin, Query, Refusal, Seat, admit, decide, rule, trunk, veil};
use crate::store::{DispatchRule, InboundTrunk, Snapshot};

/// What would become of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Every inbound trunk in its order, and what it makes of the call.
    pub trunks: Vec<Finding>,
    /// The password that the caller would be asked for. A stranger may be asked for one before he is refused.
    pub password: Option<Password>,
    /// Every dispatch rule in its order, and what it makes of the call; none if no trunk takes it.
    pub rules: Vec<Finding>,
    /// How it would end.
    pub outcome: Outcome,
}

/// What a trunk or a rule makes of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is the one that takes the call.
    pub taken: bool,
    /// Why, or the first reason why not.
    pub why: &'static str,
}

/// A password that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Password {
    /// The realm.
    pub realm: String,
    /// The users who may answer.
    pub users: Vec<String>,
}

/// How a call would end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The caller stands in a room.
    Join(Box<Place>),
    /// He has to type a PIN first.
    AskPin {
        /// The rule.
        rule_id: String,
    },
    /// He is refused.
    Refuse {
        /// A word, as in logs and metrics.
        reason: &'static str,
        /// The status, if he may know the reason; a stranger gets what `reject` says.
        status: u16,
        /// In words.
        text: String,
    },
}

/// A seat in a room, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The room.
    pub room: String,
    /// Identity of the participant.
    pub identity: String,
    /// Name of the participant.
    pub name: String,
    /// Metadata of the participant.
    pub metadata: String,
    /// Attributes of the participant.
    pub attributes: BTreeMap<String, String>,
    /// Agents that are sent for if the caller is the first in the room.
    pub agents: Vec<String>,
    /// The trunk.
    pub trunk_id: String,
    /// The rule.
    pub rule_id: String,
    /// What does not go as the rule says.
    pub notes: Vec<String>,
}

/// Says what would become of a call. Where several users share a number, the call is taken for one of the first.
pub fn explain(objects: &Snapshot, query: &Query) -> Explanation {
    let (candidates, password) = match admit(objects, query) {
        Admission::Accept(trunk) => (vec![trunk], None),
        Admission::Challenge(challenge) => {
            let password = Password::of(&challenge);
            (challenge.trunks, Some(password))
        }
        Admission::Refuse(refusal) => {
            let trunks = trunks(objects, query, &[]);
            let password = veil(objects, query, &refusal).map(|challenge| Password::of(&challenge));
            return Explanation { trunks, password, rules: Vec::new(), outcome: refused(&refusal) };
        }
    };
    let trunks = trunks(objects, query, &candidates);
    // A trunk that takes the call is always among them.
    let taken = &candidates[0];
    let mut query = query.clone();
    query.believe(taken);
    let query = &query;
    let decision = decide(objects, taken, query, Pin::NotAsked);
    let (rule_id, outcome) = match decision {
        Decision::Join(seat) => (seat.rule_id.clone(), Outcome::Join(Box::new(Place::of(*seat)))),
        Decision::AskPin(rule) => (rule.id().to_owned(), Outcome::AskPin { rule_id: rule.id().to_owned() }),
        Decision::Refuse(refusal) => (String::new(), refused(&refusal)),
    };
    Explanation { trunks, password, rules: rules(objects, taken, query, &rule_id), outcome }
}

impl Password {
    fn of(challenge: &Challenge) -> Self {
        let users = challenge.trunks.iter().map(|trunk| trunk.info.auth_username.clone()).collect();
        Self { realm: challenge.realm.clone(), users }
    }
}

impl Place {
    fn of(seat: Seat) -> Self {
        let agents = seat.room_config.map(|config| config.agents).unwrap_or_default();
        Self {
            room: seat.room.as_str().to_owned(),
            identity: seat.identity,
            name: seat.name,
            metadata: seat.metadata,
            attributes: seat.attributes,
            agents: agents.into_iter().map(|agent| agent.agent_name).collect(),
            trunk_id: seat.trunk_id,
            rule_id: seat.rule_id,
            notes: seat.notes,
        }
    }
}

fn trunks(objects: &Snapshot, query: &Query, candidates: &[Arc<InboundTrunk>]) -> Vec<Finding> {
    let finding = |(trunk, verdict): (&Arc<InboundTrunk>, Result<trunk::Suits, trunk::Miss>)| {
        let at = candidates.iter().position(|candidate| candidate.id() == trunk.id());
        let why = match (verdict, at) {
            (Err(miss), _) => miss.why(),
            (Ok(_), Some(0)) => "it takes the call",
            (Ok(_), Some(_)) => "it takes the call if its user answers",
            (Ok(_), None) => "another trunk names the call more narrowly, or as narrowly and before it",
        };
        Finding { id: trunk.id().to_owned(), name: trunk.info.name.clone(), taken: at == Some(0), why }
    };
    trunk::sift(objects, query).map(finding).collect()
}

fn rules(objects: &Snapshot, taken: &InboundTrunk, query: &Query, rule_id: &str) -> Vec<Finding> {
    let finding = |(rule, verdict): (&Arc<DispatchRule>, Result<rule::Rank<'_>, &'static str>)| {
        let taken = rule.id() == rule_id;
        let why = match verdict {
            Err(why) => why,
            Ok(_) if taken => "it takes the call",
            Ok(_) => "another rule goes before it",
        };
        Finding { id: rule.id().to_owned(), name: rule.info.name.clone(), taken, why }
    };
    rule::sift(objects, taken, query, Pin::NotAsked).map(finding).collect()
}

fn refused(refusal: &Refusal) -> Outcome {
    Outcome::Refuse { reason: refusal.label(), status: refusal.status(), text: refusal.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::query::tests::query;
    use super::*;
    use crate::config::tests::snapshot;

    const OBJECTS: &str = "
inbound_trunks:
- {sip_trunk_id: ST_a, name: exact, numbers: ['+15550100'], allowed_addresses: [203.0.113.0/24]}
- {sip_trunk_id: ST_b, name: glob, numbers: ['+1555*'], allowed_addresses: [203.0.113.0/24]}
- {sip_trunk_id: ST_c, name: away, allowed_addresses: [192.0.2.1]}
- {sip_trunk_id: ST_d, name: vip, numbers: ['+15550100'], allowed_numbers: ['+1999']}
- {sip_trunk_id: ST_e, name: alice, numbers: ['200'], auth_username: alice, auth_password: s3cret, auth_realm: pbx}
- {sip_trunk_id: ST_f, name: bob, numbers: ['200'], auth_username: bob, auth_password: s3cret, auth_realm: pbx}
dispatch_rules:
- {sip_dispatch_rule_id: SDR_a, name: main, trunk_ids: [exact], rule: {dispatchRuleDirect: {roomName: lobby}},
   attributes: {k: v}, room_config: {agents: [{agent_name: helper}]}}
- {sip_dispatch_rule_id: SDR_b, name: all, rule: {dispatchRuleCallee: {}}}
- {sip_dispatch_rule_id: SDR_c, name: other, trunk_ids: [glob], rule: {dispatchRuleDirect: {roomName: p, pin: '1'}}}
- {sip_dispatch_rule_id: SDR_d, name: night, inbound_numbers: ['+1'], rule: {dispatchRuleCallee: {}}}
";

    fn explained(change: impl FnOnce(&mut Query)) -> serde_json::Value {
        serde_json::to_value(explain(&snapshot(OBJECTS), &query(change))).unwrap()
    }

    fn whys(findings: &serde_json::Value) -> Vec<(&str, bool, &str)> {
        let text =
            |finding: &'_ serde_json::Value, field| finding[field].as_str().map(|text| text.to_owned().leak() as &str);
        let one =
            |f: &serde_json::Value| (text(f, "name").unwrap(), f["taken"].as_bool().unwrap(), text(f, "why").unwrap());
        findings.as_array().unwrap().iter().map(one).collect()
    }

    #[test]
    fn every_trunk_and_rule_says_why() {
        let told = explained(|_| ());
        assert_eq!(
            whys(&told["trunks"]),
            [
                ("exact", true, "it takes the call"),
                ("glob", false, "another trunk names the call more narrowly, or as narrowly and before it"),
                ("away", false, "the address is not in allowed_addresses"),
                ("vip", false, "the caller is not in allowed_numbers"),
                ("alice", false, "the called number is not in numbers"),
                ("bob", false, "the called number is not in numbers"),
            ]
        );
        assert_eq!(
            whys(&told["rules"]),
            [
                ("main", true, "it takes the call"),
                ("all", false, "another rule goes before it"),
                ("other", false, "it is for other trunks"),
                ("night", false, "the caller is not in inbound_numbers"),
            ]
        );
        assert_eq!(told["password"], json!(null));
        let place = &told["outcome"];
        assert_eq!(
            (&place["result"], &place["room"], &place["identity"]),
            (&json!("join"), &json!("lobby"), &json!("sip_+15550199"))
        );
        assert_eq!((&place["attributes"]["k"], &place["agents"]), (&json!("v"), &json!(["helper"])));
        assert_eq!((&place["trunk_id"], &place["rule_id"]), (&json!("ST_a"), &json!("SDR_a")));
    }

    #[test]
    fn passwords_are_spoken_of_and_not_told() {
        let told = explained(|q| {
            q.source = "198.51.100.1:5060".parse().unwrap();
            q.to.user = "200".into();
        });
        assert_eq!(told["password"], json!({"realm": "pbx", "users": ["alice", "bob"]}));
        let trunks = whys(&told["trunks"]);
        assert_eq!(
            trunks[4..],
            [("alice", true, "it takes the call"), ("bob", false, "it takes the call if its user answers")]
        );
        assert_eq!(told["outcome"]["room"], json!("200"));
        assert!(!told.to_string().contains("s3cret"));
    }

    #[test]
    fn pins_and_refusals_are_outcomes() {
        let told = explained(|q| q.to.user = "+15550101".into());
        assert_eq!(told["outcome"], json!({"result": "ask_pin", "rule_id": "SDR_c"}));
        let told = explained(|q| q.source = "198.51.100.1:5060".parse().unwrap());
        let outcome = &told["outcome"];
        assert_eq!((&outcome["result"], &outcome["reason"]), (&json!("refuse"), &json!("caller_not_allowed")));
        assert_eq!(outcome["status"], json!(403));
        assert_eq!(told["rules"], json!([]));
    }

    #[test]
    fn strangers_are_asked_for_a_password_before_they_are_refused() {
        let from = |source: &str| {
            explained(|q| {
                q.source = source.parse().unwrap();
                q.to.user = "+4930".into();
            })
        };
        let stranger = from("198.51.100.1:5060");
        assert_eq!(stranger["password"], json!({"realm": "pbx", "users": ["alice", "bob"]}));
        assert_eq!(stranger["outcome"]["result"], json!("refuse"));
        let known = from("203.0.113.7:5060");
        assert_eq!((&known["password"], &known["outcome"]["result"]), (&json!(null), &json!("refuse")));
    }

    /// What is explained is what happens.
    #[test]
    fn explanations_agree_with_the_door() {
        let objects = snapshot(OBJECTS);
        for source in ["203.0.113.7:1", "192.0.2.1:1", "198.51.100.1:1"] {
            for called in ["+15550100", "+15550101", "+4930", "200"] {
                let call = query(|q| {
                    q.source = source.parse().unwrap();
                    q.to.user = called.into();
                });
                let told = explain(&objects, &call);
                let taken = told.trunks.iter().filter(|trunk| trunk.taken).count();
                let admitted = !matches!(admit(&objects, &call), Admission::Refuse(_));
                assert_eq!(taken, usize::from(admitted), "{source} {called}");
                let rules = told.rules.iter().filter(|rule| rule.taken).count();
                let is_refused = matches!(told.outcome, Outcome::Refuse { .. });
                assert_eq!(rules, usize::from(!is_refused), "{source} {called}");
            }
        }
    }
}
