//! G.711 by itself, and against a table of all 65,536 samples.

use std::hint::black_box;

use benches::{
    FRAME, speech,
    timing::{Table, compare},
};
use criterion::{Criterion, Throughput, criterion_group};
use media::codec::g711::Law;

/// Budget: a frame of 160 samples in under 60 ns, either way.
fn g711(criterion: &mut Criterion) {
    let speech = speech();
    let mut group = criterion.benchmark_group("g711");
    group.throughput(Throughput::Elements(FRAME as u64));
    for law in [Law::Mu, Law::A] {
        let mut bytes = [0; FRAME];
        let mut frames = speech.iter().cycle();
        group.bench_function(format!("encode {law:?}"), |bencher| {
            bencher.iter(|| law.encode(black_box(frames.next().expect("endless")), &mut bytes));
        });
        let mut samples = [0; FRAME];
        group.bench_function(format!("decode {law:?}"), |bencher| {
            bencher.iter(|| law.decode(black_box(&bytes), black_box(&mut samples)));
        });
    }
    group.finish();
}

/// Budget: not slower than the table, which is 64 KiB of cache.
fn against_table(table: &Table) {
    let speech = speech();
    for law in [Law::Mu, Law::A] {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut reference = vec![0; all.len()];
        law.encode(&all, &mut reference);
        let (mut ours, mut theirs) = ([0; FRAME], [0; FRAME]);
        let compared = compare(
            speech.len() * 50,
            || {
                for frame in (0..50).flat_map(|_| &speech) {
                    law.encode(black_box(frame), black_box(&mut ours));
                }
            },
            || {
                for frame in (0..50).flat_map(|_| &speech) {
                    for (byte, sample) in black_box(&mut theirs).iter_mut().zip(black_box(frame)) {
                        *byte = reference[(i32::from(*sample) + 32_768) as usize];
                    }
                }
            },
        );
        table.ratio(&format!("{law:?}-law encode / table of 65,536"), compared, 1.0);
    }
}

criterion_group!(name = benches; config = benches::criterion(); targets = g711);

fn main() {
    against_table(&Table::default());
    if !benches::timing::is_check() {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
