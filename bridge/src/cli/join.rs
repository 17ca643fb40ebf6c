//! `trunkline join`: a participant that echoes, plays or records.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bridge::app::toward_room;
use bridge::guest::{self, Guest, Heard};
use bridge::room::{End, Event, JoinConfig, Kind, Profile, Server};
use bridge::wav;
use media::Desk;
use media::desk::{LONGEST_RECORDING, Play};
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::output::{duration, pitch};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The room.
    room: String,
    /// Say back what is heard.
    #[arg(long, conflicts_with_all = ["play", "tone"])]
    echo: bool,
    /// Play this WAV file, again and again.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    play: Option<PathBuf>,
    /// Play a tone of this many hertz.
    #[arg(long, value_name = "HZ", conflicts_with = "play", value_parser = pitch)]
    tone: Option<f32>,
    /// Write what is heard into this WAV file on leaving, ten minutes at most.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    record: Option<PathBuf>,
    /// Leave after this long; on Ctrl-C when not given.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Identity in the room.
    #[arg(long, default_value = "trunkline-guest")]
    identity: String,
    /// Name in the room.
    #[arg(long, default_value = "Trunkline guest")]
    name: String,
    /// The LiveKit server.
    #[arg(long, env = "LIVEKIT_URL", value_name = "URL")]
    url: Option<String>,
    /// API key.
    #[arg(long, env = "LIVEKIT_API_KEY", value_name = "KEY")]
    api_key: String,
    /// API secret.
    #[arg(long, env = "LIVEKIT_API_SECRET", value_name = "SECRET", hide_env_values = true)]
    api_secret: String,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build()?;
    runtime.block_on(join(args))
}

async fn join(args: &Args) -> Result<ExitCode, Failure> {
    let url = match &args.url {
        Some(url) => url.clone(),
        None => std::env::var("LIVEKIT_WS_URL").map_err(|_| "say where the room is: --url or LIVEKIT_URL")?,
    };
    let play = match (args.echo, &args.play, args.tone) {
        (true, ..) => Play::Echo,
        (_, Some(file), _) => Play::Samples { pcm: wav::read(file)?, looped: true },
        (_, _, Some(frequency)) => Play::Tone { frequency, level: 15 },
        _ => Play::Silence,
    };
    let record = if args.record.is_some() { LONGEST_RECORDING } else { Duration::ZERO };
    let plane = guest::plane(toward_room(&url).await)?;
    let profile = Profile {
        name: args.name.clone(),
        kind: Kind::Standard,
        ..Profile::new(args.room.as_str(), args.identity.as_str())
    };
    let server = Server { url: url.clone(), key: args.api_key.clone(), secret: args.api_secret.clone() };
    let mut guest = Guest::join(&plane, JoinConfig { server, profile }, Desk::new(play, record))?;
    let mut has_joined = false;
    let end = stay(&mut guest, args.duration, &mut has_joined).await?;
    if !has_joined && end.is_none() {
        return Err(format!("there was no way into the room; does {url} answer?").into());
    }
    let heard = guest.leave().await;
    if let Some(heard) = &heard {
        tell(heard);
        if let Some(file) = &args.record {
            wav::write(file, &heard.recording)?;
        }
    }
    match end {
        None | Some(End::Left) => Ok(ExitCode::SUCCESS),
        Some(end) => Err(parting(&end).into()),
    }
}

/// Stays until it is time to leave (`None`), or until the room ends.
async fn stay(guest: &mut Guest, length: Option<Duration>, has_joined: &mut bool) -> Result<Option<End>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let over = async {
        match length {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            event = guest.next_event() => match event {
                Some(Event::Joined(joined)) => {
                    *has_joined = true;
                    println!("joined      {} as {}, {} others there", joined.room, joined.participant_sid, joined.others);
                }
                Some(Event::Dtmf { from, digits, .. }) => println!("keys        {digits} from {from}"),
                Some(Event::Interrupted) => println!("lost        looking for the room"),
                Some(Event::Restored(how)) => println!("back        {how:?}"),
                Some(Event::Ended(end)) => return Ok(Some(end)),
                Some(_) => {}
                None => return Err("the media line is gone".into()),
            },
            () = &mut over => return Ok(None),
            _ = interrupt.recv() => return Ok(None),
            _ = terminate.recv() => return Ok(None),
        }
    }
}

fn parting(end: &End) -> String {
    match end {
        End::Left | End::RoomClosed => "the room is over".to_owned(),
        End::Removed => "removed from the room".to_owned(),
        End::RoomDeleted => "the room was deleted".to_owned(),
        End::DuplicateIdentity => "somebody else joined with the same --identity".to_owned(),
        End::ServerShutdown => "the server has gone down".to_owned(),
        End::Refused { status, text } => format!("the server refuses with {status}: {text}"),
        End::Disconnected(reason) => format!("the server ended it: {}", reason.as_str_name()),
        End::GaveUp { last } => format!("the room cannot be reached: {last}"),
    }
}

fn tell(heard: &Heard) {
    let packets = &heard.packets;
    println!("packets     {} received, {} sent, {} late", packets.received, packets.sent, packets.late);
    if heard.sound.level < 127 {
        println!("heard       {:.1} s of sound at -{} dBov", heard.sound.sound.as_secs_f64(), heard.sound.level);
    }
}
