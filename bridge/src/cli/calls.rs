//! `trunkline calls`: the calls that are there, and those that were.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bridge::dispatch::civil;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::Failure;
use super::gateway::{Gateway, print_json};
use super::json::{field, items, words};
use super::noun::{self, tell};
use super::table::{Table, facts};

pub(super) type Args = noun::Args<Verb>;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List the calls that are there.
    #[command(visible_alias = "ls")]
    List,
    /// Show one of them.
    Show {
        /// Its id, SCL_….
        call: String,
    },
    /// Hang up calls.
    Hangup {
        /// Their ids, SCL_….
        #[arg(required = true, value_name = "CALL")]
        calls: Vec<String>,
    },
    /// List calls that are over, the newest first; refused ones too, with the reason.
    History {
        /// At most so many.
        #[arg(long, short = 'n', value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Of this room.
        #[arg(long)]
        room: Option<String>,
        /// By this trunk (ST_…).
        #[arg(long, value_name = "ID")]
        trunk: Option<String>,
        /// From or to this number.
        #[arg(long)]
        number: Option<String>,
        /// Older than this call: the last one of the page before.
        #[arg(long, value_name = "CALL")]
        before: Option<String>,
    },
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    args.run(async |gateway, verb, json| match verb {
        Verb::List => list(gateway, json).await,
        Verb::Show { call } => show(gateway, call, json).await,
        Verb::Hangup { calls } => hang_up(gateway, calls, json).await,
        Verb::History { limit, room, trunk, number, before } => {
            let mut query = vec![("limit", limit.to_string())];
            let said = [("room", room), ("trunk", trunk), ("number", number), ("before", before)];
            query.extend(said.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
            history(gateway, &query, json).await
        }
    })
}

async fn list(gateway: &Gateway, json: bool) -> Result<(), Failure> {
    let calls = gateway.own(Method::GET, "calls", None).await?;
    if json {
        print_json(&calls);
        return Ok(());
    }
    let mut table = Table::new(&["ID", "DIRECTION", "STATUS", "FROM", "TO", "ROOM", "SINCE", "TALKING"]);
    let now = SystemTime::now();
    for call in listed(&calls, "calls") {
        table.row([
            words(call, "id"),
            words(call, "direction"),
            status(call),
            words(call, "from"),
            words(call, "to"),
            words(call, "room"),
            since(field(call, "started_at"), now),
            since(field(call, "answered_at"), now),
        ]);
    }
    if table.is_empty() {
        println!("There are no calls.");
    } else {
        print!("{table}");
    }
    Ok(())
}

fn status(call: &Value) -> String {
    let mut status = words(call, "status");
    if status.is_empty() {
        status = "starting".into();
    }
    for (name, word) in [("held", "held"), ("transferring", "transferring")] {
        if field(call, name) == true {
            status = format!("{status}, {word}");
        }
    }
    status
}

async fn show(gateway: &Gateway, id: &str, json: bool) -> Result<(), Failure> {
    let call = gateway.own(Method::GET, &format!("calls/{}", segment(id)), None).await?;
    let call = call.get("call").unwrap_or(&call);
    if json {
        print_json(call);
        return Ok(());
    }
    let time = |name: &str| moment(field(call, name));
    print!(
        "{}",
        facts(&[
            ("id", words(call, "id")),
            ("direction", words(call, "direction")),
            ("status", status(call)),
            ("from", words(call, "from")),
            ("to", words(call, "to")),
            ("room", words(call, "room")),
            ("identity", words(call, "identity")),
            ("participant", words(call, "participant_id")),
            ("trunk", words(call, "trunk_id")),
            ("rule", words(call, "rule_id")),
            ("Call-ID", words(call, "sip_call_id")),
            ("started", time("started_at")),
            ("answered", time("answered_at")),
        ])
    );
    Ok(())
}

async fn hang_up(gateway: &Gateway, ids: &[String], json: bool) -> Result<(), Failure> {
    for id in ids {
        gateway.own(Method::DELETE, &format!("calls/{}", segment(id)), None).await?;
        tell(&json!({"id": id}), json, |_| format!("Hung up {id}."));
    }
    Ok(())
}

async fn history(gateway: &Gateway, query: &[(&str, String)], json: bool) -> Result<(), Failure> {
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
    let records = gateway.own(Method::GET, &format!("records?{}", query.join("&")), None).await?;
    if json {
        print_json(&records);
        return Ok(());
    }
    let mut table = Table::new(&["STARTED", "DIRECTION", "FROM", "TO", "ROOM", "TALKED", "END", "ID"]);
    for record in listed(&records, "records") {
        let end = match (words(record, "end_text"), words(record, "end")) {
            (text, end) if text.is_empty() => end,
            (text, _) => text,
        };
        table.row([
            moment(field(record, "started")),
            words(record, "direction"),
            words(record, "from"),
            words(record, "to"),
            words(record, "room"),
            between(field(record, "answered"), field(record, "ended")),
            end,
            words(record, "id"),
        ]);
    }
    if table.is_empty() {
        println!("There were no such calls.");
    } else {
        print!("{table}");
    }
    Ok(())
}

/// The list in an answer: under its name, or the answer itself.
fn listed<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    items(answer.get(name).unwrap_or(answer))
}

/// A text as one segment of a path, or one value of a query (RFC 3986 §2.3).
fn segment(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Milliseconds since 1970.
fn time(value: &Value) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(value.as_u64().filter(|millis| *millis > 0)?))
}

/// A time, to the second, in UTC.
fn moment(value: &Value) -> String {
    let Some(since) = time(value).and_then(|time| time.duration_since(UNIX_EPOCH).ok()) else { return String::new() };
    let (day, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

fn since(value: &Value, now: SystemTime) -> String {
    time(value).map(|time| length(now.duration_since(time).unwrap_or_default())).unwrap_or_default()
}

fn between(from: &Value, to: &Value) -> String {
    let between = time(from).zip(time(to)).and_then(|(from, to)| to.duration_since(from).ok());
    between.map(length).unwrap_or_default()
}

/// A length of time as phones show it: `0:07`, `1:02:03`.
fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let cases = [
            (0_u64, ""),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (951_868_799_999, "2000-02-29 23:59:59"),
            (1_798_761_600_000, "2027-01-01 00:00:00"),
            (1_709_251_199_000, "2024-02-29 23:59:59"),
        ];
        for (millis, expected) in cases {
            assert_eq!(moment(&json!(millis)), expected, "{millis}");
        }
        for (seconds, expected) in [(7, "0:07"), (61, "1:01"), (3723, "1:02:03")] {
            assert_eq!(length(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(
            (between(&Value::Null, &json!(5000)), between(&json!(1000), &json!(5000))),
            (String::new(), "0:04".into())
        );
    }

    #[test]
    fn ids_stay_in_their_segment() {
        assert_eq!(segment("SCL_a-b.c~"), "SCL_a-b.c~");
        assert_eq!(segment("../a?b=c d&+1"), "..%2Fa%3Fb%3Dc%20d%26%2B1");
    }
}
