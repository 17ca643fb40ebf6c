//! The jitter ring by itself.

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::jitter::Ring;

/// Budget: a packet in and out in under 50 ns, in order or not.
fn jitter(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut group = criterion.benchmark_group("jitter");
    group.throughput(Throughput::Elements(1));
    for (name, swap) in [("in order", 0), ("swapped in pairs", 1)] {
        let mut ring = Ring::<32, 1_600>::new(65_536);
        let mut n = 65_536u64;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                ring.insert(now, n ^ swap, n as u32 * 160, 0, black_box(&[0x55; 160]));
                n += 1;
                while let Some(slot) = ring.take() {
                    black_box(slot.bytes());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, jitter);
criterion_main!(benches);
