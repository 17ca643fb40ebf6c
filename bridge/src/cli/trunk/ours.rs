//! Fields of a trunk that LiveKit's API does not have: they go by the gateway's own.

use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ID, Kind};
use crate::cli::Failure;
use crate::cli::gateway::Gateway;
use crate::cli::json::{field, items};

/// Fields of our own.
#[derive(clap::Args, Clone, Copy, Default)]
pub(in crate::cli) struct Ours {
    /// How keys are pressed for its peer, and whether tones in the peer's audio are keys.
    #[arg(long, value_enum)]
    dtmf: Option<Dtmf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dtmf {
    Auto,
    Rfc4733,
    Info,
    Inband,
}

impl Ours {
    pub(super) fn is_empty(self) -> bool {
        self.dtmf.is_none()
    }

    /// Sets what was said in a trunk that is there.
    pub(super) async fn set(self, gateway: &Gateway, kind: Kind, trunk: &Value) -> Result<(), Failure> {
        let Some(dtmf) = self.dtmf.and_then(|dtmf| dtmf.to_possible_value()) else { return Ok(()) };
        let list = format!("{}_trunks", kind.word());
        let all = gateway.own(Method::GET, "objects", None).await?;
        let found = items(field(&all, &list)).iter().find(|other| field(other, ID) == field(trunk, ID));
        let Some(mut object) = found.cloned() else {
            return Err("the gateway does not know the trunk any more".into());
        };
        object["dtmf"] = json!(dtmf.get_name());
        let plan = gateway.own(Method::PUT, "objects?mode=merge", Some(&json!({list: [object]}))).await?;
        match items(field(&plan, "entries")).iter().any(|entry| field(entry, "action") == "conflict") {
            true => Err("dtmf cannot be set: the trunk stands in the configuration file, or has changed".into()),
            false => Ok(()),
        }
    }
}
