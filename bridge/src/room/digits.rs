//! Keys pressed on the phone, on their way to the room.

use std::collections::VecDeque;

use bytes::Bytes;
use livekit_protocol as proto;
use prost::Message as _;

/// Digits that may wait for the data channel; nobody types more in the moment that it takes.
const MOST: usize = 64;

/// Digits wait here until the data channel is open. When full, the newest are dropped: half a number from its beginning
/// is at least recognisable as such.
#[derive(Debug, Default)]
pub(super) struct Digits {
    waiting: VecDeque<Bytes>,
    open: bool,
}

impl Digits {
    /// Queues a key; what is no key of a phone is passed over.
    pub(super) fn push(&mut self, digit: char) {
        if let Some(packet) = packet(digit) {
            self.queue(packet);
        }
    }

    /// Queues another packet behind them.
    pub(super) fn queue(&mut self, packet: Bytes) {
        if self.waiting.len() < MOST {
            self.waiting.push_back(packet);
        }
    }

    pub(super) fn set_open(&mut self, open: bool) {
        self.open = open;
    }

    /// The next packet that can go out.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if self.open { self.waiting.pop_front() } else { None }
    }
}

/// A `SipDTMF` packet, with the event code of [RFC 4733 §3.2](https://www.rfc-editor.org/rfc/rfc4733#section-3.2).
fn packet(digit: char) -> Option<Bytes> {
    let digit = digit.to_ascii_uppercase();
    let code = match digit {
        '0'..='9' => u32::from(digit) - u32::from('0'),
        '*' => 10,
        '#' => 11,
        'A'..='D' => 12 + u32::from(digit) - u32::from('A'),
        _ => return None,
    };
    let value = proto::data_packet::Value::SipDtmf(proto::SipDtmf { code, digit: digit.into() });
    Some(proto::DataPacket { value: Some(value), ..Default::default() }.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_codes_of_their_events() {
        let cases = [('0', Some((0, "0"))), ('9', Some((9, "9"))), ('*', Some((10, "*"))), ('#', Some((11, "#")))];
        let more = [('A', Some((12, "A"))), ('d', Some((15, "D"))), ('E', None), ('\u{661}', None), (' ', None)];
        for (digit, expected) in cases.into_iter().chain(more) {
            let found = packet(digit).map(|bytes| {
                let Some(proto::data_packet::Value::SipDtmf(dtmf)) = proto::DataPacket::decode(bytes).unwrap().value
                else {
                    panic!("no DTMF for {digit}");
                };
                (dtmf.code, dtmf.digit)
            });
            assert_eq!(found, expected.map(|(code, text)| (code, text.to_owned())), "{digit}");
        }
    }

    #[test]
    fn digits_wait_for_the_channel_and_not_without_bound() {
        let mut digits = Digits::default();
        for _ in 0..MOST {
            digits.push('1');
        }
        digits.push('2');
        assert_eq!(digits.pop(), None);
        digits.set_open(true);
        let out: Vec<_> = std::iter::from_fn(|| digits.pop()).collect();
        assert_eq!(out, vec![packet('1').unwrap(); MOST]);
    }
}
