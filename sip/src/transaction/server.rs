//! Server transaction for every method but INVITE ([RFC 3261 §17.2.2]).
//!
//! ```text
//!          2xx-6xx
//! Trying ───────────► Completed ──J──► Terminated
//! ```
//!
//! Proceeding is left out: every such request is answered at once and finally.
//!
//! [RFC 3261 §17.2.2]: https://www.rfc-editor.org/rfc/rfc3261#section-17.2.2

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Output, PATIENCE};

/// What can happen to the transaction besides time.
#[derive(Debug)]
pub(crate) enum Input {
    /// The same request came again.
    Retransmission,
    /// The user sends a 2xx-6xx.
    Final(Bytes),
}

/// One request that came to us.
#[derive(Debug)]
pub(crate) struct Server {
    state: State,
    reliable: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Trying,
    Completed { response: Bytes, linger_until: Instant },
    Terminated,
}

impl Server {
    pub(crate) fn new(reliable: bool) -> Self {
        Self { state: State::Trying, reliable, outputs: VecDeque::new() }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        self.state = match (mem::replace(&mut self.state, State::Terminated), input) {
            (State::Trying, Input::Final(response)) => {
                self.outputs.push_back(Output::Send(response.clone()));
                let linger = if self.reliable { Duration::ZERO } else { PATIENCE };
                State::Completed { response, linger_until: now + linger }
            }
            (State::Completed { response, linger_until }, Input::Retransmission) => {
                self.outputs.push_back(Output::Send(response.clone()));
                State::Completed { response, linger_until }
            }
            // Nothing was said yet, or all is over.
            (state, Input::Retransmission) => state,
            // One final answer is enough.
            (state, Input::Final(_)) => state,
        };
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|at| now >= at) {
            self.state = State::Terminated;
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Completed { linger_until, .. } => Some(linger_until),
            State::Trying | State::Terminated => None,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::epoch, *};

    const OK: Bytes = Bytes::from_static(b"200");

    fn drain(tx: &mut Server) -> Vec<Output> {
        std::iter::from_fn(|| tx.poll_output()).collect()
    }

    #[test]
    fn repeated_requests_are_answered_from_memory_until_timer_j() {
        for (name, reliable, linger) in [("udp", false, 32_000), ("tcp", true, 0)] {
            let start = epoch();
            let mut tx = Server::new(reliable);
            tx.handle_input(start, Input::Retransmission);
            assert_eq!(drain(&mut tx), [], "{name}");
            tx.handle_input(start, Input::Final(OK));
            tx.handle_input(start, Input::Retransmission);
            tx.handle_input(start, Input::Final(Bytes::from_static(b"500")));
            assert_eq!(drain(&mut tx), [Output::Send(OK), Output::Send(OK)], "{name}");
            let end = start + Duration::from_millis(linger);
            assert_eq!(tx.next_timeout(), Some(end), "{name}");
            tx.handle_timeout(end);
            assert!(tx.is_terminated(), "{name}");
        }
    }
}
