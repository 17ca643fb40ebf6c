//! Who we are, for the requests of one call that we place ([RFC 3261 §22.2], [§22.3], [RFC 8760 §2.4]).
//!
//! A request is sent without proof first, and with one once somebody has asked: what a nonce was good for a minute ago
//! need not be good now, and nobody is given a proof who does not want it.
//!
//! [RFC 3261 §22.2]: https://www.rfc-editor.org/rfc/rfc3261#section-22.2
//! [§22.3]: https://www.rfc-editor.org/rfc/rfc3261#section-22.3
//! [RFC 8760 §2.4]: https://www.rfc-editor.org/rfc/rfc8760#section-2.4

use super::command::ExtraHeaders;
use crate::{
    digest::{Challenge, Credentials},
    message::{HeaderName, Headers, Method, Uri},
};

/// How often one request is sent with a proof: to a proxy, to whoever is behind it, and once more to each whose nonce
/// has grown old.
const MAX_ROUNDS: u8 = 4;
/// Realms that one request proves itself to.
const MAX_REALMS: usize = 4;
/// Nonces whose use is counted.
const MAX_NONCES: usize = 8;

/// The credentials of a call, and how often each nonce was answered with them.
#[derive(Debug)]
pub(crate) struct Login {
    credentials: Credentials,
    used: Vec<(String, String, u32)>,
}

/// What one request was asked for so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    challenges: Vec<(HeaderName, Challenge)>,
    rounds: u8,
    /// A proof was refused with another nonce, which may have been meant as `stale`; not twice.
    is_doubted: bool,
}

impl Login {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, used: Vec::new() }
    }

    /// Takes note of what a 401 or 407 asks for; false when there is nothing to say to it, or it was said in vain.
    pub(crate) fn hear(&self, asked: &mut Asked, response: &Headers) -> bool {
        let challenges = self.strongest(response);
        asked.rounds += 1;
        if challenges.is_empty() || asked.rounds > MAX_ROUNDS {
            return false;
        }
        challenges.into_iter().all(|challenge| asked.take(challenge))
    }

    /// The proofs of a request, one a realm.
    pub(crate) fn prove(
        &mut self,
        asked: &Asked,
        method: &Method,
        uri: &Uri,
        mut cnonce: impl FnMut() -> String,
    ) -> ExtraHeaders {
        let mut proofs = ExtraHeaders::new();
        for (header, challenge) in &asked.challenges {
            let count = self.count(&challenge.realm, &challenge.nonce);
            if let Some(proof) = challenge.answer(&self.credentials, method, uri, &cnonce(), count) {
                proofs.push((header.clone(), proof.to_string()));
            }
        }
        proofs
    }

    /// Of each realm that these credentials are for the strongest challenge that we can compute, the first of equals.
    fn strongest(&self, response: &Headers) -> Vec<(HeaderName, Challenge)> {
        let strength = |challenge: &Challenge| challenge.algorithm.map(|algorithm| algorithm.strength());
        let is_ours =
            |challenge: &Challenge| self.credentials.realm.as_ref().is_none_or(|realm| challenge.realm == *realm);
        let mut best: Vec<(HeaderName, Challenge)> = Vec::new();
        for (header, challenge) in Challenge::of(response) {
            if challenge.algorithm.is_none() || !is_ours(&challenge) {
                continue;
            }
            let is_same = |(known, other): &&mut (_, Challenge)| *known == header && other.realm == challenge.realm;
            match best.iter_mut().find(is_same) {
                Some((_, other)) if strength(&challenge) > strength(other) => *other = challenge,
                Some(_) => {}
                None => best.push((header, challenge)),
            }
        }
        best.truncate(MAX_REALMS);
        best
    }

    /// How often this nonce is used, this time included (RFC 7616 §3.4).
    fn count(&mut self, realm: &str, nonce: &str) -> u32 {
        let is_known = |(of, known, _): &&mut (String, String, u32)| of == realm && known == nonce;
        if let Some((_, _, count)) = self.used.iter_mut().find(is_known) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.used.len() == MAX_NONCES {
            self.used.remove(0);
        }
        self.used.push((realm.to_owned(), nonce.to_owned(), 1));
        1
    }
}

impl Asked {
    /// One more challenge; false when it means that the proof given was wrong.
    fn take(&mut self, (header, challenge): (HeaderName, Challenge)) -> bool {
        let mut known = self.challenges.iter_mut();
        let Some((_, before)) = known.find(|(known, before)| *known == header && before.realm == challenge.realm)
        else {
            let has_room = self.challenges.len() < MAX_REALMS;
            if has_room {
                self.challenges.push((header, challenge));
            }
            return has_room;
        };
        let is_refused = !challenge.stale && (before.nonce == challenge.nonce || self.is_doubted);
        self.is_doubted |= !challenge.stale;
        *before = challenge;
        !is_refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Authorization;

    const WWW: HeaderName = HeaderName::WwwAuthenticate;
    const PROXY: HeaderName = HeaderName::ProxyAuthenticate;

    fn login(realm: Option<&str>) -> Login {
        let realm = realm.map(str::to_owned);
        Login::new(Credentials { username: "u".to_owned(), password: "p".to_owned(), realm })
    }

    fn response(challenges: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::new();
        challenges.iter().for_each(|(name, value)| headers.push(name.clone(), format!("Digest {value}")));
        headers
    }

    /// The proofs for the last of these responses: header, realm, algorithm, nonce and nc each. `None`: it gave up.
    fn proofs(login: &mut Login, responses: &[Headers]) -> Option<Vec<String>> {
        let mut asked = Asked::default();
        let mut last = Vec::new();
        for response in responses {
            if !login.hear(&mut asked, response) {
                return None;
            }
            let uri = Uri::parse("sip:b@example.net").unwrap();
            last = login.prove(&asked, &Method::Invite, &uri, || "c".to_owned());
        }
        let text = |(header, value): &(HeaderName, String)| {
            let proof = Authorization::parse(value).unwrap();
            let nc = proof.count.map_or("-".to_owned(), |count| count.nc.trim_start_matches('0').to_owned());
            assert_eq!(proof.uri, "sip:b@example.net");
            let opaque = proof.opaque.map(|opaque| format!(" {opaque}")).unwrap_or_default();
            format!("{header} {} {} {} {nc}{opaque}", proof.realm, proof.algorithm, proof.nonce)
        };
        Some(last.iter().map(text).collect())
    }

    /// Responses in their order, each a list of challenges.
    type Script<'a> = &'a [&'a [(HeaderName, &'a str)]];
    /// Name, realm of the credentials, what is heard, what is replied to the last of it.
    type Case<'a> = (&'a str, Option<&'a str>, Script<'a>, Option<&'a [&'a str]>);

    #[test]
    fn what_is_answered_and_what_is_not() {
        let auth = "realm=\"r\", nonce=\"1\", qop=\"auth\"";
        let stale = "realm=\"r\", nonce=\"2\", qop=\"auth\", stale=true";
        let other = "realm=\"r\", nonce=\"2\", qop=\"auth\"";
        let third = "realm=\"r\", nonce=\"3\", qop=\"auth\"";
        let cases: &[Case<'_>] = &[
            ("401", None, &[&[(WWW, auth)]], Some(&["Authorization r MD5 1 1"])),
            ("407", None, &[&[(PROXY, auth)]], Some(&["Proxy-Authorization r MD5 1 1"])),
            ("RFC 2069", None, &[&[(WWW, "realm=\"r\", nonce=\"1\"")]], Some(&["Authorization r MD5 1 -"])),
            (
                "strongest",
                None,
                &[&[(WWW, auth), (WWW, "realm=\"r\", nonce=\"9\", algorithm=SHA-256, qop=\"auth\"")]],
                Some(&["Authorization r SHA-256 9 1"]),
            ),
            (
                "unknown algorithm beside one we know",
                None,
                &[&[(WWW, "realm=\"r\", nonce=\"9\", algorithm=SHA-512-256, qop=\"auth\""), (WWW, auth)]],
                Some(&["Authorization r MD5 1 1"]),
            ),
            ("unknown algorithm alone", None, &[&[(WWW, "realm=\"r\", nonce=\"9\", algorithm=X")]], None),
            (
                "session",
                None,
                &[&[(WWW, "realm=\"r\", nonce=\"9\", algorithm=MD5-sess, qop=\"auth\"")]],
                Some(&["Authorization r MD5-sess 9 1"]),
            ),
            ("auth-int alone", None, &[&[(WWW, "realm=\"r\", nonce=\"1\", qop=\"auth-int\"")]], None),
            (
                "auth-int as well",
                None,
                &[&[(WWW, "realm=\"r\", nonce=\"1\", qop=\"auth-int,auth\"")]],
                Some(&["Authorization r MD5 1 1"]),
            ),
            (
                "opaque",
                None,
                &[&[(WWW, "realm=\"r\", nonce=\"1\", qop=\"auth\", opaque=\"o\"")]],
                Some(&["Authorization r MD5 1 1 o"]),
            ),
            (
                "two realms at once",
                None,
                &[&[(PROXY, auth), (PROXY, "realm=\"s\", nonce=\"1\", qop=\"auth\"")]],
                Some(&["Proxy-Authorization r MD5 1 1", "Proxy-Authorization s MD5 1 1"]),
            ),
            (
                "proxy, then whoever is behind it",
                None,
                &[&[(PROXY, auth)], &[(WWW, "realm=\"s\", nonce=\"7\", qop=\"auth\"")]],
                Some(&["Proxy-Authorization r MD5 1 2", "Authorization s MD5 7 1"]),
            ),
            ("stale", None, &[&[(WWW, auth)], &[(WWW, stale)]], Some(&["Authorization r MD5 2 1"])),
            ("refused", None, &[&[(WWW, auth)], &[(WWW, auth)]], None),
            ("another nonce", None, &[&[(WWW, auth)], &[(WWW, other)]], Some(&["Authorization r MD5 2 1"])),
            ("another nonce each time", None, &[&[(WWW, auth)], &[(WWW, other)], &[(WWW, third)]], None),
            (
                "stale for ever",
                None,
                &[&[(WWW, auth)], &[(WWW, stale)], &[(WWW, stale)], &[(WWW, stale)], &[(WWW, stale)]],
                None,
            ),
            ("our realm", Some("r"), &[&[(WWW, auth)]], Some(&["Authorization r MD5 1 1"])),
            ("another realm", Some("s"), &[&[(WWW, auth)]], None),
            (
                "ours among others",
                Some("r"),
                &[&[(WWW, "realm=\"s\", nonce=\"5\", qop=\"auth\""), (WWW, auth)]],
                Some(&["Authorization r MD5 1 1"]),
            ),
            ("nothing", None, &[&[]], None),
        ];
        for (name, realm, script, expected) in cases {
            let responses: Vec<_> = script.iter().map(|challenges| response(challenges)).collect();
            let proofs = proofs(&mut login(*realm), &responses);
            let proofs = proofs.as_ref().map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(proofs.as_deref(), *expected, "{name}");
        }
    }

    #[test]
    fn a_nonce_is_counted_from_request_to_request() {
        let mut login = login(None);
        let asks = [response(&[(WWW, "realm=\"r\", nonce=\"1\", qop=\"auth\"")])];
        for count in 1..=20 {
            assert_eq!(proofs(&mut login, &asks), Some(vec![format!("Authorization r MD5 1 {count:x}")]));
        }
        for nonce in 0..100 {
            let value = format!("realm=\"r\", nonce=\"n{nonce}\", qop=\"auth\"");
            assert!(proofs(&mut login, &[response(&[(WWW, &value)])]).is_some());
        }
        assert_eq!(login.used.len(), MAX_NONCES);
    }
}
