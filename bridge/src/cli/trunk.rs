//! `trunkline trunk`: trunks that calls come in and go out by.

mod ours;

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use self::ours::Ours;
use super::gateway::{Gateway, print_json};
use super::json::{field, items, map, pair, read, set, words};
use super::noun::{self, change, label, tell, unwrapped};
use super::origin::Origins;
use super::table::Table;
use super::{Failure, Trouble};

/// Where the id of a trunk stands.
const ID: &str = "sip_trunk_id";

pub(super) type Args = noun::Args<Verb>;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List trunks.
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        kind: KindArgs,
        /// Only trunks that take or have this number; can be given more than once.
        #[arg(long = "number", value_name = "NUMBER")]
        numbers: Vec<String>,
    },
    /// Show all that a trunk says.
    Show {
        /// Its id (ST_…), or its name.
        trunk: String,
    },
    /// Create a trunk from a file, from flags, or from both: flags win.
    Create {
        /// LiveKit's JSON, with or without `trunk` around it; `-` for standard input.
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: Option<String>,
        #[command(flatten)]
        kind: KindArgs,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Change a trunk: a file replaces it whole, flags change single fields.
    Update {
        /// Its id (ST_…), or its name.
        trunk: String,
        /// LiveKit's JSON, with or without `trunk` around it; `-` for standard input.
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: Option<String>,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Delete trunks.
    #[command(visible_alias = "rm")]
    Delete {
        /// Their ids (ST_…) or names.
        #[arg(required = true, value_name = "TRUNK")]
        trunks: Vec<String>,
    },
}

#[derive(clap::Args)]
pub(super) struct KindArgs {
    /// A trunk that calls come in by.
    #[arg(long, short, conflicts_with = "outbound")]
    inbound: bool,
    /// A trunk that calls go out by.
    #[arg(long, short)]
    outbound: bool,
}

/// The fields that are set most. The others are in files.
#[derive(clap::Args, Default)]
pub(super) struct Fields {
    /// A name that says what it is for.
    #[arg(long)]
    name: Option<String>,
    /// Its numbers, with commas between.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    numbers: Vec<String>,
    /// Addresses and networks that calls may come from.
    #[arg(long, value_delimiter = ',', value_name = "NETWORKS")]
    allowed_addresses: Vec<String>,
    /// Callers that may call.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    allowed_numbers: Vec<String>,
    /// Where calls go out to: host, or host and port.
    #[arg(long, value_name = "HOST[:PORT]")]
    address: Option<String>,
    /// How they go out.
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// The host in From.
    #[arg(long, value_name = "HOST")]
    from_host: Option<String>,
    /// Where the trunk's numbers are called, two letters.
    #[arg(long, value_name = "COUNTRY")]
    destination_country: Option<String>,
    /// The user of the trunk's password.
    #[arg(long = "auth-user", value_name = "USER")]
    auth_username: Option<String>,
    /// The password. Better in TRUNKLINE_PASSWORD, or in a file: other users of this machine see arguments.
    #[arg(long = "auth-pass", value_name = "PASSWORD", env = "TRUNKLINE_PASSWORD", hide_env_values = true)]
    auth_password: Option<String>,
    /// The realm that callers are asked for a password in.
    #[arg(long, value_name = "REALM")]
    auth_realm: Option<String>,
    /// Whatever you like.
    #[arg(long)]
    metadata: Option<String>,
    /// A header for its calls; can be given more than once. Not with `update`: use a file.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    #[command(flatten)]
    ours: Ours,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Transport {
    Auto,
    Udp,
    Tcp,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inbound,
    Outbound,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Inbound, Self::Outbound];

    fn word(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }

    /// The name of a method: `ListSIP…Trunk`.
    fn method(self, verb: &str) -> String {
        match self {
            Self::Inbound => format!("{verb}SIPInboundTrunk"),
            Self::Outbound => format!("{verb}SIPOutboundTrunk"),
        }
    }

    /// An outbound trunk has an address, and no other has one.
    fn of(trunk: &Value) -> Self {
        if field(trunk, "address").is_null() { Self::Inbound } else { Self::Outbound }
    }
}

impl KindArgs {
    fn said(&self) -> Option<Kind> {
        match (self.inbound, self.outbound) {
            (true, _) => Some(Kind::Inbound),
            (_, true) => Some(Kind::Outbound),
            _ => None,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    args.run(async |gateway, verb, json| match verb {
        Verb::List { kind, numbers } => list(gateway, kind.said(), numbers, json).await,
        Verb::Show { trunk } => show(gateway, trunk, json).await,
        Verb::Create { file, kind, fields } => create(gateway, file.as_deref(), kind.said(), fields, json).await,
        Verb::Update { trunk, file, fields } => update(gateway, trunk, file.as_deref(), fields, json).await,
        Verb::Delete { trunks } => delete(gateway, trunks, json).await,
    })
}

async fn list(gateway: &Gateway, kind: Option<Kind>, numbers: &[String], json: bool) -> Result<(), Failure> {
    let origins = Origins::ask(gateway).await;
    let mut table = Table::new(&["ID", "KIND", "NAME", "NUMBERS", "PEER", "AUTH", "ORIGIN"]);
    let mut all = json!({});
    for kind in Kind::ALL.into_iter().filter(|each| kind.is_none_or(|kind| kind == *each)) {
        let trunks = gateway.sip(&kind.method("List"), &json!({"numbers": numbers})).await?;
        for trunk in items(&trunks["items"]) {
            table.row(row(kind, trunk, &origins));
        }
        all[format!("{}_trunks", kind.word())] = origins.beside(&trunks["items"], ID);
    }
    if json {
        print_json(&all);
    } else if table.is_empty() {
        println!("There are no trunks{}.", if numbers.is_empty() { "" } else { " with such numbers" });
    } else {
        print!("{table}");
    }
    Ok(())
}

fn row(kind: Kind, trunk: &Value, origins: &Origins) -> [String; 7] {
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    let peer = match kind {
        Kind::Inbound => or(words(trunk, "allowed_addresses"), "any"),
        Kind::Outbound => words(trunk, "address"),
    };
    let id = words(trunk, ID);
    let origin = origins.of(&id);
    let numbers = or(words(trunk, "numbers"), if kind == Kind::Inbound { "any" } else { "" });
    [id, kind.word().into(), words(trunk, "name"), numbers, peer, words(trunk, "auth_username"), origin]
}

async fn show(gateway: &Gateway, trunk: &str, json: bool) -> Result<(), Failure> {
    let (kind, trunk) = find(gateway, trunk).await?;
    noun::show(gateway, &trunk, ID, ("kind", kind.word().into()), json).await;
    Ok(())
}

/// A trunk by its id or by its name, if it is the only one of it.
async fn find(gateway: &Gateway, wanted: &str) -> Result<(Kind, Value), Failure> {
    let mut named = Vec::new();
    for kind in Kind::ALL {
        let trunks = gateway.sip(&kind.method("List"), &json!({})).await?;
        for trunk in items(&trunks["items"]) {
            if field(trunk, ID) == wanted {
                return Ok((kind, trunk.clone()));
            }
            if field(trunk, "name") == wanted {
                named.push((kind, trunk.clone()));
            }
        }
    }
    match (named.len(), named.pop()) {
        (1, Some(found)) => Ok(found),
        (0, _) => {
            Err(format!("there is no trunk {wanted:?}; `trunkline trunk list` shows those that are there").into())
        }
        (count, _) => Err(format!("{count} trunks have the name {wanted:?}; name the one you mean by its id").into()),
    }
}

async fn create(
    gateway: &Gateway,
    file: Option<&str>,
    kind: Option<Kind>,
    fields: &Fields,
    json: bool,
) -> Result<(), Failure> {
    let mut trunk = match file {
        Some(file) => unwrapped(read(file)?, "trunk"),
        None => json!({}),
    };
    fields.fill(&mut trunk);
    let guess = Kind::of(&trunk);
    let kind = kind.unwrap_or(guess);
    let created = gateway.sip(&kind.method("Create"), &json!({"trunk": trunk})).await?;
    fields.ours.set(gateway, kind, &created).await?;
    tell(&created, json, |created| format!("Created {} trunk {}.", kind.word(), label(created, ID)));
    Ok(())
}

async fn update(
    gateway: &Gateway,
    trunk: &str,
    file: Option<&str>,
    fields: &Fields,
    json: bool,
) -> Result<(), Failure> {
    let (kind, found) = find(gateway, trunk).await?;
    let mut request = json!({"sip_trunk_id": found["sip_trunk_id"]});
    if file.is_none() && !fields.ours.is_empty() && !fields.has_theirs() {
        fields.ours.set(gateway, kind, &found).await?;
        tell(&found, json, |updated| format!("Updated {} trunk {}.", kind.word(), label(updated, ID)));
        return Ok(());
    }
    match file {
        Some(file) => {
            let mut replacement = unwrapped(read(file)?, "trunk");
            fields.fill(&mut replacement);
            replacement["sip_trunk_id"] = found["sip_trunk_id"].clone();
            request["replace"] = replacement;
        }
        None => request["update"] = fields.update()?,
    }
    let updated = gateway.sip(&kind.method("Update"), &request).await?;
    fields.ours.set(gateway, kind, &updated).await?;
    tell(&updated, json, |updated| format!("Updated {} trunk {}.", kind.word(), label(updated, ID)));
    Ok(())
}

async fn delete(gateway: &Gateway, trunks: &[String], json: bool) -> Result<(), Failure> {
    for trunk in trunks {
        // The API says yes to whatever is deleted; here a slip of the pen should not look like success.
        let (kind, found) = find(gateway, trunk).await?;
        gateway.sip("DeleteSIPTrunk", &json!({"sip_trunk_id": found["sip_trunk_id"]})).await?;
        tell(&found, json, |found| format!("Deleted {} trunk {}.", kind.word(), label(found, ID)));
    }
    Ok(())
}

impl Fields {
    /// Sets in a trunk what was said.
    fn fill(&self, trunk: &mut Value) {
        self.scalars(trunk);
        for (name, list) in self.lists() {
            if !list.is_empty() {
                trunk[name] = json!(list);
            }
        }
        if !self.headers.is_empty() {
            trunk["headers"] = map(&self.headers);
        }
    }

    /// Whether anything was said that LiveKit's API has a field for.
    fn has_theirs(&self) -> bool {
        let mut said = json!({});
        self.fill(&mut said);
        said != json!({})
    }

    /// What was said as a change of single fields.
    fn update(&self) -> Result<Value, Failure> {
        if !self.headers.is_empty() {
            return Err("LiveKit's API cannot change headers alone; give the whole trunk in a file".into());
        }
        let mut update = json!({});
        self.scalars(&mut update);
        for (name, list) in self.lists() {
            set(&mut update, name, change(list));
        }
        if update == json!({}) {
            return Err(Trouble("say what to change: a file, or flags as for `create`".into()).into());
        }
        Ok(update)
    }

    fn scalars(&self, trunk: &mut Value) {
        set(trunk, "name", self.name.as_deref());
        set(trunk, "address", self.address.as_deref());
        set(trunk, "transport", self.transport.map(Transport::wire));
        set(trunk, "from_host", self.from_host.as_deref());
        set(trunk, "destination_country", self.destination_country.as_deref());
        set(trunk, "auth_username", self.auth_username.as_deref());
        // In the environment it may be for somebody else: it goes with the user's name only.
        set(trunk, "auth_password", self.auth_password.as_deref().filter(|_| self.auth_username.is_some()));
        set(trunk, "auth_realm", self.auth_realm.as_deref());
        set(trunk, "metadata", self.metadata.as_deref());
    }

    fn lists(&self) -> [(&'static str, &[String]); 3] {
        [
            ("numbers", &self.numbers),
            ("allowed_addresses", &self.allowed_addresses),
            ("allowed_numbers", &self.allowed_numbers),
        ]
    }
}

impl Transport {
    fn wire(self) -> &'static str {
        match self {
            Self::Auto => "SIP_TRANSPORT_AUTO",
            Self::Udp => "SIP_TRANSPORT_UDP",
            Self::Tcp => "SIP_TRANSPORT_TCP",
            Self::Tls => "SIP_TRANSPORT_TLS",
        }
    }
}

#[cfg(test)]
mod tests;
