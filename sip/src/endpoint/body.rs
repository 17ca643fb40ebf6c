//! Bodies of INVITE and of its answers: SDP as it is, or the SDP part of a multipart body ([RFC 2046 §5.1], [RFC 5621]).
//!
//! [RFC 2046 §5.1]: https://www.rfc-editor.org/rfc/rfc2046#section-5.1
//! [RFC 5621]: https://www.rfc-editor.org/rfc/rfc5621

use bytes::Bytes;

use crate::message::{HeaderName, Headers};

/// The only type of body that we understand.
pub(crate) const SDP: &str = "application/sdp";
/// Parts looked at before giving up.
const MAX_PARTS: usize = 16;

/// Reduces the body to SDP; false when there is a body but no SDP in it, for which a request is answered with 415.
pub(crate) fn reduce_to_sdp(headers: &mut Headers, body: &mut Bytes) -> bool {
    if body.is_empty() {
        return true;
    }
    let Some(part) = sdp_in(headers, body) else { return false };
    if part.len() < body.len() {
        headers.set(HeaderName::ContentType, SDP);
    }
    *body = part;
    true
}

/// The SDP in a body; `None` when there is none.
fn sdp_in(headers: &Headers, body: &Bytes) -> Option<Bytes> {
    let encoding = headers.get(&HeaderName::ContentEncoding).unwrap_or("identity");
    if body.is_empty() || !encoding.trim().eq_ignore_ascii_case("identity") {
        return None;
    }
    match headers.content_type().as_deref() {
        // Without a type there is nothing else it could be.
        None | Some(SDP) => Some(body.clone()),
        Some(kind) if kind.starts_with("multipart/") => {
            let content_type = headers.get(&HeaderName::ContentType).unwrap_or_default();
            sdp_part(body, &boundary(content_type)?)
        }
        Some(_) => None,
    }
}

/// The `boundary` parameter (RFC 2046 §5.1.1): 1 to 70 characters, perhaps in quotes.
fn boundary(content_type: &str) -> Option<String> {
    let start = content_type.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    let value = content_type.get(start..)?.trim_start();
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => value.split([';', ' ', '\t']).next()?,
    };
    (1..=70).contains(&value.len()).then(|| value.to_owned())
}

/// The content of the first part whose type is SDP.
fn sdp_part(body: &Bytes, boundary: &str) -> Option<Bytes> {
    let delimiter = format!("--{boundary}");
    let mut part = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
    for _ in 0..MAX_PARTS {
        let end = find(body, delimiter.as_bytes(), part)?;
        if let Some(content) = sdp_content(&body[part..end]) {
            return Some(body.slice_ref(content));
        }
        part = end + delimiter.len();
    }
    None
}

fn sdp_content(part: &[u8]) -> Option<&[u8]> {
    let (split, gap) = match (find(part, b"\r\n\r\n", 0), find(part, b"\n\n", 0)) {
        (Some(at), _) => (at, 4),
        (None, at) => (at?, 2),
    };
    let head = String::from_utf8_lossy(part.get(..split)?).to_ascii_lowercase();
    let is_sdp = head.lines().any(|line| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        name.trim() == "content-type" && value.split(';').next().is_some_and(|kind| kind.trim() == SDP)
    });
    // The line end before the delimiter belongs to the delimiter, and SDP reads the same without it.
    is_sdp.then(|| part.get(split + gap..)).flatten()
}

fn find(bytes: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let found = bytes.get(from..)?.windows(what.len()).position(|window| window == what)?;
    Some(from + found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Method, Request, Uri};

    #[test]
    fn finds_the_sdp() {
        let mixed = "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/SDP;x=y\r\n\r\nv=0\r\n--b--\r\n";
        let cases: &[(&str, Option<&str>, &str, Option<&str>)] = &[
            ("empty", None, "", Some("")),
            ("plain", Some("application/sdp"), "v=0", Some("v=0")),
            ("odd case and parameter", Some("Application/SDP ; charset=x"), "v=0", Some("v=0")),
            ("no type", None, "v=0", Some("v=0")),
            ("other type", Some("text/plain"), "v=0", None),
            ("second part", Some("multipart/mixed;boundary=b"), mixed, Some("v=0\r\n")),
            ("quoted boundary", Some("multipart/mixed; boundary=\"b\""), mixed, Some("v=0\r\n")),
            ("no boundary", Some("multipart/mixed"), mixed, None),
            ("wrong boundary", Some("multipart/mixed;boundary=c"), mixed, None),
            ("no sdp part", Some("multipart/mixed;boundary=b"), "--b\r\nContent-Type: a/b\r\n\r\n\r\n--b--", None),
            ("not closed", Some("multipart/mixed;boundary=b"), "--b\r\nContent-Type: application/sdp\r\n\r\nv=0", None),
            ("part without head", Some("multipart/mixed;boundary=b"), "--b--b--b", None),
        ];
        for (name, kind, body, expected) in cases {
            let mut request = Request::new(Method::Invite, Uri::parse("sip:a@example.com").unwrap());
            request.body = Bytes::copy_from_slice(body.as_bytes());
            kind.iter().for_each(|kind| request.headers.push(HeaderName::ContentType, *kind));
            let is_read = reduce_to_sdp(&mut request.headers, &mut request.body);
            let found = is_read.then(|| request.body.clone());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn a_compressed_body_is_not_understood() {
        let mut request = Request::new(Method::Invite, Uri::parse("sip:a@example.com").unwrap());
        request.body = Bytes::from_static(b"v=0");
        request.headers.push(HeaderName::ContentEncoding, "gzip");
        assert!(!reduce_to_sdp(&mut request.headers, &mut request.body));
    }
}
