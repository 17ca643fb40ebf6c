//! A call that we place: the endpoint and the media plane are real, the carrier is a socket, the test plays the room.

use livekit_protocol as proto;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;
use crate::call::CallStatus;
use crate::dispatch::outbound as placement;
use crate::phone::Transfer;

const TRUNK: &str = "outbound_trunks:
- {name: out, address: \"127.0.0.1:PORT\", numbers: ['+15550100'], headers_to_attributes: {X-Cost: cost},
   attributes_to_headers: {customer: X-Customer}, MORE}";

/// What the callee's side says about its media. Nobody listens there.
pub(super) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

pub(super) struct Carrier {
    socket: UdpSocket,
    gateway: Option<SocketAddr>,
}

impl Carrier {
    async fn new() -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(), gateway: None }
    }

    fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    /// The next request of this method.
    pub(super) async fn hears(&mut self, method: &str) -> String {
        let listen = async {
            loop {
                let mut datagram = [0; 4096];
                let (length, from) = self.socket.recv_from(&mut datagram).await.unwrap();
                self.gateway = Some(from);
                let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
                if text.starts_with(method) {
                    return text;
                }
            }
        };
        timeout(LIMIT, listen).await.unwrap_or_else(|_| panic!("no {method}"))
    }

    /// Answers a request.
    pub(super) async fn says(&self, request: &str, status: &str, more: &str, body: &str) {
        self.says_as("callee", request, status, more, body).await;
    }

    /// The same as one of several phones.
    pub(super) async fn says_as(&self, phone: &str, request: &str, status: &str, more: &str, body: &str) {
        let copied = ["Via:", "From:", "Call-ID:", "CSeq:"];
        let mut text = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            if copied.iter().any(|name| line.starts_with(name)) {
                text.push_str(&format!("{line}\r\n"));
            } else if line.starts_with("To:") {
                let tag = if line.contains("tag=") { String::new() } else { format!(";tag={phone}") };
                text.push_str(&format!("{line}{tag}\r\n"));
            }
        }
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let length = body.len();
        text.push_str(&format!(
            "Contact: <sip:127.0.0.1:{}>\r\n{more}{kind}Content-Length: {length}\r\n\r\n{body}",
            self.port()
        ));
        self.socket.send_to(text.as_bytes(), self.gateway.unwrap()).await.unwrap();
    }

    /// Sends a request within the dialog that this INVITE began.
    pub(super) async fn asks(&self, invite: &str, method: &str, more: &str, body: &str) {
        let header = |name: &str| invite.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        let (from, to, call_id) = (header("From:"), header("To:"), header("Call-ID:"));
        let (port, length) = (self.port(), body.len());
        let text = format!(
            "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}{length}\r\n\
             Max-Forwards: 70\r\nFrom: {to};tag=callee\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 7 {method}\r\n\
             Contact: <sip:127.0.0.1:{port}>\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        );
        self.socket.send_to(text.as_bytes(), self.gateway.unwrap()).await.unwrap();
    }
}

/// A call that stands in its room and has not dialled yet.
pub(super) struct Placing {
    pub(super) carrier: Carrier,
    pub(super) task: JoinHandle<EndReason>,
    progress: mpsc::Receiver<Progress>,
    pub(super) orders: mpsc::Sender<Order>,
    room: mpsc::Receiver<rooms::Command>,
    pub(super) room_tells: mpsc::Sender<rooms::Event>,
    pub(super) store: Store,
    pub(super) stop: watch::Sender<Stop>,
}

pub(super) async fn placing(more: &str, change: impl FnOnce(&mut proto::CreateSipParticipantRequest)) -> Placing {
    let carrier = Carrier::new().await;
    let more = if more.is_empty() { "metadata: ''" } else { more };
    let yaml = TRUNK.replace("PORT", &carrier.port().to_string()).replace("MORE", more);
    let mut request = proto::CreateSipParticipantRequest {
        sip_trunk_id: "out".into(),
        sip_call_to: "+15550199".into(),
        room_name: "lobby".into(),
        participant_identity: "callee".into(),
        participant_attributes: [("customer".to_owned(), "4711".to_owned())].into(),
        wait_until_answered: true,
        ..proto::CreateSipParticipantRequest::default()
    };
    change(&mut request);
    let context = placement::Context {
        call_id: "SCL_outbound".into(),
        random: [7; 16],
        own_host: "127.0.0.1".into(),
        defaults: placement::Defaults::default(),
    };
    let placed = placement::place(&snapshot(&yaml), &request, &context).unwrap();
    let hop = NextHop { wire: sip::Wire::Udp, address: ([127, 0, 0, 1], carrier.port()).into(), server_name: None };
    let (tell, progress) = mpsc::channel(8);
    let Bed { mut driver, sip, _sip_tells: mut events, _stop: stop, .. } = bed(|parts| {
        let call = parts.sip.new_call();
        Leg::Outbound(Box::new(Outbound {
            call,
            sip_call_id: "outbound@example.com".into(),
            placement: placed,
            tell,
            permit: None,
        }))
    })
    .await;
    let (give, orders) = mpsc::channel(8);
    driver.orders = orders;
    let (commands, room) = mpsc::channel(32);
    let (room_tells, room_events) = mpsc::channel(8);
    driver.room = Some(rooms::driver::Handle { commands, events: room_events });
    driver.hops = vec![hop];
    driver.call.handle_input(Instant::now(), Input::Located);
    let ready = driver.prepare().await;
    driver.call.handle_input(Instant::now(), ready);
    while driver.call.poll_action().is_some() {}
    let store = driver.parts.store.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let _ = sip.send(event).await;
        }
    });
    let task = tokio::spawn(async move {
        let started = Instant::now();
        let reason = driver.run().await;
        driver.finish(reason, started).await;
        reason
    });
    let joined = rooms::Joined { room: "lobby".into(), participant_sid: "PA_1".into(), ..rooms::Joined::default() };
    room_tells.send(rooms::Event::Joined(joined)).await.unwrap();
    Placing { carrier, task, progress, orders: give, room, room_tells, store, stop }
}

impl Placing {
    pub(super) async fn hears(&mut self) -> Progress {
        timeout(LIMIT, self.progress.recv()).await.unwrap().unwrap()
    }

    /// Attributes that the room was told of until this one had this value.
    pub(super) async fn attributes_until(&mut self, name: &str, value: &str) -> BTreeMap<String, String> {
        let mut known = BTreeMap::new();
        let told = async {
            while known.get(name).map(String::as_str) != Some(value) {
                if let rooms::Command::Attributes(change) = self.room.recv().await.unwrap() {
                    known.extend(change);
                }
            }
        };
        timeout(LIMIT, told).await.unwrap_or_else(|_| panic!("the room never heard of {name}={value}"));
        known
    }

    pub(super) async fn ends(&mut self) -> EndReason {
        let left = async { while !matches!(self.room.recv().await, None | Some(rooms::Command::Leave(_))) {} };
        timeout(LIMIT, left).await.unwrap();
        // The session is over, as the driver expects of it when it leaves.
        self.room_tells = mpsc::channel(1).0;
        timeout(LIMIT, &mut self.task).await.unwrap().unwrap()
    }

    /// An INVITE that was answered.
    pub(super) async fn answered(&mut self) -> String {
        let invite = self.carrier.hears("INVITE").await;
        self.carrier.says(&invite, "200 OK", "", SDP).await;
        self.carrier.hears("ACK").await;
        assert!(matches!(self.hears().await, Progress::Joined(_)));
        assert_eq!(self.hears().await, Progress::Answered);
        invite
    }
}

#[tokio::test]
async fn a_call_goes_from_dialing_to_active_and_the_room_hears_of_each_step() {
    let mut call = placing("", |_| ()).await;
    let invite = call.carrier.hears("INVITE").await;
    for part in ["INVITE sip:+15550199@127.0.0.1", "Call-ID: outbound@example.com", ";tag=SCL_outbound", "m=audio "] {
        assert!(invite.contains(part), "{part} is not in\n{invite}");
    }
    let Progress::Joined(placed) = call.hears().await else { panic!("not joined") };
    assert_eq!((placed.participant_id.as_str(), placed.sip_call_id.as_str()), ("PA_1", "SCL_outbound"));
    call.carrier.says(&invite, "180 Ringing", "X-Twilio-CallSid: CA1\r\nX-Cost: early\r\n", "").await;
    assert_eq!(call.hears().await, Progress::Ringing);
    let known = call.attributes_until("sip.callStatus", "ringing").await;
    assert_eq!(known["sip.twilio.callSid"], "CA1");
    assert_eq!((known["sip.callTag"].as_str(), known.get("cost")), ("callee", None));
    call.carrier.says(&invite, "200 OK", "X-Cost: 7\r\n", SDP).await;
    call.carrier.hears("ACK").await;
    assert_eq!(call.hears().await, Progress::Answered);
    let known = call.attributes_until("sip.callStatus", CallStatus::Active.as_str()).await;
    assert_eq!(known["cost"], "7");
    call.orders.send(Order::Hangup(EndReason::LocalHangup)).await.unwrap();
    let bye = call.carrier.hears("BYE").await;
    assert!(bye.contains("X-Customer: 4711") && bye.contains("local_hangup"), "{bye}");
    assert_eq!(call.ends().await, EndReason::LocalHangup);
}

#[tokio::test]
async fn whoever_waits_hears_why_a_call_was_refused() {
    for (status, more, label, code, text) in [
        ("486 Busy Here", "", "busy", 486, "INVITE failed: sip status: 486: Busy Here"),
        (
            "404 Not Found",
            "X-Twilio-Error: 21211 Invalid number\r\n",
            "not_found",
            404,
            "INVITE failed: sip status: 404: 21211 Invalid number",
        ),
        (
            "503 Trunk CPS limit exceeded",
            "",
            "carrier_cps_limit",
            503,
            "unexpected status from INVITE response: sip status: 503: Trunk CPS limit exceeded",
        ),
    ] {
        let mut call = placing("", |_| ()).await;
        let invite = call.carrier.hears("INVITE").await;
        call.carrier.says(&invite, status, more, "").await;
        assert!(matches!(call.hears().await, Progress::Joined(_)));
        let Progress::Failed(error) = call.hears().await else { panic!("{status}") };
        assert_eq!((error.to_string().as_str(), error.sip_status().map(|(code, _)| code)), (text, Some(code)));
        assert_eq!(call.ends().await.outcome().label, label);
    }
}

/// Our first offer is one of plain RTP with keys beside it. Who takes no such thing, and says so, is offered the other
/// profile, once; who must be encrypted, or must not, has had the only one.
#[tokio::test]
async fn a_carrier_that_wants_its_keys_in_another_profile_is_called_again() {
    let keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl\r\n";
    let answer = format!("{}{keys}", SDP.replace("RTP/AVP", "RTP/SAVP"));
    for status in ["488 Not Acceptable Here", "606 Not Acceptable", "415 Unsupported Media Type"] {
        let mut call = placing("media: {encryption: SIP_MEDIA_ENCRYPT_ALLOW}", |_| ()).await;
        let first = call.carrier.hears("INVITE").await;
        assert!(
            first.contains(" RTP/AVP ") && first.contains("a=crypto:") && first.contains("CSeq: 1 INVITE"),
            "{first}"
        );
        call.carrier.says(&first, status, "Reason: Q.850;cause=127\r\n", "").await;
        call.carrier.hears("ACK").await;
        let second = call.carrier.hears("INVITE").await;
        for part in [" RTP/SAVP ", "a=crypto:", "CSeq: 2 INVITE", "Call-ID: outbound@example.com", ";tag=SCL_outbound"]
        {
            assert!(second.contains(part), "{part} is not in\n{second}");
        }
        call.carrier.says(&second, "200 OK", "", &answer).await;
        call.carrier.hears("ACK").await;
        call.attributes_until("sip.callStatus", "active").await;
        call.orders.send(Order::Hangup(EndReason::LocalHangup)).await.unwrap();
        call.carrier.hears("BYE").await;
    }
    for (encryption, tries) in [("ALLOW", 2), ("REQUIRE", 1), ("DISABLE", 1)] {
        let mut call = placing(&format!("media: {{encryption: SIP_MEDIA_ENCRYPT_{encryption}}}"), |_| ()).await;
        for number in 1..=tries {
            let invite = call.carrier.hears("INVITE").await;
            assert!(invite.contains(&format!("CSeq: {number} INVITE")), "{encryption}: {invite}");
            call.carrier.says(&invite, "488 Not Acceptable Here", "", "").await;
        }
        assert!(matches!(call.hears().await, Progress::Joined(_)));
        let Progress::Failed(error) = call.hears().await else { panic!("{encryption}") };
        assert_eq!(error.sip_status().map(|(code, _)| code), Some(488), "{encryption}");
    }
    let mut call = placing("media: {encryption: SIP_MEDIA_ENCRYPT_ALLOW}", |_| ()).await;
    let invite = call.carrier.hears("INVITE").await;
    call.carrier.says(&invite, "486 Busy Here", "", "").await;
    assert_eq!(call.ends().await.outcome().label, "busy", "that is not about media");
}

#[tokio::test]
async fn a_carrier_that_asks_for_a_password_that_the_trunk_has_not() {
    let mut call = placing("", |_| ()).await;
    let invite = call.carrier.hears("INVITE").await;
    let challenge = "Proxy-Authenticate: Digest realm=\"c\", nonce=\"n\", algorithm=MD5\r\n";
    call.carrier.says(&invite, "407 Proxy Authentication Required", challenge, "").await;
    assert!(matches!(call.hears().await, Progress::Joined(_)));
    assert_eq!(call.hears().await, Progress::Failed(CallError::NoCredentials));
}

#[tokio::test]
async fn whoever_does_not_wait_any_more_takes_the_call_with_him() {
    let mut call = placing("", |_| ()).await;
    let invite = call.carrier.hears("INVITE").await;
    call.carrier.says(&invite, "180 Ringing", "", "").await;
    assert!(matches!(call.hears().await, Progress::Joined(_)));
    assert_eq!(call.hears().await, Progress::Ringing);
    call.progress = mpsc::channel(1).1;
    let cancel = call.carrier.hears("CANCEL").await;
    assert!(cancel.contains("abandoned"), "{cancel}");
    assert_eq!(call.ends().await, EndReason::Abandoned);
}

#[tokio::test]
async fn nobody_waits_for_a_call_that_is_only_placed() {
    let mut call = placing("", |request| request.wait_until_answered = false).await;
    let invite = call.carrier.hears("INVITE").await;
    call.progress = mpsc::channel(1).1;
    call.carrier.says(&invite, "200 OK", "", SDP).await;
    call.carrier.hears("ACK").await;
    call.attributes_until("sip.callStatus", "active").await;
}

#[tokio::test]
async fn a_callee_who_does_not_answer_is_cancelled_in_time() {
    let second = pbjson_types::Duration { seconds: 1, nanos: 0 };
    let mut call = placing("", |request| request.ringing_timeout = Some(second)).await;
    let invite = call.carrier.hears("INVITE").await;
    call.carrier.says(&invite, "180 Ringing", "", "").await;
    assert!(call.carrier.hears("CANCEL").await.contains("ringing_timeout"));
    assert!(matches!(call.hears().await, Progress::Joined(_)));
    assert_eq!((call.hears().await, call.hears().await), (Progress::Ringing, Progress::Failed(CallError::TimedOut)));
}

#[tokio::test]
async fn an_answer_without_a_description_is_hung_up_unless_one_came_before() {
    for (early, is_good) in [(false, false), (true, true)] {
        let mut call = placing("", |_| ()).await;
        let invite = call.carrier.hears("INVITE").await;
        if early {
            call.carrier.says(&invite, "183 Session Progress", "", SDP).await;
            call.attributes_until("sip.callStatus", "ringing").await;
        }
        call.carrier.says(&invite, "200 OK", "", "").await;
        if is_good {
            call.attributes_until("sip.callStatus", "active").await;
        } else {
            call.carrier.hears("BYE").await;
            assert_eq!(call.ends().await, EndReason::AnswerUnusable);
        }
    }
}

#[tokio::test]
async fn a_room_that_is_deleted_while_the_phone_rings_ends_the_ringing() {
    let mut call = placing("", |_| ()).await;
    let invite = call.carrier.hears("INVITE").await;
    call.carrier.says(&invite, "180 Ringing", "", "").await;
    call.attributes_until("sip.callStatus", "ringing").await;
    call.room_tells.send(rooms::Event::Ended(rooms::End::RoomDeleted)).await.unwrap();
    assert!(call.carrier.hears("CANCEL").await.contains("room_deleted"));
    assert_eq!(call.ends().await, EndReason::RoomDeleted);
}

#[tokio::test]
async fn a_call_leaves_a_record() {
    let mut call = placing("", |_| ()).await;
    let invite = call.carrier.hears("INVITE").await;
    call.carrier.says(&invite, "486 Busy Here", "", "").await;
    assert_eq!(call.ends().await.outcome().label, "busy");
    call.store.flush();
    let records = call.store.records(&crate::store::RecordFilter::default()).unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.end.as_str(), record.sip_status), ("busy", Some(486)));
    assert_eq!((record.from.as_str(), record.to.as_str()), ("+15550100", "+15550199"));
    assert_eq!((record.id.as_str(), record.answered), ("SCL_outbound", None));
    assert!(record.source.starts_with("127.0.0.1:") && record.started <= record.ended, "{record:?}");
}

fn wanted() -> Transfer {
    Transfer {
        to: "tel:+15550123".into(),
        headers: vec![(HeaderName::parse("X-T").unwrap(), "1".into())],
        ringing_timeout: Duration::from_secs(5),
        play_dialtone: false,
    }
}

async fn transfer(call: &Placing) -> oneshot::Receiver<Result<crate::phone::Transferred, CallError>> {
    let (reply, answer) = oneshot::channel();
    call.orders.send(Order::Transfer(Box::new(wanted()), reply)).await.unwrap();
    answer
}

fn report(status: &str, state: &str) -> (String, String) {
    let more = format!("Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag;version=2.0\r\n");
    (more, format!("SIP/2.0 {status}"))
}

#[tokio::test]
async fn a_transfer_tells_its_result_and_the_phone_is_hung_up_if_it_stays() {
    let mut call = placing("", |_| ()).await;
    let invite = call.answered().await;
    let (first, second) = (transfer(&call).await, transfer(&call).await);
    let refer = call.carrier.hears("REFER").await;
    assert!(refer.contains("Refer-To: <tel:+15550123>") && refer.contains("X-T: 1"), "{refer}");
    assert!(refer.contains("X-Customer: 4711"), "{refer}");
    call.carrier.says(&refer, "202 Accepted", "", "").await;
    let (more, body) = report("200 OK", "terminated;reason=noresource");
    call.carrier.asks(&invite, "NOTIFY", &more, &body).await;
    for answer in [first, second] {
        let transferred = timeout(LIMIT, answer).await.unwrap().unwrap().unwrap();
        assert!(transferred.transfer_id.starts_with("STR_"));
        assert_eq!(transferred.sip_status, Some((200, "OK".into())));
    }
    assert!(call.carrier.hears("BYE").await.contains("transferred"));
    assert_eq!(call.ends().await, EndReason::Transferred);
}

#[tokio::test]
async fn a_transfer_that_is_refused_leaves_the_call_as_it_was() {
    let mut call = placing("", |_| ()).await;
    call.answered().await;
    let answer = transfer(&call).await;
    let refer = call.carrier.hears("REFER").await;
    let (reply, other) = oneshot::channel();
    let elsewhere = Transfer { to: "tel:+15550124".into(), ..wanted() };
    call.orders.send(Order::Transfer(Box::new(elsewhere), reply)).await.unwrap();
    assert!(matches!(other.await.unwrap(), Err(CallError::BadTarget(_))), "one target at a time");
    call.carrier.says(&refer, "603 Decline", "", "").await;
    let error = timeout(LIMIT, answer).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.sip_status(), Some((603, "Decline")));
    assert!(!call.task.is_finished());
}

#[tokio::test]
async fn a_peer_that_asks_for_a_transfer_is_refused() {
    let mut call = placing("", |_| ()).await;
    let invite = call.answered().await;
    call.carrier.asks(&invite, "REFER", "Refer-To: <tel:+15550123>\r\n", "").await;
    assert!(call.carrier.hears("SIP/2.0 603").await.contains("REFER"));
    assert!(!call.task.is_finished());
}
