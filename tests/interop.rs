//! The gateway among real peers, one module a behaviour.

#[path = "interop/api.rs"]
mod api;
#[path = "interop/attributes.rs"]
mod attributes;
#[path = "interop/carriers.rs"]
mod carriers;
#[path = "interop/commands.rs"]
mod commands;
#[path = "interop/digest.rs"]
mod digest;
#[path = "interop/every_call.rs"]
mod every_call;
#[path = "interop/front_door.rs"]
mod front_door;
#[path = "interop/hangup.rs"]
mod hangup;
#[path = "interop/keys.rs"]
mod keys;
#[path = "interop/last_word.rs"]
mod last_word;
#[path = "interop/leaks.rs"]
mod leaks;
#[path = "interop/leaks_outbound.rs"]
mod leaks_outbound;
#[path = "interop/load.rs"]
mod load;
#[path = "interop/loss.rs"]
mod loss;
#[path = "interop/loss_of_room.rs"]
mod loss_of_room;
#[path = "interop/outbound.rs"]
mod outbound;
#[path = "interop/participants.rs"]
mod participants;
#[path = "interop/peers.rs"]
mod peers;
#[path = "interop/redundant.rs"]
mod redundant;
#[path = "interop/silence.rs"]
mod silence;
#[path = "interop/stir.rs"]
mod stir;
#[path = "interop/store.rs"]
mod store;
#[path = "interop/timers.rs"]
mod timers;
#[path = "interop/transfer.rs"]
mod transfer;
#[path = "interop/transports.rs"]
mod transports;
#[path = "interop/two_gateways.rs"]
mod two_gateways;
#[path = "interop/warm_transfer.rs"]
mod warm_transfer;
