//! What LiveKit's API lacks, under `/trunkline/v1`: live calls, records, why a call would go where, all objects at once.
//! JSON in and out; errors are Twirp's; every request needs the grant `sip.admin`.

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
use super::twirp;
use crate::phone::CallError;
use crate::store::RecordFilter;

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

/// The pairs behind the question mark.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    let Ok(url) = Url::parse(&format!("http://localhost/?{query}")) else { return Vec::new() };
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn written(value: &impl Serialize) -> Result<Response, Error> {
    Ok(body::reply(Format::Json, serde_json::to_vec(value).map_err(Error::internal)?))
}
