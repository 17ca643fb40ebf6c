//! Keys: those of the phone, each once, and those pressed for it in the way that its trunk says.

use std::collections::BTreeMap;
use std::time::Instant;

use sip::{HeaderName, KeyFormat, KeyPress, Method, Status};
use tracing::{debug, info, warn};

use super::Driver;
use super::dial::key;
use super::rpc::{Caller, done};
use crate::call::keying::{self, Action, Batch, Keying, Refused};
use crate::call::sieve::{Sieve, Way};
use crate::call::{Input, Key};
use crate::dispatch::Means;
use crate::dispatch::outbound::Press;
use crate::plane::Command;
use crate::room::RpcError;

/// The keys of a call.
#[derive(Default)]
pub(super) struct Keys {
    sieve: Sieve,
    /// Those that are told by INFO.
    keying: Keying,
    /// Who wants to know how they fare.
    typists: BTreeMap<Batch, Typist>,
}

/// Who presses keys.
pub(super) enum Typist {
    /// The request that the call was placed by.
    Request,
    /// A participant, who is not told what becomes of them.
    Room,
    /// A participant who is.
    Caller(Caller),
}

impl Driver {
    /// The phone has pressed a key. It may be one that is known already.
    pub(super) fn hear_key(&mut self, way: Way, key: char) -> Option<Input> {
        let key = Key(key);
        if self.keys.sieve.admits(Instant::now(), way, key) {
            return Some(Input::Digit(key));
        }
        debug!(?way, "a key that was told already");
        None
    }

    /// Presses keys for the phone.
    pub(super) async fn press_keys(&mut self, presses: &[Press], typist: Typist) -> Option<Input> {
        let keys = || presses.iter().filter_map(key).collect();
        let command = match self.means() {
            Some(Means::Events) => Command::Press(keys()),
            Some(Means::Tones) => Command::PressTones(keys()),
            Some(Means::Info) => {
                let batch = self.keys.keying.press(Instant::now(), presses);
                self.keys.typists.insert(batch, typist);
                return self.drive_keys().await;
            }
            None => {
                warn!(keys = presses.len(), "keys are not pressed: the phone takes no telephone events");
                return self.typed(typist, Err(RpcError::Application("the phone takes no telephone events")));
            }
        };
        let fault = self.order_line(command).await;
        match typist {
            // The line tells when they are out.
            Typist::Request => fault,
            typist => {
                self.typed(typist, Ok(()));
                fault
            }
        }
    }

    /// The phone has answered a key that was told by INFO, or never will.
    pub(super) async fn key_answered(&mut self, status: Option<Status>) -> Option<Input> {
        self.keys.keying.handle_answer(Instant::now(), status);
        self.drive_keys().await
    }

    pub(super) fn next_key_timeout(&self) -> Option<Instant> {
        self.keys.keying.next_timeout()
    }

    /// Lets time pass for keys that are told by INFO, and does what is due.
    pub(super) async fn drive_keys(&mut self) -> Option<Input> {
        self.keys.keying.handle_timeout(Instant::now());
        let mut input = None;
        while let Some(action) = self.keys.keying.poll_action() {
            match action {
                Action::Tell(Key(key)) => {
                    let press = KeyPress { key, duration: keying::HELD };
                    let command = sip::Command::Info { call: self.leg.call(), press, format: KeyFormat::Relay };
                    self.send(command).await;
                }
                Action::Done(batch, result) => {
                    if let Err(why) = &result {
                        info!(%why, "keys were not taken by INFO");
                    }
                    if let Some(typist) = self.keys.typists.remove(&batch) {
                        input = self.typed(typist, result.map_err(rpc_error)).or(input);
                    }
                }
            }
        }
        input
    }

    /// Whoever pressed keys hears what became of them.
    fn typed(&self, typist: Typist, result: Result<(), RpcError>) -> Option<Input> {
        match typist {
            Typist::Request => return Some(Input::Pressed),
            Typist::Room => {}
            Typist::Caller(caller) => self.reply(caller, result.map(|()| done())),
        }
        None
    }

    fn means(&self) -> Option<Means> {
        let dtmf = self.leg.seat().media.dtmf;
        dtmf.means(self.media.takes_events(), allows_info(&self.remote_headers))
    }
}

/// Whether the peer has said that it takes INFO (RFC 3261 §20.5); one that says nothing has not.
fn allows_info(headers: &[(String, String)]) -> bool {
    let allow = headers.iter().filter(|(name, _)| HeaderName::parse(name) == Some(HeaderName::Allow));
    let mut methods = allow.flat_map(|(_, value)| value.split(','));
    methods.any(|method| Method::parse(method.trim()) == Some(Method::Info))
}

fn rpc_error(why: Refused) -> RpcError {
    RpcError::Application(match why {
        Refused::Status(Status::METHOD_NOT_ALLOWED) => "the phone takes no INFO (405)",
        Refused::Status(Status::UNSUPPORTED_MEDIA_TYPE) => "the phone takes no keys by INFO (415)",
        Refused::Status(_) => "the phone has refused the keys",
        Refused::Silence => "the phone does not answer",
        Refused::Full => "too many keys are waiting",
    })
}

#[cfg(test)]
mod tests {
    use super::allows_info;

    #[test]
    fn who_takes_info() {
        type Row = (&'static str, &'static [(&'static str, &'static str)], bool);
        let cases: &[Row] = &[
            ("nothing said", &[], false),
            ("said", &[("Allow", "INVITE, ACK, INFO, BYE")], true),
            ("in the second line", &[("Allow", "INVITE"), ("allow", "INFO")], true),
            ("not said", &[("Allow", "INVITE, ACK,BYE")], false),
            ("something else", &[("X-Allow", "INFO")], false),
        ];
        for (name, headers, expected) in cases {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            assert_eq!(allows_info(&headers), *expected, "{name}");
        }
    }
}
