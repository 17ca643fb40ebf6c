//! Commands against a stub: what they ask for, and what they make of the answers.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser as _;

use super::*;

/// A server that gives the answers it was told, and keeps what it was asked.
pub(in crate::cli) struct Stub {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// One request.
#[derive(Debug)]
pub(in crate::cli) struct Seen {
    /// Method, path and query.
    pub(in crate::cli) what: String,
    /// The claims of the token, but key and times.
    pub(in crate::cli) grants: Value,
    /// The body.
    pub(in crate::cli) body: Value,
}

/// What is answered to requests whose path begins or ends so.
pub(in crate::cli) type Answers = Vec<(&'static str, u16, Value)>;

impl Stub {
    pub(in crate::cli) fn start(answers: Answers) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, keep) = (Arc::new(answers), Arc::clone(&seen));
        let answer = move |request: Request| {
            let (answers, keep) = (Arc::clone(&answers), Arc::clone(&keep));
            async move {
                let path = request.uri().to_string();
                let token =
                    request.headers()["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
                let what = format!("{} {path}", request.method());
                let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
                keep.lock().unwrap().push(Seen {
                    what,
                    grants: grants(&token),
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                });
                let found = answers.iter().find(|(end, ..)| path.ends_with(end));
                let (_, status, body) =
                    found.cloned().unwrap_or(("", 404, json!({"code": "bad_route", "msg": "no handler"})));
                (StatusCode::from_u16(status).unwrap(), body.to_string())
            }
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, Router::new().fallback(answer)).await.unwrap();
            });
        });
        Self { url, seen }
    }

    /// Where it answers.
    pub(in crate::cli) fn url(&self) -> &str {
        &self.url
    }

    /// Runs a command against it.
    pub(in crate::cli) fn run(&self, command: &str) -> Result<String, Failure> {
        run(&self.url, command)
    }

    /// What it was asked to do; what commands look up on the way is left out.
    pub(in crate::cli) fn asked(&self) -> Vec<Seen> {
        let looked_up = |seen: &Seen| seen.what.contains("/List") || seen.what == "GET /trunkline/v1/objects";
        self.seen.lock().unwrap().drain(..).filter(|seen| !looked_up(seen)).collect()
    }
}

/// Runs a command whose words have spaces between them, `␣` inside.
fn run(url: &str, command: &str) -> Result<String, Failure> {
    let words = command.split_whitespace().map(|word| word.replace('␣', " "));
    let own = ["--url", url, "--api-key", "devkey", "--api-secret", "secret"].map(str::to_owned);
    let args = crate::cli::Args::try_parse_from(["trunkline".to_owned()].into_iter().chain(words).chain(own))?;
    Ok(format!("{:?}", crate::cli::perform(args.command)?))
}

fn grants(token: &str) -> Value {
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let claims = claims.as_object_mut().unwrap();
    assert_eq!(claims.remove("iss"), Some("devkey".into()));
    let (from, to) = (claims.remove("nbf").unwrap().as_u64().unwrap(), claims.remove("exp").unwrap().as_u64().unwrap());
    assert!(to - from <= 120, "a token is for one request");
    json!(claims)
}

#[test]
fn answers_that_say_no_say_what_to_do() {
    let cases = [
        (
            401,
            json!({"code": "unauthenticated", "msg": "permissions denied"}),
            "permissions denied\nThe key \"devkey\" and its secret must be",
        ),
        (404, json!({"code": "bad_route", "msg": "no handler"}), "Does a Trunkline answer at"),
        (400, json!({"code": "malformed", "msg": "no", "meta": {"cause": "line 1"}}), "no: line 1"),
        (412, json!({"code": "failed_precondition", "msg": "it stands in the file"}), "it stands in the file"),
        (200, json!("no object"), ""),
    ];
    for (status, body, expected) in cases {
        let stub = Stub::start(vec![("/calls", status, body)]);
        match stub.run("calls list") {
            Ok(_) => assert_eq!(status, 200),
            Err(error) => {
                assert!(error.to_string().contains(expected), "{status}: {error}");
                assert!(!error.is::<Trouble>(), "an answer is an answer");
            }
        }
    }
}

#[test]
fn a_gateway_that_is_away_is_trouble() {
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = run(&format!("ws://{away}"), "trunk list").unwrap_err();
    assert!(error.is::<Trouble>(), "{error}");
    assert!(error.to_string().starts_with(&format!("no gateway answers at http://{away}: ")), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(run("gateway.example", "trunk list").unwrap_err().is::<Trouble>(), "no URL");
}

#[test]
fn commands_without_keys_ask_for_them() {
    let args = GatewayArgs { url: None, api_key: None, api_secret: None, config: None, json: false };
    let Err(error) = args.gateway() else { panic!("there is nobody to ask as") };
    assert!(error.to_string().contains("LIVEKIT_API_KEY"), "{error}");
}

#[test]
fn a_configuration_says_where_and_as_whom() {
    let file = std::env::temp_dir().join(format!("trunkline-cli-{}.yaml", std::process::id()));
    std::fs::write(&file, "api_key: k\napi_secret: s\nws_url: ws://h\napi_port: 7999\napi_ip: 0.0.0.0\n").unwrap();
    let args = GatewayArgs { url: None, api_key: None, api_secret: None, config: Some(file.clone()), json: false };
    let gateway = args.gateway().unwrap();
    assert_eq!((&*gateway.url, &*gateway.key, &*gateway.secret), ("http://127.0.0.1:7999", "k", "s"));
    let url = Some("https://gw.example/".into());
    let gateway = GatewayArgs { url, api_key: Some("other".into()), ..args }.gateway().unwrap();
    assert_eq!((&*gateway.url, &*gateway.key, &*gateway.secret), ("https://gw.example", "other", "s"));
    std::fs::remove_file(file).unwrap();
}
