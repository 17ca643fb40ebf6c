//! `trunkline call`: the test phone, and with `--count` the load generator.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bridge::dns::{self, Resolver, Target};
use bridge::handset::{Handset, Outcome, Plan};
use bridge::wav;
use clap::ValueEnum;
use media::desk::Play;
use serde_json::json;
use sip::digest::Credentials;
use sip::{HeaderName, NameAddr, Scheme, Status, Uri, Wire};
use tokio::task::JoinSet;

use super::Failure;
use super::output::{duration, milliseconds, pitch, quantile, rounded};

/// Talk time where nothing is played.
const TALK: Duration = Duration::from_secs(10);
/// What was played last has to come back before we hang up.
const TAIL: Duration = Duration::from_millis(500);

/// The exit code of whoever was interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Whom to call, for example sip:+15550100@gateway.example.com.
    #[arg(value_name = "URI")]
    uri: String,
    /// Play this WAV file into the call, then hang up.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    play: Option<PathBuf>,
    /// Play a tone of this many hertz.
    #[arg(long, value_name = "HZ", conflicts_with = "play", value_parser = pitch)]
    tone: Option<f32>,
    /// Begin the file again at its end.
    #[arg(long = "loop", requires = "play", requires = "duration")]
    looped: bool,
    /// Write what is heard into this WAV file.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "count")]
    record: Option<PathBuf>,
    /// Press these keys one second after the answer: 0-9, *, #, A-D, and w for half a second of waiting.
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true, value_parser = keys)]
    dtmf: String,
    /// User to give when the other side asks for a password.
    #[arg(long, requires = "password")]
    user: Option<String>,
    /// Its password.
    #[arg(long, requires = "user", env = "TRUNKLINE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Transport, where the URI does not say it.
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// Send the INVITE to this host instead of the URI's.
    #[arg(long, value_name = "HOST[:PORT]")]
    proxy: Option<String>,
    /// Who calls.
    #[arg(long, value_name = "URI", default_value = "sip:+15550199@trunkline.invalid")]
    from: String,
    /// A header of the INVITE; can be given more than once.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, String)>,
    /// Trust this certificate authority (PEM) over TLS, beside the system's.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    ca: Option<PathBuf>,
    /// Talk for this long; the length of the file, or 10s, when not given.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Let it ring for at most this long.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    patience: Duration,
    /// Fail unless sound comes back.
    #[arg(long)]
    expect_audio: bool,
    /// Place so many calls; the last digits of caller and callee count up.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: Option<u32>,
    /// Calls begun a second, with --count.
    #[arg(long, value_name = "R", default_value = "10", requires = "count", value_parser = rate)]
    rate: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl From<Transport> for Wire {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
            Transport::Tls => Self::Tls,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
    runtime.block_on(place(args))
}

async fn place(args: &Args) -> Result<ExitCode, Failure> {
    let plan = plan(args).await?;
    let roots = sip::net::Roots(Arc::new(bridge::tls::roots(args.ca.as_deref())?));
    let handset = Handset::start(&plan.to, roots).await?;
    tokio::spawn(interrupted(handset.clone()));
    let outcomes = place_all(args, &handset, plan).await;
    if let (Some(file), Some(heard)) = (&args.record, outcomes.iter().find_map(|outcome| outcome.heard.as_ref())) {
        wav::write(file, &heard.recording)?;
    }
    match (&outcomes[..], args.json) {
        ([outcome], false) => describe(outcome),
        ([outcome], true) => println!("{:#}", outcome_json(outcome)),
        (outcomes, false) => summarise(outcomes),
        (outcomes, true) => println!("{:#}", summary_json(outcomes)),
    }
    let is_good = |outcome: &Outcome| outcome.is_answered() && (!args.expect_audio || outcome.is_audible());
    if handset.is_over() {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if outcomes.iter().all(is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Hangs up on Ctrl-C, and waits for no answer to that on the second one.
async fn interrupted(handset: Handset) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    eprintln!("hanging up; once more to leave at once");
    handset.hang_up();
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(INTERRUPTED.into());
    }
}

/// Begins the calls at their rate, and waits for all.
async fn place_all(args: &Args, handset: &Handset, plan: Plan) -> Vec<Outcome> {
    let count = args.count.unwrap_or(1);
    let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / args.rate));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut calls = JoinSet::new();
    for number in 0..count {
        pace.tick().await;
        if handset.is_over() {
            break;
        }
        let (handset, mut plan) = (handset.clone(), plan.clone());
        plan.uri.user = plan.uri.user.map(|user| counted_up(&user, number));
        plan.from.uri.user = plan.from.uri.user.map(|user| counted_up(&user, number));
        calls.spawn(async move { handset.place(plan).await });
    }
    let mut outcomes = Vec::new();
    while let Some(ended) = calls.join_next().await {
        if let Ok(outcome) = ended {
            outcomes.push(outcome);
            if count > 1 && !args.json {
                eprint!("\r{} of {count} calls have ended", outcomes.len());
            }
        }
    }
    if count > 1 && !args.json {
        eprintln!();
    }
    outcomes
}

async fn plan(args: &Args) -> Result<Plan, Failure> {
    let uri = Uri::parse(&args.uri).map_err(|_| {
        format!("{:?} is no SIP address; it should look like sip:+15550100@gateway.example.com", args.uri)
    })?;
    let mut toward = uri.clone();
    if let Some(proxy) = &args.proxy {
        let proxy = Uri::parse(&format!("sip:{proxy}")).map_err(|_| format!("{proxy:?} is no host"))?;
        (toward.host, toward.port) = (proxy.host, proxy.port);
    }
    let to = Resolver::system(dns::Settings::default()).locate(&target(&toward, args.transport)?).await?;
    let file = args.play.as_deref().map(wav::read).transpose()?;
    let length = file.as_ref().map(|pcm| Duration::from_secs_f64(pcm.len() as f64 / 8000.0) + TAIL);
    let play = match (file, args.tone) {
        (Some(pcm), _) => Play::Samples { pcm, looped: args.looped },
        (None, Some(frequency)) => Play::Tone { frequency, level: 15 },
        (None, None) => Play::Silence,
    };
    let from = NameAddr::parse(&args.from).map_err(|_| format!("--from {:?} is no SIP address", args.from))?;
    let credentials = match (&args.user, &args.password) {
        (Some(username), Some(password)) => {
            Some(Credentials { username: username.clone(), password: password.clone(), realm: None })
        }
        _ => None,
    };
    Ok(Plan {
        uri,
        to,
        from,
        headers: args.headers.clone(),
        credentials,
        play,
        record: args.record.is_some(),
        dtmf: args.dtmf.clone(),
        talk: args.duration.or(length).unwrap_or(TALK),
        patience: args.patience,
    })
}

fn target(uri: &Uri, transport: Option<Transport>) -> Result<Target, Failure> {
    let sips = match uri.scheme {
        Scheme::Sip => false,
        Scheme::Sips => true,
        _ => return Err(format!("{uri} is not a sip: or sips: address").into()),
    };
    let named = || uri.params.get("transport").map(|name| Transport::from_str(name, true)).transpose();
    let wire = match transport {
        Some(transport) => Some(transport),
        None => named().map_err(|_| format!("no such transport in {uri} (there are udp, tcp and tls)"))?,
    };
    Ok(Target { host: uri.host.clone(), port: uri.port, wire: wire.map(Wire::from), sips })
}

/// The digits at the end of a number plus `more`, with as many digits as before where they fit.
fn counted_up(user: &str, more: u32) -> String {
    let digits = user.len() - user.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (head, tail) = user.split_at(user.len() - digits.min(9));
    match tail.parse::<u64>() {
        Ok(number) if more > 0 => format!("{head}{:0width$}", number + u64::from(more), width = tail.len()),
        _ => user.to_owned(),
    }
}

fn describe(outcome: &Outcome) {
    let status = outcome.status.map_or_else(String::new, |status| format!("{} ", status.code()));
    let before: Vec<String> = outcome.provisional.iter().map(|status| status.code().to_string()).collect();
    println!("outcome     {status}{}", outcome.reason);
    if !before.is_empty() {
        println!("before      {}", before.join(", "));
    }
    if let Some(setup) = outcome.setup {
        println!("set-up      {}", milliseconds(setup));
    }
    let Some(heard) = &outcome.heard else { return };
    let stream = &heard.packets.carrier.stream;
    let ended_by = if outcome.ended_by_peer { "the other side hung up" } else { "we hung up" };
    println!("talked      {:.1} s, {ended_by}", outcome.talked.as_secs_f64());
    println!("packets     {} sent, {} received, {} lost", stream.sent, stream.received, stream.lost);
    println!("            {} lost on the way there", stream.remote_lost);
    println!("jitter      {}", milliseconds(stream.jitter));
    if let Some(round_trip) = stream.round_trip {
        println!("round trip  {} (RTCP)", milliseconds(round_trip));
    }
    let sound = &heard.sound;
    println!("heard       {:.1} s of sound at -{} dBov", sound.sound.as_secs_f64(), sound.level);
    if let Some(pitch) = sound.pitch {
        println!("pitch       {pitch:.0} Hz");
    }
    match sound.delay {
        Some(delay) => {
            println!("came back   after {} ({:.0} % alike)", milliseconds(delay), sound.likeness * 100.0);
        }
        None => println!("came back   nothing of what was played"),
    }
}

fn outcome_json(outcome: &Outcome) -> serde_json::Value {
    let heard = outcome.heard.as_ref().map(|heard| {
        let stream = &heard.packets.carrier.stream;
        json!({
            "sent": stream.sent,
            "received": stream.received,
            "lost": stream.lost,
            "remote_lost": stream.remote_lost,
            "jitter_ms": rounded(stream.jitter),
            "rtcp_round_trip_ms": stream.round_trip.map(rounded),
            "sound_seconds": heard.sound.sound.as_secs_f64(),
            "level_dbov": -i32::from(heard.sound.level),
            "pitch_hz": heard.sound.pitch,
            "round_trip_ms": heard.sound.delay.map(rounded),
            "likeness": heard.sound.likeness,
        })
    });
    json!({
        "status": outcome.status.map(Status::code),
        "reason": outcome.reason,
        "provisional": outcome.provisional.iter().map(|status| status.code()).collect::<Vec<_>>(),
        "setup_ms": outcome.setup.map(rounded),
        "talked_seconds": outcome.talked.as_secs_f64(),
        "ended_by_peer": outcome.ended_by_peer,
        "media": heard,
    })
}

/// What many calls come to.
struct Summary {
    calls: usize,
    answered: usize,
    audible: usize,
    sent: u64,
    received: u64,
    lost: u64,
    remote_lost: u64,
    setup: Vec<Duration>,
    round_trip: Vec<Duration>,
    jitter: Vec<Duration>,
    failures: std::collections::BTreeMap<String, usize>,
}

impl Summary {
    fn of(outcomes: &[Outcome]) -> Self {
        let heard = || outcomes.iter().filter_map(|outcome| outcome.heard.as_ref());
        let streams = || heard().map(|heard| &heard.packets.carrier.stream);
        let mut failures = std::collections::BTreeMap::new();
        for outcome in outcomes.iter().filter(|outcome| !outcome.is_answered()) {
            let status = outcome.status.map_or_else(String::new, |status| format!("{} ", status.code()));
            *failures.entry(format!("{status}{}", outcome.reason)).or_default() += 1;
        }
        let answered = || outcomes.iter().filter(|outcome| outcome.is_answered());
        Self {
            calls: outcomes.len(),
            answered: answered().count(),
            audible: outcomes.iter().filter(|outcome| outcome.is_audible()).count(),
            sent: streams().map(|stream| stream.sent).sum(),
            received: streams().map(|stream| stream.received).sum(),
            lost: streams().map(|stream| stream.lost).sum(),
            remote_lost: streams().map(|stream| stream.remote_lost).sum(),
            setup: sorted(answered().filter_map(|outcome| outcome.setup)),
            round_trip: sorted(heard().filter_map(|heard| heard.sound.delay)),
            jitter: sorted(streams().map(|stream| stream.jitter)),
            failures,
        }
    }
}

fn sorted(values: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values
}

fn summarise(outcomes: &[Outcome]) {
    let summary = Summary::of(outcomes);
    println!("calls       {}, {} answered, {} with sound", summary.calls, summary.answered, summary.audible);
    for (failure, count) in &summary.failures {
        println!("failed      {count} × {failure}");
    }
    println!("packets     {} sent, {} received, {} lost", summary.sent, summary.received, summary.lost);
    println!("            {} lost on the way there", summary.remote_lost);
    for (name, values) in
        [("set-up     ", &summary.setup), ("round trip ", &summary.round_trip), ("jitter     ", &summary.jitter)]
    {
        let at = |share| quantile(values, share).map_or_else(|| "-".to_owned(), milliseconds);
        println!("{name} median {}, 95 % {}, 99 % {}, longest {}", at(0.5), at(0.95), at(0.99), at(1.0));
    }
}

fn summary_json(outcomes: &[Outcome]) -> serde_json::Value {
    let summary = Summary::of(outcomes);
    let at = |values: &[Duration], share| quantile(values, share).map(rounded);
    json!({
        "calls": summary.calls,
        "answered": summary.answered,
        "with_sound": summary.audible,
        "failures": summary.failures,
        "sent": summary.sent,
        "received": summary.received,
        "lost": summary.lost,
        "remote_lost": summary.remote_lost,
        "setup_p50_ms": at(&summary.setup, 0.5),
        "setup_p95_ms": at(&summary.setup, 0.95),
        "setup_p99_ms": at(&summary.setup, 0.99),
        "round_trip_p50_ms": at(&summary.round_trip, 0.5),
        "round_trip_p95_ms": at(&summary.round_trip, 0.95),
        "round_trip_p99_ms": at(&summary.round_trip, 0.99),
        "jitter_p50_ms": at(&summary.jitter, 0.5),
        "jitter_p99_ms": at(&summary.jitter, 0.99),
        "calls_with_measured_round_trip": summary.round_trip.len(),
    })
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.01..=1000.0).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is no rate; it should be a number from 0.01 to 1000"))
}

fn keys(text: &str) -> Result<String, String> {
    match text.chars().find(|c| !"0123456789*#ABCDabcdw".contains(*c)) {
        None => Ok(text.to_owned()),
        Some(other) => Err(format!("{other:?} is no key of a telephone (0-9, *, #, A-D, and w to wait)")),
    }
}

fn header(text: &str) -> Result<(HeaderName, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header looks like NAME: VALUE")?;
    let name = HeaderName::parse(name.trim()).ok_or_else(|| format!("{name:?} is no header name"))?;
    Ok((name, value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_lead_to_hops() {
        type Case = (&'static str, Option<Transport>, Option<&'static str>);
        let cases: &[Case] = &[
            ("sip:+1555@127.0.0.1", None, Some("udp 127.0.0.1:5060")),
            ("sip:+1555@127.0.0.1:5070;transport=TCP", None, Some("tcp 127.0.0.1:5070")),
            ("sip:+1555@[::1];transport=tls", None, Some("tls [::1]:5061")),
            ("sips:+1555@127.0.0.1", None, Some("tls 127.0.0.1:5061")),
            ("sips:+1555@127.0.0.1", Some(Transport::Udp), None),
            ("sip:+1555@127.0.0.1", Some(Transport::Tls), Some("tls 127.0.0.1:5061")),
            ("sip:+1555@127.0.0.1;transport=sctp", None, None),
            ("tel:+1555", None, None),
        ];
        let resolver = Resolver::system(dns::Settings::default());
        for (uri, transport, expected) in cases {
            let found = match target(&Uri::parse(uri).unwrap(), *transport) {
                Ok(target) => resolver.locate(&target).await.ok(),
                Err(_) => None,
            };
            let found = found.map(|hops| format!("{} {}", hops[0].wire, hops[0].address));
            assert_eq!(found.as_deref(), *expected, "{uri}");
        }
    }

    #[test]
    fn numbers_count_up() {
        for (user, more, expected) in [
            ("+15550100", 0, "+15550100"),
            ("+15550100", 7, "+15550107"),
            ("+15550199", 1, "+15550200"),
            ("+1555000000", 49, "+1555000049"),
            ("alice", 3, "alice"),
            ("room7", 3, "room10"),
        ] {
            assert_eq!(counted_up(user, more), expected);
        }
    }

    #[test]
    fn rates_are_checked_before_the_first_call() {
        for (text, expected) in [
            ("10", Some(10.0)),
            ("0.5", Some(0.5)),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("x", None),
        ] {
            assert_eq!(rate(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn keys_are_checked_before_the_call() {
        assert!(keys("12*#wA").is_ok());
        assert!(keys("12x").is_err());
    }
}
