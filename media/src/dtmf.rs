//! Digits: as telephone events ([RFC 4733 §2]), and as pairs of tones in the audio ([ITU-T Q.23]).
//!
//! One key held down is a row of packets with one timestamp, the time it was pressed; the last packet is sent three
//! times. [`Receiver`] makes one digit of them, whatever is lost, repeated or overtaken; [`Sender`] makes them.
//! `Detector` hears the tones of peers that send no events, `Keypad` makes them, and `Beep` those of a key for the room.
//!
//! [RFC 4733 §2]: https://www.rfc-editor.org/rfc/rfc4733#section-2
//! [ITU-T Q.23]: https://www.itu.int/rec/T-REC-Q.23

mod beep;
mod event;
mod goertzel;
mod inband;
mod keypad;
mod receiver;
mod sender;

pub(crate) use beep::Beep;
pub use event::{Event, Payload};
pub(crate) use inband::Detector;
pub(crate) use keypad::Keypad;
pub use receiver::{Output, Receiver};
pub use sender::{Outgoing, Press, Refused, Sender};

/// When tones in the audio are taken for keys. Events always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tones {
    /// Never.
    #[default]
    Ignored,
    /// As long as no telephone events are agreed upon.
    WithoutEvents,
    /// Always.
    Heard,
}
