//! What makes two messages belong together ([RFC 3261 §17.1.3], [§17.2.3], [§8.2.2.2]).
//!
//! [RFC 3261 §17.1.3]: https://www.rfc-editor.org/rfc/rfc3261#section-17.1.3
//! [§17.2.3]: https://www.rfc-editor.org/rfc/rfc3261#section-17.2.3
//! [§8.2.2.2]: https://www.rfc-editor.org/rfc/rfc3261#section-8.2.2.2

use crate::{
    error::Error,
    message::{Branch, CallId, Headers, Method, Request, Tag, Via},
};

/// Names a transaction that we answer: branch, sent-by and method; an ACK has the method of its INVITE.
/// Parts are separated by line ends, which no header contains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ServerKey(String);

impl ServerKey {
    /// The transaction of this request.
    pub(crate) fn of(request: &Request, via: &Via) -> Self {
        let method = if request.method == Method::Ack { &Method::Invite } else { &request.method };
        Self::with_method(request, via, method)
    }

    /// The transaction that this CANCEL wants to end (RFC 3261 §9.2).
    pub(crate) fn cancelled_by(cancel: &Request, via: &Via) -> Self {
        Self::with_method(cancel, via, &Method::Invite)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn with_method(request: &Request, via: &Via, method: &Method) -> Self {
        let host = via.host.to_string().to_ascii_lowercase();
        let port = via.port.unwrap_or_default();
        match via.branch() {
            Some(branch) if branch.is_rfc3261() => Self(format!("{branch}\n{host}\n{port}\n{method}")),
            // A client of RFC 2543. The To tag is left out: the ACK of a refusal has one that its INVITE had not.
            _ => {
                let from_tag = request.headers.from().ok().and_then(|from| from.tag());
                let from_tag = from_tag.as_ref().map_or("", Tag::as_str);
                let call_id = request.headers.call_id().map(|id| id.to_string()).unwrap_or_default();
                let number = request.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
                Self(format!("\n{}\n{from_tag}\n{call_id}\n{number}\n{via}\n{method}", request.uri))
            }
        }
    }
}

/// Names a transaction that we started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey {
    pub(crate) branch: Branch,
    pub(crate) method: Method,
}

impl ClientKey {
    /// The transaction that this response answers, if it can be told.
    pub(crate) fn of_response(headers: &Headers) -> Option<Self> {
        Some(Self { branch: headers.via().ok()?.branch()?, method: headers.cseq().ok()?.method })
    }
}

/// Names an INVITE however it came: copies that took different ways share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MergeKey {
    call_id: CallId,
    from_tag: Option<Tag>,
    cseq: u32,
}

impl MergeKey {
    pub(crate) fn of(headers: &Headers) -> Result<Self, Error> {
        Ok(Self { call_id: headers.call_id()?, from_tag: headers.from()?.tag(), cseq: headers.cseq()?.number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn key(method: &str, via: &str, to_tag: &str) -> ServerKey {
        let text = format!(
            "{method} sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:b@example.com>;tag=f\r\n\
             To: <sip:a@example.com>{to_tag}\r\nCall-ID: c\r\nCSeq: 7 {method}\r\n\r\n"
        );
        let Message::Request(request) = Message::parse(text.as_bytes()).unwrap() else { panic!("a request") };
        ServerKey::of(&request, &request.headers.via().unwrap())
    }

    #[test]
    fn tells_transactions_apart() {
        let invite = key("INVITE", "h:5060;branch=z9hG4bK1", "");
        for (name, other, same) in [
            ("the same again", key("INVITE", "h:5060;branch=z9hG4bK1", ""), true),
            ("host in other case", key("INVITE", "H:5060;branch=z9hG4bK1", ""), true),
            ("its ACK", key("ACK", "h:5060;branch=z9hG4bK1", ";tag=t"), true),
            ("its CANCEL", key("CANCEL", "h:5060;branch=z9hG4bK1", ""), false),
            ("other branch", key("INVITE", "h:5060;branch=z9hG4bK2", ""), false),
            ("other host", key("INVITE", "g:5060;branch=z9hG4bK1", ""), false),
            ("other port", key("INVITE", "h:5070;branch=z9hG4bK1", ""), false),
        ] {
            assert_eq!(invite == other, same, "{name}");
        }
        let old = key("INVITE", "h;branch=1", "");
        assert_eq!(old, key("ACK", "h;branch=1", ";tag=t"), "RFC 2543");
        assert_ne!(old, key("INVITE", "h;branch=2", ""), "RFC 2543, other hop");
        assert_eq!(key("INVITE", "h", ""), key("INVITE", "h", ""), "no branch at all");
    }
}
