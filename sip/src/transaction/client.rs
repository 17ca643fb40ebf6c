//! Client transaction for every method but INVITE ([RFC 3261 §17.1.2]).
//!
//! ```text
//!            1xx                2xx-6xx
//! Trying ───────► Proceeding ───────────► Completed ──K──► Terminated
//!    │ E: resend      │ E: resend every T2
//!    └ F: timed out   └ F: timed out
//! ```
//!
//! [RFC 3261 §17.1.2]: https://www.rfc-editor.org/rfc/rfc3261#section-17.1.2

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Output, PATIENCE, Resend, T2, T4, earliest};

/// What can happen to the transaction besides time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    /// A 1xx came.
    Provisional,
    /// A 2xx-6xx came.
    Final,
    /// The transport could not carry the request.
    TransportError,
}

/// One request that we sent.
#[derive(Debug)]
pub(crate) struct Client {
    state: State,
    reliable: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Trying { request: Bytes, resend: Option<Resend>, give_up: Instant },
    Proceeding { request: Bytes, resend: Option<Resend>, give_up: Instant },
    Completed { linger_until: Instant },
    Terminated,
}

impl Client {
    pub(crate) fn new(now: Instant, request: Bytes, reliable: bool) -> Self {
        let outputs = VecDeque::from([Output::Send(request.clone())]);
        let resend = (!reliable).then(|| Resend::doubling(now, T2));
        Self { state: State::Trying { request, resend, give_up: now + PATIENCE }, reliable, outputs }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        self.state = match (mem::replace(&mut self.state, State::Terminated), input) {
            (
                State::Trying { request, resend, give_up } | State::Proceeding { request, resend, give_up },
                Input::Provisional,
            ) => {
                self.outputs.push_back(Output::Deliver);
                State::Proceeding { request, resend: resend.map(Resend::slowed), give_up }
            }
            (State::Trying { .. } | State::Proceeding { .. }, Input::Final) => {
                self.outputs.push_back(Output::Deliver);
                let linger = if self.reliable { Duration::ZERO } else { T4 };
                State::Completed { linger_until: now + linger }
            }
            (State::Trying { .. } | State::Proceeding { .. }, Input::TransportError) => {
                self.outputs.push_back(Output::Unreachable);
                State::Terminated
            }
            // Retransmitted responses are absorbed, and there is nothing left to send.
            (state @ (State::Completed { .. } | State::Terminated), _) => state,
        };
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Trying { give_up, .. } | State::Proceeding { give_up, .. } if now >= *give_up => {
                self.outputs.push_back(Output::TimedOut);
                self.state = State::Terminated;
            }
            State::Trying { request, resend: Some(resend), .. }
            | State::Proceeding { request, resend: Some(resend), .. } => {
                if resend.is_due(now) {
                    self.outputs.push_back(Output::Send(request.clone()));
                }
            }
            State::Completed { linger_until } if now >= *linger_until => self.state = State::Terminated,
            // Early, or nothing to wait for.
            State::Trying { .. } | State::Proceeding { .. } | State::Completed { .. } | State::Terminated => {}
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { resend, give_up, .. } | State::Proceeding { resend, give_up, .. } => {
                earliest(resend.as_ref().map(Resend::at), Some(*give_up))
            }
            State::Completed { linger_until } => Some(*linger_until),
            State::Terminated => None,
        }
    }

    /// The request, until its final answer.
    pub(crate) fn unanswered(&self) -> Option<Bytes> {
        match &self.state {
            State::Trying { request, .. } | State::Proceeding { request, .. } => Some(request.clone()),
            State::Completed { .. } | State::Terminated => None,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::epoch, *};

    const BYE: Bytes = Bytes::from_static(b"BYE");

    fn drain(tx: &mut Client) -> Vec<Output> {
        std::iter::from_fn(|| tx.poll_output()).collect()
    }

    fn run(tx: &mut Client, start: Instant) -> Vec<(u128, Output)> {
        let mut log: Vec<_> = drain(tx).into_iter().map(|output| (0, output)).collect();
        while let Some(at) = tx.next_timeout() {
            tx.handle_timeout(at);
            log.extend(drain(tx).into_iter().map(|output| ((at - start).as_millis(), output)));
        }
        log
    }

    #[test]
    fn repeats_over_udp_until_timer_f() {
        let start = epoch();
        let log = run(&mut Client::new(start, BYE, false), start);
        let at: Vec<_> = log.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]);
        assert_eq!(log.last().map(|(_, output)| output), Some(&Output::TimedOut));
    }

    #[test]
    fn is_sent_once_over_a_stream() {
        let start = epoch();
        let log = run(&mut Client::new(start, BYE, true), start);
        assert_eq!(log, [(0, Output::Send(BYE)), (32_000, Output::TimedOut)]);
    }

    #[test]
    fn a_provisional_answer_slows_it_down() {
        let start = epoch();
        let mut tx = Client::new(start, BYE, false);
        tx.handle_input(start, Input::Provisional);
        let at: Vec<_> = run(&mut tx, start).iter().map(|(ms, _)| *ms).collect();
        assert_eq!(at, [0, 0, 500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500, 32_000]);
    }

    #[test]
    fn the_final_answer_is_delivered_once() {
        for (name, reliable, linger) in [("udp, timer K", false, 5_000), ("tcp", true, 0)] {
            let start = epoch();
            let mut tx = Client::new(start, BYE, reliable);
            drain(&mut tx);
            tx.handle_input(start, Input::Final);
            tx.handle_input(start, Input::Final);
            tx.handle_input(start, Input::Provisional);
            assert_eq!(drain(&mut tx), [Output::Deliver], "{name}");
            assert_eq!(tx.next_timeout(), Some(start + Duration::from_millis(linger)), "{name}");
            tx.handle_timeout(start + Duration::from_millis(linger));
            assert!(tx.is_terminated(), "{name}");
        }
    }

    #[test]
    fn a_transport_error_ends_it() {
        let start = epoch();
        let mut tx = Client::new(start, BYE, true);
        tx.handle_input(start, Input::TransportError);
        assert_eq!(run(&mut tx, start), [(0, Output::Send(BYE)), (0, Output::Unreachable)]);
        assert!(tx.is_terminated());
    }
}
