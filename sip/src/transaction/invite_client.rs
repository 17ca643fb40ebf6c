//! INVITE client transaction ([RFC 3261 §17.1.1] as amended by [RFC 6026 §7.2]).
//!
//! ```text
//!            1xx                  2xx
//! Calling ───────► Proceeding ───────────► Accepted ──M──► Terminated
//!    │ A: resend       │ 3xx-6xx: ACK
//!    │ B: timed out    └─────────────────► Completed ──D──► Terminated
//!    └ abandoned ──► Quiet: nothing is sent any more, but what still comes is dealt with as above
//! ```
//!
//! [RFC 3261 §17.1.1]: https://www.rfc-editor.org/rfc/rfc3261#section-17.1.1
//! [RFC 6026 §7.2]: https://www.rfc-editor.org/rfc/rfc6026#section-7.2

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Output, PATIENCE, Resend, TIMER_D, earliest};

/// What can happen to the transaction besides time.
#[derive(Debug)]
pub(crate) enum Input {
    /// A 1xx came.
    Provisional,
    /// A 2xx came, the first, a repeated one, or one of another fork.
    Success,
    /// A 3xx-6xx came; `ack` is what it is acknowledged with, hop by hop.
    Failure { ack: Bytes },
    /// The transport could not carry the request.
    TransportError,
    /// Another way is tried: this one is not used any more, though an answer may still come from there.
    Abandon,
    /// What it was a part of is over. Its answer is owed, and may never come.
    Orphan,
}

/// One INVITE that we sent.
#[derive(Debug)]
pub(crate) struct InviteClient {
    state: State,
    reliable: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Calling { request: Bytes, resend: Option<Resend>, give_up: Instant },
    // No timer here: how long it may ring is for the user to say.
    Proceeding,
    // Nobody waits for this one, so it may not last for ever.
    Quiet { give_up: Instant, is_heard: bool },
    Completed { ack: Bytes, linger_until: Instant },
    Accepted { linger_until: Instant },
    Terminated,
}

impl InviteClient {
    pub(crate) fn new(now: Instant, request: Bytes, reliable: bool) -> Self {
        let outputs = VecDeque::from([Output::Send(request.clone())]);
        // Timer A has no ceiling but Timer B.
        let resend = (!reliable).then(|| Resend::doubling(now, PATIENCE));
        Self { state: State::Calling { request, resend, give_up: now + PATIENCE }, reliable, outputs }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        self.state = match (mem::replace(&mut self.state, State::Terminated), input) {
            (State::Calling { .. } | State::Proceeding, Input::Provisional) => {
                self.outputs.push_back(Output::Deliver);
                State::Proceeding
            }
            // Time for a CANCEL and what it brings, once.
            (State::Quiet { give_up, is_heard }, Input::Provisional) => {
                self.outputs.push_back(Output::Deliver);
                State::Quiet { give_up: if is_heard { give_up } else { now + PATIENCE }, is_heard: true }
            }
            (State::Calling { .. } | State::Proceeding | State::Quiet { .. }, Input::Success) => {
                self.outputs.push_back(Output::Deliver);
                State::Accepted { linger_until: now + PATIENCE }
            }
            // The user acknowledges each 2xx, also repeated ones and those of other forks.
            (State::Accepted { linger_until }, Input::Success) => {
                self.outputs.push_back(Output::Deliver);
                State::Accepted { linger_until }
            }
            // A fork that answers although another has refused for all (RFC 3261 §16.7 passes on every 2xx).
            (State::Completed { .. }, Input::Success) => {
                self.outputs.push_back(Output::Deliver);
                State::Accepted { linger_until: now + PATIENCE }
            }
            (State::Calling { .. } | State::Proceeding | State::Quiet { .. }, Input::Failure { ack }) => {
                self.outputs.extend([Output::Send(ack.clone()), Output::Deliver]);
                let linger = if self.reliable { Duration::ZERO } else { TIMER_D };
                State::Completed { ack, linger_until: now + linger }
            }
            (State::Completed { ack, linger_until }, Input::Failure { .. }) => {
                self.outputs.push_back(Output::Send(ack.clone()));
                State::Completed { ack, linger_until }
            }
            (State::Calling { .. }, Input::TransportError) => {
                self.outputs.push_back(Output::Unreachable);
                State::Terminated
            }
            (State::Calling { give_up, .. }, Input::Abandon) => State::Quiet { give_up, is_heard: false },
            // Whoever was heard is not abandoned.
            (state, Input::Abandon) => state,
            (State::Calling { give_up, .. }, Input::Orphan) => State::Quiet { give_up, is_heard: false },
            (State::Proceeding, Input::Orphan) => State::Quiet { give_up: now + PATIENCE, is_heard: true },
            // They have an end already.
            (state, Input::Orphan) => state,
            // Once anything was heard, the answer may still come over another connection; ACKs are sent again when asked for.
            (state, Input::TransportError) => state,
            // What comes after the final answer and contradicts it is absorbed.
            (state, Input::Provisional | Input::Success | Input::Failure { .. }) => state,
        };
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Calling { give_up, .. } if now >= *give_up => {
                self.outputs.push_back(Output::TimedOut);
                self.state = State::Terminated;
            }
            State::Calling { request, resend: Some(resend), .. } => {
                if resend.is_due(now) {
                    self.outputs.push_back(Output::Send(request.clone()));
                }
            }
            State::Quiet { give_up: at, .. }
            | State::Completed { linger_until: at, .. }
            | State::Accepted { linger_until: at }
                if now >= *at =>
            {
                self.state = State::Terminated;
            }
            // Early, or nothing to wait for.
            State::Calling { .. }
            | State::Proceeding
            | State::Quiet { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { resend, give_up, .. } => earliest(resend.as_ref().map(Resend::at), Some(*give_up)),
            State::Quiet { give_up: at, .. }
            | State::Completed { linger_until: at, .. }
            | State::Accepted { linger_until: at } => Some(*at),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// A CANCEL may only follow a provisional answer (RFC 3261 §9.1).
    pub(crate) fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// The INVITE, while nothing was heard of it.
    pub(crate) fn unanswered(&self) -> Option<Bytes> {
        match &self.state {
            State::Calling { request, .. } => Some(request.clone()),
            State::Proceeding
            | State::Quiet { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated => None,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{T1, epoch},
        *,
    };

    const INVITE: Bytes = Bytes::from_static(b"INVITE");
    const ACK: Bytes = Bytes::from_static(b"ACK");

    fn drain(tx: &mut InviteClient) -> Vec<Output> {
        std::iter::from_fn(|| tx.poll_output()).collect()
    }

    fn run(tx: &mut InviteClient, start: Instant) -> Vec<(u128, Output)> {
        let mut log: Vec<_> = drain(tx).into_iter().map(|output| (0, output)).collect();
        while let Some(at) = tx.next_timeout() {
            tx.handle_timeout(at);
            log.extend(drain(tx).into_iter().map(|output| ((at - start).as_millis(), output)));
        }
        log
    }

    #[test]
    fn repeats_over_udp_until_timer_b() {
        let start = epoch();
        let log = run(&mut InviteClient::new(start, INVITE, false), start);
        let at: Vec<_> = log.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 32_000]);
        assert_eq!(log.last().map(|(_, output)| output), Some(&Output::TimedOut));
        assert!(log[..7].iter().all(|(_, output)| *output == Output::Send(INVITE)));
    }

    #[test]
    fn is_sent_once_over_a_stream() {
        let start = epoch();
        let log = run(&mut InviteClient::new(start, INVITE, true), start);
        assert_eq!(log, [(0, Output::Send(INVITE)), (32_000, Output::TimedOut)]);
    }

    #[test]
    fn a_provisional_answer_ends_the_repetition_for_good() {
        let start = epoch();
        let mut tx = InviteClient::new(start, INVITE, false);
        tx.handle_input(start, Input::Provisional);
        assert_eq!(run(&mut tx, start), [(0, Output::Send(INVITE)), (0, Output::Deliver)]);
        assert!(tx.is_proceeding());
    }

    #[test]
    fn a_refusal_is_acknowledged_each_time_and_delivered_once() {
        for (name, reliable, linger) in [("udp", false, 32_000), ("tcp", true, 0)] {
            let start = epoch();
            let mut tx = InviteClient::new(start, INVITE, reliable);
            drain(&mut tx);
            tx.handle_input(start, Input::Failure { ack: ACK });
            assert_eq!(drain(&mut tx), [Output::Send(ACK), Output::Deliver], "{name}");
            tx.handle_input(start, Input::Failure { ack: ACK });
            tx.handle_input(start, Input::Provisional);
            assert_eq!(drain(&mut tx), [Output::Send(ACK)], "{name}");
            assert_eq!(tx.next_timeout(), Some(start + Duration::from_millis(linger)), "{name}");
            tx.handle_timeout(start + Duration::from_millis(linger));
            assert!(tx.is_terminated(), "{name}");
        }
    }

    #[test]
    fn every_success_is_delivered_for_timer_m() {
        let start = epoch();
        let mut tx = InviteClient::new(start, INVITE, false);
        drain(&mut tx);
        for _ in 0..3 {
            tx.handle_input(start, Input::Success);
            assert_eq!(drain(&mut tx), [Output::Deliver]);
        }
        tx.handle_input(start, Input::Failure { ack: ACK });
        tx.handle_input(start, Input::TransportError);
        assert_eq!(drain(&mut tx), []);
        assert_eq!(tx.next_timeout(), Some(start + PATIENCE));
        tx.handle_timeout(start + PATIENCE);
        assert!(tx.is_terminated());
    }

    #[test]
    fn a_transport_error_matters_only_before_the_first_answer() {
        let start = epoch();
        let mut tx = InviteClient::new(start, INVITE, true);
        tx.handle_input(start, Input::TransportError);
        assert_eq!(drain(&mut tx), [Output::Send(INVITE), Output::Unreachable]);
        assert!(tx.is_terminated());

        let mut tx = InviteClient::new(start, INVITE, true);
        tx.handle_input(start, Input::Provisional);
        tx.handle_input(start, Input::TransportError);
        assert!(tx.is_proceeding());
    }

    #[test]
    fn a_success_after_a_refusal_is_delivered() {
        let start = epoch();
        let mut tx = InviteClient::new(start, INVITE, false);
        tx.handle_input(start, Input::Failure { ack: ACK });
        drain(&mut tx);
        tx.handle_input(start, Input::Success);
        assert_eq!((drain(&mut tx), tx.next_timeout()), (vec![Output::Deliver], Some(start + PATIENCE)));
    }

    #[test]
    fn an_abandoned_one_sends_nothing_and_hears_on() {
        let start = epoch();
        let later = start + Duration::from_secs(4);
        for (name, input, expected, until) in [
            ("nothing", None, vec![], Some(start + PATIENCE)),
            ("ringing", Some(Input::Provisional), vec![Output::Deliver], Some(later + PATIENCE)),
            ("answer", Some(Input::Success), vec![Output::Deliver], Some(later + PATIENCE)),
            (
                "refusal",
                Some(Input::Failure { ack: ACK }),
                vec![Output::Send(ACK), Output::Deliver],
                Some(later + TIMER_D),
            ),
            ("failure", Some(Input::TransportError), vec![], Some(start + PATIENCE)),
        ] {
            let mut tx = InviteClient::new(start, INVITE, false);
            drain(&mut tx);
            tx.handle_input(later, Input::Abandon);
            assert_eq!((tx.unanswered(), tx.is_proceeding()), (None, false), "{name}");
            input.into_iter().for_each(|input| tx.handle_input(later, input));
            assert_eq!(drain(&mut tx), expected, "{name}");
            assert_eq!(tx.next_timeout(), until, "{name}");
            tx.handle_input(later + Duration::from_secs(1), Input::Provisional);
            assert!(tx.next_timeout().is_some_and(|at| at <= later + PATIENCE + Duration::from_secs(1)), "{name}");
            let log = run(&mut tx, start);
            assert!(log.iter().all(|(_, output)| *output == Output::Deliver), "{name}: {log:?}");
            assert!(tx.is_terminated(), "{name}");
        }
        let mut tx = InviteClient::new(start, INVITE, false);
        tx.handle_input(start, Input::Provisional);
        tx.handle_input(start, Input::Abandon);
        assert!(tx.is_proceeding(), "whoever was heard is not abandoned");
    }

    #[test]
    fn an_early_call_changes_nothing() {
        let start = epoch();
        let mut tx = InviteClient::new(start, INVITE, false);
        drain(&mut tx);
        tx.handle_timeout(start + T1 - Duration::from_millis(1));
        assert_eq!(drain(&mut tx), []);
        assert_eq!(tx.next_timeout(), Some(start + T1));
    }
}
