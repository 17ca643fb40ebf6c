//! Verifies a caller's number beside his call, and tells the room ([`crate::stir`]).

use std::future::pending;

use tracing::info;

use super::Driver;
use super::leg::Leg;
use crate::stir::{Progress, Statement, Waiting};

/// How far it is.
#[derive(Default)]
pub(super) struct Stir {
    statement: Statement,
    waiting: Option<Waiting>,
}

impl Driver {
    /// Begins. What needs no certificate, or has it at hand, is known before the room is joined.
    pub(super) fn verify(&mut self) {
        let Leg::Inbound(inbound) = &self.leg else { return };
        let progress = self.parts.stir.as_ref().map(|verifier| verifier.begin(&inbound.claim));
        self.stir.statement = inbound.claim.carried().clone();
        match progress {
            None => {}
            Some(Progress::Waiting(waiting)) => self.stir.waiting = Some(waiting),
            Some(Progress::Done(statement)) => self.verified(statement),
        }
    }

    /// It is known.
    pub(super) fn verified(&mut self, statement: Statement) {
        let Statement { verstat, failure, attest, .. } = &statement;
        let verstat = verstat.map(|verstat| verstat.word()).unwrap_or_default();
        let attest = attest.map(|attest| attest.to_string());
        info!(verstat, attest, failure, "the caller's number");
        self.stir = Stir { statement, waiting: None };
        self.vouch();
        self.tell_attributes(self.stir.statement.attributes());
    }

    /// The caller's attributes are new, or what is known of his number is.
    pub(super) fn vouch(&mut self) {
        for (name, value) in self.stir.statement.attributes() {
            match value.is_empty() {
                true => self.attributes.remove(&name),
                false => self.attributes.insert(name, value),
            };
        }
    }
}

impl Stir {
    /// What is known of the number now.
    pub(super) fn statement(&self) -> &Statement {
        &self.statement
    }

    /// What becomes known later.
    pub(super) async fn next(&mut self) -> Statement {
        match &mut self.waiting {
            Some(waiting) => waiting.finish().await,
            None => pending().await,
        }
    }
}
