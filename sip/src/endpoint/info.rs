//! Keys in INFO, both ways ([RFC 6086 §3] for what INFO is; the bodies are what PBXs agree upon).
//!
//! [RFC 6086 §3]: https://www.rfc-editor.org/rfc/rfc6086#section-3

use std::{collections::VecDeque, time::Instant};

use super::{
    Endpoint,
    call::{Call, State},
    command::CallHandle,
    compose::Answer,
    event::Event,
    send::Ask,
    transactions::Owner,
    within::Within,
};
use crate::message::{HeaderName, KeyFormat, KeyPress, Method, Request, Response, Status};

/// Keys that may wait for those before them; more are dropped.
const MAX_WAITING: usize = 64;

/// Keys on their way to the peer: one at a time, so that none overtakes another.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    is_telling: bool,
    waiting: VecDeque<(KeyPress, KeyFormat)>,
}

impl Endpoint {
    /// An INFO of the peer.
    pub(super) fn handle_info(&mut self, now: Instant, within: Within<'_>, request: &Request) {
        let Within { handle, call, tx, tag } = within;
        self.put(handle, call);
        let format = request.headers.content_type().map(|kind| KeyFormat::of(&kind));
        let answer = match format {
            // Some use an INFO without a body to see whether we are there (RFC 6086 §4.2.2).
            _ if request.body.is_empty() => Answer::new(Status::OK),
            Some(Some(format)) => {
                if let Some(press) = format.read(&request.body) {
                    self.tell(Event::Info { call: handle, press });
                }
                Answer::new(Status::OK)
            }
            Some(None) | None => {
                Answer::new(Status::UNSUPPORTED_MEDIA_TYPE).with(HeaderName::Accept, KeyFormat::ACCEPTED)
            }
        };
        self.answer_server(now, tx, tag, answer);
    }

    pub(super) fn tell_key(&mut self, now: Instant, handle: CallHandle, press: KeyPress, format: KeyFormat) {
        let Some(mut call) = self.calls.take(handle) else { return };
        let keys = &mut call.peer.keys;
        if matches!(call.state, State::Up { .. }) && keys.waiting.len() < MAX_WAITING {
            keys.waiting.push_back((press, format));
            self.tell_next_key(now, handle, &mut call);
        }
        self.put(handle, call);
    }

    /// An INFO of ours was answered, or never will be; the next key goes out all the same.
    pub(super) fn key_told(&mut self, now: Instant, handle: CallHandle, answer: Option<&Response>) {
        let Some(mut call) = self.calls.take(handle) else { return };
        call.peer.keys.is_telling = false;
        if let State::Up { .. } = call.state {
            let status = answer.map(|response| response.status);
            let refusal = answer.filter(|response| response.status == Status::UNSUPPORTED_MEDIA_TYPE);
            let accepts = refusal.map_or_else(Vec::new, |refusal| KeyFormat::among(&refusal.headers));
            self.tell(Event::InfoAnswered { call: handle, status, accepts });
        }
        self.tell_next_key(now, handle, &mut call);
        self.put(handle, call);
    }

    fn tell_next_key(&mut self, now: Instant, handle: CallHandle, call: &mut Call) {
        let State::Up { dialog, .. } = &mut call.state else { return };
        if call.peer.keys.is_telling || !self.has_room() {
            return;
        }
        let Some((press, format)) = call.peer.keys.waiting.pop_front() else { return };
        let (body, kind) = (format.write(press), format.content_type());
        let ask = Ask { body, kind, ..Ask::new(Method::Info) };
        call.peer.keys.is_telling = self.send_within(now, &mut call.peer, dialog, ask, Owner::Info(handle)).is_some();
    }
}
