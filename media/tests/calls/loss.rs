//! Packets that are lost in rows.

use media::{
    Event,
    codec::g711::Law,
    dtmf::{self, Press},
    rtp::{Header, Ssrc},
};

use crate::{
    gilbert::Gilbert,
    sound::speech,
    wire::{CLEAN, Call, Input, Left, carrier_packets, ms, terms},
};

const KEYS: &str = "0123456789*#ABCD";

/// One of our junctions presses, another hears, and between them is a wire that loses a tenth, audio and all.
#[test]
fn each_key_arrives_once() {
    let pressed = KEYS.repeat(8);
    let presses: Vec<Press> = pressed.chars().filter_map(dtmf::Event::from_digit).map(Press::Key).collect();
    for (row, seed) in [(None, 1), (None, 2), (Some(2.0), 3), (Some(3.0), 4)] {
        let mut sender = Call::heard(&terms("0", ""));
        sender.junction.press(sender.now, &presses).unwrap();
        sender.run(ms(70_000));
        let mut wire = Gilbert::new(0.10, row, seed);
        let mut receiver = Call::new(&terms("0", ""));
        for (time, left) in &sender.left {
            let Left::Rtp { sequence, timestamp, payload, marker, payload_type } = left else { continue };
            if !wire.loses() {
                let (marker, payload_type) = (*marker, *payload_type);
                let header = Header { marker, payload_type, sequence: *sequence, timestamp: *timestamp, ssrc: Ssrc(7) };
                let mut datagram = vec![0; Header::LEN];
                header.write(&mut datagram).expect("room for a header");
                datagram.extend_from_slice(payload);
                receiver.at(*time, Input::Rtp(datagram));
            }
        }
        receiver.run(ms(71_000));
        let heard = receiver.events().into_iter().filter_map(|event| match event {
            Event::Digit(event) => event.digit(),
            _ => None,
        });
        assert_eq!(heard.collect::<String>(), pressed, "rows of {row:?}, seed {seed}");
    }
}

#[test]
fn what_comes_out_is_as_long_as_what_went_in() {
    let said = speech();
    for (share, row, seed) in
        [(0.03, None, 1), (0.05, None, 2), (0.10, None, 3), (0.05, Some(3.0), 4), (0.10, Some(3.0), 5)]
    {
        let mut wire = Gilbert::new(share, row, seed);
        let packets = carrier_packets(&said, Law::Mu, 0, 20);
        // The last one tells where the end is.
        let last = packets.len() - 1;
        let kept: Vec<_> = packets
            .into_iter()
            .enumerate()
            .filter(|(n, _)| !wire.loses() || *n == 0 || *n == last)
            .map(|(_, p)| p)
            .collect();
        let mut call = Call::new(&terms("0", ""));
        call.send(CLEAN, kept);
        call.run(ms(12_500));
        assert_eq!(call.heard_by_room().len(), said.len() / 160 * 160, "{share} in rows of {row:?}");
    }
}
