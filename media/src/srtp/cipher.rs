//! The transforms: AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2), and AES-GCM (RFC 7714 §8, §9).

use std::fmt;

use aes::cipher::{InnerIvInit as _, KeyInit as _, StreamCipher as _, StreamCipherCoreWrapper};
use aes::{Aes128, Aes256};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use sha1::Sha1;

use super::derive::{Label, derive};
use super::layout::{RTCP_HEADER, RTCP_INDEX};
use super::{Keys, Suite};

/// The session keys for RTP or for RTCP.
pub(super) struct Cipher {
    kind: Kind,
    tag: usize,
}

enum Kind {
    Counter { aes: Aes, salt: [u8; 14], hmac: Box<Hmac<Sha1>> },
    Galois { key: Box<LessSafeKey>, salt: [u8; 12] },
}

/// AES with its key expanded.
pub(super) enum Aes {
    Short(Box<Aes128>),
    Long(Box<Aes256>),
}

/// Which packet it is: what the initialisation vector is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    /// 48 bits of RTP, 31 of RTCP.
    pub(super) index: u64,
}

/// What is authenticated and stands behind the text, or nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trailer {
    /// The roll-over counter, which is not sent.
    RollOver(u32),
    /// The index of RTCP with the bit for encryption, which is sent.
    Index(u32),
}

/// What was encrypted, and its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed<'a> {
    pub(super) text: &'a [u8],
    pub(super) tag: &'a [u8],
}

/// The fixed header of RTCP and its index.
const JOINED: usize = RTCP_HEADER + RTCP_INDEX;

impl Cipher {
    pub(super) fn rtp(keys: &Keys) -> Self {
        let labels = [Label::RtpEncryption, Label::RtpAuthentication, Label::RtpSalt];
        Self { kind: Kind::new(keys, labels), tag: keys.suite().rtp_tag() }
    }

    pub(super) fn rtcp(keys: &Keys) -> Self {
        let labels = [Label::RtcpEncryption, Label::RtcpAuthentication, Label::RtcpSalt];
        Self { kind: Kind::new(keys, labels), tag: keys.suite().rtcp_tag() }
    }

    pub(super) fn tag(&self) -> usize {
        self.tag
    }

    /// Encrypts `text` in its place and writes the tag, which is for the header and the trailer as well. `None` is told of
    /// texts of many gigabytes.
    pub(super) fn seal(
        &self,
        place: Place,
        header: &[u8],
        trailer: Trailer,
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Option<()> {
        match &self.kind {
            Kind::Counter { aes, salt, hmac } => {
                aes.apply(&counter(salt, place), text);
                let digest = authenticate(hmac, header, text, trailer).finalize().into_bytes();
                tag.copy_from_slice(&digest[..tag.len()]);
            }
            Kind::Galois { key, salt } => {
                let mut joined = [0; JOINED];
                let aad = Aad::from(trailer.join(header, &mut joined));
                let sealed = key.seal_in_place_separate_tag(nonce(salt, place), aad, text).ok()?;
                tag.copy_from_slice(sealed.as_ref());
            }
        }
        Some(())
    }

    /// Decrypts the text of `sealed` into `into`, which is at least as long, if the tag is right. If it is not, what
    /// is left in there is of no use.
    pub(super) fn open(
        &self,
        place: Place,
        header: &[u8],
        trailer: Trailer,
        sealed: Sealed<'_>,
        into: &mut [u8],
    ) -> bool {
        let Sealed { text, tag } = sealed;
        let Some(into) = into.get_mut(..text.len()) else { return false };
        match &self.kind {
            Kind::Counter { aes, salt, hmac } => {
                if authenticate(hmac, header, text, trailer).verify_truncated_left(tag).is_err() {
                    return false;
                }
                into.copy_from_slice(text);
                aes.apply(&counter(salt, place), into);
                true
            }
            Kind::Galois { key, salt } => {
                let Ok(tag) = Tag::try_from(tag) else { return false };
                let mut joined = [0; JOINED];
                let aad = Aad::from(trailer.join(header, &mut joined));
                into.copy_from_slice(text);
                key.open_in_place_separate_tag(nonce(salt, place), aad, tag, into, 0..).is_ok()
            }
        }
    }
}

impl<'a> Sealed<'a> {
    /// Text with its tag at the end.
    pub(super) fn split(bytes: &'a [u8], tag: usize) -> Option<Self> {
        let (text, tag) = bytes.split_at_checked(bytes.len().checked_sub(tag)?)?;
        Some(Self { text, tag })
    }
}

impl Trailer {
    fn bytes(self) -> [u8; 4] {
        match self {
            Self::RollOver(word) | Self::Index(word) => word.to_be_bytes(),
        }
    }

    /// What AES-GCM authenticates beside the text: the header, and the index of RTCP (RFC 7714 §8.2, §9.2).
    fn join<'a>(self, header: &'a [u8], joined: &'a mut [u8; JOINED]) -> &'a [u8] {
        match (self, joined.split_at_mut_checked(header.len())) {
            (Self::Index(_), Some((start, end))) if end.len() == 4 => {
                start.copy_from_slice(header);
                end.copy_from_slice(&self.bytes());
                joined
            }
            // The roll-over counter is in the initialisation vector.
            _ => header,
        }
    }
}

impl Kind {
    fn new(keys: &Keys, [encryption, authentication, salting]: [Label; 3]) -> Self {
        let mut key = [0; 32];
        let key = &mut key[..keys.suite().key_length()];
        derive(keys, encryption, key);
        let algorithm = match keys.suite() {
            Suite::AesGcm128 => &AES_128_GCM,
            Suite::AesGcm256 => &AES_256_GCM,
            _ => {
                let (mut salt, mut secret) = ([0; 14], [0; 20]);
                derive(keys, salting, &mut salt);
                derive(keys, authentication, &mut secret);
                let hmac = <Hmac<Sha1> as Mac>::new_from_slice(&secret).expect("HMAC takes keys of any length");
                return Self::Counter { aes: Aes::new(key), salt, hmac: Box::new(hmac) };
            }
        };
        let mut salt = [0; 12];
        derive(keys, salting, &mut salt);
        let key = UnboundKey::new(algorithm, key).expect("the key has the length of its suite");
        Self::Galois { key: Box::new(LessSafeKey::new(key)), salt }
    }
}

impl Aes {
    /// Sixteen bytes or thirty-two.
    pub(super) fn new(key: &[u8]) -> Self {
        match <&[u8; 32]>::try_from(key) {
            Ok(key) => Self::Long(Box::new(Aes256::new(key.into()))),
            Err(_) => {
                let key = key.first_chunk::<16>().expect("no suite has a shorter key");
                Self::Short(Box::new(Aes128::new(key.into())))
            }
        }
    }

    /// Counter mode from this block on: the same for both ways.
    pub(super) fn apply(&self, iv: &[u8; 16], text: &mut [u8]) {
        match self {
            Self::Short(aes) => {
                let core = CtrCore::<&Aes128, Ctr128BE>::inner_iv_init(aes, iv.into());
                StreamCipherCoreWrapper::from_core(core).apply_keystream(text);
            }
            Self::Long(aes) => {
                let core = CtrCore::<&Aes256, Ctr128BE>::inner_iv_init(aes, iv.into());
                StreamCipherCoreWrapper::from_core(core).apply_keystream(text);
            }
        }
    }
}

fn authenticate(hmac: &Hmac<Sha1>, header: &[u8], text: &[u8], trailer: Trailer) -> Hmac<Sha1> {
    let mut hmac = hmac.clone();
    hmac.update(header);
    hmac.update(text);
    hmac.update(&trailer.bytes());
    hmac
}

/// The first counter block (RFC 3711 §4.1.1).
fn counter(salt: &[u8; 14], place: Place) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    mix(&mut iv[4..8], &place.ssrc.to_be_bytes());
    mix(&mut iv[8..14], &place.index.to_be_bytes()[2..]);
    iv
}

/// The initialisation vector (RFC 7714 §8.1, §9.1): the SSRC is two bytes further on for both, the index is at the end.
fn nonce(salt: &[u8; 12], place: Place) -> Nonce {
    let mut iv = *salt;
    mix(&mut iv[2..6], &place.ssrc.to_be_bytes());
    mix(&mut iv[6..12], &place.index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(iv)
}

fn mix(into: &mut [u8], with: &[u8]) {
    for (byte, with) in into.iter_mut().zip(with) {
        *byte ^= with;
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}
