//! What becomes known of a caller's number while his call goes on.

use std::collections::BTreeMap;

use super::*;
use crate::stir::{Attest, By, Statement, Verstat};

fn told(attributes: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    let all = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    all.filter(|(name, _)| name.starts_with("sip.stir.")).collect()
}

#[tokio::test]
async fn what_becomes_known_is_told_and_takes_the_place_of_the_carriers_word() {
    let mut bed = bed(|parts| inbound(parts, TRUNK)).await;
    let driver = &mut bed.driver;
    let carriers: BTreeMap<_, _> = [("sip.stir.attest", "A"), ("sip.stir.verstat", "TN-Validation-Passed")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    driver.attributes.extend(carriers.clone());
    let failure = Some("438 Invalid Identity Header".to_owned());
    let failed = Statement {
        verstat: Some(Verstat::Failed),
        verified_by: Some(By::Gateway),
        failure: failure.clone(),
        ..Statement::default()
    };
    driver.verified(failed.clone());
    let ours = [
        ("sip.stir.failure", "438 Invalid Identity Header"),
        ("sip.stir.verifiedBy", "gateway"),
        ("sip.stir.verstat", "TN-Validation-Failed"),
    ];
    assert_eq!(told(&driver.attributes), ours);
    let Some(rooms::Command::Attributes(change)) = bed._room.0.recv().await else { panic!("the room is told") };
    assert_eq!(change["sip.stir.attest"], "", "it is taken away");
    // A PIN has given the caller another seat, with what the carrier says.
    driver.attributes.extend(carriers);
    driver.vouch();
    assert_eq!(told(&driver.attributes), ours);
    let record = driver.record(EndReason::RemoteHangup, String::new());
    assert_eq!(record.stir, Some(failed));
}

#[tokio::test]
async fn without_verification_the_carriers_word_stays() {
    let said = query(|query| {
        query.headers = vec![("X-Twilio-VerStat".to_owned(), "TN-Validation-Passed-A".to_owned())];
    });
    let claimed = |parts: &Parts| {
        let Leg::Inbound(call) = inbound(parts, TRUNK) else { panic!("inbound") };
        Leg::Inbound(Box::new(Inbound { claim: Claim::of(&said, true), ..*call }))
    };
    let mut bed = bed(claimed).await;
    bed.driver.verify();
    let record = bed.driver.record(EndReason::RemoteHangup, String::new());
    let stir = record.stir.expect("the carrier has said something");
    assert_eq!((stir.attest, stir.verified_by), (Some(Attest::A), Some(By::Carrier)));
}
