//! Getting in.

use super::*;
use crate::room::{End, Path};

#[test]
fn one_connection_with_the_offer_inside_the_join() {
    let mut rig = Rig::new(profile());
    assert_eq!(rig.connects.len(), 1);
    let request = rig.connects[0].request.clone();
    assert_eq!(request.publisher_offer.as_ref().map(|offer| (offer.id, offer.sdp.as_str())), Some((1, "offer")));
    assert!(!request.connection_settings.unwrap().auto_subscribe);
    assert_eq!(fresh(&rig.connects[0]), (&profile().attributes, true));
    assert_eq!(rig.words(), ["Publisher open 1", "Publisher offer +0", "connect Single join"]);
    rig.say(join("PA_1", vec![somebody("PA_2", "agent", &["TR_a", "TR_v"])]));
    assert_eq!(rig.words(), ["joined PA_1", "send subscribe TR_a", "audience 1, heard 0"]);
    rig.answer(1, &[]);
    assert_eq!(rig.words(), ["Publisher set answer", "Publisher offer +0", "send offer 2"]);
    rig.answer(2, &[("1", "TR_a")]);
    rig.peer(PeerEvent::State(PeerState::Connected));
    rig.peer(track("1", "PA_2|TR_a", 77));
    let heard = "Stream { ssrc: 77, identity: \"agent\" }";
    assert_eq!(rig.words(), ["Publisher set answer", "Connected", heard, "audience 1, heard 1"]);
}

#[test]
fn our_track_is_described_like_that_of_livekit_sip() {
    let rig = Rig::new(profile());
    let track = &rig.connects[0].request.add_track_requests[0];
    assert_eq!((track.name.as_str(), track.source()), (ME, proto::TrackSource::Microphone));
    // Pitfall: the offer names redundant audio, which we take and do not send.
    assert_eq!((track.disable_red, track.muted, track.audio_features.len()), (true, false, 0));
}

/// Pitfall 13: newer protocols ask for things that are not ours.
#[test]
fn protocol_16_is_announced() {
    let rig = Rig::new(profile());
    assert_eq!(rig.connects[0].request.client_info.as_ref().map(|info| info.protocol), Some(16));
}

#[test]
fn two_connections_where_the_server_knows_no_other_way() {
    let mut rig = Rig::new(profile());
    rig.clear();
    rig.refuse(Refusal::Status(404, "404 page not found".into()));
    assert_eq!(rig.connects[0].request.publisher_offer, None);
    assert_eq!(rig.words(), ["Publisher open 0", "Publisher offer +0", "connect Dual join"]);
    rig.say(join("PA_1", vec![somebody("PA_2", "agent", &["TR_a"])]));
    let joined = [
        "Subscriber open 0",
        "send track",
        "send offer 1",
        "joined PA_1",
        "send subscribe TR_a",
        "audience 1, heard 0",
    ];
    assert_eq!(rig.words(), joined);
    rig.say(Response::Offer(proto::SessionDescription { id: 7, ..Default::default() }));
    rig.answer(1, &[]);
    assert_eq!(rig.words(), ["Subscriber accept", "send answer 7", "Publisher set answer"], "nothing eager here");
    rig.peer(PeerEvent::State(PeerState::Connected));
    assert!(rig.words().is_empty(), "half of it");
    rig.subscriber(PeerEvent::State(PeerState::Connected));
    rig.subscriber(track("0", "PA_2|TR_a", 5));
    let heard = "Stream { ssrc: 5, identity: \"agent\" }";
    assert_eq!(rig.words(), ["Connected", heard, "audience 1, heard 1"]);
    // What belongs to one connection alone is passed over.
    rig.say(sections(1, 0));
    assert!(rig.words().is_empty());
}

#[test]
fn two_connections_from_the_start_when_asked_for() {
    let rig = Rig::new(Profile { dual: true, ..profile() });
    assert_eq!(rig.connects[0].path, Path::Dual);
}

#[test]
fn refusals_of_the_first_join() {
    let refused = |status| Some(End::Refused { status, text: "why".into() });
    let cases = [
        ("bad token", 401, refused(401)),
        ("forbidden", 403, refused(403)),
        ("bad request", 400, refused(400)),
        ("busy", 429, None),
        ("broken", 500, None),
        ("away behind its proxy", 502, None),
    ];
    for (name, status, expected) in cases {
        let mut rig = Rig::new(profile());
        rig.refuse(Refusal::Status(status, "why".into()));
        let end =
            rig.events.iter().find_map(|event| if let Event::Ended(end) = event { Some(end.clone()) } else { None });
        assert_eq!(end, expected, "{name}");
        assert_eq!(rig.session.next_timeout().is_none(), expected.is_some(), "{name}");
    }
}

#[test]
fn a_room_that_does_not_exist_is_a_refusal_after_both_ways_were_tried() {
    let mut rig = Rig::new(profile());
    for _ in 0..2 {
        rig.refuse(Refusal::Status(404, "room does not exist".into()));
    }
    let end = End::Refused { status: 404, text: "room does not exist".into() };
    assert_eq!(rig.events, [Event::Ended(end)]);
}

#[test]
fn the_first_join_has_a_limit_of_its_own() {
    let mut rig = Rig::new(Profile { join_limit: Duration::from_secs(3), ..profile() });
    while !rig.is_ended() {
        rig.refuse_lost();
        rig.wake();
    }
    assert_eq!(rig.now - rig.start, Duration::from_secs(3));
    assert_eq!(rig.events, [Event::Ended(End::GaveUp { last: "connection refused".into() })]);
    assert!((6..=10).contains(&rig.connects.len()), "{} attempts", rig.connects.len());
    assert_eq!(rig.count("Publisher open 1"), 1, "the offer is used until a server has taken it");
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_asked_again() {
    let mut rig = Rig::new(Profile { join_limit: Duration::from_secs(30), ..profile() });
    rig.clear();
    rig.pass(Duration::from_secs(9));
    assert_eq!(rig.words(), ["disconnect", "connect Single join"]);
}

#[test]
fn media_that_does_not_come_up_is_tried_anew() {
    let mut rig = Rig::new(Profile { join_limit: Duration::from_secs(30), ..profile() });
    rig.say(join("PA_1", vec![]));
    rig.answer(1, &[]);
    rig.answer(2, &[]);
    rig.clear();
    rig.pass(Duration::from_secs(10));
    let words = rig.words();
    let rejoined = ["disconnect", "Publisher open 1", "Publisher offer +0", "connect Single join"];
    assert_eq!(words[words.len() - 4..], rejoined, "{words:?}");
    rig.pass(Duration::from_secs(21));
    assert!(rig.is_ended(), "and not for ever: {:?}", rig.done);
}

/// The server's answer and its candidates come in any order.
#[test]
fn a_candidate_before_the_answer_is_kept_for_it() {
    let mut rig = Rig::new(profile());
    rig.say(join("PA_1", vec![]));
    rig.clear();
    let candidate =
        |init: &str| Response::Trickle(proto::TrickleRequest { candidate_init: init.into(), ..Default::default() });
    rig.say(candidate("early"));
    assert!(rig.words().is_empty());
    rig.obliging = false;
    rig.answer(1, &[]);
    rig.say(candidate("late"));
    assert_eq!(rig.words(), ["Publisher set answer", "Publisher candidate early", "Publisher candidate late"]);
}

#[test]
fn a_peer_that_cannot_make_an_offer_is_replaced_until_the_limit() {
    let mut rig = Rig::new(profile());
    rig.obliging = false;
    rig.say(join("PA_1", vec![]));
    rig.answer(1, &[]);
    rig.clear();
    rig.peer(PeerEvent::Failed("no socket".into()));
    rig.pass_ms(600);
    assert!(rig.did("Publisher open 1"), "{:?}", rig.done);
    rig.peer(PeerEvent::Failed("no socket".into()));
    rig.pass(Duration::from_secs(10));
    assert!(rig.is_ended());
}

#[test]
fn regions_of_cloud_take_over_when_the_main_address_fails() {
    let mut rig = Rig::at(profile(), true);
    rig.refuse_lost();
    assert_eq!(rig.count("find regions"), 1);
    let urls = ["https://a.livekit.cloud", "https://b.livekit.cloud"].map(String::from).to_vec();
    rig.input(Input::Signal(SignalEvent::Regions(urls)));
    let mut visited = vec![];
    for _ in 0..4 {
        rig.wake();
        visited.push(rig.connects.last().unwrap().url.clone());
        rig.refuse_lost();
    }
    let (a, b) = (Some("https://a.livekit.cloud".to_owned()), Some("https://b.livekit.cloud".to_owned()));
    assert_eq!(visited, [a.clone(), b, None, a]);
    assert_eq!(rig.count("find regions"), 1, "asked for once");
}
