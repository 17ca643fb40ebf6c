//! Losing the room and coming back, while the phone call goes on.

use super::*;
use crate::room::{End, Restored};
use proto::DisconnectReason as Reason;
use proto::leave_request::Action as Leave;

fn reconnect() -> Response {
    Response::Reconnect(proto::ReconnectResponse::default())
}

#[test]
fn a_cut_signal_connection_is_resumed_and_media_never_touched() {
    let mut rig = Rig::joined();
    rig.say(update(&[somebody("PA_2", "agent", &["TR_a"])]));
    rig.pass(Duration::from_secs(2));
    rig.clear();
    rig.lose();
    assert!(matches!(&rig.connects[0].token, Token::Given(token) if token == "token of PA_1"));
    assert_eq!(rig.words(), ["disconnect", "Interrupted", "connect Single resume PA_1"]);
    rig.say(reconnect());
    let sync =
        rig.requests.iter().find_map(|r| if let Request::SyncState(sync) = r { Some(sync.clone()) } else { None });
    let sync = sync.unwrap();
    assert_eq!(sync.offer.map(|offer| offer.sdp).as_deref(), Some("local Publisher"));
    assert_eq!(sync.answer.map(|answer| answer.sdp).as_deref(), Some("remote Publisher"));
    assert_eq!(sync.subscription.unwrap().track_sids, ["TR_a"]);
    assert_eq!(sync.publish_tracks[0].track.as_ref().unwrap().sid, "TR_me");
    assert_eq!(sync.data_channels[0].label, "_reliable");
    let resumed = ["Publisher describe", "send sync", "Publisher offer +0", "Restored(Resumed)", "send offer 3"];
    assert_eq!(rig.words(), resumed);
}

#[test]
fn two_connections_resume_with_both_descriptions() {
    let mut rig = Rig::new(Profile { dual: true, ..profile() });
    rig.say(join("PA_1", vec![]));
    rig.answer(1, &[]);
    rig.peer(PeerEvent::State(PeerState::Connected));
    rig.subscriber(PeerEvent::State(PeerState::Connected));
    rig.pass(Duration::from_secs(1));
    rig.lose();
    rig.say(reconnect());
    let sync =
        rig.requests.iter().find_map(|r| if let Request::SyncState(sync) = r { Some(sync.clone()) } else { None });
    let sync = sync.unwrap();
    assert_eq!(sync.offer.map(|offer| offer.sdp).as_deref(), Some("remote Subscriber"));
    assert_eq!(sync.answer.map(|answer| answer.sdp).as_deref(), Some("local Subscriber"));
    assert!(rig.events.contains(&Event::Restored(Restored::Resumed)));
}

#[test]
fn ice_restarts_after_a_resume_only_when_the_peer_is_down() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.lose();
    rig.peer(PeerEvent::State(PeerState::Disconnected));
    rig.clear();
    rig.say(reconnect());
    assert!(rig.did("Publisher offer +0 restart"), "{:?}", rig.done);
    assert!(!rig.did("Restored(Resumed)"), "not before media is back");
    rig.peer(PeerEvent::State(PeerState::Connected));
    assert!(rig.did("Restored(Resumed)"));
}

#[test]
fn a_killed_server_finds_us_back_within_half_a_second_of_its_return() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(10));
    rig.clear();
    let killed = rig.now;
    rig.lose();
    let mut at = vec![];
    while rig.now - killed < Duration::from_secs(5) {
        at.push(rig.now);
        rig.refuse_lost();
        rig.wake();
    }
    for pair in at.windows(2) {
        let gap = (pair[1] - pair[0]).as_millis();
        assert!((300..=500).contains(&gap), "{gap}");
    }
    assert_eq!(rig.count("Publisher open 1"), 0, "a resume is tried all the time");
    // It is back, and knows nothing of us: that is no reason to wait.
    rig.clear();
    rig.say(farewell(Reason::StateMismatch, Leave::Reconnect));
    assert_eq!(rig.words(), ["disconnect", "Publisher open 1", "Publisher offer +0", "connect Single join"]);
    rig.get_in("PA_2");
    let words = rig.words();
    assert!(words.contains(&"joined PA_2".into()) && words.contains(&"Restored(Rejoined)".into()), "{words:?}");
}

/// Pitfall 9: the token of a join carries the attributes of that moment.
#[test]
fn a_rejoin_carries_the_attributes_of_now() {
    let mut rig = Rig::joined();
    rig.command(Command::Attributes(attributes(&[("sip.callStatus", "active"), ("note", "x")])));
    rig.pass(Duration::from_secs(1));
    rig.lose();
    rig.command(Command::Attributes(attributes(&[("note", "")])));
    rig.clear();
    rig.say(farewell(Reason::StateMismatch, Leave::Reconnect));
    assert_eq!(fresh(&rig.connects[0]).0, &attributes(&[("sip.callStatus", "active")]));
    rig.get_in("PA_2");
    assert!(!rig.did("send attributes"), "the token has said it");
}

#[test]
fn attributes_set_during_a_resume_are_told_after_it() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.lose();
    rig.command(Command::Attributes(attributes(&[("sip.callStatus", "active")])));
    assert!(!rig.did("send attributes"));
    rig.clear();
    rig.say(reconnect());
    let update = rig.requests.iter().find(|request| matches!(request, Request::UpdateMetadata(_))).unwrap();
    assert_eq!(told(update), HashMap::from([("sip.callStatus".into(), "active".into())]));
}

#[test]
fn an_answer_under_way_when_the_signal_is_cut_does_not_block_the_next_offer() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.say(sections(1, 0));
    assert!(rig.did("send offer 3"));
    rig.lose();
    rig.pass_ms(100);
    rig.clear();
    rig.say(reconnect());
    assert!(rig.did("send offer 4"), "{:?}", rig.done);
    rig.answer(3, &[]);
    assert!(!rig.did("Publisher set answer"), "the answer to the old one is late");
    rig.answer(4, &[]);
    assert!(rig.did("Publisher set answer"));
}

#[test]
fn what_each_farewell_means() {
    #[derive(Debug, PartialEq)]
    enum Then {
        Ends(End),
        Resumes,
        Rejoins,
    }
    use Then::{Ends, Rejoins, Resumes};
    let cases = [
        (Reason::ParticipantRemoved, Leave::Disconnect, Ends(End::Removed)),
        (Reason::RoomDeleted, Leave::Disconnect, Ends(End::RoomDeleted)),
        (Reason::RoomClosed, Leave::Disconnect, Ends(End::RoomClosed)),
        (Reason::DuplicateIdentity, Leave::Disconnect, Ends(End::DuplicateIdentity)),
        (Reason::ClientInitiated, Leave::Disconnect, Ends(End::Disconnected(Reason::ClientInitiated))),
        (Reason::UnknownReason, Leave::Disconnect, Ends(End::Disconnected(Reason::UnknownReason))),
        (Reason::ServerShutdown, Leave::Disconnect, Rejoins),
        (Reason::ServerShutdown, Leave::Reconnect, Rejoins),
        (Reason::StateMismatch, Leave::Disconnect, Rejoins),
        (Reason::StateMismatch, Leave::Reconnect, Rejoins),
        (Reason::ConnectionTimeout, Leave::Disconnect, Rejoins),
        (Reason::SignalClose, Leave::Disconnect, Rejoins),
        (Reason::Migration, Leave::Reconnect, Rejoins),
        (Reason::UnknownReason, Leave::Resume, Resumes),
        (Reason::ServerShutdown, Leave::Resume, Resumes),
    ];
    for (reason, action, expected) in cases {
        let mut rig = Rig::joined();
        rig.pass(Duration::from_secs(1));
        rig.clear();
        rig.say(farewell(reason, action));
        let then = match rig.events.last() {
            Some(Event::Ended(end)) => Ends(end.clone()),
            _ if rig.did("connect Single resume PA_1") => Resumes,
            _ if rig.did("connect Single join") => Rejoins,
            _ => panic!("{reason:?} {action:?}: {:?}", rig.done),
        };
        assert_eq!(then, expected, "{reason:?} {action:?}");
        if let Ends(_) = then {
            assert!(rig.did("Publisher close") && rig.did("disconnect"), "{reason:?}");
            assert_eq!(rig.session.next_timeout(), None);
        }
    }
}

#[test]
fn a_server_of_old_says_it_without_an_action() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    let reason = Reason::UnknownReason as i32;
    rig.say(Response::Leave(proto::LeaveRequest { can_reconnect: true, reason, ..Default::default() }));
    assert!(rig.did("connect Single join"));
}

#[test]
fn a_farewell_names_the_region_to_go_to() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    let region = proto::RegionInfo { url: "https://other.livekit.cloud".into(), ..Default::default() };
    rig.say(Response::Leave(proto::LeaveRequest {
        reason: Reason::Migration as i32,
        action: Leave::Reconnect as i32,
        regions: Some(proto::RegionSettings { regions: vec![region] }),
        ..Default::default()
    }));
    assert_eq!(rig.connects[0].url.as_deref(), Some("https://other.livekit.cloud"));
}

#[test]
fn the_limit_ends_it_and_says_why() {
    let away = || Refusal::Lost("connection refused".into());
    let cases = [
        ("gone without a word", None, End::GaveUp { last: away().to_string() }),
        ("shut down", Some(farewell(Reason::ServerShutdown, Leave::Disconnect)), End::ServerShutdown),
    ];
    for (name, word, expected) in cases {
        let mut rig = Rig::joined_as(Profile { reconnect_limit: Duration::from_secs(10), ..profile() });
        rig.pass(Duration::from_secs(1));
        let lost = rig.now;
        match word {
            Some(word) => rig.say(word),
            None => rig.lose(),
        }
        while !rig.is_ended() {
            rig.refuse(away());
            rig.wake();
        }
        assert_eq!(rig.events.last(), Some(&Event::Ended(expected)), "{name}");
        assert_eq!(rig.now - lost, Duration::from_secs(10), "{name}");
    }
}

#[test]
fn refusals_while_the_room_is_lost() {
    let cases = [
        ("participant unknown", 404, "connect Single join"),
        ("token too old", 401, "connect Single join"),
        ("server starting", 503, "connect Single resume PA_1"),
        ("busy", 429, "connect Single resume PA_1"),
    ];
    for (name, status, expected) in cases {
        let mut rig = Rig::joined();
        rig.pass(Duration::from_secs(1));
        rig.lose();
        rig.clear();
        rig.refuse(Refusal::Status(status, String::new()));
        rig.pass_ms(500);
        assert!(rig.did(expected), "{name}: {:?}", rig.done);
    }
    // A rejoin is not discouraged by a server that is only half up, and does not forget how it got in at first.
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.say(farewell(Reason::ServerShutdown, Leave::Reconnect));
    rig.clear();
    rig.refuse(Refusal::Status(404, "page not found".into()));
    rig.pass_ms(500);
    assert_eq!(rig.words(), ["connect Single join"]);
    rig.refuse(Refusal::Status(403, "no".into()));
    assert!(rig.is_ended(), "but a closed door is a closed door");
}

#[test]
fn a_silent_signal_connection_is_dead() {
    let mut rig = Rig::joined();
    let start = rig.now;
    rig.pass_ms(14_900);
    assert_eq!(rig.words(), ["send ping", "send ping"]);
    rig.pass_ms(200);
    assert_eq!(rig.words()[..2], ["disconnect", "Interrupted"]);
    assert!(rig.now - start < Duration::from_secs(16));
}

#[test]
fn pongs_keep_it_alive_and_measure_it() {
    let mut rig = Rig::joined();
    for _ in 0..20 {
        rig.wake();
        let ping =
            rig.requests.iter().rev().find_map(|r| if let Request::PingReq(ping) = r { Some(*ping) } else { None });
        rig.now += Duration::from_millis(30);
        let last_ping_timestamp = ping.unwrap().timestamp;
        rig.say(Response::PongResp(proto::Pong { last_ping_timestamp, timestamp: 1 }));
        assert_eq!(rig.session.round_trip(), Some(Duration::from_millis(30)));
    }
    assert!(!rig.did("disconnect"));
}

#[test]
fn a_peer_that_stumbles_gets_new_ice_credentials_and_then_a_successor() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.peer(PeerEvent::State(PeerState::Disconnected));
    assert_eq!(rig.words(), ["Interrupted", "Publisher offer +0 restart", "send offer 3"]);
    rig.answer(3, &[]);
    rig.clear();
    rig.pass_ms(5_000);
    let words = rig.words();
    assert!(words.contains(&"Publisher open 1".into()) && words.contains(&"connect Single join".into()), "{words:?}");

    let mut rig = Rig::joined();
    rig.peer(PeerEvent::State(PeerState::Disconnected));
    rig.peer(PeerEvent::State(PeerState::Connected));
    assert!(rig.did("Restored(Resumed)"), "{:?}", rig.done);
}

#[test]
fn a_peer_that_fails_means_a_rejoin_wherever_we_are() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.peer(PeerEvent::State(PeerState::Failed));
    assert_eq!(rig.words()[..4], ["disconnect", "Interrupted", "Publisher open 1", "Publisher offer +0"]);

    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.lose();
    rig.refuse_lost();
    rig.clear();
    rig.peer(PeerEvent::State(PeerState::Failed));
    rig.wake();
    assert!(rig.did("connect Single join"), "{:?}", rig.done);
}

#[test]
fn the_last_words_of_a_replaced_peer_do_no_harm() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.obliging = false;
    rig.say(farewell(Reason::StateMismatch, Leave::Reconnect));
    rig.clear();
    for event in [PeerEvent::State(PeerState::Closed), PeerEvent::State(PeerState::Failed), PeerEvent::Answered] {
        rig.peer(event);
    }
    assert!(rig.words().is_empty());
    rig.peer(PeerEvent::Offer("offer".into()));
    assert_eq!(rig.words(), ["connect Single join"]);
}

#[test]
fn a_server_that_throws_us_out_again_and_again_is_not_hammered() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    let start = rig.now;
    let mut sid = 2;
    while rig.now - start < Duration::from_secs(10) {
        rig.say(farewell(Reason::ConnectionTimeout, Leave::Reconnect));
        if !rig.did("connect Single join") {
            rig.wake();
        }
        rig.done.clear();
        rig.get_in(&format!("PA_{sid}"));
        sid += 1;
    }
    assert!((20..=36).contains(&rig.connects.len()), "{} joins in ten seconds", rig.connects.len());
}
