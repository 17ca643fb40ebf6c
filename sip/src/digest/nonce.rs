//! Nonces that the server recognises without having kept them ([RFC 7616 §3.3], [§5.4]).
//!
//! ```text
//! hex( issued: 8 bytes of milliseconds | serial: 8 bytes | first 16 bytes of HMAC-SHA-256(issued serial realm source) )
//! ```
//!
//! [RFC 7616 §3.3]: https://www.rfc-editor.org/rfc/rfc7616#section-3.3
//! [§5.4]: https://www.rfc-editor.org/rfc/rfc7616#section-5.4

use std::{net::IpAddr, time::Duration};

use ring::hmac;

use super::{algorithm::hex, server::Scope};

/// When a nonce was made and which of that moment it is: together they are unique to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub issued: Duration,
    pub serial: u64,
}

const SEAL: usize = 16;

impl Stamp {
    /// The nonce's text.
    pub(crate) fn seal(self, key: &hmac::Key, scope: &Scope<'_>) -> String {
        hex(&self.issued_bytes()) + &hex(&self.serial.to_be_bytes()) + &hex(&self.tag(key, scope))
    }

    /// Reads a nonce; `None` when this key and scope did not make it.
    pub(crate) fn open(nonce: &str, key: &hmac::Key, scope: &Scope<'_>) -> Option<Self> {
        let bytes = unhex(nonce)?;
        let (issued, rest) = bytes.split_first_chunk::<8>()?;
        let (serial, seal) = rest.split_first_chunk::<8>()?;
        let issued = Duration::from_millis(u64::from_be_bytes(*issued));
        let stamp = Self { issued, serial: u64::from_be_bytes(*serial) };
        is_same(key, &stamp.tag(key, scope), seal).then_some(stamp)
    }

    fn tag(self, key: &hmac::Key, scope: &Scope<'_>) -> [u8; SEAL] {
        let mut context = hmac::Context::with_key(key);
        context.update(&self.issued_bytes());
        context.update(&self.serial.to_be_bytes());
        match scope.source {
            None => context.update(&[0]),
            Some(IpAddr::V4(address)) => {
                context.update(&[4]);
                context.update(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                context.update(&[6]);
                context.update(&address.octets());
            }
        }
        context.update(scope.realm.as_bytes());
        let mut tag = [0; SEAL];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }

    fn issued_bytes(self) -> [u8; 8] {
        u64::try_from(self.issued.as_millis()).unwrap_or(u64::MAX).to_be_bytes()
    }
}

/// Compares in a time that tells nothing about where the two differ: their HMACs are compared, by `ring`.
pub(crate) fn is_same(key: &hmac::Key, ours: &[u8], theirs: &[u8]) -> bool {
    hmac::verify(key, theirs, hmac::sign(key, ours).as_ref()).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    const LENGTH: usize = 2 * (8 + 8 + SEAL);
    let digits = text.bytes().map(|digit| char::from(digit).to_digit(16)).collect::<Option<Vec<_>>>()?;
    if digits.len() != LENGTH {
        return None;
    }
    digits.chunks_exact(2).map(|pair| u8::try_from(pair.first()? * 16 + pair.last()?).ok()).collect()
}
