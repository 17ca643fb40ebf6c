//! What a caller does not want to be told about him: Privacy ([RFC 3323 §4.2], `id` of [RFC 3325 §9.3], `history` of
//! [RFC 7044 §10.1]).
//!
//! [RFC 3323 §4.2]: https://www.rfc-editor.org/rfc/rfc3323#section-4.2
//! [RFC 3325 §9.3]: https://www.rfc-editor.org/rfc/rfc3325#section-9.3
//! [RFC 7044 §10.1]: https://www.rfc-editor.org/rfc/rfc7044#section-10.1

use std::fmt;

use super::{header_name::HeaderName, headers::Headers, token::Token};

/// Words that are read of one message; there are seven.
const MAX: usize = 8;

/// The words of the header, in lower case. Without a header there are none, and nothing was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privacy(Vec<String>);

impl Privacy {
    /// What a message says.
    pub fn of(headers: &Headers) -> Self {
        headers.get_all(&HeaderName::Privacy).fold(Self::default(), |privacy, value| privacy.and(value))
    }

    /// Reads one value: words with `;` between them; some write commas.
    pub fn parse(value: &str) -> Self {
        Self::default().and(value)
    }

    /// Who he is must not be told: by his own wish in any of its forms, or by his network's on his behalf.
    pub fn hides_identity(&self) -> bool {
        !self.is_waived() && ["id", "user", "header"].iter().any(|word| self.has(word))
    }

    /// Who was called before must not be told (RFC 7044 §10.1.1).
    pub fn hides_history(&self) -> bool {
        !self.is_waived() && ["history", "header", "session"].iter().any(|word| self.has(word))
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The user does not want any, whatever his network would do by itself.
    fn is_waived(&self) -> bool {
        self.has("none")
    }

    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|word| word == wanted)
    }

    fn and(mut self, value: &str) -> Self {
        let words = value.split([';', ',']).map(str::trim).filter_map(Token::new);
        for word in words.map(|word| word.as_str().to_ascii_lowercase()) {
            if self.0.len() < MAX && !self.has(&word) {
                self.0.push(word);
            }
        }
        self
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(";"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden() {
        let cases: &[(&str, &str, &str, bool, bool)] = &[
            ("nothing", "", "", false, false),
            ("identity", "id", "id", true, false),
            ("critical identity, other case", " ID ; Critical", "id;critical", true, false),
            ("headers", "header;session", "header;session", true, true),
            ("user", "user", "user", true, false),
            ("history", "history", "history", false, true),
            ("commas, repeated", "id, id,history", "id;history", true, true),
            ("waived", "none", "none", false, false),
            ("waived against the network", "id;none", "id;none", false, false),
            ("unknown", "tunnel", "tunnel", false, false),
            ("no word", "a b;id", "id", true, false),
        ];
        for (name, value, written, identity, history) in cases {
            let privacy = Privacy::parse(value);
            assert_eq!(privacy.to_string(), *written, "{name}");
            assert_eq!((privacy.hides_identity(), privacy.hides_history()), (*identity, *history), "{name}");
            assert_eq!(privacy.is_empty(), written.is_empty(), "{name}");
        }
    }

    #[test]
    fn several_lines_are_one_and_a_flood_is_cut() {
        let mut headers = Headers::new();
        (0..100).for_each(|n| headers.push(HeaderName::Privacy, format!("x{n};id")));
        assert_eq!(Privacy::of(&headers).to_string(), "x0;id;x1;x2;x3;x4;x5;x6");
    }
}
