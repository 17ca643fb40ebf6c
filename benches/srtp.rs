//! SRTP: a packet sealed and opened, in each suite, and beside the engine's own.

use std::hint::black_box;

use benches::{
    FRAME, carrier_packets, number,
    timing::{Table, compare},
};
use criterion::{Criterion, Throughput, criterion_group};
use media::{
    rtp::Header,
    srtp::{OVERHEAD, Receiver, Secret, Sender, Suite},
};
use rtc_srtp::{context::Context, crypto::default_provider, protection_profile::ProtectionProfile};

const BUFFER: usize = Header::LEN + FRAME + OVERHEAD;
const SUITES: [Suite; 3] = [Suite::AesCm128Sha1Tag80, Suite::AesCm256Sha1Tag80, Suite::AesGcm128];

/// Packets of one stream, one after the other without an end.
struct Stream {
    packets: Vec<Vec<u8>>,
    n: u32,
}

impl Stream {
    fn new() -> Self {
        Self { packets: carrier_packets(), n: 0 }
    }

    fn next(&mut self) -> &[u8] {
        self.n += 1;
        let at = self.n as usize % self.packets.len();
        number(&mut self.packets[at], self.n);
        &self.packets[at]
    }

    fn sealed(&mut self, sender: &mut Sender, buffer: &mut [u8; BUFFER]) -> usize {
        let packet = self.next();
        buffer[..packet.len()].copy_from_slice(packet);
        sender.seal_rtp(buffer, packet.len()).expect("RTP")
    }
}

/// Budget: a packet of 20 ms sealed or opened in under 500 ns in any suite.
fn srtp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("srtp");
    group.throughput(Throughput::Elements(1));
    for suite in SUITES {
        let keys = Secret::new([1; 32]).keys(suite, 0);
        let (mut stream, mut sender, mut buffer) = (Stream::new(), Sender::new(&keys), [0; BUFFER]);
        group.bench_function(format!("seal {}", suite.name()), |bencher| {
            bencher.iter(|| black_box(stream.sealed(&mut sender, &mut buffer)));
        });
        // Sealed beforehand; a receiver that knows none of them opens them in turn.
        let (mut stream, mut sender) = (Stream::new(), Sender::new(&keys));
        let sealed: Vec<_> = (0..60_000)
            .map(|_| {
                let length = stream.sealed(&mut sender, &mut buffer);
                buffer[..length].to_vec()
            })
            .collect();
        let (mut receiver, mut n) = (Receiver::new(&keys), 0);
        group.bench_function(format!("open {}", suite.name()), |bencher| {
            bencher.iter(|| {
                if n == sealed.len() {
                    (receiver, n) = (Receiver::new(&keys), 0);
                }
                n += 1;
                receiver.open_rtp(black_box(&sealed[n - 1]), &mut buffer).expect("each is new")
            });
        });
    }
    group.finish();
}

/// Budget: not slower than the engine's, which allocates a packet.
fn against_engine(table: &Table) {
    const FRAMES: usize = 20_000;
    for (suite, profile) in [
        (Suite::AesCm128Sha1Tag80, ProtectionProfile::Aes128CmHmacSha1_80),
        (Suite::AesGcm128, ProtectionProfile::AeadAes128Gcm),
    ] {
        let keys = Secret::new([1; 32]).keys(suite, 0);
        let (key, salt) = ([1; 16], vec![2; suite.salt_length()]);
        let provider = default_provider().expect("cryptography");
        let context = Context::new(&key, &salt, profile, None, None, provider.crypto());
        let (mut theirs, mut their_stream) = (context.expect("a context"), Stream::new());
        let (mut ours, mut stream, mut buffer) = (Sender::new(&keys), Stream::new(), [0; BUFFER]);
        let compared = compare(
            FRAMES,
            || {
                for _ in 0..FRAMES {
                    black_box(stream.sealed(&mut ours, &mut buffer));
                }
            },
            || {
                for _ in 0..FRAMES {
                    black_box(theirs.encrypt_rtp(their_stream.next()).expect("RTP"));
                }
            },
        );
        table.ratio(&format!("SRTP sealed, {} / by the engine", suite.name()), compared, 1.0);
    }
}

criterion_group!(name = benches; config = benches::criterion(); targets = srtp);

fn main() {
    against_engine(&Table::default());
    if !benches::timing::is_check() {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
