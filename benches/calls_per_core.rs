//! How many calls a core carries, as far as media goes: no sockets, no encryption.
//!
//! Calls are visited in turns, each with its own codec states, as the media thread does; speech never pauses. A core is counted
//! as full at 80 %.

use std::{hint::black_box, time::Duration};

use benches::{Call, carrier_packets, room_packets, timing::cpu_time};
use media::Profile;

const CALLS: usize = 200;
/// Frames of twenty milliseconds measured, after as many for warming up.
const FRAMES: usize = 100;

/// Budget: a call-second in under 2.5 ms at complexity 0 and under 4 ms at complexity 5.
#[expect(clippy::print_stdout, reason = "a bench is read on the terminal")]
fn main() {
    let (mut carrier, room) = (carrier_packets(), room_packets());
    println!("{:<12} {:>8} {:>16} {:>16}", "complexity", "talkers", "ms/call-second", "calls per core");
    for (complexity, talkers) in [(0, 0), (0, 1), (2, 1), (5, 1), (0, 2), (0, 3)] {
        let mut calls: Vec<Call> =
            (0..CALLS).map(|_| Call::new(Profile { complexity, ..Profile::default() })).collect();
        let mut spent = Duration::ZERO;
        for n in 0..2 * FRAMES {
            let before = cpu_time();
            for (offset, call) in calls.iter_mut().enumerate() {
                let frame = (n + 37 * offset) % room.len();
                call.tick();
                call.uplink(&mut carrier[frame], |payload| {
                    black_box(payload);
                });
                for talker in 0..talkers {
                    call.downlink(talker, &room[(frame + 50 * talker as usize) % room.len()], |datagram| {
                        black_box(datagram);
                    });
                }
            }
            if n >= FRAMES {
                spent += cpu_time() - before;
            }
        }
        let seconds = (CALLS * FRAMES) as f64 * 0.02;
        let each = spent.as_secs_f64() * 1_000.0 / seconds;
        println!("{complexity:<12} {talkers:>8} {each:>16.2} {:>16.0}", 800.0 / each);
    }
}
