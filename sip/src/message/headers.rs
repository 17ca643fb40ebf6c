//! The headers of a message: an ordered list and typed readings of it ([RFC 3261 §7.3]).
//!
//! [RFC 3261 §7.3]: https://www.rfc-editor.org/rfc/rfc3261#section-7.3

use std::fmt;

use super::{
    cseq::CSeq,
    header_name::HeaderName,
    id::CallId,
    identity::Identity,
    method::Method,
    name_addr::NameAddr,
    scan::{Scanner, split_at_commas},
    value::Value,
    via::Via,
};
use crate::error::Error;

/// Headers in the order they came. Addresses and Vias that shared a line have one entry each; everything else is kept
/// as it was written. Content-Length is not among them: the body knows its length, and writing says it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value behind all others. Line ends and NUL in it become spaces, so that a value is never two headers.
    pub fn push(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.push((name, one_line(value.into())));
    }

    /// Adds a value in front of all others.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<String>) {
        self.0.insert(0, (name, one_line(value.into())));
    }

    /// Replaces all values of the name by this one, in the place of the first.
    pub fn set(&mut self, name: HeaderName, value: impl Into<String>) {
        let Some(index) = self.position(&name) else { return self.push(name, value) };
        self.replace_at(index, value.into());
        let mut seen = 0;
        self.0.retain(|(known, _)| {
            seen += usize::from(*known == name);
            *known != name || seen == 1
        });
    }

    /// Replaces the first value of the name alone, such as the topmost Via; adds it in front when there is none.
    pub fn set_first(&mut self, name: HeaderName, value: impl Into<String>) {
        match self.position(&name) {
            Some(index) => self.replace_at(index, value.into()),
            None => self.push_front(name, value),
        }
    }

    /// Takes out all values of the name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Takes out the first value of the name, such as the topmost Via.
    pub fn remove_first(&mut self, name: &HeaderName) -> Option<String> {
        let index = self.position(name)?;
        Some(self.0.remove(index).1)
    }

    /// The first value of the name.
    pub fn get(&self, name: &HeaderName) -> Option<&str> {
        self.get_all(name).next()
    }

    /// All values of the name in order.
    pub fn get_all<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of the name as one, with commas between them; `None` without any.
    pub fn joined(&self, name: &HeaderName) -> Option<String> {
        self.contains(name).then(|| self.get_all(name).collect::<Vec<_>>().join(", "))
    }

    /// The first value of a header by its name as text.
    pub fn get_named(&self, name: &str) -> Option<&str> {
        self.get(&HeaderName::parse(name)?)
    }

    /// Whether the name is there.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn replace_at(&mut self, index: usize, value: String) {
        if let Some(entry) = self.0.get_mut(index) {
            entry.1 = one_line(value);
        }
    }

    fn position(&self, name: &HeaderName) -> Option<usize> {
        self.0.iter().position(|(known, _)| known == name)
    }
}

/// Typed readings. What [`Message::parse`](super::Message::parse) has let through has a Via, From, To, Call-ID and CSeq
/// that can be read; a message of our own making may still lack them.
impl Headers {
    /// The topmost Via.
    pub fn via(&self) -> Result<Via, Error> {
        Via::parse(self.required(HeaderName::Via)?)
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, Error> {
        self.get_all(&HeaderName::Via).map(Via::parse).collect()
    }

    /// Who sends the request.
    pub fn from(&self) -> Result<NameAddr, Error> {
        NameAddr::parse(self.required(HeaderName::From)?)
    }

    /// Whom the request was first meant for.
    pub fn to(&self) -> Result<NameAddr, Error> {
        NameAddr::parse(self.required(HeaderName::To)?)
    }

    /// The call.
    pub fn call_id(&self) -> Result<CallId, Error> {
        CallId::parse(self.required(HeaderName::CallId)?)
    }

    /// The request's number and method.
    pub fn cseq(&self) -> Result<CSeq, Error> {
        CSeq::parse(self.required(HeaderName::CSeq)?)
    }

    /// The first contact, if any. `Contact: *`, which only REGISTER knows, is malformed here.
    pub fn contact(&self) -> Result<Option<NameAddr>, Error> {
        self.get(&HeaderName::Contact).map(NameAddr::parse).transpose()
    }

    /// The proxies that want to stay on the way, in the order written.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, Error> {
        self.addresses(&HeaderName::RecordRoute)
    }

    /// The proxies still to visit.
    pub fn routes(&self) -> Result<Vec<NameAddr>, Error> {
        self.addresses(&HeaderName::Route)
    }

    /// All values of a header of addresses: P-Asserted-Identity, Diversion, Refer-To and so on.
    pub fn addresses(&self, name: &HeaderName) -> Result<Vec<NameAddr>, Error> {
        self.get_all(name).map(NameAddr::parse).collect()
    }

    /// All values of a header of words with parameters: Reason, Session-Expires, Event and so on.
    pub fn values(&self, name: &HeaderName) -> Result<Vec<Value>, Error> {
        self.tokens(name).into_iter().map(Value::parse).collect()
    }

    /// All values of Identity in order; those that cannot be read say so, each for itself.
    pub fn identities(&self) -> Vec<Result<Identity, Error>> {
        self.tokens(&HeaderName::Identity).into_iter().map(Identity::parse).collect()
    }

    /// How many more hops are allowed.
    pub fn max_forwards(&self) -> Result<Option<u32>, Error> {
        self.number(&HeaderName::MaxForwards, "Max-Forwards")
    }

    /// Seconds in Expires.
    pub fn expires(&self) -> Result<Option<u32>, Error> {
        self.number(&HeaderName::Expires, "Expires")
    }

    /// Seconds in Retry-After, whatever else it says.
    pub fn retry_after(&self) -> Result<Option<u32>, Error> {
        self.get(&HeaderName::RetryAfter).map(|text| Scanner::new("Retry-After", text).number()).transpose()
    }

    /// The body's type and subtype without parameters, in lower case and without white space.
    pub fn content_type(&self) -> Option<String> {
        let value = self.get(&HeaderName::ContentType)?;
        let kind = value.split(';').next().unwrap_or_default();
        Some(kind.split([' ', '\t']).collect::<String>().to_ascii_lowercase())
    }

    /// The option tags of Require.
    pub fn require(&self) -> Vec<&str> {
        self.tokens(&HeaderName::Require)
    }

    /// The option tags of Supported.
    pub fn supported(&self) -> Vec<&str> {
        self.tokens(&HeaderName::Supported)
    }

    /// The methods of Allow.
    pub fn allow(&self) -> Vec<Method> {
        self.tokens(&HeaderName::Allow).into_iter().filter_map(Method::parse).collect()
    }

    /// All items of a header that is a list of words: Require, Supported, Allow, Allow-Events, Accept.
    pub fn tokens(&self, name: &HeaderName) -> Vec<&str> {
        self.get_all(name).flat_map(split_at_commas).collect()
    }

    fn number(&self, name: &HeaderName, what: &'static str) -> Result<Option<u32>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let mut scanner = Scanner::new(what, text);
        let number = scanner.number()?;
        scanner.end()?;
        Ok(Some(number))
    }

    fn required(&self, name: HeaderName) -> Result<&str, Error> {
        match self.get(&name) {
            Some(value) => Ok(value),
            None => Err(Error::MissingHeader(name)),
        }
    }
}

impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .filter(|(name, _)| **name != HeaderName::ContentLength)
            .try_for_each(|(name, value)| write!(f, "{name}: {value}\r\n"))
    }
}

/// Proofs stay out of logs: with one, passwords can be tried at leisure.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_secret = |name: &HeaderName| matches!(name, HeaderName::Authorization | HeaderName::ProxyAuthorization);
        let shown = self.iter().map(|(name, value)| (name.as_str(), if is_secret(name) { "(masked)" } else { value }));
        f.debug_map().entries(shown).finish()
    }
}

/// A value that stays within its line, without white space around it.
fn one_line(value: String) -> String {
    let is_plain = !value.contains(['\r', '\n', '\0']) && !value.starts_with(BLANK) && !value.ends_with(BLANK);
    if is_plain {
        return value;
    }
    value.replace(['\r', '\n', '\0'], " ").trim_matches(BLANK).to_owned()
}

const BLANK: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::new();
        values.iter().for_each(|(name, value)| headers.push(name.clone(), *value));
        headers
    }

    #[test]
    fn a_value_is_never_two_headers() {
        let written = headers(&[(HeaderName::Subject, " a\r\nVia: b\0c\n")]).to_string();
        assert_eq!(written, "Subject: a  Via: b c\r\n");
    }

    #[test]
    fn content_length_is_the_bodys_to_say() {
        assert_eq!(headers(&[(HeaderName::ContentLength, "5")]).to_string(), "");
    }

    #[test]
    fn lists_are_changed_in_place() {
        use HeaderName::{From, To, Via};
        let mut list = headers(&[(Via, "1"), (From, "f"), (Via, "2"), (Via, "3")]);
        list.set_first(Via, "one");
        assert_eq!(list.get_all(&Via).collect::<Vec<_>>(), ["one", "2", "3"]);
        assert_eq!(list.remove_first(&Via).as_deref(), Some("one"));
        list.push_front(Via, "new");
        list.set(To, "t");
        assert_eq!(list.to_string(), "Via: new\r\nFrom: f\r\nVia: 2\r\nVia: 3\r\nTo: t\r\n");
        list.set(Via, "only");
        list.remove(&From);
        assert_eq!(list.to_string(), "Via: only\r\nTo: t\r\n");
        assert_eq!(list.remove_first(&From), None);
    }

    #[test]
    fn typed_readings() {
        let list = headers(&[
            (HeaderName::Allow, "INVITE,ACK , ,FROB"),
            (HeaderName::Supported, "timer, path"),
            (HeaderName::Supported, "100rel"),
            (HeaderName::ContentType, "Application / SDP;charset=x"),
            (HeaderName::RetryAfter, "18 (in a meeting);duration=3600"),
            (HeaderName::Expires, "60s"),
            (HeaderName::MaxForwards, "70"),
        ]);
        assert_eq!(list.allow().len(), 3);
        assert_eq!(list.supported(), ["timer", "path", "100rel"]);
        assert_eq!(list.content_type().as_deref(), Some("application/sdp"));
        assert_eq!(list.retry_after(), Ok(Some(18)));
        assert!(list.expires().is_err());
        assert_eq!(list.max_forwards(), Ok(Some(70)));
        assert_eq!(list.from(), Err(Error::MissingHeader(HeaderName::From)));
        assert_eq!(list.contact(), Ok(None));
    }

    #[test]
    fn proofs_do_not_show_in_logs() {
        let list = headers(&[(HeaderName::Authorization, "Digest secret"), (HeaderName::To, "t")]);
        assert_eq!(format!("{list:?}"), r#"{"Authorization": "(masked)", "To": "t"}"#);
    }
}
