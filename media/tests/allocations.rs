//! Ten thousand packets each way, with loss, pauses and mixing: nothing is allocated.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::{
    CarrierConfig, Config, Desk, Guest, Junction, Output, Phone, Profile, Sound,
    codec::g711::Law,
    desk::{GuestConfig, Play},
    dtmf::{Event, Press, Tones},
    rtcp::Clock,
    rtp::{Header, Ssrc},
    sdp::{Codec, Direction, Encryption, Local, Negotiated, Policy, Session, answer},
    source::Mode,
    srtp::{OVERHEAD, Secret, Sender, Suite},
};

/// Counts what the thread under test asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every request is passed on to the system's allocator as it is; counting touches no memory but the counter, which
// needs no destructor.
#[expect(unsafe_code, reason = "a global allocator is unsafe by its nature")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_during(run: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    run();
    COUNT.with(Cell::get) - before
}

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

fn terms() -> Negotiated {
    terms_of(0)
}

fn terms_of(payload_type: u8) -> Negotiated {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                m=audio 4000 RTP/AVP {payload_type} 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    );
    let offer = Session::parse(text.as_bytes()).expect("a session");
    answer(&offer, &local(), &Policy::with_codecs(&[Codec::G722], false)).expect("an answer").0
}

fn local() -> Local {
    Local {
        address: [192, 0, 2, 9].into(),
        rtp_port: 5_000,
        rtcp_port: 5_001,
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    }
}

fn config(now: Instant) -> CarrierConfig {
    CarrierConfig {
        seed: 1,
        clock: Clock::new(now, Duration::from_secs(1_800_000_000)),
        cname: "test".into(),
        source: Mode::Learn,
        peer: None,
        first_timeout: Duration::from_secs(30),
        timeout: Duration::from_secs(15),
    }
}

#[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
fn beginning() -> Instant {
    Instant::now()
}

/// A carrier's packet: a tone, or a key now and then.
fn carrier_packet(n: u32, datagram: &mut [u8; 172]) -> usize {
    let key = n % 500 < 10;
    let header = Header {
        marker: n == 0,
        payload_type: if key { 101 } else { 0 },
        sequence: n as u16,
        timestamp: if key { (n - n % 500) * 160 } else { n * 160 },
        ssrc: Ssrc(9),
    };
    let payload = header.write(datagram).expect("room for a header");
    if key {
        payload[..4].copy_from_slice(&[5, if n % 500 > 6 { 0x80 } else { 0 }, 0, 160]);
        return Header::LEN + 4;
    }
    let mut pcm = [0i16; 160];
    for (i, sample) in pcm.iter_mut().enumerate() {
        *sample = (((n * 160 + i as u32) as f32 * 0.3).sin() * 6_000.0) as i16;
    }
    Header::LEN + Law::Mu.encode(&pcm, payload)
}

/// Fifty frames of Opus, to be sent over and over.
fn opus_packets() -> Vec<Vec<u8>> {
    let mut encoder = opus::Encoder::new(8_000, opus::Channels::Mono, opus::Application::Voip).expect("an encoder");
    encoder.set_inband_fec(true).expect("redundancy");
    encoder.set_packet_loss_perc(20).expect("a loss");
    let frames = (0..50).map(|n| {
        let pcm: Vec<i16> = (0..160).map(|i| (((n * 160 + i) as f32 * 0.21).sin() * 5_000.0) as i16).collect();
        encoder.encode_vec(&pcm, 1_500).expect("Opus")
    });
    frames.collect()
}

#[test]
fn a_running_junction_allocates_nothing() {
    let start = beginning();
    let mut junction =
        Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
    junction.set_carrier(start, &terms()).expect("terms that can be met");
    junction.start(start);
    let packets = opus_packets();
    // Both talkers are heard once before: that is when their decoders are made.
    for ssrc in [7, 8] {
        junction.handle_room(start, ssrc, 0, 0, &packets[0]);
    }
    while junction.poll_output().is_some() {}

    let (mut rtp, mut room, mut rtcp) = (0, 0, 0);
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            let mut datagram = [0; 172];
            let length = carrier_packet(n, &mut datagram);
            // Every 20th is lost, every 33rd comes twice; the rest of a second in ten is a pause.
            if n % 20 != 0 {
                junction.handle_rtp(now, peer(), &datagram[..length]);
            }
            if n % 33 == 0 {
                junction.handle_rtp(now, peer(), &datagram[..length]);
            }
            for ssrc in [7, 8] {
                let speaks = n % 500 < 450 && (ssrc == 7 || n % 1_000 < 500);
                if speaks && n % 17 != ssrc {
                    let payload = &packets[n as usize % packets.len()];
                    let payload = if n % 100 == 99 { &payload[..1] } else { payload };
                    junction.handle_room(now, ssrc, n as u16, n * 960, payload);
                }
            }
            loop {
                while let Some(output) = junction.poll_output() {
                    match output {
                        Output::Rtp { .. } => rtp += 1,
                        Output::Rtcp { .. } => rtcp += 1,
                        Output::Room { .. } => room += 1,
                        Output::Event(_) => {}
                    }
                }
                let end = now + Duration::from_millis(19);
                match junction.next_timeout().filter(|at| *at <= end) {
                    Some(at) => junction.handle_timeout(at.max(now)),
                    None => break,
                }
            }
            std::hint::black_box(junction.report());
        }
    });
    assert!(rtp > 9_900 && room > 9_000 && rtcp > 30, "{rtp} to the carrier, {room} to the room, {rtcp} reports");
    assert_eq!(count, 0);
}

#[test]
fn a_junction_that_leaves_out_silence_allocates_nothing_either() {
    let start = beginning();
    let profile = Profile { dtx: true, ..Profile::default() };
    let mut junction = Junction::new(start, &Config { carrier: config(start), profile }).expect("a junction");
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 13\r\n";
    let offer = Session::parse(text.as_bytes()).expect("a session");
    let policy = Policy { comfort_noise: true, ..Policy::default() };
    let (terms, _) = answer(&offer, &local(), &policy).expect("an answer");
    junction.set_carrier(start, &terms).expect("terms that can be met");
    junction.start(start);
    let packets = opus_packets();
    junction.handle_room(start, 7, 0, 0, &packets[0]);
    while junction.poll_output().is_some() {}
    let (mut rtp, mut noise, mut room, mut told) = (0, 0, 0, 0);
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            // Both talk for a second and are silent for two; the participant pauses as browsers do.
            let talks = n % 150 < 50;
            let mut datagram = [0; 172];
            let mut length = carrier_packet(100, &mut datagram);
            datagram[2..4].copy_from_slice(&(n as u16).to_be_bytes());
            datagram[4..8].copy_from_slice(&(n * 160).to_be_bytes());
            if !talks {
                datagram[Header::LEN..].fill(0xff);
                length = 172;
            }
            junction.handle_rtp(now, peer(), &datagram[..length]);
            let payload = &packets[n as usize % packets.len()];
            match n % 150 {
                0..50 => junction.handle_room(now, 7, n as u16, n * 960, payload),
                50 => junction.handle_room(now, 7, n as u16, n * 960, &payload[..1]),
                _ => {}
            }
            loop {
                while let Some(output) = junction.poll_output() {
                    match output {
                        Output::Rtp { datagram, .. } if datagram[1] == 13 => noise += 1,
                        Output::Rtp { .. } => rtp += 1,
                        Output::Room { payload, .. } if payload.len() == 1 => told += 1,
                        Output::Room { .. } => room += 1,
                        Output::Rtcp { .. } | Output::Event(_) => {}
                    }
                }
                let end = now + Duration::from_millis(19);
                match junction.next_timeout().filter(|at| *at <= end) {
                    Some(at) => junction.handle_timeout(at.max(now)),
                    None => break,
                }
            }
        }
    });
    assert!((3_300..5_000).contains(&rtp) && noise >= 60, "{rtp} and {noise} to the carrier");
    assert!((3_300..5_000).contains(&room) && told >= 60, "{room} and {told} to the room");
    assert_eq!(count, 0);
}

#[test]
fn a_wide_junction_allocates_nothing_either() {
    let start = beginning();
    let mut junction =
        Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
    // Of a peer that has changed its codec, and may go on in the other for a while.
    junction.set_carrier(start, &terms()).expect("terms that can be met");
    junction.set_carrier(start, &terms_of(9)).expect("terms that can be met");
    junction.start(start);
    let packets = opus_packets();
    junction.handle_room(start, 7, 0, 0, &packets[0]);
    while junction.poll_output().is_some() {}
    let (mut rtp, mut room) = (0, 0);
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            let mut datagram = [0; 172];
            let mut length = carrier_packet(n, &mut datagram);
            match n % 1_000 {
                // PCMU, as it is.
                0..100 => {}
                // Comfort noise now and then, and nothing else.
                100..200 => {
                    datagram[1] = 13;
                    length = if n % 10 == 0 { Header::LEN + 1 } else { 0 };
                }
                _ if length == datagram.len() => datagram[1] = 9,
                // A key.
                _ => {}
            }
            if n % 20 != 0 && length > 0 {
                junction.handle_rtp(now, peer(), &datagram[..length]);
            }
            if n % 500 < 450 && n % 17 != 0 {
                junction.handle_room(now, 7, n as u16, n * 960, &packets[n as usize % packets.len()]);
            }
            loop {
                while let Some(output) = junction.poll_output() {
                    match output {
                        Output::Rtp { .. } => rtp += 1,
                        Output::Room { .. } => room += 1,
                        Output::Rtcp { .. } | Output::Event(_) => {}
                    }
                }
                match junction.next_timeout().filter(|at| *at <= now + Duration::from_millis(19)) {
                    Some(at) => junction.handle_timeout(at.max(now)),
                    None => break,
                }
            }
        }
    });
    assert!(rtp > 9_900 && room > 9_000, "{rtp} to the carrier, {room} to the room");
    assert_eq!(count, 0);
}

#[test]
fn what_packets_repeat_is_taken_without_allocating() {
    for opus in [false, true] {
        let start = beginning();
        let mut junction =
            Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
        let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                    m=audio 4000 RTP/AVP 107\r\na=rtpmap:107 opus/48000/2\r\n";
        let offer = Session::parse(text.as_bytes()).expect("a session");
        let (negotiated, _) = answer(&offer, &local(), &Policy::with_codecs(&[Codec::Opus], false)).expect("an answer");
        let negotiated = if opus { negotiated } else { terms() };
        junction.set_carrier(start, &negotiated).expect("terms that can be met");
        junction.start(start);
        junction.handle_rtp(
            start,
            peer(),
            &[0x80, if opus { 107 } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0xf8, 0xff, 0xfe],
        );
        let packets = opus_packets();
        let packet = |n: u32| &packets[n as usize % packets.len()][..];
        // Each repeats the two before it.
        let red: Vec<Vec<u8>> = (0..packets.len() as u32)
            .map(|n| {
                let before = [packet(n + 48), packet(n + 49)];
                let heads = [1_920, 960]
                    .into_iter()
                    .zip(before)
                    .flat_map(|(offset, block)| (0xef00_0000 | offset << 10 | block.len() as u32).to_be_bytes());
                heads.chain([111]).chain(before.concat()).chain(packet(n).iter().copied()).collect()
            })
            .collect();
        junction.handle_room(start, 7, 0, 0, packet(0));
        while junction.poll_output().is_some() {}
        let mut sent = 0;
        let count = allocations_during(|| {
            for n in 1..10_000u32 {
                let now = start + Duration::from_millis(20 * u64::from(n));
                // One in seven is lost, and now and then two or three in a row.
                if n % 7 != 0 && n % 49 > 1 {
                    junction.handle_room_red(now, 7, n as u16, n * 960, &red[n as usize % red.len()]);
                }
                loop {
                    while let Some(output) = junction.poll_output() {
                        sent += u32::from(matches!(output, Output::Rtp { .. }));
                    }
                    match junction.next_timeout().filter(|at| *at <= now + Duration::from_millis(19)) {
                        Some(at) => junction.handle_timeout(at.max(now)),
                        None => break,
                    }
                }
            }
        });
        let report = junction.report();
        assert!(report.room_recovered > 1_300 * 160, "{report:?}");
        assert!(sent > 9_800, "{sent}");
        assert_eq!(count, 0);
    }
}

#[test]
fn opus_passed_on_or_mixed_allocates_nothing() {
    let start = beginning();
    let mut junction =
        Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                m=audio 4000 RTP/AVP 107\r\na=rtpmap:107 opus/48000/2\r\n";
    let offer = Session::parse(text.as_bytes()).expect("a session");
    let (negotiated, _) = answer(&offer, &local(), &Policy::with_codecs(&[Codec::Opus], false)).expect("an answer");
    junction.set_carrier(start, &negotiated).expect("terms that can be met");
    junction.start(start);
    let packets = opus_packets();
    for ssrc in [7, 8] {
        junction.handle_room(start, ssrc, 0, 0, &packets[0]);
    }
    while junction.poll_output().is_some() {}
    let (mut rtp, mut room, mut passed) = (0, 0, 0);
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            let payload = &packets[n as usize % packets.len()];
            let mut datagram = [0; 400];
            let header =
                Header { marker: false, payload_type: 107, sequence: n as u16, timestamp: n * 960, ssrc: Ssrc(9) };
            header.write(&mut datagram).expect("room for a header")[..payload.len()].copy_from_slice(payload);
            if n % 20 != 0 {
                junction.handle_rtp(now, peer(), &datagram[..Header::LEN + payload.len()]);
            }
            // One talks most of the time, another joins in for some seconds, and both rest.
            for ssrc in [7, 8] {
                let speaks = n % 500 < 450 && (ssrc == 7 || n % 1_000 < 300);
                if speaks && n % 17 != ssrc {
                    let payload = if n % 100 == 99 { &payload[..1] } else { payload };
                    junction.handle_room(now, ssrc, n as u16, n * 960, payload);
                }
            }
            loop {
                while let Some(output) = junction.poll_output() {
                    match output {
                        Output::Rtp { datagram, .. } => {
                            rtp += 1;
                            passed += u32::from(packets.iter().any(|packet| packet == &datagram[Header::LEN..]));
                        }
                        Output::Room { .. } => room += 1,
                        Output::Rtcp { .. } | Output::Event(_) => {}
                    }
                }
                match junction.next_timeout().filter(|at| *at <= now + Duration::from_millis(19)) {
                    Some(at) => junction.handle_timeout(at.max(now)),
                    None => break,
                }
            }
        }
    });
    assert!(rtp > 8_500 && room > 9_000, "{rtp} to the carrier, {room} to the room");
    assert!((4_000..7_500).contains(&passed), "{passed} as they came");
    assert_eq!(count, 0);
}

#[test]
fn tones_recordings_and_keys_allocate_nothing() {
    let start = beginning();
    let mut junction =
        Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
    junction.set_carrier(start, &terms()).expect("terms that can be met");
    junction.start(start);
    let recording: std::sync::Arc<[i16]> = vec![1_000; 4_000].into();
    let (mut rtp, mut room, mut events) = (0, 0, 0);
    for round in 0..4u32 {
        let begun = start + Duration::from_secs(20) * round;
        // Keys that wait lie in memory of their own; it is taken when they are pressed, which is no work on a packet.
        let keys = [Press::Key(Event(1)), Press::Pause(Duration::from_millis(500)), Press::Key(Event(2))];
        junction.press(begun, &keys).expect("few keys");
        let count = allocations_during(|| {
            for n in 0..1_000u32 {
                let now = begun + Duration::from_millis(20 * u64::from(n));
                junction.set_dialtone(now, n / 100 % 2 == 0);
                junction.set_ringback(now, n / 150 % 2 == 0);
                if n % 200 == 0 {
                    junction.play(now, (n / 200 % 2 == 0).then(|| Sound::once(recording.clone())));
                }
                let mut datagram = [0; 172];
                let length = carrier_packet(round * 1_000 + n, &mut datagram);
                junction.handle_rtp(now, peer(), &datagram[..length]);
                loop {
                    while let Some(output) = junction.poll_output() {
                        match output {
                            Output::Rtp { datagram, .. } => {
                                rtp += 1;
                                events += u32::from(datagram[1] & 0x7f == 101);
                            }
                            Output::Room { .. } => room += 1,
                            Output::Rtcp { .. } | Output::Event(_) => {}
                        }
                    }
                    match junction.next_timeout().filter(|at| *at <= now + Duration::from_millis(19)) {
                        Some(at) => junction.handle_timeout(at.max(now)),
                        None => break,
                    }
                }
            }
        });
        assert_eq!(count, 0);
    }
    assert!(rtp > 3_900 && room > 3_500, "{rtp} to the carrier, {room} to the room");
    assert_eq!(events, 4 * 2 * 15);
}

#[test]
fn a_phone_and_a_guest_allocate_nothing() {
    let start = beginning();
    let mut phone = Phone::new(
        start,
        &config(start),
        Desk::new(Play::Tone { frequency: 440.0, level: 20 }, Duration::from_secs(10)),
    );
    phone.set_carrier(start, &terms()).expect("terms that can be met");
    phone.start(start);
    let mut guests = [Play::Echo, Play::Tone { frequency: 300.0, level: 20 }].map(|play| {
        let desk = Desk::new(play, Duration::from_secs(10));
        Guest::new(start, GuestConfig::default(), desk).expect("a guest")
    });
    let packets = opus_packets();
    for guest in &mut guests {
        guest.start(start);
        guest.handle_room(start, 7, 0, 0, &packets[0]);
    }
    let count = allocations_during(|| {
        for n in 1..2_000u32 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            let mut datagram = [0; 172];
            let length = carrier_packet(n, &mut datagram);
            if n % 20 != 0 {
                phone.handle_rtp(now, peer(), &datagram[..length]);
            }
            phone.handle_timeout(now);
            while phone.poll_output().is_some() {}
            for guest in &mut guests {
                guest.handle_room(now, 7, n as u16, n * 960, &packets[n as usize % packets.len()]);
                while guest.poll_output().is_some() {}
                guest.handle_timeout(now);
                while guest.poll_output().is_some() {}
            }
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn encryption_allocates_nothing() {
    for suite in Suite::ALL {
        let start = beginning();
        let secret = Secret::new([1; 32]);
        let keys = Secret::new([9; 32]).keys(suite, 0);
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n\
             a=rtcp-mux\r\na=crypto:1 {} inline:{}\r\n",
            suite.name(),
            keys.to_base64()
        );
        let offer = Session::parse(offer.as_bytes()).expect("a session");
        let policy = Policy { encryption: Encryption::Require(secret), ..Policy::default() };
        let (negotiated, _) = answer(&offer, &local(), &policy).expect("an answer");
        let mut junction =
            Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
        junction.set_carrier(start, &negotiated).expect("terms that can be met");
        junction.start(start);
        let (mut peer_sends, mut rtp, mut rtcp, mut room) = (Sender::new(&keys), 0, 0, 0);
        let count = allocations_during(|| {
            for n in 1..2_000u32 {
                let now = start + Duration::from_millis(20 * u64::from(n));
                let (mut packet, mut buffer) = ([0; 172], [0; 172 + OVERHEAD]);
                let length = carrier_packet(n, &mut packet);
                buffer[..length].copy_from_slice(&packet[..length]);
                let sealed = peer_sends.seal_rtp(&mut buffer, length).expect("RTP");
                for _ in 0..1 + n % 2 {
                    junction.handle_rtp(now, peer(), &buffer[..sealed]);
                }
                junction.handle_rtp(now, peer(), &packet[..length]);
                loop {
                    while let Some(output) = junction.poll_output() {
                        match output {
                            Output::Rtp { .. } => rtp += 1,
                            Output::Rtcp { .. } => rtcp += 1,
                            Output::Room { .. } => room += 1,
                            Output::Event(_) => {}
                        }
                    }
                    match junction.next_timeout().filter(|at| *at <= now + Duration::from_millis(19)) {
                        Some(at) => junction.handle_timeout(at.max(now)),
                        None => break,
                    }
                }
            }
        });
        let report = junction.report();
        assert!(rtp > 1_900 && room > 1_900 && rtcp > 3, "{rtp} to the carrier, {room} to the room, {rtcp} reports");
        assert_eq!(report.carrier.forged + report.carrier.replayed, 2_999, "what came again or not encrypted");
        assert_eq!(count, 0, "{suite:?}");
    }
}

#[test]
fn keys_as_tones_cost_no_allocation() {
    let start = beginning();
    let mut junction =
        Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
    junction.set_carrier(start, &terms()).expect("terms that can be met");
    junction.set_tones(start, Tones::Heard).expect("a detector");
    junction.start(start);
    let keys: Vec<Press> = (0..16).map(|key| Press::Key(Event(key))).collect();
    junction.press_tones(start, &keys).expect("few keys");
    let mut told = 0;
    let count = allocations_during(|| {
        for n in 0..1_000u32 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            let (mut datagram, mut pcm) = ([0; 172], [0i16; 160]);
            // A five, half the time.
            for (i, sample) in pcm.iter_mut().enumerate().filter(|_| n % 20 < 10) {
                let time = (n * 160 + i as u32) as f32 / 8_000.0 * std::f32::consts::TAU;
                *sample = ((time * 770.0).sin() * 5_000.0 + (time * 1_336.0).sin() * 5_000.0) as i16;
            }
            let header =
                Header { marker: n == 0, payload_type: 0, sequence: n as u16, timestamp: n * 160, ssrc: Ssrc(9) };
            let length = Header::LEN + Law::Mu.encode(&pcm, header.write(&mut datagram).expect("room for a header"));
            junction.handle_timeout(now);
            junction.handle_rtp(now, peer(), &datagram[..length]);
            while let Some(output) = junction.poll_output() {
                told += u32::from(matches!(output, Output::Event(media::Event::Tone(_))));
            }
        }
    });
    assert_eq!((count, told), (0, 50));
}

#[test]
fn keys_that_the_room_hears_cost_no_allocation() {
    let start = beginning();
    let mut junction =
        Junction::new(start, &Config { carrier: config(start), profile: Profile::default() }).expect("a junction");
    junction.set_carrier(start, &terms()).expect("terms that can be met");
    junction.set_audible_keys(start, true);
    junction.start(start);
    let mut loud = 0;
    let count = allocations_during(|| {
        for n in 0..10_000u32 {
            let now = start + Duration::from_millis(20 * u64::from(n));
            let mut datagram = [0; 172];
            let length = carrier_packet(n, &mut datagram);
            junction.handle_timeout(now);
            junction.handle_rtp(now, peer(), &datagram[..length]);
            if n % 500 == 250 {
                junction.hear_key(now, Event(7), Duration::from_millis(250));
            }
            while let Some(output) = junction.poll_output() {
                // A key is louder than nothing and quieter than the tone.
                loud += u32::from(matches!(output, Output::Room { level: 19..=21, .. }));
            }
        }
    });
    assert_eq!(count, 0);
    assert!(loud >= 20 * 18, "{loud} frames of keys");
}
