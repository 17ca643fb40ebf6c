use super::*;

impl Bench {
    pub(super) async fn own(&self, method: &str, path: &str, grants: Option<&Value>, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/trunkline/{path}"));
        if let Some(grants) = grants {
            request = request.header("authorization", format!("Bearer {}", token(grants)));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

fn admin() -> Value {
    json!({"sip": {"admin": true}})
}

#[tokio::test]
async fn only_administrators_are_answered() {
    let bench = Bench::new();
    let others = [None, Some(json!({})), Some(json!({"sip": {"call": true}}))];
    for grants in &others {
        for (method, path) in [("GET", "v1/calls"), ("DELETE", "v1/calls/SCL_x"), ("GET", "v1/records"), ("GET", "x")] {
            let answer = bench.own(method, path, grants.as_ref(), "").await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthenticated"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_nowhere_is_a_bad_route() {
    let bench = Bench::new();
    let paths = [
        ("GET", "v1/nothing"),
        ("GET", "v2/calls"),
        ("POST", "v1/calls"),
        ("GET", "v1/calls/a/b"),
        ("PUT", "v1/records"),
    ];
    for (method, path) in paths {
        let answer = bench.own(method, path, Some(&admin()), "").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "bad_route"), "{method} {path}");
    }
}

#[tokio::test]
async fn calls_that_are_not_there() {
    let bench = Bench::new();
    assert_eq!(bench.own("GET", "v1/calls", Some(&admin()), "").await.json(), json!({"calls": []}));
    for method in ["GET", "DELETE"] {
        let answer = bench.own(method, "v1/calls/SCL_none", Some(&admin()), "").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{method}: {answer:?}");
    }
}

#[tokio::test]
async fn records_are_filtered() {
    let bench = Bench::new();
    let answer = |query: &'static str| {
        let (bench, path) = (&bench, format!("v1/records{query}"));
        async move { bench.own("GET", &path, Some(&admin()), "").await }
    };
    for query in ["", "?", "?limit=5&number=%2B15550100&room=a%20b&trunk=ST_x&since=0&until=18446744073709551615"] {
        assert_eq!(answer(query).await.json(), json!({"records": []}), "{query}");
    }
    for query in ["?limit=many", "?limit=-1", "?since=yesterday", "?color=blue"] {
        assert_eq!(answer(query).await.code(), "invalid_argument", "{query}");
    }
}

#[tokio::test]
async fn objects_go_out_and_come_in() {
    let bench = Bench::new();
    let trunk =
        json!({"trunk": {"name": "a", "numbers": ["+15550100"], "auth_username": "u", "auth_password": "geheim"}});
    let id = bench.admin("CreateSIPInboundTrunk", &trunk).await.json()["sip_trunk_id"].as_str().unwrap().to_owned();
    let told = bench.own("GET", "v1/objects", Some(&admin()), "").await;
    assert!(told.json()["inbound_trunks"][0]["name"] == "a" && !format!("{told:?}").contains("geheim"), "{told:?}");
    assert_eq!(told.json()["origins"], json!({id.clone(): "api"}));
    let whole = bench.own("GET", "v1/objects?secrets=true", Some(&admin()), "").await.json();
    assert_eq!(whole["inbound_trunks"][0]["auth_password"], "geheim");

    let other = Bench::new();
    let put = |query: &'static str, body: Value| {
        let (other, path) = (&other, format!("v1/objects{query}"));
        async move { other.own("PUT", &path, Some(&admin()), &body.to_string()).await }
    };
    let dry = put("?dry_run=true", whole.clone()).await;
    assert_eq!(
        (&dry.json()["done"], &dry.json()["entries"][0]["action"]),
        (&false.into(), &"create".into()),
        "{dry:?}"
    );
    let done = put("", whole.clone()).await;
    assert_eq!(
        (&done.json()["done"], &done.json()["entries"][0]["id"]),
        (&true.into(), &id.clone().into()),
        "{done:?}"
    );
    let listed = other.admin("ListSIPInboundTrunk", &json!({})).await.json();
    assert_eq!(
        (&listed["items"][0]["sip_trunk_id"], &listed["items"][0]["auth_password"]),
        (&id.into(), &"geheim".into())
    );

    let mut changed = whole;
    changed["inbound_trunks"][0]["name"] = "b".into();
    let refused = put("?mode=add", changed).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (412, "failed_precondition"), "{refused:?}");
    for (query, body) in [("?mode=replace", "{}"), ("?dry_run=1", "{}"), ("?x=y", "{}"), ("", "{"), ("", "[]")] {
        let answer = other.own("PUT", &format!("v1/objects{query}"), Some(&admin()), body).await;
        assert_eq!(answer.status, 400, "{query} {body}: {answer:?}");
    }
}

#[tokio::test]
async fn the_status_tells_where_objects_come_from() {
    let bench = Bench::new();
    let trunk = json!({"trunk": {"numbers": ["+15550100"]}});
    let made = bench.admin("CreateSIPInboundTrunk", &trunk).await.json();
    let status = bench.own("GET", "v1/status", Some(&admin()), "").await.json();
    assert_eq!(status["origins"], json!({made["sip_trunk_id"].as_str().unwrap(): "api"}));
    assert_eq!(status["listeners"], json!(["udp:0.0.0.0:5060"]));
    assert_eq!((&status["calls"], &status["draining"]), (&0.into(), &false.into()));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["configuration"]["error"], Value::Null);
}

#[tokio::test]
async fn calls_that_might_come_are_explained() {
    let bench = Bench::new();
    let trunk =
        json!({"trunk": {"name": "carrier", "numbers": ["+15550100"], "allowed_addresses": ["203.0.113.0/24"]}});
    bench.admin("CreateSIPInboundTrunk", &trunk).await;
    let rule = json!({"dispatch_rule": {"name": "main", "rule": {"dispatchRuleDirect": {"roomName": "lobby"}}}});
    assert_eq!(bench.admin("CreateSIPDispatchRule", &rule).await.status, 200);
    let ask = |source: &str| json!({"from": "+15550199", "to": "+15550100", "source": source}).to_string();
    let taken = bench.own("POST", "v1/explain", Some(&admin()), &ask("203.0.113.9")).await;
    assert!(taken.status == 200 && format!("{taken:?}").contains("lobby"), "{taken:?}");
    let refused = bench.own("POST", "v1/explain", Some(&admin()), &ask("198.51.100.9")).await;
    assert!(refused.status == 200 && !format!("{refused:?}").contains("lobby"), "{refused:?}");
    for body in ["", "{}", r#"{"from": "1", "to": "2", "colour": 3}"#, r#"{"from": "a b", "to": "2"}"#, &ask("nowhere")]
    {
        let answer = bench.own("POST", "v1/explain", Some(&admin()), body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
}
