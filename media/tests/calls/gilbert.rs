//! A wire that loses packets by a model of two states (Gilbert): a good one that loses none, and a bad one that loses all.

/// Which packets are lost, the same ones for the same seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gilbert {
    /// Of leaving the good state, and of leaving the bad one, at each packet.
    worsens: f64,
    recovers: f64,
    bad: bool,
    random: u64,
}

impl Gilbert {
    /// Loses such a share of all packets, on average so many in a row. `None` for the length of a row means that no loss
    /// depends on the one before it.
    pub(crate) fn new(share: f64, row: Option<f64>, seed: u64) -> Self {
        let recovers = row.map_or(1.0 - share, f64::recip);
        Self { worsens: recovers * share / (1.0 - share), recovers, bad: false, random: seed }
    }

    /// Whether the next packet is lost.
    pub(crate) fn loses(&mut self) -> bool {
        let leaves = if self.bad { self.recovers } else { self.worsens };
        self.bad ^= self.uniform() < leaves;
        self.bad
    }

    /// SplitMix64, as a number between 0 and 1.
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn it_loses_as_much_as_it_is_told_to() {
    for (share, row) in [(0.03, None), (0.05, None), (0.10, None), (0.05, Some(3.0)), (0.10, Some(2.0))] {
        let mut wire = Gilbert::new(share, row, 1);
        let lost: Vec<bool> = (0..200_000).map(|_| wire.loses()).collect();
        let count = lost.iter().filter(|lost| **lost).count() as f64;
        let rows = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        let (measured, length) = (count / lost.len() as f64, count / rows);
        assert!((measured / share - 1.0).abs() < 0.05, "{measured} of {share}");
        let expected = row.unwrap_or(1.0 / (1.0 - share));
        assert!((length / expected - 1.0).abs() < 0.05, "{length} in a row, expected {expected}");
    }
}
