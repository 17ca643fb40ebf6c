//! INVITE server transaction ([RFC 3261 §17.2.1] as amended by [RFC 6026 §7.1]).
//!
//! ```text
//!               2xx
//! Proceeding ─────────► Accepted ──L──► Terminated
//!    │     │ 3xx-6xx                 ACK
//!    │     └──────────► Completed ─────────► Confirmed ──I──► Terminated
//!    │                    G: resend, H: give up
//!    └ ignored ───────► Ignored ──────► Terminated
//! ```
//!
//! Two things differ from the RFC. No 100 is sent by itself after 200 ms: nothing at all may be said to a stranger until
//! the user above has decided. And `Ignored` swallows the repetitions of an INVITE that shall never be answered.
//!
//! [RFC 3261 §17.2.1]: https://www.rfc-editor.org/rfc/rfc3261#section-17.2.1
//! [RFC 6026 §7.1]: https://www.rfc-editor.org/rfc/rfc6026#section-7.1

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Output, PATIENCE, Resend, T2, T4, earliest};

/// What can happen to the transaction besides time.
#[derive(Debug)]
pub(crate) enum Input {
    /// The same INVITE came again.
    Retransmission,
    /// The user sends a 1xx.
    Provisional(Bytes),
    /// The user sends the first 2xx; the user repeats it as well, until the ACK comes (RFC 3261 §13.3.1.4).
    Success(Bytes),
    /// The user sends a 3xx-6xx.
    Failure(Bytes),
    /// The user wants nothing ever said.
    Ignore,
    /// An ACK with the branch of the INVITE.
    Ack,
}

/// One INVITE that came to us.
#[derive(Debug)]
pub(crate) struct InviteServer {
    state: State,
    reliable: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Proceeding { last: Option<Bytes> },
    Ignored { linger_until: Instant },
    Completed { response: Bytes, resend: Option<Resend>, give_up: Instant },
    Confirmed { linger_until: Instant },
    Accepted { linger_until: Instant },
    Terminated,
}

impl InviteServer {
    pub(crate) fn new(reliable: bool) -> Self {
        Self { state: State::Proceeding { last: None }, reliable, outputs: VecDeque::new() }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        self.state = match (mem::replace(&mut self.state, State::Terminated), input) {
            (State::Proceeding { .. }, Input::Provisional(response)) => {
                self.outputs.push_back(Output::Send(response.clone()));
                State::Proceeding { last: Some(response) }
            }
            (State::Proceeding { .. }, Input::Success(response)) => {
                self.outputs.push_back(Output::Send(response));
                State::Accepted { linger_until: now + PATIENCE }
            }
            (State::Proceeding { .. }, Input::Failure(response)) => {
                self.outputs.push_back(Output::Send(response.clone()));
                let resend = (!self.reliable).then(|| Resend::doubling(now, T2));
                State::Completed { response, resend, give_up: now + PATIENCE }
            }
            (State::Proceeding { .. }, Input::Ignore) => State::Ignored { linger_until: now + PATIENCE },
            (State::Proceeding { last }, Input::Retransmission) => {
                self.outputs.extend(last.clone().map(Output::Send));
                State::Proceeding { last }
            }
            (State::Completed { response, resend, give_up }, Input::Retransmission) => {
                self.outputs.push_back(Output::Send(response.clone()));
                State::Completed { response, resend, give_up }
            }
            (State::Completed { .. }, Input::Ack) => {
                let linger = if self.reliable { Duration::ZERO } else { T4 };
                State::Confirmed { linger_until: now + linger }
            }
            // Some peers acknowledge a 2xx within the transaction; it is the dialog that waits for it.
            (state @ State::Accepted { .. }, Input::Ack) => {
                self.outputs.push_back(Output::Deliver);
                state
            }
            // Repeated INVITEs after a 2xx are absorbed: the user is repeating the 2xx. Repeated ACKs are absorbed.
            (state, Input::Retransmission | Input::Ack) => state,
            // One final answer is enough.
            (state, Input::Provisional(_) | Input::Success(_) | Input::Failure(_) | Input::Ignore) => state,
        };
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Completed { give_up, .. } if now >= *give_up => {
                self.outputs.push_back(Output::TimedOut);
                self.state = State::Terminated;
            }
            State::Completed { response, resend: Some(resend), .. } => {
                if resend.is_due(now) {
                    self.outputs.push_back(Output::Send(response.clone()));
                }
            }
            State::Ignored { linger_until } | State::Confirmed { linger_until } | State::Accepted { linger_until }
                if now >= *linger_until =>
            {
                self.state = State::Terminated;
            }
            // Early, or nothing to wait for.
            State::Proceeding { .. }
            | State::Ignored { .. }
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { resend, give_up, .. } => earliest(resend.as_ref().map(Resend::at), Some(*give_up)),
            State::Ignored { linger_until } | State::Confirmed { linger_until } | State::Accepted { linger_until } => {
                Some(*linger_until)
            }
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// No final answer was given yet.
    pub(crate) fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// The caller has heard something from us.
    pub(crate) fn has_spoken(&self) -> bool {
        !matches!(self.state, State::Proceeding { last: None } | State::Ignored { .. })
    }

    /// Answered with a 2xx, or about to be: another INVITE with the same identity is a second copy of this one.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, State::Proceeding { .. } | State::Accepted { .. } | State::Ignored { .. })
    }

    /// Answered with a 2xx, or refused and acknowledged, or over.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.state, State::Accepted { .. } | State::Confirmed { .. } | State::Terminated)
    }

    pub(crate) fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::epoch, *};

    const RINGING: Bytes = Bytes::from_static(b"180");
    const OK: Bytes = Bytes::from_static(b"200");
    const BUSY: Bytes = Bytes::from_static(b"486");

    fn drain(tx: &mut InviteServer) -> Vec<Output> {
        std::iter::from_fn(|| tx.poll_output()).collect()
    }

    fn run(tx: &mut InviteServer, start: Instant) -> Vec<(u128, Output)> {
        let mut log: Vec<_> = drain(tx).into_iter().map(|output| (0, output)).collect();
        while let Some(at) = tx.next_timeout() {
            tx.handle_timeout(at);
            log.extend(drain(tx).into_iter().map(|output| ((at - start).as_millis(), output)));
        }
        log
    }

    #[test]
    fn a_refusal_is_repeated_over_udp_until_timer_h() {
        let start = epoch();
        let mut tx = InviteServer::new(false);
        tx.handle_input(start, Input::Failure(BUSY));
        let log = run(&mut tx, start);
        let at: Vec<_> = log.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]);
        assert_eq!(log.last().map(|(_, output)| output), Some(&Output::TimedOut));
        assert!(tx.is_terminated());
    }

    #[test]
    fn a_refusal_is_sent_once_over_a_stream() {
        let start = epoch();
        let mut tx = InviteServer::new(true);
        tx.handle_input(start, Input::Failure(BUSY));
        assert_eq!(run(&mut tx, start), [(0, Output::Send(BUSY)), (32_000, Output::TimedOut)]);
    }

    #[test]
    fn an_ack_ends_the_repetition() {
        for (name, reliable, linger) in [("udp, timer I", false, 5_000), ("tcp", true, 0)] {
            let start = epoch();
            let mut tx = InviteServer::new(reliable);
            tx.handle_input(start, Input::Failure(BUSY));
            drain(&mut tx);
            tx.handle_input(start, Input::Ack);
            tx.handle_input(start, Input::Ack);
            tx.handle_input(start, Input::Retransmission);
            assert_eq!(drain(&mut tx), [], "{name}");
            assert_eq!(tx.next_timeout(), Some(start + Duration::from_millis(linger)), "{name}");
            tx.handle_timeout(start + Duration::from_millis(linger));
            assert!(tx.is_terminated(), "{name}");
        }
    }

    #[test]
    fn repeated_requests_get_the_last_answer_from_memory() {
        let start = epoch();
        let mut tx = InviteServer::new(false);
        tx.handle_input(start, Input::Retransmission);
        assert_eq!(drain(&mut tx), [], "nothing was said, nothing is repeated");
        tx.handle_input(start, Input::Provisional(RINGING));
        tx.handle_input(start, Input::Retransmission);
        assert_eq!(drain(&mut tx), [Output::Send(RINGING), Output::Send(RINGING)]);
        tx.handle_input(start, Input::Failure(BUSY));
        tx.handle_input(start, Input::Retransmission);
        assert_eq!(drain(&mut tx), [Output::Send(BUSY), Output::Send(BUSY)]);
    }

    #[test]
    fn an_accepted_invite_absorbs_repetitions_for_timer_l() {
        let start = epoch();
        let mut tx = InviteServer::new(false);
        tx.handle_input(start, Input::Success(OK));
        assert_eq!(drain(&mut tx), [Output::Send(OK)]);
        tx.handle_input(start, Input::Retransmission);
        tx.handle_input(start, Input::Failure(BUSY));
        assert_eq!(drain(&mut tx), []);
        tx.handle_input(start, Input::Ack);
        assert_eq!(drain(&mut tx), [Output::Deliver]);
        assert_eq!(tx.next_timeout(), Some(start + PATIENCE));
        tx.handle_timeout(start + PATIENCE);
        assert!(tx.is_terminated());
    }

    #[test]
    fn an_ignored_invite_is_silent_and_forgotten() {
        let start = epoch();
        let mut tx = InviteServer::new(false);
        tx.handle_input(start, Input::Ignore);
        tx.handle_input(start, Input::Retransmission);
        tx.handle_input(start, Input::Failure(BUSY));
        assert_eq!(drain(&mut tx), []);
        assert!(!tx.has_spoken());
        assert_eq!(tx.next_timeout(), Some(start + PATIENCE));
        tx.handle_timeout(start + PATIENCE);
        assert!(tx.is_terminated());
    }
}
