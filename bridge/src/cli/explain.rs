//! `trunkline explain`: which trunk and which rule would take a call, and why the others would not.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use bridge::api::explain::Ask;
use bridge::dispatch;
use reqwest::Method;
use serde_json::Value;

use super::gateway::{GatewayArgs, block_on, print_json};
use super::json::{field, items, pair, words};
use super::table::{facts, printable};
use super::{Failure, Trouble};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Who would call: a number, or a SIP URI.
    #[arg(long, value_name = "NUMBER")]
    from: String,
    /// Who would be called: a number, or a SIP URI.
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// The address that the call would come from.
    #[arg(long, value_name = "IP[:PORT]")]
    source: Option<String>,
    /// What it would come over: udp, tcp or tls.
    #[arg(long, value_name = "TRANSPORT")]
    transport: Option<String>,
    /// A header of its INVITE; can be given more than once.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// Ask no gateway: look at the objects of --config alone.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// 0 when the call would be taken, 1 when it would be refused.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let ask = Ask {
        from: args.from.clone(),
        to: args.to.clone(),
        source: args.source.clone(),
        transport: args.transport.clone(),
        headers: args.headers.iter().cloned().collect(),
    };
    let explanation = if args.offline { offline(args, &ask)? } else { online(args, &ask)? };
    if args.gateway.json {
        print_json(&explanation);
    } else {
        print!("{}", tell(&explanation));
    }
    let is_refused = field(&explanation, "outcome.result") == "refuse";
    Ok(if is_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn online(args: &Args, ask: &Ask) -> Result<Value, Failure> {
    let gateway = args.gateway.gateway()?;
    let ask = serde_json::to_value(ask)?;
    block_on(async { gateway.own(Method::POST, "explain", Some(&ask)).await })
}

fn offline(args: &Args, ask: &Ask) -> Result<Value, Failure> {
    let loaded = args.gateway.loaded()?;
    let query = ask.query(SystemTime::now(), rand::random()).map_err(|error| Trouble(error.to_string()))?;
    Ok(serde_json::to_value(dispatch::explain(&loaded.snapshot, &query))?)
}

/// Each trunk and each rule in a line of its own, and what comes of it.
fn tell(explanation: &Value) -> String {
    let mut text = String::new();
    for (heading, list) in [("Trunks", "trunks"), ("Rules", "rules")] {
        let findings = items(field(explanation, list));
        let _ = writeln!(text, "{heading}:{}", if findings.is_empty() { " none was looked at" } else { "" });
        for finding in findings {
            let sign = if field(finding, "taken") == true { '→' } else { ' ' };
            let label: Vec<_> =
                [words(finding, "name"), words(finding, "id")].into_iter().filter(|word| !word.is_empty()).collect();
            let _ = writeln!(text, "{sign} {}: {}", printable(&label.join(" ")), printable(&words(finding, "why")));
        }
    }
    let password = field(explanation, "password");
    if !password.is_null() {
        let users = words(password, "users");
        let users = if users.is_empty() { "nobody's answer would help".to_owned() } else { format!("of {users}") };
        let _ = writeln!(text, "The caller would be asked for a password: {}.", printable(&users));
    }
    text + &outcome(field(explanation, "outcome"))
}

fn outcome(outcome: &Value) -> String {
    match words(outcome, "result").as_str() {
        "refuse" => {
            format!(
                "The call would be refused: {} ({}).\n",
                printable(&words(outcome, "text")),
                words(outcome, "status")
            )
        }
        "ask_pin" => format!("The caller would have to type the PIN of {}.\n", words(outcome, "rule_id")),
        _ => {
            let mut lines = vec![("room", words(outcome, "room")), ("identity", words(outcome, "identity"))];
            lines.extend([("name", words(outcome, "name")), ("metadata", words(outcome, "metadata"))]);
            lines.extend([("agents", words(outcome, "agents")), ("attributes", words(outcome, "attributes"))]);
            lines.push(("notes", words(outcome, "notes")));
            format!("The caller would stand in a room:\n{}", facts(&lines))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn explanations_read_well() {
        let trunks = json!([
            {"id": "ST_a", "name": "a", "taken": false, "why": "other numbers"}, {"id": "ST_b", "name": "", "taken": true, "why": "takes it"}
        ]);
        let join = json!({"trunks": trunks, "password": null, "rules": [], "outcome": {"result": "join", "room": "r", "identity": "i", "attributes": {"a": "1"}}});
        let expected = "Trunks:\n  a ST_a: other numbers\n→ ST_b: takes it\nRules: none was looked at\n\
                        The caller would stand in a room:\nroom        r\nidentity    i\nattributes  a=1\n";
        assert_eq!(tell(&join), expected);
        let refuse = json!({"password": {"realm": "r", "users": ["u"]}, "outcome": {"result": "refuse", "text": "no rule takes it", "status": 404}});
        let told = tell(&refuse);
        assert!(told.ends_with("of u.\nThe call would be refused: no rule takes it (404).\n"), "{told}");
    }
}
