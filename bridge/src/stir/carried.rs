//! What carriers say of a caller's number, each in its own way.
//!
//! | carrier | where | what |
//! |---|---|---|
//! | Telnyx, and others after 3GPP TS 24.229 §7.2A.20 | `verstat` of the URI in P-Asserted-Identity, else in From | `TN-Validation-Passed`, `-Failed`, `No-TN-Validation`, some with `-A`, `-B`, `-C` behind |
//! | Twilio | `X-Twilio-VerStat` | the same |
//! | Plivo | `X-Plivo-Stir-Verification` | `Verified`, which is A; `Not Verified` and `Not Applicable` are no more than not known |
//! | those that pass the Identity header on | its token | `attest`, `origid`, unverified |
//!
//! All of it is text that anybody could write, so that none of it counts from somebody whom the trunk does not know.

use std::collections::BTreeMap;

use sip::NameAddr;

use super::claim::values;
use super::passport::{Passport, SHAKEN};
use super::statement::{Attest, By, PREFIX, Statement, Verstat};
use crate::dispatch::Query;

/// Headers with the words of 3GPP.
const HEADERS: &[&str] = &["x-twilio-verstat"];
/// Addresses whose URI or whose header may have the parameter.
const ADDRESSES: &[&str] = &["p-asserted-identity", "from"];
/// Headers that speak of verification, as attributes for rooms that want headers.
const RAW: &[&str] = &["sip.h.identity", "sip.h.x-twilio-verstat", "sip.h.x-plivo-stir-verification"];

/// What the carrier says; nothing, if it is not known.
pub(super) fn carried(query: &Query, is_known: bool) -> Statement {
    if !is_known {
        return Statement::default();
    }
    let said = HEADERS.iter().flat_map(|name| values(query, name)).find_map(words);
    let said = said.or_else(|| ADDRESSES.iter().flat_map(|name| values(query, name)).find_map(parameter));
    let said = said.or_else(|| values(query, "x-plivo-stir-verification").find_map(plivo));
    let mut statement = Statement::default();
    if let Some((verstat, attest)) = said {
        statement = Statement { attest, verstat: Some(verstat), verified_by: Some(By::Carrier), ..statement };
    }
    if statement.verstat != Some(Verstat::Failed)
        && let Some(passport) = passport(query)
    {
        statement.attest = statement.attest.or(Some(passport.attest()));
        statement.orig_id = Some(passport.orig_id().to_owned()).filter(|id| !id.is_empty());
    }
    statement
}

/// Puts what a known carrier says among the attributes of a caller, and takes out what anybody else could have put there.
pub(crate) fn settle(attributes: &mut BTreeMap<String, String>, query: &Query, is_known: bool) {
    attributes.retain(|name, _| !name.starts_with(PREFIX) && (is_known || !RAW.contains(&name.as_str())));
    attributes.extend(carried(query, is_known).attributes().into_iter().filter(|(_, value)| !value.is_empty()));
}

/// The words of `verstat`.
fn words(text: &str) -> Option<(Verstat, Option<Attest>)> {
    let text = text.trim();
    let all = [Verstat::Passed, Verstat::Failed, Verstat::Unknown];
    all.into_iter().find_map(|verstat| {
        let rest = text.get(verstat.word().len()..)?;
        let starts = text.get(..verstat.word().len())?.eq_ignore_ascii_case(verstat.word());
        let attest = Attest::parse(rest.strip_prefix('-').unwrap_or_default());
        // How well a signer knows a caller of whom it knows nothing is no recommendation.
        let attest = attest.filter(|_| verstat == Verstat::Passed);
        (starts && (rest.is_empty() || rest.starts_with('-'))).then_some((verstat, attest))
    })
}

/// The parameter of an address: of its URI, of a telephone number within that, or behind it.
fn parameter(value: &str) -> Option<(Verstat, Option<Attest>)> {
    const NAME: &str = "verstat";
    let address = NameAddr::parse(value).ok()?;
    let user = address.uri.user_text().unwrap_or_default();
    let within = user.split(';').skip(1).filter_map(|param| param.split_once('='));
    let within = within.filter(|(name, _)| name.eq_ignore_ascii_case(NAME)).map(|(_, value)| value.to_owned()).next();
    let found = address.uri.params.text(NAME).or(within).or_else(|| address.params.text(NAME))?;
    words(&found)
}

fn plivo(text: &str) -> Option<(Verstat, Option<Attest>)> {
    match text.trim().to_ascii_lowercase().as_str() {
        "verified" => Some((Verstat::Passed, Some(Attest::A))),
        "not verified" | "not applicable" => Some((Verstat::Unknown, None)),
        _ => None,
    }
}

fn passport(query: &Query) -> Option<Passport> {
    let identities = values(query, "identity").filter_map(|value| sip::Identity::parse(value).ok());
    let mut shaken = identities.filter(|identity| Passport::kind(identity).as_deref() == Some(SHAKEN));
    Passport::read(&shaken.next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::query::tests::query;

    fn said(headers: &[(&str, &str)], is_known: bool) -> Statement {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        carried(&query(|query| query.headers = headers), is_known)
    }

    #[test]
    fn each_carrier_in_its_own_words() {
        use Attest::{A, B, C};
        use Verstat::{Failed, Passed, Unknown};
        type Said = Option<(Verstat, Option<Attest>)>;
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(&str, Headers<'_>, Said)] = &[
            ("Twilio", &[("X-Twilio-VerStat", "TN-Validation-Passed-A")], Some((Passed, Some(A)))),
            ("Twilio, in part", &[("X-Twilio-VerStat", "TN-Validation-Passed-B")], Some((Passed, Some(B)))),
            ("Twilio, failed", &[("X-Twilio-VerStat", "TN-Validation-Failed-A")], Some((Failed, None))),
            ("Twilio, nothing", &[("X-Twilio-VerStat", "No-TN-Validation")], Some((Unknown, None))),
            (
                "Telnyx",
                &[("P-Asserted-Identity", "<sip:+1555@sip.telnyx.com;verstat=TN-Validation-Passed-C>")],
                Some((Passed, Some(C))),
            ),
            ("no level", &[("P-Asserted-Identity", "<sip:+1@h;verstat=TN-Validation-Passed>")], Some((Passed, None))),
            ("of the number", &[("f", "<sip:+1;verstat=TN-Validation-Failed@h;user=phone>")], Some((Failed, None))),
            ("tel", &[("From", "<tel:+1;verstat=No-TN-Validation>;tag=1")], Some((Unknown, None))),
            ("of the header", &[("From", "<sip:+1@h>;verstat=TN-Validation-Passed")], Some((Passed, None))),
            (
                "asserted before said",
                &[
                    ("From", "<sip:+1@h;verstat=TN-Validation-Failed>"),
                    ("P-Asserted-Identity", "<sip:+1@h;verstat=TN-Validation-Passed>"),
                ],
                Some((Passed, None)),
            ),
            ("Plivo", &[("X-Plivo-Stir-Verification", "Verified")], Some((Passed, Some(A)))),
            ("Plivo, not", &[("X-Plivo-Stir-Verification", "Not Verified")], Some((Unknown, None))),
            ("Plivo, nothing", &[("X-Plivo-Stir-Verification", "Not Applicable")], Some((Unknown, None))),
            ("other words", &[("X-Twilio-VerStat", "TN-Validation-Passedish")], None),
            ("no address", &[("P-Asserted-Identity", "verstat=TN-Validation-Passed")], None),
            ("nothing", &[], None),
        ];
        for (name, headers, expected) in cases {
            let statement = said(headers, true);
            let found = statement.verstat.map(|verstat| (verstat, statement.attest));
            assert_eq!(found, *expected, "{name}");
            assert_eq!(statement.verified_by, expected.map(|_| By::Carrier), "{name}");
            assert_eq!(said(headers, false), Statement::default(), "{name}, of a stranger");
        }
    }
}
