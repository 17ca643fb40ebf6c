//! Bodies that somebody sends who has a token and means no good, or whose program is broken.

use std::time::Instant;

use axum::body::Bytes;

use super::*;

#[tokio::test]
async fn hostile_bodies_are_refused_at_once() {
    let bench = Bench::new();
    let deep = |n: usize| format!("{{\"trunk\": {}{}}}", "[".repeat(n), "]".repeat(n));
    let numbers = |n: usize| {
        let numbers: Vec<_> = (0..n).map(|i| format!("+{i}")).collect();
        json!({"trunk": {"numbers": numbers}}).to_string()
    };
    let map = |n: usize| {
        let entries: serde_json::Map<_, _> = (0..n).map(|i| (format!("X-{i}"), "v".into())).collect();
        json!({"trunk": {"numbers": ["+1"], "headers": entries}}).to_string()
    };
    let header = |name: &str, value: &str| json!({"trunk": {"numbers": ["+1"], "headers": {name: value}}}).to_string();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("deep in a list", deep(100_000).into()),
        ("just too deep", deep(130).into()),
        ("deep in what nobody reads", format!("{{\"x\": {}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into()),
        ("deep and open", "[".repeat(500_000).into()),
        ("100 000 numbers", numbers(100_000).into()),
        ("50 000 headers", map(50_000).into()),
        ("longer than 1 MiB", json!({"trunk": {"name": "a".repeat(1 << 20)}}).to_string().into()),
        ("a long text", json!({"trunk": {"numbers": ["+1"], "metadata": "a".repeat(100_000)}}).to_string().into()),
        ("a long number", json!({"trunk": {"numbers": ["1".repeat(100_000)]}}).to_string().into()),
        ("not UTF-8", b"{\"trunk\": {\"name\": \"\xff\xfe\"}}".to_vec()),
        ("half a surrogate", br#"{"trunk": {"name": "\ud800"}}"#.to_vec()),
        ("a name twice", br#"{"trunk": {"numbers": ["+1"], "name": "a", "name": "b"}}"#.to_vec()),
        ("a name twice in two spellings", br#"{"trunk": {"auth_username": "a", "authUsername": "b"}}"#.to_vec()),
        ("a trunk twice", br#"{"trunk": {"numbers": ["+1"]}, "trunk": {"numbers": ["+2"]}}"#.to_vec()),
        ("a list in place of the request", b"[]".to_vec()),
        ("null in place of the request", b"null".to_vec()),
        ("text in place of a list", br#"{"trunk": {"numbers": "+1"}}"#.to_vec()),
        ("null in a list", br#"{"trunk": {"numbers": [null]}}"#.to_vec()),
        ("a number in place of text", br#"{"trunk": {"numbers": [1]}}"#.to_vec()),
        ("an enum that is none", br#"{"trunk": {"numbers": ["+1"], "includeHeaders": "ALL"}}"#.to_vec()),
        ("a time that is none", br#"{"trunk": {"numbers": ["+1"], "ringingTimeout": "soon"}}"#.to_vec()),
        ("a time beyond times", br#"{"trunk": {"numbers": ["+1"], "ringingTimeout": "9999999999999s"}}"#.to_vec()),
        ("a header more in a header", header("X-A", "a\r\nX-B: b").into()),
        ("a line feed in a header", header("X-A", "a\nb").into()),
        ("NUL in a header", header("X-A", "a\0b").into()),
        ("a header's name with a colon", header("X-A: b\r\nX-B", "c").into()),
        ("a header's name with a blank", header("X A", "b").into()),
        ("a header without a name", header("", "b").into()),
        ("two bodies", b"{}{}".to_vec()),
        ("nothing", Vec::new()),
    ];
    let token = token(&json!({"sip": {"admin": true}}));
    for (name, body) in cases {
        let since = Instant::now();
        let answer = bench.twirp("CreateSIPInboundTrunk", Some(&token), body).await;
        let spent = since.elapsed();
        assert!(answer.status.is_client_error(), "{name}: {answer:?}");
        assert!(["malformed", "invalid_argument"].contains(&answer.code().as_str()), "{name}: {}", answer.code());
        assert!(answer.body.len() < 2_000, "{name}: an answer of {} bytes", answer.body.len());
        assert!(spent.as_millis() < 1_000, "{name}: {spent:?}");
    }
    assert_eq!(bench.admin("ListSIPInboundTrunk", &json!({})).await.json(), json!({"items": []}));
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let bench = Bench::new();
    let token = token(&json!({"sip": {"admin": true}}));
    let chunk = || Ok::<_, io::Error>(Bytes::from_static(&[b' '; 16 * 1024]));
    let endless = Body::from_stream(futures_util::stream::repeat_with(chunk));
    let answer = bench.twirp("ListSIPInboundTrunk", Some(&token), endless).await;
    assert_eq!(answer.code(), "malformed");
}
