//! A first-in first-out of samples, of a size that is set when it is made.

use super::{FRAME, Rate};

/// What does not fit is refused, and its length returned.
///
/// Up to a frame lies within the queue itself, beside what its owner touches anyway. That is all that a stream of twenty
/// milliseconds a packet ever needs, and it keeps a call to few pages of memory; only more than a frame goes into the buffer.
#[derive(Debug)]
pub(crate) struct Fifo {
    frame: [i16; FRAME],
    buffer: Box<[i16]>,
    place: Place,
    start: usize,
    end: usize,
}

/// Where the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Frame,
    Buffer,
}

impl Fifo {
    /// An empty queue of so many samples, a frame at least.
    pub(crate) fn new(size: usize) -> Self {
        let buffer = vec![0; size.max(FRAME)].into_boxed_slice();
        Self { frame: [0; FRAME], buffer, place: Place::Frame, start: 0, end: 0 }
    }

    /// A queue of the same time and the same contents at another rate.
    pub(crate) fn converted(&self, from: Rate, to: Rate) -> Self {
        let mut other = Self::new(to.samples(from.ticks(self.buffer.len())));
        other.push(&from.convert(to, self.front()));
        other
    }

    /// Appends samples; returns how many did not fit.
    pub(crate) fn push(&mut self, samples: &[i16]) -> usize {
        let room = self.room(samples.len());
        let fits = room.len();
        room.copy_from_slice(&samples[..fits]);
        self.end += fits;
        samples.len() - fits
    }

    /// Appends silence; returns how many samples of it did not fit.
    pub(crate) fn push_silence(&mut self, count: usize) -> usize {
        let room = self.room(count);
        let fits = room.len();
        room.fill(0);
        self.end += fits;
        count - fits
    }

    /// Where the next samples may be written before [`Self::extend`] takes them in: so many, or as many as there is room for.
    pub(crate) fn room(&mut self, count: usize) -> &mut [i16] {
        if self.place == Place::Frame && self.end + count > FRAME {
            let length = self.len();
            self.buffer[..length].copy_from_slice(&self.frame[self.start..self.end]);
            (self.place, self.start, self.end) = (Place::Buffer, 0, length);
        }
        if self.place == Place::Buffer && self.end + count > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
        }
        let free: &mut [i16] = match self.place {
            Place::Frame => &mut self.frame[self.end..],
            Place::Buffer => &mut self.buffer[self.end..],
        };
        let fits = count.min(free.len());
        &mut free[..fits]
    }

    /// Takes in the first samples of what was written into [`Self::room`].
    pub(crate) fn extend(&mut self, count: usize) {
        let size = match self.place {
            Place::Frame => FRAME,
            Place::Buffer => self.buffer.len(),
        };
        self.end = (self.end + count).min(size);
    }

    /// Lets go of the oldest samples.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count.min(self.len());
        if self.start == self.end {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.place, self.start, self.end) = (Place::Frame, 0, 0);
    }

    /// The oldest samples.
    pub(crate) fn front(&self) -> &[i16] {
        match self.place {
            Place::Frame => &self.frame[self.start..self.end],
            Place::Buffer => &self.buffer[self.start..self.end],
        }
    }

    /// The same, to be changed.
    pub(crate) fn front_mut(&mut self) -> &mut [i16] {
        match self.place {
            Place::Frame => &mut self.frame[self.start..self.end],
            Place::Buffer => &mut self.buffer[self.start..self.end],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that can be told from each other.
    fn count(from: i16, to: i16) -> Vec<i16> {
        (from..to).collect()
    }

    #[test]
    fn a_fifo_keeps_order_and_refuses_what_does_not_fit() {
        // Packet after packet of one length, one always left behind the other, comes out as it went in.
        for length in [1, 30, 80, 159, 160, 161, 200] {
            let mut fifo = Fifo::new(400);
            let mut expected = 0;
            for n in 0..50i16 {
                assert_eq!(fifo.push(&count(n * length, (n + 1) * length)), 0, "{length}");
                if n > 0 {
                    let front = &fifo.front()[..length as usize];
                    assert_eq!(front, count(expected, expected + length), "{length}");
                    expected += length;
                    fifo.consume(length as usize);
                }
            }
        }
        let mut fifo = Fifo::new(400);
        assert_eq!(fifo.push(&count(0, 390)), 0);
        assert_eq!(fifo.push(&count(390, 403)), 3);
        assert_eq!(fifo.push_silence(1), 1);
        assert_eq!(fifo.front(), count(0, 400));
        fifo.consume(1_000);
        assert_eq!((fifo.len(), fifo.place), (0, Place::Frame));
        assert_eq!(fifo.push_silence(401), 1);
    }

    #[test]
    fn more_than_a_frame_moves_over_with_what_was_there() {
        let mut fifo = Fifo::new(400);
        fifo.push(&count(0, 160));
        assert_eq!(fifo.place, Place::Frame);
        fifo.consume(100);
        fifo.push(&count(160, 161));
        assert_eq!((fifo.place, fifo.front()), (Place::Buffer, &count(100, 161)[..]));
        fifo.clear();
        assert_eq!((fifo.place, fifo.len()), (Place::Frame, 0));
    }

    #[test]
    fn what_waits_stays_when_the_rate_changes() {
        let mut fifo = Fifo::new(400);
        fifo.push(&count(0, 100));
        fifo.consume(50);
        let mut wide = fifo.converted(Rate::Narrow, Rate::Wide);
        assert_eq!((wide.len(), wide.front()[2]), (100, 51));
        assert_eq!(wide.push_silence(1_000), 300);
        let narrow = wide.converted(Rate::Wide, Rate::Narrow);
        assert_eq!((narrow.len(), &narrow.front()[..3]), (400, &[50, 51, 52][..]));
    }

    #[test]
    fn a_fifo_is_written_in_place() {
        let mut fifo = Fifo::new(400);
        for (from, place) in [(0, Place::Frame), (3, Place::Buffer)] {
            fifo.room(160).copy_from_slice(&count(from, from + 160));
            assert_eq!(fifo.len(), from as usize, "what is written is not yet there");
            fifo.extend(3);
            assert_eq!((fifo.place, fifo.front()), (place, &count(0, from + 3)[..]));
        }
        assert_eq!(fifo.room(1_000).len(), 394, "no more than is free");
        fifo.extend(1_000);
        assert_eq!(fifo.len(), 400);
    }
}
