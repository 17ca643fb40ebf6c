//! Anything in any order: no panic, no spinning, one way out.

use super::*;
use proto::DisconnectReason as Reason;
use proto::leave_request::Action as Leave;

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn anything(dice: &mut Dice) -> Input {
    let role = if dice.roll(3) == 0 { Role::Subscriber } else { Role::Publisher };
    let number = u32::try_from(dice.roll(6)).unwrap();
    let peer = |event| Input::Peer(role, event);
    let says = |message| Input::Signal(SignalEvent::Message(Box::new(message)));
    match dice.roll(34) {
        0 => says(join(&format!("PA_{number}"), vec![somebody("PA_9", "agent", &["TR_a", "TR_b"])])),
        1 => says(Response::Reconnect(proto::ReconnectResponse::default())),
        2..=4 => says(Response::Answer(proto::SessionDescription { id: number, ..Default::default() })),
        5 => says(Response::Offer(proto::SessionDescription { id: number, ..Default::default() })),
        6 => says(sections(number, number % 2)),
        7 => says(update(&[me(&format!("PA_{number}"), number % 2 == 0), somebody("PA_8", "x", &["TR_c"])])),
        8 => says(farewell(Reason::StateMismatch, Leave::Reconnect)),
        9 => says(farewell(Reason::ServerShutdown, Leave::Disconnect)),
        10 => says(farewell(Reason::UnknownReason, Leave::Resume)),
        11 => says(Response::TrackUnpublished(proto::TrackUnpublishedResponse { track_sid: "TR_me".into() })),
        12 => says(published("TR_me")),
        13 => says(Response::PongResp(proto::Pong { last_ping_timestamp: i64::from(number), timestamp: 0 })),
        14 => says(Response::RefreshToken("t".into())),
        15 => Input::Signal(SignalEvent::Lost("lost".into())),
        16 => Input::Signal(SignalEvent::Refused(Refusal::Lost("lost".into()))),
        17 => Input::Signal(SignalEvent::Refused(Refusal::Status(503, String::new()))),
        18 => Input::Signal(SignalEvent::Refused(Refusal::Status(404, String::new()))),
        19 => peer(PeerEvent::Offer("offer".into())),
        20 => peer(PeerEvent::Answer("answer".into())),
        21 => peer(PeerEvent::Answered),
        22 => peer(PeerEvent::Described { local: None, remote: None, channels: vec![] }),
        23 | 24 => peer(PeerEvent::State(PeerState::Connected)),
        25 => peer(PeerEvent::State(PeerState::Disconnected)),
        26 => peer(PeerEvent::State(PeerState::Failed)),
        27 => peer(PeerEvent::ChannelOpen("_reliable".into())),
        28 => peer(track(&number.to_string(), "PA_9|TR_a", number)),
        29 => peer(PeerEvent::Failed("no".into())),
        30 => Input::Command(Command::Subscribe(number % 2 == 0)),
        31 => Input::Command(Command::Dtmf('7')),
        32 => Input::Command(Command::Attributes(attributes(&[("k", if number == 0 { "" } else { "v" })]))),
        _ => says(Response::Mute(proto::MuteTrackRequest { sid: "TR_me".into(), muted: number % 2 == 0 })),
    }
}

#[test]
fn anything_in_any_order() {
    for seed in 1..=2_000 {
        let mut dice = Dice(seed);
        let mut rig = Rig::at(profile(), seed % 2 == 0);
        for step in 0..200 {
            rig.obliging = dice.roll(8) > 0;
            if dice.roll(3) == 0 {
                rig.pass_ms([1, 20, 400, 3_000][usize::try_from(dice.roll(4)).unwrap()]);
            } else {
                let input = anything(&mut dice);
                rig.input(input);
            }
            let ended = rig.events.iter().position(|event| matches!(event, Event::Ended(_)));
            if let Some(at) = ended {
                assert_eq!(at + 1, rig.events.len(), "seed {seed}, step {step}: words after the end");
                assert_eq!(rig.session.next_timeout(), None, "seed {seed}");
            } else {
                assert!(rig.session.next_timeout().is_some(), "seed {seed}, step {step}: waits for nothing");
            }
        }
        rig.command(Command::Leave(Reason::ClientInitiated));
        assert!(rig.is_ended(), "seed {seed}");
        let (mut lost, mut streams) = (0_i32, std::collections::BTreeSet::new());
        for event in &rig.events {
            match event {
                Event::Interrupted => lost += 1,
                Event::Restored(_) => lost -= 1,
                Event::Stream { ssrc, .. } => assert!(streams.insert(*ssrc), "seed {seed}: {ssrc} twice"),
                Event::StreamGone { ssrc } => assert!(streams.remove(ssrc), "seed {seed}: {ssrc} was not there"),
                _ => {}
            }
            assert!((0..=1).contains(&lost), "seed {seed}: lost and restored do not alternate");
        }
    }
}
