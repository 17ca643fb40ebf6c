//! Session keys from master keys ([RFC 3711 §4.3]), once for each master key: no key derivation rate is agreed upon.
//!
//! [RFC 3711 §4.3]: https://www.rfc-editor.org/rfc/rfc3711#section-4.3

use super::Keys;
use super::cipher::Aes;

/// What a key is derived for (RFC 3711 §4.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Fills `out` with the key for `label`.
pub(super) fn derive(keys: &Keys, label: Label, out: &mut [u8]) {
    // The salt of AES-GCM is two bytes shorter, and stands left (RFC 7714 §11).
    let mut iv = [0; 16];
    iv[..keys.salt().len()].copy_from_slice(keys.salt());
    iv[7] ^= label as u8;
    out.fill(0);
    Aes::new(keys.key()).apply(&iv, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::Suite;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// RFC 3711 B.3, RFC 6188 §7.2.
    #[test]
    fn session_keys_are_those_of_the_rfcs() {
        let (short, long) = (
            "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6",
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
        );
        let (cm128, cm256) = (Suite::AesCm128Sha1Tag80, Suite::AesCm256Sha1Tag80);
        let cases = [
            (cm128, short, Label::RtpEncryption, "C61E7A93744F39EE10734AFE3FF7A087"),
            (cm128, short, Label::RtpSalt, "30CBBC08863D8C85D49DB34A9AE1"),
            (cm128, short, Label::RtpAuthentication, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"),
            (cm256, long, Label::RtpEncryption, "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"),
            (cm256, long, Label::RtpSalt, "fa31791685ca444a9e07c6c64e93"),
            (cm256, long, Label::RtpAuthentication, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"),
        ];
        for (suite, master, label, expected) in cases {
            let keys = Keys::new(suite, &hex(master)).unwrap();
            let expected = hex(expected);
            let mut out = vec![0xff; expected.len()];
            derive(&keys, label, &mut out);
            assert_eq!(out, expected, "{suite:?} {label:?}");
        }
    }
}
