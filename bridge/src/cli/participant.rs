//! `trunkline participant`: phones in rooms. Call one, transfer it, move it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::gateway::{Gateway, Grant, PATIENCE};
use super::json::{map, pair, read, set, words};
use super::noun::{self, tell};
use super::output::duration;
use super::table::facts;
use super::{Failure, Trouble};

/// How long a call may ring that somebody waits for, as in `lk`.
const RINGING: Duration = Duration::from_secs(80);
/// The gateway gives up the ringing before whoever asked gives up the waiting.
const SLACK: Duration = Duration::from_secs(10);

pub(super) type Args = noun::Args<Verb>;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Call a phone into a room: from a file, from flags, or from both (flags win).
    Create(Box<Create>),
    /// Let a phone be called away by its carrier (REFER).
    Transfer {
        #[command(flatten)]
        who: Who,
        /// Whom to: tel:+1…, sip:…, or a number.
        #[arg(long, value_name = "TARGET")]
        to: String,
        /// The phone hears ringing meanwhile.
        #[arg(long)]
        play_dialtone: bool,
        /// How long the target may ring.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        timeout: Option<Duration>,
        /// A header of the REFER; can be given more than once.
        #[arg(long = "header", value_name = "NAME: VALUE", value_parser = pair)]
        headers: Vec<(String, String)>,
    },
    /// Move a participant into another room. Its call goes on without a gap.
    Move {
        #[command(flatten)]
        who: Who,
        /// Where to.
        #[arg(long, value_name = "ROOM")]
        to: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Who {
    /// The room that it is in.
    #[arg(long)]
    room: String,
    /// The participant.
    #[arg(long)]
    identity: String,
}

#[derive(clap::Args)]
pub(super) struct Create {
    /// LiveKit's JSON (CreateSIPParticipant); `-` for standard input.
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: Option<String>,
    /// The outbound trunk: its id (ST_…) or its name. The default one if not given.
    #[arg(long, value_name = "TRUNK")]
    trunk: Option<String>,
    /// The number that calls; one of the trunk's if not given.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// The number to call.
    #[arg(long, value_name = "NUMBER")]
    call: Option<String>,
    /// The room.
    #[arg(long)]
    room: Option<String>,
    /// As whom the phone stands in the room.
    #[arg(long)]
    identity: Option<String>,
    /// Its name in the room.
    #[arg(long)]
    name: Option<String>,
    /// The caller's name that the phone shows.
    #[arg(long, conflicts_with = "no_display_name")]
    display_name: Option<String>,
    /// Show none.
    #[arg(long)]
    no_display_name: bool,
    /// Keys to press after the answer: 0-9, *, #, A-D, and w for half a second of waiting.
    #[arg(long, value_name = "KEYS")]
    dtmf: Option<String>,
    /// The room hears ringing until the answer.
    #[arg(long)]
    play_dialtone: bool,
    /// A header of the INVITE; can be given more than once.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// An attribute of the participant; can be given more than once.
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
    /// Metadata of the participant.
    #[arg(long)]
    metadata: Option<String>,
    /// Wait until it is answered, and fail if it is not.
    #[arg(long)]
    wait: bool,
    /// How long it may ring.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    args.run(async |gateway, verb, json| match verb {
        Verb::Create(create) => call(gateway, create, json).await,
        Verb::Transfer { who, to, play_dialtone, timeout, headers } => {
            let mut request = json!({
                "room_name": who.room, "participant_identity": who.identity, "transfer_to": to,
                "play_dialtone": play_dialtone, "headers": map(headers),
            });
            set(&mut request, "ringing_timeout", timeout.map(seconds));
            transfer(gateway, who, &request, timeout.unwrap_or(PATIENCE) + SLACK, json).await
        }
        Verb::Move { who, to } => {
            let request = json!({"room": who.room, "identity": who.identity, "destination_room": to});
            let grant = Grant::Move { room: &who.room, destination: to };
            let moved = gateway.twirp("RoomService", "MoveParticipant", &request, &grant, PATIENCE).await?;
            tell(&moved, json, |_| format!("Moved {} from {} to {to}.", who.identity, who.room));
            Ok(())
        }
    })
}

async fn call(gateway: &Gateway, create: &Create, json: bool) -> Result<(), Failure> {
    let request = create.request()?;
    let room = words(&request, "room_name");
    let patience = create.patience(&request);
    let grant = Grant::Call { room: &room };
    let called = gateway.twirp("SIP", "CreateSIPParticipant", &request, &grant, patience).await?;
    tell(&called, json, |called| {
        facts(&[
            ("call", words(called, "sip_call_id")),
            ("room", words(called, "room_name")),
            ("identity", words(called, "participant_identity")),
            ("participant", words(called, "participant_id")),
        ])
        .trim_end()
        .to_owned()
    });
    Ok(())
}

async fn transfer(
    gateway: &Gateway,
    who: &Who,
    request: &Value,
    patience: Duration,
    json: bool,
) -> Result<(), Failure> {
    let grant = Grant::Transfer { room: &who.room };
    let transferred = gateway.twirp("SIP", "TransferSIPParticipant", request, &grant, patience).await?;
    tell(&transferred, json, |_| format!("Transferred {} to {}.", who.identity, words(request, "transfer_to")));
    Ok(())
}

impl Create {
    /// The request that the file and the flags come to.
    fn request(&self) -> Result<Value, Failure> {
        let mut request = match &self.file {
            Some(file) => read(file)?,
            None => json!({}),
        };
        set(&mut request, "sip_trunk_id", self.trunk.as_deref());
        set(&mut request, "sip_number", self.number.as_deref());
        set(&mut request, "sip_call_to", self.call.as_deref());
        set(&mut request, "room_name", self.room.as_deref());
        set(&mut request, "participant_identity", self.identity.as_deref());
        set(&mut request, "participant_name", self.name.as_deref());
        set(&mut request, "participant_metadata", self.metadata.as_deref());
        // An empty one is not the same as none.
        set(&mut request, "display_name", self.no_display_name.then_some("").or(self.display_name.as_deref()));
        set(&mut request, "dtmf", self.dtmf.as_deref());
        set(&mut request, "play_dialtone", self.play_dialtone.then_some(true));
        set(&mut request, "wait_until_answered", self.wait.then_some(true));
        set(&mut request, "ringing_timeout", self.timeout.map(seconds));
        set(&mut request, "headers", (!self.headers.is_empty()).then(|| map(&self.headers)));
        set(&mut request, "participant_attributes", (!self.attributes.is_empty()).then(|| map(&self.attributes)));
        for (name, flag) in [("sip_call_to", "--call"), ("room_name", "--room")] {
            if words(&request, name).is_empty() {
                return Err(Trouble(format!("say {flag}, or {name} in a file")).into());
            }
        }
        Ok(request)
    }

    /// How long the answer may take.
    fn patience(&self, request: &Value) -> Duration {
        if request["wait_until_answered"] != true {
            return PATIENCE;
        }
        let written = request["ringing_timeout"].as_str().and_then(|text| duration(text).ok());
        self.timeout.or(written).unwrap_or(RINGING) + SLACK
    }
}

/// A length of time as protobuf's JSON has it: `45s`, `0.500s`.
fn seconds(length: Duration) -> String {
    match length.subsec_millis() {
        0 => format!("{}s", length.as_secs()),
        millis => format!("{}.{millis:03}s", length.as_secs()),
    }
}

#[cfg(test)]
mod tests;
