//! What callers hear of the gateway itself: recordings that come with it in some languages, those of the configuration in
//! their place, and those of a rule before both.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::call::pin::Prompt;
use crate::wav;

/// Recordings of rules that are kept. When there are more, all of them are read anew.
const KEPT: usize = 64;

/// The files of a language that comes with the gateway.
macro_rules! shipped {
    ($language:literal) => {
        (
            $language,
            [
                (Prompt::EnterPin, include_bytes!(concat!("../prompts/", $language, "/enter_pin.wav")).as_slice()),
                (Prompt::WrongPin, include_bytes!(concat!("../prompts/", $language, "/wrong_pin.wav")).as_slice()),
                (Prompt::RoomJoin, include_bytes!(concat!("../prompts/", $language, "/room_join.wav")).as_slice()),
            ],
        )
    };
}

/// Recordings as files.
type Spoken = [(Prompt, &'static [u8]); 3];

/// The first one is heard where a rule says nothing.
const SHIPPED: [(&str, Spoken); 4] = [shipped!("en"), shipped!("de"), shipped!("es"), shipped!("fr")];

/// The recordings, mono at 8 kHz.
#[derive(Clone)]
pub struct Prompts {
    /// Where a rule names no language, or one that is not spoken here.
    usual: Recordings,
    languages: BTreeMap<String, Recordings>,
    /// For a phone that the room holds; without a sample, silence.
    pub(crate) hold: Arc<[i16]>,
    files: Files,
}

type Recordings = HashMap<Prompt, Arc<[i16]>>;

impl Default for Prompts {
    fn default() -> Self {
        let read = |files: &Spoken| files.iter().map(|(prompt, file)| (*prompt, own(file))).collect();
        let languages: BTreeMap<String, Recordings> =
            SHIPPED.iter().map(|(language, files)| ((*language).to_owned(), read(files))).collect();
        let usual = languages.get(SHIPPED[0].0).cloned().unwrap_or_default();
        Self { usual, languages, hold: Arc::default(), files: Files::default() }
    }
}

impl Prompts {
    /// Another recording for callers of that language, or for those without one.
    pub(crate) fn replace(&mut self, language: Option<&str>, prompt: Prompt, samples: Arc<[i16]>) {
        let recordings = match language {
            Some(language) => self.languages.entry(tidy(language)).or_default(),
            None => &mut self.usual,
        };
        recordings.insert(prompt, samples);
    }

    /// What is heard in a language: of `de-AT`, what there is in it, else in `de`, else as if nothing had been asked for.
    pub(crate) fn of(&self, language: &str, prompt: Prompt) -> Arc<[i16]> {
        let spoken = self.variants(language).find_map(|recordings| recordings.get(&prompt));
        spoken.or(self.usual.get(&prompt)).cloned().unwrap_or_default()
    }

    /// Whether there is a recording of it in that language. No language at all is always spoken.
    pub(crate) fn has(&self, language: &str, prompt: Prompt) -> bool {
        language.is_empty() || self.variants(language).any(|recordings| recordings.contains_key(&prompt))
    }

    /// A recording that a rule names, read when it is heard first. Waits for the disk.
    pub(crate) fn read(&self, path: &Path) -> Result<Arc<[i16]>, String> {
        self.files.read(path)
    }

    pub(crate) fn hold(&self) -> Arc<[i16]> {
        self.hold.clone()
    }

    fn variants(&self, language: &str) -> impl Iterator<Item = &Recordings> {
        let language = tidy(language);
        let primary = language.split('-').next().unwrap_or_default().to_owned();
        [language, primary].into_iter().filter_map(|language| self.languages.get(&language))
    }
}

/// How many there are, and in which languages.
impl fmt::Debug for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages: Vec<_> = self.languages.keys().collect();
        f.debug_struct("Prompts").field("languages", &languages).field("hold", &self.hold.len()).finish_non_exhaustive()
    }
}

/// Whether a text names a language: two or three letters, and what tells its variants apart ([RFC 5646 §2.1]).
///
/// [RFC 5646 §2.1]: https://www.rfc-editor.org/rfc/rfc5646#section-2.1
pub(crate) fn is_language(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let is_word = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let primary = parts.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && text.len() <= 32
        && parts.all(is_word)
}

/// `de_AT` and `de-at` are one.
fn tidy(language: &str) -> String {
    language.to_ascii_lowercase().replace('_', "-")
}

/// Recordings of rules by their files, kept until the configuration is read anew.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<HashMap<PathBuf, Arc<[i16]>>>>);

impl Files {
    fn read(&self, path: &Path) -> Result<Arc<[i16]>, String> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(samples) = known().get(path) {
            return Ok(samples.clone());
        }
        if !path.is_file() {
            return Err(format!("{}: there is no such file", path.display()));
        }
        // Not under the lock: other callers need not wait for this disk.
        let samples = wav::read(path)?;
        let mut known = known();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(path.to_owned(), samples.clone());
        Ok(samples)
    }
}

fn own(file: &[u8]) -> Arc<[i16]> {
    wav::decode(Cursor::new(file)).expect("a test reads the recordings that come with the gateway")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_recordings_can_be_heard() {
        let prompts = Prompts::default();
        let mut seen = Vec::new();
        for (language, _) in SHIPPED {
            for prompt in Prompt::ALL {
                assert!(prompts.has(language, prompt));
                let samples = prompts.of(language, prompt);
                assert!((8_000..=8 * 8_000).contains(&samples.len()), "{language} {prompt:?}: {}", samples.len());
                let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
                let level = 10.0 * (power / 32_768f64.powi(2)).log10();
                assert!((-32.0..=-18.0).contains(&level), "{language} {prompt:?}: {level} dBFS");
                assert!(!seen.contains(&samples), "{language} {prompt:?} is there twice");
                seen.push(samples);
            }
        }
    }

    #[test]
    fn a_language_is_found_by_what_it_is_a_variant_of() {
        use Prompt::{EnterPin, WrongPin};
        let mut prompts = Prompts::default();
        let [viennese, dutch, usual]: [Arc<[i16]>; 3] = [[1].into(), [2].into(), [3].into()];
        prompts.replace(Some("de_AT"), EnterPin, viennese.clone());
        prompts.replace(Some("nl"), EnterPin, dutch.clone());
        prompts.replace(None, WrongPin, usual.clone());
        let own = Prompts::default();
        let of = |language: &str, prompt| own.of(language, prompt);
        let cases = [
            ("", EnterPin, of("en", EnterPin), true),
            ("", WrongPin, usual.clone(), true),
            ("en", WrongPin, of("en", WrongPin), true),
            ("EN-us", WrongPin, of("en", WrongPin), true),
            ("de-at", EnterPin, viennese, true),
            ("de-AT", WrongPin, of("de", WrongPin), true),
            ("de-CH", EnterPin, of("de", EnterPin), true),
            ("nl", EnterPin, dutch, true),
            ("nl", WrongPin, usual.clone(), false),
            ("xx", WrongPin, usual, false),
            ("xx", EnterPin, of("en", EnterPin), false),
        ];
        for (language, prompt, expected, is_spoken) in cases {
            assert_eq!(prompts.of(language, prompt), expected, "{language} {prompt:?}");
            assert_eq!(prompts.has(language, prompt), is_spoken, "{language} {prompt:?}");
        }
    }

    #[test]
    fn names_of_languages() {
        for (text, expected) in [
            ("de", true),
            ("de-AT", true),
            ("pt_BR", true),
            ("gsw", true),
            ("zh-Hant-TW", true),
            ("", false),
            ("d", false),
            ("german", false),
            ("hold", false),
            ("d3", false),
            ("de-", false),
            ("de-A", false),
            ("de-../..", false),
            ("de-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd", false),
        ] {
            assert_eq!(is_language(text), expected, "{text}");
        }
    }

    #[test]
    fn files_of_rules_are_read_once_until_all_is_read_anew() {
        let folder = crate::store::tests::Folder::new();
        let path = folder.path("welcome.wav");
        let prompts = Prompts::default();
        assert!(prompts.read(&path).is_err());
        wav::write(&path, &[1, 2, 3]).unwrap();
        assert_eq!(prompts.read(&path).unwrap().len(), 3);
        wav::write(&path, &[1, 2, 3, 4]).unwrap();
        assert_eq!(prompts.read(&path).unwrap().len(), 3, "it is kept");
        assert_eq!(Prompts::default().read(&path).unwrap().len(), 4);
        for number in 0..=KEPT {
            let path = folder.path(&format!("{number}.wav"));
            wav::write(&path, &[0]).unwrap();
            prompts.read(&path).unwrap();
        }
        assert!(prompts.files.0.lock().unwrap().len() <= KEPT);
    }
}
