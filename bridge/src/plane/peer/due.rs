//! Which questions to the engine may have a new answer.
//!
//! Each question walks all layers of the engine and costs as much as a packet. Nearly everything that passes is audio of
//! a stream that is known, in or out, and that leads to one packet at the other end and to nothing else. So the engine
//! is asked for events, data, reports and its next timeout only after something else happened to it.

use std::time::Instant;

#[derive(Debug)]
pub(super) struct Due {
    /// There may be events, or messages that are not read out of a packet at once.
    news: bool,
    /// There may be anything to send.
    writes: bool,
    /// Audio packets of ours that are still to be taken out; each goes in as one and comes out as one.
    audio: usize,
    /// Our first packet starts the clock of the engine's reports.
    spoken: bool,
    /// The last answer.
    timeout: Option<Option<Instant>>,
}

impl Due {
    /// Nothing was asked yet.
    pub(super) fn new() -> Self {
        Self { news: true, writes: true, audio: 0, spoken: false, timeout: None }
    }

    /// Something happened that may lead to anything.
    pub(super) fn stir(&mut self) {
        self.news = true;
        self.writes = true;
        self.timeout = None;
    }

    /// A packet of ours went in.
    pub(super) fn add_audio(&mut self) {
        self.audio += 1;
        if !self.spoken {
            self.spoken = true;
            self.stir();
        }
    }

    /// Whether to ask for something to send.
    pub(super) fn writes(&self) -> bool {
        self.writes || self.audio > 0
    }

    /// A datagram came out, or none.
    pub(super) fn note_write(&mut self, came: bool) {
        self.audio = self.audio.saturating_sub(1);
        if came {
            return;
        }
        self.audio = 0;
        if self.writes {
            self.writes = false;
            // What went out may have changed something: a last message before a channel closes, a timer for an answer.
            self.news = true;
            self.timeout = None;
        }
    }

    /// Whether to ask for events and messages.
    pub(super) fn news(&self) -> bool {
        self.news
    }

    /// There were no more.
    pub(super) fn note_no_news(&mut self) {
        self.news = false;
    }

    /// The next timeout, asked for if it may have changed. Media that arrives can only put one off.
    pub(super) fn timeout(&mut self, ask: impl FnOnce() -> Option<Instant>) -> Option<Instant> {
        *self.timeout.get_or_insert_with(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks until there is nothing more to send; how often it asked.
    fn flush(due: &mut Due, mut datagrams: usize) -> usize {
        let mut asked = 0;
        while due.writes() {
            asked += 1;
            due.note_write(datagrams > 0);
            datagrams = datagrams.saturating_sub(1);
        }
        asked
    }

    #[test]
    fn what_is_asked_follows_what_happened() {
        type Deed = fn(&mut Due);
        let quiet = |_: &mut Due| {};
        // Datagrams that the engine then has, how often it is asked for them, and whether there may be news after that.
        let cases: &[(&str, Deed, usize, usize, bool)] = &[
            ("nothing happened", quiet, 0, 0, false),
            ("audio", Due::add_audio, 1, 1, false),
            ("audio that went nowhere", Due::add_audio, 0, 1, false),
            ("two frames", |due| (due.add_audio(), due.add_audio()).1, 2, 2, false),
            ("a timer, to no effect", Due::stir, 0, 1, true),
            ("a timer with two reports", Due::stir, 2, 3, true),
            ("a timer and audio", |due| (due.stir(), due.add_audio()).1, 2, 3, true),
        ];
        for (name, deed, datagrams, asked, news) in cases {
            let mut due = Due::new();
            due.add_audio();
            flush(&mut due, 1);
            due.note_no_news();
            deed(&mut due);
            assert_eq!(flush(&mut due, *datagrams), *asked, "{name}");
            assert_eq!(due.news(), *news, "{name}");
        }
    }

    #[test]
    fn the_timeout_is_asked_for_again_after_a_change() {
        let mut due = Due::new();
        let mut asked = 0;
        let mut ask = |due: &mut Due| {
            due.timeout(|| {
                asked += 1;
                None
            });
            asked
        };
        assert_eq!((ask(&mut due), ask(&mut due)), (1, 1));
        due.add_audio();
        assert_eq!(ask(&mut due), 2, "the first frame starts the reports");
        flush(&mut due, 1);
        assert_eq!(ask(&mut due), 3, "what was sent");
        due.add_audio();
        flush(&mut due, 1);
        assert_eq!(ask(&mut due), 3, "a later frame");
        due.stir();
        assert_eq!(ask(&mut due), 4);
    }
}
