//! The gateway among real peers, one module a behaviour.

#[path = "interop/carriers.rs"]
mod carriers;
#[path = "interop/commands.rs"]
mod commands;
#[path = "interop/digest.rs"]
mod digest;
#[path = "interop/hangup.rs"]
mod hangup;
#[path = "interop/leaks.rs"]
mod leaks;
#[path = "interop/load.rs"]
mod load;
#[path = "interop/loss_of_room.rs"]
mod loss_of_room;
#[path = "interop/participants.rs"]
mod participants;
#[path = "interop/peers.rs"]
mod peers;
#[path = "interop/transports.rs"]
mod transports;
