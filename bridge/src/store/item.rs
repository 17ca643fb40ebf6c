//! Trunks and rules as they were read: LiveKit's objects, and what we add to them.

use std::sync::Arc;

use livekit_protocol as proto;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::failure::ObjectKind;
use super::rule::RuleItem;
use super::snapshot::Items;
use super::trunk::label;
use crate::dispatch::{Answer, Dtmf, Voice};

/// An inbound trunk as it was read.
#[derive(Clone, Default, PartialEq)]
pub struct InboundItem {
    /// LiveKit's object.
    pub info: proto::SipInboundTrunkInfo,
    /// What we add to it.
    pub ours: InboundExtras,
}

/// An outbound trunk as it was read.
#[derive(Clone, Default, PartialEq)]
pub struct OutboundItem {
    /// LiveKit's object.
    pub info: proto::SipOutboundTrunkInfo,
    /// What we add to it.
    pub ours: OutboundExtras,
}

/// What LiveKit's inbound trunk does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InboundExtras {
    /// How keys travel; `None` is [`Dtmf::Auto`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtmf: Option<Dtmf>,
    /// What its callers may do to other calls.
    #[serde(flatten)]
    pub transfers: Transfers,
}

/// What LiveKit's outbound trunk does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutboundExtras {
    /// Calls that name no trunk go out here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default_outbound: bool,
    /// Calls at a time; `None` for what the configuration says, 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u32>,
    /// Calls begun a second; `None` for what the configuration says, 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
    /// How keys travel; `None` is [`Dtmf::Auto`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtmf: Option<Dtmf>,
    /// Whether frames of silence are left out toward the room; `None` for what the configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtx: Option<bool>,
    /// Our INVITE offers nothing: the callee does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delayed_offer: bool,
    /// What is possible with its calls.
    #[serde(flatten)]
    pub transfers: Transfers,
}

/// What LiveKit's dispatch rule does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleExtras {
    /// When to answer; `None` for what the configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Whether the caller hears the room before that; `None` for what the configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_media: Option<bool>,
    /// A number in place of the computed one; the smallest takes the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Whether frames of silence are left out toward the room; `None` for what the trunk or the configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtx: Option<bool>,
    /// What callers hear of the gateway itself.
    #[serde(flatten)]
    pub voice: Voice,
}

impl InboundExtras {
    /// The names of the fields.
    pub(crate) const FIELDS: &[&str] = &["allow_refer", "bridge_transfers", "dtmf"];
}

impl OutboundExtras {
    /// The names of the fields.
    pub(crate) const FIELDS: &[&str] = &[
        "default_outbound",
        "max_calls",
        "calls_per_second",
        "dtx",
        "delayed_offer",
        "allow_refer",
        "bridge_transfers",
        "dtmf",
    ];
}

impl RuleExtras {
    /// The names of the fields.
    pub(crate) const FIELDS: &[&str] = &["answer", "early_media", "priority", "language", "prompts", "dtx"];
}

/// What becomes of transfers on a trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfers {
    /// Whether the peer may transfer us (REFER from outside); `None` for what the configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_refer: Option<bool>,
    /// Whether we call the target ourselves; `None` for what the configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge_transfers: Option<Bridging>,
}

/// When a transfer is a call of our own to the target, in place of a REFER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bridging {
    /// The peer does it or nobody.
    #[default]
    Never,
    /// Where the peer refuses.
    Fallback,
    /// The peer is not asked.
    Always,
}

impl Bridging {
    /// The words of the configuration.
    pub const WORDS: &[&str] = &["never", "fallback", "always"];

    /// Reads one of [`Bridging::WORDS`].
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "never" => Some(Self::Never),
            "fallback" => Some(Self::Fallback),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// An object of any kind, as the store keeps it.
#[derive(Clone, PartialEq)]
pub(crate) enum Item {
    Inbound(InboundItem),
    Outbound(OutboundItem),
    Rule(Box<RuleItem>),
}

/// Why an object of the store cannot be read any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("there is no kind {0:?}")]
    Kind(String),
    #[error(transparent)]
    Message(#[from] prost::DecodeError),
    #[error(transparent)]
    Extras(#[from] serde_json::Error),
}

impl Item {
    /// Reads what [`Item::encoded`] has written. Fields that this version does not know are lost with the next write.
    pub(crate) fn decode(kind: &str, message: &[u8], extras: &str) -> Result<Self, Unreadable> {
        Ok(match kind {
            "inbound" => Self::Inbound(InboundItem {
                info: proto::SipInboundTrunkInfo::decode(message)?,
                ours: serde_json::from_str(extras)?,
            }),
            "outbound" => Self::Outbound(OutboundItem {
                info: proto::SipOutboundTrunkInfo::decode(message)?,
                ours: serde_json::from_str(extras)?,
            }),
            "rule" => Self::Rule(Box::new(RuleItem {
                info: proto::SipDispatchRuleInfo::decode(message)?,
                ours: serde_json::from_str(extras)?,
            })),
            other => return Err(Unreadable::Kind(other.to_owned())),
        })
    }

    /// LiveKit's message as protobuf, and what we add to it as JSON.
    pub(crate) fn encoded(&self) -> (Vec<u8>, serde_json::Value) {
        match self {
            Self::Inbound(item) => (item.info.encode_to_vec(), json(&item.ours)),
            Self::Outbound(item) => (item.info.encode_to_vec(), json(&item.ours)),
            Self::Rule(item) => (item.info.encode_to_vec(), json(&item.ours)),
        }
    }

    /// What we add to LiveKit's object, by the names of the configuration; what is not set is left out.
    pub(crate) fn extras(&self) -> serde_json::Value {
        match self {
            Self::Inbound(item) => json(&item.ours),
            Self::Outbound(item) => json(&item.ours),
            Self::Rule(item) => json(&item.ours),
        }
    }

    /// The word for its kind in the store.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Inbound(_) => "inbound",
            Self::Outbound(_) => "outbound",
            Self::Rule(_) => "rule",
        }
    }

    pub(crate) fn object_kind(&self) -> ObjectKind {
        match self {
            Self::Inbound(_) | Self::Outbound(_) => ObjectKind::Trunk,
            Self::Rule(_) => ObjectKind::Rule,
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Inbound(item) => &item.info.sip_trunk_id,
            Self::Outbound(item) => &item.info.sip_trunk_id,
            Self::Rule(item) => &item.info.sip_dispatch_rule_id,
        }
    }

    pub(crate) fn set_id(&mut self, id: String) {
        match self {
            Self::Inbound(item) => item.info.sip_trunk_id = id,
            Self::Outbound(item) => item.info.sip_trunk_id = id,
            Self::Rule(item) => item.info.sip_dispatch_rule_id = id,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Inbound(item) => &item.info.name,
            Self::Outbound(item) => &item.info.name,
            Self::Rule(item) => &item.info.name,
        }
    }

    /// Name and id for people.
    pub(crate) fn label(&self) -> String {
        let kind = match self {
            Self::Inbound(_) => "inbound trunk",
            Self::Outbound(_) => "outbound trunk",
            Self::Rule(_) => "dispatch rule",
        };
        label(kind, self.name(), self.id())
    }

    /// `created_at` and `updated_at` in seconds since 1970; 0 for neither.
    pub(crate) fn seconds(&self) -> (i64, i64) {
        let (created, updated) = match self {
            Self::Inbound(item) => (item.info.created_at, item.info.updated_at),
            Self::Outbound(item) => (item.info.created_at, item.info.updated_at),
            Self::Rule(item) => (item.info.created_at, item.info.updated_at),
        };
        (created.map_or(0, |time| time.seconds), updated.map_or(0, |time| time.seconds))
    }

    /// `created_at` and `updated_at`.
    pub(crate) fn times(&mut self) -> (&mut Option<pbjson_types::Timestamp>, &mut Option<pbjson_types::Timestamp>) {
        match self {
            Self::Inbound(item) => (&mut item.info.created_at, &mut item.info.updated_at),
            Self::Outbound(item) => (&mut item.info.created_at, &mut item.info.updated_at),
            Self::Rule(item) => (&mut item.info.created_at, &mut item.info.updated_at),
        }
    }
}

/// One kind of object.
pub(crate) trait Object: Clone {
    const KIND: ObjectKind;

    /// The object, if it is of this kind.
    fn of(item: &Item) -> Option<&Self>;
    fn into_item(self) -> Item;
}

impl Object for InboundItem {
    const KIND: ObjectKind = ObjectKind::Trunk;

    fn of(item: &Item) -> Option<&Self> {
        if let Item::Inbound(item) = item { Some(item) } else { None }
    }

    fn into_item(self) -> Item {
        Item::Inbound(self)
    }
}

impl Object for OutboundItem {
    const KIND: ObjectKind = ObjectKind::Trunk;

    fn of(item: &Item) -> Option<&Self> {
        if let Item::Outbound(item) = item { Some(item) } else { None }
    }

    fn into_item(self) -> Item {
        Item::Outbound(self)
    }
}

impl Object for RuleItem {
    const KIND: ObjectKind = ObjectKind::Rule;

    fn of(item: &Item) -> Option<&Self> {
        if let Item::Rule(item) = item { Some(item) } else { None }
    }

    fn into_item(self) -> Item {
        Item::Rule(Box::new(self))
    }
}

impl Items {
    /// One after the other.
    pub(crate) fn from_each<'a>(items: impl Iterator<Item = &'a Arc<Item>>) -> Self {
        let mut all = Self::default();
        for item in items {
            match &**item {
                Item::Inbound(item) => all.inbound_trunks.push(item.clone()),
                Item::Outbound(item) => all.outbound_trunks.push(item.clone()),
                Item::Rule(item) => all.dispatch_rules.push((**item).clone()),
            }
        }
        all
    }

    /// One after the other: inbound trunks, outbound trunks, rules.
    pub(crate) fn into_each(self) -> impl Iterator<Item = Item> {
        let inbound = self.inbound_trunks.into_iter().map(Item::Inbound);
        let outbound = self.outbound_trunks.into_iter().map(Item::Outbound);
        inbound.chain(outbound).chain(self.dispatch_rules.into_iter().map(|rule| Item::Rule(Box::new(rule))))
    }
}

fn json(value: &impl Serialize) -> serde_json::Value {
    // Maps with text keys and plain values cannot fail.
    serde_json::to_value(value).unwrap_or_default()
}
