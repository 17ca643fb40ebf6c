//! Which trunk and which rule take a call, and as whom it joins which room.
//!
//! Two pure functions of a [`Snapshot`](crate::store::Snapshot) and what is known of the call. [`admit`] finds the trunk
//! and says whether the caller has to prove who he is; [`decide`] finds the rule and makes up the participant. Between
//! the two stands the digest, which belongs to the SIP side.
//!
//! ```text
//! Query ─► admit ─┬─► Accept ──────────────────────┬─► decide ─┬─► Join(Seat)
//!                 ├─► Challenge ─► digest proved ──┘           ├─► AskPin
//!                 └─► Refuse                                   └─► Refuse
//! ```
//!
//! A call that no inbound trunk takes never reaches a rule. [`explain`](fn@explain) says of every trunk and every rule what it made of a
//! call, and [`outbound`] is the other direction: calls that the API asks for.

pub mod acl;
pub mod caller;
pub mod dtmf;
pub mod explain;
pub mod headers;
pub mod number;
pub mod outbound;
pub mod participant;
pub mod query;
pub mod refusal;
pub mod rule;
pub mod seat;
pub mod template;
pub mod trunk;
pub mod voice;

pub use dtmf::{Dtmf, Means};
pub use explain::{Explanation, explain};
pub use query::{Query, Transport, civil};
pub use refusal::{Refusal, Reject};
pub use rule::{Decision, Pin, decide};
pub use seat::{Answer, Codec, Encryption, IncludeHeaders, Media, RoomName, Seat};
pub use trunk::{Admission, Challenge, admit, is_trusted_source, veil};
pub use voice::Voice;
