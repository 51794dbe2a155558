//! Texts as the numbers of their pieces by BERT's vocabulary, which lies beside ImageReward's file: `vocab.txt` of
//! bert-base-uncased, a piece a line.

use std::collections::HashMap;

use unicode_general_category::{GeneralCategory as Category, get_general_category};
use unicode_normalization::UnicodeNormalization as _;

use super::BlipConfig;

/// The longest piece of a text that is looked for, in letters; a longer word is unknown, as for BERT.
const LONGEST: usize = 100;
/// The most lines of a vocabulary.
const MOST_PIECES: usize = 200_000;

/// A vocabulary.
#[derive(Debug, Clone)]
pub struct WordPieces {
    numbers: HashMap<String, u32>,
    /// Before a text, after it, and in place of words that have no pieces.
    markers: [u32; 3],
}

impl WordPieces {
    /// Reads `vocab.txt`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut numbers = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            if number >= MOST_PIECES {
                return Err(format!("it has more than {MOST_PIECES} lines"));
            }
            numbers.insert(line.trim_end().to_owned(), number as u32);
        }
        let marker = |name: &str| {
            let number = numbers.get(name).copied();
            number.ok_or_else(|| format!("it has no line {name}"))
        };
        Ok(Self {
            markers: [marker("[CLS]")?, marker("[SEP]")?, marker("[UNK]")?],
            numbers,
        })
    }

    /// The numbers of a text's pieces between the two markers. Markers that the text itself names are words as any others.
    ///
    /// # Errors
    /// When ImageReward does not read so many.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, String> {
        let [first, last, _] = self.markers;
        let mut ids = vec![first];
        for word in plain_words(text) {
            self.cut(&word, &mut ids);
        }
        ids.push(last);
        if ids.len() > BlipConfig::MOST {
            return Err(format!(
                "the prompt has {} pieces of words, and the text tower reads {}: shorten it",
                ids.len() - 2,
                BlipConfig::MOST - 2
            ));
        }
        Ok(ids)
    }

    /// The longest piece at the beginning of a word, then of what is left, which is marked by `##`.
    fn cut(&self, word: &str, ids: &mut Vec<u32>) {
        let before = ids.len();
        let mut rest = word;
        if word.chars().count() > LONGEST {
            ids.push(self.markers[2]);
            return;
        }
        while !rest.is_empty() {
            let first = rest.len() == word.len();
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let mut found = ends.filter_map(|end| {
                let piece = &rest[..end];
                let number = if first {
                    self.numbers.get(piece)
                } else {
                    self.numbers.get(&format!("##{piece}"))
                };
                Some((end, *number?))
            });
            let Some((end, number)) = found.next() else {
                // Not a piece of it is known: the whole is not.
                ids.truncate(before);
                ids.push(self.markers[2]);
                return;
            };
            ids.push(number);
            rest = &rest[end..];
        }
    }
}

/// Small letters without accents; marks of punctuation and Chinese characters are words of their own.
fn plain_words(text: &str) -> Vec<String> {
    let spaced = text.chars().flat_map(|c| {
        let lonely = is_chinese(c);
        let c = if c.is_whitespace() { ' ' } else { c };
        let around = lonely.then_some(' ');
        let kept = (!is_left_out(c)).then_some(c);
        around.into_iter().chain(kept).chain(around)
    });
    let bare = spaced
        .nfd()
        .filter(|c| get_general_category(*c) != Category::NonspacingMark);
    let mut words = vec![String::new()];
    for c in bare.flat_map(char::to_lowercase) {
        if c == ' ' {
            words.push(String::new());
        } else if is_punctuation(c) {
            words.push(c.to_string());
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_left_out(c: char) -> bool {
    c == '\u{fffd}'
        || matches!(
            get_general_category(c),
            Category::Control | Category::Format | Category::PrivateUse | Category::Unassigned
        )
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(
            get_general_category(c),
            Category::ConnectorPunctuation
                | Category::DashPunctuation
                | Category::OpenPunctuation
                | Category::ClosePunctuation
                | Category::InitialPunctuation
                | Category::FinalPunctuation
                | Category::OtherPunctuation
        )
}

/// The blocks that BERT takes for Chinese.
fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4e00..=0x9fff
            | 0x3400..=0x4dbf
            | 0x20000..=0x2a6df
            | 0x2a700..=0x2b73f
            | 0x2b740..=0x2b81f
            | 0x2b820..=0x2ceaf
            | 0xf900..=0xfaff
            | 0x2f800..=0x2fa1f
    )
}
