//! Calls that the gateway places for its own calls: targets of transfers.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use livekit_protocol as proto;
use sip::HeaderName;

use super::{CallError, new_id};
use crate::dispatch::RoomName;
use crate::dispatch::outbound::{self, Code, Context, Defaults, Placement, Refusal};
use crate::store::Snapshot;

/// Makes placements by the same rules as the API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Placer {
    objects: Arc<ArcSwap<Snapshot>>,
    own_host: Arc<str>,
    defaults: Defaults,
}

/// What is wanted.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// The outbound trunk; empty for the default one.
    pub(crate) trunk: &'a str,
    /// The value of a Refer-To.
    pub(crate) target: &'a str,
    /// Where the callee is to stand.
    pub(crate) room: &'a RoomName,
    /// More headers of the INVITE.
    pub(crate) headers: &'a [(HeaderName, String)],
    /// How long the callee's phone may ring; `None` for as long as usual.
    pub(crate) ringing_timeout: Option<Duration>,
}

impl Placer {
    /// Over the objects in force. `own_host` is the host of From where a trunk names none.
    pub fn new(objects: Arc<ArcSwap<Snapshot>>, own_host: &str, defaults: Defaults) -> Self {
        Self { objects, own_host: own_host.into(), defaults }
    }

    /// What a request of the API is placed with.
    pub fn context(&self) -> Context {
        Context {
            call_id: new_id("SCL_"),
            random: rand::random(),
            own_host: self.own_host.to_string(),
            defaults: self.defaults.clone(),
        }
    }

    /// Makes up a call whose answer is waited for.
    pub(crate) fn place(&self, wanted: &Wanted<'_>) -> Result<Placement, CallError> {
        let callee = outbound::callee(wanted.target, self.defaults.allow_emergency);
        let ringing_timeout = wanted.ringing_timeout.map(|timeout| pbjson_types::Duration {
            seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(timeout.subsec_nanos()).unwrap_or_default(),
        });
        let request = proto::CreateSipParticipantRequest {
            sip_trunk_id: wanted.trunk.to_owned(),
            sip_call_to: callee.map_err(|refusal| refused(&refusal))?,
            room_name: wanted.room.as_str().to_owned(),
            headers: wanted.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect(),
            ringing_timeout,
            wait_until_answered: true,
            ..proto::CreateSipParticipantRequest::default()
        };
        outbound::place(&self.objects.load(), &request, &self.context()).map_err(|refusal| refused(&refusal))
    }
}

fn refused(refusal: &Refusal) -> CallError {
    match refusal.code() {
        Code::NotFound | Code::FailedPrecondition => CallError::NoTrunk(refusal.to_string()),
        _ => CallError::BadTarget(refusal.to_string()),
    }
}
