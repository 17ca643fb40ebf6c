//! Many calls that the API places leave nothing behind either, whatever becomes of them.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::api::{Answer, Api, Pending};
use tests::peers::callee::Callee;
use tests::peers::gateway::Setup;
use tests::peers::sipp::Carrier;
use tests::ports;

use crate::leaks::{expect_clean, expect_tasks, tasks};

const LIMIT: Duration = Duration::from_secs(10);
const WHO: &str = "callee";
/// How often each fate comes in the series.
const ROUNDS: usize = 7;
const CROWD: u32 = 30;

/// What becomes of a call. Each leaves the callee without one.
#[derive(Clone, Copy, Debug)]
enum Fate {
    CalleeHangsUp,
    ApiHangsUp,
    RoomIsDeleted,
    Busy,
    NobodyAnswers,
    ClientGivesUp,
    TransferIsRefused,
    MovedToAndFro,
    Transferred,
}

const FATES: [Fate; 9] = [
    Fate::CalleeHangsUp,
    Fate::ApiHangsUp,
    Fate::RoomIsDeleted,
    Fate::Busy,
    Fate::NobodyAnswers,
    Fate::ClientGivesUp,
    Fate::TransferIsRefused,
    Fate::MovedToAndFro,
    Fate::Transferred,
];

/// Nothing here goes through the proxy, which keeps connections to the server for a while.
#[test]
fn sixty_calls_one_after_another_and_thirty_at_once() {
    let callee = Callee::new();
    let (carrier, metrics) = (ports::one(), ports::one());
    let mut setup = Setup::outbound("desk", callee.address());
    let crowd = json!({"name": "crowd", "address": format!("127.0.0.1:{carrier}"), "numbers": ["+15550301"]});
    setup.outbound.as_array_mut().expect("a list").push(crowd);
    let setup = setup.with("rtp_draining_idle_timeout", json!("1s")).with("prometheus_port", json!(metrics));
    let Some(bed) = Bed::alone("leaks-outbound", &setup, &[Need::Sipp]) else { return };
    let mut scene = Scene { callee, bed, calls: 0 };
    let mut sipp = Carrier { calls: 2 * CROWD, ..Carrier::new("carrier.xml", carrier) }.start(&scene.bed.scratch);
    // What is made once and kept is there after the first calls.
    for fate in FATES {
        scene.call(fate);
    }
    scene.crowd();
    std::thread::sleep(Duration::from_secs(3));
    let before = scene.bed.gateway.holdings();
    let tasks = tasks(metrics);

    for _ in 0..ROUNDS {
        for fate in FATES {
            scene.call(fate);
        }
    }
    let series = format!("{} calls one after another", ROUNDS * FATES.len());
    scene.expect_no_calls(&series);
    expect_clean(&mut scene.bed, before, &series);
    expect_tasks(metrics, tasks, &series);

    scene.crowd();
    sipp.succeeds(LIMIT);
    let crowd = format!("{CROWD} calls at once");
    scene.expect_no_calls(&crowd);
    expect_clean(&mut scene.bed, before, &crowd);
    expect_tasks(metrics, tasks, &crowd);
}

struct Scene {
    callee: Callee,
    bed: Bed,
    calls: usize,
}

impl Scene {
    /// One call into a room of its own, to its end.
    fn call(&mut self, fate: Fate) {
        self.calls += 1;
        let room = format!("room-{}", self.calls);
        match fate {
            Fate::CalleeHangsUp => {
                self.answered(&room);
                assert_eq!(self.callee.bye().status(), 200, "{fate:?}");
            }
            Fate::ApiHangsUp => {
                let call = self.answered(&room);
                self.hang_up(&call);
                self.expect_bye(fate);
            }
            Fate::RoomIsDeleted => {
                self.answered(&room);
                self.bed.listener.tell("delete", json!({"room": room}));
                self.expect_bye(fate);
            }
            Fate::Busy => {
                let placing = self.place(&room);
                self.callee.invited();
                self.callee.refuse("486 Busy Here");
                assert_eq!(placing.finish().sip_status(), Some(486));
            }
            Fate::NobodyAnswers => {
                let placing = self.place_with(&room, &json!({"ringing_timeout": "0.3s"}));
                self.ring_in_vain();
                assert_eq!(placing.finish().code(), "canceled");
            }
            Fate::ClientGivesUp => {
                let client = self.client(&room);
                self.callee.invited();
                self.callee.reply("180 Ringing");
                drop(client);
                self.canceled();
            }
            Fate::TransferIsRefused => {
                self.answered(&room);
                assert_eq!(self.transfer(&room, "603 Decline").sip_status(), Some(603));
                assert_eq!(self.callee.bye().status(), 200, "{fate:?}");
            }
            Fate::MovedToAndFro => {
                let call = self.answered(&room);
                let other = format!("{room}-other");
                self.carry(&room, &other);
                self.carry(&other, &room);
                self.hang_up(&call);
                self.expect_bye(fate);
            }
            Fate::Transferred => {
                self.answered(&room);
                assert_eq!(self.transfer(&room, "202 Accepted").status, 200);
                self.expect_bye(fate);
            }
        }
    }

    /// Calls of three fates at once, by way of `sipp`: a third each is answered and hung up, busy, or rings in vain.
    fn crowd(&mut self) {
        let placing: Vec<Pending> = (0..CROWD)
            .map(|n| {
                self.calls += 1;
                let number = ["+15550200", "+15550486", "+15550180"][n as usize % 3];
                let more = json!({"sip_trunk_id": "crowd", "sip_call_to": number, "ringing_timeout": "2s"});
                self.place_with(&format!("room-{}", self.calls), &more)
            })
            .collect();
        let answers: Vec<Answer> = placing.into_iter().map(Pending::finish).collect();
        for (n, answer) in answers.iter().enumerate() {
            let expected = [200, 429, 408][n % 3];
            assert_eq!(answer.status, expected, "call {n}: {}", answer.body);
        }
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            self.hang_up(answer.text("sip_call_id"));
        }
    }

    fn api(&self) -> Api {
        self.bed.gateway.api()
    }

    fn place(&self, room: &str) -> Pending {
        self.place_with(room, &json!({}))
    }

    fn place_with(&self, room: &str, changes: &Value) -> Pending {
        self.api().begin("CreateSIPParticipant", &request(room, changes))
    }

    /// A call that stands, by its id.
    fn answered(&mut self, room: &str) -> String {
        let placing = self.place(room);
        self.callee.invited();
        self.callee.pick_up(None);
        let answer = placing.finish();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.text("sip_call_id").to_owned()
    }

    /// Somebody who has asked for a call, and goes away without the answer when it is dropped.
    fn client(&self, room: &str) -> TcpStream {
        let api = self.api();
        let address: SocketAddr = api.url().trim_start_matches("http://").parse().expect("an address");
        let mut stream = TcpStream::connect(address).expect("the API listens");
        let body = request(room, &json!({})).to_string();
        write!(
            stream,
            "POST /twirp/livekit.SIP/CreateSIPParticipant HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            api.token(),
            body.len()
        )
        .expect("the API reads");
        stream
    }

    fn ring_in_vain(&mut self) {
        self.callee.invited();
        self.callee.reply("180 Ringing");
        self.canceled();
    }

    fn canceled(&mut self) {
        let cancel = self.callee.expect("CANCEL");
        self.callee.reply_to(&cancel, "200 OK");
        self.callee.refuse("487 Request Terminated");
    }

    /// What the API says of a transfer to which the callee says this, and that all is well where it accepts.
    fn transfer(&mut self, room: &str, reply: &str) -> Answer {
        let ask = json!({"room_name": room, "participant_identity": WHO, "transfer_to": "tel:+15550177"});
        let pending = self.api().admin_of(room).begin("TransferSIPParticipant", &ask);
        let refer = self.callee.expect("REFER");
        self.callee.reply_to(&refer, reply);
        if reply.starts_with('2') {
            let headers =
                "Event: refer\r\nContent-Type: message/sipfrag\r\nSubscription-State: terminated;reason=noresource\r\n";
            assert_eq!(self.callee.in_dialog("NOTIFY", headers, "SIP/2.0 200 OK\r\n").status(), 200);
        }
        pending.finish()
    }

    fn carry(&self, from: &str, to: &str) {
        let video = json!({"roomAdmin": true, "room": from, "destinationRoom": to});
        let ask = json!({"room": from, "identity": WHO, "destination_room": to});
        let api = self.api().with_grants(&json!({"video": video}));
        let moved = api.post("/twirp/livekit.RoomService/MoveParticipant", &ask);
        assert_eq!(moved.status, 200, "from {from} to {to}: {}", moved.body);
    }

    fn hang_up(&self, call: &str) {
        let answer = self.api().request("DELETE", &format!("/trunkline/v1/calls/{call}"), "");
        assert_eq!(answer.status / 100, 2, "{call}: {}", answer.body);
    }

    fn expect_bye(&mut self, fate: Fate) {
        assert!(self.callee.expect_bye(LIMIT).is_some(), "{fate:?}");
    }

    fn expect_no_calls(&self, after: &str) {
        let mut calls = Value::Null;
        let empty = tests::within(LIMIT, || {
            calls = self.api().get("/trunkline/v1/calls").body["calls"].take();
            calls == json!([])
        });
        assert!(empty.is_some(), "{after}: {calls}");
    }
}

fn request(room: &str, changes: &Value) -> Value {
    let mut request = json!({
        "sip_trunk_id": "out", "sip_call_to": "+15550400", "room_name": room, "participant_identity": WHO,
        "wait_until_answered": true,
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}
