//! Header names, their compact forms and how often each may appear ([RFC 3261 §7.3], [§20]).
//!
//! [RFC 3261 §7.3]: https://www.rfc-editor.org/rfc/rfc3261#section-7.3
//! [§20]: https://www.rfc-editor.org/rfc/rfc3261#section-20

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use super::token::Token;

/// The name of a header an extension brought, compared without case.
#[derive(Clone, Debug)]
pub struct OtherName(Token);

impl HeaderName {
    /// Reads a name in any case, long or compact; `None` when the text is no token.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(known) = known(text) {
            return Some(known);
        }
        Some(Self::Other(OtherName(Token::new(text)?)))
    }

    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(OtherName(token)) => token.as_str(),
            known => known.long_form(),
        }
    }

    /// Whether a second one makes the message ambiguous and so unacceptable.
    pub(crate) fn is_singleton(&self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentType
                | Self::ContentLength
                | Self::ContentDisposition
                | Self::Expires
                | Self::SessionExpires
                | Self::MinSe
                | Self::Event
                | Self::ReferTo
                | Self::ReferredBy
                | Self::Replaces
                | Self::RSeq
                | Self::RAck
        )
    }

    /// Whether several values in one line mean the same as one line each, and we keep one each.
    pub(crate) fn is_split_at_commas(&self) -> bool {
        matches!(
            self,
            Self::Via
                | Self::Route
                | Self::RecordRoute
                | Self::Contact
                | Self::Path
                | Self::ServiceRoute
                | Self::Diversion
                | Self::HistoryInfo
                | Self::PAssertedIdentity
                | Self::PPreferredIdentity
        )
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for OtherName {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str().eq_ignore_ascii_case(other.0.as_str())
    }
}

impl Eq for OtherName {}

impl Hash for OtherName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.as_str().bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

macro_rules! names {
    ($($variant:ident $long:literal $($compact:literal)?)*) => {
        /// The name of a header: those we have a use for or a compact form of, and any other.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum HeaderName {
            $(#[doc = $long] $variant,)*
            /// A name that is not in this list; made by [`HeaderName::parse`] alone.
            Other(OtherName),
        }

        impl HeaderName {
            fn long_form(&self) -> &'static str {
                match self {
                    $(Self::$variant => $long,)*
                    Self::Other(_) => "",
                }
            }
        }

        fn known(text: &str) -> Option<HeaderName> {
            $(if text.eq_ignore_ascii_case($long) $(|| text.eq_ignore_ascii_case($compact))? {
                return Some(HeaderName::$variant);
            })*
            None
        }
    };
}

names! {
    Via "Via" "v"
    From "From" "f"
    To "To" "t"
    CallId "Call-ID" "i"
    CSeq "CSeq"
    MaxForwards "Max-Forwards"
    Contact "Contact" "m"
    Route "Route"
    RecordRoute "Record-Route"
    ContentType "Content-Type" "c"
    ContentLength "Content-Length" "l"
    ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding" "e"
    ContentLanguage "Content-Language"
    Accept "Accept"
    AcceptEncoding "Accept-Encoding"
    AcceptLanguage "Accept-Language"
    Allow "Allow"
    AllowEvents "Allow-Events" "u"
    Supported "Supported" "k"
    Require "Require"
    ProxyRequire "Proxy-Require"
    Unsupported "Unsupported"
    UserAgent "User-Agent"
    Server "Server"
    Authorization "Authorization"
    ProxyAuthorization "Proxy-Authorization"
    WwwAuthenticate "WWW-Authenticate"
    ProxyAuthenticate "Proxy-Authenticate"
    AuthenticationInfo "Authentication-Info"
    Date "Date"
    Expires "Expires"
    MinExpires "Min-Expires"
    SessionExpires "Session-Expires" "x"
    MinSe "Min-SE"
    RetryAfter "Retry-After"
    Reason "Reason"
    Warning "Warning"
    Subject "Subject" "s"
    Organization "Organization"
    Priority "Priority"
    Privacy "Privacy"
    Diversion "Diversion"
    HistoryInfo "History-Info"
    PAssertedIdentity "P-Asserted-Identity"
    PPreferredIdentity "P-Preferred-Identity"
    RemotePartyId "Remote-Party-ID"
    Identity "Identity" "y"
    ReferTo "Refer-To" "r"
    ReferredBy "Referred-By" "b"
    Replaces "Replaces"
    Event "Event" "o"
    SubscriptionState "Subscription-State"
    RSeq "RSeq"
    RAck "RAck"
    RequestDisposition "Request-Disposition" "d"
    AcceptContact "Accept-Contact" "a"
    RejectContact "Reject-Contact" "j"
    UserToUser "User-to-User"
    Path "Path"
    ServiceRoute "Service-Route"
    MimeVersion "MIME-Version"
    Timestamp "Timestamp"
    ErrorInfo "Error-Info"
    AlertInfo "Alert-Info"
    CallInfo "Call-Info"
    InReplyTo "In-Reply-To"
    ReplyTo "Reply-To"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_case_and_compact_forms_are_one_name() {
        let cases: &[(&str, Option<HeaderName>)] = &[
            ("Via", Some(HeaderName::Via)),
            ("vIA", Some(HeaderName::Via)),
            ("v", Some(HeaderName::Via)),
            ("V", Some(HeaderName::Via)),
            ("l", Some(HeaderName::ContentLength)),
            ("call-id", Some(HeaderName::CallId)),
            ("I", Some(HeaderName::CallId)),
            ("Via ", None),
            ("Vi a", None),
            ("Vi\u{e4}", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(HeaderName::parse(text), *expected, "{text:?}");
        }
        assert_eq!(HeaderName::parse("X-Room"), HeaderName::parse("x-rOOM"));
        assert_ne!(HeaderName::parse("X-Room"), HeaderName::parse("X-Rooms"));
        assert_eq!(HeaderName::parse("x-rOOM").unwrap().as_str(), "x-rOOM");
    }
}
