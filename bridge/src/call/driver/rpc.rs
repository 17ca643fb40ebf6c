//! What participants of the room ask of the phone: keys, and procedures in LiveKit's manner.
//!
//! | procedure | payload | result |
//! |---|---|---|
//! | `lk.sip.GetRemoteHeaders` | `{"include": […], "exclude": […]}`, both optional | `{"headers": {…}}` |
//! | `lk.sip.EndCall` | `{"headers": {…}}` for the BYE, optional | `{}` |
//! | `trunkline.answer` | | `{}`; the caller who waits is answered |
//! | `trunkline.hold`, `trunkline.resume` | | `{}` when the phone has agreed |
//! | `trunkline.dtmf` | `{"digits": "1w2#"}` | `{}`; where keys are told by INFO, when the phone has taken them |

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sip::HeaderName;
use tracing::{debug, info};

use super::keys::Typist;
use super::{Driver, clipped};
use crate::call::Input;
use crate::call::end::EndReason;
use crate::dispatch::headers;
use crate::dispatch::outbound::{self, Press};
use crate::room::{self, RpcCall, RpcError};
use crate::store::trunk::check_headers;

/// How long an answer may take from here to the room's server.
const ANSWERED: Duration = Duration::from_millis(150);
/// Headers that a participant may put on the BYE.
const MAX_HEADERS: usize = 32;

/// Who waits for a result.
pub(super) struct Caller {
    to: String,
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    include: Vec<String>,
    exclude: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Farewell {
    headers: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Digits {
    digits: String,
}

type Outcome = Result<String, RpcError>;

impl Driver {
    /// A participant calls a procedure.
    pub(super) async fn called(&mut self, call: RpcCall) -> Option<Input> {
        let RpcCall { from, id, method, payload } = call;
        info!(method = clipped(&method), "a participant calls a procedure");
        let caller = Caller { to: from, id };
        let mut input = None;
        let result = match method.as_str() {
            "lk.sip.GetRemoteHeaders" => self.shown_headers(&payload),
            "lk.sip.EndCall" => {
                let result = self.take_farewell(&payload);
                if result.is_ok() {
                    input = Some(Input::Hangup(EndReason::LocalHangup));
                    self.granted_at = Some(Instant::now());
                }
                result
            }
            "trunkline.answer" if !self.call.is_waiting() => {
                Err(RpcError::Application("no caller waits for an answer"))
            }
            "trunkline.answer" => {
                input = Some(Input::PickedUp);
                Ok(done())
            }
            "trunkline.hold" | "trunkline.resume" if !self.call.is_answered() => Err(NOT_ANSWERED),
            "trunkline.hold" => return self.hold_phone(true, caller).await,
            "trunkline.resume" => return self.hold_phone(false, caller).await,
            "trunkline.dtmf" => match read::<Digits>(&payload) {
                Ok(Digits { digits }) => match self.keys(&digits) {
                    Ok(keys) => return self.press_keys(&keys, Typist::Caller(caller)).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            },
            _ => Err(RpcError::UnsupportedMethod),
        };
        self.reply(caller, result);
        input
    }

    /// A participant presses keys, as LiveKit's clients do without a procedure.
    pub(super) async fn press_for_room(&mut self, digits: &str) -> Option<Input> {
        match self.keys(digits) {
            Ok(keys) => self.press_keys(&keys, Typist::Room).await,
            Err(error) => {
                debug!(%error, "keys of the room are not pressed");
                None
            }
        }
    }

    pub(super) fn reply(&self, caller: Caller, result: Outcome) {
        if let Err(error) = &result {
            debug!(%error, "the procedure has no result");
        }
        self.tell_room(room::Command::Reply { to: caller.to, id: caller.id, result });
    }

    /// The answer to a procedure that ends the call is on its way for so long before the participant is gone: what comes
    /// from nobody is dropped. The phone does not wait for that.
    pub(super) async fn let_answer_out(&mut self) {
        if let Some(at) = self.granted_at.take() {
            tokio::time::sleep_until((at + ANSWERED).into()).await;
        }
    }

    /// Before the answer nobody is there to hear them.
    fn keys(&self, digits: &str) -> Result<Vec<Press>, RpcError> {
        if !self.call.is_answered() {
            return Err(NOT_ANSWERED);
        }
        outbound::press(digits).map_err(|_| RpcError::Application("no keys of a phone"))
    }

    fn shown_headers(&self, payload: &str) -> Outcome {
        let Wanted { include, exclude } = read(payload)?;
        // A number that the room is not to know is in none of the attributes either.
        let seat = self.leg.seat();
        let hidden = match seat.attributes.contains_key("sip.phoneNumber") {
            true => None,
            false => Some(self.leg.remote_number()),
        };
        let headers = headers::shown(&self.remote_headers, &include, &exclude, hidden);
        Ok(serde_json::json!({ "headers": headers }).to_string())
    }

    fn take_farewell(&mut self, payload: &str) -> Outcome {
        let Farewell { headers } = read(payload)?;
        let mut problems = Vec::new();
        check_headers(&headers, &mut problems);
        if headers.len() > MAX_HEADERS || !problems.is_empty() {
            return Err(RpcError::Application("these headers cannot be sent"));
        }
        let known = headers.into_iter().filter_map(|(name, value)| Some((HeaderName::parse(&name)?, value)));
        // Why we hang up is ours to say.
        self.farewell = known.filter(|(name, _)| *name != HeaderName::Reason).collect();
        Ok(done())
    }
}

const NOT_ANSWERED: RpcError = RpcError::Application("the call is not answered");

pub(super) fn done() -> String {
    "{}".to_owned()
}

/// Reads a payload; none at all is an empty one.
fn read<T: DeserializeOwned>(payload: &str) -> Result<T, RpcError> {
    let payload = if payload.trim().is_empty() { "{}" } else { payload };
    serde_json::from_str(payload).map_err(|_| RpcError::Application("the payload is not as expected"))
}
