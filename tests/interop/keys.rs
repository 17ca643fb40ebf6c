//! Keys by other ways than telephone events: in INFO, and as tones in the audio.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::callee::Callee;
use tests::peers::gateway::Setup;
use tests::peers::phone::{Message, Phone};
use tests::peers::sipp::Carrier;
use tests::{audio, ports};

const ROOM: &str = "keys";
const CALLER: &str = "sip_+15550199";
const THEIRS: &str = "+15550400";
const CALLED: &str = "sip_+15550400";
const LIMIT: Duration = Duration::from_secs(10);
const SDP: &str = "Content-Type: application/sdp\r\n";
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYPAD: &str = "123A456B789C*0#D";

#[test]
fn tones_of_a_phone_without_events_are_keys_of_the_room() {
    let Some(mut bed) = Bed::new("keys-tones", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let (mut phone, mut voice) = calling_without_events(&bed);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    voice.hears(880.0, -15.0);
    voice.say(&typed("1590*#AD55", 80, 80));
    expect_keys(&mut bed, "1590*#AD55");
    // Beyond its beginning a key is not heard in the room, and what comes behind it is.
    bed.listener.forget();
    voice.say(&typed("8", 2_500, 0));
    let is_silent = |e: &tests::peers::listener::Event| e.kind() == "sound" && e.line["on"] == false;
    bed.listener.expect("silence in the room", LIMIT, is_silent);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let keys = bed.listener.seen().iter().filter(|e| e.kind() == "dtmf").count();
    assert_eq!(keys, 1, "one key, however long it is held");
    assert_eq!(phone.bye().status(), 200);
}

#[test]
fn a_pin_can_be_typed_as_tones() {
    let mut setup = Setup::room(ROOM);
    setup.rules = json!([{"name": "vault", "rule": {"dispatchRuleDirect": {"roomName": ROOM, "pin": "4815"}}}]);
    let Some(mut bed) = Bed::new("keys-pin", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let (mut phone, mut voice) = calling_without_events(&bed);
    voice.say(&typed("4815#", 60, 60));
    bed.listener.participant(CALLER);
    voice.hears(880.0, -15.0);
    assert_eq!(phone.bye().status(), 200);
}

#[test]
fn a_pbx_is_told_of_keys_by_info_one_after_the_other() {
    let port = ports::one();
    let setup = outbound((Ipv4Addr::LOCALHOST, port).into(), "auto");
    let Some(mut bed) = Bed::new("keys-info-sipp", &setup, &[Need::Sipp]) else { return };
    bed.listener.join_silently(ROOM);
    let mut sipp = Carrier::new("keys-by-info.xml", port).start(&bed.scratch);
    // It speaks no telephone events, and allows INFO.
    let request = json!({"sip_trunk_id": "out", "sip_call_to": THEIRS, "room_name": ROOM, "dtmf": "1w2",
        "wait_until_answered": true});
    assert_eq!(bed.gateway.api().sip("CreateSIPParticipant", &request).status, 200);
    bed.listener.attribute(CALLED, "sip.callStatus", "active");
    let result = press(&mut bed, "9");
    assert_eq!(result["payload"], "{}", "{result}");
    // What is said to this may come too late for the room.
    bed.listener.begin("rpc", json!({"identity": CALLED, "method": "lk.sip.EndCall", "payload": ""}));
    sipp.succeeds(LIMIT);
}

#[test]
fn whoever_presses_a_key_hears_that_the_phone_refuses_it() {
    let mut callee = Callee::new();
    let Some(mut bed) = Bed::new("keys-info-refused", &outbound(callee.address(), "info"), &[]) else { return };
    bed.listener.join_silently(ROOM);
    // Telephone events are agreed upon, and the trunk has us use INFO all the same.
    let offer = callee.rtp.offer();
    answered(&bed, &mut callee, &offer);
    callee.talk(None);
    let number = bed.listener.begin("rpc", procedure("12"));
    let info = callee.expect("INFO");
    assert_eq!(
        (info.header("Content-Type"), info.body()),
        (Some("application/dtmf-relay"), "Signal=1\r\nDuration=250\r\n")
    );
    assert!(callee.expect_within("INFO", Duration::from_millis(400)).is_none_or(|again| again.cseq() == info.cseq()));
    callee.reply_to(&info, "200 OK");
    let second = next_info(&mut callee, &info);
    assert_eq!(second.body(), "Signal=2\r\nDuration=250\r\n");
    callee.reply_to(&second, "200 OK");
    assert_eq!(bed.listener.finish(number, LIMIT).expect("the listener can call")["payload"], "{}");

    let mut last = second;
    for status in ["403 Forbidden", "500 Server Internal Error"] {
        let number = bed.listener.begin("rpc", procedure("34"));
        let info = next_info(&mut callee, &last);
        callee.reply_to(&info, status);
        let result = bed.listener.finish(number, LIMIT).expect("the listener can call");
        assert_eq!(result["code"], 1500, "{result}");
        assert!(result.to_string().contains("refused"), "{result}");
        last = info;
    }
    assert_eq!(callee.rtp.heard().digits(), "", "no events");
    assert!(!bed.gateway.process().output().contains("Signal="), "keys are in no log");
}

#[test]
fn keys_that_a_phone_does_not_take_by_info_are_events() {
    let mut callee = Callee::new();
    let Some(mut bed) = Bed::new("keys-info-events", &outbound(callee.address(), "info"), &[]) else { return };
    bed.listener.join_silently(ROOM);
    let offer = callee.rtp.offer();
    answered(&bed, &mut callee, &offer);
    callee.talk(None);
    let number = bed.listener.begin("rpc", procedure("1w2"));
    let first = callee.expect("INFO");
    callee.reply_to(&first, "200 OK");
    let second = next_info(&mut callee, &first);
    assert_eq!(second.body(), "Signal=2\r\nDuration=250\r\n");
    callee.reply_to(&second, "405 Method Not Allowed");
    assert_eq!(bed.listener.finish(number, LIMIT).expect("the listener can call")["payload"], "{}");
    assert_eq!(press(&mut bed, "3#")["payload"], "{}");
    tests::within(LIMIT, || callee.rtp.heard().digits().len() >= 3);
    let more = callee.expect_within("INFO", Duration::from_millis(800));
    assert!(more.is_none_or(|again| again.cseq() == second.cseq()), "it is told no more by INFO");
    assert_eq!(callee.rtp.heard().digits(), "23#", "each key once, in their order");
    assert_eq!(callee.bye().status(), 200);
}

#[test]
fn keys_for_a_phone_without_events_are_tones() {
    let mut callee = Callee::new();
    let Some(mut bed) = Bed::new("keys-tones-out", &outbound(callee.address(), "auto"), &[]) else { return };
    bed.listener.join(ROOM, 500.0);
    let mut voice = Voice::new();
    let invite = answered(&bed, &mut callee, &voice.offer());
    voice.start(invite.media().expect("an INVITE has an offer"));
    voice.hears(500.0, -15.0);
    voice.forget();
    let result = press(&mut bed, "1D55w#");
    assert_eq!(result["payload"], "{}", "{result}");
    let heard = tests::within(LIMIT, || voice.keys().len() >= 5);
    assert!(heard.is_some(), "{:?}", voice.keys());
    std::thread::sleep(Duration::from_millis(600));
    let keys = voice.keys();
    assert_eq!(keys.iter().map(|(key, ..)| *key).collect::<String>(), "1D55#");
    for (key, length, level) in keys {
        assert!((220..=280).contains(&length), "{key} is held for {length} ms");
        // -10 and -8 dBm0 together are -5.9 dBm0, and that is -12.0 dBFS.
        assert!((level + 12.0).abs() <= 3.0, "{key} at {level:.1} dBFS");
    }
    voice.hears(500.0, -15.0);
    assert_eq!(callee.bye().status(), 200);
}

fn outbound(carrier: SocketAddr, dtmf: &str) -> Setup {
    let mut setup = Setup::outbound(ROOM, carrier);
    setup.outbound[0]["dtmf"] = dtmf.into();
    setup
}

/// A caller whose phone speaks µ-law and nothing else, and what he says and hears.
fn calling_without_events(bed: &Bed) -> (Phone, Voice) {
    let (mut phone, mut voice) = (Phone::new(bed.gateway.sip()), Voice::new());
    phone.call.cseq += 1;
    phone.call.branch = tests::peers::phone::branch();
    let invite = phone.request("INVITE", phone.call.cseq, &phone.call.branch, SDP, &voice.offer());
    phone.send(&invite);
    let answer = phone.answer().expect("an INVITE gets a final answer");
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(!answer.body().contains("telephone-event"), "{}", answer.body());
    phone.ack(&answer);
    voice.start(answer.media().expect("an answer has media"));
    (phone, voice)
}

/// Places a call, which is answered with that description.
fn answered(bed: &Bed, callee: &mut Callee, description: &str) -> Message {
    let request = json!({"sip_trunk_id": "out", "sip_call_to": THEIRS, "room_name": ROOM, "wait_until_answered": true});
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request);
    let invite = callee.invited();
    callee.reply_with("200 OK", SDP, description);
    callee.expect("ACK");
    assert_eq!(pending.finish().status, 200);
    invite
}

fn procedure(digits: &str) -> Value {
    json!({"identity": CALLED, "method": "trunkline.dtmf", "payload": json!({"digits": digits}).to_string()})
}

fn press(bed: &mut Bed, digits: &str) -> Value {
    bed.listener.tell("rpc", procedure(digits))
}

/// The next INFO that is not the last one again.
fn next_info(callee: &mut Callee, last: &Message) -> Message {
    loop {
        let info = callee.expect("INFO");
        if info.cseq() != last.cseq() {
            return info;
        }
    }
}

/// Keys that the room is told of, all of them and no more.
fn expect_keys(bed: &mut Bed, keys: &str) {
    let told = |bed: &mut Bed| -> String {
        let keys = bed.listener.seen().iter().filter(|e| e.kind() == "dtmf");
        keys.map(|e| e.text("digit").to_owned()).collect()
    };
    tests::within(LIMIT, || told(bed).len() >= keys.len());
    // One more would come soon.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(told(bed), keys);
}

/// Keys as a phone says them: so many milliseconds each, and so many between.
fn typed(keys: &str, on: usize, off: usize) -> Vec<i16> {
    let mut samples = vec![0; 800];
    for key in keys.chars() {
        let at = KEYPAD.find(key).expect("a key of a phone");
        let tone = |hertz| audio::tone(hertz, -16.0, 8_000, on as f64 / 1_000.0);
        let pair = tone(ROWS[at / 4]).into_iter().zip(tone(COLUMNS[at % 4]));
        samples.extend(pair.map(|(row, column)| row + column));
        samples.extend(vec![0; off * 8]);
    }
    samples
}

/// µ-law in packets of twenty milliseconds: 440 Hz, or what there is to say instead.
struct Voice {
    socket: UdpSocket,
    said: Arc<Mutex<Vec<i16>>>,
    heard: Arc<Mutex<Vec<i16>>>,
    talking: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Voice {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        Self { socket, said: Arc::default(), heard: Arc::default(), talking: None }
    }

    fn offer(&self) -> String {
        let port = self.socket.local_addr().expect("a bound socket has an address").port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        )
    }

    fn start(&mut self, to: SocketAddr) {
        let socket = self.socket.try_clone().expect("a socket can be doubled");
        let (stop, said, heard) = (Arc::new(AtomicBool::new(false)), self.said.clone(), self.heard.clone());
        let flag = stop.clone();
        let thread = std::thread::spawn(move || talk(&socket, to, &said, &heard, &flag));
        self.talking = Some((stop, thread));
    }

    fn say(&mut self, samples: &[i16]) {
        self.said.lock().expect("no thread panics while it holds this").extend(samples);
    }

    fn forget(&self) {
        self.heard.lock().expect("no thread panics while it holds this").clear();
    }

    fn hears(&self, pitch: f64, level: f64) {
        let measure = || {
            let heard = self.heard.lock().expect("no thread panics while it holds this");
            audio::measure(&heard[heard.len().saturating_sub(8_000)..], 8_000)
        };
        let heard = tests::within(LIMIT, || measure().is_tone(pitch, level));
        assert!(heard.is_some(), "the phone should hear {pitch} Hz, but it is {:?}", measure());
    }

    /// Pairs of tones that were heard: the key, how long in milliseconds, and how loud in dBFS.
    fn keys(&self) -> Vec<(char, usize, f64)> {
        let heard = self.heard.lock().expect("no thread panics while it holds this").clone();
        let mut keys: Vec<(char, usize, f64)> = Vec::new();
        let mut last = None;
        for frame in heard.chunks_exact(160) {
            let key = pair(frame);
            let power = frame.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 160.0 / 32_768_f64.powi(2);
            match (key, keys.last_mut()) {
                (Some(key), Some((same, length, level))) if last == Some(key) && *same == key => {
                    *length += 20;
                    *level = level.max(10.0 * power.log10());
                }
                (Some(key), _) => keys.push((key, 20, 10.0 * power.log10())),
                (None, _) => {}
            }
            last = key;
        }
        keys
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.talking.take() {
            stop.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
    }
}

/// The key of a frame that is nothing but a row and a column.
fn pair(frame: &[i16]) -> Option<char> {
    let all: f64 = frame.iter().map(|s| f64::from(*s).powi(2)).sum();
    let share = |hertz: &f64| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in frame.iter().enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * hertz * n as f64 / 8_000.0).sin_cos();
            (re, im) = (re + f64::from(*sample) * cos, im + f64::from(*sample) * sin);
        }
        2.0 * (re * re + im * im) / frame.len() as f64 / all.max(1.0)
    };
    let best = |group: &[f64; 4]| {
        let shares = group.iter().map(share).enumerate();
        shares.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
    };
    let ((row, low), (column, high)) = (best(&ROWS), best(&COLUMNS));
    let is_key = all > 1e6 && low > 0.2 && high > 0.2 && low + high > 0.8;
    is_key.then(|| KEYPAD.chars().nth(row * 4 + column)).flatten()
}

fn talk(socket: &UdpSocket, to: SocketAddr, said: &Mutex<Vec<i16>>, heard: &Mutex<Vec<i16>>, stop: &AtomicBool) {
    let tone = audio::tone(440.0, -15.0, 8_000, 1.0);
    let (mut due, mut number) = (Instant::now(), 0_u32);
    while !stop.load(Ordering::Relaxed) {
        listen_until(due, socket, heard);
        let mut frame = tone[number as usize * 160 % 8_000..][..160].to_vec();
        let mut said = said.lock().expect("no thread panics while it holds this");
        let count = said.len().min(160);
        if count > 0 {
            frame.fill(0);
            frame[..count].copy_from_slice(&said[..count]);
            said.drain(..count);
        }
        drop(said);
        let mut packet = vec![0x80, 0];
        packet.extend((number as u16).to_be_bytes());
        packet.extend((number * 160).to_be_bytes());
        packet.extend(0x6b65_7973_u32.to_be_bytes());
        packet.extend(frame.into_iter().map(audio::to_ulaw));
        let _ = socket.send_to(&packet, to);
        number += 1;
        due += Duration::from_millis(20);
    }
}

fn listen_until(due: Instant, socket: &UdpSocket, heard: &Mutex<Vec<i16>>) {
    let mut buffer = [0; 2_048];
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return;
        }
        let Ok((length, _)) = socket.recv_from(&mut buffer) else { continue };
        if length > 12 && buffer[0] >> 6 == 2 && buffer[1] & 0x7f == 0 {
            let samples = buffer[12..length].iter().map(|byte| audio::from_ulaw(*byte));
            heard.lock().expect("no thread panics while it holds this").extend(samples);
        }
    }
}
