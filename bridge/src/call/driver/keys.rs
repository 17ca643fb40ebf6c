//! Keys: those of the phone, each once, and those pressed for it in the way that its trunk says.

use std::collections::BTreeMap;
use std::time::Instant;

use media::dtmf::Event;
use sip::{HeaderName, Headers, KeyFormat, KeyPress, Method, Status};
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

    /// The same by INFO, of which the line knows nothing: where the room hears keys, it is told for how long.
    pub(super) async fn hear_info(&mut self, press: KeyPress) -> Vec<Input> {
        let input = self.hear_key(Way::Info, press.key);
        let event = Event::from_digit(press.key).filter(|_| input.is_some() && self.parts.settings.audible_keys);
        let fault = match event {
            Some(event) => self.order_line(Command::HearKey(event, press.duration)).await,
            None => None,
        };
        input.into_iter().chain(fault).collect()
    }

    /// Presses keys for the phone.
    pub(super) async fn press_keys(&mut self, presses: &[Press], typist: Typist) -> Option<Input> {
        match self.means() {
            Some(Means::Info) => {
                let keying = &mut self.keys.keying;
                keying.prefer(format_for(&self.remote_headers));
                let batch = keying.press(Instant::now(), presses);
                self.keys.typists.insert(batch, typist);
                self.drive_keys().await
            }
            Some(means @ (Means::Events | Means::Tones)) => self.press_on_line(means, presses, typist).await,
            None => {
                warn!(keys = presses.len(), "keys are not pressed: the phone takes no telephone events");
                self.typed(typist, Err(RpcError::Application("the phone takes no telephone events")))
            }
        }
    }

    async fn press_on_line(&mut self, means: Means, presses: &[Press], typist: Typist) -> Option<Input> {
        let keys = presses.iter().filter_map(key).collect();
        let fault = match means {
            Means::Events => self.order_line(Command::Press(keys)).await,
            Means::Tones | Means::Info => self.order_line(Command::PressTones(keys)).await,
        };
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
    pub(super) async fn key_answered(&mut self, status: Option<Status>, accepts: &[KeyFormat]) -> Option<Input> {
        self.keys.keying.handle_answer(Instant::now(), status, accepts);
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
                Action::Tell(Key(key), format) => {
                    let press = KeyPress { key, duration: keying::HELD };
                    self.send(sip::Command::Info { call: self.leg.call(), press, format }).await;
                }
                Action::HandOver(batch, presses) => {
                    let means = Means::without_info(self.media.takes_events());
                    info!(?means, "the phone takes no keys by INFO");
                    if let Some(typist) = self.keys.typists.remove(&batch) {
                        input = self.press_on_line(means, &presses, typist).await.or(input);
                    }
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

/// The format that the peer says it takes, if it is one alone (RFC 3261 §20.1).
fn format_for(headers: &[(String, String)]) -> KeyFormat {
    let mut accepted = Headers::new();
    let accept = headers.iter().filter(|(name, _)| HeaderName::parse(name) == Some(HeaderName::Accept));
    accept.for_each(|(_, value)| accepted.push(HeaderName::Accept, value.as_str()));
    KeyFormat::among(&accepted).first().copied().unwrap_or(KeyFormat::Relay)
}

fn rpc_error(why: Refused) -> RpcError {
    RpcError::Application(match why {
        Refused::Status(_) => "the phone has refused the keys",
        Refused::Silence => "the phone does not answer",
        Refused::Full => "too many keys are waiting",
    })
}

#[cfg(test)]
mod tests {
    use sip::KeyFormat::{Plain, Relay};

    use super::{allows_info, format_for};

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

    #[test]
    fn which_format_is_tried_first() {
        let cases = [
            ("", Relay),
            ("application/sdp", Relay),
            ("application/dtmf-relay, application/dtmf", Relay),
            ("application/sdp, application/dtmf", Plain),
        ];
        for (accept, expected) in cases {
            let headers = [("accept".to_owned(), accept.to_owned()), ("Allow".to_owned(), "INFO".to_owned())];
            assert_eq!(format_for(&headers), expected, "{accept}");
        }
        assert_eq!(format_for(&[]), Relay);
    }
}
