//! Being in the room.

use super::*;
use crate::room::{End, RpcCall};

/// Pitfall 2: a requirement of nothing means that something on the present sections changes.
#[test]
fn a_requirement_of_nothing_means_offer_again() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.say(sections(0, 0));
    assert_eq!(rig.words(), ["Publisher offer +0", "send offer 3"]);
    rig.answer(3, &[]);
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.say(sections(2, 0));
    assert_eq!(rig.words(), ["Publisher offer +2", "send offer 4"]);
}

/// Pitfall 3: an answer to it would be asked for again at once, for ever.
#[test]
fn a_requirement_of_video_alone_is_never_answered() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.say(sections(0, 1));
    assert!(rig.words().is_empty());
    rig.say(sections(1, 1));
    assert_eq!(rig.words(), ["Publisher offer +1", "send offer 3"], "the audio in it is");
}

/// Pitfall 4.
#[test]
fn one_offer_at_a_time() {
    let mut rig = Rig::new(profile());
    rig.say(join("PA_1", vec![]));
    rig.clear();
    rig.say(sections(1, 0));
    rig.say(sections(2, 0));
    assert!(rig.words().is_empty(), "the answer to the offer of the join is awaited");
    rig.answer(1, &[]);
    assert_eq!(rig.words(), ["Publisher set answer", "Publisher offer +3", "send offer 2"]);
    rig.answer(2, &[]);
    assert_eq!(rig.words(), ["Publisher set answer"]);
}

/// Pitfall 5: the server gathers changes for 150 ms; who asks first need not wait.
#[test]
fn the_second_offer_follows_the_first_answer_at_once_and_there_is_no_third() {
    let mut rig = Rig::new(profile());
    rig.say(join("PA_1", vec![]));
    rig.answer(1, &[]);
    rig.answer(2, &[]);
    rig.answer(2, &[]);
    assert_eq!((rig.count("send offer 2"), rig.count("send offer 3")), (1, 0));
}

/// Pitfall 6.
#[test]
fn a_section_used_again_is_another_stream() {
    let mut rig = Rig::joined();
    rig.say(update(&[somebody("PA_2", "agent", &["TR_a"])]));
    rig.say(sections(0, 0));
    rig.pass_ms(100);
    rig.answer(3, &[("1", "TR_a")]);
    rig.peer(track("1", "PA_2|TR_a", 10));
    rig.clear();
    rig.peer(track("1", "PA_2|TR_a", 10));
    assert!(rig.words().is_empty(), "said again on a renegotiation");
    rig.say(update(&[somebody("PA_2", "agent", &["TR_b"])]));
    let gone = ["send subscribe TR_b", "forget 10", "StreamGone { ssrc: 10 }", "audience 1, heard 0"];
    assert_eq!(rig.words(), gone);
    rig.pass_ms(100);
    rig.say(sections(0, 0));
    rig.answer(4, &[("1", "TR_b")]);
    rig.clear();
    rig.peer(track("1", "PA_2|TR_b", 11));
    assert_eq!(rig.words(), ["Stream { ssrc: 11, identity: \"agent\" }", "audience 1, heard 1"]);
}

/// Pitfall 7: the section and source of the old track stay dead.
#[test]
fn permission_taken_and_given_back_means_a_rejoin() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.say(update(&[me("PA_1", false)]));
    assert_eq!(rig.words(), ["publish false", "Publishing(false)"]);
    rig.say(update(&[me("PA_1", false)]));
    assert!(rig.words().is_empty());
    rig.say(update(&[me("PA_1", true)]));
    assert_eq!(fresh(&rig.connects[0]), (&profile().attributes, true));
    let words = rig.words();
    assert_eq!(words[..3], ["publish true", "Publishing(true)", "disconnect"]);
    assert!(words.contains(&"connect Single join".into()));
}

#[test]
fn attributes_that_others_set_are_told() {
    let mut rig = Rig::joined();
    let mut info = me("PA_1", true);
    for (name, value) in [("sip.callStatus", "ringing"), ("case", "42")] {
        info.attributes.insert(name.into(), value.into());
    }
    rig.say(update(&[info.clone()]));
    assert_eq!(rig.events, [Event::Attributes(attributes(&[("case", "42")]))]);
    rig.clear();
    rig.say(update(&[info, somebody("PA_2", "agent", &[])]));
    assert!(!rig.events.iter().any(|event| matches!(event, Event::Attributes(_))));
}

/// The right to publish is not won back by getting lost.
#[test]
fn a_rejoin_signs_only_the_rights_that_are_left() {
    let mut rig = Rig::joined();
    rig.say(update(&[me("PA_1", false)]));
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.say(farewell(proto::DisconnectReason::StateMismatch, proto::leave_request::Action::Reconnect));
    assert!(!fresh(&rig.connects[0]).1);
    assert!(rig.connects[0].request.add_track_requests.is_empty());
}

#[test]
fn a_source_we_may_not_publish_is_no_permission() {
    let mut rig = Rig::joined();
    let mut info = me("PA_1", true);
    let camera = proto::TrackSource::Camera as i32;
    info.permission.as_mut().unwrap().can_publish_sources = vec![camera];
    rig.say(update(&[info.clone()]));
    assert!(rig.did("publish false"));
    info.permission.as_mut().unwrap().can_publish_sources.push(proto::TrackSource::Microphone as i32);
    rig.say(update(&[info]));
    assert!(rig.did("publish true"));
}

/// Pitfall 8: what the server mutes stays muted until the server says otherwise.
#[test]
fn a_mute_by_the_server_is_obeyed() {
    let mut rig = Rig::joined();
    let mute = |sid: &str, muted| Response::Mute(proto::MuteTrackRequest { sid: sid.into(), muted });
    rig.say(mute("TR_other", true));
    assert!(rig.words().is_empty());
    rig.say(mute("TR_me", true));
    assert_eq!(rig.words(), ["publish false", "Publishing(false)"]);
    rig.pass(Duration::from_secs(1));
    rig.say(farewell(proto::DisconnectReason::StateMismatch, proto::leave_request::Action::Reconnect));
    assert!(rig.connects[0].request.add_track_requests[0].muted, "also over a rejoin");
    rig.get_in("PA_2");
    rig.clear();
    rig.say(mute("TR_me", false));
    assert_eq!(rig.words(), ["publish true", "Publishing(true)"]);
}

#[test]
fn a_track_that_the_server_dropped_without_a_reason_is_published_anew() {
    let mut rig = Rig::joined();
    rig.pass(Duration::from_secs(1));
    let gone = || Response::TrackUnpublished(proto::TrackUnpublishedResponse { track_sid: "TR_me".into() });
    rig.clear();
    rig.say(gone());
    assert!(rig.words().is_empty());
    rig.pass(Duration::from_secs(1));
    assert!(rig.did("connect Single join"), "{:?}", rig.done);

    let mut rig = Rig::joined();
    rig.say(gone());
    rig.say(update(&[me("PA_1", false)]));
    rig.pass(Duration::from_secs(3));
    assert!(!rig.did("connect Single join"), "taken with the permission");
}

#[test]
fn the_call_decides_when_listening_starts() {
    let mut rig = Rig::new(Profile { subscribe: false, ..profile() });
    rig.say(join("PA_1", vec![somebody("PA_2", "agent", &["TR_a"])]));
    rig.say(update(&[somebody("PA_3", "other", &["TR_b", "TR_v"])]));
    assert!(!rig.done.iter().any(|(_, word)| word.contains("subscribe")));
    rig.clear();
    rig.command(Command::Subscribe(true));
    assert_eq!(rig.words(), ["send subscribe TR_a TR_b"]);
    rig.peer(track("1", "PA_2|TR_a", 10));
    rig.clear();
    rig.command(Command::Subscribe(false));
    let over = ["send unsubscribe TR_a TR_b", "forget 10", "StreamGone { ssrc: 10 }", "audience 2, heard 0"];
    assert_eq!(rig.words(), over);
}

#[test]
fn the_right_to_listen_taken_and_given_back() {
    let mut rig = Rig::joined();
    rig.say(update(&[somebody("PA_2", "agent", &["TR_a"])]));
    rig.clear();
    let mut deaf = me("PA_1", true);
    deaf.permission.as_mut().unwrap().can_subscribe = false;
    rig.say(update(&[deaf]));
    rig.clear();
    rig.say(update(&[me("PA_1", true)]));
    assert_eq!(rig.words(), ["send subscribe TR_a"]);
    let allowed =
        proto::SubscriptionPermissionUpdate { participant_sid: "PA_2".into(), track_sid: "TR_a".into(), allowed: true };
    rig.say(Response::SubscriptionPermissionUpdate(allowed));
    assert_eq!(rig.words(), ["send subscribe TR_a"]);
}

#[test]
fn our_former_self_is_no_audience() {
    let mut rig = Rig::new(profile());
    rig.say(join("PA_2", vec![me("PA_1", true), somebody("PA_9", "agent", &[])]));
    assert!(rig.did("audience 1, heard 0"), "{:?}", rig.done);
    rig.clear();
    rig.say(update(&[me("PA_1", false)]));
    assert!(rig.words().is_empty());
}

#[test]
fn digits_wait_for_the_channel_and_are_queued_over_a_rejoin() {
    let mut rig = Rig::new(profile());
    rig.command(Command::Dtmf('1'));
    rig.say(join("PA_1", vec![]));
    rig.clear();
    rig.peer(PeerEvent::ChannelOpen("_lossy".into()));
    rig.subscriber(PeerEvent::ChannelOpen("_reliable".into()));
    assert!(rig.words().is_empty());
    rig.peer(PeerEvent::ChannelOpen("_reliable".into()));
    rig.command(Command::Dtmf('#'));
    assert_eq!(rig.words(), ["Publisher data", "Publisher data"]);
    rig.pass(Duration::from_secs(1));
    rig.say(farewell(proto::DisconnectReason::StateMismatch, proto::leave_request::Action::Reconnect));
    rig.clear();
    rig.command(Command::Dtmf('5'));
    assert!(rig.words().is_empty());
    rig.get_in("PA_2");
    assert_eq!(rig.count("Publisher data"), 1);
}

#[test]
fn data_of_others_reaches_the_call() {
    use prost::Message as _;
    use proto::data_packet::Value;
    let packet = |value| {
        let packet =
            proto::DataPacket { participant_identity: "agent".into(), value: Some(value), ..Default::default() };
        PeerEvent::Data { label: "_reliable".into(), bytes: packet.encode_to_vec().into() }
    };
    let mut rig = Rig::joined();
    rig.peer(packet(Value::SipDtmf(proto::SipDtmf { code: 5, digit: "5".into() })));
    let topic = Some("t".to_owned());
    rig.subscriber(packet(Value::User(proto::UserPacket { payload: b"hi".to_vec(), topic, ..Default::default() })));
    rig.peer(PeerEvent::Data { label: "_lossy".into(), bytes: vec![0xff; 40].into() });
    let from = || "agent".to_owned();
    let expected = [
        Event::Dtmf { from: from(), code: 5, digits: "5".into() },
        Event::Data { from: from(), topic: "t".into(), payload: (&b"hi"[..]).into() },
    ];
    assert_eq!(rig.events, expected);
}

#[test]
fn attributes_are_told_by_difference() {
    let mut rig = Rig::joined();
    rig.command(Command::Attributes(attributes(&[("sip.callStatus", "ringing")])));
    assert!(rig.words().is_empty(), "known already");
    rig.command(Command::Attributes(attributes(&[("sip.callStatus", "active"), ("x", "1")])));
    let expected = HashMap::from([("sip.callStatus".into(), "active".into()), ("x".into(), "1".into())]);
    assert_eq!(told(&rig.requests[0]), expected);
}

#[test]
fn attributes_set_while_joining_are_told_right_after() {
    let mut rig = Rig::new(profile());
    rig.command(Command::Attributes(attributes(&[("sip.callStatus", "active")])));
    rig.clear();
    rig.say(join("PA_1", vec![]));
    assert!(rig.did("send attributes"));
}

#[test]
fn leaving_says_why_and_ends_at_once() {
    let mut rig = Rig::joined();
    rig.command(Command::Attributes(attributes(&[("sip.callStatus", "hangup")])));
    rig.command(Command::Leave(proto::DisconnectReason::UserRejected));
    let left = ["send attributes", "send leave USER_REJECTED", "Publisher close", "disconnect", "Ended(Left)"];
    assert_eq!(rig.words(), left);
    rig.say(join("PA_9", vec![]));
    rig.command(Command::Leave(proto::DisconnectReason::ClientInitiated));
    assert!(rig.words().is_empty());
    assert_eq!(rig.session.next_timeout(), None);
}

#[test]
fn leaving_before_the_room_is_reached() {
    let mut rig = Rig::new(profile());
    rig.clear();
    rig.command(Command::Leave(proto::DisconnectReason::ClientInitiated));
    assert_eq!(rig.events, [Event::Ended(End::Left)]);
    assert_eq!(rig.words(), ["Publisher close", "disconnect", "Ended(Left)"]);
}

#[test]
fn the_server_moves_us_to_another_room() {
    let mut rig = Rig::joined();
    rig.say(Response::RoomMoved(proto::RoomMovedResponse {
        room: Some(proto::Room { name: "other".into(), sid: "RM_2".into(), ..Default::default() }),
        token: "moved".into(),
        participant: Some(me("PA_7", true)),
        other_participants: vec![somebody("PA_8", "agent", &["TR_x"])],
    }));
    assert!(rig.did("joined PA_7") && rig.did("send subscribe TR_x"), "{:?}", rig.done);
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.say(farewell(proto::DisconnectReason::StateMismatch, proto::leave_request::Action::Reconnect));
    assert!(matches!(&rig.connects[0].token, Token::Fresh { room, .. } if room == "other"));
}

#[test]
fn a_server_that_asks_after_every_offer_gets_a_bounded_number_of_them() {
    let mut rig = Rig::joined();
    rig.clear();
    for _ in 0..1_000 {
        rig.pass_ms(1);
        rig.say(sections(0, 0));
        let id =
            rig.requests.iter().rev().find_map(|r| if let Request::Offer(offer) = r { Some(offer.id) } else { None });
        if let Some(id) = id {
            rig.answer(id, &[]);
        }
    }
    let offers = rig.requests.iter().filter(|request| matches!(request, Request::Offer(_))).count();
    assert!((10..=21).contains(&offers), "{offers} offers in a second");
}

#[test]
fn a_procedure_is_acknowledged_at_once_and_answered_to_its_caller() {
    use prost::Message as _;
    use proto::data_packet::Value;
    let request = |from: &str, id: &str, version| {
        let request = proto::RpcRequest { id: id.into(), method: "m".into(), version, ..Default::default() };
        let packet = proto::DataPacket {
            participant_identity: from.into(),
            value: Some(Value::RpcRequest(request)),
            ..Default::default()
        };
        PeerEvent::Data { label: "_reliable".into(), bytes: packet.encode_to_vec().into() }
    };
    let mut rig = Rig::joined();
    rig.say(update(&[somebody("PA_2", "agent", &[])]));
    rig.clear();
    rig.peer(request("agent", "1", 1));
    assert_eq!(rig.count("Publisher data"), 1, "the acknowledgement");
    let call = RpcCall { from: "agent".into(), id: "1".into(), method: "m".into(), payload: String::new() };
    assert_eq!(rig.events, [Event::Rpc(call)]);
    rig.clear();
    rig.command(Command::Reply { to: "agent".into(), id: "1".into(), result: Ok("{}".into()) });
    assert_eq!(rig.words(), ["Publisher data"]);

    rig.peer(request("stranger", "2", 1));
    assert!(rig.words().is_empty(), "nobody in the room");
    rig.peer(request("agent", "3", 9));
    assert_eq!(rig.words(), ["Publisher data", "Publisher data"], "refused without the call");
    for n in 0..100 {
        rig.peer(request("agent", &n.to_string(), 1));
    }
    assert_eq!(rig.events.len(), 8, "ten a second");
    rig.pass(Duration::from_secs(1));
    rig.clear();
    rig.peer(request("agent", "4", 1));
    assert_eq!(rig.events.len(), 1);
}
