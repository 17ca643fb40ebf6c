//! What it saves to leave out what nobody says: a conversation in which a caller talks for 45 % of the time.
//!
//! `cargo bench -p benches --bench silence -- --check` only takes the ratios, and fails when a promise is not kept.

use std::hint::black_box;

use benches::{
    Call, FRAME,
    allocations::{Counting, allocations_during},
    carrier_packets, packets_of, speech,
    timing::{Table, compare},
};
use media::{Profile, frame::level};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Frames talked at a time and then listened for: 2.4 and 2.94 seconds.
const TALK: usize = 120;
const PAUSE: usize = 147;
/// The noise of the line, in -dBov.
const LINE: u8 = 60;
/// So quiet, a frame of speech is between words.
const QUIET: u8 = 40;

fn gated(complexity: u8) -> Profile {
    Profile { dtx: true, ..open(complexity) }
}

fn open(complexity: u8) -> Profile {
    Profile { complexity, ..Profile::default() }
}

/// The speech in five parts, each with a pause after it, over the noise of a line.
fn conversation() -> Vec<[i16; FRAME]> {
    let peak = 32_768.0 * 3f32.sqrt() * 10f32.powf(-f32::from(LINE) / 20.0);
    let mut random = 1u32;
    let mut noise = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random.cast_signed() as f32 / 2_147_483_648.0 * peak) as i16
    };
    let speech = speech();
    let stretches = speech.chunks(TALK).flat_map(|talk| talk.iter().copied().chain([[0; FRAME]; PAUSE]));
    stretches.map(|frame| frame.map(|sample| sample.saturating_add(noise()))).collect()
}

/// A run of a call over packets, again and again; gives the frames that left.
fn run(call: &mut Call, packets: &mut [Vec<u8>]) -> usize {
    let mut left = 0;
    for datagram in packets {
        call.tick();
        call.uplink(datagram, |payload| left += usize::from(black_box(payload).len() > 1));
    }
    left
}

/// Budget: 0.58 times the same without leaving anything out, and 0.6 times talk without a pause.
fn conversation_costs(table: &mut Table) {
    let (mut packets, mut talk) = (packets_of(&conversation()), carrier_packets());
    let share = 600.0 / packets.len() as f64;
    assert!((0.445..0.455).contains(&share), "{share} of it is talk");
    for complexity in [0, 5] {
        let (mut ours, mut reference) = (Call::new(gated(complexity)), Call::new(open(complexity)));
        let mut same = packets.clone();
        let compared = compare(
            same.len(),
            || {
                run(&mut ours, &mut packets);
            },
            || {
                run(&mut reference, &mut same);
            },
        );
        table.promise(&format!("45 % talk, silence left out / all sent, complexity {complexity}"), compared, 0.58);
        let mut without_pause: Vec<_> = talk.iter().cycle().take(packets.len()).cloned().collect();
        let compared = compare(
            without_pause.len(),
            || {
                run(&mut ours, &mut packets);
            },
            || {
                run(&mut reference, &mut without_pause);
            },
        );
        table.promise(&format!("45 % talk, silence left out / talk alone, complexity {complexity}"), compared, 0.6);
    }
    let mut call = Call::new(gated(0));
    run(&mut call, &mut talk);
    table.never("allocations in 26 s of it", allocations_during(|| _ = run(&mut call, &mut packets)));
}

/// Budget: what the gate costs where it never closes is 0.5 % of a frame.
fn talk_costs(table: &Table) {
    let loud: Vec<_> = speech().into_iter().filter(|frame| level(frame) < QUIET).collect();
    let (mut packets, mut same) = (packets_of(&loud), packets_of(&loud));
    let (mut ours, mut reference) = (Call::new(gated(0)), Call::new(open(0)));
    assert_eq!(run(&mut ours, &mut packets), loud.len(), "nothing is left out of talk");
    let compared = compare(
        loud.len(),
        || {
            run(&mut ours, &mut packets);
        },
        || {
            run(&mut reference, &mut same);
        },
    );
    table.ratio("talk without a pause, with the gate / without", compared, 1.005);
}

fn main() {
    let mut table = Table::default();
    conversation_costs(&mut table);
    talk_costs(&table);
    table.finish();
}
