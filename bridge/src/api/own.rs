//! What LiveKit's API lacks, under `/trunkline/v1`: live calls, records, why a call would go where, all objects at once.
//! JSON in and out; errors are Twirp's; every request needs the grant `sip.admin`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};
use reqwest::Url;
use serde::Serialize;
use serde_json::json;

use super::Parts;
use super::body::{self, Format};
use super::error::{Code, Error};
use super::explain::Ask;
use super::twirp;
use crate::dispatch;
use crate::phone::CallError;
use crate::store::RecordFilter;
use crate::store::exchange::{Act, Entry, Mode, Objects, Plan};

/// Everything under `/trunkline`.
pub(super) async fn handle(State(parts): State<Arc<Parts>>, request: Request) -> Response {
    let grants = match parts.keys.grants(SystemTime::now(), request.headers()) {
        Ok(grants) => grants,
        Err(invalid) => return invalid.into_response(),
    };
    if !grants.sip_admin {
        return Error::denied().into_response();
    }
    answer(&parts, request).await.unwrap_or_else(Error::into_response)
}

async fn answer(parts: &Arc<Parts>, request: Request) -> Result<Response, Error> {
    let path = request.uri().path().to_owned();
    let segments: Vec<_> = path.strip_prefix("/trunkline/v1/").unwrap_or_default().split('/').collect();
    match (request.method(), &segments[..]) {
        (&Method::GET, ["calls"]) => written(&json!({"calls": parts.switchboard.calls()})),
        (&Method::GET, ["calls", id]) => written(&parts.switchboard.call(id).ok_or_else(|| no_call(id))?),
        (&Method::DELETE, ["calls", id]) => hang_up(parts, id).await,
        (&Method::GET, ["records"]) => records(parts, request.uri()).await,
        (&Method::POST, ["explain"]) => explain(parts, request).await,
        (&Method::GET, ["objects"]) => export(parts, request.uri()).await,
        (&Method::PUT, ["objects"]) => import(parts, request).await,
        (&Method::GET, ["status"]) => status(parts).await,
        _ => Err(twirp::unknown_path(&request)),
    }
}

async fn hang_up(parts: &Parts, id: &str) -> Result<Response, Error> {
    match parts.switchboard.hang_up(id).await {
        Ok(()) => written(&json!({})),
        Err(CallError::NotOurs) => Err(no_call(id)),
        Err(error) => Err(error.into()),
    }
}

fn no_call(id: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no call {:?}; GET calls lists those there are", twirp::clipped(id)))
}

async fn records(parts: &Parts, uri: &Uri) -> Result<Response, Error> {
    let filter = filter(uri)?;
    let records = parts.store(move |store| Ok(store.records(&filter)?)).await?;
    written(&json!({"records": records}))
}

/// Which records, out of the query of the URL.
fn filter(uri: &Uri) -> Result<RecordFilter, Error> {
    let mut filter = RecordFilter::default();
    for (name, value) in pairs(uri) {
        let number = || value.parse().map_err(|_| Error::invalid(format!("{name} should be a whole number")));
        match name.as_str() {
            "limit" => filter.limit = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
            "before" => filter.before = Some(value),
            "room" => filter.room = Some(value),
            "trunk" => filter.trunk = Some(value),
            "number" => filter.number = Some(value),
            "since" => filter.since = Some(number()?),
            "until" => filter.until = Some(number()?),
            _ => return Err(Error::invalid(format!("there is no filter {name:?} for records"))),
        }
    }
    Ok(filter)
}

/// What would become of a call.
async fn explain(parts: &Parts, request: Request) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let ask: Ask = body::value(&body::read(&head.headers, body).await?)?;
    let query = ask.query(SystemTime::now(), rand::random()).map_err(|error| Error::invalid(error.to_string()))?;
    parts.store(move |store| written(&dispatch::explain(&store.snapshot(), &query))).await
}

/// All objects; with passwords if `secrets=true` asks for them.
async fn export(parts: &Parts, uri: &Uri) -> Result<Response, Error> {
    let mut with_secrets = false;
    for (name, value) in pairs(uri) {
        match name.as_str() {
            "secrets" => with_secrets = truth(&name, &value)?,
            _ => return Err(Error::invalid(format!("there is no setting {name:?} for an export"))),
        }
    }
    parts.store(move |store| written(&store.export(with_secrets))).await
}

/// Takes a document of objects, whole or not at all.
async fn import(parts: &Parts, request: Request) -> Result<Response, Error> {
    let (mut mode, mut dry_run) = (Mode::default(), false);
    for (name, value) in pairs(request.uri()) {
        match name.as_str() {
            "dry_run" => dry_run = truth(&name, &value)?,
            "mode" => {
                let word = serde_json::from_value(value.into());
                mode = word.map_err(|_| Error::invalid("mode should be add, merge or mirror"))?;
            }
            _ => return Err(Error::invalid(format!("there is no setting {name:?} for an import"))),
        }
    }
    let (head, body) = request.into_parts();
    let bytes = body::read_document(&head.headers, body).await?;
    parts
        .store(move |store| {
            let objects: Objects = body::value(&bytes)?;
            let plan = store.import(&objects, mode, dry_run)?;
            if dry_run || !plan.has_conflicts() { written(&plan) } else { Err(conflicts(&plan)) }
        })
        .await
}

/// What is in the way of an import; the first few.
fn conflicts(plan: &Plan) -> Error {
    let entries = plan.entries.iter().filter(|entry| entry.action == Act::Conflict);
    let reason = |entry: &Entry| {
        let name = if entry.id.is_empty() { &entry.name } else { &entry.id };
        format!("{} {name}: {}", entry.kind, entry.reason.as_deref().unwrap_or("it is in conflict with another"))
    };
    let reasons: Vec<_> = entries.take(5).map(reason).collect();
    let count = plan.count(Act::Conflict);
    let text = format!("nothing was changed: {count} of the objects cannot be brought in: {}", reasons.join("; "));
    Error::new(Code::FailedPrecondition, text)
}

async fn status(parts: &Parts) -> Result<Response, Error> {
    let status = parts.status.borrow().clone();
    let (calls, is_draining) = (parts.switchboard.calls().len(), parts.switchboard.is_draining());
    parts
        .store(move |store| {
            let aside: BTreeMap<_, _> = store.aside().into_iter().map(|(id, error)| (id, error.to_string())).collect();
            written(&json!({
                "version": env!("CARGO_PKG_VERSION"),
                "calls": calls,
                "draining": is_draining,
                "listeners": status.listeners,
                "configuration": status.configuration,
                "origins": store.export(false).origins,
                "aside": aside,
            }))
        })
        .await
}

fn truth(name: &str, value: &str) -> Result<bool, Error> {
    value.parse().map_err(|_| Error::invalid(format!("{name} should be true or false")))
}

/// The pairs behind the question mark.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    let Ok(url) = Url::parse(&format!("http://localhost/?{query}")) else { return Vec::new() };
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn written(value: &impl Serialize) -> Result<Response, Error> {
    Ok(body::reply(Format::Json, serde_json::to_vec(value).map_err(Error::internal)?))
}
