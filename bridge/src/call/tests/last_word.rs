use super::*;

const LAST: [EndReason; 4] =
    [EndReason::LocalHangup, EndReason::RoomDeleted, EndReason::ParticipantRemoved, EndReason::MaxDuration];

/// A call that we have ended, and whose phone still hears the room.
fn playing_out(now: Instant, reason: EndReason) -> Call {
    let mut call = active(now);
    assert_eq!(after(&mut call, now, Input::Hangup(reason)), [Action::TellEnd(reason), Action::PlayOut]);
    call
}

#[test]
fn the_phone_hears_the_last_word_and_then_bye() {
    let now = Instant::now();
    for reason in LAST {
        let end = [Action::Hangup(reason), Action::Release, Action::Finished(reason)];
        let mut heard = playing_out(now, reason);
        assert_eq!(after(&mut heard, now, Input::PlayedOut), end, "{reason:?}: as soon as it was heard");

        let mut endless = playing_out(now, reason);
        assert_eq!(endless.next_timeout(), Some(now + PLAY_OUT), "{reason:?}");
        endless.handle_timeout(now + PLAY_OUT / 2);
        assert_eq!(drain(&mut endless), []);
        endless.handle_timeout(now + PLAY_OUT);
        assert_eq!(drain(&mut endless), end, "{reason:?}: a room that never falls silent");
        assert_eq!(endless.next_timeout(), None);
    }
}

#[test]
fn who_hangs_up_first_is_not_kept() {
    let now = Instant::now();
    let gone =
        [Input::RemoteHangup, Input::AckMissing, Input::RemoteRefused(EndReason::SessionExpired), Input::RemoteCancel];
    for input in gone {
        let mut call = playing_out(now, EndReason::LocalHangup);
        let end = [Action::Release, Action::Finished(EndReason::LocalHangup)];
        assert_eq!(after(&mut call, now, input.clone()), end, "{input:?}: without a BYE, the first reason stands");
    }
    let reason = EndReason::RemoteHangup;
    let end = [Action::TellEnd(reason), Action::Release, Action::Finished(reason)];
    assert_eq!(after(&mut active(now), now, Input::RemoteHangup), end, "nobody is there to hear it");
}

#[test]
fn nothing_is_played_out_where_media_is_broken_or_was_never_there() {
    let now = Instant::now();
    for input in [Input::MediaTimeout, Input::MediaFault, Input::RoomEnded(EndReason::RoomLost)] {
        let actions = after(&mut active(now), now, input.clone());
        assert!(!actions.contains(&Action::PlayOut), "{input:?}: {actions:?}");
        assert!(matches!(actions.last(), Some(Action::Finished(_))), "{input:?}");
    }
    for mut call in [ringing(now, Answer::OnTrack), dialling(now)] {
        let actions = after(&mut call, now, Input::Hangup(EndReason::LocalHangup));
        assert_eq!(actions.last(), Some(&Action::Finished(EndReason::LocalHangup)));
    }
    // What breaks down meanwhile has nothing more to say.
    for input in [Input::MediaFault, Input::Hangup(EndReason::GatewayFault)] {
        let mut call = playing_out(now, EndReason::Shutdown);
        let reason = EndReason::Shutdown;
        let end = [Action::Hangup(reason), Action::Release, Action::Finished(reason)];
        assert_eq!(after(&mut call, now, input.clone()), end, "{input:?}");
    }
}

#[test]
fn a_call_that_is_about_to_end_takes_no_orders() {
    let now = Instant::now();
    let mut call = playing_out(now, EndReason::LocalHangup);
    let late = [
        Input::RoomEnded(EndReason::RoomDeleted),
        Input::RoomEnded(EndReason::RoomUnreachable),
        Input::Hangup(EndReason::Shutdown),
        Input::MediaTimeout,
        Input::MediaRefused(EndReason::OfferMalformed),
        Input::Digit(Key('1')),
        Input::Audience(Audience::default()),
        Input::RoomJoined,
        Input::Acknowledged,
    ];
    for input in late {
        assert_eq!(after(&mut call, now, input.clone()), [], "{input:?}");
    }
    let refused = [Action::RefuseReoffer(Status::REQUEST_PENDING)];
    assert_eq!(after(&mut call, now, Input::Reoffered(described("hold"))), refused);
    assert!(call.is_playing_out() && !call.is_answered() && !call.is_in_room());
    assert_eq!(call.next_timeout(), Some(now + PLAY_OUT), "nothing of it moves the end");
}
