//! Packets sealed and opened, beside the WebRTC engine's own implementation.

use media::rtp::{Header, Ssrc};
use media::srtp::{Keys, OVERHEAD, Receiver, Refused, Secret, Sender, Suite};
use proptest::prelude::*;
use rtc_srtp::context::Context;
use rtc_srtp::crypto::default_provider;
use rtc_srtp::protection_profile::ProtectionProfile;

fn keys(suite: Suite) -> (Keys, Vec<u8>) {
    let bytes: Vec<u8> = (0..suite.key_length() + suite.salt_length()).map(|n| (n as u8).wrapping_mul(7)).collect();
    (Keys::new(suite, &bytes).expect("as long as the suite says"), bytes)
}

fn oracle(suite: Suite) -> Context {
    let profile = match suite {
        Suite::AesCm128Sha1Tag80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128Sha1Tag32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AesCm256Sha1Tag80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::AesCm256Sha1Tag32 => ProtectionProfile::Aes256CmHmacSha1_32,
        Suite::AesGcm128 => ProtectionProfile::AeadAes128Gcm,
        Suite::AesGcm256 => ProtectionProfile::AeadAes256Gcm,
    };
    let (_, bytes) = keys(suite);
    let (key, salt) = bytes.split_at(suite.key_length());
    let provider = default_provider().expect("cryptography");
    Context::new(key, salt, profile, None, None, provider.crypto()).expect("a context")
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: false, payload_type: 0, sequence, timestamp: 7, ssrc: Ssrc(ssrc) };
    let mut packet = vec![0; Header::LEN];
    header.write(&mut packet).expect("room for a header");
    packet.extend_from_slice(payload);
    packet
}

fn report(ssrc: u32, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(rest);
    packet
}

fn seal(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + OVERHEAD, 0);
    let length = sender.seal_rtp(&mut buffer, packet.len()).expect("RTP");
    buffer.truncate(length);
    buffer
}

fn seal_rtcp(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + OVERHEAD, 0);
    let length = sender.seal_rtcp(&mut buffer, packet.len()).expect("RTCP");
    buffer.truncate(length);
    buffer
}

fn open(receiver: &mut Receiver, datagram: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut into = vec![0; datagram.len()];
    let length = receiver.open_rtp(datagram, &mut into)?;
    into.truncate(length);
    Ok(into)
}

fn open_rtcp(receiver: &mut Receiver, datagram: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut into = vec![0; datagram.len()];
    let length = receiver.open_rtcp(datagram, &mut into)?;
    into.truncate(length);
    Ok(into)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn no_index_is_used_twice() {
    for suite in Suite::ALL {
        let mut sender = Sender::new(&keys(suite).0);
        seal(&mut sender, &rtp(1, 30_000, b"first"));
        for (name, sequence, is_sealed) in [
            ("the same", 30_000, false),
            ("one before", 29_999, false),
            ("as far ahead as may be", 30_000 + 32_767, true),
            ("so far ahead that it is behind", 29_999, false),
            ("the next", 62_768, true),
        ] {
            let mut buffer = rtp(1, sequence, b"second");
            let length = buffer.len();
            buffer.resize(length + OVERHEAD, 0);
            assert_eq!(sender.seal_rtp(&mut buffer, length).is_some(), is_sealed, "{suite:?}: {name}");
        }
    }
}

/// A packet under the keys of RFC 3711 B.3, as libsrtp checks itself by.
#[test]
fn known_packets_are_sealed_as_others_do() {
    let cases = [(
        "libsrtp, 128 bits",
        Suite::AesCm128Sha1Tag80,
        "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6",
        "800f1234decafbadcafebabe abababababababababababababababab",
        "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
    )];
    for (name, suite, master, plain, sealed) in cases {
        let keys = Keys::new(suite, &hex(master)).expect("keys");
        assert_eq!(seal(&mut Sender::new(&keys), &hex(plain)), hex(sealed), "{name}");
        assert_eq!(open(&mut Receiver::new(&keys), &hex(sealed)), Ok(hex(plain)), "{name}");
    }
}

#[test]
fn the_engine_opens_what_we_seal_and_the_other_way_round() {
    for suite in Suite::ALL {
        let (keys, _) = keys(suite);
        let (mut sender, mut receiver) = (Sender::new(&keys), Receiver::new(&keys));
        let (mut to_them, mut from_them) = (oracle(suite), oracle(suite));
        // Over two wraps of the sequence number.
        for n in (65_000..65_600_u32).chain((66_000..130_000).step_by(9_000)).chain(130_900..131_200) {
            let packet = rtp(0xdead_beef, n as u16, &[n as u8; 160]);
            let sealed = seal(&mut sender, &packet);
            assert_eq!(sealed.len(), packet.len() + suite.rtp_tag());
            assert_eq!(to_them.decrypt_rtp(&sealed).expect("they open it"), packet, "{suite:?} {n}");
            let theirs = from_them.encrypt_rtp(&packet).expect("they seal it");
            assert_eq!(theirs, sealed, "{suite:?} {n}");
            assert_eq!(open(&mut receiver, &theirs), Ok(packet), "{suite:?} {n}");
        }
        for n in 0..100 {
            let packet = report(7, &[n; 24]);
            let sealed = seal_rtcp(&mut sender, &packet);
            assert_eq!(to_them.decrypt_rtcp(&sealed).expect("they open it"), packet, "{suite:?} {n}");
            let theirs = from_them.encrypt_rtcp(&packet).expect("they seal it");
            assert_eq!(open_rtcp(&mut receiver, &theirs), Ok(packet), "{suite:?} {n}");
        }
    }
}

proptest! {
    #[test]
    fn any_packet_is_sealed_as_the_engine_seals_it(
        which in 0..Suite::ALL.len(),
        ssrc: u32,
        sequence: u16,
        contributors in 0..4_usize,
        extension in proptest::option::of(0..3_u16),
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let suite = Suite::ALL[which];
        let mut packet = rtp(ssrc, sequence, &vec![9; contributors * 4]);
        packet[0] |= contributors as u8;
        if let Some(words) = extension {
            packet[0] |= 0x10;
            packet.extend([0xbe, 0xde]);
            packet.extend(words.to_be_bytes());
            packet.extend(vec![0; usize::from(words) * 4]);
        }
        packet.extend(&payload);
        let (keys, _) = keys(suite);
        let sealed = seal(&mut Sender::new(&keys), &packet);
        prop_assert_eq!(&oracle(suite).encrypt_rtp(&packet).expect("they seal it")[..], &sealed[..]);
        prop_assert_eq!(open(&mut Receiver::new(&keys), &sealed), Ok(packet));
    }

    #[test]
    fn a_packet_with_any_bit_changed_is_refused(
        which in 0..Suite::ALL.len(),
        at: proptest::sample::Index,
        bit in 0..8_u8,
        payload in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (keys, _) = keys(Suite::ALL[which]);
        let (mut sender, mut receiver) = (Sender::new(&keys), Receiver::new(&keys));
        for (sealed, is_rtcp) in
            [(seal(&mut sender, &rtp(1, 2, &payload)), false), (seal_rtcp(&mut sender, &report(1, &payload)), true)]
        {
            let mut changed = sealed.clone();
            changed[at.index(sealed.len())] ^= 1 << bit;
            let open = if is_rtcp { open_rtcp } else { open };
            prop_assert_eq!(open(&mut receiver, &changed), Err(Refused::Forged));
            prop_assert!(open(&mut receiver, &sealed).is_ok(), "and the true one is opened afterwards");
        }
    }

    #[test]
    fn anything_else_is_refused(which in 0..Suite::ALL.len(), bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut receiver = Receiver::new(&keys(Suite::ALL[which]).0);
        prop_assert!(open(&mut receiver, &bytes).is_err() && open_rtcp(&mut receiver, &bytes).is_err());
    }

    #[test]
    fn each_packet_is_opened_once_in_whatever_order(seed: u64, first: u16) {
        let (keys, _) = keys(Suite::AesGcm128);
        let (mut sender, mut receiver) = (Sender::new(&keys), Receiver::new(&keys));
        let wire: Vec<_> = (0..300_u16).map(|n| {
            let packet = rtp(5, first.wrapping_add(n), &n.to_be_bytes());
            (seal(&mut sender, &packet), packet)
        }).collect();
        // Each is late by less than twenty packets; what is heard first is the first.
        let mut random = seed | 1;
        let mut places: Vec<_> = (0..wire.len()).map(|n| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (if n == 0 { 0 } else { n + (random >> 33) as usize % 20 }, n)
        }).collect();
        places.sort_unstable();
        let wire: Vec<_> = places.into_iter().map(|(_, n)| wire[n].clone()).collect();
        for (sealed, packet) in &wire {
            prop_assert_eq!(open(&mut receiver, sealed), Ok(packet.clone()));
        }
        for (sealed, _) in &wire {
            prop_assert_eq!(open(&mut receiver, sealed), Err(Refused::Replayed));
        }
    }
}

#[test]
fn a_stream_heard_from_its_middle_on_is_opened() {
    let (keys, _) = keys(Suite::AesCm128Sha1Tag80);
    let (mut sender, mut receiver) = (Sender::new(&keys), Receiver::new(&keys));
    seal(&mut sender, &rtp(1, 65_535, b"lost"));
    let wrapped = rtp(1, 0, b"heard");
    assert_eq!(open(&mut receiver, &seal(&mut sender, &wrapped)), Ok(wrapped));
}

/// Our stream takes another source when its clock changes.
#[test]
fn another_source_of_ours_counts_its_wraps_by_itself() {
    for suite in Suite::ALL {
        let (keys, _) = keys(suite);
        let mut sender = Sender::new(&keys);
        let mut receiver = Receiver::new(&keys);
        for sequence in [65_535, 0, 1] {
            let packet = rtp(1, sequence, b"before");
            assert_eq!(open(&mut receiver, &seal(&mut sender, &packet)), Ok(packet), "{suite:?}");
        }
        let packet = rtp(2, 2, b"after");
        let sealed = seal(&mut sender, &packet);
        assert_eq!(sealed, seal(&mut Sender::new(&keys), &packet), "{suite:?}");
        assert_eq!(open(&mut receiver, &sealed), Ok(packet), "{suite:?}");
    }
}

#[test]
fn after_new_keys_a_stream_counts_on_or_begins_anew() {
    let secret = Secret::new([1; 32]);
    let keys = [0, 1].map(|generation| secret.keys(Suite::AesCm128Sha1Tag80, generation));
    let (mut old, mut before) = (Sender::new(&keys[0]), Receiver::new(&keys[0]));
    let (mut anew, mut on) = (Sender::new(&keys[1]), Sender::new(&keys[1]));
    for n in (0..140_000_u32).step_by(10_000) {
        let packet = rtp(1, n as u16, b"ab");
        assert_eq!(open(&mut before, &seal(&mut old, &packet)), Ok(packet.clone()));
        seal(&mut on, &packet);
    }
    for (name, sender) in [("anew", &mut anew), ("on", &mut on)] {
        let mut receiver = Receiver::after(&keys[1], &before);
        for n in 140_000..140_010_u32 {
            let packet = rtp(1, n as u16, b"ab");
            assert_eq!(open(&mut receiver, &seal(sender, &packet)), Ok(packet), "{name}");
        }
    }
}

#[test]
fn a_peer_that_changes_its_source_often_is_heard() {
    let (keys, _) = keys(Suite::AesGcm256);
    let mut receiver = Receiver::new(&keys);
    for ssrc in 0..100 {
        // A peer's sources have each their own counter.
        let (mut sender, packet) = (Sender::new(&keys), rtp(ssrc, 1, b"ab"));
        let sealed = seal(&mut sender, &packet);
        assert_eq!(open(&mut receiver, &sealed), Ok(packet), "{ssrc}");
        assert_eq!(open(&mut receiver, &sealed), Err(Refused::Replayed), "{ssrc}");
        let packet = report(ssrc, b"abcd");
        assert_eq!(open_rtcp(&mut receiver, &seal_rtcp(&mut sender, &packet)), Ok(packet), "{ssrc}");
    }
}

#[test]
fn reports_that_are_not_encrypted_or_were_there_are_refused() {
    for suite in Suite::ALL {
        let (keys, _) = keys(suite);
        let (mut sender, mut receiver) = (Sender::new(&keys), Receiver::new(&keys));
        let packet = report(7, &[1; 24]);
        let sealed = seal_rtcp(&mut sender, &packet);
        assert_eq!(open_rtcp(&mut receiver, &packet), Err(Refused::Forged), "{suite:?}");
        assert_eq!(open_rtcp(&mut receiver, &sealed), Ok(packet), "{suite:?}");
        assert_eq!(open_rtcp(&mut receiver, &sealed), Err(Refused::Replayed), "{suite:?}");
    }
}
