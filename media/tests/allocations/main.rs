//! Thousands of packets each way, with loss, pauses and mixing: nothing is allocated.

mod call;
mod counting;
mod desk;
mod opus;
mod sealed;
mod telephone;
mod tones;
mod wire;
