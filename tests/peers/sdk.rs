//! LiveKit's own server SDKs as callers of the API: `tests/python/sdk.py` and `tests/node/sdk.mjs`.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::listener::Listener;
use super::livekit;
use crate::need::Need;
use crate::root;
use crate::scratch::Scratch;

/// Longer than a call of a test rings.
const PATIENCE: Duration = Duration::from_secs(60);

/// One SDK. Dropping it ends it.
#[derive(Debug)]
pub struct Sdk {
    client: Listener,
    language: Language,
}

/// Which SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// PyPI `livekit-api`; sends protobuf.
    Python,
    /// npm `livekit-server-sdk`; sends JSON.
    JavaScript,
}

/// What an SDK threw.
#[derive(Clone, Debug)]
pub struct Thrown(pub Value);

impl Thrown {
    /// Whether it is the SDK's own class for a failed call.
    pub fn is_sip(&self) -> bool {
        self.0["is_sip"] == true
    }

    /// The Twirp code.
    pub fn code(&self) -> &str {
        self.0["code"].as_str().unwrap_or_default()
    }

    /// The SIP status and its phrase, as the SDK's accessors give them.
    pub fn sip(&self) -> (u64, &str) {
        (self.0["sip_status_code"].as_u64().unwrap_or(0), self.0["sip_status"].as_str().unwrap_or_default())
    }
}

impl Sdk {
    /// Starts one against that server.
    pub fn start(language: Language, url: &str, scratch: &Scratch) -> Self {
        let mut command = match language {
            Language::Python => {
                let mut command = Command::new(Need::Python.expect());
                command.arg(root().join("tests/python/sdk.py"));
                command
            }
            Language::JavaScript => {
                let mut command = Command::new("node");
                command.arg(Need::Node.expect().join("sdk.mjs"));
                command
            }
        };
        command.args([url, livekit::KEY, livekit::SECRET]);
        let name = if language == Language::Python { "sdk-python" } else { "sdk-node" };
        Self { client: Listener::run(name, &mut command, scratch), language }
    }

    /// Calls a method of the SDK's SIP service: in Python with the request message, in JavaScript with a list of arguments.
    pub fn call(&mut self, method: &str, request: Value) -> Result<Value, Thrown> {
        let field = if self.language == Language::Python { "request" } else { "arguments" };
        let mut arguments = json!({"method": method});
        arguments[field] = request;
        self.ask("call", arguments)
    }

    /// Does what the script calls so.
    pub fn ask(&mut self, what: &str, arguments: Value) -> Result<Value, Thrown> {
        let number = self.client.begin(what, arguments);
        self.client.finish(number, PATIENCE).map_err(Thrown)
    }

    /// Which one it is.
    pub fn language(&self) -> Language {
        self.language
    }
}
