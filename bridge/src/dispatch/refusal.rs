//! Why a call is refused: one row a reason, with a label for metrics, a status, and a text that says what was tried.

use std::fmt;
use std::net::IpAddr;

use super::number::shown;

/// A call that nobody takes.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// No trunk lets this address in.
    #[error("no trunk admits the address {source_ip}{tried}")]
    UnknownSource {
        /// Where the packet came from.
        source_ip: IpAddr,
        /// What was tried.
        tried: Tried,
    },
    /// The address is let in, the called number belongs to no trunk.
    #[error("no trunk has the called number {:?}{tried}", shown(called))]
    NoTrunk {
        /// The called number, normalised.
        called: String,
        /// What was tried.
        tried: Tried,
    },
    /// The trunk of the called number does not take this caller.
    #[error("the caller {:?} is not in allowed_numbers{tried}", shown(calling))]
    CallerNotAllowed {
        /// The calling number, normalised.
        calling: String,
        /// What was tried.
        tried: Tried,
    },
    /// The trunk takes the call, no rule does.
    #[error("no dispatch rule takes the call of trunk {trunk}{tried}")]
    NoRule {
        /// The trunk.
        trunk: String,
        /// What was tried.
        tried: Tried,
    },
    /// The caller typed a PIN that no rule has.
    #[error("no dispatch rule of trunk {trunk} has the PIN that was typed")]
    WrongPin {
        /// The trunk.
        trunk: String,
    },
    /// The rule gives no room: its template had no result and there is nothing to fall back on.
    #[error("dispatch rule {rule} gives no usable room name")]
    NoRoom {
        /// The rule.
        rule: String,
    },
}

impl Refusal {
    /// The status for a caller who may know the reason, a word for metrics, and whether no trunk took the call.
    fn row(&self) -> (u16, &'static str, bool) {
        match self {
            Self::UnknownSource { .. } => (403, "unknown_source", true),
            Self::NoTrunk { .. } => (404, "no_trunk", true),
            Self::CallerNotAllowed { .. } => (403, "caller_not_allowed", true),
            Self::NoRule { .. } => (404, "no_rule", false),
            Self::WrongPin { .. } => (403, "wrong_pin", false),
            Self::NoRoom { .. } => (404, "no_room", false),
        }
    }

    /// The status that says what is wrong. What a stranger gets is [`Refusal::answer`].
    pub fn status(&self) -> u16 {
        self.row().0
    }

    /// A word for logs and metrics.
    pub fn label(&self) -> &'static str {
        self.row().1
    }

    /// Whether no trunk took the call.
    pub fn is_without_trunk(&self) -> bool {
        self.row().2
    }

    /// What to answer, or `None` for silence. Someone whom no trunk took and whose address no access list names gets the
    /// same for every number he tries, so that numbers cannot be found by trying.
    pub fn answer(&self, trusted: bool, reject: Reject) -> Option<u16> {
        let (status, _, without_trunk) = self.row();
        if without_trunk && !trusted { reject.status() } else { Some(status) }
    }
}

/// What a stranger gets whom no trunk takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reject {
    /// Nothing at all.
    #[default]
    Silent,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
}

impl Reject {
    /// The words of the configuration.
    pub(crate) const WORDS: &[&str] = &["silent", "403", "404"];

    /// Reads one of [`Reject::WORDS`].
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "silent" => Some(Self::Silent),
            "403" => Some(Self::Forbidden),
            "404" => Some(Self::NotFound),
            _ => None,
        }
    }

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Forbidden => "403",
            Self::NotFound => "404",
        }
    }

    /// The status, or `None` for silence.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Silent => None,
            Self::Forbidden => Some(403),
            Self::NotFound => Some(404),
        }
    }
}

/// The trunks or rules that were looked at, each with the reason why it did not fit. Bounded: a refusal is one log line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    shown: Vec<(String, &'static str)>,
    more: usize,
}

impl Tried {
    const SHOWN: usize = 8;

    pub(crate) fn push(&mut self, what: impl fmt::Display, why: &'static str) {
        if self.shown.len() < Self::SHOWN {
            self.shown.push((what.to_string(), why));
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, why)) in self.shown.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { "; " })?;
            write!(f, "{what}: {why}")?;
        }
        if self.more > 0 {
            write!(f, "; and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_get_the_same_for_every_reason_that_tells_of_trunks() {
        let source_ip = "192.0.2.1".parse().unwrap();
        let tried = Tried::default;
        let reasons = [
            Refusal::UnknownSource { source_ip, tried: tried() },
            Refusal::NoTrunk { called: "+1".into(), tried: tried() },
            Refusal::CallerNotAllowed { calling: "+1".into(), tried: tried() },
        ];
        for (reject, expected) in
            [(Reject::Silent, None), (Reject::Forbidden, Some(403)), (Reject::NotFound, Some(404))]
        {
            for refusal in &reasons {
                assert_eq!(refusal.answer(false, reject), expected, "{refusal}");
                assert_eq!(refusal.answer(true, reject), Some(refusal.status()), "{refusal}");
            }
        }
        let rule = Refusal::NoRule { trunk: "ST_1".into(), tried: tried() };
        assert_eq!(rule.answer(false, Reject::Silent), Some(404), "a trunk took the call: its caller is no stranger");
    }

    #[test]
    fn what_was_tried_is_bounded() {
        let mut tried = Tried::default();
        for n in 0..11 {
            tried.push(n, "no");
        }
        assert_eq!(tried.to_string(), ": 0: no; 1: no; 2: no; 3: no; 4: no; 5: no; 6: no; 7: no; and 3 more");
    }
}
