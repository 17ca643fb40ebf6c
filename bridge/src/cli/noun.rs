//! What the nouns of the command line have in common: verbs that ask a gateway, and objects that are told about.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Failure;
use super::gateway::{Gateway, GatewayArgs, block_on, print_json};
use super::json::{essence, masked, words};
use super::origin::Origins;
use super::table::facts;

/// The arguments of a noun: its verbs, and which gateway is asked.
#[derive(clap::Args)]
pub(super) struct Args<Verb: Subcommand> {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    gateway: GatewayArgs,
}

impl<Verb: Subcommand> Args<Verb> {
    /// Does what the verb says, with JSON for an answer or words.
    pub(super) fn run(
        &self,
        act: impl AsyncFnOnce(&Gateway, &Verb, bool) -> Result<(), Failure>,
    ) -> Result<ExitCode, Failure> {
        let gateway = self.gateway.gateway()?;
        block_on(act(&gateway, &self.verb, self.gateway.json))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The whole object for scripts, a sentence for people.
pub(super) fn tell(object: &Value, json: bool, sentence: impl FnOnce(&Value) -> String) {
    if json { print_json(object) } else { println!("{}", sentence(object)) }
}

/// All that an object says, with `more` about it in front; `id` is the field with its id.
pub(super) async fn show(gateway: &Gateway, object: &Value, id: &str, more: (&str, String), json: bool) {
    let origins = Origins::ask(gateway).await;
    if json {
        return print_json(&origins.beside_one(object, id));
    }
    let object = masked(object);
    let mut lines = vec![("id", words(&object, id)), more, ("origin", origins.of(&words(&object, id)))];
    let essence = essence(&object);
    for (name, _) in essence.as_object().into_iter().flatten().filter(|(name, _)| *name != id) {
        lines.push((name, words(&essence, name)));
    }
    lines.extend([("created_at", words(&object, "created_at")), ("updated_at", words(&object, "updated_at"))]);
    print!("{}", facts(&lines));
}

/// Name and id.
pub(super) fn label(object: &Value, id: &str) -> String {
    match (words(object, "name"), words(object, id)) {
        (name, id) if name.is_empty() => id,
        (name, id) => format!("{name:?} ({id})"),
    }
}

/// What is inside of a request's one field.
pub(super) fn unwrapped(mut file: Value, field: &str) -> Value {
    match file.get_mut(field) {
        Some(object) => object.take(),
        None => file,
    }
}

/// A list as a change of one. An empty word clears it: `--numbers ''`.
pub(super) fn change(list: &[String]) -> Option<Value> {
    match list {
        [] => None,
        [only] if only.is_empty() => Some(json!({"clear": true})),
        list => Some(json!({"set": list})),
    }
}
