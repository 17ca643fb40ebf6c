//! Twirp: which method, who asks, how the body is written, how long it may take ([the protocol]).
//!
//! [the protocol]: https://twitchtv.github.io/twirp/docs/spec_v7.html

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use tokio::task;

use super::body::{self, Format};
use super::error::{Code, Error};
use super::shape::Shaped;
use super::token::Grants;
use super::{Parts, participants, trunks};
use crate::store::change::Changed;
use crate::store::{ChangeError, ErrorKind, Store};

/// Longer than the longest ringing that anybody waits for.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// For a method that waits for nobody but the disk.
const USUAL: Duration = Duration::from_secs(30);

/// What a token must grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// `sip.admin`.
    Admin,
    /// `sip.call`.
    Call,
}

/// The methods, and the grant that each of them needs.
const METHODS: &[(&str, Grant)] = &[
    ("CreateSIPInboundTrunk", Grant::Admin),
    ("CreateSIPOutboundTrunk", Grant::Admin),
    ("UpdateSIPInboundTrunk", Grant::Admin),
    ("UpdateSIPOutboundTrunk", Grant::Admin),
    ("GetSIPInboundTrunk", Grant::Admin),
    ("GetSIPOutboundTrunk", Grant::Admin),
    ("ListSIPInboundTrunk", Grant::Admin),
    ("ListSIPOutboundTrunk", Grant::Admin),
    ("ListSIPTrunk", Grant::Admin),
    ("DeleteSIPTrunk", Grant::Admin),
    ("CreateSIPDispatchRule", Grant::Admin),
    ("UpdateSIPDispatchRule", Grant::Admin),
    ("ListSIPDispatchRule", Grant::Admin),
    ("DeleteSIPDispatchRule", Grant::Admin),
    ("CreateSIPParticipant", Grant::Call),
    ("TransferSIPParticipant", Grant::Call),
];

/// A request that may be answered.
pub(super) struct Call<'a> {
    pub(super) parts: &'a Arc<Parts>,
    pub(super) grants: &'a Grants,
    pub(super) format: Format,
    pub(super) bytes: &'a [u8],
    /// How long whoever asks will wait, if he says so.
    pub(super) patience: Option<Duration>,
}

/// `POST /twirp/livekit.SIP/<Method>`.
pub(super) async fn handle(State(parts): State<Arc<Parts>>, Path(method): Path<String>, request: Request) -> Response {
    let grants = match parts.keys.grants(SystemTime::now(), request.headers()) {
        Ok(grants) => grants,
        Err(invalid) => return invalid.into_response(),
    };
    answer(&parts, &grants, &method, request).await.unwrap_or_else(Error::into_response)
}

async fn answer(parts: &Arc<Parts>, grants: &Grants, method: &str, request: Request) -> Result<Response, Error> {
    let (_, grant) = METHODS.iter().find(|(name, _)| *name == method).ok_or_else(|| unknown_path(&request))?;
    if request.method() != Method::POST {
        let text = format!("unsupported method {:?} (only POST is allowed)", request.method().as_str());
        return Err(bad(&request, text));
    }
    let format = Format::of(request.headers())
        .map_err(|written| bad(&request, format!("unexpected Content-Type: {:?}", clipped(&written))))?;
    let granted = match grant {
        Grant::Admin => grants.sip_admin,
        Grant::Call => grants.sip_call,
    };
    if !granted {
        return Err(Error::denied());
    }
    let patience = patience(request.headers());
    let (head, body) = request.into_parts();
    let bytes = body::read(&head.headers, body).await?;
    let call = Call { parts, grants, format, bytes: &bytes, patience };
    let limit = patience.unwrap_or(if *grant == Grant::Admin { USUAL } else { LONGEST });
    tokio::time::timeout(limit, dispatch(method, call)).await.unwrap_or_else(|_| Err(Error::timed_out()))
}

async fn dispatch(method: &str, call: Call<'_>) -> Result<Response, Error> {
    match method {
        "CreateSIPInboundTrunk" => trunks::create_inbound(call).await,
        "CreateSIPOutboundTrunk" => trunks::create_outbound(call).await,
        "UpdateSIPInboundTrunk" => trunks::update_inbound(call).await,
        "UpdateSIPOutboundTrunk" => trunks::update_outbound(call).await,
        "GetSIPInboundTrunk" => trunks::inbound(call).await,
        "GetSIPOutboundTrunk" => trunks::outbound(call).await,
        "ListSIPInboundTrunk" => trunks::list_inbound(call).await,
        "ListSIPOutboundTrunk" => trunks::list_outbound(call).await,
        "ListSIPTrunk" => trunks::list(call).await,
        "DeleteSIPTrunk" => trunks::delete(call).await,
        "CreateSIPDispatchRule" => trunks::create_rule(call).await,
        "UpdateSIPDispatchRule" => trunks::update_rule(call).await,
        "ListSIPDispatchRule" => trunks::list_rules(call).await,
        "DeleteSIPDispatchRule" => trunks::delete_rule(call).await,
        "CreateSIPParticipant" => participants::create(call).await,
        "TransferSIPParticipant" => participants::transfer(call).await,
        method => Err(Error::internal(format_args!("{method} has a grant and no handler"))),
    }
}

impl Call<'_> {
    /// The message of the request.
    pub(super) fn request<M: body::Request>(&self) -> Result<M, Error> {
        body::decode(self.format, self.bytes, |json| json)
    }

    /// Asks the store, which may have to wait for the disk, and writes what it says.
    pub(super) async fn store<M: prost::Message + Shaped + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Changed<M> + Send + 'static,
    ) -> Result<Response, Error> {
        let format = self.format;
        self.parts.store(move |store| body::encode(format, &ask(store)?)).await
    }
}

impl Parts {
    /// Asks the store where it may block.
    pub(super) async fn store<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store.clone();
        task::spawn_blocking(move || ask(&store)).await.unwrap_or_else(|panic| Err(Error::internal(panic)))
    }
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        let code = match error.kind() {
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::InvalidArgument => Code::InvalidArgument,
            ErrorKind::FailedPrecondition => Code::FailedPrecondition,
            ErrorKind::Unavailable => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

/// `X-Twirp-Timeout-Ms`, as far as it makes sense.
fn patience(headers: &HeaderMap) -> Option<Duration> {
    let written = headers.get("x-twirp-timeout-ms")?.to_str().ok()?;
    let patience = Duration::from_millis(written.trim().parse().ok().filter(|millis| *millis > 0)?);
    Some(patience.min(LONGEST))
}

/// There is nothing under this path.
pub(super) fn unknown_path(request: &Request) -> Error {
    bad(request, format!("no handler for path {:?}", clipped(request.uri().path())))
}

fn bad(request: &Request, text: String) -> Error {
    let route = format!("{} {}", request.method(), clipped(request.uri().path()));
    Error::new(Code::BadRoute, text).with("twirp_invalid_route", route)
}

/// As much of a stranger's text as goes back to him.
pub(super) fn clipped(text: &str) -> String {
    text.chars().take(200).collect()
}
