//! SIP as carriers write it, read from datagrams.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sip::Message;

/// Budget: any of them in under 10 µs, with all headers that a call is routed by.
fn sip_parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sip_parse");
    let cases = [
        ("INVITE of Twilio", "twilio-invite.sip"),
        ("INVITE of Telnyx, short names", "telnyx-invite.sip"),
        ("BYE of Twilio", "twilio-bye.sip"),
    ];
    for (name, file) in cases {
        let path = format!("{}/../tests/data/carriers/{file}", env!("CARGO_MANIFEST_DIR"));
        let datagram = std::fs::read(path).expect("the messages are in the tree");
        group.throughput(Throughput::Bytes(datagram.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(Message::parse(black_box(&datagram)))));
        group.bench_function(format!("{name}, understood"), |bencher| {
            bencher.iter(|| understand(black_box(&datagram)));
        });
    }
    group.finish();
}

/// Reads what every request is matched and routed by; the rest of a message is text until somebody asks for it.
fn understand(datagram: &[u8]) {
    let Ok(Message::Request(request)) = Message::parse(datagram) else { panic!("a request that can be read") };
    let headers = &request.headers;
    black_box(headers.via().expect("a Via"));
    black_box(headers.from().expect("a From"));
    black_box(headers.to().expect("a To"));
    black_box(headers.call_id().expect("a Call-ID"));
    black_box(headers.cseq().expect("a CSeq"));
    black_box(headers.contact().expect("a Contact or none"));
    black_box(headers.record_routes().expect("Record-Routes or none"));
}

criterion_group!(name = benches; config = benches::criterion(); targets = sip_parse);
criterion_main!(benches);
