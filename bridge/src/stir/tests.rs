//! Tokens and certificates made here, right and forged; certificates fetched from a host of ours; and a token that another
//! program has signed.

mod bed;
mod fetching;

use serde_json::json;

use self::bed::{Authority, Forgery, Signer, extension, moment, valid};
use super::credential::Chain;
use super::*;
use crate::dispatch::query::tests::query;

#[test]
fn a_number_that_is_signed_for_passes_and_forgeries_do_not() {
    type Change = fn(&mut Forgery);
    let invalid = "438 Invalid Identity Header";
    type Wrong<'a> = Option<(&'a str, Failure)>;
    let cases: &[(&str, Change, Wrong<'_>)] = &[
        ("as it should be", |_| (), None),
        ("a minute old", |f| f.claims["iat"] = (f.now() - 60).into(), None),
        ("a minute ahead", |f| f.claims["iat"] = (f.now() + 60).into(), None),
        ("too old", |f| f.claims["iat"] = (f.now() - 61).into(), Some(("403 Stale Date", Failure::Stale))),
        ("too far ahead", |f| f.claims["iat"] = (f.now() + 62).into(), Some(("403 Stale Date", Failure::Stale))),
        ("far beyond", |f| f.claims["iat"] = u64::MAX.into(), Some(("403 Stale Date", Failure::Stale))),
        ("no number for a time", |f| f.claims["iat"] = "now".into(), Some((invalid, Failure::Malformed("the claims")))),
        ("for another caller", |f| f.claims["orig"]["tn"] = "15550198".into(), Some((invalid, Failure::Caller))),
        (
            "for a caller by name",
            |f| f.claims["orig"] = json!({"uri": "sip:a@b"}),
            Some((invalid, Failure::Malformed("the claims"))),
        ),
        ("to somebody else", |f| f.claims["dest"]["tn"] = json!(["15550101"]), Some((invalid, Failure::Called))),
        ("to nobody", |f| f.claims["dest"] = json!({}), Some((invalid, Failure::Called))),
        ("to several", |f| f.claims["dest"]["tn"] = json!(["15550101", "1 (555) 0100"]), None),
        (
            "to somebody who passes it on",
            |f| {
                f.claims["dest"]["tn"] = json!(["15550101"]);
                f.more.push(("Identity".into(), "a.b.c;info=<https://x>;ppt=div".into()));
            },
            Some((invalid, Failure::Diverted)),
        ),
        (
            "To says so, and the request goes elsewhere",
            |f| f.request = "+15550111".into(),
            Some((invalid, Failure::Called)),
        ),
        ("a request without a number", |f| f.request = "trunk".into(), None),
        ("no algorithm", |f| f.header["alg"] = "none".into(), Some((invalid, Failure::Algorithm))),
        ("a secret", |f| f.header["alg"] = "HS256".into(), Some((invalid, Failure::Algorithm))),
        ("another in the header", |f| f.params = ";alg=RS256;ppt=shaken".into(), Some((invalid, Failure::Algorithm))),
        ("no parameters", |f| f.params.clear(), None),
        ("another kind", |f| f.header["ppt"] = "rph".into(), Some((invalid, Failure::Contradiction("ppt")))),
        (
            "another kind, and nothing else",
            |f| {
                f.header["ppt"] = "rph".into();
                f.params.clear();
            },
            Some(("428 Use Identity Header", Failure::Unsigned)),
        ),
        ("no kind", |f| f.header["typ"] = "jwt".into(), Some((invalid, Failure::Malformed("the token")))),
        (
            "what must be understood",
            |f| f.header["crit"] = json!(["b64"]),
            Some((invalid, Failure::Malformed("the token"))),
        ),
        (
            "another certificate in the header",
            |f| f.info = "https://cert.example.org/b.pem".into(),
            Some((invalid, Failure::Contradiction("x5u"))),
        ),
        ("no such level", |f| f.claims["attest"] = "AA".into(), Some((invalid, Failure::Malformed("attest")))),
        (
            "no origin",
            |f| _ = f.claims.as_object_mut().unwrap().remove("origid"),
            Some((invalid, Failure::Malformed("the claims"))),
        ),
        ("changed after it was signed", |f| f.swap = Some(("\"A\"", "\"B\"")), Some((invalid, Failure::Signature))),
        (
            "a name twice",
            |f| f.swap_before = Some(("\"attest\":\"A\"", "\"attest\":\"C\",\"attest\":\"A\"")),
            Some((invalid, Failure::Malformed("the claims"))),
        ),
        ("another key", |f| f.key = bed::p256().serialize_der(), Some((invalid, Failure::Signature))),
        ("no signature", |f| f.signature = Some(String::new()), Some((invalid, Failure::Malformed("the signature")))),
        ("a signature of zeros", |f| f.signature = Some("A".repeat(86)), Some((invalid, Failure::Signature))),
        ("compact", |f| f.compact = true, Some((invalid, Failure::Compact))),
        ("nothing", |f| f.unsigned = true, Some(("428 Use Identity Header", Failure::Unsigned))),
        (
            "a header that cannot be read",
            |f| {
                f.unsigned = true;
                f.more.push(("y".into(), "nonsense".into()));
            },
            Some((invalid, Failure::Malformed("the Identity header"))),
        ),
        ("one of them cannot be read", |f| f.more.push(("Identity".into(), "nonsense".into())), None),
    ];
    let signer = Authority::new().signer(|_| ());
    for (name, change, expected) in cases {
        let mut forgery = Forgery::new(&signer);
        change(&mut forgery);
        let failure = forgery.judge(&signer.chain(), &signer.authorities).err();
        assert_eq!(failure.map(|failure| (failure.reason(), failure)), *expected, "{name}");
    }
}

#[test]
fn certificates_are_held_against_the_authorities() {
    let believed = Authority::new();
    let (other, namesake) = (Authority::named("other"), Authority::new());
    let cases: Vec<(&str, Signer, Option<&str>)> = vec![
        ("as it should be", believed.signer(|_| ()), None),
        ("by way of another", believed.issuing().signer(|_| ()), None),
        (
            "by way of a delegate",
            believed.issuing_with(vec![extension(bed::PROVIDER)]).signer(|_| ()),
            Some("issued by a delegate"),
        ),
        (
            "for some claims alone",
            believed.signer(|p| p.custom_extensions.push(bed::private(27))),
            Some("it limits claims"),
        ),
        (
            "for some claims alone, in the newer way",
            believed.signer(|p| p.custom_extensions.push(bed::private(33))),
            Some("it limits claims"),
        ),
        ("of nobody we know", other.signer(|_| ()), Some("no authority that is believed has issued it")),
        ("of somebody with a name that we know", namesake.signer(|_| ()), Some("not in order")),
        ("of somebody who issues without leave", believed.signer(|_| ()).issues(), Some("not in order")),
        ("of itself", Signer::alone(), Some("no authority that is believed has issued it")),
        ("expired", believed.signer(|p| valid(p, 2020, 2025)), Some("expired")),
        ("too early", believed.signer(|p| valid(p, 2027, 2028)), Some("not valid yet")),
        (
            "an authority",
            believed.signer(|p| p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
            Some("not in order"),
        ),
        ("for hosts", believed.signer(|p| p.custom_extensions.clear()), Some("not for telephone numbers")),
        (
            "for nobody",
            believed.signer(|p| p.custom_extensions = vec![extension(&[0x30, 0])]),
            Some("its TNAuthList cannot be read"),
        ),
        (
            "for another number",
            believed.signer(|p| p.custom_extensions = vec![extension(b"\x30\x0c\xa2\x0a\x16\x0815550198")]),
            Some("not for this number"),
        ),
        (
            "for this number",
            believed.signer(|p| p.custom_extensions = vec![extension(b"\x30\x0c\xa2\x0a\x16\x0815550199")]),
            None,
        ),
        (
            "for some purpose",
            believed.signer(|p| p.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning]),
            None,
        ),
        (
            "not for signing",
            believed.signer(|p| p.key_usages = vec![rcgen::KeyUsagePurpose::KeyEncipherment]),
            Some("its key is not for signing"),
        ),
        (
            "with something that must be understood",
            believed.signer(|p| {
                let mut more = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![5, 0]);
                more.set_criticality(true);
                p.custom_extensions.push(more);
            }),
            Some("not in order"),
        ),
        ("of another curve", believed.signer_with(bed::p384(), |_| ()), Some("its key is not of P-256")),
    ];
    for (name, signer, expected) in cases {
        let failure = Forgery::new(&signer).judge(&signer.chain(), &believed.authorities).err();
        assert_eq!(failure, expected.map(Failure::Credential), "{name}");
    }
}

#[test]
fn what_was_fetched_need_not_be_a_certificate() {
    let signer = Authority::new().signer(|_| ());
    let der = Chain::read(&bed::der(&signer.pem)).unwrap();
    assert!(Forgery::new(&signer).judge(&der, &signer.authorities).is_ok(), "DER");
    let cases: &[(&str, &[u8], Failure)] = &[
        ("nothing", b"", Failure::NoCertificate),
        ("a page", b"<html>", Failure::NoCertificate),
        ("no base64", b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n", Failure::NoCertificate),
        (
            "another thing",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            Failure::Credential("not in order"),
        ),
        ("cut short", &[0x30, 0x82, 0x01], Failure::Credential("not in order")),
    ];
    for (name, body, expected) in cases {
        let judged = Chain::read(body).and_then(|chain| chain.judge(&signer.authorities, moment()));
        assert_eq!(judged.err(), Some(*expected), "{name}");
    }
}

#[test]
fn authorities_are_read_or_it_is_said_why_not() {
    let pem = Authority::new().pem;
    let two = pem.clone() + &Authority::new().pem;
    assert_eq!(format!("{:?}", Authorities::read(&two).unwrap()), "Authorities(2)");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text, expected) in [
        ("empty", "", "there is no certificate in it"),
        ("words", "nonsense", "there is no certificate in it"),
        ("broken", &(pem + broken), "certificate 2 in it cannot be read"),
    ] {
        let error = Authorities::read(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}

/// Signed by `PyJWT`, certificates by `cryptography`: `tests/data/stir/make.py`.
#[test]
fn what_another_program_has_signed_is_understood() {
    let read = |file: &str| {
        let path = format!("{}/../tests/data/stir/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let identity = read("identity.txt").trim().to_owned();
    let claim = Claim::of(&query(|query| query.headers = vec![("Identity".into(), identity)]), false);
    let passport = claim.passport().unwrap();
    assert_eq!(passport.certificate(), "https://certificates.example.com/provider.pem");
    let chain = Chain::read(read("chain.pem").as_bytes()).unwrap();
    let leaf = chain.judge(&Authorities::read(&read("ca.pem")).unwrap(), moment()).unwrap();
    assert_eq!(passport.verify(&leaf), Ok(()));
    let told = Statement::passed(&passport).attributes();
    let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        told,
        [
            ("sip.stir.attest", "A"),
            ("sip.stir.failure", ""),
            ("sip.stir.origId", "123e4567-e89b-12d3-a456-426655440000"),
            ("sip.stir.verifiedBy", "gateway"),
            ("sip.stir.verstat", "TN-Validation-Passed"),
        ]
    );
}

#[test]
fn which_numbers_have_to_be_signed() {
    let signer = Authority::new().signer(|_| ());
    let pai = |number: &str| ("P-Asserted-Identity".to_owned(), format!("<sip:{number}@carrier.example.com>"));
    type Row<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, bool, Result<(), Failure>);
    let cases: &[Row<'_>] = &[
        ("a number without its plus", "15550199", None, "+15550100", false, Ok(())),
        ("with parameters", "+1-555-0199;verstat=No-TN-Validation", None, "+15550100", false, Ok(())),
        ("asserted by a carrier", "anonymous", Some("+15550199"), "+15550100", true, Ok(())),
        ("asserted by a stranger", "anonymous", Some("+15550199"), "+15550100", false, Err(Failure::Caller)),
        ("another than is shown", "+15550177", Some("+15550199"), "+15550100", true, Err(Failure::Caller)),
        ("a carrier that brings it elsewhere", "+15550199", None, "+15550111", true, Ok(())),
        ("a stranger who does", "+15550199", None, "+15550111", false, Err(Failure::Called)),
    ];
    for (name, from, asserted, request, is_known, expected) in cases {
        let mut forgery = Forgery::new(&signer);
        forgery.from = (*from).to_owned();
        forgery.request = (*request).to_owned();
        forgery.is_known = *is_known;
        forgery.more.extend(asserted.map(pai));
        assert_eq!(forgery.judge(&signer.chain(), &signer.authorities), *expected, "{name}");
    }
}

#[test]
fn an_unverified_token_is_shown_if_a_known_carrier_has_brought_it() {
    let signer = Authority::new().signer(|_| ());
    let shown = |is_known: bool, verstat: Option<&str>| {
        let mut forgery = Forgery::new(&signer);
        forgery.more.extend(verstat.map(|verstat| ("X-Twilio-VerStat".to_owned(), verstat.to_owned())));
        let statement = Claim::of(&forgery.query(), is_known).carried().clone();
        (statement.attest, statement.orig_id.is_some(), statement.verstat, statement.verified_by)
    };
    assert_eq!(shown(false, Some("TN-Validation-Passed-A")), (None, false, None, None), "a stranger");
    assert_eq!(shown(true, None), (Some(Attest::A), true, None, None));
    let carrier = Some(By::Carrier);
    assert_eq!(shown(true, Some("TN-Validation-Failed")), (None, false, Some(Verstat::Failed), carrier));
    let passed = (Some(Attest::B), true, Some(Verstat::Passed), carrier);
    assert_eq!(shown(true, Some("TN-Validation-Passed-B")), passed, "the carrier's word before the token's");
}

#[test]
fn a_carriers_word_stays_where_there_is_nothing_to_verify() {
    let said = |is_known| {
        let headers = vec![("X-Twilio-VerStat".to_owned(), "TN-Validation-Passed-A".to_owned())];
        Claim::of(&query(|query| query.headers = headers), is_known).failed(Failure::Unsigned)
    };
    assert_eq!((said(true).verified_by, said(true).verstat), (Some(By::Carrier), Some(Verstat::Passed)));
    assert_eq!((said(false).verified_by, said(false).verstat), (Some(By::Gateway), Some(Verstat::Unknown)));
    assert_eq!(said(false).failure.as_deref(), Some("428 Use Identity Header"));
}

#[test]
fn a_statement_is_written_into_records_as_it_is_told() {
    let statement = Statement::failed(Failure::Signature);
    let json = serde_json::to_value(&statement).unwrap();
    let expected = json!({
        "verstat": "TN-Validation-Failed", "verified_by": "gateway", "failure": "438 Invalid Identity Header",
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Statement>(json).unwrap(), statement);
}
