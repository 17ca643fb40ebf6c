//! A call that the API asks for: by which trunk it goes out, whom it calls as whom, and who stands in the room for it.
//!
//! One pure function, [`place`], of a [`Snapshot`] and a request. Nothing is looked up and nothing
//! is dialled here: the [`Placement`] says all that whoever does needs. Texts of refusals are LiveKit's where it has one.
//!
//! ```text
//! CreateSIPParticipantRequest ─► line (trunk by id or name, default, inline) ─► number, callee, headers, media ─► Placement
//! ```

mod address;
mod code;
pub(crate) mod headers;
mod line;
mod press;
mod refusal;
mod seat;

use std::sync::Arc;

use livekit_protocol as proto;
use sip::{HeaderName, NameAddr, Uri, digest};

use self::line::Line;
use super::Seat;
use crate::dns;
use crate::store::{OutboundTrunk, Snapshot};

pub use address::{callee, transfer_target};
pub use code::Code;
pub use press::{Press, press};
pub use refusal::Refusal;

/// What a call out is made with beside the request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Our id of the call, `SCL_…`; our tag in the dialog as well.
    pub call_id: String,
    /// Fresh randomness of this call: which of several numbers calls.
    pub random: [u8; 16],
    /// The host of our From header where the trunk names none.
    pub own_host: String,
    /// What goes for trunks that do not say otherwise.
    pub defaults: Defaults,
}

/// What goes for every call out, unless its trunk says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Limits of a trunk.
    pub caps: Caps,
    /// Emergency numbers may be called.
    pub allow_emergency: bool,
    /// The proxies that calls are sent by, where neither trunk nor request names one.
    pub route: Arc<[NameAddr]>,
}

/// How much may be called on one trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Calls at a time; `None` for no limit.
    pub max_calls: Option<u32>,
    /// Calls begun a second; `None` for no limit.
    pub calls_per_second: Option<u32>,
}

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Our id of the call, `SCL_…`.
    pub call_id: String,
    /// Who stands in which room for it, and on which terms.
    pub seat: Seat,
    /// Where to send the INVITE, before DNS.
    pub target: dns::Target,
    /// The Request-URI.
    pub uri: Uri,
    /// The proxies that the INVITE is to visit; the target is the first of them.
    pub route: Vec<NameAddr>,
    /// From, without a tag.
    pub from: NameAddr,
    /// To, without a tag.
    pub to: NameAddr,
    /// The number or user that is called.
    pub callee: String,
    /// The number that calls.
    pub number: String,
    /// More headers of the INVITE.
    pub headers: Vec<(HeaderName, String)>,
    /// What to answer a challenge of this carrier with.
    pub credentials: Option<digest::Credentials>,
    /// Keys to press once the call is answered.
    pub dtmf: Vec<Press>,
    /// The room hears a ring tone until there is something else to hear.
    pub play_dialtone: bool,
    /// Whoever asks waits for the answer.
    pub wait_until_answered: bool,
    /// How much may be called on this trunk.
    pub caps: Caps,
    /// The trunk; `None` if the request brought its own.
    pub trunk: Option<Arc<OutboundTrunk>>,
}

/// Makes up the call that a request asks for.
pub fn place(
    objects: &Snapshot,
    request: &proto::CreateSipParticipantRequest,
    context: &Context,
) -> Result<Placement, Refusal> {
    let line = Line::of(objects, request, &context.defaults)?;
    let callee = address::callee_of(request)?;
    if request.room_name.is_empty() {
        return Err(Refusal::NoRoom);
    }
    address::check_destination(request.destination.as_ref())?;
    let (headers, route) = headers::merged(&line, request, &context.defaults)?;
    let number = line.number(request, context.random)?;
    let uri = address::request_uri(&line, request, &callee)?;
    let target = address::target(&line, &uri, route.first())?;
    let to = address::to(&line, request, &callee)?;
    // Some carriers and PBXs go by To.
    for user in [&callee, &to.uri.user_text().unwrap_or_default()] {
        address::check_emergency(user, context.defaults.allow_emergency)?;
    }
    Ok(Placement {
        call_id: context.call_id.clone(),
        seat: seat::seat(&line, request, &callee, &number, &context.call_id)?,
        credentials: line.credentials(request, &target),
        target,
        from: address::from(&line, request, &number, &context.own_host)?,
        to,
        uri,
        route,
        callee,
        number,
        headers,
        dtmf: press(&request.dtmf)?,
        play_dialtone: plays_dialtone(request),
        wait_until_answered: request.wait_until_answered,
        caps: line.caps,
        trunk: line.trunk,
    })
}

#[expect(deprecated, reason = "older clients ask by the older field")]
fn plays_dialtone(request: &proto::CreateSipParticipantRequest) -> bool {
    request.play_dialtone || request.play_ringtone
}

#[cfg(test)]
mod tests;
