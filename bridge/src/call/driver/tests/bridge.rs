//! A transfer inside the gateway; the test plays the phone task and both calls.

use super::super::bridge::{Bridge, run};
use super::*;
use crate::call::transfer::Input as Outcome;
use crate::phone::{Ask, CallInfo, Placed, Transfer};

const TRUNKS: &str = "outbound_trunks: [{name: out, address: h, numbers: ['1'], default_outbound: true}]";

fn info(id: &str) -> CallInfo {
    CallInfo {
        id: id.into(),
        direction: Direction::Inbound,
        status: "active",
        room: "lobby".into(),
        identity: id.into(),
        participant_id: String::new(),
        from: String::new(),
        to: String::new(),
        trunk_id: String::new(),
        rule_id: String::new(),
        sip_call_id: String::new(),
        started_at: SystemTime::now(),
        answered_at: None,
        held: false,
        transferring: true,
    }
}

/// What became of the transfer, and the last order of the one who was transferred, where the callee hangs up at this point.
async fn hung_up(before_the_move: bool) -> (Outcome, Option<Order>) {
    let objects = Arc::new(arc_swap::ArcSwap::from_pointee(snapshot(TRUNKS)));
    let registry = Registry::default();
    let (switchboard, mut asks) = Switchboard::new(registry.clone());
    let (give, mut caller) = mpsc::channel(8);
    let _caller = registry.list(info("SCL_caller"), give);
    let wanted = Transfer {
        to: "tel:+15550500".into(),
        headers: Vec::new(),
        ringing_timeout: Duration::from_secs(30),
        play_dialtone: false,
    };
    let bridge = Bridge {
        switchboard,
        placer: Placer::new(objects, "127.0.0.1", placing::Defaults::default()),
        call: "SCL_caller".into(),
        transfer: "STR_1".into(),
        trunk: String::new(),
        wanted,
    };
    let task = tokio::spawn(run(bridge));
    let Some(Ask::Place(placement, tell)) = asks.recv().await else { panic!("no call") };
    let (give, callee) = mpsc::channel(8);
    let callee = (registry.list(info(&placement.call_id), give), callee);
    let placed = Placed {
        participant_id: "PA_1".into(),
        participant_identity: "callee".into(),
        room_name: "transfer-STR_1".into(),
        sip_call_id: placement.call_id.clone(),
    };
    tell.send(Progress::Joined(placed)).await.unwrap();
    tell.send(Progress::Answered).await.unwrap();
    let Some(Order::Move(room, reply)) = caller.recv().await else { panic!("no move") };
    assert_eq!(room.as_str(), "transfer-STR_1");
    drop(callee);
    let result = if before_the_move { Err(CallError::RoomRefused) } else { Ok(()) };
    reply.send(result).unwrap();
    let outcome = tokio::time::timeout(LIMIT, task).await.unwrap().unwrap();
    (outcome, caller.try_recv().ok())
}

#[tokio::test]
async fn nobody_is_left_alone_in_the_room_of_a_transfer() {
    let (outcome, order) = hung_up(false).await;
    assert!(matches!(outcome, Outcome::BridgeFailed { .. }), "{outcome:?}");
    assert!(matches!(order, Some(Order::Hangup(EndReason::BridgeOver))), "{order:?}");
    let (outcome, order) = hung_up(true).await;
    assert!(matches!(outcome, Outcome::BridgeFailed { .. }), "{outcome:?}");
    assert!(order.is_none(), "the call stays where it is: {order:?}");
}
