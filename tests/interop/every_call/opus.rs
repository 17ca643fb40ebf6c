//! Packets of Opus that reach the other end as they were sent.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use tests::data;
use tests::peers::gateway;
use tests::process::Process;

use super::desk::Desk;

const FRAME: Duration = Duration::from_millis(20);
/// The payload type of our own phone.
const OPUS: u8 = 107;

/// Timestamps and payloads, by the numbers of their packets.
type Heard = BTreeMap<u16, (u32, Vec<u8>)>;

/// A participant that echoes sends back the very packets that it was sent, so what comes back was passed on untouched both ways.
pub(super) fn passed_on(desk: &mut Desk<'_>) {
    let mut echo = gateway::command(desk.server, &["join", &desk.room, "--echo"]);
    let _echo = Process::start("join", &mut echo, desk.scratch);
    let recorded = recorded();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let here = socket.local_addr().expect("a bound socket has an address");
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP {OPUS} 0\r\n\
         a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} useinbandfec=1\r\na=ptime:20\r\n",
        here.ip(),
        here.port()
    );
    let mut player = desk.call(desk.caller().invites("", &offer).gets(200).acknowledges("").waits().hangs_up(""));
    let answer = player.answer("INVITE", 1);
    assert!(answer.body().contains(&format!("RTP/AVP {OPUS}\r\n")), "{}", answer.body());
    let media = answer.media().expect("the answer says where its media is");
    // Of the packets of one second and more.
    let longest = longest(&talk(&socket, media, &recorded, 500), &recorded);
    assert!(longest >= 200, "{longest} packets in a row come back as they were");
    player.go();
    player.succeeds();
}

/// How many packets came back as they were, each in its place and no other between them.
fn longest(heard: &Heard, recorded: &[Vec<u8>]) -> usize {
    let (mut run, mut longest, mut before) = (0, 0, None::<(u16, u32, usize)>);
    for (sequence, (timestamp, payload)) in heard {
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
    longest
}

/// Sends so many packets, over and over the same, and returns what comes meanwhile by its number.
fn talk(socket: &UdpSocket, to: SocketAddr, payloads: &[Vec<u8>], count: usize) -> Heard {
    let mut heard = Heard::new();
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
