//! A call that we place, from the search for its carrier to its answer.

use super::*;

#[test]
fn an_outbound_call_goes_from_dialing_to_ringing_to_active() {
    let now = Instant::now();
    let mut call = dialling(now);
    assert_eq!(after(&mut call, now, Input::RemoteRinging), [Action::SetStatus(CallStatus::Ringing)]);
    assert_eq!(after(&mut call, now, Input::RemoteRinging), [], "said once");
    let answer = described("answer");
    assert_eq!(after(&mut call, now, Input::RemoteAnswered(answer.clone())), [Action::Agree(answer)]);
    let started = [Action::Listen, Action::StartMedia, Action::SetStatus(CallStatus::Active)];
    assert_eq!(after(&mut call, now, Input::MediaReady), started);
    assert!(call.is_answered());

    let mut busy = dialling(now);
    let refused = EndReason::RemoteRefused(Status::BUSY_HERE);
    let ended = [Action::TellEnd(refused), Action::Release, Action::Finished(refused)];
    assert_eq!(after(&mut busy, now, Input::RemoteRefused(refused)), ended);
}

#[test]
fn what_the_network_says_before_the_answer_takes_the_place_of_the_ringing_tone() {
    let now = Instant::now();
    let with_tone = Limits { dialtone: true, ..limits(Answer::Immediately) };
    let tone = |on| Action::Dialtone(on);
    let early = || Input::EarlyOffered(described("early"));
    let start = || {
        let mut call = joining_outbound(now, with_tone);
        assert_eq!(after(&mut call, now, Input::RoomJoined), [tone(true), Action::Dial]);
        call
    };
    let mut call = start();
    assert_eq!(after(&mut call, now, Input::RemoteRinging), [Action::SetStatus(CallStatus::Ringing)]);
    assert_eq!(after(&mut call, now, early()), [Action::HearEarly(described("early"))]);
    assert_eq!(after(&mut call, now, Input::EarlyMedia), [tone(false), Action::StartEarly]);
    assert_eq!(after(&mut call, now, early()), [Action::HearEarly(described("early"))], "each may be another");
    assert_eq!(after(&mut call, now, Input::EarlyMedia), [Action::StartEarly], "the tone ends once");
    after(&mut call, now, Input::RemoteAnswered(described("answer")));
    let started = [Action::Listen, Action::StartMedia, Action::SetStatus(CallStatus::Active)];
    assert_eq!(after(&mut call, now, Input::MediaReady), started);

    let mut call = start();
    after(&mut call, now, Input::RemoteAnswered(described("answer")));
    let started = [tone(false), Action::Listen, Action::StartMedia, Action::SetStatus(CallStatus::Active)];
    assert_eq!(after(&mut call, now, Input::MediaReady), started, "the answer ends it too");
    assert_eq!(after(&mut call, now, early()), [], "a late 183 says nothing new");
}

#[test]
fn keys_of_the_request_are_pressed_before_the_call_counts_as_active() {
    let now = Instant::now();
    let typing = || {
        let mut call = answered_outbound(now, Limits { keys: Some(3 * SECOND), ..limits(Answer::Immediately) });
        let automation = Action::SetStatus(CallStatus::Automation);
        let started = [Action::Listen, Action::StartMedia, automation, Action::Press];
        assert_eq!(after(&mut call, now, Input::MediaReady), started);
        assert!(call.is_answered());
        call
    };
    let active = [Action::SetStatus(CallStatus::Active)];
    assert_eq!(after(&mut typing(), now, Input::Pressed), active);
    let mut forgotten = typing();
    assert_eq!(forgotten.next_timeout(), Some(now + 3 * SECOND));
    forgotten.handle_timeout(now + 3 * SECOND);
    assert_eq!(drain(&mut forgotten), active, "nobody told us of the end");
    assert_eq!(forgotten.next_timeout(), Some(now + 60 * SECOND), "the longest duration counts from the answer");
}

#[test]
fn a_callee_who_does_not_answer_is_cancelled() {
    let start = Instant::now();
    for ringing in [false, true] {
        let mut call = dialling(start);
        if ringing {
            after(&mut call, start + SECOND, Input::RemoteRinging);
        }
        assert_eq!(call.next_timeout(), Some(start + 5 * SECOND));
        call.handle_timeout(start + 5 * SECOND);
        let reason = EndReason::RingingTimeout;
        let end = [Action::TellEnd(reason), Action::Hangup(reason), Action::Release, Action::Finished(reason)];
        assert_eq!(drain(&mut call), end);
        assert_eq!(after(&mut call, start, Input::RemoteAnswered(described("late"))), [], "the stack says BYE to it");
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_hung_up() {
    let now = Instant::now();
    let mut call = answered_outbound(now, limits(Answer::Immediately));
    let actions = after(&mut call, now, Input::MediaRefused(EndReason::AnswerUnusable));
    assert!(actions.contains(&Action::Hangup(EndReason::AnswerUnusable)), "{actions:?}");
    assert!(!actions.contains(&Action::StartMedia));
}

/// Where the callee is to offer, and what comes while it rings is nothing for us.
#[test]
fn an_offer_that_cannot_be_taken_ends_the_ringing() {
    let now = Instant::now();
    let mut call = dialling(now);
    let offer = described("offer");
    assert_eq!(after(&mut call, now, Input::EarlyOffered(offer.clone())), [Action::HearEarly(offer)]);
    let reason = EndReason::OfferUnacceptable;
    let end = [Action::TellEnd(reason), Action::Hangup(reason), Action::Release, Action::Finished(reason)];
    assert_eq!(after(&mut call, now, Input::MediaRefused(reason)), end);
}

#[test]
fn a_carrier_that_cannot_be_found_costs_no_room_and_no_port() {
    let now = Instant::now();
    let mut call = Call::outbound(limits(Answer::Immediately));
    drain(&mut call);
    let end = [Action::Release, Action::Finished(EndReason::NoRoute)];
    assert_eq!(after(&mut call, now, Input::Hangup(EndReason::NoRoute)), end);
}
