//! Encrypted datagrams from strangers: none is opened without the key, none is opened twice, and whatever is sealed is
//! opened as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::srtp::{OVERHEAD, Receiver, Secret, Sender, Suite};

const LONGEST: usize = 4_096;

fuzz_target!(|input: (u8, Vec<&[u8]>)| {
    let (suite, datagrams) = input;
    let suite = Suite::ALL[usize::from(suite) % Suite::ALL.len()];
    let keys = Secret::new([7; 32]).keys(suite, 0);
    let (mut sender, mut receiver) = (Sender::new(&keys), Receiver::new(&keys));
    let mut into = [0; LONGEST];
    for datagram in datagrams.into_iter().filter(|datagram| datagram.len() + OVERHEAD <= LONGEST) {
        assert!(receiver.open_rtp(datagram, &mut into).is_err());
        assert!(receiver.open_rtcp(datagram, &mut into).is_err());
        let mut buffer = datagram.to_vec();
        buffer.resize(datagram.len() + OVERHEAD, 0);
        if let Some(length) = sender.seal_rtp(&mut buffer, datagram.len()) {
            if let Ok(opened) = receiver.open_rtp(&buffer[..length], &mut into) {
                assert_eq!(&into[..opened], datagram);
                assert!(receiver.open_rtp(&buffer[..length], &mut into).is_err());
            }
        }
        let mut buffer = datagram.to_vec();
        buffer.resize(datagram.len() + OVERHEAD, 0);
        if let Some(length) = sender.seal_rtcp(&mut buffer, datagram.len()) {
            let opened = receiver.open_rtcp(&buffer[..length], &mut into).expect("each report has an index of its own");
            assert_eq!(&into[..opened], datagram);
        }
    }
});
