//! What an event is, and the four bytes of its payload (RFC 4733 §2.3).

/// The keys, in the order of their codes (RFC 4733 §3.2).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// The same as they lie on a keypad, by row and column.
const KEYPAD: [[u8; 4]; 4] = [*b"123A", *b"456B", *b"789C", *b"*0#D"];
const END: u8 = 0x80;
const VOLUME: u8 = 0x3f;

/// An event by its code. The keys are 0 to 15; others, such as 16 for a flash of the hook, have no digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event(pub u8);

impl Event {
    /// The event of a key, `0-9 * # A-D`, in either case.
    pub fn from_digit(digit: char) -> Option<Self> {
        let key = u8::try_from(digit).ok()?.to_ascii_uppercase();
        KEYS.iter().position(|known| *known == key).map(|code| Self(code as u8))
    }

    /// The key, if the event is one.
    pub fn digit(self) -> Option<char> {
        KEYS.get(usize::from(self.0)).map(|key| char::from(*key))
    }

    /// The event of the key that lies there, four rows of four columns.
    pub(super) fn at(row: usize, column: usize) -> Option<Self> {
        Self::from_digit(char::from(*KEYPAD.get(row)?.get(column)?))
    }

    /// The row and the column of the key, if the event is one.
    pub(super) fn place(self) -> Option<(usize, usize)> {
        let key = KEYS.get(usize::from(self.0))?;
        let row = KEYPAD.iter().position(|row| row.contains(key))?;
        Some((row, KEYPAD[row].iter().position(|other| other == key)?))
    }
}

/// The payload of a telephone event packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What happens.
    pub event: Event,
    /// Whether it is over.
    pub end: bool,
    /// Its level below 0 dBm0, six bits.
    pub volume: u8,
    /// How long it has lasted, in units of the media clock.
    pub duration: u16,
}

impl Payload {
    /// Bytes on the wire.
    pub const LEN: usize = 4;

    /// Reads a payload. Further events in the same packet (RFC 4733 §2.5.1.5) are passed over: nobody sends them.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let ([event, flags, high, low], _) = payload.split_first_chunk::<{ Self::LEN }>()?;
        Some(Self {
            event: Event(*event),
            end: flags & END != 0,
            volume: flags & VOLUME,
            duration: u16::from_be_bytes([*high, *low]),
        })
    }

    /// The bytes to send.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event.0, if self.end { END } else { 0 } | (self.volume & VOLUME), high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_codes() {
        let cases: &[(char, Option<u8>)] = &[
            ('0', Some(0)),
            ('9', Some(9)),
            ('*', Some(10)),
            ('#', Some(11)),
            ('A', Some(12)),
            ('d', Some(15)),
            ('E', None),
            ('w', None),
            ('٣', None),
            ('\0', None),
        ];
        for (digit, code) in cases {
            assert_eq!(Event::from_digit(*digit).map(|event| event.0), *code, "{digit}");
            if let Some(code) = code {
                assert_eq!(Event(*code).digit(), Some(digit.to_ascii_uppercase()));
            }
        }
        assert_eq!(Event(16).digit(), None);
    }

    #[test]
    fn payload_is_four_bytes() {
        let payload = Payload { event: Event(11), end: true, volume: 10, duration: 0x0640 };
        assert_eq!(payload.to_bytes(), [11, 0x8a, 0x06, 0x40]);
        let cases: &[(&str, &[u8], Option<Payload>)] = &[
            ("whole", &[11, 0x8a, 0x06, 0x40], Some(payload)),
            ("the reserved bit is ignored", &[11, 0xca, 0x06, 0x40], Some(payload)),
            ("more than one", &[11, 0x8a, 0x06, 0x40, 1, 1, 1, 1], Some(payload)),
            ("short", &[11, 0x8a, 0x06], None),
            ("empty", &[], None),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(Payload::parse(bytes), *expected, "{name}");
        }
    }
}
