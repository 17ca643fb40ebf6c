//! Numbers: one form for those that are written in several, and patterns that numbers are held against.

use std::borrow::Cow;
use std::fmt;

/// The form in which numbers are compared. Text made of digits, with or without a leading `+` and the separators people
/// write (blank, `-`, brackets), becomes `+` and the digits; anything else stays as it is. No country is guessed:
/// `0044…` and `+44…` are two numbers.
pub fn normalise(number: &str) -> Cow<'_, str> {
    if !is_number(number, |_| false) {
        return Cow::Borrowed(number);
    }
    if number.starts_with('+') && number[1..].bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(number);
    }
    Cow::Owned(plus_and_digits(number))
}

/// A number for the log: all but its last four digits are dots, so that its length can be told and its owner cannot.
pub(crate) fn shown(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let mut seen = 0;
    let dot = |c: char| {
        seen += usize::from(c.is_ascii_digit());
        if c.is_ascii_digit() && seen + 4 <= digits { '·' } else { c }
    };
    number.chars().map(dot).filter(|c| !c.is_control()).take(64).collect()
}

/// A number of a trunk or a rule: exact, or with `*` standing for any run of characters (`+1415*`, `+*`, `*`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// How narrowly a list of patterns took a number. Greater is narrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// The list is empty and takes everything.
    Any,
    /// A pattern with so many characters beside its stars.
    Glob(usize),
    /// The number itself.
    Exact,
}

impl Pattern {
    /// Takes the pattern as written; its digits are normalised like those of numbers.
    pub fn new(text: &str) -> Self {
        if is_number(text, |c| c == '*') {
            let starts_open = text.starts_with('*');
            let normal = plus_and_digits(text);
            return Self(if starts_open { normal[1..].to_owned() } else { normal });
        }
        Self(text.to_owned())
    }

    /// The pattern in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How the pattern takes a number in its normal form, or `None`.
    pub(crate) fn fit(&self, number: &str) -> Option<Fit> {
        if self.0 == number {
            Some(Fit::Exact)
        } else if self.0.contains('*') && glob(self.0.as_bytes(), number.as_bytes()) {
            Some(Fit::Glob(self.0.bytes().filter(|b| *b != b'*').count()))
        } else {
            None
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a list takes a number in its normal form; `None` if no entry does.
pub(crate) fn fit(list: &[Pattern], number: &str) -> Option<Fit> {
    if list.is_empty() {
        return Some(Fit::Any);
    }
    list.iter().filter_map(|pattern| pattern.fit(number)).max()
}

fn is_number(text: &str, also: impl Fn(char) -> bool) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    rest.chars().any(|c| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')') || also(c))
}

fn plus_and_digits(text: &str) -> String {
    let mut normal = String::with_capacity(text.len() + 1);
    normal.push('+');
    normal.extend(text.chars().filter(|c| c.is_ascii_digit() || *c == '*'));
    normal
}

/// Matches with a single point of return: the last star takes one character more each time the rest does not fit.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (p, t) = (after_star, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        let cases: &[(&str, &str)] = &[
            ("+15105550100", "+15105550100"),
            ("15105550100", "+15105550100"),
            ("+1 (510) 555-0100", "+15105550100"),
            ("(510) 555 0100", "+5105550100"),
            ("100", "+100"),
            ("00441632960000", "+00441632960000"),
            ("alice", "alice"),
            ("anonymous", "anonymous"),
            ("+", "+"),
            ("()", "()"),
            ("", ""),
            ("1+2", "1+2"),
            ("++1", "++1"),
            ("*98", "*98"),
            ("٣", "٣"),
        ];
        for (text, normal) in cases {
            assert_eq!(normalise(text), *normal, "{text:?}");
        }
    }

    #[test]
    fn the_log_shows_four_digits() {
        for (number, text) in
            [("+15105550100", "+·······0100"), ("0100", "0100"), ("anonymous", "anonymous"), ("a\r1", "a1"), ("", "")]
        {
            assert_eq!(shown(number), text);
        }
    }

    #[test]
    fn patterns_take_numbers() {
        let cases: &[(&str, &str, Option<Fit>)] = &[
            ("15105550100", "+15105550100", Some(Fit::Exact)),
            ("+15105550100", "+15105550101", None),
            ("+*", "+15105550100", Some(Fit::Glob(1))),
            ("+*", "anonymous", None),
            ("*", "anonymous", Some(Fit::Glob(0))),
            ("*", "", Some(Fit::Glob(0))),
            ("+1415*", "+14155550100", Some(Fit::Glob(5))),
            ("1 (415) *", "+14155550100", Some(Fit::Glob(5))),
            ("+1415*", "+14165550100", None),
            ("*0100", "+15105550100", Some(Fit::Glob(4))),
            ("*0100", "+15105550101", None),
            ("+1*55*00", "+15105550100", Some(Fit::Glob(6))),
            ("+1*55*01", "+15105550100", None),
            ("sales-*", "sales-emea", Some(Fit::Glob(6))),
            ("*98", "*98", Some(Fit::Exact)),
            ("", "", Some(Fit::Exact)),
            ("", "+1", None),
        ];
        for (pattern, number, expected) in cases {
            assert_eq!(Pattern::new(pattern).fit(number), *expected, "{pattern:?} {number:?}");
        }
    }

    #[test]
    fn the_narrowest_entry_of_a_list_counts() {
        let list = [Pattern::new("+*"), Pattern::new("+1415*"), Pattern::new("+14155550100")];
        assert_eq!(fit(&list, "+14155550100"), Some(Fit::Exact));
        assert_eq!(fit(&list, "+14155550101"), Some(Fit::Glob(5)));
        assert_eq!(fit(&list, "+4930"), Some(Fit::Glob(1)));
        assert_eq!(fit(&list, "bob"), None);
        assert_eq!(fit(&[], "bob"), Some(Fit::Any));
    }
}
