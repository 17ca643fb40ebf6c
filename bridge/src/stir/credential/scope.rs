//! `TNAuthList`: whom a certificate speaks for ([RFC 8226 §9]).
//!
//! ```text
//! SEQUENCE OF  [0] service provider code | [1] { first number, count } | [2] one number
//! ```
//!
//! [RFC 8226 §9]: https://www.rfc-editor.org/rfc/rfc8226#section-9

use crate::stir::claim::digits;

const SEQUENCE: u8 = 0x30;
const IA5_STRING: u8 = 0x16;
const INTEGER: u8 = 0x02;
const PROVIDER: u8 = 0xa0;
const RANGE: u8 = 0xa1;
const ONE: u8 = 0xa2;

/// As many entries are read.
const MAX_ENTRIES: usize = 1_024;

/// Whom a certificate speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stir) enum Scope {
    /// A service provider: for whatever it attests.
    Provider,
    /// Numbers: the first of each run, and how many there are.
    Numbers(Vec<(String, u64)>),
}

impl Scope {
    /// Reads the value of the extension.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (mut entries, []) = take(der, SEQUENCE)? else { return None };
        let mut numbers = Vec::new();
        let mut has_provider = false;
        for _ in 0..MAX_ENTRIES {
            let Some(tag) = entries.first() else { break };
            let (entry, rest) = take(entries, *tag)?;
            entries = rest;
            match *tag {
                PROVIDER => has_provider |= !text(entry)?.is_empty(),
                RANGE => {
                    let (inner, []) = take(entry, SEQUENCE)? else { return None };
                    let (first, rest) = take(inner, IA5_STRING)?;
                    let (count, []) = take(rest, INTEGER)? else { return None };
                    numbers.push((number(first)?, unsigned(count)?));
                }
                ONE => numbers.push((digits(text(entry)?)?, 1)),
                _ => return None,
            }
        }
        match (entries, has_provider) {
            ([], true) => Some(Self::Provider),
            ([], false) if !numbers.is_empty() => Some(Self::Numbers(numbers)),
            _ => None,
        }
    }

    /// Whether it speaks for a number, in digits.
    pub(in crate::stir) fn covers(&self, number: &str) -> bool {
        let Self::Numbers(runs) = self else { return true };
        let Ok(value) = number.parse::<u64>() else { return false };
        runs.iter().any(|(first, count)| {
            let from = first.parse::<u64>().ok().and_then(|first| value.checked_sub(first));
            first.len() == number.len() && from.is_some_and(|from| from < *count)
        })
    }
}

/// The content of the element in front, which must have this tag, and what is behind it. Lengths are those of DER, up to
/// two bytes: a certificate that we look at has no more.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (head, rest) = der.split_first_chunk::<2>()?;
    if head[0] != tag {
        return None;
    }
    let (length, rest) = match head[1] {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// The one text within a tag.
fn text(entry: &[u8]) -> Option<&str> {
    let (inner, []) = take(entry, IA5_STRING)? else { return None };
    std::str::from_utf8(inner).ok()
}

fn number(bytes: &[u8]) -> Option<String> {
    digits(std::str::from_utf8(bytes).ok()?)
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    let is_positive = bytes.first().is_some_and(|first| first & 0x80 == 0) && bytes.len() <= 8;
    is_positive.then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[tag, length][..], content].concat()
    }

    #[test]
    fn lists_are_read() {
        let ia5 = |text: &str| element(IA5_STRING, text.as_bytes());
        let list = |entries: &[Vec<u8>]| element(SEQUENCE, &entries.concat());
        let provider = element(PROVIDER, &ia5("1234"));
        let one = element(ONE, &ia5("+1 555 0100"));
        let range =
            |count: &[u8]| element(RANGE, &element(SEQUENCE, &[ia5("15550200"), element(INTEGER, count)].concat()));
        let numbers = |runs: &[(&str, u64)]| {
            Some(Scope::Numbers(runs.iter().map(|(first, count)| ((*first).to_owned(), *count)).collect()))
        };
        let cases: &[(&str, Vec<u8>, Option<Scope>)] = &[
            ("a provider", list(std::slice::from_ref(&provider)), Some(Scope::Provider)),
            ("a provider and a number", list(&[one.clone(), provider.clone()]), Some(Scope::Provider)),
            ("a number", list(std::slice::from_ref(&one)), numbers(&[("15550100", 1)])),
            ("numbers", list(&[range(&[1, 0]), one]), numbers(&[("15550200", 256), ("15550100", 1)])),
            ("a negative count", list(&[range(&[0x80])]), None),
            ("a count too large", list(&[range(&[1; 9])]), None),
            ("no count", list(&[range(&[])]), None),
            ("no entry", list(&[]), None),
            ("a provider without a code", list(&[element(PROVIDER, &ia5(""))]), None),
            ("another entry", list(&[element(0xa3, &ia5("1234"))]), None),
            ("no list", provider, None),
            ("something behind", [list(&[element(PROVIDER, &ia5("1"))]), vec![0]].concat(), None),
            ("cut short", vec![SEQUENCE, 5, PROVIDER], None),
            ("a length of three bytes", vec![SEQUENCE, 0x83, 0, 0, 0], None),
            ("nothing", vec![], None),
        ];
        for (name, der, expected) in cases {
            assert_eq!(Scope::read(der), *expected, "{name}");
        }
    }

    /// Whoever has an authority that we believe may still write what he likes here.
    #[test]
    fn nothing_that_is_cut_or_changed_breaks_the_reader() {
        let list = b"\x30\x22\xa1\x0f\x30\x0d\x16\x0815550200\x02\x01\x10\xa2\x05\x16\x03112\xa0\x08\x16\x0612345A";
        assert_eq!(Scope::read(list), Some(Scope::Provider));
        for at in 0..list.len() {
            assert_eq!(Scope::read(&list[..at]), None, "cut at {at}");
            for byte in 0..=u8::MAX {
                let mut changed = *list;
                changed[at] = byte;
                let _ = Scope::read(&changed).map(|scope| scope.covers("18446744073709551615"));
            }
        }
    }

    #[test]
    fn numbers_are_covered_by_their_runs() {
        let runs = Scope::Numbers(vec![("15550100".into(), 2), ("4420".into(), 1)]);
        for (number, covered) in
            [("15550100", true), ("15550101", true), ("15550102", false), ("15550099", false), ("004420", false)]
        {
            assert_eq!(runs.covers(number), covered, "{number}");
        }
        assert!(Scope::Provider.covers("15550102"));
    }
}
