//! One call's media: a carrier's RTP on one side, a room's Opus on the other.
//!
//! ```text
//!          handle_rtp                    uplink                       poll_output: Room
//! carrier ────────────► source, reorder ──► G.711, G.722, PLC, Opus ─────────────────────► room
//!         ◄──────────── pace, G.711/722 ◄────── mix, Opus FEC/PLC ◄──────────────────────
//!          poll_output: Rtp             downlink                      handle_room
//! ```
//!
//! A carrier that speaks Opus itself is passed on unopened, and so is the one talker of the room that it can take.
//!
//! Packets push: what arrives in order leaves at once, both ways. A tick that pulled would delay everything by half a frame,
//! and there is nothing it would be needed for: media time, not the tick, keeps the streams regular. Inputs are only put into
//! their place; the work is done by [`Junction::poll_output`], one packet a call, so there is no queue of outputs either. Drain
//! it after every input, and after [`Junction::handle_timeout`] at [`Junction::next_timeout`].

mod downlink;
mod ear;
mod floor;
mod last_word;
mod patience;
mod uplink;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use self::{
    downlink::Downlink,
    last_word::LastWord,
    uplink::{Told, Uplink},
};
use crate::{
    Error,
    codec::opus::{LARGEST, Profile},
    dtmf,
    frame::{LONGEST, earliest},
    leg::{
        CarrierConfig, CarrierReport,
        carrier::{Carrier, Happening},
    },
    random::Random,
    rtp::{Header, Redundant},
    sdp::Negotiated,
    sound::Sound,
    srtp::OVERHEAD,
};

/// The largest datagram there is.
const DATAGRAM: usize = Header::LEN + LONGEST + OVERHEAD;

/// How a junction is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The carrier's side.
    pub carrier: CarrierConfig,
    /// How to encode toward the room.
    pub profile: Profile,
}

/// What a junction, a [`Phone`](crate::Phone) or a [`Guest`](crate::Guest) gives back. It lends from a buffer that the next call reuses.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// To be sent from the RTP socket.
    Rtp {
        /// Where.
        to: SocketAddr,
        /// What.
        datagram: &'a [u8],
    },
    /// To be sent from the RTCP socket, which is the RTP socket with `rtcp-mux`.
    Rtcp {
        /// Where.
        to: SocketAddr,
        /// What.
        datagram: &'a [u8],
    },
    /// To be published: a packet of Opus, of twenty milliseconds if it is of our own encoder. The peer connection numbers them.
    Room {
        /// What.
        payload: &'a [u8],
        /// When, at 48 kHz.
        timestamp: u32,
        /// The first after a pause.
        marker: bool,
        /// How loud, in -dBov; 127 is silence.
        level: u8,
        /// So many packets before it were lost on their way here: as many numbers are left out, so that whoever hears it knows.
        lost: u16,
    },
    /// Something happened.
    Event(Event),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The carrier was heard for the first time.
    FirstRtp,
    /// A participant of the room was heard for the first time.
    FirstRoom {
        /// Whose stream.
        ssrc: u32,
    },
    /// A key was pressed, as an event; each is told once.
    Digit(dtmf::Event),
    /// A key was heard in the audio; each is told once. It may be one that is told as an event as well.
    Tone(dtmf::Event),
    /// The carrier has been silent for too long; told once.
    MediaTimeout,
    /// All keys were pressed for the carrier, or it takes none any more.
    Pressed,
    /// A recording was played to its end.
    Played,
    /// What the room said last has been heard by the carrier.
    PlayedOut,
}

/// What there is to tell of a junction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The carrier's side.
    pub carrier: CarrierReport,
    /// Ticks of 8 kHz of the carrier that were made up.
    pub carrier_concealed: u64,
    /// Frames encoded toward the room.
    pub room_sent: u64,
    /// Frames left out because nobody spoke.
    pub room_left_out: u64,
    /// Packets of the room.
    pub room_received: u64,
    /// Packets of the room that came too late.
    pub room_late: u64,
    /// Ticks of 8 kHz of the room that were made up.
    pub room_concealed: u64,
    /// Ticks of 8 kHz of the room that were lost and decoded from redundancy.
    pub room_recovered: u64,
    /// Ticks of 8 kHz of the room left out because they came faster than time.
    pub room_dropped: u64,
    /// How loud the carrier is, in -dBov.
    pub carrier_level: u8,
    /// How loud the room is, in -dBov.
    pub room_level: u8,
}

/// See the module.
#[derive(Debug)]
pub struct Junction {
    now: Instant,
    carrier: Carrier,
    uplink: Uplink,
    downlink: Downlink,
    first_room: Option<u32>,
    last_word: LastWord,
    /// What an output lends, a packet of either side: one buffer, for the next call takes it back.
    buffer: [u8; DATAGRAM],
}

impl Junction {
    /// A junction that knows neither side yet.
    pub fn new(now: Instant, config: &Config) -> Result<Self, Error> {
        let origin = Random::new(config.carrier.seed.rotate_left(32)).next() as u32;
        Ok(Self {
            now,
            carrier: Carrier::new(now, &config.carrier),
            uplink: Uplink::new(config.profile, origin)?,
            downlink: Downlink::new(),
            first_room: None,
            last_word: LastWord::default(),
            buffer: [0; DATAGRAM],
        })
    }

    /// Takes what was negotiated with the carrier: at the answer and at each later one (hold, media moved, another codec).
    pub fn set_carrier(&mut self, now: Instant, negotiated: &Negotiated) -> Result<(), Error> {
        self.now = now;
        self.carrier.set(now, negotiated)?;
        self.uplink.set_carrier(&self.carrier)?;
        self.downlink.set_carrier(&self.carrier)
    }

    /// The call is answered and acknowledged. Before this nothing is sent to the carrier, but for early media.
    pub fn start(&mut self, now: Instant) {
        self.now = now;
        self.carrier.start(now);
    }

    /// The carrier hears the room before the answer ([RFC 3960 §3.1]); nothing is expected of it until then.
    ///
    /// [RFC 3960 §3.1]: https://www.rfc-editor.org/rfc/rfc3960#section-3.1
    pub fn start_early(&mut self, now: Instant) {
        self.now = now;
        self.carrier.start_early(now);
    }

    /// Whether the room takes our audio: closed, nothing is encoded and the clock runs on.
    pub fn set_room_open(&mut self, open: bool) {
        self.uplink.set_open(open);
    }

    /// Changes how to encode toward the room, as load and loss suggest.
    pub fn set_profile(&mut self, profile: Profile) -> Result<(), Error> {
        self.uplink.voice_mut().set(profile)
    }

    /// A datagram came to the RTP socket.
    pub fn handle_rtp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = now;
        self.carrier.handle_rtp(now, from, datagram);
    }

    /// A datagram came to the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = now;
        self.carrier.handle_rtcp(now, from, datagram);
    }

    /// An Opus packet of a remote track came.
    pub fn handle_room(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.hear(now, ssrc, sequence, timestamp, &Redundant::plain(payload));
    }

    /// The same of one that repeats those before it ([RFC 2198]): it stands for those of them that are missing.
    ///
    /// [RFC 2198]: https://www.rfc-editor.org/rfc/rfc2198
    pub fn handle_room_red(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        // What is cut short says nothing.
        if let Some(said) = Redundant::parse(payload) {
            self.hear(now, ssrc, sequence, timestamp, &said);
        }
    }

    /// A remote track has ended.
    pub fn forget(&mut self, ssrc: u32) {
        self.downlink.talkers_mut().forget(ssrc);
    }

    /// All remote tracks have ended: the call stands in another room.
    pub fn forget_everybody(&mut self) {
        self.downlink.talkers_mut().forget_everybody();
    }

    /// Plays the ring-back tone into the room in place of the carrier's audio, or no longer.
    pub fn set_dialtone(&mut self, now: Instant, on: bool) {
        self.now = now;
        self.uplink.set_tone(now, on, &self.carrier);
    }

    /// Plays the ring-back tone to the carrier in place of the room's audio, or no longer.
    pub fn set_ringback(&mut self, now: Instant, on: bool) {
        self.now = now;
        self.downlink.set_tone(on);
    }

    /// Plays a recording to the carrier in place of the room's audio, in place of one before it, or no longer.
    /// [`Event::Played`] tells when it was played to its end.
    pub fn play(&mut self, now: Instant, sound: Option<Sound>) {
        self.now = now;
        self.downlink.set_sound(sound);
    }

    /// When tones in the carrier's audio are taken for keys; not at all, if this is not said. What is known of them to be a
    /// key is muted: all but their first 40 ms or so.
    pub fn set_tones(&mut self, now: Instant, tones: dtmf::Tones) -> Result<(), Error> {
        self.now = now;
        self.carrier.set_tones(tones);
        self.uplink.set_carrier(&self.carrier)
    }

    /// Whether the room hears keys of the carrier as tones as well, as long as they are held, ten seconds at most; not, if this is
    /// not said. Those that are tones in the audio are not muted then.
    pub fn set_audible_keys(&mut self, now: Instant, on: bool) {
        self.now = now;
        self.uplink.set_audible_keys(on);
    }

    /// The carrier has told of a key elsewhere than in its packets, and for how long it was held: the room hears it where it hears
    /// keys.
    pub fn hear_key(&mut self, now: Instant, event: dtmf::Event, held: Duration) {
        self.now = now;
        self.uplink.press(event, Told::Elsewhere(held), &self.carrier);
    }

    /// The call is to end: [`Event::PlayedOut`] tells when the carrier has heard what the room said last. Everything goes on
    /// until then, and after it.
    pub fn play_out(&mut self, now: Instant) {
        self.now = now;
        self.last_word.ask();
    }

    /// Presses keys for the carrier, after those before them; [`Event::Pressed`] tells when all are out.
    pub fn press(&mut self, now: Instant, keys: &[dtmf::Press]) -> Result<(), dtmf::Refused> {
        self.now = now;
        self.carrier.press(keys)
    }

    /// The same as tones in place of the room's audio.
    pub fn press_tones(&mut self, now: Instant, keys: &[dtmf::Press]) -> Result<(), dtmf::Refused> {
        self.now = now;
        self.carrier.press_tones(keys)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.carrier.handle_timeout(now);
    }

    /// When to call [`Self::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        let legs = earliest(self.carrier.next_timeout(), self.downlink.next_timeout(&self.carrier));
        let last_word = self.last_word.next_timeout(self.downlink.last_sound());
        earliest(earliest(legs, last_word), self.uplink.next_timeout())
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output<'_>> {
        let now = self.now;
        if let Some(event) = self.poll_event() {
            return Some(Output::Event(event));
        }
        if let Some(spoken) = self.uplink.poll(now, &mut self.carrier, &mut self.buffer[..LARGEST]) {
            return Some(Output::Room {
                payload: &self.buffer[..spoken.length],
                timestamp: spoken.timestamp,
                marker: spoken.marker,
                level: spoken.level,
                lost: spoken.lost,
            });
        }
        if let Some(event) = self.uplink.poll_tone() {
            return Some(Output::Event(Event::Tone(event)));
        }
        loop {
            if let Some((to, length)) = self.carrier.poll_rtp(now, &mut self.buffer[..]) {
                return Some(Output::Rtp { to, datagram: &self.buffer[..length] });
            }
            if !self.downlink.advance(now, &mut self.carrier) {
                break;
            }
        }
        let (to, length) = self.carrier.poll_rtcp(now, &mut self.buffer[..])?;
        Some(Output::Rtcp { to, datagram: &self.buffer[..length] })
    }

    /// How the call is doing.
    pub fn report(&self) -> Report {
        let room = self.downlink.talkers().counts();
        let voice = self.uplink.voice();
        Report {
            carrier: self.carrier.report(),
            carrier_concealed: self.uplink.concealed(),
            room_sent: voice.frames(),
            room_left_out: voice.left_out(),
            room_received: room.received,
            room_late: room.late,
            room_concealed: room.concealed,
            room_recovered: room.recovered,
            room_dropped: self.downlink.dropped(),
            carrier_level: voice.level(),
            room_level: self.downlink.level(),
        }
    }

    fn hear(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, said: &Redundant<'_>) {
        self.now = now;
        let talkers = self.downlink.talkers_mut();
        let heard = if self.carrier.is_sending() {
            talkers.handle_packet(now, ssrc, sequence, timestamp, said)
        } else {
            // Nobody is to hear it yet, but that somebody speaks may be what the answer waits for.
            talkers.notice(now, ssrc)
        };
        // Without memory for a decoder this talker stays unheard, and the call goes on.
        if heard.unwrap_or(false) {
            self.first_room = Some(ssrc);
        }
    }

    fn poll_event(&mut self) -> Option<Event> {
        if let Some(ssrc) = self.first_room.take() {
            return Some(Event::FirstRoom { ssrc });
        }
        if self.downlink.poll_played() {
            return Some(Event::Played);
        }
        if self.last_word.poll(self.now, self.downlink.last_sound()) {
            return Some(Event::PlayedOut);
        }
        while let Some(happening) = self.carrier.poll_happening() {
            match happening {
                Happening::Pressed(event) => self.uplink.press(event, Told::AsEvent, &self.carrier),
                Happening::Released(event, after) => self.uplink.release(event, after),
                Happening::FirstRtp | Happening::Timeout | Happening::KeysOut => {}
            }
            if let Some(event) = Event::of(happening) {
                return Some(event);
            }
        }
        None
    }
}

impl Event {
    /// What is told of it, if anything is.
    pub(crate) fn of(happening: Happening) -> Option<Self> {
        Some(match happening {
            Happening::FirstRtp => Self::FirstRtp,
            Happening::Pressed(event) => Self::Digit(event),
            Happening::Released(..) => return None,
            Happening::Timeout => Self::MediaTimeout,
            Happening::KeysOut => Self::Pressed,
        })
    }
}
