use livekit_protocol as proto;
use prost::Message as _;

use super::*;

fn request(method: &str, path: &str, content_type: Option<&str>) -> Request<Body> {
    let token = token(&json!({"sip": {"admin": true}}));
    let mut request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.body(Body::from("{}")).unwrap()
}

#[tokio::test]
async fn what_is_no_method_is_a_bad_route() {
    let bench = Bench::new();
    let list = "/twirp/livekit.SIP/ListSIPInboundTrunk";
    let json = Some("application/json");
    let cases = [
        ("GET", "GET", list, json),
        ("PUT", "PUT", list, json),
        ("a browser asking for permission", "OPTIONS", list, None),
        ("no such method", "POST", "/twirp/livekit.SIP/Nothing", json),
        ("another case", "POST", "/twirp/livekit.SIP/listsipinboundtrunk", json),
        ("removed from the service", "POST", "/twirp/livekit.SIP/CreateSIPTrunk", json),
        ("more path", "POST", "/twirp/livekit.SIP/ListSIPInboundTrunk/x", json),
        ("no content type", "POST", list, None),
        ("a form", "POST", list, Some("application/x-www-form-urlencoded")),
        ("text", "POST", list, Some("text/plain")),
        ("two in one", "POST", list, Some("text/plain, application/json")),
    ];
    for (name, method, path, content_type) in cases {
        let answer = bench.send(request(method, path, content_type)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "bad_route"), "{name}");
        let route = answer.json()["meta"]["twirp_invalid_route"].clone();
        assert_eq!(route, format!("{method} {path}"), "{name}");
        let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(cors, None, "{name}: no other site's page may ask");
    }
}

#[tokio::test]
async fn content_types_are_read_as_they_are_written() {
    let bench = Bench::new();
    let list = "/twirp/livekit.SIP/ListSIPInboundTrunk";
    for content_type in ["application/json", "application/json;charset=UTF-8", "Application/JSON ; charset=utf-8"] {
        let answer = bench.send(request("POST", list, Some(content_type))).await;
        assert_eq!(answer.status, 200, "{content_type}");
        assert_eq!(answer.headers["content-type"], "application/json", "{content_type}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{content_type}: there may be passwords in it");
        assert_eq!(answer.json(), json!({"items": []}), "{content_type}");
    }
}

#[tokio::test]
async fn protobuf_is_answered_in_protobuf() {
    let bench = Bench::new();
    let trunk = proto::SipInboundTrunkInfo { numbers: vec!["+15550100".into()], ..Default::default() };
    let request = proto::CreateSipInboundTrunkRequest { trunk: Some(trunk) };
    let answer = bench.protobuf("CreateSIPInboundTrunk", request.encode_to_vec()).await;
    assert_eq!(answer.headers["content-type"], "application/protobuf", "{answer:?}");
    let made = proto::SipInboundTrunkInfo::decode(&answer.body[..]).unwrap();
    assert!(made.sip_trunk_id.starts_with("ST_") && made.numbers == ["+15550100"], "{made:?}");
    let errors: &[(&str, Vec<u8>, &str)] = &[
        ("nothing in it", Vec::new(), "invalid_argument"),
        ("no message", vec![0xff; 20], "malformed"),
        ("cut short", request.encode_to_vec()[..4].to_vec(), "malformed"),
        ("text that is none", vec![0x0a, 0x03, 0x12, 0x01, 0xff], "malformed"),
        ("an enum's number without a name", vec![0x0a, 0x05, 0x22, 0x00, 0x78, 0xe7, 0x07], "invalid_argument"),
    ];
    for (name, body, code) in errors {
        let answer = bench.protobuf("CreateSIPInboundTrunk", body.clone()).await;
        assert_eq!(answer.headers["content-type"], "application/json", "{name}: errors are JSON always");
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, *code), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn both_spellings_and_numbers_of_enums_are_read() {
    let bench = Bench::new();
    let bodies = [
        json!({"trunk": {"name": "a", "numbers": ["1"], "auth_username": "u", "authPassword": "p", "include_headers": 1}}),
        json!({"trunk": {"name": "b", "numbers": ["2"], "authUsername": "u", "auth_password": "p",
            "includeHeaders": "SIP_X_HEADERS", "metadata": null, "media": null, "somethingNew": {"a": [1]}}}),
        // Without `trunk` around it, as some samples have it.
        json!({"name": "c", "numbers": ["3"], "auth_username": "u", "authPassword": "p", "includeHeaders": "SIP_X_HEADERS"}),
    ];
    for body in bodies {
        let answer = bench.admin("CreateSIPInboundTrunk", &body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        let made = answer.json();
        let read = (&made["auth_username"], &made["auth_password"], &made["include_headers"]);
        assert_eq!(read, (&"u".into(), &"p".into(), &"SIP_X_HEADERS".into()), "{body}");
    }
    for body in [json!({}), json!({"trunk": null}), json!({"somethingNew": 1})] {
        let answer = bench.admin("CreateSIPInboundTrunk", &body).await;
        assert_eq!(answer.json()["msg"], "missing trunk", "{body}");
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let bench = Bench::new();
    let mut made = Vec::new();
    for number in 1..=5 {
        let body = json!({"trunk": {"numbers": [format!("+1555010{number}")]}});
        made.push(bench.admin("CreateSIPInboundTrunk", &body).await.json()["sip_trunk_id"].clone());
    }
    made.sort_by_key(Value::to_string);
    let (mut listed, mut after) = (Vec::new(), Value::Null);
    for expected in [2, 2, 1, 0] {
        let page = json!({"page": {"limit": 2, "after_id": after}});
        let items = bench.admin("ListSIPInboundTrunk", &page).await.json()["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), expected);
        listed.extend(items.iter().map(|item| item["sip_trunk_id"].clone()));
        after = listed.last().unwrap().clone();
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn each_method_needs_its_grant() {
    let bench = Bench::new();
    let tokens = [
        ("none", None, 401, 401),
        ("nothing granted", Some(json!({})), 401, 401),
        ("rooms", Some(json!({"video": {"roomAdmin": true, "room": "r", "roomCreate": true}})), 401, 401),
        ("admin", Some(json!({"sip": {"admin": true}})), 200, 401),
        ("call", Some(json!({"sip": {"call": true}})), 401, 400),
    ];
    for (name, grants, list, place) in tokens {
        let token = grants.as_ref().map(token);
        for (method, status) in [("ListSIPDispatchRule", list), ("CreateSIPParticipant", place)] {
            let answer = bench.twirp(method, token.as_deref(), "{}").await;
            assert_eq!(answer.status, status, "{name}, {method}: {answer:?}");
            if status == 401 {
                assert_eq!(answer.json(), json!({"code": "unauthenticated", "msg": "permissions denied"}), "{name}");
            }
        }
    }
}

impl Bench {
    async fn protobuf(&self, method: &str, body: Vec<u8>) -> Answer {
        let token = token(&json!({"sip": {"admin": true}}));
        let request = Request::post(format!("/twirp/livekit.SIP/{method}"))
            .header("content-type", "application/protobuf")
            .header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}
