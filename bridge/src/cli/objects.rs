//! `trunkline export`, `import` and `diff`: all trunks and rules at once.

mod tell;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use bridge::config::Source;
use bridge::store::exchange::{self, Objects};
use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Value, json};

use super::gateway::{Gateway, GatewayArgs, block_on, print_json};
use super::json::{items, read};
use super::{Failure, Trouble};

/// Objects of one page of another LiveKit's lists.
const PAGE: usize = 500;
/// Pages that are asked for: a server that never comes to an end is not waited for.
const PAGES: usize = 100;

/// Lists of objects, what their ids are called, and where each list is to be had from any LiveKit.
const LISTS: [(&str, &str, &str); 3] = [
    ("inbound_trunks", "sip_trunk_id", "ListSIPInboundTrunk"),
    ("outbound_trunks", "sip_trunk_id", "ListSIPOutboundTrunk"),
    ("dispatch_rules", "sip_dispatch_rule_id", "ListSIPDispatchRule"),
];

#[derive(clap::Args)]
pub(super) struct ExportArgs {
    /// With passwords: nobody else should see what is printed then.
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(clap::Args)]
pub(super) struct ImportArgs {
    /// What `trunkline export` has written; `-` for standard input. Passwords that it leaves out stay as they are.
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath, required_unless_present = "from", conflicts_with = "from")]
    file: Option<String>,
    /// Another LiveKit: its trunks and rules are asked for, and keep their ids.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// API key of the other LiveKit; the gateway's own if not given.
    #[arg(long, value_name = "KEY", requires = "from", requires = "from_api_secret")]
    from_api_key: Option<String>,
    /// Its secret.
    #[arg(
        long,
        value_name = "SECRET",
        requires = "from_api_key",
        env = "TRUNKLINE_FROM_API_SECRET",
        hide_env_values = true
    )]
    from_api_secret: Option<String>,
    /// What may be done to objects that are there.
    #[arg(long, value_enum, default_value = "merge")]
    mode: Mode,
    /// Say what would be done, and do nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do it without asking.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Nothing: one that is there and differs is a conflict.
    Add,
    /// They change.
    Merge,
    /// They change, and those that are not imported are deleted.
    Mirror,
}

#[derive(clap::Args)]
pub(super) struct DiffArgs {
    /// What `trunkline export` has written, or a configuration file; `-` for standard input.
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: String,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// `trunkline export`.
pub(super) fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let gateway = args.gateway.gateway()?;
    println!("{:#}", block_on(objects(&gateway, args.with_secrets))?);
    Ok(ExitCode::SUCCESS)
}

/// `trunkline diff`: 0 when there is no difference, 1 when there is one.
pub(super) fn diff(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let file = document(&args.file)?;
    file.items().map_err(|errors| Trouble(format!("{}: {}", args.file, errors.join("\n"))))?;
    let gateway = args.gateway.gateway()?;
    let there: Objects = serde_json::from_value(block_on(objects(&gateway, true))?)
        .map_err(|error| Trouble(format!("the gateway's objects cannot be read: {error}")))?;
    let differences = exchange::diff(&there, &file);
    if args.gateway.json {
        print_json(&json!({"differences": differences}));
    } else if differences.is_empty() {
        println!("The gateway has what the file says.");
    } else {
        print!("{}", tell::differences(&differences));
    }
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `trunkline import`: the plan first, from the gateway, which knows what stands beside what.
pub(super) fn import(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let gateway = args.gateway.gateway()?;
    let new = match (&args.file, &args.from) {
        (Some(file), _) => checked(read(file)?)?,
        (None, Some(url)) => {
            let other = args.gateway.other(url, args.from_api_key.as_deref(), args.from_api_secret.as_deref())?;
            block_on(foreign(&other))?
        }
        (None, None) => return Err(Trouble("say what to import: a file, or --from".into()).into()),
    };
    let mode = args.mode.to_possible_value().map(|mode| mode.get_name().to_owned()).unwrap_or_default();
    let put = |path: String| block_on(async { gateway.own(Method::PUT, &path, Some(&new)).await });
    let plan = put(format!("objects?mode={mode}&dry_run=true"))?;
    if !args.gateway.json {
        print!("{}", tell::plan(&plan));
    } else if args.dry_run {
        print_json(&plan);
    }
    if tell::count(&plan, "conflict") > 0 {
        return Err("nothing was imported, because not all of it can be; see above".into());
    }
    let todo: usize = ["create", "update", "delete"].into_iter().map(|action| tell::count(&plan, action)).sum();
    if todo > 0 && !args.dry_run {
        if !args.yes && !agreed(todo)? {
            eprintln!("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        }
        let done = put(format!("objects?mode={mode}"))?;
        super::noun::tell(&done, args.gateway.json, |_| "Done.".into());
    } else if args.gateway.json && !args.dry_run {
        print_json(&plan);
    }
    Ok(ExitCode::SUCCESS)
}

async fn objects(gateway: &Gateway, with_secrets: bool) -> Result<Value, Failure> {
    let path = if with_secrets { "objects?secrets=true" } else { "objects" };
    gateway.own(Method::GET, path, None).await
}

/// The objects of a file: an export, or a whole configuration.
fn document(file: &str) -> Result<Objects, Failure> {
    let is_export = file == "-" || file.ends_with(".json") || file.trim_start().starts_with('{');
    if is_export {
        return Ok(serde_json::from_value(checked(read(file)?)?).map_err(|error| Trouble(format!("{file}: {error}")))?);
    }
    let source = Source { file: Some(Path::new(file).to_owned()), body: None };
    let loaded = source.read(&std::env::vars().collect()).map_err(|error| Trouble(error.to_string()))?;
    Ok(exchange::export(&loaded.snapshot, true))
}

/// All trunks and rules of another LiveKit, by its lists.
async fn foreign(other: &Gateway) -> Result<Value, Failure> {
    let mut objects = json!({});
    for (list, id, method) in LISTS {
        let mut all: Vec<Value> = Vec::new();
        for _ in 0..PAGES {
            let after = all.last().map_or_else(|| "".into(), |object| object[id].clone());
            let page = other.sip(method, &json!({"page": {"after_id": after, "limit": PAGE}})).await?;
            // A server that knows no pages gives the same again.
            let is_new = |new: &&Value| all.iter().all(|old| old[id] != new[id]);
            let more: Vec<_> = items(&page["items"]).iter().filter(is_new).cloned().collect();
            let is_last = more.len() < PAGE;
            all.extend(more);
            if is_last {
                break;
            }
        }
        objects[list] = all.into();
    }
    Ok(objects)
}

/// The objects in a file; one without any is another file than was meant.
fn checked(file: Value) -> Result<Value, Failure> {
    let known = |name: &String| name == "origins" || LISTS.iter().any(|(list, ..)| list == name);
    if let Some(name) = file.as_object().into_iter().flat_map(|map| map.keys()).find(|name| !known(name)) {
        let text = format!(
            "the file has {name:?}, and no export has that; it should have inbound_trunks, outbound_trunks and dispatch_rules"
        );
        return Err(Trouble(text).into());
    }
    if LISTS.iter().all(|(list, ..)| file.get(list).is_none()) {
        return Err(Trouble("the file has neither inbound_trunks nor outbound_trunks nor dispatch_rules".into()).into());
    }
    Ok(file)
}

/// Asks whoever sits there.
fn agreed(todo: usize) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Trouble("nobody is there to agree; say --yes to import, or --dry-run to see the plan".into()).into()
        );
    }
    eprint!("Change {todo} of them? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests;
