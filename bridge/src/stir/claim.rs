//! Who says that he calls whom, and what came with the call to prove it.

use std::time::SystemTime;

use sip::{Identity, NameAddr};

use super::carried::carried;
use super::passport::{Passport, SHAKEN};
use super::{Failure, Statement};
use crate::dispatch::Query;
use crate::dispatch::headers::canonical;

/// As many signatures of one call are looked at.
const MAX_IDENTITIES: usize = 8;
/// The longest number (ITU-T E.164), in digits.
const MAX_DIGITS: usize = 15;

/// A call as far as signatures care.
#[derive(Clone, Debug)]
pub struct Claim {
    identities: Vec<Option<Identity>>,
    caller: Option<String>,
    called: Called,
    carried: Statement,
    at: SystemTime,
}

/// Whom the call is for.
#[derive(Clone, Debug)]
struct Called {
    numbers: Vec<String>,
    /// One of them is enough: a peer that we know has brought the call here.
    one_will_do: bool,
}

impl Claim {
    /// Reads an INVITE. `is_known`: its sender is one of the peers of its trunk, not just anybody.
    pub(crate) fn of(query: &Query, is_known: bool) -> Self {
        let identities = values(query, "identity").flat_map(|value| {
            let mut headers = sip::Headers::new();
            headers.push(sip::HeaderName::Identity, value);
            headers.identities().into_iter().map(Result::ok).collect::<Vec<_>>()
        });
        // Whom the network asserts is worth as much as the network (RFC 3325), and less than what the room is told: that
        // number has to be signed, if it is one.
        let asserted = || values(query, "p-asserted-identity").filter(|_| is_known).find_map(number_of);
        let numbers = [query.request.user.as_str(), query.to.user.as_str()].into_iter().filter_map(digits);
        Self {
            identities: identities.take(MAX_IDENTITIES).collect(),
            caller: digits(query.calling()).or_else(asserted),
            called: Called { numbers: numbers.collect(), one_will_do: is_known },
            carried: carried(query, is_known),
            at: query.now,
        }
    }

    /// What a known carrier says of the number.
    pub(crate) fn carried(&self) -> &Statement {
        &self.carried
    }

    /// The token, if it says that this caller calls this number now. Whether he who says so may be believed is another
    /// matter.
    pub(super) fn passport(&self) -> Result<Passport, Failure> {
        let passport = self.signature()?.map_or(Err(Failure::Unsigned), Passport::read)?;
        passport.check_time(self.at)?;
        if self.caller.as_deref() != Some(passport.caller()) {
            return Err(Failure::Caller);
        }
        if !self.called.is_among(passport.called()) {
            return Err(if self.is_diverted() { Failure::Diverted } else { Failure::Called });
        }
        Ok(passport)
    }

    /// What is to be told where verification fails. Where there was nothing to verify, a carrier may still have done so.
    pub(super) fn failed(&self, failure: Failure) -> Statement {
        match failure {
            Failure::Unsigned if !self.carried.is_empty() => self.carried.clone(),
            failure => Statement::failed(failure),
        }
    }

    /// The first signature of the kind that we know. One that cannot be read counts if there is no other.
    fn signature(&self) -> Result<Option<&Identity>, Failure> {
        let mut all = self.identities.iter().flatten();
        match all.find(|identity| Passport::kind(identity).as_deref() == Some(SHAKEN)) {
            Some(identity) => Ok(Some(identity)),
            None if self.identities.iter().all(Option::is_some) => Ok(self.vague()),
            None => Err(Failure::Malformed("the Identity header")),
        }
    }

    /// A signature that does not say which kind it is of: reading it will tell what is wrong with it.
    fn vague(&self) -> Option<&Identity> {
        self.identities.iter().flatten().find(|identity| Passport::kind(identity).is_none())
    }

    fn is_diverted(&self) -> bool {
        self.identities.iter().flatten().any(|identity| Passport::kind(identity).as_deref() == Some("div"))
    }
}

impl Called {
    /// A token for a call to somebody else can be had by whoever is called: it is good for his number alone.
    fn is_among(&self, signed: &[String]) -> bool {
        let mut are = self.numbers.iter().map(|number| signed.contains(number));
        if self.one_will_do { are.any(|is| is) } else { !self.numbers.is_empty() && are.all(|is| is) }
    }
}

/// All values of a header, by its name in lower case.
pub(super) fn values<'a>(query: &'a Query, name: &'a str) -> impl Iterator<Item = &'a str> {
    query.headers.iter().filter(move |(given, _)| canonical(given) == name).map(|(_, value)| value.as_str())
}

fn number_of(value: &str) -> Option<String> {
    digits(&NameAddr::parse(value).ok()?.uri.user_text()?)
}

/// The digits of a number without what people put between them ([RFC 8224 §8.3]); `None` for what is no number. No country
/// is guessed: what is signed has one, and a number without one is not known to be the same.
///
/// [RFC 8224 §8.3]: https://www.rfc-editor.org/rfc/rfc8224#section-8.3
pub(super) fn digits(text: &str) -> Option<String> {
    let number = text.split(';').next().unwrap_or_default();
    let number = number.strip_prefix('+').unwrap_or(number);
    let is_known = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')');
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    ((1..=MAX_DIGITS).contains(&digits.len()) && number.chars().all(is_known)).then_some(digits)
}
