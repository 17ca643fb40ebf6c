//! RTP: a packet read, written, and put in order.

use std::{hint::black_box, time::Instant};

use benches::{
    FRAME, carrier_packets, number,
    timing::{Table, compare},
};
use criterion::{Criterion, Throughput, criterion_group};
use media::{
    jitter::Ring,
    rtp::{Extended, Header, Packet, Sequence, Ssrc},
};
use webrtc_util::marshal::{Marshal as _, MarshalSize as _, Unmarshal as _};

/// Budget: a packet read or written in under 10 ns; read, numbered, put into the ring and taken out in under 40 ns.
fn rtp(criterion: &mut Criterion) {
    let mut packets = carrier_packets();
    let mut group = criterion.benchmark_group("rtp");
    group.throughput(Throughput::Elements(1));
    let mut datagrams = packets.clone().into_iter().cycle();
    group.bench_function("parse", |bencher| {
        let datagram = datagrams.next().expect("endless");
        bencher.iter(|| read(black_box(&datagram)));
    });
    let mut buffer = [0; Header::LEN + FRAME];
    let mut sequence = 0u16;
    group.bench_function("build", |bencher| {
        bencher.iter(|| {
            sequence = sequence.wrapping_add(1);
            write(sequence, &[0x55; FRAME], black_box(&mut buffer));
        });
    });
    let now = Instant::now();
    let mut n = 0u32;
    number(&mut packets[0], n);
    let mut order = Sequence::new(Packet::parse(&packets[0]).expect("RTP").sequence());
    let mut ring = Ring::<32, 1_600>::new(order.highest() + 1);
    group.bench_function("parse, insert and take", |bencher| {
        bencher.iter(|| {
            n += 1;
            let datagram = &mut packets[n as usize % 600];
            number(datagram, n);
            let packet = Packet::parse(black_box(datagram)).expect("RTP");
            let Extended::At(place) = order.extend(packet.sequence()) else { panic!("a stream in order") };
            ring.insert(now, place, packet.timestamp(), packet.payload_type().into(), packet.payload());
            black_box(ring.take().expect("it is next").bytes());
        });
    });
    group.finish();
}

fn read(datagram: &[u8]) -> (u16, u32, usize) {
    let packet = Packet::parse(datagram).expect("RTP");
    (packet.sequence(), packet.timestamp(), packet.payload().len())
}

fn write(sequence: u16, payload: &[u8; FRAME], buffer: &mut [u8]) {
    let header = Header { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence), ssrc: Ssrc(7) };
    header.write(buffer).expect("room for a header").copy_from_slice(payload);
}

/// Budget: not slower than the crate `rtp`, which owns what it reads.
fn against_rtp(table: &Table) {
    const TIMES: usize = 50;
    let mut packets = carrier_packets();
    for (n, datagram) in packets.iter_mut().enumerate() {
        number(datagram, n as u32);
    }
    let shared: Vec<bytes::Bytes> = packets.iter().cloned().map(Into::into).collect();
    let frames = TIMES * packets.len();
    let compared = compare(
        frames,
        || {
            for datagram in (0..TIMES).flat_map(|_| &packets) {
                black_box(read(black_box(datagram)));
            }
        },
        || {
            for datagram in (0..TIMES).flat_map(|_| &shared) {
                let packet = rtp::packet::Packet::unmarshal(&mut black_box(datagram).clone()).expect("RTP");
                black_box((packet.header.sequence_number, packet.header.timestamp, packet.payload.len()));
            }
        },
    );
    table.ratio("RTP read / by the crate rtp", compared, 1.0);

    let (mut ours, mut theirs) = ([0; Header::LEN + FRAME], [0; Header::LEN + FRAME]);
    let mut packet = rtp::packet::Packet::unmarshal(&mut shared[0].clone()).expect("RTP");
    assert_eq!(packet.marshal_size(), ours.len());
    let payload = [0x55; FRAME];
    packet.payload = payload.to_vec().into();
    let compared = compare(
        frames,
        || {
            for n in 0..frames {
                write(n as u16, black_box(&payload), black_box(&mut ours));
            }
        },
        || {
            for n in 0..frames {
                packet.header.sequence_number = n as u16;
                packet.header.timestamp = u32::from(n as u16);
                black_box(black_box(&packet).marshal_to(black_box(&mut theirs)).expect("room for a packet"));
            }
        },
    );
    assert_eq!(ours, theirs, "both write the same");
    table.ratio("RTP written / by the crate rtp", compared, 1.0);
}

criterion_group!(name = benches; config = benches::criterion(); targets = rtp);

fn main() {
    against_rtp(&Table::default());
    if !benches::timing::is_check() {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
