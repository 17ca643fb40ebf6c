//! What a carrier means by refusing our INVITE.

use sip::Response;

use super::end::EndReason;

/// Statuses whose words are too general; carriers say more in a header or in the body.
const VAGUE: &[u16] = &[400, 404, 480, 486, 488];

/// The longest text that is passed on, in characters.
const MAX_TEXT: usize = 256;

/// Twilio's name for a call to a number that it blocks.
const BLOCKED: &str = "32203";

/// Why the callee was not reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means for the call.
    pub reason: EndReason,
    /// The status.
    pub status: u16,
    /// Its words, or better ones.
    pub text: String,
}

/// Reads the final answer to an INVITE.
pub fn read(response: &Response, has_credentials: bool) -> Refusal {
    let status = response.status;
    let reason = match status.code() {
        401 | 407 if !has_credentials => EndReason::NoCredentials,
        _ if twilio_error(response).is_some_and(|error| error.starts_with(BLOCKED)) => EndReason::CarrierBlocked,
        500..=599 if says(response, "cps limit exceeded") => EndReason::CarrierRate,
        500..=599 if says(response, "concurrent call limit exceeded") => EndReason::CarrierFull,
        _ => EndReason::RemoteRefused(status),
    };
    let better = VAGUE.contains(&status.code()).then(|| twilio_error(response).or_else(|| body(response))).flatten();
    let text = better.or_else(|| tidy(&response.reason)).unwrap_or_else(|| status.reason_phrase().to_owned());
    Refusal { reason, status: status.code(), text }
}

fn twilio_error(response: &Response) -> Option<String> {
    tidy(response.headers.get_named("X-Twilio-Error")?)
}

/// A body in words.
fn body(response: &Response) -> Option<String> {
    let kind = response.headers.content_type()?;
    let is_text = kind.eq_ignore_ascii_case("text/plain");
    tidy(std::str::from_utf8(&response.body).ok().filter(|_| is_text)?)
}

fn says(response: &Response, words: &str) -> bool {
    let texts = [Some(response.reason.clone()), twilio_error(response), body(response)];
    texts.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(words))
}

/// One line without control characters, and not too long.
fn tidy(text: &str) -> Option<String> {
    let line = text.trim().lines().next()?;
    let text: String = line.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use sip::{HeaderName, Status};

    use super::*;

    struct Case {
        name: &'static str,
        status: u16,
        reason: &'static str,
        header: Option<(&'static str, &'static str)>,
        body: &'static str,
        expected: (EndReason, &'static str),
    }

    #[test]
    fn what_carriers_say() {
        let refused = |status| EndReason::RemoteRefused(Status::new(status).unwrap());
        let case = |name, status, reason, header, body, expected| Case { name, status, reason, header, body, expected };
        let twilio = |text| Some(("X-Twilio-Error", text));
        let plain = Some(("Content-Type", "text/plain"));
        let cases = [
            case("plain", 486, "Busy Here", None, "", (refused(486), "Busy Here")),
            case("no words", 603, "", None, "", (refused(603), "Decline")),
            case(
                "words of a header",
                404,
                "Not Found",
                twilio("21211 Invalid To"),
                "",
                (refused(404), "21211 Invalid To"),
            ),
            case("not for others", 403, "Forbidden", twilio("21211 x"), "", (refused(403), "Forbidden")),
            case("words of a body", 480, "Unavailable", plain, "asleep\nfor long", (refused(480), "asleep")),
            case("a body that is no text", 480, "Unavailable", None, "v=0", (refused(480), "Unavailable")),
            case("blocked", 403, "Forbidden", twilio("32203 blocked"), "", (EndReason::CarrierBlocked, "Forbidden")),
            case(
                "too fast",
                503,
                "Trunk CPS limit exceeded",
                None,
                "",
                (EndReason::CarrierRate, "Trunk CPS limit exceeded"),
            ),
            case(
                "too many",
                503,
                "Concurrent Call Limit Exceeded",
                None,
                "",
                (EndReason::CarrierFull, "Concurrent Call Limit Exceeded"),
            ),
            case("no password", 407, "Proxy Auth", None, "", (EndReason::NoCredentials, "Proxy Auth")),
        ];
        for Case { name, status, reason, header, body, expected } in cases {
            let mut response = Response::new(Status::new(status).unwrap());
            response.reason = reason.to_owned();
            if let Some((header, value)) = header {
                response.headers.push(HeaderName::parse(header).unwrap(), value);
            }
            response.body = bytes::Bytes::from_static(body.as_bytes());
            let refusal = read(&response, false);
            assert_eq!((refusal.reason, refusal.text.as_str()), expected, "{name}");
        }
    }

    #[test]
    fn a_wrong_password_is_not_a_missing_one() {
        let response = Response::new(Status::PROXY_AUTHENTICATION_REQUIRED);
        assert_eq!(read(&response, true).reason, EndReason::RemoteRefused(response.status));
    }
}
