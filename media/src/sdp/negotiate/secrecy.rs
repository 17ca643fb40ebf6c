//! Whether the stream is encrypted, and under which keys (RFC 4568 §7.1, §7.2).

use super::Negotiated;
use crate::sdp::crypto::Crypto;
use crate::sdp::media::{Media, Transport};
use crate::sdp::{Encryption, Error, Policy};
use crate::srtp::{Pair, Secret, Suite};

/// What we offer, the best known first. Fewer than we have, for all of them would not fit into a datagram.
const OFFERED: [Suite; 4] =
    [Suite::AesCm128Sha1Tag80, Suite::AesCm256Sha1Tag80, Suite::AesGcm128, Suite::AesCm128Sha1Tag32];

/// What is agreed upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sdp) struct Secrecy {
    pub(in crate::sdp) pair: Option<Pair>,
    /// The number of the line with the keys.
    pub(in crate::sdp) tag: u32,
    /// Which of our keys: others when the old ones would not do, never the same for a second beginning.
    pub(in crate::sdp) generation: u32,
}

/// The suite of a peer's line that we take. A stream that is offered encrypted is never answered unencrypted.
pub(super) fn theirs(media: &Media, policy: &Policy, before: Option<&Negotiated>) -> Result<Option<Crypto>, Error> {
    let best = best(media, before);
    match (media.transport()?, policy.encryption) {
        (Transport::Secure, Encryption::Disable) => Err(Error::Encrypted),
        (Transport::Secure, _) => best.ok_or(Error::NoCommonSuite).map(Some),
        (Transport::Plain, Encryption::Disable) => Ok(None),
        (Transport::Plain, Encryption::Allow(_)) => Ok(best),
        (Transport::Plain, Encryption::Require(_)) => best.ok_or(Error::NotEncrypted).map(Some),
    }
}

/// Whether a line is worth looking at before those that are not encrypted.
pub(super) fn is_preferred(media: &Media, policy: &Policy) -> bool {
    policy.encryption.secret().is_some() && !media.crypto.is_empty()
}

/// Our keys toward theirs: those in force, unless the suite is another or the peer is another with keys of its own.
pub(super) fn answer(theirs: Option<Crypto>, policy: &Policy, before: Option<&Negotiated>, moved: bool) -> Secrecy {
    let last = before.map(|before| before.secrecy).unwrap_or_default();
    let (Some(theirs), Some(secret)) = (theirs, policy.encryption.secret()) else {
        return Secrecy { pair: None, ..last };
    };
    let suite = theirs.keys.suite();
    let stays = |pair: Pair| pair.suite() == suite && !(moved && pair.theirs != theirs.keys);
    let generation = match (last.pair, before) {
        (None, None) => 0,
        (Some(pair), _) if stays(pair) => last.generation,
        _ => last.generation + 1,
    };
    let pair = Pair { ours: secret.keys(suite, generation), theirs: theirs.keys };
    Secrecy { pair: Some(pair), tag: theirs.tag, generation }
}

/// What the answer to our line says.
pub(super) fn accept(ours: &Media, theirs: &Media, policy: &Policy, before: u32) -> Result<Secrecy, Error> {
    let generation = before;
    let transport = theirs.transport()?;
    let pairs = theirs.crypto.iter().filter_map(|theirs| {
        let matches = |ours: &&Crypto| ours.tag == theirs.tag && ours.keys.suite() == theirs.keys.suite();
        let ours = ours.crypto.iter().find(matches)?;
        Some(Secrecy { pair: Some(Pair { ours: ours.keys, theirs: theirs.keys }), tag: ours.tag, generation })
    });
    if let Some(secrecy) = pairs.into_iter().next() {
        return Ok(secrecy);
    }
    match (transport, ours.transport()?, policy.encryption) {
        (Transport::Secure, ..) if ours.crypto.is_empty() => Err(Error::Encrypted),
        (Transport::Secure, ..) => Err(Error::NoCommonSuite),
        (_, Transport::Secure, _) | (.., Encryption::Require(_)) => Err(Error::NotEncrypted),
        _ => Ok(Secrecy { generation, ..Secrecy::default() }),
    }
}

/// The lines of keys in an offer of ours: all that we offer at first, what is in force later.
pub(super) fn offer(policy: &Policy, before: Option<&Negotiated>) -> Vec<Crypto> {
    let crypto = |secret: Secret, tag, suite, generation| Crypto { tag, keys: secret.keys(suite, generation) };
    match (policy.encryption.secret(), before.map(|before| before.secrecy)) {
        (None, _) => Vec::new(),
        (Some(secret), None) => (1..).zip(OFFERED).map(|(tag, suite)| crypto(secret, tag, suite, 0)).collect(),
        (Some(_), Some(Secrecy { pair, tag, .. })) => {
            pair.map(|pair| Crypto { tag, keys: pair.ours }).into_iter().collect()
        }
    }
}

/// The suite in force; else the first of the offerer, who has the choice, but one with a long tag rather than a short one.
fn best(media: &Media, before: Option<&Negotiated>) -> Option<Crypto> {
    let in_force = before.and_then(|before| before.secrecy.pair).map(|pair| pair.suite());
    let crypto = media.crypto.iter().copied();
    crypto.min_by_key(|crypto| (Some(crypto.keys.suite()) != in_force, crypto.keys.suite().is_short()))
}
