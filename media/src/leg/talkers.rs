//! All remote voices of the room, mixed without waiting for a tick.
//!
//! Samples come out as soon as every active talker has some: with one talker that is the moment its packet arrives, with more
//! it is when the last of them has delivered. One that stays behind is made up for at its deadline, and is left out once it is
//! quiet. So going from one talker to two and back is nothing special: nobody's samples are skipped or repeated.

use std::time::Instant;

use super::talker::{Counts, Talker, Whole};
use crate::{
    Error,
    codec::opus::LARGEST,
    frame::{Rate, earliest},
    mixer,
    rtp::Redundant,
};

/// Voices that can be decoded; the least recently heard makes room for another.
const TALKERS: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Talkers {
    rate: Rate,
    /// In use: the first `used`. The others are kept for those to come.
    talkers: Vec<Talker>,
    used: usize,
    /// Packets may be wanted as they are: none is decoded before it is known.
    whole: bool,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    Nobody,
    /// The talker of this number, alone.
    One(u32),
    Several,
}

impl Talkers {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, talkers: Vec::with_capacity(TALKERS), used: 0, whole: false }
    }

    /// Hears everybody at another rate from here on.
    pub(crate) fn set_rate(&mut self, rate: Rate) -> Result<(), Error> {
        if rate != self.rate {
            self.talkers.iter_mut().try_for_each(|talker| talker.set_rate(rate))?;
            self.rate = rate;
        }
        Ok(())
    }

    /// Whether packets may be wanted as they are.
    pub(crate) fn set_whole(&mut self, whole: bool) {
        self.whole = whole;
    }

    /// Of the samples that come out.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes in a packet of a talker, who may be new. Returns whether it is.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        said: &Redundant<'_>,
    ) -> Result<bool, Error> {
        let (index, new) = self.find(now, ssrc)?;
        let talker = &mut self.talkers[index];
        let says_something = talker.handle_packet(now, sequence, timestamp, said);
        if self.whole {
            if says_something {
                talker.look_at(now, timestamp, said.primary());
            }
        } else {
            talker.advance(now);
        }
        Ok(new)
    }

    /// Takes note of a talker whose packets are not to be decoded. Returns whether it is new.
    pub(crate) fn notice(&mut self, now: Instant, ssrc: u32) -> Result<bool, Error> {
        Ok(self.find(now, ssrc)?.1)
    }

    /// A talker has left.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        if let Some(index) = self.position(ssrc) {
            self.used -= 1;
            self.talkers.swap(index, self.used);
        }
    }

    /// Everybody has left.
    pub(crate) fn forget_everybody(&mut self) {
        self.used = 0;
    }

    /// How many samples every active talker has, at most a frame; `None` when one has none, or nobody is active. If the others have
    /// `waited` too long for somebody, he is made up for before his time.
    pub(crate) fn ready(&mut self, now: Instant, waited: bool) -> Option<usize> {
        let active = &mut self.talkers[..self.used];
        let mut ready = usize::MAX;
        for talker in active.iter_mut() {
            talker.advance(now);
            talker.make_up(now, waited);
            if talker.is_active() {
                ready = ready.min(talker.decoded().len());
            }
        }
        (ready != 0 && ready != usize::MAX).then(|| ready.min(self.rate.frame()))
    }

    /// Mixes so many samples of every active talker as there is room for: no more than are [ready](Self::ready).
    pub(crate) fn mix(&mut self, mixed: &mut [i16]) {
        let active = || self.talkers[..self.used].iter().filter(|talker| talker.is_active());
        mixer::mix(&active().map(Talker::decoded), mixed);
        for talker in self.talkers[..self.used].iter_mut().filter(|talker| talker.is_active()) {
            talker.consume(mixed.len());
        }
    }

    /// Who speaks now.
    pub(crate) fn floor(&self, now: Instant) -> Floor {
        let mut speaking = self.talkers[..self.used].iter().filter(|talker| talker.is_speaking(now));
        match (speaking.next(), speaking.next()) {
            (None, _) => Floor::Nobody,
            (Some(one), None) => Floor::One(one.ssrc()),
            (Some(_), Some(_)) => Floor::Several,
        }
    }

    /// Who is to be heard while nobody speaks: this talker unless he is silent and another is not.
    pub(crate) fn background(&self, now: Instant, ssrc: Option<u32>) -> Option<u32> {
        let sounding = || self.talkers[..self.used].iter().filter(|talker| talker.is_sounding(now)).map(Talker::ssrc);
        sounding().find(|sounding| Some(*sounding) == ssrc).or_else(|| sounding().next()).or(ssrc)
    }

    /// What was decoded of a talker and is not mixed yet.
    pub(crate) fn decoded(&self, ssrc: u32) -> &[i16] {
        self.position(ssrc).map_or(&[], |index| self.talkers[index].decoded())
    }

    /// The next packet of a talker, and its bit rate in the mean. It is not taken yet.
    pub(crate) fn front_whole(&self, now: Instant, ssrc: u32) -> Option<(&[u8], u32)> {
        let talker = &self.talkers[self.position(ssrc)?];
        Some((talker.front_whole(now)?, talker.bitrate()))
    }

    /// Takes the next packet of the talker who is heard as a whole. Packets of the others pass by.
    pub(crate) fn take_whole(&mut self, now: Instant, ssrc: Option<u32>, payload: &mut [u8; LARGEST]) -> Option<Whole> {
        let mut taken = None;
        for talker in &mut self.talkers[..self.used] {
            if Some(talker.ssrc()) == ssrc {
                taken = talker.take_whole(now, payload);
            } else {
                talker.pass_by(now);
            }
        }
        taken
    }

    /// Nobody is waited for until he is heard again.
    pub(crate) fn give_up(&mut self) {
        self.talkers[..self.used].iter_mut().for_each(Talker::give_up);
    }

    /// Everybody is decoded from here on, after packets that were not.
    pub(crate) fn begin_decoding(&mut self) {
        self.talkers[..self.used].iter_mut().for_each(Talker::begin_decoding);
    }

    /// Whether this talker is in the midst of something.
    pub(crate) fn is_active(&self, ssrc: u32) -> bool {
        self.position(ssrc).is_some_and(|index| self.talkers[index].is_active())
    }

    /// When a talker that stays behind is to be made up for.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.talkers[..self.used].iter().fold(None, |next, talker| earliest(next, talker.next_timeout()))
    }

    /// Whether anybody speaks.
    pub(crate) fn is_anybody_active(&self) -> bool {
        self.talkers[..self.used].iter().any(|talker| talker.is_active())
    }

    /// Whether somebody is there and says nothing, by his own account.
    pub(crate) fn is_anybody_resting(&self) -> bool {
        self.talkers[..self.used].iter().any(Talker::rests)
    }

    /// Sums over all talkers there were; of those beyond memory's limit, the counts go on in the same place.
    pub(crate) fn counts(&self) -> Counts {
        self.talkers.iter().fold(Counts::default(), |sum, talker| {
            let counts = talker.counts();
            Counts {
                received: sum.received + counts.received,
                late: sum.late + counts.late,
                concealed: sum.concealed + counts.concealed,
                recovered: sum.recovered + counts.recovered,
            }
        })
    }

    /// The place of a talker, and whether it is new.
    fn find(&mut self, now: Instant, ssrc: u32) -> Result<(usize, bool), Error> {
        match self.position(ssrc) {
            Some(index) => Ok((index, false)),
            None => Ok((self.admit(now, ssrc)?, true)),
        }
    }

    fn position(&self, ssrc: u32) -> Option<usize> {
        self.talkers[..self.used].iter().position(|talker| talker.ssrc() == ssrc)
    }

    /// Finds a place: one that was left, a new one, or that of the talker heard least recently.
    fn admit(&mut self, now: Instant, ssrc: u32) -> Result<usize, Error> {
        if self.used == self.talkers.len() && self.used < TALKERS {
            self.talkers.push(Talker::new(now, ssrc, self.rate)?);
            self.used += 1;
            return Ok(self.used - 1);
        }
        if self.used == TALKERS {
            let oldest = (0..TALKERS).min_by_key(|index| self.talkers[*index].heard()).unwrap_or(0);
            self.talkers[oldest].become_another(now, ssrc);
            return Ok(oldest);
        }
        self.talkers[self.used].become_another(now, ssrc);
        self.used += 1;
        Ok(self.used - 1)
    }
}
