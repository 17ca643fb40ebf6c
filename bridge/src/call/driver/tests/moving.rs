//! A call on its way from one room to another; the test plays both rooms.

use tokio::sync::oneshot;

use super::*;

struct Room {
    commands: mpsc::Receiver<rooms::Command>,
    tell: Option<mpsc::Sender<rooms::Event>>,
}

impl Room {
    fn new() -> (Self, rooms::driver::Handle) {
        let (give, commands) = mpsc::channel(32);
        let (tell, events) = mpsc::channel(8);
        (Self { commands, tell: Some(tell) }, rooms::driver::Handle { commands: give, events })
    }

    async fn tells(&self, event: rooms::Event) {
        self.tell.as_ref().unwrap().send(event).await.unwrap();
    }

    /// Waits until we leave, and lets us.
    async fn is_left(&mut self) {
        let left = async { while !matches!(self.commands.recv().await.unwrap(), rooms::Command::Leave(_)) {} };
        tokio::time::timeout(LIMIT, left).await.expect("we leave");
        self.tell = None;
    }
}

struct Moving {
    here: Room,
    there: Room,
    answer: oneshot::Receiver<Result<(), CallError>>,
    task: JoinHandle<EndReason>,
    sip: mpsc::Sender<sip::Event>,
    orders: mpsc::Sender<Order>,
    info: Box<dyn Fn() -> Option<crate::phone::CallInfo> + Send>,
    _bed: (mpsc::Receiver<sip::Event>, watch::Sender<Stop>),
}

/// A call that both sides hear, about to stand in another room.
async fn moving() -> Moving {
    let Bed { mut driver, sip, _sip_tells, _stop, .. } = active(TRUNK).await;
    let plane = driver.parts.plane.clone();
    driver.media.prepare(&plane).unwrap();
    let first = driver.media.room_side().unwrap();
    let side = driver.media.another_side().await.unwrap();
    let (here, handle) = Room::new();
    driver.room = Some(handle);
    let (there, handle) = Room::new();
    let (reply, answer) = oneshot::channel();
    let target = RoomName::new("there").unwrap();
    driver.moving = Some(Move::new(target, handle, side.side(), reply));
    let (give, orders) = mpsc::channel(8);
    driver.orders = orders;
    let (listed, id) = (driver.switchboard.clone(), driver.leg.id().to_owned());
    let task = tokio::spawn(async move {
        let _sides = (first, side);
        let reason = driver.run().await;
        driver.finish(reason, Instant::now()).await;
        reason
    });
    let info = Box::new(move || listed.call(&id));
    Moving { here, there, answer, task, sip, orders: give, info, _bed: (_sip_tells, _stop) }
}

fn joined() -> rooms::Event {
    let joined = rooms::Joined { room: "there".into(), participant_sid: "PA_2".into(), ..rooms::Joined::default() };
    rooms::Event::Joined(joined)
}

#[tokio::test]
async fn a_call_leaves_its_room_when_the_other_one_hears_it() {
    let mut call = moving().await;
    call.there.tells(joined()).await;
    call.there.tells(rooms::Event::Connected).await;
    let left = call.here.commands.recv().await;
    assert!(matches!(left, Some(rooms::Command::Leave(_))), "{left:?}");
    assert!(call.answer.try_recv().is_err(), "it still stands in two rooms, and could not be moved on");
    call.here.tell = None;
    assert_eq!(tokio::time::timeout(LIMIT, call.answer).await.unwrap(), Ok(Ok(())));
    let info = (call.info)().unwrap();
    assert_eq!((info.room.as_str(), info.participant_id.as_str()), ("there", "PA_2"));
    call.there.tells(rooms::Event::Ended(rooms::End::RoomDeleted)).await;
    call.there.is_left().await;
    assert_eq!(tokio::time::timeout(LIMIT, call.task).await.unwrap().unwrap(), EndReason::RoomDeleted);
}

#[tokio::test]
async fn a_room_that_does_not_take_the_call_changes_nothing() {
    let mut call = moving().await;
    call.there.tells(joined()).await;
    call.there.tells(rooms::Event::Ended(rooms::End::Removed)).await;
    let result = tokio::time::timeout(LIMIT, call.answer).await.unwrap().unwrap();
    assert_eq!(result, Err(CallError::RoomRefused));
    assert_eq!((call.info)().unwrap().room, "lobby");
    let (reply, answer) = oneshot::channel();
    call.orders.send(Order::Move(RoomName::new("lobby").unwrap(), reply)).await.unwrap();
    assert_eq!(answer.await, Ok(Ok(())), "where it stands already");
    assert!(!call.task.is_finished());
    call.there.is_left().await;
    while let Ok(command) = call.here.commands.try_recv() {
        assert!(!matches!(command, rooms::Command::Leave(_)));
    }
}

#[tokio::test]
async fn a_call_that_ends_on_its_way_leaves_both_rooms() {
    let mut call = moving().await;
    call.there.tells(joined()).await;
    drop(call.sip);
    call.there.is_left().await;
    call.here.is_left().await;
    assert_eq!(tokio::time::timeout(LIMIT, call.answer).await.unwrap(), Ok(Err(CallError::Ended)));
    assert_eq!(tokio::time::timeout(LIMIT, call.task).await.unwrap().unwrap(), EndReason::GatewayFault);
}

#[tokio::test]
async fn another_move_waits_for_the_end_of_this_one() {
    let mut call = moving().await;
    let (reply, elsewhere) = oneshot::channel();
    call.orders.send(Order::Move(RoomName::new("elsewhere").unwrap(), reply)).await.unwrap();
    assert_eq!(elsewhere.await, Ok(Err(CallError::Busy("moved"))));
    let (reply, same) = oneshot::channel();
    call.orders.send(Order::Move(RoomName::new("there").unwrap(), reply)).await.unwrap();
    call.there.tells(joined()).await;
    call.there.tells(rooms::Event::Connected).await;
    call.here.is_left().await;
    assert_eq!((call.answer.await, same.await), (Ok(Ok(())), Ok(Ok(()))), "the same move has one end");
}
