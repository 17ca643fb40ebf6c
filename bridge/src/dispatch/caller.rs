//! What a carrier says about the caller beside From: who he is where From is anonymous (P-Asserted-Identity, RFC 3325;
//! Remote-Party-ID), whether he may be told (Privacy, RFC 3323), whom he called first (Diversion, RFC 5806; History-Info,
//! RFC 7044).
//!
//! Anybody can write these headers. They are believed only where a trunk knows who has sent them: from an address of its
//! access list, or from who has proved a password (RFC 3325 §8).

use sip::{Diversion, HeaderName, Headers, HistoryInfo, NameAddr, Privacy, RemotePartyId, Scheme};

use super::headers::clean;
use super::query::Party;

/// The longest text of any of them, in bytes; a longer one is no number and no name.
const MAX: usize = 255;

/// Users of From that stand for nobody, as networks write them.
const NOBODY: &[&str] = &["", "anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "blocked"];

/// The host of From that stands for nobody (RFC 3323 §4.1.1.3).
const NOWHERE: &str = "anonymous.invalid";

/// What a carrier asserts. Empty where it says nothing, and where nobody is to be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asserted {
    /// The peer is known.
    pub is_believed: bool,
    /// Who calls: a number as a rule.
    pub identity: String,
    /// The name that goes with it.
    pub display: String,
    /// He is not to be told.
    pub is_private: bool,
    /// The words of Privacy.
    pub privacy: String,
    /// Whom he called first, where the call was diverted to us and that may be told.
    pub diversion: String,
    /// Why the call did not stay there.
    pub diversion_reason: String,
}

impl Asserted {
    /// What these headers of a peer that is known say.
    pub fn read(headers: &[(String, String)]) -> Self {
        let mut known = Headers::new();
        for (name, value) in headers {
            if let Some(name) = HeaderName::parse(name) {
                known.push(name, value.as_str());
            }
        }
        let privacy = Privacy::of(&known);
        let (identity, display, is_marked) = asserted(&known).unwrap_or_default();
        let (diversion, diversion_reason) = diverted(&known, &privacy);
        Self {
            is_believed: true,
            identity,
            display,
            is_private: is_marked || privacy.hides_identity(),
            privacy: bounded(&privacy.to_string()),
            diversion,
            diversion_reason,
        }
    }
}

/// Whether this From stands for nobody.
pub(crate) fn is_anonymous(from: &Party) -> bool {
    let user = from.user.to_ascii_lowercase();
    NOBODY.contains(&&*user) || from.host.eq_ignore_ascii_case(NOWHERE)
}

/// Who calls, his name, and whether the header itself asks for privacy. There may be a SIP and a tel URI of the same
/// caller (RFC 3325 §9.1); the first with a number is taken.
fn asserted(headers: &Headers) -> Option<(String, String, bool)> {
    let values = headers.get_all(&HeaderName::PAssertedIdentity);
    let asserted: Vec<_> = values.flat_map(|value| NameAddr::parse_list(value).unwrap_or_default()).take(8).collect();
    let named = asserted.iter().find_map(|address| address.display.clone());
    if let Some(number) = asserted.iter().find_map(number) {
        return Some((number, bounded(&named.unwrap_or_default()), false));
    }
    let mut remote = RemotePartyId::of(headers).into_iter().filter(RemotePartyId::is_calling);
    remote.find_map(|party| {
        let address = party.address();
        Some((number(address)?, bounded(address.display.as_deref().unwrap_or_default()), party.is_private()))
    })
}

/// Whom he called first, and why the call went on from there. A number that may not be told is left out; its reason is not.
fn diverted(headers: &Headers, privacy: &Privacy) -> (String, String) {
    if let Some(first) = Diversion::of(headers).last() {
        let told = Some(first.address()).filter(|_| !first.is_private() && !privacy.hides_history());
        return (told.and_then(number).unwrap_or_default(), bounded(&first.reason().unwrap_or_default()));
    }
    let history = HistoryInfo::of(headers);
    let Some((first, then)) = history.split_first() else { return Default::default() };
    // The way through a network is history too: diverted is what came to another number.
    let Some(next) = then.iter().find(|entry| number(entry.address()) != number(first.address())) else {
        return Default::default();
    };
    let told = Some(first.address()).filter(|_| !first.is_private() && !privacy.hides_history());
    let reason = next.cause().or(first.ended()).map(why).unwrap_or_default();
    (told.and_then(number).unwrap_or_default(), reason.to_owned())
}

/// The word of Diversion for a cause of History-Info (RFC 7544).
fn why(cause: u16) -> &'static str {
    match cause {
        302 => "unconditional",
        408 => "no-answer",
        480 | 487 => "deflection",
        486 => "user-busy",
        503 => "unavailable",
        _ => "unknown",
    }
}

/// The number of an address: its user without what belongs to a tel URI. An address without a user is nobody's.
fn number(address: &NameAddr) -> Option<String> {
    let user = match &address.uri.scheme {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => address.uri.user_text()?,
        Scheme::Other(_) => return None,
    };
    let user = user.split(';').next().unwrap_or_default();
    let is_nobody = NOBODY.contains(&&*user.to_ascii_lowercase());
    let number = bounded(user);
    (!is_nobody && !number.is_empty()).then_some(number)
}

fn bounded(text: &str) -> String {
    let text = clean(text);
    if text.len() > MAX { String::new() } else { text }
}

#[cfg(test)]
mod tests;
