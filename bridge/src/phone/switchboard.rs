//! What the APIs ask of calls: place one, transfer, move and hang up those that are there, and list them.
//!
//! A [`Switchboard`] is a handle. New calls are asked of the phone task, which knows how many there are; everything about
//! a call that is there goes straight to the task of that call. All queues are bounded and every wait has a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use livekit_protocol::{SipTransferReason, SipTransferStatus};
use sip::HeaderName;
use tokio::sync::{mpsc, oneshot};

use super::registry::Registry;
use super::{CallError, CallInfo};
use crate::call::end::EndReason;
use crate::call::order::{Order, Progress};
use crate::dispatch::RoomName;
use crate::dispatch::outbound::Placement;

/// Calls that wait to be placed. Beyond them a caller of the API waits, and not for long.
const ASKS: usize = 64;
/// How long a task may take to note what it is asked.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// Finding the carrier and joining the room, each with a limit of its own.
const JOIN_LIMIT: Duration = Duration::from_secs(30);
/// For what follows a ringing timeout, or a move, before the API gives up its own wait.
const SLACK: Duration = Duration::from_secs(15);
/// News of one call on its way to whoever placed it: a handful.
const PROGRESS: usize = 8;

/// Whose call is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// The room.
    pub room: String,
    /// The participant in it.
    pub identity: String,
}

/// A call that was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// `PA_…`
    pub participant_id: String,
    /// As whom it stands in the room.
    pub participant_identity: String,
    /// The room.
    pub room_name: String,
    /// Our id of the call, `SCL_…`.
    pub sip_call_id: String,
}

/// A transfer that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The checked value of Refer-To.
    pub to: String,
    /// More headers for the REFER.
    pub headers: Vec<(HeaderName, String)>,
    /// How long the new callee may take to answer.
    pub ringing_timeout: Duration,
    /// The phone hears ringing meanwhile.
    pub play_dialtone: bool,
}

/// A transfer that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// `STR_…`
    pub transfer_id: String,
    /// How far it is.
    pub status: SipTransferStatus,
    /// How it came to that.
    pub reason: SipTransferReason,
    /// The status that the other side reported.
    pub sip_status: Option<(u16, String)>,
}

/// The way to the calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Switchboard {
    asks: mpsc::Sender<Ask>,
    registry: Registry,
    draining: Arc<AtomicBool>,
}

/// What the phone task is asked.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Place a call, and tell how it goes.
    Place(Box<Placement>, mpsc::Sender<Progress>),
}

impl Switchboard {
    pub(crate) fn new(registry: Registry) -> (Self, mpsc::Receiver<Ask>) {
        let (asks, receiver) = mpsc::channel(ASKS);
        (Self { asks, registry, draining: Arc::default() }, receiver)
    }

    /// Places a call. Returns when it stands in its room, or, with `wait_until_answered`, when it is answered. A wait
    /// that is given up (the future is dropped) takes the call with it.
    pub async fn place(&self, placement: Placement) -> Result<Placed, CallError> {
        let is_awaited = placement.wait_until_answered;
        let limit = if is_awaited { JOIN_LIMIT + placement.seat.ringing_timeout + SLACK } else { JOIN_LIMIT };
        let mut progress = self.start(placement).await?;
        let placed = async {
            let mut placed = None;
            while let Some(news) = progress.recv().await {
                match news {
                    Progress::Joined(joined) if is_awaited => placed = Some(joined),
                    Progress::Joined(joined) => {
                        progress.close();
                        return Ok(joined);
                    }
                    Progress::Ringing => {}
                    Progress::Answered => return placed.ok_or(CallError::Gateway),
                    Progress::Failed(error) => return Err(error),
                }
            }
            Err(CallError::Gateway)
        };
        tokio::time::timeout(limit, placed).await.unwrap_or(Err(CallError::TimedOut))
    }

    /// Places a call and hands out its news. Whoever drops them before the answer does not want the call any more, unless
    /// the placement says that nobody waits for it.
    pub(crate) async fn start(&self, placement: Placement) -> Result<mpsc::Receiver<Progress>, CallError> {
        if self.is_draining() {
            return Err(CallError::Draining);
        }
        let (tell, progress) = mpsc::channel(PROGRESS);
        let ask = self.asks.send_timeout(Ask::Place(Box::new(placement), tell), ASK_LIMIT);
        ask.await.map_err(|_| CallError::Gateway)?;
        Ok(progress)
    }

    /// Transfers the phone of a participant to somebody else, and waits for what comes of it.
    pub async fn transfer(&self, who: &Participant, transfer: Transfer) -> Result<Transferred, CallError> {
        let id = self.registry.find(who).ok_or(CallError::NotOurs)?;
        // A bridged transfer comes after the refused one.
        let limit = JOIN_LIMIT + transfer.ringing_timeout * 2 + SLACK;
        self.ask(&id, limit, |reply| Order::Transfer(Box::new(transfer), reply)).await
    }

    /// Moves the participant of a call into another room.
    pub async fn move_to(&self, who: &Participant, room: RoomName) -> Result<(), CallError> {
        let id = self.registry.find(who).ok_or(CallError::NotOurs)?;
        self.move_call(&id, room).await
    }

    /// Moves a call into another room.
    pub(crate) async fn move_call(&self, id: &str, room: RoomName) -> Result<(), CallError> {
        self.ask(id, JOIN_LIMIT + SLACK, |reply| Order::Move(room, reply)).await
    }

    /// Hangs up a call.
    pub async fn hang_up(&self, id: &str) -> Result<(), CallError> {
        self.order(id, Order::Hangup(EndReason::LocalHangup)).await
    }

    /// Hands an order to the task of a call.
    pub(crate) async fn order(&self, id: &str, order: Order) -> Result<(), CallError> {
        let orders = self.registry.orders(id).ok_or(CallError::NotOurs)?;
        orders.send_timeout(order, ASK_LIMIT).await.map_err(|_| CallError::Ended)
    }

    /// The same for those who cannot wait. A call that takes no orders hangs, and is given up for other reasons.
    pub(crate) fn order_now(&self, id: &str, order: Order) {
        if let Some(orders) = self.registry.orders(id) {
            let _ = orders.try_send(order);
        }
    }

    /// All calls, the oldest first.
    pub fn calls(&self) -> Vec<CallInfo> {
        self.registry.all()
    }

    /// One call by its id, `SCL_…`.
    pub fn call(&self, id: &str) -> Option<CallInfo> {
        self.registry.one(id)
    }

    /// Refuses to place calls from now on, whoever asks.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether calls are refused because the gateway is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    async fn ask<T>(
        &self,
        id: &str,
        limit: Duration,
        order: impl FnOnce(oneshot::Sender<Result<T, CallError>>) -> Order,
    ) -> Result<T, CallError> {
        let (reply, answer) = oneshot::channel();
        self.order(id, order(reply)).await?;
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(CallError::Ended),
            Err(_) => Err(CallError::TimedOut),
        }
    }
}
