//! What the phone hears of the gateway itself: the recordings of its rule, of the rule's language, or the usual ones.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::Driver;
use crate::call::pin::Prompt;
use crate::prompts::Prompts;

/// How long a disk may take for the recording of a rule.
const LIMIT: Duration = Duration::from_secs(2);

impl Driver {
    pub(super) async fn recording(&self, prompt: Prompt) -> Arc<[i16]> {
        let (prompts, voice) = (self.parts.settings.prompts.load_full(), &self.leg.seat().voice);
        if let Some(samples) = of_rule(&prompts, voice.prompts.of(prompt)).await {
            return samples;
        }
        if !prompts.has(&voice.language, prompt) {
            info!(language = voice.language, ?prompt, "nothing is recorded in this language: the usual is heard");
        }
        prompts.of(&voice.language, prompt)
    }

    /// What a held phone hears; without a sample, silence.
    pub(super) async fn music(&self) -> Arc<[i16]> {
        let prompts = self.parts.settings.prompts.load_full();
        let own = of_rule(&prompts, self.leg.seat().voice.prompts.hold()).await;
        own.unwrap_or_else(|| prompts.hold())
    }
}

async fn of_rule(prompts: &Arc<Prompts>, path: Option<&Path>) -> Option<Arc<[i16]>> {
    let (prompts, path) = (Arc::clone(prompts), path?.to_owned());
    let reading = tokio::task::spawn_blocking(move || prompts.read(&path));
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(Ok(Ok(samples))) => return Some(samples),
        Ok(Ok(Err(error))) => warn!(%error, "a recording of the rule cannot be heard"),
        Ok(Err(error)) => warn!(%error, "a recording of the rule cannot be heard"),
        Err(_) => warn!("a recording of the rule takes too long to be read"),
    }
    None
}
