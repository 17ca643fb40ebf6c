//! The session timer of a call ([RFC 4028]): how long it may last without a sign of life, and whose turn it is to give one.
//!
//! ```text
//!             2xx with Session-Expires
//! no clock ──────────────────────────────► running ──half of the interval, when it is our turn──► a refresh is wanted
//!                                             ▲ └────no refresh, min(32 s, a third) before the end──► expired
//!                                             └─ each 2xx to INVITE or UPDATE
//! ```
//!
//! A re-INVITE, or its 2xx, that says nothing of it while the clock runs leaves it running, and us to refresh: PBXs write the
//! header into refreshes alone, and end the call when none comes.
//!
//! [RFC 4028]: https://www.rfc-editor.org/rfc/rfc4028

use std::time::{Duration, Instant};

use super::{command::ExtraHeaders, config::SessionTimers};
use crate::{
    message::{HeaderName, Headers, Method, Refresher, SessionExpires},
    transaction::{PATIENCE, earliest},
};

/// The option tag (RFC 4028 §7.1).
pub(crate) const TIMER: &str = "timer";
/// No session may be shorter (RFC 4028 §5).
const SHORTEST: Duration = Duration::from_secs(90);
/// None that is longer makes a difference.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How often a peer may ask for longer sessions before we give in to its refusal.
const MAX_RAISES: u8 = 3;
/// How often a refresh may fail that no end waits for.
const MAX_FAILURES: u8 = 3;

/// The session of one call.
#[derive(Debug)]
pub(crate) struct Session {
    /// `None`: we have no session timers.
    wish: Option<SessionTimers>,
    /// The least that the peer, or a proxy, has asked for.
    least: Duration,
    raises: u8,
    /// The peer takes UPDATE.
    pub(crate) takes_update: bool,
    clock: Option<Clock>,
}

#[derive(Debug)]
struct Clock {
    interval: Duration,
    is_ours: bool,
    /// When we refresh, or try again.
    refresh: Option<Instant>,
    /// A refresh is under way.
    is_refreshing: bool,
    /// `None`: the peer has not said lately that there is an end.
    expires: Option<Instant>,
    failures: u8,
}

impl Session {
    pub(crate) fn new(wish: Option<SessionTimers>) -> Self {
        Self { wish, least: SHORTEST, raises: 0, takes_update: false, clock: None }
    }

    /// What our INVITE or UPDATE says of it. The first one leaves to the other side who refreshes (RFC 4028 §7.1); later
    /// ones leave it as it is (§7.4).
    pub(crate) fn request_headers(&self) -> ExtraHeaders {
        let Some(wish) = &self.wish else { return ExtraHeaders::new() };
        let role = |is_ours| if is_ours { Refresher::Uac } else { Refresher::Uas };
        let (interval, refresher) = match &self.clock {
            Some(clock) => (clock.interval, Some(role(clock.is_ours))),
            None => (wish.interval, None),
        };
        let least = self.least.max(wish.least);
        let value = SessionExpires { interval: interval.max(least), refresher };
        let mut headers = vec![(HeaderName::SessionExpires, value.to_string())];
        if least > SHORTEST {
            headers.push((HeaderName::MinSe, least.as_secs().to_string()));
        }
        headers
    }

    /// The least that we take, if a request of the peer asks for less and may be refused for it (RFC 4028 §9): the peer has
    /// to know the extension to make something of a 422.
    pub(crate) fn objection(wish: Option<SessionTimers>, request: &Headers) -> Option<Duration> {
        let least = wish?.least.max(SHORTEST);
        let asked = SessionExpires::of(request)?.interval;
        (asked < least && is_supported(request)).then_some(least)
    }

    /// We accept an INVITE or an UPDATE of the peer: starts the clock anew, and says what our 2xx says of it.
    pub(crate) fn accept(&mut self, now: Instant, request: &Headers) -> ExtraHeaders {
        self.note(request);
        let before = self.clock.take().map(|clock| clock.interval);
        let Some(wish) = self.wish else { return ExtraHeaders::new() };
        let (asked, peer_knows) = (SessionExpires::of(request), is_supported(request));
        self.least = self.least.max(SessionExpires::least(request).unwrap_or(SHORTEST)).min(LONGEST);
        let (interval, refresher) = match asked {
            // Whoever cannot refresh is not asked to; a proxy has put the header there.
            Some(_) if !peer_knows => (asked.map_or(wish.interval, |asked| asked.interval), Refresher::Uas),
            Some(SessionExpires { interval, refresher }) => {
                (interval.min(wish.interval.max(self.least)), refresher.unwrap_or(Refresher::Uac))
            }
            None if peer_knows || before.is_some() => (before.unwrap_or(wish.interval).max(self.least), Refresher::Uas),
            // Neither the peer nor anybody on the way wants it.
            None => return ExtraHeaders::new(),
        };
        let interval = interval.clamp(SHORTEST, LONGEST);
        self.start(now, interval, refresher == Refresher::Uas);
        let value = SessionExpires { interval, refresher: Some(refresher) };
        let mut headers = vec![(HeaderName::SessionExpires, value.to_string())];
        if peer_knows {
            headers.push((HeaderName::Require, TIMER.to_owned()));
        }
        headers
    }

    /// The peer has accepted an INVITE or an UPDATE of ours. A peer that says nothing of a session wants none
    /// (RFC 4028 §7.2); one that has had one before is refreshed as before, and not ended for want of it.
    pub(crate) fn accepted(&mut self, now: Instant, response: &Headers) {
        self.note(response);
        let before = self.clock.take().map(|clock| clock.interval);
        if self.wish.is_none() {
            return;
        }
        match (SessionExpires::of(response), before) {
            (Some(SessionExpires { interval, refresher }), _) => {
                self.start(now, interval.clamp(SHORTEST, LONGEST), refresher != Some(Refresher::Uas));
            }
            (None, Some(interval)) => {
                self.start(now, interval, true);
                self.clock.iter_mut().for_each(|clock| clock.expires = None);
            }
            (None, None) => {}
        }
    }

    /// Whether something is worth saying again after a 422: the peer wants longer sessions, and we can have them.
    pub(crate) fn heed(&mut self, response: &Headers) -> bool {
        let wanted = SessionExpires::least(response).filter(|least| *least > self.least && *least <= LONGEST);
        let (Some(least), true) = (wanted, self.wish.is_some() && self.raises < MAX_RAISES) else { return false };
        self.raises += 1;
        self.least = least;
        true
    }

    /// Takes note of whether the peer takes UPDATE.
    pub(crate) fn note(&mut self, headers: &Headers) {
        if headers.contains(&HeaderName::Allow) {
            self.takes_update = headers.allow().contains(&Method::Update);
        }
    }

    /// Whether it is time for a refresh of ours; if so, the next one is due when this one can be given up.
    pub(crate) fn is_refresh_due(&mut self, now: Instant) -> bool {
        let Some(clock) = &mut self.clock else { return false };
        let is_due = clock.refresh.is_some_and(|at| now >= at);
        if is_due {
            (clock.refresh, clock.is_refreshing) = (Some(now + PATIENCE), true);
        }
        is_due
    }

    /// Our refresh could not be, or was refused for now. Without one under way, this was about something else.
    pub(crate) fn try_again(&mut self, at: Instant) {
        if let Some(clock) = &mut self.clock
            && clock.is_refreshing
        {
            clock.failures = clock.failures.saturating_add(1);
            let is_in_vain = clock.expires.is_none() && clock.failures > MAX_FAILURES;
            (clock.refresh, clock.is_refreshing) = (Some(at).filter(|_| !is_in_vain), false);
        }
    }

    /// Whether nobody has refreshed in time.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.clock.as_ref().and_then(|clock| clock.expires).is_some_and(|at| now >= at)
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let clock = self.clock.as_ref()?;
        earliest(clock.refresh, clock.expires)
    }

    /// The interval in force goes on from here.
    fn start(&mut self, now: Instant, interval: Duration, is_ours: bool) {
        let refresh = is_ours.then(|| now + interval / 2);
        // RFC 4028 §10: the BYE comes a little before the end, so that proxies still know the call.
        let expires = Some(now + interval - PATIENCE.min(interval / 3));
        self.clock = Some(Clock { interval, is_ours, refresh, is_refreshing: false, expires, failures: 0 });
    }
}

fn is_supported(headers: &Headers) -> bool {
    headers.supported().iter().chain(&headers.require()).any(|tag| tag.eq_ignore_ascii_case(TIMER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::epoch;

    const WISH: SessionTimers = SessionTimers { interval: Duration::from_secs(1800), least: Duration::from_secs(90) };

    fn headers(values: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::new();
        values.iter().for_each(|(name, value)| headers.push(name.clone(), *value));
        headers
    }

    fn written(headers: &ExtraHeaders) -> String {
        let line = |(name, value): &(HeaderName, String)| format!("{name}: {value}");
        headers.iter().map(line).collect::<Vec<_>>().join(" | ")
    }

    /// What our 2xx says, when we refresh, and when it is over, in seconds.
    #[test]
    fn as_callee() {
        use HeaderName::{MinSe, SessionExpires as SE, Supported};
        type Row<'a> = (&'a str, &'a [(HeaderName, &'a str)], &'a str, Option<u64>, Option<u64>);
        let cases: &[Row<'_>] = &[
            ("nobody wants it", &[], "", None, None),
            (
                "the caller leaves it to us",
                &[(SE, "1800"), (Supported, "timer")],
                "Session-Expires: 1800;refresher=uac | Require: timer",
                None,
                Some(1768),
            ),
            (
                "the caller wants us to refresh",
                &[(SE, "90;refresher=uas"), (Supported, "timer")],
                "Session-Expires: 90;refresher=uas | Require: timer",
                Some(45),
                Some(60),
            ),
            (
                "longer than we like",
                &[(SE, "7200;refresher=uac"), (Supported, "timer")],
                "Session-Expires: 1800;refresher=uac | Require: timer",
                None,
                Some(1768),
            ),
            (
                "longer than we like, and no shorter",
                &[(SE, "7200;refresher=uac"), (MinSe, "3600"), (Supported, "timer")],
                "Session-Expires: 3600;refresher=uac | Require: timer",
                None,
                Some(3568),
            ),
            ("a proxy wants it", &[(SE, "300")], "Session-Expires: 300;refresher=uas", Some(150), Some(268)),
            (
                "the caller knows of it",
                &[(Supported, "path, TIMER")],
                "Session-Expires: 1800;refresher=uas | Require: timer",
                Some(900),
                Some(1768),
            ),
        ];
        let start = epoch();
        let after = |at: Option<Instant>| at.map(|at| (at - start).as_secs());
        for (name, request, says, refresh, expires) in cases {
            let mut session = Session::new(Some(WISH));
            assert_eq!(written(&session.accept(start, &headers(request))), *says, "{name}");
            let clock = session.clock.as_ref();
            assert_eq!(after(clock.and_then(|clock| clock.refresh)), *refresh, "{name}");
            assert_eq!(after(clock.and_then(|clock| clock.expires)), *expires, "{name}");
            let mut none = Session::new(None);
            assert_eq!(written(&none.accept(start, &headers(request))), "", "{name}");
            assert_eq!(none.next_timeout(), None, "{name}");
        }
    }

    #[test]
    fn as_caller() {
        use HeaderName::SessionExpires as SE;
        let start = epoch();
        type Row<'a> = (&'a str, &'a [(HeaderName, &'a str)], Option<u64>, Option<u64>);
        let cases: &[Row<'_>] = &[
            ("the callee does not know it", &[], None, None),
            ("ours", &[(SE, "1800;refresher=uac")], Some(900), Some(1768)),
            ("not said, so ours", &[(SE, "120")], Some(60), Some(88)),
            ("theirs", &[(SE, "1800;refresher=uas")], None, Some(1768)),
            ("too short to be true", &[(SE, "1")], Some(45), Some(60)),
        ];
        for (name, response, refresh, expires) in cases {
            let mut session = Session::new(Some(WISH));
            assert_eq!(written(&session.request_headers()), "Session-Expires: 1800", "{name}");
            session.accepted(start, &headers(response));
            let after = |at: Option<Instant>| at.map(|at| (at - start).as_secs());
            assert_eq!(after(session.clock.as_ref().and_then(|clock| clock.refresh)), *refresh, "{name}");
            assert_eq!(after(session.clock.as_ref().and_then(|clock| clock.expires)), *expires, "{name}");
        }
    }

    #[test]
    fn a_peer_that_wants_longer_sessions_gets_them_a_few_times() {
        let mut session = Session::new(Some(WISH));
        let wants = |seconds: &str| headers(&[(HeaderName::MinSe, seconds)]);
        assert!(!session.heed(&wants("90")), "it is no more than what we said");
        assert!(session.heed(&wants("3600")));
        assert_eq!(written(&session.request_headers()), "Session-Expires: 3600 | Min-SE: 3600");
        assert!(!session.heed(&headers(&[])));
        assert!(!session.heed(&wants("99999999")));
        assert!(session.heed(&wants("3601")));
        assert!(session.heed(&wants("3602")));
        assert!(!session.heed(&wants("3603")), "it plays with us");
    }

    #[test]
    fn what_is_too_short_is_refused_where_the_peer_can_make_something_of_it() {
        use HeaderName::{SessionExpires as SE, Supported};
        let least = Some(Duration::from_secs(90));
        type Row<'a> = (&'a str, &'a [(HeaderName, &'a str)], Option<Duration>);
        let cases: &[Row<'_>] = &[
            ("too short", &[(SE, "60"), (Supported, "timer")], least),
            ("enough", &[(SE, "90"), (Supported, "timer")], None),
            ("put there by a proxy", &[(SE, "60")], None),
            ("none", &[(Supported, "timer")], None),
        ];
        for (name, request, expected) in cases {
            assert_eq!(Session::objection(Some(WISH), &headers(request)), *expected, "{name}");
            assert_eq!(Session::objection(None, &headers(request)), None, "{name}");
        }
    }

    /// What is known of the clock after a re-INVITE without the header: when we refresh, and when it is over, in seconds.
    #[test]
    fn a_message_that_leaves_it_out_stops_no_clock() {
        use HeaderName::{SessionExpires as SE, Supported};
        let start = epoch();
        let later = start + Duration::from_secs(10);
        let known = |session: &Session| {
            let after = |at: Option<Instant>| at.map(|at| (at - later).as_secs());
            session.clock.as_ref().map(|clock| (after(clock.refresh), after(clock.expires)))
        };
        for says in ["300;refresher=uac", "300;refresher=uas"] {
            let mut session = Session::new(Some(WISH));
            session.accept(start, &headers(&[(SE, says), (Supported, "timer")]));
            assert_eq!(written(&session.accept(later, &headers(&[]))), "Session-Expires: 300;refresher=uas", "{says}");
            assert_eq!(known(&session), Some((Some(150), Some(268))), "{says}, theirs");
            let own = session.accept(later, &headers(&[(Supported, "timer")]));
            assert_eq!(written(&own), "Session-Expires: 300;refresher=uas | Require: timer", "{says}");

            let mut session = Session::new(Some(WISH));
            session.accepted(start, &headers(&[(SE, says)]));
            session.accepted(later, &headers(&[]));
            assert_eq!(known(&session), Some((Some(150), None)), "{says}, ours");
            assert_eq!(written(&session.request_headers()), "Session-Expires: 300;refresher=uac", "{says}");
            session.accepted(later, &headers(&[(SE, "300;refresher=uas")]));
            assert_eq!(known(&session), Some((None, Some(268))), "{says}, said again");
        }
        let mut session = Session::new(Some(WISH));
        session.accepted(start, &headers(&[]));
        session.accepted(later, &headers(&[]));
        assert_eq!(known(&session), None, "there never was one");
    }

    #[test]
    fn a_peer_that_has_no_end_and_takes_no_refresh_is_left_in_peace() {
        let start = epoch();
        for (has_end, expected) in [(true, 20), (false, 1 + u32::from(MAX_FAILURES))] {
            let mut session = Session::new(Some(WISH));
            session.accepted(start, &headers(&[(HeaderName::SessionExpires, "300;refresher=uac")]));
            if !has_end {
                session.accepted(start, &headers(&[]));
            }
            let mut now = start + Duration::from_secs(150);
            let mut tries = 0;
            for _ in 0..20 {
                tries += u32::from(session.is_refresh_due(now));
                session.try_again(now);
                now += Duration::from_secs(1);
            }
            assert_eq!(tries, expected);
            assert_eq!(session.next_timeout().is_some(), has_end);
        }
    }

    #[test]
    fn later_requests_leave_the_roles_as_they_are() {
        let start = epoch();
        for (says, expected) in [
            ("90;refresher=uac", "Session-Expires: 90;refresher=uac"),
            ("90;refresher=uas", "Session-Expires: 90;refresher=uas"),
        ] {
            let mut session = Session::new(Some(WISH));
            session.accepted(start, &headers(&[(HeaderName::SessionExpires, says)]));
            assert_eq!(written(&session.request_headers()), expected);
        }
    }
}
