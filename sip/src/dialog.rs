//! Dialogs: what both ends of an answered call remember of each other ([RFC 3261 §12]).
//!
//! [RFC 3261 §12]: https://www.rfc-editor.org/rfc/rfc3261#section-12

use crate::{
    error::Error,
    message::{CSeq, CallId, HeaderName, Headers, Method, NameAddr, Request, Response, Tag, Uri},
};

/// Hops that a request of ours may take (RFC 3261 §8.1.1.6).
pub(crate) const MAX_FORWARDS: &str = "70";

/// What a dialog is found by (RFC 3261 §12): a peer of RFC 2543 may have no tag, which is an empty one here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DialogId {
    pub(crate) call_id: CallId,
    pub(crate) local: Tag,
    pub(crate) remote: Tag,
}

impl DialogId {
    /// The dialog that a request from the peer belongs to.
    pub(crate) fn of_request(headers: &Headers) -> Result<Self, Error> {
        Ok(Self { call_id: headers.call_id()?, local: tag_of(&headers.to()?), remote: tag_of(&headers.from()?) })
    }
}

/// One end of a dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    id: DialogId,
    local: NameAddr,
    remote: NameAddr,
    routes: Vec<NameAddr>,
    target: Uri,
    local_cseq: u32,
    remote_cseq: Option<u32>,
}

impl Dialog {
    /// The dialog that our 2xx to this INVITE makes (RFC 3261 §12.1.1).
    pub(crate) fn answering(invite: &Headers, local_tag: &Tag) -> Result<Self, Error> {
        let (remote, mut local) = (invite.from()?, invite.to()?);
        local.set_tag(local_tag);
        let target = invite.contact()?.ok_or(Error::MissingHeader(HeaderName::Contact))?.uri;
        Ok(Self {
            id: DialogId { call_id: invite.call_id()?, local: local_tag.clone(), remote: tag_of(&remote) },
            local,
            remote,
            routes: invite.record_routes()?,
            target,
            local_cseq: 0,
            remote_cseq: Some(invite.cseq()?.number),
        })
    }

    /// The dialog that a 2xx to this INVITE of ours makes (RFC 3261 §12.1.2). Without a Contact, which the RFC forbids,
    /// the peer is sought where the INVITE went.
    pub(crate) fn answered(invite: &Request, response: &Headers) -> Result<Self, Error> {
        let (local, remote) = (invite.headers.from()?, response.to()?);
        let target = response.contact()?.map_or_else(|| invite.uri.clone(), |contact| contact.uri);
        let mut routes = response.record_routes()?;
        routes.reverse();
        Ok(Self {
            id: DialogId { call_id: invite.headers.call_id()?, local: tag_of(&local), remote: tag_of(&remote) },
            local,
            remote,
            routes,
            target,
            local_cseq: invite.headers.cseq()?.number,
            remote_cseq: None,
        })
    }

    /// The next request of ours, without Via and Contact.
    pub(crate) fn request(&mut self, method: Method) -> Request {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.compose(method, self.local_cseq)
    }

    /// The ACK of a 2xx to our INVITE of that number (RFC 3261 §13.2.2.4), without Via.
    pub(crate) fn ack(&self, number: u32) -> Request {
        self.compose(Method::Ack, number)
    }

    /// Takes note of a request's number; false when it is out of order (RFC 3261 §12.2.2).
    pub(crate) fn accept_cseq(&mut self, number: u32) -> bool {
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return false;
        }
        self.remote_cseq = Some(number);
        true
    }

    /// A re-INVITE or the answer to one may name a new contact; the routes stay (RFC 3261 §12.2).
    pub(crate) fn refresh_target(&mut self, headers: &Headers) {
        if let Ok(Some(contact)) = headers.contact() {
            self.target = contact.uri;
        }
    }

    /// The number of our last request.
    pub(crate) fn last_number(&self) -> u32 {
        self.local_cseq
    }

    pub(crate) fn id(&self) -> &DialogId {
        &self.id
    }

    /// The address of the peer, with its tag.
    pub(crate) fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// Where requests go first: the topmost route, or the contact of the peer.
    pub(crate) fn next_hop(&self) -> &Uri {
        self.routes.first().map_or(&self.target, |route| &route.uri)
    }

    /// Whether proxies stand between us and the peer.
    pub(crate) fn has_routes(&self) -> bool {
        !self.routes.is_empty()
    }

    fn compose(&self, method: Method, number: u32) -> Request {
        let (uri, routes) = way(&self.target, &self.routes);
        let mut request = Request::new(method.clone(), uri);
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        routes.iter().for_each(|route| headers.push(HeaderName::Route, route.to_string()));
        headers.push(HeaderName::From, self.local.to_string());
        headers.push(HeaderName::To, self.remote.to_string());
        headers.push(HeaderName::CallId, self.id.call_id.as_str());
        headers.push(HeaderName::CSeq, CSeq { number, method }.to_string());
        request
    }
}

/// Request-URI and Route (RFC 3261 §12.2.1.1). The contact is the Request-URI however unreachable it looks: carriers put
/// private addresses there and mean it. A strict router, one without `lr`, takes its place and pushes it to the end of the
/// routes.
pub(crate) fn way(target: &Uri, routes: &[NameAddr]) -> (Uri, Vec<NameAddr>) {
    match routes.split_first() {
        Some((strict, rest)) if !strict.uri.params.contains("lr") => {
            let mut uri = strict.uri.clone();
            uri.headers = None;
            uri.params.remove("method");
            (uri, rest.iter().cloned().chain([NameAddr::new(target.clone())]).collect())
        }
        _ => (target.clone(), routes.to_vec()),
    }
}

/// The tag of an address; an empty one where there is none.
fn tag_of(address: &NameAddr) -> Tag {
    address.tag().unwrap_or_else(|| Tag::new(""))
}

/// The tag that the peer put on its end of a response.
pub(crate) fn remote_tag(response: &Response) -> Tag {
    response.headers.to().map_or_else(|_| Tag::new(""), |to| tag_of(&to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn the_caller_takes_the_routes_in_reverse_and_the_numbers_go_on() {
        let invite = Message::parse(
            b"INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
              To: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:a@h>\r\n\r\n",
        );
        let Ok(Message::Request(invite)) = invite else { panic!("a request") };
        let mut response = invite.respond(crate::message::Status::OK);
        response.headers.set(HeaderName::To, "<sip:b@example.com>;tag=2");
        response.headers.push(HeaderName::RecordRoute, "<sip:far;lr>");
        response.headers.push(HeaderName::RecordRoute, "<sip:near;lr>");
        response.headers.push(HeaderName::Contact, "<sip:b@10.0.0.1>");
        let mut dialog = Dialog::answered(&invite, &response.headers).unwrap();
        assert_eq!(dialog.next_hop().host.to_string(), "near");
        let ack = dialog.ack(7);
        assert_eq!((ack.uri.to_string().as_str(), ack.headers.cseq().unwrap().number), ("sip:b@10.0.0.1", 7));
        assert_eq!(dialog.request(Method::Bye).headers.cseq().unwrap().number, 8);
        let mut moved = Headers::new();
        moved.push(HeaderName::Contact, "<sip:b@10.0.0.2>");
        dialog.refresh_target(&moved);
        assert_eq!(dialog.request(Method::Bye).uri.to_string(), "sip:b@10.0.0.2");
    }

    #[test]
    fn only_rising_numbers_are_in_order() {
        let mut headers = Headers::new();
        for (name, value) in [
            (HeaderName::From, "<sip:a@h>;tag=1"),
            (HeaderName::To, "<sip:b@h>"),
            (HeaderName::CallId, "c"),
            (HeaderName::CSeq, "118204478 INVITE"),
            (HeaderName::Contact, "<sip:a@h>"),
        ] {
            headers.push(name, value);
        }
        let mut dialog = Dialog::answering(&headers, &Tag::new("2")).unwrap();
        for (name, number, in_order) in [
            ("older", 1, false),
            ("the same", 118_204_478, false),
            ("next", 118_204_479, true),
            ("gap", u32::MAX, true),
        ] {
            assert_eq!(dialog.accept_cseq(number), in_order, "{name}");
        }
        headers.remove(&HeaderName::Contact);
        assert!(Dialog::answering(&headers, &Tag::new("2")).is_err());
    }
}
