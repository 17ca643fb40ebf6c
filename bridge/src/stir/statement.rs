//! What is known of a caller's number, and how a room is told.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Failure, Passport};

/// What attributes of a number begin with. No header and no rule sets one of these.
pub(crate) const PREFIX: &str = "sip.stir.";

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statement {
    /// How well the signer knows the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attest: Option<Attest>,
    /// What the signer calls the origin of the call: for tracing it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig_id: Option<String>,
    /// Whether the number is the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verstat: Option<Verstat>,
    /// Who has found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<By>,
    /// Code and phrase of what was wrong (RFC 8224 §6.2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// How well the signer knows the caller ([RFC 8588 §4](https://www.rfc-editor.org/rfc/rfc8588#section-4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attest {
    /// He is a customer, and the number is his.
    A,
    /// He is a customer.
    B,
    /// The call came in from elsewhere.
    C,
}

/// The values of `verstat` (3GPP TS 24.229 §7.2A.20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verstat {
    /// The number is the caller's.
    #[serde(rename = "TN-Validation-Passed")]
    Passed,
    /// What was signed does not hold.
    #[serde(rename = "TN-Validation-Failed")]
    Failed,
    /// Nothing is known.
    #[serde(rename = "No-TN-Validation")]
    Unknown,
}

/// Who has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// We.
    Gateway,
    /// The carrier, in its own words.
    Carrier,
}

impl Statement {
    pub(super) fn passed(passport: &Passport) -> Self {
        Self {
            attest: Some(passport.attest()),
            orig_id: Some(passport.orig_id().to_owned()).filter(|id| !id.is_empty()),
            verstat: Some(Verstat::Passed),
            verified_by: Some(By::Gateway),
            failure: None,
        }
    }

    pub(super) fn failed(failure: Failure) -> Self {
        tracing::debug!(%failure, "the caller's number is not verified");
        let verstat = if failure.is_neutral() { Verstat::Unknown } else { Verstat::Failed };
        Self {
            verstat: Some(verstat),
            verified_by: Some(By::Gateway),
            failure: Some(failure.reason().to_owned()),
            ..Self::default()
        }
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The attributes, those empty that are to go.
    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        let all = [
            ("attest", self.attest.map(|attest| attest.to_string())),
            ("origId", self.orig_id.clone()),
            ("verstat", self.verstat.map(|verstat| verstat.word().to_owned())),
            ("verifiedBy", self.verified_by.map(|by| by.word().to_owned())),
            ("failure", self.failure.clone()),
        ];
        all.into_iter().map(|(name, value)| (format!("{PREFIX}{name}"), value.unwrap_or_default())).collect()
    }
}

impl Attest {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "A" => Some(Self::A),
            "B" => Some(Self::B),
            "C" => Some(Self::C),
            _ => None,
        }
    }
}

impl fmt::Display for Attest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Verstat {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Passed => "TN-Validation-Passed",
            Self::Failed => "TN-Validation-Failed",
            Self::Unknown => "No-TN-Validation",
        }
    }
}

impl By {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Carrier => "carrier",
        }
    }
}
