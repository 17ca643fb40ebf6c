//! Sends speech through a junction over wires that lose packets, and writes what is heard at the other end, to be judged by
//! somebody who knows nothing of how it was done.
//!
//! ```text
//! lossy CLIPS OUT
//! ```
//!
//! `CLIPS/narrow/*.s16` are clips of 8 kHz, `CLIPS/wide/*.s16` of 16 kHz: 16 bits a sample, little-endian. For each way, each
//! loss and each seed there is a file `OUT/WAY/CLIP-SEED.s16` of 8 kHz, as long as the clip and in step with it. One line is
//! printed for each: the way, the clip, packets sent, packets lost, ticks made up, ticks recovered from redundancy, and by how
//! many samples what was heard had grown or shrunk.

#![expect(clippy::print_stdout, reason = "this is a program")]

#[expect(dead_code, reason = "written for the tests, which need all of it")]
#[path = "../tests/calls/wire.rs"]
mod wire;

#[path = "../tests/calls/gilbert.rs"]
mod gilbert;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use media::{Profile, codec::g711::Law};

use gilbert::Gilbert;
use wire::{CLEAN, Call, Input, carrier_packets, later, ms, repeating, room_packets_at, terms};

/// Seeds for each clip: which packets are lost is chance, and one chance is not enough. Of wide clips there are fewer.
const NARROW_SEEDS: u64 = 3;
const WIDE_SEEDS: u64 = 8;
/// The loss that a participant who codes redundancy expects, in percent, and the loss that we do.
const PARTICIPANT_EXPECTS: u8 = 20;
const WE_EXPECT: u8 = 10;
/// Of the chirps around each clip, which are never lost: by them the file is cut, and its length is measured.
const CHIRP: usize = 800;
/// Silence between a chirp and the clip.
const REST: usize = 1_600;

/// Within so many samples of either end there is a chirp, and no more of the clip than could be mistaken for one.
const EDGE: usize = CHIRP + 3 * REST;

/// One way to lose.
struct Way {
    name: &'static str,
    side: Side,
    /// Packets lost, in percent, and how many in a row.
    loss: u8,
    row: Option<f64>,
}

#[derive(Clone, Copy)]
enum Side {
    /// The carrier's packets are lost.
    Carrier,
    /// The packets of a participant are lost, who codes redundancy or does not.
    Room { redundancy: bool },
    /// The same of one who codes none, and repeats so many packets in each.
    Red { reach: usize },
    /// Our packets are lost on their way to a participant, and we code redundancy or do not.
    Subscriber { redundancy: bool },
}

const WITH: bool = true;
const WITHOUT: bool = false;

const fn way(name: &'static str, side: Side, loss: u8, row: Option<f64>) -> Way {
    Way { name, side, loss, row }
}

const WAYS: &[Way] = &[
    way("carrier-0", Side::Carrier, 0, None),
    way("carrier-3", Side::Carrier, 3, None),
    way("carrier-5", Side::Carrier, 5, None),
    way("carrier-10", Side::Carrier, 10, None),
    way("carrier-3-rows", Side::Carrier, 3, Some(3.0)),
    way("carrier-5-rows", Side::Carrier, 5, Some(3.0)),
    way("carrier-10-rows", Side::Carrier, 10, Some(3.0)),
    way("room-0", Side::Room { redundancy: WITHOUT }, 0, None),
    way("room-3", Side::Room { redundancy: WITHOUT }, 3, None),
    way("room-5", Side::Room { redundancy: WITHOUT }, 5, None),
    way("room-10", Side::Room { redundancy: WITHOUT }, 10, None),
    way("room-10-rows", Side::Room { redundancy: WITHOUT }, 10, Some(3.0)),
    way("room-fec-3", Side::Room { redundancy: WITH }, 3, None),
    way("room-fec-5", Side::Room { redundancy: WITH }, 5, None),
    way("room-fec-10", Side::Room { redundancy: WITH }, 10, None),
    way("room-fec-10-rows", Side::Room { redundancy: WITH }, 10, Some(3.0)),
    way("room-red-5", Side::Red { reach: 2 }, 5, None),
    way("room-red-10", Side::Red { reach: 2 }, 10, None),
    way("room-red-3-rows", Side::Red { reach: 2 }, 3, Some(3.0)),
    way("room-red-5-rows", Side::Red { reach: 2 }, 5, Some(3.0)),
    way("room-red-10-rows", Side::Red { reach: 2 }, 10, Some(3.0)),
    way("room-red-20", Side::Red { reach: 2 }, 20, None),
    way("room-red-one-10", Side::Red { reach: 1 }, 10, None),
    way("subscriber-3", Side::Subscriber { redundancy: WITHOUT }, 3, None),
    way("subscriber-5", Side::Subscriber { redundancy: WITHOUT }, 5, None),
    way("subscriber-10", Side::Subscriber { redundancy: WITHOUT }, 10, None),
    way("subscriber-fec-3", Side::Subscriber { redundancy: WITH }, 3, None),
    way("subscriber-fec-5", Side::Subscriber { redundancy: WITH }, 5, None),
    way("subscriber-fec-10", Side::Subscriber { redundancy: WITH }, 10, None),
];

/// What came of one clip.
struct Heard {
    samples: Vec<i16>,
    lost: usize,
    concealed: u64,
    recovered: u64,
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [clips, out] = arguments.as_slice() else {
        println!("usage: lossy CLIPS OUT");
        std::process::exit(2);
    };
    for way in WAYS {
        let (rate, folder, seeds) = match way.side {
            Side::Room { .. } | Side::Red { .. } => (16_000, "wide", WIDE_SEEDS),
            Side::Carrier | Side::Subscriber { .. } => (8_000, "narrow", NARROW_SEEDS),
        };
        fs::create_dir_all(out.join(way.name))?;
        for clip in files(&clips.join(folder))? {
            let name = clip.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let samples = read(&clip)?;
            for seed in 0..if way.loss == 0 { 1 } else { seeds } {
                run(way, rate, &samples, seed, &name, out)?;
            }
        }
    }
    Ok(())
}

fn run(way: &Way, rate: u32, clip: &[i16], seed: u64, name: &str, out: &Path) -> std::io::Result<()> {
    let said = framed(rate, clip);
    // The clip is what may be lost, in whole packets; the chirps around it are not.
    let frames = (REST + CHIRP + REST) / 160..(REST + CHIRP + REST + clip.len() * 8_000 / rate as usize) / 160;
    let mut wire = Gilbert::new(f64::from(way.loss) / 100.0, way.row, seed.wrapping_mul(0x5851_f42d) ^ hash(name));
    let loses = |packet: usize| frames.contains(&packet) && wire.loses();
    let heard = match way.side {
        Side::Carrier => from_carrier(&said, loses),
        Side::Room { redundancy } => {
            let expected = if redundancy { PARTICIPANT_EXPECTS } else { 0 };
            from_room(rate, &said, room_packets_at(rate, &said, 7, expected.into()), loses)
        }
        Side::Red { reach } => from_room(rate, &said, repeating(&room_packets_at(rate, &said, 7, 0), reach), loses),
        Side::Subscriber { redundancy } => to_subscriber(&said, if redundancy { WE_EXPECT } else { 0 }, loses),
    };
    let length = clip.len() * 8_000 / rate as usize;
    let chirp = chirp(8_000);
    let end = heard.samples.len() - EDGE;
    let (first, last) = (find(&chirp, &heard.samples[..EDGE]), end + find(&chirp, &heard.samples[end..]));
    let drift = (last - first) as i64 - (CHIRP + REST + length + REST) as i64;
    let from = first + CHIRP + REST;
    write(&out.join(way.name).join(format!("{name}-{seed}.s16")), &heard.samples[from..from + length])?;
    let Heard { lost, concealed, recovered, .. } = heard;
    println!("{} {name}-{seed} {} {lost} {concealed} {recovered} {drift}", way.name, frames.len());
    Ok(())
}

/// What the room hears of a carrier whose packets are lost.
fn from_carrier(said: &[i16], mut loses: impl FnMut(usize) -> bool) -> Heard {
    let packets = carrier_packets(said, Law::Mu, 0, 20);
    let (kept, lost) = losing(packets, &mut loses);
    let mut call = Call::new(&terms("0", ""));
    call.send(CLEAN, kept);
    call.run(time(said.len(), 8_000));
    let concealed = call.junction.report().carrier_concealed;
    Heard { samples: call.heard_by_room(), lost, concealed, recovered: 0 }
}

/// What the carrier hears of a participant whose packets are lost.
fn from_room(rate: u32, said: &[i16], packets: Packets, mut loses: impl FnMut(usize) -> bool) -> Heard {
    let (kept, lost) = losing(packets, &mut loses);
    let mut call = Call::heard(&terms("0", ""));
    call.send(CLEAN, later(ms(100), kept));
    call.run(ms(300) + time(said.len(), rate));
    let report = call.junction.report();
    Heard {
        samples: call.heard_by_carrier(Law::Mu),
        lost,
        concealed: report.room_concealed,
        recovered: report.room_recovered,
    }
}

/// What a participant hears of a carrier when our packets are lost on the way. It decodes as any receiver does: redundancy
/// when the next packet has some, which libopus sees for itself, else what libopus makes up.
fn to_subscriber(said: &[i16], expected: u8, mut loses: impl FnMut(usize) -> bool) -> Heard {
    let mut call = Call::new(&terms("0", ""));
    call.junction.set_profile(Profile { loss: expected, ..Profile::default() }).expect("a profile");
    call.send(CLEAN, carrier_packets(said, Law::Mu, 0, 20));
    call.run(time(said.len(), 8_000));
    let frames = call.room();
    let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).expect("a decoder");
    let mut samples = Vec::new();
    let kept: Vec<bool> = (0..frames.len()).map(|packet| !loses(packet)).collect();
    for (packet, (_, _, payload)) in frames.iter().enumerate() {
        let mut pcm = [0; 160];
        let next = frames.get(packet + 1).filter(|_| kept.get(packet + 1) == Some(&true));
        let done = match (kept[packet], next) {
            (true, _) => decoder.decode(payload, &mut pcm, false),
            (false, Some((_, _, next))) => decoder.decode(next, &mut pcm, true),
            (false, None) => decoder.decode(&[], &mut pcm, false),
        };
        done.expect("valid Opus");
        samples.extend_from_slice(&pcm);
    }
    let lost = kept.iter().filter(|kept| !**kept).count();
    Heard { samples, lost, concealed: 0, recovered: 0 }
}

type Packets = Vec<(Duration, Input)>;

fn losing(packets: Packets, loses: &mut impl FnMut(usize) -> bool) -> (Packets, usize) {
    let sent = packets.len();
    let kept: Packets = packets.into_iter().enumerate().filter(|(n, _)| !loses(*n)).map(|(_, packet)| packet).collect();
    let lost = sent - kept.len();
    (kept, lost)
}

/// A clip between two chirps, in whole frames.
fn framed(rate: u32, clip: &[i16]) -> Vec<i16> {
    let scale = rate as usize / 8_000;
    let mut framed = Vec::new();
    let chirp = chirp(rate);
    for part in [&vec![0; REST * scale], &chirp, &vec![0; REST * scale], clip, &vec![0; REST * scale], &chirp] {
        framed.extend_from_slice(part);
    }
    let frame = rate as usize / 50;
    framed.resize((framed.len() + REST * scale).div_ceil(frame) * frame, 0);
    framed
}

/// A tone that rises from 300 Hz to 3 kHz.
fn chirp(rate: u32) -> Vec<i16> {
    let count = CHIRP * rate as usize / 8_000;
    let seconds = count as f64 / f64::from(rate);
    let samples = (0..count).map(|n| {
        let t = n as f64 / f64::from(rate);
        let angle = std::f64::consts::TAU * (300.0 * t + 1_350.0 * t * t / seconds);
        (angle.sin() * 6_000.0) as i16
    });
    samples.collect()
}

/// Where the chirp is.
fn find(chirp: &[i16], samples: &[i16]) -> usize {
    let sum =
        |pairs: &mut dyn Iterator<Item = (i16, i16)>| -> f64 { pairs.map(|(a, b)| f64::from(a) * f64::from(b)).sum() };
    let likeness = |at: usize| {
        let part = &samples[at..at + chirp.len()];
        let energy = sum(&mut part.iter().map(|a| (*a, *a)));
        sum(&mut part.iter().copied().zip(chirp.iter().copied())) / (energy + 1.0).sqrt()
    };
    let places = 0..samples.len().saturating_sub(chirp.len());
    places.max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap_or(0)
}

fn time(samples: usize, rate: u32) -> Duration {
    ms(samples as u64 * 1_000 / u64::from(rate) + 200)
}

fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> std::io::Result<Vec<i16>> {
    Ok(fs::read(file)?.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

fn write(file: &Path, samples: &[i16]) -> std::io::Result<()> {
    fs::write(file, samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())
}
