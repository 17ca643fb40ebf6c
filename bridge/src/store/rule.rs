//! A dispatch rule: which calls it takes, and the room and the participant it makes of them.

use std::fmt;
use std::sync::Arc;

use livekit_protocol as proto;
use proto::sip_dispatch_rule::Rule;

use super::error::Problem;
use super::item::RuleExtras;
use super::trunk::{label, media, named, patterns};
use super::{Error, InboundTrunk};
use crate::dispatch::number::Pattern;
use crate::dispatch::template::Template;
use crate::dispatch::{Media, RoomName};
use crate::prompts::is_language;

/// A rule as it was read, with what we add to LiveKit's object.
#[derive(Clone, Default, PartialEq)]
pub struct RuleItem {
    /// LiveKit's object.
    pub info: proto::SipDispatchRuleInfo,
    /// What we add to it.
    pub ours: RuleExtras,
}

/// A rule, checked.
#[derive(Clone)]
pub struct DispatchRule {
    /// The object as LiveKit has it; the id is always set.
    pub info: proto::SipDispatchRuleInfo,
    /// Ids of the trunks it is for; empty for all.
    pub trunk_ids: Vec<String>,
    /// `numbers`: the called ones.
    pub numbers: Vec<Pattern>,
    /// `inbound_numbers`: the calling ones.
    pub callers: Vec<Pattern>,
    /// The room.
    pub room: RoomPlan,
    /// `metadata`.
    pub metadata: Template,
    /// `attributes`, by name.
    pub attributes: Vec<(String, Template)>,
    /// `media`.
    pub media: Media,
    /// What we add to LiveKit's object.
    pub ours: RuleExtras,
}

/// How the room of a call is named.
#[derive(Clone)]
pub enum RoomPlan {
    /// One room for all.
    Direct {
        /// Its name and PIN.
        room: Place,
    },
    /// A room for each caller.
    Individual {
        /// What its name begins with, and its PIN.
        room: Place,
        /// A new one each time he calls.
        random: bool,
    },
    /// A room for each called number.
    Callee {
        /// What its name begins with, and its PIN.
        room: Place,
        /// A new one for each call.
        random: bool,
    },
}

/// A name of a room, or its beginning, and the PIN that guards it.
#[derive(Clone)]
pub struct Place {
    text: String,
    template: Template,
    pin: Option<String>,
}

impl RoomPlan {
    fn place(&self) -> &Place {
        match self {
            Self::Direct { room } | Self::Individual { room, .. } | Self::Callee { room, .. } => room,
        }
    }

    /// The name or prefix as written.
    pub fn text(&self) -> &str {
        &self.place().text
    }

    pub(crate) fn template(&self) -> &Template {
        &self.place().template
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.place().text.is_empty()
    }

    pub(crate) fn pin(&self) -> Option<&str> {
        self.place().pin.as_deref()
    }

    /// Whether a PIN guards the room.
    pub fn has_pin(&self) -> bool {
        self.place().pin.is_some()
    }
}

impl DispatchRule {
    /// Checks a rule. One that `outlives_trunks` may name trunks that there are not, by their ids.
    pub(crate) fn new(item: RuleItem, trunks: &[Arc<InboundTrunk>], outlives_trunks: bool) -> Result<Self, Vec<Error>> {
        let RuleItem { info, ours } = item;
        let id = info.sip_dispatch_rule_id.clone();
        let object = label("dispatch rule", &info.name, &id);
        let mut problems = Vec::new();
        let trunk_ids =
            if outlives_trunks { info.trunk_ids.clone() } else { trunk_ids(&info.trunk_ids, trunks, &mut problems) };
        let lists = [&info.trunk_ids, &info.inbound_numbers, &info.numbers];
        if lists.iter().map(|list| list.len().max(1)).fold(1, usize::saturating_mul) > MAX_COMBINATIONS {
            problems.push(Problem::TooMany { field: "trunk_ids, inbound_numbers and numbers", max: MAX_COMBINATIONS });
        }
        let numbers = patterns("numbers", &info.numbers, &mut problems);
        let callers = patterns("inbound_numbers", &info.inbound_numbers, &mut problems);
        let metadata = template("metadata", &info.metadata, &mut problems);
        let mut attributes: Vec<_> = info
            .attributes
            .iter()
            .filter_map(|(name, text)| {
                Some((name.clone(), template(&format!("attributes.{name}"), text, &mut problems)?))
            })
            .collect();
        attributes.sort_by(|a, b| a.0.cmp(&b.0));
        #[expect(deprecated, reason = "older files set the encryption here")]
        let encryption = info.media_encryption;
        let media = Media { dtx: ours.dtx, ..media(info.media.as_ref(), encryption, &mut problems) };
        let language = &ours.voice.language;
        if !language.is_empty() && !is_language(language) {
            problems.push(Problem::Language(language.clone()));
        }
        let room = plan(info.rule.as_ref(), &mut problems);
        match (room, metadata) {
            (Some(room), Some(metadata)) if problems.is_empty() => {
                Ok(Self { info, trunk_ids, numbers, callers, room, metadata, attributes, media, ours })
            }
            _ => Err(named(&id, &object, problems)),
        }
    }

    /// The object as it was read.
    pub(crate) fn item(&self) -> RuleItem {
        RuleItem { info: self.info.clone(), ours: self.ours.clone() }
    }

    /// Its id, `SDR_…`.
    pub fn id(&self) -> &str {
        &self.info.sip_dispatch_rule_id
    }

    /// Name and id for people.
    pub fn label(&self) -> String {
        label("dispatch rule", &self.info.name, self.id())
    }
}

// Written out because the message would print its PIN.
impl fmt::Debug for DispatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatchRule").field("id", &self.id()).field("name", &self.info.name).finish_non_exhaustive()
    }
}

/// The room of the rule; a problem is told for each `None`.
fn plan(rule: Option<&proto::SipDispatchRule>, problems: &mut Vec<Problem>) -> Option<RoomPlan> {
    let Some(rule) = rule.and_then(|rule| rule.rule.as_ref()) else {
        problems.push(Problem::NoRule);
        return None;
    };
    match rule {
        Rule::DispatchRuleDirect(direct) => {
            if direct.room_name.is_empty() {
                problems.push(Problem::NoRoom);
            }
            Some(RoomPlan::Direct { room: place("room_name", &direct.room_name, &direct.pin, problems)? })
        }
        Rule::DispatchRuleIndividual(individual) => Some(RoomPlan::Individual {
            room: place("room_prefix", &individual.room_prefix, &individual.pin, problems)?,
            random: !individual.no_randomness,
        }),
        Rule::DispatchRuleCallee(callee) => Some(RoomPlan::Callee {
            room: place("room_prefix", &callee.room_prefix, &callee.pin, problems)?,
            random: callee.randomize,
        }),
    }
}

fn place(field: &'static str, text: &str, pin: &str, problems: &mut Vec<Problem>) -> Option<Place> {
    let template = template(field, text, problems)?;
    if template.is_plain() && text.len() > RoomName::MAX {
        problems.push(Problem::TooLong { field, len: text.len() });
    }
    if pin.len() > 16 || !pin.bytes().all(|b| b.is_ascii_digit()) {
        problems.push(Problem::Pin);
    }
    let pin = (!pin.is_empty()).then(|| pin.to_owned());
    Some(Place { text: text.to_owned(), template, pin })
}

fn template(field: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Template> {
    Template::parse(text).map_err(|error| problems.push(Problem::Template { field: field.to_owned(), error })).ok()
}

/// As many combinations of trunk, caller and called number may one rule name: each is looked at when rules are held
/// against each other.
const MAX_COMBINATIONS: usize = 100_000;

/// Ids of the trunks that a rule names, by id or by name.
pub(crate) fn trunk_ids(named: &[String], trunks: &[Arc<InboundTrunk>], problems: &mut Vec<Problem>) -> Vec<String> {
    let mut ids = Vec::new();
    for id in named {
        let by_name: Vec<_> = trunks.iter().filter(|trunk| trunk.info.name == *id).collect();
        if trunks.iter().any(|trunk| trunk.id() == id) {
            ids.push(id.clone());
        } else if let [trunk] = by_name[..] {
            ids.push(trunk.id().to_owned());
        } else if by_name.is_empty() {
            let nearest = nearest(id, trunks.iter().flat_map(|trunk| [trunk.id(), trunk.info.name.as_str()]));
            problems.push(Problem::UnknownTrunk { id: id.clone(), nearest });
        } else {
            problems.push(Problem::AmbiguousTrunk(id.clone()));
        }
    }
    ids
}

fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|known| (known, strsim::jaro_winkler(known, text)))
        .filter(|(_, likeness)| *likeness > 0.85)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(known, _)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{loaded, snapshot};

    #[test]
    fn rules_are_refused_with_their_reason() {
        let direct = "rule: {dispatch_rule_direct: {room_name: r}}";
        let long = format!("rule: {{dispatch_rule_direct: {{room_name: {}}}}}", "x".repeat(256));
        let cases: &[(&str, &str)] = &[
            (direct, ""),
            ("name: x", "dispatch rule \"x\" (SDR_"),
            ("rule: {}", "rule must be one of dispatch_rule_direct"),
            ("rule: {dispatch_rule_direct: {}}", "dispatch_rule_direct needs a room_name"),
            ("rule: {dispatch_rule_direct: {room_name: r}, dispatch_rule_callee: {}}", "an object as LiveKit has it"),
            (&long, "room_name is 256 bytes long"),
            ("rule: {dispatch_rule_individual: {pin: 12a}}", "pin must be 1 to 16 digits"),
            ("rule: {dispatch_rule_individual: {pin: '12345678901234567'}}", "pin must be 1 to 16 digits"),
            (
                "rule: {dispatch_rule_individual: {room_prefix: \"{caller_nubmer}\"}}",
                "unknown variable {caller_nubmer}, did you mean {caller_number}?",
            ),
            (&format!("{direct}, metadata: \"{{nothing_like_it}}\""), "metadata: unknown variable"),
            (&format!("{direct}, attributes: {{k: \"{{called}}\"}}"), "attributes.k: unknown variable"),
            (&format!("{direct}, numbers: ['']"), "numbers has an entry"),
            (
                &format!("{direct}, trunk_ids: [twilo]"),
                "\"twilo\" is the id or name of no inbound trunk, did you mean \"twilio\"?",
            ),
            (&format!("{direct}, trunk_ids: [twin]"), "\"twin\" is the name of several inbound trunks"),
            (&format!("{direct}, trunk_ids: [twilio, ST_fixed]"), ""),
        ];
        let trunks = "inbound_trunks: [{name: twilio, numbers: ['1']}, {name: twin, numbers: ['2']}, \
                      {name: twin, numbers: ['3']}, {sip_trunk_id: ST_fixed, numbers: ['4']}]";
        for (rule, part) in cases {
            let loaded = loaded(&format!("{trunks}\ndispatch_rules: [{{{rule}}}]"));
            let said = loaded.map_or_else(|invalid| invalid.to_string(), |_| String::new());
            assert!(said.contains(part) && said.is_empty() == part.is_empty(), "{rule}\n{said}");
        }
    }

    #[test]
    fn trunks_are_named_by_id_or_name() {
        let snapshot = snapshot(
            "inbound_trunks: [{name: twilio, numbers: ['1']}]\n\
             dispatch_rules: [{trunk_ids: [twilio], rule: {dispatch_rule_callee: {}}}]",
        );
        assert_eq!(snapshot.dispatch_rules[0].trunk_ids, [snapshot.inbound_trunks[0].id()]);
    }
}
