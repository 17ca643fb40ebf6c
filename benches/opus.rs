//! libopus by itself: what nothing of ours can be faster than.

use std::hint::black_box;

use benches::{bare_decoder, bare_encoder, room_packets, telephone};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::Profile;

/// Budget: a frame encoded in under 25 µs at complexity 0 and under 60 µs at 5; decoded in under 20 µs.
fn opus(criterion: &mut Criterion) {
    let (speech, packets) = (telephone(), room_packets());
    let mut group = criterion.benchmark_group("opus");
    group.throughput(Throughput::Elements(1));
    for complexity in [0, 2, 5] {
        let mut encoder = bare_encoder(Profile { complexity, ..Profile::default() });
        let mut payload = [0; 1_500];
        let mut frames = speech.iter().cycle();
        group.bench_function(format!("encode at complexity {complexity}"), |bencher| {
            bencher.iter(|| encoder.encode(black_box(frames.next().expect("endless")), &mut payload));
        });
    }
    let mut decoder = bare_decoder();
    let mut pcm = [0; 960];
    let mut packets = packets.iter().cycle();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| decoder.decode(black_box(packets.next().expect("endless")), &mut pcm, false));
    });
    group.finish();
}

criterion_group!(name = benches; config = benches::criterion(); targets = opus);
criterion_main!(benches);
