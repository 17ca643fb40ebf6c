//! The junction, one way at a time, and what it adds to bare libopus.
//!
//! `cargo bench -p benches --bench junction -- --check` only takes the ratios, and fails when a promise is not kept.

use std::{hint::black_box, time::Duration};

use benches::{
    Call, FRAME,
    allocations::{Counting, allocations_during},
    bare_decoder, bare_encoder, carrier_packets,
    detour::Detour,
    room_packets, telephone,
    timing::{Compared, Table, compare, cpu_time, is_check},
    wide_packets,
};
use criterion::{Criterion, Throughput, criterion_group};
use media::{Profile, mixer};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn profile(complexity: u8) -> Profile {
    Profile { complexity, ..Profile::default() }
}

/// Budget: a packet from the carrier to the room in under 25 µs, one from the room to the carrier in under 20 µs; of G.722 in
/// under 55 µs and 35 µs.
fn junction(criterion: &mut Criterion) {
    let (mut carrier, room) = (carrier_packets(), room_packets());
    let mut group = criterion.benchmark_group("junction");
    group.throughput(Throughput::Elements(1));
    let mut call = Call::new(profile(0));
    let mut n = 0;
    group.bench_function("uplink", |bencher| {
        bencher.iter(|| {
            call.tick();
            call.uplink(&mut carrier[n % 600], |payload| {
                black_box(payload);
            });
            n += 1;
        });
    });
    let mut call = Call::new(profile(0));
    let mut n = 0;
    group.bench_function("downlink", |bencher| {
        bencher.iter(|| {
            call.tick();
            call.downlink(9, &room[n % 600], |datagram| {
                black_box(datagram);
            });
            n += 1;
        });
    });
    let (mut carrier, mut n) = (wide_packets(), 0);
    let mut call = Call::wide(profile(0));
    group.bench_function("uplink, G.722", |bencher| {
        bencher.iter(|| {
            call.tick();
            call.uplink(&mut carrier[n % 600], |payload| {
                black_box(payload);
            });
            n += 1;
        });
    });
    let mut call = Call::wide(profile(0));
    group.bench_function("downlink, G.722", |bencher| {
        bencher.iter(|| {
            call.tick();
            call.downlink(9, &room[n % 600], |datagram| {
                black_box(datagram);
            });
            n += 1;
        });
    });
    group.finish();
}

/// Budget: 1.05 times bare `opus_encode` of the same samples, byte by byte the same packets.
fn uplink(table: &mut Table) {
    let (mut carrier, speech) = (carrier_packets(), telephone());
    for complexity in [0, 5] {
        let mut check = Call::new(profile(complexity));
        let mut encoder = bare_encoder(profile(complexity));
        let mut expected = [0; 1_500];
        encoder.encode(&[0; FRAME], &mut expected).expect("Opus");
        for (datagram, frame) in carrier.iter_mut().zip(&speech) {
            let length = encoder.encode(frame, &mut expected).expect("Opus");
            check.tick();
            let mut seen = 0;
            check.uplink(datagram, |payload| {
                assert_eq!(payload, &expected[..length], "the junction encodes as bare libopus does");
                seen += 1;
            });
            assert_eq!(seen, 1, "one packet in, one out");
        }
        let mut call = Call::new(profile(complexity));
        let mut encoder = bare_encoder(profile(complexity));
        let compared = compare(
            speech.len(),
            || {
                for datagram in &mut carrier {
                    call.tick();
                    call.uplink(datagram, |payload| {
                        black_box(payload);
                    });
                }
            },
            || {
                for frame in &speech {
                    let _ = black_box(encoder.encode(frame, &mut expected));
                }
            },
        );
        table.promise(&format!("uplink / bare encode, complexity {complexity}"), compared, 1.05);
    }
}

/// Budget: 1.05 times bare `opus_decode` at 8 kHz.
fn downlink(table: &mut Table) {
    let room = room_packets();
    let mut call = Call::new(profile(0));
    let mut decoder = bare_decoder();
    let mut pcm = [0; 960];
    let compared = compare(
        room.len(),
        || {
            for payload in &room {
                call.tick();
                call.downlink(9, payload, |datagram| {
                    black_box(datagram);
                });
            }
        },
        || {
            for payload in &room {
                let _ = black_box(decoder.decode(payload, &mut pcm, false));
            }
        },
    );
    table.promise("downlink / bare decode", compared, 1.05);
}

/// Budget: a quarter of the way by 48 kHz, both directions together.
fn whole(table: &mut Table) {
    let (mut carrier, room) = (carrier_packets(), room_packets());
    let g711: Vec<Vec<u8>> = carrier.iter().map(|datagram| datagram[12..].to_vec()).collect();
    let mut call = Call::new(Profile::default());
    let mut detour = Detour::default();
    let (mut payload, mut bytes) = ([0; 1_500], [0; FRAME]);
    let compared = compare(
        room.len(),
        || {
            for (datagram, payload) in carrier.iter_mut().zip(&room) {
                call.tick();
                call.uplink(datagram, |payload| {
                    black_box(payload);
                });
                call.downlink(9, payload, |datagram| {
                    black_box(datagram);
                });
            }
        },
        || {
            for (g711, packet) in g711.iter().zip(&room) {
                black_box(detour.uplink(g711, &mut payload));
                detour.downlink(packet, black_box(&mut bytes));
            }
        },
    );
    table.promise("both ways at 8 kHz / by 48 kHz, resampled", compared, 0.25);
}

/// Budget: none in ten thousand packets each way, of which every fiftieth is lost.
fn allocations(table: &mut Table) {
    let (mut carrier, room) = (carrier_packets(), room_packets());
    let mut call = Call::new(Profile::default());
    let mut run = |frames: usize| {
        for n in 0..frames {
            call.tick();
            if n % 50 != 25 {
                call.uplink(&mut carrier[n % 600], |_| ());
            }
            if n % 50 != 40 {
                call.downlink(9, &room[n % 600], |_| ());
            }
        }
    };
    // The first packets are those in which memory is taken.
    run(100);
    table.never("allocations in 10,000 packets each way", allocations_during(|| run(10_000)));
}

/// Budget: ten talkers mixed in 2.5 times the time of two.
fn mix(table: &Table) {
    let speech = telephone();
    let mix = |talkers: usize| {
        let mut sum = [0; FRAME];
        for n in 0..20_000 {
            let first = n % 590;
            let talkers = black_box(&speech[first..first + talkers]);
            mixer::mix(&talkers.iter().map(|frame| frame.as_slice()), black_box(&mut sum));
        }
    };
    table.ratio("mix of ten / mix of two", compare(20_000, || mix(10), || mix(2)), 2.5);
}

/// Budget: a packet of one call among a thousand costs 1.10 times that of one by itself.
fn cold(table: &Table) {
    let (mut carrier, room) = (carrier_packets(), room_packets());
    let mut calls: Vec<Call> = (0..1_000).map(|_| Call::new(Profile::default())).collect();
    let mut one = Call::new(Profile::default());
    let mut step = |call: &mut Call, n: usize| {
        call.tick();
        call.uplink(&mut carrier[n % 600], |payload| {
            black_box(payload);
        });
        call.downlink(9, &room[n % 600], |datagram| {
            black_box(datagram);
        });
    };
    let (mut cold, mut hot) = (Vec::new(), Vec::new());
    for n in 0..12 {
        // Each call is at another place of the speech; the first frames are those in which memory is taken.
        let before = cpu_time();
        for (offset, call) in calls.iter_mut().enumerate() {
            step(call, n + offset);
        }
        cold.push(cpu_time() - before);
        let before = cpu_time();
        for offset in 0..1_000 {
            step(&mut one, n + offset);
        }
        hot.push(cpu_time() - before);
    }
    let sum = |times: &[Duration]| times[2..].iter().sum::<Duration>().as_nanos() as f64 / 10_000.0;
    let (ours, reference) = (sum(&cold), sum(&hot));
    table.ratio("one of 1,000 calls / one call", Compared { ours, reference, ratio: ours / reference }, 1.10);
}

/// What the codecs alone cost when a thousand pairs of them take turns: the part of [`cold`] that is not ours.
fn cold_codecs(table: &Table) {
    let (speech, room) = (telephone(), room_packets());
    let pair = || (bare_encoder(Profile::default()), bare_decoder());
    let mut pairs: Vec<_> = (0..1_000).map(|_| pair()).collect();
    let mut one = pair();
    let (mut payload, mut pcm) = ([0; 1_500], [0; 960]);
    let mut step = |(encoder, decoder): &mut (opus::Encoder, opus::Decoder), n: usize| {
        let _ = black_box(encoder.encode(&speech[n % 600], &mut payload));
        let _ = black_box(decoder.decode(&room[n % 600], &mut pcm, false));
    };
    let (mut cold, mut hot) = (Duration::ZERO, Duration::ZERO);
    for n in 0..12 {
        let start = cpu_time();
        for (offset, pair) in pairs.iter_mut().enumerate() {
            step(pair, n + offset);
        }
        let middle = cpu_time();
        for offset in 0..1_000 {
            step(&mut one, n + offset);
        }
        if n >= 2 {
            cold += middle - start;
            hot += cpu_time() - middle;
        }
    }
    let (ours, reference) = (cold.as_nanos() as f64 / 10_000.0, hot.as_nanos() as f64 / 10_000.0);
    let compared = Compared { ours, reference, ratio: ours / reference };
    table.note("one of 1,000 bare codecs / one", compared);
}

/// What a call of G.722 costs, against one of PCMU: printed, and nothing is promised.
fn wide(table: &Table) {
    let (mut carrier, mut wide_carrier, room) = (carrier_packets(), wide_packets(), room_packets());
    let (mut call, mut wide_call) = (Call::new(profile(0)), Call::wide(profile(0)));
    let compared = compare(
        wide_carrier.len(),
        || {
            for datagram in &mut wide_carrier {
                wide_call.tick();
                wide_call.uplink(datagram, |payload| {
                    black_box(payload);
                });
            }
        },
        || {
            for datagram in &mut carrier {
                call.tick();
                call.uplink(datagram, |payload| {
                    black_box(payload);
                });
            }
        },
    );
    table.note("uplink, G.722 / PCMU", compared);
    let (mut call, mut wide_call) = (Call::new(profile(0)), Call::wide(profile(0)));
    let down = |call: &mut Call| {
        for payload in &room {
            call.tick();
            call.downlink(9, payload, |datagram| {
                black_box(datagram);
            });
        }
    };
    let compared = compare(room.len(), || down(&mut wide_call), || down(&mut call));
    table.note("downlink, G.722 / PCMU", compared);
}

criterion_group!(name = benches; config = benches::criterion(); targets = junction);

fn main() {
    let mut table = Table::default();
    uplink(&mut table);
    downlink(&mut table);
    whole(&mut table);
    allocations(&mut table);
    mix(&table);
    wide(&table);
    cold(&table);
    cold_codecs(&table);
    table.finish();
    if !is_check() {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
