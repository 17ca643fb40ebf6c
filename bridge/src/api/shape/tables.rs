//! The messages that this API answers with, field by field, in the order of their declaration.

use super::{Field, Kind, Shape, Shaped, proto};

const fn text(name: &'static str) -> Field {
    (name, Kind::Text)
}

const fn truth(name: &'static str) -> Field {
    (name, Kind::Bool)
}

const fn number(name: &'static str) -> Field {
    (name, Kind::Number)
}

const fn texts(name: &'static str) -> Field {
    (name, Kind::Texts)
}

const fn text_map(name: &'static str) -> Field {
    (name, Kind::TextMap)
}

const fn duration(name: &'static str) -> Field {
    (name, Kind::Duration)
}

const fn time(name: &'static str) -> Field {
    (name, Kind::Time)
}

const INCLUDE_HEADERS: Field = ("include_headers", Kind::Enum("SIP_NO_HEADERS"));
const MEDIA_ENCRYPTION: Field = ("media_encryption", Kind::Enum("SIP_MEDIA_ENCRYPT_DISABLE"));
const TRANSPORT: Field = ("transport", Kind::Enum("SIP_TRANSPORT_AUTO"));
const MEDIA: Field = ("media", Kind::Message(MEDIA_CONFIG));

const MEDIA_CONFIG: Shape = &[
    truth("only_listed_codecs"),
    ("codecs", Kind::Messages(&[text("name"), number("rate")])),
    ("encryption", Kind::Optional),
    // The stock server of the day has no such field; where nobody sets it, it is not seen.
    ("media_timeout", Kind::Optional),
];

const INBOUND: Shape = &[
    text("sip_trunk_id"),
    text("name"),
    text("metadata"),
    texts("numbers"),
    texts("allowed_addresses"),
    texts("allowed_numbers"),
    text("auth_username"),
    text("auth_password"),
    text("auth_realm"),
    text_map("headers"),
    text_map("headers_to_attributes"),
    text_map("attributes_to_headers"),
    INCLUDE_HEADERS,
    duration("ringing_timeout"),
    ("ringing_timeout_status", Kind::Optional),
    duration("max_call_duration"),
    truth("krisp_enabled"),
    MEDIA_ENCRYPTION,
    MEDIA,
    time("created_at"),
    time("updated_at"),
];

const OUTBOUND: Shape = &[
    text("sip_trunk_id"),
    text("name"),
    text("metadata"),
    text("address"),
    text("destination_country"),
    TRANSPORT,
    texts("numbers"),
    text("auth_username"),
    text("auth_password"),
    text_map("headers"),
    text_map("headers_to_attributes"),
    text_map("attributes_to_headers"),
    INCLUDE_HEADERS,
    MEDIA_ENCRYPTION,
    MEDIA,
    text("from_host"),
    time("created_at"),
    time("updated_at"),
];

const LEGACY: Shape = &[
    text("sip_trunk_id"),
    ("kind", Kind::Enum("TRUNK_LEGACY")),
    texts("inbound_addresses"),
    text("outbound_address"),
    text("outbound_number"),
    TRANSPORT,
    texts("inbound_numbers_regex"),
    texts("inbound_numbers"),
    text("inbound_username"),
    text("inbound_password"),
    text("outbound_username"),
    text("outbound_password"),
    text("name"),
    text("metadata"),
];

const RULE: Shape = &[
    text("sip_dispatch_rule_id"),
    ("rule", Kind::Message(RULE_KINDS)),
    texts("trunk_ids"),
    truth("hide_phone_number"),
    texts("inbound_numbers"),
    texts("numbers"),
    text("name"),
    text("metadata"),
    text_map("attributes"),
    text("room_preset"),
    ("room_config", Kind::Message(ROOM)),
    MEDIA,
    truth("krisp_enabled"),
    MEDIA_ENCRYPTION,
    time("created_at"),
    time("updated_at"),
];

const RULE_KINDS: Shape = &[
    ("dispatch_rule_direct", Kind::OneOf(&[text("room_name"), text("pin")])),
    ("dispatch_rule_individual", Kind::OneOf(&[text("room_prefix"), text("pin"), truth("no_randomness")])),
    ("dispatch_rule_callee", Kind::OneOf(&[text("room_prefix"), text("pin"), truth("randomize")])),
];

const ROOM: Shape = &[
    text("name"),
    number("empty_timeout"),
    number("departure_timeout"),
    number("max_participants"),
    text("metadata"),
    ("egress", Kind::Opaque),
    number("min_playout_delay"),
    number("max_playout_delay"),
    truth("sync_streams"),
    ("agents", Kind::Messages(AGENT)),
    text_map("tags"),
];

const AGENT: Shape = &[
    text("agent_name"),
    text("metadata"),
    ("restart_policy", Kind::Enum("JRP_ON_FAILURE")),
    text("deployment"),
    text_map("attributes"),
];

impl Shaped for proto::SipInboundTrunkInfo {
    const SHAPE: Shape = INBOUND;
}

impl Shaped for proto::SipOutboundTrunkInfo {
    const SHAPE: Shape = OUTBOUND;
}

impl Shaped for proto::SipDispatchRuleInfo {
    const SHAPE: Shape = RULE;
}

impl Shaped for proto::SipTrunkInfo {
    const SHAPE: Shape = LEGACY;
}

impl Shaped for proto::GetSipInboundTrunkResponse {
    const SHAPE: Shape = &[("trunk", Kind::Message(INBOUND))];
}

impl Shaped for proto::GetSipOutboundTrunkResponse {
    const SHAPE: Shape = &[("trunk", Kind::Message(OUTBOUND))];
}

impl Shaped for proto::ListSipInboundTrunkResponse {
    const SHAPE: Shape = &[("items", Kind::Messages(INBOUND))];
}

impl Shaped for proto::ListSipOutboundTrunkResponse {
    const SHAPE: Shape = &[("items", Kind::Messages(OUTBOUND))];
}

impl Shaped for proto::ListSipDispatchRuleResponse {
    const SHAPE: Shape = &[("items", Kind::Messages(RULE))];
}

impl Shaped for proto::ListSipTrunkResponse {
    const SHAPE: Shape = &[("items", Kind::Messages(LEGACY))];
}

impl Shaped for proto::SipParticipantInfo {
    const SHAPE: Shape =
        &[text("participant_id"), text("participant_identity"), text("room_name"), text("sip_call_id")];
}

impl Shaped for proto::TransferSipParticipantResponse {
    const SHAPE: Shape = &[
        text("transfer_id"),
        ("status", Kind::Enum("STS_TRANSFER_ONGOING")),
        ("reason", Kind::Enum("STR_UNSPECIFIED")),
        ("sip_status", Kind::Message(&[("code", Kind::Enum("SIP_STATUS_UNKNOWN")), text("status")])),
    ];
}

impl Shaped for proto::MoveParticipantResponse {
    const SHAPE: Shape = &[];
}
