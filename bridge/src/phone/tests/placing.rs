//! Calls that are asked for: those that may not be placed, and those that are given up.

use livekit_protocol as proto;

use super::*;
use crate::dispatch::outbound::{Code, Context, Defaults, Placement, place};
use crate::phone::CallError;

/// A trunk whose carrier never says a word.
const OUT: &str = "outbound_trunks:
- {name: out, address: \"127.0.0.1:9\", numbers: ['+15550100'], max_calls: 2}
- {name: slow, address: \"127.0.0.1:9\", numbers: ['+15550100'], calls_per_second: 1}
";

struct Desk {
    switchboard: Switchboard,
    objects: Arc<ArcSwap<Snapshot>>,
    _stop: watch::Sender<Stop>,
    active: watch::Receiver<usize>,
}

async fn desk(yaml: &str) -> Desk {
    let Bed { phone, events, _stop, _active: active } = bed(yaml).await;
    let (switchboard, objects) = (phone.switchboard(), Arc::clone(&phone.objects));
    tokio::spawn(phone.run(events));
    Desk { switchboard, objects, _stop, active }
}

impl Desk {
    fn placement(&self, trunk: &str, is_awaited: bool) -> Placement {
        let request = proto::CreateSipParticipantRequest {
            sip_trunk_id: trunk.into(),
            sip_call_to: "+15550199".into(),
            room_name: "lobby".into(),
            wait_until_answered: is_awaited,
            ..proto::CreateSipParticipantRequest::default()
        };
        let context = Context {
            call_id: new_id("SCL_"),
            random: [7; 16],
            own_host: "127.0.0.1".into(),
            defaults: Defaults::default(),
        };
        place(&self.objects.load(), &request, &context).unwrap()
    }

    /// Places a call that nobody hears of any more.
    fn begin(&self, trunk: &str) -> task::JoinHandle<Result<Placed, CallError>> {
        let (switchboard, placement) = (self.switchboard.clone(), self.placement(trunk, true));
        tokio::spawn(async move { switchboard.place(placement).await })
    }

    async fn calls(&mut self, wanted: usize) {
        timeout(LIMIT, self.active.wait_for(|calls| *calls == wanted)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_draining_gateway_places_no_call() {
    let desk = desk(OUT).await;
    desk.switchboard.drain();
    let error = desk.switchboard.place(desk.placement("out", false)).await.unwrap_err();
    assert_eq!((&error, error.code()), (&CallError::Draining, Code::Unavailable));
    assert!(desk.switchboard.calls().is_empty());
}

#[tokio::test]
async fn a_trunk_has_as_many_calls_as_it_may_have_and_no_more() {
    let mut desk = desk(OUT).await;
    let (first, _second) = (desk.begin("out"), desk.begin("out"));
    desk.calls(2).await;
    let error = desk.switchboard.place(desk.placement("out", false)).await.unwrap_err();
    assert_eq!((&error, error.code()), (&CallError::Caps(Cap::Calls(2)), Code::ResourceExhausted));
    first.abort();
    desk.calls(1).await;
    let _third = desk.begin("out");
    desk.calls(2).await;
}

#[tokio::test]
async fn a_trunk_begins_as_many_calls_a_second_as_it_may() {
    let mut desk = desk(OUT).await;
    let first = desk.begin("slow");
    desk.calls(1).await;
    let error = desk.switchboard.place(desk.placement("slow", false)).await.unwrap_err();
    assert_eq!(error, CallError::Caps(Cap::Rate(1)));
    first.abort();
}

#[tokio::test]
async fn calls_that_are_placed_count_toward_the_limit_of_the_gateway() {
    let mut desk = desk(&format!("max_active_calls: 1\n{OUT}")).await;
    let _first = desk.begin("out");
    desk.calls(1).await;
    let error = desk.switchboard.place(desk.placement("out", false)).await.unwrap_err();
    assert_eq!((&error, error.code()), (&CallError::Caps(Cap::Gateway(1)), Code::ResourceExhausted));
}

#[tokio::test]
async fn a_call_can_be_looked_up_and_hung_up_and_is_gone() {
    let mut desk = desk(OUT).await;
    let waiting = desk.begin("out");
    desk.calls(1).await;
    let [call] = &desk.switchboard.calls()[..] else { panic!("one call") };
    assert_eq!((call.status, call.direction, call.to.as_str()), ("dialing", Direction::Outbound, "+15550199"));
    assert_eq!(desk.switchboard.call(&call.id).as_ref(), Some(call));
    desk.switchboard.hang_up(&call.id).await.unwrap();
    assert_eq!(timeout(LIMIT, waiting).await.unwrap().unwrap(), Err(CallError::Ended));
    desk.calls(0).await;
    assert_eq!(desk.switchboard.hang_up(&call.id).await, Err(CallError::NotOurs));
}

#[tokio::test]
async fn participants_of_others_are_not_ours() {
    let desk = desk(OUT).await;
    let who = Participant { room: "lobby".into(), identity: "somebody".into() };
    let room = crate::dispatch::RoomName::new("other").unwrap();
    assert_eq!(desk.switchboard.move_to(&who, room).await, Err(CallError::NotOurs));
    let transfer = Transfer {
        to: "tel:+15550123".into(),
        headers: Vec::new(),
        ringing_timeout: Duration::from_secs(1),
        play_dialtone: false,
    };
    assert_eq!(desk.switchboard.transfer(&who, transfer).await, Err(CallError::NotOurs));
}

#[tokio::test]
async fn a_call_that_is_not_answered_cannot_be_transferred() {
    let mut desk = desk(OUT).await;
    let _hold = desk.begin("out");
    desk.calls(1).await;
    let [call] = &desk.switchboard.calls()[..] else { panic!("one call") };
    let who = Participant { room: call.room.clone(), identity: call.identity.clone() };
    let transfer = Transfer {
        to: "tel:+15550123".into(),
        headers: Vec::new(),
        ringing_timeout: Duration::from_secs(1),
        play_dialtone: false,
    };
    assert_eq!(desk.switchboard.transfer(&who, transfer).await, Err(CallError::NotActive));
}

#[tokio::test]
async fn a_call_that_nobody_waited_to_see_in_its_room_is_not_made() {
    let mut desk = desk(OUT).await;
    let (switchboard, placement) = (desk.switchboard.clone(), desk.placement("out", false));
    let asking = tokio::spawn(async move { switchboard.place(placement).await });
    desk.calls(1).await;
    asking.abort();
    desk.calls(0).await;
}
