//! Calls of Opus: with a foreign phone each way, and packets that reach the other end as they were sent.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::audio;
use tests::bed::Bed;
use tests::data;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::gateway::{self, NUMBER, OUR_NUMBER, Setup};
use tests::peers::phone::Phone;
use tests::process::Process;

const LIMIT: Duration = Duration::from_secs(15);
const FRAME: Duration = Duration::from_millis(20);
const ROOM: &str = "opera";
const CALLER: &str = "sip_+15550177";
/// What the phone says and what the room says; of one kilohertz and of five, one and the other way.
const TONES: [(f64, f64); 2] = [(1_000.0, 5_000.0), (5_000.0, 1_000.0)];
/// Opus first, but not alone.
const CODECS: (&str, u32) = ("opus/48000/2,PCMU/8000/1", 48_000);
/// The payload type of our own phone.
const OPUS: u8 = 107;

fn setup() -> Setup {
    Setup::room(ROOM).with("codecs", json!({"opus/48000/2": true}))
}

#[test]
fn baresip_calls_in_opus() {
    for (said, answered) in TONES {
        let name = format!("opus-in-{said}");
        let Some(mut bed) = Bed::new(&name, &setup(), &[Need::Baresip]) else { return };
        bed.listener.join(ROOM, answered);
        let mut phone = Baresip::speaking(CODECS, "udp", said, "", &bed.scratch);
        phone.call(NUMBER, bed.gateway.sip(), "udp");
        bed.listener.hear(CALLER, said, -15.0, LIMIT);
        phone.press("5");
        bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "5");
        std::thread::sleep(Duration::from_secs(1));
        phone.command("hangup", "");
        bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
        expect_tone(&phone, answered);
    }
}

#[test]
fn baresip_is_called_in_opus() {
    for (said, answered) in TONES {
        let setup = Setup { api: true, ..Setup::room(ROOM) };
        let Some(mut bed) = Bed::new(&format!("opus-out-{said}"), &setup, &[Need::Baresip]) else { return };
        bed.listener.join(ROOM, answered);
        let mut phone = Baresip::speaking(CODECS, "udp", said, ";answermode=auto", &bed.scratch);
        let trunk = json!({"hostname": phone.sip().to_string(), "transport": "SIP_TRANSPORT_UDP"});
        // The trunk lists what is off where nobody asks for it.
        let call = json!({
            "trunk": trunk, "sip_number": OUR_NUMBER, "sip_call_to": "+15550177", "room_name": ROOM,
            "wait_until_answered": true, "media": {"codecs": [{"name": "opus", "rate": 48000}]},
        });
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &call);
        assert_eq!(answer.status, 200, "{}", answer.body);
        bed.listener.hear(CALLER, said, -15.0, LIMIT);
        let output = phone.process().output();
        let (_, invite) = output.split_once("INVITE sip:").expect("baresip shows what it is sent");
        let media = invite.lines().find(|line| line.starts_with("m=audio ")).expect("an offer");
        assert!(media.contains(" RTP/AVP 96 9 0 8 101 102"), "{media}");
        std::thread::sleep(Duration::from_secs(1));
        bed.listener.tell("remove", json!({"room": ROOM, "identity": CALLER}));
        bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
        expect_tone(&phone, answered);
    }
}

/// A participant that echoes sends back the very packets that it was sent, so what comes back was passed on untouched both ways.
#[test]
fn one_talkers_packets_are_passed_on_byte_by_byte() {
    let Some(bed) = Bed::new("opus-bytes", &setup(), &[]) else { return };
    let mut echo = gateway::command(&bed.livekit.url(), &["join", ROOM, "--echo"]);
    let _echo = Process::start("join", &mut echo, &bed.scratch);
    let recorded = recorded();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call.to = NUMBER.to_owned();
    phone.call.cseq += 1;
    let here = socket.local_addr().expect("a bound socket has an address");
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP {OPUS} 0\r\n\
         a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} useinbandfec=1\r\na=ptime:20\r\n",
        here.ip(),
        here.port()
    );
    let headers = "Content-Type: application/sdp\r\n";
    let invite = phone.request("INVITE", phone.call.cseq, &phone.call.branch, headers, &offer);
    phone.send(&invite);
    let answer = phone.answer().expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.start());
    assert!(answer.body().contains(&format!("RTP/AVP {OPUS}\r\n")), "{}", answer.body());
    phone.ack(&answer);
    let heard = talk(&socket, answer.media().expect("the answer says where its media is"), &recorded, 500);
    phone.bye();

    // Of the packets of one second and more, each in its place and no other between them.
    let (mut run, mut longest, mut before) = (0, 0, None::<(u16, u32, usize)>);
    for (sequence, (timestamp, payload)) in &heard {
        let Some(number) = recorded.iter().position(|known| known == payload) else {
            (run, before) = (0, None);
            continue;
        };
        let follows = before.is_some_and(|(last, at, place)| {
            sequence.wrapping_sub(last) == 1
                && timestamp.wrapping_sub(at) == 960
                && (place + 1) % recorded.len() == number
        });
        run = if follows { run + 1 } else { 1 };
        longest = longest.max(run);
        before = Some((*sequence, *timestamp, number));
    }
    assert!(longest >= 200, "{longest} packets in a row of {}", heard.len());
}

/// Sends so many packets, over and over, and returns what comes meanwhile by its number.
fn talk(socket: &UdpSocket, to: SocketAddr, payloads: &[Vec<u8>], count: usize) -> BTreeMap<u16, (u32, Vec<u8>)> {
    let mut heard = BTreeMap::new();
    let start = Instant::now();
    for n in 0..count {
        let mut packet = vec![0x80, OPUS];
        packet.extend((n as u16).to_be_bytes());
        packet.extend((n as u32 * 960).to_be_bytes());
        packet.extend(0x5150_0002_u32.to_be_bytes());
        packet.extend(&payloads[n % payloads.len()]);
        let _ = socket.send_to(&packet, to);
        let due = start + FRAME * (n as u32 + 1);
        let mut buffer = [0; 2_048];
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
                break;
            }
            let Ok((length, _)) = socket.recv_from(&mut buffer) else { continue };
            if length > 12 && buffer[1] & 0x7f == OPUS {
                let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
                let timestamp = u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
                heard.insert(sequence, (timestamp, buffer[12..length].to_vec()));
            }
        }
    }
    heard
}

/// Speech as packets of Opus, each behind its length.
fn recorded() -> Vec<Vec<u8>> {
    let file = std::fs::read(data("speech.opus-packets")).expect("the packets are in the tree");
    let mut rest = &file[..];
    let mut packets = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        packets.push(packet.to_vec());
        rest = after;
    }
    packets
}

/// The phone writes the rest of its file when the call is over.
#[track_caller]
fn expect_tone(phone: &Baresip, pitch: f64) {
    let heard = || {
        let (samples, rate) = phone.heard_at();
        (rate, audio::measure(audio::loudest(&samples, rate.max(1), 1.0), rate.max(1)))
    };
    let is_it = || {
        let (rate, heard) = heard();
        rate == 48_000 && heard.is_tone(pitch, -15.0)
    };
    assert!(tests::within(LIMIT, is_it).is_some(), "{:?}", heard());
}
