use std::collections::BTreeSet;

use serde::de::Deserialize;
use serde_json::json;

use super::*;
use crate::spelling::{names_of, snake};

/// Our tables name what LiveKit's messages have, no more and no less.
#[test]
fn tables_of_fields_are_those_of_the_messages() {
    fn check<T: for<'de> Deserialize<'de>>(what: &str, shape: Shape) {
        let theirs: BTreeSet<_> = names_of::<T>().iter().map(|name| (*name).to_owned()).collect();
        let camel_case: BTreeSet<_> = shape.iter().map(|(name, _)| camel(name)).collect();
        assert!(camel_case.is_subset(&theirs), "{what}: {camel_case:?} are not among {theirs:?}");
        let theirs: BTreeSet<_> = theirs.iter().map(|name| snake(name)).collect();
        assert_eq!(shape.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), theirs, "{what}");
    }
    fn own<T: Shaped + for<'de> Deserialize<'de>>() {
        check::<T>(std::any::type_name::<T>(), T::SHAPE);
    }
    fn inner(shape: Shape, path: &[&str]) -> Shape {
        path.iter().fold(shape, |shape, name| match shape.iter().find(|(field, _)| field == name).unwrap().1 {
            Kind::Message(inner) | Kind::Messages(inner) | Kind::OneOf(inner) => inner,
            other => panic!("{name} is {other:?}"),
        })
    }
    own::<proto::SipInboundTrunkInfo>();
    own::<proto::SipOutboundTrunkInfo>();
    own::<proto::SipDispatchRuleInfo>();
    own::<proto::SipTrunkInfo>();
    own::<proto::GetSipInboundTrunkResponse>();
    own::<proto::GetSipOutboundTrunkResponse>();
    own::<proto::ListSipInboundTrunkResponse>();
    own::<proto::ListSipOutboundTrunkResponse>();
    own::<proto::ListSipDispatchRuleResponse>();
    own::<proto::ListSipTrunkResponse>();
    own::<proto::SipParticipantInfo>();
    own::<proto::TransferSipParticipantResponse>();
    own::<proto::MoveParticipantResponse>();
    let rule = proto::SipDispatchRuleInfo::SHAPE;
    check::<proto::SipMediaConfig>("media", inner(rule, &["media"]));
    check::<proto::SipCodec>("codec", inner(rule, &["media", "codecs"]));
    check::<proto::SipDispatchRule>("kind of rule", inner(rule, &["rule"]));
    check::<proto::SipDispatchRuleDirect>("direct", inner(rule, &["rule", "dispatch_rule_direct"]));
    check::<proto::SipDispatchRuleIndividual>("individual", inner(rule, &["rule", "dispatch_rule_individual"]));
    check::<proto::SipDispatchRuleCallee>("callee", inner(rule, &["rule", "dispatch_rule_callee"]));
    check::<proto::RoomConfiguration>("room", inner(rule, &["room_config"]));
    check::<proto::RoomAgentDispatch>("agent", inner(rule, &["room_config", "agents"]));
    check::<proto::SipStatus>("status", inner(proto::TransferSipParticipantResponse::SHAPE, &["sip_status"]));
}

/// Each object that the stock server was recorded with comes out of us as it came out of it.
#[test]
fn objects_are_written_as_the_stock_server_writes_them() {
    fn same<M: Shaped + for<'de> Deserialize<'de>>(case: &Value, theirs: &Value) {
        let message: M = serde_json::from_value(theirs_without_nulls(theirs)).unwrap();
        assert_eq!(write(&message).unwrap(), *theirs, "{case}");
    }
    fn theirs_without_nulls(value: &Value) -> Value {
        super::super::json::parse(value.to_string().as_bytes()).unwrap()
    }
    let rows: Vec<Value> = serde_json::from_str(include_str!("../../../tests/data/api.json")).unwrap();
    let mut seen = 0;
    for row in &rows {
        if row["status"] != 200 {
            continue;
        }
        let (case, response) = (&row["case"], &row["response"]);
        match row["method"].as_str().unwrap() {
            "CreateSIPInboundTrunk" | "UpdateSIPInboundTrunk" => same::<proto::SipInboundTrunkInfo>(case, response),
            "CreateSIPOutboundTrunk" | "UpdateSIPOutboundTrunk" => same::<proto::SipOutboundTrunkInfo>(case, response),
            "CreateSIPDispatchRule" | "UpdateSIPDispatchRule" | "DeleteSIPDispatchRule" => {
                same::<proto::SipDispatchRuleInfo>(case, response);
            }
            "GetSIPInboundTrunk" => same::<proto::GetSipInboundTrunkResponse>(case, response),
            "GetSIPOutboundTrunk" => same::<proto::GetSipOutboundTrunkResponse>(case, response),
            "ListSIPInboundTrunk" => same::<proto::ListSipInboundTrunkResponse>(case, response),
            "ListSIPOutboundTrunk" => same::<proto::ListSipOutboundTrunkResponse>(case, response),
            "ListSIPDispatchRule" => same::<proto::ListSipDispatchRuleResponse>(case, response),
            "ListSIPTrunk" => same::<proto::ListSipTrunkResponse>(case, response),
            "DeleteSIPTrunk" => same::<proto::SipTrunkInfo>(case, response),
            "CreateSIPParticipant" => same::<proto::SipParticipantInfo>(case, response),
            // Room objects, which the server answers itself.
            "GetParticipant" => continue,
            other => panic!("{other} has no table"),
        }
        seen += 1;
    }
    assert!(seen > 40, "only {seen} rows were compared");
}

#[test]
fn what_the_recording_does_not_show() {
    let mut trunk = proto::SipInboundTrunkInfo {
        created_at: Some(pbjson_types::Timestamp { seconds: 1_795_239_715, nanos: 120_000_000 }),
        headers: [("camelKey".to_owned(), "1".to_owned())].into(),
        ringing_timeout_status: 486,
        ..Default::default()
    };
    let written = write(&trunk).unwrap();
    assert_eq!(written["created_at"], "2026-11-21T05:41:55.120Z");
    assert_eq!(written["headers"], json!({"camelKey": "1"}), "keys of maps are data");
    assert_eq!(written["ringing_timeout_status"], "SIP_STATUS_BUSY_HERE");
    trunk.ringing_timeout = Some(pbjson_types::Duration { seconds: 1, nanos: 500_000_000 });
    assert_eq!(write(&trunk).unwrap()["ringing_timeout"], "1.500s");

    let metadata = [("someKey".to_owned(), "v".to_owned())].into();
    let s3 = proto::S3Upload { access_key: "a".into(), metadata, ..Default::default() };
    let file = proto::EncodedFileOutput {
        filepath: "f".into(),
        output: Some(proto::encoded_file_output::Output::S3(s3)),
        ..Default::default()
    };
    let room = proto::RoomCompositeEgressRequest { file_outputs: vec![file], ..Default::default() };
    let egress = proto::RoomEgress { room: Some(room), ..Default::default() };
    let rule = proto::SipDispatchRuleInfo {
        room_config: Some(proto::RoomConfiguration { egress: Some(egress), ..Default::default() }),
        ..Default::default()
    };
    let written = write(&rule).unwrap();
    let file = json!({"filepath": "f", "s3": {"access_key": "a", "metadata": {"someKey": "v"}}});
    assert_eq!(written["room_config"]["egress"], json!({"room": {"file_outputs": [file]}}));
    assert_eq!(written["rule"], Value::Null);

    let transfer = write(&proto::TransferSipParticipantResponse::default()).unwrap();
    let expected = json!({
        "transfer_id": "", "status": "STS_TRANSFER_ONGOING", "reason": "STR_UNSPECIFIED", "sip_status": null
    });
    assert_eq!(transfer, expected);
}
