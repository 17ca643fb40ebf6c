//! How many INVITEs wait for their answer, in all and for each stranger.

use std::{collections::HashMap, net::IpAddr};

use super::{config::Limits, sources::owner};

/// The count.
#[derive(Debug, Default)]
pub(crate) struct HalfOpen {
    total: usize,
    strangers: usize,
    by_stranger: HashMap<IpAddr, usize>,
}

/// One place taken.
#[derive(Debug)]
pub(crate) struct Place(Option<IpAddr>);

impl HalfOpen {
    /// Takes a place, or returns `None` when there is none for this source. Strangers cannot fill the house: half of it
    /// is kept for those who are trusted.
    pub(crate) fn take(&mut self, limits: &Limits, source: IpAddr, trusted: bool) -> Option<Place> {
        if self.total >= limits.half_open {
            return None;
        }
        if trusted {
            self.total += 1;
            return Some(Place(None));
        }
        let source = owner(source);
        let held = self.by_stranger.get(&source).copied().unwrap_or_default();
        if self.strangers >= limits.half_open / 2 || held >= limits.half_open_per_stranger {
            return None;
        }
        self.by_stranger.insert(source, held + 1);
        self.strangers += 1;
        self.total += 1;
        Some(Place(Some(source)))
    }

    pub(crate) fn give_back(&mut self, place: &Place) {
        self.total = self.total.saturating_sub(1);
        let Some(source) = place.0 else { return };
        self.strangers = self.strangers.saturating_sub(1);
        if let Some(held) = self.by_stranger.get_mut(&source) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.by_stranger.remove(&source);
            }
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_take_the_places_of_the_trusted() {
        let limits = Limits { half_open: 8, half_open_per_stranger: 3, ..Limits::default() };
        let mut half_open = HalfOpen::default();
        let stranger = |n| IpAddr::from([192, 0, 2, n]);
        let mut taken = Vec::new();
        for (name, source, trusted, admitted) in [
            ("stranger", stranger(1), false, true),
            ("again", stranger(1), false, true),
            ("third", stranger(1), false, true),
            ("one too many", stranger(1), false, false),
            ("another", stranger(2), false, true),
            ("half is taken", stranger(3), false, false),
            ("trusted", stranger(9), true, true),
        ] {
            let place = half_open.take(&limits, source, trusted);
            assert_eq!(place.is_some(), admitted, "{name}");
            taken.extend(place);
        }
        taken.iter().for_each(|place| half_open.give_back(place));
        assert_eq!((half_open.total(), half_open.strangers, half_open.by_stranger.len()), (0, 0, 0));
    }
}
