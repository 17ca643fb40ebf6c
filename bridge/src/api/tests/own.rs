use super::*;

impl Bench {
    async fn own(&self, method: &str, path: &str, grants: Option<&Value>, body: &str) -> Answer {
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
