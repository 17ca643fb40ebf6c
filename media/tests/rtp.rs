//! Our view of RTP against another implementation, on whole, cut and random packets.

use media::rtp::{Header, Packet, Ssrc};
use proptest::collection::vec;
use proptest::prelude::*;
use webrtc_util::marshal::{Marshal, Unmarshal};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn another_implementation_reads_the_same(
        marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
        csrc in vec(any::<u32>(), 0..=15), extension in proptest::option::of(vec(any::<u8>(), 0..5)),
        payload in vec(any::<u8>(), 0..200), cut in 0usize..64,
    ) {
        let mut header = rtp::header::Header {
            version: 2, marker, payload_type, sequence_number: sequence, timestamp, ssrc, csrc: csrc.clone(),
            ..Default::default()
        };
        if let Some(words) = &extension {
            // A profile of no known structure, so that its data is one piece.
            header.extension = true;
            header.extension_profile = 0x1234;
            let data: Vec<u8> = words.iter().flat_map(|byte| [*byte; 4]).collect();
            header.extensions = vec![rtp::header::Extension { id: 0, payload: data.into() }];
        }
        let theirs = rtp::packet::Packet { header, payload: payload.clone().into() };
        let datagram = theirs.marshal().expect("a packet of reasonable size is written");

        let ours = Packet::parse(&datagram).expect("what they write is RTP");
        prop_assert_eq!(ours.payload(), &payload[..]);
        prop_assert_eq!((ours.marker(), ours.payload_type()), (marker, payload_type));
        prop_assert_eq!((ours.sequence(), ours.timestamp(), ours.ssrc()), (sequence, timestamp, Ssrc(ssrc)));
        prop_assert_eq!(ours.contributors().map(|ssrc| ssrc.0).collect::<Vec<_>>(), csrc);
        prop_assert_eq!(ours.extension().is_some(), extension.is_some());

        let cut = &datagram[..cut.min(datagram.len())];
        prop_assert_eq!(Packet::parse(cut).is_some(), rtp::packet::Packet::unmarshal(&mut &cut[..]).is_ok());
    }

    #[test]
    fn what_we_write_another_implementation_reads(
        marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32, payload in vec(any::<u8>(), 0..200),
    ) {
        let mut datagram = vec![0; Header::LEN + payload.len()];
        let header = Header { marker, payload_type, sequence, timestamp, ssrc: Ssrc(ssrc) };
        header.write(&mut datagram).expect("it fits").copy_from_slice(&payload);
        let theirs = rtp::packet::Packet::unmarshal(&mut &datagram[..]).expect("what we write is RTP");
        prop_assert_eq!((theirs.header.marker, theirs.header.payload_type), (marker, payload_type));
        prop_assert_eq!((theirs.header.sequence_number, theirs.header.timestamp, theirs.header.ssrc), (sequence, timestamp, ssrc));
        prop_assert_eq!(&theirs.payload[..], &payload[..]);
    }

    #[test]
    fn no_bytes_make_it_panic(datagram in vec(any::<u8>(), 0..100), first in prop_oneof![Just(0xbfu8), any::<u8>()]) {
        let mut datagram = datagram;
        if let Some(byte) = datagram.first_mut() {
            *byte = first;
        }
        if let Some(packet) = Packet::parse(&datagram) {
            prop_assert!(packet.payload().len() + Header::LEN <= datagram.len());
            prop_assert!(packet.contributors().count() <= 15);
        }
    }
}
