//! Ratios of things done in turns, and bars that they have to stay below.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Rounds of which the median counts.
const ROUNDS: usize = 15;

/// CPU time of this thread.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Runs both in turns; gives the median time of each in nanoseconds a frame, and the median ratio of ours to the reference.
pub fn compare(frames: usize, mut ours: impl FnMut(), mut reference: impl FnMut()) -> Compared {
    let time = |run: &mut dyn FnMut()| {
        let before = cpu_time();
        run();
        (cpu_time() - before).as_nanos() as f64 / frames as f64
    };
    ours();
    reference();
    let rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|round| {
            // Whoever goes second finds the caches as the other left them: each goes first in turn.
            if round % 2 == 0 {
                let ours = time(&mut ours);
                (ours, time(&mut reference))
            } else {
                let reference = time(&mut reference);
                (time(&mut ours), reference)
            }
        })
        .collect();
    Compared {
        ours: median(rounds.iter().map(|round| round.0)),
        reference: median(rounds.iter().map(|round| round.1)),
        ratio: median(rounds.iter().map(|round| round.0 / round.1)),
    }
}

/// Both times in nanoseconds a frame, and their ratio.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// Ours.
    pub ours: f64,
    /// The reference's.
    pub reference: f64,
    /// Ours by the reference's.
    pub ratio: f64,
}

/// Whether only the ratios are wanted, and failure if one of those promised is not kept.
pub fn is_check() -> bool {
    std::env::args().any(|argument| argument == "--check")
}

/// Collects lines of a table, and what was promised and not kept.
#[derive(Debug, Default)]
pub struct Table {
    broken: Vec<String>,
}

impl Table {
    /// A promise: what is compared, and the most that the ratio may be. A check fails when it is not kept.
    pub fn promise(&mut self, name: &str, compared: Compared, bar: f64) {
        self.ratio(name, compared, bar);
        if compared.ratio > bar {
            self.broken.push(format!("{name}: {:.3} is above {bar}", compared.ratio));
        }
    }

    /// A ratio that is aimed at. The line says whether it is reached, and nothing fails when it is not.
    pub fn ratio(&self, name: &str, compared: Compared, bar: f64) {
        let word = if compared.ratio <= bar { "holds" } else { "DOES NOT HOLD" };
        print(name, compared, &format!("at most {bar}: {word}"));
    }

    /// A ratio that is nobody's promise, to read the others by.
    pub fn note(&self, name: &str, compared: Compared) {
        print(name, compared, "for comparison");
    }

    /// A promise that something is never done.
    #[expect(clippy::print_stdout, reason = "a bench is read on the terminal")]
    pub fn never(&mut self, name: &str, times: u64) {
        println!("{name:<58} {times}");
        if times > 0 {
            self.broken.push(format!("{name}: {times}"));
        }
    }

    /// Fails the process when a bar was broken and `--check` was given.
    #[expect(clippy::print_stderr, reason = "a bench is read on the terminal")]
    pub fn finish(self) {
        for broken in &self.broken {
            eprintln!("{broken}");
        }
        if !self.broken.is_empty() && is_check() {
            std::process::exit(1);
        }
    }
}

#[expect(clippy::print_stdout, reason = "a bench is read on the terminal")]
fn print(name: &str, compared: Compared, remark: &str) {
    let Compared { ours, reference, ratio } = compared;
    println!("{name:<58} {ours:>9.0} ns {reference:>9.0} ns  ratio {ratio:.3} ({remark})");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
