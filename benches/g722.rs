//! G.722 by itself.

use std::hint::black_box;

use benches::{
    FRAME,
    timing::{Table, compare},
    wide_speech,
};
use criterion::{Criterion, Throughput, criterion_group};
use media::codec::g722::{Decoder, Encoder};

/// Budget: a frame of 320 samples encoded in under 12 µs, decoded in under 8 µs.
fn g722(criterion: &mut Criterion) {
    let speech = wide_speech();
    let mut group = criterion.benchmark_group("g722");
    group.throughput(Throughput::Elements(2 * FRAME as u64));
    let (mut encoder, mut bytes) = (Encoder::default(), [0; FRAME]);
    let mut frames = speech.iter().cycle();
    group.bench_function("encode", |bencher| {
        bencher.iter(|| encoder.encode(black_box(frames.next().expect("endless")), black_box(&mut bytes)));
    });
    let mut encoder = Encoder::default();
    let encoded = speech.iter().map(|frame| {
        let mut bytes = [0; FRAME];
        encoder.encode(frame, &mut bytes);
        bytes
    });
    let encoded: Vec<_> = encoded.collect();
    let (mut decoder, mut samples) = (Decoder::default(), [0; 2 * FRAME]);
    let mut frames = encoded.iter().cycle();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| decoder.decode(black_box(frames.next().expect("endless")), black_box(&mut samples)));
    });
    group.finish();
}

/// The same by the thread's own time, which is fair on a busy machine.
fn each_way(table: &Table) {
    let speech = wide_speech();
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let (mut bytes, mut samples) = ([0; FRAME], [0; 2 * FRAME]);
    let compared = compare(
        speech.len(),
        || {
            for frame in &speech {
                encoder.encode(black_box(frame), black_box(&mut bytes));
            }
        },
        || {
            for frame in &speech {
                let word = frame[0].to_le_bytes()[0];
                decoder.decode(black_box(&[word; FRAME]), black_box(&mut samples));
            }
        },
    );
    table.note("G.722 encode, and decode", compared);
}

criterion_group!(name = benches; config = benches::criterion(); targets = g722);

fn main() {
    each_way(&Table::default());
    if !benches::timing::is_check() {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
