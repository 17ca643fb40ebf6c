//! What every row has: a number that leads to a room, somebody in the room, and how to judge what is heard at both ends.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tests::audio;
use tests::peers::api::Pending;
use tests::peers::baresip::Baresip;
use tests::peers::gateway::{Gateway, OUR_NUMBER};
use tests::peers::listener::{Event, Listener};
use tests::peers::phone::Rtp;
use tests::peers::repository::Repository;
use tests::peers::scenario::{Player, Scenario};
use tests::scratch::Scratch;

/// How long the other side may take for anything.
pub(super) const LIMIT: Duration = Duration::from_secs(12);

/// What the room says, in Hz. What a phone says changes from step to step, so that nobody hears what was said before.
pub(super) const ROOM_TONE: f64 = 880.0;

/// What one row works with.
pub(super) struct Desk<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) listener: &'a mut Listener,
    pub(super) scratch: &'a Scratch,
    /// The LiveKit server.
    pub(super) server: &'a str,
    /// Who signs for numbers.
    pub(super) signer: &'a Repository,
    /// The number that is called, and who calls.
    pub(super) number: String,
    pub(super) caller: String,
    pub(super) room: String,
}

impl Desk<'_> {
    /// The participant that the caller is.
    pub(super) fn identity(&self) -> String {
        format!("sip_{}", self.caller)
    }

    /// Lets somebody into the room who says [`ROOM_TONE`].
    pub(super) fn join(&mut self) {
        self.listener.join(&self.room, ROOM_TONE);
    }

    /// Ends what is left of the row.
    pub(super) fn leave(&mut self) {
        let _ = self.listener.ask("leave", json!({}));
        self.listener.forget();
    }

    /// A phone that calls and has been answered, not yet acknowledged by whoever writes on.
    pub(super) fn caller(&self) -> Scenario {
        Scenario::caller(&self.caller)
    }

    /// A phone that calls with this ear, and is answered.
    pub(super) fn connected(&self, rtp: &Rtp) -> Scenario {
        self.caller().invites("", &rtp.offer()).gets(200).acknowledges("")
    }

    /// The same, waiting.
    pub(super) fn answered(&self, rtp: &Rtp) -> Scenario {
        self.connected(rtp).waits()
    }

    /// A phone that is called, and picks up.
    pub(super) fn picked_up(headers: &str, sdp: &str) -> Scenario {
        Scenario::callee().replies("200 OK", headers, sdp).hears("ACK")
    }

    /// Starts a call.
    pub(super) fn call(&self, scenario: Scenario) -> Player {
        scenario.call(self.gateway.sip(), &self.number, self.scratch)
    }

    /// Has the gateway call a phone, with further fields of the request.
    pub(super) fn place(&self, to: SocketAddr, more: &Value) -> Pending {
        let mut request = json!({
            "trunk": {"hostname": to.to_string(), "transport": "SIP_TRANSPORT_UDP"}, "sip_number": OUR_NUMBER,
            "sip_call_to": self.caller, "room_name": self.room, "wait_until_answered": true,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            match (request[name].as_object_mut(), value.as_object()) {
                (Some(map), Some(more)) => map.extend(more.clone()),
                _ => request[name] = value.clone(),
            }
        }
        self.gateway.api().begin("CreateSIPParticipant", &request)
    }

    /// Has the gateway call a phone that picks up; both ends hear each other. Returns where the gateway wants its media, too.
    #[track_caller]
    pub(super) fn reach(&mut self, scenario: Scenario, rtp: &mut Rtp, more: &Value) -> (Player, SocketAddr) {
        let mut player = scenario.listen(self.scratch);
        let pending = self.place(player.sip(), more);
        let media = player.request("INVITE", 1).media().expect("an INVITE has an offer");
        let answer = pending.finish();
        assert_eq!(answer.status, 200, "{}", answer.body);
        rtp.start(media, Some((440.0, -15.0)));
        self.both_hear(rtp, 440.0);
        (player, media)
    }

    /// `baresip` with these codecs, the rate of the first of them, a tone and what else its account says.
    pub(super) fn baresip(&mut self, codecs: (&str, u32), transport: &str, tone: f64, account: &str) -> Baresip {
        self.caller = "+15550177".to_owned();
        Baresip::speaking(codecs, transport, tone, account, self.scratch)
    }

    /// Has the gateway call a phone that picks up by itself.
    #[track_caller]
    pub(super) fn reach_at(&self, to: SocketAddr, more: &Value) {
        let answer = self.place(to, more).finish();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// The phone says that tone to the place which the so-many-th answer to an INVITE of its own names; both ends hear it.
    #[track_caller]
    pub(super) fn talk(&mut self, player: &mut Player, nth: usize, rtp: &mut Rtp, tone: f64) {
        let answer = player.answer("INVITE", nth);
        assert_eq!(answer.status(), 200, "{answer:?}");
        rtp.start(answer.media().expect("an answer has media"), Some((tone, -15.0)));
        self.both_hear(rtp, tone);
    }

    /// The room hears that tone of the phone, and the phone the tone of the room.
    #[track_caller]
    pub(super) fn both_hear(&mut self, rtp: &Rtp, tone: f64) {
        self.room_hears(tone);
        self.phone_hears(rtp, ROOM_TONE);
    }

    #[track_caller]
    pub(super) fn room_hears(&mut self, tone: f64) {
        self.listener.hear(&self.identity(), tone, -15.0, LIMIT);
    }

    /// The phone hears a tone from now on.
    #[track_caller]
    pub(super) fn phone_hears(&self, rtp: &Rtp, tone: f64) {
        rtp.forget();
        let is_it = || rtp.heard().samples.len() >= 4_000 && rtp.hears(tone, -15.0);
        let heard = tests::within(LIMIT, is_it);
        assert!(heard.is_some(), "the phone should hear {tone} Hz, but it is {:?}", rtp.measure());
    }

    /// The phone hears nothing: silence, or no packets at all.
    #[track_caller]
    pub(super) fn phone_hears_nothing(&self, rtp: &Rtp) {
        let is_silent = || {
            rtp.forget();
            std::thread::sleep(Duration::from_millis(300));
            rtp.heard().samples.iter().all(|sample| sample.abs() < 100)
        };
        assert!(tests::within(LIMIT, is_silent).is_some(), "the phone still hears {:?}", rtp.measure());
    }

    /// The room hears nothing of the phone for more than a second.
    #[track_caller]
    pub(super) fn room_hears_nothing(&mut self) {
        let identity = self.identity();
        let is_loud =
            |e: &Event| e.kind() == "heard" && e.text("identity") == identity && e.line["level"].as_f64() > Some(-50.0);
        let is_silent = tests::within(LIMIT, || {
            self.listener.forget();
            std::thread::sleep(Duration::from_millis(1_200));
            !self.listener.seen().iter().any(is_loud)
        });
        assert!(is_silent.is_some(), "the room still hears the phone");
    }

    /// The phone's end of a call with `baresip`: once the call is over, what it has recorded.
    #[track_caller]
    pub(super) fn hang_up_and_judge(&mut self, phone: &Baresip, tone: f64, rate: u32) {
        // It listens for a while, and for a whole second without fail.
        std::thread::sleep(Duration::from_millis(1_500));
        self.remove();
        self.gone();
        // It writes the rest of its file when the call is over.
        let is_it = || {
            std::thread::sleep(Duration::from_millis(200));
            let (samples, at) = phone.heard_at();
            at == rate && audio::has_tone(&samples, at, tone, -15.0)
        };
        let measure = || {
            let (samples, at) = phone.heard_at();
            (audio::measure(audio::loudest(&samples, at.max(1), 1.0), at.max(1)), at)
        };
        assert!(
            tests::within(LIMIT, is_it).is_some(),
            "the phone should have heard {tone} Hz, but it is {:?}",
            measure()
        );
    }

    /// The phone as the server has it.
    #[track_caller]
    pub(super) fn participant(&mut self) -> Value {
        let identity = self.identity();
        let seen = self.listener.participants(&self.room);
        let found = seen.into_iter().find(|who| who["identity"] == identity);
        found.unwrap_or_else(|| panic!("{identity} is not in the room"))
    }

    /// Has the phone removed from the room, which hangs up.
    pub(super) fn remove(&mut self) {
        let identity = self.identity();
        self.listener.tell("remove", json!({"room": self.room, "identity": identity}));
    }

    /// Waits until the phone has left the room.
    #[track_caller]
    pub(super) fn gone(&mut self) -> Event {
        let identity = self.identity();
        let left = |e: &Event| e.kind() == "left" && e.text("identity") == identity;
        self.listener.expect("the phone leaving", LIMIT, left)
    }

    /// Waits until the phone has an attribute.
    #[track_caller]
    pub(super) fn attribute(&mut self, name: &str, value: &str) {
        let identity = self.identity();
        self.listener.attribute(&identity, name, value);
    }

    /// Waits until the phone has an attribute no more.
    #[track_caller]
    pub(super) fn attribute_is_gone(&mut self, name: &str) {
        let identity = self.identity();
        let is_it = |e: &Event| {
            e.kind() == "attributes" && e.text("identity") == identity && e.attribute(name).is_none_or(str::is_empty)
        };
        self.listener.expect(&format!("{name} going away"), LIMIT, is_it);
    }

    /// Calls a procedure of the phone; [`finish`](Listener::finish) has the result.
    pub(super) fn begin(&mut self, method: &str, payload: &str) -> u64 {
        let identity = self.identity();
        self.listener.begin("rpc", json!({"identity": identity, "method": method, "payload": payload}))
    }

    /// The result of a procedure.
    #[track_caller]
    pub(super) fn result(&mut self, number: u64) -> Value {
        self.listener.finish(number, LIMIT).expect("the listener can call")
    }

    /// Waits for keys of the phone, in order, and no others.
    #[track_caller]
    pub(super) fn keys(&mut self, digits: &str) {
        let keys = |events: &[Event]| -> String {
            events.iter().filter(|e| e.kind() == "dtmf").map(|e| e.text("digit").to_owned()).collect()
        };
        tests::within(LIMIT, || keys(self.listener.seen()).len() >= digits.len());
        // One key more would come soon.
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(keys(self.listener.seen()), digits);
    }
}
