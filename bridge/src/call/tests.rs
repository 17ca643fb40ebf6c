mod last_word;
mod outbound;

use bytes::Bytes;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits(answer: Answer) -> Limits {
    Limits {
        answer,
        early_media: false,
        ringing: 5 * SECOND,
        ringing_interval: SECOND,
        duration: 60 * SECOND,
        dialtone: false,
        keys: None,
        asks_pin: false,
    }
}

fn drain(call: &mut Call) -> Vec<Action> {
    std::iter::from_fn(|| call.poll_action()).collect()
}

fn after(call: &mut Call, now: Instant, input: Input) -> Vec<Action> {
    call.handle_input(now, input);
    drain(call)
}

fn heard(heard: usize) -> Input {
    Input::Audience(Audience { participants: 1, heard, ..Audience::default() })
}

/// A call that rings in its room.
fn ringing(now: Instant, answer: Answer) -> Call {
    let mut call = Call::inbound(limits(answer));
    assert_eq!(drain(&mut call), [Action::PrepareMedia]);
    assert_eq!(after(&mut call, now, Input::MediaReady), [Action::JoinRoom(CallStatus::Ringing)]);
    assert_eq!(after(&mut call, now, Input::RoomJoined), [Action::Listen, Action::Ring]);
    call
}

/// A call that both sides hear.
fn active(now: Instant) -> Call {
    let mut call = ringing(now, Answer::OnTrack);
    assert_eq!(after(&mut call, now, heard(1)), [Action::Answer]);
    let started = [Action::StartMedia, Action::SetStatus(CallStatus::Active)];
    assert_eq!(after(&mut call, now, Input::Acknowledged), started);
    call
}

/// A call that we place, as far as its INVITE.
fn dialling(now: Instant) -> Call {
    let mut call = joining_outbound(now, limits(Answer::Immediately));
    assert_eq!(after(&mut call, now, Input::RoomJoined), [Action::Dial]);
    call
}

/// A call that we place, as far as its room.
fn joining_outbound(now: Instant, limits: Limits) -> Call {
    let mut call = Call::outbound(limits);
    assert_eq!(drain(&mut call), [Action::Locate]);
    assert_eq!(after(&mut call, now, Input::Located), [Action::PrepareMedia]);
    assert_eq!(after(&mut call, now, Input::MediaReady), [Action::JoinRoom(CallStatus::Dialing)]);
    call
}

fn described(text: &'static str) -> Offer {
    Offer(Bytes::from_static(text.as_bytes()))
}

/// A call that we have placed, and that was answered.
fn answered_outbound(now: Instant, limits: Limits) -> Call {
    let mut call = joining_outbound(now, limits);
    after(&mut call, now, Input::RoomJoined);
    after(&mut call, now, Input::RemoteAnswered(described("answer")));
    call
}

#[test]
fn answers_when_the_room_is_ready_and_not_before() {
    let now = Instant::now();
    let alone = Audience::default();
    let silent = Audience { participants: 1, ..alone };
    let published = Audience { audio_tracks: 1, ..silent };
    let talking = Audience { heard: 1, ..published };
    let phone = Audience { sip: 1, ..silent };
    let cases = [
        ("nobody there", Answer::OnParticipant, alone, false),
        ("somebody without audio", Answer::OnParticipant, silent, true),
        ("somebody without audio, audio wanted", Answer::OnTrack, silent, false),
        ("somebody whose audio has not reached us", Answer::OnTrack, published, false),
        ("somebody with audio", Answer::OnTrack, talking, true),
        ("another phone that rings too", Answer::OnTrack, phone, true),
    ];
    for (name, answer, audience, answered) in cases {
        let mut call = ringing(now, answer);
        let actions = after(&mut call, now, Input::Audience(audience));
        assert_eq!(actions.contains(&Action::Answer), answered, "{name}");
    }
}

#[test]
fn answers_at_once_when_the_rule_says_so() {
    let now = Instant::now();
    let mut call = Call::inbound(limits(Answer::Immediately));
    drain(&mut call);
    after(&mut call, now, Input::MediaReady);
    assert_eq!(after(&mut call, now, Input::RoomJoined), [Action::Listen, Action::Answer]);
}

#[test]
fn a_caller_who_hears_the_room_is_answered_when_a_participant_asks_for_it() {
    let now = Instant::now();
    for (early_media, told, first) in [
        (false, Action::Ring, vec![Action::Listen, Action::Ring]),
        (true, Action::Progress, vec![Action::Listen, Action::Progress, Action::StartEarly]),
    ] {
        let mut call = Call::inbound(Limits { early_media, ..limits(Answer::OnRequest) });
        drain(&mut call);
        after(&mut call, now, Input::MediaReady);
        assert!(!call.is_waiting() && after(&mut call, now, Input::PickedUp).is_empty(), "nobody waits yet");
        assert_eq!(after(&mut call, now, Input::RoomJoined), first);
        assert_eq!(after(&mut call, now, heard(1)), [], "an audience is not enough");
        call.handle_timeout(now + SECOND);
        assert_eq!(drain(&mut call), [told], "told again, started once");
        assert!(call.is_waiting());
        assert_eq!(after(&mut call, now, Input::PickedUp), [Action::Answer]);
        let started = [Action::StartMedia, Action::SetStatus(CallStatus::Active)];
        assert_eq!(after(&mut call, now, Input::Acknowledged), started);
        assert_eq!(after(&mut call, now, Input::PickedUp), []);
    }
}

#[test]
fn an_audience_that_was_there_before_the_join_is_remembered() {
    let now = Instant::now();
    let mut call = Call::inbound(limits(Answer::OnTrack));
    drain(&mut call);
    after(&mut call, now, Input::MediaReady);
    assert_eq!(after(&mut call, now, heard(1)), []);
    assert_eq!(after(&mut call, now, Input::RoomJoined), [Action::Listen, Action::Answer]);
}

#[test]
fn ringing_is_repeated_until_it_is_given_up() {
    let start = Instant::now();
    let mut call = ringing(start, Answer::OnTrack);
    let mut at = Vec::new();
    while let Some(next) = call.next_timeout() {
        call.handle_timeout(next);
        at.push(((next - start).as_secs(), drain(&mut call)));
    }
    let ring = |second| (second, vec![Action::Ring]);
    let end = vec![
        Action::TellEnd(EndReason::RingingTimeout),
        Action::Refuse(EndReason::RingingTimeout),
        Action::Release,
        Action::Finished(EndReason::RingingTimeout),
    ];
    assert_eq!(at, [ring(1), ring(2), ring(3), ring(4), (5, end)]);
}

#[test]
fn a_room_that_does_not_answer_sends_the_carrier_elsewhere() {
    let now = Instant::now();
    let mut call = Call::inbound(limits(Answer::OnTrack));
    drain(&mut call);
    after(&mut call, now, Input::MediaReady);
    call.handle_timeout(now + JOIN_LIMIT);
    assert!(drain(&mut call).contains(&Action::Refuse(EndReason::RoomUnreachable)));
}

#[test]
fn every_end_from_every_state() {
    let now = Instant::now();
    type Start = fn(Instant) -> Call;
    let starts: [(&str, Start); 8] = [
        ("preparing", |_| {
            let mut call = Call::inbound(limits(Answer::OnTrack));
            drain(&mut call);
            call
        }),
        ("ringing", |now| ringing(now, Answer::OnTrack)),
        ("active", active),
        ("dialling", dialling),
        ("agreeing", |now| answered_outbound(now, limits(Answer::Immediately))),
        ("typing", |now| {
            let mut call = answered_outbound(now, Limits { keys: Some(SECOND), ..limits(Answer::Immediately) });
            after(&mut call, now, Input::MediaReady);
            call
        }),
        ("locating", |_| {
            let mut call = Call::outbound(limits(Answer::Immediately));
            drain(&mut call);
            call
        }),
        ("outbound, joining", |now| joining_outbound(now, limits(Answer::Immediately))),
    ];
    for reason in [EndReason::MaxDuration, EndReason::Shutdown, EndReason::RoomDeleted, EndReason::ParticipantRemoved] {
        for (name, start) in starts {
            let mut call = start(now);
            let mut actions = after(&mut call, now, Input::Hangup(reason));
            assert_eq!(call.is_playing_out(), name == "active", "{name} {reason:?}");
            actions.extend(after(&mut call, now, Input::PlayedOut));
            let said = actions.iter().find(|a| matches!(a, Action::Hangup(_) | Action::Refuse(_))).cloned();
            let expected = match name {
                "preparing" | "ringing" => Some(Action::Refuse(reason)),
                "locating" | "outbound, joining" => None,
                _ => Some(Action::Hangup(reason)),
            };
            assert_eq!(said, expected, "{name} {reason:?}");
            assert_eq!(actions.last(), Some(&Action::Finished(reason)), "{name}");
            let told = actions.contains(&Action::TellEnd(reason));
            assert_eq!(
                told,
                !matches!(name, "preparing" | "locating"),
                "{name}: the room hears of the end if the call was in it"
            );
        }
    }
    // What the stack has dealt with needs no word from us.
    for input in [Input::RemoteHangup, Input::RemoteCancel, Input::AnsweredElsewhere, Input::AckMissing] {
        for (name, start) in starts {
            let actions = after(&mut start(now), now, input.clone());
            let said = actions.iter().any(|a| matches!(a, Action::Hangup(_) | Action::Refuse(_)));
            assert!(!said, "{name} {input:?}");
        }
    }
}

#[test]
fn nothing_happens_after_the_end() {
    let now = Instant::now();
    let mut call = active(now);
    after(&mut call, now, Input::RemoteHangup);
    assert_eq!(call.next_timeout(), None);
    for input in [Input::RemoteHangup, Input::MediaTimeout, Input::Digit(Key('5')), Input::RoomJoined] {
        assert_eq!(after(&mut call, now, input), []);
    }
}

#[test]
fn the_longest_duration_counts_from_the_answer() {
    let now = Instant::now();
    let mut call = ringing(now, Answer::OnTrack);
    let answered = now + 4 * SECOND;
    after(&mut call, answered, heard(1));
    after(&mut call, answered + SECOND, Input::Acknowledged);
    assert_eq!(call.next_timeout(), Some(answered + 60 * SECOND));
    call.handle_timeout(answered + 60 * SECOND);
    call.handle_input(answered + 60 * SECOND, Input::PlayedOut);
    assert!(drain(&mut call).contains(&Action::Finished(EndReason::MaxDuration)));
}

#[test]
fn a_new_offer_is_taken_up_where_there_is_a_line_and_no_offer_of_ours() {
    let now = Instant::now();
    let offer = Offer(Bytes::from_static(b"v=0"));
    let mut answering = ringing(now, Answer::OnTrack);
    after(&mut answering, now, heard(1));
    let mut joining = Call::inbound(limits(Answer::OnTrack));
    joining.handle_input(now, Input::MediaReady);
    drain(&mut joining);
    let (taken, refused) = ([Action::Renegotiate(offer.clone())], [Action::RefuseReoffer(Status::REQUEST_PENDING)]);
    let cases = [
        ("in mid-call", active(now), &taken),
        ("while it rings", ringing(now, Answer::OnTrack), &taken),
        ("while our answer waits for it", answering, &taken),
        ("before the room is joined", joining, &refused),
    ];
    for (name, mut call, expected) in cases {
        let state = format!("{:?}", call.state);
        assert_eq!(after(&mut call, now, Input::Reoffered(offer.clone())), *expected, "{name}");
        assert_eq!(format!("{:?}", call.state), state, "{name}");
    }
}

#[test]
fn keys_are_for_the_room_once_the_call_is_answered() {
    let now = Instant::now();
    assert_eq!(after(&mut active(now), now, Input::Digit(Key('7'))), [Action::PublishDigit(Key('7'))]);
    assert_eq!(after(&mut ringing(now, Answer::OnTrack), now, Input::Digit(Key('7'))), []);
}

#[test]
fn keys_and_descriptions_stay_out_of_the_log() {
    let offer = Offer(Bytes::from_static(b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret"));
    let told = [
        format!("{:?}", Input::Digit(Key('7'))),
        format!("{:?}", Action::PublishDigit(Key('7'))),
        format!("{:?}", Input::Reoffered(offer.clone())),
        format!("{:?}", Action::Renegotiate(offer.clone())),
        format!("{:?}", Input::RemoteAnswered(offer.clone())),
        format!("{:?}", Action::HearEarly(offer)),
    ];
    for text in told {
        assert!(!text.contains('7') && !text.contains("secret"), "{text}");
    }
}

#[test]
fn a_room_lost_for_good_in_mid_call_is_not_one_that_was_never_reached() {
    let now = Instant::now();
    let mut joining = Call::inbound(limits(Answer::OnTrack));
    drain(&mut joining);
    after(&mut joining, now, Input::MediaReady);
    for (name, mut call, expected) in [
        ("joining", joining, EndReason::RoomUnreachable),
        ("ringing", ringing(now, Answer::OnTrack), EndReason::RoomLost),
        ("active", active(now), EndReason::RoomLost),
        ("dialling", dialling(now), EndReason::RoomLost),
    ] {
        let actions = after(&mut call, now, Input::RoomEnded(EndReason::RoomUnreachable));
        assert_eq!(actions.last(), Some(&Action::Finished(expected)), "{name}");
    }
}

#[test]
fn an_unusable_answer_ends_a_call_that_has_nothing_else() {
    let now = Instant::now();
    let bad = || Input::MediaRefused(EndReason::OfferMalformed);
    assert_eq!(after(&mut active(now), now, bad()), [], "what was agreed upon before stays");
    let mut call = ringing(now, Answer::OnTrack);
    after(&mut call, now, heard(1));
    let actions = after(&mut call, now, bad());
    assert!(actions.contains(&Action::Hangup(EndReason::OfferMalformed)), "{actions:?}");
}

#[test]
fn a_room_that_ends_while_the_answer_is_under_way_takes_the_call_with_it() {
    let now = Instant::now();
    let mut call = ringing(now, Answer::OnTrack);
    assert_eq!(after(&mut call, now, heard(1)), [Action::Answer]);
    let actions = after(&mut call, now, Input::RoomEnded(EndReason::RoomDeleted));
    assert!(actions.contains(&Action::Hangup(EndReason::RoomDeleted)), "{actions:?}");
    assert_eq!(after(&mut call, now, Input::Acknowledged), [], "the stack says BYE to the late ACK");
}

#[test]
fn a_bye_may_come_before_the_ack_and_a_cancel_before_the_room() {
    let now = Instant::now();
    let mut answering = ringing(now, Answer::OnTrack);
    after(&mut answering, now, heard(1));
    let mut joining = Call::inbound(limits(Answer::OnTrack));
    drain(&mut joining);
    after(&mut joining, now, Input::MediaReady);
    for (name, mut call, input, reason) in [
        ("answering", answering, Input::RemoteHangup, EndReason::RemoteHangup),
        ("joining", joining, Input::RemoteCancel, EndReason::RemoteCancel),
        ("ringing", ringing(now, Answer::OnTrack), Input::AnsweredElsewhere, EndReason::AnsweredElsewhere),
    ] {
        let end = [Action::TellEnd(reason), Action::Release, Action::Finished(reason)];
        assert_eq!(after(&mut call, now, input), end, "{name}");
        assert_eq!(after(&mut call, now, Input::RoomJoined), [], "{name}: a late join starts nothing");
    }
}

#[test]
fn a_rejoin_is_no_second_join() {
    let now = Instant::now();
    assert_eq!(after(&mut active(now), now, Input::RoomJoined), []);
    assert_eq!(after(&mut ringing(now, Answer::OnTrack), now, Input::RoomJoined), []);
}

/// A call that was answered, and whose caller is to type a PIN.
fn admitting(now: Instant) -> Call {
    let mut call = Call::inbound(Limits { asks_pin: true, ..limits(Answer::OnTrack) });
    assert_eq!(drain(&mut call), [Action::PrepareMedia]);
    assert_eq!(after(&mut call, now, Input::MediaReady), [Action::Answer]);
    assert_eq!(after(&mut call, now, Input::Digit(Key('1'))), [Action::NotePinKey(Key('1'))], "quicker than the ACK");
    assert_eq!(after(&mut call, now, Input::Acknowledged), [Action::StartMedia, Action::AskPin]);
    call
}

#[test]
fn a_caller_with_the_pin_comes_into_the_room_and_is_active_at_once() {
    let now = Instant::now();
    let mut call = admitting(now);
    assert!(!call.is_answered() && !call.is_in_room(), "nobody in a room has a part in it yet");
    assert_eq!(after(&mut call, now, Input::Digit(Key('4'))), [Action::NotePinKey(Key('4'))]);
    let offer = Offer(Bytes::from_static(b"v=0"));
    assert_eq!(after(&mut call, now, Input::Reoffered(offer.clone())), [Action::Renegotiate(offer)], "held meanwhile");
    assert_eq!(after(&mut call, now, Input::Admitted), [Action::JoinRoom(CallStatus::Active)]);
    assert_eq!(after(&mut call, now, Input::Digit(Key('1'))), [Action::PublishDigit(Key('1'))], "for the room already");
    assert_eq!(after(&mut call, now, Input::RoomJoined), [Action::Listen, Action::SetStatus(CallStatus::Active)]);
    assert!(call.is_answered());
    assert_eq!(call.next_timeout(), Some(now + 60 * SECOND));
}

#[test]
fn a_caller_without_the_pin_hears_bye_as_he_was_answered() {
    let now = Instant::now();
    let end = |reason| [Action::TellEnd(reason), Action::Hangup(reason), Action::Release, Action::Finished(reason)];
    let mut call = admitting(now);
    let reason = EndReason::PinRefused;
    assert_eq!(after(&mut call, now, Input::Hangup(reason)), end(reason));

    let mut call = admitting(now);
    call.handle_timeout(now + 60 * SECOND);
    assert_eq!(drain(&mut call), end(EndReason::MaxDuration), "who never ends to type");

    let mut call = admitting(now);
    after(&mut call, now, Input::Admitted);
    call.handle_timeout(now + JOIN_LIMIT);
    assert_eq!(drain(&mut call), end(EndReason::RoomUnreachable), "the room is not there");
}
