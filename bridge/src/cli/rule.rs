//! `trunkline rule`: dispatch rules, which find the room of a call.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::gateway::{Gateway, print_json};
use super::json::{field, items, read, set, words};
use super::noun::{self, change, label, tell, unwrapped};
use super::origin::Origins;
use super::table::Table;
use super::{Failure, Trouble};

/// Where the id of a rule stands.
const ID: &str = "sip_dispatch_rule_id";

pub(super) type Args = noun::Args<Verb>;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List rules.
    #[command(visible_alias = "ls")]
    List {
        /// Only rules for this trunk (ST_…), and those for all trunks; can be given more than once.
        #[arg(long = "trunk", value_name = "ID")]
        trunks: Vec<String>,
    },
    /// Show all that a rule says.
    Show {
        /// Its id (SDR_…), or its name.
        rule: String,
    },
    /// Create a rule from a file, from flags, or from both: flags win.
    Create {
        /// LiveKit's JSON, with or without `dispatch_rule` around it; `-` for standard input.
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: Option<String>,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Change a rule: a file replaces it whole, flags change single fields.
    Update {
        /// Its id (SDR_…), or its name.
        rule: String,
        /// LiveKit's JSON, with or without `dispatch_rule` around it; `-` for standard input.
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: Option<String>,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Delete rules.
    #[command(visible_alias = "rm")]
    Delete {
        /// Their ids (SDR_…) or names.
        #[arg(required = true, value_name = "RULE")]
        rules: Vec<String>,
    },
}

/// The fields that are set most. The others are in files.
#[derive(clap::Args, Default)]
pub(super) struct Fields {
    /// A name that says what it is for.
    #[arg(long)]
    name: Option<String>,
    /// Trunks that it is for (ST_…), with commas between; all if not given.
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    trunks: Vec<String>,
    /// All calls into this room.
    #[arg(long, value_name = "ROOM", group = "kind")]
    direct: Option<String>,
    /// Each caller into a room of his own, whose name begins so.
    #[arg(long, value_name = "PREFIX", group = "kind", visible_alias = "individual")]
    caller: Option<String>,
    /// Each called number into a room of its own, whose name begins so.
    #[arg(long, value_name = "PREFIX", group = "kind")]
    callee: Option<String>,
    /// A new room for each call, with --callee.
    #[arg(long, requires = "callee", conflicts_with_all = ["direct", "caller"])]
    randomize: bool,
    /// Digits that callers must type.
    #[arg(long, value_name = "DIGITS", requires = "kind")]
    pin: Option<String>,
    /// Callers that it is for. Not with `update`: use a file.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    inbound_numbers: Vec<String>,
    /// The agent that is sent into the room. Not with `update`: use a file.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Keep callers' numbers from the others in the room. Not with `update`: use a file.
    #[arg(long)]
    hide_phone_number: bool,
    /// Whatever you like.
    #[arg(long)]
    metadata: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    args.run(async |gateway, verb, json| match verb {
        Verb::List { trunks } => list(gateway, trunks, json).await,
        Verb::Show { rule } => show(gateway, rule, json).await,
        Verb::Create { file, fields } => create(gateway, file.as_deref(), fields, json).await,
        Verb::Update { rule, file, fields } => update(gateway, rule, file.as_deref(), fields, json).await,
        Verb::Delete { rules } => delete(gateway, rules, json).await,
    })
}

async fn list(gateway: &Gateway, trunks: &[String], json: bool) -> Result<(), Failure> {
    let rules = gateway.sip("ListSIPDispatchRule", &json!({"trunk_ids": trunks})).await?;
    let origins = Origins::ask(gateway).await;
    if json {
        print_json(&json!({"dispatch_rules": origins.beside(&rules["items"], ID)}));
        return Ok(());
    }
    let mut table = Table::new(&["ID", "NAME", "ROOM", "PIN", "TRUNKS", "CALLERS", "AGENTS", "ORIGIN"]);
    for rule in items(&rules["items"]) {
        table.row(row(rule, &origins));
    }
    if table.is_empty() {
        println!(
            "There are no dispatch rules. Calls need one to find their room: `trunkline rule create --caller call-`."
        );
    } else {
        print!("{table}");
    }
    Ok(())
}

fn row(rule: &Value, origins: &Origins) -> [String; 8] {
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    let (room, pin) = room(&rule["rule"]);
    let id = words(rule, ID);
    let agents = items(field(rule, "room_config.agents")).iter().map(|agent| words(agent, "agent_name"));
    let origin = origins.of(&id);
    [
        id,
        words(rule, "name"),
        room,
        if pin { "yes".into() } else { String::new() },
        or(words(rule, "trunk_ids"), "all"),
        or(words(rule, "inbound_numbers"), "all"),
        agents.collect::<Vec<_>>().join(", "),
        origin,
    ]
}

/// Which room, in words; and whether there is a PIN.
fn room(rule: &Value) -> (String, bool) {
    let Some((kind, rule)) = rule.as_object().and_then(|kinds| kinds.iter().next()) else {
        return (String::new(), false);
    };
    let has_pin = !words(rule, "pin").is_empty();
    let prefix = words(rule, "room_prefix");
    // Prefixes may be templates for the whole name.
    let more = |what: &str| if prefix.contains('{') { prefix.clone() } else { format!("{prefix}_<{what}>") };
    let room = match kind.as_str() {
        "dispatch_rule_direct" => words(rule, "room_name"),
        "dispatch_rule_individual" => more("caller"),
        "dispatch_rule_callee" => more("called"),
        other => other.to_owned(),
    };
    (room, has_pin)
}

async fn show(gateway: &Gateway, rule: &str, json: bool) -> Result<(), Failure> {
    let rule = find(gateway, rule).await?;
    noun::show(gateway, &rule, ID, ("room", room(&rule["rule"]).0), json).await;
    Ok(())
}

/// A rule by its id or by its name, if it is the only one of it.
async fn find(gateway: &Gateway, wanted: &str) -> Result<Value, Failure> {
    let rules = gateway.sip("ListSIPDispatchRule", &json!({})).await?;
    let rules = items(&rules["items"]);
    if let Some(rule) = rules.iter().find(|rule| field(rule, ID) == wanted) {
        return Ok(rule.clone());
    }
    let named: Vec<_> = rules.iter().filter(|rule| field(rule, "name") == wanted).collect();
    match &named[..] {
        [rule] => Ok((*rule).clone()),
        [] => Err(format!("there is no rule {wanted:?}; `trunkline rule list` shows those that are there").into()),
        more => Err(format!("{} rules have the name {wanted:?}; name the one you mean by its id", more.len()).into()),
    }
}

async fn create(gateway: &Gateway, file: Option<&str>, fields: &Fields, json: bool) -> Result<(), Failure> {
    let mut rule = match file {
        Some(file) => unwrapped(read(file)?, "dispatch_rule"),
        None => json!({}),
    };
    fields.fill(&mut rule);
    if field(&rule, "rule").is_null() {
        return Err(
            Trouble("say which room calls go to: --direct ROOM, --caller PREFIX or --callee PREFIX".into()).into()
        );
    }
    let created = gateway.sip("CreateSIPDispatchRule", &json!({"dispatch_rule": rule})).await?;
    tell(&created, json, |created| format!("Created rule {}.", label(created, ID)));
    Ok(())
}

async fn update(gateway: &Gateway, rule: &str, file: Option<&str>, fields: &Fields, json: bool) -> Result<(), Failure> {
    let found = find(gateway, rule).await?;
    let mut request = json!({"sip_dispatch_rule_id": found["sip_dispatch_rule_id"]});
    match file {
        Some(file) => {
            let mut replacement = unwrapped(read(file)?, "dispatch_rule");
            fields.fill(&mut replacement);
            replacement["sip_dispatch_rule_id"] = found["sip_dispatch_rule_id"].clone();
            request["replace"] = replacement;
        }
        None => request["update"] = fields.update()?,
    }
    let updated = gateway.sip("UpdateSIPDispatchRule", &request).await?;
    tell(&updated, json, |updated| format!("Updated rule {}.", label(updated, ID)));
    Ok(())
}

async fn delete(gateway: &Gateway, rules: &[String], json: bool) -> Result<(), Failure> {
    for rule in rules {
        let found = find(gateway, rule).await?;
        let id = &found["sip_dispatch_rule_id"];
        gateway.sip("DeleteSIPDispatchRule", &json!({"sip_dispatch_rule_id": id})).await?;
        tell(&found, json, |found| format!("Deleted rule {}.", label(found, ID)));
    }
    Ok(())
}

impl Fields {
    /// Sets in a rule what was said.
    fn fill(&self, rule: &mut Value) {
        self.shared(rule);
        if !self.trunks.is_empty() {
            rule["trunk_ids"] = json!(self.trunks);
        }
        if !self.inbound_numbers.is_empty() {
            rule["inbound_numbers"] = json!(self.inbound_numbers);
        }
        if let Some(agent) = &self.agent {
            rule["room_config"] = json!({"agents": [{"agent_name": agent}]});
        }
        if self.hide_phone_number {
            rule["hide_phone_number"] = true.into();
        }
    }

    /// What was said as a change of single fields.
    fn update(&self) -> Result<Value, Failure> {
        if self.agent.is_some() || self.hide_phone_number || !self.inbound_numbers.is_empty() {
            let text =
                "LiveKit's API cannot change agents, callers or hidden numbers alone; give the whole rule in a file";
            return Err(text.into());
        }
        let mut update = json!({});
        self.shared(&mut update);
        set(&mut update, "trunk_ids", change(&self.trunks));
        if update == json!({}) {
            return Err(Trouble("say what to change: a file, or flags as for `create`".into()).into());
        }
        Ok(update)
    }

    fn shared(&self, rule: &mut Value) {
        set(rule, "name", self.name.as_deref());
        set(rule, "metadata", self.metadata.as_deref());
        set(rule, "rule", self.kind());
    }

    fn kind(&self) -> Option<Value> {
        let pin = self.pin.as_deref().unwrap_or_default();
        if let Some(room) = &self.direct {
            Some(json!({"dispatch_rule_direct": {"room_name": room, "pin": pin}}))
        } else if let Some(prefix) = &self.caller {
            Some(json!({"dispatch_rule_individual": {"room_prefix": prefix, "pin": pin}}))
        } else {
            let prefix = self.callee.as_ref()?;
            Some(json!({"dispatch_rule_callee": {"room_prefix": prefix, "pin": pin, "randomize": self.randomize}}))
        }
    }
}

#[cfg(test)]
mod tests;
