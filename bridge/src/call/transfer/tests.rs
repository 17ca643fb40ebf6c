use SipTransferReason::{
    StrCallEnded, StrCompleted, StrRejected, StrRingingTimeout, StrSubscriptionTerminated, StrUnspecified,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn terms(bridging: Bridging) -> Terms {
    Terms { ringing_timeout: 30 * SECOND, play_dialtone: true, bridging }
}

fn drain(transfer: &mut Transfer) -> Vec<Action> {
    std::iter::from_fn(|| transfer.poll_action()).collect()
}

fn said(status: u16) -> Said {
    (status, format!("words of {status}"))
}

fn answered(status: u16) -> Input {
    Input::Answered(Some(said(status)))
}

fn notified(status: u16, is_last: bool) -> Input {
    Input::Notified { said: Some(said(status)), is_last }
}

fn tell(is_success: bool, reason: SipTransferReason, said: Option<Said>) -> Action {
    Action::Tell(Verdict { is_success, reason, said })
}

/// The phone hears its room again, and whoever asked hears why.
fn failed(reason: SipTransferReason, said: Option<Said>) -> Vec<Action> {
    vec![Action::Ringback(false), tell(false, reason, said), Action::Over]
}

#[test]
fn what_comes_of_a_refer() {
    let unread = |is_last| Input::Notified { said: None, is_last };
    let success = || vec![tell(true, StrCompleted, Some(said(200)))];
    let cases: Vec<(&str, Vec<Input>, Vec<Action>)> = vec![
        ("nothing yet", vec![answered(202)], vec![]),
        ("ringing", vec![answered(202), notified(100, false), notified(180, false)], vec![]),
        ("answered", vec![answered(202), notified(200, true)], success()),
        ("answered, and reported twice", vec![answered(202), notified(200, false), notified(200, true)], success()),
        ("200 to the REFER is as good as 202", vec![answered(200), notified(200, true)], success()),
        ("the report overtakes the 202", vec![notified(200, true), answered(202)], success()),
        ("refused", vec![answered(603)], failed(StrRejected, Some(said(603)))),
        ("no answer to the REFER", vec![Input::Answered(None)], failed(StrUnspecified, None)),
        ("busy", vec![answered(202), notified(486, true)], failed(StrRejected, Some(said(486)))),
        ("busy, overtaking the 202", vec![notified(486, true), answered(202)], failed(StrRejected, Some(said(486)))),
        ("the reports end early", vec![answered(202), notified(100, true)], failed(StrSubscriptionTerminated, None)),
        ("an unreadable report", vec![answered(202), unread(false)], vec![]),
        ("an unreadable last report", vec![answered(202), unread(true)], failed(StrSubscriptionTerminated, None)),
        (
            "BYE instead of a report",
            vec![answered(202), Input::RemoteHangup],
            vec![tell(true, StrCompleted, None), Action::Over],
        ),
        ("we hang up", vec![answered(202), Input::Ended], vec![tell(false, StrCallEnded, None), Action::Over]),
    ];
    for (name, inputs, expected) in cases {
        let now = Instant::now();
        let mut transfer = Transfer::new(now, terms(Bridging::Never));
        assert_eq!(drain(&mut transfer), [Action::Ringback(true), Action::Refer], "{name}");
        for input in inputs {
            transfer.handle_input(now, input);
        }
        assert_eq!(drain(&mut transfer), expected, "{name}");
    }
}

#[test]
fn a_phone_that_was_transferred_and_stays_is_hung_up() {
    let start = Instant::now();
    let success = || {
        let mut transfer = Transfer::new(start, terms(Bridging::Never));
        transfer.handle_input(start, answered(202));
        transfer.handle_input(start + 5 * SECOND, notified(200, true));
        drain(&mut transfer);
        transfer
    };
    let mut stays = success();
    assert_eq!(stays.next_timeout(), Some(start + 6 * SECOND));
    stays.handle_timeout(start + 6 * SECOND);
    assert_eq!(drain(&mut stays), [Action::Hangup, Action::Over]);

    let mut goes = success();
    goes.handle_input(start + 5 * SECOND, Input::RemoteHangup);
    assert_eq!((drain(&mut goes), goes.next_timeout()), (vec![Action::Over], None));
}

#[test]
fn a_callee_who_does_not_answer_is_given_up() {
    let start = Instant::now();
    for inputs in [vec![], vec![answered(202)], vec![answered(202), notified(180, false)]] {
        let mut transfer = Transfer::new(start, terms(Bridging::Never));
        inputs.into_iter().for_each(|input| transfer.handle_input(start + SECOND, input));
        drain(&mut transfer);
        assert_eq!(transfer.next_timeout(), Some(start + 30 * SECOND), "it counts from the REFER");
        transfer.handle_timeout(start + 30 * SECOND);
        assert_eq!(drain(&mut transfer), failed(StrRingingTimeout, None));
        transfer.handle_input(start + 31 * SECOND, notified(200, true));
        assert_eq!(drain(&mut transfer), [], "too late");
    }
}

#[test]
fn we_call_ourselves_where_the_peer_does_not_transfer_and_the_trunk_says_so() {
    let now = Instant::now();
    for (status, bridging, bridges) in [
        (403, Bridging::Fallback, true),
        (405, Bridging::Fallback, true),
        (501, Bridging::Fallback, true),
        (603, Bridging::Fallback, true),
        (404, Bridging::Fallback, false),
        (486, Bridging::Fallback, false),
        (405, Bridging::Never, false),
    ] {
        let mut transfer = Transfer::new(now, terms(bridging));
        transfer.handle_input(now, answered(status));
        assert_eq!(drain(&mut transfer).contains(&Action::Bridge), bridges, "{status} {bridging:?}");
    }
    let mut always = Transfer::new(now, terms(Bridging::Always));
    assert_eq!(drain(&mut always), [Action::Ringback(true), Action::Bridge], "the peer is not asked");
}

#[test]
fn what_comes_of_a_bridge() {
    let now = Instant::now();
    let bridging = || {
        let mut transfer = Transfer::new(now, terms(Bridging::Always));
        drain(&mut transfer);
        transfer
    };
    let busy = Input::BridgeFailed { reason: StrRejected, said: Some(said(486)) };
    let ended = || vec![Action::Unbridge, tell(false, StrCallEnded, None), Action::Over];
    let bridged = vec![Action::Ringback(false), tell(true, StrCompleted, Some((200, "OK".into()))), Action::Over];
    for (name, input, expected) in [
        ("answered", Input::Bridged, bridged),
        ("busy", busy, failed(StrRejected, Some(said(486)))),
        ("the phone hangs up", Input::RemoteHangup, ended()),
        ("we hang up", Input::Ended, ended()),
    ] {
        let mut transfer = bridging();
        transfer.handle_input(now, input);
        assert_eq!(drain(&mut transfer), expected, "{name}");
    }
    let mut hangs = bridging();
    let limit = hangs.next_timeout().unwrap();
    hangs.handle_timeout(limit);
    assert_eq!(drain(&mut hangs).first(), Some(&Action::Unbridge));
}
