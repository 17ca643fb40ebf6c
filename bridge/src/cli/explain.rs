//! `trunkline explain`: which trunk and which rule would take a call, and why the others would not.

use std::collections::BTreeMap;
use std::process::ExitCode;

use bridge::api::explain::Ask;
use reqwest::Method;
use serde_json::Value;

use super::Failure;
use super::gateway::{GatewayArgs, block_on, print_json};
use super::json::pair;

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
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let ask = Ask {
        from: args.from.clone(),
        to: args.to.clone(),
        source: args.source.clone(),
        transport: args.transport.clone(),
        headers: args.headers.iter().cloned().collect::<BTreeMap<_, _>>(),
    };
    let gateway = args.gateway.gateway()?;
    let ask = serde_json::to_value(&ask)?;
    let explanation = block_on(async { gateway.own(Method::POST, "explain", Some(&ask)).await })?;
    tell(&explanation, args.gateway.json);
    Ok(ExitCode::SUCCESS)
}

fn tell(explanation: &Value, json: bool) {
    if json {
        print_json(explanation);
    } else {
        println!("{explanation:#}");
    }
}
