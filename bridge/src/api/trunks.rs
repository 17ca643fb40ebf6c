//! Trunks and rules: each method is one question to the store.

use axum::response::Response;
use livekit_protocol as proto;
use serde_json::{Value, json};

use super::body;
use super::error::Error;
use super::shape::{Shape, Shaped};
use super::twirp::Call;
use crate::spelling::snake;

type Answer = Result<Response, Error>;

pub(super) async fn create_inbound(call: Call<'_>) -> Answer {
    let wrap = |json| wrapped(json, proto::SipInboundTrunkInfo::SHAPE);
    let request: proto::CreateSipInboundTrunkRequest = body::decode(call.format, call.bytes, wrap)?;
    let trunk = request.trunk.ok_or_else(|| Error::invalid("missing trunk"))?;
    call.store(|store| store.create_inbound_trunk(trunk)).await
}

pub(super) async fn create_outbound(call: Call<'_>) -> Answer {
    let wrap = |json| wrapped(json, proto::SipOutboundTrunkInfo::SHAPE);
    let request: proto::CreateSipOutboundTrunkRequest = body::decode(call.format, call.bytes, wrap)?;
    let trunk = request.trunk.ok_or_else(|| Error::invalid("missing trunk"))?;
    call.store(|store| store.create_outbound_trunk(trunk)).await
}

pub(super) async fn update_inbound(call: Call<'_>) -> Answer {
    let request = call.request()?;
    call.store(|store| store.update_inbound_trunk(request)).await
}

pub(super) async fn update_outbound(call: Call<'_>) -> Answer {
    let request = call.request()?;
    call.store(|store| store.update_outbound_trunk(request)).await
}

pub(super) async fn inbound(call: Call<'_>) -> Answer {
    let request: proto::GetSipInboundTrunkRequest = call.request()?;
    call.store(move |store| {
        let trunk = store.inbound_trunk(&request.sip_trunk_id)?;
        Ok(proto::GetSipInboundTrunkResponse { trunk: Some(trunk) })
    })
    .await
}

pub(super) async fn outbound(call: Call<'_>) -> Answer {
    let request: proto::GetSipOutboundTrunkRequest = call.request()?;
    call.store(move |store| {
        let trunk = store.outbound_trunk(&request.sip_trunk_id)?;
        Ok(proto::GetSipOutboundTrunkResponse { trunk: Some(trunk) })
    })
    .await
}

pub(super) async fn list_inbound(call: Call<'_>) -> Answer {
    let request = call.request()?;
    call.store(move |store| Ok(proto::ListSipInboundTrunkResponse { items: store.inbound_trunks(&request) })).await
}

pub(super) async fn list_outbound(call: Call<'_>) -> Answer {
    let request = call.request()?;
    call.store(move |store| Ok(proto::ListSipOutboundTrunkResponse { items: store.outbound_trunks(&request) })).await
}

/// Deprecated, and asked all the same by what was written before there were two kinds of trunks.
pub(super) async fn list(call: Call<'_>) -> Answer {
    let request = call.request()?;
    call.store(move |store| Ok(proto::ListSipTrunkResponse { items: store.trunks(&request) })).await
}

pub(super) async fn delete(call: Call<'_>) -> Answer {
    let request: proto::DeleteSipTrunkRequest = call.request()?;
    call.store(move |store| {
        store.delete_trunk(&request.sip_trunk_id)?;
        Ok(proto::SipTrunkInfo { sip_trunk_id: request.sip_trunk_id, ..Default::default() })
    })
    .await
}

pub(super) async fn create_rule(call: Call<'_>) -> Answer {
    let request: proto::CreateSipDispatchRuleRequest = call.request()?;
    let rule = match request.dispatch_rule.clone() {
        // The stock server answers with `media` where the rule came in one piece.
        Some(rule) => proto::SipDispatchRuleInfo { media: Some(rule.media.unwrap_or_default()), ..rule },
        None => flat(request),
    };
    if rule.rule.as_ref().is_none_or(|kinds| kinds.rule.is_none()) {
        return Err(Error::invalid("missing rule"));
    }
    call.store(|store| store.create_dispatch_rule(rule)).await
}

pub(super) async fn update_rule(call: Call<'_>) -> Answer {
    let request = call.request()?;
    call.store(|store| store.update_dispatch_rule(request)).await
}

pub(super) async fn list_rules(call: Call<'_>) -> Answer {
    let request = call.request()?;
    call.store(move |store| Ok(proto::ListSipDispatchRuleResponse { items: store.dispatch_rules(&request) })).await
}

pub(super) async fn delete_rule(call: Call<'_>) -> Answer {
    let request: proto::DeleteSipDispatchRuleRequest = call.request()?;
    call.store(move |store| store.delete_dispatch_rule(&request.sip_dispatch_rule_id)).await
}

/// The rule of a request that has its fields on top, as all requests once did.
#[expect(deprecated, reason = "SDKs in the field still send them")]
fn flat(request: proto::CreateSipDispatchRuleRequest) -> proto::SipDispatchRuleInfo {
    proto::SipDispatchRuleInfo {
        rule: request.rule,
        trunk_ids: request.trunk_ids,
        hide_phone_number: request.hide_phone_number,
        inbound_numbers: request.inbound_numbers,
        name: request.name,
        metadata: request.metadata,
        attributes: request.attributes,
        room_preset: request.room_preset,
        room_config: request.room_config,
        ..Default::default()
    }
}

/// A trunk without `trunk` around it, as in samples that people copy. Only where nothing else can be meant.
fn wrapped(json: Value, shape: Shape) -> Value {
    let is_bare = json.as_object().is_some_and(|body| {
        let known = |name: &String| shape.iter().any(|(field, _)| *field == snake(name));
        !body.contains_key("trunk") && body.keys().any(known)
    });
    if is_bare { json!({"trunk": json}) } else { json }
}
