//! What is left of a call when it is over.

use serde::{Deserialize, Serialize};

use crate::stir::Statement;

/// One call, from its first message to its end; refused ones too. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallRecord {
    /// `SCL_…`.
    pub id: String,
    /// Who called whom.
    pub direction: Direction,
    /// The caller's number or user.
    pub from: String,
    /// The called number or user.
    pub to: String,
    /// Id of the trunk, if one took the call.
    pub trunk: String,
    /// Id of the dispatch rule, if one took the call.
    pub rule: String,
    /// The room, if it came so far.
    pub room: String,
    /// The identity in the room.
    pub identity: String,
    /// `Call-ID` of the dialog.
    pub sip_call_id: String,
    /// Address and port that the call came from or went to.
    pub source: String,
    /// When the first INVITE came or went.
    pub started: u64,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<u64>,
    /// When it was over.
    pub ended: u64,
    /// Why it ended: a word that does not change, as in the metrics (`remote_hangup`, `no_rule` …).
    pub end: String,
    /// Why it ended, for people.
    pub end_text: String,
    /// The final SIP status, ours or theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_status: Option<u16>,
    /// What was known of the caller's number (STIR/SHAKEN).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stir: Option<Statement>,
    /// Whatever else there is to say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Who called whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The carrier called us.
    #[default]
    Inbound,
    /// We called.
    Outbound,
}

/// Which records are asked for; newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordFilter {
    /// At most so many; 100 if not said, 1000 at most.
    pub limit: Option<usize>,
    /// Older than the record with this `SCL_…`: where the last page ended.
    pub before: Option<String>,
    /// Of this room.
    pub room: Option<String>,
    /// By this trunk.
    pub trunk: Option<String>,
    /// From or to this number, as it stands in the record.
    pub number: Option<String>,
    /// Started at this time or later, milliseconds since 1970.
    pub since: Option<u64>,
    /// Started before this time.
    pub until: Option<u64>,
}
