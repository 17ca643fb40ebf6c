//! Offers within a call, of both sides: one is open at a time, and each answer is credited to its own.

use sip::{Method, Request, Response, Uri};

use super::*;
use crate::room::RpcCall;

const HELD_BY_ROOM: &str = "trunkline.hold";

fn sdp(rest: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n{rest}"
    )
}

/// A call whose first offer and answer are settled.
async fn talking() -> Bed {
    let mut bed = active(TRUNK).await;
    let plane = bed.driver.parts.plane.clone();
    bed.driver.media.set_offer(&sdp(""));
    bed.driver.media.prepare(&plane).unwrap();
    bed
}

impl Bed {
    /// What the endpoint tells, and whatever the call makes of it.
    async fn hears(&mut self, event: sip::Event) {
        for input in self.driver.sip_inputs(Some(event)).await {
            self.driver.take(input);
            while let Some(action) = self.driver.call.poll_action() {
                if let Some(input) = self.driver.perform(action).await {
                    self.driver.take(input);
                }
            }
        }
    }

    async fn is_answered(&mut self, body: &str) {
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        let response = Box::new(Response { body, ..Response::new(Status::OK) });
        self.hears(sip::Event::ReinviteAnswered { call: self.driver.leg.call(), response }).await;
    }

    async fn is_refused(&mut self, status: Option<Status>) {
        let response = status.map(|status| Box::new(Response::new(status)));
        self.hears(sip::Event::ReinviteRejected { call: self.driver.leg.call(), response }).await;
    }

    async fn is_refreshed(&mut self) {
        self.hears(sip::Event::RefreshDue { call: self.driver.leg.call() }).await;
    }

    async fn is_called(&mut self, method: &str) {
        let [from, id, payload] = ["agent", "1", ""].map(str::to_owned);
        self.driver.called(RpcCall { from, id, method: method.to_owned(), payload }).await;
    }

    async fn is_offered(&mut self, method: Method, body: &str) {
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        let uri = Uri::parse("sip:gateway@127.0.0.1").unwrap();
        let request = Box::new(Request { body, ..Request::new(method, uri) });
        self.hears(sip::Event::Reinvite { call: self.driver.leg.call(), request }).await;
    }

    async fn is_acknowledged(&mut self, body: &str) {
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        self.hears(sip::Event::Acked { call: self.driver.leg.call(), body }).await;
    }

    async fn takes_back(&mut self) {
        self.hears(sip::Event::ReinviteCancelled { call: self.driver.leg.call() }).await;
    }

    fn is_held_by_phone(&self) -> bool {
        self.driver.attributes.contains_key("sip.hold")
    }

    fn is_held_by_room(&self) -> bool {
        self.driver.attributes.contains_key(HELD_BY_ROOM)
    }
}

/// A call that rings, and whose caller has our answer already.
async fn ringing() -> Bed {
    let mut bed = talking().await;
    let mut call = Call::inbound(Limits {
        answer: Answer::OnRequest,
        early_media: true,
        ringing: LIMIT,
        ringing_interval: LIMIT,
        duration: LIMIT,
        dialtone: false,
        keys: None,
        asks_pin: false,
    });
    for input in [Input::MediaReady, Input::RoomJoined] {
        call.handle_input(Instant::now(), input);
    }
    while call.poll_action().is_some() {}
    bed.driver.call = call;
    bed
}

/// What the caller offers while it rings counts from then on, unless it is none; none of it answers the call, or ends it.
#[tokio::test]
async fn offers_before_the_answer() {
    let hold = sdp("a=sendonly\r\n");
    let unknown = sdp("").replace("RTP/AVP 0", "RTP/AVP 18");
    type Said<'a> = &'a [(Method, &'a str)];
    let cases: &[(&str, Said<'_>, bool)] = &[
        ("in a PRACK", &[(Method::Prack, &hold)], true),
        ("in an UPDATE", &[(Method::Update, &hold)], true),
        ("in both", &[(Method::Prack, &hold), (Method::Update, &sdp(""))], false),
        ("what we do not speak", &[(Method::Prack, &hold), (Method::Update, &unknown)], true),
        ("what is no description", &[(Method::Prack, &hold), (Method::Update, "hello")], true),
    ];
    for (name, offers, is_held) in cases {
        let mut bed = ringing().await;
        for (method, body) in *offers {
            bed.is_offered(method.clone(), body).await;
        }
        assert_eq!(bed.is_held_by_phone(), *is_held, "{name}");
        assert!(bed.driver.call.is_waiting(), "{name}");
        // The answer, and what follows it.
        bed.driver.take(Input::PickedUp);
        while bed.driver.call.poll_action().is_some() {}
        bed.is_acknowledged("").await;
        assert!(bed.driver.call.is_answered(), "{name}");
        assert_eq!(bed.is_held_by_phone(), *is_held, "{name}");
        bed.is_called("trunkline.hold").await;
        bed.is_answered(&sdp("a=inactive\r\n")).await;
        assert!(bed.is_held_by_room(), "{name}: no offer is left open");
    }
}

#[tokio::test]
async fn a_hold_during_a_refresh_waits_for_its_turn() {
    let mut bed = talking().await;
    bed.is_refreshed().await;
    bed.is_called("trunkline.hold").await;
    bed.is_answered(&sdp("")).await;
    assert!(!bed.is_held_by_room(), "that was the answer to the refresh");
    bed.is_answered(&sdp("a=recvonly\r\n")).await;
    assert!(bed.is_held_by_room());
}

/// Each row: what happens, then whether the room holds the phone and the phone the call.
#[tokio::test]
async fn offers_that_cross() {
    #[derive(Clone, Copy, Debug)]
    enum Do {
        Refresh,
        Hold,
        Resume,
        /// The phone answers our offer with this direction.
        Answer(&'static str),
        /// It answers with what is no description.
        Babble,
        Refuse(Option<Status>),
        /// It offers this direction.
        Invite(&'static str),
        Update(&'static str),
        /// It wants our offer, and answers in the ACK.
        Ask,
        Ack(&'static str),
        Silent,
        Cancel,
    }
    use Do::*;
    const BUSY: Option<Status> = Some(Status::REQUEST_PENDING);
    const NO: Option<Status> = Some(Status::NOT_ACCEPTABLE_HERE);
    let cases: &[(&str, &[Do], bool, bool)] = &[
        ("a hold", &[Hold, Answer("a=recvonly")], true, false),
        ("a hold that is refused", &[Hold, Refuse(NO)], false, false),
        ("a hold with an answer that is none", &[Hold, Babble], false, false),
        ("a hold and a resume", &[Hold, Answer("a=recvonly"), Resume, Answer("")], false, false),
        ("a resume that is refused", &[Hold, Answer("a=recvonly"), Resume, Refuse(NO)], true, false),
        ("a hold in a refresh that collides", &[Refresh, Hold, Refuse(BUSY), Answer("a=recvonly")], true, false),
        ("a hold in a refresh that is refused", &[Refresh, Hold, Refuse(NO), Answer("a=recvonly")], true, false),
        ("a refresh in a hold", &[Hold, Refresh, Answer("a=recvonly")], true, false),
        ("a refresh of a held phone", &[Hold, Answer("a=recvonly"), Refresh, Answer("a=recvonly")], true, false),
        ("the phone holds", &[Invite("a=sendonly"), Ack("")], false, true),
        ("the phone holds by UPDATE", &[Update("a=inactive")], false, true),
        ("a refresh while the phone holds", &[Update("a=sendonly"), Refresh, Answer("a=sendonly")], false, true),
        (
            "a refresh while the phone holds, answered as if it did not",
            &[Update("a=sendonly"), Refresh, Answer("")],
            false,
            true,
        ),
        ("both hold", &[Invite("a=sendonly"), Ack(""), Hold, Answer("a=inactive")], true, true),
        (
            "a hold while the phone's is not acknowledged",
            &[Invite("a=sendonly"), Hold, Answer("a=inactive")],
            false,
            true,
        ),
        ("the same, acknowledged", &[Invite("a=sendonly"), Hold, Ack(""), Answer("a=inactive")], true, true),
        (
            "the phone's was there before the stack had ours",
            &[Hold, Invite("a=sendonly"), Refuse(None), Ack(""), Answer("a=inactive")],
            true,
            true,
        ),
        (
            "the same by UPDATE, which is settled at once",
            &[Hold, Update("a=sendonly"), Refuse(None), Answer("a=inactive")],
            true,
            true,
        ),
        ("the phone takes its hold back", &[Invite("a=sendonly"), Cancel], false, false),
        ("the phone asks, and holds in the ACK", &[Ask, Ack("a=sendonly")], false, true),
        ("the phone holds, then asks, and talks", &[Update("a=sendonly"), Ask, Ack("")], false, false),
        ("the phone asks and says nothing", &[Update("a=sendonly"), Ask, Silent], false, true),
        ("a hold while the phone asks", &[Ask, Hold, Ack(""), Answer("a=recvonly")], true, false),
        ("a held phone asks", &[Hold, Answer("a=recvonly"), Ask, Ack("a=recvonly")], true, false),
        (
            "what we do not speak, taken back, after an UPDATE that stays",
            &[Update("a=sendonly"), Invite("\0"), Cancel],
            false,
            true,
        ),
        ("what we do not speak", &[Hold, Answer("a=recvonly"), Invite("\0")], true, false),
    ];
    for (name, steps, by_room, by_phone) in cases {
        let mut bed = talking().await;
        for step in *steps {
            let line = |direction: &str| match direction {
                "" => sdp(""),
                "\0" => sdp("").replace("RTP/AVP 0", "RTP/AVP 18"),
                direction => sdp(&format!("{direction}\r\n")),
            };
            match *step {
                Refresh => bed.is_refreshed().await,
                Hold => bed.is_called("trunkline.hold").await,
                Resume => bed.is_called("trunkline.resume").await,
                Answer(direction) => bed.is_answered(&line(direction)).await,
                Babble => bed.is_answered("").await,
                Refuse(status) => bed.is_refused(status).await,
                Invite(direction) => bed.is_offered(Method::Invite, &line(direction)).await,
                Update(direction) => bed.is_offered(Method::Update, &line(direction)).await,
                Ask => bed.is_offered(Method::Invite, "").await,
                Ack("") if steps.iter().any(|step| matches!(step, Ask)) => bed.is_acknowledged(&sdp("")).await,
                Ack("") => bed.is_acknowledged("").await,
                Ack(direction) => bed.is_acknowledged(&line(direction)).await,
                Silent => bed.is_acknowledged("").await,
                Cancel => bed.takes_back().await,
            }
        }
        let found = (bed.is_held_by_room(), bed.is_held_by_phone());
        assert_eq!(found, (*by_room, *by_phone), "{name}");
        assert!(bed.driver.call.is_answered(), "{name}: nothing of this ends a call");
    }
}

/// Keys that a phone changes in its answer to an offer of ours are told like those of its own offers.
#[tokio::test]
async fn a_rekey_answered_by_the_phone_is_told() {
    let yaml = TRUNK.replace("headers: {X-Fixed", "media: {encryption: SIP_MEDIA_ENCRYPT_ALLOW}, headers: {X-Fixed");
    let mut bed = active(&yaml).await;
    let plane = bed.driver.parts.plane.clone();
    let keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:GgKxatEc+sYepjANRwH2+vEG+trLPpi6/0eJ4bdl\r\n";
    bed.driver.media.set_offer(&sdp(keys));
    bed.driver.media.prepare(&plane).unwrap();
    bed.driver.tell_encryption();
    let is_told = |bed: &Bed| bed.driver.listing.info().is_some_and(|info| info.encrypted);
    assert!(is_told(&bed));
    bed.is_refreshed().await;
    bed.is_answered(&sdp("")).await;
    assert!(!is_told(&bed), "the phone gives the keys up, as it may where they are allowed");
}
