//! The messages that the endpoint writes.

use bytes::Bytes;

use super::{
    Endpoint,
    body::SDP,
    call::Attempt,
    command::ExtraHeaders,
    flow::{Listener, Wire},
    reliable::RELIABLE,
    send::Ask,
    session::{Session, TIMER},
};
use crate::{
    dialog::{self, MAX_FORWARDS},
    message::{Branch, CSeq, HeaderName, Headers, Message, Method, NameAddr, Request, Response, Status, Tag, Uri, Via},
};

/// Exactly what we handle, and no more: peers believe it.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, REFER, NOTIFY, INFO, UPDATE, PRACK";

/// An answer to be written.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    /// What the stack has to say in it.
    pub(crate) own: ExtraHeaders,
    /// What the user above adds.
    pub(crate) headers: ExtraHeaders,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: Status) -> Self {
        Self { status, reason: None, own: Vec::new(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Endpoint {
    /// Writes an answer. `contact` is the listener whose address goes into Contact.
    pub(super) fn compose_answer(
        &self,
        asked: &Request,
        tag: &Tag,
        contact: Option<&Listener>,
        answer: Answer,
    ) -> Response {
        let status = answer.status;
        let mut response = asked.respond(status);
        response.reason = answer.reason.unwrap_or(response.reason);
        if status != Status::TRYING {
            add_to_tag(&mut response.headers, tag);
        }
        // What makes a dialog, or may (RFC 3261 §12.1.1).
        if asked.method == Method::Invite && status != Status::TRYING && status.code() < 300 {
            for route in asked.headers.get_all(&HeaderName::RecordRoute) {
                response.headers.push(HeaderName::RecordRoute, route);
            }
            if let Some(listener) = contact {
                response.headers.push(HeaderName::Contact, contact_of(listener));
            }
            if status.is_success() {
                self.add_abilities(&mut response.headers);
            }
        }
        // A REFER makes a subscription within the dialog (RFC 3515 §2.2); an UPDATE may move the target (RFC 3311 §5.2).
        let has_target = matches!(asked.method, Method::Refer | Method::Update) && status.is_success();
        if let Some(listener) = contact.filter(|_| has_target) {
            response.headers.push(HeaderName::Contact, contact_of(listener));
        }
        if asked.method == Method::Update && status.is_success() {
            self.add_abilities(&mut response.headers);
        }
        self.add_name(&mut response.headers, HeaderName::Server);
        add_extra(&mut response.headers, answer.headers);
        answer.own.into_iter().for_each(|(name, value)| response.headers.push(name, value));
        add_body(&mut response.headers, &answer.body, SDP);
        response.body = answer.body;
        response
    }

    /// Writes the INVITE of an outbound call.
    pub(super) fn compose_invite(
        &self,
        attempt: &Attempt,
        session: &Session,
        branch: &Branch,
        listener: &Listener,
    ) -> Request {
        let invite = &attempt.invite;
        let (uri, routes) = dialog::way(&invite.uri, &invite.route);
        let mut request = Request::new(Method::Invite, uri);
        let mut from = invite.from.clone();
        from.set_tag(&attempt.local_tag);
        let headers = &mut request.headers;
        headers.push(HeaderName::Via, via_of(listener, branch).to_string());
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        routes.iter().for_each(|route| headers.push(HeaderName::Route, route.to_string()));
        headers.push(HeaderName::From, from.to_string());
        headers.push(HeaderName::To, invite.to_header.to_string());
        headers.push(HeaderName::CallId, attempt.call_id.as_str());
        headers.push(HeaderName::CSeq, CSeq { number: attempt.cseq, method: Method::Invite }.to_string());
        headers.push(HeaderName::Contact, contact_of(listener));
        self.add_abilities(headers);
        session.request_headers().into_iter().for_each(|(name, value)| headers.push(name, value));
        self.add_name(headers, HeaderName::UserAgent);
        add_extra(headers, invite.headers.clone());
        add_body(headers, &invite.body, SDP);
        request.body = invite.body.clone();
        request
    }

    /// Completes a request within a dialog.
    pub(super) fn complete(&self, request: &mut Request, branch: &Branch, listener: &Listener, ask: &Ask) {
        let headers = &mut request.headers;
        headers.push_front(HeaderName::Via, via_of(listener, branch).to_string());
        if matches!(request.method, Method::Invite | Method::Update | Method::Refer | Method::Notify) {
            headers.push(HeaderName::Contact, contact_of(listener));
        }
        if matches!(request.method, Method::Invite | Method::Update) {
            self.add_abilities(headers);
        }
        self.add_name(headers, HeaderName::UserAgent);
        ask.own.iter().for_each(|(name, value)| headers.push(name.clone(), value.as_str()));
        let extra = ask.headers.iter().filter(|(name, _)| request.method != Method::Bye || !demands(name));
        add_extra(headers, extra.cloned().collect());
        add_body(headers, &ask.body, ask.kind);
        request.body = ask.body.clone();
    }

    /// What we can do (RFC 3261 §20.5, §20.37).
    pub(super) fn add_abilities(&self, headers: &mut Headers) {
        headers.push(HeaderName::Allow, ALLOW);
        headers.push(HeaderName::Supported, self.extensions().collect::<Vec<_>>().join(", "));
    }

    /// Option tags of what we can do.
    pub(super) fn extensions(&self) -> impl Iterator<Item = &str> {
        let timer = self.config.session_timers.map(|_| TIMER);
        [RELIABLE].into_iter().chain(timer).chain(self.config.extensions.iter().map(String::as_str))
    }

    fn add_name(&self, headers: &mut Headers, name: HeaderName) {
        if !self.config.user_agent.is_empty() {
            headers.push(name, self.config.user_agent.as_str());
        }
    }
}

/// The ACK of a refusal, which belongs to the INVITE's transaction (RFC 3261 §17.1.1.3).
pub(crate) fn ack_refusal(invite: &Request, response: &Response) -> Bytes {
    let to = response.headers.get(&HeaderName::To);
    hop_by_hop(invite, Method::Ack, to, Vec::new())
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(crate) fn cancel(invite: &Request, extra: ExtraHeaders) -> Bytes {
    hop_by_hop(invite, Method::Cancel, invite.headers.get(&HeaderName::To), extra)
}

/// Writes another listener into a request that takes another way.
pub(crate) fn readdress(request: &mut Request, branch: &Branch, listener: &Listener) {
    request.headers.set_first(HeaderName::Via, via_of(listener, branch).to_string());
    if request.headers.contains(&HeaderName::Contact) {
        request.headers.set(HeaderName::Contact, contact_of(listener));
    }
}

/// The request without what answers, ACK and CANCEL do not need.
pub(crate) fn skeleton(request: &Request) -> Box<Request> {
    let kept = |name: &HeaderName| {
        matches!(
            name,
            HeaderName::Via
                | HeaderName::From
                | HeaderName::To
                | HeaderName::CallId
                | HeaderName::CSeq
                | HeaderName::Route
                | HeaderName::RecordRoute
                | HeaderName::Contact
                | HeaderName::Timestamp
                | HeaderName::UserAgent
                | HeaderName::Allow
                | HeaderName::Supported
                | HeaderName::Require
                | HeaderName::SessionExpires
                | HeaderName::MinSe
        )
    };
    let mut skeleton = Request::new(request.method.clone(), request.uri.clone());
    for (name, value) in request.headers.iter().filter(|(name, _)| kept(name)) {
        skeleton.headers.push(name.clone(), value);
    }
    Box::new(skeleton)
}

/// Whether the stack writes this header itself.
fn is_reserved(name: &HeaderName) -> bool {
    matches!(
        name,
        HeaderName::Via
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::Contact
            | HeaderName::Route
            | HeaderName::RecordRoute
            | HeaderName::MaxForwards
            | HeaderName::ContentType
            | HeaderName::ContentLength
            | HeaderName::ContentDisposition
            | HeaderName::ContentEncoding
            | HeaderName::Authorization
            | HeaderName::ProxyAuthorization
            | HeaderName::ReferTo
            | HeaderName::Event
            | HeaderName::SubscriptionState
            | HeaderName::SessionExpires
            | HeaderName::MinSe
            | HeaderName::RSeq
            | HeaderName::RAck
    )
}

/// Whether a request with this header may be refused for its sake. None that ends a call has one: a CANCEL must not
/// (RFC 3261 §20.32), and a peer that refuses a BYE goes on talking.
fn demands(name: &HeaderName) -> bool {
    matches!(name, HeaderName::Require | HeaderName::ProxyRequire)
}

/// An extra header takes the place of one that the stack would have written itself. Nobody makes two of what there may be
/// one of: such a message means two things, and peers refuse it.
fn add_extra(headers: &mut Headers, extra: ExtraHeaders) {
    let extra: Vec<_> = extra.into_iter().filter(|(name, _)| !is_reserved(name)).collect();
    for (name, _) in &extra {
        headers.remove(name);
    }
    for (name, value) in extra {
        if name.is_singleton() {
            headers.set(name, value);
        } else {
            headers.push(name, value);
        }
    }
}

fn add_body(headers: &mut Headers, body: &Bytes, kind: &str) {
    if !body.is_empty() {
        headers.push(HeaderName::ContentType, kind);
    }
}

fn add_to_tag(headers: &mut Headers, tag: &Tag) {
    let Ok(mut to) = headers.to() else { return };
    if to.tag().is_none() {
        to.set_tag(tag);
        headers.set_first(HeaderName::To, to.to_string());
    }
}

fn hop_by_hop(invite: &Request, method: Method, to: Option<&str>, extra: ExtraHeaders) -> Bytes {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    let headers = &mut request.headers;
    let from_invite = |name| invite.headers.get(&name).unwrap_or_default();
    headers.push(HeaderName::Via, from_invite(HeaderName::Via));
    headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
    for route in invite.headers.get_all(&HeaderName::Route) {
        headers.push(HeaderName::Route, route);
    }
    headers.push(HeaderName::From, from_invite(HeaderName::From));
    headers.push(HeaderName::To, to.unwrap_or_default());
    headers.push(HeaderName::CallId, from_invite(HeaderName::CallId));
    let number = invite.headers.cseq().map(|cseq| cseq.number).unwrap_or_default();
    headers.push(HeaderName::CSeq, CSeq { number, method }.to_string());
    if let Some(name) = invite.headers.get(&HeaderName::UserAgent) {
        headers.push(HeaderName::UserAgent, name);
    }
    add_extra(headers, extra.into_iter().filter(|(name, _)| !demands(name)).collect());
    Message::Request(request).to_bytes()
}

fn via_of(listener: &Listener, branch: &Branch) -> Via {
    let transport = match listener.wire {
        Wire::Udp => crate::message::Transport::Udp,
        Wire::Tcp => crate::message::Transport::Tcp,
        Wire::Tls => crate::message::Transport::Tls,
    };
    Via::new(transport, listener.advertised.host.clone(), Some(listener.advertised.port), branch)
}

/// Our address as peers shall use it: host, port and protocol of the listener that the call came through.
fn contact_of(listener: &Listener) -> String {
    let mut uri = Uri::sip(None, listener.advertised.host.clone(), Some(listener.advertised.port));
    if listener.wire != Wire::Udp {
        uri.params.set("transport", listener.wire.uri_param());
    }
    NameAddr::new(uri).to_string()
}
