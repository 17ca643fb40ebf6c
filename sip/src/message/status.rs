//! Response codes ([RFC 3261 §21] and the IANA registry).
//!
//! [RFC 3261 §21]: https://www.rfc-editor.org/rfc/rfc3261#section-21

use std::fmt;

/// A response code between 100 and 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(u16);

impl Status {
    /// The status of this code, or `None` when it is not between 100 and 699.
    pub fn new(code: u16) -> Option<Self> {
        (100..700).contains(&code).then_some(Self(code))
    }

    /// The number.
    pub fn code(self) -> u16 {
        self.0
    }

    /// 1xx: the final answer is still to come.
    pub fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// 2xx to 6xx: this is the answer.
    pub fn is_final(self) -> bool {
        !self.is_provisional()
    }

    /// 2xx.
    pub fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// 3xx.
    pub fn is_redirect(self) -> bool {
        self.0 / 100 == 3
    }

    /// 4xx to 6xx.
    pub fn is_failure(self) -> bool {
        self.0 >= 400
    }

    /// The usual words for this code; for one that is not registered, those of its class.
    pub fn reason_phrase(self) -> &'static str {
        known(self).unwrap_or(match self.0 / 100 {
            1 => "Session Progress",
            2 => "OK",
            3 => "Multiple Choices",
            4 => "Bad Request",
            5 => "Server Internal Error",
            _ => "Decline",
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! statuses {
    ($($code:literal $name:ident $phrase:literal)*) => {
        impl Status {
            $(#[doc = concat!($code, " ", $phrase)] pub const $name: Self = Self($code);)*
        }

        fn known(status: Status) -> Option<&'static str> {
            match status.0 {
                $($code => Some($phrase),)*
                _ => None,
            }
        }
    };
}

statuses! {
    100 TRYING "Trying"
    180 RINGING "Ringing"
    181 CALL_IS_BEING_FORWARDED "Call Is Being Forwarded"
    182 QUEUED "Queued"
    183 SESSION_PROGRESS "Session Progress"
    199 EARLY_DIALOG_TERMINATED "Early Dialog Terminated"
    200 OK "OK"
    202 ACCEPTED "Accepted"
    204 NO_NOTIFICATION "No Notification"
    300 MULTIPLE_CHOICES "Multiple Choices"
    301 MOVED_PERMANENTLY "Moved Permanently"
    302 MOVED_TEMPORARILY "Moved Temporarily"
    305 USE_PROXY "Use Proxy"
    380 ALTERNATIVE_SERVICE "Alternative Service"
    400 BAD_REQUEST "Bad Request"
    401 UNAUTHORIZED "Unauthorized"
    402 PAYMENT_REQUIRED "Payment Required"
    403 FORBIDDEN "Forbidden"
    404 NOT_FOUND "Not Found"
    405 METHOD_NOT_ALLOWED "Method Not Allowed"
    406 NOT_ACCEPTABLE "Not Acceptable"
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required"
    408 REQUEST_TIMEOUT "Request Timeout"
    410 GONE "Gone"
    413 REQUEST_ENTITY_TOO_LARGE "Request Entity Too Large"
    414 REQUEST_URI_TOO_LONG "Request-URI Too Long"
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type"
    416 UNSUPPORTED_URI_SCHEME "Unsupported URI Scheme"
    420 BAD_EXTENSION "Bad Extension"
    421 EXTENSION_REQUIRED "Extension Required"
    422 SESSION_INTERVAL_TOO_SMALL "Session Interval Too Small"
    423 INTERVAL_TOO_BRIEF "Interval Too Brief"
    429 PROVIDE_REFERRER_IDENTITY "Provide Referrer Identity"
    433 ANONYMITY_DISALLOWED "Anonymity Disallowed"
    480 TEMPORARILY_UNAVAILABLE "Temporarily Unavailable"
    481 CALL_DOES_NOT_EXIST "Call/Transaction Does Not Exist"
    482 LOOP_DETECTED "Loop Detected"
    483 TOO_MANY_HOPS "Too Many Hops"
    484 ADDRESS_INCOMPLETE "Address Incomplete"
    485 AMBIGUOUS "Ambiguous"
    486 BUSY_HERE "Busy Here"
    487 REQUEST_TERMINATED "Request Terminated"
    488 NOT_ACCEPTABLE_HERE "Not Acceptable Here"
    489 BAD_EVENT "Bad Event"
    491 REQUEST_PENDING "Request Pending"
    493 UNDECIPHERABLE "Undecipherable"
    494 SECURITY_AGREEMENT_REQUIRED "Security Agreement Required"
    500 SERVER_INTERNAL_ERROR "Server Internal Error"
    501 NOT_IMPLEMENTED "Not Implemented"
    502 BAD_GATEWAY "Bad Gateway"
    503 SERVICE_UNAVAILABLE "Service Unavailable"
    504 SERVER_TIMEOUT "Server Time-out"
    505 VERSION_NOT_SUPPORTED "Version Not Supported"
    513 MESSAGE_TOO_LARGE "Message Too Large"
    600 BUSY_EVERYWHERE "Busy Everywhere"
    603 DECLINE "Decline"
    604 DOES_NOT_EXIST_ANYWHERE "Does Not Exist Anywhere"
    606 NOT_ACCEPTABLE_ANYWHERE "Not Acceptable"
    607 UNWANTED "Unwanted"
    608 REJECTED "Rejected"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let cases: &[(u16, bool, bool, bool)] = &[
            // code, provisional, success, failure
            (100, true, false, false),
            (199, true, false, false),
            (200, false, true, false),
            (302, false, false, false),
            (404, false, false, true),
            (699, false, false, true),
        ];
        for &(code, provisional, success, failure) in cases {
            let status = Status::new(code).unwrap();
            assert_eq!(
                (status.is_provisional(), status.is_success(), status.is_failure()),
                (provisional, success, failure),
                "{code}"
            );
        }
        assert_eq!([0, 99, 700, 65_535].map(Status::new), [None; 4]);
    }

    #[test]
    fn unregistered_codes_take_the_words_of_their_class() {
        assert_eq!(Status::new(299).unwrap().reason_phrase(), "OK");
        assert_eq!(Status::BUSY_HERE.reason_phrase(), "Busy Here");
    }
}
