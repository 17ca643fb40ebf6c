//! How busy a media thread is, and how much effort its encoders may spend because of that.
//!
//! The share of a core is measured on the thread's own CPU clock once a second. Complexity 5 costs an encoder two and a
//! half times what complexity 0 does, for a difference that at our bit rate is hard to hear: it is a luxury of a
//! quiet gateway. So it goes early, long before anything is at stake, and comes back only when it would not be
//! withdrawn at once.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Opus complexity of an idle thread, unless it is told less.
pub(crate) const MOST: u8 = 5;
/// Above this share of a core one step is taken back.
const STEP_DOWN: f32 = 0.08;
/// Above this share all of them are.
const DROP: f32 = 0.25;
/// Below this share for [`CALM`] one step is added.
const STEP_UP: f32 = 0.03;
const CALM: Duration = Duration::from_secs(5);
/// How often the load is judged.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// Chooses the complexity from the load.
#[derive(Debug)]
pub(crate) struct Governor {
    most: u8,
    complexity: u8,
    calm_since: Option<Instant>,
}

impl Governor {
    pub(crate) fn new(most: u8) -> Self {
        Self { most, complexity: most, calm_since: None }
    }

    /// Takes the share of a core used in the last period; returns the new complexity if it changes.
    pub(crate) fn handle_load(&mut self, now: Instant, share: f32) -> Option<u8> {
        let before = self.complexity;
        if share >= STEP_UP {
            self.calm_since = None;
        }
        if share > DROP {
            self.complexity = 0;
        } else if share > STEP_DOWN {
            self.complexity = self.complexity.saturating_sub(1);
        } else if share < STEP_UP {
            let since = *self.calm_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= CALM {
                self.complexity = (self.complexity + 1).min(self.most);
                self.calm_since = Some(now);
            }
        }
        (self.complexity != before).then_some(self.complexity)
    }

    pub(crate) fn complexity(&self) -> u8 {
        self.complexity
    }
}

/// Measures the calling thread.
#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    used: Duration,
}

impl Meter {
    pub(crate) fn start(now: Instant) -> Self {
        Self { since: now, used: cpu_time() }
    }

    /// CPU time of the thread in all, and its share of a core since the last reading.
    pub(crate) fn read(&mut self, now: Instant) -> (Duration, f32) {
        let used = cpu_time();
        let wall = now.saturating_duration_since(self.since).as_secs_f32();
        let share = used.saturating_sub(self.used).as_secs_f32() / wall.max(0.001);
        *self = Self { since: now, used };
        (used, share)
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(governor: &mut Governor, now: &mut Instant, share: f32, seconds: u32) -> Vec<u8> {
        (0..seconds)
            .map(|_| {
                *now += PERIOD;
                governor.handle_load(*now, share);
                governor.complexity()
            })
            .collect()
    }

    #[test]
    fn complexity_follows_the_load_with_hysteresis() {
        let mut governor = Governor::new(MOST);
        let mut now = Instant::now();
        let cases: &[(&str, f32, u32, &[u8])] = &[
            ("quiet", 0.01, 3, &[5, 5, 5]),
            ("busy steps down", 0.10, 7, &[4, 3, 2, 1, 0, 0, 0]),
            ("in between nothing moves", 0.05, 3, &[0, 0, 0]),
            ("calm comes back slowly", 0.01, 11, &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]),
            ("a short calm does not count", 0.05, 1, &[2]),
            ("calm again", 0.01, 6, &[2, 2, 2, 2, 2, 3]),
            ("overload drops all at once", 0.90, 1, &[0]),
        ];
        for (name, share, seconds, expected) in cases {
            assert_eq!(run(&mut governor, &mut now, *share, *seconds), *expected, "{name}");
        }
    }

    #[test]
    fn the_meter_sees_work() {
        let start = Instant::now();
        let mut meter = Meter::start(start);
        let mut sum = 0u64;
        while start.elapsed() < Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let (used, share) = meter.read(Instant::now());
        assert!(used > Duration::ZERO && share > 0.05, "{used:?} {share}");
    }
}
