//! The running gateway as the commands talk to it: HTTP on its port, with a token signed from its key and secret.

mod token;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use bridge::config;
use bridge::spelling::spelled;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::json::masked;
use super::{ConfigArgs, Failure, Trouble, tls};

pub(super) use token::Grant;

/// Where a gateway answers that nobody has configured.
const USUAL: &str = "http://127.0.0.1:7890";
/// For what waits for nobody.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// For a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Longer than any list of objects or calls.
const LONGEST: usize = 64 * 1024 * 1024;
/// Of an answer that is no JSON, as far as it is shown.
const EXCERPT: usize = 300;

/// Which gateway, and as whom.
#[derive(clap::Args, Clone)]
pub(super) struct GatewayArgs {
    /// The gateway's API. Taken from the configuration where one is given, http://127.0.0.1:7890 else.
    #[arg(long, env = "TRUNKLINE_URL", value_name = "URL", global = true, help_heading = "Gateway")]
    url: Option<String>,
    /// API key. That of the configuration where one is given.
    #[arg(long, env = "LIVEKIT_API_KEY", value_name = "KEY", global = true, help_heading = "Gateway")]
    api_key: Option<String>,
    /// API secret.
    #[arg(
        long,
        env = "LIVEKIT_API_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        global = true,
        help_heading = "Gateway"
    )]
    api_secret: Option<String>,
    /// The gateway's configuration file (YAML).
    #[arg(
        long,
        short,
        env = "SIP_CONFIG_FILE",
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        global = true,
        help_heading = "Gateway"
    )]
    config: Option<std::path::PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// A gateway, or any LiveKit server.
pub(super) struct Gateway {
    http: Client,
    url: String,
    key: String,
    secret: String,
}

impl GatewayArgs {
    /// The gateway that is meant.
    pub(super) fn gateway(&self) -> Result<Gateway, Failure> {
        let loaded = match (&self.url, &self.api_key, &self.api_secret, &self.config) {
            // Nothing is left for the file to say.
            (Some(_), Some(_), Some(_), _) | (.., None) => None,
            _ => Some(self.loaded()?.config),
        };
        let url = self.url.clone().or_else(|| loaded.as_ref().and_then(api)).unwrap_or_else(|| USUAL.to_owned());
        let livekit = loaded.map(|config| config.livekit);
        let key = self.api_key.clone().or_else(|| livekit.as_ref().map(|livekit| livekit.api_key.clone()));
        let secret = self.api_secret.clone().or_else(|| livekit.map(|livekit| livekit.api_secret.expose().to_owned()));
        match (key, secret) {
            (Some(key), Some(secret)) => Gateway::new(&url, key, secret),
            _ => Err(Trouble(
                "say who asks: --api-key and --api-secret, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, or --config with the \
                 gateway's file"
                    .into(),
            )
            .into()),
        }
    }

    /// Another server, with keys of its own where it has some.
    pub(super) fn other(&self, url: &str, key: Option<&str>, secret: Option<&str>) -> Result<Gateway, Failure> {
        match (key, secret) {
            (Some(key), Some(secret)) => Gateway::new(url, key.into(), secret.into()),
            _ => self.gateway().and_then(|own| Gateway::new(url, own.key, own.secret)),
        }
    }

    /// The configuration that was named.
    pub(super) fn loaded(&self) -> Result<config::Loaded, Failure> {
        ConfigArgs { config: self.config.clone(), config_body: None }
            .load()
            .map_err(|error| Trouble(error.to_string()).into())
    }
}

/// Where the gateway of a configuration answers, seen from its own machine.
fn api(config: &config::Config) -> Option<String> {
    let mut address = config.http.api?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    Some(format!("http://{address}"))
}

impl Gateway {
    fn new(url: &str, key: String, secret: String) -> Result<Self, Failure> {
        let url = url.trim().trim_end_matches('/');
        let url = match url.split_once("://") {
            Some(("ws", rest)) => format!("http://{rest}"),
            Some(("wss", rest)) => format!("https://{rest}"),
            Some(("http" | "https", _)) => url.to_owned(),
            _ => return Err(Trouble(format!("{url:?} is no URL; it should look like {USUAL}")).into()),
        };
        let http = Client::builder()
            .tls_backend_preconfigured(tls::client()?)
            .connect_timeout(CONNECT_PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, url, key, secret })
    }

    /// Asks a method of LiveKit's SIP API.
    pub(super) async fn sip(&self, method: &str, request: &Value) -> Result<Value, Failure> {
        self.twirp("SIP", method, request, &Grant::Admin, PATIENCE).await
    }

    /// Asks a method of LiveKit's API.
    pub(super) async fn twirp(
        &self,
        service: &str,
        method: &str,
        request: &Value,
        grant: &Grant<'_>,
        patience: Duration,
    ) -> Result<Value, Failure> {
        let path = format!("/twirp/livekit.{service}/{method}");
        let millis = patience.as_millis().to_string();
        let request =
            self.request(Method::POST, &path, grant, patience)?.header("X-Twirp-Timeout-Ms", millis).json(request);
        self.answer(request.send().await).await
    }

    /// Asks what LiveKit's API lacks.
    pub(super) async fn own(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let path = format!("/trunkline/v1/{path}");
        let mut request = self.request(method, &path, &Grant::Admin, PATIENCE)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request.send().await).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        grant: &Grant<'_>,
        patience: Duration,
    ) -> Result<reqwest::RequestBuilder, Failure> {
        let token = token::sign(SystemTime::now(), &self.key, &self.secret, grant);
        // What the gateway has to say about the time comes before we give up.
        let limit = patience + Duration::from_secs(2);
        Ok(self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token).timeout(limit))
    }

    async fn answer(&self, response: Result<Response, reqwest::Error>) -> Result<Value, Failure> {
        let mut response = response.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > LONGEST {
                return Err(Trouble(format!("the answer of {} is too long", self.url)).into());
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            if body.is_empty() {
                return Ok(json!({}));
            }
            let value: Value = serde_json::from_slice(&body)
                .map_err(|_| Trouble(format!("{} does not speak like a gateway: {}", self.url, excerpt(&body))))?;
            return Ok(spelled(&value));
        }
        Err(self.refused(status.as_u16(), &body).into())
    }

    fn unreachable(&self, error: reqwest::Error) -> Trouble {
        let url = &self.url;
        if error.is_timeout() && !error.is_connect() {
            return Trouble(format!("{url} has not answered in time"));
        }
        let mut cause: &dyn std::error::Error = &error.without_url();
        let mut text = cause.to_string();
        while let Some(next) = cause.source() {
            cause = next;
            text = cause.to_string();
        }
        Trouble(format!(
            "no gateway answers at {url}: {text}\nIs it running, and is this its api_port? Name another with --url or TRUNKLINE_URL."
        ))
    }

    /// What the gateway said, and what there is to be done about it.
    fn refused(&self, status: u16, body: &[u8]) -> Refused {
        let error: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = match error["msg"].as_str() {
            Some(message) => message.to_owned(),
            None => excerpt(body),
        };
        let cause = error["meta"]["cause"].as_str().filter(|cause| !text.contains(cause));
        let advice = match (error["code"].as_str().unwrap_or_default(), status) {
            ("permission_denied" | "unauthenticated", _) | (_, 401) if error["meta"]["sip_status_code"].is_null() => {
                format!(
                    "The key {:?} and its secret must be those of the gateway: api_key and api_secret of its configuration.",
                    self.key
                )
            }
            ("bad_route", _) | (_, 404) if error["code"] != "not_found" => {
                format!("Does a Trunkline answer at {}? It may be another server, or an older gateway.", self.url)
            }
            (_, 502..=504) if error["code"].is_null() => format!("Something between us and {} has failed.", self.url),
            _ => String::new(),
        };
        Refused { text, cause: cause.unwrap_or_default().to_owned(), advice }
    }
}

/// The gateway said no.
#[derive(Debug)]
pub(super) struct Refused {
    text: String,
    cause: String,
    advice: String,
}

impl std::error::Error for Refused {}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::table::printable(&self.text))?;
        if !self.cause.is_empty() {
            write!(f, ": {}", super::table::printable(&self.cause))?;
        }
        if !self.advice.is_empty() {
            write!(f, "\n{}", self.advice)?;
        }
        Ok(())
    }
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() { "no more was said".into() } else { text.chars().take(EXCERPT).collect() }
}

/// Waits for an answer outside of any runtime.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Prints an answer for a script. No secrets.
pub(super) fn print_json(value: &Value) {
    println!("{:#}", masked(value));
}

#[cfg(test)]
pub(super) mod tests;
