//! Keys pressed for the other side (RFC 4733 §2.5.1), asked once for each packet of audio that is due.
//!
//! ```text
//! Idle ──press──► Down: marker first, the duration grows ──► Ending: the end three times ──► Gap ──► Idle or the next
//! ```

use std::time::Duration;

use super::{Event, Payload};

/// Keys and pauses waiting; a number with its extension and all that is typed behind it is shorter.
const QUEUE: usize = 256;
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often the last packet is sent (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// Below 0 dBm0, a usual level.
const VOLUME: u8 = 10;

/// Presses keys one after another.
#[derive(Clone, Debug)]
pub struct Sender {
    clock_rate: u32,
    state: State,
    queue: [Option<Step>; QUEUE],
}

/// What is to be done with the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// Presses this key, for as long as its sender thinks right.
    Key(Event),
    /// Waits, a minute at most.
    Pause(Duration),
}

/// A packet to send in place of the audio that is due: with the stream's next sequence number, and this timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Set on the first packet of an event.
    pub marker: bool,
    /// When the key went down; the same for all packets of an event.
    pub timestamp: u32,
    /// What to carry.
    pub payload: [u8; Payload::LEN],
}

/// Why keys are not pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There are too many keys waiting already.
    #[error("too many digits are waiting to be sent")]
    Full,
    /// No telephone events were agreed upon.
    #[error("the other side takes no telephone events")]
    NoEvents,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Key(Key),
    Pause(u32),
}

#[derive(Clone, Copy, Debug)]
struct Key {
    event: Event,
    length: u32,
    gap: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Down { key: Key, timestamp: u32, first: bool },
    Ending { key: Key, timestamp: u32, left: u8 },
    Gap { until: u32 },
    Pause { until: u32 },
}

impl Sender {
    /// `clock_rate` is that of the telephone-event format, which is that of the audio.
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, state: State::Idle, queue: [None; QUEUE] }
    }

    /// Presses a key for `length`, once those before it are done, and leaves it alone for `gap`. No key is longer than
    /// the duration field has room for (eight seconds), nor is a gap.
    pub fn press(&mut self, event: Event, length: Duration, gap: Duration) -> Result<(), Refused> {
        self.press_all(&[Press::Key(event)], length, gap)
    }

    /// Presses keys and waits between them, all as [`Self::press`] does, or none if there is no room for all.
    pub fn press_all(&mut self, presses: &[Press], length: Duration, gap: Duration) -> Result<(), Refused> {
        let (length, gap) = (self.field(length), self.field(gap));
        let waiting = self.queue.iter().take_while(|slot| slot.is_some()).count();
        let free = self.queue.get_mut(waiting..waiting + presses.len()).ok_or(Refused::Full)?;
        for (slot, press) in free.iter_mut().zip(presses) {
            *slot = Some(match *press {
                Press::Key(event) => Step::Key(Key { event, length, gap }),
                Press::Pause(pause) => Step::Pause(units(self.clock_rate, pause.min(LONGEST_PAUSE))),
            });
        }
        Ok(())
    }

    /// Lets go of the key that is down and of all that wait.
    pub fn clear(&mut self) {
        *self = Self::new(self.clock_rate);
    }

    /// Asked when audio of `timestamp` is due: what to send instead of it, if a key is down. `samples` is how long the
    /// packet is that is due.
    pub fn tick(&mut self, timestamp: u32, samples: u32) -> Option<Outgoing> {
        if let State::Gap { until } | State::Pause { until } = self.state
            && timestamp.wrapping_sub(until).cast_signed() >= 0
        {
            self.state = State::Idle;
        }
        if let State::Idle = self.state {
            self.state = match self.take()? {
                Step::Key(key) => State::Down { key, timestamp, first: true },
                Step::Pause(pause) => State::Pause { until: timestamp.wrapping_add(pause) },
            };
        }
        match self.state {
            State::Down { key, timestamp: pressed, first } => {
                let lasted = timestamp.wrapping_sub(pressed).saturating_add(samples);
                let end = lasted >= key.length;
                self.state = match end {
                    true => State::Ending { key, timestamp: pressed, left: ENDS - 1 },
                    false => State::Down { key, timestamp: pressed, first: false },
                };
                Some(outgoing(key, pressed, lasted.min(key.length), first, end))
            }
            State::Ending { key, timestamp: pressed, left } => {
                self.state = match left {
                    0 | 1 => State::Gap { until: pressed.wrapping_add(key.length).wrapping_add(key.gap) },
                    _ => State::Ending { key, timestamp: pressed, left: left - 1 },
                };
                Some(outgoing(key, pressed, key.length, false, true))
            }
            // Nothing is pressed: the audio goes out.
            State::Idle | State::Gap { .. } | State::Pause { .. } => None,
        }
    }

    /// Whether every key was pressed and let go.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle | State::Gap { .. }) && self.queue[0].is_none()
    }

    /// Whether the gap behind the last key is over as well, so that nothing is left to be done.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Idle) && self.queue[0].is_none()
    }

    fn take(&mut self) -> Option<Step> {
        let step = self.queue[0].take()?;
        self.queue.rotate_left(1);
        Some(step)
    }

    /// What the duration field can say.
    fn field(&self, duration: Duration) -> u32 {
        units(self.clock_rate, duration).clamp(1, u16::MAX.into())
    }
}

fn units(clock_rate: u32, duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos() * u128::from(clock_rate) / 1_000_000_000).unwrap_or(u32::MAX)
}

fn outgoing(key: Key, timestamp: u32, duration: u32, marker: bool, end: bool) -> Outgoing {
    let payload = Payload { event: key.event, end, volume: VOLUME, duration: duration as u16 };
    Outgoing { marker, timestamp, payload: payload.to_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty milliseconds at 8 kHz.
    const FRAME: u32 = 160;

    fn run(sender: &mut Sender, start: u32, ticks: u32) -> Vec<Option<Outgoing>> {
        (0..ticks).map(|tick| sender.tick(start.wrapping_add(tick * FRAME), FRAME)).collect()
    }

    fn packet(outgoing: &Option<Outgoing>) -> (bool, u32, Payload) {
        let outgoing = outgoing.expect("a key is down");
        (outgoing.marker, outgoing.timestamp, Payload::parse(&outgoing.payload).unwrap())
    }

    #[test]
    fn a_key_begins_grows_and_ends_three_times() {
        for start in [0, 1_000, u32::MAX - 100] {
            let mut sender = Sender::new(8_000);
            sender.press(Event(5), Duration::from_millis(70), Duration::from_millis(100)).unwrap();
            let sent = run(&mut sender, start, 12);
            let packets: Vec<_> = sent.iter().take_while(|outgoing| outgoing.is_some()).map(packet).collect();
            let told: Vec<_> =
                packets.iter().map(|(marker, _, payload)| (*marker, payload.duration, payload.end)).collect();
            let ends = [(false, 560, true); 3];
            let expected = [&[(true, 160, false), (false, 320, false), (false, 480, false)][..], &ends].concat();
            assert_eq!(told, expected, "from {start}");
            assert!(packets.iter().all(|(_, at, payload)| *at == start && payload.event == Event(5)));
            assert!(sent[6..].iter().all(Option::is_none));
            assert!(sender.is_idle());
        }
    }

    #[test]
    fn keys_follow_one_another_after_the_gap() {
        let mut sender = Sender::new(8_000);
        for event in [1, 1] {
            sender.press(Event(event), Duration::from_millis(40), Duration::from_millis(200)).unwrap();
        }
        let sent = run(&mut sender, 0, 24);
        let begins: Vec<_> = sent
            .iter()
            .enumerate()
            .filter(|(_, out)| out.is_some_and(|out| out.marker))
            .map(|(tick, _)| tick)
            .collect();
        assert_eq!(begins, [0, 12], "40 ms and 200 ms are twelve frames");
        assert!(sender.is_idle());
    }

    #[test]
    fn more_than_can_wait_is_refused() {
        let mut sender = Sender::new(8_000);
        let mut press = || sender.press(Event(0), Duration::from_millis(40), Duration::ZERO);
        assert!((0..QUEUE).all(|_| press().is_ok()));
        assert_eq!(press(), Err(Refused::Full));
        let mut sender = Sender::new(8_000);
        let press = [Press::Key(Event(0)); QUEUE + 1];
        assert_eq!(sender.press_all(&press, Duration::ZERO, Duration::ZERO), Err(Refused::Full));
        assert!(sender.is_over(), "all or none");
    }

    #[test]
    fn pauses_lie_between_keys_and_behind_them() {
        let ms = Duration::from_millis;
        let mut sender = Sender::new(8_000);
        let keys = [Press::Pause(ms(500)), Press::Key(Event(1)), Press::Pause(ms(200)), Press::Pause(ms(100))];
        sender.press_all(&keys, ms(100), ms(100)).unwrap();
        let mut over = None;
        let mut begins = None;
        for tick in 0..100u32 {
            let sent = sender.tick(tick.wrapping_mul(FRAME).wrapping_sub(1_000), FRAME);
            if sent.is_some_and(|sent| sent.marker) {
                begins = Some(tick);
            }
            if sender.is_over() {
                over.get_or_insert(tick);
            }
        }
        assert_eq!((begins, over), (Some(25), Some(25 + 25)), "500 ms before it, 500 ms with what follows");
    }

    #[test]
    fn no_key_is_longer_than_its_field() {
        let mut sender = Sender::new(48_000);
        sender.press(Event(0), Duration::MAX, Duration::MAX).unwrap();
        let sent: Vec<_> = (0..200).filter_map(|tick| sender.tick(tick * 960, 960)).collect();
        let last = Payload::parse(&sent[sent.len() - 1].payload).unwrap();
        assert_eq!((last.duration, last.end), (u16::MAX, true));
    }
}
