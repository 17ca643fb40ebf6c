//! Keys to press: digits and pauses.

use std::time::Duration;

use super::Refusal;

/// How long a `w` lasts.
const PAUSE: Duration = Duration::from_millis(500);

/// The most keys and pauses of one request: two minutes of them.
const MAX: usize = 256;

/// One thing to do at the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// Press this key: a digit, `A` to `D`, `*` or `#`.
    Key(char),
    /// Wait.
    Pause(Duration),
}

/// Reads keys as LiveKit writes them: `ww12#`.
pub fn press(text: &str) -> Result<Vec<Press>, Refusal> {
    if text.len() > MAX {
        return Err(Refusal::TooLong { field: "dtmf", max: MAX });
    }
    let one = |c: char| match c.to_ascii_uppercase() {
        key @ ('0'..='9' | 'A'..='D' | '*' | '#') => Ok(Press::Key(key)),
        'W' => Ok(Press::Pause(PAUSE)),
        _ => Err(Refusal::Key(c)),
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_pauses() {
        let key = Press::Key;
        let wait = Press::Pause(PAUSE);
        let long = "w".repeat(MAX + 1);
        let cases: &[(&str, Result<Vec<Press>, Refusal>)] = &[
            ("", Ok(vec![])),
            ("ww12#", Ok(vec![wait, wait, key('1'), key('2'), key('#')])),
            ("*aDW", Ok(vec![key('*'), key('A'), key('D'), wait])),
            ("12x!", Err(Refusal::Key('x'))),
            ("1 2", Err(Refusal::Key(' '))),
            ("٣", Err(Refusal::Key('٣'))),
            (&long, Err(Refusal::TooLong { field: "dtmf", max: MAX })),
        ];
        for (text, expected) in cases {
            assert_eq!(press(text), *expected, "{text:?}");
        }
    }
}
