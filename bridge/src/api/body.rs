//! Bodies, in and out: protobuf and JSON, as the request says.

use std::ops::Deref;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{Code, Error};
use super::json::{self, MOST_ENTRIES};
use super::shape::{self, Shaped};

/// No request of this API comes near it.
const LONGEST: usize = 1024 * 1024;
/// A few names.
const LONGEST_OF_STRANGERS: usize = 16 * 1024;
/// Thousands of trunks.
const LONGEST_DOCUMENT: usize = 16 * LONGEST;
/// What all bodies together may hold: whoever has a token can begin as many as there are connections, and end none.
static BUDGET: Semaphore = Semaphore::const_new(64 * 1024 * 1024);
/// Unfinished bodies are given up by then.
const RETRY_AFTER: Duration = PATIENCE;
/// Whoever sends a body has it at hand.
const PATIENCE: Duration = Duration::from_secs(10);
/// The length of one text. LiveKit's own limit for metadata and attributes.
const LONGEST_TEXT: usize = 64 * 1024;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/json`, with or without a charset.
    Json,
    /// `application/protobuf`.
    Protobuf,
}

impl Format {
    /// As `Content-Type` says; the text of another one comes back.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let written = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let written = written.unwrap_or_default();
        match written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/protobuf" => Ok(Self::Protobuf),
            _ => Err(written),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/protobuf",
        }
    }
}

/// A body that was read, with its share of what all of them may hold.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Vec<u8>,
    share: SemaphorePermit<'static>,
}

impl Whole {
    fn new(budget: &'static Semaphore) -> Result<Self, Error> {
        Ok(Self { bytes: Vec::new(), share: budget.try_acquire_many(0).map_err(|_| full())? })
    }

    /// Puts a piece behind the others, if the budget has room for it. What counts is the memory that is taken, not what of it is filled.
    fn push(&mut self, budget: &'static Semaphore, longest: usize, piece: &[u8]) -> Result<(), Error> {
        let held = self.share.num_permits();
        let length = self.bytes.len().saturating_add(piece.len());
        if length > longest {
            return Err(too_long(longest));
        }
        if length > held {
            let room = held.saturating_mul(2).clamp(length, longest);
            let more = u32::try_from(room - held).map_err(|_| full())?;
            self.share.merge(budget.try_acquire_many(more).map_err(|_| full())?);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// The bytes, for somebody who holds them no longer than it takes to pass them on.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A message of a request.
pub(crate) trait Request: prost::Message + Default + DeserializeOwned + Serialize {}

impl<T: prost::Message + Default + DeserializeOwned + Serialize> Request for T {}

/// Reads a body whole, as far as it may go.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Whole, Error> {
    read_within(PATIENCE, &BUDGET, LONGEST, headers, body).await
}

/// Reads a body that has to be understood before it is known who may judge whom it is from.
pub(crate) async fn read_of_stranger(headers: &HeaderMap, body: Body) -> Result<Whole, Error> {
    read_within(PATIENCE, &BUDGET, LONGEST_OF_STRANGERS, headers, body).await
}

/// Reads a document of all objects, which may be longer.
pub(crate) async fn read_document(headers: &HeaderMap, body: Body) -> Result<Whole, Error> {
    read_within(PATIENCE, &BUDGET, LONGEST_DOCUMENT, headers, body).await
}

async fn read_within(
    patience: Duration,
    budget: &'static Semaphore,
    longest: usize,
    headers: &HeaderMap,
    body: Body,
) -> Result<Whole, Error> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > longest) {
        return Err(too_long(longest));
    }
    let late = |_| Error::new(Code::DeadlineExceeded, "the request body did not arrive in time");
    tokio::time::timeout(patience, read_all(budget, longest, body)).await.map_err(late)?
}

async fn read_all(budget: &'static Semaphore, longest: usize, body: Body) -> Result<Whole, Error> {
    let mut whole = Whole::new(budget)?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        whole.push(budget, longest, &piece.map_err(|_| too_long(longest))?)?;
    }
    Ok(whole)
}

fn too_long(longest: usize) -> Error {
    let text = format!("the request body is longer than {} KiB, or it was cut short", longest >> 10);
    Error::new(Code::Malformed, text)
}

fn full() -> Error {
    Error::new(Code::Unavailable, "too many request bodies are under way").with_retry_after(RETRY_AFTER)
}

/// Reads JSON.
fn json(bytes: &[u8]) -> Result<Value, Error> {
    json::parse(bytes).map_err(|error| no_json(&error))
}

/// Reads what is no message of LiveKit's.
pub(crate) fn value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let value = json(bytes)?;
    if !value.is_object() {
        // A list would be taken for the fields in their order.
        return Err(no_json(&serde::de::Error::custom("an object is expected")));
    }
    serde_json::from_value(value).map_err(|error| no_json(&error))
}

/// Reads a message. `wrap` may rearrange JSON before it is one.
pub(crate) fn decode<M: Request>(format: Format, bytes: &[u8], wrap: impl FnOnce(Value) -> Value) -> Result<M, Error> {
    let message: M = match format {
        Format::Json => serde_json::from_value(wrap(json(bytes)?)).map_err(|error| no_json(&error))?,
        Format::Protobuf => M::decode(bytes).map_err(|error| {
            Error::new(Code::Malformed, "the protobuf request could not be decoded").with("cause", error.to_string())
        })?,
    };
    check(&message)?;
    Ok(message)
}

/// Writes a message.
pub(crate) fn encode<M: prost::Message + Shaped>(format: Format, message: &M) -> Result<Response, Error> {
    let bytes = match format {
        Format::Json => {
            serde_json::to_vec(&shape::write(message).map_err(Error::internal)?).map_err(Error::internal)?
        }
        Format::Protobuf => message.encode_to_vec(),
    };
    Ok(reply(format, bytes))
}

/// An answer that nobody may keep: trunks have passwords.
pub(crate) fn reply(format: Format, bytes: Vec<u8>) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, format.content_type()), (CACHE_CONTROL, "no-store")], bytes).into_response()
}

fn no_json(error: &serde_json::Error) -> Error {
    let cause: String = error.to_string().chars().take(200).collect();
    Error::new(Code::Malformed, "the json request could not be decoded").with("cause", cause)
}

/// What cannot be written back in JSON could not be listed later: an enum's number without a name, a time out of range.
/// And no list, map or text is longer than anybody needs.
fn check(message: &impl Serialize) -> Result<(), Error> {
    let value =
        serde_json::to_value(message).map_err(|error| Error::invalid(format!("a value of no meaning: {error}")))?;
    check_lengths("the request", &value)
}

fn check_lengths(name: &str, value: &Value) -> Result<(), Error> {
    let too_many =
        |len: usize| Error::invalid(format!("{name} has {len} entries, at most {MOST_ENTRIES} are possible"));
    match value {
        Value::Array(items) if items.len() > MOST_ENTRIES => Err(too_many(items.len())),
        Value::Object(entries) if entries.len() > MOST_ENTRIES => Err(too_many(entries.len())),
        Value::Array(items) => items.iter().try_for_each(|item| check_lengths(name, item)),
        Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            check_text(name, key)?;
            check_lengths(key, value)
        }),
        Value::String(text) => check_text(name, text),
        _ => Ok(()),
    }
}

fn check_text(name: &str, text: &str) -> Result<(), Error> {
    if text.len() > LONGEST_TEXT {
        let len = text.len();
        return Err(Error::invalid(format!(
            "a text of {name} is {len} bytes long, at most {LONGEST_TEXT} are possible"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let silent = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let error = read_within(Duration::ZERO, &BUDGET, LONGEST, &HeaderMap::new(), silent()).await.unwrap_err();
        assert_eq!(error.into_response().status(), StatusCode::REQUEST_TIMEOUT);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, (LONGEST + 1).into());
        let error = read(&headers, silent()).await.unwrap_err();
        assert_eq!(error.into_response().status(), StatusCode::BAD_REQUEST, "one that says it is too long is not read");
    }
    #[tokio::test]
    async fn bodies_share_a_budget() {
        static SMALL: Semaphore = Semaphore::const_new(100);
        let read = |length: usize| {
            let body = Body::from(vec![b' '; length]);
            async move { read_within(PATIENCE, &SMALL, 80, &HeaderMap::new(), body).await }
        };
        let first = read(60).await.unwrap();
        assert_eq!((first.len(), SMALL.available_permits()), (60, 40));
        let refused = read(41).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "10");
        assert_eq!(SMALL.available_permits(), 40, "what was refused holds nothing");
        let second = read(40).await.unwrap();
        assert!(read(0).await.unwrap().is_empty(), "what needs nothing is taken");
        drop(first);
        assert_eq!(read(60).await.unwrap().len(), 60);
        assert_eq!(second.into_bytes().len(), 40);
        assert_eq!(read(81).await.unwrap_err().into_response().status(), StatusCode::BAD_REQUEST);
        assert_eq!(SMALL.available_permits(), 100);
    }

    #[tokio::test]
    async fn an_unfinished_body_counts_and_gives_back_when_it_is_given_up() {
        static SMALL: Semaphore = Semaphore::const_new(130);
        let pieces =
            futures_util::stream::iter([30, 30, 30]).map(|n| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; n])));
        let body = Body::from_stream(pieces.chain(futures_util::stream::pending()));
        let headers = HeaderMap::new();
        let mut reading = Box::pin(read_within(PATIENCE, &SMALL, 1_000, &headers, body));
        assert!(futures_util::poll!(&mut reading).is_pending());
        assert_eq!(SMALL.available_permits(), 10, "90 bytes have come, into room for 120");
        drop(reading);
        assert_eq!(SMALL.available_permits(), 130);
    }
}
